//! Removes what `erase` entries of the log have erased: from the log itself, the copy of a store's log, `lost.jsonl`,
//! files that were set aside, and the copy from before a rise. The state file has lost it in the fold.
//!
//! The log says at any time what is erased, so a removal that was cut off is found again: after a start, after a start of
//! the store, and after the log was rewritten, the log and the copy are looked through for bodies that came back. A body
//! goes from the log last. Until then it is found there again, and every other place is gone through again.

use super::Node;
use super::lost_entries::LostEntries;
use crate::protocol::{ClientId, Event, EventBody, Hash};
use crate::server::broker::embedded::{LogCopy, erase_in_earlier_logs};
use crate::server::broker::{Entry, Head, SharedBroker};
use crate::server::damaged_files;
use crate::server::erased_entries::ErasedEntries;
use crate::server::readiness::Unready;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// Bodies that are removed, or looked for, in one step.
const AT_ONCE: usize = 512;
/// Pauses after a removal that failed: the first one, and the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Entries between two numbers that are read along, so that both come by one call.
const READ_ALONG: u64 = 8;

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

/// The places that a removal goes through.
struct Places {
    folder: PathBuf,
    broker: SharedBroker,
    copy: Option<Arc<LogCopy>>,
}

pub(super) async fn remove_what_is_erased(node: Weak<Node>, copy: Option<Arc<LogCopy>>) {
    let Some(here) = node.upgrade() else { return };
    let mut changed = here.erasures.changed.subscribe();
    let mut restarts = here.broker.restarts();
    let places = Arc::new(Places { folder: here.config.data_dir.clone(), broker: here.broker.clone(), copy });
    drop(here);
    let mut pause = PAUSE;
    loop {
        let Some(here) = node.upgrade() else { return };
        changed.mark_unchanged();
        let done = match here.may_remove() {
            Ok(()) => here.remove_some(&places).await,
            Err(why) => Err(why),
        };
        match done {
            Ok(true) => {
                pause = PAUSE;
                continue;
            }
            Ok(false) => pause = PAUSE,
            Err(ref why) => tracing::debug!(why, ?pause, "erased texts could not be removed; tried again"),
        }
        let again = async {
            match done {
                Ok(_) => std::future::pending().await,
                Err(_) => tokio::time::sleep(pause).await,
            }
        };
        drop(here);
        tokio::select! {
            () = again => pause = (pause * 2).min(LONGEST_PAUSE),
            end = changed.changed() => if end.is_err() { return },
            () = restarted(restarts.as_mut()) => {
                let Some(here) = node.upgrade() else { return };
                here.erasures.look_again();
            }
        }
    }
}

/// Waits until the store was started anew; for ever where there is none.
async fn restarted(restarts: Option<&mut watch::Receiver<u64>>) {
    if let Some(restarts) = restarts
        && restarts.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

impl Node {
    /// While the log is not the one that is folded here, its numbers may be those of other entries; and a server that has
    /// stopped before a newer format writes nothing.
    fn may_remove(&self) -> Result<(), String> {
        match self.standstill() {
            super::Readiness::Unready(Unready { state, .. }) => Err(state.sentence().to_owned()),
            super::Readiness::Starting { .. } | super::Readiness::Ready => Ok(()),
        }
    }

    /// Takes one step; `false` if there is nothing to do.
    async fn remove_some(&self, places: &Arc<Places>) -> Result<bool, String> {
        let (entries, messages) = {
            let owed = self.erasures.owed();
            let entries: Vec<u64> = owed.entries.iter().copied().take(AT_ONCE).collect();
            (entries, owed.messages.clone())
        };
        if !entries.is_empty() {
            let found = places.find(&entries).await?;
            self.remove(places, found, messages).await?;
            let mut owed = self.erasures.owed();
            entries.iter().for_each(|g| _ = owed.entries.remove(g));
            if owed.entries.is_empty() {
                owed.messages.clear();
            }
            return Ok(true);
        }
        self.look_on(places).await
    }

    /// Looks through the next entries that the log says are erased.
    async fn look_on(&self, places: &Arc<Places>) -> Result<bool, String> {
        let look = {
            let owed = self.erasures.owed();
            if owed.looking.is_none() && owed.entries.is_empty() {
                self.erasures.settled.send_replace(true);
            }
            owed.looking.as_ref().map(|look| (look.n, look.after))
        };
        let Some((n, after)) = look else { return Ok(false) };
        if after == 0 {
            let kept = self.erasures.kept.all().map_err(|fault| fault.to_string())?;
            if let Some(look) = &mut self.erasures.owed().looking {
                look.kept = kept.into_iter().map(|entry| (entry.g, entry.link)).collect();
            }
        }
        let entries = self.state.erased_entries(after, AT_ONCE).map_err(|fault| fault.to_string())?;
        let Some(last) = entries.last().copied() else {
            let mut owed = self.erasures.owed();
            // Unless it was begun again meanwhile.
            owed.looking.take_if(|look| look.n == n);
            return Ok(true);
        };
        let found = places.find(&entries).await?;
        let mut new: Vec<Head> = found.iter().map(Found::head).collect();
        if let Some(look) = &self.erasures.owed().looking {
            new.retain(|entry| !look.kept.contains(&(entry.g, entry.link)));
        }
        self.erasures.kept.add(&new).map_err(|fault| fault.to_string())?;
        let back: Vec<Found> = found.into_iter().filter(|entry| entry.text.is_some()).collect();
        if !back.is_empty() {
            tracing::info!(
                bodies = back.len(),
                "texts that the log says are erased have come back: they are removed"
            );
            self.remove(places, back, HashSet::new()).await?;
        }
        if let Some(look) = self.erasures.owed().looking.as_mut().filter(|look| look.n == n) {
            look.after = last;
        }
        Ok(true)
    }

    /// Removes bodies from everywhere.
    async fn remove(
        &self,
        places: &Arc<Places>,
        found: Vec<Found>,
        messages: HashSet<ClientId>,
    ) -> Result<(), String> {
        let heads: Vec<Head> = found.iter().map(Found::head).collect();
        let in_log: Vec<u64> =
            found.iter().filter(|entry| entry.in_log).map(|entry| entry.entry.header.g).collect();
        self.erasures.kept.add(&heads).map_err(|fault| fault.to_string())?;
        let lost = self.lost_entries.clone();
        let here = places.clone();
        let removed = tokio::task::spawn_blocking(move || here.remove_here(&found, &heads, &messages, &lost));
        removed.await.map_err(|fault| fault.to_string())??;
        match places.broker.erase(in_log).await {
            Ok(true) => Ok(()),
            Ok(false) => Err("the log was cut back meanwhile".to_owned()),
            Err(fault) => Err(fault.to_string()),
        }
    }
}

/// An erased entry, as this server has folded it.
struct Found {
    /// Without its body.
    entry: Entry,
    /// What is left of its body, here or in the log.
    text: Option<String>,
    /// The log has this entry.
    in_log: bool,
}

impl Found {
    fn head(&self) -> Head {
        self.entry.head()
    }
}

impl Places {
    /// Reads entries from the log and, where there is one, from the copy: that has what was folded.
    async fn find(self: &Arc<Self>, numbers: &[u64]) -> Result<Vec<Found>, String> {
        let mut log = BTreeMap::new();
        for (from, limit) in runs(numbers) {
            let read = self.broker.read(from, limit).await.map_err(|fault| fault.to_string())?;
            log.extend(read.into_iter().map(|entry| (entry.header.g, entry)));
        }
        let (here, wanted) = (self.clone(), numbers.to_vec());
        let copied = tokio::task::spawn_blocking(move || here.read_copy(&wanted));
        let copied = copied.await.map_err(|fault| fault.to_string())??;
        let found = numbers.iter().filter_map(|g| {
            let in_log = log.remove(g);
            let mut entry = copied.get(g).cloned().or(in_log.clone())?;
            let in_log = in_log.filter(|other| other.link == entry.link);
            let text = entry.body.take().or(in_log.as_ref().and_then(|entry| entry.body.clone()));
            Some(Found { entry, text, in_log: in_log.is_some() })
        });
        Ok(found.collect())
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

    /// Removes them from every file of the data folder but the log.
    fn remove_here(
        &self,
        found: &[Found],
        heads: &[Head],
        messages: &HashSet<ClientId>,
        lost: &LostEntries,
    ) -> Result<(), String> {
        let words = |fault: std::io::Error| fault.to_string();
        if damaged_files::any(&self.folder) {
            let whole = found.iter().map(|found| Entry { body: found.text.clone(), ..found.entry.clone() });
            damaged_files::erase(&self.folder, &whole.collect::<Vec<_>>()).map_err(words)?;
        }
        let drafts: HashSet<ClientId> = found.iter().map(|found| found.entry.header.client_id).collect();
        lost.erase(|header| {
            let of = header.target.as_ref().and_then(|target| target.as_str().parse().ok());
            drafts.contains(&header.client_id)
                || messages.contains(&header.client_id)
                || of.is_some_and(|message: ClientId| messages.contains(&message))
        })
        .map_err(words)?;
        erase_in_earlier_logs(&self.folder, heads).map_err(|fault| fault.to_string())?;
        if let Some(copy) = &self.copy {
            copy.erase_entries(heads).map_err(|fault| fault.to_string())?;
        }
        Ok(())
    }
}

/// Calls that read these rising numbers: where each begins, and how many it reads.
fn runs(numbers: &[u64]) -> Vec<(u64, usize)> {
    let mut runs: Vec<(u64, usize)> = Vec::new();
    for g in numbers {
        match runs.last_mut() {
            Some((from, count)) if *g - *from < *count as u64 + READ_ALONG && *count < AT_ONCE => {
                *count = (*g - *from) as usize + 1;
            }
            _ => runs.push((*g, 1)),
        }
    }
    runs
}
