//! Use cases of messages: post, act, take back.

mod strict;

use super::access::Action;
use super::act_checks::Checked;
use super::broker::{Content, Proposal};
use super::error::AppError;
use super::node::Node;
use super::rooms::in_room;
use super::state::ReadError;
use crate::protocol::change::Act;
use crate::protocol::frame::{ActDraft, Answer, Draft};
use crate::protocol::stored::MessageDraft;
use crate::protocol::{
    AccountId, ActValue, Added, Change, ClientId, Format, Outcome, Refusal, RoomId, Slot, bounds,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// A restore waits so long for texts that are being erased.
const RESTORE_WAIT: Duration = Duration::from_secs(2);

/// The form of texts that were checked for a log of formats 1 to 4, which write all in one form. A log that rises
/// meanwhile takes it too; in its own form a text would name nobody.
const CHECKED_FORM: Format = Format::Four;

/// Asks the gate before a draft of a room is proposed; a "no" is that of a node that has caught up. One that is stored
/// already gets its first outcome, and what may be over by the time that the draft has its place, like an archived room,
/// is for the fold.
async fn permit_draft(node: &Node, by: AccountId, room: RoomId, id: ClientId) -> Result<(), AppError> {
    let ask = || {
        let directory = node.directory();
        match directory.permits(&in_room(by, room)(&directory), Action::Post) {
            Err(denied) if denied.is_lasting() => match node.state.draft(id)? {
                Some(known) if known.author == by => Ok(()),
                _ => Err(denied.into()),
            },
            _ => Ok(()),
        }
    };
    node.sure(Result::is_err, ask).await?
}

/// What waits for the outcome of a proposal that has its place in the order.
pub type Proposed = BoxFuture<'static, Result<Outcome, AppError>>;

/// Proposes a message and waits for its outcome.
pub async fn post(node: &Arc<Node>, by: AccountId, draft: Draft) -> Result<Outcome, AppError> {
    propose_post(node, by, draft).await?.await
}

/// Proposes a message. It has its place in the order once this returns.
pub async fn propose_post(node: &Arc<Node>, by: AccountId, draft: Draft) -> Result<Proposed, AppError> {
    if node.directory().rules().strict.is_some() {
        return strict::propose_post(node, by, draft).await;
    }
    permit_draft(node, by, draft.room, draft.id).await?;
    let text = &bounds::message_text(&draft.text)?;
    let answers = match draft.thread {
        Some(Answer { to, .. }) => Some(root_of(node, draft.room, to).await?),
        None => None,
    };
    let in_room = draft.thread.is_some_and(|Answer { also, .. }| also);
    let change = Change::Post { room: draft.room, answers, in_room, written_for: None };
    let content =
        Content::erasable(&MessageDraft { text, quote: draft.quote, said: None }, &Added::default());
    node.require_format(by, change.needs()).await?;
    Ok(node.propose(Proposal::of(CHECKED_FORM, by, draft.id, &change, content)?).boxed())
}

/// The message under which the thread of an answer stands; of any other message, that one.
async fn root_of(node: &Arc<Node>, room: RoomId, answered: ClientId) -> Result<ClientId, AppError> {
    let look = || root_here(node, room, answered);
    // The fold says why it cannot be answered.
    let root = node.sure(|found| matches!(found, Ok(None)), look).await??;
    Ok(root.unwrap_or(answered))
}

/// As [`root_of`], by what is folded here; `None` if there is no such message.
fn root_here(node: &Node, room: RoomId, answered: ClientId) -> Result<Option<ClientId>, ReadError> {
    node.state.check(|checks| {
        let Some(row) = checks.message(room, answered)? else { return Ok(None) };
        let root = row.answers_in().map(|place| checks.root(room, place.lane)).transpose()?.flatten();
        Ok(Some(root.map_or(answered, |root| root.id)))
    })
}

/// Proposes an act on a message and waits for its outcome.
pub async fn act(node: &Arc<Node>, by: AccountId, act: ActDraft) -> Result<Outcome, AppError> {
    propose_act(node, by, act).await?.await
}

/// Proposes an act on a message. It has its place in the order once this returns.
pub async fn propose_act(node: &Arc<Node>, by: AccountId, act: ActDraft) -> Result<Proposed, AppError> {
    if node.directory().rules().strict.is_some() {
        return strict::propose_act(node, by, act).await;
    }
    let ActDraft { id, room, target, slot, value, .. } = act;
    permit_draft(node, by, room, id).await?;
    let checked = Checked { id, by, room, target };
    let mut restoring = None;
    let (act, content) = match (Slot::parse(&slot), value) {
        (Some(Slot::Text), ActValue::Text(text)) => {
            let text = bounds::message_text(&text)?;
            checked.permit(node, Action::Edit).await?;
            (Act::Edit, Content::value(Some(text)))
        }
        (Some(Slot::Deleted), ActValue::On(true)) => {
            checked.permit(node, Action::Delete).await?;
            (Act::Delete, Content::None)
        }
        (Some(Slot::Deleted), ActValue::Restored { restored }) => {
            // The text that stood has its form already; a longer one never stood.
            if restored.len() > bounds::TEXT_BYTES {
                return Err(bounds::Unfit::Long { limit: bounds::Limit::Bytes(bounds::TEXT_BYTES) }.into());
            }
            // Held for writing while texts are erased, which can last as long as a fault of the store.
            let turn = tokio::time::timeout(RESTORE_WAIT, node.restoring.clone().read_owned()).await;
            restoring = Some(turn.map_err(|_| AppError::Erasing)?);
            checked.restore_with(node, &restored).await?;
            (Act::Restore { with_text: true }, Content::value(Some(ActValue::Restored { restored })))
        }
        (Some(Slot::Pin), ActValue::On(on)) => (Act::Pin(on), Content::None),
        (Some(Slot::React { emoji, account }), ActValue::On(on)) => {
            match on {
                true => checked.react(node, &emoji, account).await?,
                false => checked.take_back(node, &emoji, account).await?,
            }
            (Act::React { emoji, account, on }, Content::None)
        }
        _ => return Err(AppError::Refused(Refusal::Malformed)),
    };
    let change = Change::Act { room, message: target, act };
    let outcome = node.propose(Proposal::of(CHECKED_FORM, by, id, &change, content)?);
    let Some(restoring) = restoring else { return Ok(outcome.boxed()) };
    // Goes on by itself: erasing waits for it.
    let wait = tokio::spawn(async move {
        let outcome = outcome.await;
        drop(restoring);
        outcome
    });
    Ok(async move { wait.await.unwrap_or(Err(AppError::Unknown)) }.boxed())
}

/// Proposes to take back a draft that may not have been stored.
pub async fn void(
    node: &Arc<Node>,
    by: AccountId,
    id: ClientId,
    target: ClientId,
) -> Result<Outcome, AppError> {
    node.propose(node.proposal(by, id, &Change::Void { draft: target }, Content::None)?).await
}
