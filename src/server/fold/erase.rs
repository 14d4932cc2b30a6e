//! The texts of deleted messages: which entries hold them, and what erasing leaves of the message here.

use super::{Fold, FoldError};
use crate::protocol::{ClientId, Hash, Row};
use crate::server::state::{BUSY_TIMEOUT, ReadError, Reader, RoomHead};
use std::time::Duration;

/// Emptying the journal of the state file waits so long for those who read the file.
const JOURNAL_WAIT: Duration = Duration::from_millis(100);

impl Fold {
    /// The entries that hold text of a message that is deleted.
    pub fn texts_of_deleted(&self, id: ClientId) -> Result<Vec<u64>, ReadError> {
        let reader = Reader { db: &self.db };
        match reader.row(id)? {
            Some((_, row)) if row.deleted.is_some() => reader.entries_of_message(id),
            _ => Err(ReadError::NotFound),
        }
    }

    /// Messages that were deleted before a time and still have their text, the oldest deletion first, with the entries
    /// that hold it.
    pub fn texts_due(&self, before: i64, limit: usize) -> Result<Vec<(ClientId, Vec<u64>)>, ReadError> {
        let due = Reader { db: &self.db }.due_to_erase(before, limit)?;
        let mut texts = Vec::new();
        for id in due {
            match self.texts_of_deleted(id) {
                Ok(numbers) => texts.push((id, numbers)),
                Err(ReadError::NotFound) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(texts)
    }

    /// Removes the text of deleted messages from the state file, after the broker erased these entries of each.
    pub fn erase(&mut self, messages: &[(ClientId, Vec<u64>)]) -> Result<(), FoldError> {
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        match messages.iter().try_for_each(|(id, entries)| self.erase_message(*id, entries)) {
            Ok(()) => {
                self.db.execute_batch("COMMIT")?;
                Ok(self.empty_journal()?)
            }
            Err(fault) => {
                let _ = self.db.execute_batch("ROLLBACK");
                Err(fault)
            }
        }
    }

    fn erase_message(&self, id: ClientId, entries: &[u64]) -> Result<(), FoldError> {
        entries.iter().try_for_each(|g| self.forget_body(*g))?;
        self.forget_texts(id)
    }

    /// Empties the file's journal, where bodies stay that were removed from the file. A reader may keep it from that.
    pub(super) fn empty_journal(&mut self) -> rusqlite::Result<()> {
        self.journal_has_erased = true;
        // Whoever reads the file for long must not hold up what is folded next.
        self.db.busy_timeout(JOURNAL_WAIT)?;
        let kept = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        self.db.busy_timeout(BUSY_TIMEOUT)?;
        self.journal_has_erased = kept?;
        Ok(())
    }

    /// As [`Fold::empty_journal`]. What is folded stays folded if it fails: it is tried again after the next entries.
    pub(super) fn try_empty_journal(&mut self) {
        if let Err(fault) = self.empty_journal() {
            tracing::warn!(%fault, "bodies that were erased are still in the journal of the state file");
        }
    }

    /// Removes the body of an entry.
    pub(super) fn forget_body(&self, g: u64) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("UPDATE events SET json = NULL, head = NULL WHERE g = ?1")?
            .execute([g as i64])?;
        self.db
            .prepare_cached("UPDATE drafts SET salt = NULL, same = NULL WHERE g = ?1")?
            .execute([g as i64])?;
        Ok(())
    }

    /// Removes what the texts of a deleted message wrote beside their own events.
    pub(super) fn forget_texts(&self, id: ClientId) -> Result<(), FoldError> {
        let Some((n, row)) = (Reader { db: &self.db }).row(id)? else { return Ok(()) };
        self.db.prepare_cached("DELETE FROM to_erase WHERE id = ?1")?.execute([id.as_bytes()])?;
        self.forget_named(n, &row)?;
        let head = RoomHead { n, seq: 0, chain: Hash::ZERO };
        self.put_row(&head, &Row { text: None, quote: None, said: None, ..row })
    }
}
