//! What differs between a browser and everything else: socket, clock, timers, storage.

#[cfg(not(target_arch = "wasm32"))]
pub mod native;
#[cfg(target_arch = "wasm32")]
pub mod web;

use super::session::{Effect, Input};
use std::task::{Context, Poll};

/// What happens on a socket, in order: opened, texts, closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketEvent {
    Opened,
    Text(String),
    /// With the close code, if the server gave one. Nothing comes after it.
    Closed(Option<u16>),
}

/// A connection to `/ws`; dropping it closes it.
pub trait Socket {
    /// `false`: it is not open.
    fn send(&mut self, text: String) -> bool;
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<SocketEvent>;
}

/// What the engine stands on.
pub trait Device {
    type Socket: Socket;
    /// Milliseconds since 1970, by this device's clock.
    fn now_ms(&self) -> i64;
    /// Minutes east of UTC, now: the device may travel.
    fn zone(&self) -> i32;
    /// A number from 0 to below 1; for spreading reconnects.
    fn chance(&self) -> f64;
    /// Begins to connect.
    fn open(&mut self) -> Option<Self::Socket>;
    fn sleep(&self, ms: u32) -> impl Future<Output = ()>;
    /// Until the next picture is drawn or 100 ms have passed, whichever is first.
    fn picture(&self) -> impl Future<Output = ()>;
    /// What an earlier run left.
    fn restore(&mut self) -> Vec<Input>;
    /// Anything but connecting and sending.
    fn carry_out(&mut self, effect: Effect) -> Option<Input>;
}
