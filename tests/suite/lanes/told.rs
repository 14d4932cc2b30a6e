//! What connections are told of threads as it changes, and plain forms.

use crate::servers::Cluster;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, TestServer};
use beck::protocol::ClientId;
use serde_json::{Value, json};
use tempfile::tempdir;

/// What a badge says of a room and its threads.
fn counts(frame: &Value) -> [u64; 4] {
    ["unread", "mentions", "threads", "thread_mentions"].map(|name| frame["badge"][name].as_u64().unwrap())
}

async fn until_counts(clients: &mut [TestClient], expected: [u64; 4]) {
    for client in clients {
        while counts(&client.until("badge").await) != expected {}
    }
}

async fn connect_all(server: &TestServer, cookie: &str, n: usize) -> Vec<TestClient> {
    let mut clients = Vec::new();
    for _ in 0..n {
        clients.push(TestClient::connect(server, cookie).await);
    }
    clients
}

async fn until_stored(client: &mut TestClient, id: &str) {
    let mut ack = client.until("ack").await;
    while ack["id"] != id {
        ack = client.until("ack").await;
    }
    assert_eq!(ack["outcome"]["is"], "stored", "{ack}");
}

/// Writes an answer and gives its id.
async fn answer(client: &mut TestClient, room: &str, root: &str, also: bool, text: &str) -> String {
    let id = ClientId::random().to_string();
    let thread = json!({ "to": root, "also": also });
    client.send(json!({ "t": "post", "id": id, "room": room, "thread": thread, "text": text })).await;
    until_stored(client, &id).await;
    id
}

async fn act(client: &mut TestClient, room: &str, target: &str, slot: &str, value: Value) {
    let id = ClientId::random();
    let act = json!({ "t": "act", "id": id, "room": room, "target": target, "slot": slot, "value": value });
    client.send(act).await;
    until_stored(client, &id.to_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_device_of_one_who_follows_is_told_when_a_number_changes_and_others_are_not() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (olive, room) = server.set_up().await;
    let link = server.join_token(&olive, &room).await;
    let guest = server.sign_up_by(&link, "guest").await;
    let other = server.sign_up_by(&link, "other").await;
    let mut mine = connect_all(&server, &olive, 3).await;
    let mut guest = TestClient::connect(&server, &guest).await;
    let mut others = connect_all(&server, &other, 1).await;
    let root = ClientId::random().to_string();
    mine[0].post(&room, &root, "a question").await;
    let lane = mine[0].until("ack").await["outcome"]["seq"].clone();
    until_counts(&mut others, [1, 0, 0, 0]).await;
    let mut ids = Vec::new();
    for n in 1..=5 {
        ids.push(answer(&mut guest, &room, &root, false, &format!("answer {n}")).await);
        until_counts(&mut mine, [0, 0, n, 0]).await;
    }
    // The other one is not told of them: the next is the message of the room.
    guest.post(&room, &ClientId::random().to_string(), "for all").await;
    assert_eq!(counts(&others[0].until("badge").await), [2, 0, 0, 0]);
    until_counts(&mut mine, [1, 0, 5, 0]).await;

    // What one device reads is read on all; a second time it is answered too.
    mine[1].send(json!({ "t": "read", "room": room, "lane": lane, "ordinal": 4 })).await;
    until_counts(&mut mine, [1, 0, 1, 0]).await;
    mine[1].send(json!({ "t": "read", "room": room, "lane": lane, "ordinal": 2 })).await;
    assert_eq!(counts(&mine[1].until("badge").await), [1, 0, 1, 0]);
    until_counts(&mut mine[..1], [1, 0, 1, 0]).await;
    until_counts(&mut mine[2..], [1, 0, 1, 0]).await;

    // Edited, deleted and taken back.
    act(&mut guest, &room, &ids[4], "text", json!("@olive, look")).await;
    until_counts(&mut mine, [1, 0, 1, 1]).await;
    act(&mut guest, &room, &ids[4], "text", json!("look")).await;
    until_counts(&mut mine, [1, 0, 1, 0]).await;
    act(&mut guest, &room, &ids[4], "text", json!("@room look")).await;
    until_counts(&mut mine, [1, 0, 1, 1]).await;
    act(&mut guest, &room, &ids[4], "deleted", json!(true)).await;
    until_counts(&mut mine, [1, 0, 0, 0]).await;
    act(&mut guest, &room, &ids[4], "deleted", json!({ "restored": "@room look" })).await;
    until_counts(&mut mine, [1, 0, 1, 1]).await;

    // In the room too it counts there, once.
    answer(&mut guest, &room, &root, true, "@olive both").await;
    until_counts(&mut mine, [2, 1, 1, 1]).await;

    // No longer followed, until one is named anew.
    mine[2].send(json!({ "t": "follow", "room": room, "lane": lane, "follow": false })).await;
    until_counts(&mut mine, [2, 1, 0, 0]).await;
    answer(&mut guest, &room, &root, false, "nobody hears").await;
    guest.post(&room, &ClientId::random().to_string(), "for all").await;
    assert_eq!(counts(&mine[0].until("badge").await), [3, 1, 0, 0]);
    answer(&mut guest, &room, &root, false, "@olive please").await;
    until_counts(&mut mine, [3, 1, 3, 2]).await;

    // Who says that he follows hears of what comes then, and only for this stay.
    others[0].send(json!({ "t": "follow", "room": room, "lane": lane, "follow": true })).await;
    others[0].until("threads").await;
    answer(&mut guest, &room, &root, false, "heard").await;
    until_counts(&mut others, [4, 0, 1, 0]).await;
    assert_eq!(server.form(&format!("/r/{room}/leave"), &other, &[]).await.0, 303);
    assert_eq!(server.form(&format!("/r/{room}/join"), &other, &[]).await.0, 303);
    until_counts(&mut others, [0, 0, 0, 0]).await;
    answer(&mut guest, &room, &root, false, "not heard").await;
    guest.post(&room, &ClientId::random().to_string(), "for all").await;
    assert_eq!(counts(&others[0].until("badge").await), [1, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_thread_through_one_server_is_told_through_the_other() {
    let cluster = Cluster::start(RedisServer::start(Store::Redis), 2);
    let [a, b] = cluster.servers.as_slice() else { panic!() };
    let (olive, room) = a.set_up().await;
    let guest = b.sign_up(&olive, &room, "guest").await;
    let mut here = TestClient::connect(a, &olive).await;
    let mut there = connect_all(b, &olive, 2).await;
    let mut guest = TestClient::connect(b, &guest).await;
    let root = ClientId::random().to_string();
    guest.post(&room, &root, "a question").await;
    let lane = guest.until("ack").await["outcome"]["seq"].clone();
    until_counts(&mut there, [1, 0, 0, 0]).await;
    // Nobody has answered yet.
    here.send(json!({ "t": "follow", "room": room, "lane": lane, "follow": true })).await;
    let told = here.until("threads").await["threads"].clone();
    assert_eq!(
        (&told[0]["lane"], &told[0]["follows"], told.as_array().unwrap().len()),
        (&lane, &json!(true), 1)
    );
    for n in 1..=3 {
        answer(&mut guest, &room, &root, false, "an answer").await;
        until_counts(&mut there, [1, 0, n, 0]).await;
    }
    here.send(json!({ "t": "read", "room": room, "lane": lane, "ordinal": 2 })).await;
    until_counts(&mut there, [1, 0, 1, 0]).await;
    here.send(json!({ "t": "follow", "room": room, "lane": lane, "follow": false })).await;
    until_counts(&mut there, [1, 0, 0, 0]).await;
    there[0].send(json!({ "t": "thread", "req": 1, "room": room, "lane": lane })).await;
    let thread = there[0].until("thread").await["thread"].clone();
    assert_eq!((&thread["follows"], &thread["badge"]["read"]), (&json!(false), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_following_work_without_a_script() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (olive, room) = server.set_up().await;
    let guest = server.sign_up(&olive, &room, "guest").await;
    let post = async |cookie: &str, fields: &[(&str, &str)]| {
        let id = ClientId::random().to_string();
        let fields: Vec<_> = fields.iter().copied().chain([("client_id", id.as_str())]).collect();
        let response = server.post(&format!("/r/{room}/post"), cookie, &fields, &[]).await;
        let location = response.headers().get("location").map_or("", |at| at.to_str().unwrap()).to_owned();
        (response.status().as_u16(), location, response.text().await.unwrap(), id)
    };
    let mut client = TestClient::connect(&server, &olive).await;
    let root = ClientId::random().to_string();
    client.post(&room, &root, "a question").await;
    let lane = client.until("ack").await["outcome"]["seq"].as_u64().unwrap();
    let thread = format!("/r/{room}/thread/{lane}");
    let (status, location, _, first) = post(&guest, &[("to", &root), ("text", "one")]).await;
    assert_eq!((status, location.as_str()), (303, thread.as_str()));
    // To an answer, and to one that is in the room too, the way back is the same thread.
    let (status, location, _, second) = post(&olive, &[("to", &first), ("also", "1"), ("text", "two")]).await;
    assert_eq!((status, location.as_str()), (303, thread.as_str()));
    let (status, location, ..) = post(&guest, &[("to", &second), ("also", ""), ("text", "three")]).await;
    assert_eq!((status, location.as_str()), (303, thread.as_str()));
    client
        .send(json!({ "t": "page", "req": 1, "room": room, "lane": lane, "at": "newest", "limit": 9 }))
        .await;
    let page = client.until("page").await["page"].clone();
    let rows: Vec<_> = page["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["text"].clone(), row["also"].clone()))
        .collect();
    let also = json!({ "lane": 0, "ordinal": 2 });
    assert_eq!(rows, [(json!("one"), Value::Null), (json!("two"), also), (json!("three"), Value::Null)]);
    // What is not sent stays where it was typed, with the reason; and it goes to nobody else.
    let long = "x".repeat(33_000);
    let (status, _, text, _) = post(&guest, &[("to", &root), ("text", &long)]).await;
    assert!(status == 422 && text.contains("Not sent: ") && text.contains(&long), "{status}");
    for to in ["nonsense", &ClientId::random().to_string()] {
        let (status, _, text, _) = post(&guest, &[("to", to), ("text", "to nobody")]).await;
        assert_eq!(status, 422);
        assert!(
            text.contains("Not sent: what you answer is not in this room.") && text.contains("to nobody")
        );
    }
    client.send(json!({ "t": "page", "req": 2, "room": room, "at": "newest", "limit": 9 })).await;
    assert_eq!(client.until("page").await["page"]["rows"].as_array().unwrap().len(), 2);

    let follow = async |cookie: &str, lane: &str, follow: &str| {
        let path = format!("/r/{room}/thread/{lane}/follow");
        server.form(&path, cookie, &[("follow", follow)]).await
    };
    for (says, follows) in [("0", false), ("1", true)] {
        let (status, _, location) = follow(&olive, &lane.to_string(), says).await;
        assert_eq!((status, location.as_str()), (303, thread.as_str()));
        client.send(json!({ "t": "thread", "req": 3, "room": room, "lane": lane })).await;
        assert_eq!(client.until("thread").await["thread"]["follows"], json!(follows));
    }
    for lane in ["1", "9999", "18446744073709551615", "nonsense"] {
        let (status, ..) = follow(&olive, lane, "1").await;
        assert!((400..500).contains(&status), "{lane}: {status}");
    }
}
