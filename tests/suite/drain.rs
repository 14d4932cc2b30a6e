//! SIGTERM in the middle of writes: goodbye to everyone, nothing acknowledged is lost, the process ends well.

use crate::support::command::Running;
use crate::support::server::{TestClient, TestServer};
use crate::support::{furnish, log_reader};
use beck::protocol::ClientId;
use serde_json::json;
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use tempfile::tempdir;

/// Posts of each writer; its burst allows them.
const POSTS: usize = 60;

/// A form of which the server has only the beginning.
struct HalfForm {
    socket: TcpStream,
    rest: String,
}

impl HalfForm {
    fn post(server: &TestServer, room: &str, cookie: &str, id: ClientId) -> HalfForm {
        let (host, body) = (server.host(), format!("client_id={id}&text=by+form"));
        let (first, rest) = body.split_at(9);
        let head = format!(
            "POST /r/{room}/post HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nCookie: {cookie}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{first}",
            body.len()
        );
        let mut socket = TcpStream::connect(host).unwrap();
        socket.write_all(head.as_bytes()).unwrap();
        HalfForm { socket, rest: rest.to_owned() }
    }

    /// Sends the rest; gives the answer.
    fn finish(mut self) -> String {
        self.socket.write_all(self.rest.as_bytes()).unwrap();
        let mut answer = String::new();
        self.socket.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_says_so_and_loses_nothing_that_it_acknowledged() {
    go(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_waits_until_its_sockets_have_said_goodbye() {
    go(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_let_in_before_the_end_is_served() {
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), 1).await;
    let mut served = 0;
    for _ in 0..8 {
        let mut server = TestServer::start(folder.path());
        // The system lets it in while the server does nothing; then the server sees both at once.
        server.signal("-STOP");
        let room = place.general.to_string();
        let form = HalfForm::post(&server, &room, &place.people[0].1, ClientId::random());
        server.terminate();
        server.signal("-CONT");
        let answer = form.finish();
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        assert_eq!(server.wait(), Some(0));
        served += 1;
    }
    assert_eq!(served, 8);
}

/// Several rounds of it; with a form on its way, or with nothing but sockets to wait for.
async fn go(with_form: bool) {
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), 8).await;
    let room = place.general.to_string();
    let mut rounds = (0, 0);
    for round in 0..4_usize {
        let mut server = TestServer::start(folder.path());
        let mut writers = Vec::new();
        for (_, cookie) in &place.people {
            writers.push(TestClient::connect(&server, cookie).await);
        }
        let mut idle = TestClient::connect(&server, &place.people[0].1).await;
        let mut reader = TestClient::connect(&server, &place.people[1].1).await;
        reader.send(json!({ "t": "subscribe", "room": room })).await;
        let start = reader.until("subscribed").await["head"]["seq"].as_u64().unwrap();
        let id = ClientId::random();
        let form = with_form.then(|| HalfForm::post(&server, &room, &place.people[2].1, id));

        let mut texts: HashMap<String, String> = HashMap::new();
        for (index, writer) in writers.iter_mut().enumerate() {
            for n in 0..POSTS {
                let (id, text) = (ClientId::random().to_string(), format!("round {round}, {index}, {n}"));
                writer.post(&room, &id, &text).await;
                texts.insert(id, text);
            }
        }
        // Asked to go after some of the answers, while the others are under way.
        let mut acked: HashMap<String, u64> = HashMap::new();
        let mut heed = |frame: serde_json::Value| {
            if frame["t"] == "ack" {
                assert_eq!(frame["outcome"]["is"], "stored", "{frame}");
                let seq = frame["outcome"]["seq"].as_u64().unwrap();
                acked.insert(frame["id"].as_str().unwrap().to_owned(), seq);
            }
            frame["t"] == "moving" && frame["after_ms"].as_u64().is_some_and(|after| after <= 10_000)
        };
        for _ in 0..(round * 5) {
            heed(writers[0].until("ack").await);
        }
        server.terminate();
        let mut told = 0;
        let mut events = start;
        for (index, client) in writers.iter_mut().chain([&mut idle, &mut reader]).enumerate() {
            let mut moving = 0;
            while let Some(frame) = client.next().await {
                assert_eq!(moving, 0, "nothing comes after moving: {frame}");
                if frame["t"] == "event" {
                    events += 1;
                    assert_eq!(frame["event"]["seq"], events);
                }
                moving += usize::from(heed(frame));
            }
            assert_eq!((moving, client.closed), (1, Some(1012)), "round {round}, client {index}");
            told += 1;
        }
        assert_eq!(told, place.people.len() + 2);
        // Nobody new comes in, and who was on his way is served to the end.
        let refused = TcpStream::connect(server.host()).map(drop).map_err(|fault| fault.kind());
        assert_eq!(refused, Err(ErrorKind::ConnectionRefused));
        let posted = form.map(HalfForm::finish);
        if let Some(answer) = &posted {
            assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        }
        assert_eq!(server.wait(), Some(0));

        let entries = log_reader::read_folder(folder.path());
        log_reader::assert_whole(&entries);
        let stored = |id: &str| entries.iter().filter(|entry| entry.client_id() == id).count();
        assert!(acked.keys().all(|id| stored(id) == 1), "an acknowledged message is not in the log");
        assert_eq!(stored(&id.to_string()), usize::from(posted.is_some()), "the form was answered");
        rounds.0 += acked.len();
        rounds.1 += texts.len() - acked.len();

        // Those who had no answer send again: each message stands once, and each ack named its place.
        let server = TestServer::start(folder.path());
        let mut client = TestClient::connect(&server, &place.people[0].1).await;
        for (index, (_, cookie)) in place.people.iter().enumerate() {
            let mut writer = TestClient::connect(&server, cookie).await;
            let mine = format!("round {round}, {index},");
            let left = texts.iter().filter(|(id, text)| text.starts_with(&mine) && !acked.contains_key(*id));
            let mut left: Vec<_> = left.collect();
            left.sort();
            for (id, text) in &left {
                writer.post(&room, id, text).await;
            }
            for _ in &left {
                let ack = writer.until("ack").await;
                assert_eq!(ack["outcome"]["is"], "stored", "{ack}");
            }
        }
        let seen = client.all_rows(&room, 100).await;
        assert!(acked.iter().all(|(id, seq)| seen.get(id) == Some(seq)), "an ack named another place");
        assert!(texts.keys().all(|id| seen.contains_key(id)));
    }
    assert!(rounds.0 > 0 && rounds.1 > 0, "the end came in the middle of writes: {rounds:?}");
}

/// Who started it may be gone by then.
#[test]
fn a_stop_ends_well_once_nobody_reads_what_it_says() {
    let folder = tempdir().unwrap();
    let set = [("IP", "127.0.0.1"), ("PORT", "0"), ("DATA_DIR", folder.path().to_str().unwrap())];
    let mut server = Running::start(&["serve"], &set);
    assert!(server.first_line().starts_with("Beck is ready"));
    assert_eq!(server.stop_unheard(), Some(0));
}
