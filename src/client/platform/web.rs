//! The browser's socket, clock, timers and storage.

use crate::protocol::ClientId;
use crate::protocol::frame::Draft;
use gloo_net::websocket::{Message, WebSocketError, futures::WebSocket};

pub use gloo_timers::future::TimeoutFuture;

/// Milliseconds since 1970, by this device's clock.
pub fn now_ms() -> i64 {
    js_sys::Date::now() as i64
}

/// A number below 1 that nobody can guess well; for spreading reconnects.
pub fn chance() -> f64 {
    js_sys::Math::random()
}

/// Opens the socket of this page's server.
pub fn open_socket() -> Option<WebSocket> {
    let location = web_sys::window()?.location();
    let scheme = if location.protocol().ok()? == "https:" { "wss" } else { "ws" };
    WebSocket::open(&format!("{scheme}://{}/ws", location.host().ok()?)).ok()
}

/// The text of a message, or the code of the close.
pub fn text_of(message: Result<Message, WebSocketError>) -> Result<String, Option<u16>> {
    match message {
        Ok(Message::Text(text)) => Ok(text),
        Ok(Message::Bytes(_)) => Ok(String::new()),
        Err(WebSocketError::ConnectionClose(close)) => Err(Some(close.code)),
        Err(_) => Err(None),
    }
}

fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok()?
}

fn prefix(account: &str) -> String {
    format!("beck:outbox:{account}:")
}

/// Keeps a draft over reloads; one key per draft. `false`: this browser keeps nothing, or has no room.
pub fn keep(account: &str, draft: &Draft, at: i64) -> bool {
    let json = serde_json::to_string(&(draft, at)).unwrap_or_default();
    storage().is_some_and(|s| s.set_item(&format!("{}{}", prefix(account), draft.id), &json).is_ok())
}

pub fn forget(account: &str, id: ClientId) {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(&format!("{}{id}", prefix(account)));
    }
}

/// What an earlier page left, oldest first.
pub fn kept(account: &str) -> Vec<(Draft, i64)> {
    let Some(storage) = storage() else { return Vec::new() };
    let prefix = prefix(account);
    let keys = (0..storage.length().unwrap_or(0)).filter_map(|index| storage.key(index).ok()?);
    let keys: Vec<_> = keys.filter(|key| key.starts_with(&prefix)).collect();
    let read = |key: String| serde_json::from_str(&storage.get_item(&key).ok()??).ok();
    let mut drafts: Vec<(Draft, i64)> = keys.into_iter().filter_map(read).collect();
    drafts.sort_by_key(|(draft, at)| (*at, draft.id));
    drafts
}
