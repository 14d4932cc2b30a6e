//! The copy of a store's log: where it is not the log's beginning any more, the two are compared before anything goes on.

use crate::support::awaited::until;
use crate::support::pass_on::pass_on;
use crate::support::swapped::{Swapped, replica};
use crate::support::{config, read_all, room_proposal, set_up_on};
use beck::server::broker::embedded::{Embedded, LogCopy};
use beck::server::broker::redis::RedisSettings;
use beck::server::broker::{Broker, BrokerError, Head, SharedBroker};
use beck::server::config::Config;
use beck::server::node::{Node, Readiness};
use beck::server::readiness::{Unready, UnreadyState};
use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::tempdir;

/// Settings of a server that keeps a copy. The store that they name is never asked: the log is given.
fn with_copy(folder: &Path) -> Config {
    let mut config = config(folder);
    config.redis = Some(RedisSettings::at("127.0.0.1", 1));
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_with_an_entry_that_the_log_lost_before_it_was_folded_is_cut_and_goes_on() {
    let (folder, first, second) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    let log = Swapped::new(Arc::new(Embedded::open(first.path()).unwrap()));
    let here = set_up_on(first.path(), log.clone()).await;
    let owner = here.owner;
    drop(here);
    let node = Node::start(with_copy(folder.path()), log.clone()).await.unwrap();
    let before = log.head().await.unwrap().unwrap().g;
    node.wait_folded(before).await;
    until("the copy has all", || LogCopy::last(folder.path()) == Some(before)).await;

    // The state cannot be written: the next entry is copied, and not folded.
    let state = Connection::open(folder.path().join("state.sqlite")).unwrap();
    state.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    state.execute_batch("ALTER TABLE drafts RENAME TO drafts_away").unwrap();
    let stale = replica(first.path(), second.path());
    let lost = room_proposal(owner, "lost");
    log.append(vec![lost.clone()]).await.unwrap();
    until("the copy is ahead of what is folded", || LogCopy::last(folder.path()) == Some(before + 1)).await;
    let unwritable = UnreadyState::StateUnwritable;
    until(
        "the server says why",
        || matches!(node.readiness(), Readiness::Unready(Unready { state, .. }) if state == unwritable),
    )
    .await;
    assert_eq!(node.folded(), before);

    // A failover loses that entry, and another one takes its number.
    stale.append(vec![room_proposal(owner, "in its place"), room_proposal(owner, "after it")]).await.unwrap();
    log.swap(stale);
    state.execute_batch("ALTER TABLE drafts_away RENAME TO drafts").unwrap();
    drop(state);
    until("the server goes on", || node.readiness() == Readiness::Ready && node.folded() == before + 2).await;
    drop(node);
    let entries = read_all(log.as_ref()).await;
    until("the copy has the same", || LogCopy::last(folder.path()) == Some(before + 2)).await;
    let mut copied = None;
    until("the copy is closed", || {
        copied = LogCopy::open(folder.path()).ok();
        copied.is_some()
    })
    .await;
    assert_eq!(copied.unwrap().entries(0, 1_000).unwrap(), entries);
    let kept = std::fs::read_to_string(folder.path().join("lost.jsonl")).unwrap();
    let kept: Vec<serde_json::Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["header"]["id"], lost.client_id.to_string());
}

/// A log that does not say where it ends, for some calls after the first.
struct Forgetful {
    log: SharedBroker,
    calls: AtomicU64,
    failing: std::ops::Range<u64>,
}

impl Broker for Forgetful {
    pass_on!(create append read erase secret registers signals durability follow);

    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, BrokerError>> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if self.failing.contains(&call) {
            return async { Err(BrokerError::unready(UnreadyState::StoreUnreachable, "away")) }.boxed();
        }
        self.log.head()
    }
}

/// To align the copy says nothing to anybody: the state ends with what is published after it, though there is nothing to
/// fold.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_ends_with_what_the_follower_publishes_and_not_before() {
    let (folder, first) = (tempdir().unwrap(), tempdir().unwrap());
    let log: SharedBroker = Arc::new(Embedded::open(first.path()).unwrap());
    drop(set_up_on(first.path(), log.clone()).await);
    let node = Node::start(with_copy(folder.path()), log.clone()).await.unwrap();
    let head = log.head().await.unwrap().unwrap().g;
    node.wait_folded(head).await;
    until("the copy has all", || LogCopy::last(folder.path()) == Some(head)).await;
    drop(node);
    until("the first server has ended", || Arc::strong_count(&log) == 1).await;

    // The start asks once; then the fold thread aligns the copy, which fails three times.
    let log = Arc::new(Forgetful { log, calls: AtomicU64::new(0), failing: 1..4 });
    let node = Node::start(with_copy(folder.path()), log.clone()).await.unwrap();
    until("the copy is aligned", || log.calls.load(Ordering::SeqCst) > 4).await;
    until("the server is ready", || node.readiness() == Readiness::Ready).await;
    assert_eq!(node.folded(), head, "without anything new to fold");
}
