//! A room's newest encoded frames, with a budget for the rings of all rooms together.

use std::collections::VecDeque;
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
    queue: VecDeque<Utf8Bytes>,
    bytes: usize,
    total: Total,
}

impl Frames {
    pub(super) fn new(total: Total) -> Self {
        Self { queue: VecDeque::new(), bytes: 0, total }
    }

    pub(super) fn push(&mut self, frame: Utf8Bytes) {
        self.bytes += frame.len();
        self.total.fetch_add(frame.len(), Ordering::Relaxed);
        self.queue.push_back(frame);
        while self.queue.len() > ROOM_FRAMES || self.bytes > ROOM_BYTES {
            let Some(frame) = self.queue.pop_front() else { break };
            self.bytes -= frame.len();
            self.total.fetch_sub(frame.len(), Ordering::Relaxed);
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
        self.queue.iter().skip(skip).take(take).cloned().collect()
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.clear();
    }
}
