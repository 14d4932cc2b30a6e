//! What a socket keeps of the memory that a long message took.

use crate::support::awaited::until;
use crate::support::server::{TestClient, TestServer};
use crate::support::{furnish, resident};
use beck::protocol::ClientId;
use beck::server::socket::text_frames;
use serde_json::json;
use tempfile::tempdir;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_was_sent_a_long_page_keeps_little_of_it() {
    const EACH: usize = 30;
    const TEXTS: usize = 11;
    const KEPT: u64 = 160 * 1024;
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), 4).await;
    let server = TestServer::start(folder.path());
    let room = place.general.to_string();
    let mut first = TestClient::connect(&server, &place.people[0].1).await;
    for _ in 0..TEXTS {
        first.post(&room, &ClientId::random().to_string(), &"x".repeat(24_000)).await;
        assert_eq!(first.until("ack").await["outcome"]["is"], "stored");
    }
    let page = json!({ "t": "page", "req": 1, "room": room, "at": "newest", "limit": TEXTS });
    let mut sockets = Vec::new();
    for n in 0..EACH * place.people.len() - 1 {
        sockets.push(TestClient::connect(&server, &place.people[n % place.people.len()].1).await);
    }
    // What serving pages takes at all is there before it is measured.
    for _ in 0..20 {
        first.send(page.clone()).await;
        assert!(first.until("page").await.to_string().len() > 256 * 1024);
    }
    let before = resident(server.pid());
    for socket in &mut sockets {
        socket.send(page.clone()).await;
        let page = socket.until("page").await;
        assert_eq!(page["page"]["rows"].as_array().unwrap().len(), TEXTS);
    }
    let kept = resident(server.pid()).saturating_sub(before) / sockets.len() as u64;
    println!("{kept} bytes kept by each of {} sockets that was sent a page of 264 KB", sockets.len());
    assert!(kept <= KEPT, "{kept}");
}

#[test]
fn a_long_text_is_sent_in_short_frames_that_make_it_up() {
    const FRAME: usize = 8 * 1024;
    for length in [0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 100_000] {
        // Characters of several bytes, so that a frame ends within one.
        let text: String = "x\u{1f30a}é"
            .chars()
            .cycle()
            .scan(0, |bytes, c| {
                *bytes += c.len_utf8();
                (*bytes <= length).then_some(c)
            })
            .collect();
        let frames: Vec<_> = text_frames(Utf8Bytes::from(text.clone())).collect();
        if text.len() <= FRAME {
            assert_eq!(frames, [Message::text(text)]);
            continue;
        }
        let mut bytes = Vec::new();
        for (n, message) in frames.iter().enumerate() {
            let Message::Frame(frame) = message else { panic!("{message:?}") };
            assert!(frame.payload().len() <= FRAME);
            let kind = if n == 0 { Data::Text } else { Data::Continue };
            assert_eq!(frame.header().opcode, OpCode::Data(kind));
            assert_eq!(frame.header().is_final, n + 1 == frames.len());
            bytes.extend_from_slice(frame.payload());
        }
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_crowd_took_goes_back_to_the_system_while_nothing_happens() {
    const EACH: usize = 30;
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), 30).await;
    let server = TestServer::start(folder.path());
    drop(TestClient::connect(&server, &place.people[0].1).await);
    let before = resident(server.pid());
    let mut sockets = Vec::new();
    for (_, cookie) in &place.people {
        for _ in 0..EACH {
            sockets.push(TestClient::connect(&server, cookie).await);
        }
    }
    let crowd = resident(server.pid());
    assert!(crowd > before + 3 * 1024 * 1024, "{before} {crowd}: the crowd was not seen");
    drop(sockets);
    // The allocator gives back by itself while it is used: nothing is asked of the server from here on. A half stays,
    // for the next crowd.
    let most = crowd - (crowd - before) / 3;
    until("a third of it is given back", || resident(server.pid()) <= most).await;
    println!("{before} bytes before the crowd, {crowd} with it, {} after it", resident(server.pid()));
}
