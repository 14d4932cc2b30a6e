//! Who follows a thread by taking part: the author of its root, those who answer, those who are named in it.

use crate::protocol::bounds::ROOM_HANDLE;
use crate::protocol::{AccountId, Event, Place, RoomId, Row};
use crate::server::fold::{Fold, FoldError};
use crate::server::state::{ReadError, Reader, RoomHead};
use rusqlite::params;

impl Fold {
    /// What an answer changes beside its own row: the root tells of it, and some begin to follow.
    pub(super) fn put_answer(
        &mut self,
        room: RoomId,
        head: &RoomHead,
        event: &Event,
        row: &Row,
    ) -> Result<(), FoldError> {
        let Some(place) = event.answers() else { return Ok(()) };
        if row.lane == 0 {
            self.db
                .prepare_cached("INSERT INTO also(room, lane, ordinal, id) VALUES(?1, ?2, ?3, ?4)")?
                .execute(params![head.n, place.lane as i64, place.ordinal as i64, row.id.as_bytes()])?;
        }
        if let Some(mut root) = (Reader { db: &self.db }).root(head, place.lane)? {
            if place.ordinal == 1 {
                let start = Place { ordinal: 0, ..place };
                self.follow_author(room, head, start, root.author)?;
                self.follow_named(room, head, start, &root, self.named_in(head, &root)?, 0)?;
            }
            root.answered(event);
            self.put_row(head, &root)?;
        }
        self.follow_author(room, head, place, row.author)?;
        self.follow_named(room, head, place, row, self.named_in(head, row)?, event.seq)
    }

    /// Whom the text of a row names, but for everybody.
    pub(super) fn named_in(&self, head: &RoomHead, row: &Row) -> Result<Vec<AccountId>, ReadError> {
        let sql =
            "SELECT account FROM mentions WHERE room = ?1 AND lane = ?2 AND ordinal = ?3 AND account <> ?4";
        let mut select = self.db.prepare_cached(sql)?;
        let place = params![head.n, row.lane as i64, row.ordinal as i64, ROOM_HANDLE];
        let rows = select.query_map(place, |row| row.get::<_, String>(0))?;
        let named = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(named.iter().filter_map(|account| account.parse().ok()).collect())
    }

    /// Who writes in a thread follows it from its first message there on.
    fn follow_author(
        &self,
        room: RoomId,
        head: &RoomHead,
        Place { lane, ordinal }: Place,
        author: AccountId,
    ) -> Result<(), FoldError> {
        if self.is_member(room, author) {
            let sql = "INSERT INTO followers(account, room, lane, ordinal, wrote, named)
                       SELECT ?1, ?2, ?3, ?4, 1, 0 WHERE NOT EXISTS
                         (SELECT 1 FROM followers WHERE account = ?1 AND room = ?2 AND lane = ?3 AND wrote)";
            self.db.prepare_cached(sql)?.execute(params![
                author.as_str(),
                head.n,
                lane as i64,
                ordinal as i64
            ])?;
        }
        Ok(())
    }

    /// Members whom a message of a thread, or its root, names follow from it on; nobody names oneself. `named` is the seq of
    /// what names them in the thread, 0 for the root.
    pub(super) fn follow_named(
        &self,
        room: RoomId,
        head: &RoomHead,
        Place { lane, ordinal }: Place,
        row: &Row,
        accounts: Vec<AccountId>,
        named: u64,
    ) -> Result<(), FoldError> {
        let sql = "INSERT INTO followers(account, room, lane, ordinal, wrote, named) VALUES(?1, ?2, ?3, ?4, 0, ?5)
                   ON CONFLICT(account, room, lane, ordinal) DO UPDATE SET named = MAX(named, excluded.named)";
        for account in accounts.into_iter().filter(|account| *account != row.author) {
            if self.is_member(room, account) {
                self.db.prepare_cached(sql)?.execute(params![
                    account.as_str(),
                    head.n,
                    lane as i64,
                    ordinal as i64,
                    named as i64
                ])?;
            }
        }
        Ok(())
    }

    /// The text of a message goes for good, and that it named somebody in a thread: a node that folds the log anew would
    /// not know.
    pub(in crate::server::fold) fn forget_named(&self, n: i64, row: &Row) -> Result<(), FoldError> {
        let Place { lane, ordinal } = row.answers_in().unwrap_or(Place { lane: row.seq, ordinal: 0 });
        let sql = "DELETE FROM followers WHERE room = ?1 AND lane = ?2 AND ordinal = ?3 AND NOT wrote";
        self.db.prepare_cached(sql)?.execute(params![n, lane as i64, ordinal as i64])?;
        let sql = "DELETE FROM named WHERE room = ?1 AND lane = ?2 AND ordinal = ?3";
        self.db.prepare_cached(sql)?.execute(params![n, row.lane as i64, row.ordinal as i64])?;
        Ok(())
    }

    fn is_member(&self, room: RoomId, account: AccountId) -> bool {
        self.directory.rooms.get(&room).is_some_and(|room| room.members.contains(&account))
    }

    /// Who leaves a room follows nothing there, nor when it comes back.
    pub(super) fn forget_follows(&self, room: RoomId, account: AccountId) -> Result<(), ReadError> {
        let head = self.head(room)?;
        self.db
            .prepare_cached("DELETE FROM followers WHERE account = ?1 AND room = ?2")?
            .execute(params![account.as_str(), head.n])?;
        Ok(())
    }
}
