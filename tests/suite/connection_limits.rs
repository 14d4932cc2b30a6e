//! Connections that take without giving: silent ones, and bodies that never come.

use crate::support::awaited::until;
use crate::support::server::{TestClient, TestServer};
use crate::support::{TestNode, furnish, resident, set_up};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use beck::server::body_timeout::{BodyTimeouts, FORM, cut_stalled};
use beck::server::serve::{Connections, Limits, Progress};
use beck::server::{router, serve};
use futures::{StreamExt, stream};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::tempdir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tower::ServiceExt as _;

/// Not a bound that is tested: a test that would hang fails instead.
const HANGS: Duration = Duration::from_secs(60);

/// Whether it was closed without an answer: a request that took too long is answered with 408 first.
async fn is_cut(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_millis(1), stream.read_to_end(&mut rest)).await.is_ok();
    ended && rest.is_empty()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn silent_posts_that_take_every_descriptor_keep_nobody_out() {
    const DESCRIPTORS: u32 = 256;
    const SILENT: usize = 300;
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), 2).await;
    let server = TestServer::start_with_descriptors(folder.path(), DESCRIPTORS);
    let host = server.host();
    let head = format!(
        "POST /sign-in HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\n"
    );
    let mut before = TestClient::connect(&server, &place.people[0].1).await;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    let room = format!("/r/{}", place.general);
    let gets_in = async {
        assert_eq!(server.page(&room, &place.people[1].1).await.0, 200);
        let mut client = TestClient::connect(&server, &place.people[1].1).await;
        client.post(&place.general.to_string(), &beck::protocol::ClientId::random().to_string(), "in").await;
        assert_eq!(client.until("ack").await["outcome"]["is"], "stored");
    };
    tokio::time::timeout(HANGS, gets_in).await.expect("a person who is signed in gets in");
    // Whoever had a socket keeps it.
    before.send(serde_json::json!({ "t": "people", "ids": [] })).await;
    before.until("people").await;
    let mut cut = 0;
    for stream in &mut silent {
        cut += usize::from(is_cut(stream).await);
    }
    assert!(cut >= SILENT - DESCRIPTORS as usize, "{cut} of {SILENT} made room");
}

/// The answer to a body under these timeouts.
async fn answer(timeouts: BodyTimeouts, body: Body) -> StatusCode {
    let app = Router::new()
        .route("/", post(|body: Bytes| async move { body.len().to_string() }))
        .layer(from_fn_with_state(timeouts, cut_stalled));
    let request = Request::post("/").body(body).unwrap();
    tokio::time::timeout(HANGS, app.oneshot(request)).await.expect("it is answered").unwrap().status()
}

#[tokio::test]
async fn a_body_that_stalls_or_takes_too_long_in_all_is_answered_with_408() {
    let long = Duration::from_secs(3_600);
    let short = Duration::from_millis(200);
    let byte = || Ok::<_, Infallible>(Bytes::from_static(b"x"));
    let stalls = || Body::from_stream(stream::iter([byte()]).chain(stream::pending()));
    let drips = || {
        let drip = stream::unfold((), move |()| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Some((byte(), ()))
        });
        Body::from_stream(drip)
    };
    assert_eq!(answer(BodyTimeouts { stalled: short, whole: long }, stalls()).await, 408);
    assert_eq!(answer(BodyTimeouts { stalled: long, whole: short }, drips()).await, 408);
    let slow = Body::from_stream(drips().into_data_stream().take(100));
    assert_eq!(answer(BodyTimeouts { stalled: long, whole: long }, slow).await, 200);
    assert_eq!(answer(BodyTimeouts { stalled: short, whole: short }, Body::empty()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_whose_body_stalls_is_cut_with_its_connection() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let part = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"name="))]);
    let body = Body::from_stream(part.chain(stream::pending()));
    let cookie = format!("beck_login={}", here.node.sign_in(here.owner).await.unwrap());
    let request = Request::post("/rooms").header("cookie", cookie).header("sec-fetch-site", "same-origin");
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body).unwrap();
    let answering = router::router(here.node.clone(), None).oneshot(request);
    let answer = tokio::time::timeout(HANGS, answering).await.expect("it is cut").unwrap();
    assert_eq!(answer.status(), 408);
    assert_eq!(answer.headers()["connection"], "close");
}

fn limits(connections: usize) -> Limits {
    Limits { connections, per_address: 3, idle: Duration::from_secs(3_600) }
}

#[test]
fn the_idlest_connection_of_an_address_goes_where_it_has_too_many_and_proxies_have_no_limit() {
    let connections = Connections::new(limits(1_000), vec!["10.0.0.0/8".parse().unwrap()]);
    let slots = |address: &str, n: usize| {
        let from = SocketAddr::new(address.parse().unwrap(), 4711);
        let slots: Vec<_> = (0..n).map(|_| connections.slot(from, &Progress::begin())).collect();
        slots
    };
    let cut = |slots: &[serve::HttpSlot]| -> Vec<bool> {
        slots.iter().map(|slot| slot.cut.is_cancelled()).collect()
    };
    let one = slots("203.0.113.7", 5);
    assert_eq!(cut(&one), [true, true, false, false, false]);
    let other = slots("203.0.113.8", 3);
    assert!(!cut(&other).contains(&true) && !cut(&one)[2..].contains(&true), "addresses are counted apart");
    let (network, same) = (slots("2001:db8::1", 3), slots("2001:db8::ffff:1", 1));
    assert_eq!((cut(&network), cut(&same)), (vec![true, false, false], vec![false]), "a /64 is one address");
    for proxy in ["10.1.2.3", "127.0.0.1", "::1", "::ffff:10.1.2.3"] {
        assert!(!cut(&slots(proxy, 50)).contains(&true), "{proxy}");
    }
    drop((one, other, network, same));
    assert_eq!(connections.counts().0, 0, "nothing is kept of what is gone");
}

#[test]
fn a_connection_whose_request_is_being_answered_goes_only_if_all_are_and_then_the_idlest() {
    // Often, since the order of a map decides nothing.
    for _ in 0..20 {
        let connections = Connections::new(limits(1_000), Vec::new());
        let from = SocketAddr::new("203.0.113.7".parse().unwrap(), 4711);
        let progress: Vec<_> = (0..5).map(|_| Progress::begin()).collect();
        let answering: Vec<_> = [0, 1, 3].map(|n| progress[n].answering()).into_iter().collect();
        let mut slots: Vec<_> =
            progress[..3].iter().map(|progress| connections.slot(from, progress)).collect();
        let cut = |slots: &[serve::HttpSlot]| -> Vec<bool> {
            slots.iter().map(|slot| slot.cut.is_cancelled()).collect()
        };
        assert_eq!(cut(&slots), [false, false, false]);
        slots.push(connections.slot(from, &progress[3]));
        assert_eq!(cut(&slots), [false, false, true, false], "the one that waits for nothing");
        slots.push(connections.slot(from, &progress[4]));
        assert_eq!(cut(&slots), [true, false, true, false, false], "the one that is idle longest");
        // What was answered may go again.
        drop(answering);
        slots.push(connections.slot(from, &Progress::begin()));
        assert_eq!(cut(&slots).iter().filter(|cut| **cut).count(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_being_answered_outlasts_any_number_of_silent_connections() {
    const SILENT: usize = 60;
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (asked, answer) = (asked.clone(), answer.clone());
        move |body: Bytes| async move {
            asked.notify_one();
            answer.notified().await;
            body
        }
    };
    let body = BodyTimeouts { stalled: HANGS, whole: HANGS };
    let app = Router::new().route("/slow", post(slow)).layer(from_fn_with_state(body, cut_stalled));
    let (host, _) = serve_limited(&here, limits(6), app).await;
    for body in ["", "a body"] {
        let request = reqwest::Client::new().post(format!("http://{host}/slow")).body(body);
        let answered = tokio::spawn(request.send());
        tokio::time::timeout(HANGS, asked.notified()).await.expect("it is asked");
        let mut silent = Vec::new();
        for _ in 0..SILENT {
            silent.push(TcpStream::connect(&host).await.unwrap());
        }
        // All of them were let in: the last one is served.
        let mut last = TcpStream::connect(&host).await.unwrap();
        last.write_all(format!("GET /none HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
        let mut status = [0; 12];
        tokio::time::timeout(HANGS, last.read_exact(&mut status)).await.expect("it gets in").unwrap();
        assert_eq!(&status, b"HTTP/1.1 404");
        answer.notify_one();
        assert_eq!(answered.await.unwrap().unwrap().text().await.unwrap(), body);
    }
}

/// Serves an application within limits; where, and the connections.
async fn serve_limited(here: &TestNode, limits: Limits, app: Router) -> (String, Arc<Connections>) {
    let connections = Connections::new(limits, Vec::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let node = here.node.clone();
    tokio::spawn(serve::serve_within(connections.clone(), node, app, listener, std::future::pending()));
    (host, connections)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_is_closed_as_idle_where_it_may_take_any_time() {
    const STOPPED: usize = 5;
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let began = Arc::new(Notify::new());
    let upload = {
        let began = began.clone();
        move |body: Body| async move {
            let mut parts = body.into_data_stream();
            while let Some(Ok(_)) = parts.next().await {
                began.notify_one();
            }
        }
    };
    let body = BodyTimeouts { stalled: Duration::from_secs(3_600), whole: Duration::from_secs(3_600) };
    let app = Router::new().route("/upload", post(upload)).layer(from_fn_with_state(body, cut_stalled));
    let limits = Limits { idle: Duration::from_millis(300), ..limits(8) };
    let (host, connections) = serve_limited(&here, limits, app).await;
    let mut stopped = Vec::new();
    for _ in 0..STOPPED {
        let mut stream = TcpStream::connect(&host).await.unwrap();
        let part = format!("POST /upload HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\nx");
        stream.write_all(part.as_bytes()).await.unwrap();
        tokio::time::timeout(HANGS, began.notified()).await.expect("its body has begun");
        stopped.push(stream);
    }
    until("all of them are closed", || connections.counts() == (0, 8)).await;
    for mut stream in stopped {
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(HANGS, stream.read_to_end(&mut rest)).await.expect("it is closed");
        assert_eq!(rest, b"", "nothing was answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_stays_idle_is_closed_and_gives_its_place_back() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let limits = Limits { idle: Duration::from_millis(300), ..limits(8) };
    let (host, connections) = serve_limited(&here, limits, router::router(here.node.clone(), None)).await;
    let cookie = format!("beck_login={}", here.node.sign_in(here.owner).await.unwrap());
    let mut socket = TestClient::connect_at(&host, &cookie).await;
    // More than there is room for, one after another and all at once.
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(&host).await.unwrap());
    }
    let mut kept = TcpStream::connect(&host).await.unwrap();
    kept.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    tokio::time::timeout(HANGS, kept.read_exact(&mut answer)).await.expect("it gets in").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    until("all of them are closed", || connections.counts() == (0, 7)).await;
    assert!(tokio::time::timeout(HANGS, kept.read_to_end(&mut Vec::new())).await.is_ok());
    // A socket is no idle connection.
    socket.send(serde_json::json!({ "t": "people", "ids": [] })).await;
    socket.until("people").await;
    drop(socket);
    until("the socket's place is free", || connections.counts() == (0, 8)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_request_is_being_answered_is_not_idle() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let limits = Limits { idle: Duration::from_millis(200), ..limits(8) };
    let connections = Connections::new(limits, Vec::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let slow = async |body: Bytes| {
        tokio::time::sleep(Duration::from_secs(2)).await;
        body
    };
    let app = Router::new().route("/", get(slow).post(slow)).layer(from_fn_with_state(FORM, cut_stalled));
    let served =
        serve::serve_within(connections.clone(), here.node.clone(), app, listener, std::future::pending());
    tokio::spawn(served);
    let client = reqwest::Client::new();
    for request in [client.get(&base), client.post(&base).body("in full")] {
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_of_refused_bodies_hold_no_memory() {
    const BODY: usize = 4_000_000;
    const GROWTH: u64 = 24 * 1024 * 1024;
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), 1).await;
    let server = TestServer::start(folder.path());
    let client = reqwest::Client::new();
    let post = async |path: &str, bytes: usize| {
        let request = client.post(format!("{}{path}", server.base)).header("origin", &server.base);
        let request = request.header("cookie", &place.people[0].1).body(vec![b'x'; bytes]);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(post("/rooms", 1_000_000).await, 413);
    let before = resident(server.pid());
    let mut refused = 0;
    for path in ["/rooms", "/sign-in", "/account/status", "/api/x", "/r/bbbbbbbbbb/post"].repeat(5) {
        refused += BODY * usize::from(post(path, BODY).await == 413);
    }
    assert_eq!(refused, 100_000_000);
    let growth = resident(server.pid()).saturating_sub(before);
    assert!(growth <= GROWTH, "the server grew by {growth} bytes");
}
