//! One client of a Beck server: a pure session, and the engine that drives it.

pub mod engine;
pub mod platform;
pub mod session;

pub use session::{Effect, Input, Session, Status};
