//! How far an account has read, and what it has not.

use super::event::{Row, is_zero};
use super::ids::RoomId;
use super::number::bounded;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A place in a lane up to which an account has read: merged by maximum, generation first. Going on reading raises the
/// ordinal; marking as unread, and taking a mark back, begins a new generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Pointer {
    #[serde(default, deserialize_with = "bounded")]
    pub generation: u64,
    #[serde(deserialize_with = "bounded")]
    pub ordinal: u64,
}

/// Raises the read pointer of one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raise {
    pub room: RoomId,
    #[serde(default, deserialize_with = "bounded")]
    pub lane: u64,
    #[serde(flatten)]
    pub pointer: Pointer,
}

/// Of which messages of a room an account wants to be notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    All,
    Nothing,
    /// Of those that name it, or everybody in the room.
    #[default]
    #[serde(other)]
    Mentions,
}

/// How an account wants to have a room; nobody else sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    pub level: Level,
    /// What is unread does not show, but for mentions; nothing notifies.
    #[serde(default)]
    pub muted: bool,
    /// It stands above the other rooms.
    #[serde(default)]
    pub starred: bool,
}

impl Wanted {
    /// As the ordinal of a register.
    pub fn number(self) -> u64 {
        let level = match self.level {
            Level::Mentions => 0,
            Level::All => 1,
            Level::Nothing => 2,
        };
        level + if self.muted { 4 } else { 0 } + if self.starred { 8 } else { 0 }
    }

    /// The inverse of [`Wanted::number`]; of a later version's number, what is known of it.
    pub fn of_number(number: u64) -> Wanted {
        let level = match number % 4 {
            1 => Level::All,
            2 => Level::Nothing,
            _ => Level::Mentions,
        };
        Wanted { level, muted: number & 4 > 0, starred: number & 8 > 0 }
    }
}

/// What is unread in one lane, for one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Badge {
    /// Exact to 99; 100 means more.
    pub unread: u32,
    /// Unread messages whose current text names the account or everybody in the room; exact to 99.
    pub mentions: u32,
    /// The newest ordinal that was read.
    #[serde(default)]
    pub read: u64,
    /// The read pointer's generation.
    #[serde(default)]
    pub generation: u64,
    /// The newest ordinal that was counted.
    #[serde(default)]
    pub head: u64,
    #[serde(default)]
    pub wanted: Wanted,
    /// Of a room's own lane: unread answers in the threads of the room that the account follows; exact to 99.
    #[serde(default)]
    pub threads: u32,
    /// Of these answers, those whose current text names the account or everybody in the room; exact to 99.
    #[serde(default)]
    pub thread_mentions: u32,
    /// The seq of the newest answer in those of these threads where something is not read; 0 where nothing is.
    #[serde(default)]
    pub newest_answer: u64,
    /// The seq of the newest edit that named the account where the message had not named it before; 0 where none has.
    /// None of formats 1 to 4.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub named_by_edit: u64,
}

impl Badge {
    pub fn pointer(&self) -> Pointer {
        Pointer { generation: self.generation, ordinal: self.read }
    }

    /// What is unread of a room with its threads.
    pub fn all_unread(&self) -> u32 {
        self.unread + self.threads
    }

    /// Mentions in a room and its threads.
    pub fn all_mentions(&self) -> u32 {
        self.mentions + self.thread_mentions
    }
}

/// A thread for one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    pub lane: u64,
    /// The message under which it stands.
    pub root: Arc<Row>,
    /// Whether the account follows it.
    pub follows: bool,
    /// What is unread there; nothing for one who does not follow. Answers that were also written to the room are
    /// counted in the room.
    pub badge: Badge,
}

/// A message that names the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mention {
    /// The message's number in the log: newer ones have a greater one, whatever their room.
    pub g: u64,
    pub room: RoomId,
    pub row: Arc<Row>,
}

/// Mentions of the account in all its rooms, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mentions {
    pub mentions: Vec<Mention>,
    /// There are older ones: ask for those before the last.
    pub more: bool,
}
