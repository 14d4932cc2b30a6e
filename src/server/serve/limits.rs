//! How many connections the server takes, and which one goes when there is no room.
//!
//! A WebSocket is there after a sign-in and counts for its account. What is not a WebSocket can be anybody's: where
//! there is no room for a new connection, the HTTP connection on which nothing has moved for the longest time goes,
//! and one whose request is being answered only if all others are gone. So connections that say nothing keep nobody
//! out. WebSockets leave some places to HTTP: there is always a connection that can go, and the server answers
//! `/healthz` and `/readyz` however many sockets are open.

use super::progress::Progress;
use crate::server::proxies::Network;
use crate::server::throttle::AddressBlock;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Connections at most, however many descriptors the system allows.
const MOST: u64 = 100_000;
/// Descriptors that connections leave to files, the store and the system: an eighth of all, within these bounds.
const RESERVED: std::ops::RangeInclusive<u64> = 64..=1_024;

/// Places that WebSockets leave to HTTP: a sixteenth of all, within these bounds, and at most half of all.
const HTTP_PLACES: std::ops::RangeInclusive<usize> = 8..=1_024;

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections in all, WebSockets among them.
    pub connections: usize,
    /// HTTP connections of one IPv4 address or one IPv6 /64. Many people share an address at a school; a proxy, and
    /// whatever runs on this machine, has no such limit.
    pub per_address: usize,
    /// An HTTP connection on which no byte has moved for so long is closed.
    pub idle: Duration,
}

impl Limits {
    /// What the process may open, raised as far as the system lets it.
    pub fn of_process() -> Limits {
        let files = descriptors().unwrap_or(MOST).min(2 * MOST);
        let reserved = (files / 8).clamp(*RESERVED.start(), *RESERVED.end());
        let connections = usize::try_from(files.saturating_sub(reserved).clamp(16, MOST)).unwrap_or(16);
        Limits { connections, per_address: 256, idle: Duration::from_secs(75) }
    }

    /// WebSockets at most.
    pub fn sockets(&self) -> usize {
        let http = (self.connections / 16).clamp(*HTTP_PLACES.start(), *HTTP_PLACES.end());
        self.connections - http.min(self.connections / 2)
    }
}

/// Raises the limit of open descriptors as far as it goes; gives it, if there is one.
#[cfg(unix)]
fn descriptors() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some() && current != maximum {
        // Some systems name a maximum that they do not allow.
        for raised in [maximum, Some(MOST), Some(10_240)] {
            let more = raised.is_none_or(|raised| current.is_some_and(|current| current < raised));
            if more && setrlimit(Resource::Nofile, Rlimit { current: raised, maximum }).is_ok() {
                return raised;
            }
        }
    }
    current
}

#[cfg(not(unix))]
fn descriptors() -> Option<u64> {
    None
}

struct Http {
    /// None where the peer may be a proxy.
    block: Option<AddressBlock>,
    progress: Progress,
    cut: CancellationToken,
}

/// A WebSocket's place among those that there may be; it is given up when this is dropped.
pub struct SocketPlace {
    _permit: OwnedSemaphorePermit,
}

/// The connections that there are.
pub struct Connections {
    limits: Limits,
    proxies: Vec<Network>,
    permits: Arc<Semaphore>,
    /// Places of WebSockets, which have one of `permits` as well.
    sockets: Arc<Semaphore>,
    /// Those that are no WebSocket.
    http: Mutex<HashMap<u64, Http>>,
    next: AtomicU64,
}

/// A connection's place among the HTTP connections; it is given up when this is dropped.
pub struct HttpSlot {
    connections: Arc<Connections>,
    number: u64,
    /// Cancelled when the connection is to make room for another one.
    pub cut: CancellationToken,
}

impl HttpSlot {
    pub fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Ends when no byte has moved on a connection for too long.
    pub async fn idle(&self, progress: &Progress) {
        let began = tokio::time::Instant::now();
        loop {
            let due = progress.moved().max(began) + self.connections.limits.idle;
            if due <= tokio::time::Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }
}

impl Drop for HttpSlot {
    fn drop(&mut self) {
        self.connections.http().remove(&self.number);
    }
}

impl Connections {
    pub fn new(limits: Limits, proxies: Vec<Network>) -> Arc<Connections> {
        Arc::new(Connections {
            limits,
            proxies,
            permits: Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS))),
            sockets: Arc::new(Semaphore::new(limits.sockets().min(Semaphore::MAX_PERMITS))),
            http: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    fn http(&self) -> MutexGuard<'_, HashMap<u64, Http>> {
        self.http.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a WebSocket, if there is one.
    pub fn socket(&self) -> Option<SocketPlace> {
        let permit = self.sockets.clone().try_acquire_owned().ok()?;
        Some(SocketPlace { _permit: permit })
    }

    /// Whether there is a place for a WebSocket.
    pub fn has_socket(&self) -> bool {
        self.sockets.available_permits() > 0
    }

    /// A place for a connection that was accepted; waits until there is one: that is soon, since WebSockets cannot
    /// have all of them and an HTTP connection is cut for it. The permit belongs to the socket itself,
    /// as long as it is open; the slot to what is served on it as HTTP.
    pub async fn admit(
        self: &Arc<Self>,
        from: SocketAddr,
        progress: &Progress,
    ) -> (Option<OwnedSemaphorePermit>, HttpSlot) {
        let permit = match self.permits.clone().try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => {
                self.cut_idlest(|_| true);
                self.permits.clone().acquire_owned().await.ok()
            }
        };
        (permit, self.slot(from, progress))
    }

    /// A place among the HTTP connections. If its address has too many, one of them goes: the idlest, and one that is
    /// being answered only if all are.
    pub fn slot(self: &Arc<Self>, from: SocketAddr, progress: &Progress) -> HttpSlot {
        let address = from.ip().to_canonical();
        let may_be_proxy = address.is_loopback() || self.proxies.iter().any(|proxy| proxy.holds(address));
        let block = (!may_be_proxy).then(|| AddressBlock::of(address));
        if let Some(block) = block {
            let same = self.http().values().filter(|http| http.block == Some(block)).count();
            if same >= self.limits.per_address {
                self.cut_idlest(|http| http.block == Some(block));
            }
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let cut = CancellationToken::new();
        let http = Http { block, progress: progress.clone(), cut: cut.clone() };
        self.http().insert(number, http);
        HttpSlot { connections: self.clone(), number, cut }
    }

    /// Cuts the connection, of those that are meant, on which nothing has moved for the longest time; one whose
    /// request is being answered only if all are.
    fn cut_idlest(&self, meant: impl Fn(&Http) -> bool) {
        let mut http = self.http();
        let idlest = http
            .iter()
            .filter(|(_, http)| meant(http))
            .min_by_key(|(number, http)| (http.progress.is_answering(), http.progress.last_byte(), **number))
            .map(|(number, _)| *number);
        if let Some(cut) = idlest.and_then(|number| http.remove(&number)) {
            cut.cut.cancel();
        }
    }

    /// HTTP connections now, and how many more connections there is room for.
    pub fn counts(&self) -> (usize, usize) {
        (self.http().len(), self.permits.available_permits())
    }
}
