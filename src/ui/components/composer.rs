//! Where people write. The text belongs to the browser: nothing here ever sets it while somebody types.

use crate::client::{Input, Session, Status};
use crate::protocol::frame::Draft;
use crate::protocol::{ClientId, RoomId, bounds};
use crate::ui::dom;
use crate::ui::store::use_store;
use dioxus::prelude::*;
use dioxus_free_icons::Icon;
use dioxus_free_icons::icons::ld_icons::LdArrowUp;

#[component]
pub fn Composer(session: Signal<Session>, room: RoomId, name: String) -> Element {
    let store = use_store();
    let mut fault = use_signal(|| None::<String>);
    let offline = matches!(session.read().status, Status::Offline | Status::SignedOut | Status::TooOld);
    let client_id = store.boot.client_id;
    let notice = store.boot.notice.clone();
    let unsent = notice.map(|notice| notice.field("text")).unwrap_or_default();
    let intents = store.intents.clone();
    let send = move |event: FormEvent| {
        event.prevent_default();
        let text = match bounds::message_text(&dom::composer_text()) {
            Ok(text) => text,
            Err(bounds::Unfit::Empty) => return,
            Err(unfit) => {
                fault.set(Some(unfit.to_string()));
                return;
            }
        };
        fault.set(None);
        let draft = Draft { id: ClientId::random(), room, thread: None, quote: None, text };
        intents.send(Input::Write(draft));
        dom::composer_set("");
        dom::to_bottom();
    };
    rsx! {
        form {
            class: if offline { "composer offline" } else { "composer" },
            id: "composer",
            method: "post",
            action: "/r/{room}/post",
            onsubmit: send,
            input { r#type: "hidden", name: "client_id", value: "{client_id}" }
            p { class: "composer-edge", "Offline. What you send waits here and goes out in order." }
            div { class: "box",
                // An empty child would be rendered as a comment, which a textarea shows.
                if unsent.is_empty() {
                    textarea {
                        name: "text",
                        rows: "1",
                        placeholder: "Write to {name}",
                        "aria-label": "Write to {name}",
                        autocomplete: "off",
                        enterkeyhint: "send",
                    }
                } else {
                    textarea {
                        name: "text",
                        rows: "1",
                        placeholder: "Write to {name}",
                        "aria-label": "Write to {name}",
                        autocomplete: "off",
                        enterkeyhint: "send",
                        "{unsent}"
                    }
                }
                button { class: "send", r#type: "submit", "aria-label": "Send",
                    Icon { class: "icon", width: 18, height: 18, icon: LdArrowUp }
                }
            }
            div { class: "hint",
                span { class: "typing", role: "status",
                    if let Some(fault) = fault() {
                        "{fault}"
                    }
                }
                span { class: "keys", "Enter sends · Shift Enter breaks the line" }
            }
        }
    }
}
