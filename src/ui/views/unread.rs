//! What waits to be read: rooms with something unread, and messages that name me.

use super::inside::Page;
use super::{Nothing, SignIn};
use crate::client::{Input, Session};
use crate::protocol::frame::RoomInfo;
use crate::protocol::{Mention, bounds};
use crate::ui::components::icon;
use crate::ui::components::{Avatar, MessageText, Named, clock, counted, day_in_words};
use crate::ui::route::Route;
use crate::ui::store::use_store;
use dioxus::prelude::*;

#[component]
pub fn Unread() -> Element {
    match use_store().session {
        Some(session) => rsx! { Lists { session } },
        None => rsx! { SignIn {} },
    }
}

/// Older mentions, as the plain link of the list leads to; a live page goes on from there.
#[component]
pub fn UnreadBefore(g: String) -> Element {
    match g.parse::<u64>() {
        Ok(_) => rsx! { Unread {} },
        Err(_) => rsx! { Nothing {} },
    }
}

fn count_of(n: u32, one: &str, many: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n if n > bounds::UNREAD_EXACT => format!("more than {} {many}", bounds::UNREAD_EXACT),
        n => format!("{n} {many}"),
    }
}

#[component]
fn Lists(session: Signal<Session>) -> Element {
    let store = use_store();
    let state = session.read();
    let mut rooms: Vec<_> = state
        .rooms
        .iter()
        .filter(|room| room.joined && !room.archived && room.badge.all_unread() > 0)
        .cloned()
        .collect();
    // Where one is named comes first.
    let (named, others): (Vec<_>, Vec<_>) = rooms.drain(..).partition(|room| room.badge.all_mentions() > 0);
    rooms.extend(named.into_iter().chain(others));
    let named: u32 = rooms.iter().map(|room| room.badge.all_mentions()).sum();
    let lead = match (rooms.len(), named) {
        (0, _) => "You have read everything.".to_owned(),
        (n, 0) => count_of(n as u32, "room", "rooms"),
        (n, named) => format!(
            "{}, {}",
            count_of(n as u32, "room", "rooms"),
            count_of(named, "mention of you", "mentions of you")
        ),
    };
    let (look, all, older) = (store.intents.clone(), store.intents.clone(), store.intents.clone());
    use_effect(move || look.send(Input::LookAtMentions));
    let list = state.mentions.clone();
    let oldest = list.as_ref().filter(|list| list.more).and_then(|list| list.mentions.last()).map(|m| m.g);
    rsx! {
        Page { session, class: "rooms unread-page", title: "Unread", lead,
            section { "aria-label": "Unread rooms",
                if rooms.len() > 1 {
                    form { class: "all-read", method: "post", action: "/unread/read",
                        onsubmit: move |event: FormEvent| {
                            event.prevent_default();
                            all.send(Input::MarkAllRead);
                        },
                        for room in &rooms {
                            input { key: "{room.id}", r#type: "hidden", name: "{room.id}", value: "{room.badge.head}" }
                        }
                        button { class: "button plain small", r#type: "submit",
                            {icon("check-check", 16)}
                            "Mark all as read"
                        }
                    }
                }
                ul { class: "open-rooms",
                    for room in rooms {
                        UnreadRoom { key: "{room.id}", room }
                    }
                }
            }
            section { class: "mentions", "aria-labelledby": "mentions-head",
                h2 { id: "mentions-head", "Mentions" }
                match list {
                    Some(list) if list.mentions.is_empty() => rsx! {
                        p { class: "note", "Nobody has named you yet. Whoever writes @{state.me.handle} is found here." }
                    },
                    Some(list) => rsx! {
                        ol { class: "mention-list",
                            for mention in list.mentions {
                                MentionLine {
                                    key: "{mention.g}",
                                    name: state.people.get(&mention.row.author).map_or("…", |person| &person.name),
                                    room: state.room(mention.room).map_or("", |room| &room.name),
                                    new: mention.row.lane == 0 && mention.row.ordinal > state.read_to(mention.room).ordinal,
                                    named: Named::of(&state, mention.row.text.as_deref(), mention.row.added.as_ref()),
                                    zone: store.boot.zone,
                                    mention,
                                }
                            }
                        }
                    },
                    None => rsx! {
                        p { class: "note", "Loading" }
                    },
                }
                if let Some(g) = oldest {
                    a { class: "page-link", href: "/unread/before/{g}", rel: "next",
                        onclick: move |event: MouseEvent| {
                            event.prevent_default();
                            older.send(Input::OlderMentions);
                        },
                        "Older"
                    }
                }
            }
        }
    }
}

#[component]
fn UnreadRoom(room: RoomInfo) -> Element {
    let store = use_store();
    let (id, badge) = (room.id, room.badge);
    let unread = count_of(badge.all_unread(), "unread", "unread");
    let mentions = badge.all_mentions();
    rsx! {
        li { class: "open-room",
            Link { class: "open-room-name", to: Route::room(id),
                {icon("hash", 16)}
                span { class: "label", "{room.name}" }
            }
            p { class: "open-room-count",
                if mentions > 0 {
                    span { class: "count mention", "aria-hidden": "true", {counted(u64::from(mentions))} }
                    span { class: "hidden", {count_of(mentions, "mention", "mentions")} ", " }
                }
                "{unread}"
            }
            form { method: "post", action: "/unread/read",
                onsubmit: move |event: FormEvent| {
                    event.prevent_default();
                    store.intents.send(Input::MarkRead(id));
                },
                input { r#type: "hidden", name: "{id}", value: "{badge.head}" }
                button { class: "button plain small", r#type: "submit", "aria-label": "Mark as read: {room.name}", "Mark as read" }
            }
        }
    }
}

#[component]
fn MentionLine(mention: Mention, name: String, room: String, new: bool, named: Named, zone: i32) -> Element {
    let row = &mention.row;
    let to = Route::row(mention.room, row.lane, row.ordinal);
    let minutes = row.at.div_euclid(60_000) + i64::from(zone);
    let day = day_in_words(minutes.div_euclid(24 * 60));
    let day = day.split_once(' ').map_or("", |(_, date)| date);
    let time = clock(row.at, zone);
    rsx! {
        li { class: if new { "mention-line new" } else { "mention-line" },
            Avatar { id: row.author, name: name.clone(), small: false }
            div { class: "body",
                p { class: "byline",
                    span { class: "author", "{name}" }
                    if new {
                        span { class: "new-word", "new" }
                    }
                    Link { class: "where", to,
                        "{room}, "
                        time { datetime: crate::ui::components::iso(row.at), "{day} {time}" }
                    }
                }
                MessageText { text: row.text.clone().unwrap_or_default(), state: None, edited: None, named }
            }
        }
    }
}
