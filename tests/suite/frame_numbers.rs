//! Numbers of frames at and past every bound: each is refused in words, or the answer keeps its bound.

use crate::support::awaited::{closed, unlocked};
use crate::support::furnish;
use crate::support::server::{TestClient, TestServer};
use beck::protocol::{ClientId, Kind, MessageBody, bounds};
use beck::server::broker::{Broker, Proposal};
use serde_json::{Value, json};
use tempfile::tempdir;

/// More than any frame carries.
const EVENTS: usize = 1_300;
/// Bytes of the largest answer: a page of 100 short rows, or 1,000 headers.
const ANSWER_BYTES: usize = 1024 * 1024;

/// Valid frames of every kind that has numbers, and where in them these are.
fn frames(room: &str, message: &str, position: &Value) -> Vec<(Value, Vec<&'static str>)> {
    let raise = json!({ "room": room, "lane": 0, "generation": 0, "ordinal": 1 });
    let mut read = raise.clone();
    read["t"] = json!("read");
    vec![
        (json!({ "t": "subscribe", "room": room, "since": position }), vec!["/since/seq"]),
        (
            json!({ "t": "page", "req": 1, "room": room, "lane": 0, "at": "newest", "limit": 5, "at_least": position }),
            vec!["/req", "/lane", "/limit", "/at_least/seq"],
        ),
        (
            json!({ "t": "page", "req": 1, "room": room, "at": { "before": 9 }, "limit": 100 }),
            vec!["/at/before"],
        ),
        (
            json!({ "t": "page", "req": 1, "room": room, "at": { "after": 9 }, "limit": 100 }),
            vec!["/at/after"],
        ),
        (
            json!({ "t": "page", "req": 1, "room": room, "at": { "around": 9 }, "limit": 100 }),
            vec!["/at/around"],
        ),
        (
            json!({ "t": "fetch", "req": 1, "room": room, "after": 0, "to": i64::MAX }),
            vec!["/req", "/after", "/to"],
        ),
        (
            json!({ "t": "headers", "req": 1, "room": room, "after": 0, "to": i64::MAX }),
            vec!["/req", "/after", "/to"],
        ),
        (json!({ "t": "history", "req": 1, "room": room, "target": message }), vec!["/req"]),
        (json!({ "t": "pins", "req": 1, "room": room }), vec!["/req"]),
        (read, vec!["/lane", "/generation", "/ordinal"]),
        (
            json!({ "t": "read_all", "raise": [raise] }),
            vec!["/raise/0/lane", "/raise/0/generation", "/raise/0/ordinal"],
        ),
        (json!({ "t": "follow", "room": room, "lane": 9, "follow": true }), vec!["/lane"]),
        (json!({ "t": "thread", "req": 1, "room": room, "lane": 9 }), vec!["/req", "/lane"]),
        (json!({ "t": "answers", "req": 1, "room": room, "after": 9 }), vec!["/req", "/after"]),
        (json!({ "t": "mentions", "req": 1, "before": 9 }), vec!["/req", "/before"]),
        (json!({ "t": "typing", "room": room, "lane": 9, "on": true }), vec!["/lane"]),
        (json!({ "t": "status", "text": "away", "for_ms": 9 }), vec!["/for_ms"]),
        (json!({ "t": "members", "req": 1, "room": room }), vec!["/req"]),
        (json!({ "t": "beat", "positions": { room: position } }), vec!["/positions/{room}/seq"]),
    ]
}

/// What is answered until everything that was sent before is: each frame within its bounds.
async fn answers(client: &mut TestClient) -> Vec<Value> {
    client.send(json!({ "t": "people", "ids": [] })).await;
    let mut answers = Vec::new();
    loop {
        let frame = client.next().await.expect("the socket goes on");
        let length = |path: &str| frame.pointer(path).and_then(Value::as_array).map_or(0, Vec::len);
        assert!(length("/events") <= bounds::FETCHED_AT_ONCE as usize, "{} events", length("/events"));
        assert!(length("/headers") <= bounds::HEADERS_AT_ONCE as usize, "{} headers", length("/headers"));
        assert!(length("/page/rows") <= bounds::PAGE_ROWS, "{} rows", length("/page/rows"));
        assert!(frame.to_string().len() <= ANSWER_BYTES, "{} bytes", frame.to_string().len());
        if frame["t"] == "people" {
            return answers;
        }
        answers.push(frame);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_too_large_negative_or_no_whole_one_is_refused_in_every_frame() {
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), 1).await;
    let (account, cookie) = place.people[0].clone();
    let log = unlocked(folder.path()).await;
    let body = MessageBody { text: "one of many".into(), quote: None, said: None };
    let message = ClientId::random();
    let ids = std::iter::once(message).chain(std::iter::repeat_with(ClientId::random)).take(EVENTS);
    let proposals: Vec<_> =
        ids.map(|id| Proposal::new(account, id, Kind::Message, &body).room(place.general)).collect();
    for batch in proposals.chunks(400) {
        log.append(batch.to_vec()).await.unwrap();
    }
    drop(log);
    closed(folder.path()).await;
    let server = TestServer::start(folder.path());
    let room = place.general.to_string();
    let mut client = TestClient::connect(&server, &cookie).await;
    client.send(json!({ "t": "subscribe", "room": room })).await;
    let position = client.until("subscribed").await["head"].take();
    drop(client);

    let most = i64::MAX as u64;
    let refused = [json!(most + 1), json!(u64::MAX), json!(-1), json!(1.5), json!("1")];
    let (mut fields, mut errors) = (0, 0);
    for (frame, numbers) in frames(&room, &message.to_string(), &position) {
        for number in numbers {
            let mut client = TestClient::connect(&server, &cookie).await;
            let pointer = number.replace("{room}", &room);
            let with = |value: &Value| {
                let mut frame = frame.clone();
                *frame.pointer_mut(&pointer).unwrap() = value.clone();
                frame
            };
            for value in &refused {
                client.send(with(value)).await;
                let answers = answers(&mut client).await;
                let error = answers.iter().find(|answer| answer["t"] == "error");
                let error = error.unwrap_or_else(|| panic!("{} {number} {value}: {answers:?}", frame["t"]));
                assert_eq!(error["code"], "bad_frame", "{} {number} {value}", frame["t"]);
                assert!(error["message"].as_str().unwrap().len() > 20, "{error}");
                errors += 1;
            }
            // The largest one is read; what it asks for is bounded.
            client.send(with(&json!(most))).await;
            let answers = answers(&mut client).await;
            assert!(answers.iter().all(|answer| answer["code"] != "bad_frame"), "{} {number}", frame["t"]);
            fields += 1;
        }
    }
    assert_eq!((fields, errors), (33, 165));
    let mut first = TestClient::upgrade(server.host(), &cookie).await;
    first.send(json!({ "t": "hello", "version": most + 1 })).await;
    assert_eq!(first.close_code().await, Some(4000));

    // Bounds hold for what asks for everything, and what was cut off is there to be asked for.
    let mut client = TestClient::connect(&server, &cookie).await;
    for (kind, list, at_once) in
        [("fetch", "events", bounds::FETCHED_AT_ONCE), ("headers", "headers", bounds::HEADERS_AT_ONCE)]
    {
        let (mut after, mut count) = (0, 0);
        loop {
            let frame = json!({ "t": kind, "req": 1, "room": room, "after": after, "to": most });
            client.send(frame).await;
            let answer = client.until(list).await;
            let got = answer[list].as_array().unwrap().len() as u64;
            count += got;
            after += got;
            if got < at_once {
                break;
            }
            assert_eq!(got, at_once);
        }
        assert_eq!(count, position["seq"].as_u64().unwrap(), "{kind}");
    }
    let frame = json!({ "t": "page", "req": 1, "room": room, "at": "newest", "limit": most });
    client.send(frame).await;
    let page = client.until("page").await["page"].take();
    let ordinals: Vec<_> =
        page["rows"].as_array().unwrap().iter().map(|row| row["ordinal"].as_u64().unwrap()).collect();
    let newest = EVENTS as u64;
    assert_eq!(ordinals, Vec::from_iter(newest - bounds::PAGE_ROWS as u64 + 1..=newest), "the newest rows");
}
