//! Folds the log anew, in a folder that is removed afterwards, and compares every table with the state file's.

use super::entries::{Log, LogFile};
use super::state::{StateFile, snapshot};
use crate::server::config::Config;
use crate::server::fold::{Fold, FoldError};
use crate::server::state::STATE_FILE;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::path::{Path, PathBuf};

/// A folder that only its owner may look into, and that goes with this.
struct Scratch(PathBuf);

impl Scratch {
    fn new(beside: &Path) -> Result<Scratch, String> {
        let path = beside.join(format!("verify-{}", uuid::Uuid::new_v4().simple()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(|fault| format!("{} cannot be made: {fault}", path.display()))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The first row that is another one in a fresh fold; gives the numbers of tables and rows that were compared.
pub async fn check(
    config: &Config,
    state: &StateFile,
    log: &Log,
    copy: Option<&LogFile>,
    mut progress: impl FnMut(u64),
) -> Result<(u64, u64), String> {
    let scratch = Scratch::new(&config.data_dir)?;
    let kept = scratch.0.join("kept.sqlite");
    snapshot(state, &kept)?;
    let words = |fault: rusqlite::Error| format!("the fresh fold cannot be compared: {fault}");
    let kept = Connection::open(&kept).map_err(words)?;
    let end: String = kept
        .query_row("SELECT COALESCE((SELECT value FROM meta WHERE key = 'g'), '0')", [], |row| row.get(0))
        .map_err(words)?;
    let end: u64 = end.parse().unwrap_or(0);
    let failed = |fault: FoldError| format!("the log cannot be folded: {fault}");
    {
        let (_state, mut fold) =
            Fold::open_up_to(&scratch.0, |_, _| true, config.newest_format).map_err(failed)?;
        while fold.folded().0 < end {
            let from = fold.folded().0 + 1;
            let entries = log.read(from, end).await?;
            if entries.is_empty() {
                return Err(format!("entry {from} is missing in {}", log.name()));
            }
            let mut batch = Vec::with_capacity(entries.len());
            for mut entry in entries {
                let g = entry.g;
                // What another server has erased in the log goes from the copy and from this state together.
                if entry.body.is_none()
                    && let Some(copy) = copy
                    && let Some(copied) = copy.read_one(g)?
                    && copied.rest == entry.rest
                {
                    entry.body = copied.body;
                }
                batch.push(entry.entry().ok_or(format!("entry {g} cannot be read"))?);
            }
            fold.fold(&batch).map_err(failed)?;
            progress(fold.folded().0);
            // A signal to stop is heard here.
            tokio::task::yield_now().await;
        }
    }
    let fresh = Connection::open(scratch.0.join(STATE_FILE)).map_err(words)?;
    let tables =
        names(&fresh, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").map_err(words)?;
    let mut rows = 0;
    for table in &tables {
        rows += compare_table(&fresh, &kept, table).map_err(words)??;
        tokio::task::yield_now().await;
    }
    Ok((tables.len() as u64, rows))
}

fn names(db: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    db.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// Both sides row by row in the order of the key.
fn compare_table(
    fresh: &Connection,
    kept: &Connection,
    table: &str,
) -> rusqlite::Result<Result<u64, String>> {
    let key = format!("SELECT name FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk");
    let key = names(fresh, &key)?;
    let order = if key.is_empty() { "rowid".to_owned() } else { key.join(", ") };
    let sql = format!("SELECT * FROM {table} ORDER BY {order}");
    let (mut one, mut other) = (fresh.prepare(&sql)?, kept.prepare(&sql)?);
    let columns: Vec<String> = one.column_names().into_iter().map(str::to_owned).collect();
    let others: Vec<String> = other.column_names().into_iter().map(str::to_owned).collect();
    if columns != others {
        return Ok(Err(format!("the table {table} has other columns than a fresh fold gives it")));
    }
    let (mut one, mut other) = (one.query([])?, other.query([])?);
    let mut count = 0;
    loop {
        let (fresh, kept) = (values(one.next()?, columns.len())?, values(other.next()?, columns.len())?);
        let place = |row: &[Value]| {
            let of_key = columns.iter().zip(row).filter(|(name, _)| key.contains(name));
            of_key.map(|(name, value)| format!("{name} {}", shown(value))).collect::<Vec<_>>().join(", ")
        };
        match (fresh, kept) {
            (None, None) => return Ok(Ok(count)),
            (Some(fresh), Some(kept)) if fresh == kept => count += 1,
            (Some(fresh), None) => {
                return Ok(Err(format!("the table {table} lacks the row {}", place(&fresh))));
            }
            (None, Some(kept)) => {
                return Ok(Err(format!(
                    "the table {table} has the row {}, which a fresh fold does not make",
                    place(&kept)
                )));
            }
            (Some(fresh), Some(kept)) if place(&fresh) != place(&kept) => {
                return Ok(Err(format!(
                    "the table {table} has the row {} where a fresh fold has {}",
                    place(&kept),
                    place(&fresh)
                )));
            }
            (Some(fresh), Some(kept)) => {
                let differs =
                    columns.iter().zip(fresh.iter().zip(&kept)).find(|(_, (fresh, kept))| fresh != kept);
                let column = differs.map_or("", |(column, _)| column);
                return Ok(Err(format!(
                    "the table {table}, row {}: the column {column} is another one in a fresh fold",
                    place(&kept)
                )));
            }
        }
    }
}

fn values(row: Option<&rusqlite::Row<'_>>, count: usize) -> rusqlite::Result<Option<Vec<Value>>> {
    let Some(row) = row else { return Ok(None) };
    (0..count).map(|column| row.get(column)).collect::<Result<_, _>>().map(Some)
}

/// A value of a key, as people can look for it. Texts of messages are in no key.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Integer(n) => n.to_string(),
        Value::Real(n) => n.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
