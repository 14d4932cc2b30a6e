//! Drives a session on a device: one task that owns the socket and is the only writer of the session.

use super::platform::{Device, Socket, SocketEvent};
use super::session::{Effect, Input, Session};
use crate::protocol::ServerFrame;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender};
use futures::future::poll_fn;
use futures::stream::FusedStream as _;
use futures::{FutureExt, StreamExt, pin_mut, select_biased};
use std::task::Poll;

/// Frames that are applied together at most, so that a burst is one change of what is seen.
const BURST: usize = 500;
const TICK_MS: i64 = 5_000;

/// Gives what the person does to the engine.
#[derive(Clone)]
pub struct Intents(pub UnboundedSender<Input>);

impl Intents {
    pub fn send(&self, input: Input) {
        let _ = self.0.unbounded_send(input);
    }
}

/// Runs until the other end of `intents` is gone. `change` gives the session to a function that changes it.
pub async fn run<D: Device>(
    mut device: D,
    mut change: impl FnMut(&mut dyn FnMut(&mut Session)),
    mut intents: UnboundedReceiver<Input>,
) {
    let mut inputs = device.restore();
    let mut socket = None;
    let mut connect_at = Some(device.now_ms());
    let mut tick_at = device.now_ms() + TICK_MS;
    let mut zone = None;
    loop {
        let mut effects = Vec::new();
        if !inputs.is_empty() {
            // Before what is decided by the clock.
            let here = device.zone();
            if zone.replace(here) != Some(here) {
                inputs.insert(0, Input::Zone(here));
            }
            let now = device.now_ms();
            change(&mut |session| {
                for input in inputs.drain(..) {
                    effects.extend(session.handle(input, now));
                }
            });
        }
        for effect in effects {
            match effect {
                Effect::Connect { after_ms } => {
                    let spread = f64::from(after_ms) * (0.5 + 0.5 * device.chance());
                    connect_at = Some(device.now_ms() + spread as i64);
                }
                Effect::Send(frame) => {
                    let text = serde_json::to_string(&frame).unwrap_or_default();
                    let sent = socket.as_mut().is_some_and(|socket: &mut D::Socket| socket.send(text));
                    if !sent && socket.take().is_some() {
                        inputs.push(Input::Closed(None));
                    }
                }
                Effect::Disconnect => {
                    if socket.take().is_some() {
                        inputs.push(Input::Closed(None));
                    }
                }
                other => inputs.extend(device.carry_out(other)),
            }
        }
        if !inputs.is_empty() {
            continue;
        }
        inputs = wait(&device, &mut socket, &mut intents, connect_at, tick_at).await;
        if inputs.iter().any(|input| matches!(input, Input::Closed(_))) {
            socket = None;
        }
        let now = device.now_ms();
        if tick_at <= now {
            tick_at = now + TICK_MS;
            inputs.push(Input::Tick);
        }
        if connect_at.is_some_and(|at| at <= now) {
            connect_at = None;
            if socket.is_none() {
                socket = device.open();
                inputs.push(if socket.is_some() { Input::Connecting } else { Input::Closed(None) });
            }
        }
        if intents.is_terminated() {
            return;
        }
    }
}

/// What comes next: what the person does at once, frames together at the next picture, nothing at a timer.
async fn wait<D: Device>(
    device: &D,
    socket: &mut Option<D::Socket>,
    intents: &mut UnboundedReceiver<Input>,
    connect_at: Option<i64>,
    tick_at: i64,
) -> Vec<Input> {
    let due = connect_at.map_or(tick_at, |at| at.min(tick_at));
    let pause = (due - device.now_ms()).clamp(0, TICK_MS) as u32;
    let timer = device.sleep(pause).fuse();
    pin_mut!(timer);
    let mut inputs = Vec::new();
    select_biased! {
        intent = intents.next() => {
            inputs.extend(intent);
            return inputs;
        }
        event = next_event(socket).fuse() => inputs.push(input_of(event)),
        () = timer => return inputs,
    }
    // Whatever is there already, and then what comes before the next picture.
    let picture = device.picture().fuse();
    pin_mut!(picture);
    while inputs.len() < BURST && !matches!(inputs.last(), Some(Input::Closed(_) | Input::Opened)) {
        select_biased! {
            event = next_event(socket).fuse() => inputs.push(input_of(event)),
            intent = intents.next() => {
                inputs.extend(intent);
                break;
            }
            () = picture => break,
        }
    }
    inputs
}

async fn next_event<S: Socket>(socket: &mut Option<S>) -> SocketEvent {
    poll_fn(|context| match socket.as_mut() {
        Some(socket) => socket.poll_event(context),
        None => Poll::Pending,
    })
    .await
}

fn input_of(event: SocketEvent) -> Input {
    match event {
        SocketEvent::Opened => Input::Opened,
        SocketEvent::Text(text) => Input::Frame(serde_json::from_str(&text).unwrap_or(ServerFrame::Unknown)),
        SocketEvent::Closed(code) => Input::Closed(code),
    }
}
