//! What is looked up when the connection is woken, and at each heartbeat.

use super::{Connection, End, Timeouts};
use crate::protocol::frame::RoomInfo;
use crate::protocol::{Badge, CloseCode, Quiet, RoomId, ServerFrame};
use crate::server::access::Action;
use crate::server::hub::encode;
use crate::server::node::Readiness;
use crate::server::unread;
use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

const BADGE_PAUSE: Duration = Duration::from_millis(300);

/// Until the first look-up of a connection: not all of those who came at once look up at once.
pub(super) fn first_pause(timeouts: &Timeouts) -> Duration {
    let chance = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
    timeouts.beat.mul_f64(0.5 + chance / 2.0)
}

pub(super) fn quiet_frame(Quiet { on, from, to }: Quiet) -> ServerFrame {
    ServerFrame::Quiet { on, from, to }
}

impl Connection {
    pub(super) async fn look(&mut self) -> Result<(), End> {
        let inbox = self.mailbox.take();
        if inbox.rewritten {
            self.send(&ServerFrame::Moving { after_ms: 0 }).await?;
            return Err(End::Close(CloseCode::Moving));
        }
        if inbox.check_login || inbox.check_all {
            match self.node.login_of(&self.token).await {
                Ok(Some(account)) if account == self.me => {}
                Ok(_) => return Err(End::Close(CloseCode::SignedOut)),
                // Nobody can tell now; before it comes back its login is looked up.
                Err(_) => return Err(End::Close(CloseCode::Moving)),
            }
        }
        if inbox.check_all {
            self.badges.extend(self.watched.keys());
        }
        if inbox.settings || inbox.check_all {
            // What cannot be asked now is asked at the next heartbeat.
            if let Ok((_, quiet)) = unread::pointers(&self.node, self.me).await {
                self.send(&quiet_frame(quiet)).await?;
            }
        }
        let directory = self.node.directory();
        for room in inbox.changed {
            match directory.room_info(self.me, room) {
                // What was delivered last comes before a leave that is told only now: then that it joined again.
                Some(info) if info.joined && self.is_leaving(room) => self.watch(info.id),
                Some(info) if info.joined => self.tell_joined(info).await?,
                _ => {
                    self.stop_watching(room);
                    // The end of an open room is told after its last event.
                    if !self.open.contains_key(&room) {
                        self.send(&ServerFrame::Left { room }).await?;
                    }
                }
            }
        }
        if inbox.people {
            self.people_changed();
        }
        self.typing_changed(inbox.typing);
        for room in &inbox.answered {
            self.watched.entry(*room).and_modify(|told| *told = 0);
        }
        // A badge of a room that is open comes too: it may not be in view.
        self.badges.extend(inbox.badges.iter().chain(&inbox.answered));
        self.send_badges_soon();
        Ok(())
    }

    /// The room is open, and a leave of its account is still to be delivered there.
    fn is_leaving(&self, room: RoomId) -> bool {
        self.open.contains_key(&room) && self.mailbox.until(room).is_some()
    }

    pub(super) async fn tell_joined(&mut self, room: RoomInfo) -> Result<(), End> {
        self.watch(room.id);
        self.badges.insert(room.id);
        self.send_badges_soon();
        self.send(&ServerFrame::Room { room }).await
    }

    fn send_badges_soon(&mut self) {
        if !self.badges.is_empty() && self.badges_due.is_none() {
            self.badges_due = Some(Instant::now() + BADGE_PAUSE);
        }
    }

    async fn send_badges(&mut self) -> Result<(), End> {
        self.badges_due = None;
        let directory = self.node.directory();
        let mut asked = std::mem::take(&mut self.badges);
        asked.retain(|room| directory.can(self.me, Action::Read, *room));
        let Ok(badges) = unread::badges(&self.node, self.me, asked.iter().copied()).await else {
            // The store cannot tell now: at the next heartbeat.
            self.badges = asked;
            self.badges_due = Some(self.look_up_at);
            return Ok(());
        };
        let changed = badges.into_iter().filter(|(room, badge)| self.told(*room, badge));
        let frames = changed.map(|(room, badge)| ServerFrame::Badge { room, badge });
        let frames: Vec<_> = frames.map(|frame| Utf8Bytes::from(encode(&frame))).collect();
        if frames.is_empty() {
            return Ok(());
        }
        self.send_all(frames).await
    }

    /// Notes the badge of a room that is told now; whether it is another one than before.
    pub(super) fn told(&mut self, room: RoomId, badge: &Badge) -> bool {
        let mut hash = std::hash::DefaultHasher::new();
        badge.hash(&mut hash);
        let hash = hash.finish();
        self.watched.get_mut(&room).is_none_or(|told| std::mem::replace(told, hash) != hash)
    }

    /// Badges that are due, and once in a heartbeat what signals of other servers tell.
    pub(super) async fn look_up(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.look_up_at <= now {
            self.look_up_at = now + self.timeouts.beat;
            // What somebody says of himself may be over.
            self.people_changed();
            self.look_up_signals().await?;
        }
        if self.people.due.is_some_and(|due| due <= now) {
            self.tell_due().await?;
        }
        if self.badges_due.is_some_and(|due| due <= now) {
            self.send_badges().await?;
        }
        Ok(())
    }

    /// Whether the login still is good, and whether something was read elsewhere. What cannot be asked now is asked
    /// at the next heartbeat.
    async fn look_up_signals(&mut self) -> Result<(), End> {
        if self.node.config.redis.is_none() || matches!(self.node.standstill(), Readiness::Unready(_)) {
            return Ok(());
        }
        match self.node.login_of(&self.token).await {
            Ok(Some(account)) if account == self.me => {}
            Ok(_) => return Err(End::Close(CloseCode::SignedOut)),
            Err(_) => return Ok(()),
        }
        let Ok((pointers, quiet)) = unread::pointers(&self.node, self.me).await else { return Ok(()) };
        if self.pointers.replace(pointers) != Some(pointers) {
            self.send(&quiet_frame(quiet)).await?;
            self.badges.extend(self.watched.keys());
            self.badges_due = Some(Instant::now());
        }
        Ok(())
    }
}
