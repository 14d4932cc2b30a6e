//! Times of entries never fall. If a clock was ahead once, they stand still until the clocks have passed the newest one:
//! a day then takes longer than a day, or no time at all. So nothing is erased meanwhile.

use super::Node;
use crate::server::utc::utc;
use std::sync::atomic::Ordering;

/// Clocks may differ by so much before anything is said.
pub const AHEAD_MS: i64 = 60_000;

/// What is said of entries whose times stand still until then: a clause for people.
pub fn stand_still_words(until: i64) -> String {
    format!(
        "a clock was wrong when the newest entry was stored: all entries get its time until {}, and what was deleted is erased only after that. See docs/operations.md#times-that-stand-still",
        utc(until)
    )
}

impl Node {
    /// Until when the times of entries stand still; `None` if they go on.
    pub fn times_stand_until(&self) -> Option<i64> {
        let newest = self.newest_at.load(Ordering::Relaxed);
        (newest.saturating_sub(self.log_now_ms()) > AHEAD_MS).then_some(newest)
    }

    pub(super) fn note_entry_time(&self, at: i64) {
        self.newest_at.store(at, Ordering::Relaxed);
    }
}
