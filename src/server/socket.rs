//! Takes the handshake of a WebSocket (RFC 6455) and gives the socket; sends long messages in fragments.
//!
//! The WebSocket of axum hides frames, and Beck needs them: the library under it keeps a write buffer as large as the
//! largest frame that a socket ever sent, for as long as the socket is open. Fragments bound that buffer.

use super::serve::{Connections, SocketPlace};
use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Bytes that each socket reads at once: kept for each as long as it is open, and what a client says is short.
const READ_BYTES: usize = 1024;
/// Bytes that each socket gathers before it writes.
const WRITE_BYTES: usize = 4 * 1024;
/// Bytes of one frame that is sent: with those gathered before, what the write buffer of a socket can hold.
const FRAGMENT_BYTES: usize = 8 * 1024;

/// Seconds after which a client may try again where a socket was refused because there are too many.
pub const RETRY_SECONDS: &str = "30";

/// The server has as many WebSockets open as it can.
pub struct NoPlace;

impl IntoResponse for NoPlace {
    fn into_response(self) -> Response {
        let why = "This server has as many WebSockets open as it can. Try again in half a minute.";
        (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, RETRY_SECONDS)], why).into_response()
    }
}

/// A place among the server's WebSockets; none is needed where nothing counts them.
pub fn place_of(connections: Option<&Connections>) -> Result<Option<SocketPlace>, NoPlace> {
    let Some(connections) = connections else { return Ok(None) };
    connections.socket().map(Some).ok_or(NoPlace)
}

/// A request that asks for a WebSocket as it should.
#[derive(Debug)]
pub struct Handshake {
    accept: String,
    on_upgrade: OnUpgrade,
}

fn names(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word))
}

impl<S: Send + Sync> FromRequestParts<S> for Handshake {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        if parts.method != Method::GET {
            return Err((StatusCode::METHOD_NOT_ALLOWED, "A WebSocket is asked for with GET."));
        }
        let headers = &parts.headers;
        if !names(headers, header::CONNECTION, "upgrade") {
            return Err((StatusCode::BAD_REQUEST, "The header Connection does not say upgrade."));
        }
        if !names(headers, header::UPGRADE, "websocket") {
            return Err((StatusCode::BAD_REQUEST, "The header Upgrade does not say websocket."));
        }
        if !names(headers, header::SEC_WEBSOCKET_VERSION, "13") {
            return Err((StatusCode::BAD_REQUEST, "The header Sec-WebSocket-Version is not 13."));
        }
        let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
            return Err((StatusCode::BAD_REQUEST, "The header Sec-WebSocket-Key is missing."));
        };
        let accept = derive_accept_key(key.as_bytes());
        match parts.extensions.remove::<OnUpgrade>() {
            Some(on_upgrade) => Ok(Handshake { accept, on_upgrade }),
            None => Err((StatusCode::UPGRADE_REQUIRED, "This connection cannot become a WebSocket.")),
        }
    }
}

impl Handshake {
    /// Answers the request; `serve` gets the socket once the client has the answer, if that ever comes. Messages from
    /// the client have `max_bytes` at most.
    pub fn accept<F>(self, max_bytes: usize, serve: impl FnOnce(Socket) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Handshake { accept, on_upgrade } = self;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(WRITE_BYTES)
            .max_message_size(Some(max_bytes))
            .max_frame_size(Some(max_bytes));
        tokio::spawn(async move {
            let Ok(upgraded) = on_upgrade.await else { return };
            let socket = TokioIo::new(upgraded);
            serve(Socket::from_raw_socket(socket, Role::Server, Some(config)).await).await;
        });
        let headers = [
            (header::CONNECTION, "upgrade"),
            (header::UPGRADE, "websocket"),
            (header::SEC_WEBSOCKET_ACCEPT, accept.as_str()),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
    }
}

/// One text message, in as many frames as keep the write buffer small.
pub fn text_frames(text: Utf8Bytes) -> impl Iterator<Item = Message> {
    let bytes = Bytes::from(text.clone());
    let length = bytes.len();
    let whole = (length <= FRAGMENT_BYTES).then(|| Message::Text(text));
    let starts = if whole.is_some() { 0..0 } else { 0..length };
    let fragments = starts.step_by(FRAGMENT_BYTES).map(move |from| {
        let to = length.min(from + FRAGMENT_BYTES);
        let kind = if from == 0 { Data::Text } else { Data::Continue };
        Message::Frame(Frame::message(bytes.slice(from..to), OpCode::Data(kind), to == length))
    });
    whole.into_iter().chain(fragments)
}
