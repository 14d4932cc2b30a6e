//! What the formats of the log decide differently.

use crate::protocol::Format;

/// The rules of one format. Decisions read this table, never the number of a format.
///
/// A table that a release has shipped is never edited: servers of two versions would decide one log differently. Every
/// change of a decision, also of a limit or of the reason for a refusal, is a new format with a table of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// `account.set` has the slot `status`. Without it the slot is malformed.
    pub status: bool,
    /// `account.set` has the slot `role`, by which an account becomes an owner. Without it the slot is malformed.
    pub role: bool,
    pub archiving: Archiving,
    /// A room that comes back from the archive needs a name that no other room has taken meanwhile.
    pub unarchiving_needs_the_name: bool,
    /// An archived open room can be joined, to read it.
    pub archived_rooms_can_be_joined: bool,
    /// A reply with the slot `room` stands in the thread and in the room. Without it the slot means nothing.
    pub replies_in_room: bool,
    /// Decisions read header words and bodies that are never erased, in exactly the bytes that are written for them. The
    /// workspace is the operator, who acts as an author. None of formats 1 to 4, where all that is otherwise.
    pub strict: Option<Strict>,
}

/// What only the strict formats have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strict {
    /// A deletion that is older is not taken back, in milliseconds.
    pub restore_ms: i64,
    /// What was deleted, replaced or refused so long ago can be erased, in milliseconds.
    pub erase_ms: i64,
    /// Different emoji that a message has.
    pub reactions: usize,
    /// Reactions that one account has on a message.
    pub reactions_each: usize,
}

/// Who archives a room and brings it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archiving {
    Members,
    /// The account that made the room, and owners, if they may see it.
    CreatorAndOwners,
}

const ONE: Rules = Rules {
    status: false,
    role: false,
    archiving: Archiving::Members,
    unarchiving_needs_the_name: false,
    archived_rooms_can_be_joined: false,
    replies_in_room: false,
    strict: None,
};

const TWO: Rules = Rules {
    status: true,
    role: false,
    archiving: Archiving::CreatorAndOwners,
    unarchiving_needs_the_name: true,
    archived_rooms_can_be_joined: true,
    replies_in_room: false,
    strict: None,
};

const THREE: Rules = Rules {
    status: true,
    role: false,
    archiving: Archiving::CreatorAndOwners,
    unarchiving_needs_the_name: true,
    archived_rooms_can_be_joined: true,
    replies_in_room: true,
    strict: None,
};

const FOUR: Rules = Rules {
    status: true,
    role: true,
    archiving: Archiving::CreatorAndOwners,
    unarchiving_needs_the_name: true,
    archived_rooms_can_be_joined: true,
    replies_in_room: true,
    strict: None,
};

const FIVE: Rules = Rules {
    status: true,
    role: true,
    archiving: Archiving::CreatorAndOwners,
    unarchiving_needs_the_name: true,
    archived_rooms_can_be_joined: true,
    replies_in_room: true,
    strict: Some(Strict { restore_ms: 86_400_000, erase_ms: 86_400_000, reactions: 20, reactions_each: 10 }),
};

impl Rules {
    pub const fn of(format: Format) -> &'static Rules {
        match format {
            Format::One => &ONE,
            Format::Two => &TWO,
            Format::Three => &THREE,
            Format::Four => &FOUR,
            Format::Five => &FIVE,
        }
    }
}
