//! Bounds the queue of a log's writer. The channel itself is unbounded, so that a call takes its place in the moment it
//! is made; a call beyond these bounds is refused.

use super::{BrokerError, Proposal};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls that may wait.
const CALLS: usize = 65_536;
/// Bytes of bodies that may wait.
const BYTES: usize = 64 * 1024 * 1024;

/// Counts the calls and bytes in the queue of one writer.
#[derive(Default)]
pub struct Waiting {
    calls: AtomicUsize,
    bytes: AtomicUsize,
}

/// The room of one call in the queue, given back when it is dropped.
pub struct Place {
    waiting: Arc<Waiting>,
    bytes: usize,
}

impl Waiting {
    /// Room for a call with bodies of so many bytes. A call that finds no other one waiting always has room.
    pub fn enter(self: &Arc<Self>, bytes: usize) -> Result<Place, BrokerError> {
        let calls = self.calls.fetch_add(1, Ordering::SeqCst);
        let before = self.bytes.fetch_add(bytes, Ordering::SeqCst);
        let place = Place { waiting: self.clone(), bytes };
        if calls >= CALLS || calls > 0 && before + bytes > BYTES {
            return Err(BrokerError::Refused(
                "Too many writes are waiting for the log. Nothing was stored; try again in a moment.".into(),
            ));
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.calls.fetch_sub(1, Ordering::SeqCst);
        self.waiting.bytes.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

/// Bytes of the bodies of a batch.
pub fn bytes_of(batch: &[Proposal]) -> usize {
    batch.iter().map(|proposal| proposal.body.len()).sum()
}
