//! Who is there: dots, the people of a room, who is typing, what one says of oneself.

use super::{Avatar, clock, icon};
use crate::api::Notice;
use crate::client::{Input, Lane, Session};
use crate::protocol::frame::Person;
use crate::protocol::{Presence, RoomId, Seen, bounds};
use crate::ui::store::use_store;
use dioxus::prelude::*;

fn class_and_words(seen: Option<&Seen>) -> (&'static str, &'static str) {
    match seen.map(|seen| seen.is) {
        Some(Presence::Online) => ("dot online", "Online"),
        Some(Presence::Away) => ("dot away", "Away"),
        Some(Presence::DoNotDisturb) => ("dot busy", "Do not disturb"),
        _ => ("dot", "Offline"),
    }
}

/// The people of a room, in its header.
#[component]
pub fn People(session: Signal<Session>, room: RoomId, members: u32) -> Element {
    let store = use_store();
    let mut open = use_signal(|| false);
    let state = session.read();
    let people = state.members.get(&room);
    let more = members.saturating_sub(people.map_or(0, Vec::len) as u32);
    rsx! {
        details { class: "pop pins people",
            ontoggle: move |_| {
                open.toggle();
                store.intents.send(Input::ListPeople(open().then_some(room)));
            },
            summary { class: "icon-button", "aria-label": if members == 1 { "1 person" } else { "{members} people" },
                {icon("users", 18)}
            }
            div { class: "pins-panel",
                h2 { "People" }
                match people {
                    None => rsx! { p { class: "note", "Loading" } },
                    Some(people) => rsx! {
                        ul {
                            for person in people.iter() {
                                PersonLine { key: "{person.id}", person: person.clone(), seen: state.seen(person.id).cloned() }
                            }
                        }
                        if more > 0 {
                            p { class: "note", "and {more} more" }
                        }
                    },
                }
            }
        }
    }
}

#[component]
fn PersonLine(person: Person, seen: Option<Seen>) -> Element {
    let (class, words) = class_and_words(seen.as_ref());
    let text = seen.map(|seen| seen.status.text).unwrap_or_default();
    rsx! {
        li { class: "person",
            Avatar { id: person.id, name: person.name.clone(), small: true }
            span { class, title: "{words}" }
            span { class: "person-text",
                span { class: "person-name",
                    b { "{person.name}" }
                    " @{person.handle}"
                    span { class: "hidden", ", {words}" }
                }
                if !text.is_empty() {
                    span { class: "person-says", "{text}" }
                }
            }
        }
    }
}

/// Who is typing, in the line under the composer: nothing moves by it, and it is not read out.
#[component]
pub fn Typers(session: Signal<Session>, lane: Lane) -> Element {
    let state = session.read();
    let names = state.typers(lane);
    let words = match names.as_slice() {
        [] => String::new(),
        [one] => format!("{one} is typing"),
        [one, other] => format!("{one} and {other} are typing"),
        _ => "Several people are typing".to_owned(),
    };
    rsx! {
        span { class: "typers", "{words}" }
    }
}

/// What one says of oneself; assets/device.js gives it to the engine, and without that the form posts.
#[component]
pub fn StatusForm(session: Signal<Session>, refused: Option<Notice>) -> Element {
    // Drawn again only when it changes: each drawing sets the fields, and would take away what is being typed.
    let own = use_memo(move || {
        let state = session.read();
        let seen = state.seen(state.me.id);
        seen.map_or_else(Default::default, |seen| (seen.status.text.clone(), seen.status.do_not_disturb))
    });
    let before = use_hook(|| own.peek().clone());
    // What was typed and not taken, until the status is another one.
    let typed = refused.as_ref().filter(|_| own() == before);
    let (text, busy): (String, bool) = match typed {
        Some(typed) => (typed.field("text"), !typed.field("do_not_disturb").is_empty()),
        None => own(),
    };
    let minutes = typed.map(|typed| typed.field("for")).unwrap_or_default();
    let choices = [
        ("30", "For 30 minutes"),
        ("60", "For an hour"),
        ("240", "For 4 hours"),
        ("1440", "For a day"),
        ("10080", "For a week"),
        ("", "Until I change it"),
    ];
    let chosen = choices.iter().position(|(value, _)| *value == minutes).unwrap_or(choices.len() - 1);
    let wrong = typed.is_some_and(|typed| typed.is_about("Status")).then_some("true");
    let max = bounds::STATUS_CHARS;
    rsx! {
        form { class: "own-status", method: "post", action: "/account/status",
            label { class: "menu-name", r#for: "says", "Status" }
            input { class: "field", id: "says", name: "text", r#type: "text", autocomplete: "off", maxlength: "{max}", placeholder: "What are you doing?", autofocus: typed.is_some(), "aria-invalid": wrong, value: "{text}" }
            div { class: "own-status-line",
                select { class: "field", name: "for", "aria-label": "Clear the status",
                    for (index , (value , label)) in choices.into_iter().enumerate() {
                        option { key: "{value}", value, selected: index == chosen, "{label}" }
                    }
                }
                button { class: "button small", r#type: "submit", "Set" }
            }
            label { class: "own-busy",
                input { r#type: "checkbox", name: "do_not_disturb", value: "1", checked: busy }
                "Do not disturb"
            }
        }
    }
}

/// One's own dot and words, as others see them.
pub fn own_words(session: &Session) -> (&'static str, String) {
    let seen = session.seen(session.me.id);
    let text = seen.map(|seen| seen.status.text.clone()).unwrap_or_default();
    let busy = seen.is_some_and(|seen| seen.is == Presence::DoNotDisturb);
    let words = match (text.is_empty(), session.quiet_until()) {
        (false, _) => text,
        (true, _) if busy => "Do not disturb".to_owned(),
        (true, Some(to)) => format!("Quiet until {}", clock(i64::from(to) * 60_000, 0)),
        (true, None) => "Online".to_owned(),
    };
    (if busy { "own-state online busy" } else { "own-state online" }, words)
}
