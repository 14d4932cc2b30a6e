//! Times of entries never fall. If a clock was ahead once, they stand still until the clocks have passed the newest one:
//! a day then takes longer than a day, or no time at all. So nothing is erased meanwhile.

use super::Node;
use crate::protocol::Format;
use crate::server::fold::Rules;
use crate::server::utc::utc;
use std::sync::atomic::Ordering;

/// Clocks may differ by so much before anything is said.
pub const AHEAD_MS: i64 = 60_000;

/// What is said of entries whose times stand still until then: a clause for people. It names the clock that times entries,
/// and what that says `now`. The half about erasing depends on the format in force; `None`: it is not known.
pub fn stand_still_words(clock: &str, now: i64, until: i64, format: Option<Format>) -> String {
    let erased = match format.map(|format| Rules::of(format).strict.is_some()) {
        Some(true) => ", and what was deleted is erased only after that",
        Some(false) => "",
        None => ", and in a log of format 5 what was deleted is erased only after that",
    };
    format!(
        "{clock} is {} s behind the last entry of the log: set it by NTP. If it is right, a clock was wrong when that entry was stored: all entries get its time until {}{erased}. See docs/operations.md#times-that-stand-still",
        until.saturating_sub(now) / 1000,
        utc(until)
    )
}

impl Node {
    /// Until when the times of entries stand still; `None` if they go on.
    pub fn times_stand_until(&self) -> Option<i64> {
        let newest = self.newest_at.load(Ordering::Relaxed);
        (newest.saturating_sub(self.log_now_ms()) > AHEAD_MS).then_some(newest)
    }

    /// What is said of them meanwhile.
    pub(super) fn times_stand_words(&self) -> Option<String> {
        let until = self.times_stand_until()?;
        let clock = if self.config.redis.is_some() { "the clock of Redis" } else { "this machine's clock" };
        Some(stand_still_words(clock, self.log_now_ms(), until, Some(self.directory().format())))
    }

    pub(super) fn note_entry_time(&self, at: i64) {
        self.newest_at.store(at, Ordering::Relaxed);
    }
}
