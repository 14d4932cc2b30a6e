//! Use cases of rooms: make, join, leave, post, act, look at.

use super::act_checks::{Checked, ReactionError, RestoreError};
use super::broker::{BrokerError, Proposal};
use super::directory::{Account, Action};
use super::fold::{IN_ROOM, RoomBody, SettingBody};
use super::node::{Node, ProposeError};
use super::state::ReadError;
use super::unread;
use crate::protocol::frame::{ActDraft, Answer, Draft, Person, RoomInfo, RoomKind, Version};
use crate::protocol::{
    AccountId, ActBody, ActValue, ClientId, ErrorCode, Format, Kind, MessageBody, Outcome, Page, PageAt,
    Position, Quiet, Refusal, RoomId, Row, Slot, Token, bounds,
};
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use std::sync::Arc;
use std::time::Duration;

/// A restore waits so long for texts that are being erased.
const RESTORE_WAIT: Duration = Duration::from_secs(2);

/// Why something about a room was not done. The text says what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RoomError {
    #[error("{0}")]
    Unfit(#[from] bounds::Unfit),
    #[error("{0}")]
    Refused(Refusal),
    #[error("Only the one who made the room and the owner of the workspace may do that.")]
    NotYours,
    #[error("Another room has its name now. Archive that one first.")]
    NameTaken,
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error(transparent)]
    Reaction(#[from] ReactionError),
    #[error("There is no such room, or you are not in it.")]
    NotFound,
    #[error("The server has not caught up yet. Try again.")]
    Behind,
    #[error(transparent)]
    Propose(#[from] ProposeError),
    #[error("The server cannot answer now: {0}")]
    Unavailable(String),
}

impl RoomError {
    pub fn code(&self) -> ErrorCode {
        match self {
            RoomError::Unfit(_)
            | RoomError::Refused(_)
            | RoomError::NotYours
            | RoomError::NameTaken
            | RoomError::Restore(_)
            | RoomError::Reaction(_) => ErrorCode::Unfit,
            RoomError::NotFound => ErrorCode::NotFound,
            RoomError::Behind => ErrorCode::Behind,
            RoomError::Propose(ProposeError::Unknown) => ErrorCode::Unknown,
            RoomError::Propose(ProposeError::Unavailable(_)) | RoomError::Unavailable(_) => {
                ErrorCode::Unavailable
            }
        }
    }
}

impl From<ReadError> for RoomError {
    fn from(fault: ReadError) -> Self {
        match fault {
            ReadError::NotFound => RoomError::NotFound,
            fault => RoomError::Unavailable(fault.to_string()),
        }
    }
}

impl From<BrokerError> for RoomError {
    fn from(fault: BrokerError) -> Self {
        match fault {
            BrokerError::Unready(_) => ProposeError::Unavailable(fault.for_people()).into(),
            fault => RoomError::Unavailable(fault.to_string()),
        }
    }
}

fn token(text: &str) -> Result<Token, RoomError> {
    text.parse().map_err(|_| RoomError::Refused(Refusal::Malformed))
}

pub(super) async fn accepted(node: &Arc<Node>, proposal: Proposal) -> Result<(), RoomError> {
    match node.propose(proposal).await? {
        Outcome::Stored { .. } => Ok(()),
        Outcome::Refused { why: Refusal::NotFound } => Err(RoomError::NotFound),
        Outcome::Refused { why } => Err(RoomError::Refused(why)),
    }
}

/// Makes an open room; its maker is in it.
pub async fn create(node: &Arc<Node>, by: AccountId, name: &str, topic: &str) -> Result<RoomId, RoomError> {
    let body = RoomBody { kind: RoomKind::Open, name: bounds::name(name)?, topic: bounds::topic(topic)? };
    let room = RoomId::random();
    accepted(node, Proposal::new(by, ClientId::random(), Kind::Room, &body).room(room)).await?;
    Ok(room)
}

pub async fn join(node: &Arc<Node>, by: AccountId, room: RoomId) -> Result<(), RoomError> {
    if node.directory().can(by, Action::Read, room) {
        return Ok(());
    }
    let proposal = Proposal::new(by, ClientId::random(), Kind::Join, &()).room(room);
    match accepted(node, proposal.target(token(by.as_str())?)).await {
        // Another tab was faster.
        Err(RoomError::Refused(Refusal::Taken)) => Ok(()),
        done => done,
    }
}

pub async fn leave(node: &Arc<Node>, by: AccountId, room: RoomId) -> Result<(), RoomError> {
    let proposal = Proposal::new(by, ClientId::random(), Kind::Leave, &()).room(room);
    accepted(node, proposal.target(token(by.as_str())?)).await
}

/// Brings somebody into a room that one is in; whether that one was not there before.
pub async fn invite(
    node: &Arc<Node>,
    by: AccountId,
    room: RoomId,
    target: AccountId,
) -> Result<bool, RoomError> {
    if !node.can(by, Action::Write, room).await {
        return Err(RoomError::NotFound);
    }
    let proposal = Proposal::new(by, ClientId::random(), Kind::Join, &()).room(room);
    match accepted(node, proposal.target(token(target.as_str())?)).await {
        Ok(()) => Ok(true),
        Err(RoomError::Refused(Refusal::Taken)) => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Changes what a room is about; any member may.
pub async fn set_topic(node: &Arc<Node>, by: AccountId, room: RoomId, topic: &str) -> Result<(), RoomError> {
    if !node.can(by, Action::Write, room).await {
        return Err(RoomError::NotFound);
    }
    let body = SettingBody { value: bounds::topic(topic)?.into() };
    let proposal = Proposal::new(by, ClientId::random(), Kind::RoomSet, &body).room(room);
    accepted(node, proposal.slot(token("topic")?)).await
}

/// Archives a room, or brings it back. From then on the fold refuses, or takes again, what is proposed for it.
pub async fn archive(node: &Arc<Node>, by: AccountId, room: RoomId, archived: bool) -> Result<(), RoomError> {
    if !node.can(by, Action::See, room).await {
        return Err(RoomError::NotFound);
    }
    if !node.directory().can(by, Action::Archive, room) {
        return Err(RoomError::NotYours);
    }
    node.require_format(by, Format::Two).await?;
    let body = SettingBody { value: archived.into() };
    let proposal = Proposal::new(by, ClientId::random(), Kind::RoomSet, &body).room(room);
    match accepted(node, proposal.slot(token("archived")?)).await {
        Err(RoomError::Refused(Refusal::Taken)) => Err(RoomError::NameTaken),
        done => done,
    }
}

/// What waits for the outcome of a proposal that has its place in the order.
pub type Proposed = BoxFuture<'static, Result<Outcome, RoomError>>;

/// Proposes a message and waits for its outcome.
pub async fn post(node: &Arc<Node>, by: AccountId, draft: Draft) -> Result<Outcome, RoomError> {
    propose_post(node, by, draft).await?.await
}

/// Proposes a message. It has its place in the order once this returns.
pub async fn propose_post(node: &Arc<Node>, by: AccountId, draft: Draft) -> Result<Proposed, RoomError> {
    if !node.can(by, Action::See, draft.room).await {
        return Err(RoomError::NotFound);
    }
    let body = MessageBody { text: bounds::message_text(&draft.text)?, quote: draft.quote };
    let mut proposal = Proposal::new(by, draft.id, Kind::Message, &body).room(draft.room);
    if let Some(Answer { to, also }) = draft.thread {
        let root = root_of(node, draft.room, to).await?;
        proposal = proposal.target(token(&root.to_string())?);
        if also {
            node.require_format(by, Format::Three).await?;
            proposal = proposal.slot(token(IN_ROOM)?);
        }
    }
    Ok(node.propose(proposal).map_err(RoomError::from).boxed())
}

/// The message under which the thread of an answer stands; of any other message, that one.
async fn root_of(node: &Arc<Node>, room: RoomId, answered: ClientId) -> Result<ClientId, RoomError> {
    let look = || {
        node.state.check(|checks| {
            let row = checks.message(room, answered)?.ok_or(ReadError::NotFound)?;
            match row.answers_in() {
                Some(place) => Ok(checks.root(room, place.lane)?.map_or(answered, |root| root.id)),
                None => Ok(answered),
            }
        })
    };
    match node.sure(|found| matches!(found, Err(ReadError::NotFound)), look).await? {
        // The fold says why it cannot be answered.
        Err(ReadError::NotFound) => Ok(answered),
        found => Ok(found?),
    }
}

/// Proposes an act on a message and waits for its outcome.
pub async fn act(node: &Arc<Node>, by: AccountId, act: ActDraft) -> Result<Outcome, RoomError> {
    propose_act(node, by, act).await?.await
}

/// Proposes an act on a message; what only its author may do is decided by the fold, but for restores. It has its
/// place in the order once this returns.
pub async fn propose_act(node: &Arc<Node>, by: AccountId, act: ActDraft) -> Result<Proposed, RoomError> {
    let ActDraft { id, room, target, slot, value } = act;
    if !node.can(by, Action::See, room).await {
        return Err(RoomError::NotFound);
    }
    let checked = Checked { id, by, room, target };
    let mut restoring = None;
    let value = match (Slot::parse(&slot), value) {
        (Some(Slot::Text), ActValue::Text(text)) => ActValue::Text(bounds::message_text(&text)?),
        (Some(Slot::Deleted), ActValue::On(true)) => ActValue::On(true),
        (Some(Slot::Deleted), ActValue::Restored { restored }) => {
            // The text that stood has its form already; a longer one never stood.
            if restored.len() > bounds::TEXT_BYTES {
                return Err(bounds::Unfit::Long { limit: bounds::Limit::Bytes(bounds::TEXT_BYTES) }.into());
            }
            // Held for writing while texts are erased, which can last as long as a fault of the store.
            let turn = tokio::time::timeout(RESTORE_WAIT, node.restoring.clone().read_owned()).await;
            let busy = |_| {
                RoomError::Unavailable("deleted messages are being erased. Try again in a moment.".into())
            };
            restoring = Some(turn.map_err(busy)?);
            checked.restore(node, &restored).await?;
            ActValue::Restored { restored }
        }
        (Some(Slot::Pin), ActValue::On(on)) => ActValue::On(on),
        (Some(Slot::React { emoji, .. }), ActValue::On(true)) => {
            checked.react(node, &emoji).await?;
            ActValue::On(true)
        }
        (Some(Slot::React { emoji, .. }), ActValue::On(false)) => {
            checked.take_back(node, &emoji).await?;
            ActValue::On(false)
        }
        _ => return Err(RoomError::Refused(Refusal::Malformed)),
    };
    let proposal = Proposal::new(by, id, Kind::Act, &ActBody { value })
        .room(room)
        .target(token(&target.to_string())?)
        .slot(token(&slot)?);
    let outcome = node.propose(proposal).map_err(RoomError::from);
    let Some(restoring) = restoring else { return Ok(outcome.boxed()) };
    // Goes on by itself: erasing waits for it.
    let wait = tokio::spawn(async move {
        let outcome = outcome.await;
        drop(restoring);
        outcome
    });
    Ok(async move { wait.await.unwrap_or(Err(RoomError::Propose(ProposeError::Unknown))) }.boxed())
}

/// Proposes to take back a draft that may not have been stored.
pub async fn void(
    node: &Arc<Node>,
    by: AccountId,
    id: ClientId,
    target: ClientId,
) -> Result<Outcome, RoomError> {
    let proposal = Proposal::new(by, id, Kind::Void, &()).target(token(&target.to_string())?);
    Ok(node.propose(proposal).await?)
}

/// Rows of a lane. The answer is as of `at_least` or later, or it is [`RoomError::Behind`].
pub fn page(
    node: &Node,
    by: AccountId,
    (room, lane): (RoomId, u64),
    at: PageAt,
    limit: usize,
    at_least: Option<Position>,
) -> Result<Page, RoomError> {
    let epoch = node.epoch().ok_or(RoomError::NotFound)?;
    let page = node.state.enter((by, room), |member| member.page(epoch, lane, at, limit))?;
    if at_least.is_some_and(|least| least.epoch == epoch && least.seq > page.as_of.seq) {
        return Err(RoomError::Behind);
    }
    Ok(page)
}

/// The texts that a message of a room had, oldest first; none of a deleted one.
pub fn history(
    node: &Node,
    by: AccountId,
    room: RoomId,
    target: ClientId,
) -> Result<Vec<Version>, RoomError> {
    Ok(node.state.enter((by, room), |member| member.history(target))?)
}

/// The pinned messages of a room, newest first.
pub fn pins(node: &Node, by: AccountId, room: RoomId) -> Result<Vec<Arc<Row>>, RoomError> {
    Ok(node.state.enter((by, room), |member| member.pins())?)
}

/// Who is in a room, by name.
pub fn members(node: &Node, by: AccountId, room: RoomId) -> Result<Vec<Person>, RoomError> {
    let members = node.state.enter((by, room), |member| member.members())?;
    let directory = node.directory();
    let seen = members.into_iter().filter_map(|id| directory.see_person(by, id));
    let mut people: Vec<_> = seen.map(Account::to_person).collect();
    people.sort_by_cached_key(|person| (person.name.to_lowercase(), person.id));
    people.truncate(bounds::MEMBERS);
    Ok(people)
}

/// The rooms that an account is in, with their badges, and its quiet hours.
pub async fn mine(node: &Node, by: AccountId) -> Result<(Vec<RoomInfo>, Quiet), RoomError> {
    let mut rooms = node.directory().rooms_of(by);
    let (badges, quiet) = unread::badges_and_quiet(node, by, rooms.iter().map(|room| room.id)).await?;
    for room in &mut rooms {
        room.badge = badges.get(&room.id).copied().unwrap_or_default();
    }
    Ok((rooms, quiet))
}
