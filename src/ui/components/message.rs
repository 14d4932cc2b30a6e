//! One message, or one draft on its way.

use super::edit::{EditBox, History, Unsaved};
use super::icon;
use super::reactions::Reactions;
use super::{Avatar, Named};
use crate::client::{Input, Session};
use crate::protocol::{AccountId, ActValue, ClientId, Quote, RoomId, Row, Slot};
use crate::text::{Block, Span, blocks};
use crate::timeline::{ActEcho, ActState, Echo, EchoState};
use crate::ui::acting::act;
use crate::ui::dom;
use crate::ui::store::use_store;
use dioxus::prelude::*;
use std::sync::Arc;

/// A row that compares by identity: an untouched row is not rendered again.
#[derive(Debug, Clone)]
pub struct SharedRow(pub Arc<Row>);

impl PartialEq for SharedRow {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What one line shows. A draft and the row that it becomes are one line: its element stays.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    Stored(SharedRow),
    Echo(Echo),
}

/// Hours and minutes in the reader's zone.
pub fn clock(at: i64, zone: i32) -> String {
    let minutes = (at.div_euclid(60_000) + i64::from(zone)).rem_euclid(24 * 60);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A moment as machines read it.
pub fn iso(at: i64) -> String {
    let (days, rest) = (at.div_euclid(86_400_000), at.rem_euclid(86_400_000) / 1000);
    let (year, month, day) = super::timeline::date_of(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// A moment in the reader's zone: the day and the clock.
pub fn moment(at: i64, zone: i32) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = super::timeline::date_of((at + i64::from(zone) * 60_000).div_euclid(86_400_000));
    format!("{day} {} {year}, {}", MONTHS[(month - 1) as usize], clock(at, zone))
}

/// `edited` names the message if its text is not its first one: its history can be opened.
#[component]
pub fn MessageText(
    text: String,
    state: Option<&'static str>,
    edited: Option<ClientId>,
    named: Named,
) -> Element {
    let blocks = blocks(&text);
    let last = blocks.len().saturating_sub(1);
    let code_last = matches!(blocks.last(), Some(Block::Code(_)));
    rsx! {
        div { class: "text", dir: "auto",
            for (n , block) in blocks.into_iter().enumerate() {
                match block {
                    Block::Code(code) => rsx! {
                        pre { key: "{n}", tabindex: "0", code { "{code}" } }
                    },
                    Block::Paragraph(spans) => rsx! {
                        p { key: "{n}",
                            for span in spans {
                                match span {
                                    Span::Plain(text) => rsx! { "{text}" },
                                    Span::Code(code) => rsx! { code { "{code}" } },
                                    Span::Mention { typed, handle } => match named.class(&handle) {
                                        Some(class) => rsx! { span { class, "{typed}" } },
                                        None => rsx! { "{typed}" },
                                    },
                                    Span::Link(url) => rsx! {
                                        a { href: "{url}", rel: "noopener noreferrer nofollow", target: "_blank", "{url}" }
                                    },
                                }
                            }
                            if n == last {
                                Remarks { edited, state }
                            }
                        }
                    },
                }
            }
            if code_last && (edited.is_some() || state.is_some()) {
                p { Remarks { edited, state } }
            }
        }
    }
}

/// What is said after the last word of a text.
#[component]
fn Remarks(edited: Option<ClientId>, state: Option<&'static str>) -> Element {
    let store = use_store();
    let mut acting = store.acting;
    rsx! {
        if let Some(row) = edited {
            " "
            button {
                class: "edited",
                r#type: "button",
                "aria-label": "edited: show the earlier texts",
                onclick: move |_| {
                    let open = acting.peek().history == Some(row);
                    acting.write().history = (!open).then_some(row);
                    if !open {
                        store.intents.send(Input::History(row));
                    }
                },
                "edited"
            }
        }
        if let Some(state) = state {
            span { class: "state", " {state}" }
        }
    }
}

/// What is going on with a stored message, besides what it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Doing {
    /// The text that its edit box begins with, while it is edited.
    pub editing: Option<String>,
    /// An edit that is not stored yet.
    pub edit: Option<ActEcho>,
    /// Its earlier texts are shown.
    pub history: bool,
    /// It was deleted here, and this was its text.
    pub deleted: Option<String>,
    /// Who pinned it.
    pub pinned: Option<String>,
}

#[component]
pub fn MessageLine(
    session: Signal<Session>,
    line: Line,
    room: RoomId,
    first: bool,
    found: bool,
    author: String,
    quote: Option<(String, Quote)>,
    doing: Doing,
    named: Named,
    me: AccountId,
    zone: i32,
) -> Element {
    let (by, at) = match &line {
        Line::Stored(row) => (row.0.author, row.0.at),
        Line::Echo(echo) => (me, echo.at),
    };
    let (id, ordinal, name, mut class) = match &line {
        Line::Stored(SharedRow(row)) => {
            let class = if row.text.is_none() { "row erased" } else { "row" };
            (row.ordinal.to_string(), Some(row.ordinal.to_string()), None, class.to_owned())
        }
        Line::Echo(echo) if echo.needs_author() => {
            (echo.draft.id.to_string(), None, Some("Your message, not sent"), "row failed".to_owned())
        }
        Line::Echo(echo) => {
            (echo.draft.id.to_string(), None, Some("Your message, sending"), "row pending".to_owned())
        }
    };
    if first {
        class.push_str(" first");
    }
    if found {
        class.push_str(" found");
    }
    if doing.editing.is_some() {
        class.push_str(" editing");
    }
    if named.me() && by != me {
        class.push_str(" to-me");
    }
    let labelled_by = name.is_none().then(|| format!("n-{id} t-{id}"));
    let (time, moment) = (clock(at, zone), iso(at));
    rsx! {
        li { class, id: "m-{id}", "data-ordinal": ordinal,
            article { class: "message", tabindex: "-1", "aria-label": name, "aria-labelledby": labelled_by,
                if first {
                    Avatar { id: by, name: author.clone(), small: false }
                } else {
                    time { class: "gutter", id: "t-{id}", datetime: "{moment}", "{time}" }
                }
                div { class: "body",
                    if first {
                        p { class: "byline",
                            span { class: "author", id: "n-{id}", "{author}" }
                            " "
                            time { class: "at", id: "t-{id}", datetime: "{moment}", "{time}" }
                        }
                    } else {
                        span { class: "hidden", id: "n-{id}", "{author}" }
                    }
                    if let Some((name, quote)) = quote {
                        QuoteLine { room, name, quote }
                    }
                    match line {
                        Line::Stored(row) => rsx! { Stored { session, room, row, doing, named, zone } },
                        Line::Echo(echo) if echo.needs_author() => rsx! { Unsent { echo, time } },
                        Line::Echo(echo) => rsx! { Pending { echo, named } },
                    }
                }
            }
        }
    }
}

#[component]
fn Stored(
    session: Signal<Session>,
    room: RoomId,
    row: SharedRow,
    doing: Doing,
    named: Named,
    zone: i32,
) -> Element {
    let id = row.0.id;
    let (failed, saving) = match doing.edit {
        Some(edit) if matches!(edit.state, ActState::Failed { .. }) => (Some(edit), false),
        edit => (None, edit.is_some()),
    };
    rsx! {
        if let Some(pinned) = doing.pinned {
            p { class: "pinned",
                {icon("pin", 13)}
                "Pinned by {pinned}"
            }
        }
        match (doing.editing, &row.0.text) {
            (Some(text), Some(_)) => rsx! { EditBox { key: "{id}", room, row: id, text } },
            (_, Some(text)) => rsx! {
                MessageText {
                    text: text.clone(),
                    state: saving.then_some("saving"),
                    edited: row.0.edited.is_some().then_some(id),
                    named,
                }
            },
            (_, None) => rsx! { Deleted { room, id, text: doing.deleted } },
        }
        if let Some(edit) = failed {
            Unsaved { edit }
        }
        if doing.history {
            History { session, row: id, zone }
        }
        if !row.0.reactions.is_empty() && row.0.text.is_some() {
            Reactions { session, room, row }
        }
    }
}

/// What is left of a message; whoever just deleted an own one can bring it back.
#[component]
fn Deleted(room: RoomId, id: ClientId, text: Option<String>) -> Element {
    let store = use_store();
    let mut acting = store.acting;
    rsx! {
        div { class: "text",
            p {
                "deleted"
                if let Some(text) = text {
                    " "
                    button {
                        class: "link",
                        r#type: "button",
                        onclick: move |_| {
                            acting.write().deleted.remove(&id);
                            let restored = ActValue::Restored { restored: text.clone() };
                            store.intents.send(act(room, id, Slot::Deleted, restored));
                        },
                        "Undo"
                    }
                }
            }
        }
    }
}

#[component]
fn QuoteLine(room: RoomId, name: String, quote: Quote) -> Element {
    let store = use_store();
    let ordinal = quote.ordinal;
    rsx! {
        p { class: "quote",
            {icon("reply", 14)}
            a { href: "/r/{room}/{ordinal}",
                onclick: move |event: MouseEvent| {
                    event.prevent_default();
                    store.intents.send(Input::GoTo(ordinal));
                },
                b { "{name}" }
                " "
                span { class: "quoted", {quote.text.clone().unwrap_or_else(|| "deleted".into())} }
            }
        }
    }
}

/// On its way. What waits can be taken back into the composer.
#[component]
fn Pending(echo: Echo, named: Named) -> Element {
    let store = use_store();
    let id = echo.draft.id;
    let state = match echo.state {
        EchoState::Waiting => "waiting",
        EchoState::TakingBack => "taking back",
        _ => "sending",
    };
    let waits = echo.state == EchoState::Waiting;
    rsx! {
        MessageText { text: echo.draft.text.clone(), state: Some(state), edited: None, named }
        if waits {
            button {
                class: "link take-back",
                r#type: "button",
                onclick: move |_| store.intents.send(Input::Edit { id, void: ClientId::random() }),
                "Take back"
            }
        }
    }
}

/// A draft that needs its author: what it was, why it is not sent, what to do.
#[component]
fn Unsent(echo: Echo, time: String) -> Element {
    let store = use_store();
    let (again, edit, discard) = (store.intents.clone(), store.intents.clone(), store.intents.clone());
    let id = echo.draft.id;
    let text = echo.draft.text.clone();
    let (reason, send) = match &echo.state {
        EchoState::NotSent { why } => (format!("Not sent: {why}"), None),
        EchoState::Failed { why } => (format!("Not sent: {why}"), None),
        EchoState::Lost => {
            let reason = "The server had acknowledged it, and its log no longer has it.";
            (reason.to_owned(), Some("Send again"))
        }
        _ => (format!("Written at {time} and not sent since. Is it still to be sent?"), Some("Send now")),
    };
    rsx! {
        div { class: if send.is_some() { "card unsent question" } else { "card unsent" },
            MessageText { text: text.clone(), state: None, edited: None, named: Named::default() }
            p { class: "reason", "{reason}" }
            div { class: "actions-row",
                if let Some(send) = send {
                    button { class: "link", r#type: "button", onclick: move |_| again.send(Input::SendNow(id)), "{send}" }
                }
                button {
                    class: "link",
                    r#type: "button",
                    onclick: move |_| edit.send(Input::Edit { id, void: ClientId::random() }),
                    "Edit"
                }
                button { class: "link", r#type: "button", onclick: move |_| dom::copy(&text), "Copy" }
                button {
                    class: "link",
                    r#type: "button",
                    onclick: move |_| discard.send(Input::Discard { id, void: ClientId::random() }),
                    "Discard"
                }
            }
        }
    }
}
