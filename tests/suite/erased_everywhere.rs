//! The search for the text in every place: what was deleted, replaced or refused is in no file of a data folder and in
//! nothing that the store has, once it is erased; and if it comes back, it goes again.

mod history;

use crate::support::awaited::{awaited, closed, unlocked, until};
use crate::support::command::Running;
use crate::support::redis::{RedisServer, Store};
use crate::support::{config, read_all};
use beck::protocol::Format;
use beck::server::broker::embedded::{COPY_FILE, LogCopy, UNFINISHED_FILE, earlier_log_file};
use beck::server::broker::redis::Redis;
use beck::server::broker::{Entry, SharedBroker};
use beck::server::config::Config;
use beck::server::erased_entries;
use beck::server::fold::LostEntry;
use beck::server::hub::Pulled;
use beck::server::node::Node;
use beck::server::now_ms;
use beck::server::state::{Floor, STATE_FILE};
use history::History;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tempfile::tempdir;

/// What a repair of a gap left.
const CUT_FILE: &str = "log-cut-20.jsonl";

/// Every file of a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            found.push((path.file_name().unwrap().to_str().unwrap().to_owned(), bytes));
        }
    }
    found
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// The files in which a text is.
fn places(folder: &Path, text: &str) -> BTreeSet<String> {
    files(folder).into_iter().filter(|(_, bytes)| has(bytes, text)).map(|(name, _)| name).collect()
}

/// No text that is erased is anywhere in a folder; gives how many files were searched.
fn assert_gone(folder: &Path, history: &History) -> usize {
    let files = files(folder);
    for (name, bytes) in &files {
        for (what, text) in &history.gone {
            assert!(!has(bytes, text), "{name} has still the text of: {what}");
        }
    }
    for (name, bytes) in &files {
        assert!(!has(bytes, &history.lost.1), "{name} has still the text of an edit that was lost");
    }
    files.len()
}

/// Puts beside the log what servers leave there when something goes wrong, and what the rise leaves.
async fn plant(folder: &Path, log: &Path, state: &Path, history: &History) {
    fs::copy(log, folder.join(format!("{COPY_FILE}.damaged"))).unwrap();
    fs::copy(state, folder.join(format!("{STATE_FILE}.damaged"))).unwrap();
    fs::copy(log, folder.join(earlier_log_file(Format::Five))).unwrap();
    let entries = || history.entries.iter().chain([&history.lost.0]);
    let lines = entries().map(|entry| serde_json::to_string(&LostEntry::from(entry.clone())).unwrap() + "\n");
    fs::write(folder.join("lost.jsonl"), lines.collect::<String>()).unwrap();
    // Texts that were not acknowledged, and were sent again: other entries have them.
    let cut = |entry: &Entry| {
        let (header, link) = (&entry.header, history.entries[0].link.to_string());
        let line = json!({
            "at": header.at, "body": entry.body, "g": header.g + 1_000, "link": link, "rest": header.rest(),
        });
        format!("{line}\n")
    };
    fs::write(folder.join(CUT_FILE), entries().map(cut).collect::<String>()).unwrap();
}

fn planted() -> Vec<String> {
    let aside = [COPY_FILE, STATE_FILE].map(|file| format!("{file}.damaged"));
    let others = [earlier_log_file(Format::Five), "lost.jsonl".to_owned(), CUT_FILE.to_owned()];
    aside.into_iter().chain(others).collect()
}

/// What stands is where it was in a file of entries, and every line is there.
fn assert_lines(folder: &Path, name: &str, history: &History) {
    let text = fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(text.lines().count(), history.entries.len() + 1, "every line of {name} stays");
    for (what, stays) in &history.stays {
        assert!(text.contains(stays), "{name} has lost {what}");
    }
}

/// Each text was in these places, or the search proves nothing. The state file has no text that was refused.
fn assert_there(folder: &Path, names: &[String], history: &History) -> usize {
    let mut found = 0;
    for (what, text) in &history.gone {
        let places = places(folder, text);
        for name in names {
            let refused = ["refused", "taken back", "repeated"].iter().any(|word| what.contains(word));
            if !(refused || history.unshown.contains(what)) || !name.starts_with("state") {
                assert!(places.contains(name), "{name} never had the text of: {what}; {places:?} had");
                found += 1;
            }
        }
    }
    found
}

fn five(folder: &Path) -> Config {
    let mut config = config(folder);
    config.newest_format = Format::Five;
    config
}

/// Erases until nothing is due.
async fn erase_all(node: &Arc<Node>) -> usize {
    let mut erased = 0;
    loop {
        match node.erase_due(now_ms()).await.unwrap() {
            0 => break,
            some => erased += some,
        }
    }
    awaited("all of it is removed", node.wait_removed()).await;
    erased
}

/// What stands is where it was, and the header of every entry too.
async fn assert_whole(log: &SharedBroker, history: &History) -> usize {
    let entries = read_all(log.as_ref()).await;
    let mut erased = 0;
    for (entry, was) in entries.iter().zip(&history.entries) {
        assert_eq!((&entry.header, entry.link), (&was.header, was.link));
        erased += usize::from(entry.body.is_none());
    }
    for (what, text) in &history.stays {
        let stands = |body: &String| body.contains(text.as_str());
        assert!(entries.iter().any(|entry| entry.body.as_ref().is_some_and(stands)), "{what} is gone");
    }
    erased
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_is_in_no_file_of_a_data_folder() {
    let folder = tempdir().unwrap();
    let history = history::write(folder.path()).await;
    let (log, state) = (folder.path().join("log.sqlite"), folder.path().join(STATE_FILE));
    plant(folder.path(), &log, &state, &history).await;
    let names: Vec<_> = planted().into_iter().chain(["log.sqlite".into(), STATE_FILE.into()]).collect();
    let found = assert_there(folder.path(), &names, &history);

    let log: SharedBroker = Arc::new(unlocked(folder.path()).await);
    let node = Node::start(five(folder.path()), log.clone()).await.unwrap();
    let mailbox = node.hub.connect(history.owner, node.hub.ended_logins()).unwrap();
    let ring = node.hub.open(history.room, &mailbox);
    let erased = erase_all(&node).await;
    let bodies = assert_whole(&log, &history).await;
    let searched = assert_gone(folder.path(), &history);
    if let Pulled::Frames(frames) = ring.pull(Floor::NONE, 0, 10_000) {
        for (what, text) in &history.gone {
            assert!(!frames.iter().any(|frame| frame.contains(text)), "the ring has {what}");
        }
    }
    let kept = erased_entries::read(folder.path()).unwrap();
    assert_eq!(kept.len(), bodies, "the list names what was erased");
    println!(
        "{} texts in {found} places before; {erased} named, {bodies} bodies erased, {searched} files searched",
        history.gone.len()
    );
    assert!(bodies >= history.gone.len() && searched >= 8, "{bodies} bodies, {searched} files");
    for name in ["lost.jsonl", CUT_FILE] {
        assert_lines(folder.path(), name, &history);
    }

    // Bodies come back, as with a log that was put back from a copy of its file.
    drop((ring, mailbox, node, log));
    closed(folder.path()).await;
    {
        let db = rusqlite::Connection::open(folder.path().join("log.sqlite")).unwrap();
        for entry in &history.entries {
            let put = "UPDATE entries SET body = ?2 WHERE g = ?1 AND body IS NULL";
            db.execute(put, rusqlite::params![entry.header.g as i64, entry.body]).unwrap();
        }
    }
    fs::remove_file(folder.path().join(erased_entries::ERASED_FILE)).unwrap();
    plant(folder.path(), &folder.path().join("log.sqlite"), &state, &history).await;
    assert!(!places(folder.path(), &history.gone[0].1).is_empty());
    let log: SharedBroker = Arc::new(unlocked(folder.path()).await);
    let node = Node::start(five(folder.path()), log.clone()).await.unwrap();
    awaited("what came back is removed", node.wait_removed()).await;
    assert_eq!(assert_whole(&log, &history).await, bodies);
    assert_gone(folder.path(), &history);
    assert_eq!(erased_entries::read(folder.path()).unwrap(), kept, "the list is made again");
}

/// All that a store gives of its keys, and its files.
fn of_store(store: &RedisServer) -> Vec<(String, Vec<u8>)> {
    let mut redis = redis::Client::open(store.url()).unwrap().get_connection().unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).unwrap();
    let mut found = files(store.folder());
    for key in keys {
        let dump: Vec<u8> = redis::cmd("DUMP").arg(&key).query(&mut redis).unwrap();
        found.push((key, dump));
    }
    found
}

/// Has the store write its file anew.
async fn rewrite(store: &RedisServer) {
    assert!(store.command(&["BGREWRITEAOF"]).starts_with('+'));
    let rewritten = || {
        let info = store.command(&["INFO", "persistence"]);
        info.contains("aof_rewrite_in_progress:0")
            && info.contains("aof_rewrite_scheduled:0")
            && info.contains("aof_last_bgrewrite_status:ok")
    };
    until("the store has written its file anew", rewritten).await;
}

async fn on_a_store(kind: Store) {
    let (origin, first, second) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    let history = history::write(origin.path()).await;
    // Without this the store keeps the bytes of an entry until the whole block around it is gone.
    let store = ["--appendonly", "yes", "--appendfsync", "always", "--stream-node-max-entries", "1"];
    let store = RedisServer::start_with(kind, &store);
    let words = ["migrate", "--from", origin.path().to_str().unwrap(), "--to", "redis"];
    let (done, said) = Running::start(&words, &[("REDIS_URL", &store.url())]).end();
    assert!(done, "{said}");
    for (what, text) in &history.gone {
        assert!(of_store(&store).iter().any(|(_, bytes)| has(bytes, text)), "the store never had {what}");
    }
    let settings = store.settings();
    let start = async |folder: &Path| {
        let mut config = five(folder);
        config.redis = Some(settings.clone());
        let log: SharedBroker = Arc::new(Redis::open(&settings).await.unwrap());
        Node::start(config, log).await.unwrap()
    };
    // Two servers went down when they had copied all of it; one of them comes back.
    for folder in [first.path(), second.path()] {
        LogCopy::open(folder).unwrap().take(&history.entries).unwrap();
        history::fold(folder, &history.entries);
        plant(folder, &folder.join(COPY_FILE), &folder.join(STATE_FILE), &history).await;
        // The log was being moved into the folder once. A server that has its log there does not start with such a file.
        fs::copy(folder.join(COPY_FILE), folder.join(UNFINISHED_FILE)).unwrap();
    }
    let live = [COPY_FILE, STATE_FILE, UNFINISHED_FILE].map(str::to_owned);
    let names: Vec<_> = planted().into_iter().chain(live).collect();
    let found = assert_there(second.path(), &names, &history);

    let node = start(first.path()).await;
    let erased = erase_all(&node).await;
    let log: SharedBroker = Arc::new(Redis::open(&store.settings()).await.unwrap());
    let bodies = assert_whole(&log, &history).await;
    let searched = assert_gone(first.path(), &history);
    rewrite(&store).await;
    let in_store = of_store(&store);
    for (name, bytes) in &in_store {
        for (what, text) in &history.gone {
            assert!(!has(bytes, text), "{kind:?}: {name} has the text of: {what}");
        }
    }
    // The other one has all of it until it is back.
    assert_there(second.path(), &names, &history);
    let other = start(second.path()).await;
    awaited("the other server has removed it too", async {
        let head = log.head().await.unwrap().unwrap().g;
        other.wait_folded(head).await;
        other.wait_removed().await;
    })
    .await;
    let searched_there = assert_gone(second.path(), &history);
    let unfinished = fs::read(second.path().join(UNFINISHED_FILE)).unwrap();
    for (what, text) in &history.stays {
        assert!(has(&unfinished, text), "{UNFINISHED_FILE} has lost {what}");
    }
    println!(
        "{kind:?}: {} texts in {found} places before; {erased} named, {bodies} bodies erased; {searched} and {searched_there} files and {} places of the store searched",
        history.gone.len(),
        in_store.len()
    );
    assert!(bodies >= history.gone.len() && searched >= 4 && searched_there >= 8);
    let kept = erased_entries::read(second.path()).unwrap();
    assert_eq!(kept, erased_entries::read(first.path()).unwrap());

    // The store comes back with the bodies, and with the entries that erased them.
    drop((node, other));
    put_bodies_back(&store, &history).await;
    assert!(of_store(&store).iter().any(|(_, bytes)| has(bytes, &history.gone[0].1)));
    let node = start(first.path()).await;
    awaited("what came back is removed", node.wait_removed()).await;
    assert_eq!(assert_whole(&node.broker, &history).await, bodies);
}

/// Makes the stream again with the bodies that were erased.
async fn put_bodies_back(store: &RedisServer, history: &History) {
    let mut redis = redis::Client::open(store.url()).unwrap().get_connection().unwrap();
    let log = read_all(&Redis::open(&store.settings()).await.unwrap()).await;
    let _: () = redis::cmd("DEL").arg("{beck}:log").arg("{beck}:erased").query(&mut redis).unwrap();
    for (n, entry) in log.iter().enumerate() {
        let body = entry.body.clone().or(history.entries.get(n).and_then(|entry| entry.body.clone()));
        let fields = [
            "at".to_owned(),
            entry.header.at.to_string(),
            "link".to_owned(),
            entry.link.to_string(),
            "rest".to_owned(),
            entry.header.rest(),
            "body".to_owned(),
            body.unwrap(),
        ];
        let id = format!("{}-0", entry.header.g);
        let _: String = redis::cmd("XADD").arg("{beck}:log").arg(id).arg(&fields).query(&mut redis).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_is_nowhere_in_redis_and_in_no_folder_of_its_servers() {
    on_a_store(Store::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_is_nowhere_in_valkey_and_in_no_folder_of_its_servers() {
    on_a_store(Store::Valkey).await;
}
