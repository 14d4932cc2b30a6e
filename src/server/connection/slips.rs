//! What a connection is forgiven, and how soon it is forgotten. Time is a parameter, as in [`super::Bucket`].

use super::Bucket;
use crate::server::throttle::Rate;

/// Frames above the rate that are answered with an error before the socket is closed. One is forgotten every 2 s: as
/// many in a short time are a flood, as many in a week are not.
const THROTTLED: Rate = Rate { burst: 200.0, per_second: 0.5 };
/// Frames that cannot be read before the socket is closed. One is forgotten every minute.
const UNREADABLE: Rate = Rate { burst: 10.0, per_second: 1.0 / 60.0 };
/// Frames about rooms that the account is not in: for each the log is asked where it ends.
const UNKNOWN_ROOMS: Rate = Rate { burst: 30.0, per_second: 1.0 };

/// The slips of one connection.
pub struct Slips {
    throttled: Bucket,
    unreadable: Bucket,
    unknown_rooms: Bucket,
}

impl Slips {
    /// `now` is in milliseconds.
    pub fn new(now: u64) -> Slips {
        Slips {
            throttled: Bucket::full(THROTTLED, now),
            unreadable: Bucket::full(UNREADABLE, now),
            unknown_rooms: Bucket::full(UNKNOWN_ROOMS, now),
        }
    }

    /// Counts a frame above the rate; `false` if the socket is to be closed for it.
    pub fn throttled(&mut self, now: u64) -> bool {
        self.throttled.take(THROTTLED, now)
    }

    /// Counts a frame that cannot be read; `false` if the socket is to be closed for it.
    pub fn unreadable(&mut self, now: u64) -> bool {
        self.unreadable.take(UNREADABLE, now)
    }

    /// Counts a frame about a room that the account is not in; `false` if it is not to be carried out.
    pub fn unknown_room(&mut self, now: u64) -> bool {
        self.unknown_rooms.take(UNKNOWN_ROOMS, now)
    }
}
