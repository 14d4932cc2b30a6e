//! The kinds of entries, each in its usual and in some unusual forms.

use super::{EMOJIS, HANDLES, Maker, NAMES};
use rand::Rng;
use serde_json::{Value, json};

impl Maker {
    pub(super) fn step(&mut self) {
        match self.dice.random_range(0..100) {
            0..=2 => self.make_account("member"),
            3 => self.make_account("owner"),
            4 => self.make_account("king"),
            5..=8 => self.make_room(),
            9..=14 => self.set_room(),
            15..=18 => self.set_account(),
            19..=27 => self.change_members(true),
            28..=30 => self.change_members(false),
            31..=46 => self.write_message(false),
            47..=57 => self.write_message(true),
            58..=80 => self.act(),
            81..=85 => self.void(),
            86..=93 => self.repeat(),
            _ => self.other(),
        }
    }

    pub(super) fn make_account(&mut self, role: &str) {
        let (id, n) = (self.new_account(), self.ids);
        let known = self.account();
        let handle = self.pick(&HANDLES).unwrap().to_owned();
        let handle = if self.percent(30) { handle } else { format!("p{n}") };
        let author = if self.percent(6) { known } else { id };
        let mut body = json!({ "name": format!("Person {n}"), "handle": handle });
        if role != "member" || self.percent(50) {
            body["role"] = json!(role);
        }
        let mut words = self.words(author, "account", &body);
        words.target = Some(id.to_string());
        self.put(words);
        // Most accounts join the first room, so that several people write there.
        if self.percent(70) {
            let room = self.oracle.rooms.first().map_or(self.log[0].header.room, |room| Some(room.id));
            let mut join = self.words(author, "join", &Value::Null);
            (join.room, join.target) = (room, Some(author.to_string()));
            self.put(join);
        }
    }

    fn room_name(&mut self) -> String {
        let (name, n) = (self.pick(&NAMES).unwrap(), self.ids);
        if self.percent(75) { name.to_owned() } else { format!("Room {n}") }
    }

    fn make_room(&mut self) {
        let (author, name) = (self.account(), self.room_name());
        let kind = self.pick(&["open", "open", "open", "private", "direct", "secret"]).unwrap();
        let mut body = json!({ "kind": kind, "name": name });
        if self.percent(50) {
            body["topic"] = json!("About it");
        }
        let mut words = self.words(author, "room", &body);
        let known = self.room();
        words.room = Some(if self.percent(8) { known } else { self.new_room() });
        self.put(words);
    }

    fn set_room(&mut self) {
        let archived: Vec<_> =
            self.oracle.rooms.iter().filter(|room| room.archived).map(|room| room.id).collect();
        let name = self.room_name();
        let (slot, value) = match self.dice.random_range(0..12) {
            0..=3 => ("name", json!(name)),
            4 => ("topic", json!("Another topic")),
            5 | 6 => ("archived", json!(true)),
            7..=9 => ("archived", json!(false)),
            10 => ("color", json!("red")),
            _ => ("archived", json!("yes")),
        };
        let room = self.room();
        let room = if value == json!(false) { self.pick(&archived).unwrap_or(room) } else { room };
        let (member, anyone) = (self.member(room), self.account());
        let maker = self.oracle.room(room).map_or(member, |room| room.maker);
        let by = self.pick(&[member, maker, maker, anyone]).unwrap();
        let mut words = self.words(by, "room.set", &json!({ "value": value }));
        (words.room, words.slot) = (Some(room), Some(slot.into()));
        self.put(words);
    }

    fn set_account(&mut self) {
        let (target, other) = (self.account(), self.account());
        let values = [
            ("name", json!("Another name")),
            ("name", json!(5)),
            ("status", json!({ "text": "Busy", "do_not_disturb": true, "until": 5 })),
            ("status", json!({})),
            ("status", json!({ "text": 7 })),
            ("status", json!("away")),
            ("role", json!("owner")),
            ("role", json!("member")),
            ("size", json!(3)),
        ];
        let (slot, value) = self.pick(&values).unwrap();
        let by = if self.percent(85) { target } else { other };
        let mut words = self.words(by, "account.set", &json!({ "value": value }));
        (words.target, words.slot) = (Some(target.to_string()), Some(slot.into()));
        self.put(words);
    }

    fn change_members(&mut self, joins: bool) {
        let (room, target) = (self.room(), self.account());
        let (member, owner) = (self.member(room), self.oracle.accounts.iter().find(|account| account.owner));
        let owner = owner.map_or(member, |owner| owner.id);
        let by = self.pick(&[target, target, member, owner]).unwrap();
        let mut words = self.words(by, if joins { "join" } else { "leave" }, &Value::Null);
        (words.room, words.target) = (Some(room), Some(target.to_string()));
        self.put(words);
    }

    fn write_message(&mut self, answers: bool) {
        let (target, quoted, room, text) = (self.message(), self.message(), self.room(), self.text());
        let target = target.filter(|_| answers);
        let room = target.as_ref().filter(|_| self.dice.random_bool(0.9)).map_or(room, |target| target.room);
        let mut body = json!({ "text": text });
        if let Some(quoted) = quoted.filter(|_| self.dice.random_bool(0.1)) {
            body["quote"] = json!(quoted.id);
        }
        let author = self.member(room);
        let mut words = self.words(author, "message", &body);
        (words.room, words.target) = (Some(room), target.map(|target| target.id.to_string()));
        let slot = self.pick(&["room", "room", "room", "for:somebody"]).unwrap();
        words.slot = self.percent(if answers { 40 } else { 6 }).then(|| slot.into());
        self.put(words);
    }

    fn act(&mut self) {
        let Some(message) = self.message() else { return };
        let (elsewhere, text, emoji) = (self.room(), self.text(), self.pick(&EMOJIS).unwrap());
        let room = if self.percent(4) { elsewhere } else { message.room };
        let (member, owner) = (self.member(room), self.oracle.accounts.iter().find(|account| account.owner));
        let owner = owner.map_or(member, |owner| owner.id);
        let by = self.pick(&[message.author, message.author, message.author, member, owner]).unwrap();
        let restored = json!({ "restored": text });
        let react = format!("react:{emoji}:{by}");
        let values = [
            ("text".to_owned(), json!(text)),
            ("text".to_owned(), json!(text)),
            ("deleted".to_owned(), json!(true)),
            ("deleted".to_owned(), json!(true)),
            ("deleted".to_owned(), json!(true)),
            ("deleted".to_owned(), json!(true)),
            ("deleted".to_owned(), restored.clone()),
            ("deleted".to_owned(), restored.clone()),
            ("deleted".to_owned(), json!(false)),
            ("pin".to_owned(), json!(true)),
            ("pin".to_owned(), json!(false)),
            ("pin".to_owned(), restored),
            (react.clone(), json!(true)),
            (react.clone(), json!(false)),
            (react, json!("yes")),
            (format!("react:{emoji}:{}", message.author), json!(true)),
            ("text".to_owned(), json!(true)),
        ];
        let (slot, value) = self.pick(&values).unwrap();
        let mut words = self.words(by, "act", &json!({ "value": value }));
        (words.room, words.target, words.slot) = (Some(room), Some(message.id.to_string()), Some(slot));
        self.put(words);
    }

    /// Voids a draft that is in the log, or one that comes right after the void, once or twice.
    fn void(&mut self) {
        let (Some(known), stranger) = (self.pick(&self.drafts.clone()), self.account()) else { return };
        let by = if self.percent(80) { known.author } else { stranger };
        if self.percent(50) {
            let mut void = self.words(by, "void", &Value::Null);
            void.target = Some(known.id.to_string());
            return self.put(void);
        }
        let room = self.room();
        let (author, text) = (self.member(room), self.text());
        let mut late = self.words(author, "message", &json!({ "text": text }));
        late.room = Some(room);
        let by = if self.percent(80) { author } else { stranger };
        let mut void = self.words(by, "void", &Value::Null);
        void.target = Some(late.id.to_string());
        self.put(void);
        self.put(late.clone());
        if self.percent(30) {
            self.put(late);
        }
    }

    /// Repeats a draft: unchanged, with another salt, with another body or word, or by another author.
    fn repeat(&mut self) {
        let newest = self.drafts[self.drafts.len().saturating_sub(20)..].to_vec();
        let known = if self.percent(50) { self.pick(&newest) } else { self.pick(&self.drafts.clone()) };
        let Some(mut again) = known else { return };
        let (salt, json) =
            (format!("{:016x}", self.dice.random::<u64>()), again.body.get(16..).unwrap_or("").to_owned());
        match self.dice.random_range(0..9) {
            0 => {}
            1..=3 => again.body = format!("{salt}{json}"),
            4 | 5 => again.body = format!("{salt}{}", json!({ "text": self.text() })),
            6 => again.body = "short".into(),
            7 => again.author = self.account(),
            _ => again.slot = Some("room".into()),
        }
        self.put(again);
    }

    fn other(&mut self) {
        let (by, target, format) = (self.account(), self.account(), self.dice.random_range(0..=4));
        let mut words = match self.dice.random_range(0..8) {
            0..=2 => {
                let by = if self.percent(75) { target } else { by };
                self.words(by, "logins", &Value::Null)
            }
            3 | 4 => self.words(by, "format", &json!(format)),
            5 => self.words(by, "workspace", &json!({ "id": "bcdfghjklm", "name": "Another", "format": 4 })),
            6 => self.words(by, "poll", &json!({ "question": "Lunch?" })),
            _ => self.words(by, "room.color", &json!([1, "x"])),
        };
        (words.room, words.target) = (Some(self.room()), Some(target.to_string()));
        self.put(words);
    }
}
