//! Events of a room, and the rows and slots that they write.

use crate::protocol::bounds::ROOM_HANDLE;
use crate::protocol::{
    ActBody, ActValue, ClientId, Erasable, Event, EventBody, Kind, Place, RoomId, Row, Slot, Stored, erasable,
};
use crate::server::broker::Entry;
use crate::server::fold::decide::NewEvent;
use crate::server::fold::{Fold, FoldError};
use crate::server::state::{ReadError, Reader, RoomHead, event_body};
use crate::text;
use rusqlite::params;
use std::sync::Arc;

impl Fold {
    /// Writes an event of a room and what it changes there.
    pub(super) fn add_event(&mut self, entry: &Entry, new: NewEvent) -> Result<Arc<Event>, FoldError> {
        let header = &entry.header;
        let NewEvent { room, seq, chain, lane, ordinal, also, written_for, restores } = new;
        let head = RoomHead { seq, chain, ..self.head(room)? };
        let own = ordinal.map(|ordinal| Place { lane, ordinal });
        own.into_iter().chain(also).try_for_each(|place| self.put_lane(&head, place))?;
        let json = self.draft(entry);
        let (restores, body) = match restores {
            Some(id) => self.restored(id)?,
            None => (None, json.and_then(|json| event_body(&header.kind, json))),
        };
        let event = Arc::new(Event {
            seq,
            chain,
            lane,
            ordinal,
            also,
            header: header.clone(),
            body,
            added: None,
            salt: None,
            stored: None,
            restores,
            erased: Vec::new(),
            imported_for: written_for,
        });
        let sql =
            "INSERT INTO events(room, seq, g, at, rest, chain, lane, ordinal, json, also_lane, also_ordinal)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        self.db.prepare_cached(sql)?.execute(params![
            head.n,
            seq as i64,
            header.g as i64,
            header.at,
            header.rest(),
            chain.to_string(),
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
            seq as i64,
            chain.to_string()
        ])?;
        self.heads.set(room, head);
        Ok(event)
    }

    /// The JSON of a body without its salt and what a server added.
    fn draft<'a>(&self, entry: &'a Entry) -> Option<&'a str> {
        let header = &entry.header;
        if self.directory.rules().strict.is_none() {
            return entry.json();
        }
        let body = entry.body.as_deref()?;
        let stored = match erasable(self.directory.format(), &header.kind, header.slot.as_ref()) {
            Erasable::Always => Stored::erasable(body)?,
            Erasable::IfRestore | Erasable::Never => Stored::never_erased(body)?,
        };
        Some(stored.draft)
    }

    /// What a restore without text shows: the text that stood before the deletion, and the seq of what wrote it.
    fn restored(&self, id: ClientId) -> Result<(Option<u64>, Option<EventBody>), ReadError> {
        let (seq, text) = Reader { db: &self.db }.standing_text(id)?;
        let body = |restored| EventBody::Act(ActBody { value: ActValue::Restored { restored } });
        Ok((Some(seq), text.map(body)))
    }

    fn put_lane(&self, head: &RoomHead, Place { lane, ordinal }: Place) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("INSERT OR REPLACE INTO lanes(room, lane, head, newest) VALUES(?1, ?2, ?3, ?4)")?
            .execute(params![head.n, lane as i64, ordinal as i64, head.seq as i64])?;
        Ok(())
    }

    pub(in crate::server::fold) fn put_row(&self, head: &RoomHead, row: &Row) -> Result<(), FoldError> {
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
}
