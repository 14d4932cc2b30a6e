//! What an entry does, as its header words and its body say if that is never erased.
//!
//! Format 5 decides by this type, so no decision can read an erasable body. docs/protocol.md, "Entries", has the
//! tables.

mod bodies;
mod read;

pub use read::Unreadable;

use super::entry::{BadToken, Kind, Token};
use super::format::Format;
use super::ids::{AccountId, ClientId, RoomId, WorkspaceId};
use super::stored::ValueDraft;
use bodies::{AccountBody, ErasedBody, KeyBody, KeyedRoomBody, OldAccountBody, OldRoomBody, WorkspaceBody};
use serde::{Deserialize, Serialize};

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Makes the workspace.
    Workspace {
        id: WorkspaceId,
        name: String,
        format: u32,
    },
    /// Raises the format of the log.
    Format {
        number: u32,
    },
    Account {
        id: AccountId,
        handle: String,
        owner: bool,
        /// The rooms that the account joins when it is made.
        rooms: Vec<RoomId>,
        /// The SHA-256 of the token of the invitation, in hex.
        invitation: Option<String>,
        /// Of an entry as formats 1 to 4 have it; there it has neither rooms nor an invitation.
        name: Option<String>,
    },
    SetAccount {
        account: AccountId,
        setting: AccountSetting,
    },
    SetWorkspaceName,
    /// Logins of the account have ended.
    Logins {
        account: AccountId,
    },
    /// Takes back a draft that has not come yet.
    Void {
        draft: ClientId,
    },
    /// Makes an open room: with a key, or as formats 1 to 4 have it, with a topic.
    MakeRoom {
        room: RoomId,
        name: String,
        key: Option<String>,
        topic: Option<String>,
    },
    /// `key` is absent as formats 1 to 4 have it.
    Rename {
        room: RoomId,
        name: String,
        key: Option<String>,
    },
    SetTopic {
        room: RoomId,
    },
    Archive {
        room: RoomId,
        archived: bool,
    },
    Join {
        room: RoomId,
        account: AccountId,
    },
    Leave {
        room: RoomId,
        account: AccountId,
    },
    Post {
        room: RoomId,
        answers: Option<ClientId>,
        /// An answer that stands in the room's own lane too.
        in_room: bool,
        /// The author of a message that the operator imports.
        written_for: Option<AccountId>,
    },
    Act {
        room: RoomId,
        message: ClientId,
        act: Act,
    },
    /// Removes bodies. `room` is there unless `bodies` are [`Bodies::Entries`].
    Erase {
        room: Option<RoomId>,
        bodies: Bodies,
        reason: Reason,
    },
    /// A kind of a later format.
    Unknown,
}

/// A setting of an account; the value is not part of it, but for `role`: always owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountSetting {
    Role,
    Name,
    Title,
    Status,
    Pronouns,
    Zone,
    /// 1 to 3.
    Field(u8),
}

/// What an act does to its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Edit,
    Delete,
    /// `with_text`: its body is another one than that of format 5, and can be erased.
    Restore {
        with_text: bool,
    },
    Pin(bool),
    React {
        emoji: String,
        account: AccountId,
        on: bool,
    },
}

/// The bodies that an `erase` removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bodies {
    /// All texts of deleted messages.
    Messages(Vec<ClientId>),
    /// The texts of messages that a later edit replaced.
    Earlier(Vec<ClientId>),
    /// Entries, by number, rising.
    Entries(Vec<u64>),
}

/// Why bodies are erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Deleted,
    Replaced,
    Refused,
    Rule,
    Account,
    Operator,
}

/// The header words of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub kind: Kind,
    pub room: Option<RoomId>,
    pub target: Option<Token>,
    pub slot: Option<Token>,
}

impl Change {
    /// The header words. Fails for an emoji that cannot stand in a header.
    pub fn words(&self) -> Result<Words, BadToken> {
        let (kind, room, target, slot) = match self {
            Change::Workspace { .. } => (Kind::Workspace, None, None, None),
            Change::Format { .. } => (Kind::Format, None, None, None),
            Change::Account { id, .. } => (Kind::Account, None, Some(id.to_string()), None),
            Change::SetAccount { account, setting } => {
                (Kind::AccountSet, None, Some(account.to_string()), Some(setting.slot().to_owned()))
            }
            Change::SetWorkspaceName => (Kind::WorkspaceSet, None, None, Some("name".to_owned())),
            Change::Logins { account } => (Kind::Logins, None, Some(account.to_string()), None),
            Change::Void { draft } => (Kind::Void, None, Some(draft.to_string()), None),
            Change::MakeRoom { room, .. } => (Kind::Room, Some(*room), None, None),
            Change::Rename { room, .. } => (Kind::RoomSet, Some(*room), None, Some("name".to_owned())),
            Change::SetTopic { room } => (Kind::RoomSet, Some(*room), None, Some("topic".to_owned())),
            Change::Archive { room, .. } => (Kind::RoomSet, Some(*room), None, Some("archived".to_owned())),
            Change::Join { room, account } => (Kind::Join, Some(*room), Some(account.to_string()), None),
            Change::Leave { room, account } => (Kind::Leave, Some(*room), Some(account.to_string()), None),
            Change::Post { room, answers, in_room, written_for } => {
                let slot = match (in_room, written_for) {
                    (false, None) => None,
                    (true, None) => Some("room".to_owned()),
                    (false, Some(account)) => Some(format!("for:{account}")),
                    (true, Some(account)) => Some(format!("room,for:{account}")),
                };
                (Kind::Message, Some(*room), answers.map(|id| id.to_string()), slot)
            }
            Change::Act { room, message, act } => {
                (Kind::Act, Some(*room), Some(message.to_string()), Some(act.slot()))
            }
            Change::Erase { room, .. } => (Kind::Erase, *room, None, None),
            Change::Unknown => return Err(BadToken),
        };
        let token = |word: Option<String>| word.map(|word| word.parse()).transpose();
        Ok(Words { kind, room, target: token(target)?, slot: token(slot)? })
    }

    /// The draft of a body that is never erased; `None` for a change whose body is not part of it.
    pub fn body(&self) -> Option<String> {
        match self {
            Change::Workspace { id, name, format } => {
                json(&WorkspaceBody { id: *id, name: name.clone(), format: *format })
            }
            Change::Format { number } => json(number),
            Change::Account { handle, owner, name: Some(name), .. } => {
                json(&OldAccountBody::new(name, handle, *owner))
            }
            Change::Account { handle, owner, rooms, invitation, name: None, .. } => {
                json(&AccountBody::new(handle, *owner, rooms, invitation.as_deref()))
            }
            Change::SetAccount { setting: AccountSetting::Role, .. } => json(&ValueDraft { value: "owner" }),
            Change::MakeRoom { name, key: Some(key), .. } => json(&KeyedRoomBody::new(name, key)),
            Change::MakeRoom { name, key: None, topic, .. } => {
                json(&OldRoomBody::new(name, topic.as_deref().unwrap_or_default()))
            }
            Change::Rename { name, key: Some(key), .. } => {
                json(&KeyBody { value: name.clone(), key: key.clone() })
            }
            Change::Rename { name, key: None, .. } => json(&ValueDraft { value: name }),
            Change::Archive { archived: on, .. } => json(&ValueDraft { value: on }),
            Change::Act { act, .. } => match act {
                Act::Delete => json(&ValueDraft { value: true }),
                Act::Restore { with_text: false } => json(&ValueDraft { value: false }),
                Act::Pin(on) | Act::React { on, .. } => json(&ValueDraft { value: on }),
                Act::Edit | Act::Restore { with_text: true } => None,
            },
            Change::Erase { bodies, reason, .. } => json(&ErasedBody::new(bodies, *reason)),
            Change::Join { .. } | Change::Leave { .. } | Change::Void { .. } | Change::Logins { .. } => {
                json(&())
            }
            Change::SetAccount { .. }
            | Change::SetWorkspaceName
            | Change::SetTopic { .. }
            | Change::Post { .. }
            | Change::Unknown => None,
        }
    }

    /// The first format whose servers take this change as what it is.
    pub fn needs(&self) -> Format {
        match self {
            Change::SetAccount { setting: AccountSetting::Name, .. } => Format::One,
            Change::SetAccount { setting: AccountSetting::Status, .. } => Format::Two,
            Change::SetAccount { setting: AccountSetting::Role, .. } => Format::Four,
            Change::SetAccount { .. }
            | Change::SetWorkspaceName
            | Change::Account { name: None, .. }
            | Change::MakeRoom { key: Some(_), .. }
            | Change::Rename { key: Some(_), .. }
            | Change::Post { written_for: Some(_), .. }
            | Change::Act { act: Act::Restore { with_text: false }, .. }
            | Change::Erase { .. } => Format::Five,
            Change::Post { in_room: true, .. } => Format::Three,
            Change::Logins { .. } | Change::Archive { .. } => Format::Two,
            _ => Format::One,
        }
    }

    /// Whether an entry by this author has the form of this change: an account is made by itself or the operator and
    /// never has the operator's id, and only the operator takes or gives a reaction of somebody else.
    pub fn fits_author(&self, author: AccountId, operator: AccountId) -> bool {
        match self {
            Change::Account { id, .. } => *id != operator && (author == *id || author == operator),
            Change::Act { act: Act::React { account, .. }, .. } => author == *account || author == operator,
            _ => true,
        }
    }
}

impl AccountSetting {
    pub fn slot(self) -> &'static str {
        match self {
            AccountSetting::Role => "role",
            AccountSetting::Name => "name",
            AccountSetting::Title => "title",
            AccountSetting::Status => "status",
            AccountSetting::Pronouns => "pronouns",
            AccountSetting::Zone => "zone",
            AccountSetting::Field(1) => "field:1",
            AccountSetting::Field(2) => "field:2",
            AccountSetting::Field(_) => "field:3",
        }
    }

    fn of(slot: &str) -> Option<AccountSetting> {
        Some(match slot {
            "role" => AccountSetting::Role,
            "name" => AccountSetting::Name,
            "title" => AccountSetting::Title,
            "status" => AccountSetting::Status,
            "pronouns" => AccountSetting::Pronouns,
            "zone" => AccountSetting::Zone,
            "field:1" => AccountSetting::Field(1),
            "field:2" => AccountSetting::Field(2),
            "field:3" => AccountSetting::Field(3),
            _ => return None,
        })
    }
}

impl Act {
    pub fn slot(&self) -> String {
        match self {
            Act::Edit => "text".to_owned(),
            Act::Delete | Act::Restore { .. } => "deleted".to_owned(),
            Act::Pin(_) => "pin".to_owned(),
            Act::React { emoji, account, .. } => format!("react:{emoji}:{account}"),
        }
    }
}

fn json(body: &impl Serialize) -> Option<String> {
    serde_json::to_string(body).ok()
}
