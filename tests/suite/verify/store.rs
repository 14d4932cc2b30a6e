//! Faults planted in a Redis or Valkey, and in the copy and the state that a server keeps of it.

use super::{Said, copy_folder, link_anew, verify};
use crate::support::awaited::{closed, until};
use crate::support::erasing::erase_message;
use crate::support::log_reader::{StoredEntry, read_copy, read_store};
use crate::support::redis::{RedisServer, Store};
use beck::protocol::{ActDraft, ActValue, ClientId, Format};
use beck::server::broker::embedded::LogCopy;
use beck::server::broker::redis::Redis;
use beck::server::config::Config;
use beck::server::node::Node;
use beck::server::{accounts, rooms};
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tempfile::tempdir;

const LOG: &str = "{beck}:log";
const ERASED: &str = "{beck}:erased";

/// The log as the store gives it, word for word.
fn kept(store: &RedisServer) -> (String, String) {
    (store.command(&["XRANGE", LOG, "-", "+"]), store.command(&["HGETALL", ERASED]))
}

/// Puts these entries into the store in place of what is there.
fn write_store(store: &RedisServer, entries: &[StoredEntry]) {
    store.command(&["DEL", LOG, ERASED]);
    for StoredEntry { g, at, rest, body, link } in entries {
        let (id, at) = (format!("{g}-0"), at.to_string());
        let answer = match body {
            Some(body) => {
                store.command(&["XADD", LOG, &id, "at", &at, "link", link, "rest", rest, "body", body])
            }
            None => store.command(&["HSET", ERASED, &g.to_string(), &format!("{at} {link} {rest}")]),
        };
        assert!(!answer.starts_with('-'), "{answer}");
    }
}

async fn node(store: &RedisServer, folder: &Path, format: Format) -> Arc<Node> {
    let settings = [
        ("DATA_DIR", folder.to_str().unwrap().to_owned()),
        ("PORT", "0".to_owned()),
        ("REDIS_URL", store.url()),
    ];
    let settings: HashMap<_, _> = settings.map(|(name, value)| (name.to_owned(), value)).into();
    let config = Config { newest_format: format, ..Config::from_settings(&settings).unwrap() };
    let log = Redis::open_up_to(&store.settings(), format).await.unwrap();
    Node::start(config, Arc::new(log)).await.unwrap()
}

/// A workspace with a copy and a state in the folder, of which two messages are erased; gives the number of the first,
/// and what was its body.
async fn furnish(store: &RedisServer, folder: &Path, format: Format) -> (u64, String) {
    let node = node(store, folder, format).await;
    let new = accounts::NewAccount { name: "Olive Owner", handle: "olive", password: "a long password" };
    let (owner, general) = accounts::set_up(&node, "Test Place", new).await.unwrap();
    let mut ids = Vec::new();
    for n in 0..80 {
        let id = ClientId::random();
        let text = format!("message {n}");
        let draft = beck::protocol::frame::Draft {
            id,
            room: general,
            thread: None,
            quote: None,
            text,
            named: Default::default(),
        };
        rooms::post(&node, owner, draft).await.unwrap();
        ids.push(id);
    }
    for target in &ids[30..32] {
        let (id, slot) = (ClientId::random(), "deleted".to_owned());
        let act = ActDraft {
            id,
            room: general,
            target: *target,
            slot,
            value: ActValue::On(true),
            named: Default::default(),
        };
        rooms::act(&node, owner, act).await.unwrap();
    }
    let first = node.state.read_anything(|state| state.entries_of_message(ids[30])).unwrap()[0];
    let body = read_store(store.port)[first as usize - 1].body.clone().unwrap();
    for target in &ids[30..32] {
        erase_message(&node, *target).await;
    }
    let last = read_store(store.port).len() as u64;
    until("all is copied", || LogCopy::last(folder) == Some(last)).await;
    drop(node);
    closed(folder).await;
    (first, body)
}

type Plant<'a> = Box<dyn Fn(&RedisServer, &Connection, &Connection) + 'a>;

fn plant<'a>(put: impl Fn(&RedisServer, &Connection, &Connection) + 'a) -> Plant<'a> {
    Box::new(put)
}

async fn each_fault(kind: Store) {
    let store = RedisServer::start(kind);
    let source = tempdir().unwrap();
    let (erased, text) = furnish(&store, source.path(), Format::NEWEST).await;
    let run = |folder: &Path, words: &[&str]| -> Said {
        verify(words, &[("DATA_DIR", folder.to_str().unwrap()), ("REDIS_URL", &store.url())])
    };
    let entries = read_store(store.port);
    let end = entries.len() as u64;
    assert_eq!(read_copy(source.path()).len(), entries.len());
    assert_eq!(entries.iter().filter(|entry| entry.body.is_none()).count(), 2, "two are erased");
    run(source.path(), &["--fold"]).well(&["log", "copy", "state", "rooms", "fold"]);
    let alone = tempdir().unwrap();
    run(alone.path(), &[]).well(&["log", "copy", "state"]);

    let write_anew = |change: fn(&mut Vec<StoredEntry>)| -> Plant<'_> {
        let mut changed = entries.clone();
        change(&mut changed);
        plant(move |store, _, _| write_store(store, &changed))
    };
    let in_copy = |sql: String| -> Plant<'_> { plant(move |_, copy, _| copy.execute_batch(&sql).unwrap()) };
    let delete = |from: u64, to: u64| -> Plant<'_> {
        plant(move |store, _, _| {
            for g in from..=to {
                assert_eq!(store.command(&["XDEL", LOG, &format!("{g}-0")]), ":1\r\n");
            }
        })
    };
    let header_of = |g: u64| {
        let StoredEntry { at, link, rest, .. } = &entries[g as usize - 1];
        format!("{at} {link} {rest}")
    };
    let also_erased = |header: String| -> Plant<'_> {
        plant(move |store, _, _| assert_eq!(store.command(&["HSET", ERASED, "60", &header]), ":1\r\n"))
    };
    let header = |g: u64, header: String| -> Plant<'_> {
        plant(move |store, _, _| {
            assert_eq!(store.command(&["HSET", ERASED, &g.to_string(), &header]), ":0\r\n");
        })
    };
    let in_file = format!("the text of entry {erased} is erased in the log, and not in the copy");
    let changed_header = format!("entry {erased} does not continue");
    let bad_header = format!("entry {erased} has a header that cannot be read");
    let missing = format!("entry {erased} is missing");
    let ahead = format!("5 entries after entry {}", end - 5);
    let state_ahead = format!("5 after entry {}", end - 5);
    let plants: Vec<(&str, &str, Plant)> = vec![
        ("log", "entry 60 is missing", delete(60, 60)),
        ("log", "entry 1 is missing", delete(1, 20)),
        (
            "log",
            &missing,
            plant(move |store, _, _| {
                assert_eq!(store.command(&["HDEL", ERASED, &erased.to_string()]), ":1\r\n");
            }),
        ),
        ("log", "entry 60 does not continue", write_anew(|entries| entries[59].at += 1)),
        (
            "log",
            "entry 60 does not continue",
            write_anew(|entries| entries[59].link = "0123456789abcdef".into()),
        ),
        ("log", "entry 60 has a header", write_anew(|entries| entries[59].rest = "nothing".into())),
        ("log", "the body of entry 60", write_anew(|entries| entries[59].body = Some("other".into()))),
        (
            "log",
            "the time of entry 60",
            write_anew(|entries| {
                entries[59].at = 1;
                link_anew(entries, 60);
            }),
        ),
        (
            "log",
            "entry 60 does not continue",
            write_anew(|entries| {
                let (one, two) = (entries[59].clone(), entries[60].clone());
                entries[59] = StoredEntry { g: 60, ..two };
                entries[60] = StoredEntry { g: 61, ..one };
            }),
        ),
        ("log", &changed_header, header(erased, header_of(erased).replace("message", "act"))),
        ("log", &bad_header, header(erased, "nothing".into())),
        ("log", "entry 60 was erased, and is in the stream again", also_erased(header_of(60))),
        ("log", "entry 60 has another header among the erased ones", also_erased(header_of(61))),
        (
            "log",
            "is not of the form that Beck writes",
            plant(move |store, _, _| {
                store.command(&["XADD", LOG, &format!("{}-0", end + 1), "something", "else"]);
            }),
        ),
        (
            "log",
            "is not of the form that Beck writes",
            plant(move |store, _, _| {
                store.command(&["XADD", LOG, &format!("{}-1", end + 1), "at", "1"]);
            }),
        ),
        (
            "copy",
            "it forks from the log at entry 60",
            write_anew(|entries| {
                entries[59].at += 1;
                let at = entries[59].at;
                entries[60..].iter_mut().for_each(|entry| entry.at = entry.at.max(at));
                link_anew(entries, 60);
            }),
        ),
        ("copy", &ahead, delete(end - 4, end)),
        (
            "copy",
            &in_file,
            // What the state file says of an `erase` is no fault: it goes from the copy, too.
            plant(|_, copy, state| {
                let put = "UPDATE entries SET body = ?2 WHERE g = ?1 AND body IS NULL";
                assert_eq!(copy.execute(put, params![erased as i64, text]).unwrap(), 1);
                state.execute_batch("UPDATE erasable SET erased = NULL").unwrap();
            }),
        ),
        (
            "copy",
            "the text of entry 60 is erased in the copy, and not in the log",
            in_copy("UPDATE entries SET body = NULL WHERE g = 60".into()),
        ),
        ("copy", "entry 60 is missing", in_copy("DELETE FROM entries WHERE g = 60".into())),
        ("copy", "entry 60 does not continue", in_copy("UPDATE entries SET at = at + 1 WHERE g = 60".into())),
        ("copy", "the body of entry 60", in_copy("UPDATE entries SET body = 'other' WHERE g = 60".into())),
        (
            "rooms",
            "event 40 is missing",
            plant(|_, _, state| {
                state.execute_batch("DELETE FROM events WHERE room = 1 AND seq = 40").unwrap();
            }),
        ),
        (
            "rooms",
            "its text is not that of the entry in the log",
            plant(|_, _, state| {
                state.execute_batch("UPDATE events SET json = NULL WHERE room = 1 AND seq = 20").unwrap();
            }),
        ),
    ];
    let mut planted = 0;
    for (name, says, put) in &plants {
        let folder = tempdir().unwrap();
        copy_folder(source.path(), folder.path());
        let copy = Connection::open(folder.path().join("copy.sqlite")).unwrap();
        let state = Connection::open(folder.path().join("state.sqlite")).unwrap();
        let before = kept(&store);
        put(&store, &copy, &state);
        let touched = copy.total_changes() + state.total_changes() > 0 || kept(&store) != before;
        assert!(touched, "nothing was planted for {says:?}");
        drop((copy, state));
        let said = run(folder.path(), &[]);
        said.first(name, says);
        if *says == ahead {
            said.says("state", &state_ahead);
        }
        write_store(&store, &entries);
        planted += 1;
    }
    assert_eq!(planted, plants.len());
    assert_eq!(planted, 24);
    run(source.path(), &[]).well(&["log", "copy", "state", "rooms"]);

    // A mark of a move, and a store that is not there.
    store.command(&["HSET", "{beck}:mark", "says", "a move is not finished"]);
    run(source.path(), &[]).first("log", "a move is not finished");
    store.command(&["DEL", "{beck}:mark"]);
    let url = store.url();
    drop(store);
    let set = [("DATA_DIR", source.path().to_str().unwrap()), ("REDIS_URL", url.as_str())];
    verify(&[], &set).first("log", "nothing listens at");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_redis_its_copy_and_its_state_is_named_by_its_number() {
    each_fault(Store::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_valkey_its_copy_and_its_state_is_named_by_its_number() {
    each_fault(Store::Valkey).await;
}

/// In format 5 each server removes them when it folds the `erase`.
#[tokio::test(flavor = "multi_thread")]
async fn texts_that_another_server_has_erased_wait_here_and_are_no_fault() {
    let store = RedisServer::start(Store::Redis);
    let (here, there) = (tempdir().unwrap(), tempdir().unwrap());
    let node = node(&store, here.path(), Format::Four).await;
    let (erased, _) = furnish(&store, there.path(), Format::Four).await;
    let entries = read_store(store.port);
    node.wait_folded(entries.len() as u64).await;
    assert!(entries[erased as usize - 1].body.is_none());
    assert!(read_copy(here.path())[erased as usize - 1].body.is_some(), "the copy of this server has it");
    let url = store.url();
    let run = |folder: &Path, words: &[&str]| {
        verify(words, &[("DATA_DIR", folder.to_str().unwrap()), ("REDIS_URL", url.as_str())])
    };
    let said = run(here.path(), &["--fold"]);
    said.well(&["log", "copy", "state", "rooms", "fold"]);
    assert!(said.text.contains("2 erased texts go from here within an hour"), "{}", said.text);
    let said = run(there.path(), &["--fold"]);
    said.well(&["copy", "fold"]);
    assert!(!said.text.contains("erased texts go"), "{}", said.text);
}
