//! What goes out: answers at once, each open room from its cursor on.

use super::{Connection, End};
use crate::protocol::{CloseCode, RoomId, ServerFrame};
use crate::server::hub::{HubRoom, Pulled, encode};
use crate::server::socket::text_frames;
use futures::SinkExt;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Frames that go out before the connection looks at what came in.
const FRAMES_AT_ONCE: usize = 64;
/// Events read from the state file at once.
const EVENTS_AT_ONCE: u64 = 64;

/// What was pulled of one room.
struct Pull {
    id: RoomId,
    room: Arc<HubRoom>,
    /// As it was before the pull.
    withdrawn: u64,
    /// Frames at the end that were not sent, because a text among them may not be sent any more.
    unsent: u64,
    /// The account was removed, and these are the last frames.
    left: bool,
}

impl Connection {
    pub(super) async fn send(&mut self, frame: &ServerFrame) -> Result<(), End> {
        self.send_all([Utf8Bytes::from(encode(frame))]).await
    }

    /// Writes frames and flushes once. It may take as long as it takes while the peer takes bytes at all.
    pub(super) async fn send_all(&mut self, frames: impl IntoIterator<Item = Utf8Bytes>) -> Result<(), End> {
        let socket = &mut self.socket;
        let writing = async {
            for message in frames.into_iter().flat_map(text_frames) {
                socket.feed(message).await?;
            }
            socket.flush().await
        };
        tokio::pin!(writing);
        let began = Instant::now();
        let mut due = began + self.timeouts.write;
        let written = loop {
            match tokio::time::timeout_at(due, &mut writing).await {
                Ok(written) => break written,
                Err(_) => {
                    let later = self.progress.last().max(began) + self.timeouts.write;
                    if later <= due {
                        return Err(End::Close(CloseCode::Slow));
                    }
                    due = later;
                }
            }
        };
        written.map_err(|_| End::Gone)?;
        self.said = Instant::now();
        // Nothing was read meanwhile: that was not the peer's silence.
        self.heard += self.said - began;
        Ok(())
    }

    /// Sends what the open rooms have after their cursors; `true` if there may be more.
    pub(super) async fn deliver(&mut self) -> Result<bool, End> {
        let mut out: Vec<(usize, Utf8Bytes)> = Vec::new();
        let mut pulls: Vec<Pull> = Vec::new();
        let mut more = false;
        for (id, open) in &mut self.open {
            // Before the pull: what is withdrawn after it may be among its frames.
            let withdrawn = open.room.withdrawn();
            let mut frames = match open.room.pull(open.subscription.floor(), open.cursor, FRAMES_AT_ONCE) {
                Pulled::Frames(frames) => frames,
                Pulled::ReadTo(to) => {
                    let to = to.min(open.cursor + EVENTS_AT_ONCE);
                    let read = self.node.state.events_of(&open.subscription, open.cursor, to);
                    let Ok(events) = read else { return Err(End::Gone) };
                    let frame = |event| Utf8Bytes::from(encode(&ServerFrame::Event { room: *id, event }));
                    events.into_iter().map(frame).collect()
                }
            };
            // Both are asked after the pull: what ends a membership or a login is told before what follows it is there.
            if self.mailbox.held() {
                more = false;
                break;
            }
            let mut left = false;
            if let Some(until) = self.mailbox.until(*id) {
                frames.truncate(until.saturating_sub(open.cursor) as usize);
                left = open.cursor + frames.len() as u64 >= until;
            }
            if frames.is_empty() && !left {
                continue;
            }
            open.cursor += frames.len() as u64;
            more |= !frames.is_empty();
            let pull = Pull { id: *id, room: open.room.clone(), withdrawn, unsent: 0, left };
            out.extend(frames.into_iter().map(|frame| (pulls.len(), frame)));
            pulls.push(pull);
        }
        if !out.is_empty() {
            // The peer may be slow. A text that is deleted meanwhile is not sent: its frames are made again.
            let may_go = |pull: &mut Pull| {
                pull.unsent += u64::from(pull.unsent > 0 || pull.room.withdrawn() != pull.withdrawn);
                pull.unsent == 0
            };
            let frames =
                out.into_iter().filter_map(|(pull, frame)| may_go(&mut pulls[pull]).then_some(frame));
            self.send_all(frames).await?;
        }
        for Pull { id: room, unsent, left, .. } in pulls {
            if unsent > 0 {
                if let Some(open) = self.open.get_mut(&room) {
                    open.cursor -= unsent;
                }
                continue;
            }
            if !left {
                continue;
            }
            self.close_room(room);
            self.send(&ServerFrame::Left { room }).await?;
            // It may have joined again before it was told that it had left.
            match self.node.directory().room_info(self.me, room) {
                Some(info) if info.joined => self.tell_joined(info).await?,
                _ => self.stop_watching(room),
            }
        }
        Ok(more)
    }

    pub(super) fn close_room(&mut self, room: RoomId) {
        if self.open.remove(&room).is_some() {
            self.node.hub.close(room, &self.mailbox);
        }
    }
}
