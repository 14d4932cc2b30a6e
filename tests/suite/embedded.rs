//! What only the embedded backend has: its folder, its files, its failed flushes.

use crate::conformance::workspace;
use crate::support::awaited::unlocked;
use crate::support::{assert_linked, read_all, room_proposal, set_up_of, set_up_on};
use beck::protocol::{AccountId, ActDraft, ActValue, ClientId, Format, Kind, Outcome, PageAt};
use beck::server::broker::embedded::{Embedded, Fault, OpenError, lock_folder};
use beck::server::broker::{Broker, BrokerError, Proposal};
use beck::server::rooms;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn another_clock_is_asked_once_for_each_entry_and_times_never_fall() {
    let folder = tempdir().unwrap();
    let mut times = [1_000, 3_000, 2_000, 4_000].into_iter();
    let log = Embedded::open_with_clock(folder.path(), move || times.next().unwrap_or(9_000)).unwrap();
    let by = AccountId::random();
    log.create(workspace()).await.unwrap();
    log.append((0..4).map(|n| room_proposal(by, &format!("r{n}"))).collect()).await.unwrap();
    let entries = read_all(&log).await;
    let at: Vec<_> = entries.iter().map(|entry| entry.header.at).collect();
    assert_eq!(at, [1_000, 3_000, 3_000, 4_000, 9_000]);
    assert_linked(&entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_process() {
    let folder = tempdir().unwrap();
    let first = Embedded::open(folder.path()).unwrap();
    assert!(matches!(Embedded::open(folder.path()), Err(OpenError::Locked(_))));
    drop(first);
    Embedded::open(folder.path()).unwrap();
}

/// A process that is being started has for a moment what is open here.
#[test]
fn a_folder_is_free_once_its_lock_is_dropped_whatever_processes_are_started_meanwhile() {
    let folder = tempdir().unwrap();
    let (over, started) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut opened = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) && Command::new("true").status().is_ok() {
                    started.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let enough = |opened: usize| opened >= 300 && started.load(Ordering::Relaxed) >= 100;
        while !enough(opened.len()) && opened.len() < 100_000 {
            opened.push(lock_folder(folder.path()).map(drop));
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(started.load(Ordering::Relaxed) >= 100);
    let locked = opened.iter().filter(|opened| opened.is_err()).count();
    assert_eq!(locked, 0, "of {}, beside {started:?} processes", opened.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_flush_the_outcome_is_unknown_and_a_retry_makes_one_message() {
    let mut faults = 0;
    for fault in [Fault::LostCommit, Fault::KeptCommit] {
        let folder = tempdir().unwrap();
        let embedded = Arc::new(Embedded::open(folder.path()).unwrap());
        let here = set_up_on(folder.path(), embedded.clone()).await;
        here.post(here.owner, ClientId::random(), "before").await;
        // The broker itself says unknown …
        let body = beck::protocol::MessageBody { text: "direct".into(), quote: None, said: None };
        let direct = Proposal::new(here.owner, ClientId::random(), Kind::Message, &body).room(here.general);
        embedded.plant(fault);
        let answer = embedded.append(vec![direct.clone()]).await;
        assert!(matches!(answer, Err(BrokerError::Unknown(_))), "{answer:?}");
        faults += 1;
        assert!(matches!(here.node.propose(direct).await.unwrap(), Outcome::Stored { .. }));
        // … and the node tries again under the same id.
        embedded.plant(fault);
        let outcome = here.post(here.owner, ClientId::random(), "during").await;
        assert!(matches!(outcome, Outcome::Stored { ordinal: Some(3), .. }), "{fault:?} {outcome:?}");
        faults += 1;
        here.post(here.owner, ClientId::random(), "after").await;
        let page = rooms::page(&here.node, here.owner, (here.general, 0), PageAt::Newest, 50, None).unwrap();
        let texts: Vec<_> = page.rows.iter().map(|row| row.text.clone().unwrap()).collect();
        assert_eq!(texts, ["before", "direct", "during", "after"], "{fault:?}");
        assert_linked(&here.log().await);
    }
    assert_eq!(faults, 4);
}

/// The data folder in tests/data was made by version 0.1.0: every later version must open it.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_versions_data_folder_opens() {
    let folder = tempdir().unwrap();
    let node = first_version(folder.path()).await;
    let log = node.broker.clone();
    let entries = read_all(log.as_ref()).await;
    assert_linked(&entries);
    let directory = node.directory();
    assert_eq!(directory.workspace.as_ref().unwrap().name, "Test Place");
    let owner = directory.by_handle("olive").unwrap().id;
    let room = directory.rooms_of(owner)[0].id;
    let page = rooms::page(&node, owner, (room, 0), PageAt::Newest, 50, None).unwrap();
    let texts: Vec<_> = page.rows.iter().map(|row| row.text.as_deref()).collect();
    assert_eq!(texts, [Some("first"), Some("second, edited"), None, Some("fourth")]);
    assert_eq!(page.rows[3].reactions["🌊"].len(), 1);
    let login =
        node.check_password(beck::server::hashing::Whose::Known, "olive", "a long password").await.unwrap();
    assert_eq!(login.map(|login| login.account), Some(owner));
}

/// Makes that folder: `cargo suite -- --ignored make_the_data_folder`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes tests/data; a folder that is there is never made again"]
async fn make_the_data_folder() {
    let folder = tempdir().unwrap();
    let here = set_up_of(folder.path(), Format::One).await;
    let ids: Vec<_> = (0..4).map(|_| ClientId::random()).collect();
    for (id, text) in ids.iter().zip(["first", "second", "third", "fourth"]) {
        here.post(here.owner, *id, text).await;
    }
    let react = format!("react:🌊:{}", here.owner);
    for (id, slot, value) in [
        (ids[1], "text", ActValue::Text("second, edited".into())),
        (ids[2], "deleted", ActValue::On(true)),
        (ids[3], react.as_str(), ActValue::On(true)),
    ] {
        let (own, room, slot) = (ClientId::random(), here.general, slot.to_owned());
        let act = ActDraft { id: own, room, target: id, slot, value, named: Default::default() };
        rooms::act(&here.node, here.owner, act).await.unwrap();
    }
    here.node.erase(ids[2]).await.unwrap();
    drop(here);
    drop(reopen(folder.path()).await);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/v0.1.0");
    std::fs::create_dir_all(&target).unwrap();
    for file in ["log.sqlite", "workspace"] {
        std::fs::copy(folder.path().join(file), target.join(file)).unwrap();
    }
}

/// A node on a copy of the data folder of version 0.1.0.
pub async fn first_version(folder: &Path) -> Arc<beck::server::node::Node> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/v0.1.0");
    for file in ["log.sqlite", "workspace"] {
        std::fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    reopen(folder).await
}

/// The node of a folder whose last node was just dropped: its threads may take a moment to end.
pub async fn reopen(folder: &Path) -> Arc<beck::server::node::Node> {
    let log = unlocked(folder).await;
    beck::server::node::Node::start(crate::support::config(folder), Arc::new(log)).await.unwrap()
}
