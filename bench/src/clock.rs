//! Time since the start of the run, and a timer that wakes the event loop to the microsecond: the timeout of epoll
//! itself is whole milliseconds, which would be added to each measured delay.

use anyhow::{Context as _, Result};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

/// Nanoseconds since the start of the run.
pub type Nanos = u64;

pub const SECOND: Nanos = 1_000_000_000;
pub const MILLISECOND: Nanos = 1_000_000;

/// Seconds of an option as nanoseconds; negative and absurd ones become 0.
pub fn nanos(seconds: f64) -> Nanos {
    Duration::try_from_secs_f64(seconds).map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(0))
}

pub struct Clock {
    start: Instant,
    timer: OwnedFd,
}

impl Clock {
    /// Starts the clock; its timer wakes a poll with `token`.
    pub fn start(registry: &Registry, token: Token) -> Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer =
            rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags).context("timerfd_create")?;
        registry
            .register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)
            .context("the timer")?;
        Ok(Self { start: Instant::now(), timer })
    }

    pub fn now(&self) -> Nanos {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(Nanos::MAX)
    }

    /// Wakes the poll once after `wait`; replaces an earlier call.
    pub fn wake_after(&self, wait: Nanos) -> Result<()> {
        let wait = wait.max(1); // 0 would stop the timer
        let it_value = Timespec {
            tv_sec: i64::try_from(wait / SECOND).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(wait % SECOND).unwrap_or(0),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)
            .context("timerfd_settime")?;
        Ok(())
    }
}
