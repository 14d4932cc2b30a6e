//! Texts that are due are erased from a log of format 4 while people restore some of them: a restore that was acknowledged
//! keeps its text. What orders the two in a log of format 5 is in `due.rs`.

use crate::support::awaited::awaited;
use crate::support::backend::Backend;
use crate::support::paused::{Paused, paused};
use crate::support::{TestNode, config, read_all, set_up_with};
use beck::protocol::{ActDraft, ActValue, ClientId, ErrorCode, Format, Outcome};
use beck::server::config::Config;
use beck::server::fold::Fold;
use beck::server::node::{ERASE_AFTER_MS, ERASE_AT_ONCE, Node};
use beck::server::now_ms;
use beck::server::rooms;
use futures::FutureExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::tempdir;
use tokio::sync::Semaphore;

const DUE: usize = 120;
const RESTORED: usize = 20;
/// The restored ones are not among those that are erased first.
const _: () = assert!(DUE - RESTORED > ERASE_AT_ONCE);

fn of_format_4(folder: &Path) -> Config {
    let mut config = config(folder);
    config.newest_format = Format::Four;
    config
}

/// A node on a log of format 4 that can be held back, with a workspace.
async fn set_up_paused(backend: &Backend) -> (TestNode, Arc<Paused>) {
    let broker = paused(backend.log().await);
    (set_up_with(of_format_4(backend.folder()), broker.clone()).await, broker)
}

/// Messages that were all deleted; the newest deletion last.
async fn deleted_messages(here: &TestNode) -> Vec<ClientId> {
    let ids: Vec<_> = (0..DUE).map(|_| ClientId::random()).collect();
    for id in &ids {
        here.post(here.owner, *id, &format!("text of {id}")).await;
    }
    for id in &ids {
        let value = ActValue::On(true);
        let (own, room, slot) = (ClientId::random(), here.general, "deleted".into());
        let act = ActDraft { id: own, room, target: *id, slot, value, named: Default::default() };
        rooms::act(&here.node, here.owner, act).await.unwrap();
    }
    here.post(here.owner, ClientId::random(), "the newest entry").await;
    ids
}

/// Restores the newest ones, all at once; gives those whose restore was acknowledged.
async fn restore(node: &Arc<Node>, here: &TestNode, ids: &[ClientId]) -> Vec<ClientId> {
    let restores = ids[ids.len() - RESTORED..].iter().map(|id| {
        let value = ActValue::Restored { restored: format!("text of {id}") };
        let (own, room, slot) = (ClientId::random(), here.general, "deleted".into());
        let act = ActDraft { id: own, room, target: *id, slot, value, named: Default::default() };
        rooms::act(node, here.owner, act)
            .map(|done| matches!(done, Ok(Outcome::Stored { .. })).then_some(*id))
    });
    futures::future::join_all(restores).await.into_iter().flatten().collect()
}

fn text(state: &beck::server::state::State, id: ClientId) -> Option<String> {
    state.read_anything(|state| state.row(id)).unwrap().unwrap().1.text
}

/// What was restored has its text on every node and in a fresh fold; all else has none, in the log neither.
async fn check(here: &TestNode, nodes: &[&Arc<Node>], ids: &[ClientId], restored: &[ClientId]) {
    let entries = read_all(here.log.as_ref()).await;
    let folder = tempdir().unwrap();
    let (fresh, mut fold) = Fold::open(folder.path(), |_, _| true).unwrap();
    fold.fold(&entries).unwrap();
    for node in nodes {
        node.wait_folded(entries.len() as u64).await;
    }
    let mut erased = 0;
    for id in ids {
        let stands = restored.contains(id).then(|| format!("text of {id}"));
        assert_eq!(text(&fresh, *id), stands, "{id} in a fresh fold");
        for node in nodes {
            assert_eq!(text(&node.state, *id), stands, "{id} on a server");
        }
        // What is back is as it was: the log has what was written first, too.
        let entry = entries.iter().find(|entry| entry.header.client_id == *id).unwrap();
        assert_eq!(entry.body.is_some(), stands.is_some(), "{id} in the log");
        erased += usize::from(stands.is_none());
    }
    assert_eq!(erased, DUE - restored.len());
    // Nothing more is due, and nothing is erased twice.
    assert_eq!(nodes[0].erase_due(now_ms() + 2 * ERASE_AFTER_MS).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn restores_on_the_server_that_erases_keep_their_text() {
    let backend = Backend::embedded();
    let (here, broker) = set_up_paused(&backend).await;
    let ids = deleted_messages(&here).await;
    let node = here.node.clone();
    assert_eq!(node.erase_due(now_ms()).await.unwrap(), 0, "nothing is due yet");
    let run = tokio::spawn(async move { node.erase_due(now_ms() + ERASE_AFTER_MS + 1_000).await });
    let _begun = broker.begun.acquire().await.unwrap();
    let restoring = restore(&here.node, &here, &ids);
    let (restored, ()) = futures::join!(restoring, async { broker.go_on.add_permits(1_000) });
    let erased = run.await.unwrap().unwrap();
    println!("{} restored while {erased} of {DUE} were erased", restored.len());
    assert_eq!((restored.len(), erased), (RESTORED, DUE - RESTORED));
    check(&here, &[&here.node], &ids, &restored).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restores_on_another_server_than_the_one_that_erases_keep_their_text() {
    let backend = Backend::redis();
    let (here, broker) = set_up_paused(&backend).await;
    let ids = deleted_messages(&here).await;
    let folder = tempdir().unwrap();
    let other = Node::start(of_format_4(folder.path()), backend.log().await).await.unwrap();
    let node = here.node.clone();
    let run = tokio::spawn(async move { node.erase_due(now_ms() + ERASE_AFTER_MS + 1_000).await });
    let _begun = broker.begun.acquire().await.unwrap();
    // All of them are in the log before the next texts are erased, and this server has folded none of them.
    broker.held.send_replace(true);
    let restored = restore(&other, &here, &ids).await;
    broker.go_on.add_permits(1_000);
    let erased = run.await.unwrap().unwrap();
    broker.held.send_replace(false);
    println!("{} restored while {erased} of {DUE} were erased", restored.len());
    assert_eq!((restored.len(), erased), (RESTORED, DUE - RESTORED));
    // What a server erased the other one hears of by a fresh fold alone: the texts that stand are compared.
    for id in &restored {
        assert_eq!(text(&other.state, *id), Some(format!("text of {id}")));
    }
    check(&here, &[&here.node], &ids, &restored).await;
}

/// The store takes the erasure and does not answer. A restore is not to wait for that: it is told so, and taken once the
/// erasure has its answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_hangs_does_not_hold_back_the_restore_of_another_message() {
    let backend = Backend::embedded();
    let (here, broker) = set_up_paused(&backend).await;
    let ids = deleted_messages(&here).await;
    let (node, erased) = (here.node.clone(), ids[0]);
    let run = tokio::spawn(async move { node.erase(erased).await });
    let _begun = broker.begun.acquire().await.unwrap();
    let restore = async || {
        let value = ActValue::Restored { restored: format!("text of {}", ids[1]) };
        let (own, room, slot) = (ClientId::random(), here.general, "deleted".into());
        rooms::act(
            &here.node,
            here.owner,
            ActDraft { id: own, room, target: ids[1], slot, value, named: Default::default() },
        )
        .await
    };
    let refused = awaited("the restore is answered", restore()).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Unavailable);
    assert!(refused.to_string().contains("Try again"), "{refused}");
    assert!(!run.is_finished());
    broker.go_on.add_permits(1_000);
    run.await.unwrap().unwrap();
    assert!(matches!(restore().await, Ok(Outcome::Stored { .. })));
    assert_eq!(text(&here.node.state, ids[1]), Some(format!("text of {}", ids[1])));
    assert_eq!(text(&here.node.state, ids[0]), None);
}

/// A restore that was checked and is not in the log yet: its text is not erased in between.
#[tokio::test(flavor = "multi_thread")]
async fn texts_are_not_erased_between_the_check_of_a_restore_and_its_outcome() {
    let backend = Backend::embedded();
    let (here, broker) = set_up_paused(&backend).await;
    let ids = deleted_messages(&here).await;
    broker.go_on.add_permits(1_000);
    let (begun, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    *broker.appending.lock().unwrap() = Some((begun.clone(), go_on.clone()));
    let (node, by, room, id) = (here.node.clone(), here.owner, here.general, ids[0]);
    let restoring = tokio::spawn(async move {
        let value = ActValue::Restored { restored: format!("text of {id}") };
        let act = ActDraft {
            id: ClientId::random(),
            room,
            target: id,
            slot: "deleted".into(),
            value,
            named: Default::default(),
        };
        rooms::act(&node, by, act).await
    });
    let _begun = awaited("the restore is on its way", begun.acquire()).await.unwrap();
    let node = here.node.clone();
    let mut run = tokio::spawn(async move { node.erase_due(now_ms() + ERASE_AFTER_MS + 1_000).await });
    // It would be over by now if it did not wait.
    let early = tokio::time::timeout(Duration::from_millis(500), &mut run).await;
    assert!(early.is_err(), "texts were erased while a restore was on its way");
    go_on.add_permits(1_000);
    assert!(matches!(restoring.await.unwrap(), Ok(Outcome::Stored { .. })));
    assert_eq!(run.await.unwrap().unwrap(), DUE - 1);
    check(&here, &[&here.node], &ids, &[id]).await;
}
