//! A room: header, timeline, composer.

use super::inside::{Inside, Unsent};
use super::{Nothing, SignIn};
use crate::client::{Input, Lane, Session, Status};
use crate::protocol::{RoomAct, RoomId};
use crate::ui::components::{
    ArchiveForm, ArchivedNote, Chip, Composer, OfferNotices, Over, People, Pins, ThreadPanel, Threads,
    TimelineList, WantedChoice, icon,
};
use crate::ui::dom::{self, Used};
use crate::ui::route::{Route, Within};
use crate::ui::store::{use_notice, use_store};
use dioxus::prelude::*;

#[component]
pub fn RoomPage(room: String, within: Vec<String>) -> Element {
    let store = use_store();
    let Some(session) = store.session else { return rsx! { SignIn {} } };
    let id = room.parse::<RoomId>().ok();
    let known = id.filter(|id| session.read().room(*id).is_some());
    let (Some(room), Some(within)) = (known, Within::of(&within)) else {
        return rsx! { Nothing {} };
    };
    rsx! {
        // In a list the key counts: another room is a new view, with a composer of its own.
        for room in [room] {
            View { key: "{room}", session, room, within }
        }
    }
}

#[component]
fn View(session: Signal<Session>, room: RoomId, within: Within) -> Element {
    let store = use_store();
    let (intents, read) = (store.intents.clone(), store.intents.clone());
    let state = session.read();
    let Some(info) = state.room(room).cloned() else { return rsx! { Nothing {} } };
    let title = info.name.clone();
    let (found, thread) = match within {
        Within::Row(ordinal) => (Some(ordinal), None),
        Within::Thread(lane, ordinal) => (None, Some((lane, ordinal))),
        Within::Newest | Within::Page => (None, None),
    };
    // The page itself came with the row that its address names.
    let came = store.boot.found;
    let loaded = move |lane, ordinal: &u64| came == Some((room, lane, *ordinal));
    use_effect(use_reactive!(|found| {
        intents.send(Input::Look { room, at: found.filter(|at| !loaded(0, at)) });
        dom::title(&title);
        dom::used(Used::Rooms, room.as_str());
    }));
    let beside = store.intents.clone();
    use_effect(use_reactive!(|thread| {
        let at = thread.map(|(lane, ordinal)| (lane, ordinal.filter(|at| !loaded(lane, at))));
        beside.send(Input::LookAtThread(at));
    }));
    // What was chosen in a menu, or by a key.
    let mut acting = store.acting;
    let wanted = use_memo(move || acting.read().thread);
    use_effect(move || {
        if let Some(Lane { room, lane }) = wanted() {
            acting.write().thread = None;
            navigator().push(Route::thread(room, lane));
        }
    });
    let lane = Lane::from(room);
    let signed_out = state.status == Status::SignedOut;
    let too_old = state.status == Status::TooOld;
    let notice = use_notice();
    rsx! {
        Inside { session, current: Some(room),
            main { class: if thread.is_some() { "room with-thread" } else { "room" }, id: "main", tabindex: "-1",
                header { class: "room-head",
                    Link { class: "icon-button back", to: Route::Rooms {}, "aria-label": "All rooms",
                        {icon("chevron-left", 18)}
                    }
                    h1 { class: "room-name", "{info.name}" }
                    p { class: "topic", "{info.topic}" }
                    if info.joined {
                        Chip { session, room }
                        People { session, room, members: info.members }
                        Threads { session, room, unread: info.badge.threads }
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
                                    button { class: "menu-item", r#type: "submit", disabled: info.badge.all_unread() == 0,
                                        {icon("check", 16)}
                                        "Mark as read"
                                    }
                                }
                                ArchiveForm { room: info.clone(), class: "menu-item" }
                                if info.allows(RoomAct::Leave) {
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
                        if !info.joined || info.archived {
                            Unsent { text: notice.unsent() }
                        }
                    }
                    if info.joined {
                        TimelineList { session, lane, found }
                        Over { session, lane }
                    } else {
                        div { class: "scroll",
                            ol { class: "timeline",
                                li { class: "start",
                                    h2 { "{info.name}" }
                                    p { if info.archived { "This room is archived. Join it to read it." } else { "You are not in this room yet." } }
                                    if info.allows(RoomAct::Join) {
                                        form { method: "post", action: "/r/{room}/join",
                                            button { class: "button", r#type: "submit", "Join" }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                OfferNotices { session }
                if info.joined && info.archived {
                    ArchivedNote { room: info.clone(), refused: state.notice.clone() }
                } else if info.allows(RoomAct::Post) {
                    Composer { session, lane, thread: None, name: info.name.clone() }
                }
                if let Some((lane, ordinal)) = thread.filter(|_| info.joined) {
                    ThreadPanel { key: "{lane}", session, lane: Lane { room, lane }, found: ordinal, name: info.name.clone(), writes: info.allows(RoomAct::Reply) }
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
