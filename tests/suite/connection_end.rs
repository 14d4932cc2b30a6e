//! However a connection ends, nothing of it stays.

use crate::support::awaited::until;
use crate::support::server::TestClient;
use crate::support::set_up;
use axum::Router;
use axum::routing::any;
use beck::protocol::Presence;
use beck::server::connection::{Connection, Seat, TIMEOUTS};
use beck::server::hub::HubCounts;
use beck::server::serve::Progress;
use beck::server::socket::Handshake;
use serde_json::json;
use std::sync::Arc;
use tempfile::tempdir;
use tokio::sync::Notify;

const NOTHING: HubCounts = HubCounts { rooms: 0, accounts: 0, connections: 0, ring_bytes: 0 };

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_panics_leaves_nobody_online_and_no_room_behind() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let (node, account) = (here.node.clone(), here.owner);
    let token = node.sign_in(account).await.unwrap();
    let panic = Arc::new(Notify::new());
    let upgrade = {
        let (node, panic) = (node.clone(), panic.clone());
        move |handshake: Handshake| async move {
            let seat = Seat::take(&node, account, node.hub.ended_logins()).unwrap();
            handshake.accept(64 * 1024, move |socket| async move {
                let connection =
                    Connection::new(node, (seat, token), (socket, Progress::default()), &TIMEOUTS);
                tokio::select! {
                    () = connection.run() => {}
                    () = panic.notified() => panic!("planted: the connection's task ends in the middle"),
                }
            })
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/ws", any(upgrade))).await });
    let mut client = TestClient::connect_at(&host, "").await;
    client.send(json!({ "t": "watch", "people": [account] })).await;
    client.send(json!({ "t": "subscribe", "room": here.general })).await;
    client.until("subscribed").await;
    here.post(account, beck::protocol::ClientId::random(), "kept in the ring").await;
    client.until("event").await;
    assert_eq!(node.presence.of(account), Presence::Online);
    assert_eq!(node.presence.counts(), (1, 1));
    let counts = node.hub.counts();
    assert_eq!((counts.rooms, counts.accounts, counts.connections), (1, 1, 1));
    assert!(counts.ring_bytes > 0);

    panic.notify_one();
    until("its person is gone", || node.presence.of(account) == Presence::Offline).await;
    until("the hub is empty", || node.hub.counts() == NOTHING).await;
    assert_eq!(node.presence.counts(), (0, 0));
    while client.next().await.is_some() {}
}
