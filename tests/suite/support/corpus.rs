//! Makes the logs of the recorded corpus: every kind of entry, every refusal, from a seed.

use super::read_all;
use beck::protocol::frame::{Role, RoomKind};
use beck::protocol::{
    AccountId, ActBody, ActValue, ClientId, Kind, MessageBody, OwnStatus, RoomId, Token, WorkspaceId,
};
use beck::server::access::Action;
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, Entry, Proposal};
use beck::server::directory::Directory;
use beck::server::fold::{AccountBody, Fold, RoomBody, SettingBody, WorkspaceBody};
use beck::server::state::State;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// SplitMix64: the same numbers on every machine and with every version of every crate.
struct Dice(u64);

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

    fn percent(&mut self, percent: usize) -> bool {
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

struct Maker {
    dice: Dice,
    log: Embedded,
    state: State,
    fold: Fold,
    messages: Vec<Message>,
    /// Every proposal so far.
    drafts: Vec<Proposal>,
    names: usize,
}

fn token(text: impl ToString) -> Token {
    text.to_string().parse().unwrap()
}

impl Maker {
    fn directory(&self) -> Arc<Directory> {
        self.fold.directory()
    }

    fn proposal(&mut self, author: AccountId, kind: Kind, json: &Value) -> Proposal {
        let body = format!("{:016x}{json}", self.dice.next());
        let client_id = self.dice.client_id();
        Proposal { author, client_id, room: None, kind, target: None, slot: None, body }
    }

    async fn put(&mut self, proposal: Proposal) {
        let (id, room, author) = (proposal.client_id, proposal.room, proposal.author);
        let is_message = proposal.kind == Kind::Message;
        let g = self.log.append(vec![proposal.clone()]).await.unwrap();
        let entries = self.log.read(g, 1).await.unwrap();
        let folded = self.fold.fold(&entries).unwrap();
        if let (true, Some(room), Some(_)) = (is_message, room, &folded[0].event) {
            self.messages.push(Message { id, room, author });
        }
        self.drafts.push(proposal);
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

    async fn account(&mut self, role: Role) {
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
        self.put(proposal).await;
    }

    async fn room(&mut self) {
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
        self.put(proposal).await;
    }

    async fn room_set(&mut self) {
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
        self.put(proposal).await;
    }

    fn archived_room(&mut self) -> Option<RoomId> {
        let directory = self.directory();
        let mut archived: Vec<_> =
            directory.rooms.values().filter(|room| room.archived).map(|room| room.id).collect();
        archived.sort();
        self.dice.pick(&archived)
    }

    async fn account_set(&mut self) {
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
        self.put(proposal).await;
    }

    async fn membership(&mut self, kind: Kind) {
        let (room, target) = (self.any_room(), self.any_account());
        let general = self.directory().rooms.values().any(|r| r.id == room && r.name == "General");
        if kind == Kind::Leave && general && self.dice.percent(70) {
            return;
        }
        let writer = self.writer(room);
        let by = if self.dice.percent(60) { target } else { writer };
        let mut proposal = self.proposal(by, kind, &Value::Null);
        (proposal.room, proposal.target) = (Some(room), Some(token(target)));
        self.put(proposal).await;
    }

    async fn message(&mut self, answers: bool) {
        let room = self.any_room();
        let quote = if self.dice.percent(10) { self.any_message().map(|m| m.0) } else { None };
        let target = if answers { self.any_message() } else { None };
        let room = target.filter(|_| self.dice.percent(92)).map_or(room, |target| target.1);
        let by = self.writer(room);
        let body = MessageBody { text: self.words(), quote };
        let mut proposal = self.proposal(by, Kind::Message, &serde_json::to_value(&body).unwrap());
        proposal.room = Some(room);
        proposal.target = target.map(|target| token(target.0));
        if answers && self.dice.percent(35) {
            proposal.slot = Some(token("room"));
        }
        self.put(proposal).await;
    }

    /// A message, most of the time one of the newest.
    fn any_message(&mut self) -> Option<(ClientId, RoomId, AccountId)> {
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

    async fn act(&mut self) {
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
        self.put(proposal).await;
    }

    /// Takes back a draft that has come already, or one that comes right after.
    async fn void(&mut self) {
        let Some(known) = self.dice.pick(&self.drafts) else { return };
        let stranger = self.any_account();
        let by = if self.dice.percent(80) { known.author } else { stranger };
        let mut void = self.proposal(by, Kind::Void, &Value::Null);
        if self.dice.percent(50) {
            void.target = Some(token(known.client_id));
            return self.put(void).await;
        }
        let room = self.any_room();
        let by = self.writer(room);
        let body = MessageBody { text: self.words(), quote: None };
        let mut late = self.proposal(by, Kind::Message, &serde_json::to_value(&body).unwrap());
        late.room = Some(room);
        (void.author, void.target) = (by, Some(token(late.client_id)));
        self.put(void).await;
        self.put(late).await;
    }

    /// The same draft again: as it was, with another salt, with another text, or by somebody else.
    async fn double(&mut self) {
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
                let body = MessageBody { text: self.words(), quote: None };
                again.body = format!("{salt}{}", serde_json::to_string(&body).unwrap());
            }
            _ => again.author = self.any_account(),
        }
        self.put(again).await;
    }

    /// An entry with something wrong in its body or its header.
    async fn malformed(&mut self) {
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
        self.put(proposal).await;
    }

    async fn other(&mut self) {
        let by = self.any_account();
        let mut proposal = match self.dice.below(4) {
            0 => {
                let mut proposal = self.proposal(by, Kind::Logins, &Value::Null);
                let target = if self.dice.percent(75) { by } else { self.any_account() };
                proposal.target = Some(token(target));
                return self.put(proposal).await;
            }
            1 => self.proposal(by, Kind::Format, &json!(1)),
            2 => self.proposal(by, "poll".parse().unwrap(), &json!({ "question": "Lunch?" })),
            _ => self.proposal(by, "room.color".parse().unwrap(), &json!([1, "x"])),
        };
        proposal.room = Some(self.any_room());
        self.put(proposal).await;
    }

    async fn some_entries(&mut self, entries: usize) {
        for _ in 0..entries {
            match self.dice.below(100) {
                0..=3 => self.account(Role::Member).await,
                4 => self.account(Role::Owner).await,
                5..=8 => self.room().await,
                9..=13 => self.room_set().await,
                14..=18 => self.account_set().await,
                19..=26 => self.membership(Kind::Join).await,
                27..=29 => self.membership(Kind::Leave).await,
                30..=49 => self.message(false).await,
                50..=61 => self.message(true).await,
                62..=81 => self.act().await,
                82..=85 => self.void().await,
                86..=91 => self.double().await,
                92..=96 => self.malformed().await,
                _ => self.other().await,
            }
        }
    }

    /// Erases the texts of some messages that are deleted, as a server does.
    async fn erase(&mut self) {
        let head = self.log.head().await.unwrap().unwrap().g;
        let mut numbers = BTreeSet::new();
        for message in &self.messages {
            let found =
                self.state.read(|state| Ok((state.row(message.id)?, state.entries_of_message(message.id)?)));
            let (row, entries) = found.unwrap();
            if row.is_some_and(|(_, row)| row.deleted.is_some()) && self.dice.percent(60) {
                numbers.extend(entries.into_iter().filter(|g| *g < head));
            }
        }
        assert!(!numbers.is_empty(), "nothing is erased");
        self.log.erase(numbers.into_iter().collect()).await.unwrap();
    }
}

/// A log whose format begins at 1 and rises to this one, a step at a time.
pub async fn make_log(folder: &Path, format: u32) -> Vec<Entry> {
    let mut now = 1_767_225_600_000 + i64::from(format) * 86_400_000;
    let clock = move || {
        now += 61_003;
        now
    };
    let log = Embedded::open_with_clock(folder, clock).unwrap();
    let (state, fold) = Fold::open(folder, |_, _| true).unwrap();
    let mut dice = Dice(0xbec0 + u64::from(format));
    let (owner, general) = (dice.account(), dice.room());
    let id: WorkspaceId = dice.letters().parse().unwrap();
    let mut maker = Maker { dice, log, state, fold, messages: Vec::new(), drafts: Vec::new(), names: 0 };
    let body = WorkspaceBody { id, name: format!("Corpus {format}"), format: 1 };
    let first = maker.proposal(owner, Kind::Workspace, &serde_json::to_value(&body).unwrap());
    maker.log.create(first).await.unwrap();
    maker.fold.fold(&maker.log.read(1, 1).await.unwrap()).unwrap();
    let body = AccountBody { name: "Owner".into(), handle: "owner".into(), role: Role::Owner };
    let mut first = maker.proposal(owner, Kind::Account, &serde_json::to_value(&body).unwrap());
    first.target = Some(token(owner));
    maker.put(first).await;
    let body = RoomBody { kind: RoomKind::Open, name: "General".into(), topic: String::new() };
    let mut room = maker.proposal(owner, Kind::Room, &serde_json::to_value(&body).unwrap());
    room.room = Some(general);
    maker.put(room).await;
    for _ in 0..8 {
        maker.account(Role::Member).await;
    }
    let mut members: Vec<_> = maker.directory().accounts.keys().copied().collect();
    members.sort();
    for member in members {
        if maker.directory().can(member, Action::Join, general) {
            let mut join = maker.proposal(member, Kind::Join, &Value::Null);
            (join.room, join.target) = (Some(general), Some(token(member)));
            maker.put(join).await;
        }
    }
    for step in 1..=format {
        if step > 1 {
            let rise = maker.proposal(owner, Kind::Format, &json!(step));
            maker.put(rise).await;
        }
        maker.some_entries(520 / format as usize).await;
    }
    maker.erase().await;
    read_all(&maker.log).await
}
