//! The node's own SQLite file, made by folding the log. It can be deleted at any time: the node folds again.
//!
//! One connection writes (the fold's); any number read. Each read is one transaction, so that rows and the
//! position they are as of agree.

use super::directory::{Account, Directory, Room, Workspace};
use crate::protocol::frame::{Badge, RoomKind};
use crate::protocol::{
    AccountId, ClientId, Event, EventBody, Hash, Header, Kind, Outcome, Page, PageAt, Position, Refusal,
    RoomId, Row, Slot, bounds,
};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub const STATE_FILE: &str = "state.sqlite";
/// Raised whenever the tables or the decisions of the fold change: an older file is made anew.
const SCHEMA_VERSION: i64 = 1;
/// Idle reading connections that are kept.
const IDLE_READERS: usize = 8;

const SCHEMA: &str = "
    CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE accounts(id TEXT PRIMARY KEY, name TEXT NOT NULL, handle TEXT NOT NULL, role TEXT NOT NULL)
        WITHOUT ROWID;
    CREATE TABLE rooms(n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, name TEXT NOT NULL,
        topic TEXT NOT NULL, archived INTEGER NOT NULL, seq INTEGER NOT NULL, chain TEXT NOT NULL);
    CREATE TABLE members(room TEXT NOT NULL, account TEXT NOT NULL, PRIMARY KEY(room, account)) WITHOUT ROWID;
    CREATE TABLE lanes(room INTEGER NOT NULL, lane INTEGER NOT NULL, head INTEGER NOT NULL,
        PRIMARY KEY(room, lane)) WITHOUT ROWID;
    CREATE TABLE drafts(id BLOB PRIMARY KEY, author TEXT NOT NULL, g INTEGER NOT NULL, refused TEXT,
        seq INTEGER, ordinal INTEGER, salt TEXT, same BLOB) WITHOUT ROWID;
    CREATE TABLE doubles(id BLOB NOT NULL, g INTEGER NOT NULL, PRIMARY KEY(id, g)) WITHOUT ROWID;
    CREATE TABLE events(room INTEGER NOT NULL, seq INTEGER NOT NULL, g INTEGER NOT NULL, at INTEGER NOT NULL,
        rest TEXT NOT NULL, chain TEXT NOT NULL, lane INTEGER NOT NULL, ordinal INTEGER, json TEXT,
        PRIMARY KEY(room, seq)) WITHOUT ROWID;
    CREATE TABLE rows(room INTEGER NOT NULL, lane INTEGER NOT NULL, ordinal INTEGER NOT NULL, id BLOB NOT NULL,
        author TEXT NOT NULL, deleted INTEGER NOT NULL, row TEXT NOT NULL,
        PRIMARY KEY(room, lane, ordinal)) WITHOUT ROWID;
    CREATE UNIQUE INDEX rows_by_id ON rows(id);
    CREATE TABLE acts(target BLOB NOT NULL, room INTEGER NOT NULL, seq INTEGER NOT NULL,
        PRIMARY KEY(target, room, seq)) WITHOUT ROWID;
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

pub(super) fn client_id(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<ClientId> {
    Ok(ClientId::from_bytes(row.get(column)?))
}

/// What is known of a proposal: the fold's answer and how to tell the same draft from another one.
pub struct KnownDraft {
    pub author: AccountId,
    pub outcome: Outcome,
    pub salt: Option<String>,
    pub same: Option<Vec<u8>>,
}

/// Where a room stands, with its number in this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomHead {
    pub n: i64,
    pub seq: u64,
    pub chain: Hash,
}

/// One reading transaction, or the fold's writing one.
pub struct Reader<'a> {
    pub(super) db: &'a Connection,
}

impl Reader<'_> {
    pub fn folded(&self) -> Result<(u64, Hash), ReadError> {
        Ok(folded(self.db)?)
    }

    pub fn draft(&self, id: ClientId) -> Result<Option<KnownDraft>, ReadError> {
        let sql = "SELECT author, g, refused, seq, ordinal, salt, same FROM drafts WHERE id = ?1";
        let known = self.db.prepare_cached(sql)?.query_row([id.as_bytes()], |row| {
            let refused: Option<String> = row.get(2)?;
            let outcome = match refused {
                Some(why) => Outcome::Refused { why: refusal(&why) },
                None => Outcome::Stored {
                    g: number(row, 1)?,
                    seq: row.get::<_, Option<i64>>(3)?.map(|seq| seq as u64),
                    ordinal: row.get::<_, Option<i64>>(4)?.map(|ordinal| ordinal as u64),
                },
            };
            Ok(KnownDraft { author: parsed(row, 0)?, outcome, salt: row.get(5)?, same: row.get(6)? })
        });
        Ok(known.optional()?)
    }

    pub fn room_head(&self, room: RoomId) -> Result<RoomHead, ReadError> {
        self.db
            .prepare_cached("SELECT n, seq, chain FROM rooms WHERE id = ?1")?
            .query_row([room.as_str()], |row| {
                Ok(RoomHead { n: row.get(0)?, seq: number(row, 1)?, chain: parsed(row, 2)? })
            })
            .optional()?
            .ok_or(ReadError::NotFound)
    }

    /// The chain after a seq of a room; `None` if the room has not come so far.
    pub fn chain_at(&self, room: &RoomHead, seq: u64) -> Result<Option<Hash>, ReadError> {
        if seq == 0 {
            return Ok(Some(Hash::ZERO));
        }
        Ok(self
            .db
            .prepare_cached("SELECT chain FROM events WHERE room = ?1 AND seq = ?2")?
            .query_row(params![room.n, seq as i64], |row| parsed(row, 0))
            .optional()?)
    }

    /// Events `after < seq <= to`, in order.
    pub fn events(&self, room: &RoomHead, after: u64, to: u64) -> Result<Vec<Arc<Event>>, ReadError> {
        let sql = "SELECT seq, g, at, rest, chain, lane, ordinal, json FROM events
                   WHERE room = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq";
        let mut select = self.db.prepare_cached(sql)?;
        let mut rows = select.query(params![room.n, after as i64, to.min(i64::MAX as u64) as i64])?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            let rest: String = row.get(3)?;
            let header = Header::parse(number(row, 1)?, row.get(2)?, &rest).ok_or(ReadError::NotFound)?;
            let json: Option<String> = row.get(7)?;
            let body = json.as_deref().and_then(|json| event_body(&header.kind, json));
            events.push(Arc::new(Event {
                seq: number(row, 0)?,
                chain: parsed(row, 4)?,
                lane: number(row, 5)?,
                ordinal: row.get::<_, Option<i64>>(6)?.map(|ordinal| ordinal as u64),
                header,
                body,
            }));
        }
        Ok(events)
    }

    pub fn lane_head(&self, room: &RoomHead, lane: u64) -> Result<u64, ReadError> {
        Ok(self
            .db
            .prepare_cached("SELECT head FROM lanes WHERE room = ?1 AND lane = ?2")?
            .query_row(params![room.n, lane as i64], |row| number(row, 0))
            .optional()?
            .unwrap_or(0))
    }

    /// A message wherever it stands.
    pub fn row(&self, id: ClientId) -> Result<Option<(i64, Row)>, ReadError> {
        let found: Option<(i64, String)> = self
            .db
            .prepare_cached("SELECT room, row FROM rows WHERE id = ?1")?
            .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(match found {
            Some((room, json)) => Some((room, serde_json::from_str(&json)?)),
            None => None,
        })
    }

    fn rows_between(
        &self,
        room: &RoomHead,
        lane: u64,
        (from, to): (u64, u64),
    ) -> Result<Vec<Arc<Row>>, ReadError> {
        let sql = "SELECT row FROM rows WHERE room = ?1 AND lane = ?2 AND ordinal BETWEEN ?3 AND ?4
                   ORDER BY ordinal";
        let mut select = self.db.prepare_cached(sql)?;
        let mut rows = select.query(params![room.n, lane as i64, from as i64, to as i64])?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            let json = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            out.push(Arc::new(serde_json::from_str(json)?));
        }
        Ok(out)
    }

    /// Rows of a lane with the position that they are as of.
    pub fn page(
        &self,
        epoch: crate::protocol::WorkspaceId,
        room: RoomId,
        lane: u64,
        at: PageAt,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let head = self.room_head(room)?;
        let newest = self.lane_head(&head, lane)?;
        let limit = limit.clamp(1, bounds::PAGE_ROWS) as u64;
        let span = match at {
            PageAt::Newest => (newest.saturating_sub(limit - 1), newest),
            PageAt::Before(ordinal) => {
                let to = ordinal.saturating_sub(1).min(newest);
                (to.saturating_sub(limit - 1), to)
            }
            PageAt::After(ordinal) => {
                let from = ordinal.saturating_add(1);
                (from, newest.min(ordinal.saturating_add(limit)))
            }
            PageAt::Around(ordinal) => {
                let to = ordinal.saturating_add(limit / 2).min(newest);
                (to.saturating_sub(limit - 1), to)
            }
        };
        let (from, to) = (span.0.max(1), span.1);
        let rows = if from <= to { self.rows_between(&head, lane, (from, to))? } else { Vec::new() };
        let mut quotes = BTreeMap::new();
        for quoted in rows.iter().filter_map(|row| row.quote) {
            if !quotes.contains_key(&quoted)
                && let Some((n, row)) = self.row(quoted)?
                && n == head.n
            {
                quotes.insert(quoted, crate::timeline::quote_of(&row));
            }
        }
        let as_of = Position { epoch, seq: head.seq, chain: head.chain };
        Ok(Page { room, lane, as_of, head: newest, rows, quotes })
    }

    /// Messages of a lane above an ordinal, by others, not deleted: exact to 99, 100 means more.
    pub fn badge(&self, room: RoomId, lane: u64, me: AccountId, above: u64) -> Result<Badge, ReadError> {
        let head = self.room_head(room)?;
        let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM rows WHERE room = ?1 AND lane = ?2 AND ordinal > ?3
                   AND author <> ?4 AND deleted = 0 LIMIT ?5)";
        let limit = i64::from(bounds::UNREAD_EXACT) + 1;
        let unread: i64 = self
            .db
            .prepare_cached(sql)?
            .query_row(params![head.n, lane as i64, above as i64, me.as_str(), limit], |row| row.get(0))?;
        Ok(Badge { unread: u32::try_from(unread).unwrap_or(0), mentions: 0, read: above })
    }

    /// Numbers of the log's entries that hold text of a message: its own, its edits', its doubles'.
    pub fn entries_of_message(&self, id: ClientId) -> Result<Vec<u64>, ReadError> {
        let sql = "SELECT e.g, e.at, e.rest, e.json FROM acts a
                   JOIN events e ON e.room = a.room AND e.seq = a.seq WHERE a.target = ?1";
        let mut select = self.db.prepare_cached(sql)?;
        let mut rows = select.query([id.as_bytes()])?;
        let mut ids = vec![id];
        while let Some(row) = rows.next()? {
            let rest: String = row.get(2)?;
            let Some(header) = Header::parse(number(row, 0)?, row.get(1)?, &rest) else { continue };
            let json: Option<String> = row.get(3)?;
            let restores = json.is_some_and(|json| json.contains("\"restored\""));
            match header.slot.as_ref().and_then(|slot| Slot::parse(slot.as_str())) {
                Some(Slot::Text) => ids.push(header.client_id),
                Some(Slot::Deleted) if restores => ids.push(header.client_id),
                _ => {}
            }
        }
        let sql = "SELECT g FROM drafts WHERE id = ?1 UNION SELECT g FROM doubles WHERE id = ?1";
        let mut select = self.db.prepare_cached(sql)?;
        let mut entries = Vec::new();
        for id in ids {
            let rows = select.query_map([id.as_bytes()], |row| number(row, 0))?;
            entries.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
        }
        Ok(entries)
    }

    /// Deleted messages whose text is due to go.
    pub fn due_to_erase(&self, before: i64) -> Result<Vec<ClientId>, ReadError> {
        let mut select = self.db.prepare_cached("SELECT id FROM to_erase WHERE at < ?1")?;
        let rows = select.query_map([before], |row| client_id(row, 0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    pub(super) fn directory(&self) -> Result<Directory, ReadError> {
        let mut directory = Directory::default();
        if let (Some(id), Some(name)) = (meta(self.db, "workspace")?, meta(self.db, "name")?) {
            directory.workspace = id.parse().ok().map(|id| Workspace { id, name });
        }
        let mut select = self.db.prepare("SELECT id, name, handle, role FROM accounts")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let role: String = row.get(3)?;
            let role = serde_json::from_str(&role)?;
            let account = Account { id: parsed(row, 0)?, name: row.get(1)?, handle: row.get(2)?, role };
            directory.handles.insert(account.handle.clone(), account.id);
            directory.accounts.insert(account.id, Arc::new(account));
        }
        let mut select = self.db.prepare("SELECT id, kind, name, topic, archived FROM rooms")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let kind: String = row.get(1)?;
            let kind: RoomKind = serde_json::from_str(&kind)?;
            let room = Room {
                id: parsed(row, 0)?,
                kind,
                name: row.get(2)?,
                topic: row.get(3)?,
                archived: row.get(4)?,
                members: Default::default(),
            };
            directory.rooms.insert(room.id, Arc::new(room));
        }
        let mut select = self.db.prepare("SELECT room, account FROM members")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            directory.add_member(parsed(row, 0)?, parsed(row, 1)?);
        }
        Ok(directory)
    }
}

fn refusal(text: &str) -> Refusal {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).unwrap_or(Refusal::Other)
}

/// The body of an event from its JSON; `None` if it is not of its kind's form.
pub(super) fn event_body(kind: &Kind, json: &str) -> Option<EventBody> {
    match kind {
        Kind::Message => serde_json::from_str(json).ok().map(EventBody::Message),
        Kind::Act => serde_json::from_str(json).ok().map(EventBody::Act),
        _ => serde_json::from_str(json).ok().map(EventBody::Other),
    }
}
