//! The thread that writes: commits what waits together, and answers after the commit.

use super::fault::{cannot_write, with_remedy};
use super::file::{self, End, Removal};
use super::{Fault, RECENT_ENTRIES, Shared, lock};
use crate::protocol::{AccountId, ClientId, Kind};
use crate::server::broker::waiting::{Place, bytes_of};
use crate::server::broker::{
    BrokerError, Entry, Head, NotErased, Pointer, Proposal, Secret, SecretOp, digest,
};
use crate::server::now_ms;
use rusqlite::{Connection, params};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// Commands that one commit takes together.
const COMMIT_COMMANDS: usize = 512;
/// Expired secrets that one sweep deletes, when the next one is due, and when it is while there are more.
const SWEPT_SECRETS: usize = 500;
const NEXT_SWEEP: Duration = Duration::from_secs(3_600);
const NEXT_PART_OF_SWEEP: Duration = Duration::from_millis(200);
/// The last checkpoint waits so long for those who read the file.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

pub enum Command {
    Create(Proposal, oneshot::Sender<Result<Head, BrokerError>>),
    Append(Vec<Proposal>, oneshot::Sender<Result<u64, BrokerError>>),
    TryAppend(oneshot::Sender<Result<(), BrokerError>>),
    Erase(Vec<Head>, oneshot::Sender<Result<NotErased, BrokerError>>),
    Secret(String, SecretOp, oneshot::Sender<Result<Option<Secret>, BrokerError>>),
    Raise(AccountId, Vec<(String, Pointer)>, oneshot::Sender<Result<Vec<(String, Pointer)>, BrokerError>>),
    /// The last command: later ones are refused.
    Close(oneshot::Sender<Result<(), BrokerError>>),
}

impl Command {
    /// Bytes of bodies in it.
    pub fn bytes(&self) -> usize {
        match self {
            Command::Create(first, _) => bytes_of(std::slice::from_ref(first)),
            Command::Append(batch, _) => bytes_of(batch),
            Command::TryAppend(_)
            | Command::Erase(..)
            | Command::Secret(..)
            | Command::Raise(..)
            | Command::Close(_) => 0,
        }
    }
}

/// What the commands of one transaction have done so far.
#[derive(Default)]
struct Changes {
    entries: Vec<Entry>,
    erased: Vec<u64>,
    /// Why the transaction is gone: then nothing of it may be committed.
    lost: Option<BrokerError>,
}

/// The one that writes. Replies are sent after the commit that holds what they speak of.
pub struct Writer {
    pub connection: Connection,
    pub clock: Box<dyn FnMut() -> i64 + Send>,
    pub end: Option<End>,
    pub shared: Arc<Shared>,
    pub publish: watch::Sender<Option<Head>>,
    /// A commit failed and the file could not be opened anew: try again before each command.
    pub broken: Option<BrokerError>,
    /// The entry with this number was found to have this link; forgotten with the file.
    pub checked_form: Option<Head>,
    /// Who waits for the last checkpoint.
    pub closing: Option<oneshot::Sender<Result<(), BrokerError>>>,
}

/// A reply that waits for the commit.
type Reply = Box<dyn FnOnce(Result<(), &BrokerError>) + Send>;

fn reply_after<T: Send + 'static>(to: oneshot::Sender<Result<T, BrokerError>>, with: T) -> Reply {
    Box::new(move |commit| {
        let _ = to.send(commit.map(|()| with).map_err(Clone::clone));
    })
}

impl Writer {
    pub fn run(&mut self, queue: &mpsc::Receiver<(Command, Place)>) {
        let mut next_sweep = Instant::now();
        loop {
            if next_sweep <= Instant::now() {
                next_sweep += self.sweep();
            }
            let first = match queue.recv_timeout(next_sweep.saturating_duration_since(Instant::now())) {
                Ok(first) => first,
                Err(mpsc::RecvTimeoutError::Timeout) => continue,
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            };
            drop(lock(&self.shared.pause));
            // Their places are free for others as soon as they are taken.
            let waiting = std::iter::once(first).chain(queue.try_iter()).map(|(command, _)| command);
            let batch = waiting.take(COMMIT_COMMANDS).collect();
            self.commit(batch);
            if let Some(reply) = self.closing.take() {
                drop(reply.send(self.close()));
                // Not ended: a part that ends is a fault.
                while let Ok((command, _)) = queue.recv() {
                    refuse(command, BrokerError::Refused("The log has been closed.".into()))(Ok(()));
                }
                return;
            }
        }
    }

    /// Carries everything over into the log's own file and empties what lies beside it.
    fn close(&self) -> Result<(), BrokerError> {
        let checkpoint = || {
            self.connection.busy_timeout(CLOSE_WAIT)?;
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>("busy"))
        };
        match checkpoint() {
            Ok(0) => Ok(()),
            Ok(_) => Err(BrokerError::Refused("another process reads the log".into())),
            Err(fault) => Err(cannot_write(&self.shared.path, &fault)),
        }
    }

    /// Deletes some of the secrets that have ended; gives when to go on. What a sweep takes is bounded, so that no
    /// commit waits long for it.
    fn sweep(&mut self) -> Duration {
        if self.broken.is_some() || self.shared.in_place.check().is_err() {
            return NEXT_SWEEP;
        }
        match file::delete_expired_secrets(&self.connection, SWEPT_SECRETS) {
            Ok(SWEPT_SECRETS) => NEXT_PART_OF_SWEEP,
            Ok(_) => NEXT_SWEEP,
            Err(fault) => {
                let fault = with_remedy(&self.shared.path, &fault);
                tracing::warn!("expired secrets cannot be deleted now; the next try is in an hour: {fault}");
                NEXT_SWEEP
            }
        }
    }

    fn commit(&mut self, batch: Vec<Command>) {
        if self.broken.is_some() {
            self.open_anew();
        }
        let before = self.end;
        let mut replies: Vec<Reply> = Vec::with_capacity(batch.len());
        let mut changes = Changes::default();
        let no_room = self.plant_no_room();
        let begun = self.begin();
        for command in batch {
            let reply = match (&begun, &changes.lost) {
                (Err(fault), _) | (_, Some(fault)) => refuse(command, fault.clone()),
                _ => self.carry_out(command, &mut changes),
            };
            replies.push(reply);
        }
        let result = match (&begun, changes.lost.take()) {
            (Err(_), _) => Ok(()),
            (Ok(()), None) => self.end_commit(!changes.entries.is_empty()),
            (Ok(()), Some(fault)) => Err(fault),
        };
        let result = match result {
            Ok(()) => {
                if !changes.erased.is_empty() {
                    self.forget(&changes.erased);
                }
                if !changes.entries.is_empty() {
                    let mut recent = lock(&self.shared.recent);
                    recent.extend(changes.entries);
                    let over = recent.len().saturating_sub(RECENT_ENTRIES);
                    recent.drain(..over);
                }
                Ok(())
            }
            Err(fault) => {
                self.end = before;
                self.open_anew();
                // Refused promises that nothing is stored: the file must say so.
                match fault {
                    fault @ (BrokerError::Refused(_) | BrokerError::Unready(_))
                        if self.broken.is_some() || self.end != before =>
                    {
                        Err(BrokerError::Unknown(fault.to_string()))
                    }
                    fault => Err(fault),
                }
            }
        };
        if no_room {
            self.limit_pages(u32::MAX.into());
        }
        // Before the replies: who was answered finds the entry when he follows.
        let head = self.end.map(|(head, _)| head);
        self.publish.send_if_modified(|known| std::mem::replace(known, head) != head);
        for reply in replies {
            reply(result.as_ref().map(|_| ()));
        }
    }

    fn begin(&mut self) -> Result<(), BrokerError> {
        if let Some(fault) = &self.broken {
            return Err(fault.clone());
        }
        self.shared.in_place.check()?;
        self.connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(|fault| cannot_write(&self.shared.path, &fault))
    }

    /// Takes the room for new pages if a test has planted that.
    fn plant_no_room(&self) -> bool {
        let (no_room, none) = (Fault::NoRoom as u8, 0);
        let planted = &self.shared.planted;
        let planted = planted.compare_exchange(no_room, none, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if planted {
            let pages = self.connection.pragma_query_value(None, "page_count", |row| row.get(0));
            self.limit_pages(pages.unwrap_or(1));
        }
        planted
    }

    fn limit_pages(&self, pages: i64) {
        let _ = self.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()));
    }

    fn end_commit(&mut self, has_entries: bool) -> Result<(), BrokerError> {
        let planted = if has_entries { self.shared.planted.swap(0, Ordering::SeqCst) } else { 0 };
        let statement = if planted == Fault::LostCommit as u8 { "ROLLBACK" } else { "COMMIT" };
        let moved = planted == Fault::MovedAway as u8;
        if moved {
            let _ = std::fs::rename(&self.shared.path, self.shared.path.with_extension("aside"));
        }
        let done = self.connection.execute_batch(statement);
        if planted != 0 && !moved {
            return Err(BrokerError::Unknown("the flush to disk failed".into()));
        }
        done.map_err(|fault| {
            // A full disk ends the commit before its last page is written. Once that is rolled back, nothing is stored.
            let full = fault.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
            if full && (self.connection.is_autocommit() || self.connection.execute_batch("ROLLBACK").is_ok())
            {
                return cannot_write(&self.shared.path, &fault);
            }
            BrokerError::Unknown(format!("the flush to disk failed: {fault}"))
        })?;
        // It may have gone after the transaction began.
        let in_place = self.shared.in_place.check();
        in_place.map_err(|fault| BrokerError::Unknown(format!("the log went away meanwhile: {fault}")))
    }

    /// After a failed flush only the file itself can say what it holds.
    fn open_anew(&mut self) {
        lock(&self.shared.recent).clear();
        self.checked_form = None;
        let in_place = || self.shared.in_place.check();
        let opened = in_place().and_then(|()| {
            let opened = file::open_again(&self.shared.path)
                .and_then(|connection| Ok((file::read_head(&connection)?, connection)))
                .map_err(|fault| cannot_write(&self.shared.path, &fault))?;
            in_place().map(|()| opened)
        });
        match opened {
            Ok((end, connection)) => {
                self.connection = connection;
                self.end = end;
                self.broken = None;
            }
            Err(fault) => self.broken = Some(fault),
        }
    }

    fn carry_out(&mut self, command: Command, changes: &mut Changes) -> Reply {
        match command {
            Command::Create(first, reply) => {
                if self.end.is_some() {
                    let fault = BrokerError::Refused("This log already has a workspace.".into());
                    return Box::new(move |_| drop(reply.send(Err(fault))));
                }
                self.write(changes, reply, move |writer, changes| writer.append(vec![first], changes))
            }
            Command::Append(batch, reply) => {
                if self.end.is_none() {
                    let fault = BrokerError::Refused("There is no workspace yet.".into());
                    return Box::new(move |_| drop(reply.send(Err(fault))));
                }
                if let Err(fault) = self.check_forms(&batch) {
                    return Box::new(move |_| drop(reply.send(Err(fault))));
                }
                let count = batch.len() as u64;
                self.write(changes, reply, move |writer, changes| {
                    Ok(writer.append(batch, changes)?.g + 1 - count)
                })
            }
            Command::TryAppend(reply) => self.write(changes, reply, |writer, _| writer.try_append()),
            Command::Erase(entries, reply) => {
                self.write(changes, reply, move |writer, changes| writer.erase(&entries, changes))
            }
            Command::Secret(key, op, reply) => {
                self.write(changes, reply, move |writer, _| writer.secret(&key, op))
            }
            Command::Close(reply) => {
                self.closing = Some(reply);
                Box::new(|_| ())
            }
            Command::Raise(account, raise, reply) => {
                self.write(changes, reply, move |writer, _| writer.raise(account, raise))
            }
        }
    }

    /// Carries out one command inside the open transaction. If a statement fails, the command alone is undone; where
    /// that is not possible, the whole transaction is lost.
    fn write<T: Send + 'static>(
        &mut self,
        changes: &mut Changes,
        reply: oneshot::Sender<Result<T, BrokerError>>,
        what: impl FnOnce(&mut Self, &mut Changes) -> rusqlite::Result<T>,
    ) -> Reply {
        let (end_before, entries_before, erased_before) =
            (self.end, changes.entries.len(), changes.erased.len());
        let done = self.run_cached("SAVEPOINT command").and_then(|()| {
            let answer = what(self, changes)?;
            self.run_cached("RELEASE command")?;
            Ok(answer)
        });
        let fault = match done {
            Ok(answer) => return reply_after(reply, answer),
            Err(fault) => cannot_write(&self.shared.path, &fault),
        };
        self.end = end_before;
        changes.entries.truncate(entries_before);
        changes.erased.truncate(erased_before);
        // On a full disk and on some faults of it SQLite has rolled back everything, and what came after would be
        // committed by itself.
        let undo = || self.connection.execute_batch("ROLLBACK TO command; RELEASE command");
        if self.connection.is_autocommit() || undo().is_err() || self.connection.is_autocommit() {
            changes.lost = Some(fault);
            return Box::new(move |commit| {
                let fault = commit.err().cloned();
                drop(
                    reply
                        .send(Err(fault.unwrap_or_else(|| BrokerError::Unknown("the commit failed".into())))),
                );
            });
        }
        Box::new(move |_| drop(reply.send(Err(fault))))
    }

    fn run_cached(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Whether the log has the entry since which it has the form of each proposal.
    fn check_forms(&mut self, batch: &[Proposal]) -> Result<(), BrokerError> {
        for since in batch.iter().filter_map(|proposal| proposal.since) {
            if self.checked_form == Some(since) {
                continue;
            }
            let found = file::read_entries(&self.connection, since.g.saturating_sub(1), 1);
            let found = found.map_err(|fault| cannot_write(&self.shared.path, &fault))?;
            if !found.iter().any(|entry| entry.header.g == since.g && entry.link == since.link) {
                return Err(super::rewritten(since.g));
            }
            self.checked_form = Some(since);
        }
        Ok(())
    }

    fn append(&mut self, batch: Vec<Proposal>, changes: &mut Changes) -> rusqlite::Result<Head> {
        for proposal in batch {
            let (head, last_at) = self.end.unwrap_or_default();
            let at = (self.clock)().max(last_at);
            let header = proposal.header(head.g + 1, at);
            debug_assert_eq!(header.digest, digest(&proposal.body));
            let entry = Entry { link: head.link.then(&header), body: Some(proposal.body), header };
            file::insert(&self.connection, &entry)?;
            self.end = Some((Head { g: entry.header.g, link: entry.link }, at));
            changes.entries.push(entry);
        }
        Ok(self.end.unwrap_or_default().0)
    }

    /// Inserts an entry where the next one will stand, and takes it back.
    fn try_append(&mut self) -> rusqlite::Result<()> {
        let head = self.end.unwrap_or_default().0;
        let proposal = Proposal::new(AccountId::random(), ClientId::random(), Kind::Message, &());
        let header = proposal.header(head.g + 1, 0);
        let entry = Entry { link: head.link.then(&header), body: Some(proposal.body), header };
        self.run_cached("SAVEPOINT trial")?;
        let inserted = file::insert(&self.connection, &entry);
        let undone = self.run_cached("ROLLBACK TO trial").and_then(|()| self.run_cached("RELEASE trial"));
        inserted.and(undone)
    }

    fn erase(&mut self, entries: &[Head], changes: &mut Changes) -> rusqlite::Result<NotErased> {
        let newest = self.end.map(|(head, _)| head);
        let mut left = NotErased::default();
        for entry in entries {
            if Some(*entry) == newest {
                left.newest = true;
                continue;
            }
            match file::remove_body(&self.connection, *entry)? {
                Removal::Removed => changes.erased.push(entry.g),
                Removal::Nothing => {}
                Removal::OtherEntry => left.other.push(entry.g),
            }
        }
        Ok(left)
    }

    fn secret(&mut self, key: &str, op: SecretOp) -> rusqlite::Result<Option<Secret>> {
        let now = now_ms();
        self.connection
            .prepare_cached("DELETE FROM secrets WHERE key = ?1 AND expires <= ?2")?
            .execute(params![key, now])?;
        let stands = file::read_secret(&self.connection, key)?;
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

fn refuse(command: Command, fault: BrokerError) -> Reply {
    match command {
        Command::Create(_, reply) => Box::new(move |_| drop(reply.send(Err(fault)))),
        Command::Append(_, reply) => Box::new(move |_| drop(reply.send(Err(fault)))),
        Command::TryAppend(reply) | Command::Close(reply) => Box::new(move |_| drop(reply.send(Err(fault)))),
        Command::Erase(_, reply) => Box::new(move |_| drop(reply.send(Err(fault)))),
        Command::Secret(_, _, reply) => Box::new(move |_| drop(reply.send(Err(fault)))),
        Command::Raise(_, _, reply) => Box::new(move |_| drop(reply.send(Err(fault)))),
    }
}
