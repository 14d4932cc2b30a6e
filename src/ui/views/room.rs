//! A room: header, timeline, composer.

use super::inside::Inside;
use super::{Nothing, SignIn};
use crate::client::{Input, Session, Status};
use crate::protocol::RoomId;
use crate::ui::components::{
    ArchiveForm, ArchivedNote, Chip, Composer, OfferNotices, Over, People, Pins, TimelineList, WantedChoice,
    icon,
};
use crate::ui::dom::{self, Used};
use crate::ui::route::Route;
use crate::ui::store::{use_notice, use_store};
use dioxus::prelude::*;

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

/// Rows before or after one, as the plain links of the list lead to; a live page goes on from there.
#[component]
pub fn RoomBefore(room: String, ordinal: String) -> Element {
    match ordinal.parse::<u64>() {
        Ok(_) => rsx! { Show { room, ordinal: None::<u64> } },
        Err(_) => rsx! { Nothing {} },
    }
}

#[component]
pub fn RoomAfter(room: String, ordinal: String) -> Element {
    rsx! { RoomBefore { room, ordinal } }
}

#[component]
fn Show(room: String, ordinal: Option<u64>) -> Element {
    let store = use_store();
    let Some(session) = store.session else { return rsx! { SignIn {} } };
    let id = room.parse::<RoomId>().ok();
    let known = id.filter(|id| session.read().room(*id).is_some());
    if known.is_none() {
        return rsx! { Nothing {} };
    }
    rsx! {
        // In a list the key counts: another room is a new view, with a composer of its own.
        for room in known {
            View { key: "{room}", session, room, found: ordinal }
        }
    }
}

#[component]
fn View(session: Signal<Session>, room: RoomId, found: Option<u64>) -> Element {
    let store = use_store();
    let (intents, read) = (store.intents.clone(), store.intents.clone());
    let state = session.read();
    let Some(info) = state.room(room).cloned() else { return rsx! { Nothing {} } };
    let title = info.name.clone();
    // The page itself came with the row that its address names.
    let loaded = store.boot.found == found.map(|ordinal| (room, ordinal));
    use_effect(use_reactive!(|found| {
        intents.send(Input::Look { room, at: found.filter(|_| !loaded) });
        dom::title(&title);
        dom::used(Used::Rooms, room.as_str());
    }));
    let signed_out = state.status == Status::SignedOut;
    let too_old = state.status == Status::TooOld;
    let notice = use_notice();
    rsx! {
        Inside { session, current: Some(room),
            main { class: "room", id: "main", tabindex: "-1",
                header { class: "room-head",
                    Link { class: "icon-button back", to: Route::Rooms {}, "aria-label": "All rooms",
                        {icon("chevron-left", 18)}
                    }
                    h1 { class: "room-name", "{info.name}" }
                    p { class: "topic", "{info.topic}" }
                    if info.joined {
                        Chip { session, room }
                        People { session, room, members: info.members }
                        Pins { session, room }
                        details { class: "room-menu pop",
                            summary { class: "icon-button", "aria-label": "More about {info.name}",
                                {icon("ellipsis", 18)}
                            }
                            div { class: "menu",
                                WantedChoice { session, room, wanted: info.badge.wanted }
                                form { method: "post", action: "/unread/read",
                                    onsubmit: move |event: FormEvent| {
                                        event.prevent_default();
                                        read.send(Input::MarkRead(room));
                                    },
                                    input { r#type: "hidden", name: "{room}", value: "{info.badge.head}" }
                                    button { class: "menu-item", r#type: "submit", disabled: info.badge.unread == 0,
                                        {icon("check", 16)}
                                        "Mark as read"
                                    }
                                }
                                ArchiveForm { room: info.clone(), class: "menu-item" }
                                form { method: "post", action: "/r/{room}/leave",
                                    button { class: "menu-item", r#type: "submit",
                                        {icon("log-out", 16)}
                                        "Leave this room"
                                    }
                                }
                            }
                        }
                    }
                }
                div { class: "stage",
                    if signed_out {
                        SignInAgain { handle: state.me.handle.clone() }
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
                        Over { session, room }
                    } else {
                        div { class: "scroll",
                            ol { class: "timeline",
                                li { class: "start",
                                    h2 { "{info.name}" }
                                    p { if info.archived { "This room is archived. Join it to read it." } else { "You are not in this room yet." } }
                                    form { method: "post", action: "/r/{room}/join",
                                        button { class: "button", r#type: "submit", "Join" }
                                    }
                                }
                            }
                        }
                    }
                }
                OfferNotices { session }
                if info.joined && info.archived {
                    ArchivedNote { room: info.clone() }
                } else if info.joined {
                    Composer { session, room, name: info.name.clone() }
                }
            }
        }
    }
}

/// The login ended: one signs in again here, and what was written stays. assets/device.js sends it.
#[component]
fn SignInAgain(handle: String) -> Element {
    rsx! {
        form { class: "bar sign-in-again", method: "post", action: "/sign-in",
            p { role: "alert", "Your login has ended. What you wrote is kept." }
            input { r#type: "hidden", name: "handle", autocomplete: "username", value: "{handle}" }
            div { class: "again-line",
                input {
                    class: "field",
                    name: "password",
                    r#type: "password",
                    autocomplete: "current-password",
                    maxlength: "256",
                    required: true,
                    placeholder: "Password of @{handle}",
                    "aria-label": "Password of @{handle}",
                }
                button { class: "button", r#type: "submit", "Sign in" }
            }
            p { class: "error", role: "alert" }
        }
    }
}
