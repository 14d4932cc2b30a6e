//! The log is no longer the one that was folded, after a failover or from a restored copy: this node keeps what is
//! lost in a file, folds the log again, and sends its clients back to compare their positions.

use super::follower::{Follower, Stopped};
use super::lost_entries::keep_of_state;
use super::{FOLD_ENTRIES, PIN_FILE, Readiness, StartError, check_workspace};
use crate::server::broker::{BrokerError, Head};
use crate::server::fold::FoldError;
use crate::server::readiness::{Unready, UnreadyState};
use tokio::runtime::Handle;

impl Follower {
    /// Makes the state that of the log as it is now. Until that is done the node is not ready; a log that is gone, or
    /// another workspace's, changes nothing here.
    pub(super) fn begin_anew(&mut self, why: &str, runtime: &Handle) -> Result<(), Stopped> {
        let Some(node) = self.node.upgrade() else { return Ok(()) };
        if !std::mem::replace(&mut self.rewriting, true) {
            tracing::error!(why, "the log was rewritten");
        }
        // What was found out since is not hidden again.
        if !matches!(*self.publish_readiness.borrow(), Readiness::Unready(_)) {
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

        // Before it is cut: what cannot be kept is not dropped.
        let kept = keep_of_state(self.broker.as_ref(), self.fold.events(), &node.lost_entries);
        let kept = runtime.block_on(kept).map_err(|fault| refold_failed(fault.into()))?;
        let kept = kept.map_or(0, |(kept, _)| kept);
        let broker = self.broker.clone();
        let read = |from| runtime.block_on(broker.read(from, FOLD_ENTRIES));
        match self.fold.refold(read) {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => return Err(refold_failed(fault.into())),
            Err(
                fault @ (FoldError::Format(_) | FoldError::NoWorkspace | FoldError::OperatorIsAccount { .. }),
            ) => {
                return Err(Stopped::Ended(fault.into()));
            }
            // Read from its start, the log does not continue itself.
            Err(FoldError::Rewritten { g }) => {
                self.wrong_entry = Some(g);
                return Err(wrong_entry(g));
            }
            Err(fault) => {
                self.note_fault(&fault);
                return Err(refold_failed(fault.into()));
            }
        }

        node.erasures.begin_anew();
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

    /// Looks whether the log still is as wrong at an entry as it was when it was folded from its start. Until then
    /// nothing else is tried: it would end at that entry again.
    pub(super) fn look_at_wrong_entry(&mut self, g: u64, runtime: &Handle) -> Result<(), Stopped> {
        let wrong = runtime.block_on(async {
            let head = self.broker.head().await?.map_or(0, |head| head.g);
            Ok::<_, BrokerError>(g <= head && !self.continues(g).await?)
        });
        if wrong.map_err(|fault| Stopped::Pausing(fault.into()))? {
            return Err(wrong_entry(g));
        }
        self.wrong_entry = None;
        Ok(())
    }

    /// Whether an entry of the log continues the one before it.
    async fn continues(&self, g: u64) -> Result<bool, BrokerError> {
        let before = g.saturating_sub(1);
        let found = self.broker.read(before.max(1), 2).await?;
        let entry = |g| found.iter().find(|entry| entry.header.g == g);
        let link =
            if before == 0 { Some(Head::default().link) } else { entry(before).map(|entry| entry.link) };
        Ok(link.zip(entry(g)).is_some_and(|(link, entry)| entry.link == link.then(&entry.header)))
    }
}

fn wrong_entry(g: u64) -> Stopped {
    let words = format!("entry {g} does not continue the one before it: restore the store from a copy");
    Stopped::RefoldFailed(Unready::new(UnreadyState::LogUnreadable, words))
}

/// A store that is away is asked again soon, since that costs little.
fn refold_failed(why: Unready) -> Stopped {
    match why.state {
        UnreadyState::StoreUnreachable => Stopped::Pausing(why),
        _ => Stopped::RefoldFailed(why),
    }
}
