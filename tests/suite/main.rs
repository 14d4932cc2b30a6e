//! Beck's tests: one target, a module per behaviour.
#![allow(clippy::unwrap_used)]

mod config;
mod conformance;
mod kill;
mod layering;
mod refusals;
mod session;
mod support;
mod text;
mod timeline;
