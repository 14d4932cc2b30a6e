//! What one can do with a message: the bar at the active one, and the menu.

use super::SharedRow;
use super::icon;
use crate::client::{Input, Lane, Session};
use crate::protocol::{ActValue, RoomAct, Row, Slot};
use crate::text::emoji::{self, USUAL};
use crate::timeline::quote_of;
use crate::ui::acting::{Open, Spot, act, react, spot_of};
use crate::ui::dom::{self, Used};
use crate::ui::route::Route;
use crate::ui::store::use_store;
use dioxus::prelude::*;
use std::sync::Arc;

/// A row of a lane as it is shown, while it stands.
fn standing(session: &Session, lane: Lane, (of, ordinal): Spot) -> Option<Arc<Row>> {
    session.shown_at(lane, ordinal).filter(|row| of == lane.lane && row.text.is_some())
}

/// The bar exists once, for the active row; assets/acts.js puts it there. It is for pointers: by keys, Enter on a message
/// opens the menu.
#[component]
pub fn Actions(session: Signal<Session>, lane: Lane) -> Element {
    let store = use_store();
    let mut acting = store.acting;
    let active = acting.read().active;
    use_effect(use_reactive!(|active| dom::place(active)));
    let Some((spot, row)) = active.and_then(|spot| Some((spot, standing(&session.read(), lane, spot)?)))
    else {
        return rsx! {};
    };
    let edited = acting.read().editing.as_ref().is_some_and(|(id, ..)| *id == row.id);
    let may = |act| session.read().may(lane.room, act);
    let (reacts, replies) = (may(RoomAct::React), may(RoomAct::Reply));
    if edited || !reacts && !replies {
        return rsx! {};
    }
    let (of, ordinal) = spot;
    let answered = row.id;
    let in_room = of == 0;
    rsx! {
        div { class: "actions", role: "toolbar", "aria-label": "Message actions", "data-for": "{of} {ordinal}",
            if reacts {
                button {
                    class: "icon-button",
                    r#type: "button",
                    tabindex: "-1",
                    "aria-label": "React",
                    "data-hint": "React",
                    onclick: move |_| acting.write().open = Some(Open::Picker(spot)),
                    {icon("smile-plus", 16)}
                }
            }
            if replies {
                button {
                    class: "icon-button",
                    r#type: "button",
                    tabindex: "-1",
                    "aria-label": "Reply",
                    "data-hint": "Reply",
                    onclick: move |_| acting.write().reply(lane, answered),
                    {icon("reply", 16)}
                }
            }
            if in_room && replies {
                button {
                    class: "icon-button",
                    r#type: "button",
                    tabindex: "-1",
                    "aria-label": "Answer in a thread",
                    "data-hint": "Thread",
                    onclick: move |_| acting.write().open_thread(lane.room, &row),
                    {icon("messages-square", 16)}
                }
            }
            button {
                class: "icon-button",
                r#type: "button",
                tabindex: "-1",
                "aria-label": "More",
                "data-hint": "More",
                "aria-haspopup": "menu",
                onclick: move |_| acting.write().open = Some(Open::Menu(spot)),
                {icon("ellipsis", 16)}
            }
        }
    }
}

/// What is open over the list: menu, question or picker.
#[component]
pub fn Over(session: Signal<Session>, lane: Lane) -> Element {
    let store = use_store();
    let open = store.acting.read().open;
    let spot = match open {
        Some(Open::Menu(spot) | Open::Confirm(spot) | Open::Picker(spot) | Open::Why(spot)) => Some(spot),
        None => None,
    };
    let lane = Lane { lane: spot.map_or(0, |(of, _)| of), ..lane };
    let row = spot.and_then(|spot| standing(&session.read(), lane, spot));
    let kind = row.as_ref().and(open);
    use_effect(use_reactive!(|kind| dom::opened(kind.is_some())));
    match (kind, row) {
        (Some(Open::Menu(_)), Some(row)) => rsx! { Menu { session, lane, row: SharedRow(row) } },
        (Some(Open::Confirm(_)), Some(row)) => rsx! { Confirm { session, lane, row: SharedRow(row) } },
        (Some(Open::Picker(_)), Some(row)) => rsx! { super::Picker { session, lane, row: SharedRow(row) } },
        (Some(Open::Why(_)), Some(row)) => super::why(&session.read(), lane, &row),
        _ => rsx! {},
    }
}

#[component]
fn Menu(session: Signal<Session>, lane: Lane, row: SharedRow) -> Element {
    let store = use_store();
    let mut acting = store.acting;
    let state = session.read();
    let row = row.0;
    let own = row.author == state.me.id;
    let room = lane.room;
    let may = |act| state.may(room, act);
    let (reacts, replies, pins) = (may(RoomAct::React), may(RoomAct::Reply), may(RoomAct::Pin));
    let in_room = lane.lane == 0;
    let told = state.thread.as_ref().filter(|open| open.at == lane).and_then(|open| open.told.as_ref());
    let may_edit = own && may(RoomAct::Edit);
    let may_delete = may(if own { RoomAct::Delete } else { RoomAct::DeleteOthers });
    let pinned = row.pinned.is_some();
    let spot = spot_of(&row, lane);
    let (of, at) = spot;
    let ordinal = row.ordinal;
    // The root is read with the room, and what is not followed is not read.
    let may_mark = !own && (in_room || at > 0 && told.is_some_and(|told| told.follows));
    let link = Route::row(room, row.lane, ordinal).to_string();
    let id = row.id;
    let (intents, pin, unread) = (store.intents.clone(), store.intents.clone(), store.intents.clone());
    let (edited, deleted, threaded) = (row.clone(), row.clone(), row.clone());
    let text = row.text.clone().unwrap_or_default();
    let pin_shape = if pinned { icon("pin-off", 16) } else { icon("pin", 16) };
    let pin_words = if pinned { "Unpin" } else { "Pin to this room" };
    let delete_words = if own { "Delete" } else { "Delete…" };
    let recent: Vec<_> = USUAL.iter().map(|emoji| (*emoji).to_owned()).collect();
    rsx! {
        div { class: "over", onclick: move |_| acting.write().open = None }
        div { class: "menu floating", role: "menu", "aria-label": "Message", "data-for": "{of} {at}",
            if reacts {
                div { class: "quick", role: "group", "aria-label": "React",
                    for emoji in recent {
                        QuickReaction { key: "{emoji}", session, lane, row: SharedRow(row.clone()), emoji }
                    }
                }
                MenuItem {
                    shape: icon("smile-plus", 16),
                    words: "React",
                    key_of: "+",
                    chosen: move |()| acting.write().open = Some(Open::Picker(spot)),
                }
            }
            if replies {
                MenuItem {
                    shape: icon("reply", 16),
                    words: "Reply",
                    key_of: "R",
                    chosen: move |()| acting.write().reply(lane, id),
                }
            }
            if replies && in_room {
                MenuItem {
                    shape: icon("messages-square", 16),
                    words: "Answer in a thread",
                    key_of: "T",
                    chosen: move |()| acting.write().open_thread(room, &threaded),
                }
            }
            if may_edit {
                MenuItem {
                    shape: icon("pencil", 16),
                    words: "Edit",
                    key_of: "E",
                    chosen: move |()| acting.write().edit(&edited, of, &session.peek()),
                }
            }
            if pins {
                MenuItem {
                    shape: pin_shape,
                    words: pin_words,
                    key_of: "",
                    chosen: move |()| {
                        pin.send(act(room, id, Slot::Pin, ActValue::On(!pinned)));
                        acting.write().open = None;
                    },
                }
            }
            MenuItem {
                shape: icon("copy", 16),
                words: "Copy text",
                key_of: "",
                chosen: move |()| {
                    dom::copy(&text);
                    acting.write().open = None;
                },
            }
            MenuItem {
                shape: icon("link", 16),
                words: "Copy link",
                key_of: "",
                chosen: move |()| {
                    dom::copy_link(&link);
                    acting.write().open = None;
                },
            }
            if may_mark {
                MenuItem {
                    shape: icon("mail-open", 16),
                    words: "Mark unread from here",
                    key_of: "U",
                    chosen: move |()| {
                        unread.send(Input::MarkUnread(of, at));
                        acting.write().open = None;
                    },
                }
            }
            if !own {
                MenuItem {
                    shape: icon("bell", 16),
                    words: "Was I notified?",
                    key_of: "",
                    chosen: move |()| acting.write().open = Some(Open::Why(spot)),
                }
            }
            if may_delete {
                MenuItem {
                    shape: icon("trash-2", 16),
                    words: delete_words,
                    key_of: "Del",
                    danger: true,
                    chosen: move |()| acting.write().delete(&deleted, lane, &session.peek(), &intents),
                }
            }
        }
    }
}

#[component]
fn MenuItem(
    shape: Element,
    words: &'static str,
    key_of: &'static str,
    #[props(default)] danger: bool,
    chosen: EventHandler<()>,
) -> Element {
    rsx! {
        button {
            class: if danger { "menu-item danger" } else { "menu-item" },
            role: "menuitem",
            r#type: "button",
            onclick: move |_| chosen.call(()),
            {shape}
            "{words}"
            if !key_of.is_empty() {
                kbd { "{key_of}" }
            }
        }
    }
}

#[component]
fn QuickReaction(session: Signal<Session>, lane: Lane, row: SharedRow, emoji: String) -> Element {
    let store = use_store();
    let mut acting = store.acting;
    let name = emoji::name_of(&emoji).unwrap_or("emoji").replace('_', " ");
    let mine = row.0.reactions.get(&emoji).is_some_and(|who| who.contains(&session.peek().me.id));
    let shown = emoji.clone();
    rsx! {
        button {
            class: if mine { "pick mine" } else { "pick" },
            role: "menuitemcheckbox",
            "aria-checked": if mine { "true" } else { "false" },
            r#type: "button",
            "aria-label": "{name}",
            onclick: move |_| {
                dom::used(Used::Emoji, &emoji);
                store.intents.send(react(&session.peek(), lane, &row.0, &emoji));
                acting.write().open = None;
            },
            "{shown}"
        }
    }
}

/// Before somebody else's message goes.
#[component]
fn Confirm(session: Signal<Session>, lane: Lane, row: SharedRow) -> Element {
    let store = use_store();
    let mut acting = store.acting;
    let row = row.0;
    let name = session.read().people.get(&row.author).map_or("this person".to_owned(), |p| p.name.clone());
    let (of, at) = spot_of(&row, lane);
    let why = match session.read().is_of_five() {
        true => "It will be removed for everyone. You can undo this for 24 hours.",
        false => "It will be removed for everyone. You can't undo this.",
    };
    rsx! {
        div { class: "over", onclick: move |_| acting.write().open = None }
        div {
            class: "question floating",
            role: "alertdialog",
            "aria-labelledby": "sure",
            "aria-describedby": "sure-why",
            "data-for": "{of} {at}",
            h2 { id: "sure", "Delete {name}'s message?" }
            p { class: "pin-text", {quote_of(&row).text.unwrap_or_default()} }
            p { id: "sure-why", {why} }
            div { class: "actions-row",
                button {
                    class: "button small danger",
                    r#type: "button",
                    onclick: move |_| acting.write().delete(&row, lane, &session.peek(), &store.intents),
                    "Delete message"
                }
                button { class: "link", r#type: "button", onclick: move |_| acting.write().open = None, "Cancel" }
            }
        }
    }
}
