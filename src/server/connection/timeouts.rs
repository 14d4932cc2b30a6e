//! How long a connection waits, and for what.

use crate::protocol::bounds::HEARTBEAT_MS;
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Timeouts {
    /// For the first frame.
    pub hello: Duration,
    /// Until something is said to a peer that was told nothing: a heartbeat.
    pub beat: Duration,
    /// For any frame of the peer.
    pub silent: Duration,
    /// For the system to take any byte of what is written. It then counts anew.
    pub write: Duration,
    /// Between two diffs of who is there.
    pub presence: Duration,
    /// For an outcome; one that is not there by then is unknown: the log may have the entry.
    pub outcome: Duration,
    /// For the peer to take the close frame and to answer it.
    pub goodbye: Duration,
}

pub static TIMEOUTS: Timeouts = Timeouts {
    hello: Duration::from_secs(10),
    beat: Duration::from_millis(HEARTBEAT_MS as u64),
    silent: Duration::from_millis(2 * HEARTBEAT_MS as u64 + 5_000),
    write: Duration::from_secs(30),
    presence: Duration::from_secs(3),
    outcome: Duration::from_secs(10),
    goodbye: Duration::from_secs(2),
};
