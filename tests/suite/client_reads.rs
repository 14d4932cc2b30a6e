//! What a client reads, in the forms that the wire and the browser's storage have.

use beck::api::Boot;
use beck::client::{Kept, KeptState};
use beck::protocol::{ClientId, EventBody, Mentions, Outcome, Page, Row, ServerFrame, json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const ROOM: &str = "bcdfghjklm";
const ANN: &str = "ndfghjklmp";
const BOB: &str = "pdfghjklmn";
const ID: &str = "00000000-0001-7000-8000-000000000001";
const CHAIN: &str = "0123456789abcdef";

fn position() -> Value {
    json!({ "epoch": "wcdfghjklm", "seq": 7, "chain": CHAIN })
}

fn badge() -> Value {
    json!({
        "unread": 3, "mentions": 1, "read": 4, "generation": 2, "head": 9,
        "wanted": { "level": "nothing", "muted": true, "starred": false },
        "threads": 5, "thread_mentions": 6, "newest_answer": 8, "named_by_edit": 10,
    })
}

fn room() -> Value {
    json!({
        "id": ROOM, "kind": "private", "name": "Lobby", "topic": "All of it", "archived": true, "members": 2,
        "joined": true, "may_archive": true, "may": 8191, "badge": badge(),
    })
}

fn person(id: &str) -> Value {
    json!({ "id": id, "name": "Ann \u{1f600} \"A\"", "handle": "ann", "role": "owner" })
}

fn row() -> Value {
    json!({
        "id": ID, "author": ANN, "at": -5, "seq": 6, "lane": 2, "ordinal": 3, "also": { "lane": 0, "ordinal": 9 },
        "version": 8, "text": "héllo\n", "quote": ID, "added": { "mentions": { "ann": ANN, "bob": BOB }, "all": true, "quote": ID, "said": 3 },
        "proof": { "seq": 8, "salt": "00", "form": "text" }, "imported": true, "said": 11, "edited": 12,
        "deleted": { "by": BOB, "at": 13, "until": 14 }, "pinned": BOB,
        "reactions": { "👍": [ANN, BOB], "🎉": [ANN] }, "answers": { "count": 2, "at": 15, "by": [BOB, ANN] },
    })
}

fn small_row() -> Value {
    json!({ "id": ID, "author": ANN, "at": 5, "seq": 6, "ordinal": 3, "version": 6, "text": "" })
}

fn thread() -> Value {
    json!({ "lane": 2, "root": row(), "follows": true, "badge": badge() })
}

fn header(kind: &str) -> Value {
    json!({
        "g": 4, "at": 5, "by": ANN, "id": ID, "room": ROOM, "kind": kind, "target": ID, "slot": "text",
        "digest": "00112233445566778899aabbccddeeff",
    })
}

fn event(kind: &str, body: Value) -> Value {
    json!({
        "seq": 6, "chain": CHAIN, "lane": 2, "ordinal": 3, "also": { "lane": 0, "ordinal": 9 }, "header": header(kind),
        "body": body, "added": { "all": true }, "salt": "00ff", "stored": "{}", "restores": 5, "erased": [ID], "for": BOB,
    })
}

fn page() -> Value {
    json!({
        "room": ROOM, "lane": 2, "as_of": position(), "head": 3, "rows": [row(), small_row()],
        "quotes": { ID: { "author": ANN, "lane": 2, "ordinal": 1, "text": "first" } },
    })
}

fn bodies() -> Vec<Value> {
    vec![
        json!({ "text": "hi", "quote": ID, "said": -3 }),
        json!({ "text": "hi" }),
        json!({ "value": true }),
        json!({ "value": "text" }),
        json!({ "value": { "restored": "text" } }),
        json!({ "messages": [ID], "reason": "deleted" }),
        json!({ "value": null, "other": [1, -2, 0.5, {}, []] }),
        // Of no message, and of no act.
        json!({ "text": 1 }),
        json!({ "text": "hi", "quote": "none" }),
        json!({ "text": "hi", "said": 1.5 }),
        json!({ "value": { "restored": 1 } }),
        json!([]),
    ]
}

fn frames() -> Vec<Value> {
    let mut frames = vec![
        json!({ "t": "welcome", "version": 1, "workspace": "wcdfghjklm", "name": "Home", "me": person(ANN),
            "rooms": [room()], "g": 9, "heartbeat_ms": 25000, "format": 5 }),
        json!({ "t": "subscribed", "room": ROOM, "since": position(), "head": position() }),
        json!({ "t": "reset", "room": ROOM, "why": "rewritten", "head": position() }),
        json!({ "t": "ack", "id": ID, "outcome": { "is": "stored", "g": 3, "seq": 2, "ordinal": 1 } }),
        json!({ "t": "ack", "id": ID, "outcome": { "is": "stored", "g": 3 } }),
        json!({ "t": "ack", "id": ID, "outcome": { "is": "refused", "why": "too_late" } }),
        json!({ "t": "page", "req": 1, "page": page() }),
        json!({ "t": "events", "req": 1, "room": ROOM, "events": [event("message", json!({ "text": "a" }))] }),
        json!({ "t": "headers", "req": 1, "room": ROOM, "headers": [[header("act"), CHAIN]] }),
        json!({ "t": "history", "req": 1, "room": ROOM,
            "versions": [{ "at": 1, "text": "a", "added": { "mentions": { "ann": ANN } } }, { "at": 2, "text": "b" }] }),
        json!({ "t": "pins", "req": 1, "room": ROOM, "rows": [row()] }),
        json!({ "t": "people", "people": [person(ANN), { "id": BOB, "name": "Bob", "handle": "bob", "role": "member" }] }),
        json!({ "t": "room", "room": room() }),
        json!({ "t": "left", "room": ROOM }),
        json!({ "t": "badge", "room": ROOM, "badge": badge() }),
        json!({ "t": "quiet", "on": true, "from": 1, "to": 2 }),
        json!({ "t": "threads", "room": ROOM, "threads": [thread()] }),
        json!({ "t": "thread", "req": 1, "room": ROOM, "thread": thread() }),
        json!({ "t": "answers", "req": 1, "room": ROOM, "rows": [small_row()] }),
        json!({ "t": "mentions", "req": 1, "mentions": [{ "g": 4, "room": ROOM, "row": row() }], "more": true }),
        json!({ "t": "presence", "people": [
            { "id": ANN, "is": "do_not_disturb", "status": { "text": "away", "do_not_disturb": true, "until": 9 } },
            { "id": BOB, "is": "offline", "status": {} },
        ] }),
        json!({ "t": "typing", "room": ROOM, "people": [ANN], "threads": [[2, BOB]] }),
        json!({ "t": "members", "req": 1, "room": ROOM, "people": [person(BOB)] }),
        json!({ "t": "beat", "g": 18_446_744_073_709_551_615_u64, "positions": { ROOM: position() } }),
        json!({ "t": "moving", "after_ms": 100 }),
        json!({ "t": "error", "id": ID, "req": 1, "code": "not_found", "message": "gone" }),
        json!({ "t": "error", "code": "throttled", "message": "" }),
    ];
    let kinds = ["message", "act", "erase", "room.set", "later"];
    let events = bodies().into_iter().zip(kinds.into_iter().cycle());
    frames
        .extend(events.map(|(body, kind)| json!({ "t": "event", "room": ROOM, "event": event(kind, body) })));
    frames
}

fn frame(json: &Value) -> ServerFrame {
    serde_json::from_str(&json.to_string()).unwrap_or_else(|fault| panic!("{fault}: {json}"))
}

/// Reads what is written in this form, as a client does and as serde does; both write it again as it was.
fn same<T: Serialize + DeserializeOwned>(json: &Value) -> T {
    let read: T = json::read(&json.to_string()).unwrap_or_else(|fault| panic!("{fault}: {json}"));
    assert_eq!(serde_json::to_value(&read).unwrap(), *json);
    assert_eq!(serde_json::to_value(serde_json::from_value::<T>(json.clone()).unwrap()).unwrap(), *json);
    read
}

#[test]
fn every_frame_of_a_server_is_read_as_it_was_written() {
    let mut kinds: Vec<_> = frames().iter().map(|frame| frame["t"].as_str().unwrap().to_owned()).collect();
    kinds.dedup();
    assert_eq!(kinds.len(), 25, "{kinds:?}");
    for json in frames() {
        assert_eq!(serde_json::to_value(frame(&json)).unwrap(), json);
    }
}

#[test]
fn what_a_later_server_adds_is_passed_over() {
    for json in frames() {
        let mut more = json.clone();
        more["later"] = json!([{ "a": [1, -2, 0.5, 1e300, null, true, "x"] }, [[]]]);
        assert_eq!(frame(&more), frame(&json));
    }
    assert_eq!(frame(&json!({ "t": "later", "req": "?" })), ServerFrame::Unknown);
    let ServerFrame::Error { code, .. } = frame(&json!({ "t": "error", "code": "later", "message": "" }))
    else {
        panic!("it is an error")
    };
    assert_eq!(code, beck::protocol::ErrorCode::Other);
}

#[test]
fn what_an_earlier_server_leaves_out_has_its_default() {
    let small = json!({ "t": "event", "room": ROOM, "event": { "seq": 1, "chain": CHAIN, "header":
        { "g": 1, "at": 2, "by": ANN, "id": ID, "kind": "join", "digest": "00112233445566778899aabbccddeeff" } } });
    assert_eq!(serde_json::to_value(frame(&small)).unwrap(), small);
    let json = json!({ "t": "quiet", "on": false, "from": 1, "to": 2 });
    assert_eq!(frame(&json), ServerFrame::Quiet { on: false, from: 1, to: 2 });
    let ServerFrame::Room { room } = frame(&json!({ "t": "room", "room":
        { "id": ROOM, "kind": "open", "name": "a", "members": 1, "joined": false } }))
    else {
        panic!("a room")
    };
    assert_eq!((room.may, room.archived, room.badge), (None, false, Default::default()));
    // `null` is as good as absent.
    let ServerFrame::Ack { outcome, .. } =
        frame(&json!({ "t": "ack", "id": ID, "outcome": { "is": "stored", "g": 3, "seq": null } }))
    else {
        panic!("an ack")
    };
    assert_eq!(outcome, Outcome::Stored { g: 3, seq: None, ordinal: None });
}

#[test]
fn what_does_not_have_its_form_is_no_frame() {
    let wrong = [
        json!({ "room": ROOM }),
        json!({ "t": 1 }),
        json!(["left", ROOM]),
        json!("unknown"),
        json!({ "t": "left" }),
        json!({ "t": "left", "room": null }),
        json!({ "t": "left", "room": [ROOM] }),
        json!({ "t": "left", "room": "none" }),
        json!({ "t": "moving", "after_ms": -1 }),
        json!({ "t": "moving", "after_ms": 1.5 }),
        json!({ "t": "moving", "after_ms": 4_294_967_296_u64 }),
        json!({ "t": "moving", "after_ms": "1" }),
        json!({ "t": "quiet", "on": 1, "from": 1, "to": 2 }),
        json!({ "t": "people", "people": {} }),
        json!({ "t": "people", "people": [[ANN, "Ann", "ann", "owner"]] }),
        json!({ "t": "typing", "room": ROOM, "people": [], "threads": [[2, BOB, 3]] }),
        json!({ "t": "typing", "room": ROOM, "people": [], "threads": [[2]] }),
        json!({ "t": "ack", "id": ID, "outcome": { "is": "stored" } }),
        json!({ "t": "ack", "id": ID, "outcome": { "is": "refused" } }),
        json!({ "t": "ack", "id": ID, "outcome": { "is": "later" } }),
        json!({ "t": "reset", "room": ROOM, "why": { "far": null }, "head": position() }),
    ];
    for json in wrong {
        let read = serde_json::from_str::<ServerFrame>(&json.to_string());
        assert!(read.is_err(), "{json} is {read:?}");
    }
    assert!(serde_json::from_str::<ServerFrame>(r#"{"t":"left","room":"bcdfghjklm"} x"#).is_err());
}

#[test]
fn a_body_is_told_apart_by_its_fields() {
    let kind = |body: &EventBody| match body {
        EventBody::Message(_) => "message",
        EventBody::Act(_) => "act",
        EventBody::Other(_) => "other",
    };
    let read = |body: Value| match frame(&json!({ "t": "event", "room": ROOM, "event": event("act", body) }))
    {
        ServerFrame::Event { event, .. } => kind(event.body.as_ref().unwrap()),
        other => panic!("{other:?}"),
    };
    let kinds: Vec<_> = bodies().into_iter().map(read).collect();
    assert_eq!(kinds[..6], ["message", "message", "act", "act", "act", "other"]);
    assert!(kinds[6..].iter().all(|kind| *kind == "other"), "{kinds:?}");
    assert_eq!(read(json!({ "value": "a", "text": "b" })), "message");
    assert_eq!(read(json!({ "value": "a", "text": 1 })), "act");
}

#[test]
fn what_the_page_of_a_browser_brings_is_read_as_it_was_written() {
    let boot = json!({
        "workspace": "Home", "me": person(ANN), "rooms": [room()], "page": page(), "thread": [thread(), page()],
        "mentions": { "mentions": [{ "g": 4, "room": ROOM, "row": row() }], "more": false }, "found": [ROOM, 0, 3],
        "people": [person(BOB)], "quiet": 5, "status": { "text": "here" }, "zone": -90, "theme": "dark", "format": 5,
        "client_id": ID, "join_link": "/join/x", "asks_code": true, "enters_as": person(BOB), "dead_link": true,
        "next": "/r", "acknowledged": "/r/1",
        "notice": { "text": "Name: short", "done": false, "path": "/rooms", "form": "/rooms", "fields": { "name": "a" } },
    });
    same::<Boot>(&boot);
    let mut empty = boot.clone();
    for field in ["me", "page", "thread", "mentions", "found", "join_link", "enters_as", "notice"] {
        empty[field] = Value::Null;
    }
    same::<Boot>(&empty);
    same::<Page>(&page());
    same::<Row>(&small_row());
    same::<Mentions>(&json!({ "mentions": [], "more": true }));
    assert!(json::read::<Boot>("{}").is_err());
    assert!(json::read::<Boot>(&boot.to_string()[1..]).is_err());
}

#[test]
fn what_a_browser_kept_is_read_as_it_was_written() {
    let states = [
        json!({ "is": "waiting" }),
        json!({ "is": "asking" }),
        json!({ "is": "question" }),
        json!({ "is": "lost" }),
        json!({ "is": "not_sent", "why": "full" }),
        json!({ "is": "taking_back", "void": ID, "edit": true }),
        json!({ "is": "stored", "seq": 4, "at": 5 }),
    ];
    let drafts = [
        json!({ "id": ID, "room": ROOM, "thread": { "to": ID, "also": true }, "quote": ID, "text": "@ann",
            "named": { "ann": ANN } }),
        json!({ "id": ID, "room": ROOM, "text": "" }),
        json!({ "id": ID, "room": ROOM, "target": ID, "slot": "text", "value": "@ann", "named": { "ann": ANN } }),
        json!({ "id": ID, "room": ROOM, "target": ID, "slot": "pin", "value": false }),
        json!({ "id": ID, "room": ROOM, "target": ID, "slot": "deleted", "value": { "restored": "again" } }),
    ];
    for draft in &drafts {
        for state in &states {
            let kept: Kept = same(&json!({ "draft": draft, "at": 9, "tried": true, "state": state }));
            assert_eq!(kept.id().to_string(), ID);
        }
        let first: Kept = json::read(&json!({ "draft": draft, "at": 9 }).to_string()).unwrap();
        assert_eq!((first.tried, first.state), (false, KeptState::Waiting));
    }
    let wrong = [
        json!({ "id": ID, "room": ROOM, "target": ID, "slot": "pin", "value": 1 }),
        json!({ "id": ID, "room": ROOM, "target": ID, "value": true }),
        json!({ "id": ID, "room": ROOM }),
    ];
    for draft in wrong {
        assert!(json::read::<Kept>(&json!({ "draft": draft, "at": 9 }).to_string()).is_err(), "{draft}");
    }
    for state in [json!({ "is": "stored", "seq": 4 }), json!({ "is": "later" }), json!({})] {
        let kept = json!({ "draft": drafts[1], "at": 9, "state": state });
        assert!(json::read::<Kept>(&kept.to_string()).is_err(), "{kept}");
    }
    assert_eq!(json::read::<(ClientId, i64)>(&json!([ID, 4]).to_string()).unwrap().1, 4);
}
