//! Typing is told at a rate for the whole connection, and only of lanes that are there.

use crate::support::server::TestClient;
use crate::support::set_up;
use beck::protocol::ClientId;
use beck::server::broker::Signal;
use beck::server::{router, serve};
use serde_json::json;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn typing_in_many_threads_is_throttled_in_all_and_lanes_that_are_not_there_are_not_told() {
    const LANES: usize = 50;
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let mut lanes = Vec::new();
    for _ in 0..LANES {
        let id = ClientId::random();
        here.post(here.owner, id, "a question").await;
        lanes.push(here.node.state.read_anything(|state| Ok(state.row(id)?.unwrap().1.seq)).unwrap());
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let app = router::router(here.node.clone(), None);
    tokio::spawn(serve::serve(here.node.clone(), app, listener, std::future::pending()));
    let cookie = format!("beck_login={}", here.node.sign_in(here.owner).await.unwrap());
    let mut signals = here.log.signals().subscribe();
    let told = |signals: &mut tokio::sync::broadcast::Receiver<Signal>| {
        let mut told = Vec::new();
        while let Ok(signal) = signals.try_recv() {
            if let Signal::Typing { lane, ttl_ms, .. } = signal {
                told.push((lane, ttl_ms > 0));
            }
        }
        told
    };

    // Lanes that are not there take nothing of the rate.
    let mut client = TestClient::connect_at(&host, &cookie).await;
    for lane in 0..LANES as u64 {
        client.send(json!({ "t": "typing", "room": here.general, "lane": 10_000 + lane, "on": true })).await;
    }
    client.send(json!({ "t": "typing", "room": here.general, "on": true })).await;
    client.send(json!({ "t": "people", "ids": [] })).await;
    client.until("people").await;
    assert_eq!(told(&mut signals), [(0, true)]);

    let mut client = TestClient::connect_at(&host, &cookie).await;
    for lane in &lanes {
        for on in [true, false] {
            client.send(json!({ "t": "typing", "room": here.general, "lane": lane, "on": on })).await;
        }
    }
    client.send(json!({ "t": "people", "ids": [] })).await;
    client.until("people").await;
    let told = told(&mut signals);
    let begun = told.iter().filter(|(_, on)| *on).count();
    let ended = told.len() - begun;
    assert!((1..LANES / 2).contains(&begun), "{begun} of {LANES}");
    assert_eq!(ended, begun, "what was told to begin is told to end");
}
