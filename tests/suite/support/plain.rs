//! A client of the same protocol, written a second time: raw JSON, one draft after the other, one room.

use super::chain_by_hand;
use beck::protocol::RoomId;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

/// Before it connects again, and before it sends again what was not taken.
const PAUSE: Duration = Duration::from_millis(100);

/// What it was told, and what it still has to say.
#[derive(Default)]
pub struct Told {
    pub position: Value,
    pub unsent: VecDeque<(String, String)>,
    pub acked: Vec<String>,
    pub refused: Vec<(String, Value)>,
    pub connections: usize,
    /// The server said that it goes.
    pub moving: usize,
}

/// The client; its drop ends it.
pub struct Plain {
    told: Arc<Mutex<Told>>,
    task: JoinHandle<()>,
}

impl Plain {
    /// One who follows the room and writes in it.
    pub fn member(host: &str, cookie: &str, room: RoomId) -> Plain {
        Plain::start(host, cookie, room, true)
    }

    /// One who writes in a room that he is not in.
    pub fn outsider(host: &str, cookie: &str, room: RoomId) -> Plain {
        Plain::start(host, cookie, room, false)
    }

    fn start(host: &str, cookie: &str, room: RoomId, follows: bool) -> Plain {
        let told = Arc::new(Mutex::new(Told::default()));
        let (host, cookie, state) = (host.to_owned(), cookie.to_owned(), told.clone());
        let task = tokio::spawn(async move {
            loop {
                if connected(&host, &cookie, room, follows, &state).await.is_none() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
        Plain { told, task }
    }

    pub fn say(&self, id: String, text: String) {
        self.told().unsent.push_back((id, text));
    }

    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().expect("what it was told was wrong: see above")
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection, from hello to its end.
async fn connected(host: &str, cookie: &str, room: RoomId, follows: bool, told: &Mutex<Told>) -> Option<()> {
    let mut request = format!("ws://{host}/ws").into_client_request().unwrap();
    request.headers_mut().insert("origin", format!("http://{host}").parse().unwrap());
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.ok()?;
    let told = || told.lock().unwrap();
    told().connections += 1;
    let mut out = VecDeque::from([json!({ "t": "hello", "version": 1 })]);
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let (mut welcome, mut sent, mut not_before) = (false, false, Instant::now());
    loop {
        while let Some(frame) = out.pop_front() {
            socket.send(Message::text(frame.to_string())).await.ok()?;
        }
        let message = tokio::select! {
            message = socket.next() => message?.ok()?,
            _ = tick.tick() => {
                // One at a time, and the same one until it is answered.
                let told = told();
                let ready = welcome && (!follows || !told.position.is_null()) && not_before <= Instant::now();
                if let (false, true, Some((id, text))) = (sent, ready, told.unsent.front()) {
                    out.push_back(json!({ "t": "post", "id": id, "room": room, "text": text }));
                    sent = true;
                }
                continue;
            }
        };
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text).unwrap();
        let mut told = told();
        match frame["t"].as_str().unwrap() {
            "welcome" => {
                welcome = true;
                if follows && told.position.is_null() {
                    out.push_back(
                        json!({ "t": "page", "req": 1, "room": room, "at": "newest", "limit": 50 }),
                    );
                } else if follows {
                    out.push_back(json!({ "t": "subscribe", "room": room, "since": told.position }));
                }
            }
            "page" => {
                told.position = frame["page"]["as_of"].clone();
                out.push_back(json!({ "t": "subscribe", "room": room, "since": told.position }));
            }
            "event" => {
                let event = &frame["event"];
                let seq = told.position["seq"].as_u64().unwrap() + 1;
                assert_eq!(event["seq"], seq, "an event is missing or doubled");
                let chain = chain_by_hand(told.position["chain"].as_str().unwrap(), &event["header"]);
                assert_eq!(event["chain"], chain);
                (told.position["seq"], told.position["chain"]) = (seq.into(), chain.into());
            }
            "ack" => {
                let (id, _) = told.unsent.pop_front().unwrap();
                assert_eq!(frame["id"], id);
                match frame["outcome"]["is"].as_str().unwrap() {
                    "stored" => told.acked.push(id),
                    _ => told.refused.push((id, frame["outcome"]["why"].clone())),
                }
                sent = false;
            }
            // The page was not given: once more, over another connection.
            "error" if frame["req"] == 1 => return None,
            "error" if frame["code"] == "not_found" => {
                let (id, _) = told.unsent.pop_front().unwrap();
                assert_eq!(frame["id"], id);
                told.refused.push((id, frame["code"].clone()));
                sent = false;
            }
            "error" => (sent, not_before) = (false, Instant::now() + PAUSE),
            "moving" => told.moving += 1,
            "reset" | "left" => panic!("nothing was rewritten, and nobody was removed: {frame}"),
            _ => {}
        }
    }
}
