//! Calls made one after the other are stored in that order, also when more of them wait than the writer takes; what is
//! too much is refused.

use crate::conformance::workspace;
use crate::support::redis::{RedisServer, Store};
use crate::support::{assert_linked, read_all, room_proposal};
use beck::protocol::{AccountId, ClientId};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::redis::Redis;
use beck::server::broker::{Broker, BrokerError};
use futures::FutureExt;
use tempfile::tempdir;

/// More than waited in the queue of version 0.1.0.
const CALLS: usize = 4_400;

async fn assert_order(log: &dyn Broker, ids: &[ClientId]) {
    let entries = read_all(log).await;
    assert_linked(&entries);
    let stored: Vec<_> = entries[1..].iter().map(|entry| entry.header.client_id).collect();
    let first = stored.iter().zip(ids).position(|(stored, called)| stored != called);
    assert_eq!(first, None, "the first call that is stored at another place");
    assert_eq!(stored.len(), ids.len());
}

/// Calls, lets some of them be stored, and calls again while others wait.
async fn call_many(log: &dyn Broker, go_on: impl FnOnce()) -> Vec<ClientId> {
    let by = AccountId::random();
    let mut ids = Vec::new();
    let mut calls = Vec::new();
    let mut call = |calls: &mut Vec<_>| {
        let proposal = room_proposal(by, "room");
        ids.push(proposal.client_id);
        calls.push(log.append(vec![proposal]));
    };
    (0..CALLS).for_each(|_| call(&mut calls));
    go_on();
    // Polled from the last one: the order of polls counts for nothing.
    calls.remove(0).await.unwrap();
    (0..200).for_each(|_| call(&mut calls));
    for call in calls.into_iter().rev() {
        call.await.unwrap();
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_of_a_folder_keeps_the_order_of_calls() {
    let folder = tempdir().unwrap();
    let log = Embedded::open(folder.path()).unwrap();
    log.create(workspace()).await.unwrap();
    let paused = log.pause_writer();
    let ids = call_many(&log, || drop(paused)).await;
    assert_order(&log, &ids).await;
}

/// On one thread, so that no task of the log runs between the calls.
#[tokio::test(flavor = "current_thread")]
async fn a_full_queue_of_a_store_keeps_the_order_of_calls() {
    let store = RedisServer::start(Store::Redis);
    let log = Redis::open(&store.settings()).await.unwrap();
    log.create(workspace()).await.unwrap();
    let ids = call_many(&log, || {}).await;
    assert_order(&log, &ids).await;
}

/// Calls until one is refused at once; gives the ids of those that wait, and what the refusal says.
async fn call_until_refused(log: &dyn Broker, bytes: usize, go_on: impl FnOnce()) -> (Vec<ClientId>, String) {
    let by = AccountId::random();
    let mut ids = Vec::new();
    let mut calls = Vec::new();
    let mut refusal = None;
    while refusal.is_none() && ids.len() < 100_000 && ids.len() * bytes < 256 * 1024 * 1024 {
        let proposal = room_proposal(by, &"x".repeat(bytes));
        let id = proposal.client_id;
        let mut call = log.append(vec![proposal]);
        match (&mut call).now_or_never() {
            Some(Err(BrokerError::Refused(why))) => refusal = Some(why),
            Some(other) => panic!("{other:?}"),
            None => {
                ids.push(id);
                calls.push(call);
            }
        }
    }
    go_on();
    for call in calls {
        call.await.unwrap();
    }
    (ids, refusal.expect("the queue is bounded"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_to_wait_is_refused_with_its_reason() {
    let folder = tempdir().unwrap();
    let log = Embedded::open(folder.path()).unwrap();
    log.create(workspace()).await.unwrap();
    let paused = log.pause_writer();
    let (ids, why) = call_until_refused(&log, 24_000, || drop(paused)).await;
    assert!(why.contains("waiting"), "{why}");
    assert!(ids.len() > 1_000);
    assert_order(&log, &ids).await;
    // There is room again.
    log.append(vec![room_proposal(AccountId::random(), "after")]).await.unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_too_much_to_wait_for_a_store_is_refused_with_its_reason() {
    let store = RedisServer::start(Store::Redis);
    let log = Redis::open(&store.settings()).await.unwrap();
    log.create(workspace()).await.unwrap();
    let (ids, why) = call_until_refused(&log, 24_000, || {}).await;
    assert!(why.contains("waiting"), "{why}");
    assert!(ids.len() > 1_000);
    assert_order(&log, &ids).await;
    log.append(vec![room_proposal(AccountId::random(), "after")]).await.unwrap();
}

/// Appends per second: `cargo suite -- --ignored --nocapture appends_per_second`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn appends_per_second() {
    for (waiting, count) in [(1, 1_000), (64, 10_000), (1_000, 30_000)] {
        let folder = tempdir().unwrap();
        let log = Embedded::open(folder.path()).unwrap();
        let by = AccountId::random();
        log.create(workspace()).await.unwrap();
        let begun = std::time::Instant::now();
        let mut calls = std::collections::VecDeque::new();
        for _ in 0..count {
            calls.push_back(log.append(vec![room_proposal(by, &"x".repeat(100))]));
            if calls.len() == waiting {
                calls.pop_front().unwrap().await.unwrap();
            }
        }
        for call in calls {
            call.await.unwrap();
        }
        let rate = f64::from(count) / begun.elapsed().as_secs_f64();
        println!("{waiting} at once: {rate:.0} appends per second");
    }
}
