//! Beck's tests: one target, a module per behaviour.
#![allow(clippy::unwrap_used)]

mod accounts;
mod addresses;
mod behind;
mod compression;
mod config;
mod conformance;
mod crowd;
mod demo;
mod disk;
mod drain;
mod embedded;
mod first_run;
mod kill;
mod layering;
mod leave;
mod memory;
mod moving;
mod place;
mod proxies;
mod refusals;
mod restore;
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
