//! A store that dies with what it was told to carry out, and cannot be asked again.

use crate::support::awaited::until;
use crate::support::redis::{RedisServer, Store};
use crate::support::{log_reader, set_up_on};
use beck::protocol::{ClientId, Kind, MessageBody, Outcome};
use beck::server::broker::Proposal;
use beck::server::broker::redis::Redis;
use beck::server::error::AppError;
use beck::server::node::Readiness;
use std::sync::Arc;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_stored_is_never_called_not_stored() {
    let mut store = RedisServer::start(Store::Redis);
    let folder = tempdir().unwrap();
    let here = set_up_on(folder.path(), Arc::new(Redis::open(&store.settings()).await.unwrap())).await;
    let body = MessageBody { text: "is it there?".into(), quote: None, said: None };
    let proposal = Proposal::new(here.owner, ClientId::random(), Kind::Message, &body).room(here.general);

    let has_append = || store.command(&["CLIENT", "LIST"]).contains("cmd=evalsha");
    until("the last append is past", || !has_append()).await;
    assert_eq!(store.command(&["CLIENT", "PAUSE", "60000", "WRITE"]), "+OK\r\n");
    let told = tokio::spawn(here.node.propose(proposal.clone()));
    until("the store has the append", has_append).await;
    // Whether it has carried it out is not known; the next try is refused, since there is no store.
    store.kill();
    let told = told.await.unwrap();
    assert!(matches!(told, Err(AppError::Unknown)), "{told:?}");

    store.restart();
    until("the node is ready", || here.node.readiness() == Readiness::Ready).await;
    let told = here.node.propose(proposal.clone()).await.unwrap();
    assert!(matches!(told, Outcome::Stored { .. }), "{told:?}");
    assert_eq!(here.node.propose(proposal.clone()).await.unwrap(), told);
    let entries = log_reader::read_store(store.port);
    log_reader::assert_holds(&entries, [&proposal.client_id.to_string()], []);
}
