//! Texts that a client checks against the log, and those that it lets go: a log of format 5 written by hand, whose
//! digests are computed here.

mod checks;
mod gone;
mod named;
mod restores;

use crate::support::{boot, welcome};
use beck::client::{Effect, Input, Session};
use beck::protocol::frame::{Person, Role};
use beck::protocol::{
    AccountId, ActBody, ActValue, Added, ClientFrame, ClientId, Digest, Event, EventBody, Hash, Header, Kind,
    MessageBody, Page, Position, Proof, ProofForm, RoomId, Row, ServerFrame, Tombstone, WorkspaceId,
};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// By docs/protocol.md, "Bodies": the first 16 bytes of the SHA-256 of the stored bytes.
fn digest(stored: &str) -> Digest {
    let hex: String = Sha256::digest(stored).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    hex.parse().unwrap()
}

/// 32 hex characters of salt, another one for each number.
fn salt(n: u64) -> String {
    format!("{n:032x}")
}

/// What an event is, besides its place.
struct Says {
    by: AccountId,
    id: ClientId,
    kind: &'static str,
    about: Option<(ClientId, &'static str)>,
    /// The bytes that the log has.
    stored: String,
    salt: Option<String>,
    body: Option<EventBody>,
    added: Option<Added>,
}

struct Log {
    epoch: WorkspaceId,
    room: RoomId,
    me: AccountId,
    bo: AccountId,
    events: Vec<Arc<Event>>,
    rows: Vec<Arc<Row>>,
}

impl Log {
    fn new() -> Log {
        let (me, bo) = (AccountId::random(), AccountId::random());
        Log {
            epoch: WorkspaceId::random(),
            room: RoomId::random(),
            me,
            bo,
            events: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn position(&self) -> Position {
        let chain = self.events.last().map_or(Hash::ZERO, |event| event.chain);
        Position { epoch: self.epoch, seq: self.events.len() as u64, chain }
    }

    fn push(&mut self, says: Says) -> Arc<Event> {
        let before = self.position();
        let seq = before.seq + 1;
        let (target, slot) = says.about.map_or((None, None), |(target, slot)| {
            let slot = (!slot.is_empty()).then(|| slot.parse().unwrap());
            (Some(target.to_string().parse().unwrap()), slot)
        });
        let kind: Kind = says.kind.parse().unwrap();
        let header = Header {
            g: seq + 10,
            at: 1_000 + seq as i64,
            author: says.by,
            client_id: says.id,
            room: Some(self.room),
            kind: kind.clone(),
            target,
            slot,
            digest: digest(&says.stored),
        };
        let event = Arc::new(Event {
            seq,
            chain: before.chain.then(&header),
            lane: 0,
            ordinal: (kind == Kind::Message).then_some(self.rows.len() as u64 + 1),
            also: None,
            header,
            body: says.body,
            added: says.added,
            salt: says.salt,
            stored: None,
            restores: None,
            erased: Vec::new(),
            imported_for: None,
        });
        self.events.push(event.clone());
        event
    }

    /// A message of Bo's in format 5, and its row as a page has it.
    fn message(&mut self, text: &str, added: Added) -> ClientId {
        let (id, n) = (ClientId::random(), self.events.len() as u64 + 1);
        let json = serde_json::to_string(text).unwrap();
        let body = MessageBody { text: text.into(), quote: None, said: None };
        let event = self.push(Says {
            by: self.bo,
            id,
            kind: "message",
            about: None,
            stored: format!("{}{{\"text\":{json}}}\n{}", salt(n), added_bytes(&added)),
            salt: Some(salt(n)),
            body: Some(EventBody::Message(body)),
            added: Some(added.clone()),
        });
        let proof = Proof { seq: event.seq, salt: salt(n), form: None };
        self.rows.push(Arc::new(Row {
            id,
            author: self.bo,
            at: event.header.at,
            seq: event.seq,
            lane: 0,
            ordinal: event.ordinal.unwrap(),
            also: None,
            version: event.seq,
            text: Some(text.into()),
            quote: None,
            added: Some(added),
            proof: Some(proof),
            imported: false,
            said: None,
            edited: None,
            deleted: None,
            pinned: None,
            reactions: BTreeMap::new(),
            answers: None,
        }));
        id
    }

    fn row(&mut self, id: ClientId) -> &mut Row {
        Arc::make_mut(self.rows.iter_mut().find(|row| row.id == id).unwrap())
    }

    /// An edit, and what it makes of the row.
    fn edit(&mut self, id: ClientId, text: &str, added: Added) -> Arc<Event> {
        let n = self.events.len() as u64 + 1;
        let json = serde_json::to_string(text).unwrap();
        let event = self.push(Says {
            by: self.bo,
            id: ClientId::random(),
            kind: "act",
            about: Some((id, "text")),
            stored: format!("{}{{\"value\":{json}}}\n{}", salt(n), added_bytes(&added)),
            salt: Some(salt(n)),
            body: Some(EventBody::Act(ActBody { value: ActValue::Text(text.into()) })),
            added: Some(added.clone()),
        });
        let proof = Proof { seq: event.seq, salt: salt(n), form: Some(ProofForm::Text) };
        let row = self.row(id);
        (row.text, row.added, row.proof) = (Some(text.into()), Some(added), Some(proof));
        (row.edited, row.version) = (Some(event.header.at), event.seq);
        event
    }

    fn act_deleted(&mut self, by: AccountId, id: ClientId, on: bool, body: Option<ActValue>) -> Arc<Event> {
        let salt = salt(self.events.len() as u64 + 1)[16..].to_owned();
        self.push(Says {
            by,
            id: ClientId::random(),
            kind: "act",
            about: Some((id, "deleted")),
            stored: format!("{salt}{{\"value\":{on}}}"),
            salt: Some(salt),
            body: body.map(|value| EventBody::Act(ActBody { value })),
            added: None,
        })
    }

    /// A message that the operator writes for Bo.
    fn import(&mut self, text: &str) {
        let id = self.message(text, Added::default());
        let mut event = self.events.pop().unwrap();
        let before = self.position();
        let newest = Arc::make_mut(&mut event);
        newest.header.author = self.epoch.to_string().parse().unwrap();
        newest.header.slot = Some(format!("for:{}", self.bo).parse().unwrap());
        newest.imported_for = Some(self.bo);
        newest.chain = before.chain.then(&newest.header);
        self.events.push(event);
        self.row(id).imported = true;
    }

    /// The newest event with another salt before the same body.
    fn salt_of_newest(&mut self, salt: &str) {
        let mut event = self.events.pop().unwrap();
        let before = self.position();
        let newest = Arc::make_mut(&mut event);
        newest.header.digest = digest(&format!("{salt}{{\"value\":true}}"));
        newest.salt = Some(salt.to_owned());
        newest.chain = before.chain.then(&newest.header);
        self.events.push(event);
    }

    fn delete(&mut self, by: AccountId, id: ClientId) -> Arc<Event> {
        let event = self.act_deleted(by, id, true, Some(ActValue::On(true)));
        let row = self.row(id);
        (row.text, row.added, row.proof) = (None, None, None);
        row.deleted = Some(Tombstone { by, at: event.header.at, until: None });
        row.version = event.seq;
        event
    }

    /// An `erase` of one list, and what it took.
    fn erase(&mut self, list: &str, ids: &[ClientId]) -> Arc<Event> {
        let salt = salt(self.events.len() as u64 + 1)[16..].to_owned();
        let named: Vec<_> = ids.iter().map(|id| format!("\"{id}\"")).collect();
        let json = format!(r#"{{"{list}":[{}],"reason":"deleted"}}"#, named.join(","));
        let by = self.epoch.to_string().parse().unwrap();
        self.push(Says {
            by,
            id: ClientId::random(),
            kind: "erase",
            about: None,
            stored: format!("{salt}{json}"),
            salt: Some(salt),
            body: Some(EventBody::Other(serde_json::from_str(&json).unwrap())),
            added: None,
        });
        let event = self.events.last_mut().unwrap();
        Arc::make_mut(event).erased = ids.to_vec();
        event.clone()
    }

    fn page(&self) -> Page {
        let head = self.rows.len() as u64;
        let (room, as_of, rows) = (self.room, self.position(), self.rows.clone());
        Page { room, lane: 0, as_of, head, rows, quotes: BTreeMap::new() }
    }

    /// A client that begins with all of this.
    fn client(&self, format: u32) -> Client {
        let mut start = boot(self.me, self.room, Some(self.page()));
        start.people.push(Person { id: self.bo, name: "Bo".into(), handle: "bo".into(), role: Role::Member });
        let session = Session::from_boot(&start).unwrap();
        let mut client = Client { session, room: self.room, now: 2_000 };
        client.give(Input::Opened);
        let (me, rooms) = (client.session.me.clone(), client.session.rooms.clone());
        let mut frame = welcome(self.epoch, me, rooms);
        if let ServerFrame::Welcome { format: said, .. } = &mut frame {
            *said = format;
        }
        client.give(Input::Frame(frame));
        client
    }
}

/// By "Bodies": what is absent or default is left out.
fn added_bytes(added: &Added) -> String {
    let people: Vec<_> = added.mentions.iter().map(|(handle, id)| format!("\"{handle}\":\"{id}\"")).collect();
    let mut parts = Vec::new();
    if !people.is_empty() {
        parts.push(format!("\"mentions\":{{{}}}", people.join(",")));
    }
    if added.all {
        parts.push("\"all\":true".to_owned());
    }
    parts.extend(added.quote.map(|id| format!("\"quote\":\"{id}\"")));
    parts.extend(added.said.map(|at| format!("\"said\":{at}")));
    format!("{{{}}}", parts.join(","))
}

fn naming(people: &[(&str, AccountId)]) -> Added {
    let mentions = people.iter().map(|(handle, id)| ((*handle).to_owned(), *id)).collect();
    Added { mentions, all: false, ..Added::default() }
}

struct Client {
    session: Session,
    room: RoomId,
    now: i64,
}

impl Client {
    fn give(&mut self, input: Input) -> Vec<Effect> {
        self.session.handle(input, self.now)
    }

    fn event(&mut self, event: &Arc<Event>) -> Vec<Effect> {
        let (room, event) = (self.room, event.clone());
        self.give(Input::Frame(ServerFrame::Event { room, event }))
    }

    fn row(&self, id: ClientId) -> Arc<Row> {
        self.session.timelines[&self.room].row(id).unwrap().clone()
    }
}

fn sent(effects: &[Effect]) -> Vec<&ClientFrame> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Send(frame) = effect { Some(frame) } else { None })
        .collect()
}
