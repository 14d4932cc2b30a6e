//! What differs between a browser and everything else: socket, clock, storage.

#[cfg(target_arch = "wasm32")]
pub mod web;
