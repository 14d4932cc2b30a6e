//! A room's newest encoded frames, with a budget for the rings of all rooms together.

use super::encode;
use crate::protocol::{ClientId, Event, Kind, RoomId, ServerFrame};
use crate::server::state::{message_of_text, withhold};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Frames that one room keeps at most.
const ROOM_FRAMES: usize = 256;
/// Bytes that one room keeps at most.
const ROOM_BYTES: usize = 256 * 1024;
/// Bytes that all rooms together keep at most. A connection that needs an older frame reads the state file.
pub(super) const ALL_BYTES: usize = 64 * 1024 * 1024;

/// Bytes that all rings hold now.
pub(super) type Total = Arc<AtomicUsize>;

/// Consecutive frames of one room, the newest last.
pub(super) struct Frames {
    queue: VecDeque<Frame>,
    bytes: usize,
    total: Total,
}

/// An event of a room as it travels.
struct Frame {
    bytes: Utf8Bytes,
    /// The number of its entry.
    g: u64,
    text: Text,
}

/// What a frame has of the text of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    None,
    Of(ClientId),
    /// The message's own event, which lacks the text since the message is deleted.
    Withheld(ClientId),
}

impl Frame {
    fn new(room: RoomId, event: &Arc<Event>) -> Frame {
        let text = message_of_text(event).map_or(Text::None, Text::Of);
        let frame = ServerFrame::Event { room, event: event.clone() };
        Frame { bytes: Utf8Bytes::from(encode(&frame)), g: event.header.g, text }
    }

    /// As it is sent of a deleted message; `None` if it is no frame of an event.
    fn without_text(&self) -> Option<Frame> {
        let Ok(ServerFrame::Event { room, mut event }) = serde_json::from_str(&self.bytes) else {
            return None;
        };
        withhold(Arc::make_mut(&mut event));
        let bytes = Utf8Bytes::from(encode(&ServerFrame::Event { room, event: event.clone() }));
        let text = match event.header.kind {
            Kind::Message => Text::Withheld(event.header.client_id),
            _ => Text::None,
        };
        Some(Frame { bytes, g: self.g, text })
    }
}

impl Frames {
    pub(super) fn new(total: Total) -> Self {
        Self { queue: VecDeque::new(), bytes: 0, total }
    }

    pub(super) fn push(&mut self, room: RoomId, event: &Arc<Event>) {
        let frame = Frame::new(room, event);
        self.count(frame.bytes.len(), 0);
        self.queue.push_back(frame);
        while self.queue.len() > ROOM_FRAMES || self.bytes > ROOM_BYTES {
            if !self.drop_oldest() {
                break;
            }
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(frame) = self.queue.pop_front() else { return false };
        self.count(0, frame.bytes.len());
        true
    }

    fn count(&mut self, more: usize, less: usize) {
        self.bytes = self.bytes + more - less;
        self.total.fetch_add(more, Ordering::Relaxed);
        self.total.fetch_sub(less, Ordering::Relaxed);
    }

    /// A message is deleted: what is sent of it has no text from now on.
    pub(super) fn withhold(&mut self, message: ClientId) {
        for n in 0..self.queue.len() {
            if self.queue[n].text != Text::Of(message) {
                continue;
            }
            let Some(frame) = self.queue[n].without_text() else { return self.clear() };
            self.count(frame.bytes.len(), self.queue[n].bytes.len());
            self.queue[n] = frame;
        }
    }

    /// A message is restored: its own event has more again than the frame here. Whoever needs it reads the state file.
    pub(super) fn restore(&mut self, message: ClientId) {
        self.cut_through(|frame| frame.text == Text::Withheld(message));
    }

    /// The bodies of these entries are erased.
    pub(super) fn erase(&mut self, entries: &HashSet<u64>) {
        self.cut_through(|frame| entries.contains(&frame.g));
    }

    /// Drops the newest of these frames, and all that are older.
    fn cut_through(&mut self, of: impl Fn(&Frame) -> bool) {
        let dropped = self.queue.iter().rposition(of).map_or(0, |last| last + 1);
        for _ in 0..dropped {
            self.drop_oldest();
        }
    }

    pub(super) fn clear(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
        (self.queue, self.bytes) = (VecDeque::new(), 0);
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// `take` frames after the first `skip`.
    pub(super) fn after(&self, skip: usize, take: usize) -> Vec<Utf8Bytes> {
        self.queue.iter().skip(skip).take(take).map(|frame| frame.bytes.clone()).collect()
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.clear();
    }
}
