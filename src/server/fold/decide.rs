//! Whether an entry takes effect, and where. Each decision is a function of the rules of the format in force, the header,
//! what [`read`] gives of the body, and [`Facts`] of earlier entries. It writes nothing: `apply` does.

mod accounts;
mod drafts;
mod messages;
mod rooms;

pub use drafts::repeated;
pub(super) use drafts::{header_words, sameness};
pub use messages::IN_ROOM;

use super::bodies::{AccountBody, RoomBody};
use super::facts::Facts;
use super::read;
use super::rules::Rules;
use crate::protocol::frame::Role;
use crate::protocol::{
    AccountId, ClientId, Format, Hash, Header, Kind, Outcome, OwnStatus, Place, Refusal, RoomId,
};
use crate::server::broker::Entry;
use crate::server::state::ReadError;

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
    Role(AccountId, Role),
    /// Logins of the account have ended.
    Logins(AccountId),
    /// Takes back a draft that has not come yet.
    TakeBack(ClientId),
    NewRoom(RoomId, RoomBody),
    Room(RoomId, RoomSetting),
    Join(RoomId, AccountId),
    Leave(RoomId, AccountId),
    /// A row, or a slot of one.
    Row,
    /// The slot `deleted` of a message.
    Delete(ClientId),
    Restore(ClientId),
}

#[derive(Debug)]
pub(super) enum RoomSetting {
    Name(String),
    Topic(String),
    Archived(bool),
}

/// Why an entry is not accepted.
#[derive(Debug)]
pub(super) enum NotAccepted {
    /// The decision.
    Refused(Refusal),
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
    let header = &entry.header;
    match &header.kind {
        Kind::Workspace if header.g == 1 => Ok(Effect::None.outside_rooms()),
        Kind::Workspace => Err(Refusal::Taken.into()),
        Kind::Format => Ok(format(read::format(entry), facts)),
        Kind::Account => accounts::account(header, read::account(entry), facts),
        Kind::AccountSet => accounts::account_set(rules, header, read::setting(entry), facts),
        Kind::Logins => accounts::logins(header, facts),
        Kind::Void => drafts::void(header, facts),
        Kind::Room => rooms::room(header, read::room(entry), facts),
        Kind::RoomSet => rooms::room_set(rules, header, read::setting(entry), facts),
        Kind::Join => rooms::join(header, facts),
        Kind::Leave => rooms::leave(header, facts),
        Kind::Message => messages::message(rules, header, read::message_is_formed(entry), facts),
        Kind::Act => messages::act(header, read::act(entry), facts),
        Kind::WorkspaceSet | Kind::Erase | Kind::Other(_) => Ok(Effect::None.outside_rooms()),
    }
}

/// The fold has stopped before at a format that this version cannot read.
fn format(number: Option<u32>, facts: Facts<'_>) -> Accepted {
    let format = number.and_then(|number| Format::read(number, Format::Five).ok());
    let rises = format.filter(|format| *format > facts.format());
    rises.map_or(Effect::None, Effect::Format).outside_rooms()
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
        let event =
            NewEvent { room, seq: seq + 1, chain: chain.then(header), lane, ordinal: None, also: None };
        Ok(Accepted { event: Some(event), effect: self })
    }
}

/// The account that the header's target names.
fn target_account(header: &Header) -> Option<AccountId> {
    header.target.as_ref().and_then(|target| target.as_str().parse().ok())
}

/// The entry that the header's target names.
fn target_id(header: &Header) -> Option<ClientId> {
    header.target.as_ref().and_then(|target| target.as_str().parse().ok())
}
