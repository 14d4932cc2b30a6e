//! Events of a room, and the rows and slots that they write.

use crate::protocol::{ClientId, Event, Kind, Place, Proof, RoomId, Row, Slot};
use crate::server::broker::Entry;
use crate::server::fold::decide::NewEvent;
use crate::server::fold::{Fold, FoldError};
use crate::server::state::{ReadError, Reader, RoomHead, Text, event_body, put_parts, show_again};
use rusqlite::params;
use std::sync::Arc;

/// What a restore gives back.
struct Again {
    /// The seq of the event that wrote it.
    writer: u64,
    /// None once it is erased.
    text: Option<Text>,
}

impl Fold {
    /// Writes an event of a room and what it changes there.
    pub(super) fn add_event(&mut self, entry: &Entry, new: NewEvent) -> Result<Arc<Event>, FoldError> {
        let header = &entry.header;
        let NewEvent { room, seq, chain, lane, ordinal, also, written_for, restores } = new;
        let head = RoomHead { seq, chain, ..self.head(room)? };
        let own = ordinal.map(|ordinal| Place { lane, ordinal });
        own.into_iter().chain(also).try_for_each(|place| self.put_lane(&head, place))?;
        let mut event = Event {
            seq,
            chain,
            lane,
            ordinal,
            also,
            header: header.clone(),
            body: None,
            added: None,
            salt: None,
            stored: None,
            restores: None,
            erased: Vec::new(),
            imported_for: written_for,
        };
        let parted = self.directory.rules().strict.is_some();
        match (entry.body.as_deref(), entry.json()) {
            (Some(body), Some(_)) if parted => put_parts(&mut event, body),
            (_, Some(json)) => event.body = event_body(&header.kind, json),
            _ => {}
        }
        let again = restores.map(|message| self.text_of(&head, message)).transpose()?.flatten();
        if let Some(again) = &again {
            show_again(&mut event, again.text.as_ref());
        }
        let event = Arc::new(event);
        let sql =
            "INSERT INTO events(room, seq, g, at, rest, chain, lane, ordinal, json, also_lane, also_ordinal,
                     head, restores) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        self.db.prepare_cached(sql)?.execute(params![
            head.n,
            seq as i64,
            header.g as i64,
            header.at,
            header.rest(),
            chain.to_string(),
            lane as i64,
            ordinal.map(|ordinal| ordinal as i64),
            entry.json(),
            also.map(|also| also.lane as i64),
            also.map(|also| also.ordinal as i64),
            entry.body.as_deref().filter(|_| parted).and_then(|body| body.get(..16)),
            again.as_ref().map(|again| again.writer as i64)
        ])?;
        if let Some(row) = Row::of(&event) {
            self.put_row(&head, &row)?;
            if self.put_mentions(&head, &row, header.g)? {
                self.note_named(&head, &row, 0)?;
            }
            self.put_answer(room, &head, &event, &row)?;
        } else if header.kind == Kind::Act {
            let proof = again.and_then(|again| again.text).and_then(|text| text.event.proof());
            self.write_slot(room, &head, &event, proof)?;
        }
        self.db.prepare_cached("UPDATE rooms SET seq = ?2, chain = ?3 WHERE n = ?1")?.execute(params![
            head.n,
            seq as i64,
            chain.to_string()
        ])?;
        self.heads.set(room, head);
        Ok(event)
    }

    fn put_lane(&self, head: &RoomHead, Place { lane, ordinal }: Place) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("INSERT OR REPLACE INTO lanes(room, lane, head, newest) VALUES(?1, ?2, ?3, ?4)")?
            .execute(params![head.n, lane as i64, ordinal as i64, head.seq as i64])?;
        Ok(())
    }

    pub(in crate::server::fold) fn put_row(&self, head: &RoomHead, row: &Row) -> Result<(), FoldError> {
        let json = serde_json::to_string(row).map_err(ReadError::from)?;
        let sql =
            "INSERT OR REPLACE INTO rows(room, lane, ordinal, id, author, deleted, imported, pinned, row)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        self.db.prepare_cached(sql)?.execute(params![
            head.n,
            row.lane as i64,
            row.ordinal as i64,
            row.id.as_bytes(),
            row.author.as_str(),
            row.deleted.is_some(),
            row.imported,
            row.pinned.is_some() && row.deleted.is_none(),
            json
        ])?;
        Ok(())
    }

    /// The text that stood before a message was deleted.
    fn text_of(&self, head: &RoomHead, message: ClientId) -> Result<Option<Again>, FoldError> {
        let reader = Reader { db: &self.db };
        let Some((_, row)) = reader.row(message)? else { return Ok(None) };
        let writer = reader.writer_of_text(message, row.seq)?;
        Ok(Some(Again { writer, text: reader.text_written_by(head.n, writer)? }))
    }

    /// `proof` is that of the text that a restore without text gives back.
    fn write_slot(
        &self,
        room: RoomId,
        head: &RoomHead,
        event: &Event,
        proof: Option<Proof>,
    ) -> Result<(), FoldError> {
        let target = event.header.target.as_ref().and_then(|target| target.as_str().parse().ok());
        let Some(target) = target else { return Ok(()) };
        let Some((_, mut row)) = (Reader { db: &self.db }).row(target)? else { return Ok(()) };
        let had_text = row.text.is_some();
        row.write(event);
        row.proof = proof.or(row.proof);
        self.put_row(head, &row)?;
        let slot = event.header.slot.as_ref().and_then(|slot| Slot::parse(slot.as_str()));
        if matches!(slot, Some(Slot::Text | Slot::Deleted)) {
            let before = self.named_in(head, &row)?;
            self.change_mentions(head, &row)?;
            let parted = self.directory.rules().strict.is_some();
            let edits = parted && matches!(slot, Some(Slot::Text));
            let new = self.note_named(head, &row, if edits { event.seq } else { 0 })?;
            // Formats 1 to 4 count those as new whom the text before did not name.
            let named = if parted {
                new
            } else {
                self.named_in(head, &row)?.into_iter().filter(|named| !before.contains(named)).collect()
            };
            if let Some(place) = row.answers_in() {
                self.follow_named(room, head, place, &row, named, event.seq)?;
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
