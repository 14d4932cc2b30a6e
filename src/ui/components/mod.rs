//! Parts of views: props in, events out.

mod actions;
mod archive;
mod avatar;
mod chip;
mod composer;
mod dates;
mod edit;
mod elements;
mod first_unread;
mod icon;
mod keyboard;
mod marked;
mod message;
mod named;
mod notices;
mod picker;
mod pins;
mod presence;
mod reactions;
mod sidebar;
mod switcher;
mod text;
mod thread;
mod timeline;
mod unsent;
mod why;

pub use actions::{Actions, Over};
pub use archive::{ArchiveForm, ArchivedNote};
pub use avatar::Avatar;
pub use chip::Chip;
pub use composer::Composer;
pub use dates::{clock, day_in_words, iso};
pub use first_unread::FirstUnread;
pub use icon::icon;
pub use keyboard::Keyboard;
pub use marked::MarkedBar;
pub use message::{Line, MessageLine, SharedRow};
pub use named::Named;
pub use notices::{NoticeSettings, OfferNotices, WantedChoice};
pub use picker::Picker;
pub use pins::Pins;
pub use presence::{People, StatusForm, Typers, own_words};
pub use sidebar::Sidebar;
pub use switcher::Switcher;
pub use text::MessageText;
pub use thread::{ThreadPanel, Threads};
pub use timeline::TimelineList;
pub use why::why;

use crate::protocol::Format;
use dioxus::prelude::*;

/// Said where people enter what nobody can remove from the log.
pub const FOR_EVER: &str = "It stays in the log for ever.";

/// The lengths that a browser lets a name of a person or room have. From format 5 on the server counts characters as people
/// do, and says by itself what does not fit.
pub fn name_lengths(format: u32) -> (u32, u32) {
    if format < Format::Five.number() { (2, 32) } else { (1, 256) }
}

/// The same where it is so before format 5 alone: names of people, topics.
pub fn for_ever_before_five(format: u32) -> &'static str {
    if format < Format::Five.number() { FOR_EVER } else { "" }
}

/// Thousands apart, as people read counts.
pub fn counted(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What is being filled, as people read it.
pub fn filling((from, to): (u64, u64)) -> String {
    if from == to {
        format!("filling {}", counted(from))
    } else {
        format!("filling {} to {}", counted(from), counted(to))
    }
}

/// The mark: two waves.
#[component]
pub fn Mark() -> Element {
    rsx! {
        svg { class: "mark", view_box: "0 0 20 12", width: "22", height: "14", "aria-hidden": "true",
            path { d: "M1 4.2c3-3.4 6-3.4 9 0s6 3.4 9 0" }
            path { class: "lower", d: "M1 9.2c3-3.4 6-3.4 9 0s6 3.4 9 0" }
        }
    }
}
