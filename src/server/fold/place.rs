//! What an accepted entry becomes in its room: the next event, a row, a slot of a row; and what erasing leaves of it.

use super::{Fold, FoldError};
use crate::protocol::bounds::ROOM_HANDLE;
use crate::protocol::{ClientId, Event, Hash, Kind, Place, RoomId, Row, Slot};
use crate::server::broker::Entry;
use crate::server::state::{ReadError, Reader, RoomHead, event_body};
use crate::text;
use rusqlite::params;
use std::sync::Arc;

impl Fold {
    /// Gives an accepted entry its place in a room and writes what it changes there.
    pub(super) fn place(
        &mut self,
        entry: &Entry,
        room: RoomId,
        (lane, also): (u64, u64),
    ) -> Result<Arc<Event>, FoldError> {
        let header = &entry.header;
        let mut head = self.head(room)?;
        head.seq += 1;
        head.chain = head.chain.then(header);
        let ordinal = match header.kind {
            Kind::Message => Some(self.next_ordinal(&head, lane)?),
            _ => None,
        };
        let also = match ordinal {
            Some(_) if also != 0 => Some(Place { lane: also, ordinal: self.next_ordinal(&head, also)? }),
            _ => None,
        };
        let json = entry.json();
        let event = Arc::new(Event {
            seq: head.seq,
            chain: head.chain,
            lane,
            ordinal,
            also,
            header: header.clone(),
            body: json.and_then(|json| event_body(&header.kind, json)),
        });
        let sql =
            "INSERT INTO events(room, seq, g, at, rest, chain, lane, ordinal, json, also_lane, also_ordinal)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        self.db.prepare_cached(sql)?.execute(params![
            head.n,
            head.seq as i64,
            header.g as i64,
            header.at,
            header.rest(),
            head.chain.to_string(),
            lane as i64,
            ordinal.map(|ordinal| ordinal as i64),
            json,
            also.map(|also| also.lane as i64),
            also.map(|also| also.ordinal as i64)
        ])?;
        if let Some(row) = Row::of(&event) {
            self.put_row(&head, &row)?;
            self.put_mentions(&head, &row, header.g)?;
            self.put_answer(room, &head, &event, &row)?;
        } else if header.kind == Kind::Act {
            self.write_slot(room, &head, &event)?;
        }
        self.db.prepare_cached("UPDATE rooms SET seq = ?2, chain = ?3 WHERE n = ?1")?.execute(params![
            head.n,
            head.seq as i64,
            head.chain.to_string()
        ])?;
        self.heads.insert(room, head);
        Ok(event)
    }

    fn next_ordinal(&self, head: &RoomHead, lane: u64) -> Result<u64, ReadError> {
        let ordinal = Reader { db: &self.db }.lane_head(head, lane)? + 1;
        self.db
            .prepare_cached("INSERT OR REPLACE INTO lanes(room, lane, head, newest) VALUES(?1, ?2, ?3, ?4)")?
            .execute(params![head.n, lane as i64, ordinal as i64, head.seq as i64])?;
        Ok(ordinal)
    }

    pub(super) fn put_row(&self, head: &RoomHead, row: &Row) -> Result<(), FoldError> {
        let json = serde_json::to_string(row).map_err(ReadError::from)?;
        let sql = "INSERT OR REPLACE INTO rows(room, lane, ordinal, id, author, deleted, pinned, row)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        self.db.prepare_cached(sql)?.execute(params![
            head.n,
            row.lane as i64,
            row.ordinal as i64,
            row.id.as_bytes(),
            row.author.as_str(),
            row.deleted.is_some(),
            row.pinned.is_some() && row.deleted.is_none(),
            json
        ])?;
        Ok(())
    }

    /// Keeps whom a row's text names, of those who are there when it is written. `g` is the message's.
    fn put_mentions(&self, head: &RoomHead, row: &Row, g: u64) -> Result<(), FoldError> {
        for handle in text::mentions(row.text.as_deref().unwrap_or("")) {
            let account = match self.directory.handles.get(&handle) {
                Some(account) => account.as_str(),
                None if handle == ROOM_HANDLE => ROOM_HANDLE,
                None => continue,
            };
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
        Ok(())
    }

    fn change_mentions(&self, head: &RoomHead, row: &Row) -> Result<(), FoldError> {
        self.db
            .prepare_cached("DELETE FROM mentions WHERE room = ?1 AND lane = ?2 AND ordinal = ?3")?
            .execute(params![head.n, row.lane as i64, row.ordinal as i64])?;
        let g: i64 = self
            .db
            .prepare_cached("SELECT g FROM events WHERE room = ?1 AND seq = ?2")?
            .query_row(params![head.n, row.seq as i64], |row| row.get(0))?;
        self.put_mentions(head, row, g as u64)
    }

    fn write_slot(&self, room: RoomId, head: &RoomHead, event: &Event) -> Result<(), FoldError> {
        let target = event.header.target.as_ref().and_then(|target| target.as_str().parse().ok());
        let Some(target) = target else { return Ok(()) };
        let Some((_, mut row)) = (Reader { db: &self.db }).row(target)? else { return Ok(()) };
        let had_text = row.text.is_some();
        row.write(event);
        self.put_row(head, &row)?;
        let slot = event.header.slot.as_ref().and_then(|slot| Slot::parse(slot.as_str()));
        if matches!(slot, Some(Slot::Text | Slot::Deleted)) {
            let before = self.named_in(head, &row)?;
            self.change_mentions(head, &row)?;
            let named = self.named_in(head, &row)?.into_iter().filter(|named| !before.contains(named));
            if let Some(place) = row.answers_in() {
                self.follow_named(room, head, place, &row, named.collect(), event.seq)?;
            }
        }
        self.db
            .prepare_cached("INSERT OR IGNORE INTO acts(target, room, seq) VALUES(?1, ?2, ?3)")?
            .execute(params![target.as_bytes(), head.n, event.seq as i64])?;
        if row.deleted.is_none() {
            self.db.prepare_cached("DELETE FROM to_erase WHERE id = ?1")?.execute([target.as_bytes()])?;
        } else if had_text {
            self.db
                .prepare_cached("INSERT OR IGNORE INTO to_erase(id, at) VALUES(?1, ?2)")?
                .execute(params![target.as_bytes(), event.header.at])?;
        }
        Ok(())
    }

    pub(super) fn head(&mut self, room: RoomId) -> Result<RoomHead, ReadError> {
        if let Some(head) = self.heads.get(&room) {
            return Ok(*head);
        }
        let head = Reader { db: &self.db }.room_head(room)?;
        self.heads.insert(room, head);
        Ok(head)
    }

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
                let ignore = |_: &rusqlite::Row<'_>| Ok(());
                self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], ignore)?;
                Ok(())
            }
            Err(fault) => {
                let _ = self.db.execute_batch("ROLLBACK");
                Err(fault)
            }
        }
    }

    fn erase_message(&self, id: ClientId, entries: &[u64]) -> Result<(), FoldError> {
        let Some((n, row)) = (Reader { db: &self.db }).row(id)? else { return Ok(()) };
        for g in entries {
            self.db.prepare_cached("UPDATE events SET json = NULL WHERE g = ?1")?.execute([*g as i64])?;
            self.db
                .prepare_cached("UPDATE drafts SET salt = NULL, same = NULL WHERE g = ?1")?
                .execute([*g as i64])?;
        }
        self.db.prepare_cached("DELETE FROM to_erase WHERE id = ?1")?.execute([id.as_bytes()])?;
        self.forget_named(n, &row)?;
        let head = RoomHead { n, seq: 0, chain: Hash::ZERO };
        self.put_row(&head, &Row { text: None, quote: None, ..row })
    }
}
