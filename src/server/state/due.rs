//! What a server proposes to erase.

use super::{ReadError, Reader, State, client_id, number, parsed};
use crate::protocol::{ClientId, RoomId};
use rusqlite::params;

/// A message whose texts can be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueMessage {
    pub room: RoomId,
    pub id: ClientId,
    /// The operator has deleted it.
    pub by_operator: bool,
}

/// An entry whose body can be erased by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueEntry {
    pub g: u64,
    /// A later entry has changed the same setting; else it was refused, or repeats another one.
    pub replaced: bool,
}

impl State {
    /// See [`Reader::deleted_to_erase`].
    pub fn deleted_to_erase(&self, before: i64, limit: usize) -> Result<Vec<DueMessage>, ReadError> {
        self.read(|state| state.deleted_to_erase(before, limit))
    }

    /// See [`Reader::edited_to_erase`].
    pub fn edited_to_erase(&self, before: i64, limit: usize) -> Result<Vec<DueMessage>, ReadError> {
        self.read(|state| state.edited_to_erase(before, limit))
    }

    /// Entries whose bodies can be erased by their numbers, and that became so by this time, the oldest first.
    pub fn due_entries(&self, before: i64, limit: usize) -> Result<Vec<DueEntry>, ReadError> {
        self.read(|state| state.due_entries(before, limit))
    }

    /// The room of a message.
    pub fn room_of(&self, id: ClientId) -> Result<RoomId, ReadError> {
        self.read(|state| state.room_of(id))
    }
}

impl Reader<'_> {
    /// Messages that were deleted by this time, or by the operator at any time, and that no `erase` has taken; the oldest
    /// deletion first.
    pub fn deleted_to_erase(&self, before: i64, limit: usize) -> Result<Vec<DueMessage>, ReadError> {
        let sql = "SELECT o.id, d.id, d.by_operator FROM deletions d
                   JOIN rows r ON r.id = d.id JOIN rooms o ON o.n = r.room
                   WHERE (d.at <= ?1 OR d.by_operator) AND NOT EXISTS (SELECT 1 FROM erased e WHERE e.id = d.id)
                   ORDER BY d.at, d.id LIMIT ?2";
        self.due_messages(sql, before, limit)
    }

    /// Messages of which an edit has replaced a text by this time, but for those that [`Reader::deleted_to_erase`] gives:
    /// these lose all their texts.
    pub fn edited_to_erase(&self, before: i64, limit: usize) -> Result<Vec<DueMessage>, ReadError> {
        let sql = "SELECT DISTINCT o.id, t.part_of, 0 FROM erasable t
                   JOIN rows r ON r.id = t.part_of JOIN rooms o ON o.n = r.room
                   WHERE t.text AND t.part_of IS NOT NULL AND t.erased IS NULL AND t.since <= ?1
                   AND NOT EXISTS (SELECT 1 FROM deletions d WHERE d.id = t.part_of AND (d.at <= ?1 OR d.by_operator)
                                   AND NOT EXISTS (SELECT 1 FROM erased e WHERE e.id = d.id)) LIMIT ?2";
        self.due_messages(sql, before, limit)
    }

    fn due_messages(&self, sql: &str, before: i64, limit: usize) -> Result<Vec<DueMessage>, ReadError> {
        let mut select = self.db.prepare_cached(sql)?;
        let rows = select.query_map(params![before, limit as i64], |row| {
            Ok(DueMessage { room: parsed(row, 0)?, id: client_id(row, 1)?, by_operator: row.get(2)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn due_entries(&self, before: i64, limit: usize) -> Result<Vec<DueEntry>, ReadError> {
        let sql = "SELECT g, part_of IS NOT NULL FROM erasable
                   WHERE since <= ?1 AND erased IS NULL AND (NOT text OR part_of IS NULL)
                   ORDER BY since, g LIMIT ?2";
        let mut select = self.db.prepare_cached(sql)?;
        let rows = select.query_map(params![before, limit as i64], |row| {
            Ok(DueEntry { g: number(row, 0)?, replaced: row.get(1)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    pub(super) fn room_of(&self, id: ClientId) -> Result<RoomId, ReadError> {
        let sql = "SELECT o.id FROM rows r JOIN rooms o ON o.n = r.room WHERE r.id = ?1";
        let mut select = self.db.prepare_cached(sql)?;
        let mut rows = select.query([id.as_bytes()])?;
        let row = rows.next()?.ok_or(ReadError::NotFound)?;
        Ok(parsed(row, 0)?)
    }
}
