//! A state file of any version, looked at before it is made anew: it may hold the last copy of what the log has lost.

use super::{Events, STATE_FILE, folded, open_file};
use crate::protocol::Hash;
use crate::server::broker::Entry;
use rusqlite::{Connection, ErrorCode, params};
use std::path::Path;

/// Why an existing state file was not read.
#[derive(Debug, thiserror::Error)]
pub enum StateFault {
    /// What it holds cannot be read, now or later.
    #[error("{STATE_FILE} cannot be read: {0}")]
    Unreadable(String),
    /// It may be readable later.
    #[error("{STATE_FILE} cannot be opened: {0}")]
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for StateFault {
    fn from(fault: rusqlite::Error) -> Self {
        match fault.sqlite_error_code() {
            // A missing table or column is `Unknown`; a value of another form has no code.
            None | Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => {
                StateFault::Unreadable(fault.to_string())
            }
            Some(_) => StateFault::Failed(fault),
        }
    }
}

/// The `meta` and `events` tables, which every version has.
pub struct AnyVersion {
    db: Connection,
}

impl AnyVersion {
    /// `None` if there is no file, or an empty one.
    pub fn open(folder: &Path) -> Result<Option<AnyVersion>, StateFault> {
        let path = folder.join(STATE_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let db = open_file(&path)?;
        let tables: i64 = db.query_row("SELECT COUNT(*) FROM sqlite_master", [], |row| row.get(0))?;
        Ok((tables > 0).then_some(AnyVersion { db }))
    }

    /// How far it has folded the log.
    pub fn folded(&self) -> Result<(u64, Hash), StateFault> {
        Ok(folded(&self.db)?)
    }

    pub fn events(&mut self) -> Events<'_> {
        Events { db: &mut self.db }
    }
}

/// Removes the bodies of entries from a state file that was set aside: from its events. Its other tables nobody reads, so
/// they go.
pub fn erase_in_aside(path: &Path, entries: &[Entry]) -> rusqlite::Result<()> {
    let db = open_file(path)?;
    let sql = "UPDATE events SET json = NULL WHERE g = ?1 AND rest = ?2 AND json IS NOT NULL";
    let erase = |entry: &Entry| {
        let header = &entry.header;
        db.prepare_cached(sql)?.execute(params![super::integer(header.g), header.rest()]).map(drop)
    };
    let named = db.execute("DELETE FROM meta WHERE key = 'name'", []).map(drop);
    let mut erased = Ok(());
    // One that fails does not keep the others.
    for entry in entries {
        erased = erased.and(erase(entry));
    }
    let dropped = drop_others(&db);
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    erased.and(named).and(dropped)
}

fn drop_others(db: &Connection) -> rusqlite::Result<()> {
    let mut select =
        db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('meta', 'events')")?;
    let tables = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    drop(select);
    tables.iter().try_for_each(|table| db.execute_batch(&format!("DROP TABLE \"{table}\"")))
}
