//! What a connection is to look at when it is woken.

use super::lock;
use crate::protocol::{AccountId, RoomId};
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use tokio::sync::Notify;

/// What one connection is to look at; small and bounded whatever happens.
pub struct Mailbox {
    pub account: AccountId,
    pub notify: Notify,
    pub(super) inbox: Mutex<Inbox>,
}

#[derive(Default)]
pub struct Inbox {
    /// Rooms that have unread news.
    pub badges: HashSet<RoomId>,
    /// Rooms in which the account read, or set something: each of its connections is answered, changed or not.
    pub answered: HashSet<RoomId>,
    /// Rooms that changed, or that the account joined or left.
    pub changed: HashSet<RoomId>,
    /// Rooms that the account was removed from: nothing after this seq may be delivered.
    pub until: HashMap<RoomId, u64>,
    /// The login is to be looked up again.
    pub check_login: bool,
    /// A setting of the account may have changed.
    pub settings: bool,
    /// Rooms in which others type than before.
    pub typing: HashSet<RoomId>,
    /// Somebody whom the connection looks at has changed.
    pub people: bool,
    /// Nothing more may be delivered before that.
    pub held: bool,
    /// The login, the settings and the badges of all rooms are to be looked up again.
    pub check_all: bool,
    /// The log was rewritten: the client is to come back and compare its positions.
    pub rewritten: bool,
}

impl Inbox {
    /// The login is looked up before anything more is delivered.
    pub(super) fn hold(&mut self) {
        (self.check_login, self.held) = (true, true);
    }
}

impl Mailbox {
    /// What came since the last call.
    pub fn take(&self) -> Inbox {
        let mut inbox = lock(&self.inbox);
        let taken = std::mem::take(&mut *inbox);
        inbox.until.clone_from(&taken.until);
        taken
    }

    /// The room is opened again: what was said of an earlier membership no longer holds.
    pub fn begin(&self, room: RoomId) {
        lock(&self.inbox).until.remove(&room);
    }

    /// The last seq of a room that may be delivered, if the account was removed from it.
    pub fn until(&self, room: RoomId) -> Option<u64> {
        lock(&self.inbox).until.get(&room).copied()
    }

    /// Whether the login is to be looked up before anything more is delivered. Asked after a pull: what is pulled
    /// before it says yes comes before what ended the login.
    pub fn held(&self) -> bool {
        lock(&self.inbox).held
    }

    /// Somebody whom the connection looks at has changed.
    pub fn look_at_people(&self) {
        self.tell(|inbox| inbox.people = true);
    }

    pub(super) fn tell(&self, what: impl FnOnce(&mut Inbox)) {
        what(&mut lock(&self.inbox));
        self.notify.notify_one();
    }
}
