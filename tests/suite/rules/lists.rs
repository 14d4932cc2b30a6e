//! What the interpreter knows of the entries that it has read: plain lists, and searches through them.

use super::bodies::{RoomKind, json};
use beck::protocol::{AccountId, ClientId, Header, RoomId};

/// (g, seq, ordinal) of an entry that was stored, or why it was refused.
pub type Outcome = Result<(u64, Option<u64>, Option<u64>), String>;

#[derive(Clone)]
pub struct Account {
    pub id: AccountId,
    pub handle: String,
    pub owner: bool,
}

#[derive(Clone)]
pub struct Room {
    pub id: RoomId,
    pub kind: RoomKind,
    pub name: String,
    pub archived: bool,
    pub maker: AccountId,
    pub members: Vec<AccountId>,
    pub seq: u64,
    /// (lane, ordinal) of every message; two of them for a message that stands in two lanes.
    pub places: Vec<(u64, u64)>,
}

#[derive(Clone)]
pub struct Message {
    pub id: ClientId,
    pub room: RoomId,
    pub author: AccountId,
    pub seq: u64,
    pub lane: u64,
    /// The thread in which a message of lane 0 stands too; 0 is none.
    pub also: u64,
    pub deleted: bool,
}

/// The first entry with a `client_id`, or the void that came before it.
pub struct First {
    pub id: ClientId,
    pub author: AccountId,
    pub outcome: Outcome,
    /// None if the entry has no salt (an erased body has none): then every other draft counts as the same.
    pub draft: Option<Draft>,
}

/// Kind, room, target, slot and JSON: two entries with one `client_id` are the same draft if these are equal.
pub type Draft = [String; 5];

/// An entry, with its words as the rules ask for them.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub header: &'a Header,
    pub author: AccountId,
    pub target: Option<&'a str>,
    pub slot: Option<&'a str>,
    /// The stored bytes, salt included.
    pub body: Option<&'a str>,
    pub json: Option<&'a str>,
}

impl<'a> Asked<'a> {
    pub fn of(header: &'a Header, body: Option<&'a str>) -> Asked<'a> {
        let target = header.target.as_ref().map(|target| target.as_str());
        let slot = header.slot.as_ref().map(|slot| slot.as_str());
        Asked { header, author: header.author, target, slot, body, json: json(body) }
    }

    pub fn draft(&self) -> Draft {
        let room = self.header.room.as_ref().map(RoomId::as_str);
        let words = [Some(self.header.kind.as_str()), room, self.target, self.slot, self.json];
        words.map(|word| word.unwrap_or("").to_owned())
    }
}

#[derive(Default)]
pub struct Interpreter {
    pub format: u32,
    pub accounts: Vec<Account>,
    pub rooms: Vec<Room>,
    pub messages: Vec<Message>,
    pub firsts: Vec<First>,
}

impl Room {
    /// The place of a new message in a lane: ordinals count from 1.
    pub fn next_ordinal(&mut self, lane: u64) -> u64 {
        let ordinal = 1 + self.places.iter().filter(|place| place.0 == lane).count() as u64;
        self.places.push((lane, ordinal));
        ordinal
    }
}

impl Interpreter {
    pub fn has_account(&self, id: AccountId) -> bool {
        self.accounts.iter().any(|account| account.id == id)
    }

    pub fn is_owner(&self, id: AccountId) -> bool {
        self.accounts.iter().any(|account| account.id == id && account.owner)
    }

    pub fn room(&self, id: RoomId) -> Option<&Room> {
        self.rooms.iter().find(|room| room.id == id)
    }

    pub fn room_mut(&mut self, id: RoomId) -> &mut Room {
        self.rooms.iter_mut().find(|room| room.id == id).unwrap()
    }

    pub fn is_member(&self, account: AccountId, room: RoomId) -> bool {
        self.room(room).is_some_and(|room| room.members.contains(&account))
    }

    /// Open rooms that are not archived have different names, whatever their case.
    pub fn is_taken(&self, name: &str, kind: RoomKind, except: RoomId) -> bool {
        let open = |room: &&Room| room.kind == RoomKind::Open && !room.archived && room.id != except;
        let mut others = self.rooms.iter().filter(open);
        kind == RoomKind::Open && others.any(|room| room.name.to_lowercase() == name.to_lowercase())
    }

    pub fn target(&self, room: RoomId, id: ClientId) -> Result<Message, &'static str> {
        let found = self.messages.iter().find(|message| message.id == id && message.room == room);
        found.cloned().ok_or("target_gone")
    }
}

pub fn require(holds: bool, why: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(why) }
}

/// The id that stands in a word of a header.
pub fn id<T: std::str::FromStr>(word: Option<&str>) -> Result<T, &'static str> {
    word.and_then(|word| word.parse().ok()).ok_or("malformed")
}
