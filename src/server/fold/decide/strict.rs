//! The decisions of the formats whose rules are [`strict`](crate::server::fold::Rules::strict): from format 5 on. Each
//! takes a [`Change`], which has nothing of a body that can be erased. The order of the reasons is that of
//! docs/architecture.md, "The order of refusals".

mod accounts;
mod drafts;
mod erase;
mod messages;
mod rooms;

pub(super) use drafts::{repeated, sameness};
pub(in crate::server::fold) use erase::Erasure;

use super::{Accepted, Effect, NotAccepted};
use crate::protocol::{Change, Format, Header, Kind, Refusal};
use crate::server::access::Action;
use crate::server::broker::Entry;
use crate::server::fold::facts::Facts;
use crate::server::fold::rules::Strict;

/// Decides an entry whose `client_id` is new.
pub(super) fn decide(rules: &Strict, entry: &Entry, facts: Facts<'_>) -> Result<Accepted, NotAccepted> {
    let header = &entry.header;
    if header.kind == Kind::Workspace {
        // The fold has read the first one.
        return if header.g == 1 { Ok(Effect::None.outside_rooms()) } else { Err(Refusal::Taken.into()) };
    }
    // The fold has stopped before at one that lacks a body.
    let change = Change::read(header, entry.body.as_deref()).map_err(|_| Refusal::Malformed)?;
    if !facts.operator_id().is_some_and(|operator| change.fits_author(header.author, operator)) {
        return Err(Refusal::Malformed.into());
    }
    match change {
        Change::Workspace { .. } => Err(Refusal::Taken.into()),
        Change::Format { number } => format(header, number, facts),
        Change::Account { id, handle, owner, name, .. } => {
            accounts::account(header, id, accounts::new(handle, owner, name), facts)
        }
        Change::SetAccount { account, setting } => accounts::set_account(header, account, setting, facts),
        Change::SetWorkspaceName => accounts::set_workspace_name(header, facts),
        Change::Logins { account } => accounts::logins(header, account, facts),
        Change::Void { draft } => drafts::void(header, draft, facts),
        Change::MakeRoom { room, name, key, topic } => {
            rooms::make(header, room, rooms::new(name, key, topic), facts)
        }
        Change::Rename { room, name, key } => rooms::rename(header, room, name, key, facts),
        Change::SetTopic { room } => rooms::set_topic(header, room, facts),
        Change::Archive { room, archived } => rooms::archive(header, room, archived, facts),
        Change::Join { room, account } => rooms::join(header, room, account, facts),
        Change::Leave { room, account } => rooms::leave(header, room, account, facts),
        Change::Post { room, answers, in_room, written_for } => {
            messages::post(header, messages::Post { room, answers, in_room, written_for }, facts)
        }
        Change::Act { room, message, act } => messages::act(rules, header, room, message, act, facts),
        Change::Erase { room, bodies, .. } => erase::erase(rules, header, room, &bodies, facts),
        Change::Unknown => Ok(Effect::None.outside_rooms()),
    }
}

fn format(header: &Header, number: u32, facts: Facts<'_>) -> Result<Accepted, NotAccepted> {
    if number <= facts.format().number() {
        return Ok(Effect::None.outside_rooms());
    }
    facts.permit(&facts.author(header), Action::RaiseFormat)?;
    match Format::read(number, facts.newest()) {
        Ok(format) => Ok(Effect::Format(format).outside_rooms()),
        Err(newer) => Err(NotAccepted::Newer(newer)),
    }
}
