//! A log that is written word by word and folded entry by entry.

use crate::support::log_reader::{digest_of, link_after};
use beck::protocol::{AccountId, ClientId, Format, Header, Outcome, RoomId, Row};
use beck::server::broker::Entry;
use beck::server::directory::Directory;
use beck::server::fold::{Fold, FoldError, Folded};
use beck::server::state::State;
use std::sync::Arc;
use tempfile::TempDir;

/// The workspace, people and rooms by the names that the tests give them.
const NAMES: [(&str, &str); 9] = [
    ("op", "wwwwwwwwww"),
    ("ann", "bbbbbbbbbb"),
    ("bob", "cccccccccc"),
    ("cat", "dddddddddd"),
    ("dan", "ffffffffff"),
    ("olga", "gggggggggg"),
    ("general", "hhhhhhhhhh"),
    ("old", "jjjjjjjjjj"),
    ("side", "kkkkkkkkkk"),
];

pub const BEGIN: i64 = 1_767_225_600_000;

pub fn id(name: &str) -> &str {
    NAMES.iter().find(|(known, _)| *known == name).map_or(name, |(_, id)| id)
}

pub fn account(name: &str) -> AccountId {
    id(name).parse().unwrap()
}

pub fn room(name: &str) -> RoomId {
    id(name).parse().unwrap()
}

/// The `client_id` that `#n` stands for.
pub fn number(n: u64) -> ClientId {
    format!("018f0000-0000-7000-8000-{n:012x}").parse().unwrap()
}

/// `#n`, the name of somebody or of a room, and what follows a colon, as the log has them.
fn word(text: &str) -> String {
    match (text.strip_prefix('#'), text.rsplit_once(':')) {
        (Some(n), _) => number(n.parse().unwrap()).to_string(),
        (None, Some((before, name))) => format!("{before}:{}", id(name)),
        _ => id(text).to_owned(),
    }
}

pub struct Log {
    _folder: TempDir,
    pub state: State,
    pub fold: Fold,
    pub entries: Vec<Entry>,
    /// The time of the next entry, after [`BEGIN`].
    pub at: i64,
    next: u64,
}

impl Log {
    pub fn empty() -> Log {
        let folder = tempfile::tempdir().unwrap();
        let (state, fold) = Fold::open_up_to(folder.path(), |_, _| true, Format::Five).unwrap();
        Log { _folder: folder, state, fold, entries: Vec::new(), at: 0, next: 1_000 }
    }

    pub fn begin() -> Log {
        let mut log = Log::empty();
        log.ok("op workspace - - -", r#"{"id":"wwwwwwwwww","name":"Works","format":5}"#);
        log
    }

    /// Appends an entry and folds it. `words`: perhaps its own id, then author, kind, room, target and slot.
    pub fn fold(&mut self, words: &str, body: Option<&str>) -> Result<Folded, FoldError> {
        let (own, words) = match words.strip_prefix('#').and_then(|rest| rest.split_once(' ')) {
            Some((n, words)) => (n.parse().unwrap(), words),
            None => {
                self.next += 1;
                (self.next, words)
            }
        };
        let words: Vec<_> = words.split(' ').map(word).collect();
        let [author, kind, room, target, slot] = &words[..] else { panic!("five words: {words:?}") };
        // An entry without a body had one.
        let digest = digest_of(body.unwrap_or("erased"));
        let rest = format!("{author} {} {room} {kind} {target} {slot} {digest}", number(own));
        let (g, at) = (self.entries.len() as u64 + 1, BEGIN + self.at);
        let before =
            self.entries.last().map_or("0000000000000000".to_owned(), |entry| entry.link.to_string());
        let link = link_after(&before, g, at, &rest).parse().unwrap();
        let header = Header::parse(g, at, &rest).unwrap();
        let entry = Entry { header, body: body.map(str::to_owned), link };
        let folded = self.fold.fold(std::slice::from_ref(&entry))?;
        self.entries.push(entry);
        Ok(folded.into_iter().next().unwrap())
    }

    /// As [`Log::fold`], with exactly these stored bytes: the outcome as a word.
    pub fn raw(&mut self, words: &str, body: Option<&str>) -> String {
        match self.fold(words, body).unwrap().outcome {
            Outcome::Stored { .. } => "ok".to_owned(),
            Outcome::Refused { why } => serde_json::to_value(why).unwrap().as_str().unwrap().to_owned(),
        }
    }

    /// As [`Log::raw`], with a salt and an added part of the kind, as servers write them in format 5.
    pub fn put(&mut self, words: &str, draft: &str) -> String {
        let body = stored(words, draft);
        self.raw(words, Some(&body))
    }

    pub fn ok(&mut self, words: &str, draft: &str) {
        assert_eq!(self.put(words, draft), "ok", "{words} {draft}");
    }

    /// Each of these entries has this outcome, one after the other.
    pub fn each(&mut self, cases: &[(&str, &str, &str)]) {
        for (words, draft, expected) in cases {
            assert_eq!(self.put(words, draft), *expected, "{words} {draft}");
        }
    }

    pub fn row(&self, n: u64) -> Row {
        self.state.read_anything(|reader| reader.row(number(n))).unwrap().unwrap().1
    }

    pub fn text(&self, n: u64) -> Option<String> {
        self.row(n).text
    }

    pub fn directory(&self) -> Arc<Directory> {
        self.fold.directory()
    }

    pub fn is_member(&self, name: &str, of: &str) -> bool {
        self.directory().rooms[&room(of)].members.contains(&account(name))
    }

    /// The same log, folded afresh, gives the same outcomes: of it, and of it without some bodies.
    pub fn refold(&self, without: &[u64]) -> Log {
        let mut again = Log::empty();
        let mut entries = self.entries.clone();
        for g in without {
            entries[*g as usize - 1].body = None;
        }
        again.fold.fold(&entries).unwrap();
        again.entries = entries;
        again
    }
}

/// The stored bytes of a draft in format 5.
pub fn stored(words: &str, draft: &str) -> String {
    let words: Vec<_> = words.split(' ').filter(|word| !word.starts_with('#')).collect();
    let kind = words[1];
    let slot = words.last().copied().unwrap_or("-");
    let profile = kind == "account.set" && slot != "role";
    let text = matches!(kind, "message" | "workspace.set") || matches!(slot, "text" | "topic") || profile;
    match text {
        true => format!("00112233445566778899aabbccddeeff{draft}\n{{}}"),
        false => format!("0011223344556677{draft}"),
    }
}
