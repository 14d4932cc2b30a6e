//! A login that ends while a use of it is prolonging it.

use crate::support::pass_on::pass_on;
use crate::support::set_up_on;
use axum::http::{HeaderMap, header};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, BrokerError, Secret, SecretOp};
use futures::FutureExt;
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::tempdir;

/// A store in which a login is signed out right before it is written again.
struct SignsOut {
    log: Embedded,
    next: AtomicBool,
}

impl Broker for SignsOut {
    fn secret(&self, key: String, op: SecretOp) -> BoxFuture<'_, Result<Option<Secret>, BrokerError>> {
        let writes = matches!(op, SecretOp::Put { .. }) && key.starts_with("login:");
        if writes && self.next.swap(false, Ordering::SeqCst) {
            return async move {
                self.log.secret(key.clone(), SecretOp::Delete).await?;
                self.log.secret(key, op).await
            }
            .boxed();
        }
        self.log.secret(key, op)
    }

    pass_on!(create append read erase registers signals durability follow head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_does_not_bring_a_login_back_that_was_signed_out_meanwhile() {
    let folder = tempdir().unwrap();
    let log = Embedded::open(folder.path()).unwrap();
    let store = Arc::new(SignsOut { log, next: AtomicBool::new(false) });
    let here = set_up_on(folder.path(), store.clone()).await;
    let generation = here.node.generation(here.owner).await.unwrap();
    for (token, by_page) in [("a".repeat(64), false), ("b".repeat(64), true)] {
        // Of a release that wrote no times: the next use prolongs it.
        let key = format!("login:{}", hex::encode(Sha256::digest(&token)));
        let value = serde_json::json!({ "account": here.owner, "generation": generation }).to_string();
        let put = SecretOp::Put { value, if_version: 0, expires: Some(i64::MAX / 2) };
        store.log.secret(key, put).await.unwrap();
        store.next.store(true, Ordering::SeqCst);
        let used = if by_page {
            let cookie = format!("beck_login={token}").parse().unwrap();
            let headers = HeaderMap::from_iter([(header::COOKIE, cookie)]);
            here.node.page_login(&headers).await.unwrap().map(|login| login.account)
        } else {
            here.node.login_of(&token).await.unwrap()
        };
        assert_eq!(used, Some(here.owner), "it was good when the use began");
        assert!(!store.next.load(Ordering::SeqCst), "it was signed out meanwhile");
        assert_eq!(here.node.login_of(&token).await.unwrap(), None);
    }
}
