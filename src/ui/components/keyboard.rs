//! What the keys do.

use super::icon;
use crate::ui::dom;
use dioxus::prelude::*;

const KEYS: [(&str, &[(&str, &str)]); 3] = [
    (
        "Everywhere",
        &[
            ("Ctrl K", "Go to a room, name a person"),
            ("Alt ↑, ↓", "The room above or below"),
            ("Alt Shift ↑, ↓", "The same, with something unread"),
            ("Alt ←", "Back to where you were"),
            ("Esc", "Close what is open, or mark the room as read"),
            ("Shift Esc", "Mark all as read"),
            ("?, Ctrl /", "This list"),
        ],
    ),
    (
        "While you write",
        &[
            ("Enter", "Send"),
            ("Shift Enter", "Break the line"),
            ("↑", "Edit your last message, in an empty box"),
        ],
    ),
    (
        "On a message",
        &[
            ("↑, ↓, Home, End", "Another message"),
            ("R", "Reply"),
            ("T", "Answer in a thread"),
            ("E", "Edit"),
            ("+", "React"),
            ("U", "Unread from here on"),
            ("Delete", "Delete"),
            ("Enter", "All that can be done with it"),
        ],
    ),
];

#[component]
pub fn Keyboard() -> Element {
    use_effect(|| dom::dialog(true));
    rsx! {
        dialog { class: "dialog keyboard", "aria-labelledby": "keyboard-head", tabindex: "-1",
            header { class: "dialog-head",
                h2 { id: "keyboard-head", "Keyboard" }
                button { class: "icon-button", r#type: "button", "aria-label": "Close", "data-closes": "1", {icon("x", 18)} }
            }
            for (head , keys) in KEYS {
                section { key: "{head}",
                    h3 { "{head}" }
                    dl {
                        for (key , what) in keys.iter() {
                            div { key: "{key}",
                                dt {
                                    for (nth , one) in key.split(", ").enumerate() {
                                        if nth > 0 { " or " }
                                        kbd { "{one}" }
                                    }
                                }
                                dd { "{what}" }
                            }
                        }
                    }
                }
            }
            p { class: "note", "On a Mac, Ctrl is ⌘ and Alt is ⌥." }
        }
    }
}
