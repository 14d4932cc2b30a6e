//! Rooms at the left, oneself at the foot.

use super::icon;
use super::{Avatar, Mark, StatusForm, own_words};
use crate::client::{Session, Status};
use crate::protocol::RoomId;
use crate::protocol::frame::{RoomInfo, RoomKind};
use crate::protocol::{Badge, bounds};
use crate::ui::acting::Dialog;
use crate::ui::dom;
use crate::ui::route::Route;
use crate::ui::store::{use_refused, use_store};
use dioxus::prelude::*;

#[component]
pub fn Sidebar(session: Signal<Session>, current: Option<RoomId>) -> Element {
    let store = use_store();
    let state = session.read();
    let rooms = state.rooms.iter().filter(|room| room.joined && !room.archived).cloned();
    let (starred, rooms): (Vec<_>, Vec<_>) = rooms.partition(|room| room.badge.wanted.starred);
    let mut acting = store.acting;
    let (mentions, unread) = state.total();
    let at_unread = matches!(use_route::<Route>(), Route::Unread {} | Route::UnreadBefore { .. });
    let (own_class, own_state) = match (state.status, state.waiting()) {
        (Status::Starting, _) => ("own-state offline", "Connecting".to_owned()),
        (Status::Live, _) => own_words(&state),
        (Status::Offline, 0) => ("own-state offline", "Offline".to_owned()),
        (Status::Offline, n) => ("own-state waiting", format!("Offline, {n} waiting")),
        (Status::Moving, 0) => ("own-state offline", "Server restarts".to_owned()),
        (Status::Moving, n) => ("own-state waiting", format!("Server restarts, {n} waiting")),
        (Status::TooManySockets, 0) => ("own-state offline", "Too many tabs".to_owned()),
        (Status::TooManySockets, n) => ("own-state waiting", format!("Too many tabs, {n} waiting")),
        (Status::SignedOut, _) => ("own-state offline", "Signed out".to_owned()),
        (Status::TooOld, _) => ("own-state offline", "Reload needed".to_owned()),
    };
    let refused = use_refused(&["/account/status"]);
    let mut theme = use_signal(|| store.boot.theme.clone());
    let waiting = match state.waiting() {
        0 => None,
        n if !dom::KEPT_SIGNED_OUT => Some(format!("Not sent yet: {n}. Signing out deletes it here.")),
        1 => Some("1 message is not sent. It stays in this browser until you sign in here again.".to_owned()),
        n => Some(format!(
            "{n} messages are not sent. They stay in this browser until you sign in here again."
        )),
    };
    rsx! {
        if current.is_some_and(|room| state.room(room).is_some_and(|room| room.joined)) {
            a { class: "skip", href: "#write", "Skip to writing" }
        } else {
            a { class: "skip", href: "#main", "Skip to the page" }
        }
        nav { class: "sidebar", "aria-label": "Rooms and people",
            div { class: "workspace",
                Mark {}
                span { class: "workspace-name", "{state.workspace}" }
            }
            div { class: "sections",
                a {
                    class: "jump",
                    href: "/rooms",
                    "aria-keyshortcuts": "Control+K",
                    onclick: move |event| {
                        event.prevent_default();
                        acting.write().dialog = Some(Dialog::Switcher);
                    },
                    {icon("search", 15)}
                    span { class: "label", "Go to" }
                    kbd { "Ctrl K" }
                }
                UnreadLink { current: at_unread, mentions, rooms: unread }
                if !starred.is_empty() {
                    section { class: "section", "aria-labelledby": "s-starred",
                        h2 { class: "section-name", id: "s-starred", "Starred" }
                        RoomLinks { session, rooms: starred, current }
                    }
                }
                section { class: "section", "aria-labelledby": "s-rooms",
                    h2 { class: "section-name", id: "s-rooms", "Rooms" }
                    Link { class: "section-link", to: Route::Rooms {}, "aria-label": "All rooms, and make one",
                        {icon("plus", 16)}
                    }
                    RoomLinks { session, rooms, current }
                }
            }
            // What was typed is seen at once.
            details { class: "own pop", open: refused.is_some(),
                summary { class: "own-row",
                    Avatar { id: state.me.id, name: state.me.name.clone(), small: true }
                    span { class: "own-text",
                        span { class: "own-name", "{state.me.name}" }
                        span { class: own_class, "{own_state}" }
                    }
                    {icon("settings", 16)}
                }
                div { class: "menu",
                    StatusForm { session, refused: refused.clone() }
                    p { class: "menu-name script-only", id: "look", "Look" }
                    div { class: "choices script-only", role: "group", "aria-labelledby": "look",
                        for (name , label) in [("system", "System"), ("light", "Light"), ("dark", "Dark")] {
                            button {
                                key: "{name}",
                                r#type: "button",
                                "aria-pressed": if theme() == name { "true" } else { "false" },
                                onclick: move |_| {
                                    theme.set(name.to_owned());
                                    dom::set_theme(name);
                                },
                                "{label}"
                            }
                        }
                    }
                    button {
                        class: "menu-item script-only keys-item",
                        r#type: "button",
                        onclick: move |_| acting.write().dialog = Some(Dialog::Keys),
                        {icon("keyboard", 16)}
                        "Keyboard"
                    }
                    Link { class: "menu-item", to: Route::Account {},
                        {icon("user", 16)}
                        "Account"
                    }
                    if let Some(waiting) = waiting {
                        p { class: "menu-warning", "{waiting}" }
                    }
                    form { method: "post", action: "/sign-out",
                        button { class: "menu-item", r#type: "submit",
                            {icon("log-out", 16)}
                            "Sign out"
                        }
                    }
                }
            }
        }
    }
}

/// Nobody reads a count above this.
fn short(count: u32) -> String {
    if count > bounds::UNREAD_EXACT { format!("{}+", bounds::UNREAD_EXACT) } else { count.to_string() }
}

#[component]
fn RoomLinks(session: Signal<Session>, rooms: Vec<RoomInfo>, current: Option<RoomId>) -> Element {
    let state = session.read();
    rsx! {
        ul { class: "links",
            for room in rooms {
                RoomLink {
                    key: "{room.id}",
                    current: current == Some(room.id),
                    draft: state.typed.contains_key(&room.id.into()),
                    badge: state.badge(&room),
                    room,
                }
            }
        }
    }
}

/// The way to what waits to be read.
#[component]
fn UnreadLink(current: bool, mentions: u32, rooms: u32) -> Element {
    rsx! {
        Link {
            class: match (current, rooms > 0) {
                (true, true) => "room-link unread-link here unread",
                (true, _) => "room-link unread-link here",
                (_, true) => "room-link unread-link unread",
                _ => "room-link unread-link",
            },
            to: Route::Unread {},
            {icon("inbox", 16)}
            span { class: "label", "Unread" }
            if mentions > 0 {
                Count { n: mentions, class: "count mention", what: if mentions == 1 { "mention" } else { "mentions" } }
            } else if rooms > 0 {
                Count { n: rooms, class: "count", what: if rooms == 1 { "room" } else { "rooms" } }
            }
        }
    }
}

#[component]
fn Count(n: u32, class: String, what: String) -> Element {
    let short = short(n);
    rsx! {
        span { class, "aria-hidden": "true", "{short}" }
        span { class: "hidden", "{short} {what}" }
    }
}

#[component]
fn RoomLink(room: RoomInfo, badge: Badge, current: bool, draft: bool) -> Element {
    let mentions = badge.all_mentions();
    let shows = badge.all_unread() > 0 && !badge.wanted.muted;
    let class = match (shows, badge.wanted.muted) {
        (true, _) => "room-link unread",
        (_, true) => "room-link muted",
        _ => "room-link",
    };
    rsx! {
        // The link itself says so only at its very address: the router takes the attribute away elsewhere in the room.
        li { "aria-current": current.then_some("page"),
            Link {
                class: if current { "{class} here" } else { "{class}" },
                to: Route::room(room.id),
                if room.kind == RoomKind::Open {
                    {icon("hash", 16)}
                } else {
                    {icon("lock", 16)}
                }
                span { class: "label", "{room.name}" }
                if draft && !current {
                    span { class: "draft", "draft" }
                }
                if mentions > 0 {
                    Count { n: mentions, class: "count mention", what: if mentions == 1 { "mention" } else { "mentions" } }
                } else if shows {
                    Count { n: badge.all_unread(), class: "count", what: "unread" }
                }
            }
        }
    }
}
