//! The log is no longer the one that was folded, after a failover or from a restored copy: this node keeps what is
//! lost in a file, folds the log again, and sends its clients back to compare their positions.

use super::follower::{Follower, Stopped};
use super::{FOLD_ENTRIES, Readiness, StartError, check_workspace};
use crate::server::broker::BrokerError;
use crate::server::fold::{FoldError, LostEvent};
use std::io::Write;
use std::path::Path;
use tokio::runtime::Handle;

/// The file in the data folder that lost events are added to, one JSON object a line.
const LOST_FILE: &str = "lost.jsonl";

impl Follower {
    /// Makes the state that of the log as it is now. Until that is done the node is not ready; a log that is gone, or
    /// another workspace's, changes nothing here.
    pub(super) fn begin_anew(&mut self, why: &str, runtime: &Handle) -> Result<(), Stopped> {
        let Some(node) = self.node.upgrade() else { return Ok(()) };
        tracing::error!(why, "the log was rewritten");
        let known = node.readiness();
        if !matches!(known, Readiness::Unready(_)) {
            let why =
                format!("the log was rewritten, by a failover or from a copy: it is read again ({why})");
            self.publish_readiness.send_replace(Readiness::Unready(why));
        }
        node.forget_outcomes();
        let pausing = |fault: &dyn std::fmt::Display| Stopped::Pausing(fault.to_string());
        let head = runtime.block_on(self.broker.head()).map_err(|fault| pausing(&fault))?;
        let Some(head) = head else { return Err(pausing(&StartError::log_gone(&node.config.data_dir))) };
        runtime.block_on(check_workspace(&self.broker, &node.pin)).map_err(|fault| pausing(&fault))?;

        let folding = |fault: FoldError| match fault {
            FoldError::Format(_) | FoldError::NoWorkspace => Stopped::Ended(fault.to_string()),
            fault => Stopped::Pausing(fault.to_string()),
        };
        let broker = self.broker.clone();
        let lost = self.fold.lost_events(|header| {
            let found = runtime.block_on(broker.read(header.g, 1))?;
            Ok::<_, BrokerError>(found.first().is_some_and(|found| found.header == *header))
        });
        let lost = lost.map_err(folding)?.map_err(|fault| pausing(&fault))?;
        // Before it is cut: what cannot be kept is not dropped.
        keep(&node.config.data_dir, &lost).map_err(|fault| {
            Stopped::Pausing(format!(
                "what the rewritten log has lost cannot be kept in {LOST_FILE}: {fault}"
            ))
        })?;
        let read = |from| runtime.block_on(broker.read(from, FOLD_ENTRIES));
        self.fold.refold(read).map_err(folding)?.map_err(|fault| pausing(&fault))?;

        self.head = head.g;
        self.aligned = false;
        let g = self.fold.folded().0;
        tracing::error!(lost = lost.len(), g, "the rewritten log is folded; lost events are in lost.jsonl");
        self.publish(&node, |_| {
            node.forget_outcomes();
            node.hub.begin_anew();
            Ok(())
        })
    }
}

fn keep(folder: &Path, lost: &[LostEvent]) -> std::io::Result<()> {
    if lost.is_empty() {
        return Ok(());
    }
    let mut options = std::fs::File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(folder.join(LOST_FILE))?;
    for event in lost {
        writeln!(file, "{}", serde_json::to_string(event)?)?;
    }
    file.sync_all()
}
