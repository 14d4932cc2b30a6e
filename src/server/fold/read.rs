//! What decisions of formats 1 to 4 read of bodies. Of every other body they read nothing.

use super::bodies::{AccountBody, RoomBody, SettingBody};
use crate::protocol::{ActValue, EventBody, Kind};
use crate::server::broker::Entry;
use crate::server::state::event_body;

/// The number of a `format` entry.
pub(super) fn format(entry: &Entry) -> Option<u32> {
    json(entry)
}

/// All of it.
pub(super) fn account(entry: &Entry) -> Option<AccountBody> {
    json(entry)
}

/// All of it.
pub(super) fn room(entry: &Entry) -> Option<RoomBody> {
    json(entry)
}

/// The value of an `account.set` or `room.set`.
pub(super) enum Setting {
    Value(serde_json::Value),
    /// The entry has no body.
    Absent,
    /// The body is no JSON object with a `value`.
    Malformed,
}

pub(super) fn setting(entry: &Entry) -> Setting {
    match json(entry) {
        Some(SettingBody { value }) => Setting::Value(value),
        None if entry.body.is_none() => Setting::Absent,
        None => Setting::Malformed,
    }
}

/// Whether a message has the form of one. An erased one has: no other becomes a message.
pub(super) fn message_is_formed(entry: &Entry) -> bool {
    entry.json().is_none_or(|json| event_body(&Kind::Message, json).is_some())
}

/// The form of an act's value; never a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ActForm {
    On,
    Off,
    Text,
    Restored,
    /// The act has no body: it was erased, or is shorter than a salt.
    Absent,
    Malformed,
}

pub(super) fn act(entry: &Entry) -> ActForm {
    let Some(json) = entry.json() else { return ActForm::Absent };
    let Some(EventBody::Act(body)) = event_body(&Kind::Act, json) else { return ActForm::Malformed };
    match body.value {
        ActValue::On(true) => ActForm::On,
        ActValue::On(false) => ActForm::Off,
        ActValue::Text(_) => ActForm::Text,
        ActValue::Restored { .. } => ActForm::Restored,
    }
}

fn json<T: serde::de::DeserializeOwned>(entry: &Entry) -> Option<T> {
    serde_json::from_str(entry.json()?).ok()
}
