//! Beck: team chat with one complete, ordered, checkable log, in one crate.
//!
//! | module | holds | may import |
//! |---|---|---|
//! | [`protocol`] | what is stored and what is on the wire | nothing of ours |
//! | [`timeline`] | events and pages and local echoes become rows; pure | protocol, text |
//! | [`text`] | a message's text as a tree; pure | protocol |
//! | [`client`] | session and outbox of one client | protocol, timeline, text, api |
//! | [`ui`] | routes, views, components | client and what it may import |
//! | [`api`] | server functions | protocol |
//! | `server` | log, fold, hub, routes, commands | protocol, timeline, text, api |
//!
//! `tests/suite/layering.rs` checks this table.

pub mod api;
pub mod client;
pub mod protocol;
#[cfg(feature = "server")]
pub mod server;
pub mod text;
pub mod timeline;
pub mod ui;
