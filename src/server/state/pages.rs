//! Rows: one of them, and pages of them.

use super::{Member, ReadError, Reader, RoomHead, integer};
use crate::protocol::{ClientId, Page, PageAt, Position, Row, WorkspaceId, bounds};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Reader<'_> {
    /// A message wherever it stands.
    pub fn row(&self, id: ClientId) -> Result<Option<(i64, Row)>, ReadError> {
        let found: Option<(i64, String)> = self
            .db
            .prepare_cached("SELECT room, row FROM rows WHERE id = ?1")?
            .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(match found {
            Some((room, json)) => Some((room, serde_json::from_str(&json)?)),
            None => None,
        })
    }

    /// A message by its ordinal in a lane: its own, or the one in which it stands too.
    pub(super) fn row_at(&self, room: &RoomHead, lane: u64, ordinal: u64) -> Result<Option<Row>, ReadError> {
        let sql = "SELECT row FROM rows WHERE room = ?1 AND lane = ?2 AND ordinal = ?3
                   UNION ALL
                   SELECT r.row FROM also a JOIN rows r ON r.id = a.id
                     WHERE a.room = ?1 AND a.lane = ?2 AND a.ordinal = ?3 LIMIT 1";
        let mut select = self.db.prepare_cached(sql)?;
        let at = params![room.n, integer(lane), integer(ordinal)];
        let json: Option<String> = select.query_row(at, |row| row.get(0)).optional()?;
        Ok(json.map(|json| serde_json::from_str(&json)).transpose()?)
    }

    /// A message, if it is in this room.
    pub(super) fn message(&self, room: &RoomHead, id: ClientId) -> Result<Option<Row>, ReadError> {
        Ok(self.row(id)?.filter(|(n, _)| *n == room.n).map(|(_, row)| row))
    }
}

impl Member<'_> {
    fn rows_between(&self, lane: u64, (from, to): (u64, u64)) -> Result<Vec<Arc<Row>>, ReadError> {
        let sql = "SELECT row, ordinal FROM rows WHERE room = ?1 AND lane = ?2 AND ordinal BETWEEN ?3 AND ?4
                   UNION ALL
                   SELECT r.row, a.ordinal FROM also a JOIN rows r ON r.id = a.id
                     WHERE a.room = ?1 AND a.lane = ?2 AND a.ordinal BETWEEN ?3 AND ?4
                   ORDER BY 2 LIMIT ?5";
        let mut select = self.db().prepare_cached(sql)?;
        let mut rows = select.query(params![
            self.head.n,
            integer(lane),
            integer(from),
            integer(to),
            bounds::PAGE_ROWS as i64
        ])?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            let json = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            let row = serde_json::from_str::<Row>(json)?.seen_from(lane);
            out.extend(row.map(|row| self.shown(row)).transpose()?.flatten().map(Arc::new));
        }
        Ok(out)
    }

    /// Rows of a lane with the position that they are as of. A thread is there from its root on.
    pub fn page(&self, epoch: WorkspaceId, lane: u64, at: PageAt, limit: usize) -> Result<Page, ReadError> {
        if !self.has_lane(lane)? {
            return Err(ReadError::NotFound);
        }
        let newest = self.lane_head(lane)?;
        let limit = limit.clamp(1, bounds::PAGE_ROWS) as u64;
        let span = match at {
            PageAt::Newest => (newest.saturating_sub(limit - 1), newest),
            PageAt::Before(ordinal) => {
                let to = ordinal.saturating_sub(1).min(newest);
                (to.saturating_sub(limit - 1), to)
            }
            PageAt::After(ordinal) => {
                let from = ordinal.saturating_add(1);
                (from, newest.min(ordinal.saturating_add(limit)))
            }
            PageAt::Around(ordinal) => {
                let to = ordinal.saturating_add(limit / 2).min(newest);
                (to.saturating_sub(limit - 1), to)
            }
        };
        let (from, to) = (span.0.max(1), span.1);
        let rows = if from <= to { self.rows_between(lane, (from, to))? } else { Vec::new() };
        let mut quotes = BTreeMap::new();
        for quoted in rows.iter().filter_map(|row| row.quote) {
            if !quotes.contains_key(&quoted)
                && let Some(row) = self.message(quoted)?
            {
                quotes.insert(quoted, crate::timeline::quote_of(&row));
            }
        }
        let as_of = Position { epoch, seq: self.head.seq, chain: self.head.chain };
        Ok(Page { room: self.room, lane, as_of, head: newest, rows, quotes })
    }

    /// The pinned messages of a room's own lane, newest first, 100 at most.
    pub fn pins(&self) -> Result<Vec<Arc<Row>>, ReadError> {
        let sql =
            "SELECT row FROM rows WHERE room = ?1 AND lane = 0 AND pinned ORDER BY ordinal DESC LIMIT ?2";
        let mut select = self.db().prepare_cached(sql)?;
        let mut rows = select.query(params![self.head.n, bounds::PAGE_ROWS as i64])?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            let json = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            out.extend(self.shown(serde_json::from_str(json)?)?.map(Arc::new));
        }
        Ok(out)
    }
}
