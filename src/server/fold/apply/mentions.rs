//! Whom messages name.

use crate::protocol::bounds::{MENTIONED, ROOM_HANDLE};
use crate::protocol::{AccountId, Row};
use crate::server::fold::{Fold, FoldError};
use crate::server::state::RoomHead;
use crate::text;
use rusqlite::params;
use std::collections::BTreeSet;

impl Fold {
    /// Keeps whom a row's text names, of those who are there when it is written; says whether it names anybody. `g` is the
    /// message's.
    pub(super) fn put_mentions(&self, head: &RoomHead, row: &Row, g: u64) -> Result<bool, FoldError> {
        let names = self.names(row);
        for account in &names {
            let sql = "INSERT INTO mentions(room, lane, ordinal, account, author, g)
                       VALUES(?1, ?2, ?3, ?4, ?5, ?6)";
            self.db.prepare_cached(sql)?.execute(params![
                head.n,
                row.lane as i64,
                row.ordinal as i64,
                account,
                row.author.as_str(),
                g as i64
            ])?;
        }
        Ok(!names.is_empty())
    }

    /// Whom the text of a row names: accounts, and [`ROOM_HANDLE`] for everybody. What was stored with a text counts; only
    /// of one with which nothing was stored the handles are looked up. An imported message names nobody.
    pub(super) fn names(&self, row: &Row) -> BTreeSet<String> {
        let text = row.text.as_deref().filter(|_| !row.imported).unwrap_or("");
        let known = |account: &AccountId| self.directory.accounts.contains_key(account);
        let all = || ROOM_HANDLE.to_owned();
        match &row.added {
            _ if text.is_empty() => BTreeSet::new(),
            Some(added) => {
                let accounts = added.mentions.values().filter(|account| known(account));
                accounts.map(|account| account.to_string()).chain(added.all.then(all)).collect()
            }
            None => text::mentions(text)
                .into_iter()
                .filter_map(|handle| match self.directory.handles.get(&handle) {
                    Some(account) => Some(account.to_string()),
                    None => (handle == ROOM_HANDLE).then(all),
                })
                .collect(),
        }
    }

    /// Keeps whom a message has named, [`MENTIONED`] people in all; gives those who are new. `seq` is that of the edit
    /// that names them, 0 of the message itself and of what is no reason to notify anybody.
    pub(super) fn note_named(
        &self,
        head: &RoomHead,
        row: &Row,
        seq: u64,
    ) -> Result<Vec<AccountId>, FoldError> {
        let mut new = Vec::new();
        for account in self.named_in(head, row)?.into_iter().filter(|account| *account != row.author) {
            if self.put_named(head.n, row, account, seq)? {
                new.push(account);
            }
        }
        Ok(new)
    }

    /// Whether the message has not named this account before.
    pub(super) fn put_named(
        &self,
        n: i64,
        row: &Row,
        account: AccountId,
        seq: u64,
    ) -> Result<bool, FoldError> {
        let sql = "INSERT OR IGNORE INTO named(room, lane, ordinal, account, seq) SELECT ?1, ?2, ?3, ?4, ?5
                   WHERE (SELECT COUNT(*) FROM named WHERE room = ?1 AND lane = ?2 AND ordinal = ?3) < ?6";
        let added = self.db.prepare_cached(sql)?.execute(params![
            n,
            row.lane as i64,
            row.ordinal as i64,
            account.as_str(),
            seq as i64,
            MENTIONED as i64
        ])?;
        Ok(added > 0)
    }

    pub(super) fn change_mentions(&self, head: &RoomHead, row: &Row) -> Result<(), FoldError> {
        self.db
            .prepare_cached("DELETE FROM mentions WHERE room = ?1 AND lane = ?2 AND ordinal = ?3")?
            .execute(params![head.n, row.lane as i64, row.ordinal as i64])?;
        let g: i64 = self
            .db
            .prepare_cached("SELECT g FROM events WHERE room = ?1 AND seq = ?2")?
            .query_row(params![head.n, row.seq as i64], |row| row.get(0))?;
        self.put_mentions(head, row, g as u64)?;
        Ok(())
    }
}
