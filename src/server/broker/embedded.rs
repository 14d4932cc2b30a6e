//! The backend that needs nothing else: one SQLite file in the data folder, one writer thread that commits
//! what waits together.
//!
//! An append is answered after the commit, and the commit flushes (`synchronous=FULL`): what is
//! acknowledged is on disk, in the file at the path. If that file was deleted, moved or replaced, nothing is committed.
//! After a commit that fails the outcome is unknown until the file is opened again and read. A statement that ends the
//! transaction, as on a full disk, fails every call in it: a transaction succeeds or fails as a whole.

mod aside;
mod copy;
mod earlier;
mod fault;
mod file;
mod folder;
mod gap;
mod in_place;
mod moving;
mod writer;

pub use aside::erase_in_file;
pub use copy::{COPY_FILE, CopyError, LogCopy};
pub use earlier::{copy_log, delete_earlier_logs, earlier_log_file, earlier_logs, erase_in_earlier_logs};
pub use folder::{FolderLock, OpenError, UNFINISHED_FILE, check_moves, lock_folder};
pub use gap::erase_in_cut_logs;
pub use moving::{FolderSource, FolderTarget, LiveFolder};

use super::waiting::{Place, Waiting};
use super::{
    Broker, BrokerError, Durability, Entry, Head, NotErased, Pointer, Proposal, Secret, SecretOp, Signals,
};
use crate::protocol::{AccountId, Hash};
use crate::server::now_ms;
use crate::server::watch::Watch;
use futures::FutureExt;
use futures::future::BoxFuture;
use in_place::InPlace;
use rusqlite::Connection;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use tokio::sync::{broadcast, oneshot, watch};
use writer::{Command, Writer};

/// The log's file in the data folder.
pub const LOG_FILE: &str = "log.sqlite";
/// Entries kept in memory, so that following does not read the file.
const RECENT_ENTRIES: usize = 4_096;

/// A fault that a test plants in the next commit of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The flush fails and nothing of the commit is in the file.
    LostCommit = 1,
    /// The flush fails and all of the commit is in the file.
    KeptCommit = 2,
    /// The disk has no room for another page: a statement that needs one fails, and SQLite ends the transaction.
    NoRoom = 3,
    /// The file is moved to `log.aside` after the transaction began.
    MovedAway = 4,
}

struct Shared {
    path: PathBuf,
    in_place: InPlace,
    reader: Mutex<Connection>,
    recent: Mutex<VecDeque<Entry>>,
    planted: AtomicU8,
    /// Held by a test that stops the writer.
    pause: Mutex<()>,
}

/// The embedded backend. Dropping it ends the writer and gives the folder free.
pub struct Embedded {
    shared: Arc<Shared>,
    commands: Option<mpsc::Sender<(Command, Place)>>,
    waiting: Arc<Waiting>,
    writer: Option<std::thread::JoinHandle<()>>,
    head: watch::Receiver<Option<Head>>,
    signals: Signals,
    watch: Watch,
    _lock: FolderLock,
}

impl Embedded {
    /// Opens the log of a data folder, which is made if it is missing. The folder is locked until the drop.
    pub fn open(folder: &Path) -> Result<Embedded, OpenError> {
        Self::open_with_clock(folder, now_ms)
    }

    /// As [`Embedded::open`], with another clock for the entries' times. It is asked once for each entry, in
    /// the order of the log; what it says counts only if it is not before the entry before.
    pub fn open_with_clock(
        folder: &Path,
        clock: impl FnMut() -> i64 + Send + 'static,
    ) -> Result<Embedded, OpenError> {
        let in_folder = |source| OpenError::Folder { path: folder.to_owned(), source };
        let lock = lock_folder(folder)?;
        folder::check_moves(folder)?;
        let path = folder.join(LOG_FILE);
        let in_log = |source| OpenError::Log { path: path.clone(), source };
        let connection = file::open_log(&path)?;
        gap::repair(&connection, folder, &path)?;
        let first_head = file::read_head(&connection).map_err(in_log)?;
        let reader = file::open(&path).map_err(in_log)?;
        file::read_head(&reader).map_err(in_log)?;
        let shared = Arc::new(Shared {
            in_place: InPlace::of(&path),
            reader: Mutex::new(reader),
            path,
            recent: Mutex::new(VecDeque::new()),
            planted: AtomicU8::new(0),
            pause: Mutex::new(()),
        });
        let (commands, queue) = mpsc::channel();
        let (publish, head) = watch::channel(first_head.map(|(head, _)| head));
        let mut writer = Writer {
            connection,
            clock: Box::new(clock),
            end: first_head,
            shared: shared.clone(),
            publish,
            broken: None,
            checked_form: None,
            closing: None,
        };
        let watch = Watch::default();
        let writer = watch.thread("log-writer", move || writer.run(&queue)).map_err(in_folder)?;
        let signals = Signals::new(broadcast::channel(1_024).0, None);
        let waiting = Arc::default();
        Ok(Embedded {
            shared,
            commands: Some(commands),
            waiting,
            writer: Some(writer),
            head,
            signals,
            watch,
            _lock: lock,
        })
    }

    /// Makes the next commit of entries end in a failed flush. For tests of unknown outcomes.
    pub fn plant(&self, fault: Fault) {
        self.shared.planted.store(fault as u8, Ordering::SeqCst);
    }

    /// Stops the writer before its next commit, until the guard is dropped: what is called meanwhile is one batch.
    /// For tests.
    pub fn pause_writer(&self) -> MutexGuard<'_, ()> {
        lock(&self.shared.pause)
    }

    fn ask<T: Send + 'static>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, BrokerError>>) -> Command,
    ) -> BoxFuture<'static, Result<T, BrokerError>> {
        let (reply, answer) = oneshot::channel();
        let command = command(reply);
        // At once, before the first poll: calls made one after the other are stored in that order.
        let sent = self.waiting.enter(command.bytes()).and_then(|place| {
            let closed = || BrokerError::Refused("The log has been closed.".into());
            self.commands.as_ref().ok_or_else(closed)?.send((command, place)).map_err(|_| closed())
        });
        async move {
            sent?;
            answer.await.unwrap_or_else(|_| Err(BrokerError::Unknown("the log's writer ended".into())))
        }
        .boxed()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Broker for Embedded {
    fn create(&self, first: Proposal) -> BoxFuture<'_, Result<Head, BrokerError>> {
        self.ask(|reply| Command::Create(first, reply))
    }

    fn append(&self, batch: Vec<Proposal>) -> BoxFuture<'static, Result<u64, BrokerError>> {
        self.ask(|reply| Command::Append(batch, reply))
    }

    fn try_append(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        self.ask(Command::TryAppend)
    }

    fn look(&self) -> Result<(), BrokerError> {
        self.shared.in_place.check()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        self.ask(Command::Close)
    }

    fn follow(&self, after: Head, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        let mut head = self.head.clone();
        async move {
            // The entry at `after` is read along, to compare it.
            let (from, to_read) = (after.g.max(1), limit + usize::from(after.g > 0));
            loop {
                let reached = head.borrow_and_update().unwrap_or_default();
                if limit == 0 || reached.g > after.g || reached.g == after.g && reached.link != after.link {
                    break;
                }
                if reached.g < after.g && self.shared.link(after.g).await? != Some(after.link) {
                    return Err(rewritten(after.g));
                }
                head.changed().await.map_err(|_| BrokerError::Refused("The log has been closed.".into()))?;
            }
            let mut entries = self.shared.read(from, to_read).await?;
            if after.g > 0 {
                if entries.first().is_none_or(|first| first.link != after.link) {
                    return Err(rewritten(after.g));
                }
                entries.remove(0);
            }
            Ok(entries)
        }
        .boxed()
    }

    fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        async move { self.shared.read(from.max(1), limit).await }.boxed()
    }

    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, BrokerError>> {
        let head = *self.head.borrow();
        async move { Ok(head) }.boxed()
    }

    fn erase(&self, entries: Vec<Head>) -> BoxFuture<'_, Result<NotErased, BrokerError>> {
        self.ask(|reply| Command::Erase(entries, reply))
    }

    fn secret(&self, key: String, op: SecretOp) -> BoxFuture<'_, Result<Option<Secret>, BrokerError>> {
        if op != SecretOp::Get {
            return self.ask(|reply| Command::Secret(key, op, reply));
        }
        let read = file::read_secret(&lock(&self.shared.reader), &key)
            .map_err(|fault| fault::cannot_read(&self.shared.path, &fault));
        async move { read }.boxed()
    }

    fn registers(
        &self,
        account: AccountId,
        raise: Vec<(String, Pointer)>,
    ) -> BoxFuture<'_, Result<Vec<(String, Pointer)>, BrokerError>> {
        self.ask(move |reply| Command::Raise(account, raise, reply))
    }

    fn signals(&self) -> Signals {
        self.signals.clone()
    }

    fn durability(&self) -> Durability {
        let (words, place) =
            ("every message is on disk before it is acknowledged", "on this server's disk, flushed");
        Durability { words: words.into(), place: place.into(), warning: None }
    }

    fn watch(&self) -> Watch {
        self.watch.clone()
    }
}

impl Shared {
    fn recent(&self, from: u64, limit: usize) -> Option<Vec<Entry>> {
        let recent = lock(&self.recent);
        let skip = from.checked_sub(recent.front()?.header.g)?;
        Some(recent.iter().skip(skip as usize).take(limit).cloned().collect())
    }

    async fn read(self: &Arc<Self>, from: u64, limit: usize) -> Result<Vec<Entry>, BrokerError> {
        if let Some(entries) = self.recent(from, limit) {
            return Ok(entries);
        }
        let shared = self.clone();
        let read = move || file::read_entries(&lock(&shared.reader), from - 1, limit);
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|fault| BrokerError::Refused(format!("The log cannot be read: {fault}")))?
            .map_err(|fault| fault::cannot_read(&self.path, &fault))
    }

    async fn link(self: &Arc<Self>, g: u64) -> Result<Option<Hash>, BrokerError> {
        let found = self.read(g, 1).await?;
        Ok(found.first().filter(|entry| entry.header.g == g).map(|entry| entry.link))
    }
}

fn rewritten(g: u64) -> BrokerError {
    BrokerError::Rewritten(format!("the log has another entry {g} than this server has read"))
}

/// A poisoned lock guards plain data that is whole at every step: go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
