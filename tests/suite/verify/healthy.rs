//! Nothing is found where nothing is wrong: on an old log, and beside servers that write meanwhile.

use super::{copy_folder, verify};
use crate::support::command::Running;
use crate::support::log_reader;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, TestServer};
use beck::protocol::ClientId;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_an_older_version_is_well_before_and_after_it_is_folded() {
    let folder = tempdir().unwrap();
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/v0.1.0"), folder.path());
    let before = log_reader::read_folder(folder.path());
    let set = [("DATA_DIR", folder.path().to_str().unwrap())];
    let said = verify(&["--fold"], &set);
    said.well(&["log", "state"]);
    assert!(said.text.contains(&format!("{} entries continue each other", before.len())), "{}", said.text);
    Running::start(&[], &[set[0], ("PORT", "0"), ("QR", "no")]).stop();
    verify(&["--fold"], &set).well(&["log", "state", "rooms", "fold", "copy"]);
    // The log rose, and what is due was erased since.
    let after = log_reader::read_folder(folder.path());
    let kinds = after[before.len()..].iter().map(|entry| entry.rest.split(' ').nth(3).unwrap());
    let kinds: Vec<_> = kinds.collect();
    assert_eq!(kinds[0], "format");
    assert!(kinds[1..].iter().all(|kind| *kind == "erase"), "{kinds:?}");
    for (after, before) in after.iter().zip(&before) {
        assert_eq!((&after.rest, after.at, &after.link), (&before.rest, before.at, &before.link));
        assert!(after.body.is_none() || after.body == before.body, "{after:?}");
    }
}

/// Posts, edits, reacts and answers until it is told to stop; counts what was acknowledged.
async fn write_on(
    server_host: String,
    cookie: String,
    room: String,
    stop: Arc<AtomicBool>,
    acked: Arc<AtomicU64>,
) {
    let mut client = TestClient::connect_at(&server_host, &cookie).await;
    let mut last: Option<String> = None;
    let mut n = 0_u64;
    while !stop.load(Ordering::SeqCst) {
        n += 1;
        let id = ClientId::random().to_string();
        let frame = match (n % 5, &last) {
            (1, Some(target)) => {
                json!({ "t": "act", "id": id, "room": room, "target": target, "slot": "text", "value": format!("edited {n}") })
            }
            (2, Some(target)) => {
                json!({ "t": "act", "id": id, "room": room, "target": target, "slot": "pin", "value": true })
            }
            (3, Some(target)) => {
                json!({ "t": "post", "id": id, "room": room, "text": format!("answer {n}"), "thread": { "to": target, "also": n.is_multiple_of(2) } })
            }
            _ => json!({ "t": "post", "id": id, "room": room, "text": format!("line {n}") }),
        };
        let roots = frame["t"] == "post" && frame["thread"].is_null();
        client.send(frame).await;
        let ack = client.until("ack").await;
        assert_eq!((&ack["id"], &ack["outcome"]["is"]), (&json!(id), &json!("stored")), "{ack}");
        if roots {
            last = Some(id);
        }
        acked.fetch_add(1, Ordering::SeqCst);
        // Below what a socket may send.
        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
    }
}

async fn beside(server: &TestServer, set: &[(&str, &str)], lines: &[&str]) {
    let (cookie, room) = server.set_up().await;
    let (stop, acked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let host = server.host().to_owned();
    let writers: Vec<_> = (0..4)
        .map(|_| {
            tokio::spawn(write_on(host.clone(), cookie.clone(), room.clone(), stop.clone(), acked.clone()))
        })
        .collect();
    let (mut during, mut rounds) = (0, 0);
    // A round can be over before the next write: six at least, and more until three met one.
    while rounds < 6 || (during < 3 && rounds < 60) {
        let before = acked.load(Ordering::SeqCst);
        let words: &[&str] = if rounds % 3 == 2 { &["--fold"] } else { &[] };
        rounds += 1;
        verify(words, set).well(lines);
        let written = acked.load(Ordering::SeqCst) - before;
        during += u64::from(written > 0);
        // Something new for the next round, also where this one was fast.
        while acked.load(Ordering::SeqCst) < before + 20 {
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    println!("{} writes, some during {during} of {rounds} rounds", acked.load(Ordering::SeqCst));
    assert!(during >= 3, "writes came while it ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_server_that_writes_into_its_folder_nothing_is_found() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let set = [("DATA_DIR", folder.path().to_str().unwrap())];
    beside(&server, &set, &["log", "state", "rooms"]).await;
    log_reader::assert_whole(&log_reader::read_folder(folder.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_server_that_writes_into_a_redis_nothing_is_found() {
    let store = RedisServer::start(Store::Redis);
    let folder = tempdir().unwrap();
    let (server, _) = TestServer::start_set(folder.path(), &[("REDIS_URL", &store.url())]);
    let url = store.url();
    let set = [("DATA_DIR", folder.path().to_str().unwrap()), ("REDIS_URL", url.as_str())];
    beside(&server, &set, &["log", "copy", "state", "rooms"]).await;
    log_reader::assert_whole(&log_reader::read_store(store.port));
}
