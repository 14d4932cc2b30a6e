//! The store comes back without its last entries, and others are written in their place: whoever saw them is told,
//! and what was lost is offered to its author again.

use crate::servers::Cluster;
use crate::support::awaited::until;
use crate::support::checker::WholeRoom;
use crate::support::engine::Engine;
use crate::support::furnish_on;
use crate::support::log_reader;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::TestClient;
use beck::client::{Input, KeptState, Status};
use beck::protocol::{ClientId, Kind, MessageBody, RoomId};
use beck::server::broker::redis::Redis;
use beck::server::broker::{Broker, Proposal};
use beck::timeline::{EchoState, MarkKind};
use std::sync::Arc;
use tempfile::tempdir;

async fn stored(engine: &Engine, ids: &[ClientId]) {
    let is_stored = |id: &ClientId| engine.session().outbox.get(*id).is_some_and(|kept| kept.is_stored());
    until("every draft is acknowledged", || ids.iter().all(is_stored)).await;
}

/// Writes and waits for the acks; gives the ids.
async fn write(engine: &Engine, room: RoomId, texts: &[&str]) -> Vec<ClientId> {
    let ids: Vec<_> = texts.iter().map(|_| ClientId::random()).collect();
    for (id, text) in ids.iter().zip(texts) {
        engine.write(*id, room, (*text).to_owned());
    }
    stored(engine, &ids).await;
    ids
}

fn texts(engine: &Engine) -> Vec<String> {
    let session = engine.session();
    let rows = session.current().map(|timeline| timeline.rows().filter_map(|row| row.text.clone()).collect());
    rows.unwrap_or_default()
}

fn was_reset(engine: &Engine, room: RoomId) -> bool {
    let session = engine.session();
    let marks = session.marks.get(&room).into_iter().flatten();
    marks.into_iter().any(|mark| matches!(mark.what, MarkKind::Reset { .. }))
}

fn states(engine: &Engine, ids: &[ClientId]) -> Vec<KeptState> {
    let session = engine.session();
    ids.iter().filter_map(|id| session.outbox.get(*id)).map(|kept| kept.state.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_tail_resets_who_stayed_and_its_drafts_are_offered_to_their_authors() {
    let store = RedisServer::start(Store::Redis);
    let folder = tempdir().unwrap();
    let log = Redis::open(&store.settings()).await.unwrap();
    let place = furnish_on(folder.path(), Arc::new(log), 5).await;
    let room = place.general;
    let mut cluster = Cluster::start(store, 2);
    let engine = |n: usize, server: usize, cluster: &Cluster| {
        let (account, cookie) = &place.people[n];
        Engine::start(cluster.servers[server].host(), *account, cookie, room)
    };
    // One who writes and stays, one who writes and looks elsewhere then, one who reads and stays, and one on each
    // server who reads as a program would.
    let (stays, elsewhere, reader) = (engine(0, 0, &cluster), engine(1, 1, &cluster), engine(2, 1, &cluster));
    write(&stays, room, &["kept 1", "kept 2"]).await;
    write(&elsewhere, room, &["kept 3"]).await;
    let copy = tempdir().unwrap();
    let mut copying = std::process::Command::new("cp");
    copying.arg("-r").arg(cluster.store.folder()).arg(copy.path().join("store"));
    assert!(copying.status().unwrap().success());

    let lost = write(&stays, room, &["lost 1", "lost 2", "lost 3"]).await;
    let also_lost = write(&elsewhere, room, &["lost 4", "lost 5"]).await;
    until("the reader has all", || texts(&reader).len() == 8).await;
    elsewhere.intend(Input::LookAway);
    cluster.store.kill();
    cluster.store.restore(&copy.path().join("store"));
    cluster.store.restart();
    // Others take the numbers of what was lost, before the servers or after they have seen it.
    let log = Redis::open(&cluster.store.settings()).await.unwrap();
    let by = place.people[4].0;
    let message = |n: usize| {
        let body = MessageBody { text: format!("new {n}"), quote: None, said: None };
        Proposal::new(by, ClientId::random(), Kind::Message, &body).room(room)
    };
    log.append((1..=3).map(message).collect()).await.unwrap();
    for n in 0..2 {
        cluster.until_ready_is(n, 200, "ready").await;
    }

    // Who stayed is told, and holds what the log holds now.
    let now = ["kept 1", "kept 2", "kept 3", "new 1", "new 2", "new 3"];
    for (who, engine) in [("the reader", &reader), ("who stays", &stays)] {
        until(&format!("{who} holds what the log holds"), || texts(engine) == now).await;
        assert!(was_reset(engine, room), "{who} was not told");
    }
    // What was lost is offered, to each author his own, wherever he looks.
    until("the lost drafts are offered", || states(&stays, &lost) == vec![KeptState::Lost; 3]).await;
    until("also elsewhere", || states(&elsewhere, &also_lost) == vec![KeptState::Lost; 2]).await;
    assert_eq!(stays.session().waiting() + elsewhere.session().waiting(), 5);
    let offered: Vec<_> = {
        let session = stays.session();
        let echoes = session.current().unwrap().echoes().iter();
        echoes.map(|echo| (echo.draft.id, echo.state.clone())).collect()
    };
    let in_order: Vec<_> = lost.iter().map(|id| (*id, EchoState::Lost)).collect();
    assert_eq!(offered, in_order, "they stand in the order of writing");
    assert!(reader.session().outbox.waiting() == 0 && elsewhere.session().status == Status::Live);

    // Sent again they stand once, under their ids, in the order of writing.
    for (engine, ids) in [(&stays, &lost), (&elsewhere, &also_lost)] {
        ids.iter().for_each(|id| engine.intend(Input::SendNow(*id)));
        stored(engine, ids).await;
    }
    until("the reader has them", || texts(&reader).len() == 11).await;
    let mut whole = Vec::new();
    for server in &cluster.servers {
        let mut client = TestClient::connect(server, &place.people[3].1).await;
        whole.push(WholeRoom::read(&mut client, room).await);
    }
    assert_eq!(whole[0], whole[1], "the servers disagree");
    let told: Vec<_> = whole[0].messages.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(told[..6], now);
    assert_eq!(told[6..], ["lost 1", "lost 2", "lost 3", "lost 4", "lost 5"]);
    let again: Vec<_> = whole[0].messages[6..].iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(again, lost.iter().chain(&also_lost).map(ClientId::to_string).collect::<Vec<_>>());
    for engine in [&stays, &reader] {
        until("everybody stands at the end", || {
            let (seq, chain, waiting) = engine.place();
            (seq, &chain, waiting) == (whole[0].seq, &whole[0].chain, 0)
        })
        .await;
    }
    let entries = log_reader::read_store(cluster.store.port);
    let sent: Vec<_> = lost.iter().chain(&also_lost).map(ClientId::to_string).collect();
    assert_eq!(log_reader::assert_holds(&entries, &sent, []), 0, "nothing is in the log twice");
}
