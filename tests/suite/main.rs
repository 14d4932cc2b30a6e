//! Beck's tests: one target, a module per behaviour.
#![allow(clippy::unwrap_used)]

mod accounts;
mod acts;
mod addresses;
mod compression;
mod config;
mod conformance;
mod crowd;
mod demo;
mod disk;
mod drain;
mod embedded;
mod kill;
mod layering;
mod leave;
mod refusals;
mod resume;
mod retry;
mod servers;
mod session;
mod slow;
mod store;
mod support;
mod text;
mod timeline;
mod unready;
