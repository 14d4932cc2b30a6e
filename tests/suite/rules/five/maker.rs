//! Makes random histories of format 5, and logs that rise to it. Most entries have the form that servers write; many
//! miss it by a little. Rooms, people and messages come from the interpreter's lists, so that most entries concern
//! something that exists. Times jump to the bounds of the rules: a day after a deletion, and a millisecond before.

mod erases;
mod misses;
mod steps;

use super::super::interpreter::Decided;
use super::super::maker::history as earlier_history;
use super::super::written::{BEGIN, Words, client_id, write_at};
use super::lists::{DAY, Interpreter, Message};
use beck::protocol::{AccountId, ClientId, RoomId};
use beck::server::broker::Entry;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Ids of drafts that the earlier part of a log does not use.
const FIRST_ID: u64 = 1 << 32;

pub struct Maker {
    dice: StdRng,
    pub log: Vec<Entry>,
    pub decided: Vec<Decided>,
    /// For each entry the messages that it erased something of.
    pub named: Vec<Vec<ClientId>>,
    /// Entries that stop the fold, each with the length of the log before it.
    pub stops: Vec<(usize, Entry)>,
    pub oracle: Interpreter,
    /// How long the part of earlier formats is.
    pub rise: usize,
    drafts: Vec<Words>,
    ids: u64,
    at: i64,
}

/// A log of at least this many entries. Every third one rises from an earlier format.
pub fn history(seed: u64, entries: usize) -> Maker {
    let mut maker = Maker {
        dice: StdRng::seed_from_u64(seed),
        log: Vec::new(),
        decided: Vec::new(),
        named: Vec::new(),
        stops: Vec::new(),
        oracle: Interpreter::default(),
        rise: 0,
        drafts: Vec::new(),
        ids: FIRST_ID,
        at: BEGIN,
    };
    if seed.is_multiple_of(3) {
        maker.rise(seed, entries / 3)
    } else {
        maker.begin()
    }
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

    fn one_of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.dice.random_range(0..of.len())]
    }

    fn letters(&mut self) -> String {
        (0..10).map(|_| char::from(b"bcdfghjklmnpqrstvwxz"[self.dice.random_range(0..20)])).collect()
    }

    fn new_id(&mut self) -> ClientId {
        self.ids += 1;
        client_id(self.ids)
    }

    fn operator(&self) -> AccountId {
        self.oracle.operator.unwrap()
    }

    fn stranger(&mut self) -> AccountId {
        self.letters().parse().unwrap()
    }

    /// An account that exists, seldom one that does not.
    fn account(&mut self) -> AccountId {
        let known: Vec<_> = self.oracle.accounts.iter().map(|account| account.id).collect();
        let stranger = self.stranger();
        if self.percent(4) { stranger } else { self.pick(&known).unwrap_or(stranger) }
    }

    fn owner(&mut self) -> AccountId {
        let owners: Vec<_> =
            self.oracle.accounts.iter().filter(|account| account.owner).map(|a| a.id).collect();
        let other = self.account();
        self.pick(&owners).unwrap_or(other)
    }

    fn room(&mut self) -> RoomId {
        let archived = self.percent(15);
        let rooms = self.oracle.rooms.iter().filter(|room| archived || !room.archived);
        let known: Vec<_> = rooms.map(|room| room.id).collect();
        let nowhere: RoomId = self.letters().parse().unwrap();
        if self.percent(3) { nowhere } else { self.pick(&known).unwrap_or(nowhere) }
    }

    fn member(&mut self, room: RoomId) -> AccountId {
        let members = self.oracle.room(room).map(|room| room.members.clone()).unwrap_or_default();
        let anyone = self.account();
        if self.percent(8) { anyone } else { self.pick(&members).unwrap_or(anyone) }
    }

    /// Mostly a member, else the operator, an owner, or anybody.
    fn author(&mut self, room: RoomId) -> AccountId {
        let (member, owner, anyone, operator) =
            (self.member(room), self.owner(), self.account(), self.operator());
        self.pick(&[member, member, member, member, member, owner, anyone, operator]).unwrap()
    }

    /// Prefers recent messages, so that the same message is the target of many acts.
    fn message(&mut self) -> Option<Message> {
        let all = self.oracle.messages.clone();
        let newest = all[all.len().saturating_sub(6)..].to_vec();
        if self.percent(60) { self.pick(&newest) } else { self.pick(&all) }
    }

    fn text(&mut self) -> String {
        let n = self.dice.random_range(0..9);
        let texts =
            [format!("line {n}"), format!("@ann, line {n}"), "日本語 👩‍💻".into(), "a \"b\"\\\n".into()];
        self.pick(&texts).unwrap()
    }

    /// A never-erased body in its only form.
    fn kept(&mut self, json: &str) -> String {
        format!("{:016x}{json}", self.dice.random::<u64>())
    }

    /// An erasable body, mostly in the form of format 5.
    fn erasable(&mut self, draft: &str) -> String {
        let (salt, other) = (self.dice.random::<u128>(), self.dice.random::<u64>());
        let bodies = [
            format!("{salt:032x}{draft}\n{{}}"),
            format!("{salt:032x}{draft}\n{{\"mentions\":{{\"ann\":\"bcdfghjklm\"}}}}"),
            format!("{salt:032x}{draft}\n{{\"all\":true}}"),
            format!("{other:016x}{draft}"),
        ];
        self.pick(&bodies).unwrap()
    }

    /// The body of an edit, mostly with what a server knows of the quote and of the time of its message.
    fn edit_body(&mut self, draft: &str) -> String {
        let body = self.erasable(draft);
        let quoted = self.message().map(|message| format!(r#""quote":"{}""#, message.id));
        let said = Some(format!(r#""said":{}"#, self.dice.random_range(0..9)));
        let parts: Vec<_> = [quoted, said].into_iter().flatten().filter(|_| self.percent(60)).collect();
        match body.split_once('\n') {
            Some((draft, added)) => {
                let other = added.strip_prefix('{').and_then(|added| added.strip_suffix('}')).unwrap();
                let other = (!other.is_empty()).then(|| other.to_owned());
                let parts: Vec<_> = other.into_iter().chain(parts).collect();
                format!("{draft}\n{{{}}}", parts.join(","))
            }
            None => body,
        }
    }

    fn words(&mut self, author: AccountId, kind: &str, body: String) -> Words {
        let id = self.new_id();
        Words::new(author, id, kind, body)
    }

    /// Mostly a few seconds pass, sometimes hours, and sometimes a bound is met.
    fn pass_time(&mut self) {
        let deletions = self.oracle.messages.iter().flat_map(|message| message.deletions.first());
        let deletions: Vec<_> = deletions.map(|deletion| deletion.at).collect();
        let written: Vec<_> = self.oracle.past.iter().map(|past| past.at).collect();
        let bounds = if self.percent(50) { deletions } else { written };
        let bound = self.pick(&bounds[bounds.len().saturating_sub(9)..]).unwrap_or(self.at) + DAY;
        let early = i64::from(self.percent(50));
        let at = match self.dice.random_range(0..100) {
            0..=1 => bound - early,
            2..=3 => self.at + self.dice.random_range(0..DAY),
            4..=9 => self.at,
            _ => self.at + self.dice.random_range(0..600_000),
        };
        self.at = self.at.max(at);
    }

    fn put(&mut self, words: Words) {
        self.pass_time();
        self.put_now(words);
    }

    fn put_now(&mut self, mut words: Words) {
        self.spoil(&mut words);
        write_at(&mut self.log, &words, self.at);
        // Some texts were erased before this server read them.
        if self.percent(2) {
            self.log.last_mut().unwrap().body = None;
        }
        self.read_newest();
        self.drafts.push(words);
    }

    fn read_newest(&mut self) {
        let entry = self.log.last().unwrap();
        match self.oracle.read(&entry.header, entry.body.as_deref()) {
            Ok(decided) => {
                self.decided.push(decided);
                self.named.push(self.oracle.named.clone());
            }
            Err(_) => {
                let entry = self.log.pop().unwrap();
                self.stops.push((self.log.len(), entry));
            }
        }
    }

    fn begin(&mut self) {
        let operator: AccountId = self.letters().parse().unwrap();
        let body = self.kept(&format!("{{\"id\":\"{operator}\",\"name\":\"Histories\",\"format\":5}}"));
        let words = self.words(operator, "workspace", body);
        write_at(&mut self.log, &words, self.at);
        self.read_newest();
        self.drafts.push(words);
        self.furnish();
    }

    /// A log that formats 1 to 4 decide up to its rise.
    fn rise(&mut self, seed: u64, entries: usize) {
        self.log = earlier_history(seed, entries).log;
        for entry in &self.log {
            self.decided.push(self.oracle.read(&entry.header, entry.body.as_deref()).unwrap());
            self.named.push(Vec::new());
        }
        self.at = self.log.last().unwrap().header.at;
        let (author, body) = (self.oracle.earlier.accounts[0].id, self.kept("5"));
        let words = self.words(author, "format", body);
        write_at(&mut self.log, &words, self.at);
        self.read_newest();
        self.rise = self.log.len();
        let again = self.log.iter().filter(|entry| entry.body.is_some()).map(|entry| {
            let header = &entry.header;
            let word =
                |word: &Option<beck::protocol::Token>| word.as_ref().map(|word| word.as_str().to_owned());
            Words {
                author: header.author,
                id: header.client_id,
                kind: header.kind.as_str().to_owned(),
                room: header.room,
                target: word(&header.target),
                slot: word(&header.slot),
                body: entry.body.clone().unwrap(),
            }
        });
        self.drafts = again.collect();
        self.furnish();
    }

    /// The operator makes an owner and a room, and some people join it.
    fn furnish(&mut self) {
        let operator = self.operator();
        self.make_account(true);
        for _ in 0..4 {
            self.make_account(false);
        }
        let (id, body) =
            (self.letters().parse().unwrap(), self.kept(r#"{"kind":"open","name":"Start","key":"start"}"#));
        let mut words = self.words(operator, "room", body);
        words.room = Some(id);
        self.put(words);
        for account in self.oracle.accounts.clone() {
            let body = self.kept("null");
            let mut words = self.words(operator, "join", body);
            (words.room, words.target) = (Some(id), Some(account.id.to_string()));
            self.put(words);
        }
    }
}
