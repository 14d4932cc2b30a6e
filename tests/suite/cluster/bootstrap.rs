//! A server with an empty folder on a long log, and one that cannot keep up: both say how far they are.

use crate::servers::Cluster;
use crate::support::checker::WholeRoom;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, TestServer};
use crate::support::store_line::StoreLine;
use crate::support::{furnish_on, log_reader};
use beck::protocol::{AccountId, ClientId, Kind, MessageBody, RoomId};
use beck::server::broker::redis::Redis;
use beck::server::broker::{Broker, Proposal};
use std::sync::Arc;
use tempfile::tempdir;

const MESSAGES: usize = 20_000;
const MORE: usize = 8_000;
/// Bytes a second: some 600 entries, so that the log takes longer than a server waits before it listens.
const SLOW: u64 = 200_000;

async fn fill(log: &Redis, by: AccountId, room: RoomId, messages: usize) {
    for first in (0..messages).step_by(250) {
        let message = |n: usize| {
            let body = MessageBody { text: format!("line {n} at the wharf"), quote: None, said: None };
            Proposal::new(by, ClientId::random(), Kind::Message, &body).room(room)
        };
        log.append((first..first + 250).map(message).collect()).await.unwrap();
    }
}

/// The two numbers of "Reading the log: 5 of 9 entries."
fn progress(text: &str) -> (u64, u64) {
    let mut numbers = text.split(' ').filter_map(|word| word.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_how_far_it_has_read_and_never_that_something_is_not_there() {
    let store = RedisServer::start(Store::Redis);
    let folder = tempdir().unwrap();
    let log = Redis::open(&store.settings()).await.unwrap();
    let place = furnish_on(folder.path(), Arc::new(log), 2).await;
    let (room, cookie) = (place.general, &place.people[1].1);
    let log = Redis::open(&store.settings()).await.unwrap();
    fill(&log, place.people[0].0, room, MESSAGES).await;
    let end = log.head().await.unwrap().unwrap().g;

    let line = StoreLine::start(store.port).await;
    line.slow_down(SLOW);
    let folder = tempdir().unwrap();
    let server = TestServer::start_set(folder.path(), &[("REDIS_URL", &line.url())]).0;
    let cluster = Cluster { store, servers: vec![server], folders: vec![folder], lines: vec![line] };
    let server = &cluster.servers[0];

    let (mut red, mut last) = (0, 0);
    while red < 5 {
        let (status, text) = cluster.readiness(0).await;
        assert_eq!(status, 503, "{text}");
        let (read, of) = progress(&text);
        assert!(read < of && of == end && read >= last, "{text}");
        red += usize::from(read > last);
        last = read;
        // Whatever is asked for: not yet, and no word of its not being there, nor an open door.
        for path in ["/", "/setup", "/sign-in", "/rooms", &format!("/r/{room}"), "/r/bbbbbbbbbb", "/nothing"]
        {
            let (status, location, text) = server.page(path, cookie).await;
            assert_eq!((status, location.as_str()), (503, ""), "{path}: {text}");
            assert!(text.starts_with("Beck is reading its log: "), "{path}: {text}");
        }
        let id = ClientId::random().to_string();
        let fields = [("client_id", id.as_str()), ("text", "too early")];
        let posted = server.post(&format!("/r/{room}/post"), cookie, &fields, &[]).await;
        assert_eq!((posted.status().as_u16(), posted.headers().contains_key("retry-after")), (503, true));
        assert_eq!(server.page("/ws", cookie).await.0, 503);
        assert_eq!(server.page("/healthz", "").await.0, 200);
    }
    assert_eq!(log.head().await.unwrap().unwrap().g, end, "something was stored");
    cluster.lines[0].mend();
    cluster.until_ready_is(0, 200, "ready").await;
    assert_eq!(server.page(&format!("/r/{room}"), cookie).await.0, 200);
    let mut client = TestClient::connect(server, cookie).await;
    assert_eq!(WholeRoom::read(&mut client, room).await.messages.len(), MESSAGES);

    // Read once it keeps up by itself; held back it says so, and goes on serving what it has.
    cluster.lines[0].slow_down(SLOW);
    fill(&log, place.people[0].0, room, MORE).await;
    let text = cluster.until_ready_is(0, 503, "Reading the log: ").await;
    let (read, of) = progress(&text);
    assert!(read < of && of <= end + MORE as u64, "{text}");
    assert_eq!(server.page(&format!("/r/{room}"), cookie).await.0, 200);
    cluster.lines[0].mend();
    cluster.until_ready_is(0, 200, "ready").await;
    let mut client = TestClient::connect(server, cookie).await;
    assert_eq!(WholeRoom::read(&mut client, room).await.messages.len(), MESSAGES + MORE);
    assert!(cluster.lines[0].carried() > 28_000 * 150, "the log went over the line");
    log_reader::assert_whole(&log_reader::read_store(cluster.store.port));
}
