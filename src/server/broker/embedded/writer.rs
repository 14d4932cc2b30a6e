//! The thread that writes: commits what waits together, and answers after the commit.

use super::file::{self, End};
use super::{Fault, RECENT_ENTRIES, Shared, lock};
use crate::protocol::AccountId;
use crate::server::broker::{BrokerError, Entry, Head, Pointer, Proposal, Secret, SecretOp, digest};
use crate::server::now_ms;
use rusqlite::{Connection, params};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use tokio::sync::{oneshot, watch};

/// Commands that one commit takes together.
const COMMIT_COMMANDS: usize = 512;

pub enum Command {
    Create(Proposal, oneshot::Sender<Result<Head, BrokerError>>),
    Append(Vec<Proposal>, oneshot::Sender<Result<u64, BrokerError>>),
    Erase(Vec<u64>, oneshot::Sender<Result<bool, BrokerError>>),
    Secret(String, SecretOp, oneshot::Sender<Result<Option<Secret>, BrokerError>>),
    Raise(AccountId, Vec<(String, Pointer)>, oneshot::Sender<Result<Vec<(String, Pointer)>, BrokerError>>),
}

/// The one that writes. Replies are sent after the commit that holds what they speak of.
pub struct Writer {
    pub connection: Connection,
    pub clock: Box<dyn FnMut() -> i64 + Send>,
    pub end: Option<End>,
    pub shared: Arc<Shared>,
    pub publish: watch::Sender<Option<Head>>,
    /// A commit failed and the file could not be opened anew: try again before each command.
    pub broken: bool,
}

/// A reply that waits for the commit.
type Reply = Box<dyn FnOnce(Result<(), &BrokerError>) + Send>;

fn reply_after<T: Send + 'static>(to: oneshot::Sender<Result<T, BrokerError>>, with: T) -> Reply {
    Box::new(move |commit| {
        let _ = to.send(commit.map(|()| with).map_err(Clone::clone));
    })
}

impl Writer {
    pub fn run(&mut self, waiting: &mpsc::Receiver<Command>) {
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
        if let Ok(connection) = file::open(&self.shared.path)
            && let Ok(end) = file::read_head(&connection)
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
                let entry = Entry { link: head.link.then(&header), body: Some(proposal.body), header };
                file::insert(&self.connection, &entry)?;
                self.end = Some((Head { g: entry.header.g, link: entry.link }, at));
                entries.push(entry);
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
