//! Which joins of a new account are still to come. No decision reads it: servers propose what is missing.

use crate::protocol::{AccountId, Change, ClientId, RoomId};
use crate::server::broker::Entry;
use crate::server::fold::Fold;
use crate::server::steps::{FINISH_MS, FIRST_JOIN, step};
use rusqlite::params;

impl Fold {
    /// The entry that is applied makes an account: from now on its rooms are to be joined.
    pub(super) fn expect_joins(&self, entry: &Entry) -> rusqlite::Result<()> {
        let header = &entry.header;
        let Ok(Change::Account { id, rooms, .. }) = Change::read(header, entry.body.as_deref()) else {
            return Ok(());
        };
        self.db
            .prepare_cached("DELETE FROM joins_to_come WHERE at <= ?1")?
            .execute([header.at.saturating_sub(FINISH_MS)])?;
        let sql = "INSERT OR IGNORE INTO joins_to_come(id, g, step, at, author, account, room)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        for (n, room) in (FIRST_JOIN..).zip(rooms) {
            self.db.prepare_cached(sql)?.execute(params![
                step(header.client_id, n).as_bytes(),
                header.g as i64,
                n,
                header.at,
                header.author.as_str(),
                id.as_str(),
                room.as_str()
            ])?;
        }
        Ok(())
    }

    /// The account has joined or left the room by itself, or was added or removed: no join of its sign-up comes after.
    pub(super) fn expect_no_join(&self, room: RoomId, account: AccountId) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("DELETE FROM joins_to_come WHERE account = ?1 AND room = ?2")?
            .execute([account.as_str(), room.as_str()])?;
        Ok(())
    }

    /// A join is decided, whatever its outcome.
    pub(in crate::server::fold) fn join_has_come(&self, id: ClientId) -> rusqlite::Result<()> {
        self.db.prepare_cached("DELETE FROM joins_to_come WHERE id = ?1")?.execute([id.as_bytes()])?;
        Ok(())
    }
}
