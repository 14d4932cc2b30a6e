//! The reactions under a message: who, how many, and one's own by a click.

use super::SharedRow;
use crate::client::{Lane, Session};
use crate::protocol::AccountId;
use crate::text::emoji::name_of;
use crate::ui::acting::react;
use crate::ui::dom::{self, Used};
use crate::ui::store::use_store;
use dioxus::prelude::*;
use std::collections::BTreeSet;

/// Names that are told before the rest is a number.
const NAMES: usize = 8;

fn who(session: &Session, accounts: &BTreeSet<AccountId>, emoji: &str) -> String {
    let me = session.me.id;
    let name = |id: &AccountId| session.people.get(id).map_or("somebody".to_owned(), |p| p.name.clone());
    let mut names: Vec<_> = accounts.iter().filter(|id| **id != me).map(name).collect();
    names.sort_unstable();
    let rest = names.len().saturating_sub(NAMES);
    names.truncate(NAMES);
    if rest > 0 {
        names.push(format!("{rest} more"));
    }
    if accounts.contains(&me) {
        names.push("you".to_owned());
    }
    let last = names.pop().unwrap_or_default();
    let names = if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) };
    format!("{names}: {}", name_of(emoji).map_or_else(|| emoji.to_owned(), |name| name.replace('_', " ")))
}

#[component]
pub fn Reactions(session: Signal<Session>, lane: Lane, row: SharedRow) -> Element {
    rsx! {
        ul { class: "reactions", "aria-label": "Reactions",
            for emoji in row.0.reactions.keys() {
                li { key: "{emoji}",
                    Reaction { session, lane, row: row.clone(), emoji: emoji.clone() }
                }
            }
        }
    }
}

#[component]
fn Reaction(session: Signal<Session>, lane: Lane, row: SharedRow, emoji: String) -> Element {
    let store = use_store();
    // Not read: a pill is drawn anew with its row, not with every message.
    let state = session.peek();
    let Some(accounts) = row.0.reactions.get(&emoji) else { return rsx! {} };
    let mine = accounts.contains(&state.me.id);
    let (count, who, shown) = (accounts.len(), who(&state, accounts, &emoji), emoji.clone());
    drop(state);
    rsx! {
        button {
            class: if mine { "reaction mine" } else { "reaction" },
            r#type: "button",
            title: "{who}",
            "aria-label": "{count} {who}",
            "aria-pressed": if mine { "true" } else { "false" },
            onclick: move |_| {
                dom::used(Used::Emoji, &emoji);
                store.intents.send(react(&session.peek(), lane, &row.0, &emoji));
            },
            span { class: "emoji", "{shown}" }
            "{count}"
        }
    }
}
