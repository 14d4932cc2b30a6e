//! Decisions about rooms and their members.

use super::{Accepted, Effect, NewRoom, NotAccepted, RoomSetting, target_account};
use crate::protocol::frame::RoomKind;
use crate::protocol::{Header, Refusal};
use crate::server::access::Action;
use crate::server::fold::bodies::RoomBody;
use crate::server::fold::facts::Facts;
use crate::server::fold::lower_case;
use crate::server::fold::read::Setting;
use crate::server::fold::rules::Rules;
use serde_json::Value;

pub(super) fn room(
    header: &Header,
    body: Option<RoomBody>,
    facts: Facts<'_>,
) -> Result<Accepted, NotAccepted> {
    let (Some(id), Some(body)) = (header.room, body) else { return Err(Refusal::Malformed.into()) };
    facts.permit(&facts.author(header), Action::MakeRoom)?;
    if facts.room(id).is_some() || name_is_taken(body.kind, &body.name, header, facts) {
        return Err(Refusal::Taken.into());
    }
    let RoomBody { kind, name, topic } = body;
    let room = NewRoom { kind, key: lower_case(&name), name, topic };
    Effect::NewRoom(id, room).in_room(id, header, facts)
}

/// Names of open rooms are unique, so that people can tell rooms apart. The room of the header does not count.
fn name_is_taken(kind: RoomKind, name: &str, header: &Header, facts: Facts<'_>) -> bool {
    kind == RoomKind::Open && header.room.is_some_and(|id| facts.room_name_is_taken(name, id))
}

pub(super) fn room_set(
    rules: &Rules,
    header: &Header,
    setting: Setting,
    facts: Facts<'_>,
) -> Result<Accepted, NotAccepted> {
    let id = header.room.ok_or(Refusal::Malformed)?;
    let slot = header.slot.as_ref().map(|slot| slot.as_str());
    let action = match slot {
        Some("archived") => Action::Archive,
        Some("topic") => Action::SetTopic,
        _ => Action::Rename,
    };
    facts.permit(&facts.author_in(header, id), action)?;
    let room = facts.room(id).ok_or(Refusal::NotFound)?;
    let Setting::Value(value) = setting else { return Err(Refusal::Malformed.into()) };
    let setting = match (slot, value) {
        (Some("name"), Value::String(name)) => {
            if name_is_taken(room.kind, &name, header, facts) {
                return Err(Refusal::Taken.into());
            }
            RoomSetting::Name { key: lower_case(&name), name }
        }
        (Some("topic"), Value::String(topic)) => RoomSetting::Topic(topic),
        (Some("archived"), Value::Bool(archived)) => {
            let returns = room.archived && !archived && rules.unarchiving_needs_the_name;
            if returns && name_is_taken(room.kind, room.name, header, facts) {
                return Err(Refusal::Taken.into());
            }
            RoomSetting::Archived(archived)
        }
        _ => return Err(Refusal::Malformed.into()),
    };
    Effect::Room(id, setting).in_room(id, header, facts)
}

pub(super) fn join(header: &Header, facts: Facts<'_>) -> Result<Accepted, NotAccepted> {
    let (Some(id), Some(target)) = (header.room, target_account(header)) else {
        return Err(Refusal::Malformed.into());
    };
    let action = if header.author == target { Action::Join } else { Action::Invite };
    facts.permit(&facts.author_about(header, id, target), action)?;
    Effect::Join(id, target).in_room(id, header, facts)
}

pub(super) fn leave(header: &Header, facts: Facts<'_>) -> Result<Accepted, NotAccepted> {
    let (Some(id), Some(target)) = (header.room, target_account(header)) else {
        return Err(Refusal::Malformed.into());
    };
    let action = if header.author == target { Action::Leave } else { Action::Remove };
    facts.permit(&facts.author_about(header, id, target), action)?;
    Effect::Leave(id, target).in_room(id, header, facts)
}
