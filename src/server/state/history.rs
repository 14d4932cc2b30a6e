//! The texts that a message had.

use super::{Member, ReadError, Reader, event_body, integer, number};
use crate::protocol::frame::Version;
use crate::protocol::{ActValue, ClientId, EventBody, Header, Slot, bounds};
use crate::server::fold::Rules;
use rusqlite::{OptionalExtension, params};

impl Member<'_> {
    /// The texts that a message of the room had, oldest first: the first text and the newest of the others. None of a
    /// deleted message.
    pub fn history(&self, id: ClientId) -> Result<Vec<Version>, ReadError> {
        let row = self.message(id)?.ok_or(ReadError::NotFound)?;
        if row.deleted.is_some() {
            return Ok(Vec::new());
        }
        let first = "SELECT g, at, rest, json FROM events WHERE room = ?1 AND seq = ?2";
        let written = self.db().prepare_cached(first)?;
        let mut versions: Vec<_> = { written }
            .query_row(params![self.head.n, integer(row.seq)], version)
            .optional()?
            .flatten()
            .into_iter()
            .collect();
        let edits =
            "SELECT e.g, e.at, e.rest, e.json FROM acts a JOIN events e ON e.room = a.room AND e.seq = a.seq
                     WHERE a.target = ?1 ORDER BY a.seq DESC LIMIT ?2";
        let mut select = self.db().prepare_cached(edits)?;
        let mut rows = select.query(params![id.as_bytes(), bounds::HISTORY_WITHIN])?;
        let mut newest = Vec::new();
        while let Some(row) = rows.next()? {
            let Some(earlier) = version(row)? else { continue };
            // What was deleted and taken back is the same text again.
            newest.pop_if(|later: &mut Version| later.text == earlier.text);
            newest.push(earlier);
            if newest.len() + versions.len() == bounds::VERSIONS {
                break;
            }
        }
        versions.extend(newest.into_iter().rev());
        versions.dedup_by(|later, earlier| later.text == earlier.text);
        Ok(versions)
    }
}

impl Reader<'_> {
    /// The seq of the event that wrote the text which stands, or stood before the deletion, and the text unless it is
    /// erased. A restore wrote none, but for those of formats 1 to 4.
    pub fn standing_text(&self, id: ClientId) -> Result<(u64, Option<String>), ReadError> {
        let Some((n, row)) = self.row(id)? else { return Err(ReadError::NotFound) };
        let acts = "SELECT e.g, e.at, e.rest, e.json, e.seq
                    FROM acts a JOIN events e ON e.room = a.room AND e.seq = a.seq
                    WHERE a.target = ?1 ORDER BY a.seq DESC";
        let mut select = self.db.prepare_cached(acts)?;
        let mut rows = select.query([id.as_bytes()])?;
        while let Some(row) = rows.next()? {
            let (g, seq) = (number(row, 0)?, number(row, 4)?);
            let rest: String = row.get(2)?;
            let Some(header) = Header::parse(g, row.get(1)?, &rest) else { continue };
            let writes = match header.slot.as_ref().and_then(|slot| Slot::parse(slot.as_str())) {
                Some(Slot::Text) => true,
                Some(Slot::Deleted) if Rules::of(self.format_of(g)?).strict.is_none() => {
                    let json: Option<String> = row.get(3)?;
                    // A deletion is never erased.
                    json.is_none() || version(row)?.is_some()
                }
                _ => false,
            };
            if writes {
                return Ok((seq, version(row)?.map(|version| version.text)));
            }
        }
        let first = "SELECT g, at, rest, json FROM events WHERE room = ?1 AND seq = ?2";
        let mut select = self.db.prepare_cached(first)?;
        let version = select.query_row(params![n, integer(row.seq)], version).optional()?.flatten();
        Ok((row.seq, version.map(|version| version.text)))
    }

    /// The text that a message had when it was deleted, or has; none once it is erased.
    pub fn last_text(&self, id: ClientId) -> Result<Option<String>, ReadError> {
        let Some((n, row)) = self.row(id)? else { return Err(ReadError::NotFound) };
        let acts =
            "SELECT e.g, e.at, e.rest, e.json FROM acts a JOIN events e ON e.room = a.room AND e.seq = a.seq
                    WHERE a.target = ?1 ORDER BY a.seq DESC";
        let mut select = self.db.prepare_cached(acts)?;
        let mut rows = select.query([id.as_bytes()])?;
        while let Some(row) = rows.next()? {
            if let Some(version) = version(row)? {
                return Ok(Some(version.text));
            }
        }
        let first = "SELECT g, at, rest, json FROM events WHERE room = ?1 AND seq = ?2";
        let mut select = self.db.prepare_cached(first)?;
        let version = select.query_row(params![n, row.seq as i64], version).optional()?.flatten();
        Ok(version.map(|version| version.text))
    }
}

/// The text that an event of a message wrote, if it wrote one.
fn version(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Version>> {
    let (at, rest): (i64, String) = (row.get(1)?, row.get(2)?);
    let json: Option<String> = row.get(3)?;
    let Some(header) = Header::parse(row.get::<_, i64>(0)? as u64, at, &rest) else { return Ok(None) };
    let slot = header.slot.as_ref().and_then(|slot| Slot::parse(slot.as_str()));
    let text = match (slot, json.and_then(|json| event_body(&header.kind, &json))) {
        (None, Some(EventBody::Message(body))) => body.text,
        (Some(Slot::Text | Slot::Deleted), Some(EventBody::Act(body))) => match body.value {
            ActValue::Text(text) | ActValue::Restored { restored: text } => text,
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(Some(Version { at, text }))
}
