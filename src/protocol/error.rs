//! The tables of refusals, error codes and close codes. `docs/protocol.md` prints them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why the fold refuses an entry. It is in the log all the same, and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    NotFound,
    Archived,
    NotAllowed,
    Taken,
    TargetGone,
    Void,
    OtherDraft,
    TooLate,
    Malformed,
    /// A reason of a later version.
    #[serde(other)]
    Other,
}

impl Refusal {
    pub fn sentence(self) -> &'static str {
        match self {
            Refusal::NotFound => "There is no such room, or you are not in it.",
            Refusal::Archived => "This room was archived.",
            Refusal::NotAllowed => "You may not do that here.",
            Refusal::Taken => "That name is taken.",
            Refusal::TargetGone => "The message it is about is gone.",
            Refusal::Void => "It was taken back before it was sent.",
            Refusal::OtherDraft => "Something else was already sent under this id.",
            Refusal::TooLate => "It came too late: what it takes back is already sent.",
            Refusal::Malformed => "It does not have the form that it should have.",
            Refusal::Other => "The server refused it.",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// Why a frame, form or request was not carried out. Nothing was stored, except perhaps where it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, or not of the form of its kind.
    BadFrame,
    /// A text that cannot be stored; the message says why.
    Unfit,
    /// No login, or one that ended.
    SignedOut,
    /// The account may see it and lacks the permission for what it asked.
    Forbidden,
    /// No such thing, or not yours.
    NotFound,
    /// Too many; try again later.
    Throttled,
    /// The log cannot be reached; try again.
    Unavailable,
    /// It may be stored or not: send it again with the same id.
    Unknown,
    /// This node has not caught up with the position that the request names; try again.
    Behind,
    /// A code of a later version.
    #[serde(other)]
    Other,
}

impl ErrorCode {
    /// Whether the same request may succeed later without a change.
    pub fn try_again(self) -> bool {
        matches!(self, ErrorCode::Throttled | ErrorCode::Unavailable | ErrorCode::Unknown | ErrorCode::Behind)
    }
}

/// For the person, also where a client does not know the code. The number is
/// [`SOCKETS_PER_ACCOUNT`](super::bounds::SOCKETS_PER_ACCOUNT).
const TOO_MANY_SOCKETS: &str =
    "This account has 32 connections open, as many as it may. Close a tab or a window.";

/// Why a socket was closed, and whether to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// 1012: the server restarts or moves; come back after the delay that `moving` names.
    Moving,
    /// 4000: what came was no text frame of the protocol.
    BadFrame,
    /// 4001: the login ended; sign in again.
    SignedOut,
    /// 4002: this client is too old for the server; reload.
    TooOld,
    /// 4008: it took no byte for too long; come back and resume.
    Slow,
    /// 4009: too many frames; come back after a while.
    Throttled,
    /// 4010: no sign of life for two heartbeats; come back.
    Silent,
    /// 4011: the account has as many sockets on this server as it may; come back slowly.
    TooManySockets,
}

impl CloseCode {
    pub const ALL: [CloseCode; 8] = [
        CloseCode::Moving,
        CloseCode::BadFrame,
        CloseCode::SignedOut,
        CloseCode::TooOld,
        CloseCode::Slow,
        CloseCode::Throttled,
        CloseCode::Silent,
        CloseCode::TooManySockets,
    ];

    pub fn number(self) -> u16 {
        match self {
            CloseCode::Moving => 1012,
            CloseCode::BadFrame => 4000,
            CloseCode::SignedOut => 4001,
            CloseCode::TooOld => 4002,
            CloseCode::Slow => 4008,
            CloseCode::Throttled => 4009,
            CloseCode::Silent => 4010,
            CloseCode::TooManySockets => 4011,
        }
    }

    pub fn from_number(number: u16) -> Option<CloseCode> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// What the close frame says: 123 bytes at most.
    pub fn reason(self) -> &'static str {
        match self {
            CloseCode::Moving => "moving",
            CloseCode::BadFrame => "bad frame",
            CloseCode::SignedOut => "signed out",
            CloseCode::TooOld => "too old",
            CloseCode::Slow => "slow reader",
            CloseCode::Throttled => "throttled",
            CloseCode::Silent => "silent",
            CloseCode::TooManySockets => TOO_MANY_SOCKETS,
        }
    }

    /// Whether a client should connect again by itself.
    pub fn reconnect(self) -> bool {
        !matches!(self, CloseCode::SignedOut | CloseCode::TooOld | CloseCode::BadFrame)
    }
}
