//! Who is there and who is typing, as far as this connection looks: together, a few seconds apart.

use super::{Connection, End};
use crate::protocol::{AccountId, OwnStatus, Presence, RoomId, Seen, ServerFrame, bounds};
use crate::server::access::Action;
use crate::server::broker::Signal;
use crate::server::rooms;
use crate::server::throttle::{Bucket, Rate};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

/// Typing is told on at most so often for one room.
const TYPING_PAUSE: Duration = Duration::from_secs(1);
/// Typing that one connection may tell of in all its rooms and threads.
const TYPING_RATE: Rate = Rate { burst: 5.0, per_second: 1.0 };
/// Who says nothing more for so long is not typing.
const TYPING_MS: u32 = 6_000;

/// What a connection looks at, and what it was told.
#[derive(Default)]
pub(super) struct People {
    /// None of one of whom it was told nothing yet.
    told: HashMap<AccountId, Option<Seen>>,
    /// Whether the person looks; none before the welcome.
    is: Option<Presence>,
    changed: bool,
    typing: HashSet<RoomId>,
    /// When the next diff may go, and when one is to go.
    free_at: Option<Instant>,
    pub(super) due: Option<Instant>,
    /// When typing was told on last.
    typed: HashMap<(RoomId, u64), Instant>,
    /// None before it typed.
    typing_rate: Option<Bucket>,
}

impl Connection {
    /// The connection begins, its person looks or looks away, or it ends.
    pub(super) fn attend(&mut self, is: Option<Presence>) {
        let was = std::mem::replace(&mut self.people.is, is);
        if was != is {
            self.node.presence.connection(self.me, was, is);
        }
    }

    pub(super) fn unwatch(&mut self) {
        let told = std::mem::take(&mut self.people.told);
        self.node.presence.watch(&self.mailbox, told.into_keys(), &[]);
    }

    fn seen(&self, id: AccountId) -> Seen {
        let directory = self.node.directory();
        let Some(account) = directory.see_person(self.me, id) else {
            return Seen { id, is: Presence::Offline, status: OwnStatus::default() };
        };
        let status = account.status.at(self.node.log_now_ms());
        let is = match self.node.presence.of(id) {
            Presence::Offline => Presence::Offline,
            _ if status.do_not_disturb => Presence::DoNotDisturb,
            is => is,
        };
        Seen { id, is, status }
    }

    pub(super) fn own_presence(&self) -> ServerFrame {
        ServerFrame::Presence { people: vec![self.seen(self.me)] }
    }

    /// The people in view are these now. Answered at once with all of them: what the client knew may be old.
    pub(super) async fn watch_people(&mut self, mut people: Vec<AccountId>) -> Result<(), End> {
        people.truncate(bounds::WATCHED);
        people.sort_unstable();
        people.dedup();
        let before = std::mem::take(&mut self.people.told);
        self.node.presence.watch(&self.mailbox, before.into_keys(), &people);
        self.people.told = people.into_iter().map(|id| (id, None)).collect();
        self.tell_people().await
    }

    async fn tell_people(&mut self) -> Result<(), End> {
        let seen: Vec<_> = self.people.told.keys().map(|id| self.seen(*id)).collect();
        let told = |seen: &Seen| self.people.told.get(&seen.id).and_then(Option::as_ref) == Some(seen);
        let changed = seen.into_iter().filter(|seen| !told(seen));
        let people: Vec<_> = changed.collect();
        if people.is_empty() {
            return Ok(());
        }
        self.people.told.extend(people.iter().map(|seen| (seen.id, Some(seen.clone()))));
        self.send(&ServerFrame::Presence { people }).await
    }

    /// Something may be different of those whom this connection looks at.
    pub(super) fn people_changed(&mut self) {
        if !self.people.told.is_empty() {
            self.people.changed = true;
            self.tell_soon();
        }
    }

    pub(super) fn typing_changed(&mut self, rooms: HashSet<RoomId>) {
        if !rooms.is_empty() {
            self.people.typing.extend(rooms);
            self.tell_soon();
        }
    }

    fn tell_soon(&mut self) {
        let now = Instant::now();
        // Typing is told sooner: what is told late is over.
        let pause = if self.people.typing.is_empty() { self.timeouts.presence } else { TYPING_PAUSE };
        let at = self.people.free_at.map_or(now, |last| (last + pause).max(now));
        self.people.due = Some(self.people.due.map_or(at, |due| due.min(at)));
    }

    /// What is due.
    pub(super) async fn tell_due(&mut self) -> Result<(), End> {
        self.people.due = None;
        self.people.free_at = Some(Instant::now());
        if std::mem::take(&mut self.people.changed) {
            self.tell_people().await?;
        }
        for room in std::mem::take(&mut self.people.typing) {
            let Some(open) = self.open.get(&room) else { continue };
            if self.mailbox.until(room).is_some() || !self.node.directory().can(self.me, Action::Read, room) {
                continue;
            }
            let others = open.room.typing().into_iter().filter(|(_, id)| *id != self.me);
            let (here, mut threads): (Vec<_>, Vec<_>) = others.partition(|(lane, _)| *lane == 0);
            let people = here.into_iter().map(|(_, id)| id).take(bounds::TYPING).collect();
            threads.truncate(bounds::TYPING_ANSWERS);
            self.send(&ServerFrame::Typing { room, people, threads }).await?;
        }
        Ok(())
    }

    /// The person types in a lane of a room, or does not any more.
    pub(super) fn type_in(&mut self, room: RoomId, lane: u64, on: bool) {
        let now = Instant::now();
        let directory = self.node.directory();
        if !directory.can(self.me, Action::Post, room) {
            return;
        }
        match self.people.typed.get(&(room, lane)) {
            Some(last) if on && *last + TYPING_PAUSE > now => return,
            None if !on => return,
            _ => {}
        }
        let place = self
            .node
            .state
            .enter((self.me, room), |member| Ok(member.has_lane(lane)?.then_some(member.head().seq)));
        let Ok(Some(seq)) = place else { return };
        // Each end follows a beginning, so that it needs no rate of its own.
        if on {
            let uptime = self.node.uptime_ms();
            let rate = self.people.typing_rate.get_or_insert_with(|| Bucket::full(TYPING_RATE, uptime));
            if !rate.take(TYPING_RATE, uptime) {
                return;
            }
        }
        self.people.typed.retain(|_, last| *last + TYPING_PAUSE > now);
        if on {
            self.people.typed.insert((room, lane), now);
        } else {
            self.people.typed.remove(&(room, lane));
        }
        let ttl_ms = if on { TYPING_MS } else { 0 };
        let typing = Signal::Typing { room, lane, account: self.me, seq, ttl_ms };
        self.node.broker.signals().send(typing);
    }

    pub(super) async fn send_members(&mut self, req: u64, room: RoomId) -> Result<(), End> {
        let frame = match rooms::members(&self.node, self.me, room) {
            Ok(people) => ServerFrame::Members { req, room, people },
            Err(fault) => super::heed::refused(None, Some(req), &fault),
        };
        self.send(&frame).await
    }
}
