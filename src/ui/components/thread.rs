//! Threads: the panel beside the room, the way to it from a message, the list of those that one follows.

use super::dates::{iso, moment};
use super::{Avatar, Composer, TimelineList, counted, icon};
use crate::client::{Input, Lane, Session};
use crate::protocol::{AccountId, Answers, Place, RoomId};
use crate::timeline::quote_of;
use crate::ui::route::Route;
use crate::ui::store::use_store;
use dioxus::prelude::*;

pub fn answers_in_words(n: u64) -> String {
    if n == 1 { "1 answer".to_owned() } else { format!("{} answers", counted(n)) }
}

/// Under a message that was answered.
#[component]
pub fn ThreadLink(
    room: RoomId,
    lane: u64,
    answers: Answers,
    answerers: Vec<(AccountId, String)>,
    zone: i32,
) -> Element {
    let words = answers_in_words(answers.count);
    let last = moment(answers.at, zone);
    rsx! {
        Link { class: "thread-link", to: Route::thread(room, lane),
            span { class: "faces", "aria-hidden": "true",
                for (id , name) in answerers {
                    Avatar { key: "{id}", id, name, small: true }
                }
            }
            b { "{words}" }
            time { datetime: iso(answers.at), "last {last}" }
        }
    }
}

/// Where else an answer stands that was also written to the room.
#[component]
pub fn AlsoLink(room: RoomId, also: Place) -> Element {
    let words = if also.lane == 0 { "Also in the room" } else { "Answer in a thread" };
    rsx! {
        Link { class: "thread-link also-link", to: Route::row(room, also.lane, also.ordinal),
            {icon("messages-square", 14)}
            "{words}"
        }
    }
}

/// One thread, beside the room that it belongs to.
#[component]
pub fn ThreadPanel(
    session: Signal<Session>,
    lane: Lane,
    found: Option<u64>,
    name: String,
    writes: bool,
) -> Element {
    let store = use_store();
    let state = session.read();
    let open = state.thread.as_ref().filter(|open| open.at == lane);
    let fault = open.and_then(|open| open.fault.clone());
    let follows = open.and_then(|open| open.told.as_ref()).map(|told| told.follows);
    let root = open.and_then(|open| open.root()).map(|root| root.id);
    let Lane { room, lane: of } = lane;
    rsx! {
        aside { class: "thread", "aria-label": "Thread",
            header { class: "thread-head",
                h2 { "Thread" }
                p { class: "topic", "in {name}" }
                if let Some(follows) = follows {
                    form { method: "post", action: "/r/{room}/thread/{of}/follow",
                        onsubmit: move |event: FormEvent| {
                            event.prevent_default();
                            store.intents.send(Input::Follow(!follows));
                        },
                        input { r#type: "hidden", name: "follow", value: if follows { "0" } else { "1" } }
                        button {
                            class: "button plain small",
                            r#type: "submit",
                            "aria-pressed": if follows { "true" } else { "false" },
                            title: if follows { "You hear of new answers here" } else { "Hear of new answers here" },
                            if follows { "Following" } else { "Follow" }
                        }
                    }
                }
                Link { class: "icon-button close-thread", to: Route::room(room), "aria-label": "Close the thread",
                    {icon("x", 18)}
                }
            }
            div { class: "stage",
                if let Some(fault) = fault {
                    p { class: "bar", role: "alert", "{fault}" }
                }
                TimelineList { session, lane, found }
            }
            if let Some(root) = root.filter(|_| writes) {
                Composer { session, lane, thread: root, name }
            }
        }
    }
}

/// The threads of a room that one follows.
#[component]
pub fn Threads(session: Signal<Session>, room: RoomId, unread: u32) -> Element {
    let store = use_store();
    let zone = store.boot.zone;
    let load = store.intents.clone();
    let state = session.read();
    let threads = state.threads.get(&room);
    rsx! {
        details { class: "pop pins threads", ontoggle: move |_| load.send(Input::Threads),
            summary { class: "icon-button", "aria-label": if unread > 0 { "Threads, {unread} unread" } else { "Threads" },
                {icon("messages-square", 18)}
                if unread > 0 {
                    span { class: "dot", "aria-hidden": "true" }
                }
            }
            div { class: "pins-panel",
                h2 { "Threads you follow" }
                match threads {
                    None => rsx! { p { class: "note", "Loading" } },
                    Some(threads) if threads.is_empty() => rsx! {
                        p { class: "note", "None yet. Whoever answers in a thread, or is named there, follows it." }
                    },
                    Some(threads) => rsx! {
                        ol {
                            for thread in threads.iter() {
                                li { key: "{thread.lane}",
                                    Link { to: Route::thread(room, thread.lane), "data-closes": "1",
                                        span { class: "pin-by",
                                            b { {state.people.get(&thread.root.author).map_or("…", |p| &p.name)} }
                                            if let Some(answers) = &thread.root.answers {
                                                {format!(" {}, last {}", answers_in_words(answers.count), moment(answers.at, zone))}
                                            }
                                            if thread.badge.unread > 0 {
                                                span { class: "count", "{thread.badge.unread} new" }
                                            }
                                        }
                                        span { class: "pin-text",
                                            {quote_of(&thread.root).text.unwrap_or_else(|| "deleted".to_owned())}
                                        }
                                    }
                                }
                            }
                        }
                    },
                }
            }
        }
    }
}
