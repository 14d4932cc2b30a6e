//! A room: header, timeline, composer.

use super::{Nothing, SignIn};
use crate::client::{Input, Session, Status};
use crate::protocol::RoomId;
use crate::ui::components::{Composer, Sidebar, TimelineList};
use crate::ui::dom;
use crate::ui::route::Route;
use crate::ui::store::use_store;
use dioxus::prelude::*;
use dioxus_free_icons::Icon;
use dioxus_free_icons::icons::ld_icons::LdChevronLeft;

#[component]
pub fn RoomPage(room: String) -> Element {
    rsx! { Show { room, ordinal: None::<u64> } }
}

#[component]
pub fn RoomAt(room: String, ordinal: String) -> Element {
    match ordinal.parse::<u64>() {
        Ok(ordinal) => rsx! { Show { room, ordinal } },
        Err(_) => rsx! { Nothing {} },
    }
}

#[component]
fn Show(room: String, ordinal: Option<u64>) -> Element {
    let store = use_store();
    let Some(session) = store.session else { return rsx! { SignIn {} } };
    let id = room.parse::<RoomId>().ok();
    let known = id.filter(|id| session.read().room(*id).is_some());
    match known {
        // The key makes a room change a new view: a new composer with an empty box.
        Some(room) => rsx! { View { key: "{room}", session, room, found: ordinal } },
        None => rsx! { Nothing {} },
    }
}

/// Thousands apart, as people read counts.
fn counted(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[component]
fn View(session: Signal<Session>, room: RoomId, found: Option<u64>) -> Element {
    let store = use_store();
    let intents = store.intents.clone();
    let state = session.read();
    let Some(info) = state.room(room).cloned() else { return rsx! { Nothing {} } };
    let title = info.name.clone();
    use_effect(move || {
        intents.send(Input::Look(room));
        dom::title(&title);
    });
    let signed_out = state.status == Status::SignedOut;
    let too_old = state.status == Status::TooOld;
    let notice = store.boot.notice.clone().filter(|notice| !notice.text.is_empty());
    rsx! {
        div { class: "app",
            Sidebar { session, current: Some(room) }
            main { class: "room",
                header { class: "room-head",
                    Link { class: "icon-button back", to: Route::Rooms {}, "aria-label": "All rooms",
                        Icon { class: "icon", width: 18, height: 18, icon: LdChevronLeft }
                    }
                    h1 { class: "room-name", "{info.name}" }
                    p { class: "topic", "{info.topic}" }
                    if info.joined {
                        Chip { session, room }
                    }
                }
                div { class: "stage",
                    if signed_out {
                        p { class: "bar", role: "alert",
                            "Your login has ended. What you wrote is kept. "
                            a { href: "/sign-in", "Sign in" }
                        }
                    }
                    if too_old {
                        p { class: "bar", role: "alert",
                            "The server is newer than this page. "
                            a { href: "/r/{room}", "Reload" }
                        }
                    }
                    if let Some(notice) = &notice {
                        p { class: "bar", role: "alert", "{notice.text}" }
                    }
                    if info.joined {
                        TimelineList { session, room, found }
                    } else {
                        div { class: "scroll",
                            ol { class: "timeline",
                                li { class: "start",
                                    h2 { "{info.name}" }
                                    p { "You are not in this room yet." }
                                    form { method: "post", action: "/r/{room}/join",
                                        button { class: "button", r#type: "submit", "Join" }
                                    }
                                }
                            }
                        }
                    }
                }
                if info.joined {
                    Composer { session, room, name: info.name.clone() }
                }
            }
            div { class: "live-region hidden", "aria-live": "polite" }
        }
    }
}

/// What can be said of this room's completeness right now; never more than it has reached.
#[component]
fn Chip(session: Signal<Session>, room: RoomId) -> Element {
    let state = session.read();
    let timeline = state.timelines.get(&room);
    let hole = timeline.and_then(|timeline| timeline.hole());
    let waiting = state.waiting();
    let (class, text, label) = match (state.status, timeline, hole) {
        (Status::Starting | Status::Live, Some(timeline), None) => {
            let n = counted(timeline.head());
            ("chip", n.clone(), format!("Complete: {n} messages"))
        }
        (Status::Live, Some(_), Some((from, to))) => {
            let text = format!("filling {from} to {to}");
            ("chip filling", text.clone(), text)
        }
        (Status::Starting | Status::Live, ..) => ("chip loading", "loading".into(), "Loading".into()),
        _ => {
            let text = if waiting > 0 { format!("offline, {waiting} waiting") } else { "offline".into() };
            ("chip offline", text.clone(), text)
        }
    };
    let held = match timeline.and_then(|timeline| timeline.window()) {
        Some((from, to)) => format!("{} to {}", counted(from), counted(to)),
        None => "nothing yet".to_owned(),
    };
    let unbroken = if hole.is_none() { "unbroken" } else { "with a gap" };
    let chain = timeline.map(|timeline| timeline.cursor().chain.to_string()).unwrap_or_default();
    let agrees = match state.status {
        Status::Live => "agrees at each heartbeat",
        _ => "as of the page; not compared now",
    };
    rsx! {
        details { class: "complete pop",
            summary { class, "aria-label": "{label}",
                svg { class: "wave", view_box: "0 0 22 10", width: "22", height: "10", "aria-hidden": "true",
                    path { class: "whole", d: "M1 5c3.3-5 6.7-5 10 0s6.7 5 10 0" }
                    path { class: "broken", d: "M1 5c2.2-3.4 4.4-4.5 6.6-3.4M14 8.3c2.2 1 4.7 0 7-3.3" }
                }
                span { class: "chip-text", "{text}" }
            }
            div { class: "complete-panel",
                dl { class: "facts",
                    div { dt { "You hold" } dd { "{held}, {unbroken}" } }
                    div { dt { "Server" } dd { "chain ", code { "{chain}" } ", {agrees}" } }
                    div { dt { "Acknowledged" } dd { "on the server's disk, flushed" } }
                }
            }
        }
    }
}
