//! The kinds of entries, each in its usual and in some unusual forms.

use super::Maker;
use beck::protocol::{AccountId, RoomId};
use rand::Rng;

const HANDLES: [&str; 14] = [
    "ann",
    "bo",
    "a",
    "room",
    "ab",
    "a.b",
    "-ab",
    "ab_",
    "Ann",
    "ä1",
    "",
    "abcdefghijklmnopqrstuvwx",
    "abcdefghijklmnopqrstuvwxy",
    "a b",
];
const KEYS: [&str; 7] = ["general", "side", "odos", "straße", "izmir", "Ωmega", "side "];
const NAMES: [&str; 8] = ["General", "gEnErAl", "Side", "STRAẞE", "ΟΔΟΣ", "οδος", "İzmir", "Room"];
const SLOTS: [&str; 9] =
    ["name", "title", "status", "pronouns", "zone", "field:1", "field:3", "field:4", "size"];

impl Maker {
    pub(super) fn step(&mut self) {
        match self.dice.random_range(0..200) {
            0..=9 => {
                let owner = self.percent(25);
                self.make_account(owner);
            }
            10..=21 => self.set_account(),
            22..=24 => self.set_workspace(),
            25..=29 => self.end_logins(),
            30..=38 => self.void(),
            39..=46 => self.make_room(),
            47..=64 => self.set_room(),
            65..=80 => self.change_members(true),
            81..=88 => self.change_members(false),
            89..=118 => self.write_message(),
            119..=134 => self.act(),
            135..=150 => self.delete_or_restore(),
            151..=158 => self.react(),
            159 => self.react_often(),
            160..=175 => self.erase(),
            176..=190 => self.repeat(),
            _ => self.other(),
        }
    }

    pub(super) fn make_account(&mut self, owner: bool) {
        let (id, n): (AccountId, _) = (self.letters().parse().unwrap(), self.ids);
        let (known, operator) = (self.account(), self.operator());
        let handle = self.one_of(&HANDLES).to_owned();
        let handle = if self.percent(25) { handle } else { format!("p{n}") };
        let role = if owner { r#","role":"owner""# } else { "" };
        let rooms =
            self.oracle.rooms.first().map_or(String::new(), |room| format!(r#","rooms":["{}"]"#, room.id));
        let rooms = if self.percent(30) { rooms } else { String::new() };
        let invitation = format!(r#","invitation":"{}""#, "0a".repeat(32));
        let invitation = if self.percent(30) { invitation } else { String::new() };
        let old_role = if owner { "owner" } else { "member" };
        let body = if self.percent(20) {
            format!(r#"{{"name":"Person {n}","handle":"{handle}","role":"{old_role}"}}"#)
        } else {
            format!(r#"{{"handle":"{handle}"{role}{rooms}{invitation}}}"#)
        };
        let by = if owner && self.percent(75) {
            operator
        } else {
            self.pick(&[id, id, id, id, operator, known]).unwrap()
        };
        let target = self.pick(&[id, id, id, id, id, id, id, id, known, operator]).unwrap();
        let body = self.kept(&body);
        let mut words = self.words(by, "account", body);
        words.target = Some(target.to_string());
        self.put(words);
    }

    fn set_account(&mut self) {
        let (target, other, operator) = (self.account(), self.account(), self.operator());
        let by = self.pick(&[target, target, target, other, operator]).unwrap();
        let role = self.percent(25);
        let slot = if role { "role" } else { self.one_of(&SLOTS) };
        let text = self.text();
        let value = serde_json::to_string(&text).unwrap();
        let draft =
            if self.percent(30) { "{\"value\":null}".to_owned() } else { format!("{{\"value\":{value}}}") };
        let body = if role { self.kept(r#"{"value":"owner"}"#) } else { self.erasable(&draft) };
        let by = if role && self.percent(50) { operator } else { by };
        let mut words = self.words(by, "account.set", body);
        (words.target, words.slot) = (Some(target.to_string()), Some(slot.into()));
        self.put(words);
    }

    fn set_workspace(&mut self) {
        let (owner, operator) = (self.owner(), self.operator());
        let by = self.pick(&[owner, operator, operator]).unwrap();
        let body = self.erasable(r#"{"value":"Another name"}"#);
        let mut words = self.words(by, "workspace.set", body);
        words.slot = Some(if self.percent(85) { "name" } else { "topic" }.into());
        self.put(words);
    }

    fn end_logins(&mut self) {
        let (target, other, operator) = (self.account(), self.account(), self.operator());
        let (by, body) = (self.pick(&[target, target, other, operator]).unwrap(), self.kept("null"));
        let mut words = self.words(by, "logins", body);
        words.target = Some(target.to_string());
        self.put(words);
    }

    fn make_room(&mut self) {
        let (known, operator, name, key) =
            (self.room(), self.operator(), self.one_of(&NAMES), self.one_of(&KEYS));
        let (account, stranger) = (self.account(), self.stranger());
        let by = self.pick(&[account, account, account, account, operator, operator, stranger]).unwrap();
        let n = self.ids;
        let key = if self.percent(50) { key.to_owned() } else { format!("room {n}") };
        let kind = if self.percent(92) { "open" } else { "private" };
        let body = if self.percent(30) {
            format!(r#"{{"kind":"{kind}","name":"{name}","topic":"About it"}}"#)
        } else {
            format!(r#"{{"kind":"{kind}","name":"{name}","key":"{key}"}}"#)
        };
        let body = self.kept(&body);
        let mut words = self.words(by, "room", body);
        let id = self.letters().parse().unwrap();
        words.room = Some(if self.percent(8) { known } else { id });
        self.put(words);
    }

    fn set_room(&mut self) {
        let rooms = self.oracle.rooms.clone();
        let archived: Vec<_> = rooms.iter().filter(|room| room.archived).map(|room| room.id).collect();
        let (name, key, room) = (self.one_of(&NAMES), self.one_of(&KEYS), self.room());
        let (slot, json) = match self.dice.random_range(0..13) {
            0..=2 => ("name", format!(r#"{{"value":"{name}","key":"{key}"}}"#)),
            3 => ("name", format!(r#"{{"value":"{name}"}}"#)),
            4 | 5 => ("topic", "{\"value\":\"Another topic\"}".into()),
            6 | 7 => ("archived", "{\"value\":true}".into()),
            8..=11 => ("archived", "{\"value\":false}".into()),
            _ => ("color", "{\"value\":true}".into()),
        };
        let comes_back = json == "{\"value\":false}";
        let room = if comes_back || self.percent(15) { self.pick(&archived).unwrap_or(room) } else { room };
        let (author, owner) = (self.author(room), self.owner());
        let maker = self.oracle.room(room).map_or(author, |room| room.maker);
        let by = self.pick(&[author, author, maker, owner]).unwrap();
        let body = if slot == "topic" { self.erasable(&json) } else { self.kept(&json) };
        let mut words = self.words(by, "room.set", body);
        (words.room, words.slot) = (Some(room), Some(slot.into()));
        self.put(words);
    }

    fn change_members(&mut self, joins: bool) {
        let (room, target) = (self.room(), self.account());
        let archived = self.oracle.rooms.iter().filter(|room| room.archived).map(|room| room.id);
        let archived: Vec<_> = archived.collect();
        let room = if self.percent(20) { self.pick(&archived).unwrap_or(room) } else { room };
        let member = self.member(room);
        let target = if joins { target } else { self.pick(&[member, member, target]).unwrap() };
        let author = self.author(room);
        let (by, body) = (self.pick(&[target, target, author]).unwrap(), self.kept("null"));
        let mut words = self.words(by, if joins { "join" } else { "leave" }, body);
        (words.room, words.target) = (Some(room), Some(target.to_string()));
        self.put(words);
    }

    fn write_message(&mut self) {
        let (target, room, text, writer) = (self.message(), self.room(), self.text(), self.account());
        let target = if self.percent(50) { target } else { None };
        let room = target.as_ref().filter(|_| self.dice.random_bool(0.9)).map_or(room, |target| target.room);
        let text = serde_json::to_string(&text).unwrap();
        let quote = self.message().map(|quoted| format!(r#","quote":"{}""#, quoted.id));
        let quote = quote.filter(|_| self.percent(30)).unwrap_or_default();
        let said = if self.percent(20) { r#","said":5"# } else { "" };
        let body = self.erasable(&format!("{{\"text\":{text}{quote}{said}}}"));
        let imports = self.percent(20);
        let (author, operator) = (self.author(room), self.operator());
        let by = if imports && self.percent(85) { operator } else { author };
        let mut words = self.words(by, "message", body);
        let in_room = self.percent(if target.is_some() { 40 } else { 4 });
        words.slot = match (in_room, imports) {
            (true, true) => Some(format!("room,for:{writer}")),
            (true, false) => Some("room".into()),
            (false, true) => Some(format!("for:{writer}")),
            (false, false) => None,
        };
        (words.room, words.target) = (Some(room), target.map(|target| target.id.to_string()));
        self.put(words);
    }

    fn act(&mut self) {
        let Some(message) = self.message() else { return };
        let (elsewhere, text) = (self.room(), self.text());
        let room = if self.percent(4) { elsewhere } else { message.room };
        let author = self.author(room);
        let text = serde_json::to_string(&text).unwrap();
        let (slot, body) = match self.dice.random_range(0..8) {
            0..=4 => ("text", self.edit_body(&format!("{{\"value\":{text}}}"))),
            5 => ("pin", self.kept("{\"value\":true}")),
            6 => ("pin", self.kept("{\"value\":false}")),
            _ => ("label:later", self.kept("{\"value\":true}")),
        };
        let by = self.pick(&[message.author, message.author, message.author, author]).unwrap();
        let mut words = self.words(by, "act", body);
        (words.room, words.target, words.slot) =
            (Some(room), Some(message.id.to_string()), Some(slot.into()));
        self.put(words);
    }

    /// Prefers messages that are deleted already.
    fn delete_or_restore(&mut self) {
        let deleted: Vec<_> =
            self.oracle.messages.iter().filter(|message| !message.deletions.is_empty()).cloned().collect();
        let recent = deleted[deleted.len().saturating_sub(8)..].to_vec();
        let any = self.message();
        let known = if self.percent(60) { self.pick(&recent).or(any) } else { any };
        let Some(message) = known else { return };
        let (author, owner, operator) = (self.author(message.room), self.owner(), self.operator());
        let first = message.deletions.first().map_or(message.author, |deletion| deletion.by);
        let by = self.pick(&[message.author, message.author, first, first, owner, operator, author]).unwrap();
        let salt = self.kept("");
        let body = match self.dice.random_range(0..20) {
            0..=9 => format!("{salt}{{\"value\":true}}"),
            10..=13 => format!("{salt}{{\"value\":false}}"),
            14..=16 => format!("{salt}{{\"value\":{{\"restored\":\"again\"}}}}"),
            17 => format!("{salt}{salt}{{\"value\":true}}"),
            18 => format!("{salt}{{\"value\":true}}\n{{}}"),
            _ => format!("{} {{\"value\":true}}", &salt[..15]),
        };
        let mut words = self.words(by, "act", body);
        (words.room, words.target) = (Some(message.room), Some(message.id.to_string()));
        words.slot = Some("deleted".into());
        self.put(words);
    }

    fn react(&mut self) {
        let Some(message) = self.message() else { return };
        let (author, operator) = (self.author(message.room), self.operator());
        let other = if self.percent(20) { self.stranger() } else { self.account() };
        let by = self.pick(&[author, author, author, operator]).unwrap();
        let who = if by == operator || self.percent(10) { other } else { by };
        let (long, longer) = ("👍".repeat(16), format!("{}1", "👍".repeat(16)));
        let emoji = self.one_of(&["👍", "🎉", "1", &long, &longer, "a", "_", "x:y", "-", ""]).to_owned();
        let on = self.percent(70);
        self.put_reaction(message.room, &message.id.to_string(), by, (&emoji, who, on));
    }

    fn put_reaction(&mut self, room: RoomId, target: &str, by: AccountId, what: (&str, AccountId, bool)) {
        let (emoji, who, on) = what;
        let body = self.kept(&format!("{{\"value\":{on}}}"));
        let mut words = self.words(by, "act", body);
        (words.room, words.target) = (Some(room), Some(target.to_owned()));
        words.slot = Some(format!("react:{emoji}:{who}"));
        self.put(words);
    }

    /// More reactions than one message takes, of one account or of several.
    fn react_often(&mut self) {
        let Some(message) = self.message() else { return };
        let operator = self.operator();
        let members = self.oracle.room(message.room).map(|room| room.members.clone()).unwrap_or_default();
        let Some(one) = self.pick(&members) else { return };
        let alone = self.percent(50);
        for n in 0..self.dice.random_range(11..26u32) {
            let emoji = char::from_u32(0x1f600 + n).unwrap().to_string();
            let who = if alone { one } else { self.pick(&members).unwrap() };
            let by = if self.percent(30) { operator } else { who };
            let on = self.percent(92);
            self.put_reaction(message.room, &message.id.to_string(), by, (&emoji, who, on));
        }
    }

    /// Voids a draft that is in the log, or one that comes right after the void, once or twice.
    fn void(&mut self) {
        let (Some(known), stranger) = (self.pick(&self.drafts.clone()), self.account()) else { return };
        let (operator, body) = (self.operator(), self.kept("null"));
        let by = self.pick(&[known.author, known.author, known.author, stranger, operator]).unwrap();
        if self.percent(50) {
            let mut void = self.words(by, "void", body);
            let target = if self.percent(15) { void.id } else { known.id };
            void.target = Some(target.to_string());
            return self.put(void);
        }
        let room = self.room();
        let (author, text) = (self.member(room), self.erasable("{\"text\":\"late\"}"));
        let mut late = self.words(author, "message", text);
        late.room = Some(room);
        let by = if self.percent(80) { author } else { stranger };
        let mut void = self.words(by, "void", body);
        void.target = Some(late.id.to_string());
        self.put(void);
        self.put(late.clone());
        if self.percent(30) {
            self.put(late);
        }
    }

    /// Repeats a draft: unchanged, with another body, with another word, or by another author.
    fn repeat(&mut self) {
        let newest = self.drafts[self.drafts.len().saturating_sub(20)..].to_vec();
        let known = if self.percent(50) { self.pick(&newest) } else { self.pick(&self.drafts.clone()) };
        let Some(mut again) = known else { return };
        let deleted = again.slot.as_deref() == Some("deleted");
        match self.dice.random_range(0..10) {
            0..=2 => {}
            3..=5 if deleted => again.body = self.kept("{\"value\":{\"restored\":\"other\"}}"),
            3..=5 => again.body = self.erasable("{\"text\":\"another text\"}"),
            6 => again.body = String::new(),
            7 => again.author = self.account(),
            8 => again.kind = self.one_of(&["message", "act", "join", "poll"]).to_owned(),
            _ => again.slot = Some("text".into()),
        }
        self.put(again);
    }

    fn other(&mut self) {
        let (by, operator, account) = (self.account(), self.operator(), self.account());
        let either = self.pick(&[by, operator]).unwrap();
        let number =
            self.one_of(&["1", "4", "5", "5", "6", "4294967295", "4294967296", "0", "05", "+5", "\"5\""]);
        let (kind, body) = match self.dice.random_range(0..4) {
            0 | 1 => ("format", self.kept(number)),
            2 => (
                "workspace",
                self.kept(&format!("{{\"id\":\"{operator}\",\"name\":\"Again\",\"format\":5}}")),
            ),
            _ => ("poll", self.kept("{\"question\":\"Lunch?\"}")),
        };
        let mut words = self.words(either, kind, body);
        if kind == "poll" {
            (words.room, words.target) = (Some(self.room()), Some(account.to_string()));
        }
        self.put(words);
    }
}
