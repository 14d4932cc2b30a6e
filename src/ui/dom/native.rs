//! Rendering on the server: there is no page to touch.

use crate::client::engine::Intents;

pub fn attach(_: Intents) {}
pub fn live() {}
pub fn address(_: &str) {}
pub fn composer_text() -> String {
    String::new()
}
pub fn composer_set(_: &str) {}
pub fn to_bottom() {}
pub fn title(_: &str) {}
pub fn copy(_: &str) {}
pub fn ask_to_notify() {}
pub fn set_theme(_: &str) {}
pub fn announce(_: &str) {}
