//! From a deletion on no ring has the text of the message, in a log of format 5.

use crate::hub_rooms::{cookie, serve_in_process};
use crate::slow::unread;
use crate::support::server::TestClient;
use crate::support::{TestNode, config, set_up_with};
use beck::protocol::frame::Draft;
use beck::protocol::{ActDraft, ActValue, ClientId, Format, Kind, Outcome, RoomId, ServerFrame};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Proposal, SharedBroker};
use beck::server::fold::Folded;
use beck::server::hub::{HubRoom, Pulled, encode};
use beck::server::node::Node;
use beck::server::rooms;
use beck::server::state::Floor;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tempfile::tempdir;

/// Whether the ring has frames after a cursor that hold this text; `None` if it does not reach back so far.
fn ring_has(room: &HubRoom, cursor: u64, text: &str) -> Option<bool> {
    match room.pull(Floor::NONE, cursor, 1_000) {
        Pulled::Frames(frames) => Some(frames.iter().any(|frame| frame.as_str().contains(text))),
        Pulled::ReadTo(_) => None,
    }
}

async fn delete(here: &TestNode, room: RoomId, target: ClientId) {
    set_deleted(here, room, target, true).await;
}

async fn set_deleted(here: &TestNode, room: RoomId, target: ClientId, on: bool) {
    let (id, slot, value) = (ClientId::random(), "deleted".into(), ActValue::On(on));
    let act = ActDraft { id, room, target, slot, value, named: Default::default() };
    let outcome = rooms::act(&here.node, here.owner, act).await.unwrap();
    assert!(matches!(outcome, Outcome::Stored { .. }), "{outcome:?}");
}

/// The frames after a cursor: those of the ring, and those of what the state file has.
fn ring_and_file(here: &TestNode, room: &HubRoom, cursor: u64) -> (Option<Vec<String>>, Vec<String>) {
    let ring = match room.pull(Floor::NONE, cursor, 1_000) {
        Pulled::Frames(frames) => Some(frames.iter().map(|frame| frame.as_str().to_owned()).collect()),
        Pulled::ReadTo(_) => None,
    };
    let who = (here.owner, here.general);
    let events = here.node.state.enter(who, |member| member.events(cursor, u64::MAX >> 1)).unwrap();
    let frame = |event| encode(&ServerFrame::Event { room: here.general, event });
    (ring, events.into_iter().map(frame).collect())
}

/// A node on a log of this format; its first entries are of format 4.
async fn node_of(folder: &Path, format: Format) -> TestNode {
    let mut config = config(folder);
    config.newest_format = Format::Four;
    let log: SharedBroker = Arc::new(Embedded::open(folder).unwrap());
    let here = set_up_with(config.clone(), log.clone()).await;
    let operator = here.node.epoch().unwrap().as_str().parse().unwrap();
    let TestNode { node, owner, general, .. } = here;
    drop(node);
    if format == Format::Five {
        let raise = Proposal::new(operator, ClientId::random(), Kind::Format, &format.number());
        log.append(vec![raise]).await.unwrap();
        config.newest_format = format;
    }
    let node = Node::start(config, log.clone()).await.unwrap();
    assert_eq!(node.directory().format(), format);
    TestNode { node, log, owner, general }
}

async fn ring_after_a_deletion(format: Format) -> (Option<bool>, u64) {
    let folder = tempdir().unwrap();
    let here = node_of(folder.path(), format).await;
    let mailbox = here.node.hub.connect(here.owner, here.node.hub.ended_logins()).unwrap();
    let room = here.node.hub.open(here.general, &mailbox);
    here.post(here.owner, ClientId::random(), "another message").await;
    let cursor = room.head() - 1;
    let (before, gone) = (room.withdrawn(), ClientId::random());
    here.post(here.owner, gone, "the secret text").await;
    assert_eq!(ring_has(&room, cursor, "the secret text"), Some(true));
    assert_eq!(room.withdrawn(), before);
    delete(&here, here.general, gone).await;
    let found = ring_has(&room, cursor, "the secret text");
    let risen = room.withdrawn() - before;
    // What comes later is in the ring again.
    let head = room.head();
    here.post(here.owner, ClientId::random(), "a later text").await;
    assert_eq!(ring_has(&room, head, "a later text"), Some(true));
    (found, risen)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_loses_the_text_of_a_message_when_it_is_deleted_and_keeps_its_frames() {
    assert_eq!(ring_after_a_deletion(Format::Five).await, (Some(false), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_has_what_the_state_file_has_however_often_a_message_is_deleted_and_restored() {
    let folder = tempdir().unwrap();
    let here = node_of(folder.path(), Format::Five).await;
    let mailbox = here.node.hub.connect(here.owner, here.node.hub.ended_logins()).unwrap();
    let room = here.node.hub.open(here.general, &mailbox);
    let [first, gone, last] = [(); 3].map(|()| ClientId::random());
    here.post(here.owner, first, "the first text").await;
    let before = room.head() - 1;
    let draft = Draft {
        id: gone,
        room: here.general,
        thread: None,
        quote: Some(first),
        text: "the secret text".into(),
        named: Default::default(),
    };
    rooms::post(&here.node, here.owner, draft).await.unwrap();
    let after = room.head();
    here.post(here.owner, last, "the last text").await;
    let edit = ActDraft {
        id: ClientId::random(),
        room: here.general,
        target: gone,
        slot: "text".into(),
        value: ActValue::Text("another secret text".into()),
        named: Default::default(),
    };
    rooms::act(&here.node, here.owner, edit).await.unwrap();
    for n in 0..20 {
        delete(&here, here.general, gone).await;
        let (ring, file) = ring_and_file(&here, &room, after);
        assert_eq!(ring.as_ref(), Some(&file), "after deletion {n}");
        assert!(!file.iter().any(|frame| frame.contains("secret")), "{file:?}");
        if n == 0 {
            let (ring, file) = ring_and_file(&here, &room, before);
            assert_eq!(ring.as_ref(), Some(&file));
            assert!(!file.iter().any(|frame| frame.contains("secret")), "{file:?}");
        }
        let withdrawn = room.withdrawn();
        set_deleted(&here, here.general, gone, false).await;
        assert_eq!(room.withdrawn(), withdrawn, "a restore takes nothing back");
        // Its text stands again. Who has the message needs no more of the ring than what came after it.
        let head = room.head() - 1;
        let (ring, file) = ring_and_file(&here, &room, head);
        assert_eq!(ring.as_ref(), Some(&file), "after restore {n}");
        assert!(file[0].contains("another secret text"));
        assert!(ring_and_file(&here, &room, after).0.is_some(), "the ring reaches back to the message");
        // Who does not have it gets the quote that it was written with.
        assert_eq!(ring_and_file(&here, &room, after - 1).0, None);
    }
}

/// An `erase` by numbers is no event of a room. The bodies that it takes may be those of events.
#[tokio::test(flavor = "multi_thread")]
async fn a_ring_has_no_body_that_was_erased_by_its_number() {
    let folder = tempdir().unwrap();
    let here = node_of(folder.path(), Format::Five).await;
    let mailbox = here.node.hub.connect(here.owner, here.node.hub.ended_logins()).unwrap();
    let room = here.node.hub.open(here.general, &mailbox);
    here.post(here.owner, ClientId::random(), "a text").await;
    let cursor = room.head() - 1;
    rooms::set_topic(&here.node, here.owner, here.general, "the secret topic").await.unwrap();
    let topic = here.node.folded();
    here.post(here.owner, ClientId::random(), "a later text").await;
    assert_eq!(ring_has(&room, cursor, "the secret topic"), Some(true));
    let withdrawn = room.withdrawn();
    let folded = |erased| Folded {
        g: topic + 2,
        author: here.owner,
        outcome: Outcome::Stored { g: topic + 2, seq: None, ordinal: None },
        event: None,
        changed_room: None,
        ended_logins: None,
        changed_account: None,
        erased,
    };
    here.node.hub.publish(&[folded(Vec::new())], &here.node.directory());
    assert_eq!((ring_has(&room, cursor, "the secret topic"), room.withdrawn()), (Some(true), withdrawn));
    here.node.hub.publish(&[folded(vec![topic])], &here.node.directory());
    assert_eq!((ring_has(&room, cursor, "the secret topic"), room.withdrawn()), (None, withdrawn + 1));
    let head = room.head();
    assert_eq!(ring_has(&room, head - 1, "a later text"), Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_log_of_format_4_a_ring_keeps_its_frames() {
    assert_eq!(ring_after_a_deletion(Format::Four).await, (Some(true), 0));
}

const MESSAGES: usize = 400;
const TEXT_BYTES: usize = 20 * 1024;

/// What the system has taken of the bytes to a client cannot be called back; all else can.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_connection_is_not_sent_what_was_deleted_while_it_waited() {
    let folder = tempdir().unwrap();
    let here = node_of(folder.path(), Format::Five).await;
    let host = serve_in_process(&here).await;
    let server_port = host.rsplit(':').next().unwrap().parse().unwrap();
    let cookie = cookie(&here, here.owner).await;
    let (mut client, port) = TestClient::connect_with_little_room(&host, &cookie).await;
    client.send(json!({ "t": "subscribe", "room": here.general })).await;
    let since = client.until("subscribed").await["head"].clone();
    client.send(json!({ "t": "unsubscribe", "room": here.general })).await;
    let mut seq = since["seq"].as_u64().unwrap();
    let ids: Vec<_> = (0..MESSAGES).map(|_| ClientId::random()).collect();
    let secret = "the secret text ".repeat(TEXT_BYTES / 16);
    for id in &ids {
        here.post(here.owner, *id, &secret).await;
    }
    // The connection pulls many at once, and waits for its peer with those that it has not written.
    client.send(json!({ "t": "subscribe", "room": here.general, "since": since })).await;
    let held = || unread(server_port).get(&port).copied().unwrap_or_default();
    let (mut before, mut same) = (0, 0);
    while same < 10 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let now = held();
        same = if now == before && now > 0 { same + 1 } else { 0 };
        before = now;
    }
    for id in &ids {
        delete(&here, here.general, *id).await;
    }
    let head = seq + 2 * MESSAGES as u64;
    let mut texts = 0;
    while seq < head {
        let frame = client.until("event").await;
        seq += 1;
        assert_eq!(frame["event"]["seq"], seq, "an event is missing or doubled");
        texts += u64::from(frame["event"]["body"]["text"].is_string());
    }
    println!("{texts} texts came after their deletion; the system held {before} bytes");
    // One that was being written, and what the socket's own buffer held.
    let most = before / TEXT_BYTES as u64 + 3;
    assert!(texts > 0 && texts <= most, "{texts} texts came, and the system held {before} bytes");
}
