//! The list of a room: days, rows, holes, echoes.

use super::dates::{clock, date_of, day_in_words};
use super::icon;
use super::message::{Doing, Line, MessageLine, SharedRow};
use super::thread::answers_in_words;
use super::{Actions, FirstUnread, Named, counted, filling};
use crate::client::{Input, Lane, Session};
use crate::protocol::AccountId;
use crate::protocol::Row;
use crate::timeline::{ActEcho, Item, items, quote_of};
use crate::ui::acting::Acting;
use crate::ui::dom;
use crate::ui::store::use_store;
use dioxus::prelude::*;
use std::sync::Arc;

fn name_of(session: &Session, id: AccountId) -> String {
    session.people.get(&id).map_or_else(|| "…".to_owned(), |person| person.name.clone())
}

/// Three lines that stand where rows will be.
#[component]
fn Bones() -> Element {
    rsx! {
        for width in ["long", "short", "middle"] {
            div { key: "{width}", class: "message bones", "aria-hidden": "true",
                span { class: "avatar bone" }
                div { class: "body",
                    span { class: "bone name" }
                    span { class: "bone {width}" }
                }
            }
        }
    }
}

#[component]
fn NewLine(since: String) -> Element {
    rsx! {
        li { class: "day new", id: "new", "New since {since}" }
    }
}

#[component]
fn CaughtUpLine(missed: u64) -> Element {
    let messages = if missed == 1 { "message" } else { "messages" };
    let count = counted(missed);
    rsx! {
        li { class: "reset", id: "caught-up",
            Ripple {}
            p { "Caught up: {count} {messages} while you were away" }
        }
    }
}

#[component]
fn ResetLine(at: String) -> Element {
    rsx! {
        li { class: "reset", id: "reset",
            Ripple {}
            details { class: "why",
                summary {
                    "Reloaded at {at}: the server's log changed. "
                    span { class: "link", "Why?" }
                }
                p {
                    "The log that this page followed is not the one that the server has now: it was restored from a copy, or lost its newest entries. What you see is what the server has. Messages of yours that it lost are offered to you again."
                }
            }
        }
    }
}

#[component]
fn Ripple() -> Element {
    rsx! {
        svg { class: "ripple", view_box: "0 0 24 14", width: "24", height: "14", "aria-hidden": "true",
            path { d: "M2 4.5c3.3-4 6.7-4 10 0s6.7 4 10 0" }
            path { d: "M2 10.5c3.3-4 6.7-4 10 0s6.7 4 10 0" }
        }
    }
}

#[component]
pub fn TimelineList(session: Signal<Session>, lane: Lane, found: Option<u64>) -> Element {
    let store = use_store();
    let zone = store.boot.zone;
    let state = session.read();
    // What is under the pointer is no matter of the list.
    let acting = use_memo(move || {
        let acting = store.acting.read();
        Acting { active: None, open: None, ..acting.clone() }
    });
    let acting = acting.read();
    let Lane { room, lane: of } = lane;
    let in_room = of == 0;
    let name = state.room(room).map(|room| room.name.clone()).unwrap_or_default();
    let label = if in_room { format!("Messages in {name}") } else { "Answers".to_owned() };
    let Some(timeline) = state.timeline(lane) else {
        return rsx! {
            div { class: "scroll", role: "region", "aria-label": "{label}",
                ol { class: "timeline",
                    li { class: "skeleton", Bones {} }
                }
            }
        };
    };
    let me = state.me.id;
    let open = state.thread.as_ref().filter(|_| !in_room);
    let marks = open.map(|open| open.marks.clone());
    let marks = marks.unwrap_or_else(|| state.marks.get(&room).cloned().unwrap_or_default());
    let root = open.and_then(|open| open.root()).map(|root| timeline.shown(root));
    let lines = items(timeline, &marks, me, zone);
    let empty = lines.is_empty();
    let oldest = timeline.window().map_or(1, |(oldest, _)| oldest);
    let newest = timeline.window().map_or(0, |(_, newest)| newest);
    let at_newest = timeline.at_newest();
    let (loading_older, loading_newer) = state.is_loading(lane);
    let below = state.new_below(lane);
    let jump = store.intents.clone();
    let join_link = store.boot.join_link.clone().filter(|_| in_room && state.people.len() < 2);
    let (older, newer, end) = match in_room {
        true => {
            (format!("/r/{lane}/before/{oldest}"), format!("/r/{lane}/after/{newest}"), format!("/r/{room}"))
        }
        false => {
            let at = |ordinal| format!("/r/{room}/thread/{of}/{ordinal}");
            (at(oldest.saturating_sub(1)), at(newest + 1), format!("/r/{room}/thread/{of}"))
        }
    };
    let head = timeline.head();
    // A message of a list, stored or about to be.
    let line_of = |row: Arc<Row>, first: bool, edit: Option<ActEcho>| {
        let quoted = row.quote.and_then(|id| {
            timeline
                .quote(id)
                .or_else(|| root.as_ref().filter(|root| root.id == id).map(|root| quote_of(root)))
        });
        let quote = quoted.map(|quote| (name_of(&state, quote.author), quote));
        let editing = acting.editing.as_ref().filter(|(id, lane, _)| *id == row.id && *lane == of);
        let answers = row.answers.as_ref().map(|answers| answers.by.as_slice()).unwrap_or_default();
        let doing = Doing {
            editing: editing.map(|(.., text)| text.clone()),
            edit,
            history: acting.history == Some(row.id),
            restore: state.restore_of(&row),
            differs: row.proof.as_ref().is_some_and(|proof| state.differing.contains(&(room, proof.seq))),
            pinned: row.pinned.map(|by| name_of(&state, by)),
            answerers: answers.iter().map(|by| (*by, name_of(&state, *by))).collect(),
        };
        rsx! {
            MessageLine {
                key: "{row.id}",
                session,
                doing,
                author: name_of(&state, row.author),
                quote,
                named: Named::of(&state, row.text.as_deref(), row.added.as_ref()),
                found: found == Some(row.ordinal) && row.lane == of,
                line: Line::Stored(SharedRow(row)),
                lane,
                first,
                me,
                zone,
            }
        }
    };
    rsx! {
        div { class: "scroll", role: "region", "aria-label": "{label}", tabindex: "0",
            ol { class: "timeline", "data-room": "{room}", "data-lane": "{of}",
                if let Some(root) = root.clone().filter(|_| oldest <= 1) {
                    {line_of(root, true, None)}
                    li { class: "day answers-head",
                        {if head == 0 { "No answers yet".to_owned() } else { answers_in_words(head) }}
                    }
                }
                if oldest > 1 {
                    li { class: if loading_older { "edge older loading" } else { "edge older" },
                        a { class: "page-link", href: "{older}", rel: "prev", "Older" }
                        if loading_older {
                            Bones {}
                        }
                    }
                }
                {lines.into_iter().map(|item| {
                    let key = item.key();
                    match item {
                        Item::Day(day) => {
                            let words = day_in_words(day);
                            let (year, month, date) = date_of(day);
                            rsx! {
                                li { key: "{key}", class: "day", id: "d-{day}",
                                    time { datetime: "{year:04}-{month:02}-{date:02}", "{words}" }
                                }
                            }
                        }
                        Item::New { at } => rsx! { NewLine { key: "{key}", since: clock(at, zone) } },
                        Item::CaughtUp { missed } => rsx! { CaughtUpLine { key: "{key}", missed } },
                        Item::Reset { at } => rsx! { ResetLine { key: "{key}", at: clock(at, zone) } },
                        Item::Hole { from, to } | Item::Missing { from, to } => {
                            let words = filling((from, to));
                            rsx! {
                                li { key: "{key}", class: "hole", id: "hole-{key}", p { "{words}" } }
                            }
                        }
                        Item::Row { row, first, edit } => line_of(row, first, edit),
                        Item::Echo { echo, first } => rsx! {
                            MessageLine {
                                key: "{key}",
                                session,
                                doing: Doing::default(),
                                author: state.me.name.clone(),
                                quote: echo.draft.quote.and_then(|id| timeline.quote(id)).map(|quote| (name_of(&state, quote.author), quote)),
                                named: Named::of(&state, Some(&echo.draft.text), None),
                                found: false,
                                line: Line::Echo(echo),
                                lane,
                                first,
                                me,
                                zone,
                            }
                        },
                    }
                })}
                if !at_newest {
                    li { class: if loading_newer { "edge newer loading" } else { "edge newer" },
                        if loading_newer {
                            Bones {}
                        }
                        a { class: "page-link", href: "{newer}", rel: "next", "Newer" }
                    }
                }
                if let Some(link) = join_link {
                    li { class: "notice",
                        section { class: "card", "aria-labelledby": "quiet",
                            h2 { id: "quiet", "It is quiet here" }
                            p { "Send this link to someone, or open it in a private window to talk to yourself." }
                            div { class: "copy-line",
                                input { class: "field", r#type: "text", readonly: true, value: "{link}", "aria-label": "Link to join" }
                                button { class: "button", r#type: "button", "data-copy": "{link}",
                                    span { class: "before", "Copy link" }
                                    span { class: "after", "Copied" }
                                }
                            }
                            p { class: "note", "Whoever has it can join." }
                        }
                    }
                } else if empty && in_room {
                    li { class: "start",
                        h2 { "Nothing here yet" }
                        p { "Say what this room is for." }
                    }
                }
            }
            Actions { session, lane }
        }
        if in_room {
            FirstUnread { session, room }
        }
        if !at_newest || below > 0 {
            a { class: "newest", href: "{end}",
                onclick: move |event: MouseEvent| {
                    event.prevent_default();
                    jump.send(Input::Newest(of));
                    dom::to_bottom(of);
                },
                {icon("arrow-down", 16)}
                if below > 0 {
                    {format!("{} new", counted(below))}
                } else {
                    "Newest"
                }
            }
        }
    }
}
