//! A draft that has no outcome: on its way, or in need of its author.

use super::Named;
use super::text::MessageText;
use crate::client::Input;
use crate::protocol::ClientId;
use crate::timeline::{Echo, EchoState};
use crate::ui::dom;
use crate::ui::store::use_store;
use dioxus::prelude::*;

/// On its way. What waits can be taken back into the composer.
#[component]
pub fn Pending(echo: Echo, named: Named) -> Element {
    let store = use_store();
    let id = echo.draft.id;
    let state = match echo.state {
        EchoState::Waiting => "waiting",
        EchoState::Behind => "waits for the one above",
        EchoState::TakingBack => "taking back",
        _ => "sending",
    };
    let waits = matches!(echo.state, EchoState::Waiting | EchoState::Behind);
    rsx! {
        MessageText { text: echo.draft.text.clone(), state: Some(state), edited: None, named }
        if waits {
            button {
                class: "link take-back",
                r#type: "button",
                onclick: move |_| store.intents.send(Input::Edit { id, void: ClientId::random() }),
                "Take back"
            }
        }
    }
}

/// A draft that needs its author: what it was, why it is not sent, what to do.
#[component]
pub fn Unsent(echo: Echo, time: String) -> Element {
    let store = use_store();
    let (again, edit, discard) = (store.intents.clone(), store.intents.clone(), store.intents.clone());
    let id = echo.draft.id;
    let text = echo.draft.text.clone();
    let (reason, send) = match &echo.state {
        EchoState::NotSent { why } => (format!("Not sent: {why}"), None),
        EchoState::Failed { why } => (format!("Not sent: {why}"), None),
        EchoState::Lost => {
            let reason = "The server had acknowledged it, and its log no longer has it.";
            (reason.to_owned(), Some("Send again"))
        }
        _ => (format!("Written at {time} and not sent since. Is it still to be sent?"), Some("Send now")),
    };
    rsx! {
        div { class: if send.is_some() { "card unsent question" } else { "card unsent" },
            MessageText { text: text.clone(), state: None, edited: None, named: Named::default() }
            p { class: "reason", "{reason}" }
            div { class: "actions-row",
                if let Some(send) = send {
                    button { class: "link", r#type: "button", onclick: move |_| again.send(Input::SendNow(id)), "{send}" }
                }
                button {
                    class: "link",
                    r#type: "button",
                    onclick: move |_| edit.send(Input::Edit { id, void: ClientId::random() }),
                    "Edit"
                }
                button { class: "link", r#type: "button", onclick: move |_| dom::copy(&text), "Copy" }
                button {
                    class: "link",
                    r#type: "button",
                    onclick: move |_| discard.send(Input::Discard { id, void: ClientId::random() }),
                    "Discard"
                }
            }
        }
    }
}
