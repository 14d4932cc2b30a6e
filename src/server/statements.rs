//! Prepared statements of SQLite.

use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// Keeps so many prepared statements of a connection, each with the plan that it has. Without this SQLite prepares a
/// statement anew for each bound value that might make another plan better, like that of `LIMIT ?`, and this takes longer
/// than most of our statements themselves.
pub fn keep(connection: &Connection, count: usize) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(count);
    Ok(())
}
