//! What a server proposes: a change as an entry in the form of a format of the log.

use super::Head;
use crate::protocol::change::{AccountSetting, Words};
use crate::protocol::entry::BadToken;
use crate::protocol::stored::{self, Nothing, Stored, ValueDraft, digest};
use crate::protocol::{AccountId, Change, ClientId, Format, Header, Kind, OwnStatus, RoomId, Token};
use serde::Serialize;

/// What a node proposes: a header without number and time, and a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    pub author: AccountId,
    pub client_id: ClientId,
    pub room: Option<RoomId>,
    pub kind: Kind,
    pub target: Option<Token>,
    pub slot: Option<Token>,
    /// The body as it is stored: a salt, then JSON; in format 5 an erasable one has an added part behind it.
    pub body: String,
    /// The first format that reads a body of this form. [`Format::One`]: they all do.
    pub form: Format,
    /// The entry since which the log has a format that reads this form: a log without this entry stores nothing.
    pub since: Option<Head>,
}

/// What stands in a body beside the change itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing: the change is the whole body, which is never erased.
    None,
    /// An erasable body, as JSON in canonical bytes. Formats 1 to 4 store nothing of what is added.
    Erasable { draft: String, added: String },
}

impl Content {
    pub fn erasable(draft: &impl Serialize, added: &impl Serialize) -> Content {
        Content::Erasable { draft: json(draft), added: json(added) }
    }

    /// A setting to which a server adds nothing; `None` takes the value away.
    pub fn value(value: Option<impl Serialize>) -> Content {
        Content::erasable(&ValueDraft { value }, &Nothing {})
    }
}

/// A change that cannot be written: its emoji cannot stand in a header, the content does not belong to the change, or the
/// format does not have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the change cannot be written")]
pub struct Unwritable;

impl From<BadToken> for Unwritable {
    fn from(_: BadToken) -> Self {
        Unwritable
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// 32 characters of hex from the system's random source.
fn salt() -> String {
    let (a, b) = (uuid::Uuid::new_v4().as_u64_pair(), uuid::Uuid::new_v4().as_u64_pair());
    format!("{:016x}{:016x}", a.0 ^ b.1, a.1 ^ b.0)
}

impl Proposal {
    /// A change in the form of this format.
    pub fn of(
        format: Format,
        author: AccountId,
        client_id: ClientId,
        change: &Change,
        content: Content,
    ) -> Result<Self, Unwritable> {
        if change.needs() > format {
            return Err(Unwritable);
        }
        let Words { kind, room, target, slot } = change.words()?;
        let in_parts = format >= Format::Five;
        let salt = salt();
        let short = &salt[..stored::SALT];
        let body = match (change.body(), content) {
            (Some(draft), Content::None) => Stored { salt: short, draft: &draft, added: None }.join(),
            (None, Content::Erasable { draft, added }) if in_parts => {
                Stored { salt: &salt, draft: &draft, added: Some(&added) }.join()
            }
            (None, Content::Erasable { draft, .. }) => {
                Stored { salt: short, draft: &earlier_draft(change, draft), added: None }.join()
            }
            _ => return Err(Unwritable),
        };
        let form = if in_parts { Format::Five } else { Format::One };
        Ok(Self { author, client_id, room, kind, target, slot, body, form, since: None })
    }

    /// An entry of formats 1 to 4 with any words and body, with a fresh salt. Servers propose changes; this is for what no
    /// server proposes, in tests and where nothing is stored.
    pub fn new(author: AccountId, client_id: ClientId, kind: Kind, body: &impl Serialize) -> Self {
        let body = format!("{}{}", &salt()[..stored::SALT], json(body));
        let (room, target, slot, form, since) = (None, None, None, Format::One, None);
        Self { author, client_id, room, kind, target, slot, body, form, since }
    }

    /// A log that does not have this entry stores nothing of the proposal.
    pub fn since(mut self, since: Head) -> Self {
        self.since = Some(since).filter(|since| since.g > 0);
        self
    }

    pub fn room(mut self, room: RoomId) -> Self {
        self.room = Some(room);
        self
    }

    pub fn target(mut self, target: Token) -> Self {
        self.target = Some(target);
        self
    }

    pub fn slot(mut self, slot: Token) -> Self {
        self.slot = Some(slot);
        self
    }

    /// The header that this proposal gets at a place in the log.
    pub fn header(&self, g: u64, at: i64) -> Header {
        Header {
            g,
            at,
            author: self.author,
            client_id: self.client_id,
            room: self.room,
            kind: self.kind.clone(),
            target: self.target.clone(),
            slot: self.slot.clone(),
            digest: digest(&self.body),
        }
    }
}

/// An erasable draft in the bytes of formats 1 to 4. They have no `null`: an empty value takes the one before away. They
/// sort the fields of a status.
fn earlier_draft(change: &Change, draft: String) -> String {
    let is_empty = draft == json(&ValueDraft { value: () });
    match change {
        Change::SetTopic { .. } if is_empty => json(&ValueDraft { value: "" }),
        Change::SetAccount { setting: AccountSetting::Status, .. } if is_empty => {
            json(&ValueDraft { value: OwnStatus::default() })
        }
        Change::SetAccount { setting: AccountSetting::Status, .. } => {
            let sorted = serde_json::from_str::<serde_json::Value>(&draft);
            sorted.map_or(draft, |status| json(&status))
        }
        _ => draft,
    }
}
