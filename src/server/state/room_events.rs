//! The events of a room, as they may be sent.

use super::{Floor, ReadError, Reader, RoomHead, integer, number, parsed};
use crate::protocol::erasable::{Erasable, erasable};
use crate::protocol::stored::{Stored, deletes};
use crate::protocol::{
    ActBody, ActValue, ClientId, Event, EventBody, Format, Header, Kind, MessageBody, Place, Row, Slot,
    bounds,
};
use rusqlite::{OptionalExtension, params};
use serde::Deserialize;
use std::sync::Arc;

/// The columns that [`event`] reads, in order. The last one is the same in each row: entries after this number are decided
/// by a format that stores bodies in parts; none where there are none yet.
const COLUMNS: &str =
    "e.seq, e.g, e.at, e.rest, e.chain, e.lane, e.ordinal, e.json, e.also_lane, e.also_ordinal,
    e.head, e.restores, (SELECT MIN(g) FROM formats WHERE format >= 5)";

/// A text with what else a reader is sent of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// The event that wrote it.
    pub event: Event,
    pub text: String,
}

impl Reader<'_> {
    /// Events `after < seq <= to` from the floor on, in order: the first [`bounds::EVENTS_AT_ONCE`] of them.
    pub fn events(
        &self,
        room: &RoomHead,
        floor: Floor,
        after: u64,
        to: u64,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        let after = after.max(floor.after());
        let sql = format!(
            "SELECT {COLUMNS} FROM events e WHERE e.room = ?1 AND e.seq > ?2 AND e.seq <= ?3 ORDER BY e.seq LIMIT ?4"
        );
        let mut select = self.db.prepare_cached(&sql)?;
        let mut rows = select.query(params![room.n, integer(after), integer(to), bounds::EVENTS_AT_ONCE])?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            let mut event = event(row)?;
            if event.header.kind == Kind::Erase {
                event.erased = self.messages_erased_by(event.header.g)?;
            }
            let hidden = self.hide_below(floor, &mut event)?;
            if hidden || row.get::<_, Option<i64>>(12)?.is_some() && self.is_withheld(&event)? {
                withhold(&mut event);
            } else if let Some(writer) = event.restores {
                let text = self.text_written_by(room.n, writer)?;
                show_again(&mut event, text.as_ref());
            }
            events.push(Arc::new(event));
        }
        Ok(events)
    }

    /// An event with all that is stored of it.
    pub(in crate::server) fn event_at(&self, n: i64, seq: u64) -> Result<Option<Event>, ReadError> {
        let sql = format!("SELECT {COLUMNS} FROM events e WHERE e.room = ?1 AND e.seq = ?2");
        let mut select = self.db.prepare_cached(&sql)?;
        let mut rows = select.query(params![n, integer(seq)])?;
        rows.next()?.map(event).transpose()
    }

    /// The events that wrote or took away the text of a message after its own, the newest first, with all that is stored of
    /// them. With its room the index gives them in order: none but those that are asked for is read.
    pub(super) fn texts_after_first(
        &self,
        id: ClientId,
        limit: u32,
        mut each: impl FnMut(Event) -> bool,
    ) -> Result<(), ReadError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM acts a JOIN events e ON e.room = a.room AND e.seq = a.seq
             WHERE a.target = ?1 AND a.room = (SELECT room FROM rows WHERE id = ?1)
             ORDER BY a.seq DESC LIMIT ?2"
        );
        let mut select = self.db.prepare_cached(&sql)?;
        let mut rows = select.query(params![id.as_bytes(), limit])?;
        while let Some(row) = rows.next()? {
            if !each(event(row)?) {
                break;
            }
        }
        Ok(())
    }

    /// The seqs of these events, rising.
    pub(in crate::server) fn text_seqs_after_first(
        &self,
        n: i64,
        id: ClientId,
    ) -> Result<Vec<u64>, ReadError> {
        let sql = "SELECT seq FROM acts WHERE target = ?1 AND room = ?2 ORDER BY seq";
        let mut select = self.db.prepare_cached(sql)?;
        let rows = select.query_map(params![id.as_bytes(), n], |row| number(row, 0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The number of a message's room here, and the seq of the event that wrote the text that stands, or stood before it
    /// was deleted.
    pub(in crate::server) fn writer_of_text(&self, id: ClientId) -> Result<Option<(i64, u64)>, ReadError> {
        let mut select = self.db.prepare_cached("SELECT room, writer FROM rows WHERE id = ?1")?;
        Ok(select.query_row([id.as_bytes()], |row| Ok((row.get(0)?, number(row, 1)?))).optional()?)
    }

    /// Which message a row quotes, and when it was written, as the log has it now: of the newest edit whose body is there
    /// and has an added part, else of the message's own draft.
    pub(in crate::server) fn quote_and_said(
        &self,
        n: i64,
        row: &Row,
    ) -> Result<(Option<ClientId>, Option<i64>), ReadError> {
        let mut of_edit = None;
        self.texts_after_first(row.id, u32::MAX, |act| {
            if slot_of(&act) == Some(Slot::Text) {
                of_edit = act.added.map(|added| (added.quote, added.said));
            }
            of_edit.is_none()
        })?;
        if let Some(of_edit) = of_edit {
            return Ok(of_edit);
        }
        let own = self.event_at(n, row.seq)?.and_then(|event| event.body);
        Ok(match own {
            Some(EventBody::Message(body)) => (body.quote, body.said),
            _ => (None, None),
        })
    }

    /// The text that an event wrote; none once it is erased.
    pub(in crate::server) fn text_written_by(&self, n: i64, seq: u64) -> Result<Option<Text>, ReadError> {
        let event = self.event_at(n, seq)?;
        Ok(event.and_then(|event| text_of(&event).map(str::to_owned).map(|text| Text { event, text })))
    }

    /// Whether an event has a text of a message that is deleted.
    fn is_withheld(&self, event: &Event) -> Result<bool, ReadError> {
        let Some(id) = message_of_text(event) else { return Ok(false) };
        let mut select = self.db.prepare_cached("SELECT deleted FROM rows WHERE id = ?1")?;
        let deleted = select.query_row([id.as_bytes()], |row| row.get::<_, bool>(0)).optional()?;
        Ok(deleted.unwrap_or(false))
    }
}

/// One row of [`COLUMNS`].
fn event(row: &rusqlite::Row<'_>) -> Result<Event, ReadError> {
    let rest: String = row.get(3)?;
    let header = Header::parse(number(row, 1)?, row.get(2)?, &rest).ok_or(ReadError::NotFound)?;
    let parted = row.get::<_, Option<i64>>(12)?.is_some_and(|g| header.g > g as u64);
    let mut event = Event {
        seq: number(row, 0)?,
        chain: parsed(row, 4)?,
        lane: number(row, 5)?,
        ordinal: row.get::<_, Option<i64>>(6)?.map(|ordinal| ordinal as u64),
        also: match (row.get::<_, Option<i64>>(8)?, row.get::<_, Option<i64>>(9)?) {
            (Some(lane), Some(ordinal)) => Some(Place { lane: lane as u64, ordinal: ordinal as u64 }),
            _ => None,
        },
        imported_for: parted.then(|| header.written_for()).flatten(),
        header,
        body: None,
        added: None,
        salt: None,
        stored: None,
        restores: row.get::<_, Option<i64>>(11)?.map(|seq| seq as u64),
        erased: Vec::new(),
    };
    let json = row.get_ref(7)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    match json {
        Some(json) if parted => {
            let head = row.get_ref(10)?.as_str_or_null().map_err(rusqlite::Error::from)?;
            put_parts(&mut event, &format!("{}{json}", head.unwrap_or_default()));
        }
        Some(json) => event.body = event_body(&event.header.kind, json),
        None => {}
    }
    Ok(event)
}

/// Gives an event what a reader is sent of its stored body.
pub(in crate::server) fn put_parts(event: &mut Event, body: &str) {
    let header = &event.header;
    let takes_back = || Stored::never_erased(body).is_some_and(|stored| stored.draft == r#"{"value":false}"#);
    let stored = match erasable(Format::Five, &header.kind, header.slot.as_ref()) {
        Erasable::Never => Stored::never_erased(body),
        Erasable::IfRestore if deletes(body) || takes_back() => Stored::never_erased(body),
        // A restore with text: its bytes are sent to nobody.
        Erasable::IfRestore => return,
        Erasable::Always => Stored::erasable(body),
    };
    let stored = stored.unwrap_or(Stored { salt: "", draft: body, added: None });
    event.salt = Some(stored.salt.to_owned()).filter(|salt| !salt.is_empty());
    // One that cannot be read says nothing.
    event.added = stored.added.map(|json| serde_json::from_str(json).unwrap_or_default());
    event.body = match header.kind {
        Kind::Message => serde_json::from_str(stored.draft).ok().map(EventBody::Message),
        _ => event_body(&header.kind, stored.draft),
    };
    if event.stored_bytes().as_deref() != Some(body) {
        event.stored = Some(body.to_owned());
    }
}

/// The message whose text an event is sent with.
pub(in crate::server) fn message_of_text(event: &Event) -> Option<ClientId> {
    let header = &event.header;
    match header.kind {
        Kind::Message => Some(header.client_id),
        Kind::Act if may_write_text(event) || event.restores.is_some() => target_of(header),
        _ => None,
    }
}

/// The message that an act is on.
pub(in crate::server) fn target_of(act: &Header) -> Option<ClientId> {
    act.target.as_ref().and_then(|target| target.as_str().parse().ok())
}

/// Takes away what may not be sent of an event of a deleted message.
pub(in crate::server) fn withhold(event: &mut Event) {
    event.body = None;
    (event.added, event.salt, event.stored, event.restores) = (None, None, None, None);
}

/// Gives the event of a restore the text that stands again, or takes away what it has if there is none.
pub(in crate::server) fn show_again(event: &mut Event, text: Option<&Text>) {
    let Some(Text { event: writer, text }) = text else { return withhold(event) };
    event.body = Some(EventBody::Act(ActBody { value: ActValue::Restored { restored: text.clone() } }));
    event.added = writer.added.clone();
    event.restores = Some(writer.seq);
}

/// Whether an act wrote a text: an edit, or a restore of formats 1 to 4, which carries the text. From format 5 on a
/// restore names the event that wrote it.
fn may_write_text(act: &Event) -> bool {
    match slot_of(act) {
        Some(Slot::Text) => true,
        Some(Slot::Deleted) => act.restores.is_none() && act.restores_message(),
        _ => false,
    }
}

fn slot_of(act: &Event) -> Option<Slot> {
    act.header.slot.as_ref().and_then(|slot| Slot::parse(slot.as_str()))
}

/// The text that an event carries.
pub(in crate::server) fn text_of(event: &Event) -> Option<&str> {
    match event.body.as_ref()? {
        EventBody::Message(body) => Some(&body.text),
        EventBody::Act(ActBody { value: ActValue::Text(text) | ActValue::Restored { restored: text } }) => {
            Some(text)
        }
        _ => None,
    }
}

/// A message as formats 1 to 4 read it. They know no other field.
#[derive(Deserialize)]
struct Formed {
    text: String,
    #[serde(default)]
    quote: Option<ClientId>,
}

/// The body of an event of formats 1 to 4 from its JSON; `None` if it is not of its kind's form.
pub(in crate::server) fn event_body(kind: &Kind, json: &str) -> Option<EventBody> {
    match kind {
        Kind::Message => {
            let Formed { text, quote } = serde_json::from_str(json).ok()?;
            Some(EventBody::Message(MessageBody { text, quote, said: None }))
        }
        Kind::Act => serde_json::from_str(json).ok().map(EventBody::Act),
        _ => serde_json::from_str(json).ok().map(EventBody::Other),
    }
}
