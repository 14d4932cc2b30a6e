//! All open rooms, and a new one.

use super::SignIn;
use super::inside::Page;
use crate::client::Session;
use crate::protocol::RoomAct;
use crate::ui::components::{ArchiveForm, FOR_EVER, for_ever_before_five, icon, name_lengths};
use crate::ui::route::Route;
use crate::ui::store::{use_refused, use_store};
use dioxus::prelude::*;

#[component]
pub fn Rooms() -> Element {
    match use_store().session {
        Some(session) => rsx! { RoomList { session } },
        None => rsx! { SignIn {} },
    }
}

#[component]
fn RoomList(session: Signal<Session>) -> Element {
    let state = session.read();
    let format = use_store().boot.format;
    let refused = use_refused(&["/rooms"]);
    let wrong = |label| refused.as_ref().is_some_and(|notice| notice.is_about(label));
    let (wrong_name, wrong_topic) = (wrong("Name"), wrong("Topic"));
    let typed = |name| refused.as_ref().map(|notice| notice.field(name)).unwrap_or_default();
    let (name, topic) = (typed("name"), typed("topic"));
    rsx! {
        Page {
            session,
            class: "rooms",
            show_list: true,
            title: "Rooms",
            lead: "Open to everyone in {state.workspace}.",
            ul { class: "open-rooms",
                for room in state.rooms.iter().filter(|room| !room.archived) {
                    li { key: "{room.id}", class: "open-room",
                        Link { class: "open-room-name", to: Route::room(room.id),
                            {icon("hash", 16)}
                            span { class: "label", "{room.name}" }
                        }
                        p { class: "open-room-topic", "{room.topic}" }
                        p { class: "open-room-count",
                            if room.members == 1 { "1 person" } else { "{room.members} people" }
                        }
                        if room.joined {
                            p { class: "joined",
                                {icon("check", 16)}
                                "Joined"
                            }
                        } else if room.allows(RoomAct::Join) {
                            form { method: "post", action: "/r/{room.id}/join",
                                button { class: "button small", r#type: "submit", "aria-label": "Join {room.name}", "Join" }
                            }
                        }
                    }
                }
            }
            if state.rooms.iter().any(|room| room.archived) {
                section { class: "new-room", "aria-labelledby": "archived",
                    h2 { id: "archived", "Archived" }
                    ul { class: "open-rooms",
                        for room in state.rooms.iter().filter(|room| room.archived) {
                            li { key: "{room.id}", class: "open-room",
                                Link { class: "open-room-name", to: Route::room(room.id),
                                    {icon("archive", 16)}
                                    span { class: "label", "{room.name}" }
                                }
                                p { class: "open-room-topic", "{room.topic}" }
                                ArchiveForm { room: room.clone(), class: "button plain small" }
                            }
                        }
                    }
                }
            }
            section { class: "new-room", "aria-labelledby": "new-room",
                h2 { id: "new-room", "New room" }
                form { class: "form", method: "post", action: "/rooms",
                    div { class: "field-group",
                        label { r#for: "name", "Name" }
                        input { class: "field", id: "name", name: "name", r#type: "text", autocomplete: "off", minlength: "{name_lengths(format).0}", maxlength: "{name_lengths(format).1}", required: true, autofocus: refused.is_some() && !wrong_topic, "aria-invalid": wrong_name.then_some("true"), value: "{name}", "aria-describedby": "name-hint" }
                        p { class: "note", id: "name-hint", {FOR_EVER} }
                    }
                    div { class: "field-group",
                        label { r#for: "topic", "Topic" }
                        input { class: "field", id: "topic", name: "topic", r#type: "text", autocomplete: "off", maxlength: "160", autofocus: wrong_topic, "aria-invalid": wrong_topic.then_some("true"), value: "{topic}", "aria-describedby": "topic-hint" }
                        p { class: "note", id: "topic-hint", "One line; you can leave it empty. "
                            {for_ever_before_five(format)}
                        }
                    }
                    button { class: "button", r#type: "submit", "Make the room" }
                }
            }
        }
    }
}
