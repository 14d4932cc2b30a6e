//! The backend that needs nothing else: one SQLite file in the data folder, one writer thread that commits
//! what waits together.
//!
//! An append is answered after the commit, and the commit flushes (`synchronous=FULL`): what is
//! acknowledged is on disk. A commit that fails leaves the outcome open; the file is opened anew and says.

use super::{
    Broker, BrokerError, Durability, Entry, Head, Pointer, Proposal, Secret, SecretOp, Signals, digest,
};
use crate::protocol::{AccountId, Hash, Header};
use crate::server::now_ms;
use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use tokio::sync::{broadcast, oneshot, watch};

/// The log's file in the data folder.
pub const LOG_FILE: &str = "log.sqlite";
/// Entries kept in memory, so that following does not read the file.
const RECENT_ENTRIES: usize = 4_096;
/// Commands that one commit takes together.
const COMMIT_COMMANDS: usize = 512;
/// Commands that may wait for the writer; beyond it callers wait.
const WAITING_COMMANDS: usize = 4_096;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS entries(
        g INTEGER PRIMARY KEY, at INTEGER NOT NULL, rest TEXT NOT NULL, body TEXT, link TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS secrets(
        key TEXT PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL, expires INTEGER) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS registers(
        account TEXT NOT NULL, key TEXT NOT NULL, generation INTEGER NOT NULL, ordinal INTEGER NOT NULL,
        PRIMARY KEY(account, key)) WITHOUT ROWID;
    PRAGMA user_version = 1;";

/// Why a data folder cannot be opened; says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "the data folder {0} is in use by another Beck. Stop that one, or set DATA_DIR to another folder"
    )]
    Locked(PathBuf),
    #[error("the data folder {path} cannot be used: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("the log {path} cannot be opened: {source}")]
    Log { path: PathBuf, source: rusqlite::Error },
    #[error("the log {0} was written by a newer Beck. Start that version, or restore a copy")]
    Newer(PathBuf),
}

/// A fault that a test plants in the next commit of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The flush fails and nothing of the commit is in the file.
    LostCommit = 1,
    /// The flush fails and all of the commit is in the file.
    KeptCommit = 2,
}

enum Command {
    Create(Proposal, oneshot::Sender<Result<Head, BrokerError>>),
    Append(Vec<Proposal>, oneshot::Sender<Result<u64, BrokerError>>),
    Erase(Vec<u64>, oneshot::Sender<Result<bool, BrokerError>>),
    Secret(String, SecretOp, oneshot::Sender<Result<Option<Secret>, BrokerError>>),
    Raise(AccountId, Vec<(String, Pointer)>, oneshot::Sender<Result<Vec<(String, Pointer)>, BrokerError>>),
}

struct Shared {
    path: PathBuf,
    reader: Mutex<Connection>,
    recent: Mutex<VecDeque<Entry>>,
    planted: AtomicU8,
}

/// The embedded backend. Dropping it ends the writer and gives the folder free.
pub struct Embedded {
    shared: Arc<Shared>,
    commands: Option<mpsc::SyncSender<Command>>,
    writer: Option<std::thread::JoinHandle<()>>,
    head: watch::Receiver<Option<Head>>,
    signals: Signals,
    _lock: File,
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
        let path = folder.join(LOG_FILE);
        let in_log = |source| OpenError::Log { path: path.clone(), source };
        let connection = open_file(&path).map_err(in_log)?;
        let version: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(in_log)?;
        if version > 1 {
            return Err(OpenError::Newer(path));
        }
        connection.execute_batch(SCHEMA).map_err(in_log)?;
        let first_head = read_head(&connection).map_err(in_log)?;
        let shared = Arc::new(Shared {
            reader: Mutex::new(open_file(&path).map_err(in_log)?),
            path,
            recent: Mutex::new(VecDeque::new()),
            planted: AtomicU8::new(0),
        });
        let (commands, waiting) = mpsc::sync_channel(WAITING_COMMANDS);
        let (publish, head) = watch::channel(first_head.map(|(head, _)| head));
        let mut writer = Writer {
            connection,
            clock: Box::new(clock),
            end: first_head,
            shared: shared.clone(),
            publish,
            broken: false,
        };
        let writer = std::thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || writer.run(&waiting))
            .map_err(in_folder)?;
        let signals = Signals::new(broadcast::channel(1_024).0, None);
        Ok(Embedded { shared, commands: Some(commands), writer: Some(writer), head, signals, _lock: lock })
    }

    /// Makes the next commit of entries end in a failed flush. For tests of unknown outcomes.
    pub fn plant(&self, fault: Fault) {
        self.shared.planted.store(fault as u8, Ordering::SeqCst);
    }

    fn ask<T: Send + 'static>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, BrokerError>>) -> Command,
    ) -> BoxFuture<'static, Result<T, BrokerError>> {
        let (reply, answer) = oneshot::channel();
        let mut command = Some(command(reply));
        // At once, before the first poll: who appends twice in a row is stored in that order.
        let mut closed = self.commands.as_ref().is_none_or(|commands| give(commands, &mut command));
        let commands = self.commands.clone().filter(|_| command.is_some());
        async move {
            while !closed
                && let Some(commands) = &commands
                && command.is_some()
            {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                closed = give(commands, &mut command);
            }
            drop(commands);
            if closed {
                return Err(BrokerError::Refused("The log has been closed.".into()));
            }
            answer.await.unwrap_or_else(|_| Err(BrokerError::Unknown("the log's writer ended".into())))
        }
        .boxed()
    }
}

/// Gives a command to the writer if it has room; `true` if the log is closed.
fn give(commands: &mpsc::SyncSender<Command>, command: &mut Option<Command>) -> bool {
    let Some(next) = command.take() else { return true };
    match commands.try_send(next) {
        Ok(()) => false,
        Err(mpsc::TrySendError::Full(back)) => {
            *command = Some(back);
            false
        }
        Err(mpsc::TrySendError::Disconnected(_)) => true,
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

    fn follow(&self, after: Head, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        let mut head = self.head.clone();
        async move {
            // The entry at `after` is read along, to compare it.
            let (from, limit) = (after.g.max(1), limit + usize::from(after.g > 0));
            loop {
                let reached = head.borrow_and_update().unwrap_or_default();
                if reached.g > after.g || reached.g == after.g && reached.link != after.link {
                    break;
                }
                if reached.g < after.g && self.shared.link(after.g).await? != Some(after.link) {
                    return Err(rewritten(after.g));
                }
                head.changed().await.map_err(|_| BrokerError::Refused("The log has been closed.".into()))?;
            }
            let mut entries = self.shared.read(from, limit).await?;
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

    fn erase(&self, entries: Vec<u64>) -> BoxFuture<'_, Result<bool, BrokerError>> {
        self.ask(|reply| Command::Erase(entries, reply))
    }

    fn secret(&self, key: String, op: SecretOp) -> BoxFuture<'_, Result<Option<Secret>, BrokerError>> {
        if op != SecretOp::Get {
            return self.ask(|reply| Command::Secret(key, op, reply));
        }
        let read = read_secret(&lock(&self.shared.reader), &key)
            .map_err(|fault| BrokerError::Refused(format!("The log cannot be read: {fault}")));
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
        Durability { words: "every message is on disk before it is acknowledged".into(), warning: None }
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
        let read = move || read_entries(&lock(&shared.reader), from - 1, limit);
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|fault| BrokerError::Refused(format!("The log cannot be read: {fault}")))?
            .map_err(|fault| BrokerError::Refused(format!("The log cannot be read: {fault}")))
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

/// Makes a data folder if it is missing and locks it for this process, until the file is dropped.
pub fn lock_folder(folder: &Path) -> Result<File, OpenError> {
    let in_folder = |source| OpenError::Folder { path: folder.to_owned(), source };
    make_private_folder(folder).map_err(in_folder)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("lock"))
        .map_err(in_folder)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(in_folder(source)),
    }
}

fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn open_file(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;
         PRAGMA cache_size=-4096; PRAGMA foreign_keys=OFF;",
    )?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// The end of the log and the time of its last entry.
type End = (Head, i64);

fn read_head(connection: &Connection) -> rusqlite::Result<Option<End>> {
    connection
        .query_row("SELECT g, link, at FROM entries ORDER BY g DESC LIMIT 1", [], |row| {
            let link: String = row.get(1)?;
            let head = Head { g: row.get::<_, i64>(0)? as u64, link: link.parse().unwrap_or(Hash::ZERO) };
            Ok((head, row.get(2)?))
        })
        .optional()
}

fn read_entries(connection: &Connection, after: u64, limit: usize) -> rusqlite::Result<Vec<Entry>> {
    let mut select = connection
        .prepare_cached("SELECT g, at, rest, body, link FROM entries WHERE g > ?1 ORDER BY g LIMIT ?2")?;
    let rows = select.query_map(params![after as i64, limit as i64], |row| {
        let (g, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (rest, link): (String, String) = (row.get(2)?, row.get(4)?);
        let broken = |column, what: &str| {
            let fault = format!("entry {g} of the log has a broken {what}").into();
            rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, fault)
        };
        Ok(Entry {
            header: Header::parse(g as u64, at, &rest).ok_or_else(|| broken(2, "header"))?,
            body: row.get(3)?,
            link: link.parse().map_err(|_| broken(4, "link"))?,
        })
    })?;
    rows.collect()
}

fn read_secret(connection: &Connection, key: &str) -> rusqlite::Result<Option<Secret>> {
    connection
        .prepare_cached(
            "SELECT value, version FROM secrets WHERE key = ?1 AND (expires IS NULL OR expires > ?2)",
        )?
        .query_row(params![key, now_ms()], |row| {
            Ok(Secret { value: row.get(0)?, version: row.get::<_, i64>(1)? as u64 })
        })
        .optional()
}

/// The one that writes. Replies are sent after the commit that holds what they speak of.
struct Writer {
    connection: Connection,
    clock: Box<dyn FnMut() -> i64 + Send>,
    end: Option<End>,
    shared: Arc<Shared>,
    publish: watch::Sender<Option<Head>>,
    /// A commit failed and the file could not be opened anew: try again before each command.
    broken: bool,
}

/// A reply that waits for the commit.
type Reply = Box<dyn FnOnce(Result<(), &BrokerError>) + Send>;

fn reply_after<T: Send + 'static>(to: oneshot::Sender<Result<T, BrokerError>>, with: T) -> Reply {
    Box::new(move |commit| {
        let _ = to.send(commit.map(|()| with).map_err(Clone::clone));
    })
}

impl Writer {
    fn run(&mut self, waiting: &mpsc::Receiver<Command>) {
        while let Ok(first) = waiting.recv() {
            let mut batch = vec![first];
            batch.extend(waiting.try_iter().take(COMMIT_COMMANDS - 1));
            self.commit(batch);
        }
    }

    fn commit(&mut self, batch: Vec<Command>) {
        if self.broken {
            self.open_anew();
        }
        let before = self.end;
        let mut replies: Vec<Reply> = Vec::with_capacity(batch.len());
        let mut entries: Vec<Entry> = Vec::new();
        let mut erased: Vec<u64> = Vec::new();
        let begun = !self.broken && self.connection.execute_batch("BEGIN IMMEDIATE").is_ok();
        for command in batch {
            let reply = if begun {
                self.carry_out(command, &mut entries, &mut erased)
            } else {
                refuse(command, "The log cannot be written now.")
            };
            replies.push(reply);
        }
        let result = if begun { self.end_commit(!entries.is_empty()) } else { Ok(()) };
        match &result {
            Ok(()) => {
                if !erased.is_empty() {
                    self.forget(&erased);
                }
                if !entries.is_empty() {
                    let mut recent = lock(&self.shared.recent);
                    recent.extend(entries);
                    let over = recent.len().saturating_sub(RECENT_ENTRIES);
                    recent.drain(..over);
                }
            }
            Err(_) => {
                self.end = before;
                self.open_anew();
            }
        }
        // Before the replies: who was answered finds the entry when he follows.
        let head = self.end.map(|(head, _)| head);
        self.publish.send_if_modified(|known| std::mem::replace(known, head) != head);
        for reply in replies {
            reply(result.as_ref().map(|_| ()));
        }
    }

    fn end_commit(&mut self, has_entries: bool) -> Result<(), BrokerError> {
        let planted = if has_entries { self.shared.planted.swap(0, Ordering::SeqCst) } else { 0 };
        let statement = if planted == Fault::LostCommit as u8 { "ROLLBACK" } else { "COMMIT" };
        let done = self.connection.execute_batch(statement);
        if planted != 0 {
            return Err(BrokerError::Unknown("the flush to disk failed".into()));
        }
        done.map_err(|fault| BrokerError::Unknown(format!("the flush to disk failed: {fault}")))
    }

    /// After a failed flush only the file itself can say what it holds.
    fn open_anew(&mut self) {
        self.broken = true;
        lock(&self.shared.recent).clear();
        if let Ok(connection) = open_file(&self.shared.path)
            && let Ok(end) = read_head(&connection)
        {
            self.connection = connection;
            self.end = end;
            self.broken = false;
        }
    }

    fn carry_out(&mut self, command: Command, entries: &mut Vec<Entry>, erased: &mut Vec<u64>) -> Reply {
        match command {
            Command::Create(first, reply) => {
                if self.end.is_some() {
                    let fault = BrokerError::Refused("This log already has a workspace.".into());
                    return Box::new(move |_| drop(reply.send(Err(fault))));
                }
                self.write(vec![first], entries, reply, |head| head)
            }
            Command::Append(batch, reply) => {
                if self.end.is_none() {
                    let fault = BrokerError::Refused("There is no workspace yet.".into());
                    return Box::new(move |_| drop(reply.send(Err(fault))));
                }
                let count = batch.len() as u64;
                self.write(batch, entries, reply, move |head| head.g + 1 - count)
            }
            Command::Erase(numbers, reply) => {
                let newest = self.end.map_or(0, |(head, _)| head.g);
                let kept = numbers.contains(&newest);
                let done = numbers.iter().filter(|g| **g != newest).try_for_each(|g| {
                    let sql = "UPDATE entries SET body = NULL WHERE g = ?1 AND body IS NOT NULL";
                    if self.connection.prepare_cached(sql)?.execute([*g as i64])? > 0 {
                        erased.push(*g);
                    }
                    Ok(())
                });
                reply_with(reply, done.map(|()| !kept))
            }
            Command::Secret(key, op, reply) => reply_with(reply, self.secret(&key, op)),
            Command::Raise(account, raise, reply) => reply_with(reply, self.raise(account, raise)),
        }
    }

    /// Writes a batch inside the open transaction. A statement that fails undoes the batch alone.
    fn write<T: Send + 'static>(
        &mut self,
        batch: Vec<Proposal>,
        entries: &mut Vec<Entry>,
        reply: oneshot::Sender<Result<T, BrokerError>>,
        answer: impl FnOnce(Head) -> T,
    ) -> Reply {
        let (end_before, count_before) = (self.end, entries.len());
        let written = (|| {
            self.connection.execute_batch("SAVEPOINT batch")?;
            for proposal in batch {
                let (head, last_at) = self.end.unwrap_or_default();
                let at = (self.clock)().max(last_at);
                let header = proposal.header(head.g + 1, at);
                debug_assert_eq!(header.digest, digest(&proposal.body));
                let rest = header.rest();
                let link = head.link.then_text(header.g, at, &rest);
                let sql = "INSERT INTO entries(g, at, rest, body, link) VALUES(?1, ?2, ?3, ?4, ?5)";
                self.connection.prepare_cached(sql)?.execute(params![
                    header.g as i64,
                    at,
                    rest,
                    proposal.body,
                    link.to_string()
                ])?;
                self.end = Some((Head { g: header.g, link }, at));
                entries.push(Entry { header, body: Some(proposal.body), link });
            }
            self.connection.execute_batch("RELEASE batch")
        })();
        if written.is_err() {
            let _ = self.connection.execute_batch("ROLLBACK TO batch; RELEASE batch");
            self.end = end_before;
            entries.truncate(count_before);
        }
        let head = self.end.unwrap_or_default().0;
        reply_with(reply, written.map(|()| answer(head)))
    }

    fn secret(&mut self, key: &str, op: SecretOp) -> rusqlite::Result<Option<Secret>> {
        let now = now_ms();
        self.connection
            .prepare_cached("DELETE FROM secrets WHERE key = ?1 AND expires <= ?2")?
            .execute(params![key, now])?;
        let stands = read_secret(&self.connection, key)?;
        match op {
            SecretOp::Get => Ok(stands),
            SecretOp::Delete => {
                self.connection.prepare_cached("DELETE FROM secrets WHERE key = ?1")?.execute([key])?;
                Ok(None)
            }
            SecretOp::Put { value, if_version, expires } => {
                if stands.as_ref().map_or(0, |secret| secret.version) != if_version {
                    return Ok(stands);
                }
                // Versions rise over deletions too, or an old version could match a new secret.
                let version = (now.max(1) as u64).max(if_version + 1);
                self.connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO secrets(key, value, version, expires)
                         VALUES(?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![key, value, version as i64, expires])?;
                Ok(Some(Secret { value, version }))
            }
        }
    }

    fn raise(
        &mut self,
        account: AccountId,
        raise: Vec<(String, Pointer)>,
    ) -> rusqlite::Result<Vec<(String, Pointer)>> {
        for (key, pointer) in raise {
            self.connection
                .prepare_cached(
                    "INSERT INTO registers(account, key, generation, ordinal) VALUES(?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET generation = excluded.generation, ordinal = excluded.ordinal
                     WHERE (excluded.generation, excluded.ordinal) > (generation, ordinal)",
                )?
                .execute(params![account.as_str(), key, pointer.generation as i64, pointer.ordinal as i64])?;
        }
        self.connection
            .prepare_cached("SELECT key, generation, ordinal FROM registers WHERE account = ?1")?
            .query_map([account.as_str()], |row| {
                let pointer = Pointer {
                    generation: row.get::<_, i64>(1)? as u64,
                    ordinal: row.get::<_, i64>(2)? as u64,
                };
                Ok((row.get(0)?, pointer))
            })?
            .collect()
    }

    /// Erased text must go from the write-ahead file and from memory too.
    fn forget(&mut self, erased: &[u64]) {
        for entry in lock(&self.shared.recent).iter_mut() {
            if erased.contains(&entry.header.g) {
                entry.body = None;
            }
        }
        let truncate = |_: &rusqlite::Row<'_>| Ok(());
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], truncate);
    }
}

fn reply_with<T: Send + 'static>(
    reply: oneshot::Sender<Result<T, BrokerError>>,
    done: rusqlite::Result<T>,
) -> Reply {
    match done {
        Ok(value) => reply_after(reply, value),
        Err(fault) => {
            let fault = BrokerError::Refused(format!("The log cannot be written: {fault}"));
            Box::new(move |_| drop(reply.send(Err(fault))))
        }
    }
}

fn refuse(command: Command, why: &str) -> Reply {
    let fault = BrokerError::Refused(why.to_owned());
    match command {
        Command::Create(_, reply) => Box::new(move |_| drop(reply.send(Err(fault)))),
        Command::Append(_, reply) => Box::new(move |_| drop(reply.send(Err(fault)))),
        Command::Erase(_, reply) => Box::new(move |_| drop(reply.send(Err(fault)))),
        Command::Secret(_, _, reply) => Box::new(move |_| drop(reply.send(Err(fault)))),
        Command::Raise(_, _, reply) => Box::new(move |_| drop(reply.send(Err(fault)))),
    }
}
