//! How the interpreter reads a log: what earlier formats decide, the rise to format 5, duplicates, and the places of
//! what is accepted.

use super::super::bodies::{ActBody, ActValue, RoomKind, WorkspaceBody, json, parse};
use super::super::interpreter::{Decided, Placed};
use super::bytes::Bytes;
use super::forms::{Asked, is_flag, is_never_erased};
use super::interpreter::{Place, STOPS};
use super::lists::{Deletion, First, Interpreter, Message, Past, Room, header_words};
use beck::protocol::{AccountId, Header};

/// The fold cannot go on with this entry.
#[derive(Debug, PartialEq)]
pub struct Stopped;

impl Interpreter {
    pub fn read(&mut self, header: &Header, body: Option<&str>) -> Result<Decided, Stopped> {
        self.named.clear();
        if self.past.is_empty() {
            self.begin(header, body)?;
        }
        let format = self.format;
        let repeats = self.past.iter().any(|past| past.header.client_id == header.client_id);
        let decided =
            if format < 5 { self.read_earlier(header, body)? } else { self.read_five(header, body)? };
        let (kind, slot) = (header.kind.as_str(), header.slot.as_ref().map_or("", |slot| slot.as_str()));
        let deleted = (kind, slot) == ("act", "deleted");
        let with_text = deleted && restores(format, body) && !is_flag(body, false);
        let past = Past {
            header: header.clone(),
            at: header.at,
            format,
            refused: decided.outcome.as_ref().err().cloned(),
            repeats,
            erasable: if deleted { with_text } else { !is_never_erased(kind, slot) },
            holds_text: with_text || kind == "message" || (kind, slot) == ("act", "text"),
        };
        if past.holds_text && decided.event.is_some() {
            let id = if kind == "message" { header.client_id } else { slot_target(header) };
            self.message_mut(id).texts.push(header.g);
        }
        self.past.push(past);
        if format < 5 && self.format >= 5 {
            self.rise()?;
        }
        Ok(decided)
    }

    /// The first entry says the format, and the workspace's id is the operator's.
    fn begin(&mut self, header: &Header, body: Option<&str>) -> Result<(), Stopped> {
        let first: WorkspaceBody =
            parse(json(body)).filter(|_| header.kind.as_str() == "workspace").ok_or(Stopped)?;
        self.format = first.format;
        let id = serde_json::from_str::<serde_json::Value>(json(body).unwrap()).unwrap()["id"].clone();
        self.operator = id.as_str().and_then(|id| id.parse().ok());
        if first.format >= 5 {
            let exact = Bytes::salted(body).and_then(|mut bytes| bytes.workspace());
            let exact = exact.filter(|(id, format)| *id == header.author.to_string() && *format == 5);
            let words = header_words(header);
            return exact.filter(|_| words[1..] == [None, None, None]).map(|_| ()).ok_or(Stopped);
        }
        Ok(())
    }

    fn read_earlier(&mut self, header: &Header, body: Option<&str>) -> Result<Decided, Stopped> {
        let known = self.earlier.firsts.iter().any(|first| first.id == header.client_id);
        let format: Option<u32> = parse(json(body)).filter(|_| header.kind.as_str() == "format" && !known);
        if format.is_some_and(|format| format > 5) {
            return Err(Stopped);
        }
        let decided = self.earlier.read(header, body);
        self.format = self.earlier.format;
        let (by, at, format) = (header.author, header.at, self.format);
        if let Some(placed) = decided.event.as_ref() {
            match (header.kind.as_str(), header.slot.as_ref().map_or("", |slot| slot.as_str())) {
                ("message", _) => self.add_message(header, by, placed),
                ("act", "deleted") if restores(format, body) => {
                    self.message_mut(slot_target(header)).deletions.clear();
                }
                ("act", "deleted") => {
                    self.message_mut(slot_target(header)).deletions.push(Deletion { by, at, format });
                }
                ("act", slot) if slot.starts_with("react:") => {
                    let (emoji, who) = slot["react:".len()..].rsplit_once(':').unwrap();
                    let on = matches!(parse(json(body)), Some(ActBody { value: ActValue::On(true) }));
                    self.message_mut(slot_target(header)).react(emoji, who.parse().unwrap(), on);
                }
                _ => {}
            }
        }
        Ok(decided)
    }

    /// What formats 1 to 4 decided goes over.
    fn rise(&mut self) -> Result<(), Stopped> {
        self.accounts = self.earlier.accounts.clone();
        if self.accounts.iter().any(|account| self.is_operator(account.id)) {
            return Err(Stopped);
        }
        for room in &self.earlier.rooms {
            let mut risen = Room::new(room.id, room.name.to_lowercase(), room.maker, room.members.clone());
            (risen.open, risen.archived) = (room.kind == RoomKind::Open, room.archived);
            (risen.seq, risen.places) = (room.seq, room.places.clone());
            self.rooms.push(risen);
        }
        for first in &self.earlier.firsts {
            let entry = self.past.iter().find(|past| past.header.client_id == first.id);
            let entry = entry.filter(|_| first.outcome != Err("void".into()));
            let words = entry.map(|entry| header_words(&entry.header));
            let (id, author, outcome) = (first.id, first.author, first.outcome.clone());
            self.firsts.push(First { id, author, outcome, words });
        }
        Ok(())
    }

    fn read_five(&mut self, header: &Header, body: Option<&str>) -> Result<Decided, Stopped> {
        let (kind, slot) = (header.kind.as_str(), header.slot.as_ref().map_or("", |slot| slot.as_str()));
        if body.is_none() && is_never_erased(kind, slot) {
            return Err(Stopped);
        }
        let (id, author, words) = (header.client_id, header.author, header_words(header));
        if let Some(first) = self.firsts.iter().find(|first| first.id == id) {
            let same = first.author == author && first.words.as_ref().is_none_or(|first| *first == words);
            let outcome = if same { first.outcome.clone() } else { Err("other_draft".to_owned()) };
            return Ok(Decided { outcome, event: None });
        }
        let place = if header.g == 1 {
            Ok(None)
        } else {
            Asked::of(header, body).ok_or("malformed").and_then(|asked| self.decide(header, asked))
        };
        if place == Err(STOPS) {
            return Err(Stopped);
        }
        let event = place.ok().flatten().map(|place| self.place(header, Some(place)));
        let numbers = event.as_ref().map(|event| (Some(event.seq), event.ordinal)).unwrap_or_default();
        let outcome = place.map(|_| (header.g, numbers.0, numbers.1)).map_err(str::to_owned);
        self.firsts.push(First { id, author, outcome: outcome.clone(), words: Some(words) });
        Ok(Decided { outcome, event })
    }

    /// Gives an accepted entry the next seq of its room, and a message the next ordinal of each of its lanes.
    fn place(&mut self, header: &Header, place: Place) -> Placed {
        let (id, lane, also) = place.unwrap();
        let is_message = header.kind.as_str() == "message";
        let room = self.room_mut(id);
        room.seq += 1;
        let seq = room.seq;
        let ordinal = is_message.then(|| room.next_ordinal(lane));
        let also = (also != 0).then(|| (also, room.next_ordinal(also)));
        let placed = Placed { room: id, seq, lane, ordinal, also };
        if is_message {
            let writer = header.slot.as_ref().and_then(|slot| slot.as_str().rsplit_once("for:"));
            let writer = writer.and_then(|(_, writer)| writer.parse().ok()).unwrap_or(header.author);
            self.add_message(header, writer, &placed);
        }
        placed
    }

    fn add_message(&mut self, header: &Header, author: AccountId, placed: &Placed) {
        self.messages.push(Message {
            id: header.client_id,
            room: placed.room,
            author,
            seq: placed.seq,
            lane: placed.lane,
            also: placed.also.map_or(0, |(lane, _)| lane),
            deletions: Vec::new(),
            erased: false,
            texts: Vec::new(),
            reactions: Vec::new(),
        });
    }
}

/// Whether the body of an act `deleted` restores, by the format that decides it.
fn restores(format: u32, body: Option<&str>) -> bool {
    if format >= 5 {
        return !is_flag(body, true);
    }
    let value = json(body).map(|json| parse::<ActBody>(Some(json)).map(|body| body.value));
    matches!(value, None | Some(Some(ActValue::Restored { .. })))
}

fn slot_target(header: &Header) -> beck::protocol::ClientId {
    header.target.as_ref().unwrap().as_str().parse().unwrap()
}
