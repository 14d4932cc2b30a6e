//! Changing what a message says: the box in its place, an edit that did not go through, the texts it had.

use super::Named;
use super::dates::{iso, moment};
use super::named::named_in;
use super::text::MessageText;
use crate::client::{Input, Lane, Session};
use crate::protocol::frame::Version;
use crate::protocol::{ActValue, ClientId, bounds};
use crate::timeline::{ActEcho, ActState};
use crate::ui::acting::write;
use crate::ui::dom;
use crate::ui::store::use_store;
use dioxus::prelude::*;

/// Stands where the text was. Like the composer's, the text belongs to the browser.
#[component]
pub fn EditBox(lane: Lane, row: ClientId, text: String) -> Element {
    let store = use_store();
    let mut acting = store.acting;
    let mut fault = use_signal(|| None::<String>);
    let begin = text.clone();
    use_effect(move || dom::edit_begin(&begin));
    let intents = store.intents.clone();
    let save = move |event: FormEvent| {
        event.prevent_default();
        match bounds::message_text(&dom::edit_text(&event)) {
            Ok(new) => {
                if new != text {
                    let named = named_in(&dom::edit_named(&event), &new);
                    intents.send(write(lane.room, row, new, named));
                }
                acting.write().editing = None;
                dom::composer_focus(lane.lane);
            }
            Err(bounds::Unfit::Empty) => {
                fault.set(Some("Nothing is left. To remove the message, delete it.".into()))
            }
            Err(unfit) => fault.set(Some(unfit.to_string())),
        }
    };
    rsx! {
        form { class: "edit-box", onsubmit: save,
            input { r#type: "hidden", name: "named" }
            div { class: "box",
                textarea { name: "text", rows: "1", "aria-label": "Edit the message", autocomplete: "off" }
            }
            div { class: "edit-line",
                button { class: "button small", r#type: "submit", "Save" }
                button {
                    class: "link",
                    r#type: "button",
                    onclick: move |_| {
                        acting.write().editing = None;
                        dom::composer_focus(lane.lane);
                    },
                    "Cancel"
                }
                if let Some(fault) = fault() {
                    span { class: "reason", role: "alert", "{fault}" }
                } else {
                    span { class: "keys", "Enter saves · Esc cancels" }
                }
            }
        }
    }
}

/// An edit that was not carried out: what it was, why, what to do.
#[component]
pub fn Unsaved(edit: ActEcho, lane: Lane) -> Element {
    let store = use_store();
    let mut acting = store.acting;
    let discard = store.intents.clone();
    let ActState::Failed { why } = &edit.state else { return rsx! {} };
    let ActValue::Text(text) = edit.act.value.clone() else { return rsx! {} };
    let (id, target) = (edit.act.id, edit.act.target);
    let (again, copied) = (text.clone(), text.clone());
    rsx! {
        div { class: "card unsent",
            MessageText { text, state: None, edited: None, named: Named::default() }
            p { class: "reason", "Edit not saved: {why}" }
            div { class: "actions-row",
                button {
                    class: "link",
                    r#type: "button",
                    onclick: move |_| acting.write().editing = Some((target, lane.lane, again.clone())),
                    "Edit again"
                }
                button { class: "link", r#type: "button", onclick: move |_| dom::copy(&copied), "Copy" }
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

/// The texts that a message had, oldest first.
#[component]
pub fn History(session: Signal<Session>, row: ClientId, zone: i32) -> Element {
    let mut acting = use_store().acting;
    let state = session.read();
    let versions: Option<Vec<Version>> =
        state.history.as_ref().filter(|(of, _)| *of == row).map(|(_, versions)| versions.clone());
    rsx! {
        div { class: "card history", role: "region", "aria-label": "Earlier texts",
            match versions {
                None => rsx! { p { class: "note", "Loading the earlier texts" } },
                Some(versions) if versions.is_empty() => rsx! { p { class: "note", "There are no earlier texts." } },
                Some(versions) => rsx! {
                    ol {
                        for (n , version) in versions.into_iter().enumerate() {
                            li { key: "{n}",
                                time { datetime: iso(version.at), {moment(version.at, zone)} }
                                MessageText { text: version.text, state: None, edited: None, named: Named::default() }
                            }
                        }
                    }
                },
            }
            button { class: "link", r#type: "button", onclick: move |_| acting.write().history = None, "Close" }
        }
    }
}
