//! A person's pebble.

use crate::protocol::AccountId;
use dioxus::prelude::*;

/// Twelve hues and three shapes, by id, so that they stay when the name changes.
fn look(id: AccountId) -> (u32, u32) {
    let sum = id.as_str().bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    (sum % 12, (sum / 12) % 3)
}

fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().next());
    let first = words.next();
    // One sign of a script without capitals says as much as two letters.
    let second = words.next_back().filter(|_| first.is_some_and(|first| first.is_uppercase()));
    first.into_iter().chain(second).collect()
}

#[component]
pub fn Avatar(id: AccountId, name: String, small: bool) -> Element {
    let (hue, shape) = look(id);
    let class = if small { "avatar small" } else { "avatar" };
    let initials = initials(&name);
    rsx! {
        span { class, "data-hue": "{hue}", "data-shape": "{shape}", "aria-hidden": "true", "{initials}" }
    }
}
