//! A log that does not continue itself cannot be folded from its start: the server says at which entry, and does not read
//! the whole log again and again.

use crate::support::awaited::{unlocked, until};
use crate::support::logged::LoggedServer;
use crate::support::pass_on::{follow_until_fault, pass_on};
use crate::support::{config, furnish, set_up};
use beck::protocol::ClientId;
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, BrokerError, Entry, Head};
use beck::server::node::{FoldPauses, Node, Readiness};
use beck::server::readiness::UnreadyState;
use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::tempdir;
use tokio::sync::Notify;

/// A log with a wrong link at one entry, from a time on.
struct Crooked {
    log: Embedded,
    /// 0 while all is well.
    wrong: AtomicU64,
    changed: Notify,
    /// Readings of the log from its start, and questions where it ends: each try of the follower asks that.
    whole: AtomicU64,
    looks: AtomicU64,
}

impl Crooked {
    fn set(&self, wrong: u64) {
        self.wrong.store(wrong, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    fn fault(&self) -> Option<BrokerError> {
        let wrong = self.wrong.load(Ordering::SeqCst);
        (wrong > 0).then(|| BrokerError::Rewritten("the log has another end".into()))
    }
}

impl Broker for Crooked {
    pass_on!(create append erase secret registers signals durability);

    fn follow(&self, after: Head, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        follow_until_fault(&self.log, (after, limit), &self.changed, || self.fault()).boxed()
    }

    fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        async move {
            if from == 1 && limit > 2 {
                self.whole.fetch_add(1, Ordering::SeqCst);
            }
            let wrong = self.wrong.load(Ordering::SeqCst);
            let mut entries = self.log.read(from, limit).await?;
            for entry in entries.iter_mut().filter(|entry| entry.header.g == wrong) {
                entry.link = "0123456789abcdef".parse().unwrap();
            }
            Ok(entries)
        }
        .boxed()
    }

    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, BrokerError>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.log.head()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_does_not_continue_itself_is_read_once_and_its_wrong_entry_is_said() {
    for wrong in [1, 2, 9] {
        let folder = tempdir().unwrap();
        let here = set_up(folder.path()).await;
        for n in 0..10 {
            here.post(here.owner, ClientId::random(), &format!("message {n}")).await;
        }
        drop(here);
        let log = unlocked(folder.path()).await;
        let log = Arc::new(Crooked {
            log,
            wrong: AtomicU64::new(0),
            changed: Notify::new(),
            whole: AtomicU64::new(0),
            looks: AtomicU64::new(0),
        });
        let node = Node::start(config(folder.path()), log.clone()).await.unwrap();
        let head = node.broker.head().await.unwrap().unwrap().g;
        node.wait_folded(head).await;
        log.whole.store(0, Ordering::SeqCst);
        log.set(wrong);
        let says_so = || match node.readiness() {
            Readiness::Unready(why) => {
                why.state == UnreadyState::LogUnreadable && why.detail.contains(&format!("entry {wrong} "))
            }
            _ => false,
        };
        until("the server says which entry is wrong", says_so).await;
        let looks = log.looks.load(Ordering::SeqCst);
        until("it has looked again and again", || log.looks.load(Ordering::SeqCst) >= looks + 4).await;
        assert_eq!(log.whole.load(Ordering::SeqCst), 1, "the whole log was read again");
        assert!(says_so(), "it goes on to say so");
        assert_eq!(
            node.state.read_anything(|state| state.folded()).unwrap().0,
            head,
            "what was folded stays"
        );
        // Mended, it goes on by itself.
        log.set(0);
        until("the server is ready again", || node.readiness() == Readiness::Ready).await;
    }
}

#[test]
fn an_hour_of_failures_is_no_more_than_seventy_readings_of_the_log() {
    let hour = Duration::from_secs(3_600);
    let count = |refold: bool| {
        let (mut pauses, mut passed, mut tries) = (FoldPauses::default(), Duration::ZERO, 0);
        while passed < hour {
            passed += pauses.next(refold);
            tries += 1;
        }
        tries
    };
    assert!(count(true) <= 70, "{}", count(true));
    // A store that is away is asked more often.
    assert!((3_600..8_000).contains(&count(false)), "{}", count(false));
    // And soon again once something else was wrong for long.
    let mut pauses = FoldPauses::default();
    for _ in 0..20 {
        pauses.next(true);
    }
    assert!(pauses.next(false) <= Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_entry_is_logged_once_a_minute() {
    let folder = tempdir().unwrap();
    furnish(folder.path(), 8).await;
    let db = Connection::open(folder.path().join("log.sqlite")).unwrap();
    assert_eq!(db.execute("UPDATE entries SET link = '0123456789abcdef' WHERE g = 5", []).unwrap(), 1);
    drop(db);
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join(format!("state.sqlite{ending}")));
    }
    let server = LoggedServer::start(folder.path(), "022").unwrap();
    let (status, body) = server.readyz().await;
    assert!(status == 503 && body.contains("entry 5 "), "{status} {body}");
    // Long enough for several tries.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let log = server.stop();
    let lines = |words: &str| log.lines().filter(|line| line.contains(words)).count();
    let unreadable = lines("state=\"log-unreadable\"");
    // The state before it, while the log was read, is logged if it was looked at then.
    let rewritten = lines("state=\"log-rewritten\"");
    assert_eq!((lines("the log was rewritten"), unreadable), (1, 1), "{log}");
    assert!(rewritten <= 1 && lines("ERROR") == 2 + rewritten, "{log}");
}
