//! Who and what there is: accounts, rooms, memberships. Made by the fold, held in memory, never written elsewhere.

use super::broker::Head;
use super::fold::Rules;
use crate::protocol::frame::{Person, Role, RoomKind};
use crate::protocol::{AccountId, Format, OwnStatus, RoomId, WorkspaceId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
    /// The format of its log: what the entries that come next mean.
    pub format: Format,
    /// The entry that raised the log to this format, or its first one.
    pub format_since: Head,
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
    /// What names are compared by: no two open rooms that are not archived have the same one, from format 5 on.
    pub key: String,
    pub topic: String,
    pub archived: bool,
    pub creator: AccountId,
    pub members: BTreeSet<AccountId>,
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
    /// The format of the log; the first one before there is a log.
    pub fn format(&self) -> Format {
        self.workspace.as_ref().map_or(Format::One, |workspace| workspace.format)
    }

    /// The entry since which the log has its format; [`Head::default`] where it is not known.
    pub fn format_since(&self) -> Head {
        self.workspace.as_ref().map_or(Head::default(), |workspace| workspace.format_since)
    }

    /// The rules of the log's format.
    pub fn rules(&self) -> &'static Rules {
        Rules::of(self.format())
    }

    /// Whether this author is the operator: the workspace itself.
    pub fn is_operator(&self, author: AccountId) -> bool {
        self.workspace.as_ref().is_some_and(|workspace| workspace.id.as_str() == author.as_str())
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
