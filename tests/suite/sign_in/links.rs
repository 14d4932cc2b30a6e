//! What a link that signs its holder in leaves in the store, and what becomes of it where the store fails.

use super::{DAY_MS, Inside};
use crate::support::pass_on::pass_on;
use crate::support::set_up_on;
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, BrokerError, Secret, SecretOp};
use beck::server::now_ms;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_good_for_a_day_and_leaves_one_login_and_no_link() {
    let here = Inside::start().await;
    let db = Connection::open(here.folder.path().join("log.sqlite")).unwrap();
    let count = |like: &str| -> i64 {
        db.query_row("SELECT COUNT(*) FROM secrets WHERE key LIKE ?1", [like], |row| row.get(0)).unwrap()
    };
    let (before, made) = (count("login:%"), now_ms());
    let link = here.node.enter_token(here.owner).await.unwrap();
    let key = format!("enter:{}", hex::encode(Sha256::digest(&link)));
    let ends = "SELECT expires FROM secrets WHERE key = ?1";
    let ends: Option<i64> = db.query_row(ends, [key], |row| row.get(0)).unwrap();
    assert!(ends.is_some_and(|ends| (made + DAY_MS..=now_ms() + DAY_MS).contains(&ends)), "{ends:?}");
    let all = join_all((0..10).map(|_| here.node.enter(&link))).await;
    assert_eq!(all.into_iter().filter(|entered| entered.as_ref().unwrap().is_some()).count(), 1);
    assert_eq!((count("login:%") - before, count("enter:%")), (1, 0), "those that came late leave nothing");
}

/// A store that takes no login.
struct NoLogin {
    log: Embedded,
    refuses: AtomicBool,
}

impl Broker for NoLogin {
    fn secret(&self, key: String, op: SecretOp) -> BoxFuture<'_, Result<Option<Secret>, BrokerError>> {
        let writes = matches!(op, SecretOp::Put { .. });
        if writes && key.starts_with("login:") && self.refuses.load(Ordering::SeqCst) {
            return async { Err(BrokerError::Refused("the store is full".into())) }.boxed();
        }
        self.log.secret(key, op)
    }

    pass_on!(create append read erase registers signals durability follow head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_whose_login_cannot_be_made_stays_good() {
    let folder = tempdir().unwrap();
    let log = Embedded::open(folder.path()).unwrap();
    let store = Arc::new(NoLogin { log, refuses: AtomicBool::new(false) });
    let here = set_up_on(folder.path(), store.clone()).await;
    let link = here.node.enter_token(here.owner).await.unwrap();
    store.refuses.store(true, Ordering::SeqCst);
    assert!(here.node.enter(&link).await.is_err());
    store.refuses.store(false, Ordering::SeqCst);
    assert_eq!(here.node.enter(&link).await.unwrap().map(|(account, _)| account), Some(here.owner));
    assert!(here.node.enter(&link).await.unwrap().is_none());
}
