//! The thread that folds what the broker gives, for as long as the node lives.

use super::fold_pauses::FoldPauses;
use super::{FOLD_ENTRIES, FoldCommand, Node, Readiness};
use crate::protocol::Hash;
use crate::server::broker::embedded::LogCopy;
use crate::server::broker::{BrokerError, Entry, Head, SharedBroker};
use crate::server::directory::Directory;
use crate::server::fold::{Fold, FoldError};
use crate::server::readiness::{Unready, UnreadyState};
use futures::FutureExt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// A pause of the fold is looked at so often: commands that come are refused, and a node that is gone ends it.
const PAUSE_SLICE: Duration = Duration::from_millis(50);
/// A node that is so many entries behind the log is not ready.
const LAG: u64 = 4 * FOLD_ENTRIES as u64;

/// The thread that folds: the only one that writes the state file.
pub(super) struct Follower {
    pub(super) fold: Fold,
    pub(super) node: std::sync::Weak<Node>,
    pub(super) broker: SharedBroker,
    /// The copy of a store's log; none where the log itself is in the folder.
    pub(super) copy: Option<Arc<LogCopy>>,
    /// The copy is a beginning of the log, and has what is folded.
    pub(super) aligned: bool,
    pub(super) commands: mpsc::UnboundedReceiver<FoldCommand>,
    pub(super) publish_folded: watch::Sender<(u64, Hash)>,
    pub(super) publish_readiness: watch::Sender<Readiness>,
    /// Changes when the store was started anew.
    pub(super) restarts: Option<watch::Receiver<u64>>,
    /// Where the log ended when it was last looked up.
    pub(super) head: u64,
    pub(super) looked: Instant,
    /// It is known that the log was rewritten, and its folding has not succeeded yet.
    pub(super) rewriting: bool,
    /// The entry at which a log that was folded from its start did not continue itself.
    pub(super) wrong_entry: Option<u64>,
    /// The last step has published where the fold stands, and with it that the node is well.
    pub(super) published: bool,
}

/// Why the fold stands still.
pub(super) enum Stopped {
    /// It may pass by itself.
    Pausing(Unready),
    /// It may pass by itself, but to try again may cost a reading of the whole log.
    RefoldFailed(Unready),
    /// The log is no longer the one that was folded.
    Rewritten(String),
    Ended(Unready),
}

enum Work {
    Entries(Result<Vec<Entry>, BrokerError>),
    Command(FoldCommand),
    StoreRestarted,
    End,
}

impl Follower {
    pub(super) fn run(mut self, runtime: &tokio::runtime::Handle) {
        let mut pauses = FoldPauses::default();
        let mut failed = false;
        loop {
            let done = if let Some(g) = self.wrong_entry {
                self.look_at_wrong_entry(g, runtime)
            } else if self.aligned {
                match self.step(failed, runtime) {
                    Some(done) => done,
                    None => return,
                }
            } else {
                self.align_copy(runtime).map(|()| self.aligned = true)
            };
            let done = match done {
                Err(Stopped::Rewritten(why)) => self.begin_anew(&why, runtime),
                done => done,
            };
            let (why, pause) = match done {
                Ok(()) => {
                    // Only what was published ends a failure: an alignment or a command says nothing to anybody.
                    if std::mem::take(&mut self.published) {
                        (pauses, failed, self.rewriting) = (FoldPauses::default(), false, false);
                    }
                    continue;
                }
                Err(Stopped::Pausing(why)) => (why, Some(pauses.next(false))),
                Err(Stopped::RefoldFailed(why)) => (why, Some(pauses.next(true))),
                Err(Stopped::Ended(why)) => (why, None),
                Err(Stopped::Rewritten(why)) => (Unready::new(UnreadyState::LogRewritten, why), None),
            };
            failed = true;
            if why.state == UnreadyState::NewerFormat
                && let Some(node) = self.node.upgrade()
            {
                node.writes.stop(why.clone());
            }
            tracing::debug!(%why, ?pause, "the fold cannot go on");
            self.publish_readiness.send_replace(Readiness::Unready(why));
            match pause {
                Some(pause) => {
                    if !self.pause(pause) {
                        return;
                    }
                }
                None => return self.refuse_commands(),
            }
        }
    }

    /// Restores wait for an erasure: it is not to wait for the end of the fault. `false` once the node is gone.
    fn pause(&mut self, pause: Duration) -> bool {
        let mut left = pause;
        while !left.is_zero() {
            while let Ok(command) = self.commands.try_recv() {
                refuse(command, "the server cannot go on now");
            }
            if self.node.upgrade().is_none() {
                return false;
            }
            let slice = left.min(PAUSE_SLICE);
            std::thread::sleep(slice);
            left -= slice;
        }
        true
    }

    /// The log cannot be folded by this version, or not at all: people can read what is folded, until the node ends.
    fn refuse_commands(self) {
        let Follower { mut commands, publish_folded, .. } = self;
        // Nobody waits for an entry that is never folded.
        drop(publish_folded);
        while let Some(command) = commands.blocking_recv() {
            refuse(command, "the fold has stopped");
        }
    }

    /// Does what comes next; `None` at the end.
    fn step(&mut self, failed: bool, runtime: &tokio::runtime::Handle) -> Option<Result<(), Stopped>> {
        if self.store_restarted() {
            return Some(self.compare_with_copy(runtime));
        }
        let (g, link) = self.fold.folded();
        let restarted = restart(self.restarts.as_mut());
        let work = runtime.block_on(async {
            tokio::select! {
                () = restarted => Work::StoreRestarted,
                entries = follow(&self.broker, Head { g, link }, failed) => Work::Entries(entries),
                command = self.commands.recv() => command.map_or(Work::End, Work::Command),
            }
        });
        Some(match work {
            Work::End => return None,
            Work::StoreRestarted => self.compare_with_copy(runtime),
            Work::Command(FoldCommand::Erase(what, reply)) => {
                let _ = reply.send(self.erase(what, runtime));
                Ok(())
            }
            Work::Command(FoldCommand::Panic) => planted_panic(),
            Work::Entries(Ok(entries)) => self.fold_entries(&entries, runtime),
            Work::Entries(Err(fault @ BrokerError::Rewritten(_))) => {
                Err(Stopped::Rewritten(fault.to_string()))
            }
            Work::Entries(Err(fault)) => Err(Stopped::Pausing(fault.into())),
        })
    }

    /// Damage of the state file is kept and said.
    pub(super) fn note_fault(&self, fault: &FoldError) {
        if let (FoldError::State(fault), Some(node)) = (fault, self.node.upgrade()) {
            node.state.note_fault(fault);
        }
    }

    /// A full batch may be one of many: then where the log ends is looked up, once a second.
    fn look_ahead(&mut self, batch: usize, runtime: &tokio::runtime::Handle) {
        if batch < FOLD_ENTRIES || self.looked.elapsed() < Duration::from_secs(1) {
            return;
        }
        self.looked = Instant::now();
        if let Ok(Some(head)) = runtime.block_on(self.broker.head())
            && head.g > self.fold.folded().0 + LAG
        {
            self.head = head.g;
        }
    }

    pub(super) fn fold_entries(
        &mut self,
        entries: &[Entry],
        runtime: &tokio::runtime::Handle,
    ) -> Result<(), Stopped> {
        self.copy_entries(entries, runtime)?;
        let folded = self.fold.fold(entries).map_err(|fault| {
            self.note_fault(&fault);
            match fault {
                FoldError::State(_) | FoldError::NoBody { .. } => Stopped::Pausing(fault.into()),
                FoldError::Rewritten { .. } => Stopped::Rewritten(fault.to_string()),
                FoldError::Format(_) | FoldError::NoWorkspace | FoldError::OperatorIsAccount { .. } => {
                    Stopped::Ended(fault.into())
                }
            }
        })?;
        let Some(node) = self.node.upgrade() else { return Ok(()) };
        // Before anybody is answered: who has an answer can wait for the removal.
        for folded in &folded {
            node.erasures.owe(&folded.erased, folded.event.as_ref().map(|(_, event)| event.as_ref()));
        }
        self.look_ahead(entries.len(), runtime);
        if let Some(newest) = entries.last() {
            node.note_entry_time(newest.header.at);
        }
        self.publish(&node, |directory| {
            node.publish(entries, &folded, directory);
            if entries.first().is_some_and(|first| first.header.g == 1) {
                node.check_pin().map_err(|fault| Stopped::Ended(fault.into()))?;
            }
            Ok(())
        })
    }

    /// Publishes where the fold stands: the directory before the number that others wait for, both before anyone is
    /// told, and last whether the node is ready.
    pub(super) fn publish(
        &mut self,
        node: &Node,
        tell: impl FnOnce(&Directory) -> Result<(), Stopped>,
    ) -> Result<(), Stopped> {
        let (directory, at) = (self.fold.directory(), self.fold.folded());
        *node.directory.write().unwrap_or_else(PoisonError::into_inner) = directory.clone();
        self.publish_folded.send_replace(at);
        tell(&directory)?;
        let (folded, head) = (at.0, self.head);
        let next = if folded >= head { Readiness::Ready } else { Readiness::Starting { folded, head } };
        if next == Readiness::Ready {
            node.opened.store(true, Ordering::Release);
        }
        self.publish_readiness.send_if_modified(|known| std::mem::replace(known, next.clone()) != next);
        self.published = true;
        Ok(())
    }
}

fn refuse(command: FoldCommand, why: &str) {
    match command {
        FoldCommand::Erase(_, reply) => drop(reply.send(Err(why.into()))),
        FoldCommand::Panic => planted_panic(),
    }
}

fn planted_panic() -> ! {
    std::panic::panic_any("planted by a test")
}

/// Waits until the store was started anew; for ever where there is none.
async fn restart(restarts: Option<&mut watch::Receiver<u64>>) {
    if let Some(restarts) = restarts
        && restarts.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// After a failure the log may be well again without a new entry: an empty answer says so.
async fn follow(broker: &SharedBroker, after: Head, failed: bool) -> Result<Vec<Entry>, BrokerError> {
    if !failed {
        return broker.follow(after, FOLD_ENTRIES).await;
    }
    broker.follow(after, 0).await?;
    broker.follow(after, FOLD_ENTRIES).now_or_never().unwrap_or_else(|| Ok(Vec::new()))
}
