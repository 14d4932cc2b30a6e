//! Erases a message as the administrator does.

use beck::protocol::change::Act;
use beck::protocol::{Change, ClientId, Format, Outcome};
use beck::server::broker::{Content, Proposal};
use beck::server::node::Node;
use std::sync::Arc;

/// Erases a deleted message for good, and waits until its texts are gone from the log and from this server.
pub async fn erase_message(node: &Arc<Node>, message: ClientId) {
    if node.directory().format() >= Format::Five {
        delete_by_operator(node, message).await;
    }
    node.erase(message).await.unwrap();
    node.wait_removed().await;
}

/// From format 5 on only what the operator has deleted can be erased at once.
pub async fn delete_by_operator(node: &Arc<Node>, message: ClientId) {
    let room = node.state.room_of(message).unwrap();
    let change = Change::Act { room, message, act: Act::Delete };
    let operator = node.epoch().unwrap().operator();
    let deletion = Proposal::of(Format::Five, operator, ClientId::random(), &change, Content::None).unwrap();
    let outcome = node.propose(deletion).await.unwrap();
    assert!(matches!(outcome, Outcome::Stored { .. }), "{outcome:?}");
}
