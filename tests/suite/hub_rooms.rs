//! What the hub keeps: rooms that somebody reads or watches, connections that are there, and a budget of frames.

use crate::support::awaited::until;
use crate::support::backend::Backend;
use crate::support::pass_on::pass_on;
use crate::support::server::TestClient;
use crate::support::{TestNode, set_up, set_up_on};
use beck::protocol::frame::Draft;
use beck::protocol::{ClientId, RoomId};
use beck::server::broker::{Broker, BrokerError, Head, SharedBroker};
use beck::server::hub::{HubCounts, Pulled};
use beck::server::state::Floor;
use beck::server::{rooms, router, serve};
use futures::future::BoxFuture;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::tempdir;

const NOTHING: HubCounts = HubCounts { rooms: 0, accounts: 0, connections: 0, ring_bytes: 0 };

pub async fn serve_in_process(here: &TestNode) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let app = router::router(here.node.clone(), None);
    tokio::spawn(serve::serve(here.node.clone(), app, listener, std::future::pending()));
    host
}

pub async fn cookie(here: &TestNode, account: beck::protocol::AccountId) -> String {
    format!("beck_login={}", here.node.sign_in(account).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_subscribes_to_rooms_that_are_not_there_leave_nothing() {
    const SOCKETS: usize = 84;
    // All that a socket may send at once.
    const EACH: usize = 120;
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let host = serve_in_process(&here).await;
    let hidden = rooms::create(&here.node, here.owner, "Not theirs", "").await.unwrap();
    let mut members = Vec::new();
    for name in ["ann", "bea", "cid"] {
        let member = here.member(name).await;
        members.push(cookie(&here, member).await);
    }
    let (mut asked, mut answered) = (0, 0);
    for n in 0..SOCKETS {
        let mut client = TestClient::connect_at(&host, &members[n % members.len()]).await;
        for n in 0..EACH {
            let room = if n % 10 == 0 { hidden } else { RoomId::random() };
            client.send(json!({ "t": "subscribe", "room": room })).await;
            asked += 1;
        }
        for _ in 0..EACH {
            let error = client.until("error").await;
            assert!(error["code"] == "not_found" || error["code"] == "throttled", "{error}");
            answered += 1;
        }
        assert_eq!(here.node.hub.counts().rooms, 1, "General is watched, and nothing else");
    }
    assert_eq!((asked, answered), (SOCKETS * EACH, SOCKETS * EACH));
    assert!(asked > 10_000);
    until("all of them are gone", || here.node.hub.counts() == NOTHING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_kept_while_somebody_reads_or_watches_it() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let host = serve_in_process(&here).await;
    let ann = here.member("ann").await;
    let mut made = Vec::new();
    for n in 0..5 {
        let room = rooms::create(&here.node, here.owner, &format!("Room {n}"), "").await.unwrap();
        rooms::join(&here.node, ann, room).await.unwrap();
        made.push(room);
    }
    let rooms_now = || here.node.hub.counts().rooms;
    let cookie = cookie(&here, ann).await;
    let mut client = TestClient::connect_at(&host, &cookie).await;
    assert_eq!(rooms_now(), 6);
    for room in &made {
        client.send(json!({ "t": "subscribe", "room": room })).await;
        client.until("subscribed").await;
    }
    // Written to, read, closed, read again: the room goes on as it was.
    for _ in 0..2 {
        let draft = Draft {
            id: ClientId::random(),
            room: made[0],
            thread: None,
            quote: None,
            text: "hello".into(),
            named: Default::default(),
        };
        rooms::post(&here.node, here.owner, draft).await.unwrap();
        client.until("event").await;
        client.send(json!({ "t": "unsubscribe", "room": made[0] })).await;
        client.send(json!({ "t": "people", "ids": [] })).await;
        client.until("people").await;
        assert_eq!(rooms_now(), 6, "a room that nobody reads is still watched");
        client.send(json!({ "t": "subscribe", "room": made[0] })).await;
        client.until("subscribed").await;
    }
    assert_eq!(rooms_now(), 6);
    for (left, room) in made.iter().enumerate() {
        if left % 2 == 0 {
            client.send(json!({ "t": "unsubscribe", "room": room })).await;
        }
        rooms::leave(&here.node, ann, *room).await.unwrap();
        while client.until("left").await["room"] != json!(room) {}
        until("the room was dropped", || rooms_now() == 5 - left).await;
    }
    // Nobody is there: what is written makes no room.
    drop(client);
    until("the connection is gone", || here.node.hub.counts() == NOTHING).await;
    here.post(here.owner, ClientId::random(), "to nobody").await;
    assert_eq!(here.node.hub.counts(), NOTHING);
    assert_eq!(here.node.presence.counts(), (0, 0));
}

/// Counts how often the log is asked where it ends.
struct Counting {
    log: SharedBroker,
    asked: AtomicUsize,
}

impl Broker for Counting {
    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, BrokerError>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.log.head()
    }

    pass_on!(create append read erase secret registers signals durability follow);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_asks_for_many_unknown_rooms_is_throttled_before_the_log_is_asked() {
    const ASKED: usize = 110;
    let backend = Backend::embedded();
    let log = Arc::new(Counting { log: backend.log().await, asked: AtomicUsize::new(0) });
    let here = set_up_on(backend.folder(), log.clone()).await;
    let host = serve_in_process(&here).await;
    let mut client = TestClient::connect_at(&host, &cookie(&here, here.owner).await).await;
    let before = log.asked.load(Ordering::SeqCst);
    for n in 0..ASKED {
        let (room, id) = (RoomId::random(), ClientId::random());
        client
            .send(match n % 5 {
                0 => json!({ "t": "subscribe", "room": room }),
                1 => json!({ "t": "page", "req": 1, "room": room, "at": "newest", "limit": 5 }),
                2 => json!({ "t": "fetch", "req": 1, "room": room, "after": 0, "to": 5 }),
                3 => json!({ "t": "headers", "req": 1, "room": room, "after": 0, "to": 5 }),
                _ => json!({ "t": "post", "id": id, "room": room, "text": "hello" }),
            })
            .await;
    }
    let (mut not_found, mut throttled, mut posts) = (0, 0, 0);
    while not_found + throttled < ASKED {
        let error = client.until("error").await;
        match error["code"].as_str() {
            Some("not_found") => {
                not_found += 1;
                posts += usize::from(error["id"].is_string());
            }
            Some("throttled") => throttled += 1,
            _ => panic!("{error}"),
        }
    }
    // For a post the log is asked once more, whether it has the draft already.
    let asked = log.asked.load(Ordering::SeqCst) - before;
    assert!(
        asked <= not_found + posts && not_found >= 20 && throttled > 0,
        "{asked}, {not_found}, {throttled}"
    );
    // Rooms of one's own are served as ever.
    client.send(json!({ "t": "subscribe", "room": here.general })).await;
    client.until("subscribed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rings_together_keep_a_budget_and_readers_lose_nothing() {
    const BUDGET: usize = 200 * 1024;
    const ROOMS: usize = 6;
    const POSTS: usize = 20;
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    here.node.hub.limit_rings(BUDGET);
    let host = serve_in_process(&here).await;
    let mut made = Vec::new();
    for n in 0..ROOMS {
        made.push(rooms::create(&here.node, here.owner, &format!("Room {n}"), "").await.unwrap());
    }
    let mut client = TestClient::connect_at(&host, &cookie(&here, here.owner).await).await;
    let mut heads = Vec::new();
    for room in &made {
        client.send(json!({ "t": "subscribe", "room": room })).await;
        heads.push(client.until("subscribed").await["head"]["seq"].as_u64().unwrap());
    }
    let mut written = 0;
    for room in &made {
        for _ in 0..POSTS {
            let text = "x".repeat(4 * 1024);
            written += text.len();
            let draft = Draft {
                id: ClientId::random(),
                room: *room,
                thread: None,
                quote: None,
                text,
                named: Default::default(),
            };
            rooms::post(&here.node, here.owner, draft).await.unwrap();
            assert!(here.node.hub.counts().ring_bytes <= BUDGET);
        }
    }
    assert!(written > 2 * BUDGET);
    let pulled =
        |n: usize| here.node.hub.room(made[n]).unwrap().pull(Floor::NONE, heads[n] + POSTS as u64 - 1, 1);
    assert!(matches!(pulled(0), Pulled::ReadTo(_)), "the oldest frames go first");
    assert!(matches!(pulled(ROOMS - 1), Pulled::Frames(frames) if frames.len() == 1), "the newest stay");
    let mut seen = [0; ROOMS];
    while seen.iter().sum::<usize>() < ROOMS * POSTS {
        let event = client.until("event").await;
        let room = made.iter().position(|room| event["room"] == json!(room)).unwrap();
        seen[room] += 1;
        assert_eq!(event["event"]["seq"].as_u64(), Some(heads[room] + seen[room] as u64));
    }
    drop(client);
    until("nothing is kept", || here.node.hub.counts() == NOTHING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_came_and_went_leave_nothing_behind() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let host = serve_in_process(&here).await;
    let mut cookies = vec![cookie(&here, here.owner).await];
    for name in ["ann", "bea"] {
        let member = here.member(name).await;
        cookies.push(cookie(&here, member).await);
    }
    for _ in 0..4 {
        let mut wave = Vec::new();
        for n in 0..60 {
            let mut client = TestClient::connect_at(&host, &cookies[n % 3]).await;
            client.send(json!({ "t": "watch", "people": [here.owner] })).await;
            client.send(json!({ "t": "typing", "room": here.general, "on": true })).await;
            client.send(json!({ "t": "subscribe", "room": here.general })).await;
            client.until("subscribed").await;
            wave.push(client);
        }
        assert_eq!(here.node.hub.counts().connections, 60);
        here.post(here.owner, ClientId::random(), "for all").await;
        drop(wave);
        until("all are gone", || here.node.hub.counts() == NOTHING).await;
        until("nobody is there", || here.node.presence.counts() == (0, 0)).await;
    }
}
