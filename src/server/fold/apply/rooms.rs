//! Rooms, their settings and their members.

use crate::protocol::{AccountId, Hash, RoomId};
use crate::server::directory::Room;
use crate::server::fold::decide::{NewRoom, RoomSetting};
use crate::server::fold::{Fold, FoldError};
use crate::server::state::{ReadError, Reader};
use rusqlite::params;
use std::sync::Arc;

impl Fold {
    pub(super) fn add_room(
        &mut self,
        id: RoomId,
        room: NewRoom,
        creator: AccountId,
    ) -> Result<(), FoldError> {
        let NewRoom { kind, name, key, topic } = room;
        let json = serde_json::to_string(&kind).map_err(ReadError::from)?;
        let sql = "INSERT INTO rooms(id, kind, name, key, topic, archived, creator, seq, chain)
                   VALUES(?1, ?2, ?3, ?4, ?5, 0, ?6, 0, ?7)";
        self.db.prepare_cached(sql)?.execute(params![
            id.as_str(),
            json,
            name,
            key,
            topic,
            creator.as_str(),
            Hash::ZERO.to_string()
        ])?;
        let room = Room { id, kind, name, key, topic, archived: false, creator, members: Default::default() };
        Arc::make_mut(&mut self.directory).rooms.insert(id, Arc::new(room));
        Ok(())
    }

    pub(super) fn set_room(&mut self, id: RoomId, setting: RoomSetting) -> Result<(), FoldError> {
        let Some(room) = Arc::make_mut(&mut self.directory).rooms.get_mut(&id) else { return Ok(()) };
        let room = Arc::make_mut(room);
        match setting {
            RoomSetting::Name { name, key } => (room.name, room.key) = (name, key),
            RoomSetting::Topic(topic) => room.topic = topic,
            RoomSetting::Archived(archived) => room.archived = archived,
        }
        self.db
            .prepare_cached("UPDATE rooms SET name = ?2, key = ?3, topic = ?4, archived = ?5 WHERE id = ?1")?
            .execute(params![id.as_str(), room.name, room.key, room.topic, room.archived])?;
        Ok(())
    }

    /// The entry that is applied makes a member: what was said before it is not unread.
    pub(super) fn add_member(&mut self, room: RoomId, account: AccountId) -> Result<(), FoldError> {
        let head = self.head(room)?;
        let since = Reader { db: &self.db }.lane_head(&head, 0)?;
        let sql = "INSERT OR IGNORE INTO members(room, account, joined, since) VALUES(?1, ?2, ?3, ?4)";
        self.db.prepare_cached(sql)?.execute(params![
            room.as_str(),
            account.as_str(),
            head.seq as i64 + 1,
            since as i64
        ])?;
        Arc::make_mut(&mut self.directory).add_member(room, account);
        Ok(())
    }

    pub(super) fn remove_member(&mut self, room: RoomId, account: AccountId) -> Result<(), FoldError> {
        self.db
            .prepare_cached("DELETE FROM members WHERE room = ?1 AND account = ?2")?
            .execute([room.as_str(), account.as_str()])?;
        self.forget_follows(room, account)?;
        Arc::make_mut(&mut self.directory).remove_member(room, account);
        Ok(())
    }
}
