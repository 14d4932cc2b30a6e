//! Wakes connections; they pull. A room keeps a ring of its newest encoded frames, a connection one cursor per
//! open room. What the ring no longer has is read from the state file, so nothing is queued per connection.

mod mailbox;
mod typing;

pub use mailbox::{Inbox, Mailbox};

use super::directory::Directory;
use super::fold::Folded;
use super::node::Node;
use crate::protocol::{AccountId, Event, Kind, RoomId, ServerFrame, Slot};
use axum::extract::ws::Utf8Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use typing::Typing;

/// Frames that a ring holds at most.
const RING_FRAMES: usize = 256;
/// Bytes that a ring holds at most.
const RING_BYTES: usize = 256 * 1024;

/// Every room that anyone is connected to.
#[derive(Default)]
pub struct Hub {
    /// How often logins have ended.
    ended_logins: AtomicU64,
    rooms: RwLock<HashMap<RoomId, Arc<HubRoom>>>,
    mailboxes: Mutex<HashMap<AccountId, Vec<Weak<Mailbox>>>>,
}

/// One room's ring and those who want to hear of it.
#[derive(Default)]
pub struct HubRoom {
    ring: Mutex<Ring>,
    typing: Mutex<Typing>,
}

#[derive(Default)]
struct Ring {
    /// The newest event that was published here; 0 if none since the start.
    seq: u64,
    /// Frames of the events up to `seq`, without gaps.
    frames: VecDeque<Utf8Bytes>,
    bytes: usize,
    /// Connections that have the room open.
    readers: Vec<Weak<Mailbox>>,
    /// Connections whose account is a member.
    watchers: Vec<Weak<Mailbox>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a pull found.
pub enum Pulled {
    /// Frames of the events after the cursor, in order.
    Frames(Vec<Utf8Bytes>),
    /// The ring does not reach back so far: read the events up to this seq from the state file.
    ReadTo(u64),
}

impl HubRoom {
    /// Where the room stands by the state file: what was folded before the start was never published here.
    pub fn stands_at(&self, seq: u64) {
        let mut ring = lock(&self.ring);
        if ring.seq == 0 {
            ring.seq = seq;
        }
    }

    /// Frames after a cursor, at most `limit`.
    pub fn pull(&self, cursor: u64, limit: usize) -> Pulled {
        let ring = lock(&self.ring);
        let to = ring.seq;
        if to <= cursor {
            return Pulled::Frames(Vec::new());
        }
        let before_first = ring.seq - ring.frames.len() as u64;
        if cursor < before_first {
            return Pulled::ReadTo(to);
        }
        let (skip, take) = ((cursor - before_first) as usize, (to - cursor) as usize);
        Pulled::Frames(ring.frames.iter().skip(skip).take(take.min(limit)).cloned().collect())
    }

    pub fn open(&self, mailbox: &Arc<Mailbox>) {
        lock(&self.ring).readers.push(Arc::downgrade(mailbox));
    }

    pub fn close(&self, mailbox: &Arc<Mailbox>) {
        let mut ring = lock(&self.ring);
        ring.readers.retain(|other| !same(other, mailbox));
        if ring.readers.is_empty() {
            ring.frames = VecDeque::new();
            ring.bytes = 0;
        }
    }

    pub fn watch(&self, mailbox: &Arc<Mailbox>) {
        let mut ring = lock(&self.ring);
        if !ring.watchers.iter().any(|other| same(other, mailbox)) {
            ring.watchers.push(Arc::downgrade(mailbox));
        }
    }

    fn unwatch(&self, mailbox: &Arc<Mailbox>) {
        lock(&self.ring).watchers.retain(|other| !same(other, mailbox));
    }

    /// Who is typing here now, and in which lane.
    pub fn typing(&self) -> Vec<(u64, AccountId)> {
        lock(&self.typing).now()
    }

    fn publish(&self, room: RoomId, event: &Arc<Event>) {
        let mut ring = lock(&self.ring);
        // Before the head moves: a removed account's connections stop at this event.
        if event.header.kind == Kind::Leave
            && let Some(target) = event.header.target.as_ref().and_then(|t| t.as_str().parse().ok())
        {
            for mailbox in ring.readers.iter().chain(&ring.watchers).filter_map(Weak::upgrade) {
                if mailbox.account == target {
                    mailbox.tell(|inbox| {
                        inbox.until.insert(room, event.seq);
                    });
                }
            }
        }
        ring.readers.retain(|reader| reader.strong_count() > 0);
        if ring.readers.is_empty() {
            ring.frames.clear();
            ring.bytes = 0;
        } else {
            let frame = ServerFrame::Event { room, event: event.clone() };
            let frame = Utf8Bytes::from(encode(&frame));
            ring.bytes += frame.len();
            ring.frames.push_back(frame);
            while ring.frames.len() > RING_FRAMES || ring.bytes > RING_BYTES {
                let Some(frame) = ring.frames.pop_front() else { break };
                ring.bytes -= frame.len();
            }
        }
        ring.seq = event.seq;
        if event.ordinal.is_some() && !ring.readers.is_empty() {
            let author = event.header.author;
            if lock(&self.typing).said(author, event.seq) {
                ring.tell_typing(room, Some(author));
            }
        }
        for reader in ring.readers.iter().filter_map(Weak::upgrade) {
            reader.notify.notify_one();
        }
        if counts(event) {
            ring.watchers.retain(|watcher| watcher.strong_count() > 0);
            for watcher in ring.watchers.iter().filter_map(Weak::upgrade) {
                watcher.tell(|inbox| {
                    inbox.badges.insert(room);
                });
            }
        }
    }
}

impl Ring {
    /// Nobody is told of himself.
    fn tell_typing(&self, room: RoomId, but: Option<AccountId>) {
        let readers = self.readers.iter().filter_map(Weak::upgrade);
        for reader in readers.filter(|reader| Some(reader.account) != but) {
            reader.tell(|inbox| {
                inbox.typing.insert(room);
            });
        }
    }
}

/// Whether an event can change what is unread: a message, or an act that writes or deletes its text.
fn counts(event: &Event) -> bool {
    let slot = event.header.slot.as_ref().and_then(|slot| Slot::parse(slot.as_str()));
    event.ordinal.is_some() || matches!(slot, Some(Slot::Text | Slot::Deleted))
}

fn same(weak: &Weak<Mailbox>, mailbox: &Arc<Mailbox>) -> bool {
    std::ptr::eq(weak.as_ptr(), Arc::as_ptr(mailbox))
}

/// A frame as it travels.
pub fn encode(frame: &ServerFrame) -> String {
    // Our own types have no maps with keys that JSON cannot write.
    serde_json::to_string(frame).unwrap_or_else(|_| r#"{"t":"unknown"}"#.to_owned())
}

impl Hub {
    pub fn room(&self, room: RoomId) -> Arc<HubRoom> {
        if let Some(found) = self.rooms.read().unwrap_or_else(PoisonError::into_inner).get(&room) {
            return found.clone();
        }
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        rooms.entry(room).or_default().clone()
    }

    /// A number that rises whenever logins end: asked before a login is looked up, for [`Hub::connect`].
    pub fn ended_logins(&self) -> u64 {
        self.ended_logins.load(Ordering::SeqCst)
    }

    /// A connection of an account begins. If logins have ended since its own was looked up it looks once more.
    pub fn connect(&self, account: AccountId, ended_logins: u64) -> Arc<Mailbox> {
        let mailbox =
            Arc::new(Mailbox { account, notify: Notify::new(), inbox: Mutex::new(Inbox::default()) });
        let mut mailboxes = lock(&self.mailboxes);
        let mine = mailboxes.entry(account).or_default();
        mine.retain(|other| other.strong_count() > 0);
        mine.push(Arc::downgrade(&mailbox));
        drop(mailboxes);
        if self.ended_logins() != ended_logins {
            mailbox.tell(Inbox::hold);
        }
        mailbox
    }

    /// A connection ends.
    pub fn disconnect(&self, mailbox: &Arc<Mailbox>, rooms: impl IntoIterator<Item = RoomId>) {
        for room in rooms {
            let room = self.room(room);
            room.close(mailbox);
            room.unwatch(mailbox);
        }
        let mut mailboxes = lock(&self.mailboxes);
        if let Some(mine) = mailboxes.get_mut(&mailbox.account) {
            mine.retain(|other| !same(other, mailbox) && other.strong_count() > 0);
            if mine.is_empty() {
                mailboxes.remove(&mailbox.account);
            }
        }
    }

    /// Somebody types in a lane of a room for so long, or no more: those who have the room open are told.
    pub fn typing(
        node: &Arc<Node>,
        (room, lane): (RoomId, u64),
        account: AccountId,
        lasts: Option<Duration>,
        seq: u64,
    ) {
        let rooms = node.hub.rooms.read().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = rooms.get(&room).cloned() else { return };
        drop(rooms);
        let ring = lock(&open.ring);
        if ring.readers.is_empty() {
            return;
        }
        let until = lasts.map(|lasts| Instant::now() + lasts);
        if lock(&open.typing).hear((account, lane), until, seq) {
            ring.tell_typing(room, Some(account));
        }
        drop(ring);
        let Some(until) = until else { return };
        tokio::spawn(async move {
            tokio::time::sleep_until(until).await;
            let ring = lock(&open.ring);
            if lock(&open.typing).forget(Instant::now()) {
                ring.tell_typing(room, None);
            }
        });
    }

    /// Tells every connection of an account to look up its login.
    pub fn check_logins(&self, account: AccountId) {
        self.tell(account, |inbox| inbox.check_login = true);
    }

    /// Tells every connection of an account.
    fn tell(&self, account: AccountId, what: impl Fn(&mut Inbox)) {
        let mailboxes = lock(&self.mailboxes);
        for mailbox in mailboxes.get(&account).into_iter().flatten().filter_map(Weak::upgrade) {
            mailbox.tell(&what);
        }
    }

    /// Forgets what was published and sends every client back to compare its positions: the log was rewritten.
    pub fn begin_anew(&self) {
        for room in self.rooms.read().unwrap_or_else(PoisonError::into_inner).values() {
            let mut ring = lock(&room.ring);
            ring.frames.clear();
            (ring.bytes, ring.seq) = (0, 0);
        }
        for mailbox in lock(&self.mailboxes).values().flatten().filter_map(Weak::upgrade) {
            mailbox.tell(|inbox| inbox.rewritten = true);
        }
    }

    /// Tells every connection to look up its login, its settings and all its badges: signals may have been missed.
    pub fn check_all(&self) {
        for mailbox in lock(&self.mailboxes).values().flatten().filter_map(Weak::upgrade) {
            mailbox.tell(|inbox| inbox.check_all = true);
        }
    }

    /// Tells every connection of an account that it read, or set something, in a room.
    pub fn check_badge(&self, account: AccountId, room: RoomId) {
        self.tell(account, |inbox| {
            inbox.answered.insert(room);
        });
    }

    /// Tells every connection of an account that a setting of it may have changed.
    pub fn check_settings(&self, account: AccountId) {
        self.tell(account, |inbox| inbox.settings = true);
    }

    /// Publishes what the fold has committed, in its order. The directory is the one after the batch.
    pub fn publish(&self, folded: &[Folded], directory: &Directory) {
        for folded in folded {
            if let Some(account) = folded.ended_logins {
                self.ended_logins.fetch_add(1, Ordering::SeqCst);
                self.tell(account, Inbox::hold);
            }
            if let Some((room, event)) = &folded.event {
                self.room(*room).publish(*room, event);
            }
            if let Some(room) = folded.changed_room {
                self.room_changed(room, folded, directory);
            }
        }
    }

    /// Those who may see the room hear of it, and whom the change is about.
    fn room_changed(&self, room: RoomId, folded: &Folded, directory: &Directory) {
        let about = folded.event.as_ref().and_then(|(_, event)| event.header.target.as_ref());
        let about: Option<AccountId> = about.and_then(|target| target.as_str().parse().ok());
        let mailboxes = lock(&self.mailboxes);
        for (account, mailboxes) in mailboxes.iter() {
            let member = directory.rooms.get(&room).is_some_and(|room| room.members.contains(account));
            if member || about == Some(*account) {
                for mailbox in mailboxes.iter().filter_map(Weak::upgrade) {
                    mailbox.tell(|inbox| {
                        inbox.changed.insert(room);
                    });
                }
            }
        }
    }

    pub fn connections(&self) -> usize {
        lock(&self.mailboxes).values().map(Vec::len).sum()
    }
}
