//! The node's own SQLite file, made by folding the log. It can be deleted at any time: the node folds again.
//!
//! One connection writes (the fold's); any number read. Each read is one transaction, so that rows and the
//! position they are as of agree. A read on behalf of an account goes through [`State::enter`] (one room) or
//! [`State::scope`] (all of its rooms).

mod any_version;
mod checks;
mod deletions;
mod directory;
mod drafts;
mod due;
mod erasable;
mod events;
mod floor;
mod history;
mod member;
mod pages;
mod room_events;
mod rooms;
mod scope;
mod sign_ups;
mod subscription;
mod threads;
mod unread;

pub use any_version::{AnyVersion, StateFault, erase_in_aside};
pub use checks::Checks;
pub use deletions::{Deletion, Undo};
pub use drafts::KnownDraft;
pub use due::{DueEntry, DueMessage};
pub use events::Events;
pub use floor::Floor;
pub use member::Member;
pub use room_events::Text;
pub(super) use room_events::{
    event_body, message_of_text, put_parts, show_again, target_of, text_of, withhold,
};
pub use rooms::RoomHead;
pub use scope::Scope;
pub use sign_ups::JoinToCome;
pub use subscription::Subscription;
pub use threads::{Above, Following};
pub use unread::{Membership, Named};

use super::readiness::{Unready, UnreadyState};
use crate::protocol::{ClientId, Hash, NewerFormat};
use crate::server::remedy::{is_corrupt, is_unreadable};
use crate::server::{damaged_files, private_files, statements};
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, OptionalExtension};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

pub const STATE_FILE: &str = "state.sqlite";
/// Says that damage was found while the file was open: the next start sets it aside.
const DAMAGE_MARK: &str = "state.sqlite.damage-found";
/// Raised whenever the tables change or a format is added: a file of another version is made anew.
pub const SCHEMA_VERSION: i64 = 8;
/// A statement waits so long for another connection.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Idle reading connections that are kept.
const IDLE_READERS: usize = 8;

const SCHEMA: &str = "
    CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE formats(g INTEGER PRIMARY KEY, format INTEGER NOT NULL);
    CREATE TABLE accounts(id TEXT PRIMARY KEY, g INTEGER NOT NULL, name TEXT NOT NULL, handle TEXT NOT NULL, role TEXT NOT NULL,
        status TEXT) WITHOUT ROWID;
    CREATE TABLE rooms(n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, name TEXT NOT NULL,
        key TEXT NOT NULL, topic TEXT NOT NULL, archived INTEGER NOT NULL, creator TEXT NOT NULL,
        seq INTEGER NOT NULL, chain TEXT NOT NULL);
    CREATE TABLE members(room TEXT NOT NULL, account TEXT NOT NULL, joined INTEGER NOT NULL,
        since INTEGER NOT NULL, floor INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(room, account)) WITHOUT ROWID;
    CREATE TABLE lanes(room INTEGER NOT NULL, lane INTEGER NOT NULL, head INTEGER NOT NULL,
        newest INTEGER NOT NULL, PRIMARY KEY(room, lane)) WITHOUT ROWID;
    CREATE TABLE drafts(id BLOB PRIMARY KEY, author TEXT NOT NULL, g INTEGER NOT NULL, refused TEXT,
        seq INTEGER, ordinal INTEGER, salt TEXT, same BLOB, words BLOB) WITHOUT ROWID;
    CREATE TABLE doubles(id BLOB NOT NULL, g INTEGER NOT NULL, PRIMARY KEY(id, g)) WITHOUT ROWID;
    CREATE TABLE events(room INTEGER NOT NULL, seq INTEGER NOT NULL, g INTEGER NOT NULL, at INTEGER NOT NULL,
        rest TEXT NOT NULL, chain TEXT NOT NULL, lane INTEGER NOT NULL, ordinal INTEGER, json TEXT,
        also_lane INTEGER, also_ordinal INTEGER, head TEXT, restores INTEGER, PRIMARY KEY(room, seq)) WITHOUT ROWID;
    CREATE INDEX events_by_g ON events(g);
    CREATE INDEX drafts_by_g ON drafts(g);
    CREATE TABLE rows(room INTEGER NOT NULL, lane INTEGER NOT NULL, ordinal INTEGER NOT NULL, id BLOB NOT NULL,
        author TEXT NOT NULL, deleted INTEGER NOT NULL, imported INTEGER NOT NULL, pinned INTEGER NOT NULL,
        writer INTEGER NOT NULL, row TEXT NOT NULL,
        PRIMARY KEY(room, lane, ordinal)) WITHOUT ROWID;
    CREATE UNIQUE INDEX rows_by_id ON rows(id);
    CREATE INDEX rows_pinned ON rows(room, ordinal) WHERE pinned AND lane = 0;
    CREATE TABLE also(room INTEGER NOT NULL, lane INTEGER NOT NULL, ordinal INTEGER NOT NULL, id BLOB NOT NULL,
        PRIMARY KEY(room, lane, ordinal)) WITHOUT ROWID;
    CREATE TABLE followers(account TEXT NOT NULL, room INTEGER NOT NULL, lane INTEGER NOT NULL,
        ordinal INTEGER NOT NULL, wrote INTEGER NOT NULL, named INTEGER NOT NULL,
        PRIMARY KEY(account, room, lane, ordinal)) WITHOUT ROWID;
    CREATE INDEX followers_named ON followers(room, lane, ordinal) WHERE NOT wrote;
    CREATE TABLE acts(target BLOB NOT NULL, room INTEGER NOT NULL, seq INTEGER NOT NULL,
        PRIMARY KEY(target, room, seq)) WITHOUT ROWID;
    CREATE TABLE mentions(room INTEGER NOT NULL, lane INTEGER NOT NULL, ordinal INTEGER NOT NULL,
        account TEXT NOT NULL, author TEXT NOT NULL, g INTEGER NOT NULL,
        PRIMARY KEY(room, lane, ordinal, account)) WITHOUT ROWID;
    CREATE TABLE named(room INTEGER NOT NULL, lane INTEGER NOT NULL, ordinal INTEGER NOT NULL,
        account TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(room, lane, ordinal, account)) WITHOUT ROWID;
    CREATE INDEX named_of ON named(account, room, seq);
    CREATE INDEX mentions_of ON mentions(account, g);
    CREATE INDEX mentions_in ON mentions(room, lane, account, ordinal);
    CREATE TABLE deletions(id BLOB PRIMARY KEY, g INTEGER NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL,
        by_others INTEGER NOT NULL, by_operator INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE erased(id BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE erasable(g INTEGER PRIMARY KEY, text INTEGER NOT NULL, part_of BLOB, since INTEGER,
        erased INTEGER);
    CREATE INDEX erasable_parts ON erasable(part_of, since) WHERE part_of IS NOT NULL;
    CREATE INDEX erasable_replaced ON erasable(since)
        WHERE erased IS NULL AND text AND part_of IS NOT NULL AND since IS NOT NULL;
    CREATE INDEX erasable_since ON erasable(since) WHERE erased IS NULL AND (NOT text OR part_of IS NULL);
    CREATE INDEX erasable_gone ON erasable(g) WHERE erased IS NOT NULL;
    CREATE TABLE erasures(g INTEGER NOT NULL, n INTEGER NOT NULL, id BLOB NOT NULL,
        PRIMARY KEY(g, n)) WITHOUT ROWID;
    CREATE TABLE joins_to_come(id BLOB PRIMARY KEY, g INTEGER NOT NULL, step INTEGER NOT NULL, at INTEGER NOT NULL,
        author TEXT NOT NULL, account TEXT NOT NULL, room TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE to_erase(id BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;";

/// The file and its readers.
pub struct State {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    /// What was found in a file that is damaged.
    damage: OnceLock<String>,
    trace: OnceLock<Trace>,
}

/// Called when a statement begins and when it ends.
pub type Trace = fn(TraceEvent<'_>);
/// What it is called with.
pub(super) const TRACED: TraceEventCodes =
    TraceEventCodes::SQLITE_TRACE_STMT.union(TraceEventCodes::SQLITE_TRACE_PROFILE);

/// A page or events could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("there is no such room or message here")]
    NotFound,
    #[error("the state file cannot be read: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the state file holds something unreadable: {0}")]
    Broken(#[from] serde_json::Error),
    /// A later version has written the file: its decisions are not those of this version.
    #[error(transparent)]
    Newer(#[from] NewerFormat),
}

impl ReadError {
    /// Whether the file holds what nobody wrote, as far as a start can tell.
    pub(super) fn is_unreadable(&self) -> bool {
        match self {
            ReadError::NotFound => false,
            ReadError::Sqlite(fault) => is_unreadable(fault),
            ReadError::Broken(_) | ReadError::Newer(_) => true,
        }
    }
}

impl State {
    /// Opens the file for writing, anew if it is missing, older, or `usable` says that it does not fit the log.
    pub fn open(
        folder: &Path,
        usable: impl FnOnce(u64, Hash) -> bool,
    ) -> rusqlite::Result<(State, Connection)> {
        let path = folder.join(STATE_FILE);
        let mark = folder.join(DAMAGE_MARK);
        let existing = match std::fs::read_to_string(&mark) {
            Ok(why) => {
                set_aside_or_delete(folder, why.trim());
                let _ = std::fs::remove_file(&mark);
                None
            }
            Err(_) => match open_existing(&path) {
                Ok(existing) => existing,
                Err(fault) if is_unreadable(&fault) => {
                    set_aside_or_delete(folder, &fault.to_string());
                    None
                }
                Err(fault) => return Err(fault),
            },
        };
        let existing = existing.and_then(|(connection, (g, link))| usable(g, link).then_some(connection));
        let connection = match existing {
            Some(connection) => connection,
            None => open_new(&path)?,
        };
        Ok((
            State { path, idle: Mutex::default(), damage: OnceLock::new(), trace: OnceLock::new() },
            connection,
        ))
    }

    /// Takes a fault of a read or of the fold. Damage of the file stays: it is kept until a restart mends it.
    pub(super) fn note_fault(&self, fault: &ReadError) {
        let ReadError::Sqlite(fault) = fault else { return };
        if !is_corrupt(fault) || self.damage.set(fault.to_string()).is_err() {
            return;
        }
        tracing::error!("{}", Unready::new(UnreadyState::StateDamaged, fault));
        let mark = self.path.with_file_name(DAMAGE_MARK);
        let marked =
            private_files::write(&mark, fault.to_string().as_bytes()).and_then(|file| file.sync_all());
        if let Err(fault) = marked {
            let file = mark.display();
            tracing::error!(%file, %fault, "the damage cannot be noted: delete {STATE_FILE} before the restart");
        }
    }

    /// Why the file cannot be relied on.
    pub(super) fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// Reads anything, for nobody in particular. For tests: the server uses [`State::enter`] and [`State::scope`].
    pub fn read_anything<T>(
        &self,
        what: impl FnOnce(&Reader<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        self.read(what)
    }

    /// Reads in one transaction.
    fn read<T>(&self, what: impl FnOnce(&Reader<'_>) -> Result<T, ReadError>) -> Result<T, ReadError> {
        self.read_once(what).inspect_err(|fault| self.note_fault(fault))
    }

    fn read_once<T>(&self, what: impl FnOnce(&Reader<'_>) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = idle().pop();
        let connection = match connection {
            Some(connection) => connection,
            None => self.open_reader()?,
        };
        connection.prepare_cached("BEGIN")?.execute([])?;
        let answer = what(&Reader { db: &connection });
        connection.prepare_cached("COMMIT")?.execute([])?;
        let mut idle = idle();
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
        answer
    }

    fn open_reader(&self) -> rusqlite::Result<Connection> {
        let connection = open_file(&self.path)?;
        if let Some(trace) = self.trace.get() {
            connection.trace_v2(TRACED, Some(*trace));
        }
        Ok(connection)
    }

    /// Reports every statement that readers run from now on, when it begins and when it ends. For tests.
    pub fn trace_readers(&self, trace: Trace) {
        if self.trace.set(trace).is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

fn open_file(path: &Path) -> rusqlite::Result<Connection> {
    private_files::prepare_database(path);
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Not flushed at each commit: the log is, and this file is made from it.
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;
         PRAGMA cache_size=-2048;",
    )?;
    statements::keep(&connection, 64)?;
    Ok(connection)
}

/// The file as it is, and how far it has folded the log; none if it is missing or of another version.
fn open_existing(path: &Path) -> rusqlite::Result<Option<(Connection, (u64, Hash))>> {
    if !path.exists() {
        return Ok(None);
    }
    let connection = open_file(path)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != SCHEMA_VERSION {
        return Ok(None);
    }
    let at = folded(&connection)?;
    Ok(Some((connection, at)))
}

/// Takes a damaged file out of the way: it is made from the log and can be made again.
pub(super) fn set_aside(folder: &Path, why: &str) -> std::io::Result<()> {
    // It may be aside already.
    let Some(aside) = damaged_files::set_aside(folder, STATE_FILE)? else { return Ok(()) };
    tracing::warn!(
        why,
        "{STATE_FILE} is damaged: it is now {aside}, and the log is folded again. Look at the disk and its cables; delete {aside} when you no longer need it"
    );
    Ok(())
}

/// As [`set_aside`], where the file is of no more use: one that cannot be renamed is deleted.
pub(super) fn set_aside_or_delete(folder: &Path, why: &str) {
    if let Err(fault) = set_aside(folder, why) {
        tracing::warn!(%fault, why, "{STATE_FILE} is damaged and cannot be renamed: it is deleted, and the log is folded again");
    }
}

fn open_new(path: &Path) -> rusqlite::Result<Connection> {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let _ = std::fs::remove_file(name);
    }
    let connection = open_file(path)?;
    connection.execute_batch(&format!("BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"))?;
    Ok(connection)
}

/// How far the file has folded the log.
pub(super) fn folded(db: &Connection) -> rusqlite::Result<(u64, Hash)> {
    let g = meta(db, "g")?.and_then(|g| g.parse().ok()).unwrap_or(0);
    let link = meta(db, "link")?.and_then(|link| link.parse().ok()).unwrap_or_default();
    Ok((g, link))
}

pub(super) fn meta(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()
}

/// A text column that must be of a form that we wrote ourselves.
fn parsed<T: std::str::FromStr>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| {
        let fault = format!("column {column} holds {text:?}").into();
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, fault)
    })
}

fn number(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)? as u64)
}

/// A number for a statement. None that we stored is larger than SQLite's integers; one that came from outside must not
/// turn negative.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn client_id(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<ClientId> {
    Ok(ClientId::from_bytes(row.get(column)?))
}

/// One reading transaction, or the fold's writing one.
pub struct Reader<'a> {
    pub(super) db: &'a Connection,
}

impl Reader<'_> {
    pub fn folded(&self) -> Result<(u64, Hash), ReadError> {
        Ok(folded(self.db)?)
    }
}
