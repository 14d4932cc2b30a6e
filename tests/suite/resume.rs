//! Resuming: what was missed comes whole and in order, or the client is told to load anew. Never silence.

use crate::support::awaited::until;
use crate::support::proxy::CuttingProxy;
use crate::support::server::{TestClient, TestServer};
use crate::support::{Place, chain_by_hand, furnish, resident};
use beck::protocol::{AccountId, ActBody, ActValue, ClientId, Kind, MessageBody, RoomId};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, Proposal};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tempfile::tempdir;

/// What a reader knows of a room, kept by raw JSON alone.
#[derive(Debug, Clone)]
struct Reader {
    position: Value,
    rows: BTreeMap<u64, Value>,
}

impl Reader {
    fn from_page(page: &Value) -> Reader {
        let rows = page["rows"].as_array().unwrap().iter();
        let rows = rows.map(|row| (row["ordinal"].as_u64().unwrap(), row.clone())).collect();
        Reader { position: page["as_of"].clone(), rows }
    }

    fn seq(&self) -> u64 {
        self.position["seq"].as_u64().unwrap()
    }

    /// Takes the next event; says which slot it wrote, and whether on a row of the window.
    fn apply(&mut self, event: &Value) -> Option<(String, bool)> {
        let (seq, header) = (event["seq"].as_u64().unwrap(), &event["header"]);
        assert_eq!(seq, self.seq() + 1, "an event is missing or doubled");
        let chain = chain_by_hand(self.position["chain"].as_str().unwrap(), header);
        assert_eq!(event["chain"], chain, "chain of event {seq}");
        (self.position["seq"], self.position["chain"]) = (seq.into(), chain.into());
        let by = &header["by"];
        if header["kind"] == "message" {
            let row = json!({
                "id": header["id"], "author": by, "at": header["at"], "seq": seq, "version": seq,
                "ordinal": event["ordinal"], "text": event["body"]["text"],
            });
            self.rows.insert(event["ordinal"].as_u64().unwrap(), row);
            return None;
        }
        assert_eq!(header["kind"], "act");
        let slot = header["slot"].as_str().unwrap();
        let row = self.rows.values_mut().find(|row| row["id"] == header["target"]);
        let wrote = Some((slot.split(':').next().unwrap().to_owned(), row.is_some()));
        let Some(row) = row.map(|row| row.as_object_mut().unwrap()) else { return wrote };
        row.insert("version".into(), seq.into());
        match (slot, &event["body"]["value"]) {
            ("text", text) => {
                row.insert("text".into(), text.clone());
                row.insert("edited".into(), header["at"].clone());
            }
            ("deleted", _) => {
                row.remove("text");
                row.insert("deleted".into(), json!({ "by": by, "at": header["at"] }));
            }
            ("pin", on) if *on == true => drop(row.insert("pinned".into(), by.clone())),
            ("pin", _) => drop(row.remove("pinned")),
            (react, on) => {
                let emoji = react.split(':').nth(1).unwrap();
                let all = row.entry("reactions").or_insert_with(|| json!({}));
                let mut who = all[emoji].as_array().cloned().unwrap_or_default();
                who.retain(|account| account != by);
                who.extend((*on == true).then(|| by.clone()));
                who.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                all[emoji] = who.into();
                let all = all.as_object_mut().unwrap();
                all.retain(|_, who| who != &json!([]));
                if all.is_empty() {
                    row.remove("reactions");
                }
            }
        }
        wrote
    }
}

/// A row as this reader keeps it: without what the text of a log of format 5 is checked with, and until when a deletion
/// can be taken back. tests/suite/texts has these.
fn known(row: &Value) -> Value {
    let mut row = row.clone();
    let fields = row.as_object_mut().unwrap();
    fields.remove("added");
    fields.remove("proof");
    if let Some(deleted) = fields.get_mut("deleted").and_then(Value::as_object_mut) {
        deleted.remove("until");
    }
    row
}

/// Something that somebody does in the room.
struct Deed {
    by: usize,
    id: ClientId,
    what: What,
}

enum What {
    Say(String),
    Act { target: ClientId, slot: String, value: ActValue },
}

/// Makes deeds that the fold accepts, each of them one event.
struct Doer {
    dice: StdRng,
    people: Vec<AccountId>,
    room: RoomId,
    /// Messages that were not deleted: author and id.
    messages: Vec<(usize, ClientId)>,
}

impl Doer {
    fn new(place: &Place) -> Doer {
        let people = place.people.iter().map(|(account, _)| *account).collect();
        Doer { dice: StdRng::seed_from_u64(19), people, room: place.general, messages: Vec::new() }
    }

    fn deed(&mut self, n: usize) -> Deed {
        let (by, id) = (self.dice.random_range(0..self.people.len()), ClientId::random());
        if self.messages.len() < 100 || self.dice.random_bool(0.5) {
            self.messages.push((by, id));
            return Deed { by, id, what: What::Say(format!("line {n} at the wharf")) };
        }
        // One half on rows that are in a window, the other anywhere.
        let all = self.messages.len();
        let from = if self.dice.random() { all - 20 } else { 0 };
        let at = self.dice.random_range(from..all);
        let (author, target) = self.messages[at];
        let (by, slot, value) = match self.dice.random_range(0..6) {
            0 | 1 => (author, "text".to_owned(), ActValue::Text(format!("edited {n}"))),
            2 => {
                self.messages.remove(at);
                (author, "deleted".to_owned(), ActValue::On(true))
            }
            3 => (by, "pin".to_owned(), ActValue::On(self.dice.random())),
            _ => (by, format!("react:🌊:{}", self.people[by]), ActValue::On(self.dice.random_bool(0.7))),
        };
        Deed { by, id, what: What::Act { target, slot, value } }
    }

    fn proposal(&self, deed: Deed) -> Proposal {
        let by = self.people[deed.by];
        match deed.what {
            What::Say(text) => {
                Proposal::new(by, deed.id, Kind::Message, &MessageBody { text, quote: None, said: None })
            }
            What::Act { target, slot, value } => Proposal::new(by, deed.id, Kind::Act, &ActBody { value })
                .target(target.to_string().parse().unwrap())
                .slot(slot.parse().unwrap()),
        }
        .room(self.room)
    }

    /// Appends deeds to the log of a folder that no process uses.
    async fn fill(&mut self, folder: &Path, count: usize) {
        let log = Embedded::open(folder).unwrap();
        let mut left = count;
        while left > 0 {
            let size = left.min(1_000);
            let batch = (0..size).map(|n| self.deed(n)).collect::<Vec<_>>();
            log.append(batch.into_iter().map(|deed| self.proposal(deed)).collect()).await.unwrap();
            left -= size;
        }
    }

    /// Does deeds by way of the sockets of these people, each after the ack of the one before.
    async fn act(&mut self, sockets: &mut [TestClient], count: usize) {
        for n in 0..count {
            let Deed { by, id, what } = self.deed(n);
            let frame = match what {
                What::Say(text) => json!({ "t": "post", "id": id, "room": self.room, "text": text }),
                What::Act { target, slot, value } => {
                    json!({ "t": "act", "id": id, "room": self.room, "target": target, "slot": slot, "value": value })
                }
            };
            sockets[by].send(frame).await;
            let ack = sockets[by].until("ack").await;
            assert_eq!(ack["outcome"]["is"], "stored", "{ack}");
        }
    }
}

/// Sends a question whose answer shows that everything before it was answered; gives the frames until then.
async fn fence(client: &mut TestClient) -> Vec<Value> {
    client.send(json!({ "t": "page", "req": 77, "room": "bbbbbbbbbb", "at": "newest", "limit": 1 })).await;
    let mut before = Vec::new();
    loop {
        let frame = client.next().await.expect("the socket stays open");
        if frame["t"] == "error" && frame["req"] == 77 {
            before.retain(|frame: &Value| frame["t"] != "badge" && frame["t"] != "beat");
            return before;
        }
        before.push(frame);
    }
}

async fn page(client: &mut TestClient, room: &RoomId, at: Value, limit: usize) -> Value {
    client.send(json!({ "t": "page", "req": 1, "room": room, "at": at, "limit": limit })).await;
    client.until("page").await["page"].take()
}

async fn subscribe(client: &mut TestClient, room: &RoomId, since: &Value) {
    client.send(json!({ "t": "subscribe", "room": room, "since": since })).await;
}

/// Every row of the newest lane from an ordinal on, as one who comes fresh loads them.
async fn rows_from(client: &mut TestClient, room: &RoomId, first: u64) -> (Vec<Value>, Value) {
    let mut rows: Vec<Value> = Vec::new();
    loop {
        let after = first - 1 + rows.len() as u64;
        let page = page(client, room, json!({ "after": after }), 100).await;
        let more = page["rows"].as_array().unwrap();
        if more.is_empty() {
            return (rows, page["as_of"].clone());
        }
        rows.extend(more.iter().cloned());
    }
}

const MISSED: [usize; 8] = [100_000, 1_001, 1_000, 41, 40, 39, 1, 0];
/// More than any event of this test needs.
const EVENT_BYTES: usize = 700;
/// Pages of the state file and buffers of eight sockets; 100,000 events are more than twice as much.
const GROWTH_BYTES: u64 = 24 * 1024 * 1024;
/// Welcome, reset, subscribed, badges and the like.
const FEW_BYTES: usize = 8 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_missed_any_number_of_events_ends_as_one_who_comes_fresh() {
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), 16).await;
    let (room, reader_cookie) = (place.general, place.people[0].1.clone());
    let mut doer = Doer::new(&place);
    doer.fill(folder.path(), 400).await;
    let mut server = TestServer::start(folder.path());
    let proxy = CuttingProxy::start(server.host(), 1).await;

    // Each reader loads a window and is cut, then the log goes on by as much as makes it miss its number.
    let mut readers: Vec<(usize, Reader)> = Vec::new();
    let mut sockets = Vec::new();
    for (index, missed) in MISSED.into_iter().enumerate() {
        let mut client = TestClient::connect_at(&proxy.addr(), &reader_cookie).await;
        let reader = Reader::from_page(&page(&mut client, &room, json!("newest"), 50).await);
        subscribe(&mut client, &room, &reader.position).await;
        client.until("subscribed").await;
        assert_eq!(proxy.cut_some(1.0), 1);
        while client.next().await.is_some() {}
        readers.push((missed, reader));
        let next = MISSED.get(index + 1).copied().unwrap_or(0);
        if missed == 100_000 {
            server.kill();
            doer.fill(folder.path(), missed - next).await;
            server = TestServer::start(folder.path());
            proxy.aim(server.host());
            for (_, cookie) in &place.people {
                sockets.push(TestClient::connect(&server, cookie).await);
            }
            // Somebody reads along: the room's ring is in use.
            sockets[1].send(json!({ "t": "subscribe", "room": room })).await;
        } else {
            doer.act(&mut sockets, missed - next).await;
        }
    }
    assert_eq!(proxy.counts().cut, MISSED.len() as u64);

    let before = resident(server.pid());
    let mut resumed = Vec::new();
    let mut wrote: BTreeMap<(String, bool), u64> = BTreeMap::new();
    for (missed, mut reader) in readers {
        let since = reader.seq();
        let mut client = TestClient::connect_at(&proxy.addr(), &reader_cookie).await;
        subscribe(&mut client, &room, &reader.position).await;
        let few = if missed > 1_000 {
            let reset = client.until("reset").await;
            assert_eq!((&reset["why"], &reset["room"]), (&json!("far"), &json!(room)), "{missed} missed");
            assert_eq!(reset["head"]["seq"], since + missed as u64);
            reader = Reader::from_page(&page(&mut client, &room, json!("newest"), 50).await);
            assert_eq!(reader.position, reset["head"]);
            subscribe(&mut client, &room, &reader.position).await;
            client.until("subscribed").await;
            50 * EVENT_BYTES
        } else {
            let subscribed = client.until("subscribed").await;
            assert_eq!(subscribed["since"], reader.position);
            for _ in 0..missed {
                let event = client.until("event").await;
                let act = reader.apply(&event["event"]);
                act.into_iter().for_each(|act| *wrote.entry(act).or_default() += 1);
            }
            assert_eq!(subscribed["head"], reader.position, "{missed} missed");
            missed * EVENT_BYTES
        };
        assert_eq!(fence(&mut client).await, [] as [Value; 0], "{missed} missed: more than that came");
        let frames = proxy.frames().pop().unwrap();
        let events = frames.iter().filter(|frame| frame.starts_with(r#"{"t":"event""#)).count();
        assert_eq!(events, if missed > 1_000 { 0 } else { missed });
        let others = frames.len() - events;
        assert!(others <= 8, "{missed} missed: {others} frames beside the events");
        let bytes: usize = frames.iter().map(String::len).sum();
        assert!(bytes <= few + FEW_BYTES, "{missed} missed: {bytes} bytes");
        resumed.push((missed, reader, client));
    }
    // What was missed is read in pieces: the server grows by no more than its caches, however much it was.
    let growth = resident(server.pid()).saturating_sub(before);
    assert!(growth <= GROWTH_BYTES, "the server grew by {growth} bytes");
    for slot in ["text", "deleted", "react", "pin"] {
        for inside in [true, false] {
            let count = wrote.get(&(slot.to_owned(), inside));
            assert!(count.is_some(), "no act wrote {slot}, inside a window: {inside} ({wrote:?})");
        }
    }

    // Live again: what comes now reaches all of them, and all agree with one who was never here.
    doer.act(&mut sockets, 40).await;
    for (missed, reader, client) in &mut resumed {
        for _ in 0..40 {
            reader.apply(&client.until("event").await["event"]);
        }
        let first = *reader.rows.keys().next().unwrap();
        let mut fresh = TestClient::connect(&server, &reader_cookie).await;
        let (rows, as_of) = rows_from(&mut fresh, &room, first).await;
        assert_eq!(reader.position, as_of, "{missed} missed");
        let own: Vec<_> = reader.rows.values().map(known).collect();
        let rows: Vec<_> = rows.iter().map(known).collect();
        assert!(own.len() >= 50 && own == rows, "{missed} missed: {own:#?} is not {rows:#?}");
    }
}

/// A server with a room of some events, and two people in it.
async fn here(folder: &Path) -> (TestServer, Place, TestClient, Reader) {
    let place = furnish(folder, 3).await;
    let mut doer = Doer::new(&place);
    doer.fill(folder, 60).await;
    let server = TestServer::start(folder);
    let mut client = TestClient::connect(&server, &place.people[0].1).await;
    let reader = Reader::from_page(&page(&mut client, &place.general, json!("newest"), 50).await);
    (server, place, client, reader)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_before_a_restart_comes_though_nothing_new_does() {
    let folder = tempdir().unwrap();
    let (mut server, place, mut client, mut reader) = here(folder.path()).await;
    for n in 0..5 {
        let id = ClientId::random().to_string();
        client.post(place.general.as_str(), &id, &format!("missed {n}")).await;
        client.until("ack").await;
    }
    server.kill();
    let server = TestServer::start(folder.path());
    let mut client = TestClient::connect(&server, &place.people[0].1).await;
    subscribe(&mut client, &place.general, &reader.position).await;
    let head = client.until("subscribed").await["head"].clone();
    for _ in 0..5 {
        let event = tokio::time::timeout(Duration::from_secs(20), client.until("event")).await;
        reader.apply(&event.expect("what was missed does not come")["event"]);
    }
    assert_eq!(reader.position, head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_is_not_on_the_log_is_answered_and_never_followed() {
    let folder = tempdir().unwrap();
    let (server, place, mut client, reader) = here(folder.path()).await;
    let mut other = TestClient::connect(&server, &place.people[1].1).await;
    let room = place.general;
    let right = &reader.position;
    let with = |name: &str, value: Value| {
        let mut position = right.clone();
        position[name] = value;
        position
    };
    let seq = reader.seq();
    let mut checked = 0;
    for (since, why) in [
        (with("chain", json!("0123456789abcdef")), "rewritten"),
        (with("chain", json!("0000000000000000")), "rewritten"),
        (with("seq", json!(0)), "rewritten"),
        (with("seq", json!(seq - 1)), "rewritten"),
        (with("seq", json!(seq + 1)), "rewritten"),
        (with("seq", json!(i64::MAX)), "rewritten"),
        (with("epoch", json!("zzzzzzzzzz")), "epoch"),
    ] {
        subscribe(&mut client, &room, &since).await;
        let frames = fence(&mut client).await;
        assert_eq!(frames.len(), 1, "{since}: {frames:?}");
        assert_eq!((&frames[0]["t"], &frames[0]["why"]), (&json!("reset"), &json!(why)), "{since}");
        assert_eq!(&frames[0]["head"], right);
        checked += 1;
    }
    for since in [
        with("seq", json!(i64::MAX as u64 + 1)),
        with("seq", json!(u64::MAX)),
        with("seq", json!(-1)),
        with("seq", json!(1.5)),
        with("seq", json!("5")),
        with("seq", json!(1e30)),
        with("chain", json!("")),
        with("epoch", json!("")),
        json!(7),
    ] {
        subscribe(&mut client, &room, &since).await;
        let frames = fence(&mut client).await;
        assert_eq!(frames.len(), 1, "{since}: {frames:?}");
        assert_eq!((&frames[0]["t"], &frames[0]["code"]), (&json!("error"), &json!("bad_frame")), "{since}");
        checked += 1;
    }
    // None of these opened the room: nothing comes when somebody speaks.
    other.post(&room.to_string(), &ClientId::random().to_string(), "unheard").await;
    other.until("ack").await;
    assert_eq!(fence(&mut client).await, [] as [Value; 0]);
    // The start of a room is a position too.
    subscribe(&mut client, &room, &json!({ "epoch": right["epoch"], "seq": 0, "chain": "0000000000000000" }))
        .await;
    client.until("subscribed").await;
    let mut chain = "0".repeat(16);
    for n in 1..=seq + 1 {
        let event = client.until("event").await["event"].take();
        chain = chain_by_hand(&chain, &event["header"]);
        assert_eq!((&event["seq"], &event["chain"]), (&json!(n), &json!(chain)));
    }
    checked += 1;
    assert_eq!(checked, 17);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_one_is_not_in_looks_like_one_that_is_not_there() {
    let folder = tempdir().unwrap();
    let (server, place, mut client, reader) = here(folder.path()).await;
    let (status, _, location) = server.form("/rooms", &place.people[1].1, &[("name", "Elsewhere")]).await;
    assert_eq!(status, 303);
    let elsewhere: RoomId = location.strip_prefix("/r/").unwrap().parse().unwrap();
    let nowhere: RoomId = "bbbbbbbbbb".parse().unwrap();
    let mut answers = Vec::new();
    for room in [elsewhere, nowhere] {
        for since in [Value::Null, reader.position.clone()] {
            subscribe(&mut client, &room, &since).await;
            let frames = fence(&mut client).await;
            assert_eq!(frames.len(), 2, "{frames:?}");
            assert_eq!((&frames[0]["t"], &frames[0]["room"]), (&json!("left"), &json!(room)));
            assert_eq!((&frames[1]["t"], &frames[1]["code"]), (&json!("error"), &json!("not_found")));
            answers.push(json!(frames).to_string().replace(&room.to_string(), "…"));
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the answers tell which of the rooms is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_subscribes_twice_gets_each_event_once() {
    let folder = tempdir().unwrap();
    let (server, place, mut client, reader) = here(folder.path()).await;
    let room = place.general;
    let mut other = TestClient::connect(&server, &place.people[1].1).await;
    let mut say = async |text: &str| {
        other.post(&room.to_string(), &ClientId::random().to_string(), text).await;
        other.until("ack").await;
    };
    for n in 0..3 {
        say(&format!("missed {n}")).await;
    }
    // Without waiting in between; the last one counts.
    client.send(json!({ "t": "subscribe", "room": room })).await;
    subscribe(&mut client, &room, &reader.position).await;
    subscribe(&mut client, &room, &reader.position).await;
    client.send(json!({ "t": "subscribe", "room": room })).await;
    subscribe(&mut client, &room, &reader.position).await;
    let mut seen = Vec::new();
    let (mut subscribed, mut done) = (0, false);
    while !done {
        let frame = client.next().await.unwrap();
        if frame["t"] == "subscribed" {
            subscribed += 1;
            seen.clear();
        } else if frame["t"] == "event" {
            seen.push(frame["event"].clone());
        }
        done = subscribed == 5 && seen.len() == 3;
    }
    let mut follower = reader.clone();
    seen.iter().for_each(|event| drop(follower.apply(event)));
    say("live").await;
    follower.apply(&client.until("event").await["event"]);
    assert_eq!(fence(&mut client).await, [] as [Value; 0], "an event came twice");
    // After an unsubscribe nothing comes, and the next subscribe finds what was missed.
    client.send(json!({ "t": "unsubscribe", "room": room })).await;
    fence(&mut client).await;
    say("missed again").await;
    assert_eq!(fence(&mut client).await, [] as [Value; 0]);
    subscribe(&mut client, &room, &follower.position).await;
    client.until("subscribed").await;
    follower.apply(&client.until("event").await["event"]);
    assert_eq!(follower.rows.values().next_back().unwrap()["text"], "missed again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_finds_a_position_that_is_not_on_the_log() {
    let folder = tempdir().unwrap();
    let (server, place, mut client, reader) = here(folder.path()).await;
    let room = place.general;
    let mut other = TestClient::connect(&server, &place.people[1].1).await;
    subscribe(&mut client, &room, &reader.position).await;
    client.until("subscribed").await;
    let mut follower = reader.clone();
    for n in 0..2 {
        other.post(&room.to_string(), &ClientId::random().to_string(), &format!("more {n}")).await;
        follower.apply(&client.until("event").await["event"]);
    }
    let beat = |position: &Value| json!({ "t": "beat", "positions": { room.to_string(): position } });
    // The newest position, an older one, a room that is not open, none at all: nothing to say.
    for positions in [
        beat(&follower.position),
        beat(&reader.position),
        json!({ "t": "beat", "positions": { "bbbbbbbbbb": reader.position } }),
        json!({ "t": "beat", "positions": {} }),
        json!({ "t": "beat" }),
    ] {
        client.send(positions.clone()).await;
        assert_eq!(fence(&mut client).await, [] as [Value; 0], "{positions}");
    }
    let mut resets = 0;
    for (name, value) in [
        ("chain", json!("0123456789abcdef")),
        ("epoch", json!("zzzzzzzzzz")),
        ("seq", json!(follower.seq() + 5)),
    ] {
        let mut wrong = follower.position.clone();
        wrong[name] = value;
        client.send(beat(&wrong)).await;
        let frames = fence(&mut client).await;
        assert_eq!(frames.len(), 1, "{wrong}: {frames:?}");
        assert_eq!((&frames[0]["t"], &frames[0]["why"]), (&json!("reset"), &json!("rewritten")), "{wrong}");
        assert_eq!(frames[0]["head"], follower.position);
        // The room is closed: nothing is delivered onto what is wrong.
        other.post(&room.to_string(), &ClientId::random().to_string(), "not yet").await;
        other.until("ack").await;
        assert_eq!(fence(&mut client).await, [] as [Value; 0]);
        subscribe(&mut client, &room, &follower.position).await;
        client.until("subscribed").await;
        follower.apply(&client.until("event").await["event"]);
        resets += 1;
    }
    assert_eq!(resets, 3);
}

/// Reads on behind a bad line until it has everything up to a seq; gives how often it connected.
async fn read_on(proxy: &str, cookie: &str, room: &RoomId, reader: &mut Reader, to: u64) -> u64 {
    let mut connected = 0;
    while reader.seq() < to {
        let mut client = TestClient::connect_at(proxy, cookie).await;
        connected += 1;
        subscribe(&mut client, room, &reader.position).await;
        while reader.seq() < to
            && let Some(frame) = client.next().await
        {
            assert_ne!(frame["t"], "reset");
            if frame["t"] == "event" {
                reader.apply(&frame["event"]);
            }
        }
    }
    connected
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_bad_line_readers_stay_complete() {
    let folder = tempdir().unwrap();
    let (server, place, _client, reader) = here(folder.path()).await;
    let (room, cookie) = (place.general, place.people[0].1.clone());
    let proxy = CuttingProxy::start(server.host(), 7).await;
    let to = reader.seq() + 300;
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let (addr, cookie, mut reader) = (proxy.addr(), cookie.clone(), reader.clone());
            tokio::spawn(async move {
                let connected = read_on(&addr, &cookie, &room, &mut reader, to).await;
                (reader, connected)
            })
        })
        .collect();
    until("all of them are connected", || proxy.counts().connections >= 8).await;
    let mut other = TestClient::connect(&server, &place.people[1].1).await;
    let mut third = TestClient::connect(&server, &place.people[2].1).await;
    for n in 0..300_usize {
        let by = if n % 2 == 0 { &mut other } else { &mut third };
        // Two connections' bursts are spent by then.
        let pause = if n > 200 { 20 } else { 2 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        by.post(&room.to_string(), &ClientId::random().to_string(), &format!("storm {n}")).await;
        by.until("ack").await;
        match n % 30 {
            3 => drop(proxy.dribble_some(0.3)),
            9 => drop(proxy.delay_some(0.3, Duration::from_millis(4))),
            15 => drop(proxy.freeze_some(0.3)),
            // A frozen line is found by the reader's heartbeat; here the cut stands for it.
            24 => drop(proxy.cut_some(0.4)),
            29 => proxy.mend(),
            _ => {}
        }
    }
    proxy.mend();
    let mut fresh = TestClient::connect(&server, &cookie).await;
    let mut reconnects = 0;
    for task in readers {
        let (reader, connected) = task.await.unwrap();
        let first = *reader.rows.keys().next().unwrap();
        let (rows, as_of) = rows_from(&mut fresh, &room, first).await;
        assert_eq!(reader.position, as_of);
        assert!(reader.rows.values().map(known).eq(rows.iter().map(known)));
        reconnects += connected - 1;
    }
    let counts = proxy.counts();
    println!("{counts:?}");
    assert!(
        counts.cut > 0 && counts.frozen > 0 && counts.delayed > 0 && counts.single_bytes > 0,
        "{counts:?}"
    );
    assert!(reconnects > 0 && counts.lost == 0);
    assert_eq!(counts.connections, 8 + reconnects);
}

/// Long texts make a page larger than a frame from a client may be.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_long_texts_arrives() {
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), 1).await;
    let log = Embedded::open(folder.path()).unwrap();
    let (by, room) = (place.people[0].0, place.general);
    let say = |n: u32| MessageBody { text: format!("{n} {}", "x".repeat(24_000)), quote: None, said: None };
    let batch = (0..100).map(|n| Proposal::new(by, ClientId::random(), Kind::Message, &say(n)).room(room));
    log.append(batch.collect()).await.unwrap();
    drop(log);
    let server = TestServer::start(folder.path());
    let mut client = TestClient::connect(&server, &place.people[0].1).await;
    let page = page(&mut client, &room, json!("newest"), 100).await;
    assert_eq!(page["rows"].as_array().unwrap().len(), 100);
    client.send(json!({ "t": "fetch", "req": 2, "room": room, "after": 0, "to": 500 })).await;
    assert!(!client.until("events").await["events"].as_array().unwrap().is_empty());
}
