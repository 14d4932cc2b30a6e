//! The pinned messages of a room, in its header.

use super::dates::moment;
use super::icon;
use crate::client::{Input, Session};
use crate::protocol::RoomId;
use crate::timeline::quote_of;
use crate::ui::store::use_store;
use dioxus::prelude::*;

#[component]
pub fn Pins(session: Signal<Session>, room: RoomId) -> Element {
    let store = use_store();
    let zone = store.boot.zone;
    let load = store.intents.clone();
    let state = session.read();
    let pins = state.pins.get(&room);
    rsx! {
        details { class: "pop pins", ontoggle: move |_| load.send(Input::Pins),
            summary { class: "icon-button", "aria-label": "Pinned messages",
                {icon("pin", 18)}
            }
            div { class: "pins-panel",
                h2 { "Pinned" }
                match pins {
                    None => rsx! { p { class: "note", "Loading" } },
                    Some(pins) if pins.is_empty() => rsx! {
                        p { class: "note", "Nothing is pinned here. Pin a message from its menu." }
                    },
                    Some(pins) => rsx! {
                        ol {
                            for row in pins.iter() {
                                PinLine {
                                    key: "{row.id}",
                                    room,
                                    ordinal: row.ordinal,
                                    author: state.people.get(&row.author).map_or_else(|| "…".to_owned(), |p| p.name.clone()),
                                    at: moment(row.written(), zone),
                                    text: quote_of(row).text.unwrap_or_default(),
                                }
                            }
                        }
                    },
                }
            }
        }
    }
}

#[component]
fn PinLine(room: RoomId, ordinal: u64, author: String, at: String, text: String) -> Element {
    let store = use_store();
    rsx! {
        li {
            a {
                href: "/r/{room}/{ordinal}",
                "data-closes": "1",
                onclick: move |event: MouseEvent| {
                    event.prevent_default();
                    store.intents.send(Input::GoTo(0, ordinal));
                },
                span { class: "pin-by",
                    b { "{author}" }
                    " {at}"
                }
                span { class: "pin-text", "{text}" }
            }
        }
    }
}
