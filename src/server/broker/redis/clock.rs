//! The clock of the store beside this machine's.

use super::connect::Line;
use crate::server::broker::BrokerError;
use crate::server::now_ms;
use crate::server::readiness::{Unready, UnreadyState};
use ::redis::cmd;
use std::time::Instant;

/// Clocks that differ by more are wrong, in milliseconds. append.lua compares by the same number.
const CLOCK_FAULT_MS: i64 = 60_000;

/// How the two clocks compared when the store was last asked for its time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clocks {
    /// How far the store's clock is ahead of this machine's, in milliseconds.
    pub ahead_ms: i64,
    /// Half of the round trip, in milliseconds: the measured difference can be wrong by so much.
    pub error_ms: i64,
}

impl Clocks {
    /// Asks the store for nothing but its time.
    pub async fn compare(line: &Line) -> Result<Clocks, BrokerError> {
        let (asked, began) = (now_ms(), Instant::now());
        let (seconds, micros): (i64, i64) = line.read(&cmd("TIME")).await?;
        let here = asked.midpoint(now_ms());
        let error_ms = i64::try_from(began.elapsed().as_millis() / 2).unwrap_or(i64::MAX);
        Ok(Clocks { ahead_ms: seconds * 1000 + micros / 1000 - here, error_ms })
    }

    /// The state of a server whose clock differs too much for certain, however long the answer took.
    pub fn fault(self) -> Option<Unready> {
        let differs = self.ahead_ms.abs().saturating_sub(self.error_ms) > CLOCK_FAULT_MS;
        let way = if self.ahead_ms > 0 { "behind" } else { "ahead of" };
        let seconds = self.ahead_ms.abs() / 1000;
        let words = format!("this machine's clock is {seconds} s {way} the clock of Redis");
        differs.then(|| Unready::new(UnreadyState::Clock, words))
    }
}
