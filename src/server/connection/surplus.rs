//! A socket beyond those that its account may have. A browser cannot read why an upgrade was refused, so the socket is
//! accepted and closed with a code of its own.

use super::{Timeouts, goodbye};
use crate::protocol::{AccountId, CloseCode};
use crate::server::hub::SURPLUS_AT_ONCE;
use crate::server::node::Node;
use crate::server::serve::Progress;
use crate::server::socket::Socket;
use crate::server::throttle::Place;

/// One of the few sockets of an account that are being closed for this reason at the same time; given up when it is
/// dropped.
pub struct Surplus {
    _place: Place<AccountId>,
}

impl Surplus {
    /// `None` if [`SURPLUS_AT_ONCE`] sockets of the account are being closed.
    pub fn take(node: &Node, account: AccountId) -> Option<Surplus> {
        let _place = node.hub.surplus.take(account, SURPLUS_AT_ONCE)?;
        Some(Surplus { _place })
    }

    /// Tells the peer and closes. It says nothing to the socket and reads nothing from it but the answer to the close.
    pub async fn close(self, (mut socket, progress): (Socket, Progress), timeouts: &'static Timeouts) {
        goodbye::say(&mut socket, &progress, CloseCode::TooManySockets, timeouts).await;
    }
}
