//! Closing a socket with a code, so that the peer gets the code.

use super::Timeouts;
use crate::protocol::CloseCode;
use crate::server::serve::Progress;
use crate::server::socket::Socket;
use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

/// Sends the close frame and waits for the peer's, as long as `timeouts` allows.
pub(super) async fn say(socket: &mut Socket, progress: &Progress, code: CloseCode, timeouts: &Timeouts) {
    progress.heard(0);
    let reason = Utf8Bytes::from_static(code.reason());
    let frame = CloseFrame { code: code.number().into(), reason };
    let goodbye = async {
        socket.send(Message::Close(Some(frame))).await?;
        // What is left unread would make the system reset the connection, and the peer may then lose what was sent
        // last: the reason, and outcomes before it.
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<(), Error>(())
    };
    let _ = tokio::time::timeout(timeouts.goodbye, goodbye).await;
}
