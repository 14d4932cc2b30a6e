//! Whom a message names once some of its texts are erased that do not stand.

use crate::protocol::{AccountId, ClientId, Event, Place, Row, Slot};
use crate::server::fold::{Fold, FoldError, Rules};
use crate::server::state::Reader;
use rusqlite::{OptionalExtension, params};

/// What an event made of the text of a message.
struct Step {
    seq: u64,
    edits: bool,
    strict: bool,
    /// Whom the text named then.
    names: Vec<AccountId>,
}

impl Fold {
    /// Leaves what a fold of the log without these texts would have made.
    pub(super) fn name_again(&self, n: i64, row: &Row) -> Result<(), FoldError> {
        self.forget_named(n, row)?;
        let steps = self.steps(n, row)?;
        let mut before: &[AccountId] = &[];
        for step in &steps {
            let noted = if step.edits && step.strict { step.seq } else { 0 };
            let mut new = Vec::new();
            for account in &step.names {
                if self.put_named(n, row, *account, noted)? {
                    new.push(*account);
                }
            }
            if let Some(place) = row.answers_in() {
                if !step.strict || step.seq == row.seq {
                    new = step.names.iter().filter(|name| !before.contains(name)).copied().collect();
                }
                self.follow_since(n, place, &new, step.seq, step.seq)?;
            }
            before = &step.names;
        }
        if row.answers_in().is_none()
            && let Some(answer) = self.first_answer(n, row.seq)?
            && let Some(root) = steps.iter().rfind(|step| step.seq < answer)
        {
            self.follow_since(n, Place { lane: row.seq, ordinal: 0 }, &root.names, 0, answer)?;
        }
        Ok(())
    }

    /// The events that wrote the text of a message, took it away or gave it back, in order.
    fn steps(&self, n: i64, row: &Row) -> Result<Vec<Step>, FoldError> {
        let reader = Reader { db: &self.db };
        let mut events: Vec<Event> = Vec::new();
        reader.acts_on(row.id, u32::MAX, |act| {
            events.push(act);
            true
        })?;
        events.extend(reader.event_at(n, row.seq)?);
        let mut steps = Vec::new();
        for event in events.iter().rev() {
            let slot = event.header.slot.as_ref().and_then(|slot| Slot::parse(slot.as_str()));
            if event.seq != row.seq && !matches!(slot, Some(Slot::Text | Slot::Deleted)) {
                continue;
            }
            let text = reader.text_written_by(n, event.restores.unwrap_or(event.seq))?;
            let names = match text {
                Some(text) => {
                    let added = text.event.added;
                    self.named_then(&Row { text: Some(text.text), added, ..row.clone() }, event.header.g)?
                }
                None => Vec::new(),
            };
            let strict = Rules::of(reader.format_of(event.header.g)?).strict.is_some();
            steps.push(Step { seq: event.seq, edits: matches!(slot, Some(Slot::Text)), strict, names });
        }
        Ok(steps)
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
