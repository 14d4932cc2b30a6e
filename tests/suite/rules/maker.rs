//! Makes random histories: every kind and slot of formats 1 to 4. Most entries have the form that servers write; some have
//! a form that no server writes. The maker takes rooms, people and messages from the interpreter's lists, so that most
//! entries concern something that exists.

mod steps;

use super::interpreter::Decided;
use super::lists::{Interpreter, Message};
use super::written::{Words, client_id, write};
use beck::protocol::{AccountId, ClientId, RoomId};
use beck::server::broker::Entry;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// Some are the same name in another case; some look alike and differ.
const NAMES: [&str; 18] = [
    "General",
    "gEnErAl",
    "General ",
    " General",
    "Straße",
    "STRASSE",
    "STRAẞE",
    "straße",
    "ΟΔΟΣ",
    "οδος",
    "οδοσ",
    "İzmir",
    "izmir",
    "i\u{307}zmir",
    "Café",
    "Cafe\u{301}",
    "K",
    "\u{212a}",
];
const HANDLES: [&str; 8] = ["ann", "Ann", "ann ", "bo", "room", "", "ä", "a\u{308}"];
const EMOJIS: [&str; 5] = ["👍", "🎉", "👩‍💻", "a:b", ":"];

pub struct Maker {
    dice: StdRng,
    pub log: Vec<Entry>,
    pub decided: Vec<Decided>,
    pub oracle: Interpreter,
    drafts: Vec<Words>,
    ids: u64,
}

/// A log of at least this many entries.
pub fn history(seed: u64, entries: usize) -> Maker {
    let dice = StdRng::seed_from_u64(seed);
    let (log, decided, drafts) = (Vec::new(), Vec::new(), Vec::new());
    let mut maker = Maker { dice, log, decided, oracle: Interpreter::default(), drafts, ids: 0 };
    maker.begin();
    while maker.log.len() < entries {
        maker.step();
    }
    maker
}

impl Maker {
    fn percent(&mut self, percent: u32) -> bool {
        self.dice.random_range(0..100) < percent
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { Some(of[self.dice.random_range(0..of.len())].clone()) }
    }

    fn letters(&mut self) -> String {
        (0..10).map(|_| char::from(b"bcdfghjklmnpqrstvwxz"[self.dice.random_range(0..20)])).collect()
    }

    fn new_room(&mut self) -> RoomId {
        self.letters().parse().unwrap()
    }

    fn new_account(&mut self) -> AccountId {
        self.letters().parse().unwrap()
    }

    fn new_id(&mut self) -> ClientId {
        self.ids += 1;
        client_id(self.ids)
    }

    fn account(&mut self) -> AccountId {
        let known: Vec<_> = self.oracle.accounts.iter().map(|account| account.id).collect();
        let stranger = self.new_account();
        if self.percent(5) { stranger } else { self.pick(&known).unwrap_or(stranger) }
    }

    fn room(&mut self) -> RoomId {
        let archived = self.percent(15);
        let known: Vec<_> =
            self.oracle.rooms.iter().filter(|room| archived || !room.archived).map(|room| room.id).collect();
        let nowhere = self.new_room();
        if self.percent(4) { nowhere } else { self.pick(&known).unwrap_or(nowhere) }
    }

    fn member(&mut self, room: RoomId) -> AccountId {
        let members = self.oracle.room(room).map(|room| room.members.clone()).unwrap_or_default();
        let anyone = self.account();
        if self.percent(8) { anyone } else { self.pick(&members).unwrap_or(anyone) }
    }

    /// Prefers recent messages, so that the same message is the target of many acts.
    fn message(&mut self) -> Option<Message> {
        let all = self.oracle.messages.clone();
        let newest = all[all.len().saturating_sub(8)..].to_vec();
        if self.percent(60) { self.pick(&newest) } else { self.pick(&all) }
    }

    fn text(&mut self) -> String {
        let n = self.dice.random_range(0..6);
        let texts =
            [format!("line {n}"), format!("@ann, line {n}"), format!("@room `@bo` {n}"), "日本語 👩‍💻".into()];
        self.pick(&texts).unwrap()
    }

    fn words(&mut self, author: AccountId, kind: &str, json: &Value) -> Words {
        let (id, salt) = (self.new_id(), self.dice.random::<u64>());
        Words::new(author, id, kind, format!("{salt:016x}{json}"))
    }

    fn put(&mut self, mut words: Words) {
        // A log with a spoiled first entry is refused as a whole.
        if !self.log.is_empty() {
            self.spoil(&mut words);
        }
        write(&mut self.log, &words);
        let entry = self.log.last().unwrap();
        self.decided.push(self.oracle.read(&entry.header, entry.body.as_deref()));
        self.drafts.push(words);
    }

    /// Puts a wrong body or a wrong word into a few entries.
    fn spoil(&mut self, words: &mut Words) {
        let salt = format!("{:016x}", self.dice.random::<u64>());
        if self.percent(4) {
            let bodies = [
                String::new(),
                "short".into(),
                "fifteen bytes: é and more".into(),
                salt.clone(),
                format!("{salt}null"),
                format!("{salt}{{"),
                format!("{salt}{{}}"),
                format!("{salt}[]"),
                format!("{salt}[\"x\"]"),
                format!("{salt}{{\"text\":5}}"),
                format!("{salt}{{\"value\":null}}"),
                format!("{salt}{{\"value\":{{\"restored\":\"x\",\"more\":1}}}}"),
                format!("{salt}{{\"value\":true,\"value\":true}}"),
                format!("{salt} {{ \"text\" : \"spaced\" , \"more\" : 1 }} "),
            ];
            words.body = self.pick(&bodies).unwrap();
        }
        if self.percent(2) {
            let other = self.room();
            words.room = self.pick(&[None, Some(other)]).unwrap();
        }
        if self.percent(2) {
            let (account, message) = (self.account(), self.message());
            let id = message.map_or(words.id, |message| message.id);
            let targets = [
                None,
                Some("xyz".into()),
                Some(account.to_string()),
                Some(id.to_string()),
                Some(words.id.to_string()),
            ];
            words.target = self.pick(&targets).unwrap();
        }
        if self.percent(2) {
            let account = self.account();
            let slots = [
                "text", "deleted", "pin", "room", "name", "archived", "status", "react:x", "react::",
                "label:x",
            ];
            let slot = self.pick(&slots).unwrap().to_owned();
            words.slot = self.pick(&[None, Some(slot), Some(format!("react::{account}"))]).unwrap();
        }
        if self.percent(1) {
            words.author = self.account();
        }
    }

    fn begin(&mut self) {
        let (owner, general) = (self.new_account(), self.new_room());
        let (id, format) = (self.letters(), self.dice.random_range(1..=4));
        let first =
            self.words(owner, "workspace", &json!({ "id": id, "name": "Histories", "format": format }));
        self.put(first);
        let mut account =
            self.words(owner, "account", &json!({ "name": "O", "handle": "owner", "role": "owner" }));
        account.target = Some(owner.to_string());
        self.put(account);
        let mut room = self.words(owner, "room", &json!({ "kind": "open", "name": "General" }));
        room.room = Some(general);
        self.put(room);
        for _ in 0..4 {
            self.make_account("member");
        }
    }
}
