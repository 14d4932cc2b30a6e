//! The store's memory: what an entry takes of it, and what happens when there is none left.

use crate::conformance::workspace;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, TestServer};
use crate::support::{assert_linked, read_all};
use beck::protocol::{AccountId, ClientId, Kind, MessageBody, RoomId};
use beck::server::broker::redis::Redis;
use beck::server::broker::{Broker, Proposal};
use std::collections::HashMap;
use tempfile::tempdir;

fn used(store: &RedisServer) -> u64 {
    let info = store.command(&["INFO", "memory"]);
    info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_takes_the_memory_that_the_readme_says() {
    for kind in [Store::Redis, Store::Valkey] {
        let store = RedisServer::start(kind);
        let log = Redis::open(&store.settings()).await.unwrap();
        let (by, room) = (AccountId::random(), RoomId::random());
        log.create(workspace()).await.unwrap();
        let before = used(&store);
        const ENTRIES: u64 = 20_000;
        for n in 0..ENTRIES / 200 {
            let message = |m: u64| {
                let text = format!("{n} {m} {}", "a line of chat ".repeat((m % 8) as usize));
                let body = MessageBody { text, quote: None, said: None };
                Proposal::new(by, ClientId::random(), Kind::Message, &body).room(room)
            };
            log.append((0..200).map(message).collect()).await.unwrap();
        }
        let bytes = (used(&store) - before) / ENTRIES;
        println!("{kind:?}: {bytes} bytes of memory for an entry with about 58 letters of text");
        assert!((200..=350).contains(&bytes), "{bytes}: the README says about 0.3 KB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_refuses_with_a_reason_loses_nothing_and_goes_on_once_there_is_room() {
    for kind in [Store::Redis, Store::Valkey] {
        let store = RedisServer::start(kind);
        let folder = tempdir().unwrap();
        let (server, _) = TestServer::start_set(folder.path(), &[("REDIS_URL", &store.url())]);
        let (cookie, room) = server.set_up().await;
        let mut client = TestClient::connect(&server, &cookie).await;
        let limit = (used(&store) + 500_000).to_string();
        assert_eq!(store.command(&["CONFIG", "SET", "maxmemory", &limit]), "+OK\r\n");
        let (mut acked, mut refused) = (HashMap::new(), Vec::new());
        let text = "x".repeat(6_000);
        while refused.len() < 5 {
            let id = ClientId::random().to_string();
            client.post(&room, &id, &text).await;
            let answer = loop {
                let frame = client.next().await.unwrap();
                if frame["id"] == id.as_str() {
                    break frame;
                }
            };
            if answer["t"] == "ack" {
                assert_eq!(answer["outcome"]["is"], "stored", "{answer}");
                acked.insert(id, answer["outcome"]["seq"].as_u64().unwrap());
                assert!(acked.len() < 110, "the store is never full");
            } else {
                assert_eq!(answer["code"], "unavailable", "{answer}");
                let why = answer["message"].as_str().unwrap();
                assert_eq!(why, "Nothing can be saved right now: the server's database is full.");
                refused.push(id);
            }
        }
        assert!(acked.len() > 10, "{}", acked.len());
        // Reading goes on; that nothing can be stored is said.
        let (status, _, said) = server.page("/readyz", "").await;
        assert!(status == 503 && said.contains("maxmemory"), "{status} {said}");
        assert_eq!(client.all_rows(&room, 10).await, acked);
        // What was refused is sent again once there is room.
        assert_eq!(store.command(&["CONFIG", "SET", "maxmemory", "0"]), "+OK\r\n");
        for id in refused {
            client.post(&room, &id, &text).await;
            let ack = client.until("ack").await;
            acked.insert(id, ack["outcome"]["seq"].as_u64().unwrap());
        }
        assert_eq!(client.all_rows(&room, 10).await, acked);
        let entries = read_all(&Redis::open(&store.settings()).await.unwrap()).await;
        assert_linked(&entries);
        assert_eq!(entries.iter().filter(|entry| entry.header.kind == Kind::Message).count(), acked.len());
    }
}
