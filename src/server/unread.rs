//! Use cases of reading: how far an account has read, and what it has not.

use super::broker::{BrokerError, Signal};
use super::error::AppError;
use super::node::Node;
use super::state::{Member, ReadError};
use super::threads::Said;
use crate::protocol::{AccountId, Badge, Mentions, Pointer, Quiet, Raise, RoomId, Wanted, bounds};
use std::collections::HashMap;
use std::hash::{Hash as _, Hasher as _};

/// Pointers belong to one stay in a room: who comes back begins at the head again.
pub(super) fn pointer_key(room: RoomId, lane: u64, joined: u64) -> String {
    format!("read:{room}:{lane}:{joined}")
}

/// A setting is a register too: each change is a new generation, so that the last one counts on every server.
fn wanted_key(room: RoomId) -> String {
    format!("want:{room}")
}

/// Rooms whose badges one transaction reads: a long one keeps SQLite from reusing its write-ahead log.
const ROOMS_AT_ONCE: usize = 64;

/// Quiet hours are of the whole workspace.
const QUIET_KEY: &str = "quiet";

/// Sets what an account wants to hear of a room; its connections hear of it.
pub async fn want(node: &Node, by: AccountId, room: RoomId, wanted: Wanted) -> Result<(), AppError> {
    node.state.enter((by, room), |_| Ok(()))?;
    Ok(set(node, by, wanted_key(room), wanted.number()).await?)
}

/// Sets the quiet hours of an account; its connections hear of it.
pub async fn set_quiet(node: &Node, by: AccountId, quiet: Quiet) -> Result<(), BrokerError> {
    set(node, by, QUIET_KEY.to_owned(), quiet.number()).await
}

async fn set(node: &Node, by: AccountId, key: String, number: u64) -> Result<(), BrokerError> {
    let registers = node.broker.registers(by, Vec::new()).await?;
    let before = registers.iter().find(|(known, _)| *known == key).map_or(0, |(_, set)| set.generation);
    let set = Pointer { generation: before + 1, ordinal: number };
    node.broker.registers(by, vec![(key.clone(), set)]).await?;
    node.broker.signals().send(Signal::Register { account: by, key });
    Ok(())
}

/// Raises read pointers; the account's connections hear of it. An ordinal past the lane's head is the head.
pub async fn raise(node: &Node, by: AccountId, raise: Vec<Raise>) -> Result<(), AppError> {
    if raise.len() > bounds::RAISE_AT_ONCE || raise.iter().any(|raise| raise.pointer.generation >> 48 > 0) {
        return Err(AppError::Refused(crate::protocol::Refusal::Malformed));
    }
    let raised = node.state.scope(by, |scope| {
        raise
            .iter()
            .map(|raise| {
                let member = scope.member(raise.room)?;
                if !member.has_lane(raise.lane)? {
                    return Err(ReadError::NotFound);
                }
                let head = member.lane_head(raise.lane)?;
                let Pointer { generation, ordinal } = raise.pointer;
                let key = pointer_key(raise.room, raise.lane, member.stay().joined);
                Ok((key, Pointer { generation, ordinal: ordinal.min(head) }))
            })
            .collect::<Result<Vec<_>, _>>()
    })?;
    let keys: Vec<_> = raised.iter().map(|(key, _)| key.clone()).collect();
    node.broker.registers(by, raised).await?;
    for key in keys {
        node.broker.signals().send(Signal::Register { account: by, key });
    }
    Ok(())
}

/// A number that changes when any read pointer or setting of an account does, and its quiet hours.
pub async fn pointers(node: &Node, by: AccountId) -> Result<(u64, Quiet), BrokerError> {
    let mut pointers = node.broker.registers(by, Vec::new()).await?;
    let quiet = quiet(pointers.iter().find(|(key, _)| key == QUIET_KEY).map(|(_, set)| set));
    pointers.sort_unstable();
    let mut hash = std::hash::DefaultHasher::new();
    for (key, Pointer { generation, ordinal }) in pointers {
        (key, generation, ordinal).hash(&mut hash);
    }
    Ok((hash.finish(), quiet))
}

fn quiet(set: Option<&Pointer>) -> Quiet {
    set.map_or_else(Quiet::default, |set| Quiet::of_number(set.ordinal))
}

pub(super) type Pointers = HashMap<String, Pointer>;

fn badge(member: &Member<'_>, pointers: &Pointers, said: &Said) -> Result<Badge, ReadError> {
    let (room, stay) = (member.room(), member.stay());
    let joined = Pointer { generation: 0, ordinal: stay.since };
    let read = pointers.get(&pointer_key(room, 0, stay.joined)).copied().unwrap_or_default();
    // The first version knew no stays.
    let read = read.max(pointers.get(&format!("read:{room}:0")).copied().unwrap_or_default());
    let wanted =
        pointers.get(&wanted_key(room)).map_or_else(Wanted::default, |set| Wanted::of_number(set.ordinal));
    let above = said.above(member, pointers)?;
    let (threads, thread_mentions) = member.unread_above(&above)?;
    let newest_answer = above.iter().map(|above| above.newest).max().unwrap_or(0);
    let badge = member.badge(0, read.max(joined))?;
    Ok(Badge { wanted, threads, thread_mentions, newest_answer, ..badge })
}

/// Messages that name an account, newest first, before a number of the log. Of what names everybody: in rooms since it is
/// there, in threads that it follows.
pub async fn mentions(node: &Node, by: AccountId, before: Option<u64>) -> Result<Mentions, AppError> {
    // Without the store it is not known what was said of threads: who takes part counts as following then.
    let registers = node.broker.registers(by, Vec::new()).await.unwrap_or_default();
    let said = Said::of(&registers.into_iter().collect());
    Ok(node
        .state
        .scope(by, |scope| scope.mentions(before, bounds::MENTIONS, |named| said.everybody(named)))?)
}

/// What is unread in each of these rooms; those that the account is not in are left out.
pub async fn badges(
    node: &Node,
    by: AccountId,
    rooms: impl IntoIterator<Item = RoomId>,
) -> Result<HashMap<RoomId, Badge>, AppError> {
    Ok(badges_and_quiet(node, by, rooms).await?.0)
}

/// As [`badges`], with the account's quiet hours: they are read together.
pub async fn badges_and_quiet(
    node: &Node,
    by: AccountId,
    rooms: impl IntoIterator<Item = RoomId>,
) -> Result<(HashMap<RoomId, Badge>, Quiet), AppError> {
    let pointers: Pointers = node.broker.registers(by, Vec::new()).await?.into_iter().collect();
    let said = Said::of(&pointers);
    let mut badges = HashMap::new();
    let rooms: Vec<_> = rooms.into_iter().collect();
    for some in rooms.chunks(ROOMS_AT_ONCE) {
        node.state.scope(by, |scope| {
            for room in some {
                match scope.member(*room).and_then(|member| badge(&member, &pointers, &said)) {
                    Ok(badge) => _ = badges.insert(*room, badge),
                    Err(ReadError::NotFound) => {}
                    Err(fault) => return Err(fault),
                }
            }
            Ok(())
        })?;
    }
    Ok((badges, quiet(pointers.get(QUIET_KEY))))
}
