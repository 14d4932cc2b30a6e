//! A store that is a cluster of three: our keys are on one of its nodes, and move to another while all goes on.

use crate::support::redis::{RedisServer, Store};
use crate::support::server::TestClient;
use crate::support::{assert_linked, config, read_all, set_up_on};
use beck::protocol::ClientId;
use beck::server::broker::redis::{Redis, RedisSettings};
use beck::server::node::{Node, Readiness};
use beck::server::{router, serve};
use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::tempdir;

/// Of `{beck}`.
const SLOT: &str = "1941";

/// Three nodes that know each other; the slot is on the first.
async fn three(store: Store) -> Vec<RedisServer> {
    // The port on which nodes talk to each other would be too high above a port that the system chose.
    let listeners: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let buses: Vec<_> =
        listeners.iter().map(|listener| listener.local_addr().unwrap().port().to_string()).collect();
    drop(listeners);
    let node = |bus: &String| {
        let enabled = ["--cluster-enabled", "yes", "--cluster-port", bus];
        RedisServer::start_with(
            store,
            &[&enabled[..], &["--appendonly", "yes", "--appendfsync", "always"]].concat(),
        )
    };
    let nodes: Vec<_> = buses.iter().map(node).collect();
    for (n, (from, to)) in [("0", "5460"), ("5461", "10922"), ("10923", "16383")].iter().enumerate() {
        assert_eq!(nodes[n].command(&["CLUSTER", "ADDSLOTSRANGE", from, to]), "+OK\r\n");
        assert_eq!(nodes[n].command(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]), "+OK\r\n");
        let first = nodes[0].port.to_string();
        assert_eq!(nodes[n].command(&["CLUSTER", "MEET", "127.0.0.1", &first, &buses[0]]), "+OK\r\n");
    }
    for node in &nodes {
        while !node.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    nodes
}

fn id_of(node: &RedisServer) -> String {
    node.command(&["CLUSTER", "MYID"]).lines().nth(1).unwrap().to_owned()
}

/// Moves the slot as redis-cli does, key by key, and then tells all three.
fn move_slot(nodes: &[RedisServer], from: usize, to: usize) -> usize {
    let (source, target) = (id_of(&nodes[from]), id_of(&nodes[to]));
    let ok = |answer: String| assert_eq!(answer, "+OK\r\n");
    ok(nodes[to].command(&["CLUSTER", "SETSLOT", SLOT, "IMPORTING", &source]));
    ok(nodes[from].command(&["CLUSTER", "SETSLOT", SLOT, "MIGRATING", &target]));
    let mut moved = 0;
    loop {
        let keys = nodes[from].command(&["CLUSTER", "GETKEYSINSLOT", SLOT, "1"]);
        let Some(key) = keys.lines().nth(2) else { break };
        let port = nodes[to].port.to_string();
        ok(nodes[from].command(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]));
        moved += 1;
    }
    for node in [to, from, 3 - from - to] {
        ok(nodes[node].command(&["CLUSTER", "SETSLOT", SLOT, "NODE", &target]));
    }
    moved
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slot_of_the_log_moves_to_another_node_and_nothing_is_lost() {
    for store in [Store::Redis, Store::Valkey] {
        let nodes = three(store).await;
        // Each by the address of a node that does not have our keys.
        let settings = |n: usize| RedisSettings::at("127.0.0.1", nodes[n].port);
        let folders = [tempdir().unwrap(), tempdir().unwrap()];
        let log = Arc::new(Redis::open(&settings(2)).await.unwrap());
        let here = set_up_on(folders[0].path(), log).await;
        let mut second = config(folders[1].path());
        second.redis = Some(settings(1));
        let other = Node::start(second, Arc::new(Redis::open(&settings(1)).await.unwrap())).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let app = router::router(other.clone(), None);
        tokio::spawn(serve::serve(other.clone(), app, listener, std::future::pending()));
        let cookie = format!("beck_login={}", here.node.sign_in(here.owner).await.unwrap());
        let mut client = TestClient::connect_at(&host, &cookie).await;
        let room = here.general.to_string();

        let moving = Arc::new(AtomicBool::new(true));
        let (still, moves) = (
            moving.clone(),
            tokio::task::spawn_blocking({
                let moving = moving.clone();
                move || {
                    let mut keys = 0;
                    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
                        std::thread::sleep(Duration::from_millis(300));
                        keys += move_slot(&nodes, from, to);
                    }
                    moving.store(false, Ordering::SeqCst);
                    (nodes, keys)
                }
            }),
        );
        let (mut acked, mut tries) = (Vec::new(), 0);
        while still.load(Ordering::SeqCst) || acked.len() < 50 {
            let id = ClientId::random().to_string();
            // As a client does: the same id until there is an answer to it.
            loop {
                tries += 1;
                client.post(&room, &id, "while it moves").await;
                let frame = loop {
                    let frame = client.next().await.expect("the socket goes on");
                    if frame["id"] == id.as_str() {
                        break frame;
                    }
                };
                if frame["t"] == "ack" {
                    assert_eq!(frame["outcome"]["is"], "stored", "{frame}");
                    break;
                }
                assert!(
                    matches!(frame["code"].as_str(), Some("unavailable" | "unknown" | "throttled")),
                    "{frame}"
                );
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            acked.push(id);
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        let (nodes, keys) = moves.await.unwrap();
        assert!(keys >= 6, "{keys} keys were moved");
        println!(
            "{store:?}: {} messages, {} refused while {keys} keys moved",
            acked.len(),
            tries - acked.len()
        );

        let entries = read_all(here.log.as_ref()).await;
        assert_linked(&entries);
        let stored: HashSet<_> = entries.iter().map(|entry| entry.header.client_id.to_string()).collect();
        assert!(acked.iter().all(|id| stored.contains(id)));
        for node in [&here.node, &other] {
            node.wait_folded(entries.len() as u64).await;
            while node.readiness() != Readiness::Ready {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        let seen = client.all_rows(&room, 100).await;
        assert_eq!(seen.len(), acked.len(), "each once");
        // Logins and pointers have moved too.
        assert_eq!(other.login_of(cookie.split_once('=').unwrap().1).await.unwrap(), Some(here.owner));
        drop(nodes);
    }
}
