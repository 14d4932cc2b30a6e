//! Where people write. The text belongs to the browser: nothing here ever sets it while somebody types.

use super::Named;
use super::Typers;
use super::clock;
use super::named::named_in;
use super::text::MessageText;
use super::{for_ever_before_five, icon};
use crate::client::{Input, Lane, Probe, Session, Status};
use crate::protocol::frame::{Answer, Draft};
use crate::protocol::{ClientId, bounds};
use crate::timeline::quote_of;
use crate::ui::dom;
use crate::ui::store::use_store;
use dioxus::prelude::*;

/// `thread` is the root of the lane, if it is that of a thread.
#[component]
pub fn Composer(session: Signal<Session>, lane: Lane, thread: Option<ClientId>, name: String) -> Element {
    let store = use_store();
    let Lane { room, lane: of } = lane;
    let mut fault = use_signal(|| None::<String>);
    let state = session.read();
    let live = matches!(state.status, Status::Starting | Status::Live);
    let since = state.offline_since.map(|at| clock(at, store.boot.zone));
    let edge = match (state.status, state.probe, since) {
        (Status::Starting | Status::Live, ..) => String::new(),
        (Status::Moving, ..) => "The server restarts. What you send waits here and goes out in order.".into(),
        (Status::Offline, Some(Probe::SignedIn), _) => {
            "The server answers, but no live connection gets through: a proxy may block WebSockets.".into()
        }
        (Status::TooManySockets, ..) => format!(
            "Not connected: you have {} tabs and apps open. Close one. What you send waits here.",
            bounds::SOCKETS_PER_ACCOUNT
        ),
        (Status::SignedOut, ..) => "Signed out. What you send waits here until you sign in again.".into(),
        (Status::TooOld, ..) => "This page is too old. What you send waits here until you reload it.".into(),
        (_, _, Some(since)) => {
            format!("Offline since {since}. What you send waits here, in order.")
        }
        _ => "Offline. What you send waits here and goes out in order.".into(),
    };
    let info = state.room(room);
    let muted = info.is_some_and(|info| info.badge.wanted.muted).then_some("1");
    let members = info.map_or(0, |info| info.members);
    let mut previewing = use_signal(|| false);
    let mut also = use_signal(|| false);
    let written = state.typed.get(&lane).filter(|_| previewing());
    let written = written.map(|text| (text.clone(), Named::of(&state, Some(text), None)));
    let only_here = state.not_kept && state.waiting() > 0;
    let client_id = store.boot.client_id;
    let forms = ["post", "topic", "invite"].map(|form| format!("/r/{room}/{form}"));
    let refused =
        store.boot.notice.as_ref().filter(|notice| {
            forms.contains(&notice.form) && notice.field("to").is_empty() == thread.is_none()
        });
    let unsent = refused.map(|notice| notice.field("text")).unwrap_or_default();
    let mut acting = store.acting;
    let answered = acting.read().reply.filter(|(at, _)| *at == lane).map(|(_, id)| id);
    let answered = answered.map(|id| {
        let root = || state.shown(lane, id).map(|root| quote_of(&root));
        let quote = state.timeline(lane).and_then(|timeline| timeline.quote(id)).or_else(root);
        let name = quote.as_ref().and_then(|quote| state.people.get(&quote.author));
        let text = quote.as_ref().and_then(|quote| quote.text.clone()).unwrap_or_else(|| "deleted".into());
        (name.map_or_else(|| "…".to_owned(), |person| person.name.clone()), text)
    });
    let wrong = fault().or_else(|| state.notice.clone());
    let (intents, again) = (store.intents.clone(), store.intents.clone());
    let send = move |event: FormEvent| {
        event.prevent_default();
        let text = match bounds::message_text(&dom::composer_text(&event)) {
            Ok(text) => text,
            Err(bounds::Unfit::Empty) => return,
            Err(unfit) => {
                fault.set(Some(unfit.to_string()));
                return;
            }
        };
        fault.set(None);
        previewing.set(false);
        let quote = acting.peek().reply.filter(|(at, _)| *at == lane).map(|(_, id)| id);
        let thread = thread.map(|to| Answer { to, also: also() });
        also.set(false);
        let named = named_in(&dom::composer_named(&event), &text);
        let draft = Draft { id: ClientId::random(), room, thread, quote, text, named };
        intents.send(Input::Write(draft));
        if quote.is_some() {
            acting.write().reply = None;
        }
        dom::composer_empty(of);
        dom::to_bottom(of);
    };
    let (form_id, box_id) = if of == 0 { ("composer", "write") } else { ("answer", "write-answer") };
    let placeholder = if of == 0 { format!("Write to {name}") } else { "Answer in this thread".to_owned() };
    rsx! {
        form {
            class: if live { "composer" } else { "composer offline" },
            id: form_id,
            method: "post",
            action: "/r/{room}/post",
            "data-room": "{room}",
            "data-lane": "{of}",
            "data-draft": "{lane}",
            "data-muted": muted,
            "data-topics": for_ever_before_five(store.boot.format),
            onsubmit: send,
            input { r#type: "hidden", name: "client_id", value: "{client_id}" }
            input { r#type: "hidden", name: "named" }
            if let Some(root) = thread {
                input { r#type: "hidden", name: "to", value: "{root}" }
            }
            p { class: "composer-edge",
                "{edge}"
                if state.status == Status::TooManySockets {
                    " "
                    button { class: "link", r#type: "button", onclick: move |_| again.send(Input::Wake), "Try again" }
                }
            }
            if let Some((name, text)) = answered {
                p { class: "answers",
                    {icon("reply", 14)}
                    span { class: "label",
                        "Reply to "
                        b { "{name}" }
                        " {text}"
                    }
                    button {
                        class: "icon-button",
                        r#type: "button",
                        "aria-label": "Do not reply",
                        onclick: move |_| acting.write().reply = None,
                        {icon("x", 14)}
                    }
                }
            }
            if let Some((text, named)) = written {
                div { class: "preview", role: "region", "aria-label": "Preview",
                    MessageText { text, state: None, edited: None, named }
                }
            }
            div { class: "box",
                // An empty child would be rendered as a comment, which a textarea shows.
                if unsent.is_empty() {
                    textarea {
                        id: box_id,
                        name: "text",
                        rows: "1",
                        placeholder: "{placeholder}",
                        "aria-label": "{placeholder}",
                        autocomplete: "off",
                        enterkeyhint: "send",
                    }
                } else {
                    textarea {
                        id: box_id,
                        name: "text",
                        rows: "1",
                        placeholder: "{placeholder}",
                        "aria-label": "{placeholder}",
                        autocomplete: "off",
                        enterkeyhint: "send",
                        "{unsent}"
                    }
                }
                button {
                    class: "icon-button look",
                    r#type: "button",
                    "aria-label": "Preview",
                    "aria-pressed": if previewing() { "true" } else { "false" },
                    onclick: move |_| previewing.toggle(),
                    {icon("eye", 18)}
                }
                button { class: "send", r#type: "submit", "aria-label": "Send",
                    {icon("arrow-up", 18)}
                }
            }
            if thread.is_some() {
                label { class: "also",
                    input {
                        r#type: "checkbox",
                        name: "also",
                        value: "1",
                        checked: also(),
                        onchange: move |event| also.set(event.checked()),
                    }
                    "Also to {name}"
                }
            }
            div { class: "hint",
                span { class: if wrong.is_some() { "typing refused" } else { "typing" }, role: "status",
                    if let Some(wrong) = &wrong {
                        "{wrong}"
                    } else if only_here {
                        {dom::NOT_KEPT}
                    }
                }
                Typers { session, lane }
                // The script writes here.
                span { class: "said", role: "status" }
                span { class: "audience", role: "status",
                    "@room calls everybody here: {members}"
                }
                span { class: "keys", "Enter sends · Shift Enter breaks the line" }
            }
        }
    }
}
