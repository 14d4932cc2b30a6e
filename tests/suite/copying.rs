//! What a server reads from the store to copy what stands beside the log.

use crate::support::awaited::until;
use crate::support::config;
use crate::support::pass_on::pass_on;
use crate::support::redis::{RedisServer, Store};
use beck::protocol::{AccountId, Pointer};
use beck::server::accounts::{self, NewAccount};
use beck::server::broker::redis::Redis;
use beck::server::broker::{Broker, BrokerError, SharedBroker, Signal};
use beck::server::node::Node;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::tempdir;

/// A store that takes its time for each account whose pointers are read, and counts.
struct Slow {
    log: SharedBroker,
    reads: Mutex<HashMap<AccountId, u64>>,
}

impl Broker for Slow {
    pass_on!(create append read erase secret signals durability follow head);

    fn registers(
        &self,
        account: AccountId,
        raise: Vec<(String, Pointer)>,
    ) -> BoxFuture<'_, Result<Vec<(String, Pointer)>, BrokerError>> {
        async move {
            if raise.is_empty() {
                *self.reads.lock().unwrap().entry(account).or_default() += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            self.log.registers(account, raise).await
        }
        .boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_signals_does_not_make_a_server_copy_everything_again() {
    let (store, folder) = (RedisServer::start(Store::Redis), tempdir().unwrap());
    let inner: SharedBroker = Arc::new(Redis::open(&store.settings()).await.unwrap());
    let log = Arc::new(Slow { log: inner, reads: Mutex::default() });
    let mut config = config(folder.path());
    config.redis = Some(store.settings());
    let first = Node::start(config.clone(), log.clone()).await.unwrap();
    let new = NewAccount { name: "Olive Owner", handle: "olive", password: "a long password" };
    let (owner, _) = accounts::set_up(&first, "Test Place", new).await.unwrap();
    for n in 0..24 {
        let handle = format!("member-{n}");
        let new = NewAccount { name: &handle, handle: &handle, password: "a long password" };
        accounts::sign_up(&first, new).await.unwrap();
    }
    drop(first);
    until("the first server has ended", || Arc::strong_count(&log) <= 1).await;
    log.reads.lock().unwrap().clear();

    let node = Node::start(config, log.clone()).await.unwrap();
    let signals = log.signals();
    // More signals than a receiver holds come again and again while the accounts are copied.
    let flood = Signal::Register { account: AccountId::random(), key: "read:x:0".into() };
    let mut sent = 0;
    for _ in 0..60 {
        for _ in 0..1_500 {
            signals.send(flood.clone());
            sent += 1;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let all = || node.directory().accounts.len() == log.reads.lock().unwrap().len();
    until("every account was copied", all).await;
    let reads = log.reads.lock().unwrap().clone();
    let most = reads.values().max().copied().unwrap_or_default();
    println!("{sent} signals; {} accounts read at most {most} times", reads.len());
    assert_eq!((reads.len(), sent), (25, 90_000));
    assert_eq!(most, 1, "an account was copied again though nothing of it changed");

    // Logins that change are what it listens for.
    signals.send(Signal::Logins { account: owner });
    until("the account whose logins changed is copied", || log.reads.lock().unwrap()[&owner] == 2).await;
    let others = log.reads.lock().unwrap().iter().filter(|(_, reads)| **reads > 1).count();
    assert_eq!(others, 1);
}
