//! Memberships, and what is unread of their rooms.

use super::{ReadError, Reader, number, parsed};
use crate::protocol::{AccountId, Badge, Mention, Mentions, Pointer, RoomId, Wanted, bounds};
use rusqlite::{OptionalExtension, params};

/// One stay of an account in a room; who leaves and comes back has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The seq of the event that made the account a member.
    pub joined: u64,
    /// The newest ordinal of the room's own lane before it.
    pub since: u64,
}

impl Reader<'_> {
    pub fn membership(&self, room: RoomId, account: AccountId) -> Result<Membership, ReadError> {
        self.db
            .prepare_cached("SELECT joined, since FROM members WHERE room = ?1 AND account = ?2")?
            .query_row([room.as_str(), account.as_str()], |row| {
                Ok(Membership { joined: number(row, 0)?, since: number(row, 1)? })
            })
            .optional()?
            .ok_or(ReadError::NotFound)
    }

    /// What others wrote in a lane above a pointer and is not deleted.
    pub fn badge(&self, room: RoomId, lane: u64, me: AccountId, read: Pointer) -> Result<Badge, ReadError> {
        let head = self.room_head(room)?;
        let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM rows WHERE room = ?1 AND lane = ?2 AND ordinal > ?3
                   AND author <> ?4 AND deleted = 0 LIMIT ?5)";
        let limit = i64::from(bounds::UNREAD_EXACT) + 1;
        let above = params![head.n, lane as i64, read.ordinal as i64, me.as_str(), limit];
        let unread: i64 = self.db.prepare_cached(sql)?.query_row(above, |row| row.get(0))?;
        let sql = "SELECT COUNT(*) FROM (SELECT DISTINCT ordinal FROM mentions WHERE room = ?1 AND lane = ?2
                   AND ordinal > ?3 AND author <> ?4 AND account IN (?4, ?6) LIMIT ?5)";
        let above =
            params![head.n, lane as i64, read.ordinal as i64, me.as_str(), limit, bounds::ROOM_HANDLE];
        let mentions: i64 = self.db.prepare_cached(sql)?.query_row(above, |row| row.get(0))?;
        Ok(Badge {
            unread: u32::try_from(unread).unwrap_or(0),
            mentions: u32::try_from(mentions).unwrap_or(0),
            read: read.ordinal,
            generation: read.generation,
            head: self.lane_head(&head, lane)?,
            wanted: Wanted::default(),
        })
    }

    /// Messages of the rooms that an account is in which name it, or everybody since it is there: those before a
    /// number of the log, newest first, `limit` at most.
    pub fn mentions(&self, me: AccountId, before: Option<u64>, limit: usize) -> Result<Mentions, ReadError> {
        let sql = "SELECT m.g, m.id, w.row FROM
                     (SELECT * FROM (SELECT n.g, r.id, n.room, n.lane, n.ordinal FROM mentions n
                        JOIN rooms r ON r.n = n.room JOIN members s ON s.room = r.id AND s.account = ?1
                        WHERE n.account = ?1 AND n.author <> ?1 AND n.lane = 0 AND n.g < ?2
                        ORDER BY n.g DESC LIMIT ?4)
                      UNION
                      SELECT * FROM (SELECT n.g, r.id, n.room, n.lane, n.ordinal FROM mentions n
                        JOIN rooms r ON r.n = n.room JOIN members s ON s.room = r.id AND s.account = ?1
                        WHERE n.account = ?3 AND n.author <> ?1 AND n.lane = 0 AND n.g < ?2
                          AND n.ordinal > s.since
                        ORDER BY n.g DESC LIMIT ?4)) m
                   JOIN rows w ON w.room = m.room AND w.lane = m.lane AND w.ordinal = m.ordinal
                   ORDER BY m.g DESC LIMIT ?4";
        let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
        let mut select = self.db.prepare_cached(sql)?;
        let mut rows = select.query(params![me.as_str(), before, bounds::ROOM_HANDLE, limit as i64 + 1])?;
        let mut mentions = Vec::new();
        while let Some(row) = rows.next()? {
            let json = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
            mentions.push(Mention {
                g: number(row, 0)?,
                room: parsed(row, 1)?,
                row: serde_json::from_str(json)?,
            });
        }
        let more = mentions.len() > limit;
        mentions.truncate(limit);
        Ok(Mentions { mentions, more })
    }
}
