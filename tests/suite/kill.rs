//! The server is killed with SIGKILL in the middle of writes. BECK_KILLS sets the rounds (20).

use crate::support::log_reader;
use crate::support::server::{TestClient, TestServer};
use beck::protocol::ClientId;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_message_survives_sigkill_once() {
    let rounds = std::env::var("BECK_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let folder = tempdir().unwrap();
    let mut server = TestServer::start(folder.path());
    let (cookie, room) = server.set_up().await;
    let mut acked: HashMap<String, u64> = HashMap::new();
    let mut refused: HashSet<String> = HashSet::new();
    let (mut unanswered, mut kills): (Vec<(String, String)>, usize) = (Vec::new(), 0);
    for round in 0..rounds {
        let mut client = TestClient::connect(&server, &cookie).await;
        // What had no answer at the last kill is sent again under the same id.
        for (id, text) in &unanswered {
            client.post(&room, id, text).await;
        }
        let retried = unanswered.len();
        // These can never be stored: there is no such room.
        let nowhere = ClientId::random().to_string();
        client.post("bbbbbbbbbb", &nowhere, "refused").await;
        refused.insert(nowhere);
        for n in 0..40 {
            let (id, text) = (ClientId::random().to_string(), format!("round {round} line {n}"));
            client.post(&room, &id, &text).await;
            unanswered.push((id, text));
        }
        // Killed after some of the answers, while the others are under way.
        let answers = retried + 1 + (round * 7) % 30;
        for _ in 0..answers {
            let frame = loop {
                let frame = client.next().await.expect("the server lives until it is killed");
                if frame["t"] == "ack" || frame["t"] == "error" {
                    break frame;
                }
            };
            let id = frame["id"].as_str().unwrap().to_owned();
            unanswered.retain(|(waiting, _)| *waiting != id);
            if frame["t"] == "ack" {
                assert_eq!(frame["outcome"]["is"], "stored", "{frame}");
                acked.insert(id, frame["outcome"]["seq"].as_u64().unwrap());
            } else {
                assert!(refused.contains(&id), "{frame}");
            }
        }
        server.kill();
        kills += 1;
        server = TestServer::start(folder.path());
    }
    assert_eq!(kills, rounds);
    assert!(acked.len() > rounds * 10 && !unanswered.is_empty(), "the kills came in the middle of writes");
    server.kill();

    // The file itself, read without Beck.
    log_reader::assert_holds(&log_reader::read_folder(folder.path()), acked.keys(), &refused);

    // What people see: each message once, and each ack named its place.
    let server = TestServer::start(folder.path());
    let mut client = TestClient::connect(&server, &cookie).await;
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut after = 0;
    loop {
        let at = json!({ "after": after });
        client.send(json!({ "t": "page", "req": 1, "room": room, "at": at, "limit": 100 })).await;
        let page = tokio::time::timeout(Duration::from_secs(60), client.until("page")).await.unwrap();
        let rows = page["page"]["rows"].as_array().unwrap().clone();
        let Some(last) = rows.last() else { break };
        after = last["ordinal"].as_u64().unwrap();
        for row in &rows {
            let before = seen.insert(row["id"].as_str().unwrap().into(), row["seq"].as_u64().unwrap());
            assert_eq!(before, None, "a message is shown twice");
        }
    }
    for (id, seq) in &acked {
        assert_eq!(seen.get(id), Some(seq), "an ack named another place");
    }
}
