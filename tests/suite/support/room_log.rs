//! A room's log as a server would hold it, and a naive reader of it: what timelines are held against.

use beck::protocol::{
    AccountId, ActBody, ActValue, ClientId, Digest, Event, EventBody, Hash, Header, Kind, MessageBody, Page,
    Position, RoomId, Row, WorkspaceId,
};
use rand::Rng;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The oracle: reads a room's events from the first on, one field at a time. It shares no code with the fold.
pub mod naive {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    pub struct Line {
        pub id: ClientId,
        pub ordinal: u64,
        pub seq: u64,
        pub last: u64,
        pub text: Option<String>,
        pub edited: bool,
        pub deleted: bool,
        pub pinned: bool,
        pub reactions: BTreeSet<String>,
    }

    pub fn lines(events: &[Arc<Event>]) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for event in events {
            let said = match &event.body {
                Some(EventBody::Message(m)) => Some(m.text.clone()),
                _ => None,
            };
            if event.header.kind == Kind::Message {
                lines.push(Line {
                    id: event.header.client_id,
                    ordinal: lines.len() as u64 + 1,
                    seq: event.seq,
                    last: event.seq,
                    text: said,
                    edited: false,
                    deleted: false,
                    pinned: false,
                    reactions: BTreeSet::new(),
                });
                continue;
            }
            let Some(target) = &event.header.target else { continue };
            let Some(line) = lines.iter_mut().find(|line| line.id.to_string() == target.as_str()) else {
                continue;
            };
            line.last = event.seq;
            let Some(EventBody::Act(act)) = &event.body else { continue };
            let slot = event.header.slot.as_ref().unwrap().as_str();
            match (slot, &act.value) {
                ("text", ActValue::Text(text)) => {
                    line.text = Some(text.clone());
                    line.edited = true;
                }
                ("deleted", ActValue::On(_)) => {
                    line.deleted = true;
                    line.text = None;
                }
                ("deleted", ActValue::Restored { restored }) => {
                    line.deleted = false;
                    line.text = Some(restored.clone());
                }
                ("pin", ActValue::On(on)) => line.pinned = *on,
                (react, ActValue::On(true)) => drop(line.reactions.insert(react.to_owned())),
                (react, _) => drop(line.reactions.remove(react)),
            }
        }
        lines
    }
}

/// A row in the oracle's terms.
pub fn line_of(row: &Row) -> naive::Line {
    naive::Line {
        id: row.id,
        ordinal: row.ordinal,
        seq: row.seq,
        last: row.version,
        text: row.text.clone(),
        edited: row.edited.is_some(),
        deleted: row.deleted.is_some(),
        pinned: row.pinned.is_some(),
        reactions: reactions_of(row),
    }
}

/// Reactions as the slots that hold them.
pub fn reactions_of(row: &Row) -> BTreeSet<String> {
    let by_emoji = row.reactions.iter();
    by_emoji.flat_map(|(emoji, who)| who.iter().map(move |who| format!("react:{emoji}:{who}"))).collect()
}

/// A row for a page, built from the oracle's line.
fn row_of(line: &naive::Line, events: &[Arc<Event>]) -> Row {
    let message = &events[line.seq as usize - 1].header;
    let mut reactions: BTreeMap<String, BTreeSet<AccountId>> = BTreeMap::new();
    for react in &line.reactions {
        let (emoji, who) = react.strip_prefix("react:").unwrap().rsplit_once(':').unwrap();
        reactions.entry(emoji.into()).or_default().insert(who.parse().unwrap());
    }
    let by = message.author;
    Row {
        id: line.id,
        author: by,
        at: message.at,
        seq: line.seq,
        lane: 0,
        ordinal: line.ordinal,
        also: None,
        version: line.last,
        text: line.text.clone(),
        quote: None,
        added: None,
        proof: None,
        imported: false,
        said: None,
        edited: line.edited.then_some(1),
        deleted: line.deleted.then_some(beck::protocol::Tombstone { by, at: 1, until: None }),
        pinned: line.pinned.then_some(by),
        reactions,
        answers: None,
    }
}

/// A room's log as a server would hold it.
pub struct Log {
    pub epoch: WorkspaceId,
    pub room: RoomId,
    pub people: [AccountId; 3],
    pub events: Vec<Arc<Event>>,
}

impl Log {
    /// Nothing was said yet.
    pub fn new(people: [AccountId; 3]) -> Log {
        Log { epoch: WorkspaceId::random(), room: RoomId::random(), people, events: Vec::new() }
    }

    pub fn position(&self, seq: usize) -> Position {
        let chain = if seq == 0 { Hash::ZERO } else { self.events[seq - 1].chain };
        Position { epoch: self.epoch, seq: seq as u64, chain }
    }

    pub fn push(
        &mut self,
        by: AccountId,
        kind: Kind,
        id: ClientId,
        about: Option<(ClientId, String)>,
        body: Option<EventBody>,
    ) {
        let messages = self.events.iter().filter(|event| event.header.kind == Kind::Message).count() as u64;
        let before = self.position(self.events.len());
        let (target, slot) = about.map_or((None, None), |(target, slot)| {
            (Some(target.to_string().parse().unwrap()), Some(slot.parse().unwrap()))
        });
        let header = Header {
            g: 7 + 3 * (before.seq + 1),
            at: 1_000_000 + before.seq as i64,
            author: by,
            client_id: id,
            room: Some(self.room),
            kind: kind.clone(),
            target,
            slot,
            digest: Digest([7; 16]),
        };
        let chain = before.chain.then(&header);
        let ordinal = (kind == Kind::Message).then_some(messages + 1);
        let seq = before.seq + 1;
        self.events.push(Arc::new(Event {
            seq,
            chain,
            lane: 0,
            ordinal,
            also: None,
            header,
            body,
            added: None,
            salt: None,
            stored: None,
            restores: None,
            erased: Vec::new(),
            imported_for: None,
        }));
    }

    pub fn push_random(&mut self, dice: &mut StdRng, id: ClientId, text: &str) {
        let by = self.people[dice.random_range(0..3)];
        let lines = naive::lines(&self.events);
        if lines.is_empty() || dice.random_bool(0.5) {
            let body = MessageBody { text: text.into(), quote: None, said: None };
            return self.push(by, Kind::Message, id, None, Some(EventBody::Message(body)));
        }
        if dice.random_bool(0.05) {
            return self.push(by, Kind::Join, id, None, None);
        }
        let line = &lines[dice.random_range(0..lines.len())];
        let (slot, value) = match dice.random_range(0..5) {
            _ if line.deleted => ("deleted".to_owned(), ActValue::Restored { restored: text.into() }),
            0 => ("text".to_owned(), ActValue::Text(text.into())),
            1 => ("deleted".to_owned(), ActValue::On(true)),
            2 => ("pin".to_owned(), ActValue::On(dice.random())),
            _ => (format!("react:🌊:{by}"), ActValue::On(dice.random())),
        };
        self.push(by, Kind::Act, id, Some((line.id, slot)), Some(EventBody::Act(ActBody { value })));
    }

    /// The page that a server would give: rows `from..=to` as of the first `seq` events.
    pub fn page(&self, seq: usize, from: u64, to: u64) -> Page {
        let events = &self.events[..seq];
        let lines = naive::lines(events);
        let rows = lines.iter().filter(|line| (from..=to).contains(&line.ordinal));
        Page {
            room: self.room,
            lane: 0,
            as_of: self.position(seq),
            head: lines.len() as u64,
            rows: rows.map(|line| Arc::new(row_of(line, events))).collect(),
            quotes: BTreeMap::new(),
        }
    }
}

/// How often each kind of step was taken.
#[derive(Debug, Default)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    pub fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    /// A kind that no step was of is a fault of the test.
    pub fn assert_all(&self, kinds: &[&str]) {
        for kind in kinds {
            assert!(self.0.get(kind).is_some_and(|count| *count > 0), "no step was: {kind} ({:?})", self.0);
        }
    }
}

/// The event after a position that puts a message into a place of a room.
pub fn message(
    before: &Position,
    room: RoomId,
    by: AccountId,
    (lane, ordinal): (u64, u64),
    text: &str,
) -> Event {
    let header = Header {
        g: 7 + 3 * (before.seq + 1),
        at: 1_000_000 + before.seq as i64,
        author: by,
        client_id: ClientId::random(),
        room: Some(room),
        kind: Kind::Message,
        target: None,
        slot: None,
        digest: Digest([7; 16]),
    };
    let chain = before.chain.then(&header);
    let body = Some(EventBody::Message(MessageBody { text: text.into(), quote: None, said: None }));
    Event {
        seq: before.seq + 1,
        chain,
        lane,
        ordinal: Some(ordinal),
        also: None,
        header,
        body,
        added: None,
        salt: None,
        stored: None,
        restores: None,
        erased: Vec::new(),
        imported_for: None,
    }
}
