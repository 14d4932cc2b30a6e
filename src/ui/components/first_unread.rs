//! The way to the first unread message, while it is not on the screen.

use super::counted;
use super::icon;
use crate::client::{Input, Session};
use crate::protocol::{RoomId, bounds};
use crate::ui::store::use_store;
use dioxus::prelude::*;

#[component]
pub fn FirstUnread(session: Signal<Session>, room: RoomId) -> Element {
    let store = use_store();
    let state = session.read();
    let Some((ordinal, unread)) = state.first_unread() else { return rsx! {} };
    let count = if unread > bounds::UNREAD_EXACT { "99+".to_owned() } else { counted(u64::from(unread)) };
    let (go, read) = (store.intents.clone(), store.intents.clone());
    rsx! {
        div { class: "first-unread",
            a {
                href: "/r/{room}/{ordinal}",
                onclick: move |event: MouseEvent| {
                    event.prevent_default();
                    go.send(Input::GoTo(0, ordinal));
                },
                {icon("arrow-up", 16)}
                "{count} unread"
            }
            button {
                r#type: "button",
                "aria-label": "Mark as read",
                title: "Mark as read",
                onclick: move |_| read.send(Input::MarkRead(room)),
                {icon("check", 16)}
            }
        }
    }
}
