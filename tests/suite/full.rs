//! A store or a disk that is full: posts are refused with the reason, /readyz says so, people can read, and all goes on
//! by itself once there is room.

use crate::disk::Mounted;
use crate::support::furnish;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, TestServer};
use beck::protocol::ClientId;
use beck::server::readiness::UnreadyState;
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::time::Duration;
use tempfile::tempdir;

/// What never comes is given up after so long.
const HANG: Duration = Duration::from_secs(60);

async fn answer(client: &mut TestClient, room: &str, id: &str, text: &str) -> Value {
    client.post(room, id, text).await;
    loop {
        let frame = tokio::time::timeout(HANG, client.next()).await.expect("a post is answered").unwrap();
        if frame["id"] == id && frame["t"] != "event" {
            return frame;
        }
    }
}

async fn until_readyz(server: &TestServer, status: u16) -> String {
    let wait = async {
        loop {
            let (now, _, body) = server.page("/readyz", "").await;
            if now == status {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(HANG, wait).await.unwrap_or_else(|_| panic!("/readyz is never {status}"))
}

/// Posts until one is refused; gives its id. Every refusal must give this reason.
async fn refused_draft(client: &mut TestClient, room: &str, text: &str, reason: &str) -> String {
    for _ in 0..20 {
        let id = ClientId::random().to_string();
        let answer = answer(client, room, &id, text).await;
        if answer["t"] == "ack" {
            assert_eq!(answer["outcome"]["is"], "stored", "{answer}");
            continue;
        }
        assert_eq!(answer["code"], "unavailable", "{answer}");
        let people = format!("Nothing can be saved right now: {reason}.");
        assert_eq!(answer["message"], people.as_str(), "{answer}");
        return id;
    }
    panic!("nothing is ever refused");
}

/// The states of each step: full, then with room, then the same draft.
async fn full_and_back(
    server: &TestServer,
    (cookie, room): (&str, &str),
    state: UnreadyState,
    make_room: impl FnOnce(),
) {
    let mut client = TestClient::connect(server, cookie).await;
    let text = "x".repeat(6_000);
    let id = refused_draft(&mut client, room, &text, state.for_people()).await;
    let body = until_readyz(server, 503).await;
    assert!(body.starts_with(state.sentence()), "{body}");
    // It says once what to do.
    assert!(!body.contains("Free some space"), "{body}");
    // Pages, sockets and rows are there as before.
    assert_eq!(server.page(&format!("/r/{room}"), cookie).await.0, 200);
    assert_eq!(server.page("/healthz", "").await.0, 200);
    let mut other = TestClient::connect(server, cookie).await;
    let before = other.all_rows(&room, 20).await;
    assert!(!before.contains_key(&id));
    make_room();
    // Nobody posts, and it ends by itself.
    assert_eq!(until_readyz(server, 200).await, "ready");
    let ack = answer(&mut client, room, &id, &text).await;
    assert_eq!((&ack["t"], &ack["outcome"]["is"]), (&"ack".into(), &"stored".into()), "{ack}");
    let after = other.all_rows(&room, 20).await;
    assert_eq!(after.len(), before.len() + 1);
    assert!(after.contains_key(&id), "the draft that was refused is stored once");
    assert_eq!(until_readyz(server, 200).await, "ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_others_have_filled_makes_the_server_unready_until_there_is_room() {
    let mut filled = 0;
    for kind in [Store::Redis, Store::Valkey] {
        let store = RedisServer::start(kind);
        let folder = tempdir().unwrap();
        let url = store.url();
        let settings = [("REDIS_URL", url.as_str())];
        let (server, _) = TestServer::start_set(folder.path(), &settings);
        let (cookie, room) = server.set_up().await;
        let info = store.command(&["INFO", "memory"]);
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        let limit = used.trim().parse::<u64>().unwrap() + 4_000_000;
        assert_eq!(store.command(&["CONFIG", "SET", "maxmemory", &limit.to_string()]), "+OK\r\n");
        let junk = "j".repeat(100_000);
        let mut keys = 0;
        while store.command(&["SET", &format!("foreign:{keys}"), &junk]) == "+OK\r\n" {
            keys += 1;
            assert!(keys < 200, "the store is never full");
        }
        filled += 1;
        // A server that starts now says so before anybody posts.
        let second = tempdir().unwrap();
        let (other, _) = TestServer::start_set(second.path(), &settings);
        let (status, _, body) = other.page("/readyz", "").await;
        assert!(status == 503 && body.starts_with(UnreadyState::StoreFull.sentence()), "{status} {body}");
        full_and_back(&server, (&cookie, &room), UnreadyState::StoreFull, || {
            for key in 0..keys {
                store.command(&["DEL", &format!("foreign:{key}")]);
            }
        })
        .await;
        assert_eq!(until_readyz(&other, 200).await, "ready");
    }
    assert_eq!(filled, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_makes_the_server_unready_until_there_is_room() {
    let folder = tempdir().unwrap();
    let Some(_mounted) = Mounted::try_new(folder.path()) else {
        eprintln!("SKIPPED: a full disk was not tested, since nothing can be mounted here.");
        return;
    };
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let place = furnish(&data, 1).await;
    let (cookie, room) = (&place.people[0].1, place.general.to_string());
    let server = TestServer::start(&data);
    let ballast = folder.path().join("ballast");
    let mut file = File::create(&ballast).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
    // A file that is open keeps its space.
    drop(file);
    full_and_back(&server, (cookie, &room), UnreadyState::DiskFull, || {
        std::fs::remove_file(&ballast).unwrap();
    })
    .await;
}
