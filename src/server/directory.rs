//! Who and what there is: accounts, rooms, memberships. Made by the fold, held in memory, never written elsewhere.

use super::fold::Rules;
use crate::protocol::frame::{Person, Role, RoomInfo, RoomKind};
use crate::protocol::{AccountId, Badge, Format, OwnStatus, RoomId, WorkspaceId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
    /// The format of its log: what the entries that come next mean.
    pub format: Format,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    pub handle: String,
    pub role: Role,
    pub status: OwnStatus,
}

impl Account {
    pub fn to_person(&self) -> Person {
        Person { id: self.id, name: self.name.clone(), handle: self.handle.clone(), role: self.role }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    pub id: RoomId,
    pub kind: RoomKind,
    pub name: String,
    pub topic: String,
    pub archived: bool,
    pub creator: AccountId,
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
    /// Archive it, and bring it back.
    Archive,
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
        // Rows are read through `State::enter`, which takes membership from the state file.
        let member = room.members.contains(&account);
        let open = room.kind == RoomKind::Open && self.accounts.contains_key(&account);
        match action {
            Action::See => member || open,
            Action::Read => member,
            Action::Write => member && !room.archived,
            // An archived room is joined to read it.
            Action::Join => open && !member && (!room.archived || self.rules().archived_rooms_can_be_joined),
            Action::Archive => {
                (member || open) && (room.creator == account || self.role(account) == Some(Role::Owner))
            }
        }
    }

    /// The format of the log; the first one before there is a log.
    pub fn format(&self) -> Format {
        self.workspace.as_ref().map_or(Format::One, |workspace| workspace.format)
    }

    /// The rules of the log's format.
    pub fn rules(&self) -> &'static Rules {
        Rules::of(self.format())
    }

    fn role(&self, account: AccountId) -> Option<Role> {
        Some(self.accounts.get(&account)?.role)
    }

    pub fn person(&self, id: AccountId) -> Option<Person> {
        Some(self.accounts.get(&id)?.to_person())
    }

    /// An account, if `viewer` may see its name, handle and presence. Every account sees every other account.
    pub fn see_person(&self, viewer: AccountId, id: AccountId) -> Option<&Account> {
        self.accounts.get(&viewer)?;
        Some(self.accounts.get(&id)?)
    }

    pub fn by_handle(&self, handle: &str) -> Option<&Arc<Account>> {
        self.accounts.get(self.handles.get(handle)?)
    }

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
