//! Keeps a copy of a store's log in the data folder, and of what is needed beside it to let people in again, so that
//! a store that was lost can be made again.

use super::follower::{Follower, Stopped};
use super::{FOLD_ENTRIES, Node};
use crate::protocol::AccountId;
use crate::server::broker::embedded::{CopyError, LogCopy};
use crate::server::broker::moving::KeptSecret;
use crate::server::broker::{BrokerError, Entry, Head, SecretOp, Signal};
use crate::server::passwords::password_key;
use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

/// New accounts are looked for so often.
const LOOK: Duration = Duration::from_secs(1);
/// Everything beside the log is looked at again after so long, since a signal may be lost.
const LOOK_AT_ALL: Duration = Duration::from_secs(30 * 60);

fn pausing(fault: impl std::fmt::Display) -> Stopped {
    Stopped::Pausing(fault.to_string())
}

impl Follower {
    /// Before entries are folded they are in the copy: what this server has shown can be restored from it.
    pub(super) fn copy_entries(&mut self, entries: &[Entry], runtime: &Handle) -> Result<(), Stopped> {
        if entries.first().is_some_and(|first| first.header.g == 1) {
            self.align_copy(runtime)?;
        }
        self.copy.as_ref().map_or(Ok(()), |copy| copy.take(entries)).map_err(pausing)
    }

    /// Cuts the copy where it is not the log's, and adds what it lacks of what is folded.
    pub(super) fn align_copy(&mut self, runtime: &Handle) -> Result<(), Stopped> {
        let Some(copy) = self.copy.clone() else { return Ok(()) };
        if runtime.block_on(self.broker.head()).map_err(pausing)?.is_none() {
            return Ok(());
        }
        let fork = self.fork(&copy, runtime)?;
        if fork != copy.head() {
            tracing::warn!(from = copy.head().g, to = fork.g, "the copy of the log is cut back");
            copy.cut(fork).map_err(pausing)?;
        }
        while copy.head().g < self.fold.folded().0 {
            let entries =
                runtime.block_on(self.broker.read(copy.head().g + 1, FOLD_ENTRIES)).map_err(pausing)?;
            if entries.is_empty() {
                break;
            }
            copy.take(&entries).map_err(pausing)?;
        }
        Ok(())
    }

    /// The last entry that copy and log have in common. Links hold all that came before, so halving finds it.
    fn fork(&self, copy: &LogCopy, runtime: &Handle) -> Result<Head, Stopped> {
        let common = |g: u64| -> Result<Option<Head>, Stopped> {
            if g == 0 {
                return Ok(Some(Head::default()));
            }
            let link = copy.link(g).map_err(pausing)?;
            let found = runtime.block_on(self.broker.read(g, 1)).map_err(pausing)?;
            let same = found.first().is_some_and(|entry| entry.header.g == g && entry.link == link);
            Ok(same.then_some(Head { g, link }))
        };
        let (mut low, mut high) = (Head::default(), copy.head().g);
        if let Some(head) = common(high)? {
            return Ok(head);
        }
        while low.g + 1 < high {
            let middle = low.g.midpoint(high);
            match common(middle)? {
                Some(head) => low = head,
                None => high = middle,
            }
        }
        Ok(low)
    }
}

/// Copies verifiers of passwords and read pointers: all at the start and now and then, an account's when it changes.
pub(super) async fn copy_beside(node: Weak<Node>, copy: Arc<LogCopy>) {
    let Some(mut signals) = node.upgrade().map(|node| node.broker.signals().subscribe()) else { return };
    let mut copied = HashSet::new();
    let mut all_due = Instant::now() + LOOK_AT_ALL;
    loop {
        let signal = tokio::time::timeout(LOOK, signals.recv()).await;
        let Some(node) = node.upgrade() else { return };
        match signal {
            Ok(Ok(Signal::Logins { account })) => drop(copied.remove(&account)),
            Ok(Ok(Signal::Lost) | Err(RecvError::Lagged(_))) => copied.clear(),
            Ok(Err(RecvError::Closed)) => return,
            // Pointers rise all the time: those of half an hour ago will do.
            Ok(Ok(Signal::Register { .. } | Signal::Presence(_) | Signal::Typing { .. })) | Err(_) => {}
        }
        if Instant::now() >= all_due {
            copied.clear();
            all_due = Instant::now() + LOOK_AT_ALL;
        }
        for account in node.lost_secrets() {
            if let Ok(Some(_)) = node.broker.secret(password_key(account), SecretOp::Get).await {
                node.secret_is_back(account);
                copied.remove(&account);
            }
        }
        let directory = node.directory();
        if copied.len() == directory.accounts.len() {
            continue;
        }
        for account in directory.accounts.keys() {
            if copied.contains(account) {
                continue;
            }
            match copy_account(&node, &copy, *account).await {
                Ok(()) => drop(copied.insert(*account)),
                // The store is away: again after the next look.
                Err(why) => {
                    tracing::debug!(why, "what stands beside the log could not be copied");
                    break;
                }
            }
        }
    }
}

/// Looks whether the store still has what it was given to keep of each account.
pub(super) async fn look_for_lost(node: &Node, copy: &LogCopy) {
    for account in node.directory().accounts.keys() {
        let key = password_key(*account);
        if copy.has_secret(&key).unwrap_or(false)
            && matches!(node.broker.secret(key, SecretOp::Get).await, Ok(None))
        {
            node.secret_is_lost(*account);
        }
    }
}

async fn copy_account(node: &Node, copy: &LogCopy, account: AccountId) -> Result<(), String> {
    let words = |fault: BrokerError| fault.to_string();
    let failed = |fault: CopyError| fault.to_string();
    let key = password_key(account);
    let secret = node.broker.secret(key.clone(), SecretOp::Get).await.map_err(words)?;
    // What was copied before is then all there is.
    if secret.is_none() && copy.has_secret(&key).map_err(failed)? {
        node.secret_is_lost(account);
    }
    if let Some(secret) = secret {
        let secret = KeptSecret { value: secret.value, version: secret.version, expires: None };
        copy.put_secret(&key, &secret).map_err(failed)?;
    }
    let pointers = node.broker.registers(account, Vec::new()).await.map_err(words)?;
    if !pointers.is_empty() {
        copy.put_pointers(account, &pointers).map_err(failed)?;
    }
    Ok(())
}
