//! A server whose clock differs from that of the store: ends that stand in entries are by the clock of the store.

use crate::support::awaited::{awaited, until};
use crate::support::config;
use crate::support::pass_on::pass_on;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::TestClient;
use crate::support::store_line::StoreLine;
use beck::server::broker::embedded::Embedded;
use beck::server::broker::redis::{Redis, RedisSettings};
use beck::server::broker::{Broker, SharedBroker};
use beck::server::node::Node;
use beck::server::{accounts, now_ms, router, serve};
use std::sync::Arc;
use tempfile::tempdir;

/// A log whose clock is so far ahead of this machine's.
struct Ahead {
    log: SharedBroker,
    ms: i64,
}

impl Broker for Ahead {
    pass_on!(create append read erase secret registers signals durability follow head);

    fn clock_ahead_ms(&self) -> i64 {
        self.ms
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_ends_by_the_clock_that_times_entries() {
    const HOUR: i64 = 3_600_000;
    let mut ends = 0;
    for ms in [-HOUR, 0, HOUR] {
        let folder = tempdir().unwrap();
        let log: SharedBroker = Arc::new(Ahead { log: Arc::new(Embedded::open(folder.path()).unwrap()), ms });
        let node = Node::start(config(folder.path()), log.clone()).await.unwrap();
        let new = accounts::NewAccount { name: "Olive Owner", handle: "olive", password: "a long password" };
        let (owner, _) = accounts::set_up(&node, "Test Place", new).await.unwrap();
        let earliest = now_ms() + ms + 8_000;
        accounts::set_status(&node, owner, "soon back", false, Some(8_000)).await.unwrap();
        let latest = now_ms() + ms + 8_000;
        let status = node.directory().accounts[&owner].status.clone();
        let until = status.until.unwrap();
        assert!((earliest..=latest).contains(&until), "{ms}: {until} is not in {earliest}..={latest}");
        // By that clock it stands now and has ended at its end, whatever this machine's clock says.
        assert_eq!(status.at(node.log_now_ms()).text, "soon back");
        ends += 1;

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let app = router::router(node.clone(), None);
        tokio::spawn(serve::serve(node.clone(), app, listener, std::future::pending()));
        // So it stands on the page and on a socket too, where an hour ago by this machine's clock is long over.
        accounts::set_status(&node, owner, "back in a while", false, Some(30 * 60_000)).await.unwrap();
        let cookie = format!("beck_login={}", node.sign_in(owner).await.unwrap());
        let page = reqwest::Client::new().get(format!("http://{host}/account")).header("cookie", &cookie);
        let page = page.send().await.unwrap().text().await.unwrap();
        assert!(page.contains("back in a while"), "{ms}: {page}");
        let mut client = TestClient::upgrade(&host, &cookie).await;
        client.send(serde_json::json!({ "t": "hello", "version": 1 })).await;
        let told = awaited("who one is", client.until("presence")).await;
        assert_eq!(told["people"][0]["status"]["text"], "back in a while", "{ms}: {told}");
    }
    assert_eq!(ends, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_finds_out_how_far_the_clock_of_its_store_is_ahead() {
    let store = RedisServer::start(Store::Redis);
    for seconds in [-3_600, 3_600] {
        let line = StoreLine::start(store.port).await;
        line.set_clock_ahead(seconds);
        let log = Redis::open(&RedisSettings::at("127.0.0.1", line.port())).await.unwrap();
        // Both clocks are this machine's, so that the rest is what the answer took.
        until("the clocks are compared", || (log.clock_ahead_ms() - seconds * 1_000).abs() < 1_000).await;
        assert!(line.shifted() > 0);
    }
}
