//! A node whose fold cannot go on: it says so at once, stores nothing, and goes on when it can.

use crate::support::awaited::{unlocked, until};
use crate::support::pass_on::pass_on;
use crate::support::{config, set_up};
use beck::protocol::frame::Draft;
use beck::protocol::{ClientId, ErrorCode, Outcome};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, BrokerError, Entry, Head};
use beck::server::node::{Node, Readiness};
use beck::server::rooms;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::tempdir;

/// A log that can always be written. Once its reader has the entry `down_after`, it can no longer be read.
struct Deaf {
    log: Embedded,
    down_after: AtomicU64,
    /// The number after which entries are waited for.
    asked: AtomicU64,
}

impl Deaf {
    /// The answer to every read once the reader has the entry `down_after`.
    fn down<T: Send + 'static>(&self) -> Option<BoxFuture<'_, Result<T, BrokerError>>> {
        let down = self.asked.load(Ordering::SeqCst) >= self.down_after.load(Ordering::SeqCst);
        down.then(|| ready(Err(BrokerError::Refused("the line is down".into()))).boxed())
    }
}

impl Broker for Deaf {
    fn follow(&self, after: Head, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        self.asked.store(after.g, Ordering::SeqCst);
        self.down().unwrap_or_else(|| self.log.follow(after, limit))
    }

    fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        self.down().unwrap_or_else(|| self.log.read(from, limit))
    }

    pass_on!(create append erase secret registers signals durability);
    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, BrokerError>> {
        self.down().unwrap_or_else(|| self.log.head())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unready_node_stores_nothing_says_so_and_goes_on_when_it_can() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let (owner, room) = (here.owner, here.general);
    drop(here);
    let log = unlocked(folder.path()).await;
    let deaf = Arc::new(Deaf { log, down_after: AtomicU64::new(u64::MAX), asked: AtomicU64::new(0) });
    let node = Node::start(config(folder.path()), deaf.clone()).await.unwrap();
    let post = |id, text: &str| {
        let draft =
            Draft { id, room, thread: None, quote: None, text: text.into(), named: Default::default() };
        rooms::post(&node, owner, draft)
    };
    let head = async || deaf.log.head().await.unwrap().unwrap().g;

    // The entry that is waited for while the line goes down is the last that comes.
    let before = head().await;
    until("the follower waits at the head", || deaf.asked.load(Ordering::SeqCst) == before).await;
    deaf.down_after.store(before + 1, Ordering::SeqCst);
    let first = ClientId::random();
    let stored = post(first, "the last one").await.unwrap();
    assert!(matches!(stored, Outcome::Stored { .. }));
    until("the node is unready", || matches!(node.readiness(), Readiness::Unready(_))).await;
    let before = head().await;
    let second = ClientId::random();
    let refused = post(second, "not now").await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Unavailable);
    assert!(refused.to_string().starts_with("Nothing can be saved right now: "), "{refused}");
    assert_eq!(head().await, before);
    // What is known already is answered as ever.
    assert_eq!(post(first, "the last one").await.unwrap(), stored);

    // Nothing is left to fold, so that nothing but the line itself can say that all is well.
    deaf.down_after.store(u64::MAX, Ordering::SeqCst);
    until("the node is ready again", || node.readiness() == Readiness::Ready).await;
    assert_eq!(head().await, before);
    assert!(matches!(post(second, "not now").await.unwrap(), Outcome::Stored { g, .. } if g == before + 1));
}
