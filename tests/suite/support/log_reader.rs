//! Reads a log without Beck: plain SQL on `log.sqlite` or `copy.sqlite`, plain commands to Redis or Valkey. Links and
//! digests are computed here a second time, from docs/protocol.md.
//!
//! - [`read_folder`], [`read_copy`] and [`read_store`] give all entries, oldest first, as they are stored. They may run
//!   beside a server.
//! - [`faults`] lists everything that is wrong with them, each with its number; [`assert_whole`] panics if there is
//!   anything.
//! - [`assert_holds`] is what a drill ends with: the log is whole, has each of these messages at least once (what was
//!   sent again may be there again), and none of those that were refused for good.
//! - [`messages`] says how often each message is in the log, by its `client_id`.

use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    pub g: u64,
    pub at: i64,
    /// `author client_id room kind target slot digest`.
    pub rest: String,
    /// Salt and JSON; `None` once erased.
    pub body: Option<String>,
    pub link: String,
}

impl StoredEntry {
    fn word(&self, n: usize) -> &str {
        self.rest.split(' ').nth(n).unwrap_or("")
    }

    pub fn client_id(&self) -> &str {
        self.word(1)
    }

    pub fn kind(&self) -> &str {
        self.word(3)
    }
}

/// All entries of the log of a data folder.
pub fn read_folder(folder: &Path) -> Vec<StoredEntry> {
    read_file(&folder.join("log.sqlite"))
}

/// All entries of the copy that a server on Redis keeps in its data folder.
pub fn read_copy(folder: &Path) -> Vec<StoredEntry> {
    read_file(&folder.join("copy.sqlite"))
}

fn read_file(path: &Path) -> Vec<StoredEntry> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(path, flags).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    let mut select = db.prepare("SELECT g, at, rest, body, link FROM entries ORDER BY g").unwrap();
    let rows = select.query_map([], |row| {
        let (g, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(StoredEntry { g: g as u64, at, rest: row.get(2)?, body: row.get(3)?, link: row.get(4)? })
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// All entries of the log of a Redis or Valkey on this machine, with the usual prefix: the stream, and the headers of
/// what was erased from it.
pub fn read_store(port: u16) -> Vec<StoredEntry> {
    let mut store = RawStore::connect(port);
    let mut entries: BTreeMap<u64, StoredEntry> = BTreeMap::new();
    let mut from = 1;
    loop {
        let found = store.ask(&["XRANGE", "{beck}:log", &format!("{from}-0"), "+", "COUNT", "1000"]).list();
        if found.is_empty() {
            break;
        }
        for entry in found {
            let [id, fields] = <[Answer; 2]>::try_from(entry.list()).unwrap();
            let g: u64 = id.text().strip_suffix("-0").unwrap().parse().unwrap();
            let fields: Vec<String> = fields.list().into_iter().map(Answer::text).collect();
            let field = |name: &str| {
                let at = fields.iter().step_by(2).position(|found| found == name);
                fields[2 * at.unwrap_or_else(|| panic!("entry {g} has no {name}")) + 1].clone()
            };
            let (at, rest, body) = (field("at").parse().unwrap(), field("rest"), Some(field("body")));
            entries.insert(g, StoredEntry { g, at, rest, body, link: field("link") });
            from = g + 1;
        }
    }
    // After the stream: what is erased meanwhile is in both, and counts as erased.
    let erased = store.ask(&["HGETALL", "{beck}:erased"]).list();
    for pair in erased.chunks(2) {
        let g: u64 = pair[0].clone().text().parse().unwrap();
        let header = pair[1].clone().text();
        let mut words = header.splitn(3, ' ');
        let at = words.next().unwrap().parse().unwrap();
        let (link, rest) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        entries.insert(g, StoredEntry { g, at, rest, body: None, link });
    }
    entries.into_values().collect()
}

/// `link(g)` from the link before it, by docs/protocol.md.
pub fn link_after(before: &str, g: u64, at: i64, rest: &str) -> String {
    hex(&Sha1::digest(format!("{before}\n{g}\n{at}\n{rest}"))[..8])
}

/// The digest that a header has of a stored body, by docs/protocol.md.
pub fn digest_of(body: &str) -> String {
    hex(&Sha256::digest(body)[..16])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Everything that is wrong with a log, oldest first.
pub fn faults(entries: &[StoredEntry]) -> Vec<String> {
    let mut faults = Vec::new();
    let (mut before, mut last_at) = ("0".repeat(16), i64::MIN);
    for (index, entry) in entries.iter().enumerate() {
        let (g, expected) = (entry.g, index as u64 + 1);
        if g != expected {
            faults.push(format!("entry {expected} is missing: the next one is {g}"));
            return faults;
        }
        if entry.rest.split(' ').count() != 7 {
            faults.push(format!("the header of entry {g} is not seven words"));
        }
        if entry.at < last_at {
            faults.push(format!("the time of entry {g} is before that of the entry before it"));
        }
        if entry.link != link_after(&before, g, entry.at, &entry.rest) {
            faults.push(format!("entry {g} does not continue the one before it"));
        }
        if let Some(body) = &entry.body
            && digest_of(body) != entry.word(6)
        {
            faults.push(format!("the body of entry {g} is not what its header says"));
        }
        before.clone_from(&entry.link);
        last_at = entry.at;
    }
    faults
}

pub fn assert_whole(entries: &[StoredEntry]) {
    let faults = faults(entries);
    assert!(faults.is_empty(), "{faults:#?}");
}

/// How often each message is in the log, by its `client_id`.
pub fn messages(entries: &[StoredEntry]) -> BTreeMap<&str, usize> {
    let mut times = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.kind() == "message") {
        *times.entry(entry.client_id()).or_default() += 1;
    }
    times
}

/// The log is whole and has each of these messages; `refused` ones it has not. Gives how often messages are there
/// again.
pub fn assert_holds<'a>(
    entries: &[StoredEntry],
    acked: impl IntoIterator<Item = &'a String>,
    refused: impl IntoIterator<Item = &'a String>,
) -> usize {
    assert_whole(entries);
    let times = messages(entries);
    let missing: Vec<_> = acked.into_iter().filter(|id| !times.contains_key(id.as_str())).collect();
    assert!(missing.is_empty(), "acknowledged and not in the log: {missing:?}");
    let stored: Vec<_> = refused.into_iter().filter(|id| times.contains_key(id.as_str())).collect();
    assert!(stored.is_empty(), "refused and in the log: {stored:?}");
    times.values().map(|times| times - 1).sum()
}

/// What a store answers, as far as reading needs it.
#[derive(Debug, Clone)]
enum Answer {
    Text(String),
    List(Vec<Answer>),
}

impl Answer {
    fn text(self) -> String {
        match self {
            Answer::Text(text) => text,
            other => panic!("not a text: {other:?}"),
        }
    }

    fn list(self) -> Vec<Answer> {
        match self {
            Answer::List(list) => list,
            other => panic!("not a list: {other:?}"),
        }
    }
}

/// One connection, RESP by hand.
struct RawStore(BufReader<TcpStream>);

impl RawStore {
    fn connect(port: u16) -> RawStore {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        RawStore(BufReader::new(socket))
    }

    fn ask(&mut self, words: &[&str]) -> Answer {
        let mut bytes = format!("*{}\r\n", words.len());
        for word in words {
            bytes.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0.get_mut().write_all(bytes.as_bytes()).unwrap();
        self.answer()
    }

    fn answer(&mut self) -> Answer {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let (kind, rest) = line.trim_end().split_at(1);
        match kind {
            "$" => {
                let mut text = vec![0; rest.parse::<usize>().unwrap() + 2];
                self.0.read_exact(&mut text).unwrap();
                text.truncate(text.len() - 2);
                Answer::Text(String::from_utf8(text).unwrap())
            }
            "*" => Answer::List((0..rest.parse::<usize>().unwrap()).map(|_| self.answer()).collect()),
            "+" | ":" => Answer::Text(rest.to_owned()),
            _ => panic!("the store answers {line:?}"),
        }
    }
}
