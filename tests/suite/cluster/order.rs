//! An end takes its place in the log: once it is answered, what anybody writes through any server reaches none of the
//! ended, whichever server has his socket.

use crate::servers::Cluster;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::TestClient;
use crate::support::{log_reader, read_all};
use beck::protocol::{ClientId, Kind};
use beck::server::broker::redis::Redis;
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;

const SERVERS: usize = 3;

/// Reads until this; nothing on the way may hold the text.
async fn until_without(client: &mut TestClient, kind: &str, text: &str) {
    let wait = async {
        loop {
            let frame = client.next().await.unwrap_or_else(|| panic!("closed before {kind}"));
            assert!(!frame.to_string().contains(text), "{frame}");
            if frame["t"] == kind {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect(kind);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_answer_nothing_that_anybody_writes_reaches_the_ended() {
    let cluster = Cluster::start(RedisServer::start(Store::Redis), SERVERS);
    let (olive, general) = cluster.servers[0].set_up().await;
    let guest = cluster.servers[1].sign_up(&olive, &general, "guest").await;
    let leave = format!("/r/{general}/leave");
    let join = format!("/r/{general}/join");
    let mut writers = Vec::new();
    for server in &cluster.servers {
        writers.push(TestClient::connect(server, &olive).await);
    }
    let mut left = 0;
    for (at, reads) in cluster.servers.iter().enumerate() {
        let mut socket = TestClient::connect(reads, &guest).await;
        for (by, ends) in cluster.servers.iter().enumerate() {
            for (through, writer) in writers.iter_mut().enumerate() {
                socket.send(json!({ "t": "subscribe", "room": general })).await;
                socket.until("subscribed").await;
                // Much is on its way when the end comes.
                for n in 0..5 {
                    writer.post(&general, &ClientId::random().to_string(), &format!("before {n}")).await;
                }
                assert_eq!(ends.form(&leave, &guest, &[]).await.0, 303);
                let text = format!("after the end of {at} {by} {through}");
                let id = ClientId::random().to_string();
                writer.post(&general, &id, &text).await;
                while writer.until("ack").await["id"] != id.as_str() {}
                until_without(&mut socket, "left", &text).await;
                // Nor by asking for it.
                socket.send(json!({ "t": "fetch", "req": 1, "room": general, "after": 0, "to": 500 })).await;
                until_without(&mut socket, "error", &text).await;
                assert_eq!(ends.form(&join, &guest, &[]).await.0, 303);
                left += 1;
            }
        }
    }
    assert_eq!(left, SERVERS.pow(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_room_is_archived_nothing_that_anybody_writes_reaches_it() {
    let cluster = Cluster::start(RedisServer::start(Store::Redis), SERVERS);
    let (olive, _) = cluster.servers[0].set_up().await;
    let (mut refused, mut before) = (0, 0);
    for by in 0..SERVERS {
        let name = format!("room {by}");
        let side = cluster.servers[by].form("/rooms", &olive, &[("name", name.as_str())]).await.2;
        let room = side.strip_prefix("/r/").unwrap();
        let (mut readers, mut writers) = (Vec::new(), Vec::new());
        for server in &cluster.servers {
            let mut reader = TestClient::connect(server, &olive).await;
            reader.send(json!({ "t": "subscribe", "room": room })).await;
            reader.until("subscribed").await;
            readers.push(reader);
            writers.push(TestClient::connect(server, &olive).await);
        }
        // Much is on its way when the end comes, through every server.
        for n in 0..30 {
            for writer in &mut writers {
                writer.post(room, &ClientId::random().to_string(), &format!("around {n}")).await;
            }
        }
        let archive = format!("{side}/archive");
        assert_eq!(cluster.servers[by].form(&archive, &olive, &[("archived", "1")]).await.0, 303);
        let text = format!("after the end of {by}");
        for writer in &mut writers {
            let id = ClientId::random().to_string();
            writer.post(room, &id, &text).await;
            let mut ack = writer.until("ack").await;
            while ack["id"] != id.as_str() {
                before += usize::from(ack["outcome"]["is"] == "stored");
                ack = writer.until("ack").await;
            }
            assert_eq!(ack["outcome"], json!({ "is": "refused", "why": "archived" }));
            refused += 1;
        }
        // The room comes back; until then, and after it, nobody was given one of them.
        assert_eq!(cluster.servers[by].form(&archive, &olive, &[("archived", "")]).await.0, 303);
        let last = ClientId::random().to_string();
        writers[by].post(room, &last, "as before").await;
        for reader in &mut readers {
            let wait = async {
                loop {
                    let frame = reader.next().await.expect("the socket goes on");
                    assert!(!frame.to_string().contains(&text), "{frame}");
                    if frame["event"]["header"]["id"] == last.as_str() {
                        return;
                    }
                }
            };
            tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the last one");
        }
    }
    assert_eq!(refused, SERVERS.pow(2));
    assert!(before > 0, "nothing was on its way");
    log_reader::assert_whole(&log_reader::read_store(cluster.store.port));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_signing_out_everywhere_nothing_that_anybody_writes_reaches_a_socket() {
    let cluster = Cluster::start(RedisServer::start(Store::Valkey), SERVERS);
    let (olive, general) = cluster.servers[0].set_up().await;
    cluster.servers[1].sign_up(&olive, &general, "guest").await;
    // One sign-in each: more would be throttled.
    let sign_in = [("handle", "guest"), ("password", "a long password")];
    // What the sockets of each round were given.
    let mut given: Vec<Vec<String>> = Vec::new();
    for round in 0..SERVERS * SERVERS {
        let (by, through) = (round % SERVERS, round / SERVERS);
        let (status, cookie, _) = cluster.servers[by].form("/sign-in", "", &sign_in).await;
        assert_eq!(status, 303);
        let (mut sockets, mut writers) = (Vec::new(), Vec::new());
        for server in &cluster.servers {
            let mut socket = TestClient::connect(server, &cookie).await;
            socket.send(json!({ "t": "subscribe", "room": general })).await;
            socket.until("subscribed").await;
            sockets.push(socket);
            writers.push(TestClient::connect(server, &olive).await);
        }
        // Much is on its way when the end comes, through every server.
        let flood = async {
            for n in 0..30 {
                for writer in &mut writers {
                    writer.post(&general, &ClientId::random().to_string(), &format!("around {n}")).await;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let end = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            cluster.servers[by].form("/sign-out-everywhere", &cookie, &[]).await
        };
        let ((), answered) = tokio::join!(flood, end);
        assert_eq!((answered.0, answered.2.as_str()), (303, "/sign-in"));
        let text = format!("after the end of {round}");
        let id = ClientId::random().to_string();
        writers[through].post(&general, &id, &text).await;
        while writers[through].until("ack").await["id"] != id.as_str() {}
        let mut ids = Vec::new();
        for socket in &mut sockets {
            let wait = async {
                while let Some(frame) = socket.next().await {
                    assert!(!frame.to_string().contains(&text), "{frame}");
                    ids.extend(frame["event"]["header"]["id"].as_str().map(str::to_owned));
                }
            };
            tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the socket goes on");
            assert_eq!(socket.closed, Some(4001));
        }
        given.push(ids);
        for server in &cluster.servers {
            assert_eq!(server.page("/rooms", &cookie).await.1, "/sign-in?next=/rooms");
        }
    }
    // By the log: what comes after an end reached nobody whom it ended, also of what nobody waited for.
    let entries = read_all(&Redis::open(&cluster.store.settings()).await.unwrap()).await;
    let place: HashMap<_, _> =
        entries.iter().map(|entry| (entry.header.client_id.to_string(), entry.header.g)).collect();
    let ends: Vec<_> = entries.iter().filter(|entry| entry.header.kind == Kind::Logins).collect();
    assert_eq!(ends.len(), given.len());
    let mut before = 0;
    for (end, ids) in ends.iter().zip(&given) {
        let late: Vec<_> = ids.iter().filter(|id| place[*id] > end.header.g).collect();
        assert!(late.is_empty(), "{} of {} came after the end {}", late.len(), ids.len(), end.header.g);
        before += ids.len();
    }
    assert!(before > 0, "nothing was on its way");
}
