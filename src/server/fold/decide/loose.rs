//! The decisions of formats 1 to 4. They never change: logs of these formats are decided so for ever.

mod accounts;
mod drafts;
mod messages;
mod rooms;

pub(super) use drafts::{repeated, sameness};
pub use messages::IN_ROOM;

use super::{Accepted, Effect, NewRoom, NotAccepted, RoomSetting};
use crate::protocol::{AccountId, ClientId, Format, Header, Kind, Refusal};
use crate::server::broker::Entry;
use crate::server::fold::facts::Facts;
use crate::server::fold::read;
use crate::server::fold::rules::Rules;

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

/// The account that the header's target names.
fn target_account(header: &Header) -> Option<AccountId> {
    header.target.as_ref().and_then(|target| target.as_str().parse().ok())
}

/// The entry that the header's target names.
fn target_id(header: &Header) -> Option<ClientId> {
    header.target.as_ref().and_then(|target| target.as_str().parse().ok())
}
