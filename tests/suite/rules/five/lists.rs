//! What the interpreter knows of the entries that it has read: plain lists, and searches through them.

use super::super::lists::{Account, Interpreter as Earlier, Outcome};
use super::forms::{Act, Setting};
use beck::protocol::{AccountId, ClientId, Header, RoomId};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::Location;

/// A day, in milliseconds.
pub const DAY: i64 = 86_400_000;

#[derive(Clone)]
pub struct Room {
    pub id: RoomId,
    /// Earlier formats have other kinds of rooms.
    pub open: bool,
    pub key: String,
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
    /// Since the message was written or last restored.
    pub deletions: Vec<Deletion>,
    pub erased: bool,
    /// Numbers of the accepted entries that hold its texts, in order.
    pub texts: Vec<u64>,
    pub reactions: Vec<(String, AccountId)>,
}

#[derive(Clone, Copy)]
pub struct Deletion {
    pub by: AccountId,
    pub at: i64,
    /// The format that decided it.
    pub format: u32,
}

/// The first entry with a `client_id`, or the void that came before it.
pub struct First {
    pub id: ClientId,
    pub author: AccountId,
    pub outcome: Outcome,
    /// None after a void: then any words are the same draft.
    pub words: Option<HeaderWords>,
}

/// Kind, room, target and slot.
pub type HeaderWords = [Option<String>; 4];

/// An entry that was read.
pub struct Past {
    pub header: Header,
    pub at: i64,
    /// The format that decided it.
    pub format: u32,
    pub refused: Option<String>,
    /// An earlier entry has its `client_id`.
    pub repeats: bool,
    pub erasable: bool,
    /// It is a message, an act `text` or a restore with text.
    pub holds_text: bool,
}

#[derive(Default)]
pub struct Interpreter {
    /// Decides what formats 1 to 4 decide.
    pub earlier: Earlier,
    pub format: u32,
    pub operator: Option<AccountId>,
    pub accounts: Vec<Account>,
    pub rooms: Vec<Room>,
    pub messages: Vec<Message>,
    pub firsts: Vec<First>,
    pub past: Vec<Past>,
    /// Numbers of the entries whose bodies an `erase` took.
    pub erased: Vec<u64>,
    /// The messages that the newest `erase` took something of.
    pub named: Vec<ClientId>,
}

pub fn header_words(header: &Header) -> HeaderWords {
    let (target, slot) = (header.target.as_ref(), header.slot.as_ref());
    let room = header.room.map(|room| room.to_string());
    let [target, slot] = [target, slot].map(|word| word.map(|word| word.as_str().to_owned()));
    [Some(header.kind.as_str().to_owned()), room, target, slot]
}

impl First {
    pub fn voided(id: ClientId, author: AccountId) -> First {
        First { id, author, outcome: Err("void".into()), words: None }
    }
}

impl Room {
    pub fn new(id: RoomId, key: String, maker: AccountId, members: Vec<AccountId>) -> Room {
        Room { id, open: true, key, archived: false, maker, members, seq: 0, places: Vec::new() }
    }

    /// The place of a new message in a lane: ordinals count from 1.
    pub fn next_ordinal(&mut self, lane: u64) -> u64 {
        let ordinal = 1 + self.places.iter().filter(|place| place.0 == lane).count() as u64;
        self.places.push((lane, ordinal));
        ordinal
    }
}

impl Message {
    /// The lane of the answers to a message of the room's own lane.
    pub fn thread(&self) -> u64 {
        if self.also == 0 { self.seq } else { self.also }
    }

    /// Whether a reaction is within the limits.
    pub fn takes(&self, act: &Act) -> bool {
        let Act::React { emoji, who, on: true } = act else { return true };
        let mut emojis: Vec<_> = self.reactions.iter().map(|(emoji, _)| emoji).collect();
        emojis.sort();
        emojis.dedup();
        let of_account = self.reactions.iter().filter(|(_, by)| by == who).count();
        self.reactions.contains(&(emoji.clone(), *who))
            || of_account < 10 && (emojis.len() < 20 || emojis.contains(&emoji))
    }

    pub fn react(&mut self, emoji: &str, who: AccountId, on: bool) {
        self.reactions.retain(|(other, by)| other != emoji || *by != who);
        if on {
            self.reactions.push((emoji.to_owned(), who));
        }
    }
}

impl Past {
    pub fn kind_and_slot(&self) -> (&str, &str) {
        (self.header.kind.as_str(), self.header.slot.as_ref().map_or("", |slot| slot.as_str()))
    }

    pub fn is(&self, kind: &str, slot: &str) -> bool {
        self.kind_and_slot() == (kind, slot)
    }

    pub fn took_effect(&self) -> bool {
        self.refused.is_none() && !self.repeats
    }

    pub fn sets(&self) -> bool {
        matches!(self.header.kind.as_str(), "account.set" | "workspace.set" | "room.set")
    }

    pub fn sets_the_same(&self, other: &Past) -> bool {
        self.took_effect() && header_words(&self.header) == header_words(&other.header)
    }
}

impl Interpreter {
    pub fn is_operator(&self, id: AccountId) -> bool {
        self.operator == Some(id)
    }

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

    pub fn is_archived(&self, id: RoomId) -> bool {
        self.room(id).is_some_and(|room| room.archived)
    }

    pub fn is_member(&self, account: AccountId, room: RoomId) -> bool {
        self.room(room).is_some_and(|room| room.members.contains(&account))
    }

    /// The operator is in every room without being a member.
    pub fn is_inside(&self, account: AccountId, room: RoomId) -> bool {
        self.is_member(account, room) || self.is_operator(account) && self.room(room).is_some()
    }

    pub fn sees(&self, account: AccountId, room: RoomId) -> bool {
        let open = self.room(room).is_some_and(|room| room.open);
        self.is_inside(account, room) || open && self.has_account(account)
    }

    /// Whether another open room that is not archived has the key.
    pub fn is_taken(&self, key: &str, except: RoomId) -> bool {
        let mut others = self.rooms.iter().filter(|room| room.open && !room.archived && room.id != except);
        others.any(|room| room.key == key)
    }

    pub fn message(&self, room: RoomId, id: ClientId) -> Option<&Message> {
        self.messages.iter().find(|message| message.id == id && message.room == room)
    }

    pub fn message_mut(&mut self, id: ClientId) -> &mut Message {
        self.messages.iter_mut().find(|message| message.id == id).unwrap()
    }

    pub fn past(&self, g: u64) -> &Past {
        &self.past[g as usize - 1]
    }

    pub fn set_room(&mut self, id: RoomId, value: Setting) {
        let room = self.room_mut(id);
        match value {
            Setting::Name(key) => room.key = key,
            Setting::Archived(archived) => room.archived = archived,
            Setting::Topic => {}
        }
    }

    /// What an accepted act makes of its message. `deletion` is what it is if it deletes.
    pub fn write(&mut self, id: ClientId, act: Act, deletion: Deletion) {
        let message = self.message_mut(id);
        match act {
            Act::Delete => message.deletions.push(deletion),
            Act::Restore => message.deletions.clear(),
            Act::React { emoji, who, on } => message.react(&emoji, who, on),
            Act::Text | Act::Pin => {}
        }
    }
}

thread_local! {
    /// The lines of `interpreter.rs` and `erase.rs` that refused an entry.
    static REFUSED: RefCell<BTreeSet<(&'static str, u32)>> = const { RefCell::new(BTreeSet::new()) };
}

/// As the interpreter of formats 1 to 4 has it; it also notes the line that refuses.
#[track_caller]
pub fn require(holds: bool, why: &'static str) -> Result<(), &'static str> {
    if holds {
        return Ok(());
    }
    let place = Location::caller();
    REFUSED.with_borrow_mut(|refused| refused.insert((place.file(), place.line())));
    Err(why)
}

/// The lines of a file that have refused an entry on this thread.
pub fn refusing_lines(file: &str) -> BTreeSet<u32> {
    let in_file = |(path, line): &(&str, u32)| path.ends_with(file).then_some(*line);
    REFUSED.with_borrow(|refused| refused.iter().filter_map(in_file).collect())
}
