//! Removes what `erase` entries of the log have erased: from the log itself, the copy of a store's log, `lost.jsonl`, what
//! a repair has cut off, files that were set aside, a move that was not finished, and the copy from before a rise. The
//! state file has lost it in the fold.
//!
//! The log says at any time what is erased, so a removal that was cut off is found again: after a start, after a start of
//! the store, and after the log was rewritten, the log and the copy are looked through for bodies that came back. A body
//! goes from the log last. Until then it is found there again, and every other place is gone through again.

mod places;
mod removal;

pub(super) use places::runs;
pub(super) use removal::remove_what_is_erased;

use super::Node;
use crate::protocol::{ClientId, Event, EventBody, Hash};
use crate::server::erased_entries::ErasedEntries;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What this server has still to remove.
pub(super) struct Erasures {
    owed: Mutex<Owed>,
    /// Rises when something is owed; its end ends the task.
    changed: watch::Sender<u64>,
    /// Nothing is owed.
    settled: watch::Sender<bool>,
    kept: ErasedEntries,
}

#[derive(Default)]
struct Owed {
    /// Entries that the log has said are erased.
    entries: BTreeSet<u64>,
    /// Messages all of whose texts are among them.
    messages: HashSet<ClientId>,
    /// How far the log was looked through for bodies that came back.
    looking: Option<Look>,
    /// Looks that were begun.
    looks: u64,
}

struct Look {
    /// Which look it is.
    n: u64,
    /// The last number that was looked at.
    after: u64,
    /// What the file of erased entries had when the look began.
    kept: HashSet<(u64, Hash)>,
}

impl Erasures {
    /// Everything is looked through once.
    pub(super) fn open(folder: &std::path::Path) -> std::io::Result<Erasures> {
        let erasures = Erasures {
            owed: Mutex::default(),
            changed: watch::Sender::new(0),
            settled: watch::Sender::new(false),
            kept: ErasedEntries::open(folder)?,
        };
        erasures.look_again();
        Ok(erasures)
    }

    fn owed(&self) -> MutexGuard<'_, Owed> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        self.settled.send_replace(false);
        self.changed.send_modify(|times| *times += 1);
    }

    /// Takes what the log has just said is erased.
    pub(super) fn owe(&self, entries: &[u64], event: Option<&Event>) {
        if entries.is_empty() {
            return;
        }
        let mut owed = self.owed();
        owed.entries.extend(entries);
        owed.messages.extend(event.into_iter().flat_map(all_texts_of));
        self.wake();
    }

    /// Bodies may have come back anywhere: the log is another one than before, or its store was started anew.
    pub(super) fn look_again(&self) {
        let mut owed = self.owed();
        owed.looks += 1;
        owed.looking = Some(Look { n: owed.looks, after: 0, kept: HashSet::new() });
        self.wake();
    }

    /// The log was rewritten: what was owed may be other entries now. The look finds what the log says today.
    pub(super) fn begin_anew(&self) {
        {
            let mut owed = self.owed();
            owed.entries.clear();
            owed.messages.clear();
        }
        self.look_again();
    }
}

/// The messages that have lost every text by an `erase`.
fn all_texts_of(event: &Event) -> &[ClientId] {
    match &event.body {
        Some(EventBody::Other(body)) if body.get("messages").is_some() => &event.erased,
        _ => &[],
    }
}

impl Node {
    /// Waits until every body that the log says is erased is removed here and in the log.
    pub async fn wait_removed(&self) {
        let _ = self.erasures.settled.subscribe().wait_for(|settled| *settled).await;
    }
}
