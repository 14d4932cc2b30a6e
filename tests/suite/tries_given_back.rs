//! A try that could not be carried out, or made nothing, is none of those that an address may make.

use crate::support::pass_on::pass_on;
use crate::support::set_up_on;
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, BrokerError, Secret, SecretOp};
use beck::server::node::Node;
use beck::server::{router, serve};
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::redirect::Policy;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::tempdir;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A log whose passwords cannot be read while it is told so.
struct NoPasswords {
    log: Embedded,
    away: AtomicBool,
}

impl Broker for NoPasswords {
    fn secret(&self, key: String, op: SecretOp) -> BoxFuture<'_, Result<Option<Secret>, BrokerError>> {
        if key.starts_with("password:") && self.away.load(Ordering::SeqCst) {
            return async { Err(BrokerError::Refused("the store is away".into())) }.boxed();
        }
        self.log.secret(key, op)
    }

    pass_on!(create append read erase registers signals durability follow head);
}

/// Serves a node; gives how a form is answered that is sent to it.
async fn served(node: &Arc<Node>) -> impl AsyncFn(&str, &[(&str, &str)]) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = router::router(node.clone(), None);
    tokio::spawn(serve::serve(node.clone(), app, listener, std::future::pending()));
    let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    async move |path: &str, fields: &[(&str, &str)]| {
        let request = client.post(format!("{base}{path}")).header("origin", &base).form(fields);
        request.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_that_are_unavailable_use_up_no_tries() {
    let folder = tempdir().unwrap();
    let log = Embedded::open(folder.path()).unwrap();
    let log = Arc::new(NoPasswords { log, away: AtomicBool::new(false) });
    let here = set_up_on(folder.path(), log.clone()).await;
    let post = served(&here.node).await;
    let right = [("handle", "olive"), ("password", "a long password")];
    log.away.store(true, Ordering::SeqCst);
    // More than the ten that one address has for a handle, and the fifty that it has for all.
    for n in 0..70 {
        assert_eq!(post("/sign-in", &right).await, 503, "{n}");
    }
    log.away.store(false, Ordering::SeqCst);
    let wrong = [("handle", "olive"), ("password", "a guess of many")];
    for n in 0..9 {
        assert_eq!(post("/sign-in", &wrong).await, 422, "{n}");
    }
    assert_eq!(post("/sign-in", &right).await, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_that_make_no_account_use_up_no_tries() {
    let folder = tempdir().unwrap();
    let log = Embedded::open(folder.path()).unwrap();
    let log = Arc::new(NoPasswords { log, away: AtomicBool::new(false) });
    let here = set_up_on(folder.path(), log.clone()).await;
    let post = served(&here.node).await;
    let join = format!("/join/{}", here.node.join_token().await.unwrap());
    let person = |handle| [("name", "Zoe"), ("handle", handle), ("password", "a long password")];
    // One is left.
    let now = here.node.uptime_ms();
    while here.node.auth.try_join(HERE, now).is_ok() {}
    here.node.auth.give_back_join(HERE, now);
    for n in 0..20 {
        assert_eq!(post(&join, &person("olive")).await, 422, "{n}: that handle is taken");
        assert_eq!(post(&join, &person("no handle")).await, 422, "{n}");
    }
    log.away.store(true, Ordering::SeqCst);
    for n in 0..20 {
        assert_eq!(post(&join, &person("zoe")).await, 503, "{n}");
    }
    log.away.store(false, Ordering::SeqCst);
    assert_eq!(post(&join, &person("zoe")).await, 303);
}
