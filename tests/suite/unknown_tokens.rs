//! What a request costs the store whose token nobody has: a login, a link to join, a link that signs in.

use crate::support::pass_on::pass_on;
use crate::support::set_up_on;
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, BrokerError, Secret, SecretOp};
use beck::server::{router, serve};
use futures::future::BoxFuture;
use reqwest::redirect::Policy;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::tempdir;

/// Counts reads and writes of secrets.
struct Counting {
    log: Embedded,
    reads: AtomicUsize,
    writes: AtomicUsize,
}

impl Broker for Counting {
    fn secret(&self, key: String, op: SecretOp) -> BoxFuture<'_, Result<Option<Secret>, BrokerError>> {
        let count = if op == SecretOp::Get { &self.reads } else { &self.writes };
        count.fetch_add(1, Ordering::SeqCst);
        self.log.secret(key, op)
    }

    pass_on!(create append read erase registers signals durability follow head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_nobody_has_costs_few_reads_by_key_and_no_write_and_a_malformed_one_none() {
    let folder = tempdir().unwrap();
    let log = Embedded::open(folder.path()).unwrap();
    let log = Arc::new(Counting { log, reads: AtomicUsize::new(0), writes: AtomicUsize::new(0) });
    let here = set_up_on(folder.path(), log.clone()).await;
    here.node.join_token().await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = router::router(here.node.clone(), None);
    tokio::spawn(serve::serve(here.node.clone(), app, listener, std::future::pending()));
    let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    for (token, most) in [("0".repeat(64), 2), ("0".repeat(63), 0), ("x".repeat(64), 0)] {
        let (cookie, bearer) = (format!("beck_login={token}"), format!("Bearer {token}"));
        let (join, enter) = (format!("/join/{token}"), format!("/enter/{token}"));
        let asked: [(&str, &str, &str); 8] = [
            ("GET", "/account", &cookie),
            ("GET", "/sign-in", &cookie),
            ("GET", "/api/v1/login", &cookie),
            ("GET", "/api/v1/login", &bearer),
            ("POST", "/rooms", &cookie),
            ("POST", &join, ""),
            ("GET", &enter, ""),
            ("POST", &enter, ""),
        ];
        for (method, path, login) in asked {
            let (reads, writes) = (log.reads.load(Ordering::SeqCst), log.writes.load(Ordering::SeqCst));
            let request = client.request(method.parse().unwrap(), format!("{base}{path}"));
            let name = if login.starts_with("Bearer") { "authorization" } else { "cookie" };
            let request = request.header("origin", &base).header(name, login);
            let request = if method == "POST" { request.form(&[("name", "Zoe")]) } else { request };
            let status = request.send().await.unwrap().status().as_u16();
            assert!(matches!(status, 200 | 303 | 401 | 410 | 422), "{method} {path}: {status}");
            let reads = log.reads.load(Ordering::SeqCst) - reads;
            let writes = log.writes.load(Ordering::SeqCst) - writes;
            assert!(reads <= most && writes == 0, "{method} {path} {login}: {reads} reads, {writes} writes");
        }
    }
}
