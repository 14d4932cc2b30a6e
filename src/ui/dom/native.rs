//! Rendering on the server: there is no page to touch.

use super::Used;
use crate::client::engine::Intents;
use crate::ui::acting::{Gesture, Spot};
use futures::channel::mpsc::UnboundedSender;

pub fn attach(_: Intents, _: UnboundedSender<Gesture>) {}
pub fn place(_: Option<Spot>) {}
pub fn opened(_: bool) {}
pub fn edit_begin(_: &str) {}
pub fn edit_text() -> String {
    String::new()
}
pub fn composer_focus(_: u64) {}
pub fn copy_link(_: &str) {}
pub fn used(_: Used, _: &str) {}
pub fn dialog(_: bool) {}
pub fn insert(_: &str) {}
pub fn recent(_: Used) -> Vec<String> {
    Vec::new()
}
pub fn live() {}
pub fn address(_: &str) {}
pub fn composer_text() -> String {
    String::new()
}
pub fn composer_set(_: &str) {}
pub fn to_bottom(_: u64) {}
pub fn title(_: &str) {}
pub fn copy(_: &str) {}
pub fn ask_to_notify() {}
pub fn set_theme(_: &str) {}
pub fn announce(_: &str) {}
