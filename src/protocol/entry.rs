//! An entry of the log: a header that stays for ever and a body that can be erased.

use super::ids::{AccountId, ClientId, RoomId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// What an entry is. A node that does not know a kind ignores the entry; a kind that may not be ignored
/// is written only after a `format` entry raised the log's format.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The first entry of a log: makes the workspace.
    Workspace,
    /// Raises the format of the log.
    Format,
    /// Makes an account; `target` is its id.
    Account,
    /// Changes one setting of an account, named by `slot`; `target` is its id.
    AccountSet,
    /// Makes a room.
    Room,
    /// Changes one setting of a room, named by `slot`.
    RoomSet,
    /// `target` becomes a member of the room.
    Join,
    /// `target` stops being a member of the room.
    Leave,
    /// A message; `target` is the message whose lane it stands in, none for the room's own lane.
    Message,
    /// Writes one slot of the message `target`.
    Act,
    /// Takes back the entry named by `target` if that has not come yet.
    Void,
    /// Logins of the account `target` have ended: what comes after it reaches none of them.
    Logins,
    /// Changes one setting of the workspace, named by `slot`. From format 5 on.
    WorkspaceSet,
    /// Removes bodies of earlier entries. From format 5 on.
    Erase,
    /// A kind of a later version.
    Other(Token),
}

impl Kind {
    pub fn as_str(&self) -> &str {
        match self {
            Kind::Workspace => "workspace",
            Kind::Format => "format",
            Kind::Account => "account",
            Kind::AccountSet => "account.set",
            Kind::Room => "room",
            Kind::RoomSet => "room.set",
            Kind::Join => "join",
            Kind::Leave => "leave",
            Kind::Message => "message",
            Kind::Act => "act",
            Kind::Void => "void",
            Kind::Logins => "logins",
            Kind::WorkspaceSet => "workspace.set",
            Kind::Erase => "erase",
            Kind::Other(token) => token.as_str(),
        }
    }
}

impl FromStr for Kind {
    type Err = BadToken;
    fn from_str(text: &str) -> Result<Self, BadToken> {
        Ok(match text {
            "workspace" => Kind::Workspace,
            "format" => Kind::Format,
            "account" => Kind::Account,
            "account.set" => Kind::AccountSet,
            "room" => Kind::Room,
            "room.set" => Kind::RoomSet,
            "join" => Kind::Join,
            "leave" => Kind::Leave,
            "message" => Kind::Message,
            "act" => Kind::Act,
            "void" => Kind::Void,
            "logins" => Kind::Logins,
            "workspace.set" => Kind::WorkspaceSet,
            "erase" => Kind::Erase,
            other => Kind::Other(other.parse()?),
        })
    }
}

/// A word in a header: 1 to 96 bytes, no white space and no control characters, never `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(Box<str>);

/// A text that cannot stand in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a header word is 1 to 96 bytes without spaces or control characters, and not `-`")]
pub struct BadToken;

impl Token {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Token {
    type Err = BadToken;
    fn from_str(text: &str) -> Result<Self, BadToken> {
        let fits = (1..=96).contains(&text.len()) && text != "-";
        if fits && !text.chars().any(separates) { Ok(Token(text.into())) } else { Err(BadToken) }
    }
}

/// White space and control characters. The table stands here, not in the compiler, whose Unicode grows: a server that
/// took another word than the others could not read their log.
fn separates(c: char) -> bool {
    matches!(c, '\0'..='\u{20}' | '\u{7f}'..='\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}'..='\u{2029}'
        | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// The part of a message that an act writes. A row is the last write of each slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    Text,
    Deleted,
    Pin,
    /// One account's one reaction.
    React {
        emoji: String,
        account: AccountId,
    },
}

impl Slot {
    /// `None` for a slot of a later version, which a reader ignores.
    pub fn parse(text: &str) -> Option<Slot> {
        match text {
            "text" => Some(Slot::Text),
            "deleted" => Some(Slot::Deleted),
            "pin" => Some(Slot::Pin),
            _ => {
                let (emoji, account) = text.strip_prefix("react:")?.rsplit_once(':')?;
                let account = account.parse().ok()?;
                (!emoji.is_empty()).then(|| Slot::React { emoji: emoji.to_owned(), account })
            }
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Slot::Text => f.write_str("text"),
            Slot::Deleted => f.write_str("deleted"),
            Slot::Pin => f.write_str("pin"),
            Slot::React { emoji, account } => write!(f, "react:{emoji}:{account}"),
        }
    }
}

/// The first 16 bytes of the SHA-256 of the stored body, salt included, as 32 hex characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digest(pub [u8; 16]);

impl FromStr for Digest {
    type Err = BadToken;
    fn from_str(text: &str) -> Result<Self, BadToken> {
        if text.len() != 32 || !text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(BadToken);
        }
        u128::from_str_radix(text, 16).map(|n| Digest(n.to_be_bytes())).map_err(|_| BadToken)
    }
}

/// What is known of an entry for ever. Its text form, [`Header::rest`], is what the log keeps and links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The entry's number in the log, from 1 without gaps.
    pub g: u64,
    /// Milliseconds since 1970 (UTC), never less than the entry's before. Formats 1 to 4 show it and never compare it;
    /// later ones measure by it how long ago something was deleted, replaced or refused.
    pub at: i64,
    #[serde(rename = "by")]
    pub author: AccountId,
    #[serde(rename = "id")]
    pub client_id: ClientId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomId>,
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Token>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Token>,
    pub digest: Digest,
}

impl Header {
    /// From format 5 on, the author of a message that the operator imports.
    pub fn written_for(&self) -> Option<AccountId> {
        let slot = self.slot.as_ref().filter(|_| self.kind == Kind::Message)?.as_str();
        slot.strip_prefix("room,").unwrap_or(slot).strip_prefix("for:")?.parse().ok()
    }

    /// `author client_id room kind target slot digest`, one space between, `-` for what is absent.
    pub fn rest(&self) -> String {
        let mut text = String::with_capacity(128);
        let room = self.room.as_ref().map_or("-", RoomId::as_str);
        let target = self.target.as_ref().map_or("-", Token::as_str);
        let slot = self.slot.as_ref().map_or("-", Token::as_str);
        let _ = write!(
            text,
            "{} {} {room} {} {target} {slot} {}",
            self.author,
            self.client_id,
            self.kind.as_str(),
            self.digest
        );
        text
    }

    /// The inverse of [`Header::rest`]; `None` if the text is not of that form.
    pub fn parse(g: u64, at: i64, rest: &str) -> Option<Header> {
        fn maybe<T: FromStr>(word: &str) -> Option<Option<T>> {
            if word == "-" { Some(None) } else { word.parse().ok().map(Some) }
        }
        let mut words = rest.split(' ');
        let header = Header {
            g,
            at,
            author: words.next()?.parse().ok()?,
            client_id: words.next()?.parse().ok()?,
            room: maybe(words.next()?)?,
            kind: words.next()?.parse().ok()?,
            target: maybe(words.next()?)?,
            slot: maybe(words.next()?)?,
            digest: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(header)
    }
}

macro_rules! text_form {
    ($name:ty, $as_text:expr) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let as_text: fn(&$name) -> _ = $as_text;
                serializer.serialize_str(as_text(self).as_ref())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

text_form!(Kind, |kind| kind.as_str().to_owned());
text_form!(Token, |token| token.as_str().to_owned());
text_form!(Digest, |digest| digest.to_string());

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
