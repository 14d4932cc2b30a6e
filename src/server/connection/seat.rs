//! The place of a connection among those of its account, from before the upgrade until the connection is gone.

use crate::protocol::AccountId;
use crate::server::hub::Mailbox;
use crate::server::node::Node;
use std::sync::Arc;

/// Gives the place up when it is dropped, also by an upgrade that fails or a connection that panics.
pub struct Seat {
    node: Arc<Node>,
    mailbox: Arc<Mailbox>,
}

impl Seat {
    /// `None` if the account has as many connections as it may. For `ended_logins` see
    /// [`Hub::connect`](crate::server::hub::Hub::connect).
    pub fn take(node: &Arc<Node>, account: AccountId, ended_logins: u64) -> Option<Seat> {
        let mailbox = node.hub.connect(account, ended_logins)?;
        Some(Seat { node: node.clone(), mailbox })
    }

    pub(super) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.node.hub.disconnect(&self.mailbox);
    }
}
