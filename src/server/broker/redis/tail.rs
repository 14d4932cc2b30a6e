//! Follows the end of the log over a connection of its own, and sees whether it is still the same log.

use super::clock::Clocks;
use super::connect::{ANSWER_TIMEOUT, Backoff, Line};
use super::entries::{self, Keys, StreamReply};
use super::fault;
use crate::protocol::Hash;
use crate::server::broker::{BrokerError, Entry, Head};
use crate::server::readiness::UnreadyState;
use ::redis::aio::MultiplexedConnection;
use ::redis::cmd;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Entries kept in memory, so that following does not ask the store.
const RECENT_ENTRIES: usize = 4_096;
/// Entries of one read.
const READ_ENTRIES: usize = 1_000;
/// A read waits so long for an entry; then the log is compared, and a connection that died is found.
const BLOCK: Duration = Duration::from_secs(1);
/// Reads in 10 ms from which on each is followed by a pause, so that one answer carries more.
const READS_UNPACED: u32 = 20;
const PACE: Duration = Duration::from_millis(1);
/// The clock of the store is asked so often.
const CLOCKS: Duration = Duration::from_secs(10);

/// What those who follow look at.
pub struct Shared {
    pub line: Line,
    pub keys: Keys,
    tail: Mutex<Tail>,
    /// Rises whenever the tail changed.
    changed: watch::Sender<u64>,
    /// The run of the store that was read last, by the name that it gives itself at each start.
    run: Mutex<Option<String>>,
    restarts: watch::Sender<u64>,
    clocks: Mutex<Clocks>,
}

#[derive(Default)]
struct Tail {
    /// The last entry that was read, or that the log had at the start.
    end: Head,
    /// What stands before the first of the recent entries.
    before: Head,
    recent: VecDeque<Entry>,
    /// Why the log cannot be read now.
    fault: Option<BrokerError>,
}

impl Tail {
    /// The link at a number, if it is known without asking.
    fn link(&self, g: u64) -> Option<Hash> {
        if g == self.before.g {
            return Some(self.before.link);
        }
        let index = g.checked_sub(self.before.g + 1)?;
        self.recent.get(index as usize).map(|entry| entry.link)
    }

    fn take(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.end = Head { g: entry.header.g, link: entry.link };
            self.recent.push_back(entry);
        }
        while self.recent.len() > RECENT_ENTRIES {
            let Some(first) = self.recent.pop_front() else { break };
            self.before = Head { g: first.header.g, link: first.link };
        }
    }

    fn restart(&mut self, end: Head) {
        self.end = end;
        self.before = end;
        self.recent.clear();
    }
}

/// What the memory says to one who follows.
enum Look {
    Entries(Vec<Entry>),
    Wait,
    Ask,
    Fault(BrokerError),
}

fn rewritten(g: u64) -> BrokerError {
    BrokerError::Rewritten(format!("the log of the store has another entry {g} than this server has read"))
}

impl Shared {
    pub fn new(line: Line, keys: Keys) -> Arc<Shared> {
        let (changed, restarts) = (watch::Sender::new(0), watch::Sender::new(0));
        let (tail, run, clocks) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Shared { line, keys, tail, changed, run, restarts, clocks })
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, what: impl FnOnce(&mut Tail)) {
        what(&mut self.tail());
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// Where the log ends as far as it was read.
    pub fn end(&self) -> Head {
        self.tail().end
    }

    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// As [`crate::server::broker::Broker::restarts`].
    pub fn restarts(&self) -> watch::Receiver<u64> {
        self.restarts.subscribe()
    }

    /// The clocks as they compared last.
    pub fn clocks(&self) -> Clocks {
        *self.clocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares the clocks now. Fails where they differ too much for an append.
    pub async fn compare_clocks(&self) -> Result<(), BrokerError> {
        self.note_clocks().await?.fault().map_or(Ok(()), |fault| Err(BrokerError::Unready(fault)))
    }

    async fn note_clocks(&self) -> Result<Clocks, BrokerError> {
        let clocks = Clocks::compare(&self.line).await?;
        *self.clocks.lock().unwrap_or_else(PoisonError::into_inner) = clocks;
        Ok(clocks)
    }

    /// Erased text must go from memory too.
    pub fn forget<'a>(&self, erased: impl Iterator<Item = &'a Head>) {
        let erased: HashSet<&Head> = erased.collect();
        for entry in &mut self.tail().recent {
            if erased.contains(&entry.head()) {
                entry.body = None;
            }
        }
    }

    fn look(&self, after: Head, limit: usize) -> Look {
        let tail = self.tail();
        if let Some(fault) = &tail.fault {
            return Look::Fault(fault.clone());
        }
        match tail.link(after.g) {
            Some(link) if link != after.link => Look::Fault(rewritten(after.g)),
            Some(_) if limit == 0 => Look::Entries(Vec::new()),
            Some(_) if after.g >= tail.end.g => Look::Wait,
            Some(_) => {
                let skip = (after.g - tail.before.g) as usize;
                Look::Entries(tail.recent.iter().skip(skip).take(limit).cloned().collect())
            }
            None => Look::Ask,
        }
    }

    /// As [`crate::server::broker::Broker::follow`].
    pub async fn follow(&self, after: Head, limit: usize) -> Result<Vec<Entry>, BrokerError> {
        let mut changes = self.changes();
        loop {
            changes.borrow_and_update();
            match self.look(after, limit) {
                Look::Entries(entries) => return Ok(entries),
                Look::Fault(fault) => return Err(fault),
                Look::Wait => {}
                Look::Ask => {
                    let mut found = entries::read(&self.line, &self.keys, after.g.max(1), limit + 1).await?;
                    if after.g > 0 {
                        if found.first().is_none_or(|first| first.link != after.link) {
                            return Err(rewritten(after.g));
                        }
                        found.remove(0);
                    }
                    found.truncate(limit);
                    if !found.is_empty() || limit == 0 {
                        return Ok(found);
                    }
                }
            }
            if changes.changed().await.is_err() {
                return Err(BrokerError::Refused("The log has been closed.".into()));
            }
        }
    }

    /// Where the log ends, asked now.
    pub async fn head(&self) -> Result<Option<Head>, BrokerError> {
        entries::head_of(self.line.read(&self.keys.last()).await?)
    }

    /// Begins at the log's end.
    pub async fn start(&self) -> Result<(), BrokerError> {
        let end = self.head().await?.unwrap_or_default();
        self.change(|tail| tail.restart(end));
        Ok(())
    }

    /// Follows until the task is ended.
    pub async fn run(self: Arc<Self>) {
        let mut backoff = Backoff::new();
        loop {
            let Err(fault) = self.run_once(&mut backoff).await;
            // The node's log says it, once a minute.
            tracing::debug!(%fault, "the log cannot be followed");
            self.change(|tail| tail.fault = Some(fault));
            tokio::time::sleep(backoff.next()).await;
        }
    }

    async fn run_once(&self, backoff: &mut Backoff) -> Result<std::convert::Infallible, BrokerError> {
        let connector = &self.line.connector;
        let refused = |fault| BrokerError::unready(fault::state(&fault), connector.words(&fault));
        let mut connection = connector.connect(None).await.map_err(refused)?;
        self.notice_restart().await?;
        self.note_clocks().await?;
        self.compare().await?;
        self.change(|tail| tail.fault = None);
        *backoff = Backoff::new();
        let (mut compared, mut clocks_compared) = (Instant::now(), Instant::now());
        let (mut reads, mut window) = (0, Instant::now());
        loop {
            let found = self.read_on(&mut connection).await?;
            if !found.is_empty() {
                self.take(found).await?;
                reads += 1;
            }
            if compared.elapsed() >= BLOCK {
                self.compare().await?;
                compared = Instant::now();
            }
            if clocks_compared.elapsed() >= CLOCKS {
                self.note_clocks().await?;
                clocks_compared = Instant::now();
            }
            if window.elapsed() > Duration::from_millis(10) {
                (reads, window) = (0, Instant::now());
            } else if reads > READS_UNPACED {
                tokio::time::sleep(PACE).await;
            }
        }
    }

    /// A restarted store can have other entries than before, not only at its end. Reads the entries in memory again and
    /// notifies the fold thread, which compares the copy of the log.
    async fn notice_restart(&self) -> Result<(), BrokerError> {
        let info: String = self.line.read(cmd("INFO").arg("server")).await?;
        // A service may hide it.
        let Some(run) = info.lines().find_map(|line| line.trim().strip_prefix("run_id:")) else {
            return Ok(());
        };
        let known = self.run.lock().unwrap_or_else(PoisonError::into_inner).replace(run.to_owned());
        if known.is_some_and(|known| known != run) {
            tracing::warn!("the store was started anew, or another one answers: its log is compared");
            self.change(|tail| tail.restart(tail.end));
            self.restarts.send_modify(|restarts| *restarts += 1);
        }
        Ok(())
    }

    async fn read_on(&self, connection: &mut MultiplexedConnection) -> Result<Vec<Entry>, BrokerError> {
        let connector = &self.line.connector;
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(READ_ENTRIES).arg("BLOCK").arg(BLOCK.as_millis() as u64);
        read.arg("STREAMS").arg(&self.keys.log).arg(format!("{}-0", self.end().g));
        let waiting = read.query_async::<StreamReply>(connection);
        let reply = match tokio::time::timeout(BLOCK + ANSWER_TIMEOUT, waiting).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(fault)) => {
                connector.heed(&fault);
                return Err(BrokerError::unready(fault::state(&fault), connector.words(&fault)));
            }
            Err(_) => {
                let at = connector.settings.address();
                let words = format!("Redis at {at} does not answer");
                return Err(BrokerError::unready(UnreadyState::StoreUnreachable, words));
            }
        };
        let entries = reply.into_iter().flatten().flat_map(|(_, entries)| entries);
        entries.map(entries::parse).collect()
    }

    /// Takes entries that were read after the end, if they continue it.
    async fn take(&self, found: Vec<Entry>) -> Result<(), BrokerError> {
        let end = self.end();
        let limit = usize::MAX / 2;
        let found = entries::with_erased(&self.line, &self.keys, end.g + 1, limit, found).await?;
        let mut at = end;
        for entry in &found {
            if entry.header.g != at.g + 1 || entry.link != at.link.then(&entry.header) {
                return self.restart().await;
            }
            at = Head { g: entry.header.g, link: entry.link };
        }
        self.change(|tail| tail.take(found));
        Ok(())
    }

    /// Sees whether the store still has the entry that was read last, and as many as there must be before it.
    async fn compare(&self) -> Result<(), BrokerError> {
        let end = self.end();
        if end.g == 0 {
            return Ok(());
        }
        if entries::link_at(&self.line, &self.keys, end.g).await? != Some(end.link) {
            return self.restart().await;
        }
        let held = entries::count(&self.line, &self.keys).await?;
        match end.g.saturating_sub(held) {
            0 => Ok(()),
            missing => {
                let words = format!("{missing} of {} entries of the log are missing in the store", end.g);
                Err(BrokerError::unready(UnreadyState::EntriesMissing, words))
            }
        }
    }

    /// It is another log, or another tail: those who follow compare their own place with it.
    async fn restart(&self) -> Result<(), BrokerError> {
        let end = self.head().await?.unwrap_or_default();
        tracing::error!(read = self.end().g, now = end.g, "the log of the store was rewritten");
        self.change(|tail| tail.restart(end));
        Ok(())
    }
}
