//! One message, or one draft on its way.

use super::dates::{clock, iso, moment};
use super::edit::{EditBox, History, Unsaved};
use super::icon;
use super::reactions::Reactions;
use super::text::MessageText;
use super::thread::{AlsoLink, ThreadLink};
use super::unsent::{Pending, Unsent};
use super::{Avatar, Named};
use crate::client::{Input, Lane, Session};
use crate::protocol::{AccountId, ActValue, ClientId, Quote, RoomId, Row, Slot};
use crate::timeline::{ActEcho, ActState, Echo};
use crate::ui::acting::{act, spot_of};
use crate::ui::route::Route;
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

/// What is going on with a stored message, besides what it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Doing {
    /// The text that its edit box begins with, while it is edited.
    pub editing: Option<String>,
    /// An edit that is not stored yet.
    pub edit: Option<ActEcho>,
    /// Its earlier texts are shown.
    pub history: bool,
    /// What takes its deletion back, while that is offered.
    pub restore: Option<ActValue>,
    /// The log has another text than the one that came.
    pub differs: bool,
    /// Who pinned it.
    pub pinned: Option<String>,
    /// Who answered last, and their names.
    pub answerers: Vec<(AccountId, String)>,
}

#[component]
pub fn MessageLine(
    session: Signal<Session>,
    line: Line,
    lane: Lane,
    first: bool,
    found: bool,
    author: String,
    quote: Option<(String, Quote)>,
    doing: Doing,
    named: Named,
    me: AccountId,
    zone: i32,
) -> Element {
    let (by, at, imported) = match &line {
        Line::Stored(SharedRow(row)) => (row.author, row.written(), row.imported.then_some(row.at)),
        Line::Echo(echo) => (me, echo.at, None),
    };
    let (id, ordinal, name, mut class) = match &line {
        Line::Stored(SharedRow(row)) => {
            let class = if row.text.is_none() { "row erased" } else { "row" };
            let (of, ordinal) = spot_of(row, lane);
            // Ids are of the whole page, and a message can stand in two lists.
            let id = if of == 0 { ordinal.to_string() } else { format!("{of}-{ordinal}") };
            (id, Some(ordinal.to_string()), None, class.to_owned())
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
    if named.me() && by != me && imported.is_none() {
        class.push_str(" to-me");
    }
    let labelled_by = name.is_none().then(|| format!("n-{id} t-{id}"));
    let (time, imported) = match imported {
        Some(came) => {
            let (written, came) = (moment(at, zone), moment(came, zone));
            let title = format!("Written {written}. Imported {came} by the administrator.");
            (if first { written } else { clock(at, zone) }, Some(title))
        }
        None => (clock(at, zone), None),
    };
    let moment = iso(at);
    rsx! {
        li { class, id: "m-{id}", "data-ordinal": ordinal,
            article { class: "message", tabindex: "-1", "aria-label": name, "aria-labelledby": labelled_by,
                if first {
                    Avatar { id: by, name: author.clone(), small: false }
                } else {
                    time { class: "gutter", id: "t-{id}", datetime: "{moment}", title: imported.clone(), "{time}" }
                }
                div { class: "body",
                    if first {
                        p { class: "byline",
                            span { class: "author", id: "n-{id}", "{author}" }
                            " "
                            time { class: "at", id: "t-{id}", datetime: "{moment}", title: imported.clone(), "{time}" }
                            if let Some(imported) = &imported {
                                span { class: "at", title: imported.clone(), "Imported" }
                            }
                        }
                    } else {
                        span { class: "hidden", id: "n-{id}", "{author}" }
                    }
                    if let Some((name, quote)) = quote {
                        QuoteLine { lane, name, quote }
                    }
                    match line {
                        Line::Stored(row) => rsx! { Stored { session, lane, row, doing, named, zone } },
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
    lane: Lane,
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
        if let Some(pinned) = doing.pinned.filter(|_| row.0.text.is_some()) {
            p { class: "pinned",
                {icon("pin", 13)}
                "Pinned by {pinned}"
            }
        }
        match (doing.editing, &row.0.text) {
            (Some(text), Some(_)) => rsx! { EditBox { key: "{id}", lane, row: id, text } },
            (_, Some(text)) => rsx! {
                MessageText {
                    text: text.clone(),
                    state: saving.then_some("saving"),
                    edited: row.0.edited.is_some().then_some(id),
                    named,
                }
            },
            (_, None) => rsx! { Deleted { room: lane.room, id, restore: doing.restore } },
        }
        if doing.differs && row.0.text.is_some() {
            p { class: "differs", "This is not the text that the log has." }
        }
        if let Some(edit) = failed {
            Unsaved { edit, lane }
        }
        if doing.history && row.0.text.is_some() {
            History { session, row: id, zone }
        }
        if !row.0.reactions.is_empty() && row.0.text.is_some() {
            Reactions { session, lane, row: row.clone() }
        }
        if let Some(also) = row.0.also {
            AlsoLink { room: lane.room, also }
        }
        if let Some(answers) = row.0.answers.clone().filter(|_| lane.lane == 0) {
            ThreadLink { room: lane.room, lane: row.0.seq, answers, answerers: doing.answerers, zone }
        }
    }
}

/// What is left of a message; whoever deleted it can bring it back for a while.
#[component]
fn Deleted(room: RoomId, id: ClientId, restore: Option<ActValue>) -> Element {
    let store = use_store();
    rsx! {
        div { class: "text",
            p {
                "deleted"
                if let Some(restore) = restore {
                    " "
                    button {
                        class: "link",
                        r#type: "button",
                        onclick: move |_| store.intents.send(act(room, id, Slot::Deleted, restore.clone())),
                        "Undo"
                    }
                }
            }
        }
    }
}

#[component]
fn QuoteLine(lane: Lane, name: String, quote: Quote) -> Element {
    let store = use_store();
    let to = Route::row(lane.room, quote.lane, quote.ordinal);
    let (here, ordinal) = (quote.lane == lane.lane, quote.ordinal);
    let text = quote.text.unwrap_or_else(|| "deleted".into());
    rsx! {
        p { class: "quote",
            {icon("reply", 14)}
            a { href: "{to}",
                onclick: move |event: MouseEvent| {
                    event.prevent_default();
                    if here {
                        store.intents.send(Input::GoTo(lane.lane, ordinal));
                    } else {
                        navigator().push(to.clone());
                    }
                },
                b { "{name}" }
                " "
                span { class: "quoted", "{text}" }
            }
        }
    }
}
