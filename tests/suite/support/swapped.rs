//! A broker in whose place another one can be put while a server runs, as a failover does.

use beck::protocol::{AccountId, Pointer};
use beck::server::broker::embedded::{Embedded, LOG_FILE};
use beck::server::broker::{
    Broker, BrokerError, Durability, Entry, Head, NotErased, Proposal, Secret, SecretOp, SharedBroker,
    Signals,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::Connection;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

pub struct Swapped {
    log: Mutex<SharedBroker>,
    swaps: watch::Sender<u64>,
    signals: Signals,
}

impl Swapped {
    pub fn new(log: SharedBroker) -> Arc<Swapped> {
        let signals = log.signals();
        Arc::new(Swapped { log: Mutex::new(log), swaps: watch::Sender::new(0), signals })
    }

    pub fn log(&self) -> SharedBroker {
        self.log.lock().unwrap().clone()
    }

    /// From now on this log answers.
    pub fn swap(&self, log: SharedBroker) {
        *self.log.lock().unwrap() = log;
        self.swaps.send_modify(|swaps| *swaps += 1);
    }
}

/// The log of a folder as it is now, in another folder: what was written since is missing there.
pub fn replica(from: &Path, to: &Path) -> SharedBroker {
    let file = to.join(LOG_FILE);
    let db = Connection::open(from.join(LOG_FILE)).unwrap();
    db.execute("VACUUM INTO ?1", [file.to_str().unwrap()]).unwrap();
    Arc::new(Embedded::open(to).unwrap())
}

impl Broker for Swapped {
    fn create(&self, first: Proposal) -> BoxFuture<'_, Result<Head, BrokerError>> {
        let log = self.log();
        async move { log.create(first).await }.boxed()
    }

    fn append(&self, batch: Vec<Proposal>) -> BoxFuture<'static, Result<u64, BrokerError>> {
        self.log().append(batch)
    }

    fn try_append(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        let log = self.log();
        async move { log.try_append().await }.boxed()
    }

    fn follow(&self, after: Head, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        async move {
            let mut swaps = self.swaps.subscribe();
            loop {
                swaps.borrow_and_update();
                let log = self.log();
                tokio::select! {
                    biased;
                    entries = log.follow(after, limit) => return entries,
                    _ = swaps.changed() => {}
                }
            }
        }
        .boxed()
    }

    fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        let log = self.log();
        async move { log.read(from, limit).await }.boxed()
    }

    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, BrokerError>> {
        let log = self.log();
        async move { log.head().await }.boxed()
    }

    fn erase(&self, entries: Vec<Head>) -> BoxFuture<'_, Result<NotErased, BrokerError>> {
        let log = self.log();
        async move { log.erase(entries).await }.boxed()
    }

    fn secret(&self, key: String, op: SecretOp) -> BoxFuture<'_, Result<Option<Secret>, BrokerError>> {
        let log = self.log();
        async move { log.secret(key, op).await }.boxed()
    }

    fn registers(
        &self,
        account: AccountId,
        raise: Vec<(String, Pointer)>,
    ) -> BoxFuture<'_, Result<Vec<(String, Pointer)>, BrokerError>> {
        let log = self.log();
        async move { log.registers(account, raise).await }.boxed()
    }

    fn signals(&self) -> Signals {
        self.signals.clone()
    }

    fn durability(&self) -> Durability {
        self.log().durability()
    }
}
