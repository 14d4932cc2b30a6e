//! Whatever keeps writes from being stored is said in /readyz as long as it lasts; people go on reading.

use crate::support::awaited::until;
use crate::support::backend::{Backend, on_every_backend};
use crate::support::pass_on::pass_on;
use crate::support::{config, head_at, read_all, room_proposal, set_up};
use beck::protocol::{AccountId, ClientId, PageAt, Pointer};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, BrokerError, Head, NotErased, Proposal, Secret, SecretOp, SharedBroker};
use beck::server::node::{Node, Readiness};
use beck::server::readiness::{Unready, UnreadyState};
use beck::server::{rooms, router};
use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::tempdir;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    Append,
    Erase,
    Put,
    Delete,
    Raise,
}

const WRITES: [Write; 5] = [Write::Append, Write::Erase, Write::Put, Write::Delete, Write::Raise];

/// A log of which one kind of write answers with a state; reading goes on.
struct Failing {
    log: SharedBroker,
    fault: Mutex<Option<(Write, UnreadyState)>>,
    trials: AtomicU64,
}

impl Failing {
    fn fault(&self, of: Write) -> Result<(), BrokerError> {
        match *self.fault.lock().unwrap() {
            Some((write, state)) if write == of => Err(BrokerError::unready(state, "what is known of it")),
            _ => Ok(()),
        }
    }
}

impl Broker for Failing {
    pass_on!(create follow read head signals durability);

    fn append(&self, batch: Vec<Proposal>) -> BoxFuture<'static, Result<u64, BrokerError>> {
        match self.fault(Write::Append) {
            Ok(()) => self.log.append(batch),
            Err(fault) => async { Err(fault) }.boxed(),
        }
    }

    fn try_append(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        self.trials.fetch_add(1, Ordering::SeqCst);
        async { self.fault(Write::Append) }.boxed()
    }

    fn erase(&self, entries: Vec<Head>) -> BoxFuture<'_, Result<NotErased, BrokerError>> {
        async move {
            self.fault(Write::Erase)?;
            self.log.erase(entries).await
        }
        .boxed()
    }

    fn secret(&self, key: String, op: SecretOp) -> BoxFuture<'_, Result<Option<Secret>, BrokerError>> {
        async move {
            match op {
                SecretOp::Get => {}
                SecretOp::Put { .. } => self.fault(Write::Put)?,
                SecretOp::Delete => self.fault(Write::Delete)?,
            }
            self.log.secret(key, op).await
        }
        .boxed()
    }

    fn registers(
        &self,
        account: AccountId,
        raise: Vec<(String, Pointer)>,
    ) -> BoxFuture<'_, Result<Vec<(String, Pointer)>, BrokerError>> {
        async move {
            if !raise.is_empty() {
                self.fault(Write::Raise)?;
            }
            self.log.registers(account, raise).await
        }
        .boxed()
    }
}

fn state_of(node: &Node) -> Option<UnreadyState> {
    match node.readiness() {
        Readiness::Unready(Unready { state, .. }) => Some(state),
        _ => None,
    }
}

fn put() -> SecretOp {
    SecretOp::Put { value: "value".into(), if_version: 0, expires: None }
}

/// Does one write of a kind; gives whether it succeeded.
async fn write(node: &Node, by: AccountId, kind: Write) -> bool {
    let key = ClientId::random().to_string();
    match kind {
        Write::Append => node.broker.append(vec![room_proposal(by, &key)]).await.is_ok(),
        Write::Erase => node.broker.erase(vec![head_at(node.broker.as_ref(), 1).await]).await.is_ok(),
        Write::Put => node.broker.secret(key, put()).await.is_ok(),
        Write::Delete => node.broker.secret(key, SecretOp::Delete).await.is_ok(),
        Write::Raise => {
            let raise = vec![(key, Pointer { generation: 0, ordinal: 1 })];
            node.broker.registers(by, raise).await.is_ok()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_of_a_write_is_in_readyz_until_a_write_succeeds_and_people_read() {
    let (folder, place) = (tempdir().unwrap(), tempdir().unwrap());
    let here = set_up(place.path()).await;
    here.post(here.owner, ClientId::random(), "to be read").await;
    let (owner, room) = (here.owner, here.general);
    let log = Arc::new(Failing { log: here.log.clone(), fault: Mutex::default(), trials: AtomicU64::new(0) });
    drop(here);
    let node = Node::start(config(folder.path()), log.clone()).await.unwrap();
    node.wait_folded(log.head().await.unwrap().unwrap().g).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/readyz", listener.local_addr().unwrap());
    let app = router::router(node.clone(), None);
    let serving =
        tokio::spawn(beck::server::serve::serve(node.clone(), app, listener, std::future::pending()));

    let (mut walked, mut ended) = (0, 0);
    for state in UnreadyState::ALL {
        for kind in WRITES {
            // A trial write that was under way may have brought the last one back.
            until("it begins ready", || state_of(&node).is_none()).await;
            *log.fault.lock().unwrap() = Some((kind, state));
            // And one that succeeds may end it: then the next failure says it again.
            let mut tries = 0;
            loop {
                assert!(!write(&node, owner, kind).await);
                tries += 1;
                if state_of(&node) == Some(state) {
                    break;
                }
                assert!(tries < 10, "{state:?} of {kind:?} is not said");
            }
            let of_log = matches!(kind, Write::Append | Write::Erase);
            // A write of the other kind proves nothing of this one.
            assert!(write(&node, owner, if of_log { Write::Put } else { Write::Append }).await);
            if kind == Write::Append {
                let answer = reqwest::get(&url).await.unwrap();
                assert_eq!(answer.status(), 503, "{state:?}");
                assert!(answer.text().await.unwrap().starts_with(state.sentence()));
            }
            assert_eq!(node.standstill(), Readiness::Ready, "people read");
            let page = rooms::page(&node, owner, (room, 0), PageAt::Newest, 5, None).unwrap();
            assert_eq!(page.rows[0].text.as_deref(), Some("to be read"));
            // The next try to write is not held back either.
            *log.fault.lock().unwrap() = None;
            assert!(write(&node, owner, if of_log { Write::Append } else { Write::Put }).await);
            ended += usize::from(state_of(&node).is_none());
            walked += 1;
        }
    }
    assert_eq!(walked, UnreadyState::ALL.len() * WRITES.len());
    // A trial write that was under way may have come between.
    assert!(ended >= walked - walked / 10, "{ended} of {walked} ended with the next write");
    serving.abort();
}

/// What the store said of it is for the person who runs the server.
#[tokio::test(flavor = "multi_thread")]
async fn forms_say_in_the_same_words_why_nothing_can_be_stored() {
    let place = tempdir().unwrap();
    let here = set_up(place.path()).await;
    let log = Arc::new(Failing { log: here.log.clone(), fault: Mutex::default(), trials: AtomicU64::new(0) });
    let folder = tempdir().unwrap();
    let node = Node::start(config(folder.path()), log.clone()).await.unwrap();
    node.wait_folded(log.head().await.unwrap().unwrap().g).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = router::router(node.clone(), None);
    tokio::spawn(beck::server::serve::serve(node.clone(), app, listener, std::future::pending()));
    let cookie = format!("beck_login={}", node.sign_in(here.owner).await.unwrap());
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut told = 0;
    for state in [UnreadyState::DiskFull, UnreadyState::StoreFull, UnreadyState::LogUnwritable] {
        for (kind, path, fields) in [
            (Write::Raise, "/account/quiet", [("from", "22:00"), ("to", "07:00")]),
            (Write::Put, "/account/password", [("current", "a long password"), ("new", "another password")]),
            (Write::Put, "/sign-out-everywhere", [("", ""), ("", "")]),
            (Write::Delete, "/sign-out", [("", ""), ("", "")]),
            (Write::Append, "/account/status", [("text", "Away"), ("for", "")]),
            (Write::Append, "/rooms", [("name", "Kitchen"), ("topic", "")]),
        ] {
            *log.fault.lock().unwrap() = Some((kind, state));
            let request = client.post(format!("{base}{path}")).header("origin", &base);
            let answer = request.header("cookie", &cookie).form(&fields).send().await.unwrap();
            let (status, text) = (answer.status(), answer.text().await.unwrap());
            assert_eq!(status, 503, "{path} {state:?} {text}");
            let plain = text.replace("&#39;", "'").replace("&#x27;", "'");
            assert!(
                plain.contains(&format!("right now: {}.", state.for_people())),
                "{path} {state:?} {text}"
            );
            assert!(!text.contains("what is known of it"), "{path} {text}");
            told += 1;
        }
    }
    assert_eq!(told, 18);
}

/// The trial writes are one for the log and one beside it: while the first one fails, the second one says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn appends_that_alone_fail_stay_said_while_trials_beside_the_log_succeed() {
    let (folder, place) = (tempdir().unwrap(), tempdir().unwrap());
    let here = set_up(place.path()).await;
    let owner = here.owner;
    let log = Arc::new(Failing { log: here.log.clone(), fault: Mutex::default(), trials: AtomicU64::new(0) });
    drop(here);
    let node = Node::start(config(folder.path()), log.clone()).await.unwrap();
    *log.fault.lock().unwrap() = Some((Write::Append, UnreadyState::StoreRights));
    assert!(!write(&node, owner, Write::Append).await);
    let before = log.trials.load(Ordering::SeqCst);
    until("it was tried twice", || log.trials.load(Ordering::SeqCst) >= before + 2).await;
    assert_eq!(state_of(&node), Some(UnreadyState::StoreRights));
    *log.fault.lock().unwrap() = None;
    until("it ends though nobody posts", || state_of(&node).is_none()).await;
}

on_every_backend! {
    a_tried_append_stores_nothing
}

async fn a_tried_append_stores_nothing(backend: &Backend) {
    let here = backend.set_up().await;
    let before = read_all(here.log.as_ref()).await;
    for _ in 0..3 {
        here.log.try_append().await.unwrap();
    }
    assert_eq!(read_all(here.log.as_ref()).await, before);
    here.post(here.owner, ClientId::random(), "after it").await;
    let after = read_all(here.log.as_ref()).await;
    assert_eq!(after.len(), before.len() + 1);
    crate::support::assert_linked(&after);
    if let Some(store) = &backend.store {
        // Over TLS a plain command gets no number.
        assert!(!store.command(&["EXISTS", "{beck}:trial"]).contains(":1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_takes_no_entry_is_said_until_it_takes_one() {
    let folder = tempdir().unwrap();
    let log = Arc::new(Embedded::open(folder.path()).unwrap());
    let here = crate::support::set_up_on(folder.path(), log.clone()).await;
    // Entries alone cannot be written; secrets of the same file can.
    let file = Connection::open(folder.path().join("log.sqlite")).unwrap();
    file.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let refuse = "BEGIN SELECT RAISE(ABORT, 'planted'); END";
    file.execute_batch(&format!("CREATE TRIGGER planted BEFORE INSERT ON entries {refuse}")).unwrap();
    assert!(!write(&here.node, here.owner, Write::Append).await);
    assert_eq!(state_of(&here.node), Some(UnreadyState::LogUnwritable));
    assert!(write(&here.node, here.owner, Write::Put).await);
    assert!(matches!(log.try_append().await, Err(BrokerError::Unready(_))));
    assert_eq!(state_of(&here.node), Some(UnreadyState::LogUnwritable));
    file.execute_batch("DROP TRIGGER planted").unwrap();
    until("it ends by itself", || state_of(&here.node).is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_forbids_appends_is_said_until_it_allows_them() {
    let backend = Backend::redis();
    let here = backend.set_up().await;
    let store = backend.store.as_ref().unwrap();
    assert_eq!(store.command(&["ACL", "SETUSER", "default", "-xadd"]), "+OK\r\n");
    assert!(!write(&here.node, here.owner, Write::Append).await);
    assert_eq!(state_of(&here.node), Some(UnreadyState::StoreRights));
    assert!(write(&here.node, here.owner, Write::Put).await);
    assert!(matches!(here.log.try_append().await, Err(BrokerError::Unready(_))));
    assert_eq!(state_of(&here.node), Some(UnreadyState::StoreRights));
    assert_eq!(store.command(&["ACL", "SETUSER", "default", "+xadd"]), "+OK\r\n");
    until("it ends by itself", || state_of(&here.node).is_none()).await;
}
