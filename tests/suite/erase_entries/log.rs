//! A log that is written entry by entry and folded at once.

use crate::support::log_reader::{digest_of, link_after};
use crate::support::tables::tables;
use beck::protocol::{AccountId, ClientId, Event, Format, Header, Outcome, Row};
use beck::server::broker::Entry;
use beck::server::fold::{Fold, Folded};
use beck::server::state::{Floor, Reader, State};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tempfile::{TempDir, tempdir};

pub const OPERATOR: &str = "wwwwwwwwww";
pub const ANN: &str = "bbbbbbbbbb";
pub const BOB: &str = "cccccccccc";
pub const ROOM: &str = "rrrrrrrrrr";
pub const OTHER_ROOM: &str = "tttttttttt";
pub const DAY: i64 = 86_400_000;

/// The header words of an entry, and its body without the salt.
#[derive(Debug, Clone)]
pub struct Words {
    by: String,
    pub id: String,
    kind: String,
    room: Option<String>,
    target: Option<String>,
    slot: Option<String>,
    /// The stored bytes.
    body: String,
}

/// An id made from a number.
pub fn id(n: u64) -> String {
    format!("{n:08x}-0000-7000-8000-{n:012x}")
}

impl Words {
    pub fn room(mut self, room: &str) -> Words {
        self.room = Some(room.to_owned());
        self
    }

    pub fn no_room(mut self) -> Words {
        self.room = None;
        self
    }

    pub fn target(mut self, target: &str) -> Words {
        self.target = Some(target.to_owned());
        self
    }

    pub fn slot(mut self, slot: &str) -> Words {
        self.slot = Some(slot.to_owned());
        self
    }

    pub fn id(mut self, id: &str) -> Words {
        self.id = id.to_owned();
        self
    }

    pub fn by(mut self, author: &str) -> Words {
        self.by = author.to_owned();
        self
    }

    /// The whole stored bytes, as they are.
    pub fn stored(mut self, body: &str) -> Words {
        self.body = body.to_owned();
        self
    }
}

pub struct Log {
    folder: TempDir,
    state: State,
    fold: Fold,
    pub entries: Vec<Entry>,
    pub folded: Vec<Folded>,
    /// The time of the next entry.
    pub now: i64,
    ids: u64,
    /// The format in force.
    format: u32,
}

fn open(folder: &Path) -> (State, Fold) {
    Fold::open_up_to(folder, |_, _| true, Format::Five).unwrap()
}

impl Log {
    /// A log of format 5 with Ann, Bob and two rooms that Ann made and Bob joined.
    pub fn new() -> Log {
        let account = |handle: &str| format!(r#"{{"handle":"{handle}"}}"#);
        let room = |name: &str| format!(r#"{{"kind":"open","name":"{name}","key":"{name}"}}"#);
        Log::begin(5, account, room)
    }

    /// The same in a format from 1 to 4.
    pub fn of_earlier(format: u32) -> Log {
        let account = |handle: &str| format!(r#"{{"name":"{handle}","handle":"{handle}","role":"member"}}"#);
        let room = |name: &str| format!(r#"{{"kind":"open","name":"{name}","topic":""}}"#);
        Log::begin(format, account, room)
    }

    fn begin(format: u32, account: impl Fn(&str) -> String, room: impl Fn(&str) -> String) -> Log {
        let mut log = Log::empty(format);
        let workspace = format!(r#"{{"id":"{OPERATOR}","name":"Here","format":{format}}}"#);
        let workspace = log.raw(OPERATOR, "workspace", &workspace);
        log.accept(workspace);
        for (id, handle) in [(ANN, "ann"), (BOB, "bob")] {
            let account = log.raw(id, "account", &account(handle)).target(id);
            log.accept(account);
        }
        for (id, name) in [(ROOM, "general"), (OTHER_ROOM, "other")] {
            let room = log.raw(ANN, "room", &room(name)).room(id);
            log.accept(room);
            let join = log.raw(BOB, "join", "null").room(id).target(BOB);
            log.accept(join);
        }
        log
    }

    fn empty(format: u32) -> Log {
        let folder = tempdir().unwrap();
        let (state, fold) = open(folder.path());
        let now = 1_767_225_600_000;
        Log { folder, state, fold, entries: Vec::new(), folded: Vec::new(), now, ids: 0, format }
    }

    /// What follows is decided by this format.
    pub fn rise_to(&mut self, format: u32) {
        let rise = self.raw(OPERATOR, "format", &format.to_string());
        self.accept(rise);
        self.format = format;
    }

    pub fn new_id(&mut self) -> String {
        self.ids += 1;
        id(0x1_0000 + self.ids)
    }

    /// An entry with this draft as its body.
    pub fn raw(&mut self, by: &str, kind: &str, draft: &str) -> Words {
        let body = format!("{:016x}{draft}", self.ids);
        let (by, kind, id) = (by.to_owned(), kind.to_owned(), self.new_id());
        Words { by, id, kind, room: None, target: None, slot: None, body }
    }

    pub fn message(&mut self, by: &str, text: &str) -> Words {
        self.raw(by, "message", &format!(r#"{{"text":"{text}"}}"#)).room(ROOM)
    }

    pub fn act(&mut self, by: &str, target: &str, slot: &str, value: &str) -> Words {
        self.raw(by, "act", &format!(r#"{{"value":{value}}}"#)).room(ROOM).target(target).slot(slot)
    }

    pub fn erase(&mut self, list: &str) -> Words {
        self.raw(OPERATOR, "erase", &format!(r#"{{{list},"reason":"deleted"}}"#))
    }

    pub fn erase_messages(&mut self, ids: &[&str]) -> Words {
        self.erase(&format!(r#""messages":{}"#, json!(ids))).room(ROOM)
    }

    pub fn erase_earlier(&mut self, ids: &[&str]) -> Words {
        self.erase(&format!(r#""earlier":{}"#, json!(ids))).room(ROOM)
    }

    pub fn erase_entries(&mut self, numbers: &[u64]) -> Words {
        self.erase(&format!(r#""entries":{}"#, json!(numbers)))
    }

    /// Writes an entry a millisecond after the one before; gives its number.
    pub fn put(&mut self, words: Words) -> u64 {
        let g = self.entries.len() as u64 + 1;
        let header: Header = serde_json::from_value(json!({
            "g": g, "at": self.now, "by": words.by, "id": words.id, "room": words.room, "kind": words.kind,
            "target": words.target, "slot": words.slot, "digest": digest_of(&words.body),
        }))
        .unwrap();
        self.now += 1;
        let before =
            self.entries.last().map_or("0000000000000000".to_owned(), |entry| entry.link.to_string());
        let link = link_after(&before, g, header.at, &header.rest()).parse().unwrap();
        let entry = Entry { header, body: Some(words.body), link };
        self.folded.extend(self.fold.fold(std::slice::from_ref(&entry)).unwrap());
        self.entries.push(entry);
        g
    }

    /// Writes an entry that is accepted.
    pub fn accept(&mut self, words: Words) -> u64 {
        let said = format!("{words:?}");
        let g = self.put(words);
        assert_eq!(self.refusal(g), None, "{said}");
        g
    }

    /// Writes an entry that is refused for this reason.
    pub fn refuse(&mut self, words: Words, why: &str) -> u64 {
        let said = format!("{words:?}");
        let g = self.put(words);
        assert_eq!(self.refusal(g).as_deref(), Some(why), "{said}");
        g
    }

    /// Writes an `erase` that takes the bodies of exactly these entries.
    pub fn takes(&mut self, erase: Words, entries: &[u64]) -> u64 {
        let g = self.accept(erase);
        assert_eq!(self.of(g).erased, entries);
        g
    }

    pub fn of(&self, g: u64) -> &Folded {
        &self.folded[g as usize - 1]
    }

    pub fn refusal(&self, g: u64) -> Option<String> {
        match self.of(g).outcome {
            Outcome::Stored { g: stored, .. } => {
                assert!(stored <= g);
                None
            }
            Outcome::Refused { why } => Some(serde_json::to_value(why).unwrap().as_str().unwrap().to_owned()),
        }
    }

    pub fn row(&self, id: &str) -> Row {
        let id: ClientId = id.parse().unwrap();
        self.state.read_anything(|state| state.row(id)).unwrap().unwrap().1
    }

    /// The texts that a member sees in the history of a message.
    pub fn history(&self, id: &str) -> Vec<String> {
        let (account, room): (AccountId, _) = (ANN.parse().unwrap(), ROOM.parse().unwrap());
        let id: ClientId = id.parse().unwrap();
        let versions = self.state.enter((account, room), |member| member.history(id)).unwrap();
        versions.into_iter().map(|version| version.text).collect()
    }

    /// The numbers of entries that a server must find without a body, read in pages of two.
    pub fn erased(&self) -> Vec<u64> {
        let mut all: Vec<u64> = Vec::new();
        loop {
            let page = self.state.erased_entries(all.last().copied().unwrap_or(0), 2).unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    pub fn can_be_erased(&self, since: i64) -> Vec<u64> {
        let due = self.state.due_entries(since, 100).unwrap();
        due.into_iter().map(|entry| entry.g).collect()
    }

    fn decisions(folded: &[Folded]) -> Vec<String> {
        let decision = |folded: &Folded| {
            let event = folded.event.as_ref().map(|(room, event)| {
                (*room, event.seq, event.chain, event.lane, event.ordinal, event.also, event.erased.clone())
            });
            format!("{} {:?} {event:?} {:?}", folded.g, folded.outcome, folded.erased)
        };
        folded.iter().map(decision).collect()
    }

    /// Whether a text stands anywhere in the state file or its journal.
    pub fn state_has(&self, text: &str) -> bool {
        let mut files = std::fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        let has = |path: std::path::PathBuf| {
            std::fs::read(path).unwrap().windows(text.len()).any(|part| part == text.as_bytes())
        };
        files.any(has)
    }

    /// Removes the texts of a deleted message as servers of formats 1 to 4 do.
    pub fn erase_without_an_entry(&mut self, id: &str) {
        let id: ClientId = id.parse().unwrap();
        let texts = self.fold.texts_of_deleted(id).unwrap();
        for g in &texts {
            self.entries[*g as usize - 1].body = None;
        }
        self.fold.erase(&[(id, texts)]).unwrap();
    }

    /// An event as the state file has it.
    pub fn event_of(&self, room: &str, seq: u64) -> Arc<Event> {
        let room = room.parse().unwrap();
        let read = |state: &Reader<'_>| state.events(&state.room_head(room)?, Floor::NONE, seq - 1, seq);
        self.state.read_anything(read).unwrap().remove(0)
    }

    /// The log is folded afresh without the bodies that were removed, and without some of them: all is decided as it
    /// was, and every table is the same.
    pub fn check(self) {
        self.check_but_for(&[]);
    }

    /// As [`Log::check`], but for these: repeated drafts of formats 1 to 4 that were other drafts, of which that is not
    /// known any more. By the same author they have the first one's outcome.
    pub fn check_but_for(self, other_drafts: &[u64]) {
        let removed = self.erased();
        let told: Vec<u64> = self.folded.iter().flat_map(|folded| folded.erased.clone()).collect();
        let mut sorted = told.clone();
        sorted.sort();
        assert_eq!(removed, sorted, "what the state file lists, and what was told while it was folded");
        let then = Self::decisions(&self.folded);
        let tables_then = tables(self.folder.path());
        // Without all of them, and without every other one, as a server leaves it that was killed meanwhile.
        for part in 0..3 {
            let mut log = self.entries.clone();
            for (n, g) in removed.iter().enumerate() {
                if part == 0 || n % 2 == part - 1 {
                    log[*g as usize - 1].body = None;
                }
            }
            let folder = tempdir().unwrap();
            let (_, mut fold) = open(folder.path());
            let now = Self::decisions(&fold.fold(&log).unwrap());
            for (g, (now, then)) in (1..).zip(now.iter().zip(&then)) {
                assert!(now == then || other_drafts.contains(&g), "folded afresh: {now}, then: {then}");
            }
            drop(fold);
            for (table, rows) in tables(folder.path()) {
                assert_eq!(rows, tables_then[&table], "table {table}");
            }
        }
    }
}
