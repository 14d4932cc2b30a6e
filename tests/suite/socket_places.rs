//! How many WebSockets there may be, of one account and in all, and what one too many is told.

use crate::support::awaited::until;
use crate::support::native::App;
use crate::support::server::TestClient;
use crate::support::{TestNode, set_up};
use axum::Extension;
use beck::client::{Input, Status};
use beck::protocol::CloseCode;
use beck::protocol::bounds::SOCKETS_PER_ACCOUNT;
use beck::server::connection::{TIMEOUTS, Timeouts};
use beck::server::hub::SURPLUS_AT_ONCE;
use beck::server::router;
use beck::server::serve::{Connections, Limits, serve_within};
use std::sync::Arc;
use std::time::Duration;
use tempfile::tempdir;

/// Not a bound that is tested: a test that would hang fails instead.
const HANGS: Duration = Duration::from_secs(60);

/// Serves with places for so many connections; a socket that says nothing, or does not answer its close, is kept.
async fn serve(here: &TestNode, connections: usize) -> (String, Arc<Connections>) {
    let limits = Limits { connections, per_address: connections, idle: Duration::from_secs(3_600) };
    let connections = Connections::new(limits, Vec::new());
    let timeouts: &'static Timeouts =
        Box::leak(Box::new(Timeouts { hello: HANGS, goodbye: HANGS, ..TIMEOUTS.clone() }));
    let app = router::router(here.node.clone(), None).layer(Extension(timeouts));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let node = here.node.clone();
    tokio::spawn(serve_within(connections.clone(), node, app, listener, std::future::pending()));
    (host, connections)
}

async fn cookie(here: &TestNode, name: &str) -> String {
    let account = if name.is_empty() { here.owner } else { here.member(name).await };
    format!("beck_login={}", here.node.sign_in(account).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_too_many_is_closed_with_its_reason_and_nothing_of_it_stays() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let (host, _) = serve(&here, 1_000).await;
    let (mine, other) = (cookie(&here, "").await, cookie(&here, "bea").await);
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS_PER_ACCOUNT {
        sockets.push(TestClient::connect_at(&host, &mine).await);
    }
    let connections = || here.node.hub.counts().connections;
    for _ in 0..3 * SURPLUS_AT_ONCE {
        let mut surplus = TestClient::upgrade(&host, &mine).await;
        let (code, reason) = surplus.close_frame().await.expect("it is closed with a code");
        assert_eq!(code, 4011);
        assert_eq!(reason, CloseCode::TooManySockets.reason());
        assert!(reason.contains("Close a tab") && reason.contains(&SOCKETS_PER_ACCOUNT.to_string()));
        drop(surplus);
        until("nothing of it stays", || here.node.hub.surplus.held() == 0).await;
        assert_eq!(connections(), SOCKETS_PER_ACCOUNT);
    }

    // Sockets that do not answer the close: there are few at once, and others of the account are refused meanwhile.
    let mut silent = Vec::new();
    for _ in 0..SURPLUS_AT_ONCE {
        silent.push(TestClient::upgrade(&host, &mine).await);
    }
    for _ in 0..3 {
        let refused = TestClient::try_upgrade(&host, &mine).await.err();
        assert_eq!(refused, Some((429, Some("30".to_owned()))));
    }
    assert_eq!((here.node.hub.surplus.held(), connections()), (SURPLUS_AT_ONCE, SOCKETS_PER_ACCOUNT));
    // Another account is not touched by them.
    let another = TestClient::connect_at(&host, &other).await;
    assert_eq!(connections(), SOCKETS_PER_ACCOUNT + 1);
    drop((silent, another));
    until("nothing of them stays", || here.node.hub.surplus.held() == 0).await;

    // A socket that goes makes room for one.
    drop(sockets.pop());
    until("its place is free", || connections() == SOCKETS_PER_ACCOUNT - 1).await;
    sockets.push(TestClient::connect_at(&host, &mine).await);
}

#[test]
fn the_reason_of_every_close_fits_a_close_frame() {
    for code in CloseCode::ALL {
        assert!(code.reason().len() <= 123, "{code:?}");
        assert_eq!(CloseCode::from_number(code.number()), Some(code));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desktop_app_says_that_there_are_too_many_sockets_and_connects_once_there_is_room() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let (host, _) = serve(&here, 1_000).await;
    let token = here.node.sign_in(here.owner).await.unwrap();
    let mine = cookie(&here, "").await;
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS_PER_ACCOUNT {
        sockets.push(TestClient::connect_at(&host, &mine).await);
    }
    let kept = tempdir().unwrap();
    let app = App::start(&format!("http://{host}"), &token, kept.path()).await;
    app.until(|session| session.status == Status::TooManySockets).await;
    assert_eq!(app.session().probe, None);
    drop(sockets.pop());
    until("a place is free", || here.node.hub.counts().connections < SOCKETS_PER_ACCOUNT).await;
    app.intend(Input::Wake);
    app.until_live().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_leave_places_to_http_and_the_server_answers_however_many_there_are() {
    const CONNECTIONS: usize = 24;
    // A sixteenth, but 8 at least.
    const SOCKETS: usize = CONNECTIONS - 8;
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let (host, connections) = serve(&here, CONNECTIONS).await;
    let mine = cookie(&here, "").await;
    let mut sockets = Vec::new();
    let refused = loop {
        match TestClient::try_upgrade(&host, &mine).await {
            Ok(socket) => sockets.push(socket),
            Err(refused) => break refused,
        }
        assert!(sockets.len() < CONNECTIONS, "sockets are never refused");
    };
    assert_eq!(sockets.len(), SOCKETS);
    assert_eq!(refused, (503, Some("30".to_owned())));
    // Pages that stay connected take the rest, and make room for others.
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let status = async |path: &str| {
        let request = client.get(format!("http://{host}{path}")).header("cookie", &mine);
        tokio::time::timeout(HANGS, request.send()).await.expect("it is answered").unwrap()
    };
    let mut kept = Vec::new();
    for _ in 0..3 * CONNECTIONS {
        kept.push(tokio::net::TcpStream::connect(&host).await.unwrap());
        for path in ["/healthz", "/readyz"] {
            assert_eq!(status(path).await.status(), 200, "{path}");
        }
    }
    assert_eq!(status("/api/v1/login").await.status(), 503, "no proxy is in the way of the socket");
    let full = TestClient::try_upgrade(&host, &mine).await.err();
    assert_eq!(full, Some((503, Some("30".to_owned()))));
    assert!(connections.counts().0 <= CONNECTIONS - SOCKETS, "{:?}", connections.counts());
    // A socket that goes makes room for one.
    drop(sockets.pop());
    until("there is a place", || connections.has_socket()).await;
    assert_eq!(status("/api/v1/login").await.status(), 204);
    sockets.push(TestClient::connect_at(&host, &mine).await);
    // Nothing is kept once they are gone.
    drop((kept, sockets));
    until("all places are free", || connections.counts().1 == CONNECTIONS).await;
}

#[test]
fn the_share_of_http_is_small_and_never_all() {
    let sockets =
        |connections| Limits { connections, per_address: 1, idle: Duration::from_secs(1) }.sockets();
    let shares = [(16, 8), (24, 16), (192, 180), (896, 840), (100_000, 98_976)];
    for (connections, expected) in shares {
        assert_eq!(sockets(connections), expected, "{connections}");
    }
}
