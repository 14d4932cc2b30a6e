//! What a rewritten log asks for: finds what it has lost of what was folded, and folds it again from its start.

use super::{Fold, FoldError};
use crate::protocol::{Hash, Header};
use crate::server::broker::Entry;
use crate::server::state::ReadError;
use std::collections::HashMap;
use std::sync::Arc;

/// An entry that this server has and the log has no more: a line of `lost.jsonl`.
#[derive(Debug, serde::Serialize)]
pub struct LostEntry {
    pub header: Header,
    /// Known of those that come from a copy of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Hash>,
    /// Without the salt; none where it was erased.
    pub body: Option<serde_json::Value>,
}

impl Fold {
    /// Walks back from the newest event of any room until `stands` says of a header that the log still has it; gives
    /// what it walked over, oldest first.
    pub fn lost_events<E>(
        &self,
        mut stands: impl FnMut(&Header) -> Result<bool, E>,
    ) -> Result<Result<Vec<LostEntry>, E>, FoldError> {
        let sql = "SELECT g, at, rest, json FROM events ORDER BY g DESC";
        let mut select = self.db.prepare(sql)?;
        let mut rows = select.query([])?;
        let mut lost = Vec::new();
        while let Some(row) = rows.next()? {
            let rest: String = row.get(2)?;
            let header = Header::parse(row.get::<_, i64>(0)? as u64, row.get(1)?, &rest);
            let header = header.ok_or(ReadError::NotFound)?;
            match stands(&header) {
                Ok(true) => break,
                Ok(false) => {}
                Err(fault) => return Ok(Err(fault)),
            }
            let json: Option<String> = row.get(3)?;
            let body = json.and_then(|json| serde_json::from_str(&json).ok());
            lost.push(LostEntry { header, link: None, body });
        }
        lost.reverse();
        Ok(Ok(lost))
    }

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
        self.heads = HashMap::new();
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
