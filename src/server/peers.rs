//! Which other servers are at work on this log, as their signals tell. Nothing of this is stored.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A server that announces nothing reads this format: those of 0.1.0 do.
pub const UNANNOUNCED_FORMAT: u32 = 4;
/// A server that was not heard for so long is forgotten.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(10 * 60);
/// Servers that are kept: whatever comes over the store's channel takes no more memory.
pub const MOST_PEERS: usize = 256;
/// A longer name is no server's.
const NAME_BYTES: usize = 64;
/// A longer version is not kept.
const VERSION_BYTES: usize = 32;

/// What a server says of itself in its heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The newest format of the log that it reads.
    pub format: u32,
    pub version: String,
}

/// Another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The newest format of the log that it reads.
    pub format: u32,
    /// `None` if it announces nothing.
    pub version: Option<String>,
    pub heard: Instant,
}

/// What is known of the other servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// By name, in order.
    pub peers: Vec<(String, Peer)>,
    /// There are others, which there was no place for.
    pub more: bool,
    /// Since when no signal can have been missed; `None` if none are heard.
    pub since: Option<Instant>,
}

impl Heard {
    /// Whether every server of the last `long` reads this format: none can have been missed, since signals came without a
    /// break for that long.
    pub fn all_read(&self, format: u32, now: Instant, long: Duration) -> bool {
        let unbroken = self.since.is_some_and(|since| now.saturating_duration_since(since) >= long);
        unbroken && !self.more && self.behind(format).next().is_none()
    }

    /// The servers that cannot read this format.
    pub fn behind(&self, format: u32) -> impl Iterator<Item = &(String, Peer)> {
        self.peers.iter().filter(move |(_, peer)| peer.format < format)
    }
}

#[derive(Default)]
struct Inner {
    peers: HashMap<String, Peer>,
    /// When a server was heard last that there was no place for.
    surplus: Option<Instant>,
    since: Option<Instant>,
}

impl Inner {
    fn forget(&mut self, now: Instant, after: Duration) {
        let fresh = |heard: Instant| now.saturating_duration_since(heard) < after;
        self.peers.retain(|_, peer| fresh(peer.heard));
        self.surplus = self.surplus.filter(|heard| fresh(*heard));
    }
}

/// The other servers of the last ten minutes.
pub struct Peers {
    inner: Mutex<Inner>,
    forgotten_after: Duration,
}

impl Default for Peers {
    fn default() -> Peers {
        Peers::new(FORGOTTEN_AFTER)
    }
}

impl Peers {
    /// As the default, with another time after which a silent server is forgotten.
    pub fn new(forgotten_after: Duration) -> Peers {
        Peers { inner: Mutex::default(), forgotten_after }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signals arrive.
    pub fn listening(&self, now: Instant) {
        self.inner().since.get_or_insert(now);
    }

    /// Signals may have been missed.
    pub fn interrupted(&self) {
        self.inner().since = None;
    }

    /// Another server gave a sign of life. What it has announced counts until it announces something else.
    pub fn hear(&self, name: &str, announced: Option<Announcement>, now: Instant) {
        // The signals of this server have no name.
        if name.is_empty()
            || name.len() > NAME_BYTES
            || !name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            return;
        }
        let mut inner = self.inner();
        if !inner.peers.contains_key(name) && inner.peers.len() >= MOST_PEERS {
            inner.forget(now, self.forgotten_after);
            if inner.peers.len() >= MOST_PEERS {
                inner.surplus = Some(now);
                return;
            }
        }
        let unannounced = Peer { format: UNANNOUNCED_FORMAT, version: None, heard: now };
        let peer = inner.peers.entry(name.to_owned()).or_insert(unannounced);
        peer.heard = now;
        if let Some(Announcement { format, version }) = announced {
            let readable = (1..=VERSION_BYTES).contains(&version.len())
                && version.bytes().all(|byte| byte.is_ascii_graphic());
            peer.format = format;
            peer.version = readable.then_some(version);
        }
    }

    /// Who was heard in the last ten minutes.
    pub fn heard(&self, now: Instant) -> Heard {
        let mut inner = self.inner();
        inner.forget(now, self.forgotten_after);
        let mut peers: Vec<_> = inner.peers.iter().map(|(name, peer)| (name.clone(), peer.clone())).collect();
        peers.sort_by(|(a, _), (b, _)| a.cmp(b));
        Heard { peers, more: inner.surplus.is_some(), since: inner.since }
    }
}
