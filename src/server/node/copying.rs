//! Keeps a copy of a store's log in the data folder, and of what is needed beside it to let people in again, so that
//! a store that was lost can be made again.

use super::follower::{Follower, Stopped};
use super::lost_entries::keep_of_copy;
use super::{FOLD_ENTRIES, Node};
use crate::protocol::AccountId;
use crate::server::broker::embedded::{CopyError, LogCopy};
use crate::server::broker::moving::KeptSecret;
use crate::server::broker::{BrokerError, Entry, SecretOp, Signal};
use crate::server::passwords::password_key;
use crate::server::readiness::Unready;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Instant;

/// New accounts are looked for so often.
const LOOK: Duration = Duration::from_secs(1);
/// Between two passes over all accounts that lost signals have caused.
const PASS_PAUSE: Duration = Duration::from_secs(60);
/// Everything beside the log is looked at again after so long, since a signal may be lost.
const LOOK_AT_ALL: Duration = Duration::from_secs(30 * 60);

fn pausing(fault: impl Into<Unready>) -> Stopped {
    Stopped::Pausing(fault.into())
}

impl Follower {
    /// Before entries are folded they are in the copy: what this server has shown can be restored from it.
    pub(super) fn copy_entries(&mut self, entries: &[Entry], runtime: &Handle) -> Result<(), Stopped> {
        if entries.first().is_some_and(|first| first.header.g == 1) {
            self.align_copy(runtime)?;
        }
        let Some(copy) = &self.copy else { return Ok(()) };
        copy.take(entries).map_err(|fault| {
            // The log was rewritten where the copy is ahead of the fold: they are compared before anything goes on.
            if matches!(fault, CopyError::Gap(_)) {
                self.aligned = false;
            }
            pausing(fault)
        })
    }

    /// Cuts the copy where it is not the log's, once what is cut is in `lost.jsonl`, and adds what it lacks of what is
    /// folded.
    pub(super) fn align_copy(&mut self, runtime: &Handle) -> Result<(), Stopped> {
        let Some(copy) = self.copy.clone() else { return Ok(()) };
        if runtime.block_on(self.broker.head()).map_err(pausing)?.is_none() {
            return Ok(());
        }
        let Some(node) = self.node.upgrade() else { return Ok(()) };
        let kept = keep_of_copy(&self.broker, &copy, &node.lost_entries);
        let fork = runtime.block_on(kept).map_err(pausing)?;
        if fork != copy.head() {
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
}

/// Accounts whose verifier and pointers are to be copied.
#[derive(Default)]
struct Due {
    /// Their logins changed, or they are new.
    changed: HashSet<AccountId>,
    /// Signals may have been missed: all, once the pass that is under way has ended.
    all: bool,
}

/// Notes whose logins change. It does nothing else, so that the flood of other signals does not make it miss one.
async fn note_changes(mut signals: broadcast::Receiver<Signal>, due: Arc<Mutex<Due>>) {
    loop {
        let signal = signals.recv().await;
        let mut due = due.lock().unwrap_or_else(PoisonError::into_inner);
        match signal {
            Ok(Signal::Logins { account }) => drop(due.changed.insert(account)),
            Ok(Signal::Lost) | Err(RecvError::Lagged(_)) => due.all = true,
            Err(RecvError::Closed) => return,
            // Pointers rise all the time: those of half an hour ago will do.
            Ok(_) => {}
        }
    }
}

/// Copies verifiers of passwords and read pointers: all at the start and now and then, an account's when it changes.
/// A pass over all accounts goes to its end, and the next one begins [`PASS_PAUSE`] later at the earliest.
pub(super) async fn copy_beside(node: Weak<Node>, copy: Arc<LogCopy>) {
    let due = Arc::new(Mutex::new(Due { all: true, ..Due::default() }));
    {
        let Some(here) = node.upgrade() else { return };
        let signals = here.broker.signals().subscribe();
        here.watch_task("copy-signals", note_changes(signals, due.clone()));
    }
    // Those that were seen; an account that is not among them is new.
    let mut known: HashSet<AccountId> = HashSet::new();
    // Those that the pass under way has still to copy, and when the last one ended.
    let mut pass: Option<Vec<AccountId>> = None;
    let mut pass_ended: Option<Instant> = None;
    loop {
        let Some(here) = node.upgrade() else { return };
        for account in here.lost_secrets() {
            if let Ok(Some(_)) = here.broker.secret(password_key(account), SecretOp::Get).await {
                here.secret_is_back(account);
                due.lock().unwrap_or_else(PoisonError::into_inner).changed.insert(account);
            }
        }
        let directory = here.directory();
        let mut first: Vec<AccountId> = {
            let mut due = due.lock().unwrap_or_else(PoisonError::into_inner);
            let pause = if due.all { PASS_PAUSE } else { LOOK_AT_ALL };
            if pass.is_none() && pass_ended.is_none_or(|ended| ended.elapsed() >= pause) {
                due.all = false;
                let all: Vec<_> = directory.accounts.keys().copied().collect();
                known.extend(&all);
                pass = Some(all);
            }
            if known.len() < directory.accounts.len() {
                let new = directory.accounts.keys().filter(|account| known.insert(**account));
                due.changed.extend(new);
            }
            due.changed.drain().collect()
        };
        let began = Instant::now();
        // Changed ones come first; then the pass goes on for a while, until it is time to look again.
        let mut away = false;
        loop {
            let next = || pass.as_mut().filter(|_| began.elapsed() < LOOK).and_then(Vec::pop);
            let Some(account) = first.pop().or_else(next) else { break };
            if let Err(why) = copy_account(&here, &copy, account).await {
                // The store is away: again after the next look.
                tracing::debug!(why, "what stands beside the log could not be copied");
                first.push(account);
                away = true;
                break;
            }
        }
        due.lock().unwrap_or_else(PoisonError::into_inner).changed.extend(first);
        if pass.as_ref().is_some_and(Vec::is_empty) {
            (pass, pass_ended) = (None, Some(Instant::now()));
        }
        drop((here, directory));
        if away || pass.is_none() {
            tokio::time::sleep(LOOK).await;
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
