//! Servers that read different formats on one store: the log rises when all of them read the newer one, not before.

use crate::support::awaited::{awaited, until};
use crate::support::redis::{RedisServer, Store};
use crate::support::{assert_linked, config, read_all};
use beck::protocol::frame::Draft;
use beck::protocol::{AccountId, ClientId, Format, Kind, Outcome, Pointer, RoomId};
use beck::server::admin::{Ask, carry_out};
use beck::server::broker::redis::{Redis, SignalTimes};
use beck::server::broker::{Broker, BrokerError, Head, Proposal, SecretOp};
use beck::server::error::AppError;
use beck::server::node::{Node, Readiness};
use beck::server::readiness::UnreadyState;
use beck::server::{accounts, rooms};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};

const BEAT: Duration = Duration::from_millis(100);
/// Long beside the beat, so that no server that lives is forgotten on a slow machine.
const FORGOTTEN: Duration = Duration::from_secs(4);

/// One store, and the folders of its servers.
struct Here {
    store: RedisServer,
    folders: Vec<TempDir>,
}

impl Here {
    fn start() -> Here {
        Here { store: RedisServer::start(Store::Redis), folders: Vec::new() }
    }

    /// A server that reads no format newer than this one.
    async fn server(&mut self, newest: Format) -> Arc<Node> {
        let folder = tempdir().unwrap();
        let mut config = config(folder.path());
        self.folders.push(folder);
        config.redis = Some(self.store.settings());
        (config.newest_format, config.heartbeat, config.forget_servers_after) = (newest, BEAT, FORGOTTEN);
        let times = SignalTimes { beat: BEAT, echo: Duration::from_secs(10) };
        let log = Redis::open_with(&self.store.settings(), newest, times).await.unwrap();
        Node::start(config, Arc::new(log)).await.unwrap()
    }

    async fn log(&self) -> Redis {
        Redis::open(&self.store.settings()).await.unwrap()
    }
}

async fn set_up(node: &Arc<Node>) -> (AccountId, RoomId) {
    let new = accounts::NewAccount { name: "Olive Owner", handle: "olive", password: "a long password" };
    accounts::set_up(node, "Test Place", new).await.unwrap()
}

async fn post(node: &Arc<Node>, by: AccountId, room: RoomId, id: ClientId) -> Result<Outcome, AppError> {
    let text = format!("message {id}");
    rooms::post(node, by, Draft { id, room, thread: None, quote: None, text, named: Default::default() })
        .await
}

fn formats(nodes: &[&Arc<Node>]) -> Vec<Format> {
    nodes.iter().map(|node| node.directory().format()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_rises_by_itself_under_load_once_the_last_server_that_cannot_read_it_is_gone() {
    let mut here = Here::start();
    let old = here.server(Format::Four).await;
    let (owner, room) = set_up(&old).await;
    let nodes = [here.server(Format::Five).await, here.server(Format::Five).await];
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for node in &nodes {
        let (node, stop) = (node.clone(), stop.clone());
        writers.push(tokio::spawn(async move {
            let mut written = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                let id = ClientId::random();
                let outcome = post(&node, owner, room, id).await.unwrap();
                assert!(matches!(outcome, Outcome::Stored { .. }), "{outcome:?}");
                written.push(id);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            written
        }));
    }
    // The two have heard signals for long enough, and one server among them that reads format 4.
    until("signals are heard for long", || {
        nodes.iter().all(|node| {
            let heard = node.peers.heard(Instant::now());
            heard.since.is_some_and(|since| since.elapsed() > FORGOTTEN * 2)
        })
    })
    .await;
    assert_eq!(formats(&[&nodes[0], &nodes[1], &old]), [Format::Four; 3]);
    drop(old);
    until("the log rises", || formats(&[&nodes[0], &nodes[1]]) == [Format::Five; 2]).await;
    // Some more, written in format 5.
    let head = nodes[0].folded();
    until("writing goes on", || nodes[0].folded() > head + 20).await;
    stop.store(true, Ordering::SeqCst);
    let mut written = Vec::new();
    for writer in writers {
        written.extend(awaited("the writer ends", writer).await.unwrap());
    }
    let entries = read_all(&here.log().await).await;
    assert_linked(&entries);
    let messages: Vec<_> =
        entries.iter().filter(|e| e.header.kind == Kind::Message).map(|e| e.header.client_id).collect();
    assert_eq!(messages.len(), messages.iter().collect::<HashSet<_>>().len(), "nothing is doubled");
    assert_eq!(messages.iter().collect::<HashSet<_>>(), written.iter().collect::<HashSet<_>>());
    let raises: Vec<_> = entries.iter().filter(|e| e.header.kind == Kind::Format).collect();
    // Each of the two may have proposed it in the same moment.
    assert!((1..=2).contains(&raises.len()), "{raises:?}");
    let workspace = nodes[0].epoch().unwrap();
    assert!(raises.iter().all(|e| e.header.author.as_str() == workspace.as_str() && e.json() == Some("5")));
    let raised = raises[0].header.g;
    assert!(messages.len() as u64 > entries.len() as u64 - raised && entries.len() as u64 > raised);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stopped_at_a_format_writes_nothing_more() {
    let mut here = Here::start();
    let old = here.server(Format::Four).await;
    let (owner, room) = set_up(&old).await;
    let message = ClientId::random();
    post(&old, owner, room, message).await.unwrap();
    let log = here.log().await;
    let workspace = old.epoch().unwrap().as_str().parse().unwrap();
    let raise = Proposal::new(workspace, ClientId::random(), Kind::Format, &5);
    log.append(vec![raise, crate::support::room_proposal(owner, "for a newer one")]).await.unwrap();
    until(
        "it stops",
        || matches!(old.standstill(), Readiness::Unready(why) if why.state == UnreadyState::NewerFormat),
    )
    .await;
    let entries = read_all(&log).await;
    let keys = here.store.command(&["DBSIZE"]);

    fn stopped<T: std::fmt::Debug>(done: Result<T, BrokerError>) {
        match done {
            Err(BrokerError::Unready(why)) => assert_eq!(why.state, UnreadyState::NewerFormat),
            other => panic!("{other:?}"),
        }
    }
    let proposal = || crate::support::room_proposal(owner, "late");
    stopped(old.broker.append(vec![proposal()]).await);
    stopped(old.broker.create(proposal()).await);
    stopped(old.broker.try_append().await);
    stopped(old.broker.erase(vec![Head::default()]).await);
    let put = SecretOp::Put { value: "v".into(), if_version: 0, expires: None };
    stopped(old.broker.secret("late".into(), put).await);
    stopped(old.broker.secret("late".into(), SecretOp::Delete).await);
    let raise = vec![("read:x:0".to_owned(), Pointer { generation: 0, ordinal: 1 })];
    stopped(old.broker.registers(owner, raise).await);
    assert!(post(&old, owner, room, ClientId::random()).await.is_err());
    assert!(old.erase_due(i64::MAX / 2).await.is_err());
    assert!(old.sign_in(owner).await.is_err());
    // What it has stored already it can say.
    assert!(matches!(post(&old, owner, room, message).await, Ok(Outcome::Stored { .. })));
    assert_eq!(old.broker.registers(owner, Vec::new()).await.unwrap(), Vec::new());
    assert_eq!(read_all(&log).await, entries);
    assert_eq!(here.store.command(&["DBSIZE"]), keys);
    let said = carry_out(&old, &Ask::RaiseFormat).await.unwrap_err();
    assert!(said.contains("the log is of format 5; this version reads format 4"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_server_of_a_store_raises_the_log_by_itself_after_long_enough() {
    let mut here = Here::start();
    let old = here.server(Format::Four).await;
    let (owner, room) = set_up(&old).await;
    drop(old);
    let node = here.server(Format::NEWEST).await;
    let lines = Mutex::new(Vec::new());
    node.rise_at_start(node.prepare_rise().await, |line| lines.lock().unwrap().push(line)).await;
    let expected = format!(
        "The log has format 4. It rises to format {} by itself once every server of this Redis has read that format for 0 minutes.",
        Format::NEWEST.number()
    );
    assert_eq!(*lines.lock().unwrap(), [expected]);
    // Until then it writes as the server before it.
    post(&node, owner, room, ClientId::random()).await.unwrap();
    let format = node.directory().format();
    if node.peers.heard(Instant::now()).since.is_none_or(|since| since.elapsed() < FORGOTTEN) {
        assert_eq!(format, Format::Four);
    }
    until("the log rises", || node.directory().format() == Format::NEWEST).await;
    let heard = node.peers.heard(Instant::now());
    assert!(heard.since.is_some_and(|since| since.elapsed() >= FORGOTTEN));
    lines.lock().unwrap().clear();
    node.rise_at_start(node.prepare_rise().await, |line| lines.lock().unwrap().push(line)).await;
    assert_eq!(*lines.lock().unwrap(), [""; 0], "the next start says nothing of it");
    post(&node, owner, room, ClientId::random()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raise_names_the_servers_that_announce_nothing_and_says_that_they_have_to_end() {
    let mut here = Here::start();
    let node = here.server(Format::Five).await;
    let old = here.server(Format::Four).await;
    let (owner, room) = set_up(&old).await;
    let id = ClientId::random();
    post(&old, owner, room, id).await.unwrap();
    let delete = beck::protocol::ActDraft {
        id: ClientId::random(),
        room,
        target: id,
        slot: "deleted".into(),
        value: beck::protocol::ActValue::On(true),
        named: Default::default(),
    };
    rooms::act(&old, owner, delete).await.unwrap();
    let link = read_all(&here.log().await).await[0].link;
    let channel = format!("{{beck}}:signals:{link}");
    until("it listens", || node.peers.heard(Instant::now()).since.is_some()).await;
    here.store.command(&["PUBLISH", &channel, "bcd87654321 presence 62500 3 0"]);
    until("both are heard", || node.peers.heard(Instant::now()).peers.len() == 2).await;
    let said = carry_out(&node, &Ask::RaiseFormat).await.unwrap_err();
    assert!(said.contains("these servers cannot read format 5: "), "{said}");
    assert!(
        said.contains("These announce none, as version 0.1.0 does: bcd87654. End their processes"),
        "{said}"
    );
    let said = carry_out(&node, &Ask::Format).await.unwrap();
    assert_eq!(
        said[..2],
        [
            "The log has format 4.".to_owned(),
            format!("This Beck, version {}, reads formats up to 5.", env!("CARGO_PKG_VERSION")),
        ]
    );
    assert_eq!(said.last().unwrap(), "1 message deleted since yesterday cannot be restored after the rise.");
    drop(old);
    until("the others are gone", || node.peers.heard(Instant::now()).peers.is_empty()).await;
    let said = match carry_out(&node, &Ask::RaiseFormat).await.unwrap() {
        // It may have risen by itself in this moment.
        said if said.len() == 1 => said,
        said => {
            assert_eq!(said[0], "1 message deleted since yesterday cannot be restored after the rise.");
            said[1..].to_vec()
        }
    };
    assert!(said[0].starts_with("The log has format 5 now; it had 4.") || said[0].contains("nothing to do"));
    assert_eq!(node.directory().format(), Format::Five);
    assert_eq!(carry_out(&node, &Ask::Format).await.unwrap()[0], "The log has format 5.");
}
