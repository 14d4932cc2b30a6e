//! Who and what there is: accounts, rooms, memberships. Made by the fold, held in memory, never written elsewhere.

use crate::protocol::frame::{Person, Role, RoomInfo, RoomKind};
use crate::protocol::{AccountId, Badge, RoomId, WorkspaceId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    pub handle: String,
    pub role: Role,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    pub id: RoomId,
    pub kind: RoomKind,
    pub name: String,
    pub topic: String,
    pub archived: bool,
    pub members: BTreeSet<AccountId>,
}

/// What an account may do in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Know that the room is there, and its name.
    See,
    /// Read what is written in it.
    Read,
    /// Write in it.
    Write,
    /// Become a member by oneself.
    Join,
}

/// One moment of the directory; cheap to share, copied only where it changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    pub workspace: Option<Workspace>,
    pub accounts: HashMap<AccountId, Arc<Account>>,
    pub handles: HashMap<String, AccountId>,
    /// By id; rooms are few beside messages.
    pub rooms: BTreeMap<RoomId, Arc<Room>>,
    /// Rooms of each account.
    pub memberships: HashMap<AccountId, BTreeSet<RoomId>>,
}

impl Directory {
    /// The one place that decides who may do what. "Not there" and "not yours" are one answer.
    pub fn can(&self, account: AccountId, action: Action, room: RoomId) -> bool {
        let Some(room) = self.rooms.get(&room) else { return false };
        let member = room.members.contains(&account);
        let open = room.kind == RoomKind::Open && self.accounts.contains_key(&account);
        match action {
            Action::See => member || open,
            Action::Read => member,
            Action::Write => member && !room.archived,
            Action::Join => open && !member && !room.archived,
        }
    }

    pub fn person(&self, id: AccountId) -> Option<Person> {
        let account = self.accounts.get(&id)?;
        Some(Person { id, name: account.name.clone(), handle: account.handle.clone(), role: account.role })
    }

    pub fn by_handle(&self, handle: &str) -> Option<&Arc<Account>> {
        self.accounts.get(self.handles.get(handle)?)
    }

    /// A room as one account sees it, without its badge.
    pub fn room_info(&self, account: AccountId, room: RoomId) -> Option<RoomInfo> {
        if !self.can(account, Action::See, room) {
            return None;
        }
        let room = self.rooms.get(&room)?;
        Some(RoomInfo {
            id: room.id,
            kind: room.kind,
            name: room.name.clone(),
            topic: room.topic.clone(),
            archived: room.archived,
            members: u32::try_from(room.members.len()).unwrap_or(u32::MAX),
            joined: room.members.contains(&account),
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

    pub fn has_owner(&self) -> bool {
        self.accounts.values().any(|account| account.role == Role::Owner)
    }

    pub fn add_member(&mut self, room: RoomId, account: AccountId) {
        if let Some(room) = self.rooms.get_mut(&room) {
            Arc::make_mut(room).members.insert(account);
        }
        self.memberships.entry(account).or_default().insert(room);
    }

    pub fn remove_member(&mut self, room: RoomId, account: AccountId) {
        if let Some(room) = self.rooms.get_mut(&room) {
            Arc::make_mut(room).members.remove(&account);
        }
        if let Some(rooms) = self.memberships.get_mut(&account) {
            rooms.remove(&room);
        }
    }
}

fn by_name(mut rooms: Vec<RoomInfo>) -> Vec<RoomInfo> {
    rooms.sort_by_cached_key(|room| (room.name.to_lowercase(), room.id));
    rooms
}
