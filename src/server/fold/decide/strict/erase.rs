//! Decisions about the removal of bodies.

use super::super::{Accepted, Effect, NotAccepted};
use crate::protocol::change::Bodies;
use crate::protocol::{ClientId, Header, Refusal, RoomId};
use crate::server::access::Action;
use crate::server::fold::facts::Facts;
use crate::server::fold::rules::Strict;

/// What an `erase` takes of its list.
#[derive(Debug, Default)]
pub(in crate::server::fold) struct Erasure {
    /// Messages that lose every text.
    pub(in crate::server::fold) messages: Vec<ClientId>,
    /// Messages that lose the texts that an edit replaced.
    pub(in crate::server::fold) earlier: Vec<ClientId>,
    /// The entries whose bodies go.
    pub(in crate::server::fold) entries: Vec<u64>,
}

pub(super) fn erase(
    strict: &Strict,
    header: &Header,
    room: Option<RoomId>,
    bodies: &Bodies,
    facts: Facts<'_>,
) -> Result<Accepted, NotAccepted> {
    if room.is_some_and(|room| facts.room(room).is_none()) {
        return Err(Refusal::NotFound.into());
    }
    facts.permit(&facts.author(header), Action::Erase)?;
    let due = header.at.saturating_sub(strict.erase_ms);
    let mut erasure = Erasure::default();
    match (room, bodies) {
        (Some(room), Bodies::Messages(ids)) => {
            for id in ids {
                let deletion = facts.deletion_in(room, *id)?;
                let can_go = deletion.is_some_and(|deletion| deletion.by_operator || deletion.at <= due);
                if can_go && !facts.is_erased(*id)? {
                    erasure.entries.extend(facts.texts_of(*id, None)?);
                    erasure.messages.push(*id);
                }
            }
        }
        (Some(room), Bodies::Earlier(ids)) => {
            for id in ids {
                if facts.message(room, *id)?.is_none() {
                    continue;
                }
                let texts = facts.texts_of(*id, Some(due))?;
                if !texts.is_empty() {
                    erasure.entries.extend(texts);
                    erasure.earlier.push(*id);
                }
            }
        }
        (None, Bodies::Entries(numbers)) => {
            for g in numbers {
                if facts.can_be_erased(*g, due)? {
                    erasure.entries.push(*g);
                }
            }
        }
        _ => return Err(Refusal::Malformed.into()),
    }
    if erasure.is_empty() {
        return Err(Refusal::TargetGone.into());
    }
    match room {
        Some(room) => Effect::Erase(erasure).in_room(room, header, facts),
        None => Ok(Effect::Erase(erasure).outside_rooms()),
    }
}

impl Erasure {
    fn is_empty(&self) -> bool {
        self.of_messages().next().is_none() && self.entries.is_empty()
    }

    /// The messages that it takes texts of.
    pub(in crate::server::fold) fn of_messages(&self) -> impl Iterator<Item = &ClientId> {
        self.messages.iter().chain(&self.earlier)
    }
}
