//! Repairs a log with a gap, which a full disk could leave under version 0.1.0.
//!
//! What follows a gap was never acknowledged: the fold stops before it, and people are answered after the fold. So only
//! entries that the fold has not reached are looked at: a gap before them has another cause, and nothing is cut for it.

use super::fault;
use super::folder::OpenError;
use super::moving::sync_folder;
use crate::protocol::Header;
use crate::server::state::AnyVersion;
use crate::server::{json_lines, private_files};
use rusqlite::{Connection, OptionalExtension};
use std::fs::File;
use std::io::{BufWriter, Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

/// How the names of these files begin; the number of the last entry before the gap and the ending follow.
const BEGINNING: &str = "log-cut-";
const ENDING: &str = ".jsonl";
/// Files of that name with other numbers that are looked for.
const MOST_FILES: u32 = 1_000;

/// A line of such a file: an entry as the log had it.
#[derive(serde::Serialize, serde::Deserialize)]
struct CutEntry {
    at: i64,
    body: Option<String>,
    g: i64,
    link: String,
    rest: String,
}

impl CutEntry {
    fn header(&self) -> Option<Header> {
        Header::parse(u64::try_from(self.g).ok()?, self.at, &self.rest)
    }
}

/// Removes the bodies of entries whose text is erased from the files of a folder; their lines stay. The log does not have
/// these entries, but it may have their texts: a client sends again what was not acknowledged.
pub fn erase_in_cut_logs(folder: &Path, is_erased: impl Fn(&Header) -> bool) -> Result<()> {
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !(name.starts_with(BEGINNING) && name.ends_with(ENDING)) {
            continue;
        }
        json_lines::replace_lines(&path, |line| {
            let entry: CutEntry = serde_json::from_slice(line).ok()?;
            let goes = entry.body.is_some() && entry.header().is_some_and(|header| is_erased(&header));
            goes.then(|| serde_json::to_string(&CutEntry { body: None, ..entry }).ok()).flatten()
        })?;
    }
    Ok(())
}

/// Moves everything after the first gap into a file beside the log. A log without a gap is not changed.
pub fn repair(connection: &Connection, folder: &Path, path: &Path) -> std::result::Result<(), OpenError> {
    let folded = AnyVersion::open(folder).ok().flatten().and_then(|state| state.folded().ok());
    let last = match last_before_gap(connection, folded.map_or(0, |(g, _)| g)) {
        Ok(None) => return Ok(()),
        Ok(Some(last)) => last,
        // Its end may be whole all the same: then it serves what it can read.
        Err(source) => {
            let fault = fault::with_remedy(path, &source);
            tracing::error!("the log cannot be checked: {fault}");
            return Ok(());
        }
    };
    let in_gap = |source| OpenError::Gap { path: path.to_owned(), after: last, source };
    let (aside, count) = move_aside(connection, folder, last).map_err(in_gap)?;
    let in_log = |source| OpenError::Log { path: path.to_owned(), source };
    connection.execute("DELETE FROM entries WHERE g > ?1", [last as i64]).map_err(in_log)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(in_log)?;
    let file = aside.display();
    tracing::error!(
        last,
        count,
        %file,
        "the log had a gap after entry {last}, left by a full disk: the {count} entries after it were never acknowledged and are now in {file}. Read that file, then see docs/operations.md#a-log-with-a-gap"
    );
    Ok(())
}

/// The last entry before the first gap among those after `folded`; none if their numbers go on without a gap.
fn last_before_gap(connection: &Connection, folded: u64) -> rusqlite::Result<Option<u64>> {
    let first: Option<i64> = connection.query_row("SELECT min(g) FROM entries", [], |row| row.get(0))?;
    let Some(first) = first else { return Ok(None) };
    if first != 1 {
        tracing::error!(first, "the log does not begin with entry 1: restore a backup of it");
        return Ok(None);
    }
    let folded = i64::try_from(folded).unwrap_or(i64::MAX);
    let sql = "SELECT count(*), coalesce(max(g), 0) FROM entries WHERE g > ?1";
    let (count, last): (i64, i64) =
        connection.query_row(sql, [folded], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if count == 0 || count == last - folded {
        return Ok(None);
    }
    let sql = "SELECT g FROM entries AS entry
               WHERE g >= ?1 AND NOT EXISTS (SELECT 1 FROM entries WHERE g = entry.g + 1) ORDER BY g LIMIT 1";
    connection.query_row(sql, [folded], |row| row.get::<_, i64>(0)).map(|last| last as u64).optional()
}

/// Writes all entries after this one into a new file, flushed; gives its path and how many there are.
fn move_aside(connection: &Connection, folder: &Path, last: u64) -> Result<(PathBuf, u64)> {
    let (path, file) = new_file(folder, last)?;
    let written = write_entries(connection, file, last);
    if written.is_err() {
        // It holds nothing that the log does not hold.
        let _ = std::fs::remove_file(&path);
    }
    let count = written?;
    sync_folder(folder)?;
    Ok((path, count))
}

fn write_entries(connection: &Connection, file: File, last: u64) -> Result<u64> {
    let mut file = BufWriter::new(file);
    let sql = "SELECT g, at, rest, body, link FROM entries WHERE g > ?1 ORDER BY g";
    let mut select = connection.prepare(sql).map_err(Error::other)?;
    let mut rows = select.query([last as i64]).map_err(Error::other)?;
    let mut count = 0;
    while let Some(row) = rows.next().map_err(Error::other)? {
        let line = (|| {
            Ok::<_, rusqlite::Error>(CutEntry {
                at: row.get(1)?,
                body: row.get(3)?,
                g: row.get(0)?,
                link: row.get(4)?,
                rest: row.get(2)?,
            })
        })();
        writeln!(file, "{}", serde_json::to_string(&line.map_err(Error::other)?)?)?;
        count += 1;
    }
    file.into_inner().map_err(|fault| fault.into_error())?.sync_all()?;
    Ok(count)
}

/// An earlier repair at the same place may have left a file.
fn new_file(folder: &Path, last: u64) -> Result<(PathBuf, File)> {
    for n in 1..=MOST_FILES {
        let again = if n > 1 { format!("-{n}") } else { String::new() };
        let path = folder.join(format!("{BEGINNING}{last}{again}{ENDING}"));
        match private_files::options().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(fault) if fault.kind() == ErrorKind::AlreadyExists => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(Error::new(ErrorKind::AlreadyExists, "there are too many files log-cut-*.jsonl: move them elsewhere"))
}
