//! Where rooms stand.

use super::{ReadError, Reader, integer, number, parsed};
use crate::protocol::{Hash, RoomId};
use rusqlite::{OptionalExtension, params};

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

    pub fn lane_head(&self, room: &RoomHead, lane: u64) -> Result<u64, ReadError> {
        Ok(self
            .db
            .prepare_cached("SELECT head FROM lanes WHERE room = ?1 AND lane = ?2")?
            .query_row(params![room.n, integer(lane)], |row| number(row, 0))
            .optional()?
            .unwrap_or(0))
    }
}
