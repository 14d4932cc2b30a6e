//! A server that cannot read on: it does not know what others have written, and does not say that it is not there.

use crate::servers::Cluster;
use crate::support::awaited::awaited;
use crate::support::log_reader;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::TestClient;
use crate::support::store_line::Way;
use beck::protocol::ClientId;
use serde_json::{Value, json};

/// The frames until the server closes; it says that it goes, and nothing of rooms.
async fn assert_sent_elsewhere(client: &mut TestClient) {
    let wait = async {
        let mut moving = 0;
        while let Some(frame) = client.next().await {
            let kind = frame["t"].as_str().unwrap();
            assert!(!["left", "error", "reset", "subscribed"].contains(&kind), "{frame}");
            moving += usize::from(kind == "moving");
        }
        assert_eq!((moving, client.closed), (1, Some(1012)));
    };
    awaited("served, or sent away", wait).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_read_on_sends_elsewhere_who_knows_more() {
    let cluster = Cluster::start_with_lines(RedisServer::start(Store::Redis), 2).await;
    let [a, b] = cluster.servers.as_slice() else { panic!() };
    let (olive, general) = a.set_up().await;
    for way in [Way::ToServer, Way::ToStore] {
        cluster.until_ready_is(1, 200, "ready").await;
        let (mut knows_a_room, mut has_read_on) =
            (TestClient::connect(b, &olive).await, TestClient::connect(b, &olive).await);
        cluster.lines[1].lose(way);
        let mut writer = TestClient::connect(a, &olive).await;
        // A read that had begun may still be answered, with this.
        writer.post(&general, &ClientId::random().to_string(), "to begin with").await;
        writer.until("ack").await;
        // Behind its back: a room, and a message in another one.
        let (status, _, made) = a.form("/rooms", &olive, &[("name", &format!("{way:?}"))]).await;
        assert_eq!(status, 303);
        let room = made.strip_prefix("/r/").unwrap();
        writer.post(&general, &ClientId::random().to_string(), "behind its back").await;
        writer.until("ack").await;
        writer.send(json!({ "t": "subscribe", "room": general })).await;
        let position: Value = writer.until("subscribed").await["head"].take();

        knows_a_room.send(json!({ "t": "subscribe", "room": room })).await;
        has_read_on.send(json!({ "t": "subscribe", "room": general, "since": position })).await;
        tokio::join!(assert_sent_elsewhere(&mut knows_a_room), assert_sent_elsewhere(&mut has_read_on));
        assert!(cluster.lines[1].held() > 0);
        cluster.lines[1].mend();
        cluster.until_ready_is(1, 200, "ready").await;
        let mut again = TestClient::connect(b, &olive).await;
        for (room, since) in [(room, Value::Null), (general.as_str(), position)] {
            again.send(json!({ "t": "subscribe", "room": room, "since": since })).await;
            assert_eq!(again.until("subscribed").await["room"], room);
        }
    }
    log_reader::assert_whole(&log_reader::read_store(cluster.store.port));
}
