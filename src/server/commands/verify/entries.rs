//! Entries as they are stored, before anything of them is believed.

use crate::protocol::Header;
use crate::server::broker::Entry;
use crate::server::broker::embedded::LOG_FILE;
use crate::server::broker::moving::Moved;
use crate::server::broker::redis::{KeptEntry, RawStore};
use crate::server::config::Config;
use crate::server::statements;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use std::path::Path;
use std::time::Duration;

/// Entries that one read transaction of a file takes, and one question to a store.
pub const FILE_BATCH: usize = 10_000;
const STORE_BATCH: usize = 500;
/// A batch ends early once its texts are so long, in bytes.
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// The newest form of the file of a log that this version reads.
const LOG_VERSION: i64 = 1;

/// An entry as it is stored. What of it could not be read at all is in `fault`.
#[derive(Debug, Clone, Default)]
pub struct StoredEntry {
    pub g: u64,
    pub at: i64,
    pub rest: String,
    pub body: Option<String>,
    pub link: String,
    pub fault: Option<&'static str>,
}

impl StoredEntry {
    pub fn header(&self) -> Option<Header> {
        Header::parse(self.g, self.at, &self.rest)
    }

    pub fn entry(self) -> Option<Entry> {
        let (header, link) = (self.header()?, self.link.parse().ok()?);
        Some(Entry { header, body: self.body, link })
    }

    fn of_store(kept: KeptEntry) -> StoredEntry {
        let bad = |fault| StoredEntry { g: kept.g, fault: Some(fault), ..StoredEntry::default() };
        let erased = kept.erased.as_deref().map(|text| {
            let mut words = text.splitn(3, ' ');
            let (at, link, rest) = (words.next(), words.next(), words.next());
            let at = at.and_then(|at| at.parse().ok());
            Some((at?, link?.to_owned(), rest?.to_owned()))
        });
        let Some(fields) = &kept.fields else {
            return match erased {
                Some(Some((at, link, rest))) => {
                    StoredEntry { g: kept.g, at, rest, body: None, link, fault: None }
                }
                _ => bad("has a header that cannot be read among the erased ones"),
            };
        };
        let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        let at = fields.first().and_then(|(_, at)| at.parse().ok());
        let (["at", "link", "rest", "body"], Some(at)) = (names.as_slice(), at) else {
            return bad("is not of the form that Beck writes");
        };
        let (link, rest, body) = (fields[1].1.clone(), fields[2].1.clone(), fields[3].1.clone());
        let fault = match erased {
            None => None,
            Some(Some(header)) if header == (at, link.clone(), rest.clone()) => {
                Some("was erased, and is in the stream again with its text")
            }
            Some(_) => Some("has another header among the erased ones than in the stream"),
        };
        StoredEntry { g: kept.g, at, rest, body: Some(body), link, fault }
    }
}

/// Opens an SQLite file that a server may be writing to. Nothing is changed by it.
pub fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    statements::keep(&connection, 32)?;
    Ok(connection)
}

/// A text column whatever is in it: bytes that are no text do not stop the reader.
pub fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Null => None,
        ValueRef::Integer(n) => Some(n.to_string()),
        ValueRef::Real(n) => Some(n.to_string()),
    })
}

/// A log in a file: that of a folder, or the copy of a store's.
pub struct LogFile {
    pub name: String,
    db: Connection,
}

impl LogFile {
    pub fn open(folder: &Path, file: &str) -> Moved<LogFile> {
        let path = folder.join(file);
        let name = path.display().to_string();
        let fault = |fault: rusqlite::Error| format!("{name} cannot be read: {fault}");
        let db = open_to_read(&path).map_err(fault)?;
        let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fault)?;
        if version > LOG_VERSION {
            return Err(format!("{name} was written by a newer Beck: verify it with that version"));
        }
        let sql = "SELECT 1 FROM sqlite_master WHERE name = 'entries'";
        if file == LOG_FILE && !db.prepare(sql).and_then(|mut tables| tables.exists([])).map_err(fault)? {
            return Err(format!(
                "{name} is empty: what was written is in {file}-wal, which must lie beside it. Put both files in the folder, or restore a backup (beck restore FILE)"
            ));
        }
        Ok(LogFile { name, db })
    }

    fn fault(&self, fault: &rusqlite::Error) -> String {
        format!("{} cannot be read: {fault}", self.name)
    }

    pub fn last(&self) -> Moved<Option<u64>> {
        let sql = "SELECT g FROM entries ORDER BY g DESC LIMIT 1";
        let last = self.db.query_row(sql, [], |row| row.get::<_, i64>(0)).optional();
        Ok(last.map_err(|fault| self.fault(&fault))?.map(|g| g as u64))
    }

    /// Up to [`FILE_BATCH`] entries with `g >= from` and `g <= to`.
    pub fn read(&self, from: u64, to: u64) -> Moved<Vec<StoredEntry>> {
        let read = || {
            let sql =
                "SELECT g, at, rest, body, link FROM entries WHERE g >= ?1 AND g <= ?2 ORDER BY g LIMIT ?3";
            let mut select = self.db.prepare_cached(sql)?;
            let mut rows = select.query([from as i64, to as i64, FILE_BATCH as i64])?;
            let (mut entries, mut bytes) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let entry = stored(row)?;
                bytes += entry.body.as_ref().map_or(0, String::len) + entry.rest.len();
                entries.push(entry);
                if bytes >= BATCH_BYTES {
                    break;
                }
            }
            Ok(entries)
        };
        read().map_err(|fault| self.fault(&fault))
    }

    pub fn read_one(&self, g: u64) -> Moved<Option<StoredEntry>> {
        let read = || {
            let sql = "SELECT g, at, rest, body, link FROM entries WHERE g = ?1";
            self.db.prepare_cached(sql)?.query_row([g as i64], stored).optional()
        };
        read().map_err(|fault| self.fault(&fault))
    }

    /// Makes the reads of `what` one transaction.
    pub fn in_transaction<T>(&self, what: impl FnOnce() -> Moved<T>) -> Moved<T> {
        self.db.execute_batch("BEGIN").map_err(|fault| self.fault(&fault))?;
        let done = what();
        self.db.execute_batch("COMMIT").map_err(|fault| self.fault(&fault))?;
        done
    }
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredEntry> {
    let g = row.get::<_, i64>(0)? as u64;
    let (at, rest, link) = (row.get_ref(1)?.as_i64().ok(), text(row, 2)?, text(row, 4)?);
    let (Some(at), Some(rest), Some(link)) = (at, rest, link) else {
        let fault = Some("has columns that are no header");
        return Ok(StoredEntry { g, fault, ..StoredEntry::default() });
    };
    Ok(StoredEntry { g, at, rest, body: text(row, 3)?, link, fault: None })
}

/// The log of the settings.
pub enum Log {
    Folder(LogFile),
    Store(Box<RawStore>),
}

impl Log {
    pub async fn open(config: &Config) -> Moved<Log> {
        Ok(match &config.redis {
            Some(settings) => Log::Store(Box::new(RawStore::open(settings).await?)),
            None => Log::Folder(LogFile::open(&config.data_dir, LOG_FILE)?),
        })
    }

    pub fn name(&self) -> String {
        match self {
            Log::Folder(file) => file.name.clone(),
            Log::Store(store) => store.name(),
        }
    }

    /// The number of the newest entry.
    pub async fn last(&self) -> Moved<Option<u64>> {
        match self {
            Log::Folder(file) => file.last(),
            Log::Store(store) => store.last().await,
        }
    }

    /// Some entries with `g >= from` and `g <= to`, in order; none if there is none where the next batch would be.
    pub async fn read(&self, from: u64, to: u64) -> Moved<Vec<StoredEntry>> {
        match self {
            Log::Folder(file) => file.read(from, to),
            Log::Store(store) => {
                let limit = STORE_BATCH.min(to.saturating_sub(from).saturating_add(1) as usize);
                let kept = store.read(from, limit).await?;
                Ok(kept.into_iter().map(StoredEntry::of_store).collect())
            }
        }
    }

    /// The entry with this number, as it is stored now.
    pub async fn read_one(&self, g: u64) -> Moved<Option<StoredEntry>> {
        Ok(self.read_each(&[g]).await?.into_iter().next().flatten())
    }

    /// The entries with these numbers, as they are stored now.
    pub async fn read_each(&self, numbers: &[u64]) -> Moved<Vec<Option<StoredEntry>>> {
        match self {
            Log::Folder(file) => file.in_transaction(|| numbers.iter().map(|g| file.read_one(*g)).collect()),
            Log::Store(store) => {
                let kept = store.read_each(numbers).await?.into_iter();
                Ok(kept
                    .map(|kept| {
                        let there = kept.fields.is_some() || kept.erased.is_some();
                        there.then(|| StoredEntry::of_store(kept))
                    })
                    .collect())
            }
        }
    }
}
