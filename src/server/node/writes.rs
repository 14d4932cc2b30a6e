//! Whether the log and the store take writes. Every write goes through here, so any of them, and not only a post, finds
//! out why nothing can be written, and the next one of its kind that succeeds ends the state.

use super::Node;
use crate::protocol::{AccountId, ClientId};
use crate::server::broker::{
    Broker, BrokerError, Durability, Entry, Head, NotErased, Pointer, Proposal, Secret, SecretOp,
    SharedBroker, Signals,
};
use crate::server::now_ms;
use crate::server::readiness::Unready;
use crate::server::watch::Watch;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// Pause between two looks at the log, and between two trial writes while writing fails.
const PROBE_PAUSE: Duration = Duration::from_secs(2);
/// Bytes of a trial write: no less than the longest message, or it could fit where messages do not.
const PROBE_BYTES: usize = 64 * 1024;
/// What a trial write leaves if the process ends in the middle of it expires after so many milliseconds.
const PROBE_EXPIRES_MS: i64 = 60_000;

/// What the last writes met: those of the log and those beside it, which can fail for themselves.
#[derive(Default)]
pub(super) struct Writes {
    log: Noted,
    beside: Noted,
    /// Why this server writes nothing any more.
    stopped: OnceLock<Unready>,
}

impl Writes {
    /// From now on every write is refused: this server cannot read the log any more, so it cannot know what it would do
    /// to it.
    pub(super) fn stop(&self, why: Unready) {
        let _ = self.stopped.set(why);
    }

    fn check(&self) -> Result<(), BrokerError> {
        self.stopped.get().map_or(Ok(()), |why| Err(BrokerError::Unready(why.clone())))
    }

    pub(super) fn unready(&self) -> Option<Unready> {
        self.log.fault().clone().or_else(|| self.beside.fault().clone())
    }
}

/// Why the last write of a kind failed, if that concerns every write of that kind.
#[derive(Default)]
struct Noted(Mutex<Option<Unready>>);

impl Noted {
    fn fault(&self) -> MutexGuard<'_, Option<Unready>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `stored`: whether `Ok` means that something was written.
    fn note<T>(&self, done: &Result<T, BrokerError>, stored: impl FnOnce(&T) -> bool) {
        match done {
            Ok(answer) => {
                if stored(answer) {
                    *self.fault() = None;
                }
            }
            Err(BrokerError::Unready(unready)) => *self.fault() = Some(unready.clone()),
            Err(_) => {}
        }
    }
}

/// The broker, and a note of what becomes of each write.
pub(super) struct Noting {
    pub(super) broker: SharedBroker,
    pub(super) writes: Arc<Writes>,
}

// A method of the trait that has a body must be passed on too.
#[deny(clippy::missing_trait_methods)]
impl Broker for Noting {
    fn create(&self, first: Proposal) -> BoxFuture<'_, Result<Head, BrokerError>> {
        if let Err(stopped) = self.writes.check() {
            return ready(Err(stopped)).boxed();
        }
        let made = self.broker.create(first);
        made.inspect(|done| self.writes.log.note(done, |_| true)).boxed()
    }

    fn append(&self, batch: Vec<Proposal>) -> BoxFuture<'static, Result<u64, BrokerError>> {
        if let Err(stopped) = self.writes.check() {
            return ready(Err(stopped)).boxed();
        }
        let writes = self.writes.clone();
        // Called at once: the order of calls is the order of entries.
        self.broker.append(batch).inspect(move |done| writes.log.note(done, |_| true)).boxed()
    }

    fn try_append(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        if let Err(stopped) = self.writes.check() {
            return ready(Err(stopped)).boxed();
        }
        self.broker.try_append().inspect(|done| self.writes.log.note(done, |()| true)).boxed()
    }

    fn look(&self) -> Result<(), BrokerError> {
        let looked = self.broker.look();
        // That it is there does not mean that it can be written.
        self.writes.log.note(&looked, |()| false);
        looked
    }

    fn close(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        self.broker.close()
    }

    fn follow(&self, after: Head, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        self.broker.follow(after, limit)
    }

    fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        self.broker.read(from, limit)
    }

    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, BrokerError>> {
        self.broker.head()
    }

    fn erase(&self, entries: Vec<Head>) -> BoxFuture<'_, Result<NotErased, BrokerError>> {
        if let Err(stopped) = self.writes.check() {
            return ready(Err(stopped)).boxed();
        }
        self.broker.erase(entries).inspect(|done| self.writes.log.note(done, |_| false)).boxed()
    }

    fn secret(&self, key: String, op: SecretOp) -> BoxFuture<'_, Result<Option<Secret>, BrokerError>> {
        let put = match &op {
            SecretOp::Get => return self.broker.secret(key, op),
            SecretOp::Put { value, .. } => Some(value.clone()),
            SecretOp::Delete => None,
        };
        if let Err(stopped) = self.writes.check() {
            return ready(Err(stopped)).boxed();
        }
        let done = self.broker.secret(key, op);
        let stored = move |stands: &Option<Secret>| {
            put.is_some_and(|put| stands.as_ref().is_some_and(|stands| stands.value == put))
        };
        done.inspect(move |done| self.writes.beside.note(done, stored)).boxed()
    }

    fn registers(
        &self,
        account: AccountId,
        raise: Vec<(String, Pointer)>,
    ) -> BoxFuture<'_, Result<Vec<(String, Pointer)>, BrokerError>> {
        if raise.is_empty() {
            return self.broker.registers(account, raise);
        }
        if let Err(stopped) = self.writes.check() {
            return ready(Err(stopped)).boxed();
        }
        // A pointer that is there already is no write.
        self.broker.registers(account, raise).inspect(|done| self.writes.beside.note(done, |_| false)).boxed()
    }

    fn signals(&self) -> Signals {
        self.broker.signals()
    }

    fn durability(&self) -> Durability {
        self.broker.durability()
    }

    fn watch(&self) -> Watch {
        self.broker.watch()
    }

    fn restarts(&self) -> Option<watch::Receiver<u64>> {
        self.broker.restarts()
    }

    fn clock_ahead_ms(&self) -> i64 {
        self.broker.clock_ahead_ms()
    }
}

impl Node {
    /// Tries what an append does, then writes as much as a message has beside the log and removes it again.
    pub(super) async fn probe_writes(&self) {
        let _ = self.broker.try_append().await;
        let key = format!("probe:{}", ClientId::random());
        let value = "x".repeat(PROBE_BYTES);
        let put = SecretOp::Put { value, if_version: 0, expires: Some(now_ms() + PROBE_EXPIRES_MS) };
        if self.broker.secret(key.clone(), put).await.is_ok() {
            let _ = self.broker.secret(key, SecretOp::Delete).await;
        }
    }
}

/// A log that is gone is found also if nobody posts, and while writing fails it is tried again and again.
pub(super) async fn probe_while_writing_fails(node: Weak<Node>) {
    loop {
        tokio::time::sleep(PROBE_PAUSE).await;
        let Some(node) = node.upgrade() else { return };
        if node.broker.look().is_err() || node.writes.unready().is_some() {
            node.probe_writes().await;
        }
    }
}
