//! Bodies that `erase` entries can remove, and those that they have removed.

use super::{ReadError, Reader, State, client_id, integer, number};
use crate::protocol::ClientId;
use rusqlite::{ToSql, params};
use std::collections::HashSet;

impl State {
    /// The entries after a number whose bodies `erase` entries have removed, rising: a body of one of them is removed
    /// wherever it is found.
    pub fn erased_entries(&self, after: u64, limit: usize) -> Result<Vec<u64>, ReadError> {
        self.read(|state| state.erased_entries(after, limit))
    }

    /// Those of these messages that have lost every text by an `erase`.
    pub fn erased_messages(&self, ids: &[ClientId]) -> Result<HashSet<ClientId>, ReadError> {
        self.read(|state| {
            let erased = ids.iter().map(|id| Ok(state.is_erased(*id)?.then_some(*id)));
            erased.filter_map(Result::transpose).collect()
        })
    }
}

impl Reader<'_> {
    /// The numbers of the entries that hold a text of a message and that no `erase` has taken: its own, those of its
    /// edits and of restores with text, and what repeats one of these. With `replaced`, only texts that an edit replaced
    /// at this time or before.
    pub fn texts_of(&self, message: ClientId, replaced: Option<i64>) -> Result<Vec<u64>, ReadError> {
        let sql = "WITH texts AS MATERIALIZED (SELECT g, erased FROM erasable
                                  WHERE part_of = ?1 AND (?2 IS NULL OR since <= ?2))
                   SELECT g FROM texts WHERE erased IS NULL
                   UNION SELECT e.g FROM texts CROSS JOIN drafts f ON f.g = texts.g
                     CROSS JOIN doubles d ON d.id = f.id CROSS JOIN erasable e ON e.g = d.g
                     WHERE e.text AND e.erased IS NULL ORDER BY 1";
        self.numbers(sql, params![message.as_bytes(), replaced])
    }

    /// Whether the body of an entry can be erased by its number, at a time that is a day after this one.
    pub fn can_be_erased(&self, g: u64, since: i64) -> Result<bool, ReadError> {
        let sql = "SELECT 1 FROM erasable WHERE g = ?1 AND since <= ?2 AND erased IS NULL
                   AND (NOT text OR part_of IS NULL)";
        Ok(self.db.prepare_cached(sql)?.exists(params![integer(g), since])?)
    }

    fn erased_entries(&self, after: u64, limit: usize) -> Result<Vec<u64>, ReadError> {
        let sql = "SELECT g FROM erasable INDEXED BY erasable_gone WHERE g > ?1 AND erased IS NOT NULL
                   ORDER BY g LIMIT ?2";
        self.numbers(sql, params![integer(after), limit as i64])
    }

    /// The messages of which an `erase` entry removed texts.
    pub(super) fn messages_erased_by(&self, g: u64) -> Result<Vec<ClientId>, ReadError> {
        let mut select = self.db.prepare_cached("SELECT id FROM erasures WHERE g = ?1 ORDER BY n")?;
        let rows = select.query_map([integer(g)], |row| client_id(row, 0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn numbers(&self, sql: &str, params: &[&dyn ToSql]) -> Result<Vec<u64>, ReadError> {
        let mut select = self.db.prepare_cached(sql)?;
        let rows = select.query_map(params, |row| number(row, 0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
