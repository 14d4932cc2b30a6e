//! Log lines of unreadiness: one when a state begins, one a minute while it lasts, one when the server is ready again.

use super::{Node, Readiness};
use crate::server::readiness::{Unready, UnreadyState};
use std::collections::HashMap;
use std::sync::Weak;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(500);
/// A state is logged at most this often, however often it comes and goes.
pub const LOG_PAUSE: Duration = Duration::from_secs(60);

/// Decides which lines are written.
#[derive(Default)]
pub struct StateLog {
    logged: HashMap<UnreadyState, Instant>,
    /// A state was logged and its end was not.
    open: bool,
}

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
pub enum StateLine {
    Unready(Unready),
    ReadyAgain,
}

impl StateLog {
    /// The line to write now, if any.
    pub fn next(&mut self, now: Instant, readiness: &Readiness) -> Option<StateLine> {
        match readiness {
            // A start and a stop have lines of their own.
            Readiness::Starting { .. } => None,
            Readiness::Ready => std::mem::take(&mut self.open).then_some(StateLine::ReadyAgain),
            Readiness::Unready(unready) => {
                let last = self.logged.get(&unready.state);
                if last.is_some_and(|last| now.saturating_duration_since(*last) < LOG_PAUSE) {
                    return None;
                }
                self.logged.insert(unready.state, now);
                self.open = true;
                Some(StateLine::Unready(unready.clone()))
            }
        }
    }
}

pub(super) async fn log_states(node: Weak<Node>) {
    let mut log = StateLog::default();
    loop {
        let Some(here) = node.upgrade() else { return };
        match log.next(Instant::now(), &here.readiness()) {
            Some(StateLine::Unready(why)) => {
                tracing::error!(state = why.state.code(), "The server is not ready. {why}");
            }
            Some(StateLine::ReadyAgain) => tracing::info!("The server is ready again."),
            None => {}
        }
        drop(here);
        tokio::time::sleep(LOOK).await;
    }
}
