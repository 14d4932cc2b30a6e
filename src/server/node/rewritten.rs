//! The log is no longer the one that was folded, after a failover or from a restored copy: this node keeps what is
//! lost in a file, folds the log again, and sends its clients back to compare their positions.

use super::follower::{Follower, Stopped};
use super::lost_entries::{KeepError, SentAgain, stands};
use super::{FOLD_ENTRIES, PIN_FILE, Readiness, StartError, check_workspace};
use crate::server::broker::BrokerError;
use crate::server::fold::FoldError;
use crate::server::readiness::{Unready, UnreadyState};
use tokio::runtime::Handle;

impl Follower {
    /// Makes the state that of the log as it is now. Until that is done the node is not ready; a log that is gone, or
    /// another workspace's, changes nothing here.
    pub(super) fn begin_anew(&mut self, why: &str, runtime: &Handle) -> Result<(), Stopped> {
        let Some(node) = self.node.upgrade() else { return Ok(()) };
        tracing::error!(why, "the log was rewritten");
        let known = node.readiness();
        if !matches!(known, Readiness::Unready(_)) {
            let why = Unready::new(UnreadyState::LogRewritten, why);
            self.publish_readiness.send_replace(Readiness::Unready(why));
        }
        node.forget_outcomes();
        let of_log = |fault: BrokerError| Stopped::Pausing(fault.into());
        let of_start = |fault: StartError| Stopped::Pausing(fault.into());
        let head = runtime.block_on(self.broker.head()).map_err(of_log)?;
        let Some(head) = head else {
            return Err(of_start(StartError::log_gone(&node.config.data_dir, PIN_FILE)));
        };
        runtime.block_on(check_workspace(&self.broker, &node.pin)).map_err(of_start)?;

        let folding = |fault: FoldError| match fault {
            FoldError::Format(_) | FoldError::NoWorkspace => Stopped::Ended(fault.into()),
            // Read from its start, the log does not continue itself.
            FoldError::Rewritten { g } => {
                let words =
                    format!("entry {g} does not continue the one before it: restore the store from a copy");
                Stopped::Pausing(Unready::new(UnreadyState::LogUnreadable, words))
            }
            fault => Stopped::Pausing(fault.into()),
        };
        let broker = self.broker.clone();
        let lost = self.fold.lost_events(|header| runtime.block_on(stands(broker.as_ref(), header)));
        let lost = lost.map_err(folding)?.map_err(of_log)?;
        // Before it is cut: what cannot be kept is not dropped.
        let kept = match lost.first() {
            Some(first) => {
                let again = SentAgain::after(broker.as_ref(), first.header.g - 1);
                let again = runtime.block_on(again).map_err(of_log)?;
                let mut lost = Some(lost);
                let kept = node.lost_entries.keep(&again, || Ok(lost.take().unwrap_or_default()));
                kept.map_err(|fault: KeepError| Stopped::Pausing(fault.into()))?
            }
            None => 0,
        };
        let read = |from| runtime.block_on(broker.read(from, FOLD_ENTRIES));
        self.fold.refold(read).map_err(folding)?.map_err(of_log)?;

        self.head = head.g;
        self.aligned = false;
        let g = self.fold.folded().0;
        tracing::error!(kept, g, "the rewritten log is folded; lost events are in lost.jsonl");
        self.publish(&node, |_| {
            node.forget_outcomes();
            node.hub.begin_anew();
            Ok(())
        })
    }
}
