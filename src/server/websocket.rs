//! The upgrade of `/ws`: login and Origin are checked before it.

use super::auth;
use super::connection::Connection;
use super::node::Node;
use super::origin;
use crate::protocol::bounds::FRAME_BYTES;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Bytes that each socket reads and writes at once; axum's defaults would cost 128 KiB each.
const BUFFER_BYTES: usize = 4 * 1024;
/// Bytes that may wait in a socket's write buffer.
const MAX_WRITE_BYTES: usize = 64 * 1024 * 1024;

pub async fn upgrade(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(fault) => return fault.into_response(),
    };
    let bearer = headers.contains_key(axum::http::header::AUTHORIZATION);
    if let Err(why) = origin::check(&node.config, &headers, bearer) {
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let Some(token) = auth::token(&headers, &node.config).map(str::to_owned) else {
        return (StatusCode::UNAUTHORIZED, "Sign in first.").into_response();
    };
    let Some(me) = node.account_of(&token).await else {
        return (StatusCode::UNAUTHORIZED, "This login has ended. Sign in again.").into_response();
    };
    upgrade
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_write_buffer_size(MAX_WRITE_BYTES)
        .max_message_size(FRAME_BYTES)
        .max_frame_size(FRAME_BYTES)
        .on_upgrade(move |socket| Connection::new(node, me, token, socket).run())
}
