//! Drives the session in the browser: one Dioxus task that owns the socket and is the only writer of the store.

use super::session::Input;
use futures::channel::mpsc::UnboundedSender;

/// Gives what the person does to the engine.
#[derive(Clone)]
pub struct Intents(pub UnboundedSender<Input>);

impl Intents {
    pub fn send(&self, input: Input) {
        let _ = self.0.unbounded_send(input);
    }
}

#[cfg(target_arch = "wasm32")]
mod web {
    use super::super::platform::web;
    use super::super::session::{Effect, Input, Session};
    use crate::protocol::ServerFrame;
    use crate::ui::dom;
    use dioxus::prelude::*;
    use futures::channel::mpsc::UnboundedReceiver;
    use futures::future::poll_fn;
    use futures::{FutureExt, Sink, SinkExt, StreamExt, select_biased};
    use gloo_net::websocket::{Message, State, futures::WebSocket};
    use std::pin::Pin;
    use std::task::Poll;

    /// Frames of one burst are applied together, so that a burst is one render.
    const BURST: usize = 200;
    const TICK_MS: i64 = 5_000;

    enum Next {
        Inputs(Vec<Input>),
        Connect,
        Opened,
        Tick,
        Ended,
    }

    /// Runs until the page goes.
    pub async fn run(mut store: Signal<Session>, mut intents: UnboundedReceiver<Input>) {
        let account = store.peek().me.id.to_string();
        let mut socket: Option<WebSocket> = web::open_socket();
        let mut connect_at: Option<i64> = None;
        let mut tick_at = web::now_ms() + TICK_MS;
        let kept = web::kept(&account);
        // Nothing is sent before the socket is open, so that what people do is always heeded.
        let mut opening = socket.is_some();
        let mut inputs = vec![Input::Restore(kept)];
        if !opening {
            inputs.push(Input::Closed(None));
        }
        loop {
            let mut effects = Vec::new();
            if !inputs.is_empty() {
                let now = web::now_ms();
                let mut session = store.write();
                for input in inputs.drain(..) {
                    effects.extend(session.handle(input, now));
                }
            }
            for effect in effects {
                match effect {
                    Effect::Connect { after_ms } => {
                        let spread = f64::from(after_ms) * (0.5 + 0.5 * web::chance());
                        connect_at = Some(web::now_ms() + spread as i64);
                    }
                    Effect::Send(frame) => {
                        let text = serde_json::to_string(&frame).unwrap_or_default();
                        let sent = match &mut socket {
                            Some(socket) if matches!(socket.state(), State::Open) => {
                                socket.send(Message::Text(text)).await.is_ok()
                            }
                            _ => false,
                        };
                        if !sent && socket.take().is_some() {
                            inputs.push(Input::Closed(None));
                        }
                    }
                    Effect::Disconnect => {
                        if let Some(socket) = socket.take() {
                            let _ = socket.close(None, None);
                            inputs.push(Input::Closed(None));
                        }
                    }
                    Effect::Keep(draft, at) => drop(web::keep(&account, &draft, at)),
                    Effect::Forget(id) => web::forget(&account, id),
                    Effect::Announce(text) => dom::announce(&text),
                }
            }
            if !inputs.is_empty() {
                continue;
            }
            match wait(&mut socket, opening, &mut intents, connect_at, tick_at).await {
                Next::Opened => {
                    opening = false;
                    inputs.push(Input::Opened);
                }
                Next::Tick => {
                    tick_at = web::now_ms() + TICK_MS;
                    inputs.push(Input::Tick);
                }
                Next::Inputs(next) => inputs = next,
                Next::Connect => {
                    connect_at = None;
                    if socket.is_none() {
                        socket = web::open_socket();
                        opening = socket.is_some();
                        if !opening {
                            inputs.push(Input::Closed(None));
                        }
                    }
                }
                Next::Ended => return,
            }
            if inputs.iter().any(|input| matches!(input, Input::Closed(_))) {
                socket = None;
            }
        }
    }

    async fn wait(
        socket: &mut Option<WebSocket>,
        opening: bool,
        intents: &mut UnboundedReceiver<Input>,
        connect_at: Option<i64>,
        tick_at: i64,
    ) -> Next {
        let due = connect_at.map_or(tick_at, |at| at.min(tick_at));
        let pause = (due - web::now_ms()).clamp(0, TICK_MS) as u32;
        let mut timer = web::TimeoutFuture::new(pause).fuse();
        let mut frames = poll_fn(|context| {
            let Some(socket) = socket.as_mut() else { return Poll::Pending };
            let opened = opening
                && Sink::<Message>::poll_ready(Pin::new(&mut *socket), context).is_ready()
                && matches!(socket.state(), State::Open);
            if opened { Poll::Ready(None) } else { socket.poll_next_unpin(context).map(Some) }
        })
        .fuse();
        let first = select_biased! {
            intent = intents.next() => match intent {
                Some(intent) => return Next::Inputs(vec![intent]),
                None => return Next::Ended,
            },
            frame = frames => match frame {
                Some(frame) => frame,
                None => return Next::Opened,
            },
            () = timer => {
                let now = web::now_ms();
                return match connect_at {
                    Some(at) if at <= now => Next::Connect,
                    _ if tick_at <= now => Next::Tick,
                    _ => Next::Inputs(Vec::new()),
                };
            }
        };
        drop(frames);
        let mut inputs = vec![input_of(first)];
        while let Some(socket) = socket.as_mut()
            && inputs.len() < BURST
            && !matches!(inputs.last(), Some(Input::Closed(_)))
            && let Some(next) = socket.next().now_or_never()
        {
            inputs.push(input_of(next));
        }
        Next::Inputs(inputs)
    }

    fn input_of(message: Option<Result<Message, gloo_net::websocket::WebSocketError>>) -> Input {
        let Some(message) = message else { return Input::Closed(None) };
        match web::text_of(message) {
            Ok(text) => Input::Frame(serde_json::from_str(&text).unwrap_or(ServerFrame::Unknown)),
            Err(code) => Input::Closed(code),
        }
    }
}

#[cfg(target_arch = "wasm32")]
pub use web::run;
