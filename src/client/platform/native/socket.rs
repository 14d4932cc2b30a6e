//! A WebSocket of tokio.

use crate::client::platform::{Socket, SocketEvent};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{SinkExt, StreamExt};
use std::task::{Context, Poll};
use tokio_tungstenite::tungstenite::{Message, http::Request};

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

impl NativeSocket {
    /// Begins to connect. Runs inside a tokio runtime.
    pub fn open(request: Request<()>) -> NativeSocket {
        let (out, texts) = unbounded();
        let (tell, events) = unbounded();
        NativeSocket { out, events, task: tokio::spawn(serve(request, texts, tell)) }
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
