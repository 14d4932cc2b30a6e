//! A store that was started anew can come back with other entries than it had, and not only at the end: an append-only
//! file that a power cut has torn may bring back entries that were replaced. So the end of the copy is compared with the
//! store, entry by entry, at the start of this server and after each start of the store.

use super::FOLD_ENTRIES;
use super::follower::{Follower, Stopped};
use crate::server::broker::embedded::CopyError;
use crate::server::broker::{BrokerError, Head};
use tokio::runtime::Handle;

/// Entries at the end of the copy that are compared.
const COMPARED_ENTRIES: u64 = 10_000;

impl Follower {
    /// Whether the store was started anew since this was asked last.
    pub(super) fn store_restarted(&mut self) -> bool {
        let restarts = self.restarts.as_mut();
        restarts.is_some_and(|restarts| {
            let restarted = restarts.has_changed().unwrap_or(false);
            restarts.mark_unchanged();
            restarted
        })
    }

    /// Compares the entries that the copy has with those of the store; a difference is a rewritten log.
    pub(super) fn compare_with_copy(&mut self, runtime: &Handle) -> Result<(), Stopped> {
        // Nothing to fold: it publishes that the server is ready again.
        let compared = self.compare_end(runtime).and_then(|()| self.fold_entries(&[], runtime));
        if let (Err(_), Some(restarts)) = (&compared, &mut self.restarts) {
            // Until the two are the same: the newest entry alone would say that all is well.
            restarts.mark_changed();
        }
        compared
    }

    fn compare_end(&self, runtime: &Handle) -> Result<(), Stopped> {
        let Some(copy) = &self.copy else { return Ok(()) };
        let of_copy = |fault: CopyError| Stopped::Pausing(fault.into());
        let end = copy.head().g.min(self.fold.folded().0);
        let first = end.saturating_sub(COMPARED_ENTRIES) + 1;
        let link = copy.link(first - 1).map_err(of_copy)?;
        let mut at = Head { g: first - 1, link };
        while at.g < end {
            let limit = FOLD_ENTRIES.min((end - at.g) as usize);
            let links = copy.links(at.g + 1, limit).map_err(of_copy)?;
            let found = runtime.block_on(self.broker.read(at.g + 1, limit)).map_err(|fault| match fault {
                BrokerError::Rewritten(why) => Stopped::Rewritten(why),
                fault => Stopped::Pausing(fault.into()),
            })?;
            if links.is_empty() {
                return Err(of_copy(CopyError::Gap(at.g + 1)));
            }
            for (n, link) in links.into_iter().enumerate() {
                let g = at.g + 1;
                let same = found.get(n).is_some_and(|entry| {
                    entry.header.g == g && entry.link == link && at.link.then(&entry.header) == link
                });
                if !same {
                    return Err(Stopped::Rewritten(format!(
                        "the store was started anew and has another entry {g} than before"
                    )));
                }
                at = Head { g, link };
            }
        }
        tracing::info!(from = first, to = end, "the log of the store is the one that this server has copied");
        Ok(())
    }
}
