//! The server's allocator, and how memory goes back to the system.

use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// The system's own allocator keeps the 19 MiB of each password that was hashed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVERY: Duration = Duration::from_secs(5);

/// Gives freed memory back to the system, again and again. The allocator does so by itself only while more is allocated:
/// a server with nothing to do would keep what a crowd took.
pub async fn give_back() {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        collect();
    }
}

#[allow(unsafe_code)]
fn collect() {
    // SAFETY: it takes no pointer, and may be called by any thread at any time.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
