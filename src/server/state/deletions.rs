//! What decisions know of deletions: of which messages stand, which are erased, and which format decided an entry.

use super::{ReadError, Reader, number, parsed};
use crate::protocol::{AccountId, ClientId, Format};
use crate::server::fold::Rules;
use rusqlite::OptionalExtension;

/// The deletion of a message that stands. The first one that was accepted since the message was written or last restored
/// counts; later ones change `by_others` and `by_operator` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// The number of its entry.
    pub g: u64,
    /// Its time, in milliseconds since 1970 (UTC).
    pub at: i64,
    /// Who made it: an account, or the operator.
    pub by: AccountId,
    /// Somebody else has deleted the message since.
    pub by_others: bool,
    /// The operator has deleted it, first or since.
    pub by_operator: bool,
}

impl Reader<'_> {
    /// The deletion of a message that stands; none of a message that is not deleted.
    pub fn deletion(&self, id: ClientId) -> Result<Option<Deletion>, ReadError> {
        let sql = "SELECT g, at, by, by_others, by_operator FROM deletions WHERE id = ?1";
        let deletion = self.db.prepare_cached(sql)?.query_row([id.as_bytes()], |row| {
            Ok(Deletion {
                g: number(row, 0)?,
                at: row.get(1)?,
                by: parsed(row, 2)?,
                by_others: row.get(3)?,
                by_operator: row.get(4)?,
            })
        });
        Ok(deletion.optional()?)
    }

    /// The time from which a deletion cannot be taken back; none if it never can: an earlier format decided it, or the
    /// message is erased. It says nothing of who may take it back.
    pub fn restorable_until(&self, id: ClientId, deletion: &Deletion) -> Result<Option<i64>, ReadError> {
        let Some(strict) = Rules::of(self.format_of(deletion.g)?).strict else { return Ok(None) };
        let until = deletion.at.saturating_add(strict.restore_ms);
        Ok(if self.is_erased(id)? { None } else { Some(until) })
    }

    /// Until when an account may restore a message; none if it may not.
    pub(super) fn may_restore_until(&self, id: ClientId, by: AccountId) -> Result<Option<i64>, ReadError> {
        match self.deletion(id)? {
            Some(deletion) if deletion.by == by && !deletion.by_others && !deletion.by_operator => {
                self.restorable_until(id, &deletion)
            }
            _ => Ok(None),
        }
    }

    /// Whether an `erase` entry has removed the texts of this message.
    pub fn is_erased(&self, id: ClientId) -> Result<bool, ReadError> {
        Ok(self.db.prepare_cached("SELECT 1 FROM erased WHERE id = ?1")?.exists([id.as_bytes()])?)
    }

    /// The format that decides an entry of the log. An entry that raises the format is decided by the one before.
    pub fn format_of(&self, g: u64) -> Result<Format, ReadError> {
        let sql = "SELECT format FROM formats WHERE g < ?1 ORDER BY g DESC LIMIT 1";
        let found: Option<u32> =
            self.db.prepare_cached(sql)?.query_row([super::integer(g)], |row| row.get(0)).optional()?;
        Ok(Format::read(found.unwrap_or(1), Format::Five)?)
    }
}
