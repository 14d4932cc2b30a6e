//! Wakes connections; they pull. A room keeps a ring of its newest encoded frames, a connection one cursor per
//! open room. What the ring no longer has is read from the state file, so nothing is queued per connection.

mod mailbox;
mod ring;
mod typing;

pub use mailbox::{Inbox, Mailbox};

use super::directory::Directory;
use super::fold::Folded;
use super::node::Node;
use super::state::{Floor, target_of};
use super::throttle::Places;
use crate::protocol::{AccountId, Event, Format, Kind, RoomId, ServerFrame, Slot, bounds};
use ring::{ALL_BYTES, Frames, Total};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use typing::Typing;

/// Sockets of one account that are being closed at the same time because it has too many.
pub const SURPLUS_AT_ONCE: usize = 8;

/// Every room that somebody reads or watches now.
pub struct Hub {
    /// How often logins have ended.
    ended_logins: AtomicU64,
    /// Readers and watchers come and go while this is locked, so that no room is dropped which has one. Locked before
    /// a room's ring.
    rooms: RwLock<HashMap<RoomId, Arc<HubRoom>>>,
    ring_bytes: Total,
    /// Bytes that all rings may hold.
    ring_budget: AtomicUsize,
    /// Numbers the frames of all rings in the order in which they were published.
    published: AtomicU64,
    /// The log has a format in which the text of a deleted message is not sent.
    texts_end: AtomicBool,
    mailboxes: Mutex<HashMap<AccountId, Vec<Weak<Mailbox>>>>,
    /// Sockets that are being closed because their account has too many: [`SURPLUS_AT_ONCE`] of an account at most.
    pub surplus: Arc<Places<AccountId>>,
}

/// What the hub holds, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubCounts {
    pub rooms: usize,
    pub accounts: usize,
    pub connections: usize,
    pub ring_bytes: usize,
}

/// One room's ring and the connections that read or watch it.
pub struct HubRoom {
    ring: Mutex<Ring>,
    typing: Mutex<Typing>,
    /// How often frames were withdrawn: see [`HubRoom::withdrawn`].
    withdrawn: AtomicU64,
}

struct Ring {
    /// The newest event that was published here; 0 if none since the start.
    seq: u64,
    /// Frames of the events up to `seq`, without gaps.
    frames: Frames,
    /// The number of the newest frame among those of all rings.
    newest: u64,
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
    fn new(total: &Total) -> HubRoom {
        let ring = Ring {
            seq: 0,
            frames: Frames::new(total.clone()),
            newest: 0,
            readers: Vec::new(),
            watchers: Vec::new(),
        };
        HubRoom { ring: Mutex::new(ring), typing: Mutex::default(), withdrawn: AtomicU64::new(0) }
    }

    /// Rises when a text that frames before it have may not be sent any more. Who holds frames that were pulled, or
    /// made of what the state file had, before it rose pulls again.
    pub fn withdrawn(&self) -> u64 {
        self.withdrawn.load(Ordering::SeqCst)
    }

    /// The counter rises while the ring is locked: who sees it risen pulls what is left.
    fn withdraw(&self, frames: &mut Frames, what: impl FnOnce(&mut Frames)) {
        self.withdrawn.fetch_add(1, Ordering::SeqCst);
        what(frames);
    }

    /// From a deletion on the texts of the message are not sent.
    fn withhold_texts(&self, frames: &mut Frames, event: &Event) {
        let header = &event.header;
        let deleted = header.slot.as_ref().is_some_and(|slot| slot.as_str() == "deleted");
        let Some(message) = target_of(header).filter(|_| header.kind == Kind::Act && deleted) else { return };
        match event.restores_message() {
            true => frames.restore(message),
            false => self.withdraw(frames, |frames| frames.withhold(message)),
        }
    }

    /// Where the room stands by the state file: what was folded before the start was never published here.
    pub fn stands_at(&self, seq: u64) {
        let mut ring = lock(&self.ring);
        if ring.seq == 0 {
            ring.seq = seq;
        }
    }

    /// The newest event that was published here; 0 if none since the start.
    pub fn head(&self) -> u64 {
        lock(&self.ring).seq
    }

    /// Frames after a cursor, at most `limit`. They are made for whoever sees the whole room: with a floor the events are
    /// read from the state file.
    pub fn pull(&self, floor: Floor, cursor: u64, limit: usize) -> Pulled {
        let ring = lock(&self.ring);
        let to = ring.seq;
        if to <= cursor {
            return Pulled::Frames(Vec::new());
        }
        let before_first = ring.seq - ring.frames.len() as u64;
        if cursor < before_first || !floor.is_none() {
            return Pulled::ReadTo(to);
        }
        let (skip, take) = ((cursor - before_first) as usize, (to - cursor) as usize);
        Pulled::Frames(ring.frames.after(skip, take.min(limit)))
    }

    /// Who is typing here now, and in which lane.
    pub fn typing(&self) -> Vec<(u64, AccountId)> {
        lock(&self.typing).now()
    }

    fn publish(&self, room: RoomId, event: &Arc<Event>, format: Format, published: &AtomicU64) {
        let mut ring = lock(&self.ring);
        if format >= Format::Five {
            self.withhold_texts(&mut ring.frames, event);
        }
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
        } else {
            ring.frames.push(room, event);
            ring.newest = published.fetch_add(1, Ordering::Relaxed) + 1;
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
    /// Nobody reads or watches the room.
    fn is_unused(&mut self) -> bool {
        self.readers.retain(|reader| reader.strong_count() > 0);
        self.watchers.retain(|watcher| watcher.strong_count() > 0);
        self.readers.is_empty() && self.watchers.is_empty()
    }

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

impl Default for Hub {
    fn default() -> Hub {
        Hub {
            ended_logins: AtomicU64::default(),
            rooms: RwLock::default(),
            ring_bytes: Total::default(),
            ring_budget: AtomicUsize::new(ALL_BYTES),
            published: AtomicU64::default(),
            texts_end: AtomicBool::default(),
            mailboxes: Mutex::default(),
            surplus: Arc::default(),
        }
    }
}

impl Hub {
    /// Sets how many bytes all rings together may hold.
    pub fn limit_rings(&self, bytes: usize) {
        self.ring_budget.store(bytes, Ordering::Relaxed);
    }

    fn rooms(&self) -> RwLockReadGuard<'_, HashMap<RoomId, Arc<HubRoom>>> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A room that somebody reads or watches.
    pub fn room(&self, room: RoomId) -> Option<Arc<HubRoom>> {
        self.rooms().get(&room).cloned()
    }

    /// Adds a reader or watcher to a room, which is made if it has none yet.
    fn enter(&self, room: RoomId, add: impl Fn(&mut Ring)) -> Arc<HubRoom> {
        if let Some(found) = self.rooms().get(&room) {
            add(&mut lock(&found.ring));
            return found.clone();
        }
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        let made = rooms.entry(room).or_insert_with(|| Arc::new(HubRoom::new(&self.ring_bytes)));
        add(&mut lock(&made.ring));
        made.clone()
    }

    /// Takes a reader or watcher from a room, which is dropped with the last one.
    fn exit(&self, room: RoomId, remove: impl FnOnce(&mut Ring)) {
        let Some(found) = self.room(room) else { return };
        {
            let mut ring = lock(&found.ring);
            remove(&mut ring);
            if !ring.is_unused() {
                return;
            }
        }
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have entered meanwhile.
        if rooms.get(&room).is_some_and(|found| lock(&found.ring).is_unused()) {
            rooms.remove(&room);
        }
    }

    /// A connection has the room open from now on.
    pub fn open(&self, room: RoomId, mailbox: &Arc<Mailbox>) -> Arc<HubRoom> {
        self.enter(room, |ring| ring.readers.push(Arc::downgrade(mailbox)))
    }

    pub fn close(&self, room: RoomId, mailbox: &Arc<Mailbox>) {
        self.exit(room, |ring| {
            ring.readers.retain(|other| !same(other, mailbox));
            if ring.readers.is_empty() {
                ring.frames.clear();
            }
        });
    }

    /// A connection of a member is told what the room's members are told.
    pub fn watch(&self, room: RoomId, mailbox: &Arc<Mailbox>) {
        self.enter(room, |ring| {
            if !ring.watchers.iter().any(|other| same(other, mailbox)) {
                ring.watchers.push(Arc::downgrade(mailbox));
            }
        });
    }

    pub fn unwatch(&self, room: RoomId, mailbox: &Arc<Mailbox>) {
        self.exit(room, |ring| ring.watchers.retain(|other| !same(other, mailbox)));
    }

    /// A number that rises whenever logins end: asked before a login is looked up, for [`Hub::connect`].
    pub fn ended_logins(&self) -> u64 {
        self.ended_logins.load(Ordering::SeqCst)
    }

    /// A connection of an account begins; `None` if it has [`bounds::SOCKETS_PER_ACCOUNT`] already. If logins have ended
    /// since its own was looked up it looks once more.
    pub fn connect(&self, account: AccountId, ended_logins: u64) -> Option<Arc<Mailbox>> {
        let mailbox =
            Arc::new(Mailbox { account, notify: Notify::new(), inbox: Mutex::new(Inbox::default()) });
        let mut mailboxes = lock(&self.mailboxes);
        let mine = mailboxes.entry(account).or_default();
        mine.retain(|other| other.strong_count() > 0);
        if mine.len() >= bounds::SOCKETS_PER_ACCOUNT {
            return None;
        }
        mine.push(Arc::downgrade(&mailbox));
        drop(mailboxes);
        if self.ended_logins() != ended_logins {
            mailbox.tell(Inbox::hold);
        }
        Some(mailbox)
    }

    /// A connection ends; it reads and watches no room any more.
    pub fn disconnect(&self, mailbox: &Arc<Mailbox>) {
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
        let Some(open) = node.hub.room(room) else { return };
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
        for room in self.rooms().values() {
            let mut ring = lock(&room.ring);
            ring.frames.clear();
            ring.seq = 0;
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
        let format = directory.format();
        if format >= Format::Five && !self.texts_end.swap(true, Ordering::SeqCst) {
            // Earlier formats sent the texts of deleted messages.
            for room in self.rooms().values() {
                room.withdraw(&mut lock(&room.ring).frames, Frames::clear);
            }
        }
        for folded in folded {
            if let Some(account) = folded.ended_logins {
                self.ended_logins.fetch_add(1, Ordering::SeqCst);
                self.tell(account, Inbox::hold);
            }
            if !folded.erased.is_empty() {
                self.erase(folded);
            }
            if let Some((room, event)) = &folded.event {
                // Locked until it is published: nobody enters a room anew between the two.
                let rooms = self.rooms();
                if let Some(found) = rooms.get(room) {
                    found.publish(*room, event, format, &self.published);
                    self.keep_budget(&rooms);
                }
            }
            if let Some(room) = folded.changed_room {
                self.room_changed(room, folded, directory);
            }
        }
    }

    /// Bodies are erased: no ring has them any more. Those of messages all stand in the room of the `erase`.
    fn erase(&self, folded: &Folded) {
        let erased: HashSet<u64> = folded.erased.iter().copied().collect();
        let rooms = self.rooms();
        let of = folded.event.as_ref().map(|(room, _)| room);
        for (_, room) in rooms.iter().filter(|(id, _)| of.is_none_or(|of| of == *id)) {
            room.withdraw(&mut lock(&room.ring).frames, |frames| frames.erase(&erased));
        }
    }

    /// Empties the rings that were published to longest ago until all fit the budget, with some room to spare.
    fn keep_budget(&self, rooms: &HashMap<RoomId, Arc<HubRoom>>) {
        let budget = self.ring_budget.load(Ordering::Relaxed);
        if self.ring_bytes.load(Ordering::Relaxed) <= budget {
            return;
        }
        let mut by_age: Vec<_> = rooms.values().map(|room| (lock(&room.ring).newest, room)).collect();
        by_age.sort_unstable_by_key(|(newest, _)| *newest);
        for (_, room) in by_age {
            if self.ring_bytes.load(Ordering::Relaxed) <= budget / 8 * 7 {
                break;
            }
            lock(&room.ring).frames.clear();
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

    pub fn counts(&self) -> HubCounts {
        let rooms = self.rooms().len();
        let mailboxes = lock(&self.mailboxes);
        HubCounts {
            rooms,
            accounts: mailboxes.len(),
            connections: mailboxes.values().map(Vec::len).sum(),
            ring_bytes: self.ring_bytes.load(Ordering::Relaxed),
        }
    }
}
