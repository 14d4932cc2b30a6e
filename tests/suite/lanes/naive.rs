//! A naive interpreter of a room's log that knows threads. It shares no code with the fold.

use crate::support::draft_of;
use beck::protocol::{AccountId, Badge, ClientId, Kind, Pointer, RoomId};
use beck::server::broker::Entry;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub const HANDLES: [&str; 4] = ["olive", "ann", "bob", "cid"];

/// What was done beside the log.
#[derive(Debug, Clone)]
pub enum Said {
    Follow(AccountId, u64, bool),
    /// Of a lane; 0 is the room.
    Read(AccountId, u64, Pointer),
    /// In a log of formats 1 to 4: later ones have an entry for it.
    Erased(ClientId),
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    pub id: String,
    pub by: String,
    pub seq: u64,
    pub text: Option<String>,
    pub edited: bool,
    pub deleted: bool,
    pub pinned: bool,
    /// As their slots have them.
    pub reactions: BTreeSet<String>,
    /// Lane and ordinal; two, where it stands in the room too.
    pub places: Vec<(u64, u64)>,
    pub last: u64,
    pub answers: u64,
    pub answerers: Vec<String>,
}

/// What nobody sees of a line. Of use from format 5 on.
#[derive(Debug, Clone, Default)]
struct Behind {
    /// The text before the deletion: a restore carries none.
    stood: Option<String>,
    /// Whom its texts have named until now.
    named: BTreeSet<String>,
    /// The operator has deleted it, or an entry has erased it: it does not come back.
    lost: bool,
}

impl Line {
    fn thread(&self) -> Option<(u64, u64)> {
        self.places.iter().find(|(lane, _)| *lane != 0).copied()
    }

    pub fn at(&self, lane: u64) -> Option<u64> {
        self.places.iter().find(|(of, _)| *of == lane).map(|(_, ordinal)| *ordinal)
    }
}

/// One account in one thread.
#[derive(Debug, Clone, Default)]
struct Part {
    /// Where it wrote first; 0 is the root.
    wrote: Option<u64>,
    /// What named it, and which entry did so last.
    named: BTreeMap<u64, u64>,
    said: Option<(bool, u64)>,
    read: Option<Pointer>,
}

impl Part {
    fn takes_part(&self) -> bool {
        self.wrote.is_some() || !self.named.is_empty()
    }

    fn follows(&self) -> bool {
        match self.said {
            Some((true, _)) => true,
            Some((false, since)) => self.named.values().any(|seq| *seq > since),
            None => self.takes_part(),
        }
    }

    /// The newest ordinal before it took part.
    fn since(&self) -> u64 {
        self.wrote.iter().chain(self.named.keys()).min().map_or(0, |first| first.saturating_sub(1))
    }

    fn pointer(&self) -> Pointer {
        self.read.unwrap_or_default().max(Pointer { generation: 0, ordinal: self.since() })
    }
}

#[derive(Debug)]
pub struct Naive {
    people: Vec<AccountId>,
    pub seq: u64,
    pub lines: Vec<Line>,
    behind: BTreeMap<String, Behind>,
    /// The workspace as an author.
    operator: String,
    /// What was said in the room when they came, and how far each has read since.
    pub members: BTreeMap<String, (u64, Pointer)>,
    parts: BTreeMap<(String, u64), Part>,
    /// The log's format: what a restore is, and whether answers in the room are known to it yet.
    format: u64,
}

/// What is unread of a room: in its own lane, and in the threads that one follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counts {
    pub unread: u32,
    pub mentions: u32,
    pub read: Pointer,
    pub threads: u32,
    pub thread_mentions: u32,
    pub newest_answer: u64,
}

impl From<Badge> for Counts {
    fn from(badge: Badge) -> Counts {
        Counts {
            unread: badge.unread,
            mentions: badge.mentions,
            read: badge.pointer(),
            threads: badge.threads,
            thread_mentions: badge.thread_mentions,
            newest_answer: badge.newest_answer,
        }
    }
}

impl Naive {
    /// `said` has the number of the entry after which each thing was done.
    pub fn read(log: &[Entry], said: &[(u64, Said)], room: RoomId, people: &[AccountId]) -> Naive {
        let mut naive = Naive {
            people: people.to_vec(),
            seq: 0,
            lines: Vec::new(),
            behind: BTreeMap::new(),
            operator: String::new(),
            members: BTreeMap::new(),
            parts: BTreeMap::new(),
            format: 0,
        };
        let mut said = said.iter().peekable();
        for entry in log {
            naive.entry(entry, room);
            while let Some((_, said)) = said.next_if(|(after, _)| *after <= entry.header.g) {
                naive.said(said);
            }
        }
        naive
    }

    fn entry(&mut self, entry: &Entry, room: RoomId) {
        let header = &entry.header;
        let body: Value =
            draft_of(entry).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let target = header.target.as_ref().map_or("", |target| target.as_str()).to_owned();
        let (by, ours) = (header.author.to_string(), header.room == Some(room));
        let here = (self.head(0), Pointer { generation: 0, ordinal: self.head(0) });
        match header.kind {
            Kind::Workspace => {
                self.format = body["format"].as_u64().unwrap();
                self.operator = body["id"].as_str().unwrap().to_owned();
            }
            Kind::Format => self.format = body.as_u64().unwrap(),
            Kind::Room if ours => {
                self.members.insert(by, here);
                self.seq += 1;
            }
            Kind::RoomSet if ours => self.seq += 1,
            Kind::Join if ours && !self.members.contains_key(&target) => {
                self.members.insert(target, here);
                self.seq += 1;
            }
            Kind::Leave if ours && self.members.remove(&target).is_some() => {
                self.parts.retain(|(who, _), _| *who != target);
                self.seq += 1;
            }
            Kind::Message if ours && self.members.contains_key(&by) => {
                self.message(entry, body["text"].as_str().unwrap());
            }
            Kind::Act if ours && self.may_act(entry, &by) => self.act(entry, &body["value"]),
            Kind::Erase if ours => {
                self.seq += 1;
                for id in body["messages"].as_array().unwrap() {
                    let id = id.as_str().unwrap();
                    self.behind.get_mut(id).unwrap().lost = true;
                    self.forget_named(id);
                }
            }
            _ => {}
        }
    }

    /// From format 5 on the operator deletes everywhere, and whoever has left deletes and restores what they wrote.
    fn may_act(&self, entry: &Entry, by: &str) -> bool {
        let (target, slot) = (entry.header.target.as_ref().unwrap(), entry.header.slot.as_ref().unwrap());
        let own = self.lines.iter().any(|line| line.id == target.as_str() && line.by == by);
        let outside = self.format >= 5 && slot.as_str() == "deleted" && (own || by == self.operator);
        self.members.contains_key(by) || outside
    }

    /// Handles are separated by spaces in the texts of these tests.
    fn named(&self, text: &str, by: &str) -> BTreeSet<String> {
        let word = |word: &str| HANDLES.iter().position(|handle| word == format!("@{handle}"));
        let named = text.split(' ').filter_map(word).map(|n| self.people[n].to_string());
        named.filter(|who| *who != by).collect()
    }

    pub fn head(&self, lane: u64) -> u64 {
        self.lines.iter().filter(|line| line.at(lane).is_some()).count() as u64
    }

    fn wrote(&mut self, who: &str, (lane, ordinal): (u64, u64)) {
        if self.members.contains_key(who) {
            self.parts.entry((who.to_owned(), lane)).or_default().wrote.get_or_insert(ordinal);
        }
    }

    fn was_named(&mut self, who: &str, (lane, ordinal): (u64, u64), seq: u64) {
        if self.members.contains_key(who) {
            self.parts.entry((who.to_owned(), lane)).or_default().named.insert(ordinal, seq);
        }
    }

    fn message(&mut self, entry: &Entry, text: &str) {
        let (header, by) = (&entry.header, entry.header.author.to_string());
        let lane = match &header.target {
            None => 0,
            Some(target) => {
                let Some(line) = self.lines.iter().find(|line| line.id == target.as_str()) else { return };
                match line.places.as_slice() {
                    [(0, _)] => line.seq,
                    [_, (lane, _)] => *lane,
                    _ => return,
                }
            }
        };
        self.seq += 1;
        let named = self.named(text, &by);
        let behind = Behind { stood: Some(text.to_owned()), named, lost: false };
        self.behind.insert(header.client_id.to_string(), behind);
        let slot = header.slot.as_ref().map(|slot| slot.as_str());
        let mut places = vec![(lane, self.head(lane) + 1)];
        if slot == Some("room") && self.format >= 3 && lane != 0 {
            places.insert(0, (0, self.head(0) + 1));
        }
        self.lines.push(Line {
            id: header.client_id.to_string(),
            by: by.clone(),
            seq: self.seq,
            text: Some(text.to_owned()),
            places: places.clone(),
            last: self.seq,
            ..Line::default()
        });
        let Some(place) = places.iter().find(|(lane, _)| *lane != 0).copied() else { return };
        let root = self.lines.iter_mut().find(|line| line.seq == place.0).unwrap();
        root.answers += 1;
        root.answerers.retain(|known| *known != by);
        root.answerers.insert(0, by.clone());
        root.answerers.truncate(3);
        root.last = self.seq;
        if root.answers == 1 {
            let root = root.clone();
            let first = self.named(root.text.as_deref().unwrap_or(""), &root.by);
            self.wrote(&root.by, (place.0, 0));
            first.iter().for_each(|who| self.was_named(who, (place.0, 0), 0));
        }
        self.wrote(&by, place);
        self.named(text, &by).iter().for_each(|who| self.was_named(who, place, self.seq));
    }

    fn act(&mut self, entry: &Entry, value: &Value) {
        let header = &entry.header;
        let target = header.target.as_ref().unwrap().as_str();
        let Some(at) = self.lines.iter().position(|line| line.id == target) else { return };
        let mut line = self.lines[at].clone();
        let mut behind = self.behind[target].clone();
        let before = match self.format {
            0..5 => self.named(line.text.as_deref().unwrap_or(""), &line.by),
            _ => behind.named.clone(),
        };
        match (header.slot.as_ref().unwrap().as_str(), value) {
            ("text", Value::String(text)) if !line.deleted => {
                (line.text, line.edited) = (Some(text.clone()), true);
                behind.stood = line.text.clone();
            }
            ("deleted", Value::Bool(true)) => {
                (line.text, line.deleted) = (None, true);
                behind.lost |= header.author.to_string() == self.operator;
            }
            ("deleted", _) if self.format >= 5 => {
                if !line.deleted || behind.lost {
                    return;
                }
                (line.text, line.deleted) = (behind.stood.clone(), false);
            }
            ("deleted", value) if line.deleted => {
                (line.text, line.deleted) = (value["restored"].as_str().map(str::to_owned), false);
            }
            ("pin", Value::Bool(on)) if !line.deleted => line.pinned = *on,
            (react, Value::Bool(true)) if react.starts_with("react:") && !line.deleted => {
                line.reactions.insert(react.to_owned());
            }
            (react, Value::Bool(false)) if react.starts_with("react:") && !line.deleted => {
                line.reactions.remove(react);
            }
            _ => return,
        }
        self.seq += 1;
        line.last = self.seq;
        let after = self.named(line.text.as_deref().unwrap_or(""), &line.by);
        behind.named.extend(after.iter().cloned());
        self.behind.insert(target.to_owned(), behind);
        if let Some(place) = line.thread() {
            after.difference(&before).for_each(|who| self.was_named(who, place, self.seq));
        }
        self.lines[at] = line;
    }

    fn said(&mut self, said: &Said) {
        match said {
            Said::Follow(who, lane, follow) => {
                let (seq, head) = (self.seq, self.head(*lane));
                let part = self.parts.entry((who.to_string(), *lane)).or_default();
                if *follow && !part.follows() {
                    let generation = part.read.map_or(0, |read| read.generation);
                    part.read = part.read.max(Some(Pointer { generation, ordinal: head }));
                }
                part.said = Some((*follow, seq));
            }
            Said::Read(who, lane, pointer) => {
                let raised = Pointer { ordinal: pointer.ordinal.min(self.head(*lane)), ..*pointer };
                if *lane == 0 {
                    if let Some((_, read)) = self.members.get_mut(&who.to_string()) {
                        *read = raised.max(*read);
                    }
                } else if self.members.contains_key(&who.to_string()) {
                    let part = self.parts.entry((who.to_string(), *lane)).or_default();
                    part.read = part.read.max(Some(raised));
                }
            }
            Said::Erased(id) => self.forget_named(&id.to_string()),
        }
    }

    /// What is in no text any more has named nobody.
    fn forget_named(&mut self, id: &str) {
        let line = self.lines.iter().find(|line| line.id == id).unwrap();
        let (lane, ordinal) = line.thread().unwrap_or((line.seq, 0));
        for ((_, of), part) in &mut self.parts {
            if *of == lane {
                part.named.remove(&ordinal);
            }
        }
    }

    fn names(line: &Line, whom: &str) -> bool {
        line.text.as_deref().unwrap_or("").split(' ').any(|word| word == whom)
    }

    fn handle(&self, me: AccountId) -> String {
        format!("@{}", HANDLES[self.people.iter().position(|who| *who == me).unwrap()])
    }

    /// What others wrote in a lane above a pointer, and what of it names me or everybody.
    pub fn unread(&self, me: AccountId, lane: u64, read: u64) -> (u32, u32) {
        let handle = self.handle(me);
        let above: Vec<_> = self
            .lines
            .iter()
            .filter(|line| line.places[0].0 == lane && line.places[0].1 > read)
            .filter(|line| line.by != me.to_string() && !line.deleted)
            .collect();
        let named = above.iter().filter(|line| Self::names(line, &handle) || Self::names(line, "@room"));
        (above.len() as u32, named.count() as u32)
    }

    /// How far an account has read in a thread.
    pub fn pointer(&self, me: AccountId, lane: u64) -> Pointer {
        self.parts.get(&(me.to_string(), lane)).map_or_else(Pointer::default, Part::pointer)
    }

    /// Threads that an account follows, with the newest answer first: lane, unread, mentions, read.
    pub fn threads(&self, me: AccountId) -> Vec<(u64, u32, u32, Pointer)> {
        let mut threads = Vec::new();
        for ((who, lane), part) in &self.parts {
            if *who == me.to_string() && part.follows() {
                let (unread, mentions) = self.unread(me, *lane, part.pointer().ordinal);
                let newest = self.lines.iter().filter(|line| line.at(*lane).is_some()).map(|line| line.seq);
                threads.push((newest.max().unwrap_or(*lane), (*lane, unread, mentions, part.pointer())));
            }
        }
        threads.sort_by_key(|(newest, _)| std::cmp::Reverse(*newest));
        threads.into_iter().map(|(_, thread)| thread).collect()
    }

    /// Seqs of the answers of a lane, whoever wrote them.
    fn seqs(&self, lane: u64) -> impl Iterator<Item = u64> {
        self.lines.iter().filter(move |line| line.at(lane).is_some()).map(|line| line.seq)
    }

    /// Unread answers of the threads that an account follows, after a seq.
    pub fn answers(&self, me: AccountId, after: u64) -> Vec<String> {
        let threads = self.threads(me);
        let unread = |line: &&Line| {
            let (lane, ordinal) = line.places[0];
            let followed = threads.iter().find(|(of, ..)| *of == lane);
            followed.is_some_and(|(.., read)| ordinal > read.ordinal)
                && line.seq > after
                && line.by != me.to_string()
                && !line.deleted
        };
        let mut all: Vec<_> = self.lines.iter().filter(unread).map(|line| line.id.clone()).collect();
        all.split_off(all.len().saturating_sub(50))
    }

    /// `None` for who is not in the room.
    pub fn counts(&self, me: AccountId) -> Option<Counts> {
        let (_, read) = *self.members.get(&me.to_string())?;
        let (unread, mentions) = self.unread(me, 0, read.ordinal);
        let threads = self.threads(me);
        let sum = |of: fn(&(u64, u32, u32, Pointer)) -> u32| threads.iter().map(of).sum::<u32>().min(100);
        Some(Counts {
            unread: unread.min(100),
            mentions: mentions.min(100),
            read,
            threads: sum(|thread| thread.1),
            thread_mentions: sum(|thread| thread.2),
            newest_answer: threads
                .iter()
                .filter(|(lane, .., read)| read.ordinal < self.head(*lane))
                .filter_map(|(lane, ..)| self.seqs(*lane).max())
                .max()
                .unwrap_or(0),
        })
    }

    /// Ids of what names an account, newest first.
    pub fn mentions(&self, me: AccountId) -> Vec<String> {
        let Some((since, _)) = self.members.get(&me.to_string()) else { return Vec::new() };
        let handle = self.handle(me);
        let meant = |line: &&Line| {
            let (lane, ordinal) = line.places[0];
            if line.by == me.to_string() {
                return false;
            }
            if Self::names(line, &handle) {
                return true;
            }
            if lane == 0 {
                return Self::names(line, "@room") && ordinal > *since;
            }
            let part = self.parts.get(&(me.to_string(), lane)).filter(|part| part.follows());
            let Some(part) = part else { return false };
            let told = part.said.is_some_and(|(follow, seq)| follow && line.seq > seq);
            Self::names(line, "@room") && (part.takes_part() && ordinal > part.since() || told)
        };
        self.lines.iter().rev().filter(meant).map(|line| line.id.clone()).collect()
    }

    /// A lane as anybody who loads it sees it.
    pub fn lane(&self, lane: u64) -> Vec<(u64, Line)> {
        let mut lines: Vec<_> =
            self.lines.iter().filter_map(|line| Some((line.at(lane)?, line.clone()))).collect();
        lines.sort_by_key(|(ordinal, _)| *ordinal);
        lines
    }
}
