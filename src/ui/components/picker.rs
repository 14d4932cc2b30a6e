//! Choosing a reaction: search, what one used last, all that is offered.

use super::SharedRow;
use crate::client::{Lane, Session};
use crate::text::emoji::{USUAL, all, find, name_of};
use crate::ui::acting::{react, spot_of};
use crate::ui::dom::{self, Used};
use crate::ui::store::use_store;
use dioxus::prelude::*;

/// Emoji of the row of those used last.
const RECENT: usize = 8;

#[component]
pub fn Picker(session: Signal<Session>, lane: Lane, row: SharedRow) -> Element {
    let mut acting = use_store().acting;
    let mut query = use_signal(String::new);
    let recent = use_hook(|| {
        let mut recent = dom::recent(Used::Emoji);
        recent.extend(USUAL.iter().map(|emoji| (*emoji).to_owned()));
        let mut seen = std::collections::HashSet::new();
        recent.retain(|emoji| seen.insert(emoji.clone()));
        recent.truncate(RECENT);
        recent
    });
    let searched = !query.read().trim().is_empty();
    let found: Vec<_> = if searched { find(&query.read()) } else { all().collect() };
    let none = found.is_empty();
    let (of, ordinal) = spot_of(&row.0, lane);
    rsx! {
        div { class: "over", onclick: move |_| acting.write().open = None }
        div { class: "picker floating", role: "dialog", "aria-label": "Choose a reaction", "data-for": "{of} {ordinal}",
            input {
                class: "field",
                r#type: "search",
                placeholder: "Search emoji",
                "aria-label": "Search emoji",
                autocomplete: "off",
                oninput: move |event| query.set(event.value()),
            }
            if !searched {
                p { class: "picker-head", id: "picker-recent", "Used last" }
                div { class: "grid", role: "group", "aria-labelledby": "picker-recent",
                    for emoji in recent {
                        Pick { key: "{emoji}", session, lane, row: row.clone(), emoji }
                    }
                }
                p { class: "picker-head", id: "picker-all", "All" }
            }
            div { class: "grid all", role: "group", "aria-label": if searched { "Found" } else { "All" },
                for emoji in found {
                    Pick { key: "{emoji.emoji}", session, lane, row: row.clone(), emoji: emoji.emoji.to_owned() }
                }
            }
            if none {
                p { class: "picker-none", role: "status", "No emoji is called that." }
            }
        }
    }
}

#[component]
fn Pick(session: Signal<Session>, lane: Lane, row: SharedRow, emoji: String) -> Element {
    let store = use_store();
    let mut acting = store.acting;
    let name = name_of(&emoji).map_or_else(|| emoji.clone(), |name| name.replace('_', " "));
    let mine = row.0.reactions.get(&emoji).is_some_and(|who| who.contains(&session.peek().me.id));
    let shown = emoji.clone();
    rsx! {
        button {
            class: if mine { "pick mine" } else { "pick" },
            r#type: "button",
            title: "{name}",
            "aria-label": "{name}",
            "aria-pressed": if mine { "true" } else { "false" },
            onclick: move |_| {
                dom::used(Used::Emoji, &emoji);
                store.intents.send(react(&session.peek(), lane, &row.0, &emoji));
                acting.write().open = None;
            },
            "{shown}"
        }
    }
}
