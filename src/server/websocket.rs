//! The upgrade of `/ws`: login and Origin are checked before it.

use super::auth;
use super::connection::{Connection, Seat, Surplus, TIMEOUTS, Timeouts};
use super::node::Node;
use super::origin;
use super::probe;
use super::proxies::Peer;
use super::serve::{Connections, Progress};
use super::socket::{Handshake, RETRY_SECONDS, place_of};
use crate::protocol::CloseCode;
use crate::protocol::bounds::FRAME_BYTES;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// A layer may give other timeouts.
pub async fn upgrade(
    State(node): State<Arc<Node>>,
    timeouts: Option<Extension<&'static Timeouts>>,
    progress: Option<Extension<Progress>>,
    connections: Option<Extension<Arc<Connections>>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    handshake: Result<Handshake, (StatusCode, &'static str)>,
) -> Response {
    let connections = connections.as_deref().map(|open| &**open);
    if let Some(Extension(peer)) = peer.filter(|_| headers.contains_key(probe::PROBE_HEADER)) {
        return probe::answer(node, &headers, peer, connections, handshake.ok()).await;
    }
    let handshake = match handshake {
        Ok(handshake) => handshake,
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
    let place = match place_of(connections) {
        Ok(place) => place,
        Err(full) => return full.into_response(),
    };
    let timeouts = timeouts.map_or(&TIMEOUTS, |Extension(timeouts)| timeouts);
    let progress = progress.map(|Extension(progress)| progress).unwrap_or_default();
    if let Some(seat) = Seat::take(&node, me, ended_logins) {
        return handshake.accept(FRAME_BYTES, move |socket| async move {
            let _place = place;
            Connection::new(node, (seat, token), (socket, progress), timeouts).run().await;
        });
    }
    if let Some(surplus) = Surplus::take(&node, me) {
        return handshake.accept(FRAME_BYTES, move |socket| async move {
            let _place = place;
            surplus.close((socket, progress), timeouts).await;
        });
    }
    let (retry, why) = ([(header::RETRY_AFTER, RETRY_SECONDS)], CloseCode::TooManySockets.reason());
    (StatusCode::TOO_MANY_REQUESTS, retry, why).into_response()
}
