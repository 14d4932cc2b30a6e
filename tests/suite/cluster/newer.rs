//! A server that is older than the log: it says so, stores nothing, and takes nothing for what it is not.

use crate::servers::Cluster;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::TestClient;
use crate::support::{furnish_on, read_all};
use beck::protocol::{ClientId, Format, Kind, MessageBody};
use beck::server::broker::redis::Redis;
use beck::server::broker::{Broker, Proposal};
use serde_json::json;
use std::sync::Arc;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_read_the_logs_format_says_so_and_does_not_serve() {
    let store = RedisServer::start(Store::Redis);
    let folder = tempdir().unwrap();
    let log = Arc::new(Redis::open(&store.settings()).await.unwrap());
    let place = furnish_on(folder.path(), log.clone(), 2).await;
    let mut cluster = Cluster::start(store, 1);
    let room = place.general.to_string();
    let mut client = TestClient::connect(&cluster.servers[0], &place.people[0].1).await;
    client.send(json!({ "t": "subscribe", "room": room })).await;
    client.until("subscribed").await;
    let root = ClientId::random();
    client.post(&room, &root.to_string(), "a question").await;
    client.until("event").await;

    // A newer server raises the format, and then writes what this one would put elsewhere.
    let by = place.people[1].0;
    let newer = Format::NEWEST.number() + 1;
    // Who begins a log is the operator, and only the operator raises its format.
    let operator = read_all(log.as_ref()).await[0].header.author;
    let body = MessageBody { text: "for a newer one".into(), quote: None, said: None };
    let answer = Proposal::new(by, ClientId::random(), Kind::Message, &body).room(place.general);
    let answer = answer.target(root.to_string().parse().unwrap()).slot("room".parse().unwrap());
    log.append(vec![Proposal::new(operator, ClientId::random(), Kind::Format, &newer), answer])
        .await
        .unwrap();
    let words = format!("the log is of format {newer}");
    let said = cluster.until_ready_is(0, 503, &words).await;
    assert!(said.contains("Install that version or a newer one"), "{said}");

    // Nothing is stored through it, and nothing that came after the entry is told.
    let before = read_all(log.as_ref()).await.len();
    let id = ClientId::random();
    client.send(json!({ "t": "post", "id": id, "room": room, "text": "to nobody" })).await;
    let mut refused = 0;
    while refused == 0 {
        let frame = client.next().await.expect("the connection stands");
        assert_ne!(frame["t"], "event", "{frame}");
        if frame["t"] == "error" {
            assert_eq!((&frame["id"], &frame["code"]), (&json!(id), &json!("unavailable")), "{frame}");
            assert!(frame["message"].as_str().unwrap().contains("the server needs an update"), "{frame}");
            refused += 1;
        }
    }
    client.send(json!({ "t": "page", "req": 1, "room": room, "at": "newest", "limit": 9 })).await;
    let frame = client.next().await.unwrap();
    let rows = frame["page"]["rows"].as_array().map_or(0, Vec::len);
    assert!(rows <= 1, "what it cannot read is in no page: {frame}");
    let fields = [("client_id", id.to_string()), ("text", "to nobody".to_owned())];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (status, ..) = cluster.servers[0].form(&format!("/r/{room}/post"), &place.people[0].1, &fields).await;
    assert!(status >= 400, "{status}");
    assert_eq!(read_all(log.as_ref()).await.len(), before);

    // One that starts on that log, with or without a state of its own, says the same.
    cluster.servers[0].kill();
    cluster.servers[0] = cluster.serve(0);
    cluster.until_ready_is(0, 503, &words).await;
    cluster.folders.push(tempdir().unwrap());
    cluster.servers.push(cluster.serve(1));
    cluster.until_ready_is(1, 503, &words).await;
    assert_eq!(read_all(log.as_ref()).await.len(), before);
}
