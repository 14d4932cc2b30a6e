//! Who is there and who is typing, told between two servers by signals of which some are lost.

use super::signals::Two;
use crate::support::awaited::awaited;
use crate::support::read_all;
use crate::support::server::TestClient;
use beck::protocol::{AccountId, ClientId};
use serde_json::{Value, json};
use std::time::Duration;

/// Reads until this frame; a server that does not send it ends the test.
async fn until(client: &mut TestClient, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let wait = async {
        loop {
            let frame = client.next().await.expect("the socket goes on");
            if is(&frame) {
                return frame;
            }
        }
    };
    awaited(what, wait).await
}

/// Reads until a diff names somebody; gives what it says of him.
async fn told_of(client: &mut TestClient, who: AccountId, is: &str) -> Value {
    let of = |frame: &Value| {
        let people = frame["people"].as_array().filter(|_| frame["t"] == "presence")?;
        people.iter().find(|seen| seen["id"] == json!(who)).cloned()
    };
    let frame = until(client, is, |frame| of(frame).is_some_and(|seen| seen["is"] == is)).await;
    of(&frame).unwrap()
}

async fn until_typing(client: &mut TestClient, people: &[AccountId]) {
    let frame = until(client, "typing", |frame| frame["t"] == "typing").await;
    assert_eq!(frame["people"], json!(people));
}

async fn until_answering(client: &mut TestClient, people: Value, threads: Value) {
    let frame = until(client, "typing", |frame| frame["t"] == "typing").await;
    assert_eq!((&frame["people"], &frame["threads"]), (&people, &threads));
}

impl Two {
    /// From now on signals are lost, and counted; or no more.
    fn lose(&self, lost: bool) {
        let rule = if lost { "-publish" } else { "+publish" };
        assert_eq!(self.store.command(&["ACL", "SETUSER", "deaf", rule]), "+OK\r\n");
    }

    fn lost(&self) -> usize {
        self.store.command(&["ACL", "LOG", "100"]).matches("publish").count()
    }

    /// Says something as a third server would.
    pub async fn say(&self, text: &str) {
        let entries = read_all(self.nodes[0].broker.as_ref()).await;
        let channel = format!("{{beck}}:signals:{}", entries[0].link);
        assert_eq!(self.store.command(&["PUBLISH", &channel, text]), ":2\r\n", "both servers hear it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_is_joined_over_servers_and_made_good_when_signals_are_lost() {
    let here = Two::start("allchannels").await;
    let ((wanda, wandas), (xenia, xenias)) = (here.person("wanda").await, here.person("xenia").await);
    let mut looks = TestClient::connect_at(&here.hosts[0], &here.owners_cookie().await).await;
    looks.send(json!({ "t": "watch", "people": [wanda, xenia, here.owner] })).await;
    // All are named at first, also those who are not there.
    told_of(&mut looks, wanda, "offline").await;
    looks.send(json!({ "t": "watch", "people": [wanda, xenia, here.owner] })).await;
    told_of(&mut looks, here.owner, "online").await;

    // The best of all connections counts, whichever server has them.
    let mut there = TestClient::connect_at(&here.hosts[1], &wandas).await;
    told_of(&mut looks, wanda, "online").await;
    there.send(json!({ "t": "active", "on": false })).await;
    told_of(&mut looks, wanda, "away").await;
    let second = TestClient::connect_at(&here.hosts[0], &wandas).await;
    told_of(&mut looks, wanda, "online").await;
    drop(second);
    told_of(&mut looks, wanda, "away").await;

    // What she says of herself is seen while she is there and when she is gone, until it is over.
    let says = json!({ "t": "status", "text": "In a meeting", "do_not_disturb": true, "for_ms": 3_000 });
    there.send(says).await;
    let seen = told_of(&mut looks, wanda, "do_not_disturb").await;
    assert_eq!(seen["status"]["text"], "In a meeting");
    let seen = told_of(&mut looks, wanda, "away").await;
    assert_eq!(seen["status"], json!({}), "it is over");
    there.send(json!({ "t": "status", "text": "On holiday" })).await;
    let seen = told_of(&mut looks, wanda, "away").await;
    assert_eq!(seen["status"]["text"], "On holiday");
    there.send(json!({ "t": "status", "text": "x".repeat(81) })).await;
    assert_eq!(until(&mut there, "error", |frame| frame["t"] == "error").await["code"], "unfit");

    // Those who come are told to nobody, then they are.
    here.lose(true);
    let other = TestClient::connect_at(&here.hosts[1], &xenias).await;
    there.send(json!({ "t": "active", "on": true })).await;
    while here.lost() < 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    here.lose(false);
    told_of(&mut looks, wanda, "online").await;
    looks.send(json!({ "t": "watch", "people": [xenia] })).await;
    told_of(&mut looks, xenia, "online").await;
    // Those who go, too; the one who stays does so.
    looks.send(json!({ "t": "watch", "people": [wanda, xenia] })).await;
    told_of(&mut looks, xenia, "online").await;
    let before = here.lost();
    here.lose(true);
    drop(other);
    while here.lost() <= before && here.nodes[1].presence.of(xenia) != beck::protocol::Presence::Offline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(600)).await;
    here.lose(false);
    told_of(&mut looks, xenia, "offline").await;
    assert!(here.lost() > 0, "signals were not lost");
    drop(there);
    let seen = told_of(&mut looks, wanda, "offline").await;
    assert_eq!(seen["status"]["text"], "On holiday");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_people_of_a_server_that_says_nothing_more_are_gone() {
    let here = Two::start("allchannels").await;
    let (wanda, _) = here.person("wanda").await;
    let mut looks = TestClient::connect_at(&here.hosts[0], &here.owners_cookie().await).await;
    looks.send(json!({ "t": "watch", "people": [wanda] })).await;
    for round in 1..=3 {
        here.say(&format!("third presence 1500 {round} 1 o{wanda}")).await;
        told_of(&mut looks, wanda, "online").await;
        // Killed: it never says that she is gone.
        told_of(&mut looks, wanda, "offline").await;
    }
    // Half of a heartbeat's people is lost on the way: nobody ends by it.
    here.say(&format!("third presence 60000 5 1 o{wanda}")).await;
    told_of(&mut looks, wanda, "online").await;
    here.say(&format!("third presence 60000 6 2 o{}", here.owner)).await;
    here.say(&format!("third presence 60000 6 - a{wanda}")).await;
    told_of(&mut looks, wanda, "away").await;
    here.say(&format!("third presence 60000 7 1 o{}", here.owner)).await;
    told_of(&mut looks, wanda, "offline").await;
    // What nobody of ours would say harms nobody.
    for text in [
        "third presence",
        "third presence x y z",
        "third presence 1 1 1 o o? \u{20ac}x",
        "third typing a b c d",
        "third",
    ] {
        here.say(text).await;
    }
    here.say(&format!("third presence 60000 8 1 o{wanda}")).await;
    told_of(&mut looks, wanda, "online").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_ends_with_the_message_or_by_itself_and_is_never_stored() {
    let here = Two::start("allchannels").await;
    let ((wanda, wandas), (xenia, xenias)) = (here.person("wanda").await, here.person("xenia").await);
    let general = here.general;
    let mut reads = TestClient::connect_at(&here.hosts[0], &here.owners_cookie().await).await;
    let mut types = TestClient::connect_at(&here.hosts[1], &wandas).await;
    for client in [&mut reads, &mut types] {
        client.send(json!({ "t": "subscribe", "room": general })).await;
        client.until("subscribed").await;
    }
    let typing = |on| json!({ "t": "typing", "room": general, "on": on });
    let entries = read_all(here.nodes[0].broker.as_ref()).await.len();
    let keys = here.store.command(&["DBSIZE"]);

    // With the message; nobody is told of himself.
    types.send(typing(true)).await;
    until_typing(&mut reads, &[wanda]).await;
    assert_eq!(read_all(here.nodes[0].broker.as_ref()).await.len(), entries, "nothing is stored");
    assert_eq!(here.store.command(&["DBSIZE"]), keys);
    let said = ClientId::random();
    types.post(&general.to_string(), &said.to_string(), "said").await;
    until_typing(&mut reads, &[]).await;
    let frame = until(&mut types, "an answer", |frame| frame["t"] == "ack" || frame["t"] == "typing").await;
    assert_eq!(frame["t"], "ack");
    let seq = frame["outcome"]["seq"].as_u64().unwrap();
    // One that was sent before it and comes after it counts no more.
    here.say(&format!("third typing {wanda} {general} {} 6000", seq - 1)).await;
    here.say(&format!("third typing {xenia} {general} {} 2500", seq - 1)).await;
    until_typing(&mut reads, &[xenia]).await;
    // By itself.
    until_typing(&mut reads, &[]).await;
    // By an empty composer.
    types.send(typing(true)).await;
    until_typing(&mut reads, &[wanda]).await;
    types.send(typing(false)).await;
    until_typing(&mut reads, &[]).await;

    // In one lane at a time: an answer is told of with its thread, until it is there.
    types.send(json!({ "t": "typing", "room": general, "lane": seq, "on": true })).await;
    until_answering(&mut reads, json!([]), json!([[seq, wanda]])).await;
    types.send(typing(true)).await;
    until_answering(&mut reads, json!([wanda]), json!(null)).await;
    here.say(&format!("third typing {wanda} {general} {seq} 6000 {seq}")).await;
    until_answering(&mut reads, json!([]), json!([[seq, wanda]])).await;
    let thread = json!({ "to": said });
    let id = ClientId::random();
    types
        .send(json!({ "t": "post", "id": id, "room": general, "text": "an answer", "thread": thread }))
        .await;
    until_answering(&mut reads, json!([]), json!(null)).await;

    // Not by those who are not in the room, nor to them.
    let leave = beck::server::rooms::leave(&here.nodes[0], xenia, general).await;
    leave.unwrap();
    let mut left = TestClient::connect_at(&here.hosts[1], &xenias).await;
    left.send(typing(true)).await;
    left.send(json!({ "t": "people", "ids": [] })).await;
    left.until("people").await;
    types.send(typing(true)).await;
    until_typing(&mut reads, &[wanda]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_people_of_a_room_are_named_to_those_who_are_in_it() {
    let here = Two::start("allchannels").await;
    let (wanda, wandas) = here.person("wanda").await;
    let mut client = TestClient::connect_at(&here.hosts[1], &wandas).await;
    let ask = json!({ "t": "members", "req": 7, "room": here.general });
    client.send(ask.clone()).await;
    let members = client.until("members").await;
    let ids: Vec<_> =
        members["people"].as_array().unwrap().iter().map(|person| person["id"].clone()).collect();
    assert_eq!((members["req"].clone(), ids), (json!(7), vec![json!(here.owner), json!(wanda)]));
    beck::server::rooms::leave(&here.nodes[0], wanda, here.general).await.unwrap();
    client.until("left").await;
    client.send(ask).await;
    assert_eq!(client.until("error").await["code"], "not_found");
}
