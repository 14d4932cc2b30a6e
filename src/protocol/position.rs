//! Where a reader stands in a room, and the hash that links each entry to the one before it.

use super::entry::Header;
use super::ids::WorkspaceId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha1::{Digest as _, Sha1};
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// The first 8 bytes of a SHA-1, written as 16 hex characters: a `link` of the log or a `chain` of a room.
///
/// It finds loss and rewriting; it is no proof against an operator who wants to deceive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash([u8; 8]);

impl Hash {
    /// What stands before the first entry.
    pub const ZERO: Hash = Hash([0; 8]);

    /// `H(before, header)`: the first 16 hex characters of
    /// `sha1(before ␊ g ␊ at ␊ rest)` with `rest` as [`Header::rest`] writes it.
    pub fn then(self, header: &Header) -> Hash {
        self.then_text(header.g, header.at, &header.rest())
    }

    /// As [`Hash::then`], for one who has the rest as text.
    pub fn then_text(self, g: u64, at: i64, rest: &str) -> Hash {
        let mut text = String::with_capacity(64 + rest.len());
        let _ = write!(text, "{self}\n{g}\n{at}\n{rest}");
        let full = Sha1::digest(text.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&full[..8]);
        Hash(first)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not 16 hex characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a chain is 16 lower-case hex characters")]
pub struct BadHash;

impl FromStr for Hash {
    type Err = BadHash;
    fn from_str(text: &str) -> Result<Self, BadHash> {
        let text = text.as_bytes();
        if text.len() != 16 || !text.iter().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(BadHash);
        }
        let digit = |c: u8| if c <= b'9' { c - b'0' } else { c - b'a' + 10 };
        Ok(Hash(std::array::from_fn(|i| digit(text[2 * i]) << 4 | digit(text[2 * i + 1]))))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A reader's place in one room: everything up to `seq`, with `chain` over all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The workspace; another one means another log.
    pub epoch: WorkspaceId,
    /// Events of the room so far; 0 is before the first.
    #[serde(deserialize_with = "super::number::bounded")]
    pub seq: u64,
    pub chain: Hash,
}

impl Position {
    /// Before a room's first event.
    pub fn start(epoch: WorkspaceId) -> Self {
        Self { epoch, seq: 0, chain: Hash::ZERO }
    }
}
