//! Writes logs as docs/protocol.md defines them, without the code under test: numbers, times, digests and links.

use crate::support::log_reader::{digest_of, link_after};
use beck::protocol::{AccountId, ClientId, Header, RoomId};
use beck::server::broker::Entry;
use serde_json::json;

/// An entry before it has a number and a time.
#[derive(Debug, Clone)]
pub struct Words {
    pub author: AccountId,
    pub id: ClientId,
    pub kind: String,
    pub room: Option<RoomId>,
    pub target: Option<String>,
    pub slot: Option<String>,
    /// The stored bytes: 16 bytes of salt, then JSON.
    pub body: String,
}

impl Words {
    pub fn new(author: AccountId, id: ClientId, kind: &str, body: String) -> Words {
        Words { author, id, kind: kind.into(), room: None, target: None, slot: None, body }
    }
}

/// The time of the first entry, in milliseconds. Each later entry is a second later.
pub const BEGIN: i64 = 1_767_225_600_000;

/// Appends an entry.
pub fn write(log: &mut Vec<Entry>, words: &Words) {
    let at = BEGIN + 1_000 * log.len() as i64;
    write_at(log, words, at);
}

/// Appends an entry with a time of its own.
pub fn write_at(log: &mut Vec<Entry>, words: &Words, at: i64) {
    let g = log.len() as u64 + 1;
    let header: Header = serde_json::from_value(json!({
        "g": g, "at": at, "by": words.author, "id": words.id, "room": words.room,
        "kind": words.kind, "target": words.target, "slot": words.slot, "digest": digest_of(&words.body),
    }))
    .unwrap();
    let before = log.last().map_or(ZERO.to_owned(), |entry| entry.link.to_string());
    let link = then(&before, &header).parse().unwrap();
    log.push(Entry { header, body: Some(words.body.clone()), link });
}

/// A `client_id` made from a number.
pub fn client_id(n: u64) -> ClientId {
    format!("{:08x}-{:04x}-7000-8000-{n:012x}", n >> 16, n & 0xffff).parse().unwrap()
}

/// The link before the first entry of a log, and the chain before the first event of a room.
pub const ZERO: &str = "0000000000000000";

/// `by id room kind target slot digest`, with `-` for what is absent.
pub fn rest(header: &Header) -> String {
    let words = [
        Some(header.author.to_string()),
        Some(header.client_id.to_string()),
        header.room.map(|room| room.to_string()),
        Some(header.kind.as_str().to_owned()),
        header.target.as_ref().map(|target| target.as_str().to_owned()),
        header.slot.as_ref().map(|slot| slot.as_str().to_owned()),
        Some(header.digest.to_string()),
    ];
    words.map(|word| word.unwrap_or("-".into())).join(" ")
}

/// `H(before, header)`: a link of the log, or a chain of a room.
pub fn then(before: &str, header: &Header) -> String {
    link_after(before, header.g, header.at, &rest(header))
}
