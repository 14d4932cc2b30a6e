//! The seam to assets/dom.js, page.js and acts.js: called directly in a browser, by evaluation in the desktop's window.
//! None of it is called while a server renders.

#[cfg(target_arch = "wasm32")]
mod console;
#[cfg(target_arch = "wasm32")]
mod web;
#[cfg(target_arch = "wasm32")]
pub use console::write_to_console;
#[cfg(target_arch = "wasm32")]
pub use web::*;

#[cfg(not(target_arch = "wasm32"))]
mod native;
mod said;
#[cfg(not(target_arch = "wasm32"))]
pub use native::*;

/// What this browser remembers the use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    Emoji,
    /// Rooms that were looked at, by their ids.
    Rooms,
}

impl Used {
    pub fn name(self) -> &'static str {
        match self {
            Used::Emoji => "emoji",
            Used::Rooms => "rooms",
        }
    }
}
