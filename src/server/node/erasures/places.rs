//! The places that a removal goes through.

use super::super::lost_entries::LostEntries;
use crate::protocol::{ClientId, Header};
use crate::server::broker::embedded::{LogCopy, erase_in_cut_logs, erase_in_earlier_logs};
use crate::server::broker::{Entry, Head, SharedBroker};
use crate::server::damaged_files;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Entries that one call reads at most.
const READ_AT_ONCE: usize = 512;
/// Entries between two numbers that are read along, so that both come by one call.
const READ_ALONG: u64 = 8;

/// The places that a removal goes through.
pub(super) struct Places {
    pub(super) folder: PathBuf,
    pub(super) broker: SharedBroker,
    pub(super) copy: Option<Arc<LogCopy>>,
}

/// An erased entry, as this server has folded it.
pub(super) struct Found {
    /// Without its body.
    pub(super) entry: Entry,
    /// What is left of its body, here or in the log.
    pub(super) text: Option<String>,
    /// The log has this entry.
    pub(super) in_log: bool,
}

impl Found {
    pub(super) fn head(&self) -> Head {
        self.entry.head()
    }
}

impl Places {
    /// Reads entries from the log and, where there is one, from the copy: that has what was folded.
    pub(super) async fn find(self: &Arc<Self>, numbers: &[u64]) -> Result<Vec<Found>, String> {
        let mut log = BTreeMap::new();
        for (from, limit) in runs(numbers) {
            let read = self.broker.read(from, limit).await.map_err(|fault| fault.to_string())?;
            log.extend(read.into_iter().map(|entry| (entry.header.g, entry)));
        }
        let (here, wanted) = (self.clone(), numbers.to_vec());
        let copied = tokio::task::spawn_blocking(move || here.read_copy(&wanted));
        let mut copied = copied.await.map_err(|fault| fault.to_string())??;
        let mut found = Vec::new();
        for g in numbers {
            let in_log = log.remove(g);
            let folded = match &self.copy {
                // What the log has there may be another entry.
                Some(_) => {
                    Some(copied.remove(g).ok_or_else(|| format!("the copy does not have entry {g} yet"))?)
                }
                None => in_log.clone(),
            };
            let Some(mut entry) = folded else { continue };
            let in_log = in_log.filter(|other| other.link == entry.link);
            let text = entry.body.take().or(in_log.as_ref().and_then(|entry| entry.body.clone()));
            found.push(Found { entry, text, in_log: in_log.is_some() });
        }
        Ok(found)
    }

    fn read_copy(&self, numbers: &[u64]) -> Result<BTreeMap<u64, Entry>, String> {
        let mut copied = BTreeMap::new();
        let Some(copy) = &self.copy else { return Ok(copied) };
        for (from, limit) in runs(numbers) {
            let entries = copy.entries(from - 1, limit).map_err(|fault| fault.to_string())?;
            copied.extend(entries.into_iter().map(|entry| (entry.header.g, entry)));
        }
        Ok(copied)
    }

    /// Removes them from every file of the data folder but the log. Gives the numbers at which the copy has another entry.
    pub(super) fn remove_here(
        &self,
        found: &[Found],
        heads: &[Head],
        messages: &HashSet<ClientId>,
        lost: &LostEntries,
    ) -> Result<Vec<u64>, String> {
        let words = |fault: std::io::Error| fault.to_string();
        if damaged_files::any(&self.folder) {
            let whole = found.iter().map(|found| Entry { body: found.text.clone(), ..found.entry.clone() });
            damaged_files::erase(&self.folder, &whole.collect::<Vec<_>>()).map_err(words)?;
        }
        let drafts: HashSet<ClientId> = found.iter().map(|found| found.entry.header.client_id).collect();
        // What the log does not have is known by its draft, or by the message that it is about.
        let is_erased = |header: &Header| {
            let of = header.target.as_ref().and_then(|target| target.as_str().parse().ok());
            drafts.contains(&header.client_id)
                || messages.contains(&header.client_id)
                || of.is_some_and(|message: ClientId| messages.contains(&message))
        };
        lost.erase(is_erased).map_err(words)?;
        erase_in_cut_logs(&self.folder, is_erased).map_err(words)?;
        erase_in_earlier_logs(&self.folder, heads).map_err(|fault| fault.to_string())?;
        match &self.copy {
            Some(copy) => copy.erase(heads).map_err(|fault| fault.to_string()),
            None => Ok(Vec::new()),
        }
    }
}

/// Calls that read these rising numbers: where each begins, and how many it reads.
pub(in crate::server::node) fn runs(numbers: &[u64]) -> Vec<(u64, usize)> {
    let mut runs: Vec<(u64, usize)> = Vec::new();
    for g in numbers {
        match runs.last_mut() {
            Some((from, count)) if *g - *from < *count as u64 + READ_ALONG && *count < READ_AT_ONCE => {
                *count = (*g - *from) as usize + 1;
            }
            _ => runs.push((*g, 1)),
        }
    }
    runs
}
