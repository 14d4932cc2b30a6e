//! The browser's socket, clock, timers and storage. What Rust cannot reach well is in assets/device.js.

use super::{Device, Socket, SocketEvent};
use crate::client::Lane;
use crate::client::engine::Intents;
use crate::client::outbox::{Kept, Proposed};
use crate::client::session::{Effect, Input, Notice, Permission, Probe};
use crate::protocol::{ClientId, json};
use crate::ui::dom;
use futures::{Sink, StreamExt};
use gloo_net::websocket::{Message, State, WebSocketError, futures::WebSocket};
use gloo_timers::future::TimeoutFuture;
use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context, Poll};
use wasm_bindgen::prelude::*;

mod script {
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen]
    extern "C" {
        /// Tells of other tabs' changes of what is kept, and whether this tab sends for the browser.
        #[wasm_bindgen(js_namespace = ["window", "beckDevice"])]
        pub fn start(account: &str, callback: &Closure<dyn FnMut(String, String, String)>);
        #[wasm_bindgen(js_namespace = ["window", "beckDevice"])]
        pub async fn picture();
        #[wasm_bindgen(js_namespace = ["window", "beckDevice"])]
        pub async fn probe() -> JsValue;
        #[wasm_bindgen(js_namespace = ["window", "beckDevice"])]
        pub fn notify(lane: &str, ordinal: f64, title: &str, body: &str);
        #[wasm_bindgen(js_namespace = ["window", "beckDevice"])]
        pub fn close_notices(lane: &str, to: f64);
        #[wasm_bindgen(js_namespace = ["window", "beckDevice"])]
        pub fn never_ask();
    }
}

pub struct WebDevice {
    account: String,
    intents: Intents,
}

impl WebDevice {
    pub fn new(account: String, intents: Intents) -> Self {
        WebDevice { account, intents }
    }

    fn outbox_prefix(&self) -> String {
        format!("beck:outbox:{}:", self.account)
    }

    fn typed_prefix(&self) -> String {
        format!("beck:draft:{}:", self.account)
    }

    /// `false`: this browser keeps nothing, or has no room.
    fn keep(&self, kept: &Kept) -> bool {
        let json = serde_json::to_string(kept).unwrap_or_default();
        let key = format!("{}{}", self.outbox_prefix(), kept.id());
        storage().is_some_and(|storage| storage.set_item(&key, &json).is_ok())
    }

    fn keep_typed(&self, lane: Lane, text: &str) {
        let Some(storage) = storage() else { return };
        let key = format!("{}{lane}", self.typed_prefix());
        let _ = if text.is_empty() { storage.remove_item(&key) } else { storage.set_item(&key, text) };
    }
}

fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok()?
}

/// What is kept under keys that begin so, by the rest of the key.
fn kept_under(prefix: &str) -> Vec<(String, String)> {
    let Some(storage) = storage() else { return Vec::new() };
    let keys = (0..storage.length().unwrap_or(0)).filter_map(|index| storage.key(index).ok()?);
    let keys: Vec<_> = keys.filter_map(|key| key.strip_prefix(prefix).map(str::to_owned)).collect();
    let read = |rest: String| Some((rest.clone(), storage.get_item(&format!("{prefix}{rest}")).ok()??));
    keys.into_iter().filter_map(read).collect()
}

fn parse_kept(text: &str) -> Option<Kept> {
    // Written by the first version: the draft and its time.
    let first = || json::read(text).ok().map(|(draft, at): (Proposed, i64)| Kept::new(draft, at));
    json::read(text).ok().or_else(first)
}

fn told(kind: &str, rest: &str, value: &str) -> Option<Input> {
    match kind {
        "sender" => Some(Input::Sender(!value.is_empty())),
        "kept" => parse_kept(value).map(Input::Shared),
        "permission" => Some(Input::Permission(match value {
            "default" => Permission::Ask,
            "granted" => Permission::Granted,
            "denied" => Permission::Denied,
            _ => Permission::Unsupported,
        })),
        "open" => Some(Input::Open { at: rest.parse().ok()?, ordinal: value.parse().ok()? }),
        "gone" => rest.parse().ok().map(|id: ClientId| Input::Gone(id)),
        _ => None,
    }
}

impl Device for WebDevice {
    type Socket = WebSocketEvents;

    fn now_ms(&self) -> i64 {
        js_sys::Date::now() as i64
    }

    fn zone(&self) -> i32 {
        -js_sys::Date::new_0().get_timezone_offset() as i32
    }

    fn chance(&self) -> f64 {
        js_sys::Math::random()
    }

    fn open(&mut self) -> Option<WebSocketEvents> {
        let location = web_sys::window()?.location();
        let scheme = if location.protocol().ok()? == "https:" { "wss" } else { "ws" };
        let socket = WebSocket::open(&format!("{scheme}://{}/ws", location.host().ok()?)).ok()?;
        Some(WebSocketEvents { socket, opened: false })
    }

    async fn sleep(&self, ms: u32) {
        TimeoutFuture::new(ms).await;
    }

    async fn picture(&self) {
        script::picture().await;
    }

    fn restore(&mut self) -> Vec<Input> {
        let intents = self.intents.clone();
        let callback = Closure::new(move |kind: String, rest: String, value: String| {
            if let Some(input) = told(&kind, &rest, &value) {
                intents.send(input);
            }
        });
        script::start(&self.account, &callback);
        // The page holds it for as long as it lives.
        callback.forget();
        let kept = kept_under(&self.outbox_prefix());
        let typed = kept_under(&self.typed_prefix()).into_iter();
        let typed: HashMap<_, _> =
            typed.filter_map(|(lane, text)| Some((lane.parse().ok()?, text))).collect();
        vec![
            Input::Drafts(typed),
            Input::Restore(kept.iter().filter_map(|(_, json)| parse_kept(json)).collect()),
        ]
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Keep(kept) => {
                if !self.keep(&kept) {
                    return Some(Input::NotKept);
                }
            }
            Effect::Forget(id) => {
                if let Some(storage) = storage() {
                    let _ = storage.remove_item(&format!("{}{id}", self.outbox_prefix()));
                }
            }
            Effect::KeepTyped(lane, text) => self.keep_typed(lane, &text),
            Effect::Offer(lane, text) => wasm_bindgen_futures::spawn_local(async move {
                script::picture().await;
                dom::offer(&lane.to_string(), &text);
            }),
            Effect::Compose(lane, text) => dom::compose(&lane.to_string(), &text),
            Effect::Announce(text) => dom::announce(&text),
            Effect::Notify(Notice { at, ordinal, title, body }) => {
                script::notify(&at.to_string(), ordinal as f64, &title, &body);
            }
            Effect::CloseNotices { at, to } => script::close_notices(&at.to_string(), to as f64),
            Effect::NeverAsk => script::never_ask(),
            Effect::Total { mentions, rooms } => dom::total(mentions, rooms),
            Effect::Show(lane, ordinal) => wasm_bindgen_futures::spawn_local(async move {
                script::picture().await;
                dom::to_ordinal(lane, ordinal);
            }),
            Effect::Probe => {
                let intents = self.intents.clone();
                wasm_bindgen_futures::spawn_local(async move {
                    let probe = match script::probe().await.as_f64() {
                        Some(204.0) => Probe::SignedIn,
                        Some(401.0) => Probe::SignedOut,
                        _ => Probe::Unreachable,
                    };
                    intents.send(Input::Probed(probe));
                });
            }
            Effect::Connect { .. } | Effect::Send(_) | Effect::Disconnect => {}
        }
        None
    }
}

/// A socket that also says when it is open: gloo tells it by being ready to send.
pub struct WebSocketEvents {
    socket: WebSocket,
    opened: bool,
}

impl Socket for WebSocketEvents {
    fn send(&mut self, text: String) -> bool {
        matches!(self.socket.state(), State::Open)
            && Pin::new(&mut self.socket).start_send(Message::Text(text)).is_ok()
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<SocketEvent> {
        if !self.opened
            && Sink::<Message>::poll_ready(Pin::new(&mut self.socket), context).is_ready()
            && matches!(self.socket.state(), State::Open)
        {
            self.opened = true;
            return Poll::Ready(SocketEvent::Opened);
        }
        self.socket.poll_next_unpin(context).map(|message| match message {
            Some(Ok(Message::Text(text))) => SocketEvent::Text(text),
            Some(Ok(Message::Bytes(_))) => SocketEvent::Text(String::new()),
            Some(Err(WebSocketError::ConnectionClose(close))) => SocketEvent::Closed(Some(close.code)),
            Some(Err(_)) | None => SocketEvent::Closed(None),
        })
    }
}
