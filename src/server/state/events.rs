//! The events of all rooms in the order of the log: what a state file has of entries that the log may have lost.

use super::any_version::StateFault;
use crate::protocol::Header;
use crate::server::fold::{LostBatch, LostEntry};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::IgnoredAny;

/// Reads a state file of any version. It borrows the connection alone, so that it can be kept over an `await`.
pub struct Events<'a> {
    pub(in crate::server) db: &'a mut Connection,
}

impl Events<'_> {
    /// The newest event whose number is at most `g`.
    pub fn before(&self, g: u64) -> Result<Option<Header>, StateFault> {
        let sql = "SELECT g, at, rest FROM events WHERE g <= ?1 ORDER BY g DESC LIMIT 1";
        let g = i64::try_from(g).unwrap_or(i64::MAX);
        let found = self.db.prepare_cached(sql)?.query_row([g], |row| Ok(header(row)));
        found.optional()?.transpose()
    }

    /// The events that follow entry `after`, in order, as many as a batch holds.
    pub fn after(&self, after: u64) -> Result<LostBatch, StateFault> {
        let sql = "SELECT g, at, rest, json FROM events WHERE g > ?1 ORDER BY g LIMIT ?2";
        let mut select = self.db.prepare_cached(sql)?;
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let rows = select.query_map(params![after, LostBatch::MOST as i64], |row| {
            let json: Option<String> = row.get(3)?;
            let body = json.and_then(|json| serde_json::from_str(draft(&json)).ok());
            Ok(header(row).map(|header| LostEntry { header, link: None, body }))
        })?;
        LostBatch::take(rows.map(|row| row?))
    }
}

/// The draft of a body without its first 16 characters: of what formats from 5 on store, the end of a longer salt comes
/// before it, and what a server added after it.
fn draft(json: &str) -> &str {
    let rest = json.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    match rest.starts_with('{') {
        true if rest.len() < json.len() || serde_json::from_str::<IgnoredAny>(rest).is_err() => {
            rest.split('\n').next().unwrap_or(rest)
        }
        _ => json,
    }
}

/// The header in the first three columns.
fn header(row: &Row<'_>) -> Result<Header, StateFault> {
    let (g, at, rest): (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let header = u64::try_from(g).ok().and_then(|g| Header::parse(g, at, &rest));
    header.ok_or_else(|| StateFault::Unreadable(format!("event {g} has a broken header")))
}
