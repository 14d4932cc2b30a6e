//! Servers are restarted one after the other while everybody goes on; and nothing sticks to one server.

use crate::servers::Cluster;
use crate::support::checker::{WholeRoom, assert_engine, calm, check_frames};
use crate::support::engine::Engine;
use crate::support::log_reader;
use crate::support::plain::Plain;
use crate::support::proxy::CuttingProxy;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, form_at};
use crate::support::{furnish_on, seed};
use beck::client::KeptState;
use beck::protocol::ClientId;
use beck::server::broker::redis::Redis;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::tempdir;

const CLIENTS: usize = 20;
/// Each server goes and comes back so often.
const ROUNDS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_refuses_no_send_and_loses_and_doubles_nothing() {
    let store = RedisServer::start(Store::Redis);
    let folder = tempdir().unwrap();
    let log = Redis::open(&store.settings()).await.unwrap();
    let place = furnish_on(folder.path(), Arc::new(log), CLIENTS).await;
    let room = place.general;
    let mut cluster = Cluster::start(store, 2);
    let front = CuttingProxy::start(cluster.servers[0].host(), seed()).await;
    front.aim_at(cluster.hosts());
    let host = front.addr();
    let (mut engines, mut plains) = (Vec::new(), Vec::new());
    for (n, (account, cookie)) in place.people.iter().enumerate() {
        if n % 2 == 0 {
            engines.push(Engine::start(&host, *account, cookie, room));
        } else {
            plains.push(Plain::member(&host, cookie, room));
        }
    }
    let mut texts: HashMap<String, String> = HashMap::new();
    let mut written = 0;
    let (mut forms, mut cut_forms) = (0, 0);
    // Everybody writes, each tenth of a second; somebody posts by form too, each time through the front.
    let mut go_on = async |tenths: usize| {
        for _ in 0..tenths {
            for (who, engine) in engines.iter().enumerate() {
                let (id, text) = (ClientId::random(), format!("engine {who}, {written}"));
                texts.insert(id.to_string(), text.clone());
                engine.write(id, room, text);
            }
            for (who, plain) in plains.iter().enumerate() {
                let (id, text) = (ClientId::random().to_string(), format!("plain {who}, {written}"));
                texts.insert(id.clone(), text.clone());
                plain.say(id, text);
            }
            let (id, text) = (ClientId::random().to_string(), format!("form, {written}"));
            let fields = [("client_id", id.as_str()), ("text", text.as_str())];
            let path = format!("/r/{room}/post");
            // The system resets who came while the listener was being closed: nobody has read a word of it. Whoever sits at
            // a browser sends the form again, under its id.
            let mut tries = 0;
            let status = loop {
                match form_at(&format!("http://{host}"), &path, &place.people[1].1, &fields).await {
                    Ok((status, ..)) => break status,
                    Err(fault) => {
                        tries += 1;
                        assert!(tries < 3, "a form was not taken: {fault}");
                        cut_forms += 1;
                    }
                }
            };
            assert_eq!(status, 303, "a form was refused");
            texts.insert(id, text);
            written += 1;
            forms += 1;
            for engine in &engines {
                let session = engine.session();
                let not_sent = session.outbox.in_room(room).find(|kept| {
                    matches!(kept.state, KeptState::NotSent { .. } | KeptState::Lost | KeptState::Question)
                });
                assert!(not_sent.is_none(), "{not_sent:?}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    go_on(5).await;
    let mut drains = 0;
    for _ in 0..ROUNDS {
        for n in 0..2 {
            // What stands before the servers goes by /readyz, or by who accepts connections: this one by the latter.
            cluster.servers[n].terminate();
            go_on(5).await;
            assert_eq!(cluster.servers[n].wait(), Some(0));
            drains += 1;
            go_on(3).await;
            cluster.servers[n] = cluster.serve(n);
            cluster.until_ready_is(n, 200, "ready").await;
            front.aim_at(cluster.hosts());
            go_on(5).await;
        }
    }
    assert_eq!(drains, 2 * ROUNDS);

    let mut whole = Vec::new();
    for server in &cluster.servers {
        let mut reader = TestClient::connect(server, &place.people[0].1).await;
        calm(&mut reader, room, &engines, &plains).await;
        whole.push(WholeRoom::read(&mut reader, room).await);
    }
    assert_eq!(whole[0], whole[1]);
    whole[0].assert_holds(&texts);
    log_reader::assert_holds(&log_reader::read_store(cluster.store.port), texts.keys(), []);
    for (n, engine) in engines.iter().enumerate() {
        assert_engine(&format!("engine {n}"), engine, &whole[0]);
    }
    // Nobody was told that something of his was not done, and everybody on a server that went was told so.
    let frames = front.frames();
    let (mut moving, mut told) = (0, 0);
    for text in frames.iter().flatten() {
        let frame: Value = serde_json::from_str(text).unwrap();
        assert_ne!(frame["t"], "error", "{frame}");
        moving += u64::from(frame["t"] == "moving");
    }
    for (n, plain) in plains.iter().enumerate() {
        let state = plain.told();
        assert_eq!((state.acked.len(), state.refused.len()), (written, 0), "plain {n}");
        assert!(state.moving > 0, "plain {n} was never told that its server goes");
        told += state.moving as u64;
    }
    let (moves, checked) = (front.moves(), check_frames(&frames));
    println!(
        "{} messages, {forms} by form, {cut_forms} of them cut; {moving} told to move, {moves} moves, {checked} events",
        texts.len()
    );
    // One moment a restart, and rarely met.
    assert!(cut_forms <= 2 * ROUNDS, "{cut_forms} forms were cut");
    // When both had been restarted everybody had moved at least once, most of them each time.
    assert!(moving >= (CLIENTS * ROUNDS) as u64 && told > 0 && moves >= (CLIENTS * ROUNDS) as u64);
    assert!(checked > texts.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_sockets_and_logins_go_to_any_server_at_once() {
    let cluster = Cluster::start(RedisServer::start(Store::Valkey), 2);
    let (mut olive, general) = cluster.servers[0].set_up().await;
    let join = cluster.servers[0].join_token(&olive, &general).await;
    let sign_in = [("handle", "olive"), ("password", "a long password")];
    for round in 0..6 {
        let (here, there) = (&cluster.servers[round % 2], &cluster.servers[(round + 1) % 2]);
        // In by a form here; a socket there, by the same cookie and at once.
        let (status, cookie, _) = here.form("/sign-in", "", &sign_in).await;
        assert_eq!(status, 303);
        let mut socket = TestClient::connect(there, &cookie).await;
        socket.send(json!({ "t": "subscribe", "room": general })).await;
        socket.until("subscribed").await;
        // A post by form there and one here: the socket sees both, in order.
        for (n, server) in [there, here].into_iter().enumerate() {
            let id = ClientId::random().to_string();
            let fields = [("client_id", id.as_str()), ("text", "by form")];
            let (status, _, location) = server.form(&format!("/r/{general}/post"), &cookie, &fields).await;
            assert_eq!((status, location), (303, format!("/r/{general}")), "post {n}");
            assert_eq!(socket.until("event").await["event"]["header"]["id"], id.as_str());
        }
        // Somebody who comes in here is known there, and the page of the next room too.
        let guest = here.sign_up_by(&join, &format!("guest{round}")).await;
        let (status, _, made) = there.form("/rooms", &guest, &[("name", &format!("Room {round}"))]).await;
        assert_eq!(status, 303);
        assert_eq!(here.page(&made, &guest).await.0, 200);
        // A new password here ends the login of before everywhere, and is good there.
        let secret = format!("a long password {round}");
        let change = [("current", "a long password"), ("new", secret.as_str())];
        let changed = here.form("/account/password", &guest, &change).await;
        assert_eq!((changed.0, changed.2.starts_with("/account")), (303, true));
        let handle = format!("guest{round}");
        let old = there.form("/sign-in", "", &[("handle", &handle), ("password", "a long password")]).await;
        assert_eq!((old.0, old.1.as_str()), (422, ""));
        let new = there.form("/sign-in", "", &[("handle", &handle), ("password", &secret)]).await;
        assert_eq!(new.0, 303);
        // Out here: the socket there ends, the login is good nowhere, and the other one goes on.
        assert_eq!(here.form("/sign-out", &cookie, &[]).await.0, 303);
        let ended = tokio::time::timeout(Duration::from_secs(20), socket.close_code()).await;
        assert_eq!(ended.unwrap(), Some(4001));
        for server in [here, there] {
            assert_eq!(server.page("/rooms", &cookie).await.1, "/sign-in?next=/rooms");
            assert_eq!(server.page("/rooms", &olive).await.0, 200);
        }
        olive = there.form("/sign-in", "", &sign_in).await.1;
    }
}
