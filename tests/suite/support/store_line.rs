//! The network between one server and its store: a TCP proxy that can carry one direction and not the other, or all
//! of it slowly. What does not get through waits, as it does in a network that sends again, and arrives later. It can
//! give the store another clock too.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    ToStore,
    ToServer,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mode {
    lost: Option<Way>,
    /// Bytes a second from the store to the server, on each connection.
    pace: Option<u64>,
    /// The store's clock is so many seconds ahead of this machine's.
    clock_ahead: i64,
}

struct Shared {
    store: SocketAddr,
    mode: watch::Sender<Mode>,
    held: AtomicU64,
    carried: AtomicU64,
    shifted: AtomicU64,
    appends: AtomicU64,
    /// Appends with these numbers were under way for so many seconds.
    aged: Mutex<(Range<u64>, i64)>,
}

/// The proxy; its drop closes every connection.
pub struct StoreLine {
    shared: Arc<Shared>,
    addr: SocketAddr,
    accepting: JoinHandle<()>,
}

impl StoreLine {
    pub async fn start(store_port: u16) -> StoreLine {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            store: SocketAddr::from(([127, 0, 0, 1], store_port)),
            mode: watch::Sender::new(Mode::default()),
            held: AtomicU64::new(0),
            carried: AtomicU64::new(0),
            shifted: AtomicU64::new(0),
            appends: AtomicU64::new(0),
            aged: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(shared.clone(), listener));
        StoreLine { shared, addr, accepting }
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// From now on the clock of the store is so many seconds ahead of this machine's: it says a later time, and the time
    /// that comes with an append is earlier by its clock.
    pub fn set_clock_ahead(&self, seconds: i64) {
        self.shared.mode.send_modify(|mode| mode.clock_ahead = seconds);
    }

    /// Of the appends that come from now on, the first is 0, these arrive as if they had been under way for so long.
    pub fn age_appends(&self, numbers: Range<u64>, seconds: i64) {
        self.shared.appends.store(0, Ordering::SeqCst);
        *self.shared.aged.lock().unwrap() = (numbers, seconds);
    }

    /// What comes from the store arrives again, and nothing else changes.
    pub fn deliver(&self) {
        self.shared.mode.send_modify(|mode| mode.lost = None);
    }

    /// Times that were changed, of either kind.
    pub fn shifted(&self) -> u64 {
        self.shared.shifted.load(Ordering::Relaxed)
    }

    /// From now on nothing goes this way.
    pub fn lose(&self, way: Way) {
        self.shared.mode.send_modify(|mode| mode.lost = Some(way));
    }

    /// From now on so many bytes a second come from the store, on each connection.
    pub fn slow_down(&self, bytes_per_second: u64) {
        self.shared.mode.send_modify(|mode| mode.pace = Some(bytes_per_second));
    }

    /// Everything flows; what waited arrives.
    pub fn mend(&self) {
        self.shared.mode.send_replace(Mode::default());
    }

    /// Pieces that did not get through when they came.
    pub fn held(&self) -> u64 {
        self.shared.held.load(Ordering::Relaxed)
    }

    /// Bytes that came from the store.
    pub fn carried(&self) -> u64 {
        self.shared.carried.load(Ordering::Relaxed)
    }
}

impl Drop for StoreLine {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    /// How long the next append was under way, in seconds.
    fn age(&self) -> i64 {
        let number = self.appends.fetch_add(1, Ordering::SeqCst);
        let (aged, seconds) = &*self.aged.lock().unwrap();
        if aged.contains(&number) { *seconds } else { 0 }
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let mut lines = JoinSet::new();
    while let Ok((server, _)) = listener.accept().await {
        let shared = shared.clone();
        lines.spawn(async move {
            let Ok(store) = TcpStream::connect(shared.store).await else { return };
            let _ = (server.set_nodelay(true), store.set_nodelay(true));
            let (from_server, to_server) = server.into_split();
            let (from_store, to_store) = store.into_split();
            // The end of either is the end of both: who is gone reads no answers.
            tokio::select! {
                () = pass(&shared, Way::ToStore, from_server, to_store) => {}
                () = pass(&shared, Way::ToServer, from_store, to_server) => {}
            }
        });
        while lines.try_join_next().is_some() {}
    }
}

async fn pass(shared: &Shared, way: Way, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut mode = shared.mode.subscribe();
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let most = match mode.borrow().pace {
            Some(pace) if way == Way::ToServer => (pace / 20).max(1) as usize,
            _ => bytes.len(),
        };
        let Ok(read @ 1..) = from.read(&mut bytes[..most]).await else { return };
        if mode.borrow().lost == Some(way) {
            shared.held.fetch_add(1, Ordering::Relaxed);
            let _ = mode.wait_for(|mode| mode.lost != Some(way)).await;
        }
        if way == Way::ToServer {
            shared.carried.fetch_add(read as u64, Ordering::Relaxed);
            if mode.borrow().pace.is_some() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        let ahead = mode.borrow().clock_ahead;
        let shifted = match way {
            Way::ToServer => u64::from(ahead != 0 && shift(&mut bytes[..read], ahead)),
            Way::ToStore => {
                shift_appends(&mut bytes[..read], |before| before - 1_000 * (ahead + shared.age()))
            }
        };
        shared.shifted.fetch_add(shifted, Ordering::Relaxed);
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// Changes the proposer's clock in each append: the first text of 13 digits behind the word. Gives how many changed.
fn shift_appends(bytes: &mut [u8], change: impl Fn(i64) -> i64) -> u64 {
    let (mut at, mut changed) = (0, 0);
    let find = |bytes: &[u8], from: usize, text: &[u8]| {
        let found = bytes[from..].windows(text.len()).position(|window| window == text)?;
        Some(from + found + text.len())
    };
    while let Some(append) = find(bytes, at, b"$6\r\nappend\r\n")
        && let Some(clock) = find(bytes, append, b"\r\n$13\r\n")
        && let Some(digits) = bytes.get_mut(clock..clock + 13)
    {
        at = clock + 13;
        let Some(before) = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()) else {
            continue;
        };
        let after = change(before);
        digits.copy_from_slice(after.to_string().as_bytes());
        changed += u64::from(after != before);
    }
    changed
}

/// Changes the answer to TIME, two texts of which the first has the ten digits of the seconds, where it is in there.
fn shift(bytes: &mut [u8], ahead: i64) -> bool {
    let before = b"*2\r\n$10\r\n";
    let Some(at) = bytes.windows(before.len()).position(|window| window == before) else { return false };
    let Some(digits) = bytes.get_mut(at + before.len()..at + before.len() + 10) else { return false };
    let Some(seconds) = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<i64>().ok()) else {
        return false;
    };
    digits.copy_from_slice((seconds + ahead).to_string().as_bytes());
    true
}
