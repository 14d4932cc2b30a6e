//! Notifications: the offer of them, and what one wants to hear of.

use super::icon;
use crate::client::{Input, Permission, Session, Status};
use crate::protocol::{Level, RoomId, Wanted};
use crate::ui::dom;
use crate::ui::store::use_store;
use dioxus::prelude::*;

/// One quiet line, after somebody has named me.
#[component]
pub fn OfferNotices(session: Signal<Session>) -> Element {
    let store = use_store();
    let offers = session.read().offers_notices();
    rsx! {
        div { class: "offer", role: "status",
            if offers {
                {icon("bell", 16)}
                p { "Somebody mentioned you. Shall this browser tell you when that happens?" }
                button { class: "link", r#type: "button", onclick: move |_| dom::ask_to_notify(), "Turn on" }
                button { class: "link plain", r#type: "button", onclick: move |_| store.intents.send(Input::NeverAsk), "Not now" }
            }
        }
    }
}

/// Whether this browser notifies, and the way to change it.
#[component]
pub fn NoticeSettings(session: Signal<Session>) -> Element {
    let permission = session.read().notices.permission;
    rsx! {
        section { class: "new-room", "aria-labelledby": "notices-head",
            h2 { id: "notices-head", "Notifications" }
            p { class: "note", "aria-live": "polite",
                match permission {
                    Permission::Granted => "This browser tells you when somebody mentions you. What you hear of a room is set in its menu.",
                    Permission::Denied => "This browser forbids notifications of this site. You can allow them in its settings for this site.",
                    Permission::Ask => "This browser can tell you when somebody mentions you.",
                    Permission::Unsupported => "Notifications are off in this browser.",
                }
            }
            if permission != Permission::Granted && permission != Permission::Denied {
                p { class: "actions-row",
                    button { class: "button plain script-only", r#type: "button", onclick: move |_| dom::ask_to_notify(), "Turn on notifications" }
                }
            }
        }
    }
}

/// What one wants to hear of a room; a form of buttons, so that it works without a script.
#[component]
pub fn WantedChoice(session: Signal<Session>, room: RoomId, wanted: Wanted) -> Element {
    let store = use_store();
    let (level, mute, star) = (store.intents.clone(), store.intents.clone(), store.intents.clone());
    let live = session.read().status == Status::Live;
    let choices = [
        ("all", "Everything", Level::All),
        ("mentions", "Mentions", Level::Mentions),
        ("nothing", "Nothing", Level::Nothing),
    ];
    rsx! {
        form { class: "wanted", method: "post", action: "/r/{room}/want",
            onsubmit: move |event: FormEvent| if live { event.prevent_default() },
            p { class: "wanted-name", id: "wanted-{room}", "Notify me of" }
            div { class: "choices", role: "group", "aria-labelledby": "wanted-{room}",
                for (value , label , is) in choices {
                    button {
                        key: "{value}",
                        r#type: "submit",
                        name: "level",
                        value,
                        "aria-pressed": if wanted.level == is { "true" } else { "false" },
                        onclick: {
                            let intents = level.clone();
                            move |_| intents.send(Input::Want(room, Wanted { level: is, ..wanted }))
                        },
                        "{label}"
                    }
                }
            }
            button {
                class: "menu-item",
                r#type: "submit",
                name: "muted",
                value: if wanted.muted { "" } else { "1" },
                "aria-pressed": if wanted.muted { "true" } else { "false" },
                onclick: move |_| mute.send(Input::Want(room, Wanted { muted: !wanted.muted, ..wanted })),
                {icon("bell-off", 16)}
                if wanted.muted { "Unmute this room" } else { "Mute this room" }
            }
            button {
                class: "menu-item",
                r#type: "submit",
                name: "starred",
                value: if wanted.starred { "" } else { "1" },
                "aria-pressed": if wanted.starred { "true" } else { "false" },
                onclick: move |_| star.send(Input::Want(room, Wanted { starred: !wanted.starred, ..wanted })),
                {icon("star", 16)}
                if wanted.starred { "Take the star off" } else { "Star this room" }
            }
        }
    }
}
