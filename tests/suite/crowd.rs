//! Fifty clients, half of them the real engine, behind a proxy that cuts: in the end everyone holds the same.

use crate::support::proxy::CuttingProxy;
use crate::support::server::{TestClient, TestServer};
use crate::support::{boot, chain_by_hand, furnish};
use beck::client::engine;
use beck::client::platform::native::NativeDevice;
use beck::client::{Input, Session, Status};
use beck::protocol::frame::Draft;
use beck::protocol::{AccountId, ClientId, RoomId};
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::{SinkExt, StreamExt};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::tempdir;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

const CLIENTS: usize = 50;
const MESSAGES_EACH: usize = 8;
const ROUNDS: usize = 12;

/// The engine as every client of ours has it, with nothing drawn.
struct Engine {
    session: Arc<Mutex<Session>>,
    intents: UnboundedSender<Input>,
}

impl Engine {
    fn start(host: &str, account: AccountId, cookie: &str, room: RoomId) -> Engine {
        let boot = boot(account, room, None);
        let session = Arc::new(Mutex::new(Session::from_boot(&boot).unwrap()));
        let headers = vec![("origin", format!("http://{host}")), ("cookie", cookie.to_owned())];
        let device = NativeDevice::new(format!("ws://{host}/ws"), headers);
        let (intents, receive) = unbounded();
        let shared = session.clone();
        tokio::spawn(async move {
            engine::run(device, move |change| change(&mut shared.lock().unwrap()), receive).await;
        });
        intents.unbounded_send(Input::Look { room, at: None }).unwrap();
        Engine { session, intents }
    }

    fn write(&self, id: ClientId, room: RoomId, text: String) {
        let draft = Draft { id, room, thread: None, quote: None, text };
        self.intents.unbounded_send(Input::Write(draft)).unwrap();
    }

    /// Where it stands, and how many of its drafts have no outcome.
    fn place(&self) -> (u64, String, usize) {
        let session = self.session.lock().unwrap();
        let cursor = session.current().map(|timeline| timeline.cursor());
        let (seq, chain) = cursor.map_or((0, String::new()), |cursor| (cursor.seq, cursor.chain.to_string()));
        (seq, chain, session.waiting())
    }
}

/// A client of the same protocol, written a second time.
#[derive(Default)]
struct Plain {
    position: Value,
    unsent: VecDeque<(String, String)>,
    acked: Vec<String>,
    connections: usize,
}

async fn run_plain(host: String, cookie: String, room: RoomId, state: Arc<Mutex<Plain>>) {
    loop {
        if follow_once(&host, &cookie, room, &state).await.is_none() {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

/// One connection, from hello to its end.
async fn follow_once(host: &str, cookie: &str, room: RoomId, state: &Arc<Mutex<Plain>>) -> Option<()> {
    let mut request = format!("ws://{host}/ws").into_client_request().unwrap();
    request.headers_mut().insert("origin", format!("http://{host}").parse().unwrap());
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.ok()?;
    state.lock().unwrap().connections += 1;
    let mut out = VecDeque::from([json!({ "t": "hello", "version": 1 })]);
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let mut sent = None;
    loop {
        while let Some(frame) = out.pop_front() {
            socket.send(Message::text(frame.to_string())).await.ok()?;
        }
        let message = tokio::select! {
            message = socket.next() => message?.ok()?,
            _ = tick.tick() => {
                // One at a time, and the same one until it is answered.
                let state = state.lock().unwrap();
                if let (None, Some((id, text)), false) = (&sent, state.unsent.front(), state.position.is_null()) {
                    out.push_back(json!({ "t": "post", "id": id, "room": room, "text": text }));
                    sent = Some(id.clone());
                }
                continue;
            }
        };
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text).unwrap();
        let mut state = state.lock().unwrap();
        match frame["t"].as_str().unwrap() {
            "welcome" if state.position.is_null() => {
                out.push_back(json!({ "t": "page", "req": 1, "room": room, "at": "newest", "limit": 50 }));
            }
            "welcome" => out.push_back(json!({ "t": "subscribe", "room": room, "since": state.position })),
            "page" => {
                state.position = frame["page"]["as_of"].clone();
                out.push_back(json!({ "t": "subscribe", "room": room, "since": state.position }));
            }
            "event" => {
                let event = &frame["event"];
                let seq = state.position["seq"].as_u64().unwrap() + 1;
                assert_eq!(event["seq"], seq, "an event is missing or doubled");
                let chain = chain_by_hand(state.position["chain"].as_str().unwrap(), &event["header"]);
                assert_eq!(event["chain"], chain);
                (state.position["seq"], state.position["chain"]) = (seq.into(), chain.into());
            }
            "ack" => {
                assert_eq!(frame["outcome"]["is"], "stored");
                let (id, _) = state.unsent.pop_front().unwrap();
                assert_eq!(frame["id"], id);
                state.acked.push(id);
                sent = None;
            }
            "error" => sent = None,
            "reset" => panic!("nothing was rewritten: {frame}"),
            _ => {}
        }
    }
}

/// Every event that passed the proxy is the next of its connection and continues its chain.
fn check_frames(frames: &[Vec<String>]) -> usize {
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

#[tokio::test(flavor = "multi_thread")]
async fn fifty_clients_with_random_cuts_end_equal_and_every_acked_message_is_there_once() {
    let seed =
        std::env::var("BECK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("BECK_SEED={seed}");
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
            let state = Arc::new(Mutex::new(Plain::default()));
            tokio::spawn(run_plain(host.clone(), cookie.clone(), room, state.clone()));
            plains.push(state);
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
                plain.lock().unwrap().unsent.push_back((id, text));
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

    // Calm: everything waiting goes out, everyone arrives at the head.
    let mut reader = TestClient::connect_at(server.host(), &place.people[0].1).await;
    let expected = texts.len();
    let mut rows: BTreeMap<u64, Value> = BTreeMap::new();
    let mut head = Value::Null;
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        reader.send(json!({ "t": "page", "req": 9, "room": room, "at": "newest", "limit": 1 })).await;
        head = reader.until("page").await["page"]["as_of"].take();
        let there = |seq: u64, chain: &str| head["seq"] == seq && head["chain"] == chain;
        let engines_there = engines.iter().all(|engine| {
            let (seq, chain, waiting) = engine.place();
            waiting == 0 && there(seq, &chain)
        });
        let plains_there = plains.iter().all(|plain| {
            let plain = plain.lock().unwrap();
            plain.unsent.is_empty() && plain.position["seq"] == head["seq"]
        });
        if engines_there && plains_there {
            break;
        }
    }

    // The whole room, event by event, by hand.
    let (mut seq, mut chain) = (0, "0".repeat(16));
    let mut times: HashMap<String, usize> = HashMap::new();
    let mut in_order: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    while seq < head["seq"].as_u64().unwrap() {
        reader.send(json!({ "t": "fetch", "req": 7, "room": room, "after": seq, "to": seq + 500 })).await;
        let frame = reader.until("events").await;
        for event in frame["events"].as_array().unwrap() {
            seq += 1;
            assert_eq!(event["seq"], seq);
            chain = chain_by_hand(&chain, &event["header"]);
            assert_eq!(event["chain"], chain);
            if event["header"]["kind"] == "message" {
                let id = event["header"]["id"].as_str().unwrap().to_owned();
                assert_eq!(event["body"]["text"], texts[&id]);
                *times.entry(id.clone()).or_default() += 1;
                let (who, n) = texts[&id].split_once(", ").unwrap();
                in_order.entry(who.to_owned()).or_default().push(n.parse().unwrap());
                rows.insert(event["ordinal"].as_u64().unwrap(), event["header"]["id"].clone());
            }
        }
    }
    assert_eq!(head["chain"], chain);
    assert_eq!(times.len(), expected, "every message is there");
    assert!(times.values().all(|times| *times == 1), "and once");
    for (who, order) in &in_order {
        assert!(order.is_sorted(), "{who} wrote in order, and it is stored so: {order:?}");
    }
    let mut reconnects = 0;
    for (n, engine) in engines.iter().enumerate() {
        let (seq, own, waiting) = engine.place();
        assert_eq!((seq, own, waiting), (head["seq"].as_u64().unwrap(), chain.clone(), 0), "engine {n}");
        let session = engine.session.lock().unwrap();
        assert_eq!(session.status, Status::Live);
        let timeline = session.current().unwrap();
        assert_eq!((timeline.echoes().len(), timeline.hole(), timeline.missing()), (0, None, None));
        for row in timeline.rows() {
            assert_eq!(rows[&row.ordinal], json!(row.id), "engine {n}, message {}", row.ordinal);
        }
        for id in &written[n] {
            assert!(session.outbox.get(*id).is_some_and(|kept| kept.is_stored()));
        }
    }
    for (n, plain) in plains.iter().enumerate() {
        let plain = plain.lock().unwrap();
        assert_eq!(plain.position["chain"], chain, "plain {n}");
        assert_eq!(plain.acked.len(), MESSAGES_EACH, "plain {n}");
        reconnects += plain.connections - 1;
    }
    let counts = proxy.counts();
    let checked = check_frames(&proxy.frames());
    assert!(checked > expected, "frames were seen");
    assert!(counts.cut > 0 && counts.lost > 0 && reconnects > 0, "{counts:?}, {reconnects} reconnects");
    println!("{counts:?}, {reconnects} reconnects of the plain clients, {checked} events checked");
}
