//! The copy of a store's log that each server keeps, and `beck restore`, which makes a lost store again from it.

use crate::moving::of_store;
use crate::servers::Cluster;
use crate::support::command::{Running, refused};
use crate::support::erasing::erase_message;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::TestClient;
use crate::support::{config, read_all};
use beck::protocol::{ActDraft, ActValue, ClientId, Kind, MessageBody, Outcome};
use beck::server::broker::redis::Redis;
use beck::server::broker::{Broker, Entry, Proposal, SharedBroker};
use beck::server::config::Config;
use beck::server::node::Node;
use beck::server::rooms;
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_is_restored_from_the_folder_of_any_server() {
    let mut cluster = Cluster::start(RedisServer::start(Store::Redis), 2);
    let (olive, room) = cluster.servers[0].set_up().await;
    cluster.servers[1].sign_up(&olive, &room, "guest").await;
    let mut client = TestClient::connect(&cluster.servers[0], &olive).await;
    let mut acked = HashMap::new();
    for n in 0..110 {
        let id = ClientId::random().to_string();
        client.post(&room, &id, &format!("message {n}")).await;
        let ack = client.until("ack").await;
        assert_eq!(ack["outcome"]["is"], "stored", "{ack}");
        acked.insert(id, ack["outcome"]["seq"].as_u64().unwrap());
    }
    // So many more that a restore takes some time.
    let log = Redis::open(&cluster.store.settings()).await.unwrap();
    let made = read_all(&log).await.into_iter().find(|entry| entry.header.kind == Kind::Room).unwrap();
    let owner = made.header.author;
    for n in 0..10 {
        let message = |m: usize| {
            let body = MessageBody { text: format!("bulk {n} {m}"), quote: None, said: None };
            Proposal::new(owner, ClientId::random(), Kind::Message, &body).room(room.parse().unwrap())
        };
        log.append((0..300).map(message).collect()).await.unwrap();
    }
    drop(log);
    let entries = of_store(&cluster.store).await;
    let url = cluster.store.url();
    for n in 0..2 {
        until_copied(cluster.folders[n].path(), entries.len(), 2).await;
    }

    // Entries are in the copy before they are folded.
    let head = loop {
        client.send(json!({ "t": "subscribe", "room": room })).await;
        let head = client.until("subscribed").await["head"].clone();
        // The room with its topic, and who joined.
        if head["seq"] == 3_000 + acked.len() + 3 {
            break head;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(cluster.store.command(&["FLUSHALL"]), "+OK\r\n");
    for n in 0..2 {
        let text = cluster.until_ready_is(n, 503, "gone").await;
        assert!(text.contains(&format!("the copy in this folder has {} entries", entries.len())), "{text}");
    }
    let folder = cluster.folders[0].path().to_str().unwrap().to_owned();
    let set = [("REDIS_URL", url.as_str()), ("DATA_DIR", folder.as_str())];
    let why = refused(&["restore"], &set);
    assert!(why.contains("is in use by another Beck"), "{why}");
    cluster.servers[0].kill();
    let mut kills = 0;
    let exists = |key: &str| cluster.store.command(&["EXISTS", key]) == ":1\r\n";
    for lines in [3, 4, 6, 9, 12, 16, 20] {
        if !Running::start(&["restore"], &set).kill_after(lines) || !exists("{beck}:mark") {
            continue;
        }
        if exists("{beck}:log") {
            break;
        }
        kills += 1;
        // Whoever was at work takes it for nothing yet.
        assert_eq!(cluster.readiness(1).await.0, 503);
    }
    println!("{kills} kills in the middle of a restore");
    assert!(kills >= 3, "only {kills} kills in the middle of the restore");
    if !exists("{beck}:log") {
        let (done, said) = Running::start(&["restore"], &set).end();
        assert!(done && said.contains(&format!("Restored {} entries", entries.len())), "{said}");
        assert!(said.contains("everyone signs in again"), "{said}");
    }
    assert!(of_store(&cluster.store).await == entries, "the store has another log");
    let why = refused(&["restore"], &set);
    assert!(why.contains("has a log already"), "{why}");

    // The other server goes on by itself; the first one starts again.
    cluster.until_ready_is(1, 200, "ready").await;
    cluster.servers[0] = cluster.serve(0);
    cluster.until_ready_is(0, 200, "ready").await;
    for server in &cluster.servers {
        assert_eq!(
            server.page("/rooms", &olive).await.1,
            "/sign-in?next=/rooms",
            "logins were lost with the store"
        );
        for handle in ["olive", "guest"] {
            let fields = [("handle", handle), ("password", "a long password")];
            let (status, cookie, _) = server.form("/sign-in", "", &fields).await;
            assert_eq!(status, 303, "{handle} is let in");
            let mut client = TestClient::connect(server, &cookie).await;
            let rows = client.all_rows(&room, 100).await;
            assert_eq!(rows.len(), 3_000 + acked.len());
            assert!(acked.iter().all(|(id, seq)| rows.get(id) == Some(seq)), "an acked message is elsewhere");
            client.send(json!({ "t": "subscribe", "room": room })).await;
            assert_eq!(client.until("subscribed").await["head"], head);
        }
    }
}

/// Waits until the copy in a folder has all of this.
async fn until_copied(folder: &Path, entries: usize, passwords: usize) {
    let count = |what: &str| {
        let db = rusqlite::Connection::open(folder.join("copy.sqlite")).unwrap();
        db.query_row(what, [], |row| row.get::<_, i64>(0)).unwrap_or(0) as usize
    };
    let all = || (count("SELECT COUNT(*) FROM entries"), count("SELECT COUNT(*) FROM secrets"));
    let mut tries = 0;
    while all() != (entries, passwords) {
        tries += 1;
        assert!(tries < 300, "the copy has {:?}, not {:?}", all(), (entries, passwords));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// A node on a store that keeps a copy.
async fn node_with_copy(folder: &Path, store: &RedisServer) -> Arc<Node> {
    let mut settings = HashMap::from([("REDIS_URL".to_owned(), store.url())]);
    settings.insert("DATA_DIR".to_owned(), folder.to_str().unwrap().to_owned());
    let config = Config { address: config(folder).address, ..Config::from_settings(&settings).unwrap() };
    let log: SharedBroker = Arc::new(Redis::open(&store.settings()).await.unwrap());
    Node::start(config, log).await.unwrap()
}

fn copy_of(folder: &Path) -> Vec<(u64, String, bool)> {
    let db = rusqlite::Connection::open(folder.join("copy.sqlite")).unwrap();
    let mut select = db.prepare("SELECT g, link, body IS NULL FROM entries ORDER BY g").unwrap();
    let rows = select.query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?, row.get(2)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

fn as_copied(entries: &[Entry]) -> Vec<(u64, String, bool)> {
    entries.iter().map(|e| (e.header.g, e.link.to_string(), e.body.is_none())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_copy_of_a_server_follows_erasure_rewriting_and_its_own_loss() {
    let store = RedisServer::start(Store::Redis);
    let folder = tempdir().unwrap();
    let node = node_with_copy(folder.path(), &store).await;
    let new =
        beck::server::accounts::NewAccount { name: "Olive", handle: "olive", password: "a long password" };
    let (owner, general) = beck::server::accounts::set_up(&node, "Test Place", new).await.unwrap();
    let post = async |node: &Arc<Node>, text: &str| {
        let id = ClientId::random();
        let draft = beck::protocol::frame::Draft {
            id,
            room: general,
            thread: None,
            quote: None,
            text: text.into(),
            named: Default::default(),
        };
        let done = rooms::post(node, owner, draft).await.unwrap();
        assert!(matches!(done, Outcome::Stored { .. }), "{done:?}");
        id
    };
    let gone = post(&node, "waterfall-hemlock").await;
    let (own, slot) = (ClientId::random(), "deleted".to_owned());
    let act = ActDraft {
        id: own,
        room: general,
        target: gone,
        slot,
        value: ActValue::On(true),
        named: Default::default(),
    };
    rooms::act(&node, owner, act).await.unwrap();
    post(&node, "kept").await;
    assert!(crate::conformance::files_hold(folder.path(), "waterfall-hemlock"));
    erase_message(&node, gone).await;
    assert!(!crate::conformance::files_hold(folder.path(), "waterfall-hemlock"));
    let entries = of_store(&store).await;
    assert_eq!(copy_of(folder.path()), as_copied(&entries));
    assert_eq!(entries.iter().filter(|entry| entry.body.is_none()).count(), 1);

    // The tail becomes another one: the copy follows.
    post(&node, "lost").await;
    assert_eq!(copy_of(folder.path()).len(), entries.len() + 1);
    let last = format!("{}-0", entries.len() + 1);
    let before = format!("{}-0", entries.len());
    let cut = "redis.call('XDEL', KEYS[1], ARGV[1]); return redis.call('XSETID', KEYS[1], ARGV[2])";
    assert_eq!(store.command(&["EVAL", cut, "1", "{beck}:log", &last, &before]), "+OK\r\n");
    let mut tries = 0;
    while copy_of(folder.path()) != as_copied(&entries) {
        tries += 1;
        assert!(tries < 300, "the copy is cut back");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    node.wait_folded(entries.len() as u64).await;
    drop(node);

    // Without it a server makes it again, also where everything is folded.
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join(format!("copy.sqlite{ending}")));
    }
    let node = node_with_copy(folder.path(), &store).await;
    until_copied(folder.path(), entries.len(), 1).await;
    assert_eq!(copy_of(folder.path()), as_copied(&entries));
    drop(node);
}
