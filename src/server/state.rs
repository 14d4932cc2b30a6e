//! The node's own SQLite file, made by folding the log. It can be deleted at any time: the node folds again.
//!
//! One connection writes (the fold's); any number read. Each read is one transaction, so that rows and the
//! position they are as of agree.

mod directory;
mod drafts;
mod history;
mod pages;
mod rooms;
mod threads;
mod unread;

pub use drafts::KnownDraft;
pub use rooms::RoomHead;
pub(super) use rooms::event_body;
pub use threads::{Above, Following};
pub use unread::{Membership, Named};

use crate::protocol::{AccountId, ClientId, Hash, RoomId};
use rusqlite::{Connection, OptionalExtension};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub const STATE_FILE: &str = "state.sqlite";
/// Raised whenever the tables or the decisions of the fold change: an older file is made anew.
const SCHEMA_VERSION: i64 = 5;
/// Idle reading connections that are kept.
const IDLE_READERS: usize = 8;

const SCHEMA: &str = "
    CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE accounts(id TEXT PRIMARY KEY, name TEXT NOT NULL, handle TEXT NOT NULL, role TEXT NOT NULL,
        status TEXT) WITHOUT ROWID;
    CREATE TABLE rooms(n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, name TEXT NOT NULL,
        topic TEXT NOT NULL, archived INTEGER NOT NULL, creator TEXT NOT NULL, seq INTEGER NOT NULL,
        chain TEXT NOT NULL);
    CREATE TABLE members(room TEXT NOT NULL, account TEXT NOT NULL, joined INTEGER NOT NULL,
        since INTEGER NOT NULL, PRIMARY KEY(room, account)) WITHOUT ROWID;
    CREATE TABLE lanes(room INTEGER NOT NULL, lane INTEGER NOT NULL, head INTEGER NOT NULL,
        newest INTEGER NOT NULL, PRIMARY KEY(room, lane)) WITHOUT ROWID;
    CREATE TABLE drafts(id BLOB PRIMARY KEY, author TEXT NOT NULL, g INTEGER NOT NULL, refused TEXT,
        seq INTEGER, ordinal INTEGER, salt TEXT, same BLOB) WITHOUT ROWID;
    CREATE TABLE doubles(id BLOB NOT NULL, g INTEGER NOT NULL, PRIMARY KEY(id, g)) WITHOUT ROWID;
    CREATE TABLE events(room INTEGER NOT NULL, seq INTEGER NOT NULL, g INTEGER NOT NULL, at INTEGER NOT NULL,
        rest TEXT NOT NULL, chain TEXT NOT NULL, lane INTEGER NOT NULL, ordinal INTEGER, json TEXT,
        also_lane INTEGER, also_ordinal INTEGER, PRIMARY KEY(room, seq)) WITHOUT ROWID;
    CREATE TABLE rows(room INTEGER NOT NULL, lane INTEGER NOT NULL, ordinal INTEGER NOT NULL, id BLOB NOT NULL,
        author TEXT NOT NULL, deleted INTEGER NOT NULL, pinned INTEGER NOT NULL, row TEXT NOT NULL,
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
    CREATE INDEX mentions_of ON mentions(account, g);
    CREATE INDEX mentions_in ON mentions(room, lane, account, ordinal);
    CREATE TABLE to_erase(id BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;";

/// The file and its readers.
pub struct State {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

/// A page or events could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("there is no such room or message here")]
    NotFound,
    #[error("the state file cannot be read: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the state file holds something unreadable: {0}")]
    Broken(#[from] serde_json::Error),
}

impl State {
    /// Opens the file for writing, anew if it is missing, older, or `usable` says that it does not fit the log.
    pub fn open(
        folder: &Path,
        usable: impl FnOnce(u64, Hash) -> bool,
    ) -> rusqlite::Result<(State, Connection)> {
        let path = folder.join(STATE_FILE);
        let connection = match open_existing(&path) {
            Some(connection) => {
                let (g, link) = folded(&connection)?;
                if usable(g, link) {
                    connection
                } else {
                    drop(connection);
                    open_new(&path)?
                }
            }
            None => open_new(&path)?,
        };
        Ok((State { path, idle: Mutex::new(Vec::new()) }, connection))
    }

    /// Reads of a room what a member of it may read, in one transaction: whether the account is a member is asked as of
    /// the entry that what is read is as of. The Directory of a moment ago would not do: it is published after the file.
    pub fn read_as<T>(
        &self,
        (account, room): (AccountId, RoomId),
        what: impl FnOnce(&Reader<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        self.read(|state| {
            state.membership(room, account)?;
            what(state)
        })
    }

    /// Reads in one transaction.
    pub fn read<T>(&self, what: impl FnOnce(&Reader<'_>) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = idle().pop();
        let connection = match connection {
            Some(connection) => connection,
            None => open_file(&self.path)?,
        };
        connection.execute_batch("BEGIN")?;
        let answer = what(&Reader { db: &connection });
        connection.execute_batch("COMMIT")?;
        let mut idle = idle();
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
        answer
    }
}

fn open_file(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    // Not flushed at each commit: the log is, and this file is made from it.
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;
         PRAGMA cache_size=-2048;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn open_existing(path: &Path) -> Option<Connection> {
    if !path.exists() {
        return None;
    }
    let connection = open_file(path).ok()?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).ok()?;
    (version == SCHEMA_VERSION).then_some(connection)
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
