//! Rooms as one account sees them.

use super::access::{Action, Actor, Facts, Rules, TargetFacts, can};
use super::directory::Directory;
use crate::protocol::frame::RoomInfo;
use crate::protocol::{AccountId, Badge, May, RoomAct, RoomId};

impl Directory {
    /// A room as one account sees it, without its badge.
    pub fn room_info(&self, account: AccountId, room: RoomId) -> Option<RoomInfo> {
        let rules = Rules::to_propose(self.format());
        let facts = Facts::of(self, Actor::Account(account)).in_room(self, room);
        can(&rules, &facts, Action::See).ok()?;
        let may = May::of(|act| {
            let (action, facts) = question(act, facts);
            can(&rules, &facts, action).is_ok()
        });
        let room = self.rooms.get(&room)?;
        Some(RoomInfo {
            id: room.id,
            kind: room.kind,
            name: room.name.clone(),
            topic: room.topic.clone(),
            archived: room.archived,
            members: u32::try_from(room.members.len()).unwrap_or(u32::MAX),
            joined: facts.room.is_some_and(|room| room.member),
            may_archive: may.has(RoomAct::Archive),
            may: Some(may),
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

/// What the gate is asked for an act that a page offers.
fn question(act: RoomAct, facts: Facts) -> (Action, Facts) {
    let own = Facts { own: true, ..facts };
    match act {
        RoomAct::Join => (Action::Join, facts),
        RoomAct::Leave => (Action::Leave, facts),
        // Somebody who is not in the room.
        RoomAct::Invite => {
            (Action::Invite, Facts { target: TargetFacts { known: true, member: false }, ..facts })
        }
        RoomAct::Post => (Action::Post, facts),
        RoomAct::Reply => (Action::Reply, facts),
        RoomAct::React => (Action::React, own),
        RoomAct::Pin => (Action::Pin, facts),
        RoomAct::Edit => (Action::Edit, own),
        RoomAct::Delete => (Action::Delete, own),
        RoomAct::Restore => (Action::Restore, Facts { deleted: true, deleted_by_actor: true, ..own }),
        RoomAct::DeleteOthers => (Action::Delete, facts),
        RoomAct::SetTopic => (Action::SetTopic, facts),
        RoomAct::Archive => (Action::Archive, facts),
    }
}

fn by_name(mut rooms: Vec<RoomInfo>) -> Vec<RoomInfo> {
    rooms.sort_by_cached_key(|room| (room.name.to_lowercase(), room.id));
    rooms
}
