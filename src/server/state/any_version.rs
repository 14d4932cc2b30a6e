//! A state file of any version, looked at before it is made anew: it may hold the last copy of what the log has lost.

use super::{Events, STATE_FILE, folded, open_file};
use crate::protocol::Hash;
use rusqlite::{Connection, ErrorCode};
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
