//! Use cases of threads: who follows them, and what is unread there.
//!
//! One follows by taking part; what one says oneself goes before it, until one is named there again.

use super::broker::Signal;
use super::error::AppError;
use super::node::Node;
use super::state::{Above, Following, Member, Membership, Named, ReadError};
use super::unread::{Pointers, pointer_key};
use crate::protocol::{AccountId, Badge, ClientId, Pointer, RoomId, Row, Thread, bounds};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A register like a read pointer: each change is a new generation; its number is twice the room's seq when it was
/// said, and one more to follow.
fn follow_key(room: RoomId, lane: u64, joined: u64) -> String {
    format!("follow:{room}:{lane}:{joined}")
}

/// `named`: the seq of what named the account in the thread last; none if it takes no part there.
fn follows(named: Option<u64>, said: Option<Pointer>) -> bool {
    match said {
        Some(said) if said.ordinal % 2 == 1 => true,
        Some(said) => named.is_some_and(|named| named > said.ordinal / 2),
        None => named.is_some(),
    }
}

/// Follows a thread, or no longer. Who begins to follow has read what is there.
pub async fn follow(
    node: &Node,
    by: AccountId,
    (room, lane): (RoomId, u64),
    follow: bool,
) -> Result<(), AppError> {
    let (seq, joined, newest, takes_part) = node.state.enter((by, room), |member| {
        if !member.has_lane(lane)? {
            return Err(ReadError::NotFound);
        }
        let takes_part = member.follower(lane)?;
        Ok((member.head().seq, member.stay().joined, member.lane_head(lane)?, takes_part))
    })?;
    let (key, read) = (follow_key(room, lane, joined), pointer_key(room, lane, joined));
    let registers: Pointers = node.broker.registers(by, Vec::new()).await?.into_iter().collect();
    let said = registers.get(&key).copied();
    let mut raised = Vec::new();
    if follow && !follows(takes_part.map(|following| following.named), said) {
        let generation = registers.get(&read).map_or(0, |pointer| pointer.generation);
        raised.push((read, Pointer { generation, ordinal: newest }));
    }
    let generation = said.map_or(0, |said| said.generation) + 1;
    raised.push((key.clone(), Pointer { generation, ordinal: 2 * seq + u64::from(follow) }));
    node.broker.registers(by, raised).await?;
    node.broker.signals().send(Signal::Register { account: by, key });
    Ok(())
}

/// What an account said of following threads, by room, stay and lane.
#[derive(Default)]
pub(super) struct Said(HashMap<RoomId, BTreeMap<(u64, u64), Pointer>>);

impl Said {
    pub(super) fn of(registers: &Pointers) -> Said {
        let mut said = Said::default();
        for (key, pointer) in registers {
            let mut parts = key.strip_prefix("follow:").into_iter().flat_map(|rest| rest.split(':'));
            if let (Some(room), Some(lane), Some(joined)) = (parts.next(), parts.next(), parts.next())
                && let (Ok(room), Ok(lane), Ok(joined)) = (room.parse(), lane.parse(), joined.parse())
            {
                said.0.entry(room).or_default().insert((joined, lane), *pointer);
            }
        }
        said
    }

    fn of_lane(&self, room: RoomId, joined: u64, lane: u64) -> Option<Pointer> {
        self.0.get(&room)?.get(&(joined, lane)).copied()
    }

    /// The seq after which a message that names everybody in a room or a thread is meant for an account; `None` if it
    /// is not.
    pub(super) fn everybody(&self, named: &Named) -> Option<u64> {
        let Membership { joined, since, .. } = named.stay;
        if named.lane == 0 {
            return (named.ordinal > since).then_some(0);
        }
        let said = self.of_lane(named.room, joined, named.lane);
        if !follows(named.takes_part.map(|(_, named)| named), said) {
            return None;
        }
        match (named.takes_part, said) {
            (Some((since, _)), _) if named.ordinal > since => Some(0),
            (_, Some(said)) if said.ordinal % 2 == 1 => Some(said.ordinal / 2),
            _ => None,
        }
    }

    /// The threads of a room that a member follows, by taking part or because it says so.
    fn followed(&self, member: &Member<'_>) -> Result<Vec<Following>, ReadError> {
        let mut threads = member.following()?;
        let Some(said) = self.0.get(&member.room()) else { return Ok(threads) };
        let joined = member.stay().joined;
        let taking_part = threads.len();
        for (_, lane) in said.range((joined, 0)..=(joined, u64::MAX)).map(|(of, _)| *of) {
            if threads[..taking_part].binary_search_by_key(&lane, |following| following.lane).is_err() {
                threads.push(member.stranger(lane)?);
            }
        }
        threads
            .retain(|following| follows(Some(following.named), said.get(&(joined, following.lane)).copied()));
        Ok(threads)
    }

    /// The threads of a room that a member follows and has not read to the end.
    pub(super) fn above(&self, member: &Member<'_>, registers: &Pointers) -> Result<Vec<Above>, ReadError> {
        let (room, joined) = (member.room(), member.stay().joined);
        let threads = self.followed(member)?;
        Ok(threads
            .iter()
            .map(|following| {
                let read = registers.get(&pointer_key(room, following.lane, joined)).copied();
                let since = Pointer { generation: 0, ordinal: following.since };
                (following, read.unwrap_or_default().max(since).ordinal)
            })
            .filter(|(following, read)| *read < following.head)
            .map(|(following, read)| Above { lane: following.lane, read, newest: following.newest })
            .collect())
    }
}

struct Told<'a> {
    member: &'a Member<'a>,
    registers: &'a Pointers,
    said: Said,
}

impl Told<'_> {
    fn thread(&self, lane: u64, since: u64, follows: bool) -> Result<Thread, ReadError> {
        let root = self.member.root(lane)?.ok_or(ReadError::NotFound)?;
        let key = pointer_key(self.member.room(), lane, self.member.stay().joined);
        let read = self.registers.get(&key).copied();
        let since = Pointer { generation: 0, ordinal: since };
        let badge = self.member.badge(lane, read.unwrap_or_default().max(since))?;
        let badge = if follows { badge } else { Badge { unread: 0, mentions: 0, ..badge } };
        Ok(Thread { lane, root: Arc::new(root), follows, badge })
    }
}

async fn told<T>(
    node: &Node,
    by: AccountId,
    room: RoomId,
    tell: impl FnOnce(&Told<'_>) -> Result<T, ReadError>,
) -> Result<T, AppError> {
    let registers: Pointers = node.broker.registers(by, Vec::new()).await?.into_iter().collect();
    let said = Said::of(&registers);
    Ok(node.state.enter((by, room), |member| tell(&Told { member, registers: &registers, said }))?)
}

/// One thread, as an account has it.
pub async fn thread(node: &Node, by: AccountId, (room, lane): (RoomId, u64)) -> Result<Thread, AppError> {
    told(node, by, room, |told| {
        let takes_part = told.member.follower(lane)?;
        let said = told.said.of_lane(room, told.member.stay().joined, lane);
        let follows = follows(takes_part.map(|following| following.named), said);
        told.thread(lane, takes_part.map_or(0, |following| following.since), follows)
    })
    .await
}

/// The threads of a room that an account follows, with the newest answer first, [`bounds::THREADS`] at most.
pub async fn threads(node: &Node, by: AccountId, room: RoomId) -> Result<Vec<Thread>, AppError> {
    told(node, by, room, |told| {
        let mut followed = told.said.followed(told.member)?;
        followed.sort_unstable_by_key(|following| Reverse(following.newest));
        followed.truncate(bounds::THREADS);
        let threads = followed.iter().map(|following| told.thread(following.lane, following.since, true));
        // What somebody said of a thread outlives it where the log was rewritten.
        threads.filter(|told| !matches!(told, Err(ReadError::NotFound))).collect()
    })
    .await
}

/// Unread answers in the threads of a room that an account follows, after a seq of the room: the newest
/// [`bounds::ANSWERS`] within its newest events, oldest first.
pub async fn answers(
    node: &Node,
    by: AccountId,
    room: RoomId,
    after: u64,
) -> Result<Vec<Arc<Row>>, AppError> {
    told(node, by, room, |told| {
        let mut above = told.said.above(told.member, told.registers)?;
        above.retain(|above| above.newest > after);
        told.member.answers_above(&above, after)
    })
    .await
}

/// The lane of the thread that an answer to this message of a room stands in.
pub async fn lane_of(node: &Node, by: AccountId, room: RoomId, answered: ClientId) -> Result<u64, AppError> {
    let look = || {
        node.state.enter((by, room), |member| {
            let row = member.message(answered)?.ok_or(ReadError::NotFound)?;
            Ok(row.answers_in().map_or(row.seq, |place| place.lane))
        })
    };
    Ok(node.sure(|found| matches!(found, Err(ReadError::NotFound)), look).await??)
}
