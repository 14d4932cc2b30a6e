//! The upgrade of `/ws`: login and Origin are checked before it.

use super::auth;
use super::connection::{Connection, Seat, TIMEOUTS, Timeouts};
use super::node::Node;
use super::origin;
use super::probe;
use super::proxies::Peer;
use super::serve::Progress;
use crate::protocol::bounds::{FRAME_BYTES, SOCKETS_PER_ACCOUNT};
use axum::Extension;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Bytes that each socket reads at once: kept for each as long as it is open, and what a client says is short.
const READ_BYTES: usize = 1024;
/// Bytes that each socket gathers before it writes.
const WRITE_BYTES: usize = 4 * 1024;
/// Bytes that may wait in a socket's write buffer.
const MAX_WRITE_BYTES: usize = 64 * 1024 * 1024;

/// A layer may give other timeouts.
pub async fn upgrade(
    State(node): State<Arc<Node>>,
    timeouts: Option<Extension<&'static Timeouts>>,
    progress: Option<Extension<Progress>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    if let Some(Extension(peer)) = peer.filter(|_| headers.contains_key(probe::PROBE_HEADER)) {
        return probe::answer(node, &headers, peer, upgrade).await;
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(fault) => return fault.into_response(),
    };
    // Only a bearer that signs in: with any other the cookie counts, which browsers send for every page.
    let bearer = auth::bearer(&headers).is_some();
    if let Err(why) = origin::check(&node.config, &headers, bearer) {
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let Some(token) = auth::token(&headers, &node).map(str::to_owned) else {
        return (StatusCode::UNAUTHORIZED, "Sign in first.").into_response();
    };
    let ended_logins = node.hub.ended_logins();
    let me = match node.login_of(&token).await {
        Ok(Some(me)) => me,
        Ok(None) => {
            return (StatusCode::UNAUTHORIZED, "This login has ended. Sign in again.").into_response();
        }
        Err(fault) => return (StatusCode::SERVICE_UNAVAILABLE, fault.to_string()).into_response(),
    };
    let Some(seat) = Seat::take(&node, me, ended_logins) else {
        let why = format!(
            "This account has {SOCKETS_PER_ACCOUNT} connections open, as many as it may. Close a tab or a window."
        );
        return (StatusCode::TOO_MANY_REQUESTS, why).into_response();
    };
    let timeouts = timeouts.map_or(&TIMEOUTS, |Extension(timeouts)| timeouts);
    let progress = progress.map(|Extension(progress)| progress).unwrap_or_default();
    upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_write_buffer_size(MAX_WRITE_BYTES)
        .max_message_size(FRAME_BYTES)
        .max_frame_size(FRAME_BYTES)
        .on_upgrade(move |socket| Connection::new(node, (seat, token), (socket, progress), timeouts).run())
}
