//! Who is there, over all servers. Each server tells the others what has changed of its own connections, and once in
//! a heartbeat all of it: what was lost on the way is made good then. A server that says nothing more is forgotten
//! with its people when the time is up that it named. Nothing of this is stored.

mod others;

use super::broker::{Signal, Signals};
use super::hub::Mailbox;
use crate::protocol::{AccountId, Presence};
use others::Others;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Changes are told together: who loads a page anew is not gone.
const PAUSE: Duration = Duration::from_millis(250);
/// People that one signal names.
const AT_ONCE: usize = 500;

/// What a server tells of its own connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The server; empty for this one.
    pub node: String,
    /// Which heartbeat of the server it belongs to.
    pub round: u64,
    /// The server has so many people in all, and this is some of them; none: these have changed.
    pub total: Option<usize>,
    /// The server is forgotten when it has said nothing for so long, in milliseconds.
    pub ttl_ms: u32,
    pub people: Vec<(AccountId, Presence)>,
}

#[derive(Default)]
struct Here {
    online: u32,
    away: u32,
}

impl Here {
    fn is(&self) -> Presence {
        match (self.online, self.away) {
            (0, 0) => Presence::Offline,
            (0, _) => Presence::Away,
            _ => Presence::Online,
        }
    }
}

#[derive(Default)]
struct Inner {
    here: HashMap<AccountId, Here>,
    others: Others,
    watchers: HashMap<AccountId, Vec<Weak<Mailbox>>>,
    /// Changed, and not told yet.
    changed: HashSet<AccountId>,
    round: u64,
}

impl Inner {
    fn here(&self, account: AccountId) -> Presence {
        self.here.get(&account).map_or(Presence::Offline, Here::is)
    }

    fn tell_watchers(&mut self, account: AccountId) {
        if let Some(watchers) = self.watchers.get_mut(&account) {
            watchers.retain(|watcher| watcher.strong_count() > 0);
            watchers.iter().filter_map(Weak::upgrade).for_each(|mailbox| mailbox.look_at_people());
        }
    }
}

pub struct PresenceTable {
    inner: Mutex<Inner>,
    woken: Arc<Notify>,
    heartbeat: Duration,
}

impl PresenceTable {
    pub fn new(heartbeat: Duration) -> PresenceTable {
        PresenceTable { inner: Mutex::default(), woken: Arc::default(), heartbeat }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of an account begins (`was` is none), becomes active or idle, or ends (`is` is none).
    pub fn connection(&self, account: AccountId, was: Option<Presence>, is: Option<Presence>) {
        let mut inner = self.inner();
        let here = inner.here.entry(account).or_default();
        let before = here.is();
        for (presence, by) in [(was, -1), (is, 1)] {
            let count = match presence {
                Some(Presence::Online) => &mut here.online,
                Some(_) => &mut here.away,
                None => continue,
            };
            *count = count.saturating_add_signed(by);
        }
        let after = here.is();
        if after == Presence::Offline {
            inner.here.remove(&account);
        }
        if before != after {
            inner.changed.insert(account);
            self.woken.notify_one();
        }
    }

    /// Those who look at an account are told again, here: what it says of itself has changed.
    pub fn changed(&self, account: AccountId) {
        self.inner().tell_watchers(account);
    }

    /// Whether an account is there, on any server.
    pub fn of(&self, account: AccountId) -> Presence {
        let inner = self.inner();
        inner.here(account).max(inner.others.of(account))
    }

    /// Accounts with connections here, and accounts that connections look at.
    pub fn counts(&self) -> (usize, usize) {
        let inner = self.inner();
        (inner.here.len(), inner.watchers.len())
    }

    /// A connection is told when these change, instead of those before.
    pub fn watch(&self, mailbox: &Arc<Mailbox>, before: impl Iterator<Item = AccountId>, now: &[AccountId]) {
        let mut inner = self.inner();
        for account in before {
            if let Some(watchers) = inner.watchers.get_mut(&account) {
                watchers.retain(|other| !std::ptr::eq(other.as_ptr(), Arc::as_ptr(mailbox)));
                if watchers.is_empty() {
                    inner.watchers.remove(&account);
                }
            }
        }
        for account in now {
            inner.watchers.entry(*account).or_default().push(Arc::downgrade(mailbox));
        }
    }

    /// Another server tells of its people.
    pub fn hear(&self, told: &Told) {
        if told.node.is_empty() {
            return;
        }
        let mut inner = self.inner();
        for account in inner.others.hear(told, Instant::now()) {
            inner.tell_watchers(account);
        }
        // It may be the next one whose time is up.
        self.woken.notify_one();
    }

    /// Tells what has changed, and at each heartbeat all; ends when the node is gone.
    pub async fn run(table: Weak<PresenceTable>, signals: Signals) {
        let Some((heartbeat, woken)) = table.upgrade().map(|table| (table.heartbeat, table.woken.clone()))
        else {
            return;
        };
        let mut beat_at = Instant::now() + heartbeat;
        loop {
            // Held for no wait: it goes with its node.
            let Some(due) = table.upgrade().map(|here| here.inner().others.due()) else { return };
            let due = due.map_or(beat_at, |due| due.min(beat_at));
            let woken = tokio::time::timeout_at(due, woken.notified()).await.is_ok();
            if woken && table.upgrade().is_some_and(|here| !here.inner().changed.is_empty()) {
                tokio::time::sleep(PAUSE).await;
            }
            let Some(here) = table.upgrade() else { return };
            let now = Instant::now();
            let mut inner = here.inner();
            for account in inner.others.forget(now) {
                inner.tell_watchers(account);
            }
            let changed: Vec<_> = inner.changed.drain().collect();
            for account in &changed {
                inner.tell_watchers(*account);
            }
            let changed: Vec<_> = changed.into_iter().map(|account| (account, inner.here(account))).collect();
            let mut out = vec![(None, changed)];
            if beat_at <= now {
                beat_at = now + heartbeat;
                inner.round += 1;
                let all: Vec<_> = inner.here.iter().map(|(account, here)| (*account, here.is())).collect();
                out.push((Some(all.len()), all));
            }
            let (round, ttl_ms) = (inner.round, (heartbeat * 5 / 2).as_millis() as u32);
            drop(inner);
            for (total, people) in out {
                // One that has nobody any more says so too.
                let nobody = (total == Some(0)).then(Vec::new);
                for people in people.chunks(AT_ONCE).map(<[_]>::to_vec).chain(nobody) {
                    let told = Told { node: String::new(), round, total, ttl_ms, people };
                    signals.send(Signal::Presence(told));
                }
            }
        }
    }
}
