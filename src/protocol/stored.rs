//! The bytes of a body as the log stores them in format 5: a salt, the draft, and for erasable kinds the added part.

use super::entry::Digest;
use super::ids::ClientId;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Bytes of the salt of a body that is never erased, and of every body of formats 1 to 4.
pub const SALT: usize = 16;

/// A stored body in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    pub salt: &'a str,
    /// What the client proposed.
    pub draft: &'a str,
    /// What the server made of the draft. `None` in a body of an earlier format, and in one that is never erased.
    pub added: Option<&'a str>,
}

impl<'a> Stored<'a> {
    /// The parts of an erasable body: the salt ends before the first `{`, the draft at the first line feed. `None` if
    /// the body has no draft.
    pub fn erasable(body: &'a str) -> Option<Stored<'a>> {
        let (salt, rest) = body.split_at(body.find('{')?);
        Some(match rest.split_once('\n') {
            Some((draft, added)) => Stored { salt, draft, added: Some(added) },
            None => Stored { salt, draft: rest, added: None },
        })
    }

    /// The parts of a body that is never erased: [`SALT`] characters `[0-9a-f]` of salt, then the draft. `None` if it
    /// does not begin so.
    pub fn never_erased(body: &'a str) -> Option<Stored<'a>> {
        let (salt, draft) = body.split_at_checked(SALT)?;
        let hex = salt.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        hex.then_some(Stored { salt, draft, added: None })
    }

    /// The stored bytes.
    pub fn join(&self) -> String {
        let Stored { salt, draft, added } = self;
        match added {
            Some(added) => format!("{salt}{draft}\n{added}"),
            None => format!("{salt}{draft}"),
        }
    }

    /// What the header says of these bytes.
    pub fn digest(&self) -> Digest {
        digest(&self.join())
    }
}

/// Whether the body of an act `deleted` deletes, as format 5 reads it: every other body, and none, restores.
pub fn deletes(body: &str) -> bool {
    Stored::never_erased(body).is_some_and(|stored| stored.draft == r#"{"value":true}"#)
}

/// The first 16 bytes of the SHA-256 of a stored body.
pub fn digest(body: &str) -> Digest {
    let full = Sha256::digest(body.as_bytes());
    let mut first = [0; 16];
    first.copy_from_slice(&full[..16]);
    Digest(first)
}

/// The draft of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MessageDraft<'a> {
    pub text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<ClientId>,
    /// When an imported message was written: milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<i64>,
}

/// The draft of a setting, and of an act: its whole new value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ValueDraft<T> {
    pub value: T,
}

/// The added part of a body for which a server adds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Nothing {}
