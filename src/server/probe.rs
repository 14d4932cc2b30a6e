//! How a request looked when it reached this server. `beck doctor` asks by way of the public address, and learns what
//! stands between: it is let in by a token that it got where the log is, and sees nothing of the workspace.

use super::auth::{hashed, is_token, new_token};
use super::broker::{Broker, BrokerError, SecretOp};
use super::node::Node;
use super::origin;
use super::proxies::Peer;
use super::serve::Connections;
use super::socket::{Handshake, Socket, place_of};
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

/// The header of `/ws` that carries the token.
pub const PROBE_HEADER: &str = "x-beck-probe";
/// A token and a socket that it opened are good for so long.
const LIFE: Duration = Duration::from_secs(15 * 60);
const MESSAGE_BYTES: usize = 1024;

/// What a server tells of a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seen {
    /// Who connected to the server: the one that asks, or the proxy.
    pub peer: SocketAddr,
    /// Whose request it takes it for.
    pub client: IpAddr,
    pub forwarded: Vec<String>,
    /// Why pages of this address could open no socket.
    pub origin_fault: Option<String>,
    pub upgrade: bool,
    pub public_url: Option<String>,
}

/// Makes a token; every server of the log knows it.
pub async fn mint(log: &dyn Broker) -> Result<String, BrokerError> {
    let token = new_token()?;
    let expires = super::now_ms() + LIFE.as_millis() as i64;
    let op = SecretOp::Put { value: "probe".into(), if_version: 0, expires: Some(expires) };
    log.secret(hashed("probe", &token), op).await?;
    Ok(token)
}

/// The answer to a request of `/ws` that carries a token of a probe.
pub async fn answer(
    node: Arc<Node>,
    headers: &HeaderMap,
    Peer { peer, client, .. }: Peer,
    connections: Option<&Connections>,
    handshake: Option<Handshake>,
) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = text(header::HeaderName::from_static(PROBE_HEADER));
    let known = is_token(token)
        && matches!(node.broker.secret(hashed("probe", token), SecretOp::Get).await, Ok(Some(_)));
    if !known {
        return (StatusCode::UNAUTHORIZED, "This probe is unknown here, or has ended.").into_response();
    }
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    let seen = Seen {
        peer,
        client,
        forwarded: lines.map(str::to_owned).collect(),
        origin_fault: origin::check(&node.config, headers, false).err(),
        upgrade: handshake.is_some(),
        public_url: node.config.public_url.as_ref().map(|url| url.as_str().to_owned()),
    };
    match handshake {
        Some(handshake) if seen.origin_fault.is_none() => {
            let place = match place_of(connections) {
                Ok(place) => place,
                Err(full) => return full.into_response(),
            };
            handshake.accept(MESSAGE_BYTES, move |socket| async move {
                let _place = place;
                let _ = tokio::time::timeout(LIFE, echo(socket, seen)).await;
            })
        }
        _ => Json(seen).into_response(),
    }
}

/// Says what was seen, and then nothing but what it is told.
async fn echo(mut socket: Socket, seen: Seen) {
    let mut next = Some(Message::Text(serde_json::json!(seen).to_string().into()));
    while let Some(message) = next.take() {
        if socket.send(message).await.is_err() {
            return;
        }
        while next.is_none() {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => next = Some(Message::Text(text)),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            }
        }
    }
}
