//! Decisions about messages and acts on them.

use super::{Accepted, Effect, NotAccepted, target_id};
use crate::protocol::{ClientId, Header, Refusal, RoomId, Slot};
use crate::server::access::{self, Action};
use crate::server::fold::facts::{Facts, MessageFacts};
use crate::server::fold::read::ActForm;
use crate::server::fold::rules::Rules;

/// The slot of a reply that stands in the room too.
pub const IN_ROOM: &str = "room";

pub(super) fn message(
    rules: &Rules,
    header: &Header,
    formed: bool,
    facts: Facts<'_>,
) -> Result<Accepted, NotAccepted> {
    let (room, _) = writable(header, facts)?;
    if !formed {
        return Err(Refusal::Malformed.into());
    }
    let thread = match &header.target {
        None => 0,
        Some(_) => {
            let target = target_id(header).ok_or(Refusal::Malformed)?;
            let target = target_message(room, target, facts)?;
            if target.lane != 0 {
                return Err(Refusal::TargetGone.into());
            }
            target.also.unwrap_or(target.seq)
        }
    };
    let in_room = rules.replies_in_room && header.slot.as_ref().is_some_and(|slot| slot.as_str() == IN_ROOM);
    Effect::Row.in_lanes(room, thread, in_room, header, facts)
}

pub(super) fn act(header: &Header, form: ActForm, facts: Facts<'_>) -> Result<Accepted, NotAccepted> {
    let (room, asked) = writable(header, facts)?;
    let id = target_id(header).ok_or(Refusal::Malformed)?;
    let slot = header.slot.as_ref().and_then(|slot| Slot::parse(slot.as_str())).ok_or(Refusal::Malformed)?;
    let target = target_message(room, id, facts)?;
    let asked = asked.message(target.author, target.deleted);
    // An absent value is an erased text: no other value is erased.
    let (action, asked) = match (&slot, form) {
        (Slot::Text, ActForm::Text | ActForm::Absent) => (Action::Edit, asked),
        (Slot::Deleted, ActForm::On) => (Action::Delete, asked),
        // The text comes with the act: nobody else may put words into an author's mouth.
        (Slot::Deleted, ActForm::Restored | ActForm::Absent) if target.deleted => (Action::Restore, asked),
        (Slot::Pin, ActForm::On | ActForm::Off) => (Action::Pin, asked),
        (Slot::React { account, .. }, ActForm::On | ActForm::Off) => {
            (Action::React, asked.of_account(*account))
        }
        _ => return Err(Refusal::Malformed.into()),
    };
    facts.permit(&asked, action)?;
    let effect = match action {
        Action::Delete => Effect::Delete(id),
        Action::Restore => Effect::Restore(id),
        _ => Effect::Row,
    };
    effect.in_lane(room, target.lane, header, facts)
}

/// The room of a message or act, if its author may write there, and what the gate knows of both.
fn writable(header: &Header, facts: Facts<'_>) -> Result<(RoomId, access::Facts), NotAccepted> {
    let room = header.room.ok_or(Refusal::Malformed)?;
    let asked = facts.author_in(header, room);
    facts.permit(&asked, Action::Post)?;
    Ok((room, asked))
}

fn target_message(room: RoomId, id: ClientId, facts: Facts<'_>) -> Result<MessageFacts, NotAccepted> {
    facts.message(room, id)?.ok_or(NotAccepted::Refused(Refusal::TargetGone))
}
