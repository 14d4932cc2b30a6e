//! Threads: their roots, who follows them by taking part, and what is unread there.

use super::floor::at_floor;
use super::unread::counted;
use super::{Member, ReadError, Reader, RoomHead, integer, number};
use crate::protocol::{Row, bounds};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An account follows a thread: because it takes part, or because it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Following {
    pub lane: u64,
    /// The newest ordinal of the lane before it began to take part.
    pub since: u64,
    /// The seq of what named the account there last; 0 if nothing did.
    pub named: u64,
    /// The newest ordinal of the lane.
    pub head: u64,
    /// The seq of the newest answer; of the root while there is none.
    pub newest: u64,
}

impl Following {
    fn of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Following> {
        Ok(Following {
            lane: number(row, 0)?,
            since: number(row, 1)?.saturating_sub(1),
            named: number(row, 2)?,
            head: number(row, 3)?,
            newest: number(row, 4)?,
        })
    }
}

/// A thread of which an account has not read all.
#[derive(Debug, Clone, Copy)]
pub struct Above {
    pub lane: u64,
    /// How far it has read.
    pub read: u64,
    /// The seq of the newest answer.
    pub newest: u64,
}

impl Above {
    /// For a statement: one for all of them, there may be hundreds.
    fn json(above: &[Above]) -> Result<String, ReadError> {
        let read: BTreeMap<_, _> = above.iter().map(|above| (above.lane, above.read)).collect();
        Ok(serde_json::to_string(&read)?)
    }
}

impl Reader<'_> {
    /// The message under which a lane stands; `None` for a lane of a seq that is no message of the room's own lane.
    pub fn root(&self, room: &RoomHead, lane: u64) -> Result<Option<Row>, ReadError> {
        let sql = "SELECT r.row FROM events e JOIN rows r ON r.room = e.room AND r.lane = 0 AND r.ordinal = e.ordinal
                   WHERE e.room = ?1 AND e.seq = ?2 AND e.lane = 0 AND e.also_lane IS NULL";
        let json: Option<String> = self
            .db
            .prepare_cached(sql)?
            .query_row(params![room.n, integer(lane)], |row| row.get(0))
            .optional()?;
        Ok(json.map(|json| serde_json::from_str(&json)).transpose()?)
    }
}

impl Member<'_> {
    /// The threads in which the account takes part, by lane: the newest [`bounds::FOLLOWED_WITHIN`] of them.
    pub fn following(&self) -> Result<Vec<Following>, ReadError> {
        let sql = "SELECT f.lane, MIN(f.ordinal), MAX(f.named), l.head, l.newest FROM followers f
                   CROSS JOIN lanes l ON l.room = f.room AND l.lane = f.lane
                   WHERE f.account = ?1 AND f.room = ?2 GROUP BY f.lane ORDER BY f.lane DESC LIMIT ?3";
        let mut select = self.db().prepare_cached(sql)?;
        let of = params![self.account.as_str(), self.head.n, bounds::FOLLOWED_WITHIN];
        let mut newest_first: Vec<_> =
            select.query_map(of, Following::of)?.collect::<rusqlite::Result<_>>()?;
        newest_first.reverse();
        Ok(newest_first)
    }

    /// One thread, if the account takes part in it.
    pub fn follower(&self, lane: u64) -> Result<Option<Following>, ReadError> {
        let sql = "SELECT f.lane, MIN(f.ordinal), MAX(f.named), l.head, l.newest FROM followers f
                   CROSS JOIN lanes l ON l.room = f.room AND l.lane = f.lane
                   WHERE f.account = ?1 AND f.room = ?2 AND f.lane = ?3 GROUP BY f.lane";
        let mut select = self.db().prepare_cached(sql)?;
        Ok(select
            .query_row(params![self.account.as_str(), self.head.n, integer(lane)], Following::of)
            .optional()?)
    }

    /// A thread for one who does not take part in it.
    pub fn stranger(&self, lane: u64) -> Result<Following, ReadError> {
        let sql = "SELECT head, newest FROM lanes WHERE room = ?1 AND lane = ?2";
        let stands = self
            .db()
            .prepare_cached(sql)?
            .query_row(params![self.head.n, integer(lane)], |row| Ok((number(row, 0)?, number(row, 1)?)))
            .optional()?;
        let (head, newest) = stands.unwrap_or((0, lane));
        Ok(Following { lane, since: 0, named: 0, head, newest })
    }

    /// What others wrote in threads and is not deleted, and what of it names the account or everybody; both
    /// exact to 99.
    pub fn unread_above(&self, above: &[Above]) -> Result<(u32, u32), ReadError> {
        if above.is_empty() {
            return Ok((0, 0));
        }
        let read = Above::json(above)?;
        let limit = i64::from(bounds::UNREAD_EXACT) + 1;
        let (n, me) = (self.head.n, self.account);
        let sql = concat!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM json_each(?2) read CROSS JOIN rows r
               ON r.room = ?1 AND r.lane = CAST(read.key AS INTEGER) AND r.ordinal > read.value
             WHERE r.author <> ?3 AND r.deleted = 0 AND r.imported = 0 AND ",
            at_floor!("r.row", "?5"),
            " LIMIT ?4)"
        );
        let [unread] = self.count(sql, params![n, read, me.as_str(), limit])?;
        let sql = concat!(
            "SELECT COUNT(*) FROM (SELECT DISTINCT n.lane, n.ordinal FROM json_each(?2) read CROSS JOIN mentions n
               ON n.room = ?1 AND n.lane = CAST(read.key AS INTEGER) AND n.account IN (?3, ?5)
                 AND n.ordinal > read.value
             WHERE n.author <> ?3 AND ",
            at_floor!(
                "(SELECT row FROM rows r WHERE r.room = n.room AND r.lane = n.lane AND r.ordinal = n.ordinal)",
                "?6"
            ),
            " LIMIT ?4)"
        );
        let [mentions] = self.count(sql, params![n, read, me.as_str(), limit, bounds::ROOM_HANDLE])?;
        Ok((counted(unread), counted(mentions)))
    }

    /// What others wrote there and is not deleted, after a seq of the room: the newest ones, oldest first.
    pub fn answers_above(&self, above: &[Above], after: u64) -> Result<Vec<Arc<Row>>, ReadError> {
        if above.is_empty() {
            return Ok(Vec::new());
        }
        let sql =
            "SELECT r.row FROM events e CROSS JOIN json_each(?2) read ON CAST(read.key AS INTEGER) = e.lane
                   CROSS JOIN rows r ON r.room = e.room AND r.lane = e.lane AND r.ordinal = e.ordinal
                   WHERE e.room = ?1 AND e.seq > ?3 AND e.lane > 0 AND e.ordinal > read.value
                     AND r.author <> ?4 AND r.deleted = 0 AND r.imported = 0 ORDER BY e.seq DESC LIMIT ?5";
        let after = after.max(self.head.seq.saturating_sub(bounds::ANSWERS_WITHIN));
        let me = self.account;
        let of =
            params![self.head.n, Above::json(above)?, integer(after), me.as_str(), bounds::ANSWERS as i64];
        let mut select = self.db().prepare_cached(sql)?;
        let mut rows = select.query(of)?;
        let mut answers = Vec::new();
        while let Some(row) = rows.next()? {
            let json = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            answers.extend(self.shown(serde_json::from_str(json)?)?.map(Arc::new));
        }
        answers.reverse();
        Ok(answers)
    }
}
