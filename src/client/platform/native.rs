//! A device without a browser: sockets and timers of tokio. Nothing is kept over a restart yet.

use super::{Device, Socket, SocketEvent};
use crate::client::session::{Effect, Input};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{SinkExt, StreamExt};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest, http::Request};

/// Connects to one server with one login. Runs inside a tokio runtime.
pub struct NativeDevice {
    url: String,
    /// Sent with the upgrade: login, and origin where it is a cookie.
    headers: Vec<(&'static str, String)>,
    kept: Vec<Input>,
}

impl NativeDevice {
    /// `url` begins with `ws://`.
    pub fn new(url: String, headers: Vec<(&'static str, String)>) -> Self {
        NativeDevice { url, headers, kept: Vec::new() }
    }

    fn request(&self) -> Option<Request<()>> {
        let mut request = self.url.as_str().into_client_request().ok()?;
        for (name, value) in &self.headers {
            request.headers_mut().insert(*name, value.parse().ok()?);
        }
        Some(request)
    }
}

/// A socket that a task of its own serves.
pub struct NativeSocket {
    out: UnboundedSender<String>,
    events: UnboundedReceiver<SocketEvent>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for NativeSocket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Socket for NativeSocket {
    fn send(&mut self, text: String) -> bool {
        self.out.unbounded_send(text).is_ok()
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<SocketEvent> {
        self.events.poll_next_unpin(context).map(|event| event.unwrap_or(SocketEvent::Closed(None)))
    }
}

async fn serve(
    request: Request<()>,
    mut texts: UnboundedReceiver<String>,
    events: UnboundedSender<SocketEvent>,
) {
    let Ok((socket, _)) = tokio_tungstenite::connect_async(request).await else { return };
    let _ = events.unbounded_send(SocketEvent::Opened);
    let (mut sink, mut stream) = socket.split();
    loop {
        tokio::select! {
            text = texts.next() => {
                let Some(text) = text else { return };
                if sink.send(Message::text(text)).await.is_err() {
                    return;
                }
            }
            message = stream.next() => {
                let event = match message {
                    Some(Ok(Message::Text(text))) => SocketEvent::Text(text.to_string()),
                    Some(Ok(Message::Close(close))) => SocketEvent::Closed(close.map(|close| close.code.into())),
                    Some(Ok(_)) => continue,
                    Some(Err(_)) | None => return,
                };
                if events.unbounded_send(event).is_err() {
                    return;
                }
            }
        }
    }
}

impl Device for NativeDevice {
    type Socket = NativeSocket;

    fn now_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }

    fn chance(&self) -> f64 {
        (uuid::Uuid::new_v4().as_u128() as u32) as f64 / f64::from(u32::MAX)
    }

    fn open(&mut self) -> Option<NativeSocket> {
        let (out, texts) = unbounded();
        let (tell, events) = unbounded();
        let task = tokio::spawn(serve(self.request()?, texts, tell));
        Some(NativeSocket { out, events, task })
    }

    async fn sleep(&self, ms: u32) {
        tokio::time::sleep(Duration::from_millis(u64::from(ms))).await;
    }

    /// Nothing is drawn: what is there is applied.
    async fn picture(&self) {
        tokio::task::yield_now().await;
    }

    fn restore(&mut self) -> Vec<Input> {
        std::mem::take(&mut self.kept)
    }

    fn carry_out(&mut self, _: Effect) -> Option<Input> {
        None
    }
}
