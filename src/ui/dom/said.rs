//! What the page tells, as inputs of the engine and as gestures.

use crate::client::Input;
use crate::ui::acting::{Dialog, Gesture, Spot};

/// "lane ordinal".
fn spot(text: &str) -> Option<Spot> {
    let (lane, ordinal) = text.split_once(' ')?;
    Some((lane.parse().ok()?, ordinal.parse().ok()?))
}

pub(super) fn gesture_of(kind: &str, text: &str) -> Option<Gesture> {
    let spot = spot(text);
    Some(match kind {
        "active" => Gesture::Active(spot),
        "menu" => Gesture::Menu(spot?),
        "pick" => Gesture::Pick(spot?),
        "reply" => Gesture::Reply(spot?),
        "thread" => Gesture::Thread(spot?),
        "edit" => Gesture::Edit(spot?),
        "delete" => Gesture::Delete(spot?),
        "edit-last" => Gesture::EditLast(text.parse().ok()?),
        "close" => Gesture::Close,
        "dialog" => Gesture::Dialog(match text {
            "switcher" => Some(Dialog::Switcher),
            "keys" => Some(Dialog::Keys),
            _ => None,
        }),
        "read" => Gesture::Read,
        "read-all" => Gesture::ReadAll,
        _ => return None,
    })
}

pub(super) fn input_of(kind: &str, text: &str) -> Option<Input> {
    Some(match kind {
        "older" => Input::Older(text.parse().ok()?),
        "newer" => Input::Newer(text.parse().ok()?),
        "wake" => Input::Wake,
        "pinned" => Input::Pinned(text.parse().ok()?, true),
        "unpinned" => Input::Pinned(text.parse().ok()?, false),
        "attending" => Input::Attending(!text.is_empty()),
        "new-above" => Input::NewLine { above: true },
        "new-seen" => Input::NewLine { above: false },
        "mark-unread" => spot(text).map(|(lane, ordinal)| Input::MarkUnread(lane, ordinal))?,
        "visible" => spot(text).map(|(lane, ordinal)| Input::Seen(lane, ordinal))?,
        "signed-in" => Input::SignedIn,
        "status" => {
            let (minutes, rest) = text.split_once('\n')?;
            let (busy, text) = rest.split_once('\n')?;
            let for_ms = minutes.parse::<u32>().ok().map(|minutes| u64::from(minutes) * 60_000);
            Input::Say { text: text.to_owned(), do_not_disturb: !busy.is_empty(), for_ms }
        }
        "input" => {
            let (lane, text) = text.split_once('\n')?;
            Input::Typed(lane.parse().ok()?, text.to_owned())
        }
        _ => return None,
    })
}
