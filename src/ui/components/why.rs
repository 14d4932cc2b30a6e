//! Why one was notified of a message, or was not.

use crate::client::{Known, Lane, Session, Why};
use crate::protocol::Row;
use crate::ui::acting::spot_of;
use dioxus::prelude::*;

/// The reason, and where it can be changed.
fn reason(why: Why) -> &'static str {
    match why {
        Why::Imported => "The administrator imported it.",
        Why::Own => "You wrote it.",
        Why::Deleted => "It was deleted.",
        Why::Muted => "You muted this room. The menu of the room changes that.",
        Why::Nothing => "You want to hear of nothing in this room. The menu of the room changes that.",
        Why::NotNamed => "It does not mention you. The menu of the room lets you hear of everything.",
        Why::Unfollowed => "You do not follow this thread. The button at its head changes that.",
        Why::Off => "Notifications are not turned on in this browser.",
        Why::Forbidden => "This browser forbids notifications of this site.",
        Why::Disturb => "Your status is “Do not disturb”. Your own menu changes that.",
        Why::Quiet => "It came in your quiet hours.",
        Why::Looking => "You had it in front of you.",
        Why::OtherTab => "Another tab of this browser tells you of new messages.",
        Why::Read => "You had read it already.",
        Why::NamesYou => "It mentions you.",
        Why::NamesAll => "It mentions everybody in this room.",
        Why::Everything => "You want to hear of everything in this room.",
    }
}

/// What the answer rests on; nothing is said that is not known.
fn ground(known: Known) -> &'static str {
    match known {
        Known::Decided => "Decided here when it came. Other devices decide for themselves.",
        Known::OtherTab => {
            "Another tab of this browser decided when it came. This is what your settings say now."
        }
        Known::Settings => {
            "What was decided when it came is not known here. This is what your settings say now."
        }
    }
}

/// The answer; assets/acts.js closes it. No component: it is drawn with what is open over the list.
pub fn why(session: &Session, lane: Lane, row: &Row) -> Element {
    let Some((why, known)) = session.explain(lane, row) else { return rsx! {} };
    let head = match (why.tells(), known) {
        (true, Known::Decided) => "You were notified",
        (false, Known::Decided) => "You were not notified",
        (true, _) => "You would be notified",
        (false, _) => "You would not be notified",
    };
    let (of, at) = spot_of(row, lane);
    let settings = matches!(why, Why::Off | Why::Forbidden | Why::Quiet);
    rsx! {
        div { class: "over", "data-dismiss": "1" }
        div {
            class: "question why floating",
            role: "dialog",
            "aria-labelledby": "why",
            "aria-describedby": "why-reason",
            "data-for": "{of} {at}",
            h2 { id: "why", {head} }
            p { id: "why-reason", {reason(why)} }
            p { class: "note", {ground(known)} }
            div { class: "actions-row",
                button { class: "link", r#type: "button", "data-dismiss": "1", "Close" }
                if settings {
                    a { class: "link", href: "/account", "Settings" }
                }
            }
        }
    }
}
