//! Whom a message names once some of its texts are erased that do not stand.

use crate::protocol::{AccountId, ClientId, Kind, Place, Row};
use crate::server::fold::{Fold, FoldError, Rules};
use crate::server::state::{Reader, text_of};
use rusqlite::{OptionalExtension, params};

impl Fold {
    /// Leaves what a fold of the log without these texts would have made. One text at a time: a message may have any number
    /// of them.
    pub(super) fn name_again(&self, n: i64, row: &Row) -> Result<(), FoldError> {
        self.forget_named(n, row)?;
        let reader = Reader { db: &self.db };
        let answer = if row.answers_in().is_none() { self.first_answer(n, row.seq)? } else { None };
        // Whom the text before names, and the text that stood when the first answer came.
        let (mut before, mut of_root) = (Vec::new(), Vec::new());
        for seq in std::iter::once(row.seq).chain(reader.text_seqs_after_first(n, row.id)?) {
            let Some(event) = reader.event_at(n, seq)? else { continue };
            let g = event.header.g;
            let names = match text_of(&event) {
                Some(text) => {
                    let (text, added) = (Some(text.to_owned()), event.added.clone());
                    self.named_then(&Row { text, added, ..row.clone() }, g)?
                }
                None => Vec::new(),
            };
            let strict = Rules::of(reader.format_of(g)?).strict.is_some();
            let edits = event.header.kind == Kind::Act;
            let mut new = Vec::new();
            for account in &names {
                if self.put_named(n, row, *account, if edits && strict { seq } else { 0 })? {
                    new.push(*account);
                }
            }
            if let Some(place) = row.answers_in() {
                if !edits || !strict {
                    new = names.iter().filter(|name| !before.contains(*name)).copied().collect();
                }
                self.follow_since(n, place, &new, seq, seq)?;
            }
            if answer.is_some_and(|answer| seq < answer) {
                of_root.clone_from(&names);
            }
            before = names;
        }
        if let Some(answer) = answer {
            self.follow_since(n, Place { lane: row.seq, ordinal: 0 }, &of_root, 0, answer)?;
        }
        Ok(())
    }

    /// Whom the text of a row names of the accounts that were there before an entry, but for its author.
    fn named_then(&self, row: &Row, g: u64) -> Result<Vec<AccountId>, FoldError> {
        let mut named = Vec::new();
        for name in self.names(row) {
            let sql = "SELECT 1 FROM accounts WHERE id = ?1 AND g < ?2";
            let was_there = self.db.prepare_cached(sql)?.exists(params![name, g as i64])?;
            if let Some(account) = name.parse().ok().filter(|account| was_there && *account != row.author) {
                named.push(account);
            }
        }
        Ok(named)
    }

    /// Those of these accounts that have been members since a seq follow a thread. `named` is the seq of what names them
    /// there, 0 for its root.
    fn follow_since(
        &self,
        n: i64,
        place: Place,
        accounts: &[AccountId],
        named: u64,
        since: u64,
    ) -> Result<(), FoldError> {
        let sql = "INSERT INTO followers(account, room, lane, ordinal, wrote, named)
                   SELECT ?1, ?2, ?3, ?4, 0, ?5 WHERE EXISTS
                     (SELECT 1 FROM members m JOIN rooms r ON r.id = m.room
                      WHERE r.n = ?2 AND m.account = ?1 AND m.joined <= ?6)
                   ON CONFLICT(account, room, lane, ordinal) DO UPDATE SET named = MAX(named, excluded.named)";
        for account in accounts {
            self.db.prepare_cached(sql)?.execute(params![
                account.as_str(),
                n,
                place.lane as i64,
                place.ordinal as i64,
                named as i64,
                since as i64
            ])?;
        }
        Ok(())
    }

    /// The seq of the first answer in a thread.
    fn first_answer(&self, n: i64, lane: u64) -> Result<Option<u64>, FoldError> {
        let sql = "SELECT id FROM rows WHERE room = ?1 AND lane = ?2 AND ordinal = 1
                   UNION ALL SELECT id FROM also WHERE room = ?1 AND lane = ?2 AND ordinal = 1";
        let mut select = self.db.prepare_cached(sql)?;
        let id = select.query_row(params![n, lane as i64], |row| row.get(0)).optional()?;
        let Some(id) = id.map(ClientId::from_bytes) else { return Ok(None) };
        Ok((Reader { db: &self.db }).row(id)?.map(|(_, row)| row.seq))
    }
}
