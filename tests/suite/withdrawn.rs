//! From a deletion on no ring has the text of the message, in a log of format 5.

use crate::support::{TestNode, config, set_up_with};
use beck::protocol::{ActDraft, ActValue, ClientId, Format, Kind, RoomId};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Proposal, SharedBroker};
use beck::server::hub::{HubRoom, Pulled};
use beck::server::node::Node;
use beck::server::rooms;
use std::sync::Arc;
use tempfile::tempdir;

/// Whether the ring has frames after a cursor that hold this text; `None` if it does not reach back so far.
fn ring_has(room: &HubRoom, cursor: u64, text: &str) -> Option<bool> {
    match room.pull(cursor, 1_000) {
        Pulled::Frames(frames) => Some(frames.iter().any(|frame| frame.as_str().contains(text))),
        Pulled::ReadTo(_) => None,
    }
}

async fn delete(here: &TestNode, room: RoomId, target: ClientId) {
    let (id, slot, value) = (ClientId::random(), "deleted".into(), ActValue::On(true));
    let act = ActDraft { id, room, target, slot, value, named: Default::default() };
    rooms::act(&here.node, here.owner, act).await.unwrap();
}

async fn ring_after_a_deletion(format: Format) -> (Option<bool>, u64) {
    let folder = tempdir().unwrap();
    let mut config = config(folder.path());
    config.newest_format = Format::Four;
    let log: SharedBroker = Arc::new(Embedded::open(folder.path()).unwrap());
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
    let here = TestNode { node, log, owner, general };
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
async fn a_ring_loses_its_frames_when_a_message_is_deleted() {
    assert_eq!(ring_after_a_deletion(Format::Five).await, (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_log_of_format_4_a_ring_keeps_its_frames() {
    assert_eq!(ring_after_a_deletion(Format::Four).await, (Some(true), 0));
}
