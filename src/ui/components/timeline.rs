//! The list of a room: days, rows, holes, echoes.

use super::message::{EchoRow, MessageRow, ReadOnlyEcho, SharedRow};
use crate::client::{Input, Session};
use crate::protocol::{AccountId, RoomId};
use crate::timeline::{Item, items};
use crate::ui::dom;
use crate::ui::store::use_store;
use dioxus::prelude::*;

/// Year, month and day of a count of days since 1970 (the civil calendar, proleptic).
pub fn date_of(days: i64) -> (i64, i64, i64) {
    // Counted in eras of 400 years from 1 March, so that the leap day comes last.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A day in words, as "Tuesday 24 November 2026".
fn day_in_words(days: i64) -> String {
    const WEEKDAYS: [&str; 7] =
        ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let (year, month, day) = date_of(days);
    let weekday = WEEKDAYS[days.rem_euclid(7) as usize];
    format!("{weekday} {day} {} {year}", MONTHS[(month - 1) as usize])
}

fn name_of(session: &Session, id: AccountId) -> String {
    session.people.get(&id).map_or_else(|| "…".to_owned(), |person| person.name.clone())
}

#[component]
pub fn TimelineList(session: Signal<Session>, room: RoomId, found: Option<u64>) -> Element {
    let store = use_store();
    let zone = store.boot.zone;
    let state = session.read();
    let name = state.room(room).map(|room| room.name.clone()).unwrap_or_default();
    let Some(timeline) = state.timelines.get(&room) else {
        return rsx! {
            div { class: "scroll", role: "region", "aria-label": "Messages in {name}",
                ol { class: "timeline",
                    for width in ["long", "short", "middle"] {
                        li { key: "{width}", class: "row first skeleton", "aria-hidden": "true",
                            div { class: "message",
                                span { class: "avatar bone" }
                                div { class: "body",
                                    span { class: "bone name" }
                                    span { class: "bone {width}" }
                                }
                            }
                        }
                    }
                }
            }
        };
    };
    let me = state.me.id;
    let lines = items(timeline, me, zone);
    let empty = lines.is_empty();
    let oldest = timeline.window().map_or(1, |(oldest, _)| oldest);
    let newest = timeline.window().map_or(0, |(_, newest)| newest);
    let at_newest = timeline.at_newest();
    let (edit, discard) = (store.intents.clone(), store.intents.clone());
    let jump = store.intents.clone();
    let join_link = store.boot.join_link.clone().filter(|_| state.people.len() < 2);
    rsx! {
        div { class: "scroll", role: "region", "aria-label": "Messages in {name}", tabindex: "0",
            ol { class: "timeline",
                if oldest > 1 {
                    li { class: "edge older",
                        a { class: "page-link", href: "/r/{room}?before={oldest}", rel: "prev", "Older" }
                    }
                }
                {lines.into_iter().map(|item| {
                    match item {
                        Item::Day(day) => {
                            let words = day_in_words(day);
                            let (year, month, date) = date_of(day);
                            rsx! {
                                li { key: "d:{day}", class: "day", id: "d-{day}",
                                    time { datetime: "{year:04}-{month:02}-{date:02}", "{words}" }
                                }
                            }
                        }
                        Item::Hole { from, to } => rsx! {
                            li { key: "h:{from}", class: "hole", id: "h-{from}", p { "filling {from} to {to}" } }
                        },
                        Item::Row { row, first } => {
                            let quoted = row.quote.and_then(|id| timeline.quote(id).cloned());
                            let quote = quoted.map(|quote| (name_of(&state, quote.author), quote));
                            rsx! {
                                MessageRow {
                                    key: "{row.id}",
                                    author: name_of(&state, row.author),
                                    quote,
                                    found: found == Some(row.ordinal),
                                    row: SharedRow(row),
                                    first,
                                    me,
                                    zone,
                                }
                            }
                        }
                        Item::Echo { echo, first } => {
                            let (edit, discard) = (edit.clone(), discard.clone());
                            rsx! {
                                EchoRow {
                                    key: "{echo.draft.id}",
                                    echo: ReadOnlyEcho(echo),
                                    first,
                                    author: state.me.name.clone(),
                                    me,
                                    onedit: move |(id, text): (_, String)| {
                                        edit.send(Input::Discard(id));
                                        dom::composer_set(&text);
                                        dom::composer_focus();
                                    },
                                    ondiscard: move |id| discard.send(Input::Discard(id)),
                                }
                            }
                        }
                    }
                })}
                if !at_newest {
                    li { class: "edge newer",
                        a { class: "page-link", href: "/r/{room}?after={newest}", rel: "next", "Newer" }
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
                } else if empty {
                    li { class: "start",
                        h2 { "Nothing here yet" }
                        p { "Say what this room is for." }
                    }
                }
            }
        }
        if !at_newest {
            a { class: "newest", href: "/r/{room}",
                onclick: move |event| {
                    event.prevent_default();
                    jump.send(Input::Newest);
                    dom::to_bottom();
                },
                "Newest"
            }
        }
    }
}
