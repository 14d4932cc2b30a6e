//! What a message says.

use super::Named;
use super::elements::{elements, ending};
use crate::client::Input;
use crate::protocol::ClientId;
use crate::text::{Node, Tag, emoji, parse};
use crate::ui::store::use_store;
use dioxus::prelude::*;

/// `edited` names the message if its text is not its first one: its history can be opened.
#[component]
pub fn MessageText(
    text: String,
    state: Option<&'static str>,
    edited: Option<ClientId>,
    named: Named,
) -> Element {
    let mut nodes = parse(&text);
    let remarks = match edited.is_some() || state.is_some() {
        true => rsx! { Remarks { edited, state } }.ok(),
        false => None,
    };
    // They stand behind the last word, or below what has none.
    let last = match nodes.pop() {
        Some(Node::Part(Tag::Paragraph, inner)) => inner,
        other => {
            nodes.extend(other);
            Vec::new()
        }
    };
    let mut blocks = elements(nodes, &named);
    if remarks.is_some() || !last.is_empty() {
        blocks.push(ending(Tag::Paragraph, last, &named, remarks));
    }
    rsx! {
        div { class: if emoji::alone(&text) { "text emoji" } else { "text" }, dir: "auto", {blocks.into_iter()} }
    }
}

/// What is said after the last word of a text.
#[component]
fn Remarks(edited: Option<ClientId>, state: Option<&'static str>) -> Element {
    let store = use_store();
    let mut acting = store.acting;
    rsx! {
        if let Some(row) = edited {
            " "
            button {
                class: "edited",
                r#type: "button",
                "aria-label": "edited: show the earlier texts",
                onclick: move |_| {
                    let open = acting.peek().history == Some(row);
                    acting.write().history = (!open).then_some(row);
                    if !open {
                        store.intents.send(Input::History(row));
                    }
                },
                "edited"
            }
        }
        if let Some(state) = state {
            span { class: "state", " {state}" }
        }
    }
}
