//! What a state file holds.

use beck::server::state::STATE_FILE;
use rusqlite::types::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Every table of a state file, row by row.
pub fn tables(folder: &Path) -> BTreeMap<String, Vec<Vec<Value>>> {
    let db = rusqlite::Connection::open(folder.join(STATE_FILE)).unwrap();
    let mut names = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let names = names.query_map([], |row| row.get(0)).unwrap().collect::<Result<Vec<String>, _>>().unwrap();
    let read = |name: String| {
        let mut select = db.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = select.column_count();
        let row = |row: &rusqlite::Row| (0..columns).map(|column| row.get(column)).collect();
        let rows = select.query_map([], row).unwrap().collect::<Result<Vec<Vec<Value>>, _>>().unwrap();
        (name, rows)
    };
    names.into_iter().map(read).collect()
}
