//! What a room's log holds (events), what people see of it (rows) and how rows travel (pages).

use super::added::Added;
use super::entry::{Header, Kind, Slot, Token};
use super::ids::{AccountId, ClientId, RoomId};
use super::number::bounded;
use super::position::{Hash, Position};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One accepted entry of a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The room's count of events, from 1 without gaps.
    pub seq: u64,
    /// Over the room's headers up to and with this one.
    pub chain: Hash,
    /// 0 is the room's own lane; a thread's lane is the seq of the message that it answers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lane: u64,
    /// For a message: its place in its lane, from 1 without gaps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordinal: Option<u64>,
    /// For a message of the room's own lane that is an answer too: its place in the thread's lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also: Option<Place>,
    pub header: Header,
    /// `None` once erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<EventBody>,
    /// What a server made of the body; none in formats 1 to 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<Added>,
    /// From format 5 on: what stands before the body where it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// The stored bytes, where salt, body and added part do not give them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<String>,
    /// Of a restore without text: the seq of the event that wrote the text that stands again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
    /// Of an `erase`: the messages whose texts it removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erased: Vec<ClientId>,
    /// Of an imported message: its author. The header names the workspace.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub imported_for: Option<AccountId>,
}

/// Which event wrote the text of a row, and what a reader needs to compute its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub seq: u64,
    pub salt: String,
    /// What the event is; none: the message's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<ProofForm>,
}

/// What wrote a text that is not that of the message's own event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofForm {
    /// An act `text`.
    Text,
    /// A form of a later version: it cannot be checked here.
    #[serde(other)]
    Other,
}

fn is_false(on: &bool) -> bool {
    !on
}

pub(super) fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub lane: u64,
    pub ordinal: u64,
}

/// The erasable part of an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum EventBody {
    Message(MessageBody),
    Act(ActBody),
    /// Of a kind that this reader does not show.
    Other(Value),
}

/// A client reads each body as any JSON first: decoders of the structs from serde's buffer of an untagged enum would be
/// compiled for this alone.
impl<'de> Deserialize<'de> for EventBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let body = Value::deserialize(deserializer)?;
        let act = |body: &Value| Some(ActBody { value: ActValue::of(body.get("value")?)? });
        Ok(match (MessageBody::of(&body), act(&body)) {
            (Some(message), _) => EventBody::Message(message),
            (None, Some(act)) => EventBody::Act(act),
            (None, None) => EventBody::Other(body),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageBody {
    pub text: String,
    /// The message that this one answers with a quote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<ClientId>,
    /// When an imported message was written: milliseconds since 1970, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<i64>,
}

impl MessageBody {
    fn of(body: &Value) -> Option<MessageBody> {
        let text = body.get("text")?.as_str()?.to_owned();
        let quote = match body.get("quote") {
            None | Some(Value::Null) => None,
            Some(quote) => Some(quote.as_str()?.parse().ok()?),
        };
        let said = match body.get("said") {
            None | Some(Value::Null) => None,
            Some(said) => Some(said.as_i64()?),
        };
        Some(MessageBody { text, quote, said })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActBody {
    pub value: ActValue,
}

/// The whole new value of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ActValue {
    /// `deleted`, `pin`, `react:…`: on or off. `deleted: false` is written as [`ActValue::Restored`].
    On(bool),
    /// `text`: the new text.
    Text(String),
    /// `deleted`: taken back, with the text that stands again.
    Restored { restored: String },
}

impl ActValue {
    /// The value that this JSON is, as a client reads it.
    pub fn of(value: &Value) -> Option<ActValue> {
        match value {
            Value::Bool(on) => Some(ActValue::On(*on)),
            Value::String(text) => Some(ActValue::Text(text.clone())),
            value => Some(ActValue::Restored { restored: value.get("restored")?.as_str()?.to_owned() }),
        }
    }
}

/// What people see of one message: the last write of each slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub id: ClientId,
    pub author: AccountId,
    /// Milliseconds since 1970, UTC.
    pub at: i64,
    pub seq: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lane: u64,
    pub ordinal: u64,
    /// Where else it stands: an answer that was also written to the room is in both lanes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also: Option<Place>,
    /// The seq of the last event that wrote this row.
    pub version: u64,
    /// `None`: deleted or erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<ClientId>,
    /// What a server made of the text; none of a text of formats 1 to 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<Added>,
    /// How to check the text; none where it cannot be checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// The administrator imported it in the name of its author.
    #[serde(default, skip_serializing_if = "is_false")]
    pub imported: bool,
    /// When an imported message was written: milliseconds since 1970, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<i64>,
    /// When the text was last edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Tombstone>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<AccountId>,
    /// Who reacted, by emoji.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reactions: BTreeMap<String, BTreeSet<AccountId>>,
    /// The thread under it, if somebody answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
}

/// What is told of a thread where its root stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// All that were written, deleted ones too.
    pub count: u64,
    /// When the newest was written: milliseconds since 1970, UTC.
    pub at: i64,
    /// Who wrote last, newest first, [`ANSWERERS`] at most.
    pub by: Vec<AccountId>,
}

pub const ANSWERERS: usize = 3;

/// Who deleted a message, and when: the first deletion since it was written or last restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    pub by: AccountId,
    pub at: i64,
    /// Until when the reader may restore the message: milliseconds since 1970, UTC. None: not, or it is of an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

impl Event {
    /// Whose message it is, or who acted.
    pub fn author(&self) -> AccountId {
        self.imported_for.unwrap_or(self.header.author)
    }

    /// The bytes that the header's digest is of; `None` where they are not known: of formats 1 to 4, erased, of a deleted
    /// message, or of a restore with text.
    pub fn stored_bytes(&self) -> Option<String> {
        if let Some(stored) = &self.stored {
            return Some(stored.clone());
        }
        // A salt ends before the first brace: with one in it, these bytes would be another body to every other reader.
        let salt = self.salt.as_deref().filter(|salt| !salt.contains('{'))?;
        let draft = match &self.body {
            // The text that stands again is no part of a restore.
            _ if self.restores_message() => r#"{"value":false}"#.to_owned(),
            Some(body) => serde_json::to_string(body).ok()?,
            None => "null".to_owned(),
        };
        match &self.added {
            Some(added) if !self.restores_message() => {
                Some(format!("{salt}{draft}\n{}", serde_json::to_string(added).ok()?))
            }
            _ => Some(format!("{salt}{draft}")),
        }
    }

    /// It takes a deletion back.
    pub fn restores_message(&self) -> bool {
        let deleted = self.header.slot.as_ref().is_some_and(|slot| slot.as_str() == "deleted");
        let deletes = matches!(&self.body, Some(EventBody::Act(ActBody { value: ActValue::On(true) })));
        self.header.kind == Kind::Act && deleted && !deletes
    }

    /// How the text that it wrote can be checked; none of an event that wrote no text.
    pub fn proof(&self) -> Option<Proof> {
        let form = match (&self.header.kind, self.header.slot.as_ref().map(Token::as_str)) {
            (Kind::Message, _) => None,
            (Kind::Act, Some("text")) => Some(ProofForm::Text),
            _ => return None,
        };
        let salt = self.salt.clone().filter(|_| self.stored.is_none() && self.body.is_some())?;
        Some(Proof { seq: self.seq, salt, form })
    }

    /// The place of a message in a thread; `None` if it answers nothing.
    pub fn answers(&self) -> Option<Place> {
        match (self.lane, self.ordinal) {
            (0, _) => self.also,
            (lane, ordinal) => ordinal.map(|ordinal| Place { lane, ordinal }),
        }
    }
}

/// No time is shown from here on: milliseconds since 1970.
const YEAR_10000: i64 = 253_402_300_800_000;

impl Row {
    /// The row that a message event makes; `None` for an event of another kind.
    pub fn of(event: &Event) -> Option<Row> {
        let ordinal = event.ordinal?;
        let (text, quote, said) = match &event.body {
            Some(EventBody::Message(body)) => (Some(body.text.clone()), body.quote, body.said),
            _ => (None, None, None),
        };
        Some(Row {
            id: event.header.client_id,
            author: event.author(),
            at: event.header.at,
            seq: event.seq,
            lane: event.lane,
            ordinal,
            also: event.also,
            version: event.seq,
            text,
            quote,
            added: event.added.clone(),
            proof: event.proof(),
            imported: event.imported_for.is_some(),
            said,
            edited: None,
            deleted: None,
            pinned: None,
            reactions: BTreeMap::new(),
            answers: None,
        })
    }

    /// When its author wrote it, as far as that is known: milliseconds since 1970, UTC.
    pub fn written(&self) -> i64 {
        let said = self.said.filter(|said| self.imported && (0..YEAR_10000).contains(said));
        said.unwrap_or(self.at)
    }

    /// Its place in a thread; `None` if it answers nothing.
    pub fn answers_in(&self) -> Option<Place> {
        let own = Place { lane: self.lane, ordinal: self.ordinal };
        if self.lane == 0 { self.also } else { Some(own) }
    }

    /// The row with its place in this lane; `None` if it does not stand there.
    pub fn seen_from(mut self, lane: u64) -> Option<Row> {
        if self.lane != lane {
            let place = self.also.filter(|also| also.lane == lane)?;
            self.also = Some(Place { lane: self.lane, ordinal: self.ordinal });
            (self.lane, self.ordinal) = (place.lane, place.ordinal);
        }
        Some(self)
    }

    /// Counts an answer in the thread under this row, if it is newer than the row.
    pub fn answered(&mut self, answer: &Event) {
        let Some(place) = answer.answers().filter(|place| place.lane == self.seq) else { return };
        if answer.seq <= self.version {
            return;
        }
        self.version = answer.seq;
        let mut by = self.answers.take().map(|before| before.by).unwrap_or_default();
        by.retain(|known| *known != answer.author());
        by.insert(0, answer.author());
        by.truncate(ANSWERERS);
        self.answers = Some(Answers { count: place.ordinal, at: answer.header.at, by });
    }

    /// Writes the slot that an act names, if the act is newer than the row. Acts must come in the order of seq.
    ///
    /// A body that is erased, or of a form that the slot does not have, moves the version only. Quote and `said` are those
    /// of the newest edit that has an added part.
    pub fn write(&mut self, event: &Event) {
        if event.seq <= self.version {
            return;
        }
        self.version = event.seq;
        let Some(slot) = event.header.slot.as_ref().and_then(|slot| Slot::parse(slot.as_str())) else {
            return;
        };
        let value = match &event.body {
            Some(EventBody::Act(body)) => Some(&body.value),
            _ => None,
        };
        let writes_text = matches!(slot, Slot::Text) && self.deleted.is_none();
        // A message has its own in its draft, and no deletion takes them from here.
        let of_edit = writes_text || event.restores.is_some_and(|writer| writer != self.seq);
        if let Some(added) = event.added.as_ref().filter(|_| of_edit) {
            (self.quote, self.said) = (added.quote, added.said);
        }
        self.set(slot, value, event.header.author, event.header.at);
        if self.text.is_some() && (writes_text || event.restores_message()) {
            self.added = event.added.clone();
            // None of a restore: it does not have the salt of the text that stands again.
            self.proof = event.proof();
        }
    }

    /// Another text, of which nothing else is known.
    fn put_text(&mut self, text: Option<String>) {
        (self.text, self.added, self.proof) = (text, None, None);
    }

    /// Gives a slot its value. One of a form that the slot does not have changes nothing.
    pub fn set(&mut self, slot: Slot, value: Option<&ActValue>, by: AccountId, at: i64) {
        match (slot, value) {
            // The text of an act can be erased only with the whole message: it was deleted then.
            (Slot::Text, value) if self.deleted.is_none() => {
                self.edited = Some(at);
                self.put_text(match value {
                    Some(ActValue::Text(text)) => Some(text.clone()),
                    _ => None,
                });
            }
            (Slot::Deleted, Some(ActValue::On(true))) => {
                self.put_text(None);
                self.deleted.get_or_insert(Tombstone { by, at, until: None });
            }
            (Slot::Deleted, Some(ActValue::Restored { restored })) => {
                self.put_text(Some(restored.clone()));
                self.deleted = None;
            }
            // Erased: the restored text went with a later deletion.
            (Slot::Deleted, None) => {
                self.put_text(None);
                self.deleted = None;
            }
            (Slot::Pin, Some(ActValue::On(on))) => {
                self.pinned = on.then_some(by);
            }
            (Slot::React { emoji, account }, Some(ActValue::On(on))) => {
                if *on {
                    self.reactions.entry(emoji).or_default().insert(account);
                } else if let Some(accounts) = self.reactions.get_mut(&emoji) {
                    accounts.remove(&account);
                    if accounts.is_empty() {
                        self.reactions.remove(&emoji);
                    }
                }
            }
            _ => {}
        }
    }
}

/// A message that a row quotes, as short as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    pub author: AccountId,
    pub lane: u64,
    pub ordinal: u64,
    /// The first line, 140 characters at most; `None`: deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Which rows of a lane a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageAt {
    /// The newest rows.
    Newest,
    /// The rows just before an ordinal.
    Before(#[serde(deserialize_with = "bounded")] u64),
    /// The rows just after an ordinal.
    After(#[serde(deserialize_with = "bounded")] u64),
    /// Half before, the row itself, half after.
    Around(#[serde(deserialize_with = "bounded")] u64),
}

/// Rows of one lane with the position they are as of. Never made by folding a slice of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    pub room: RoomId,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lane: u64,
    pub as_of: Position,
    /// The lane's newest ordinal as of the position; 0 when it is empty.
    pub head: u64,
    /// By ordinal, without gaps.
    pub rows: Vec<Arc<Row>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quotes: BTreeMap<ClientId, Quote>,
}
