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
        let again = restores.map(|message| self.text_before(message)).transpose()?.flatten();
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

    /// Writes a row, anew or over the one that is there. Its first text is that of its own event; see
    /// [`Fold::put_writer`].
    pub(in crate::server::fold) fn put_row(&self, head: &RoomHead, row: &Row) -> Result<(), FoldError> {
        let json = serde_json::to_string(row).map_err(ReadError::from)?;
        let sql = "INSERT INTO rows(room, lane, ordinal, id, author, deleted, imported, pinned, writer, row)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                   ON CONFLICT(room, lane, ordinal) DO UPDATE
                   SET deleted = excluded.deleted, pinned = excluded.pinned, row = excluded.row";
        self.db.prepare_cached(sql)?.execute(params![
            head.n,
            row.lane as i64,
            row.ordinal as i64,
            row.id.as_bytes(),
            row.author.as_str(),
            row.deleted.is_some(),
            row.imported,
            row.pinned.is_some() && row.deleted.is_none(),
            row.seq as i64,
            json
        ])?;
        Ok(())
    }

    /// The text of a message that stands, or stood before it was deleted, is that of this event.
    fn put_writer(&self, message: ClientId, seq: u64) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("UPDATE rows SET writer = ?2 WHERE id = ?1")?
            .execute(params![message.as_bytes(), seq as i64])?;
        Ok(())
    }

    /// The text that stood before a message was deleted.
    fn text_before(&self, message: ClientId) -> Result<Option<Again>, ReadError> {
        let reader = Reader { db: &self.db };
        let Some((n, writer)) = reader.writer_of_text(message)? else { return Ok(None) };
        Ok(Some(Again { writer, text: reader.text_written_by(n, writer)? }))
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
        let (edits, deletes) = (matches!(slot, Some(Slot::Text)), matches!(slot, Some(Slot::Deleted)));
        if !edits && !deletes {
            return Ok(());
        }
        let before = self.named_in(head, &row)?;
        self.change_mentions(head, &row)?;
        let parted = self.directory.rules().strict.is_some();
        // From format 5 on a deletion and a restore write no text, so they name nobody anew.
        if edits || !parted {
            self.db
                .prepare_cached("INSERT OR IGNORE INTO acts(target, room, seq) VALUES(?1, ?2, ?3)")?
                .execute(params![target.as_bytes(), head.n, event.seq as i64])?;
            if edits || event.restores_message() {
                self.put_writer(target, event.seq)?;
            }
            let new = self.note_named(head, &row, if parted { event.seq } else { 0 })?;
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
