//! What is kept of an entry whose body an `erase` entry may remove. It comes from the header, from what was decided, and
//! from what the format reads of the body: a fold of the log without these bodies keeps the same.

use super::Fold;
use super::read::{self, ActForm};
use super::rules::Rules;
use crate::protocol::stored::Stored;
use crate::protocol::{ClientId, Erasable, Format, Header, Kind, Outcome, Refusal, erasable};
use crate::server::broker::Entry;
use rusqlite::params;
use rusqlite::types::Value;

/// What was decided of an entry, as far as its body's erasing depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Accepted,
    Refused(Refusal),
    /// An earlier entry has its `client_id`, or a `void` had taken that back before.
    Repeated,
}

/// How the body of an entry can be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    /// With the message whose text it is, or when an edit has replaced it.
    TextOf(ClientId),
    /// When a later entry has changed the same setting.
    Setting(String),
    /// By its number. `text`: with the first entry of its `client_id` too, if that is a text of a message.
    ByNumber { text: bool },
}

impl Fate {
    pub(super) fn of_new(outcome: Outcome) -> Fate {
        match outcome {
            Outcome::Stored { .. } => Fate::Accepted,
            Outcome::Refused { why } => Fate::Refused(why),
        }
    }
}

impl Body {
    /// `None`: the body stays.
    fn of(rules: &Rules, format: Format, entry: &Entry, fate: Fate) -> Option<Body> {
        let header = &entry.header;
        let text = is_text(rules, entry);
        if rules.strict.is_some() {
            let goes = match erasable(format, &header.kind, header.slot.as_ref()) {
                Erasable::Never => false,
                Erasable::IfRestore => text,
                Erasable::Always => true,
            };
            return if goes { Body::of_erasable(header, text, fate) } else { None };
        }
        // Formats 1 to 4 read the bodies of others.
        let status = header.kind == Kind::AccountSet && slot(header) == Some("status");
        match fate {
            Fate::Accepted if text => text_of(header),
            Fate::Accepted if status => Some(Body::Setting(setting(header))),
            Fate::Repeated
            | Fate::Refused(
                Refusal::NotFound | Refusal::Archived | Refusal::NotAllowed | Refusal::TargetGone,
            ) if text || status => Some(Body::ByNumber { text }),
            Fate::Refused(_) if text && slot(header) == Some("deleted") && header.kind == Kind::Act => {
                Some(Body::ByNumber { text })
            }
            _ => None,
        }
    }

    fn of_erasable(header: &Header, text: bool, fate: Fate) -> Option<Body> {
        let settings = [Kind::AccountSet, Kind::WorkspaceSet, Kind::RoomSet];
        match fate {
            Fate::Accepted if text => text_of(header),
            Fate::Accepted => settings.contains(&header.kind).then(|| Body::Setting(setting(header))),
            Fate::Refused(_) | Fate::Repeated => Some(Body::ByNumber { text }),
        }
    }
}

/// Whether it is a message, an edit or a restore with text.
fn is_text(rules: &Rules, entry: &Entry) -> bool {
    match (&entry.header.kind, slot(&entry.header)) {
        (Kind::Message, _) | (Kind::Act, Some("text")) => true,
        (Kind::Act, Some("deleted")) if rules.strict.is_some() => {
            let draft = entry.body.as_deref().and_then(Stored::never_erased).map(|stored| stored.draft);
            !matches!(draft, Some(r#"{"value":true}"# | r#"{"value":false}"#))
        }
        (Kind::Act, Some("deleted")) => matches!(read::act(entry), ActForm::Restored | ActForm::Absent),
        _ => false,
    }
}

fn slot(header: &Header) -> Option<&str> {
    header.slot.as_ref().map(|slot| slot.as_str())
}

/// The message whose text an accepted entry holds.
fn text_of(header: &Header) -> Option<Body> {
    let message = match header.kind {
        Kind::Message => Some(header.client_id),
        _ => header.target.as_ref().and_then(|target| target.as_str().parse().ok()),
    };
    message.map(Body::TextOf)
}

/// The setting that an accepted entry changes: kind, room, target and slot.
fn setting(header: &Header) -> String {
    let room = header.room.as_ref().map_or("-", |room| room.as_str());
    let target = header.target.as_ref().map_or("-", |target| target.as_str());
    format!("{} {room} {target} {}", header.kind.as_str(), slot(header).unwrap_or("-"))
}

impl Fold {
    /// Keeps how the body of an entry can be erased, if it can. `since` is the time at which it was replaced, or at which it
    /// came if nothing needs to replace it: a day later an `erase` may take it.
    pub(super) fn keep_erasable(
        &self,
        entry: &Entry,
        rules: &Rules,
        format: Format,
        fate: Fate,
    ) -> rusqlite::Result<()> {
        let header = &entry.header;
        let Some(body) = Body::of(rules, format, entry, fate) else { return Ok(()) };
        let (text, part_of, since) = match body {
            Body::TextOf(message) => (true, Value::Blob(message.as_bytes().to_vec()), None),
            Body::Setting(setting) => (false, Value::Text(setting), None),
            Body::ByNumber { text } => (text, Value::Null, Some(header.at)),
        };
        // An edit, and a setting, replace what came before. A restore does not: it has the text that stood.
        // Nothing stands before a message.
        if header.kind != Kind::Message && (header.kind != Kind::Act || slot(header) == Some("text")) {
            self.db
                .prepare_cached("UPDATE erasable SET since = ?2 WHERE part_of = ?1 AND since IS NULL")?
                .execute(params![part_of, header.at])?;
        }
        self.db
            .prepare_cached("INSERT INTO erasable(g, text, part_of, since) VALUES(?1, ?2, ?3, ?4)")?
            .execute(params![header.g as i64, text, part_of, since])?;
        Ok(())
    }
}
