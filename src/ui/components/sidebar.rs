//! Rooms at the left, oneself at the foot.

use super::{Avatar, Mark};
use crate::client::{Session, Status};
use crate::protocol::RoomId;
use crate::protocol::frame::{RoomInfo, RoomKind};
use crate::ui::dom;
use crate::ui::route::Route;
use crate::ui::store::use_store;
use dioxus::prelude::*;
use dioxus_free_icons::Icon;
use dioxus_free_icons::icons::ld_icons::{LdHash, LdLock, LdLogOut, LdPlus, LdSettings, LdUser};

#[component]
pub fn Sidebar(session: Signal<Session>, current: Option<RoomId>) -> Element {
    let state = session.read();
    let rooms: Vec<_> = state.rooms.iter().filter(|room| room.joined && !room.archived).cloned().collect();
    let (own_class, own_state) = match (state.status, state.waiting()) {
        (Status::Starting, _) => ("own-state offline", "Connecting".to_owned()),
        (Status::Live, _) => ("own-state online", "Online".to_owned()),
        (Status::Offline, 0) => ("own-state offline", "Offline".to_owned()),
        (Status::Offline, n) => ("own-state waiting", format!("Offline, {n} waiting")),
        (Status::Moving, 0) => ("own-state offline", "Server restarts".to_owned()),
        (Status::Moving, n) => ("own-state waiting", format!("Server restarts, {n} waiting")),
        (Status::SignedOut, _) => ("own-state offline", "Signed out".to_owned()),
        (Status::TooOld, _) => ("own-state offline", "Reload needed".to_owned()),
    };
    let store = use_store();
    let mut theme = use_signal(|| store.boot.theme.clone());
    let waiting = match state.waiting() {
        0 => None,
        1 => Some("1 message is not sent. It stays".to_owned()),
        n => Some(format!("{n} messages are not sent. They stay")),
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
                section { class: "section", "aria-labelledby": "s-rooms",
                    h2 { class: "section-name", id: "s-rooms", "Rooms" }
                    Link { class: "section-link", to: Route::Rooms {}, "aria-label": "All rooms, and make one",
                        Icon { class: "icon", width: 16, height: 16, icon: LdPlus }
                    }
                    ul { class: "links",
                        for room in rooms {
                            RoomLink {
                                key: "{room.id}",
                                current: current == Some(room.id),
                                draft: state.typed.contains_key(&room.id),
                                room,
                            }
                        }
                    }
                }
            }
            details { class: "own pop",
                summary { class: "own-row",
                    Avatar { id: state.me.id, name: state.me.name.clone(), small: true }
                    span { class: "own-text",
                        span { class: "own-name", "{state.me.name}" }
                        span { class: own_class, "{own_state}" }
                    }
                    Icon { class: "icon", width: 16, height: 16, icon: LdSettings }
                }
                div { class: "menu",
                    p { class: "menu-name", id: "look", "Look" }
                    div { class: "choices", role: "group", "aria-labelledby": "look",
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
                    Link { class: "menu-item", to: Route::Account {},
                        Icon { class: "icon", width: 16, height: 16, icon: LdUser }
                        "Account"
                    }
                    if let Some(waiting) = waiting {
                        p { class: "menu-warning", "{waiting} in this browser until you sign in here again." }
                    }
                    form { method: "post", action: "/sign-out",
                        button { class: "menu-item", r#type: "submit",
                            Icon { class: "icon", width: 16, height: 16, icon: LdLogOut }
                            "Sign out"
                        }
                    }
                }
            }
        }
    }
}

#[component]
fn RoomLink(room: RoomInfo, current: bool, draft: bool) -> Element {
    let unread = room.badge.unread;
    let class = if unread > 0 && !current { "room-link unread" } else { "room-link" };
    let count = if unread > 99 { "99+".to_owned() } else { unread.to_string() };
    rsx! {
        li {
            Link {
                class,
                to: Route::RoomPage { room: room.id.to_string() },
                "aria-current": if current { "page" } else { "false" },
                if room.kind == RoomKind::Open {
                    Icon { class: "icon", width: 16, height: 16, icon: LdHash }
                } else {
                    Icon { class: "icon", width: 16, height: 16, icon: LdLock }
                }
                span { class: "label", "{room.name}" }
                if draft && !current {
                    span { class: "draft", "draft" }
                }
                if unread > 0 && !current {
                    span { class: "count", "aria-label": "{count} unread", "{count}" }
                }
            }
        }
    }
}
