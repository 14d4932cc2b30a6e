//! Messages and acts as servers propose them from format 5 on.

use super::{Proposed, permit_draft, root_here};
use crate::protocol::change::Act;
use crate::protocol::frame::{ActDraft, Answer, Draft};
use crate::protocol::stored::{MessageDraft, ValueDraft};
use crate::protocol::{
    AccountId, ActBody, ActValue, Added, Change, ClientId, Kind, Outcome, Refusal, RoomId, Slot, bounds,
};
use crate::server::access::Action;
use crate::server::act_checks::Checked;
use crate::server::broker::{Content, Proposal};
use crate::server::error::AppError;
use crate::server::mentions::{self, Hints};
use crate::server::node::Node;
use futures::FutureExt;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) async fn propose_post(
    node: &Arc<Node>,
    by: AccountId,
    draft: Draft,
) -> Result<Proposed, AppError> {
    let (id, room) = (draft.id, draft.room);
    let proposal = |root: Option<ClientId>, added: &Added| -> Result<Proposal, AppError> {
        let text = &bounds::message_text(&draft.text)?;
        let in_room = draft.thread.is_some_and(|Answer { also, .. }| also);
        let change = Change::Post { room, answers: root, in_room, written_for: None };
        let content = Content::erasable(&MessageDraft { text, quote: draft.quote, said: None }, added);
        Ok(node.proposal(by, id, &change, content)?)
    };
    let again = || {
        let root = draft.thread.map(|Answer { to, .. }| root_here(node, room, to)).transpose()?;
        proposal(root.flatten().or(draft.thread.map(|answer| answer.to)), &Added::default())
    };
    let checked = async {
        permit_draft(node, by, room, id).await?;
        let text = bounds::message_text(&draft.text)?;
        let added = added(node, by, &text, &draft.named, None).await?;
        let root = match draft.thread {
            Some(Answer { to, .. }) => Some(super::root_of(node, room, to).await?),
            None => None,
        };
        proposal(root, &added)
    };
    propose(node, (by, id), again, checked).await
}

pub(super) async fn propose_act(
    node: &Arc<Node>,
    by: AccountId,
    act: ActDraft,
) -> Result<Proposed, AppError> {
    let ActDraft { id, room, target, slot, value, named } = act;
    let again = || -> Result<Proposal, AppError> {
        let value = match &value {
            ActValue::Text(text) => ActValue::Text(bounds::message_text(text)?),
            value => value.clone(),
        };
        let again = Proposal::new(by, id, Kind::Act, &ActBody { value }).room(room);
        let word = target.to_string().parse().map_err(|_| AppError::Refused(Refusal::Malformed))?;
        let again = again.target(word);
        // No entry has a slot that is no token.
        Ok(match slot.parse() {
            Ok(slot) => again.slot(slot),
            Err(_) => again,
        })
    };
    let checked = async {
        let act = match (Slot::parse(&slot), &value) {
            (Some(Slot::Text), ActValue::Text(_)) => Act::Edit,
            (Some(Slot::Deleted), ActValue::On(true)) => Act::Delete,
            // The text stands in the log already.
            (Some(Slot::Deleted), ActValue::On(false) | ActValue::Restored { .. }) => {
                Act::Restore { with_text: false }
            }
            (Some(Slot::Pin), ActValue::On(on)) => Act::Pin(*on),
            (Some(Slot::React { emoji, account }), ActValue::On(on)) => {
                Act::React { emoji, account, on: *on }
            }
            _ => return Err(AppError::Refused(Refusal::Malformed)),
        };
        let checked = Checked { id, by, room, target };
        let on_deletion = matches!(act, Act::Delete | Act::Restore { .. });
        // Whoever has left the room may still delete and restore what they wrote there: of a message that is known the
        // gate is asked below.
        if !on_deletion || !is_known(node, room, target)? {
            match permit_draft(node, by, room, id).await {
                Err(_) if on_deletion && is_known(node, room, target)? => {}
                permitted => permitted?,
            }
        }
        let mut content = Content::None;
        match &act {
            Act::Edit => {
                checked.permit(node, Action::Edit).await?;
                if let ActValue::Text(text) = &value {
                    // The quote of a message that is unknown here stands in what the log has now.
                    let look = || node.state.check(|state| state.message(room, target));
                    let row = node.sure(|found| matches!(found, Ok(None)), look).await??;
                    let (quote, said) = row.as_ref().map_or((None, None), |row| (row.quote, row.said));
                    let before = row.and_then(|row| row.added);
                    let text = bounds::message_text(text)?;
                    let found = added(node, by, &text, &named, before.as_ref()).await?;
                    let added = Added { quote, said, ..found };
                    content = Content::erasable(&ValueDraft { value: text }, &added);
                }
            }
            Act::Delete => checked.permit(node, Action::Delete).await?,
            Act::Restore { .. } => checked.restore(node).await?,
            Act::Pin(_) => {}
            Act::React { emoji, account, on: true } => checked.react(node, emoji, *account).await?,
            Act::React { emoji, account, on: false } => checked.take_back(node, emoji, *account).await?,
        }
        let change = Change::Act { room, message: target, act };
        Ok(node.proposal(by, id, &change, content)?)
    };
    propose(node, (by, id), again, checked).await
}

/// Proposes what the checks give. What is stored already gets its first outcome without a check, and what the checks
/// refuse is refused only after the log's newest entry was read: another server may have stored it. `again` is the
/// proposal as far as it tells a draft from another one; it is not stored.
async fn propose(
    node: &Arc<Node>,
    (by, id): (AccountId, ClientId),
    again: impl Fn() -> Result<Proposal, AppError>,
    checked: impl Future<Output = Result<Proposal, AppError>>,
) -> Result<Proposed, AppError> {
    let is_stored = || Ok::<_, AppError>(node.state.draft(id)?.is_some_and(|known| known.author == by));
    let no = match is_stored()? {
        true => None,
        false => match checked.await {
            Ok(proposal) => return Ok(node.propose(proposal).boxed()),
            Err(no) => Some(no),
        },
    };
    if let Some(no) = no
        && !node.sure(|stored| matches!(stored, Ok(false)), is_stored).await??
    {
        return Err(no);
    }
    let known = match again() {
        Ok(proposal) => node.known_outcome(&proposal)?,
        // A text that cannot be stored is not the one that was.
        Err(AppError::Unfit(_)) => Some(Outcome::Refused { why: Refusal::OtherDraft }),
        Err(fault) => return Err(fault),
    };
    // The log may have lost it just now.
    let outcome = known.ok_or(AppError::Unknown)?;
    Ok(std::future::ready(Ok(outcome)).boxed())
}

/// Looks up whom a text names; of a handle that is unknown here, in what the log has now.
async fn added(
    node: &Node,
    by: AccountId,
    text: &str,
    named: &BTreeMap<String, AccountId>,
    before: Option<&Added>,
) -> Result<Added, AppError> {
    let ask = || mentions::resolve(&node.directory(), by, text, Hints { named, before });
    let resolved = node.sure(|found| !matches!(found, Ok(found) if !found.unknown), ask).await??;
    Ok(resolved.added)
}

fn is_known(node: &Node, room: RoomId, message: ClientId) -> Result<bool, AppError> {
    Ok(node.state.check(|state| state.message(room, message))?.is_some())
}
