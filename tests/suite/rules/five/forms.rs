//! What an entry of format 5 asks for, by its header words and its never-erased body: only their exact forms count.

use super::bytes::Bytes;
use beck::protocol::{AccountId, ClientId, Header, RoomId};

/// Everything but the author is as the form of its kind wants it.
pub enum Asked {
    Workspace,
    Format(u32),
    Account {
        id: AccountId,
        handle: String,
        owner: bool,
    },
    AccountSet {
        id: AccountId,
        role: bool,
    },
    WorkspaceSet,
    Logins(AccountId),
    Void(ClientId),
    Room {
        id: RoomId,
        key: String,
    },
    RoomSet {
        id: RoomId,
        value: Setting,
    },
    Join {
        id: RoomId,
        who: AccountId,
    },
    Leave {
        id: RoomId,
        who: AccountId,
    },
    /// `writer` is the account that the message is imported for.
    Message {
        id: RoomId,
        target: Option<ClientId>,
        in_room: bool,
        writer: Option<AccountId>,
    },
    Act {
        id: RoomId,
        target: ClientId,
        act: Act,
    },
    Erase(Erase),
    Unknown,
}

pub enum Setting {
    /// The key of the new name.
    Name(String),
    Archived(bool),
    Topic,
}

#[derive(Clone, PartialEq)]
pub enum Act {
    Text,
    Delete,
    Restore,
    Pin,
    React { emoji: String, who: AccountId, on: bool },
}

pub struct Erase {
    pub list: Elements,
    pub room: Option<RoomId>,
}

pub enum Elements {
    Messages(Vec<ClientId>),
    Earlier(Vec<ClientId>),
    Entries(Vec<u64>),
}

impl Act {
    pub fn is_of_deleted(&self) -> bool {
        matches!(self, Act::Delete | Act::Restore)
    }

    pub fn account(&self) -> Option<AccountId> {
        if let Act::React { who, .. } = self { Some(*who) } else { None }
    }
}

impl Asked {
    /// `None`: malformed.
    pub fn of(header: &Header, body: Option<&str>) -> Option<Asked> {
        let kind = header.kind.as_str();
        let target = header.target.as_ref().map(|target| target.as_str());
        let slot = header.slot.as_ref().map(|slot| slot.as_str());
        let (account, message) = (account_id(target), message_id(target));
        let id = header.room;
        let has = [header.room.is_some(), target.is_some(), slot.is_some()];
        // Which words are there: of the room, the target and the slot. A message has a target and a slot or not.
        let fits = match kind {
            "format" => has == [false, false, false],
            "account" | "logins" | "void" => has == [false, true, false],
            "account.set" => has == [false, true, true],
            "workspace.set" => has == [false, false, true],
            "room" => has == [true, false, false],
            "room.set" => has == [true, false, true],
            "join" | "leave" => has == [true, true, false],
            "message" => has[0],
            "act" => has == [true, true, true],
            "erase" => has[1..] == [false, false],
            _ => true,
        };
        let mut bytes = Bytes::salted(body);
        if !fits {
            return None;
        }
        Some(match kind {
            "workspace" => Asked::Workspace,
            "format" => Asked::Format(bytes?.format()?),
            "account" => {
                let (handle, owner) = bytes?.account()?;
                Asked::Account { id: account?, handle, owner }
            }
            "account.set" => {
                let role = slot == Some("role");
                if role {
                    bytes?.only(r#"{"value":"owner"}"#)?;
                } else {
                    SETTINGS.contains(&slot?).then_some(())?;
                }
                Asked::AccountSet { id: account?, role }
            }
            "workspace.set" => (slot == Some("name")).then_some(Asked::WorkspaceSet)?,
            "logins" | "void" | "join" | "leave" => {
                bytes.as_mut()?.only("null")?;
                match kind {
                    "logins" => Asked::Logins(account?),
                    "void" => Asked::Void(message?),
                    "join" => Asked::Join { id: id?, who: account? },
                    _ => Asked::Leave { id: id?, who: account? },
                }
            }
            "room" => Asked::Room { id: id?, key: bytes?.room()? },
            "room.set" => {
                let value = match slot? {
                    "name" => Setting::Name(bytes?.room_name()?),
                    "archived" => Setting::Archived(bytes?.flag_value()?),
                    "topic" => Setting::Topic,
                    _ => return None,
                };
                Asked::RoomSet { id: id?, value }
            }
            "message" => {
                let in_room = slot.is_some_and(|slot| slot == "room" || slot.starts_with("room,"));
                let writer = slot.map(|slot| slot.strip_prefix("room,").unwrap_or(slot));
                let writer = writer.filter(|writer| *writer != "room");
                let writer = writer.map(|writer| account_id(writer.strip_prefix("for:")));
                let target = target.map(|target| message_id(Some(target)));
                let (writer, target) = (transpose(writer)?, transpose(target)?);
                (target.is_some() || !in_room).then_some(())?;
                Asked::Message { id: id?, target, in_room, writer }
            }
            "act" => {
                let act = match slot? {
                    "text" => Act::Text,
                    "deleted" if is_flag(body, true) => Act::Delete,
                    "deleted" => Act::Restore,
                    "pin" => bytes?.flag_value().map(|_| Act::Pin)?,
                    slot => {
                        let (emoji, who) = slot.strip_prefix("react:")?.rsplit_once(':')?;
                        let other = |c: char| !c.is_ascii_alphabetic() && !"_-:".contains(c);
                        ((1..=64).contains(&emoji.len()) && emoji.chars().all(other)).then_some(())?;
                        let (who, on) = (account_id(Some(who))?, bytes?.flag_value()?);
                        Act::React { emoji: emoji.to_owned(), who, on }
                    }
                };
                Asked::Act { id: id?, target: message?, act }
            }
            "erase" => {
                let list = bytes?.erase(header.g)?;
                (id.is_some() != matches!(list, Elements::Entries(_))).then_some(())?;
                Asked::Erase(Erase { list, room: id })
            }
            _ => Asked::Unknown,
        })
    }

    pub fn room(&self) -> Option<RoomId> {
        match self {
            Asked::Room { id, .. } | Asked::RoomSet { id, .. } | Asked::Join { id, .. } => Some(*id),
            Asked::Leave { id, .. } | Asked::Message { id, .. } | Asked::Act { id, .. } => Some(*id),
            Asked::Erase(erase) => erase.room,
            _ => None,
        }
    }
}

const SETTINGS: [&str; 8] = ["name", "title", "status", "pronouns", "zone", "field:1", "field:2", "field:3"];

/// A word that is there has to be one: `None` if it is not.
fn transpose<T>(word: Option<Option<T>>) -> Option<Option<T>> {
    word.map_or(Some(None), |word| word.map(Some))
}

fn account_id(word: Option<&str>) -> Option<AccountId> {
    word?.parse().ok()
}

/// UUIDs of version 7 in lower case.
pub fn message_id(word: Option<&str>) -> Option<ClientId> {
    word?.parse().ok().filter(|id: &ClientId| Some(id.to_string().as_str()) == word)
}

/// Whether a body is exactly a salt of 16 characters and this value.
pub fn is_flag(body: Option<&str>, on: bool) -> bool {
    Bytes::salted(body).is_some_and(|mut bytes| bytes.flag_value() == Some(on))
}

/// What stays in the log for ever, by kind and slot. Of the acts `deleted` a restore with text does not.
pub fn is_never_erased(kind: &str, slot: &str) -> bool {
    match kind {
        "workspace" | "format" | "account" | "room" | "erase" => true,
        "join" | "leave" | "void" | "logins" => true,
        "room.set" => matches!(slot, "name" | "archived"),
        "account.set" => slot == "role",
        "act" => slot == "pin" || slot.starts_with("react:"),
        _ => false,
    }
}
