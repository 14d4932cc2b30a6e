//! A server whose clock differs from that of the store stores nothing, says so, and goes on when the clocks agree.

use crate::conformance::workspace;
use crate::doctor::{bundle, doctor, private_folder};
use crate::servers::Cluster;
use crate::support::awaited::{awaited, until};
use crate::support::checker::{WholeRoom, calm};
use crate::support::engine::Engine;
use crate::support::erasing::delete_by_operator;
use crate::support::log_reader;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::TestClient;
use crate::support::store_line::{StoreLine, Way};
use crate::support::{assert_linked, config_of, furnish_on, read_all, room_proposal, set_up_with};
use beck::protocol::{AccountId, ActDraft, ActValue, ClientId, Format, RoomId};
use beck::server::broker::redis::{Clocks, Redis, RedisSettings};
use beck::server::broker::{Broker, BrokerError};
use beck::server::node::ERASE_AFTER_MS;
use beck::server::readiness::UnreadyState;
use beck::server::rooms;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::tempdir;

/// How many appends the store itself has refused because of a clock.
fn refused(store: &RedisServer) -> u64 {
    let said = store.command(&["INFO", "errorstats"]);
    let line = said.lines().find_map(|line| line.strip_prefix("errorstat_BECKCLOCK:count="));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

/// A log that is reached by a line of its own.
async fn over_a_line(kind: Store) -> (RedisServer, StoreLine, Redis) {
    let store = RedisServer::start(kind);
    let line = StoreLine::start(store.port).await;
    let log = Redis::open(&RedisSettings::at("127.0.0.1", line.port())).await.unwrap();
    log.create(workspace()).await.unwrap();
    (store, line, log)
}

#[test]
fn clocks_differ_only_if_the_way_of_the_answer_cannot_explain_it() {
    let mut differing = 0;
    for (ahead_ms, error_ms, differs) in [
        (60_000, 0, false),
        (60_001, 0, true),
        (-60_000, 0, false),
        (-60_001, 0, true),
        (90_000, 30_000, false),
        (90_001, 30_000, true),
        (-90_000, 30_000, false),
        (-90_001, 30_000, true),
        (i64::MAX, i64::MAX, false),
    ] {
        let fault = Clocks { ahead_ms, error_ms }.fault();
        assert_eq!(fault.is_some(), differs, "{ahead_ms} {error_ms}");
        differing += u64::from(fault.is_some_and(|fault| fault.state == UnreadyState::Clock));
    }
    assert_eq!(differing, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_by_more_than_a_minute_stores_nothing() {
    for kind in [Store::Redis, Store::Valkey] {
        let (store, line, log) = over_a_line(kind).await;
        let post = async || log.append(vec![room_proposal(AccountId::random(), "a room")]).await;
        let (mut stored, mut expected) = (1, 0);
        for (seconds, fits) in [(50, true), (-50, true), (70, false), (-70, false), (3_600, false), (0, true)]
        {
            line.set_clock_ahead(seconds);
            let (appended, tried) = (post().await, log.try_append().await);
            stored += u64::from(fits);
            expected += u64::from(!fits);
            for done in [appended.map(drop), tried, log.look()] {
                match done {
                    Ok(()) => assert!(fits, "{seconds}"),
                    Err(BrokerError::Unready(why)) => {
                        assert!(!fits && why.state == UnreadyState::Clock, "{why}")
                    }
                    Err(fault) => panic!("{seconds}: {fault}"),
                }
            }
            // What cannot be written can be read.
            assert_eq!(read_all(&log).await.len() as u64, stored, "{seconds}");
            assert_eq!(refused(&store), expected, "{seconds}");
        }
        assert_eq!(expected, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn time_in_a_queue_does_not_count() {
    let (store, line, log) = over_a_line(Store::Redis).await;
    let append = async |count: u64| {
        let rooms = (0..count).map(|n| room_proposal(AccountId::random(), &format!("room {n}")));
        let rooms: Vec<_> = rooms.collect();
        let ids: Vec<_> = rooms.iter().map(|room| room.client_id).collect();
        log.append(rooms).await.unwrap();
        ids
    };
    let mut all = vec![read_all(&log).await[0].header.client_id];
    // Not long enough; the only one; the first, one in the middle and the last of a pipeline; some of them.
    for (count, aged, seconds, expected) in
        [(1, 0..1, 55, 0), (1, 0..1, 70, 1), (20, 0..1, 70, 2), (20, 7..8, 70, 3), (20, 19..20, 3_600, 4)]
    {
        line.age_appends(aged, seconds);
        all.extend(append(count).await);
        // Of what stands behind it in the pipeline the store says that the entry before it is missing.
        assert_eq!(refused(&store), expected);
        log.look().unwrap();
    }
    let entries = read_all(&log).await;
    assert_linked(&entries);
    let ids: Vec<_> = entries.iter().map(|entry| entry.header.client_id).collect();
    assert_eq!(ids, all, "each once, in the order of the calls");

    // One that is under way for too long each time is given up, and the clocks are right all the same.
    line.age_appends(0..1_000, 70);
    let given_up = log.append(vec![room_proposal(AccountId::random(), "never")]).await;
    assert!(matches!(given_up, Err(BrokerError::Refused(_))), "{given_up:?}");
    log.look().unwrap();
    assert_eq!(read_all(&log).await.len(), all.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_erased_while_the_clocks_differ() {
    for format in [Format::Four, Format::Five] {
        nothing_is_erased(format).await;
    }
}

async fn nothing_is_erased(format: Format) {
    let store = RedisServer::start(Store::Redis);
    let line = StoreLine::start(store.port).await;
    let log = Redis::open(&RedisSettings::at("127.0.0.1", line.port())).await.unwrap();
    let folder = tempdir().unwrap();
    let here = set_up_with(config_of(folder.path(), format), Arc::new(log)).await;
    let target = ClientId::random();
    here.post(here.owner, target, "a text").await;
    let (id, slot, value) = (ClientId::random(), "deleted".into(), ActValue::On(true));
    rooms::act(
        &here.node,
        here.owner,
        ActDraft { id, room: here.general, target, slot, value, named: Default::default() },
    )
    .await
    .unwrap();
    here.post(here.owner, ClientId::random(), "the newest keeps its body").await;
    // From format 5 on the log knows the time by itself; what the operator deleted is due at once.
    if format >= Format::Five {
        delete_by_operator(&here.node, target).await;
    }
    let due = beck::server::now_ms() + ERASE_AFTER_MS + 60_000;
    let has_text = async || {
        here.log().await.iter().any(|entry| entry.header.client_id == target && entry.body.is_some())
    };
    for seconds in [3_600, -3_600] {
        line.set_clock_ahead(seconds);
        here.node.erase_due(due).await.unwrap_err();
        assert!(has_text().await);
    }
    line.set_clock_ahead(0);
    // Until the server has looked at the store's clock again, the newest entry may seem to come from later.
    let erased = async {
        loop {
            match here.node.erase_due(due).await {
                Ok(erased) => break erased,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    assert_eq!(awaited("it is erased", erased).await, 1);
    here.node.wait_removed().await;
    assert!(!has_text().await);
}

/// Two servers on one store, each over a line of its own, and somebody on the first.
struct Two {
    cluster: Cluster,
    room: RoomId,
    cookie: String,
    engine: Engine,
    reader: TestClient,
    texts: HashMap<String, String>,
}

impl Two {
    async fn start() -> Two {
        let store = RedisServer::start(Store::Redis);
        let folder = tempdir().unwrap();
        let log = Redis::open(&store.settings()).await.unwrap();
        let place = furnish_on(folder.path(), Arc::new(log), 1).await;
        let cluster = Cluster::start_with_lines(store, 2).await;
        let ((account, cookie), room) = (place.people[0].clone(), place.general);
        let engine = Engine::start(cluster.servers[0].host(), account, &cookie, room);
        let reader = TestClient::connect(&cluster.servers[0], &cookie).await;
        let mut here = Two { cluster, room, cookie, engine, reader, texts: HashMap::new() };
        here.write(3);
        here.is_calm().await;
        here
    }

    fn write(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let (id, text) = (ClientId::random(), format!("engine, {}", self.texts.len()));
            self.texts.insert(id.to_string(), text.clone());
            self.engine.write(id, self.room, text);
            ids.push(id.to_string());
        }
        ids
    }

    async fn is_calm(&mut self) {
        calm(&mut self.reader, self.room, std::slice::from_ref(&self.engine), &[]).await;
    }

    fn in_log(&self, id: &str) -> usize {
        let entries = log_reader::read_store(self.cluster.store.port);
        entries.iter().filter(|entry| entry.client_id() == id).count()
    }

    /// Both servers show what was written, each message once.
    async fn assert_holds_all(&mut self) {
        self.is_calm().await;
        let mut whole = Vec::new();
        for server in &self.cluster.servers {
            let mut reader = TestClient::connect(server, &self.cookie).await;
            whole.push(WholeRoom::read(&mut reader, self.room).await);
        }
        assert_eq!(whole[0], whole[1]);
        whole[0].assert_holds(&self.texts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_clock_is_wrong_keeps_drafts_waiting_and_is_ready_again_by_itself() {
    let mut here = Two::start().await;
    let sentence = UnreadyState::Clock.sentence();
    let mut held = Vec::new();
    for seconds in [3_600, -3_600] {
        here.cluster.lines[0].set_clock_ahead(seconds);
        let before = refused(&here.cluster.store);
        let ids = here.write(4);
        let said = here.cluster.until_ready_is(0, 503, sentence).await;
        assert!(said.contains("3600 s") || said.contains("3599 s"), "{said}");
        until("appends are refused", || refused(&here.cluster.store) >= before + 2).await;
        // Whoever posts is told so, and the other server takes it.
        let (id, text) = (ClientId::random().to_string(), format!("reader, {}", here.texts.len()));
        let room = here.room.to_string();
        here.reader.post(&room, &id, &text).await;
        let told = awaited("the refusal", here.reader.until("error")).await;
        assert_eq!((&told["id"], &told["code"]), (&json!(id), &json!("unavailable")), "{told}");
        assert!(told["message"].as_str().unwrap().contains("the clock of the server is wrong"), "{told}");
        assert_eq!(here.cluster.readiness(1).await.0, 200);
        let mut other = TestClient::connect(&here.cluster.servers[1], &here.cookie).await;
        other.post(&room, &id, &text).await;
        let stored = awaited("the other server stores it", other.until("ack")).await;
        here.texts.insert(id.clone(), text);
        // Reading goes on where nothing is stored, of what comes now too.
        let seq = stored["outcome"]["seq"].as_u64().unwrap();
        until("it is read", || here.engine.place().0 >= seq).await;
        assert_eq!(here.cluster.servers[0].page(&format!("/r/{room}"), &here.cookie).await.0, 200);
        for id in &ids {
            assert_eq!(here.in_log(id), 0, "nothing was stored");
        }
        held.extend(ids);

        let (folder, beside) = (private_folder(), tempdir().unwrap());
        let (folder, bundle) = (folder.path().to_str().unwrap(), bundle(beside.path()));
        let url = here.cluster.lines[0].url();
        let set = [("REDIS_URL", url.as_str()), ("DATA_DIR", folder)];
        let set = [&set[..], &[("DIOXUS_PUBLIC_PATH", bundle.to_str().unwrap())]].concat();
        let said = doctor(&[], &set);
        assert!(
            said.bad.iter().any(|bad| bad == "fault clock") && said.text.contains(sentence),
            "{}",
            said.text
        );

        here.cluster.lines[0].set_clock_ahead(0);
        here.cluster.until_ready_is(0, 200, "ready").await;
        here.assert_holds_all().await;
    }
    assert_eq!(held.len(), 8);
    for id in &held {
        assert_eq!(here.in_log(id), 1, "nothing was stored twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_with_a_wrong_clock_says_so_and_can_be_read() {
    let mut here = Two::start().await;
    here.cluster.servers[1].kill();
    here.cluster.lines[1].set_clock_ahead(3_600);
    here.cluster.servers[1] = here.cluster.serve(1);
    here.cluster.until_ready_is(1, 503, UnreadyState::Clock.sentence()).await;
    let mut reader = TestClient::connect(&here.cluster.servers[1], &here.cookie).await;
    assert_eq!(reader.all_rows(&here.room, 100).await.len(), here.texts.len());
    assert_eq!(refused(&here.cluster.store), 0, "nobody had to post to find it out");
    here.cluster.lines[1].set_clock_ahead(0);
    here.cluster.until_ready_is(1, 200, "ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_may_be_stored_is_not_called_refused_by_a_wrong_clock() {
    let mut here = Two::start().await;
    here.cluster.lines[0].lose(Way::ToServer);
    let id = here.write(1).remove(0);
    until("it is stored, and no answer comes", || here.in_log(&id) > 0).await;
    let (before, asked) = (refused(&here.cluster.store), ClientId::random().to_string());
    here.cluster.lines[0].set_clock_ahead(3_600);
    here.cluster.lines[0].deliver();
    here.cluster.until_ready_is(0, 503, UnreadyState::Clock.sentence()).await;
    let room = here.room.to_string();
    here.reader.post(&room, &asked, "not now").await;
    awaited("the refusal", here.reader.until("error")).await;
    assert!(refused(&here.cluster.store) > before);
    assert_eq!(here.in_log(&asked), 0);
    here.cluster.lines[0].set_clock_ahead(0);
    here.cluster.until_ready_is(0, 200, "ready").await;
    here.assert_holds_all().await;
}
