//! The file that holds a log, and what stands beside it.

use super::folder::OpenError;
use crate::protocol::{Hash, Header};
use crate::server::broker::moving::{Beside, KeptSecret};
use crate::server::broker::{Entry, Head, Pointer, Secret};
use crate::server::{now_ms, private_files, statements};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::path::Path;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS entries(
        g INTEGER PRIMARY KEY, at INTEGER NOT NULL, rest TEXT NOT NULL, body TEXT, link TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS secrets(
        key TEXT PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL, expires INTEGER) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS registers(
        account TEXT NOT NULL, key TEXT NOT NULL, generation INTEGER NOT NULL, ordinal INTEGER NOT NULL,
        PRIMARY KEY(account, key)) WITHOUT ROWID;
    PRAGMA user_version = 1;";

/// For the sweep of expired secrets; version 0.1.0 made files without it.
const EXPIRY_INDEX: &str =
    "CREATE INDEX IF NOT EXISTS secrets_by_expiry ON secrets(expires) WHERE expires IS NOT NULL";

pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    private_files::prepare_database(path);
    with_settings(Connection::open(path)?)
}

/// As [`open`], and never makes a file.
pub fn open_again(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    with_settings(Connection::open_with_flags(path, flags)?)
}

fn with_settings(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;
         PRAGMA cache_size=-4096; PRAGMA foreign_keys=OFF;",
    )?;
    statements::keep(&connection, 32)?;
    Ok(connection)
}

/// Opens the file of a log that another process may be writing to. Nothing is changed by it.
pub fn open_to_read(path: &Path) -> Result<Connection, OpenError> {
    let in_log = |source| OpenError::Log { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(in_log)?;
    connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(in_log)?;
    let version: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(in_log)?;
    if version > 1 { Err(OpenError::Newer(path.to_owned())) } else { Ok(connection) }
}

/// Opens the file of a log for writing, with its tables.
pub fn open_log(path: &Path) -> Result<Connection, OpenError> {
    let in_log = |source| OpenError::Log { path: path.to_owned(), source };
    let connection = open(path).map_err(in_log)?;
    let version: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(in_log)?;
    if version > 1 {
        return Err(OpenError::Newer(path.to_owned()));
    }
    // A file that has its tables is not written to: it may be damaged.
    if version < 1 {
        connection.execute_batch(SCHEMA).map_err(in_log)?;
    }
    connection.execute_batch(EXPIRY_INDEX).map_err(in_log)?;
    Ok(connection)
}

pub fn insert(connection: &Connection, entry: &Entry) -> rusqlite::Result<()> {
    write(connection, "INSERT", entry)
}

/// As [`insert`], in place of what is there.
pub fn replace(connection: &Connection, entry: &Entry) -> rusqlite::Result<()> {
    write(connection, "INSERT OR REPLACE", entry)
}

fn write(connection: &Connection, verb: &str, entry: &Entry) -> rusqlite::Result<()> {
    let sql = format!("{verb} INTO entries(g, at, rest, body, link) VALUES(?1, ?2, ?3, ?4, ?5)");
    connection.prepare_cached(&sql)?.execute(params![
        entry.header.g as i64,
        entry.header.at,
        entry.header.rest(),
        entry.body,
        entry.link.to_string()
    ])?;
    Ok(())
}

/// What became of an entry that was to be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    Removed,
    /// No entry of this number has a body.
    Nothing,
    /// Another entry has its number, and keeps its body.
    OtherEntry,
}

/// Removes the body of an entry.
pub fn remove_body(connection: &Connection, Head { g, link }: Head) -> rusqlite::Result<Removal> {
    let (g, link) = (g as i64, link.to_string());
    let sql = "UPDATE entries SET body = NULL WHERE g = ?1 AND link = ?2 AND body IS NOT NULL";
    if connection.prepare_cached(sql)?.execute(params![g, link])? > 0 {
        return Ok(Removal::Removed);
    }
    let sql = "SELECT 1 FROM entries WHERE g = ?1 AND link <> ?2 AND body IS NOT NULL";
    let other = connection.prepare_cached(sql)?.exists(params![g, link])?;
    Ok(if other { Removal::OtherEntry } else { Removal::Nothing })
}

/// The end of the log and the time of its last entry.
pub type End = (Head, i64);

pub fn read_head(connection: &Connection) -> rusqlite::Result<Option<End>> {
    connection
        .query_row("SELECT g, link, at FROM entries ORDER BY g DESC LIMIT 1", [], |row| {
            let link: String = row.get(1)?;
            let head = Head { g: row.get::<_, i64>(0)? as u64, link: link.parse().unwrap_or(Hash::ZERO) };
            Ok((head, row.get(2)?))
        })
        .optional()
}

pub fn read_entries(connection: &Connection, after: u64, limit: usize) -> rusqlite::Result<Vec<Entry>> {
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

pub fn read_secret(connection: &Connection, key: &str) -> rusqlite::Result<Option<Secret>> {
    connection
        .prepare_cached(
            "SELECT value, version FROM secrets WHERE key = ?1 AND (expires IS NULL OR expires > ?2)",
        )?
        .query_row(params![key, now_ms()], |row| {
            Ok(Secret { value: row.get(0)?, version: row.get::<_, i64>(1)? as u64 })
        })
        .optional()
}

/// Deletes up to `limit` secrets that have ended; gives how many.
pub fn delete_expired_secrets(connection: &Connection, limit: usize) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM secrets WHERE key IN
               (SELECT key FROM secrets WHERE expires <= ?1 ORDER BY expires LIMIT ?2)";
    connection.prepare_cached(sql)?.execute(params![now_ms(), limit as i64])
}

pub fn replace_secret(connection: &Connection, key: &str, secret: &KeptSecret) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO secrets(key, value, version, expires) VALUES(?1, ?2, ?3, ?4)";
    let secret = params![key, secret.value, secret.version as i64, secret.expires];
    connection.prepare_cached(sql)?.execute(secret)?;
    Ok(())
}

pub fn replace_pointer(
    connection: &Connection,
    account: &str,
    key: &str,
    pointer: Pointer,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO registers(account, key, generation, ordinal) VALUES(?1, ?2, ?3, ?4)";
    let pointer = params![account, key, pointer.generation as i64, pointer.ordinal as i64];
    connection.prepare_cached(sql)?.execute(pointer)?;
    Ok(())
}

/// All that stands beside the log.
pub fn read_beside(connection: &Connection) -> rusqlite::Result<Beside> {
    let mut secrets = connection.prepare("SELECT key, value, version, expires FROM secrets")?;
    let secrets = secrets.query_map([], |row| {
        let version = row.get::<_, i64>(2)? as u64;
        Ok((row.get(0)?, KeptSecret { value: row.get(1)?, version, expires: row.get(3)? }))
    })?;
    let mut pointers = connection.prepare("SELECT account, key, generation, ordinal FROM registers")?;
    let pointers = pointers.query_map([], |row| {
        let (generation, ordinal) = (row.get::<_, i64>(2)? as u64, row.get::<_, i64>(3)? as u64);
        Ok(((row.get(0)?, row.get(1)?), Pointer { generation, ordinal }))
    })?;
    Ok(Beside { secrets: secrets.collect::<Result<_, _>>()?, pointers: pointers.collect::<Result<_, _>>()? })
}

/// Puts this beside the log in place of what is there; inside a transaction.
pub fn replace_beside(connection: &Connection, beside: &Beside) -> rusqlite::Result<()> {
    connection.execute_batch("DELETE FROM secrets; DELETE FROM registers")?;
    for (key, secret) in &beside.secrets {
        replace_secret(connection, key, secret)?;
    }
    for ((account, key), pointer) in &beside.pointers {
        replace_pointer(connection, account, key, *pointer)?;
    }
    Ok(())
}
