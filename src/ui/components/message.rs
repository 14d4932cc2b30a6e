//! One message, or one draft on its way.

use super::Avatar;
use crate::protocol::{ClientId, Quote, Row};
use crate::text::{Block, Span, blocks};
use crate::timeline::{Echo, EchoState};
use dioxus::prelude::*;
use dioxus_free_icons::Icon;
use dioxus_free_icons::icons::ld_icons::LdReply;
use std::sync::Arc;

/// A row that compares by identity: an untouched row is not rendered again.
#[derive(Debug, Clone)]
pub struct SharedRow(pub Arc<Row>);

impl PartialEq for SharedRow {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
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

#[component]
pub fn MessageText(text: String, state: Option<String>, edited: bool) -> Element {
    let blocks = blocks(&text);
    let last = blocks.len().saturating_sub(1);
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
                                    Span::Link(url) => rsx! {
                                        a { href: "{url}", rel: "noopener noreferrer nofollow", target: "_blank", "{url}" }
                                    },
                                }
                            }
                            if n == last && edited {
                                span { class: "edited", " edited" }
                            }
                            if n == last {
                                if let Some(state) = &state {
                                    span { class: "state", " {state}" }
                                }
                            }
                        }
                    },
                }
            }
        }
    }
}

#[component]
pub fn MessageRow(
    row: SharedRow,
    first: bool,
    found: bool,
    author: String,
    quote: Option<(String, Quote)>,
    me: crate::protocol::AccountId,
    zone: i32,
) -> Element {
    let row = row.0;
    let n = row.ordinal;
    let mut class = "row".to_owned();
    if first {
        class.push_str(" first");
    }
    if row.text.is_none() {
        class.push_str(" erased");
    }
    if found {
        class.push_str(" found");
    }
    let (time, moment) = (clock(row.at, zone), iso(row.at));
    let reactions: Vec<_> =
        row.reactions.iter().map(|(emoji, who)| (emoji.clone(), who.len(), who.contains(&me))).collect();
    rsx! {
        li { class, id: "m-{n}", "data-ordinal": "{n}",
            article { class: "message", tabindex: "-1", "aria-labelledby": "n-{n} t-{n}",
                if first {
                    Avatar { id: row.author, name: author.clone(), small: false }
                } else {
                    time { class: "gutter", id: "t-{n}", datetime: "{moment}", "{time}" }
                }
                div { class: "body",
                    if first {
                        p { class: "byline",
                            span { class: "author", id: "n-{n}", "{author}" }
                            " "
                            time { class: "at", id: "t-{n}", datetime: "{moment}", "{time}" }
                        }
                    } else {
                        span { class: "hidden", id: "n-{n}", "{author}" }
                    }
                    if let Some((name, quote)) = &quote {
                        p { class: "quote",
                            Icon { class: "icon", width: 14, height: 14, icon: LdReply }
                            a { href: "#m-{quote.ordinal}",
                                b { "{name}" }
                                " "
                                span { class: "quoted", {quote.text.clone().unwrap_or_else(|| "deleted".into())} }
                            }
                        }
                    }
                    match &row.text {
                        Some(text) => rsx! {
                            MessageText { text: text.clone(), state: None, edited: row.edited.is_some() }
                        },
                        None => rsx! {
                            div { class: "text", p { "deleted" } }
                        },
                    }
                    if !reactions.is_empty() {
                        ul { class: "reactions", "aria-label": "Reactions",
                            for (emoji , count , mine) in reactions {
                                li { key: "{emoji}",
                                    span { class: if mine { "reaction mine" } else { "reaction" },
                                        span { class: "emoji", "{emoji}" }
                                        "{count}"
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[component]
pub fn EchoRow(
    echo: ReadOnlyEcho,
    first: bool,
    author: String,
    me: crate::protocol::AccountId,
    onedit: EventHandler<(ClientId, String)>,
    ondiscard: EventHandler<ClientId>,
) -> Element {
    let echo = echo.0;
    let id = echo.draft.id;
    let why = match &echo.state {
        EchoState::NotSent { why } => Some(why.to_string()),
        EchoState::Failed { why } => Some(why.clone()),
        _ => None,
    };
    let mut class = if why.is_some() { "row failed" } else { "row pending" }.to_owned();
    if first {
        class.push_str(" first");
    }
    let state = match &echo.state {
        EchoState::Waiting => Some("waiting".to_owned()),
        EchoState::Sending => Some("sending".to_owned()),
        _ => None,
    };
    let text = echo.draft.text.clone();
    let (edited, copied) = (text.clone(), text.clone());
    rsx! {
        li { class, id: "e-{id}",
            article { class: "message", tabindex: "-1", "aria-label": if why.is_some() { "Your message, not sent" } else { "Your message, sending" },
                if first {
                    Avatar { id: me, name: author.clone(), small: false }
                } else {
                    span { class: "gutter" }
                }
                div { class: "body",
                    if first {
                        p { class: "byline", span { class: "author", "{author}" } }
                    }
                    if let Some(why) = &why {
                        div { class: "card unsent",
                            MessageText { text: text.clone(), state: None, edited: false }
                            p { class: "reason", "Not sent: {why}" }
                            div { class: "actions-row",
                                button { class: "link", r#type: "button", onclick: move |_| onedit.call((id, edited.clone())), "Edit" }
                                button { class: "link", r#type: "button", onclick: move |_| crate::ui::dom::copy(&copied), "Copy" }
                                button { class: "link", r#type: "button", onclick: move |_| ondiscard.call(id), "Discard" }
                            }
                        }
                    } else {
                        MessageText { text: text.clone(), state, edited: false }
                    }
                }
            }
        }
    }
}

/// An echo as a prop.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadOnlyEcho(pub Echo);
