//! Notifications: the offer of them, and what one wants to hear of.

use super::{clock, icon};
use crate::client::{Input, Permission, Session, Status};
use crate::protocol::{Level, RoomId, Wanted};
use crate::ui::dom;
use crate::ui::store::{use_refused, use_store};
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
                p { "Somebody mentioned you. Shall this {dom::HERE} tell you when that happens?" }
                button { class: "link", r#type: "button", onclick: move |_| dom::ask_to_notify(), "Turn on" }
                button { class: "link plain", r#type: "button", onclick: move |_| store.intents.send(Input::NeverAsk), "Not now" }
            }
        }
    }
}

/// When one is told nothing, and whether this browser notifies. The hours are a plain form; the sound is the browser's
/// alone: assets/device.js keeps it.
#[component]
pub fn NoticeSettings(session: Signal<Session>) -> Element {
    // Drawn again only when it changes: each drawing sets the fields, and would take away what is being typed.
    let settings = use_memo(move || {
        let notices = &session.read().notices;
        (notices.permission, notices.quiet)
    });
    let (permission, quiet) = settings();
    let time = |minutes| clock(i64::from(minutes) * 60_000, 0);
    // What was typed and not taken.
    let refused = use_refused(&["/account/quiet"]);
    let wrong = refused.as_ref().is_some_and(|notice| notice.is_about("Quiet hours")).then_some("true");
    let (on, from, to) = match &refused {
        Some(notice) => (!notice.field("on").is_empty(), notice.field("from"), notice.field("to")),
        None => (quiet.on, time(quiet.from), time(quiet.to)),
    };
    rsx! {
        section { class: "new-room", "aria-labelledby": "quiet-head",
            h2 { id: "quiet-head", "Quiet hours" }
            form { class: "form", method: "post", action: "/account/quiet", "aria-describedby": "quiet-hint",
                label { class: "own-busy",
                    input { r#type: "checkbox", name: "on", value: "1", checked: on }
                    "No notifications in these hours"
                }
                div { class: "pair times",
                    div { class: "field-group",
                        label { r#for: "quiet-from", "From" }
                        input { class: "field", id: "quiet-from", name: "from", r#type: "time", required: true, autofocus: refused.is_some(), "aria-invalid": wrong, value: "{from}" }
                    }
                    div { class: "field-group",
                        label { r#for: "quiet-to", "To" }
                        input { class: "field", id: "quiet-to", name: "to", r#type: "time", required: true, "aria-invalid": wrong, value: "{to}" }
                    }
                }
                p { class: "note", id: "quiet-hint", "Every day, on all your devices, by the clock of each of them. What comes meanwhile waits as unread." }
                button { class: "button plain", r#type: "submit", "Save" }
            }
        }
        section { class: "new-room", "aria-labelledby": "notices-head",
            h2 { id: "notices-head", "Notifications" }
            p { class: "note", "aria-live": "polite",
                match permission {
                    Permission::Granted => rsx! { "This {dom::HERE} tells you when somebody mentions you. What you hear of a room is set in its menu." },
                    Permission::Denied => rsx! { "This browser forbids notifications of this site. You can allow them in its settings for this site." },
                    Permission::Ask => rsx! { "This browser can tell you when somebody mentions you." },
                    Permission::Unsupported => rsx! { "Notifications are off in this browser." },
                }
            }
            if permission != Permission::Granted && permission != Permission::Denied {
                p { class: "actions-row",
                    button { class: "button plain script-only", r#type: "button", onclick: move |_| dom::ask_to_notify(), "Turn on notifications" }
                }
            }
            if permission == Permission::Granted {
                p { class: "sound script-only",
                    span { class: "sound-on", "With a sound, on this device." }
                    span { class: "sound-off", "Without a sound, on this device." }
                    button { class: "button plain small sound-on", r#type: "button", "Turn the sound off" }
                    button { class: "button plain small sound-off", r#type: "button", "Turn the sound on" }
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
