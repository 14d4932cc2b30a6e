//! Makes the logs of the recorded corpus: every kind of entry, every refusal, from a seed.

use beck::protocol::frame::{Role, RoomKind};
use beck::protocol::{
    AccountId, ActBody, ActValue, ClientId, Hash, Kind, MessageBody, OwnStatus, RoomId, Token, WorkspaceId,
};
use beck::server::access::Action;
use beck::server::broker::{Entry, Proposal};
use beck::server::directory::Directory;
use beck::server::fold::{AccountBody, Fold, Folded, RoomBody, SettingBody, WorkspaceBody};
use beck::server::state::State;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// SplitMix64: the same numbers on every machine and with every version of every crate.
pub struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = self.0;
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { Some(of[self.below(of.len())].clone()) }
    }

    fn letters(&mut self) -> String {
        (0..10).map(|_| char::from(b"bcdfghjklmnpqrstvwxz"[self.below(20)])).collect()
    }

    fn account(&mut self) -> AccountId {
        self.letters().parse().unwrap()
    }

    fn room(&mut self) -> RoomId {
        self.letters().parse().unwrap()
    }

    fn client_id(&mut self) -> ClientId {
        ClientId::from_number(self.next() >> 16)
    }
}

struct Message {
    id: ClientId,
    room: RoomId,
    author: AccountId,
}

/// Writes a log, entry by entry, and folds it.
pub struct Maker {
    pub dice: Dice,
    /// The log, in memory: it decides nothing, and no file has to be flushed for each entry.
    pub log: Vec<Entry>,
    /// The time of the newest entry.
    now: i64,
    state: State,
    pub fold: Fold,
    pub owner: AccountId,
    /// The room in which most is said.
    pub general: RoomId,
    messages: Vec<Message>,
    /// Every proposal so far.
    drafts: Vec<Proposal>,
    names: usize,
    /// The entries as they were when they were written, and what the fold made of each.
    pub written: Vec<Entry>,
    pub folded: Vec<Folded>,
}

pub fn token(text: impl ToString) -> Token {
    text.to_string().parse().unwrap()
}

impl Maker {
    fn directory(&self) -> Arc<Directory> {
        self.fold.directory()
    }

    pub fn proposal(&mut self, author: AccountId, kind: Kind, json: &Value) -> Proposal {
        let body = format!("{:016x}{json}", self.dice.next());
        let client_id = self.dice.client_id();
        Proposal {
            author,
            client_id,
            room: None,
            kind,
            target: None,
            slot: None,
            body,
            form: beck::protocol::Format::One,
            since: None,
        }
    }

    pub fn put(&mut self, proposal: Proposal) {
        self.now += 61_003;
        let header = proposal.header(self.log.len() as u64 + 1, self.now);
        let link = self.log.last().map_or(Hash::ZERO, |entry| entry.link).then(&header);
        let entry = Entry { header, body: Some(proposal.body.clone()), link };
        let folded = self.fold.fold(std::slice::from_ref(&entry)).unwrap().remove(0);
        if let (Kind::Message, Some(room), Some(_)) = (&proposal.kind, proposal.room, &folded.event) {
            self.messages.push(Message { id: proposal.client_id, room, author: proposal.author });
        }
        self.folded.push(folded);
        self.written.push(entry.clone());
        self.log.push(entry);
        self.drafts.push(proposal);
    }

    /// Erases the bodies of these entries in the log.
    pub fn erase_bodies(&mut self, numbers: &[u64]) {
        numbers.iter().for_each(|g| self.log[*g as usize - 1].body = None);
    }

    fn any_account(&mut self) -> AccountId {
        let mut all: Vec<_> = self.directory().accounts.keys().copied().collect();
        all.sort();
        let stranger = self.dice.account();
        if self.dice.percent(4) { stranger } else { self.dice.pick(&all).unwrap_or(stranger) }
    }

    fn any_room(&mut self) -> RoomId {
        let directory = self.directory();
        let mut all: Vec<_> = directory.rooms.keys().copied().collect();
        all.sort();
        let mut open = all.clone();
        open.retain(|room| !directory.rooms[room].archived);
        let nowhere = self.dice.room();
        if self.dice.percent(3) {
            return nowhere;
        }
        let among = if self.dice.percent(85) { open } else { all };
        self.dice.pick(&among).unwrap_or(nowhere)
    }

    /// Somebody, most of the time one who may write there.
    fn writer(&mut self, room: RoomId) -> AccountId {
        let directory = self.directory();
        let members: Vec<_> =
            directory.rooms.get(&room).map(|room| room.members.iter().copied().collect()).unwrap_or_default();
        let anyone = self.any_account();
        if self.dice.percent(8) { anyone } else { self.dice.pick(&members).unwrap_or(anyone) }
    }

    fn words(&mut self) -> String {
        let mut handles: Vec<_> = self.directory().handles.keys().cloned().collect();
        handles.sort();
        let handle = self.dice.pick(&handles).unwrap_or_default();
        let n = self.names;
        self.names += 1;
        let texts = [
            format!("line {n}"),
            format!("@{handle} line {n}"),
            format!("@room line {n}"),
            format!("line {n} `code @{handle}`"),
            format!("日本語 {n} 👩‍💻"),
            format!("> quoted\n\nline {n} **bold** @{handle}, @nobody"),
        ];
        self.dice.pick(&texts).unwrap()
    }

    fn account(&mut self, role: Role) {
        let (id, other) = (self.dice.account(), self.any_account());
        let n = self.names;
        self.names += 1;
        let mut handles: Vec<_> = self.directory().handles.keys().cloned().collect();
        handles.sort();
        let taken = self.dice.pick(&handles);
        let handle = if self.dice.percent(15) { taken.unwrap_or(format!("p{n}")) } else { format!("p{n}") };
        let body = AccountBody { name: format!("Person {n}"), handle, role };
        let mut proposal = self.proposal(id, Kind::Account, &serde_json::to_value(&body).unwrap());
        proposal.target = match self.dice.below(12) {
            0 => None,
            1 => Some(token(other)),
            _ => Some(token(id)),
        };
        self.put(proposal);
    }

    fn room(&mut self) {
        let (by, n) = (self.any_account(), self.names);
        self.names += 1;
        let kind = [RoomKind::Open, RoomKind::Open, RoomKind::Open, RoomKind::Private, RoomKind::Direct];
        let kind = self.dice.pick(&kind).unwrap();
        // Some have a name that is there, in another case.
        let name = if self.dice.percent(25) { "gEnErAl".into() } else { format!("Room {n}") };
        let body = RoomBody { kind, name, topic: format!("About {n}") };
        let mut proposal = self.proposal(by, Kind::Room, &serde_json::to_value(&body).unwrap());
        let there = self.any_room();
        proposal.room = match self.dice.below(12) {
            0 => None,
            1 => Some(there),
            _ => Some(self.dice.room()),
        };
        self.put(proposal);
    }

    fn room_set(&mut self) {
        let (room, n) = (self.any_room(), self.names);
        let by = self.writer(room);
        let creator = self.directory().rooms.get(&room).map_or(by, |room| room.creator);
        let (slot, value) = match self.dice.below(8) {
            0 => ("name", json!(format!("Renamed {n}"))),
            1 => ("name", json!("General")),
            2 | 3 => ("topic", json!(format!("New topic {n}"))),
            4 | 5 => ("archived", json!(true)),
            6 => ("archived", json!(false)),
            _ => ("color", json!("red")),
        };
        let by = if slot == "archived" && self.dice.percent(60) { creator } else { by };
        let room = if value == json!(false) { self.archived_room().unwrap_or(room) } else { room };
        let general = self.directory().rooms.values().any(|r| r.id == room && r.name == "General");
        // The room in which most is said stays open.
        let value = if general && value == json!(true) { json!("yes") } else { value };
        let body = serde_json::to_value(SettingBody { value }).unwrap();
        let mut proposal = self.proposal(by, Kind::RoomSet, &body);
        (proposal.room, proposal.slot) = (Some(room), Some(token(slot)));
        self.put(proposal);
    }

    fn archived_room(&mut self) -> Option<RoomId> {
        let directory = self.directory();
        let mut archived: Vec<_> =
            directory.rooms.values().filter(|room| room.archived).map(|room| room.id).collect();
        archived.sort();
        self.dice.pick(&archived)
    }

    fn account_set(&mut self) {
        let (target, other, n) = (self.any_account(), self.any_account(), self.names);
        let status = OwnStatus { text: format!("Busy {n}"), do_not_disturb: true, until: Some(n as i64) };
        let (slot, value) = match self.dice.below(9) {
            0 | 1 => ("name", json!(format!("Named {n}"))),
            2..=4 => ("status", serde_json::to_value(status).unwrap()),
            5 => ("status", json!({ "text": 7 })),
            6 => ("role", json!("owner")),
            7 => ("role", json!("king")),
            _ => ("size", json!(3)),
        };
        let by = if self.dice.percent(85) { target } else { other };
        let body = serde_json::to_value(SettingBody { value }).unwrap();
        let mut proposal = self.proposal(by, Kind::AccountSet, &body);
        proposal.target = Some(token(target));
        proposal.slot = Some(token(slot));
        self.put(proposal);
    }

    fn membership(&mut self, kind: Kind) {
        let (room, target) = (self.any_room(), self.any_account());
        let general = self.directory().rooms.values().any(|r| r.id == room && r.name == "General");
        if kind == Kind::Leave && general && self.dice.percent(70) {
            return;
        }
        let writer = self.writer(room);
        let by = if self.dice.percent(60) { target } else { writer };
        let mut proposal = self.proposal(by, kind, &Value::Null);
        (proposal.room, proposal.target) = (Some(room), Some(token(target)));
        self.put(proposal);
    }

    fn message(&mut self, answers: bool) {
        let room = self.any_room();
        let quote = if self.dice.percent(10) { self.any_message().map(|m| m.0) } else { None };
        let target = if answers { self.any_message() } else { None };
        let room = target.filter(|_| self.dice.percent(92)).map_or(room, |target| target.1);
        let by = self.writer(room);
        let body = MessageBody { text: self.words(), quote, said: None };
        let mut proposal = self.proposal(by, Kind::Message, &serde_json::to_value(&body).unwrap());
        proposal.room = Some(room);
        proposal.target = target.map(|target| token(target.0));
        if answers && self.dice.percent(35) {
            proposal.slot = Some(token("room"));
        }
        self.put(proposal);
    }

    /// A message, most of the time one of the newest.
    pub fn any_message(&mut self) -> Option<(ClientId, RoomId, AccountId)> {
        let nowhere = (self.dice.client_id(), self.any_room(), self.any_account());
        if self.dice.percent(3) {
            return Some(nowhere);
        }
        let newest = if self.dice.percent(60) { self.messages.len().saturating_sub(12) } else { 0 };
        let among = &self.messages[newest..];
        if among.is_empty() {
            return None;
        }
        let message = &among[self.dice.below(among.len())];
        Some((message.id, message.room, message.author))
    }

    pub fn act(&mut self) {
        let Some((target, room, author)) = self.any_message() else { return };
        let anyone = self.writer(room);
        let by = if self.dice.percent(75) { author } else { anyone };
        let emoji = self.dice.pick(&["👍", "🎉", "👩‍💻", "words"]).unwrap();
        let words = self.words();
        let (slot, value) = match self.dice.below(14) {
            0..=2 => ("text".into(), ActValue::Text(words)),
            3..=5 => ("deleted".into(), ActValue::On(true)),
            6 | 7 => ("deleted".into(), ActValue::Restored { restored: words }),
            8 => ("pin".into(), ActValue::On(true)),
            9 => ("pin".into(), ActValue::On(false)),
            10 | 11 => (format!("react:{emoji}:{by}"), ActValue::On(true)),
            12 => (format!("react:{emoji}:{by}"), ActValue::On(false)),
            _ => (format!("react:{emoji}:{author}"), ActValue::On(true)),
        };
        let value = serde_json::to_value(ActBody { value }).unwrap();
        let wrong = [json!({ "value": 3 }), json!({ "value": false }), json!({ "value": "text" })];
        let value = if self.dice.percent(6) { self.dice.pick(&wrong).unwrap() } else { value };
        let slot = if self.dice.percent(2) { "label:later".into() } else { slot };
        let mut proposal = self.proposal(by, Kind::Act, &value);
        (proposal.room, proposal.target, proposal.slot) =
            (Some(room), Some(token(target)), Some(token(slot)));
        self.put(proposal);
    }

    /// Takes back a draft that has come already, or one that comes right after.
    fn void(&mut self) {
        let Some(known) = self.dice.pick(&self.drafts) else { return };
        let stranger = self.any_account();
        let by = if self.dice.percent(80) { known.author } else { stranger };
        let mut void = self.proposal(by, Kind::Void, &Value::Null);
        if self.dice.percent(50) {
            void.target = Some(token(known.client_id));
            return self.put(void);
        }
        let room = self.any_room();
        let by = self.writer(room);
        let body = MessageBody { text: self.words(), quote: None, said: None };
        let mut late = self.proposal(by, Kind::Message, &serde_json::to_value(&body).unwrap());
        late.room = Some(room);
        (void.author, void.target) = (by, Some(token(late.client_id)));
        self.put(void);
        self.put(late);
    }

    /// The same draft again: as it was, with another salt, with another text, or by somebody else.
    pub fn double(&mut self) {
        let Some(mut again) = self.dice.pick(&self.drafts) else { return };
        if again.kind == Kind::Workspace {
            return;
        }
        let salt = format!("{:016x}", self.dice.next());
        let json = again.body.get(16..).unwrap_or("").to_owned();
        match self.dice.below(5) {
            0 => {}
            1 | 2 => again.body = format!("{salt}{json}"),
            3 => {
                let body = MessageBody { text: self.words(), quote: None, said: None };
                again.body = format!("{salt}{}", serde_json::to_string(&body).unwrap());
            }
            _ => again.author = self.any_account(),
        }
        self.put(again);
    }

    /// An entry with something wrong in its body or its header.
    fn malformed(&mut self) {
        let kinds = [
            Kind::Account,
            Kind::AccountSet,
            Kind::Room,
            Kind::RoomSet,
            Kind::Join,
            Kind::Leave,
            Kind::Message,
            Kind::Act,
            Kind::Void,
            Kind::Logins,
            Kind::Format,
            Kind::Workspace,
        ];
        let kind = self.dice.pick(&kinds).unwrap();
        let room = self.any_room();
        let by = self.writer(room);
        let mut proposal = self.proposal(by, kind, &Value::Null);
        let salt = format!("{:016x}", self.dice.next());
        let bodies = [
            format!("{salt}{{"),
            format!("{salt}null"),
            format!("{salt}[1, 2]"),
            format!("{salt}{{\"text\": 5}}"),
            format!("{salt}{{\"value\": {{\"on\": 1}}}}"),
            salt.clone(),
            "short".into(),
            String::new(),
            "fifteen bytes: é and more".into(),
        ];
        proposal.body = self.dice.pick(&bodies).unwrap();
        let target = self.any_message();
        proposal.room = if self.dice.percent(80) { Some(room) } else { None };
        proposal.target = match self.dice.below(4) {
            0 => None,
            1 => Some(token("xyz")),
            2 => Some(token(by)),
            _ => target.map(|target| token(target.0)),
        };
        proposal.slot = match self.dice.below(4) {
            0 => None,
            1 => Some(token("deleted")),
            2 => Some(token("text")),
            _ => Some(token("react::nobody")),
        };
        self.put(proposal);
    }

    fn other(&mut self) {
        let by = self.any_account();
        let mut proposal = match self.dice.below(4) {
            0 => {
                let mut proposal = self.proposal(by, Kind::Logins, &Value::Null);
                let target = if self.dice.percent(75) { by } else { self.any_account() };
                proposal.target = Some(token(target));
                return self.put(proposal);
            }
            1 => self.proposal(by, Kind::Format, &json!(1)),
            2 => self.proposal(by, "poll".parse().unwrap(), &json!({ "question": "Lunch?" })),
            _ => self.proposal(by, "room.color".parse().unwrap(), &json!([1, "x"])),
        };
        proposal.room = Some(self.any_room());
        self.put(proposal);
    }

    pub fn some_entries(&mut self, entries: usize) {
        for _ in 0..entries {
            match self.dice.below(100) {
                0..=3 => self.account(Role::Member),
                4 => self.account(Role::Owner),
                5..=8 => self.room(),
                9..=13 => self.room_set(),
                14..=18 => self.account_set(),
                19..=26 => self.membership(Kind::Join),
                27..=29 => self.membership(Kind::Leave),
                30..=49 => self.message(false),
                50..=61 => self.message(true),
                62..=81 => self.act(),
                82..=85 => self.void(),
                86..=91 => self.double(),
                92..=96 => self.malformed(),
                _ => self.other(),
            }
        }
    }

    /// Erases the texts of some messages that are deleted, as a server does.
    fn erase(&mut self) {
        let head = self.log.len() as u64;
        let mut numbers = BTreeSet::new();
        for message in &self.messages {
            let found = self
                .state
                .read_anything(|state| Ok((state.row(message.id)?, state.entries_of_message(message.id)?)));
            let (row, entries) = found.unwrap();
            if row.is_some_and(|(_, row)| row.deleted.is_some()) && self.dice.percent(60) {
                numbers.extend(entries.into_iter().filter(|g| *g < head));
            }
        }
        assert!(!numbers.is_empty(), "nothing is erased");
        self.erase_bodies(&numbers.into_iter().collect::<Vec<_>>());
    }
}

impl Maker {
    /// A log of format 1 with an owner, members and a room.
    pub fn begin(folder: &Path, format: u32, seed: u64) -> Maker {
        let (state, fold) = Fold::open(folder, |_, _| true).unwrap();
        let mut dice = Dice(seed);
        let (owner, general) = (dice.account(), dice.room());
        let id: WorkspaceId = dice.letters().parse().unwrap();
        let mut maker = Maker {
            dice,
            log: Vec::new(),
            now: 1_767_225_600_000 + i64::from(format) * 86_400_000,
            state,
            fold,
            owner,
            general,
            messages: Vec::new(),
            drafts: Vec::new(),
            names: 0,
            written: Vec::new(),
            folded: Vec::new(),
        };
        let body = WorkspaceBody { id, name: format!("Corpus {format}"), format: 1 };
        let first = maker.proposal(owner, Kind::Workspace, &serde_json::to_value(&body).unwrap());
        maker.put(first);
        // Nobody sends it again.
        maker.drafts.clear();
        let body = AccountBody { name: "Owner".into(), handle: "owner".into(), role: Role::Owner };
        let mut first = maker.proposal(owner, Kind::Account, &serde_json::to_value(&body).unwrap());
        first.target = Some(token(owner));
        maker.put(first);
        let body = RoomBody { kind: RoomKind::Open, name: "General".into(), topic: String::new() };
        let mut room = maker.proposal(owner, Kind::Room, &serde_json::to_value(&body).unwrap());
        room.room = Some(general);
        maker.put(room);
        for _ in 0..8 {
            maker.account(Role::Member);
        }
        let mut members: Vec<_> = maker.directory().accounts.keys().copied().collect();
        members.sort();
        for member in members {
            if maker.directory().can(member, Action::Join, general) {
                let mut join = maker.proposal(member, Kind::Join, &Value::Null);
                (join.room, join.target) = (Some(general), Some(token(member)));
                maker.put(join);
            }
        }
        maker
    }

    pub fn rise_to(&mut self, format: u32) {
        if format > 1 {
            let rise = self.proposal(self.owner, Kind::Format, &json!(format));
            self.put(rise);
        }
    }
}

/// A log whose format begins at 1 and rises to this one, a step at a time.
pub fn make_log(folder: &Path, format: u32) -> Vec<Entry> {
    let mut maker = Maker::begin(folder, format, 0xbec0 + u64::from(format));
    for step in 1..=format {
        maker.rise_to(step);
        maker.some_entries(520 / format as usize);
    }
    maker.erase();
    maker.log
}
