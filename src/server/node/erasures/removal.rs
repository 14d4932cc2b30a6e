//! The task that removes what the log says is erased, step by step, and looks for bodies that came back.

use super::super::{Node, Readiness};
use super::places::{Found, Places};
use crate::protocol::ClientId;
use crate::server::broker::Head;
use crate::server::broker::embedded::LogCopy;
use crate::server::readiness::Unready;
use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// Bodies that are removed, or looked for, in one step.
const AT_ONCE: usize = 512;
/// Pauses after a removal that failed: the first one, and the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

pub(in crate::server::node) async fn remove_what_is_erased(node: Weak<Node>, copy: Option<Arc<LogCopy>>) {
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
            Readiness::Unready(Unready { state, .. }) => Err(state.sentence().to_owned()),
            Readiness::Starting { .. } | Readiness::Ready => Ok(()),
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
            let ids: Vec<ClientId> = back.iter().map(|found| found.entry.header.client_id).collect();
            let messages = self.state.erased_messages(&ids).map_err(|fault| fault.to_string())?;
            self.remove(places, back, messages).await?;
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
        let in_log: Vec<Head> = found.iter().filter(|entry| entry.in_log).map(Found::head).collect();
        self.erasures.kept.add(&heads).map_err(|fault| fault.to_string())?;
        let lost = self.lost_entries.clone();
        let here = places.clone();
        let removed = tokio::task::spawn_blocking(move || here.remove_here(&found, &heads, &messages, &lost));
        let in_copy = removed.await.map_err(|fault| fault.to_string())??;
        let left = places.broker.erase(in_log).await.map_err(|fault| fault.to_string())?;
        for (place, numbers) in [("the copy", in_copy), ("the log", left.other)] {
            if !numbers.is_empty() {
                tracing::warn!(
                    ?numbers,
                    "{place} has other entries than those that were erased at these numbers: they keep their text"
                );
            }
        }
        if left.newest { Err("the log was cut back meanwhile".to_owned()) } else { Ok(()) }
    }
}
