//! The gate of reads: everything that an account may read of a room is a method of [`Member`].

use super::{Membership, ReadError, Reader, RoomHead, Scope, State, Subscription, parsed};
use crate::protocol::{AccountId, ClientId, Event, Hash, RoomId, Row};
use crate::server::access::Actor;
use rusqlite::{Connection, ToSql, params};
use std::sync::Arc;

/// An account in one of its rooms, as of one read transaction. It cannot outlive the transaction.
pub struct Member<'a> {
    pub(super) state: &'a Reader<'a>,
    pub(super) account: AccountId,
    pub(super) room: RoomId,
    pub(super) stay: Membership,
    pub(super) head: RoomHead,
}

impl State {
    /// Reads from one room in one transaction. Membership comes from the same transaction, not from the Directory, which is
    /// published after the file. Fails with [`ReadError::NotFound`] both if there is no such room and if the account is not
    /// in it; both cases run the same statements.
    pub fn enter<T>(
        &self,
        (account, room): (AccountId, RoomId),
        what: impl FnOnce(&Member<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        self.scope(account, |scope| what(&scope.member(room)?))
    }
}

impl<'a> Scope<'a> {
    /// Enters one room. Fails as [`State::enter`] does.
    pub fn member(&self, room: RoomId) -> Result<Member<'a>, ReadError> {
        let stay = self.state.membership(room, self.account)?;
        let head = self.state.room_head(room)?;
        Ok(Member { state: self.state, account: self.account, room, stay, head })
    }
}

impl Member<'_> {
    pub(super) fn db(&self) -> &Connection {
        self.state.db
    }

    pub fn room(&self) -> RoomId {
        self.room
    }

    /// When the account joined.
    pub fn stay(&self) -> Membership {
        self.stay
    }

    /// The room's newest event.
    pub fn head(&self) -> RoomHead {
        self.head
    }

    /// Permission to go on reading the room's events after this transaction.
    pub fn subscribe(&self) -> Subscription {
        Subscription { room: self.room, floor: self.stay.floor }
    }

    /// Events `after < seq <= to`, in order: the first [`bounds::EVENTS_AT_ONCE`](crate::protocol::bounds::EVENTS_AT_ONCE)
    /// of them.
    pub fn events(&self, after: u64, to: u64) -> Result<Vec<Arc<Event>>, ReadError> {
        self.state.events(&self.head, self.stay.floor, after, to)
    }

    /// The chain after a seq; `None` if the room has not come so far.
    pub fn chain_at(&self, seq: u64) -> Result<Option<Hash>, ReadError> {
        self.state.chain_at(&self.head, seq)
    }

    /// A message, if it is in this room and not below the floor.
    pub fn message(&self, id: ClientId) -> Result<Option<Row>, ReadError> {
        Ok(self.state.message(&self.head, id)?.and_then(|row| self.stay.floor.row(row)))
    }

    /// Whether there is this lane: the room's own, or that of one of its messages. The message may stand below the floor.
    pub fn has_lane(&self, lane: u64) -> Result<bool, ReadError> {
        Ok(lane == 0 || self.state.root(&self.head, lane)?.is_some())
    }

    /// The message under which a lane stands; `None` for a lane of a seq that is no message of the room's own lane, and for
    /// a message below the floor.
    pub fn root(&self, lane: u64) -> Result<Option<Row>, ReadError> {
        let root = self.state.root(&self.head, lane)?;
        Ok(root.map(|root| self.shown(root)).transpose()?.flatten())
    }

    /// A row as the account is sent it; `None` below the floor.
    pub(super) fn shown(&self, row: Row) -> Result<Option<Row>, ReadError> {
        let Some(mut row) = self.stay.floor.row(row) else { return Ok(None) };
        if let Some(deleted) = &mut row.deleted {
            let undo = self.state.undo(row.id)?;
            deleted.until = undo.and_then(|undo| undo.until_for(Actor::Account(self.account)));
        }
        Ok(Some(row))
    }

    /// The numbers of a statement that counts rows. Its last parameter is the floor: a statement that has none fails.
    pub(super) fn count<const N: usize>(
        &self,
        sql: &str,
        parameters: &[&dyn ToSql],
    ) -> Result<[Option<i64>; N], ReadError> {
        let floor = self.stay.floor.number();
        let parameters: Vec<&dyn ToSql> = parameters.iter().copied().chain([&floor as &dyn ToSql]).collect();
        let numbers = |row: &rusqlite::Row<'_>| {
            let mut numbers = [None; N];
            for (column, number) in numbers.iter_mut().enumerate() {
                *number = row.get(column)?;
            }
            Ok(numbers)
        };
        Ok(self.db().prepare_cached(sql)?.query_row(&parameters[..], numbers)?)
    }

    /// The newest ordinal of a lane.
    pub fn lane_head(&self, lane: u64) -> Result<u64, ReadError> {
        self.state.lane_head(&self.head, lane)
    }

    /// Members of the room by name, this many at most.
    pub fn members(&self, limit: usize) -> Result<Vec<AccountId>, ReadError> {
        let sql = "SELECT account FROM members JOIN accounts ON id = account WHERE room = ?1
                   ORDER BY name COLLATE NOCASE, account LIMIT ?2";
        let mut select = self.db().prepare_cached(sql)?;
        let rows = select.query_map(params![self.room.as_str(), limit as i64], |row| parsed(row, 0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
