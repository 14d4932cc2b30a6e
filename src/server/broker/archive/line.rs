//! The lines of an archive.

use crate::protocol::{AccountId, Hash, Header, WorkspaceId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The newest form of archives that this version writes and reads.
pub const VERSION: u32 = 1;
/// Bytes of a line; the longest text of an entry takes less.
pub const LINE_BYTES: u64 = 4 * 1024 * 1024;

/// What an archive is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Has what people sign in with: `beck restore` takes it.
    Backup,
    /// Has no secret: `beck import` takes it.
    Export,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Backup => "backup",
            Kind::Export => "export",
        })
    }
}

/// One line. The first is `beck`, the last `end`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Line {
    Beck(Begin),
    Entry(EntryLine),
    Pointer(PointerLine),
    Secret(SecretLine),
    End(Manifest),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    pub archive: Kind,
    pub version: u32,
    pub workspace: WorkspaceId,
}

/// As much of the first line as every version has.
#[derive(Debug, Deserialize)]
pub struct AnyBegin {
    pub beck: AnyVersion,
}

#[derive(Debug, Deserialize)]
pub struct AnyVersion {
    pub version: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryLine {
    pub header: Header,
    pub link: Hash,
    /// Salt and JSON as the log has them; null once erased.
    pub body: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointerLine {
    pub account: AccountId,
    pub key: String,
    pub generation: u64,
    pub ordinal: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretLine {
    pub key: String,
    pub value: String,
    pub version: u64,
}

/// What all lines before it come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub workspace: WorkspaceId,
    /// Of the log.
    pub format: u32,
    pub entries: u64,
    /// Those of them that have no body any more.
    pub erased: u64,
    pub pointers: u64,
    pub secrets: u64,
    pub first_link: Hash,
    pub last_link: Hash,
    /// Over all bytes before this line, in hex.
    pub sha256: String,
}
