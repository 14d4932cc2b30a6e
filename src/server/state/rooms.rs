//! Where rooms stand, and their events.

use super::{ReadError, Reader, integer, number, parsed};
use crate::protocol::{ClientId, Event, EventBody, Hash, Header, Kind, MessageBody, Place, RoomId, bounds};
use rusqlite::{OptionalExtension, params};
use serde::Deserialize;
use std::sync::Arc;

/// Where a room stands, with its number in this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomHead {
    pub n: i64,
    pub seq: u64,
    pub chain: Hash,
}

impl Reader<'_> {
    pub fn room_head(&self, room: RoomId) -> Result<RoomHead, ReadError> {
        self.db
            .prepare_cached("SELECT n, seq, chain FROM rooms WHERE id = ?1")?
            .query_row([room.as_str()], |row| {
                Ok(RoomHead { n: row.get(0)?, seq: number(row, 1)?, chain: parsed(row, 2)? })
            })
            .optional()?
            .ok_or(ReadError::NotFound)
    }

    /// The chain after a seq of a room; `None` if the room has not come so far.
    pub fn chain_at(&self, room: &RoomHead, seq: u64) -> Result<Option<Hash>, ReadError> {
        if seq == 0 {
            return Ok(Some(Hash::ZERO));
        }
        Ok(self
            .db
            .prepare_cached("SELECT chain FROM events WHERE room = ?1 AND seq = ?2")?
            .query_row(params![room.n, integer(seq)], |row| parsed(row, 0))
            .optional()?)
    }

    /// Events `after < seq <= to`, in order: the first [`bounds::EVENTS_AT_ONCE`] of them.
    pub fn events(&self, room: &RoomHead, after: u64, to: u64) -> Result<Vec<Arc<Event>>, ReadError> {
        let sql = "SELECT seq, g, at, rest, chain, lane, ordinal, json, also_lane, also_ordinal FROM events
                   WHERE room = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4";
        let mut select = self.db.prepare_cached(sql)?;
        let mut rows = select.query(params![room.n, integer(after), integer(to), bounds::EVENTS_AT_ONCE])?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            let rest: String = row.get(3)?;
            let header = Header::parse(number(row, 1)?, row.get(2)?, &rest).ok_or(ReadError::NotFound)?;
            let json: Option<String> = row.get(7)?;
            let body = json.as_deref().and_then(|json| event_body(&header.kind, json));
            let erased = match header.kind {
                Kind::Erase => self.messages_erased_by(header.g)?,
                _ => Vec::new(),
            };
            events.push(Arc::new(Event {
                seq: number(row, 0)?,
                chain: parsed(row, 4)?,
                lane: number(row, 5)?,
                ordinal: row.get::<_, Option<i64>>(6)?.map(|ordinal| ordinal as u64),
                also: match (row.get::<_, Option<i64>>(8)?, row.get::<_, Option<i64>>(9)?) {
                    (Some(lane), Some(ordinal)) => Some(Place { lane: lane as u64, ordinal: ordinal as u64 }),
                    _ => None,
                },
                header,
                body,
                added: None,
                salt: None,
                stored: None,
                restores: None,
                erased,
                imported_for: None,
            }));
        }
        Ok(events)
    }

    pub fn lane_head(&self, room: &RoomHead, lane: u64) -> Result<u64, ReadError> {
        Ok(self
            .db
            .prepare_cached("SELECT head FROM lanes WHERE room = ?1 AND lane = ?2")?
            .query_row(params![room.n, integer(lane)], |row| number(row, 0))
            .optional()?
            .unwrap_or(0))
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
