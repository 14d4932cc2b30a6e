//! An account leaves a room and joins it again before its connection is told: it ends as a member.

use crate::support::server::TestClient;
use crate::support::set_up;
use beck::protocol::{AccountId, ClientId, Kind, MessageBody};
use beck::server::broker::Proposal;
use beck::server::{router, serve};
use futures::FutureExt;
use serde_json::{Value, json};
use tempfile::tempdir;

/// On one thread: while the test holds it, no connection runs.
#[tokio::test]
async fn who_left_and_came_back_before_the_connection_ran_is_told_so_last_and_reads_on() {
    for open in [true, false] {
        let folder = tempdir().unwrap();
        let here = set_up(folder.path()).await;
        let guest = here.member("guest").await;
        let (node, general) = (here.node.clone(), here.general);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let app = router::router(node.clone(), None);
        tokio::spawn(serve::serve(node.clone(), app, listener, std::future::pending()));
        let cookie = format!("beck_login={}", node.sign_in(guest).await.unwrap());
        let mut client = TestClient::connect_at(&host, &cookie).await;
        if open {
            client.send(json!({ "t": "subscribe", "room": general })).await;
            client.until("subscribed").await;
        }
        // Told of the room as a connection is, to see when all is published.
        let witness = node.hub.connect(guest, node.hub.ended_logins()).unwrap();
        node.hub.watch(general, &witness);
        let about = |kind: Kind, account: AccountId| {
            let proposal = Proposal::new(account, ClientId::random(), kind, &()).room(general);
            proposal.target(guest.as_str().parse().unwrap())
        };
        let body = MessageBody { text: "welcome back".into(), quote: None, said: None };
        let message = Proposal::new(here.owner, ClientId::random(), Kind::Message, &body).room(general);
        let batch = vec![about(Kind::Leave, guest), about(Kind::Join, guest), message];
        // No await from here on until everything is published.
        let mut appended = here.log.append(batch);
        let _ = (&mut appended).now_or_never();
        while !witness.take().badges.contains(&general) {
            std::thread::yield_now();
        }
        assert!(node.directory().rooms[&general].members.contains(&guest));

        let mut told: Vec<Value> = Vec::new();
        // Each once: the end is told after the last event of the room that is open.
        let expected: &[&str] = if open { &["left", "room"] } else { &["room"] };
        while told.len() < expected.len() {
            let frame = client.next().await.unwrap();
            if (frame["t"] == "left" || frame["t"] == "room") && frame.to_string().contains(general.as_str())
            {
                told.push(frame);
            }
        }
        client.send(json!({ "t": "people", "ids": [] })).await;
        loop {
            let frame = client.next().await.unwrap();
            match frame["t"].as_str() {
                Some("people") => break,
                Some("left" | "room") => told.push(frame),
                _ => {}
            }
        }
        let kinds: Vec<_> = told.iter().map(|frame| frame["t"].as_str().unwrap()).collect();
        assert_eq!(kinds, expected, "{told:?}");
        assert_eq!(told.last().unwrap()["room"]["joined"], true);
        // The client reads on as after any join.
        client.send(json!({ "t": "subscribe", "room": general })).await;
        client.until("subscribed").await;
        here.post(here.owner, ClientId::random(), "and on").await;
        assert_eq!(client.until("event").await["event"]["body"]["text"], "and on");
    }
}
