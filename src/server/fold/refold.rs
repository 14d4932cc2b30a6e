//! What a rewritten log asks for: it is folded again from its start.

use super::{Fold, FoldError, Heads};
use crate::protocol::Hash;
use crate::server::broker::Entry;
use std::sync::Arc;

impl Fold {
    /// Forgets everything and folds what `read` gives from entry 1 on, until it gives none, in one transaction: who
    /// reads meanwhile sees the state before, then the one after. If it fails nothing has changed.
    pub fn refold<E>(
        &mut self,
        mut read: impl FnMut(u64) -> Result<Vec<Entry>, E>,
    ) -> Result<Result<(), E>, FoldError> {
        let before = (self.directory.clone(), self.g, self.link, std::mem::take(&mut self.heads));
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let done = self.refold_all(&mut read);
        if let Ok(Ok(())) = done {
            self.db.execute_batch("COMMIT")?;
            self.try_empty_journal();
        } else {
            let _ = self.db.execute_batch("ROLLBACK");
            (self.directory, self.g, self.link, self.heads) = before;
        }
        done
    }

    fn refold_all<E>(
        &mut self,
        read: &mut impl FnMut(u64) -> Result<Vec<Entry>, E>,
    ) -> Result<Result<(), E>, FoldError> {
        let mut tables = Vec::new();
        {
            let mut select = self.db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                tables.push(row.get::<_, String>(0)?);
            }
        }
        for table in tables {
            self.db.execute_batch(&format!("DELETE FROM {table}"))?;
        }
        (self.directory, self.g, self.link) = (Arc::default(), 0, Hash::ZERO);
        self.heads = Heads::default();
        loop {
            let entries = match read(self.g + 1) {
                Ok(entries) => entries,
                Err(fault) => return Ok(Err(fault)),
            };
            if entries.is_empty() {
                return Ok(Ok(()));
            }
            self.fold(&entries)?;
        }
    }
}
