//! Whether an entry takes effect, and where. Each decision is a function of the rules of the format in force, the header,
//! what those rules let it read of the body, and [`Facts`] of earlier entries. It writes nothing: `apply` does.
//!
//! `loose` decides formats 1 to 4, `strict` the later ones.

mod loose;
mod strict;

pub use loose::IN_ROOM;
pub(super) use strict::Erasure;

use super::bodies::AccountBody;
use super::facts::Facts;
use super::rules::Rules;
use crate::protocol::change::AccountSetting;
use crate::protocol::frame::{Role, RoomKind};
use crate::protocol::{
    AccountId, ClientId, Format, Hash, Header, NewerFormat, Outcome, OwnStatus, Place, Refusal, RoomId,
};
use crate::server::broker::Entry;
use crate::server::state::{KnownDraft, ReadError};
use sha2::{Digest as _, Sha256};

/// An entry takes effect.
#[derive(Debug)]
pub(super) struct Accepted {
    /// The event of a room that it becomes.
    pub(super) event: Option<NewEvent>,
    pub(super) effect: Effect,
}

/// The place of an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewEvent {
    pub(super) room: RoomId,
    pub(super) seq: u64,
    pub(super) chain: Hash,
    pub(super) lane: u64,
    /// Messages have one.
    pub(super) ordinal: Option<u64>,
    /// The place in its thread of a reply that stands in the room's own lane.
    pub(super) also: Option<Place>,
    /// The author of a message that the operator wrote for somebody.
    pub(super) written_for: Option<AccountId>,
    /// The message that a restore shows again with the text that stood before.
    pub(super) restores: Option<ClientId>,
}

/// What an accepted entry changes.
#[derive(Debug)]
pub(super) enum Effect {
    /// Nothing that this version knows.
    None,
    Format(Format),
    NewAccount(AccountId, AccountBody),
    Name(AccountId, String),
    Status(AccountId, OwnStatus),
    /// A setting whose value stands in a body that can be erased.
    Profile(AccountId, AccountSetting),
    /// As `Profile`, of the workspace's name and of a room's topic.
    WorkspaceName,
    Topic(RoomId),
    Role(AccountId, Role),
    /// Logins of the account have ended.
    Logins(AccountId),
    /// Takes back a draft that has not come yet.
    TakeBack(ClientId),
    NewRoom(RoomId, NewRoom),
    Room(RoomId, RoomSetting),
    Join(RoomId, AccountId),
    Leave(RoomId, AccountId),
    /// A row, or a slot of one.
    Row,
    /// The slot `deleted` of a message.
    Delete(ClientId),
    Restore(ClientId),
    /// Bodies go.
    Erase(Erasure),
}

#[derive(Debug)]
pub(super) struct NewRoom {
    pub(super) kind: RoomKind,
    pub(super) name: String,
    pub(super) key: String,
    pub(super) topic: String,
}

#[derive(Debug)]
pub(super) enum RoomSetting {
    Name { name: String, key: String },
    Topic(String),
    Archived(bool),
}

/// Why an entry is not accepted.
#[derive(Debug)]
pub(super) enum NotAccepted {
    /// The decision.
    Refused(Refusal),
    /// There is none: the entry raises the log to a format that this fold does not read.
    Newer(NewerFormat),
    /// There is none: the state file cannot be read.
    Fault(ReadError),
}

impl From<Refusal> for NotAccepted {
    fn from(why: Refusal) -> Self {
        NotAccepted::Refused(why)
    }
}

impl From<ReadError> for NotAccepted {
    fn from(fault: ReadError) -> Self {
        NotAccepted::Fault(fault)
    }
}

impl Accepted {
    pub(super) fn outcome(&self, g: u64) -> Outcome {
        let (seq, ordinal) = (self.event.map(|event| event.seq), self.event.and_then(|event| event.ordinal));
        Outcome::Stored { g, seq, ordinal }
    }
}

/// Decides an entry whose `client_id` is new.
pub(super) fn decide(rules: &Rules, entry: &Entry, facts: Facts<'_>) -> Result<Accepted, NotAccepted> {
    match &rules.strict {
        Some(strict) => strict::decide(strict, entry, facts),
        None => loose::decide(rules, entry, facts),
    }
}

/// The outcome of an entry whose `client_id` an earlier one has.
pub(super) fn repeated(rules: &Rules, first: &KnownDraft, entry: &Entry) -> Outcome {
    match rules.strict {
        Some(_) => strict::repeated(first, &entry.header),
        None => loose::repeated(first, entry),
    }
}

/// As the fold decides it, for a server that is asked for what is stored already: it compares texts in every format.
pub fn known_outcome(rules: &Rules, first: &KnownDraft, entry: &Entry) -> Outcome {
    let differs = rules.strict.is_some()
        && matches!(
            (&first.salt, &first.same),
            (Some(salt), Some(same)) if sameness(rules, salt, entry).is_some_and(|here| here != *same)
        );
    if differs { Outcome::Refused { why: Refusal::OtherDraft } } else { repeated(rules, first, entry) }
}

/// What two proposals of one draft have in common whatever their salt: 16 bytes that do not tell the text. None where
/// only header words tell drafts apart.
pub(super) fn sameness(rules: &Rules, salt: &str, entry: &Entry) -> Option<Vec<u8>> {
    match rules.strict {
        Some(_) => strict::sameness(salt, entry),
        None => Some(loose::sameness(salt, entry)),
    }
}

/// What two entries of one draft have in common in their headers, in 16 bytes: kind, room, target and slot.
pub(super) fn header_words(header: &Header) -> Vec<u8> {
    hash_of("", header, None)
}

/// 16 bytes of the hash of a salt, of kind, room, target and slot, and of a draft.
fn hash_of(salt: &str, header: &Header, draft: Option<&str>) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(header.kind.as_str());
    for word in [
        header.room.as_ref().map(RoomId::as_str),
        header.target.as_ref().map(|target| target.as_str()),
        header.slot.as_ref().map(|slot| slot.as_str()),
        draft,
    ] {
        hash.update([0]);
        hash.update(word.unwrap_or(""));
    }
    hash.finalize()[..16].to_vec()
}

impl Effect {
    fn outside_rooms(self) -> Accepted {
        Accepted { event: None, effect: self }
    }

    /// The next event of a room, in its own lane.
    fn in_room(self, room: RoomId, header: &Header, facts: Facts<'_>) -> Result<Accepted, NotAccepted> {
        self.in_lane(room, 0, header, facts)
    }

    /// The next event of a room.
    fn in_lane(
        self,
        room: RoomId,
        lane: u64,
        header: &Header,
        facts: Facts<'_>,
    ) -> Result<Accepted, NotAccepted> {
        let (seq, chain) = facts.head(room)?.map_or((0, Hash::ZERO), |head| (head.seq, head.chain));
        let event = NewEvent {
            room,
            seq: seq + 1,
            chain: chain.then(header),
            lane,
            ordinal: None,
            also: None,
            written_for: None,
            restores: None,
        };
        Ok(Accepted { event: Some(event), effect: self })
    }

    /// The next message of a room: in a thread (0 is none), or in the room's own lane and, if it answers, in both.
    fn in_lanes(
        self,
        room: RoomId,
        thread: u64,
        in_room: bool,
        header: &Header,
        facts: Facts<'_>,
    ) -> Result<Accepted, NotAccepted> {
        let lane = if in_room { 0 } else { thread };
        let mut accepted = self.in_lane(room, lane, header, facts)?;
        if let Some(event) = &mut accepted.event {
            event.ordinal = Some(facts.lane_head(room, lane)? + 1);
            if in_room && thread != 0 {
                event.also = Some(Place { lane: thread, ordinal: facts.lane_head(room, thread)? + 1 });
            }
        }
        Ok(accepted)
    }
}
