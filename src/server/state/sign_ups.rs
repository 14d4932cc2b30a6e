//! Joins of new accounts that are not stored yet.

use super::{ReadError, Reader, State, client_id, parsed};
use crate::protocol::{AccountId, ClientId, RoomId};

/// A join that goes with an account, and that no server has proposed yet, as far as the log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinToCome {
    /// The id of the step.
    pub id: ClientId,
    pub author: AccountId,
    pub account: AccountId,
    pub room: RoomId,
}

impl State {
    /// Joins of the accounts that were made after a time (milliseconds since 1970, UTC), in the order of the entries.
    pub fn joins_to_come(&self, after: i64) -> Result<Vec<JoinToCome>, ReadError> {
        self.read(|reader| reader.joins_to_come(after))
    }
}

impl Reader<'_> {
    fn joins_to_come(&self, after: i64) -> Result<Vec<JoinToCome>, ReadError> {
        let sql =
            "SELECT id, author, account, room FROM joins_to_come WHERE at > ?1 ORDER BY g, step LIMIT 1000";
        let mut select = self.db.prepare_cached(sql)?;
        let joins = select.query_map([after], |row| {
            let (author, account) = (parsed(row, 1)?, parsed(row, 2)?);
            Ok(JoinToCome { id: client_id(row, 0)?, author, account, room: parsed(row, 3)? })
        })?;
        Ok(joins.collect::<rusqlite::Result<_>>()?)
    }
}
