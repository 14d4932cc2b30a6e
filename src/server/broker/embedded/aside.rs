//! Removes bodies from files of logs that no server appends to: a copy, and one that was set aside.

use super::file::{self, Removal};
use crate::server::broker::Head;
use rusqlite::Connection;
use std::path::Path;

/// Removes the bodies of these entries from the file, and from what SQLite keeps beside it. An entry with another link
/// than that of this number is none of these.
pub fn erase_in_file(path: &Path, entries: &[Head]) -> rusqlite::Result<()> {
    erase_in(&file::open_again(path)?, entries).map(drop)
}

/// As [`erase_in_file`], in a file that is open. Gives the numbers at which it has another entry.
pub(super) fn erase_in(log: &Connection, entries: &[Head]) -> rusqlite::Result<Vec<u64>> {
    let (mut other, mut fault) = (Vec::new(), None);
    for entry in entries {
        match file::remove_body(log, *entry) {
            Ok(Removal::OtherEntry) => other.push(entry.g),
            Ok(_) => {}
            // It does not keep the others.
            Err(failed) => fault = fault.or(Some(failed)),
        }
    }
    log.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    fault.map_or(Ok(other), Err)
}
