//! Whether what is shown is complete: a wave and a word, and a panel that says it in full.

use super::{clock, counted, filling};
use crate::client::session::CheckState;
use crate::client::{Input, Session, Status};
use crate::protocol::RoomId;
use crate::timeline::Timeline;
use crate::ui::store::use_store;
use dioxus::prelude::*;

const CONTACT: &str = "Contact the person who runs this server.";

/// Events that are named by their numbers.
const DIFFERING: usize = 3;

/// Class, text and name of the chip; never more than has been reached.
fn state_of(state: &Session, room: RoomId) -> (&'static str, String, String) {
    let timeline = state.timelines.get(&room);
    let waiting = state.waiting();
    let missing = timeline.and_then(|timeline| timeline.missing().map(|(after, to)| (after + 1, to)));
    let gap = missing.or_else(|| timeline?.hole());
    if let Some((_, seq)) = state.differing.iter().find(|(of, _)| *of == room) {
        return ("chip filling", "differs".into(), format!("differs: {}", otherwise(*seq)));
    }
    match (state.status, timeline, gap, state.catching_up(room)) {
        (Status::Live, Some(_), Some(gap), _) => {
            let text = filling(gap);
            ("chip filling", text.clone(), text)
        }
        (Status::Live, Some(_), None, Some((done, all))) => {
            let text = format!("{} of {}", counted(done), counted(all));
            ("chip loading", text.clone(), format!("Catching up: {text}"))
        }
        (Status::Starting | Status::Live, Some(timeline), ..) => {
            let n = counted(timeline.head());
            ("chip", n.clone(), format!("Complete: {n} messages"))
        }
        (Status::Starting | Status::Live, None, ..) => ("chip loading", "loading".into(), "Loading".into()),
        _ => {
            let text = if waiting > 0 { format!("offline, {waiting} waiting") } else { "offline".into() };
            ("chip offline", text.clone(), text)
        }
    }
}

/// `9f3a 77c1 …`: a chain as people compare it.
fn spaced(chain: &str) -> String {
    let fours = chain.as_bytes().chunks(4).filter_map(|four| std::str::from_utf8(four).ok());
    fours.collect::<Vec<_>>().join(" ")
}

/// What the check has found so far, and whether that is bad.
fn result_of(state: &Session, room: RoomId) -> Option<(String, bool)> {
    let check = state.check.as_ref().filter(|check| check.room == room)?;
    let done = counted(check.done);
    Some(match &check.state {
        CheckState::Running => (format!("{done} of {} links", counted(check.to.seq)), false),
        CheckState::Agrees { ms } => {
            let tenths = (ms + 50) / 100;
            (format!("All {done} links agree, {}.{} s", tenths / 10, tenths % 10), false)
        }
        CheckState::Differs { seq } => {
            let seq = counted(*seq);
            (format!("Event {seq} does not continue the one before it. {CONTACT}"), true)
        }
        CheckState::Stopped(why) => (format!("Stopped after {done} links: {why}"), true),
    })
}

/// A count with its word, behind a comma.
fn and(n: usize, word: &str) -> String {
    if n == 0 { String::new() } else { format!(", {} {word}", counted(n as u64)) }
}

/// What is said where the log has another text than the one that came.
fn otherwise(seq: u64) -> String {
    format!("The server sent another text for event {} than the log has.", counted(seq))
}

/// What is known of the texts that are loaded here, and whether that is bad.
fn texts_of(state: &Session, room: RoomId) -> Option<(String, bool)> {
    let check = state.check.as_ref().filter(|check| check.room == room);
    // Texts of earlier formats come without a salt: none of them can be checked.
    let texts = check.and_then(|check| check.texts.as_ref()).filter(|_| state.is_of_five());
    let differing = state.differing.iter().filter(|(of, _)| *of == room).map(|(_, seq)| *seq);
    let all = differing.clone().count();
    if texts.is_none() && all == 0 {
        return None;
    }
    let mut words = String::new();
    let mut bad = false;
    if let Some(texts) = texts {
        let n = |n: usize| counted(n as u64);
        words = format!("{} of {} texts checked", n(texts.checked), n(texts.here()));
        words += &and(texts.erased, "erased");
        words += &and(texts.deleted, "deleted");
        words += &and(texts.missing, "missing");
        bad = texts.missing > 0;
        if texts.older > 0 {
            words += &format!(". {} not checked: written before the server was updated", n(texts.older));
        }
        if texts.unproven > 0 {
            words += &format!(". {} not checked: the server sent no proof", n(texts.unproven));
        }
        if texts.not_checked > 0 {
            words += &format!(". {} not checked yet", n(texts.not_checked));
        }
        words.push_str(". ");
    }
    for seq in differing.take(DIFFERING) {
        bad = true;
        words += &otherwise(seq);
        words.push(' ');
    }
    if all > DIFFERING {
        words += &format!("It did so for {} more. ", counted((all - DIFFERING) as u64));
    }
    if all > 0 {
        words += CONTACT;
    }
    Some((words.trim_end().to_owned(), bad))
}

#[component]
pub fn Chip(session: Signal<Session>, room: RoomId) -> Element {
    let store = use_store();
    let state = session.read();
    let (class, text, label) = state_of(&state, room);
    // A phone has room for the first word; the line under the timeline says the rest there.
    let words = matches!(class, "chip filling" | "chip offline");
    let (brief, rest) = text.split_at(text.find([',', ' ']).filter(|_| words).unwrap_or(text.len()));
    let timeline = state.timelines.get(&room);
    let held = match timeline.and_then(Timeline::window) {
        Some((from, to)) => format!("{} to {}", counted(from), counted(to)),
        None => "nothing yet".to_owned(),
    };
    let unbroken = match timeline {
        Some(timeline) if timeline.hole().is_some() => "with a gap",
        Some(timeline) if !timeline.at_newest() => "unbroken; newer ones are not loaded",
        _ => "unbroken",
    };
    let cursor = timeline.map(Timeline::cursor);
    let chain = cursor.map(|cursor| spaced(&cursor.chain.to_string())).unwrap_or_default();
    let seq = counted(cursor.map_or(0, |cursor| cursor.seq));
    let agrees = match (state.status, state.offline_since) {
        (Status::Live, _) => "compared at each heartbeat".to_owned(),
        (_, Some(since)) => format!("not compared since {}", clock(since, store.boot.zone)),
        _ => "as of the page; not compared yet".to_owned(),
    };
    let (result, bad) = result_of(&state, room).unwrap_or_else(|| ("not run yet".to_owned(), false));
    let running = state.check.as_ref().is_some_and(|check| check.state == CheckState::Running);
    let texts = texts_of(&state, room);
    let waiting = state.waiting();
    let acknowledged = &store.boot.acknowledged;
    let report = format!(
        "Beck, room {room}\nYou hold: {held}, {unbroken}\nServer: event {seq}, chain {chain}, {agrees}\nAcknowledged: {acknowledged}\nNot sent: {waiting}\nCheck from #1: {result}{}",
        texts.as_ref().map(|(words, _)| format!("\nTexts: {words}")).unwrap_or_default()
    );
    rsx! {
        details { class: "complete pop",
            summary { class, "aria-label": "{label}",
                svg { class: "wave", view_box: "0 0 22 10", width: "22", height: "10", "aria-hidden": "true",
                    path { class: "whole", d: "M1 5c3.3-5 6.7-5 10 0s6.7 5 10 0" }
                    path { class: "broken", d: "M1 5c2.2-3.4 4.4-4.5 6.6-3.4M14 8.3c2.2 1 4.7 0 7-3.3" }
                }
                span { class: "chip-text",
                    "{brief}"
                    span { class: "desk", "{rest}" }
                }
            }
            div { class: "complete-panel",
                dl { class: "facts",
                    div { dt { "You hold" } dd { "{held}, {unbroken}" } }
                    div { dt { "Server" } dd {
                            "event {seq}, chain "
                            span { class: "unbroken", code { "{chain}" } "," }
                            " {agrees}"
                        } }
                    div { dt { "Acknowledged" } dd { "{acknowledged}" } }
                    div {
                        dt { "All links" }
                        dd {
                            span { class: if bad { "check bad" } else { "check" }, role: "status", "{result}" }
                        }
                    }
                    if let Some((words, bad)) = texts {
                        div {
                            dt { "Texts" }
                            dd {
                                span { class: if bad { "check bad" } else { "check" }, role: "status", "{words}" }
                            }
                        }
                    }
                }
                div { class: "actions-row script-only",
                    button {
                        class: "button small",
                        r#type: "button",
                        disabled: running,
                        onclick: move |_| store.intents.send(Input::Check),
                        "Check from #1"
                    }
                    button { class: "link", r#type: "button", "data-copy": "{report}",
                        span { class: "before", "Copy as text" }
                        span { class: "after", "Copied" }
                    }
                }
            }
        }
    }
}
