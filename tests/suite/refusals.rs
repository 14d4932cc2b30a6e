//! Bad input over form and socket: a clear answer or a clean close, nothing stored, others undisturbed.

use crate::support::server::{TestClient, TestServer, raw_request};
use beck::protocol::ClientId;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::time::Duration;
use tempfile::tempdir;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

fn fragment(kind: Data, piece: &str, last: bool) -> Message {
    Message::Frame(Frame::message(piece.as_bytes().to_vec(), OpCode::Data(kind), last))
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_frames_are_answered_or_closed_and_disturb_nobody() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (cookie, room) = server.set_up().await;
    let mut witness = TestClient::connect(&server, &cookie).await;
    witness.send(json!({ "t": "subscribe", "room": room })).await;
    let before = witness.until("subscribed").await["head"]["seq"].as_u64().unwrap();

    let mut client = TestClient::connect(&server, &cookie).await;
    let id = ClientId::random().to_string();
    let mut answered = 0;
    for (frame, code) in [
        (json!({ "t": "post", "id": id, "room": room, "text": "" }), "unfit"),
        (json!({ "t": "post", "id": id, "room": room, "text": " \n\t" }), "unfit"),
        (json!({ "t": "post", "id": id, "room": room, "text": "a\u{0}b" }), "unfit"),
        (json!({ "t": "post", "id": id, "room": room, "text": "x".repeat(30_000) }), "unfit"),
        (json!({ "t": "post", "id": id, "room": "bbbbbbbbbb", "text": "x" }), "not_found"),
        (json!({ "t": "post", "id": id, "room": room, "text": 5 }), "bad_frame"),
        (json!({ "t": "post", "id": id, "room": "../../etc", "text": "x" }), "bad_frame"),
        (json!({ "t": "post", "id": "1", "room": room, "text": "x" }), "bad_frame"),
        (json!({ "t": "act", "id": id, "room": room, "target": id, "slot": "a b", "value": true }), "unfit"),
        (json!({ "t": "page", "req": 4, "room": "bbbbbbbbbb", "at": "newest", "limit": 5 }), "not_found"),
    ] {
        client.send(frame.clone()).await;
        let error = client.until("error").await;
        assert_eq!(error["code"], code, "{frame}");
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 10));
        answered += 1;
    }
    assert_eq!(answered, 10);
    // Unknown kinds are ignored: the next known one is answered.
    client.send(json!({ "t": "sing", "song": [1, 2] })).await;
    client.send(json!({ "t": "outcome", "id": id })).await;
    assert_eq!(client.until("error").await["code"], "not_found", "nothing was stored under that id");

    for (message, what) in [
        (Message::binary(vec![0xff; 10]), "binary"),
        (Message::text("x".repeat(70_000)), "a frame of more than 64 KiB"),
    ] {
        let mut hostile = TestClient::connect(&server, &cookie).await;
        hostile.send_raw(message).await;
        let code = hostile.close_code().await;
        assert!(matches!(code, Some(4000) | None), "{what}: {code:?}");
    }
    let mut nonsense = TestClient::connect(&server, &cookie).await;
    for _ in 0..12 {
        nonsense.send_raw(Message::text("{not json")).await;
    }
    assert_eq!(nonsense.close_code().await, Some(4000));
    let mut flood = TestClient::connect(&server, &cookie).await;
    for _ in 0..2_000 {
        flood.send_raw(Message::Ping(vec![1].into())).await;
    }
    assert_eq!(flood.close_code().await, Some(4009), "a flood of pings is cut");

    for (what, piece) in [("empty fragments", ""), ("fragments of a byte", "x")] {
        let mut pieces = TestClient::connect(&server, &cookie).await;
        pieces.send_raw(fragment(Data::Text, piece, false)).await;
        for _ in 0..30_000 {
            pieces.send_raw(fragment(Data::Continue, piece, false)).await;
        }
        assert_eq!(pieces.close_code().await, Some(4000), "a flood of {what} is cut");
    }
    // In pieces a frame is a frame all the same.
    let frame = json!({ "t": "outcome", "id": ClientId::random() }).to_string();
    let last = frame.len() - 1;
    for (at, piece) in frame.chars().enumerate() {
        let kind = if at == 0 { Data::Text } else { Data::Continue };
        client.send_raw(fragment(kind, &piece.to_string(), at == last)).await;
    }
    assert_eq!(client.until("error").await["code"], "not_found");

    // The witness saw nothing of it and is served as before.
    witness.post(&room, &ClientId::random().to_string(), "still here").await;
    assert_eq!(witness.until("event").await["event"]["seq"].as_u64(), Some(before + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_in_words() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (cookie, room) = server.set_up().await;
    let host = server.host().to_owned();
    let post = format!("/r/{room}/post");
    let id = ClientId::random().to_string();
    let form = |text: &str| vec![("client_id".to_owned(), id.clone()), ("text".to_owned(), text.to_owned())];
    let mut checked = 0;
    for (text, status) in
        [("", 422), ("  ", 422), ("a\u{1}b", 422), ("fine", 303), ("other", 422), ("fine", 303)]
    {
        let fields = form(text);
        let fields: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(server.form(&post, &cookie, &fields).await.0, status, "{text:?}");
        checked += 1;
    }
    let big = "x".repeat(1 << 20);
    assert_eq!(server.form(&post, &cookie, &[("text", &big)]).await.0, 413);
    // Who sends slowly, and listens only then, still hears why.
    let mut slow = std::net::TcpStream::connect(&host).unwrap();
    let head = format!("POST {post} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n", big.len());
    slow.write_all(head.as_bytes()).unwrap();
    for part in big.as_bytes().chunks(64 * 1024) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        slow.write_all(part).unwrap();
    }
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    for path in ["/r/..%2f..%2f/post", "/r/AAAAAAAAAA/post", "/r/%00/post"] {
        let status = server.form(path, &cookie, &[("text", "x")]).await.0;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    // Not signed in: to the door, and nothing is stored.
    assert_eq!(server.form(&post, "", &[("text", "x")]).await.2, "/sign-in");

    for (request, status) in [
        (
            format!("POST {post} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nContent-Length: 0\r\n\r\n"),
            "403",
        ),
        (
            format!(
                "POST {post} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://evil.example\r\nCookie: {cookie}\r\n\
                 Content-Length: 0\r\n\r\n"
            ),
            "403",
        ),
        (format!("GET / HTTP/1.1\r\nHost: {host}\r\nX: {}\r\n\r\n", "y".repeat(40_000)), "431"),
        (format!("GET / HTTP/1.1\r\nHost: {host}\r\n{}\r\n", "A: b\r\n".repeat(500)), "431"),
    ] {
        let answer =
            raw_request(&server, request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {:?}", answer.get(..80));
        checked += 1;
    }
    // A socket from another site, from none, or without a login is never opened.
    let upgrade = |origin: &str, cookie: &str| {
        format!(
            "GET /ws HTTP/1.1\r\nHost: {host}\r\n{origin}Cookie: {cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    };
    let own = format!("Origin: http://{host}\r\n");
    for (origin, cookie, status) in [
        ("Origin: http://evil.example\r\n", cookie.as_str(), "403"),
        ("Origin: null\r\n", cookie.as_str(), "403"),
        ("", cookie.as_str(), "403"),
        (own.as_str(), "beck_login=00", "401"),
        (own.as_str(), "", "401"),
    ] {
        let text = upgrade(origin, cookie);
        let answer = raw_request_until_head(&server, &text);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{origin:?} {cookie:?}: {answer}");
        checked += 1;
    }
    assert_eq!(checked, 15);
    let health = raw_request(
        &server,
        format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes(),
    );
    assert!(health.starts_with("HTTP/1.1 200"));
}

/// The first bytes of an answer whose connection stays open.
fn raw_request_until_head(server: &TestServer, text: &str) -> String {
    let mut socket = std::net::TcpStream::connect(server.host()).unwrap();
    socket.write_all(text.as_bytes()).unwrap();
    let mut head = vec![0; 512];
    let read = socket.read(&mut head).unwrap();
    String::from_utf8_lossy(&head[..read]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_closes_the_sockets_of_that_login() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (cookie, _) = server.set_up().await;
    let mut client = TestClient::connect(&server, &cookie).await;
    assert_eq!(server.form("/sign-out", &cookie, &[]).await.0, 303);
    assert_eq!(client.close_code().await, Some(4001));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_after_a_removal_is_delivered_to_the_removed() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (cookie, room) = server.set_up().await;
    let mut owner = TestClient::connect(&server, &cookie).await;
    let page = reqwest::Client::new().get(format!("{}/r/{room}", server.base)).header("cookie", &cookie);
    let page = page.send().await.unwrap().text().await.unwrap();
    let link = page.split("/join/").nth(1).unwrap()[..64].to_owned();
    let fields = [("name", "Guest"), ("handle", "guest"), ("password", "a long password")];
    let (status, guest_cookie, _) = server.form(&format!("/join/{link}"), "", &fields).await;
    assert_eq!(status, 303);
    let mut guest = TestClient::connect(&server, &guest_cookie).await;
    guest.send(json!({ "t": "subscribe", "room": room })).await;
    guest.until("subscribed").await;
    owner.post(&room, &ClientId::random().to_string(), "before").await;
    guest.until("event").await;
    assert_eq!(server.form(&format!("/r/{room}/leave"), &guest_cookie, &[]).await.0, 303);
    owner.post(&room, &ClientId::random().to_string(), "secret after").await;
    owner.until("ack").await;
    // What comes is the leave itself and that the room is left; then an answer to a question, and no secret.
    guest.send(json!({ "t": "page", "req": 1, "room": room, "at": "newest", "limit": 5 })).await;
    let mut left = false;
    loop {
        let frame = guest.next().await.unwrap();
        assert!(!frame.to_string().contains("secret after"), "{frame}");
        left |= frame["t"] == "left";
        if frame["t"] == "error" {
            assert_eq!(frame["code"], "not_found");
            break;
        }
    }
    assert!(left);
}
