//! A server that has not read yet what another one has just written: before it says "no" it asks the log where it
//! ends, and reads on.

use crate::support::pass_on::pass_on;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, form_at};
use crate::support::{TestNode, config, set_up_on};
use beck::protocol::{ClientId, RoomId};
use beck::server::broker::redis::Redis;
use beck::server::broker::{Broker, BrokerError, Entry, Head, SharedBroker};
use beck::server::node::Node;
use beck::server::{rooms, router, serve};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::{TempDir, tempdir};
use tokio::sync::watch;

/// A log that gives no entry beyond a number to those who follow it, until somebody asks where it ends.
struct Held {
    log: SharedBroker,
    to: watch::Sender<u64>,
    asked: AtomicU64,
}

impl Held {
    /// Gives nothing of what comes from now on.
    async fn hold(&self) {
        self.to.send_replace(self.log.head().await.unwrap().map_or(0, |head| head.g));
    }

    fn holds(&self) -> bool {
        *self.to.borrow() != u64::MAX
    }
}

impl Broker for Held {
    fn follow(&self, after: Head, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        async move {
            loop {
                let mut entries = self.log.follow(after, limit).await?;
                let mut to = self.to.subscribe();
                entries.retain(|entry| entry.header.g <= *to.borrow_and_update());
                if !entries.is_empty() {
                    return Ok(entries);
                }
                let _ = to.changed().await;
            }
        }
        .boxed()
    }

    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, BrokerError>> {
        async move {
            let head = self.log.head().await;
            if self.holds() {
                self.asked.fetch_add(1, Ordering::SeqCst);
                self.to.send_replace(u64::MAX);
            }
            head
        }
        .boxed()
    }

    pass_on!(create append read erase secret registers signals durability);
}

/// Two nodes of one log: one that writes, and one behind it that serves.
struct Two {
    first: TestNode,
    held: Arc<Held>,
    behind: Arc<Node>,
    /// The address of the one behind.
    host: String,
    _store: RedisServer,
    _folders: [TempDir; 2],
}

impl Two {
    async fn start() -> Two {
        let store = RedisServer::start(Store::Redis);
        let folders = [tempdir().unwrap(), tempdir().unwrap()];
        let log: SharedBroker = Arc::new(Redis::open(&store.settings()).await.unwrap());
        let first = set_up_on(folders[0].path(), log).await;
        let log: SharedBroker = Arc::new(Redis::open(&store.settings()).await.unwrap());
        let held = Arc::new(Held { log, to: watch::Sender::new(u64::MAX), asked: AtomicU64::new(0) });
        let behind = Node::start(config(folders[1].path()), held.clone()).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let app = router::router(behind.clone(), None);
        tokio::spawn(serve::serve(behind.clone(), app, listener, std::future::pending()));
        Two { first, held, behind, host, _store: store, _folders: folders }
    }

    /// A room that the one behind has not read of.
    async fn new_room(&self, name: &str) -> RoomId {
        self.held.hold().await;
        let room = rooms::create(&self.first.node, self.first.owner, name, "").await.unwrap();
        // It may be on its way, but it cannot arrive.
        assert!(!self.behind.directory().rooms.contains_key(&room) && self.held.holds());
        room
    }

    async fn page(&self, path: &str, cookie: &str) -> (u16, String) {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let request = client.get(format!("http://{}{path}", self.host)).header("cookie", cookie);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_made_elsewhere_is_there_whoever_asks() {
    let two = Two::start().await;
    let (first, owner) = (&two.first, two.first.owner);
    let cookie = format!("beck_login={}", first.node.sign_in(owner).await.unwrap());
    let mut client = TestClient::connect_at(&two.host, &cookie).await;
    let mut asked = 0;
    // Whoever said "no" here without asking the log leaves it held.
    let mut told = |what: &str| {
        asked += 1;
        assert!(!two.held.holds(), "{what} did not ask where the log ends");
    };

    let room = two.new_room("by its page").await;
    let (status, text) = two.page(&format!("/r/{room}"), &cookie).await;
    assert_eq!((status, text.contains("by its page")), (200, true), "{text}");
    told("a page");

    let room = two.new_room("by subscribing").await;
    client.send(json!({ "t": "subscribe", "room": room })).await;
    assert_eq!(client.until("subscribed").await["room"], room.as_str());
    told("subscribe");

    let room = two.new_room("by posting").await;
    // Two at once keep their order.
    let ids = [ClientId::random(), ClientId::random()];
    for (id, text) in ids.iter().zip(["one", "two"]) {
        client.post(room.as_str(), &id.to_string(), text).await;
    }
    for (n, id) in ids.iter().enumerate() {
        let ack = client.until("ack").await;
        assert_eq!((&ack["id"], &ack["outcome"]["ordinal"]), (&json!(id), &json!(n + 1)), "{ack}");
    }
    told("a post");

    let room = two.new_room("by a form").await;
    let fields = [("client_id", &*ClientId::random().to_string()), ("text", "by a form")];
    let base = format!("http://{}", two.host);
    let (status, _, to) = form_at(&base, &format!("/r/{room}/post"), &cookie, &fields).await.unwrap();
    assert_eq!((status, to), (303, format!("/r/{room}")));
    told("a form");

    let room = two.new_room("by an act").await;
    let message = ClientId::random();
    let draft = beck::protocol::frame::Draft {
        id: message,
        room,
        thread: None,
        quote: None,
        text: "x".into(),
        named: Default::default(),
    };
    rooms::post(&first.node, owner, draft).await.unwrap();
    let act = json!({ "t": "act", "id": ClientId::random(), "room": room, "target": message, "slot": "pin",
        "value": true });
    client.send(act).await;
    assert_eq!(client.until("ack").await["outcome"]["is"], "stored");
    told("an act");

    for (frame, answer) in [
        (json!({ "t": "page", "req": 5, "at": "newest", "limit": 9 }), "page"),
        (json!({ "t": "fetch", "req": 5, "after": 0, "to": 9 }), "events"),
        (json!({ "t": "headers", "req": 5, "after": 0, "to": 9 }), "headers"),
    ] {
        let room = two.new_room(answer).await;
        let mut frame = frame;
        frame["room"] = json!(room);
        client.send(frame).await;
        let answered = loop {
            let frame = client.next().await.unwrap();
            if frame["req"] == 5 {
                break frame;
            }
        };
        assert_eq!(answered["t"], answer, "{answered}");
        told(answer);
    }

    // As of a position that is not here yet.
    two.held.hold().await;
    let id = ClientId::random();
    first.post(owner, id, "newer").await;
    let (general, epoch) = (first.general, first.node.epoch().unwrap());
    let head = first.node.state.read_anything(|state| state.room_head(general)).unwrap();
    let least = json!({ "epoch": epoch, "seq": head.seq, "chain": head.chain.to_string() });
    client
        .send(
            json!({ "t": "page", "req": 6, "room": general, "at": "newest", "limit": 9, "at_least": least }),
        )
        .await;
    let page = client.until("page").await;
    assert_eq!(page["page"]["rows"].as_array().unwrap().last().unwrap()["id"], json!(id), "{page}");
    told("a page as of a position");

    two.held.hold().await;
    let id = ClientId::random();
    first.post(owner, id, "is it stored?").await;
    client.send(json!({ "t": "outcome", "id": id })).await;
    assert_eq!(client.until("ack").await["outcome"]["is"], "stored");
    told("an outcome");

    assert_eq!(asked, 10);
    assert_eq!(two.held.asked.load(Ordering::SeqCst), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_was_made_elsewhere_is_signed_in_and_signs_in() {
    let two = Two::start().await;
    let base = format!("http://{}", two.host);
    two.held.hold().await;
    let guest = two.first.member("guest").await;
    let cookie = format!("beck_login={}", two.first.node.sign_in(guest).await.unwrap());
    let (status, text) = two.page("/rooms", &cookie).await;
    assert_eq!((status, text.contains("General")), (200, true), "{text}");
    assert!(!two.held.holds());

    two.held.hold().await;
    two.first.member("other").await;
    let fields = [("handle", "other"), ("password", "a long password")];
    let (status, cookie, _) = form_at(&base, "/sign-in", "", &fields).await.unwrap();
    assert_eq!((status, cookie.is_empty()), (303, false));
    assert!(!two.held.holds());

    // What is nowhere is nowhere, after one look at the log.
    two.held.hold().await;
    let asked = two.held.asked.load(Ordering::SeqCst);
    assert_eq!(two.page("/r/bcdfghjklm", &cookie).await.0, 404);
    assert_eq!(two.held.asked.load(Ordering::SeqCst), asked + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_was_made_elsewhere_is_not_set_up_again() {
    let store = RedisServer::start(Store::Redis);
    let folders = [tempdir().unwrap(), tempdir().unwrap()];
    let log = async || Arc::new(Redis::open(&store.settings()).await.unwrap()) as SharedBroker;
    let held =
        Arc::new(Held { log: log().await, to: watch::Sender::new(u64::MAX), asked: AtomicU64::new(0) });
    let behind = Node::start(config(folders[1].path()), held.clone()).await.unwrap();
    held.hold().await;
    let first = set_up_on(folders[0].path(), log().await).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();
    let app = router::router(behind.clone(), None);
    tokio::spawn(serve::serve(behind, app, listener, std::future::pending()));
    let token = first.node.sign_in(first.owner).await.unwrap();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let page = client.get(format!("http://{host}/r/{}", first.general));
    let answer = page.header("cookie", format!("beck_login={token}")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!held.holds());
}
