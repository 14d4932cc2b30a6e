//! Use cases of rooms: make, join, leave, look at.

use super::access::{Action, Actor, Facts};
use super::broker::Content;
use super::directory::{Account, Directory};
use super::error::AppError;
pub use super::messages::{Proposed, act, post, propose_act, propose_post, void};
use super::node::Node;
use super::room_names::RoomName;
use super::unread;
use crate::protocol::frame::{Person, RoomInfo, Version};
use crate::protocol::{
    AccountId, Change, ClientId, Outcome, Page, PageAt, Position, Quiet, Refusal, RoomId, Row, bounds,
};
use std::sync::Arc;

/// Proposes a change, in the form of the log's format.
pub(super) async fn accepted(
    node: &Arc<Node>,
    by: AccountId,
    change: &Change,
    content: Content,
) -> Result<(), AppError> {
    match node.propose(node.proposal(by, ClientId::random(), change, content)?).await? {
        Outcome::Stored { .. } => Ok(()),
        Outcome::Refused { why } => Err(why.into()),
    }
}

/// Asks the gate before a proposal; a "no" is that of a node that has caught up.
async fn permit(node: &Node, action: Action, facts: impl Fn(&Directory) -> Facts) -> Result<(), AppError> {
    let ask = || {
        let directory = node.directory();
        directory.permits(&facts(&directory), action)
    };
    Ok(node.sure(Result::is_err, ask).await??)
}

pub(super) fn in_room(by: AccountId, room: RoomId) -> impl Fn(&Directory) -> Facts {
    move |directory| Facts::of(directory, Actor::Account(by)).in_room(directory, room)
}

/// Whether a room of this log may have this name, as far as the name says.
pub fn name_fits(node: &Node, typed: &str) -> bool {
    match node.directory().rules().strict {
        Some(_) => RoomName::typed(typed).is_ok(),
        None => bounds::name(typed).is_ok(),
    }
}

/// Makes an open room; its maker is in it.
pub async fn create(node: &Arc<Node>, by: AccountId, name: &str, topic: &str) -> Result<RoomId, AppError> {
    if node.directory().rules().strict.is_some() {
        return create_with_key(node, by, RoomName::typed(name)?, &bounds::topic(topic)?).await;
    }
    let (name, topic, room) = (bounds::name(name)?, bounds::topic(topic)?, RoomId::random());
    permit(node, Action::MakeRoom, |directory| Facts::of(directory, Actor::Account(by))).await?;
    let change = Change::MakeRoom { room, name, key: None, topic: Some(topic) };
    accepted(node, by, &change, Content::None).await?;
    Ok(room)
}

async fn create_with_key(
    node: &Arc<Node>,
    by: AccountId,
    name: RoomName,
    topic: &str,
) -> Result<RoomId, AppError> {
    let room = RoomId::random();
    permit(node, Action::MakeRoom, |directory| Facts::of(directory, Actor::Account(by))).await?;
    // The room that has the name may have been archived on another server a moment ago.
    let taken = || name.taken_for(&node.directory(), room).map(|other| other.name.clone());
    if let Some(other) = node.sure(Option::is_some, taken).await? {
        return Err(AppError::RoomNameTaken(other));
    }
    let RoomName { name, key } = name;
    let change = Change::MakeRoom { room, name, key: Some(key), topic: None };
    accepted(node, by, &change, Content::None).await?;
    // The room is there, also if it gets no topic: any member can write one.
    if !topic.is_empty() {
        let _ = accepted(node, by, &Change::SetTopic { room }, Content::value(Some(topic))).await;
    }
    Ok(room)
}

pub async fn join(node: &Arc<Node>, by: AccountId, room: RoomId) -> Result<(), AppError> {
    if node.directory().can(by, Action::Read, room) {
        return Ok(());
    }
    let joined = async {
        permit(node, Action::Join, in_room(by, room)).await?;
        accepted(node, by, &Change::Join { room, account: by }, Content::None).await
    };
    match joined.await {
        // Another tab was faster.
        Err(AppError::Refused(Refusal::Taken)) => Ok(()),
        done => done,
    }
}

pub async fn leave(node: &Arc<Node>, by: AccountId, room: RoomId) -> Result<(), AppError> {
    permit(node, Action::Leave, in_room(by, room)).await?;
    accepted(node, by, &Change::Leave { room, account: by }, Content::None).await
}

/// Brings somebody into a room that one is in; whether that one was not there before.
pub async fn invite(
    node: &Arc<Node>,
    by: AccountId,
    room: RoomId,
    target: AccountId,
) -> Result<bool, AppError> {
    let facts =
        |directory: &Directory| Facts::of(directory, Actor::Account(by)).about(directory, room, target);
    let added = async {
        permit(node, Action::Invite, facts).await?;
        accepted(node, by, &Change::Join { room, account: target }, Content::None).await
    };
    match added.await {
        Ok(()) => Ok(true),
        Err(AppError::Refused(Refusal::Taken)) => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Changes what a room is about; any member may.
pub async fn set_topic(node: &Arc<Node>, by: AccountId, room: RoomId, topic: &str) -> Result<(), AppError> {
    permit(node, Action::SetTopic, in_room(by, room)).await?;
    let topic = bounds::topic(topic)?;
    let topic = Content::value(Some(topic).filter(|topic| !topic.is_empty()));
    accepted(node, by, &Change::SetTopic { room }, topic).await
}

/// Archives a room, or brings it back. From then on the fold refuses, or takes again, what is proposed for it.
pub async fn archive(node: &Arc<Node>, by: AccountId, room: RoomId, archived: bool) -> Result<(), AppError> {
    permit(node, Action::Archive, in_room(by, room)).await?;
    let change = Change::Archive { room, archived };
    node.require_format(by, change.needs()).await?;
    match accepted(node, by, &change, Content::None).await {
        Err(AppError::Refused(Refusal::Taken)) => Err(AppError::NameTaken),
        done => done,
    }
}

/// Rows of a lane. The answer is as of `at_least` or later, or it is [`AppError::Behind`].
pub fn page(
    node: &Node,
    by: AccountId,
    (room, lane): (RoomId, u64),
    at: PageAt,
    limit: usize,
    at_least: Option<Position>,
) -> Result<Page, AppError> {
    let epoch = node.epoch().ok_or(AppError::NotFound)?;
    let page = node.state.enter((by, room), |member| member.page(epoch, lane, at, limit))?;
    if at_least.is_some_and(|least| least.epoch == epoch && least.seq > page.as_of.seq) {
        return Err(AppError::Behind);
    }
    Ok(page)
}

/// The texts that a message of a room had, oldest first; none of a deleted one.
pub fn history(node: &Node, by: AccountId, room: RoomId, target: ClientId) -> Result<Vec<Version>, AppError> {
    Ok(node.state.enter((by, room), |member| member.history(target))?)
}

/// The pinned messages of a room, newest first.
pub fn pins(node: &Node, by: AccountId, room: RoomId) -> Result<Vec<Arc<Row>>, AppError> {
    Ok(node.state.enter((by, room), |member| member.pins())?)
}

/// Who is in a room, by name.
pub fn members(node: &Node, by: AccountId, room: RoomId) -> Result<Vec<Person>, AppError> {
    let members = node.state.enter((by, room), |member| member.members(bounds::MEMBERS))?;
    let directory = node.directory();
    let seen = members.into_iter().filter_map(|id| directory.see_person(by, id));
    let mut people: Vec<_> = seen.map(Account::to_person).collect();
    people.sort_by_cached_key(|person| (person.name.to_lowercase(), person.id));
    Ok(people)
}

/// The rooms that an account is in, with their badges, and its quiet hours.
pub async fn mine(node: &Node, by: AccountId) -> Result<(Vec<RoomInfo>, Quiet), AppError> {
    let mut rooms = node.directory().rooms_of(by);
    let (badges, quiet) = unread::badges_and_quiet(node, by, rooms.iter().map(|room| room.id)).await?;
    for room in &mut rooms {
        room.badge = badges.get(&room.id).copied().unwrap_or_default();
    }
    Ok((rooms, quiet))
}
