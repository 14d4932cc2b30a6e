//! Rooms as one account sees them.

use super::access::Action;
use super::directory::Directory;
use crate::protocol::frame::RoomInfo;
use crate::protocol::{AccountId, Badge, RoomId};

impl Directory {
    /// A room as one account sees it, without its badge.
    pub fn room_info(&self, account: AccountId, room: RoomId) -> Option<RoomInfo> {
        if !self.can(account, Action::See, room) {
            return None;
        }
        let may_archive = self.can(account, Action::Archive, room);
        let room = self.rooms.get(&room)?;
        Some(RoomInfo {
            id: room.id,
            kind: room.kind,
            name: room.name.clone(),
            topic: room.topic.clone(),
            archived: room.archived,
            members: u32::try_from(room.members.len()).unwrap_or(u32::MAX),
            joined: room.members.contains(&account),
            may_archive,
            badge: Badge::default(),
        })
    }

    /// The rooms that an account is in, by name.
    pub fn rooms_of(&self, account: AccountId) -> Vec<RoomInfo> {
        let mine = self.memberships.get(&account).into_iter().flatten();
        by_name(mine.filter_map(|room| self.room_info(account, *room)).collect())
    }

    /// Every room that an account may see, by name.
    pub fn visible_rooms(&self, account: AccountId) -> Vec<RoomInfo> {
        by_name(self.rooms.keys().filter_map(|room| self.room_info(account, *room)).collect())
    }
}

fn by_name(mut rooms: Vec<RoomInfo>) -> Vec<RoomInfo> {
    rooms.sort_by_cached_key(|room| (room.name.to_lowercase(), room.id));
    rooms
}
