//! A state file of any version, looked at before it is made anew: it may hold the last copy of what the log has lost.

use super::{STATE_FILE, folded, open_file};
use crate::protocol::{Hash, Header};
use crate::server::fold::LostEntry;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
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

    /// The newest event whose number is at most `g`.
    pub fn event_before(&self, g: u64) -> Result<Option<Header>, StateFault> {
        let sql = "SELECT g, at, rest FROM events WHERE g <= ?1 ORDER BY g DESC LIMIT 1";
        let found: Option<(i64, i64, String)> = self
            .db
            .prepare_cached(sql)?
            .query_row([i64::try_from(g).unwrap_or(i64::MAX)], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((g, at, rest)) = found else { return Ok(None) };
        header(g, at, &rest).map(Some)
    }

    /// Up to `limit` events that follow entry `after`, in order.
    pub fn events_after(&self, after: u64, limit: usize) -> Result<Vec<LostEntry>, StateFault> {
        let sql = "SELECT g, at, rest, json FROM events WHERE g > ?1 ORDER BY g LIMIT ?2";
        let mut select = self.db.prepare_cached(sql)?;
        let mut rows = select.query(params![after as i64, limit as i64])?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            let rest: String = row.get(2)?;
            let json: Option<String> = row.get(3)?;
            events.push(LostEntry {
                header: header(row.get(0)?, row.get(1)?, &rest)?,
                link: None,
                body: json.and_then(|json| serde_json::from_str(&json).ok()),
            });
        }
        Ok(events)
    }
}

fn header(g: i64, at: i64, rest: &str) -> Result<Header, StateFault> {
    let header = u64::try_from(g).ok().and_then(|g| Header::parse(g, at, rest));
    header.ok_or_else(|| StateFault::Unreadable(format!("event {g} has a broken header")))
}
