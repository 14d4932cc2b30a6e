//! Decisions about messages and acts on them.

use super::super::{Accepted, Effect, NotAccepted};
use crate::protocol::change::Act;
use crate::protocol::{AccountId, ClientId, Header, Refusal, RoomId};
use crate::server::access::Action;
use crate::server::fold::facts::{Facts, MessageFacts};
use crate::server::fold::rules::Strict;

pub(super) struct Post {
    pub(super) room: RoomId,
    pub(super) answers: Option<ClientId>,
    pub(super) in_room: bool,
    pub(super) written_for: Option<AccountId>,
}

pub(super) fn post(header: &Header, post: Post, facts: Facts<'_>) -> Result<Accepted, NotAccepted> {
    let Post { room, answers, in_room, written_for } = post;
    match written_for {
        None => facts.permit(&facts.author_in(header, room), Action::Post)?,
        Some(account) => facts.permit(&facts.author_about(header, room, account), Action::PostFor)?,
    }
    let thread = match answers {
        None => 0,
        Some(id) => {
            let root = facts.message(room, id)?.filter(|root| root.lane == 0).ok_or(Refusal::TargetGone)?;
            root.also.unwrap_or(root.seq)
        }
    };
    let mut accepted = Effect::Row.in_lanes(room, thread, in_room, header, facts)?;
    if let Some(event) = &mut accepted.event {
        event.written_for = written_for;
    }
    Ok(accepted)
}

pub(super) fn act(
    limits: &Strict,
    header: &Header,
    room: RoomId,
    id: ClientId,
    act: Act,
    facts: Facts<'_>,
) -> Result<Accepted, NotAccepted> {
    if let Act::React { account, .. } = &act
        && !facts.has_account(*account)
    {
        return Err(Refusal::NotFound.into());
    }
    let message = facts.message(room, id)?;
    let asked = facts.author_in(header, room);
    let asked = match &message {
        None => asked.unknown_message(),
        Some(message) => {
            let undo = facts.undo(id)?;
            asked.message(message.author, undo.is_some()).deletion(undo.as_ref(), header.at)
        }
    };
    let (action, asked) = match &act {
        Act::Edit => (Action::Edit, asked),
        Act::Delete => (Action::Delete, asked),
        Act::Restore { .. } => (Action::Restore, asked),
        Act::Pin(_) => (Action::Pin, asked),
        Act::React { account, .. } => (Action::React, asked.of_account(*account)),
    };
    facts.permit(&asked, action)?;
    let message = message.ok_or(Refusal::TargetGone)?;
    let is_restore = matches!(act, Act::Restore { .. });
    let effect = match act {
        Act::React { emoji, account, on: true } if is_over_a_limit(limits, &message, &emoji, account) => {
            return Err(Refusal::NotAllowed.into());
        }
        Act::Delete => Effect::Delete(id),
        Act::Restore { .. } => Effect::Restore(id),
        _ => Effect::Row,
    };
    let mut accepted = effect.in_lane(room, message.lane, header, facts)?;
    if let Some(event) = &mut accepted.event {
        event.restores = is_restore.then_some(id);
    }
    Ok(accepted)
}

/// Whether a reaction is one too many. One that is there already never is.
fn is_over_a_limit(limits: &Strict, message: &MessageFacts, emoji: &str, account: AccountId) -> bool {
    let of_account = message.reactions.values().filter(|accounts| accounts.contains(&account)).count();
    match message.reactions.get(emoji) {
        Some(accounts) if accounts.contains(&account) => false,
        Some(_) => of_account >= limits.reactions_each,
        None => of_account >= limits.reactions_each || message.reactions.len() >= limits.reactions,
    }
}
