//! Memberships, and what is unread of their rooms.

use super::floor::at_floor;
use super::{Floor, Member, ReadError, Reader, Scope, integer, number, parsed};
use crate::protocol::{AccountId, Badge, Mention, Mentions, Pointer, RoomId, Wanted, bounds};
use rusqlite::{OptionalExtension, params};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One stay of an account in a room; who leaves and comes back has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The seq of the event that made the account a member.
    pub joined: u64,
    /// The newest ordinal of the room's own lane before it.
    pub since: u64,
    pub floor: Floor,
}

impl Membership {
    /// The columns `joined`, `since` and `floor`, from this one on.
    fn of(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Membership> {
        let (joined, since) = (number(row, column)?, number(row, column + 1)?);
        Ok(Membership { joined, since, floor: Floor::of(row, column + 2)? })
    }
}

/// The place of a message that names somebody, as the account stands to it that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    pub room: RoomId,
    pub lane: u64,
    pub ordinal: u64,
    pub stay: Membership,
    /// [`since` and `named`](super::Following) of one who takes part in its thread.
    pub takes_part: Option<(u64, u64)>,
}

impl Reader<'_> {
    pub fn membership(&self, room: RoomId, account: AccountId) -> Result<Membership, ReadError> {
        self.db
            .prepare_cached("SELECT joined, since, floor FROM members WHERE room = ?1 AND account = ?2")?
            .query_row([room.as_str(), account.as_str()], |row| Membership::of(row, 0))
            .optional()?
            .ok_or(ReadError::NotFound)
    }
}

impl Member<'_> {
    /// What others wrote in a lane above a pointer and is not deleted.
    pub fn badge(&self, lane: u64, read: Pointer) -> Result<Badge, ReadError> {
        let (n, me) = (self.head.n, self.account);
        let sql = concat!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM rows WHERE room = ?1 AND lane = ?2 AND ordinal > ?3
             AND author <> ?4 AND deleted = 0 AND imported = 0 AND ",
            at_floor!("row", "?6"),
            " LIMIT ?5)"
        );
        let limit = i64::from(bounds::UNREAD_EXACT) + 1;
        let [unread] =
            self.count(sql, params![n, integer(lane), integer(read.ordinal), me.as_str(), limit])?;
        let sql = concat!(
            "SELECT COUNT(*), (SELECT MAX(seq) FROM named n WHERE account = ?4 AND room = ?1 AND seq > ?7 AND ",
            at_floor!(
                "(SELECT row FROM rows r WHERE r.room = n.room AND r.lane = n.lane AND r.ordinal = n.ordinal)",
                "?8"
            ),
            ") FROM (SELECT DISTINCT ordinal FROM mentions n WHERE room = ?1 AND lane = ?2
               AND ordinal > ?3 AND author <> ?4 AND account IN (?4, ?6) AND ",
            at_floor!(
                "(SELECT row FROM rows r WHERE r.room = n.room AND r.lane = n.lane AND r.ordinal = n.ordinal)",
                "?8"
            ),
            " LIMIT ?5)"
        );
        let (ordinal, joined) = (integer(read.ordinal), integer(self.stay.joined));
        let above = params![n, integer(lane), ordinal, me.as_str(), limit, bounds::ROOM_HANDLE, joined];
        let [mentions, named] = self.count(sql, above)?;
        Ok(Badge {
            unread: counted(unread),
            mentions: counted(mentions),
            read: read.ordinal,
            generation: read.generation,
            head: self.lane_head(lane)?,
            wanted: Wanted::default(),
            threads: 0,
            thread_mentions: 0,
            newest_answer: 0,
            named_by_edit: named.map_or(0, |seq| seq as u64),
        })
    }
}

/// A number that a statement counted.
pub(super) fn counted(number: Option<i64>) -> u32 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

impl Scope<'_> {
    /// Messages of the account's rooms which name it, or everybody: those before a number of the log, newest
    /// first, `limit` at most. What names everybody counts if its seq is above what `everybody` says of its place.
    pub fn mentions(
        &self,
        before: Option<u64>,
        limit: usize,
        everybody: impl Fn(&Named) -> Option<u64>,
    ) -> Result<Mentions, ReadError> {
        let mut found = BTreeMap::new();
        self.named((self.account.as_str(), before), limit, |_| Some(0), &mut found)?;
        self.named((bounds::ROOM_HANDLE, before), limit, everybody, &mut found)?;
        let more = found.len() > limit;
        Ok(Mentions { mentions: found.into_values().take(limit).collect(), more })
    }

    /// Adds one more than `limit`, if there are so many.
    fn named(
        &self,
        (whom, before): (&str, Option<u64>),
        limit: usize,
        counts: impl Fn(&Named) -> Option<u64>,
        found: &mut BTreeMap<Reverse<u64>, Mention>,
    ) -> Result<(), ReadError> {
        let sql = "SELECT n.g, r.id, n.lane, n.ordinal, w.row, s.joined, s.since, s.floor,
                     (SELECT MIN(ordinal) FROM followers WHERE account = ?1 AND room = n.room AND lane = n.lane),
                     (SELECT MAX(named) FROM followers WHERE account = ?1 AND room = n.room AND lane = n.lane)
                   FROM mentions n CROSS JOIN rooms r ON r.n = n.room
                   CROSS JOIN members s ON s.room = r.id AND s.account = ?1
                   CROSS JOIN rows w ON w.room = n.room AND w.lane = n.lane AND w.ordinal = n.ordinal
                   WHERE n.account = ?2 AND n.g < ?3 AND n.author <> ?1 ORDER BY n.g DESC LIMIT ?4";
        let before = before.map_or(i64::MAX, integer);
        let mut select = self.state.db.prepare_cached(sql)?;
        let mut rows = select.query(params![self.account.as_str(), whom, before, bounds::MENTIONS_WITHIN])?;
        let mut n = 0;
        while let Some(row) = rows.next()? {
            let takes_part = match row.get::<_, Option<i64>>(8)? {
                Some(ordinal) => Some(((ordinal as u64).saturating_sub(1), number(row, 9)?)),
                None => None,
            };
            let named = Named {
                room: parsed(row, 1)?,
                lane: number(row, 2)?,
                ordinal: number(row, 3)?,
                stay: Membership::of(row, 5)?,
                takes_part,
            };
            let Some(above) = counts(&named) else { continue };
            let json = row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?;
            let message = named.stay.floor.row(serde_json::from_str(json)?).map(Arc::new);
            let Some(message) = message.filter(|message| message.seq > above) else { continue };
            let g = number(row, 0)?;
            found.insert(Reverse(g), Mention { g, room: named.room, row: message });
            n += 1;
            if n > limit {
                break;
            }
        }
        Ok(())
    }
}
