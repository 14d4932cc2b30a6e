//! Events of rooms that a connection has open.

use super::{Floor, ReadError, RoomHead, State};
use crate::protocol::{Event, Hash, RoomId};
use std::sync::Arc;

/// Permission to read a room's events, granted by [`Member::subscribe`](super::Member::subscribe) alone. Reads through it
/// do not check membership again: the holder must deliver nothing after the event that ended the stay, which the hub
/// reports to its mailbox. A removed account still has to receive that event.
pub struct Subscription {
    pub(super) room: RoomId,
    pub(super) floor: Floor,
}

impl Subscription {
    /// The floor of the stay.
    pub fn floor(&self) -> Floor {
        self.floor
    }
}

impl State {
    /// Events `after < seq <= to` of a subscribed room, in order.
    pub fn events_of(&self, of: &Subscription, after: u64, to: u64) -> Result<Vec<Arc<Event>>, ReadError> {
        self.read(|state| state.events(&state.room_head(of.room)?, of.floor, after, to))
    }

    /// The newest event of a subscribed room, and the room's chain after a seq.
    pub fn position_of(&self, of: &Subscription, seq: u64) -> Result<(RoomHead, Option<Hash>), ReadError> {
        self.read(|state| {
            let head = state.room_head(of.room)?;
            Ok((head, state.chain_at(&head, seq)?))
        })
    }

    /// The newest event of each subscribed room. Omits rooms that no longer exist.
    pub fn positions_of<'s>(
        &self,
        rooms: impl Iterator<Item = &'s Subscription>,
    ) -> Result<Vec<(RoomId, RoomHead)>, ReadError> {
        self.read(|state| {
            Ok(rooms.filter_map(|of| Some((of.room, state.room_head(of.room).ok()?))).collect())
        })
    }
}
