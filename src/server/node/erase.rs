//! Deleted text goes for good once it can be restored no more. In a log of format 5 that is an entry: see `due`. This is
//! how it goes from logs of formats 1 to 4.
//!
//! A restore and an erasure that cross would leave a message without text though its author was told that it is back.
//! Three things keep them apart: a restore is refused a day after the deletion, and erasing begins an hour later; on one
//! server no restore is under way while texts are erased; and the fold thread decides what is due after it has folded all
//! that the log has then. What remains is an entry of another server on the same store that comes between that and the
//! erasure: its clock would have to be an hour behind.

use super::due::Turn;
use super::erasures::runs;
use super::follower::Follower;
use super::{FoldCommand, Node};
use crate::protocol::bounds::RESTORE_MS;
use crate::protocol::change::{Bodies, Reason};
use crate::protocol::{ClientId, Outcome};
use crate::server::broker::{Entry, Head};
use crate::server::now_ms;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Text is erased so long after its message was deleted: milliseconds.
pub const ERASE_AFTER_MS: i64 = RESTORE_MS + 60 * 60 * 1000;
/// Messages that are erased at once; messages that people write wait meanwhile.
pub const ERASE_AT_ONCE: usize = 32;

/// What is due is looked up so often …
const TURN: Duration = Duration::from_secs(3600);
/// … and so soon if a turn has left something.
const NEXT_TURN: Duration = Duration::from_secs(60);

/// What the fold thread is asked to erase.
#[derive(Debug, Clone, Copy)]
pub(super) enum ToErase {
    /// A deleted message, whenever that was.
    Message(ClientId),
    /// Some of those that were deleted before a time: milliseconds since 1970, UTC.
    DeletedBefore(i64),
}

impl Node {
    /// Erases the text of a deleted message, in the log and here.
    pub async fn erase(self: &Arc<Node>, id: ClientId) -> Result<(), String> {
        if self.directory().rules().strict.is_some() {
            let room = self.state.room_of(id).map_err(|fault| fault.to_string())?;
            return match self
                .propose_erasure(Some(room), Bodies::Messages(vec![id]), Reason::Operator)
                .await?
            {
                Outcome::Stored { .. } => Ok(()),
                Outcome::Refused { why } => Err(format!("the log refused to erase it ({why:?})")),
            };
        }
        match self.erase_some(ToErase::Message(id)).await? {
            0 => Err("the newest entry of the log cannot be erased; it can once another one follows".into()),
            _ => Ok(()),
        }
    }

    /// Erases the texts that are due at a time (milliseconds since 1970, UTC); gives of how many messages. Erases nothing
    /// while nothing could be stored: if the clock is wrong, the time is too.
    pub async fn erase_due(self: &Arc<Node>, now: i64) -> Result<usize, String> {
        Ok(self.erase_turn(now).await?.erased)
    }

    async fn erase_turn(self: &Arc<Node>, now: i64) -> Result<Turn, String> {
        if let Some(strict) = self.directory().rules().strict {
            return self.propose_what_is_due(&strict, now).await;
        }
        self.broker.try_append().await.map_err(|fault| fault.to_string())?;
        let mut all = 0;
        loop {
            let erased = self.erase_some(ToErase::DeletedBefore(now - ERASE_AFTER_MS)).await?;
            all += erased;
            if erased == 0 {
                return Ok(Turn { erased: all, more: false });
            }
        }
    }

    async fn erase_some(&self, what: ToErase) -> Result<usize, String> {
        // The fold gives the restores that are under way their outcomes first.
        let _no_restores = self.restoring.write().await;
        let (reply, answer) = oneshot::channel();
        let _ = self.fold_commands.send(FoldCommand::Erase(what, reply));
        answer.await.unwrap_or_else(|_| Err("the fold has stopped".into()))
    }
}

impl Follower {
    /// Decides what is to be erased as of the newest entry of the log, and erases exactly that: in the log, in the
    /// copy, here.
    pub(super) fn erase(&mut self, what: ToErase, runtime: &Handle) -> Result<usize, String> {
        let words = |fault: &dyn std::fmt::Display| fault.to_string();
        let head = runtime.block_on(self.broker.head()).map_err(|fault| words(&fault))?;
        let head = head.map_or(0, |head| head.g);
        while self.fold.folded().0 < head {
            let from = self.fold.folded().0 + 1;
            let entries = runtime.block_on(self.broker.read(from, super::FOLD_ENTRIES));
            let entries = entries.map_err(|fault| words(&fault))?;
            if entries.is_empty() {
                return Err("the log ends before its head".into());
            }
            // What is wrong with them is found again by the next step of the thread.
            self.fold_entries(&entries, runtime)
                .map_err(|_| "the server has not caught up with the log".to_owned())?;
        }
        // It has risen meanwhile: from now on texts go by entries.
        if self.fold.directory().rules().strict.is_some() {
            return Ok(0);
        }
        let found = match what {
            ToErase::Message(id) => self.fold.texts_of_deleted(id).map(|numbers| vec![(id, numbers)]),
            ToErase::DeletedBefore(time) => self.fold.texts_due(time, ERASE_AT_ONCE),
        };
        let mut due = found.map_err(|fault| words(&fault))?;
        // The log keeps the body of its newest entry.
        let newest = self.fold.folded().0;
        due.retain(|(_, numbers)| !numbers.contains(&newest));
        if due.is_empty() {
            return Ok(0);
        }
        let mut numbers: Vec<u64> = due.iter().flat_map(|(_, numbers)| numbers.iter().copied()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let entries = self.folded_entries(&numbers, runtime)?;
        let left = runtime.block_on(self.broker.erase(entries.clone())).map_err(|fault| words(&fault))?;
        if left.newest {
            return Err("the log was cut back meanwhile".into());
        }
        if let Some(g) = left.other.first() {
            return Err(format!("the log has another entry {g} than this server has folded"));
        }
        if let Some(copy) = &self.copy {
            copy.erase(&entries).map_err(|fault| words(&fault))?;
        }
        self.fold.erase(&due).map_err(|fault| words(&fault))?;
        Ok(due.len())
    }

    /// Number and link of entries that are folded: from the copy where there is one, since another server may have
    /// taken the place of the store.
    fn folded_entries(&self, numbers: &[u64], runtime: &Handle) -> Result<Vec<Head>, String> {
        let mut entries = Vec::new();
        for (from, limit) in runs(numbers) {
            let read = match &self.copy {
                Some(copy) => copy.entries(from - 1, limit).map_err(|fault| fault.to_string())?,
                None => runtime.block_on(self.broker.read(from, limit)).map_err(|fault| fault.to_string())?,
            };
            let wanted = read.iter().map(Entry::head).filter(|entry| numbers.binary_search(&entry.g).is_ok());
            entries.extend(wanted);
        }
        if entries.len() < numbers.len() {
            return Err("the log lacks entries that this server has folded".into());
        }
        Ok(entries)
    }
}

pub(super) async fn erase_what_is_due(node: Weak<Node>) {
    loop {
        let Some(here) = node.upgrade() else { return };
        let more = match here.erase_turn(now_ms()).await {
            Ok(turn) => turn.more,
            Err(why) => {
                tracing::warn!(why, "deleted messages could not be erased; tried again in an hour");
                false
            }
        };
        drop(here);
        tokio::time::sleep(if more { NEXT_TURN } else { TURN }).await;
    }
}
