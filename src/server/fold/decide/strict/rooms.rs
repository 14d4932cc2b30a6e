//! Decisions about rooms and their members.

use super::super::{Accepted, Effect, NewRoom, NotAccepted, RoomSetting};
use crate::protocol::frame::RoomKind;
use crate::protocol::{AccountId, Header, Refusal, RoomId};
use crate::server::access::Action;
use crate::server::fold::facts::Facts;
use crate::server::fold::lower_case;

/// A new room. The key of one in the form of earlier formats is made from its name.
pub(super) fn new(name: String, key: Option<String>, topic: Option<String>) -> NewRoom {
    let key = key.unwrap_or_else(|| lower_case(&name));
    NewRoom { kind: RoomKind::Open, name, key, topic: topic.unwrap_or_default() }
}

pub(super) fn make(
    header: &Header,
    id: RoomId,
    room: NewRoom,
    facts: Facts<'_>,
) -> Result<Accepted, NotAccepted> {
    facts.permit(&facts.author(header), Action::MakeRoom)?;
    if facts.room(id).is_some() || facts.room_key_is_taken(&room.key, id) {
        return Err(Refusal::Taken.into());
    }
    Effect::NewRoom(id, room).in_room(id, header, facts)
}

pub(super) fn rename(
    header: &Header,
    id: RoomId,
    name: String,
    key: Option<String>,
    facts: Facts<'_>,
) -> Result<Accepted, NotAccepted> {
    facts.permit(&facts.author_in(header, id), Action::Rename)?;
    let room = facts.room(id).ok_or(Refusal::NotFound)?;
    let key = key.unwrap_or_else(|| lower_case(&name));
    if room.kind == RoomKind::Open && facts.room_key_is_taken(&key, id) {
        return Err(Refusal::Taken.into());
    }
    Effect::Room(id, RoomSetting::Name { name, key }).in_room(id, header, facts)
}

pub(super) fn set_topic(header: &Header, id: RoomId, facts: Facts<'_>) -> Result<Accepted, NotAccepted> {
    facts.permit(&facts.author_in(header, id), Action::SetTopic)?;
    Effect::Topic(id).in_room(id, header, facts)
}

pub(super) fn archive(
    header: &Header,
    id: RoomId,
    archived: bool,
    facts: Facts<'_>,
) -> Result<Accepted, NotAccepted> {
    facts.permit(&facts.author_in(header, id), Action::Archive)?;
    let room = facts.room(id).ok_or(Refusal::NotFound)?;
    let returns = room.archived && !archived;
    if returns && room.kind == RoomKind::Open && facts.room_key_is_taken(room.key, id) {
        return Err(Refusal::Taken.into());
    }
    Effect::Room(id, RoomSetting::Archived(archived)).in_room(id, header, facts)
}

pub(super) fn join(
    header: &Header,
    id: RoomId,
    account: AccountId,
    facts: Facts<'_>,
) -> Result<Accepted, NotAccepted> {
    let action = if header.author == account { Action::Join } else { Action::Invite };
    facts.permit(&facts.author_about(header, id, account), action)?;
    Effect::Join(id, account).in_room(id, header, facts)
}

pub(super) fn leave(
    header: &Header,
    id: RoomId,
    account: AccountId,
    facts: Facts<'_>,
) -> Result<Accepted, NotAccepted> {
    let action = if header.author == account { Action::Leave } else { Action::Remove };
    facts.permit(&facts.author_about(header, id, account), action)?;
    Effect::Leave(id, account).in_room(id, header, facts)
}
