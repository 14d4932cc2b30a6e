//! Fifty clients, half of them the real engine, behind a proxy that cuts: in the end everyone holds the same.

use crate::support::checker::{WholeRoom, assert_engine, calm, check_frames};
use crate::support::engine::Engine;
use crate::support::plain::Plain;
use crate::support::proxy::CuttingProxy;
use crate::support::server::{TestClient, TestServer};
use crate::support::{furnish, seed};
use beck::protocol::ClientId;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::HashMap;
use std::time::Duration;
use tempfile::tempdir;

const CLIENTS: usize = 50;
const MESSAGES_EACH: usize = 8;
const ROUNDS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_clients_with_random_cuts_end_equal_and_every_acked_message_is_there_once() {
    let seed = seed();
    let mut dice = StdRng::seed_from_u64(seed);
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), CLIENTS).await;
    let room = place.general;
    let server = TestServer::start(folder.path());
    let proxy = CuttingProxy::start(server.host(), seed).await;
    let host = proxy.addr();

    let mut texts: HashMap<String, String> = HashMap::new();
    let (mut engines, mut plains) = (Vec::new(), Vec::new());
    for (n, (account, cookie)) in place.people.iter().enumerate() {
        if n % 2 == 0 {
            engines.push(Engine::start(&host, *account, cookie, room));
        } else {
            plains.push(Plain::member(&host, cookie, room));
        }
    }
    let mut written: Vec<Vec<ClientId>> = vec![Vec::new(); engines.len()];
    for round in 0..ROUNDS {
        if round < MESSAGES_EACH {
            for (n, engine) in engines.iter().enumerate() {
                let (id, text) = (ClientId::random(), format!("engine {n}, {round}"));
                texts.insert(id.to_string(), text.clone());
                written[n].push(id);
                engine.write(id, room, text);
            }
            for (n, plain) in plains.iter().enumerate() {
                let (id, text) = (ClientId::random().to_string(), format!("plain {n}, {round}"));
                texts.insert(id.clone(), text.clone());
                plain.say(id, text);
            }
        }
        tokio::time::sleep(Duration::from_millis(dice.random_range(50..300))).await;
        match round % 4 {
            0 => drop(proxy.delay_some(0.3, Duration::from_millis(30))),
            1 => proxy.lose_replies(),
            2 => proxy.mend(),
            _ => drop(proxy.dribble_some(0.2)),
        }
        proxy.cut_some(0.4);
    }
    proxy.mend();

    let mut reader = TestClient::connect_at(server.host(), &place.people[0].1).await;
    calm(&mut reader, room, &engines, &plains).await;
    let whole = WholeRoom::read(&mut reader, room).await;
    whole.assert_holds(&texts);
    for (n, engine) in engines.iter().enumerate() {
        assert_engine(&format!("engine {n}"), engine, &whole);
        let session = engine.session();
        assert!(written[n].iter().all(|id| session.outbox.get(*id).is_some_and(|kept| kept.is_stored())));
    }
    let mut reconnects = 0;
    for (n, plain) in plains.iter().enumerate() {
        let told = plain.told();
        assert_eq!(told.position["chain"], whole.chain, "plain {n}");
        assert_eq!((told.acked.len(), told.refused.len()), (MESSAGES_EACH, 0), "plain {n}");
        reconnects += told.connections - 1;
    }
    let counts = proxy.counts();
    let checked = check_frames(&proxy.frames());
    assert!(checked > texts.len(), "frames were seen");
    assert!(counts.cut > 0 && counts.lost > 0 && reconnects > 0, "{counts:?}, {reconnects} reconnects");
    println!("{counts:?}, {reconnects} reconnects of the plain clients, {checked} events checked");
}
