//! What holds at the end of every run, whatever happened in it.

use super::chain_by_hand;
use super::engine::Engine;
use super::plain::Plain;
use super::server::TestClient;
use beck::client::Status;
use beck::protocol::RoomId;
use beck::timeline::MarkKind;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// A room as one server gives it, event by event, with its chain recomputed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WholeRoom {
    pub seq: u64,
    pub chain: String,
    /// Id and text of every message, in order.
    pub messages: Vec<(String, String)>,
}

impl WholeRoom {
    pub async fn read(client: &mut TestClient, room: RoomId) -> WholeRoom {
        let mut whole = WholeRoom { chain: "0".repeat(16), ..WholeRoom::default() };
        loop {
            let (after, to) = (whole.seq, whole.seq + 500);
            client.send(json!({ "t": "fetch", "req": 7, "room": room, "after": after, "to": to })).await;
            let frame = client.until("events").await;
            let events = frame["events"].as_array().unwrap();
            if events.is_empty() {
                return whole;
            }
            for event in events {
                whole.take(event);
            }
        }
    }

    fn take(&mut self, event: &Value) {
        self.seq += 1;
        assert_eq!(event["seq"], self.seq);
        self.chain = chain_by_hand(&self.chain, &event["header"]);
        assert_eq!(event["chain"], self.chain, "chain of event {}", self.seq);
        if event["header"]["kind"] == "message" {
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            self.messages.push((word(&event["header"]["id"]), word(&event["body"]["text"])));
            assert_eq!(event["ordinal"], self.messages.len(), "ordinals have no gaps");
        }
    }

    /// These messages and no others, each once, and those of each author (`author, number`) in the order of writing.
    pub fn assert_holds(&self, texts: &HashMap<String, String>) {
        let mut numbers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut times: HashMap<&str, usize> = HashMap::new();
        for (id, text) in &self.messages {
            assert_eq!(Some(text), texts.get(id), "{id} is not what was written");
            *times.entry(id).or_default() += 1;
            let (author, number) = text.split_once(", ").unwrap();
            numbers.entry(author).or_default().push(number.parse().unwrap());
        }
        let missing: Vec<_> = texts.iter().filter(|(id, _)| !times.contains_key(id.as_str())).collect();
        assert!(missing.is_empty(), "not there: {missing:?}");
        assert!(times.values().all(|times| *times == 1), "a message is there twice");
        for (author, numbers) in numbers {
            assert!(numbers.is_sorted(), "{author} wrote in order: {numbers:?}");
        }
    }
}

/// Waits until everyone has sent what goes without its author and stands where the room ends.
pub async fn calm(reader: &mut TestClient, room: RoomId, engines: &[Engine], plains: &[Plain]) {
    let mut head = Value::Null;
    for _ in 0..900 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        reader.send(json!({ "t": "page", "req": 9, "room": room, "at": "newest", "limit": 1 })).await;
        head = reader.until("page").await["page"]["as_of"].take();
        let engines_there = engines.iter().all(|engine| {
            let (seq, chain, _) = engine.place();
            engine.has_sent() && head["seq"] == seq && head["chain"] == chain
        });
        let plains_there = plains.iter().all(|plain| {
            let told = plain.told();
            told.unsent.is_empty() && (told.position.is_null() || told.position["seq"] == head["seq"])
        });
        if engines_there && plains_there {
            return;
        }
    }
    let engines: Vec<_> = engines.iter().map(|engine| (engine.has_sent(), engine.place())).collect();
    let plains: Vec<_> =
        plains.iter().map(|plain| (plain.told().unsent.len(), plain.told().position.clone())).collect();
    panic!("it never is calm: the room ends at {head}; {engines:?}; {plains:?}");
}

/// The engine stands at the end, live, with rows that are the room's, and nothing was ever loaded again.
pub fn assert_engine(name: &str, engine: &Engine, whole: &WholeRoom) {
    let (seq, chain, waiting) = engine.place();
    let session = engine.session();
    let standing = format!("{name}, {:?} since {:?}", session.status, session.offline_since);
    assert_eq!((seq, &chain, waiting), (whole.seq, &whole.chain, 0), "{standing}");
    assert_eq!(session.status, Status::Live, "{name}");
    let timeline = session.current().unwrap();
    assert_eq!((timeline.echoes().len(), timeline.hole(), timeline.missing()), (0, None, None), "{name}");
    for row in timeline.rows() {
        let (id, text) = &whole.messages[row.ordinal as usize - 1];
        assert_eq!((&row.id.to_string(), row.text.as_ref()), (id, Some(text)), "{name}: {}", row.ordinal);
    }
    let reset = session.marks.values().flatten().any(|mark| matches!(mark.what, MarkKind::Reset { .. }));
    assert!(!reset, "{name} was told that the log was rewritten");
}

/// Every event that passed a proxy is the next of its connection and continues its chain; gives how many did.
pub fn check_frames(frames: &[Vec<String>]) -> usize {
    let mut checked = 0;
    for connection in frames {
        let mut before: Option<(u64, String)> = None;
        for text in connection {
            let frame: Value = serde_json::from_str(text).unwrap();
            if frame["t"] == "subscribed" {
                let since = &frame["since"];
                before = Some((since["seq"].as_u64().unwrap(), since["chain"].as_str().unwrap().to_owned()));
            } else if frame["t"] == "event" {
                let event = &frame["event"];
                let (seq, chain) = before.expect("an event comes after its subscription");
                assert_eq!(event["seq"], seq + 1);
                let chain = chain_by_hand(&chain, &event["header"]);
                assert_eq!(event["chain"], chain);
                before = Some((seq + 1, chain));
                checked += 1;
            }
        }
    }
    checked
}
