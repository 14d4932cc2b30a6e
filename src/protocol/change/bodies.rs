//! Bodies that are never erased, field by field. What is written of one that was read are the same bytes, or it is
//! malformed. Formats 1 to 4 have types of their own, which take more.

use super::{Bodies, Reason};
use crate::protocol::ids::{AccountId, ClientId, RoomId, WorkspaceId};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct WorkspaceBody {
    pub(super) id: WorkspaceId,
    pub(super) name: String,
    pub(super) format: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    Owner,
    Member,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoomKind {
    Open,
}

#[derive(Serialize, Deserialize)]
pub(super) struct AccountBody {
    pub(super) handle: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<Role>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rooms: Vec<RoomId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) invitation: Option<String>,
}

impl AccountBody {
    pub(super) fn new(handle: &str, owner: bool, rooms: &[RoomId], invitation: Option<&str>) -> Self {
        Self {
            handle: handle.to_owned(),
            role: owner.then_some(Role::Owner),
            rooms: rooms.to_vec(),
            invitation: invitation.map(str::to_owned),
        }
    }

    pub(super) fn fits(&self) -> bool {
        let mut rooms = self.rooms.clone();
        rooms.sort_unstable();
        rooms.dedup();
        handle_fits(&self.handle)
            && self.role != Some(Role::Member)
            && self.rooms.len() <= 100
            && rooms.len() == self.rooms.len()
            && self.invitation.as_deref().is_none_or(|hash| hash.len() == 64 && hash.bytes().all(is_hex))
    }
}

/// An account as format 4 writes it.
#[derive(Serialize, Deserialize)]
pub(super) struct OldAccountBody {
    pub(super) name: String,
    pub(super) handle: String,
    pub(super) role: Role,
}

impl OldAccountBody {
    pub(super) fn new(name: &str, handle: &str, owner: bool) -> Self {
        let role = if owner { Role::Owner } else { Role::Member };
        Self { name: name.to_owned(), handle: handle.to_owned(), role }
    }

    pub(super) fn fits(&self) -> bool {
        handle_fits(&self.handle)
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct KeyedRoomBody {
    pub(super) kind: RoomKind,
    pub(super) name: String,
    pub(super) key: String,
}

impl KeyedRoomBody {
    pub(super) fn new(name: &str, key: &str) -> Self {
        Self { kind: RoomKind::Open, name: name.to_owned(), key: key.to_owned() }
    }
}

/// A room as format 4 writes it.
#[derive(Serialize, Deserialize)]
pub(super) struct OldRoomBody {
    pub(super) kind: RoomKind,
    pub(super) name: String,
    pub(super) topic: String,
}

impl OldRoomBody {
    pub(super) fn new(name: &str, topic: &str) -> Self {
        Self { kind: RoomKind::Open, name: name.to_owned(), topic: topic.to_owned() }
    }
}

/// The name of a room with its key.
#[derive(Serialize, Deserialize)]
pub(super) struct KeyBody {
    pub(super) value: String,
    pub(super) key: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SetBody<T> {
    pub(super) value: T,
}

/// The body of an `erase`: one of the lists, and the reason.
#[derive(Serialize, Deserialize)]
pub(super) struct ErasedBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<ClientId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    earlier: Option<Vec<ClientId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<u64>>,
    pub(super) reason: Reason,
}

impl ErasedBody {
    pub(super) fn new(bodies: &Bodies, reason: Reason) -> Self {
        let mut body = Self { messages: None, earlier: None, entries: None, reason };
        match bodies {
            Bodies::Messages(ids) => body.messages = Some(ids.clone()),
            Bodies::Earlier(ids) => body.earlier = Some(ids.clone()),
            Bodies::Entries(numbers) => body.entries = Some(numbers.clone()),
        }
        body
    }

    /// The one list that it has; `None` if it has not exactly one of the right form. `g`: the entry's own number.
    pub(super) fn list(self, g: u64) -> Option<Bodies> {
        let ids_fit = |ids: &[ClientId]| {
            let mut once = ids.to_vec();
            once.sort_unstable();
            once.dedup();
            (1..=100).contains(&ids.len()) && once.len() == ids.len()
        };
        match (self.messages, self.earlier, self.entries) {
            (Some(ids), None, None) if ids_fit(&ids) => Some(Bodies::Messages(ids)),
            (None, Some(ids), None) if ids_fit(&ids) => Some(Bodies::Earlier(ids)),
            (None, None, Some(numbers))
                if (1..=1_000).contains(&numbers.len())
                    && numbers.is_sorted_by(|before, after| before < after)
                    && numbers.first().is_some_and(|first| *first > 0)
                    && numbers.last().is_some_and(|last| *last < g) =>
            {
                Some(Bodies::Entries(numbers))
            }
            _ => None,
        }
    }
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn handle_fits(handle: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = handle.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    (2..=24).contains(&bytes.len())
        && plain(*first)
        && plain(*last)
        && bytes.iter().all(|c| plain(*c) || matches!(c, b'.' | b'_' | b'-'))
        && handle != "room"
}

/// Whether a name or key of a room has a length that the log takes.
pub(super) fn room_name_fits(name: &str) -> bool {
    (1..=256).contains(&name.len())
}

/// Whether this can stand in a slot as an emoji.
pub(super) fn emoji_fits(emoji: &str) -> bool {
    let word = |c: u8| c.is_ascii_alphabetic() || matches!(c, b'_' | b'-' | b':');
    (1..=64).contains(&emoji.len()) && !emoji.bytes().any(word)
}

/// The account in the header's target or slot.
pub(super) fn account(word: &str) -> Option<AccountId> {
    word.parse().ok()
}

/// The message or draft in the header's target: 36 lower-case characters.
pub(super) fn id(word: &str) -> Option<ClientId> {
    word.parse().ok().filter(|id: &ClientId| id.to_string() == word)
}
