//! Which messages are deleted, since when and by whom: see [`Deletion`](crate::server::state::Deletion).

use crate::protocol::{ClientId, Header};
use crate::server::fold::Fold;
use rusqlite::params;

impl Fold {
    /// The first deletion since the message was written or last restored counts; a later one says whose it is too.
    pub(super) fn put_deletion(&self, id: ClientId, header: &Header) -> rusqlite::Result<()> {
        let sql = "INSERT INTO deletions(id, g, at, by, by_others, by_operator) VALUES(?1, ?2, ?3, ?4, 0, ?5)
                   ON CONFLICT(id) DO UPDATE SET by_others = by_others OR by <> excluded.by,
                                                 by_operator = by_operator OR excluded.by_operator";
        self.db.prepare_cached(sql)?.execute(params![
            id.as_bytes(),
            header.g as i64,
            header.at,
            header.author.as_str(),
            self.directory.is_operator(header.author)
        ])?;
        Ok(())
    }

    pub(super) fn remove_deletion(&self, id: ClientId) -> rusqlite::Result<()> {
        self.db.prepare_cached("DELETE FROM deletions WHERE id = ?1")?.execute([id.as_bytes()])?;
        Ok(())
    }
}
