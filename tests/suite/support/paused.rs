//! A broker that is held back where a test says so.

use super::pass_on::pass_on;
use beck::server::broker::{Broker, BrokerError, Entry, Head, NotErased, Proposal, SharedBroker};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::{Arc, Mutex};
use tokio::sync::{Semaphore, watch};

/// Waits in its first erasure until it is told to go on; in appends and in following too once it is told to.
pub struct Paused {
    pub log: SharedBroker,
    pub begun: Arc<Semaphore>,
    pub go_on: Arc<Semaphore>,
    /// Appends wait for permits of the second one, and say so by the first one.
    pub appending: Mutex<Option<(Arc<Semaphore>, Arc<Semaphore>)>>,
    /// Nothing new is given to who follows.
    pub held: watch::Sender<bool>,
}

impl Broker for Paused {
    pass_on!(create read secret registers signals durability head);

    fn append(&self, batch: Vec<Proposal>) -> BoxFuture<'static, Result<u64, BrokerError>> {
        let Some((begun, go_on)) = self.appending.lock().unwrap().clone() else {
            return self.log.append(batch);
        };
        let log = self.log.clone();
        async move {
            begun.add_permits(1);
            let _once = go_on.acquire().await;
            log.append(batch).await
        }
        .boxed()
    }

    fn follow(&self, after: Head, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        async move {
            let _ = self.held.subscribe().wait_for(|held| !held).await;
            self.log.follow(after, limit).await
        }
        .boxed()
    }

    fn erase(&self, entries: Vec<Head>) -> BoxFuture<'_, Result<NotErased, BrokerError>> {
        async move {
            self.begun.add_permits(1);
            let _once = self.go_on.acquire().await;
            self.log.erase(entries).await
        }
        .boxed()
    }
}

pub fn paused(log: SharedBroker) -> Arc<Paused> {
    let (begun, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    Arc::new(Paused { log, begun, go_on, appending: Mutex::default(), held: watch::Sender::new(false) })
}
