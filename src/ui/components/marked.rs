//! What was just marked as read or unread, and the way back.

use super::icon;
use crate::client::{Input, MarkedAs, Session};
use crate::ui::store::use_store;
use dioxus::prelude::*;

#[component]
pub fn MarkedBar(session: Signal<Session>) -> Element {
    let store = use_store();
    let state = session.read();
    let words = state.marked.as_ref().map(|marked| {
        let name = match marked.before.as_slice() {
            [(room, _)] => state.room(*room).map(|room| room.name.clone()),
            _ => None,
        };
        match (marked.what, name) {
            (MarkedAs::Read, Some(name)) => format!("{name} is marked as read."),
            (MarkedAs::Read, None) => format!("{} rooms are marked as read.", marked.before.len()),
            (MarkedAs::Unread, name) => {
                let name = name.unwrap_or_else(|| "The thread".to_owned());
                format!("{name} stays unread until you come back to it.")
            }
        }
    });
    let (undo, drop) = (store.intents.clone(), store.intents.clone());
    rsx! {
        div { class: "marked", role: "status",
            if let Some(words) = words {
                p { "{words}" }
                button { class: "link", r#type: "button", onclick: move |_| undo.send(Input::UndoMark), "Undo" }
                button {
                    class: "icon-button",
                    r#type: "button",
                    "aria-label": "Close",
                    onclick: move |_| drop.send(Input::DropUndo),
                    {icon("x", 16)}
                }
            }
        }
    }
}
