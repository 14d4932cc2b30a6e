//! The frames of `/ws`: JSON text, one object a frame, `t` names the kind. Unknown kinds and fields are ignored.

mod kinds;

use super::added::Added;
use super::entry::Header;
use super::error::{ErrorCode, Refusal};
use super::event::{ActValue, Event, Page, PageAt, Row};
use super::ids::{AccountId, ClientId, RoomId, WorkspaceId};
use super::json::Tagged;
use super::may::May;
use super::number::{bounded, bounded_if_any};
use super::position::{Hash, Position};
use super::presence::Seen;
use super::unread::{Badge, Mention, Raise, Thread, Wanted};
use serde::de::{Error as _, value::EnumAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// From client to server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ClientFrame {
    /// The first frame. Another version than the server's is answered with close code 4002.
    Hello {
        version: u32,
    },
    /// Follow a room from a position on; none means from its head. Answered by `subscribed` or `reset`.
    Subscribe {
        room: RoomId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Position>,
    },
    Unsubscribe {
        room: RoomId,
    },
    /// Propose a message. Answered by `ack` or `error` with the same id.
    Post(Draft),
    /// Propose an act on a message. Answered as `post` is.
    Act(ActDraft),
    /// Take back a draft that was not stored yet.
    Void {
        id: ClientId,
        target: ClientId,
    },
    /// What became of a draft? Answered by `ack`, or `error not_found` if nothing with that id is stored.
    Outcome {
        id: ClientId,
    },
    /// Ask for rows. Answered by `page` or `error` with the same `req`.
    Page {
        #[serde(deserialize_with = "bounded")]
        req: u64,
        room: RoomId,
        #[serde(default, deserialize_with = "bounded")]
        lane: u64,
        at: PageAt,
        #[serde(deserialize_with = "bounded")]
        limit: usize,
        /// The answer must be as of this position or later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_least: Option<Position>,
    },
    /// Ask for events `after < seq <= to`, 500 at most. Answered by `events` or `error`.
    Fetch {
        #[serde(deserialize_with = "bounded")]
        req: u64,
        room: RoomId,
        #[serde(deserialize_with = "bounded")]
        after: u64,
        #[serde(deserialize_with = "bounded")]
        to: u64,
    },
    /// Headers and chains of events `after < seq <= to`, 1,000 at most. Answered by `headers` or `error`.
    Headers {
        #[serde(deserialize_with = "bounded")]
        req: u64,
        room: RoomId,
        #[serde(deserialize_with = "bounded")]
        after: u64,
        #[serde(deserialize_with = "bounded")]
        to: u64,
    },
    /// The texts that a message had. Answered by `history` or `error`.
    History {
        #[serde(deserialize_with = "bounded")]
        req: u64,
        room: RoomId,
        target: ClientId,
    },
    /// The room's pinned messages. Answered by `pins` or `error`.
    Pins {
        #[serde(deserialize_with = "bounded")]
        req: u64,
        room: RoomId,
    },
    /// Names and handles of accounts, by id and by handle, 100 of each at most. Answered by `people`.
    People {
        #[serde(default)]
        ids: Vec<AccountId>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        handles: Vec<String>,
    },
    /// The newest message of a lane that was seen, or a mark. Answered by `badge`.
    Read(Raise),
    /// As many `read` at once, 500 at most.
    ReadAll {
        raise: Vec<Raise>,
    },
    /// What I want to hear of a room. Answered by `badge`.
    Want {
        room: RoomId,
        wanted: Wanted,
    },
    /// I want to follow a thread, or do not. Answered by `threads`.
    Follow {
        room: RoomId,
        #[serde(deserialize_with = "bounded")]
        lane: u64,
        follow: bool,
    },
    /// One thread, whether I follow it or not. Answered by `thread` or `error`.
    Thread {
        #[serde(deserialize_with = "bounded")]
        req: u64,
        room: RoomId,
        #[serde(deserialize_with = "bounded")]
        lane: u64,
    },
    /// The threads of a room that I follow, with the newest answer first. Answered by `threads`.
    Threads {
        room: RoomId,
    },
    /// Unread answers in the threads of a room that I follow, after a seq of the room. Answered by `answers` or `error`.
    Answers {
        #[serde(deserialize_with = "bounded")]
        req: u64,
        room: RoomId,
        #[serde(deserialize_with = "bounded")]
        after: u64,
    },
    /// Messages that name me, newest first, before a number of the log. Answered by `mentions` or `error`.
    Mentions {
        #[serde(deserialize_with = "bounded")]
        req: u64,
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "bounded_if_any")]
        before: Option<u64>,
    },
    /// The people in view, 200 at most, instead of those before. Answered by `presence` with all of them, and by
    /// another one whenever something has changed.
    Watch {
        people: Vec<AccountId>,
    },
    /// Whether somebody looks; a connection begins with yes.
    Active {
        on: bool,
    },
    /// Text is being written in a lane of a room (again every few seconds), or no more. A message says so by itself.
    Typing {
        room: RoomId,
        #[serde(default, skip_serializing_if = "super::event::is_zero", deserialize_with = "bounded")]
        lane: u64,
        on: bool,
    },
    /// What I say of myself, for so many milliseconds; none: until I change it. Refused by an `error`.
    Status {
        text: String,
        #[serde(default)]
        do_not_disturb: bool,
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "bounded_if_any")]
        for_ms: Option<u64>,
    },
    /// Who is in a room. Answered by `members` or `error`.
    Members {
        #[serde(deserialize_with = "bounded")]
        req: u64,
        room: RoomId,
    },
    /// A sign of life, at least every 25 s, with the position of each open room.
    Beat {
        #[serde(default)]
        positions: BTreeMap<RoomId, Position>,
    },
    #[serde(other)]
    Unknown,
}

/// A message as its author proposes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub id: ClientId,
    pub room: RoomId,
    /// What this one answers in a thread; none for a message of the room's own lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Answer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<ClientId>,
    pub text: String,
    /// The accounts of handles that the writer chose from a list: a hint, no part of the draft.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub named: BTreeMap<String, AccountId>,
}

/// In which thread a draft is to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The message under which the thread stands, or one of its answers.
    pub to: ClientId,
    /// It is to stand in the room too.
    #[serde(default)]
    pub also: bool,
}

/// An act as its author proposes it: one slot of one message and the slot's whole new value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActDraft {
    pub id: ClientId,
    pub room: RoomId,
    /// The message that it changes.
    pub target: ClientId,
    pub slot: String,
    pub value: ActValue,
    /// As of a message, where the slot is `text`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub named: BTreeMap<String, AccountId>,
}

/// Defines the frames twice, from the same lines: as serde writes them with the tag `t`, and as [`Json`](super::json)
/// reads them.
macro_rules! server_frames {
    ($($variants:tt)*) => {
        /// From server to client.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(tag = "t", rename_all = "snake_case")]
        pub enum ServerFrame {
            $($variants)*
        }

        #[derive(Deserialize)]
        #[serde(remote = "ServerFrame", rename_all = "snake_case")]
        enum ReadFrame {
            $($variants)*
        }
    };
}

impl<'de> Deserialize<'de> for ServerFrame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tagged = Tagged::read("t", deserializer)?;
        ReadFrame::deserialize(EnumAccessDeserializer::new(tagged)).map_err(D::Error::custom)
    }
}

server_frames! {
    /// The answer to `hello`, after what I need to know before I tell my person anything: `quiet`, and a `presence` of
    /// myself.
    Welcome {
        version: u32,
        workspace: WorkspaceId,
        name: String,
        me: Person,
        rooms: Vec<RoomInfo>,
        /// How far this node has folded the log.
        g: u64,
        heartbeat_ms: u32,
        /// The format of the log, by its number; 0 from a server that does not say it.
        #[serde(default)]
        format: u32,
    },
    /// Events after `since` follow, in order. `head` is where the room stood when this was written.
    Subscribed {
        room: RoomId,
        since: Position,
        head: Position,
    },
    /// What the client holds of the room cannot be continued: load it again.
    Reset {
        room: RoomId,
        why: ResetReason,
        head: Position,
    },
    /// The next event of an open room.
    Event {
        room: RoomId,
        event: Arc<Event>,
    },
    /// What became of a proposal.
    Ack {
        id: ClientId,
        outcome: Outcome,
    },
    Page {
        req: u64,
        page: Page,
    },
    Events {
        req: u64,
        room: RoomId,
        events: Vec<Arc<Event>>,
    },
    Headers {
        req: u64,
        room: RoomId,
        headers: Vec<(Header, Hash)>,
    },
    /// Oldest first, 50 at most: the first one and the newest of the others.
    History {
        req: u64,
        room: RoomId,
        versions: Vec<Version>,
    },
    /// Newest first, 100 at most.
    Pins {
        req: u64,
        room: RoomId,
        rows: Vec<Arc<Row>>,
    },
    People {
        people: Vec<Person>,
    },
    /// A room of mine is new or changed.
    Room {
        room: RoomInfo,
    },
    /// I am no longer in this room.
    Left {
        room: RoomId,
    },
    Badge {
        room: RoomId,
        badge: Badge,
    },
    /// My quiet hours, before the welcome and when they were set, here or elsewhere; see [`super::Quiet`].
    Quiet {
        on: bool,
        from: u32,
        to: u32,
    },
    /// The threads of a room that I follow, with the newest answer first, 100 at most.
    Threads {
        room: RoomId,
        threads: Vec<Thread>,
    },
    Thread {
        req: u64,
        room: RoomId,
        thread: Thread,
    },
    /// The newest 50, oldest first.
    Answers {
        req: u64,
        room: RoomId,
        rows: Vec<Arc<Row>>,
    },
    Mentions {
        req: u64,
        /// Newest first, and whether there are older ones.
        mentions: Vec<Mention>,
        more: bool,
    },
    /// All of the people in view, and later those who are different.
    Presence {
        people: Vec<Seen>,
    },
    /// Who is typing in an open room now, without me, 4 at most; and in which of its threads, 20 at most. It ends with
    /// the message, or after 6 s.
    Typing {
        room: RoomId,
        people: Vec<AccountId>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        threads: Vec<(u64, AccountId)>,
    },
    /// By name, 200 at most.
    Members {
        req: u64,
        room: RoomId,
        people: Vec<Person>,
    },
    /// A sign of life, with the head of each open room.
    Beat {
        g: u64,
        positions: BTreeMap<RoomId, Position>,
    },
    /// The server goes; come back after the delay.
    Moving {
        after_ms: u32,
    },
    /// A frame was not carried out; nothing was stored.
    Error {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<ClientId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        req: Option<u64>,
        code: ErrorCode,
        message: String,
    },
    #[serde(other)]
    Unknown,
}

/// A text that a message had, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Milliseconds since 1970, UTC.
    pub at: i64,
    pub text: String,
    /// As that of a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<Added>,
}

/// Why a room must be loaded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// More events were missed than are sent one by one.
    Far,
    /// The log no longer has what the client holds.
    Rewritten,
    /// Another workspace.
    Epoch,
    #[serde(other)]
    Other,
}

/// What the fold decided of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", try_from = "ReadOutcome")]
pub enum Outcome {
    /// Stored and accepted. `seq` and `ordinal` are the room's, where the entry has a room.
    Stored {
        g: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ordinal: Option<u64>,
    },
    /// Nothing changed, and a retry changes nothing.
    Refused { why: Refusal },
}

/// An [`Outcome`] as it is read: the fields of both kinds, since serde's decoder of an enum with a tag is several times as
/// large.
#[derive(Deserialize)]
struct ReadOutcome {
    is: String,
    g: Option<u64>,
    seq: Option<u64>,
    ordinal: Option<u64>,
    why: Option<Refusal>,
}

impl TryFrom<ReadOutcome> for Outcome {
    type Error = &'static str;

    fn try_from(ReadOutcome { is, g, seq, ordinal, why }: ReadOutcome) -> Result<Outcome, &'static str> {
        match (is.as_str(), g, why) {
            ("stored", Some(g), _) => Ok(Outcome::Stored { g, seq, ordinal }),
            ("refused", _, Some(why)) => Ok(Outcome::Refused { why }),
            _ => Err("this is no outcome"),
        }
    }
}

/// An account as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: AccountId,
    pub name: String,
    pub handle: String,
    #[serde(default)]
    pub role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Owner,
    #[default]
    #[serde(other)]
    Member,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    Open,
    Private,
    Direct,
}

/// A room as a member, or one who may join, sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomInfo {
    pub id: RoomId,
    pub kind: RoomKind,
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
    #[serde(default)]
    pub archived: bool,
    pub members: u32,
    /// Whether the reader is in it.
    pub joined: bool,
    /// Whether the reader may archive it and bring it back.
    #[serde(default)]
    pub may_archive: bool,
    /// What the reader may do; a server of 0.1.0 does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may: Option<May>,
    #[serde(default)]
    pub badge: Badge,
}
