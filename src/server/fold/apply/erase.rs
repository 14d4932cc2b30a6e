//! What an accepted `erase` removes from the state file: exactly what a fold of the log without these bodies would not
//! have made.

use crate::protocol::{ClientId, Hash, Row};
use crate::server::fold::decide::Erasure;
use crate::server::fold::{Fold, FoldError};
use crate::server::state::{Reader, RoomHead};
use rusqlite::params;

impl Fold {
    /// `g` is the number of the `erase`.
    pub(super) fn erase_bodies(&self, g: u64, erasure: &Erasure) -> Result<(), FoldError> {
        for entry in &erasure.entries {
            self.db
                .prepare_cached("UPDATE erasable SET erased = ?2 WHERE g = ?1")?
                .execute([*entry as i64, g as i64])?;
            self.forget_body(*entry)?;
        }
        for id in &erasure.messages {
            self.db
                .prepare_cached("INSERT OR IGNORE INTO erased(id) VALUES(?1)")?
                .execute([id.as_bytes()])?;
            self.forget_texts(*id)?;
        }
        for id in &erasure.earlier {
            self.forget_earlier_texts(*id)?;
        }
        for (n, id) in erasure.of_messages().enumerate() {
            self.db.prepare_cached("INSERT INTO erasures(g, n, id) VALUES(?1, ?2, ?3)")?.execute(params![
                g as i64,
                n as i64,
                id.as_bytes()
            ])?;
        }
        Ok(())
    }

    /// Removes what the texts of a message wrote beside their own events, all but the text that stands.
    fn forget_earlier_texts(&self, id: ClientId) -> Result<(), FoldError> {
        let reader = Reader { db: &self.db };
        let Some((n, row)) = reader.row(id)? else { return Ok(()) };
        let (quote, said) = reader.quote_and_said(n, &row)?;
        if (quote, said) != (row.quote, row.said) {
            let head = RoomHead { n, seq: 0, chain: Hash::ZERO };
            self.put_row(&head, &Row { quote, said, ..row.clone() })?;
        }
        self.name_again(n, &row)
    }
}
