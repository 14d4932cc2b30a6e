//! What the fold decides in format 5, line by line of docs/architecture.md, "Rules of the log", with expected answers
//! written by hand.

mod accounts;
mod acts;
mod cost;
mod deletions;
mod drafts;
mod log;
mod messages;
mod rise;
mod rooms;
mod scene;
mod sent;
