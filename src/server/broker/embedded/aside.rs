//! Removes bodies from files of logs that no server appends to: a copy, and one that was set aside.

use super::file;
use crate::server::broker::Head;
use rusqlite::{Connection, params};
use std::path::Path;

/// Removes the bodies of these entries from the file, and from what SQLite keeps beside it. An entry with another link
/// than that of this number is none of these.
pub fn erase_in_file(path: &Path, entries: &[Head]) -> rusqlite::Result<()> {
    erase_in(&file::open_again(path)?, entries)
}

/// As [`erase_in_file`], in a file that is open.
pub(super) fn erase_in(log: &Connection, entries: &[Head]) -> rusqlite::Result<()> {
    let mut erased = Ok(());
    // One that fails does not keep the others.
    for entry in entries {
        erased = erased.and(erase_entry(log, *entry));
    }
    log.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    erased
}

fn erase_entry(log: &Connection, Head { g, link }: Head) -> rusqlite::Result<()> {
    let sql = "UPDATE entries SET body = NULL WHERE g = ?1 AND link = ?2 AND body IS NOT NULL";
    log.prepare_cached(sql)?.execute(params![g as i64, link.to_string()]).map(drop)
}
