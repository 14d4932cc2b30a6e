//! One client of a Beck server: a pure session, and the engine that drives it on a device.

pub mod engine;
mod lane;
pub mod outbox;
pub mod platform;
pub mod session;

pub use lane::Lane;
pub use outbox::{Kept, KeptState};
pub use session::{
    Effect, Input, Known, MarkedAs, Notice, OpenThread, Permission, Probe, Session, Status, Why,
};
