//! What decisions know of deletions: of which messages stand, which are erased, and which format decided an entry.

use super::{ReadError, Reader, number, parsed};
use crate::protocol::{AccountId, ClientId, Format};
use crate::server::access::Actor;
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

/// The deletion of a message that stands, and its end: what a row tells its reader of it, and what the gate answers by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undo {
    pub deletion: Deletion,
    /// The time from which nobody can take it back, in milliseconds since 1970 (UTC). None if nobody ever can: an earlier
    /// format decided it, or the message is erased.
    pub until: Option<i64>,
}

impl Undo {
    /// Whether this actor made the deletion and nobody else has deleted the message too: then no other may take it back.
    pub fn belongs_to(&self, actor: Actor) -> bool {
        let Deletion { by, by_others, by_operator, .. } = self.deletion;
        actor == Actor::Account(by) && !by_others && !by_operator
    }

    /// The time from which this actor cannot take the deletion back; none if they never can.
    pub fn until_for(&self, actor: Actor) -> Option<i64> {
        self.until.filter(|_| self.belongs_to(actor))
    }
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

    /// The deletion of a message that stands, with its end; none of a message that is not deleted.
    pub fn undo(&self, id: ClientId) -> Result<Option<Undo>, ReadError> {
        let Some(deletion) = self.deletion(id)? else { return Ok(None) };
        let until = match Rules::of(self.format_of(deletion.g)?).strict {
            Some(strict) if !self.is_erased(id)? => Some(deletion.at.saturating_add(strict.restore_ms)),
            _ => None,
        };
        Ok(Some(Undo { deletion, until }))
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
