//! How long the fold waits after a failure: longer after each one in a row.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
/// A fault that is met again at little cost, such as a store that is away.
const LONGEST: Duration = Duration::from_millis(800);
/// A fault that may cost a reading of the whole log to be met again.
const LONGEST_AFTER_REFOLD: Duration = Duration::from_secs(60);

/// The pauses of one row of failures.
pub struct FoldPauses(Duration);

impl Default for FoldPauses {
    fn default() -> FoldPauses {
        FoldPauses(FIRST)
    }
}

impl FoldPauses {
    /// The pause after one more failure; `refold`: of an attempt to fold the whole log again.
    pub fn next(&mut self, refold: bool) -> Duration {
        let pause = self.0.min(if refold { LONGEST_AFTER_REFOLD } else { LONGEST });
        self.0 = pause * 2;
        pause
    }
}
