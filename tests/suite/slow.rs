//! Readers that stop reading: they cost the server a bounded amount, nobody else waits for them, and they end complete.
//! BECK_SLOW_SOCKETS sets how many sockets there are (1,000); 5 % of them stop.

use crate::support::awaited::until;
use crate::support::server::{TestClient, TestServer};
use crate::support::{TestNode, chain_by_hand, furnish, resident, set_up};
use beck::protocol::ClientId;
use beck::server::connection::{TIMEOUTS, Timeouts};
use beck::server::hub::Pulled;
use beck::server::state::Floor;
use beck::server::{router, serve};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::tempdir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

/// A socket that follows one room with next to no work per frame, so that many fit beside the server.
struct Follower {
    stream: TcpStream,
    held: Vec<u8>,
    at: usize,
    room: String,
    seq: u64,
    /// The newest event's frame.
    newest: Vec<u8>,
    /// The frame that was read last ends its message.
    ends: bool,
    /// The close code, once it came.
    closed: Option<u16>,
    /// A pause before each read, which then takes 4 KiB at most.
    pause: Option<Duration>,
}

fn masked(frame: &Value) -> Vec<u8> {
    let text = frame.to_string();
    // A mask of zeros leaves the text as it is.
    let mut bytes = vec![0x81, 0x80 | 126];
    bytes.extend((text.len() as u16).to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(text.as_bytes());
    bytes
}

impl Follower {
    /// Subscribes since a position, or from the head on.
    async fn open(host: &str, cookie: &str, room: &str, since: Option<&Value>, little: bool) -> Follower {
        let socket = TcpSocket::new_v4().unwrap();
        if little {
            socket.set_recv_buffer_size(4 * 1024).unwrap();
        }
        let stream = socket.connect(host.parse().unwrap()).await.unwrap();
        let (held, room) = (Vec::with_capacity(32 * 1024), room.to_owned());
        let (seq, newest) = (0, Vec::new());
        let mut follower =
            Follower { stream, held, at: 0, room, seq, newest, ends: true, closed: None, pause: None };
        let head = format!(
            "GET /ws HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nCookie: {cookie}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        follower.stream.write_all(head.as_bytes()).await.unwrap();
        while !follower.held.ends_with(b"\r\n\r\n") {
            assert!(follower.stream.read_buf(&mut follower.held).await.unwrap() > 0);
        }
        assert!(follower.held.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&follower.held));
        follower.held.clear();
        follower.say(&json!({ "t": "hello", "version": 1 })).await;
        follower.say(&json!({ "t": "subscribe", "room": follower.room, "since": since })).await;
        loop {
            let frame: Value = serde_json::from_slice(&follower.next().await.unwrap()).unwrap();
            assert_ne!(frame["t"], "reset");
            if frame["t"] == "subscribed" {
                follower.seq = frame["since"]["seq"].as_u64().unwrap();
                return follower;
            }
        }
    }

    async fn say(&mut self, frame: &Value) {
        self.stream.write_all(&masked(frame)).await.unwrap();
    }

    /// Where the next frame of a text stands in what is held; `None` at the end.
    async fn next_range(&mut self) -> Option<std::ops::Range<usize>> {
        loop {
            if let Some((head, length)) = frame_at(&self.held[self.at..]) {
                let code = self.held[self.at] & 0x0f;
                self.ends = self.held[self.at] & 0x80 != 0;
                let from = self.at + head;
                self.at = from + length;
                match code {
                    0 | 1 => return Some(from..self.at),
                    8 => {
                        let code = self.held.get(from..from + 2)?;
                        self.closed = Some(u16::from_be_bytes(code.try_into().unwrap()));
                        return None;
                    }
                    _ => continue,
                }
            }
            self.held.drain(..self.at);
            self.at = 0;
            let most = if self.pause.is_some() { 4 * 1024 } else { 32 * 1024 };
            if let Some(pause) = self.pause {
                tokio::time::sleep(pause).await;
            }
            if (&mut self.stream).take(most).read_buf(&mut self.held).await.ok()? == 0 {
                return None;
            }
        }
    }

    async fn next(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            let range = self.next_range().await?;
            text.extend_from_slice(&self.held[range]);
            if self.ends {
                return Some(text);
            }
        }
    }

    /// Reads events in order up to a seq; `false` if the socket ends before.
    async fn read_to(&mut self, seq: u64, count: &AtomicU64) -> bool {
        let prefix = format!(r#"{{"t":"event","room":"{}","event":{{"seq":"#, self.room);
        while self.seq < seq {
            let Some(range) = self.next_range().await else { return false };
            let frame = &self.held[range];
            let Some(rest) = frame.strip_prefix(prefix.as_bytes()) else { continue };
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
            let found = digits.fold(0, |seq, digit| seq * 10 + u64::from(digit - b'0'));
            assert_eq!(found, self.seq + 1, "an event is missing or doubled");
            self.seq = found;
            count.fetch_add(1, Ordering::Relaxed);
            self.newest.clear();
            self.newest.extend_from_slice(frame);
            if found.is_multiple_of(200) {
                // A sign of life, for machines on which this takes long.
                let _ = self.stream.write_all(&masked(&json!({ "t": "beat" }))).await;
            }
        }
        true
    }

    fn event(&self) -> Value {
        serde_json::from_slice::<Value>(&self.newest).unwrap()["event"].take()
    }
}

/// Bytes of the head and of the payload of the frame that stands first, if it is there whole.
fn frame_at(held: &[u8]) -> Option<(usize, usize)> {
    let (head, length) = match *held.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(held.get(2..4)?.try_into().unwrap()))),
        127 => (10, u64::from_be_bytes(held.get(2..10)?.try_into().unwrap()) as usize),
        short => (2, usize::from(short)),
    };
    (held.len() >= head + length).then_some((head, length))
}

/// Bytes that the system holds of what the server wrote to these sockets and nobody read, by the client's port.
pub fn unread(server_port: u16) -> std::collections::HashMap<u16, u64> {
    let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let mut unread = std::collections::HashMap::new();
    for line in std::fs::read_to_string("/proc/net/tcp").unwrap().lines().skip(1) {
        let words: Vec<_> = line.split_whitespace().collect();
        let port = |word: &str| hex(word.split(':').nth(1).unwrap()) as u16;
        let (local, remote) = (port(words[1]), port(words[2]));
        let (sending, received) = words[4].split_once(':').unwrap();
        if local == server_port {
            *unread.entry(remote).or_default() += hex(sending);
        } else if remote == server_port {
            *unread.entry(local).or_default() += hex(received);
        }
    }
    unread
}

/// Runs a test again in a process that may open so many files, if this one may not; `true` if that was done.
fn ran_with_files(test: &str, files: u64) -> bool {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let limit = line.split_whitespace().next().unwrap();
    if limit.parse().map_or(true, |limit: u64| limit >= files) {
        return false;
    }
    let again = format!("ulimit -S -n {files} && exec \"$0\" --exact \"$1\" --nocapture");
    let this = std::env::current_exe().unwrap();
    let done = std::process::Command::new("sh").arg("-c").arg(again).arg(this).arg(test).status().unwrap();
    assert!(
        done.success(),
        "{files} files must be allowed to be open (ulimit -n), or fewer BECK_SLOW_SOCKETS"
    );
    true
}

const POSTERS: usize = 20;
/// Messages of each poster; its burst allows them.
const POSTS: usize = 46;
/// Rounds of posts that all read before some stop.
const WARM: usize = 4;
/// The system buffers up to some 2.6 MB of each loopback socket: the texts together are more than that.
const TEXT_BYTES: usize = 4 * 1_024;
/// A socket that takes nothing holds the frames that it was about to be sent: no more than a ring has, 256 KiB. Its
/// write buffer and the connection itself are small beside that. What the system buffers is not the server's memory.
const BYTES_PER_STOPPED: u64 = 320 * 1024;
/// The newest entries of the log, which the server keeps in memory, and pages of its two files.
const BYTES_BESIDE: u64 = 24 * 1024 * 1024;

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_stop_reading_cost_little_and_hold_up_nobody() {
    let all = std::env::var("BECK_SLOW_SOCKETS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_usize);
    if ran_with_files("slow::sockets_that_stop_reading_cost_little_and_hold_up_nobody", all as u64 + 300) {
        return;
    }
    let stopping = (all / 20).max(1);
    let folder = tempdir().unwrap();
    // An account has 32 sockets at most.
    let accounts = POSTERS + all / 25;
    let place = furnish(folder.path(), accounts).await;
    let server = TestServer::start(folder.path());
    let room = place.general.to_string();
    let mut posters = Vec::new();
    for (_, cookie) in place.people.iter().take(POSTERS) {
        posters.push(TestClient::connect(&server, cookie).await);
    }
    let mut followers = Vec::new();
    for n in 0..all {
        let cookie = &place.people[n % accounts].1;
        followers.push(Follower::open(server.host(), cookie, &room, None, n < stopping).await);
    }
    let start = followers[0].seq;
    let warm_end = start + (POSTERS * WARM) as u64;
    let end = start + (POSTERS * POSTS) as u64;
    let ports: Vec<_> = followers[..stopping].iter().map(|f| f.stream.local_addr().unwrap().port()).collect();

    // Those that stop read up to the end of the warm rounds, and again when they are told.
    let (read_again, told) = watch::channel(false);
    let (live, stopped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut tasks = Vec::new();
    for (n, mut follower) in followers.into_iter().enumerate() {
        let (mut told, live, stopped) = (told.clone(), live.clone(), stopped.clone());
        let (host, cookie) = (server.host().to_owned(), place.people[n % accounts].1.clone());
        let room = room.clone();
        tasks.push(tokio::spawn(async move {
            assert!(follower.read_to(warm_end, &live).await);
            let mine = if n < stopping {
                told.wait_for(|told| *told).await.unwrap();
                &stopped
            } else {
                &live
            };
            let mut resumed = false;
            while !follower.read_to(end, mine).await {
                resumed = true;
                let event = follower.event();
                let mut asked = TestClient::connect_at(&host, &cookie).await;
                asked.send(json!({ "t": "page", "req": 1, "room": room, "at": "newest", "limit": 1 })).await;
                let epoch = asked.until("page").await["page"]["as_of"]["epoch"].take();
                let since = json!({ "epoch": epoch, "seq": event["seq"], "chain": event["chain"] });
                follower = Follower::open(&host, &cookie, &room, Some(&since), false).await;
            }
            (follower, resumed)
        }));
    }

    let mut frame_bytes = 0;
    let (mut before, mut most) = (0, 0);
    for round in 0..POSTS {
        for (n, poster) in posters.iter_mut().enumerate() {
            let text = format!("{round:04} {n:04} {}", "x".repeat(TEXT_BYTES - 10));
            poster.post(&room, &ClientId::random().to_string(), &text).await;
        }
        for poster in &mut posters {
            assert_eq!(poster.until("ack").await["outcome"]["is"], "stored");
        }
        frame_bytes += (POSTERS * TEXT_BYTES) as u64;
        // All that read have the round before the next one comes: nobody waits for those that do not.
        let rounds = (round + 1) as u64;
        let stopped_rounds = rounds.min(WARM as u64) * stopping as u64;
        let due = (rounds * (all - stopping) as u64 + stopped_rounds) * POSTERS as u64;
        until("all that read have the round", || live.load(Ordering::Relaxed) >= due).await;
        most = most.max(resident(server.pid()));
        if round + 1 == WARM {
            (before, most, frame_bytes) = (resident(server.pid()), 0, 0);
        }
    }
    assert_eq!(stopped.load(Ordering::Relaxed), 0);
    let port = server.host().rsplit(':').next().unwrap().parse().unwrap();
    let unread = unread(port);
    let blocked =
        ports.iter().filter(|port| unread.get(port).is_some_and(|bytes| *bytes < frame_bytes)).count();
    let growth = most.saturating_sub(before);
    let bound = BYTES_PER_STOPPED * stopping as u64 + BYTES_BESIDE;
    println!(
        "{all} sockets, {blocked} of {stopping} stopped ones blocked; {frame_bytes} bytes of text each; \
         resident before {before}, most {most}, growth {growth}, bound {bound}"
    );
    assert_eq!(blocked, stopping, "the system took all: those that stopped were no burden for the server");
    assert!(growth <= bound, "the server grew by {growth} bytes, more than {bound}");

    read_again.send_replace(true);
    let mut ends = Vec::new();
    let mut resumed = 0;
    for task in tasks {
        let (follower, again) = task.await.unwrap();
        resumed += usize::from(again);
        assert_eq!(follower.seq, end);
        ends.push(follower.newest);
    }
    println!("{resumed} came back by a new socket");
    assert!(ends.len() == all && ends.iter().all(|newest| newest == &ends[0]), "all end with the same event");
    // What they followed is the log: its chain is computed anew.
    let mut witness = Follower::open(server.host(), &place.people[0].1, &room, None, false).await;
    let mut chain = String::from("0000000000000000");
    let (mut after, mut newest) = (0, Value::Null);
    while after < end {
        witness
            .say(&json!({ "t": "fetch", "req": 1, "room": room, "after": after, "to": after + 100 }))
            .await;
        let frame: Value = serde_json::from_slice(&witness.next().await.unwrap()).unwrap();
        for event in frame["events"].as_array().into_iter().flatten() {
            chain = chain_by_hand(&chain, &event["header"]);
            assert_eq!(event["chain"], chain);
            (after, newest) = (event["seq"].as_u64().unwrap(), event.clone());
        }
    }
    assert_eq!(serde_json::from_slice::<Value>(&ends[0]).unwrap()["event"], newest);
}

/// A server in this process that waits as long as it is told, and for whose sockets the system holds little.
struct Small {
    here: TestNode,
    host: String,
    cookie: String,
    room: String,
}

impl Small {
    async fn start(folder: &std::path::Path, timeouts: Timeouts) -> Small {
        let here = set_up(folder).await;
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(8 * 1024).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(16).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let timeouts: &'static Timeouts = Box::leak(Box::new(timeouts));
        let app = router::router(here.node.clone(), None).layer(axum::Extension(timeouts));
        tokio::spawn(serve::serve(here.node.clone(), app, listener, std::future::pending()));
        let cookie = format!("beck_login={}", here.node.sign_in(here.owner).await.unwrap());
        let room = here.general.to_string();
        Small { here, host, cookie, room }
    }

    async fn follow(&self, since: Option<&Value>) -> Follower {
        Follower::open(&self.host, &self.cookie, &self.room, since, true).await
    }

    /// Posts more than the system holds for a socket: 80 messages of 4 KiB.
    async fn post_much(&self) {
        for n in 0..80 {
            let text = format!("{n:04} {}", "x".repeat(TEXT_BYTES - 5));
            self.here.post(self.here.owner, ClientId::random(), &text).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_nothing_is_closed_as_slow_and_resumes() {
    let folder = tempdir().unwrap();
    let (write, goodbye) = (Duration::from_millis(500), Duration::from_secs(600));
    let small = Small::start(folder.path(), Timeouts { write, goodbye, ..TIMEOUTS.clone() }).await;
    let mut reader = small.follow(None).await;
    let end = reader.seq + 80;
    // Keeps the room in the hub.
    let hub = &small.here.node.hub;
    let keeper = hub.connect(small.here.owner, hub.ended_logins()).unwrap();
    hub.watch(small.here.general, &keeper);
    let room = hub.room(small.here.general).unwrap();
    small.post_much().await;
    // No ring keeps frames for a reader that was given up.
    until("it was given up", || matches!(room.pull(Floor::NONE, end - 1, 1), Pulled::ReadTo(_))).await;
    let count = AtomicU64::new(0);
    assert!(!reader.read_to(end, &count).await, "it was not closed");
    assert_eq!(reader.closed, Some(4008));
    assert!((1..80).contains(&count.into_inner()), "what was sent before the close comes whole");
    // It resumes where it was: nothing is missing or doubled. A machine that halts it closes it once more.
    let epoch = small.here.node.epoch().unwrap();
    for _ in 0..20 {
        let event = reader.event();
        let since = json!({ "epoch": epoch, "seq": event["seq"], "chain": event["chain"] });
        let newest = std::mem::take(&mut reader.newest);
        reader = small.follow(Some(&since)).await;
        reader.newest = newest;
        if reader.read_to(end, &AtomicU64::new(0)).await {
            return;
        }
        assert_eq!(reader.closed, Some(4008));
    }
    panic!("it never comes to the end: {} of {end}", reader.seq);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_little_at_a_time_is_kept_however_long_a_batch_takes_it() {
    let folder = tempdir().unwrap();
    // 64 frames of more than 4 KiB, a batch, take it 12.8 s at least.
    let (write, pause) = (Duration::from_secs(10), Duration::from_millis(200));
    let small = Small::start(folder.path(), Timeouts { write, ..TIMEOUTS.clone() }).await;
    let mut reader = small.follow(None).await;
    reader.pause = Some(pause);
    let end = reader.seq + 80;
    small.post_much().await;
    let all = reader.read_to(end, &AtomicU64::new(0)).await;
    assert!(all, "closed with {:?} at {} of {end}", reader.closed, reader.seq);
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_of_the_server_bear_the_chains_of_open_rooms() {
    let folder = tempdir().unwrap();
    let small =
        Small::start(folder.path(), Timeouts { beat: Duration::from_millis(50), ..TIMEOUTS.clone() }).await;
    let mut client = TestClient::connect_at(&small.host, &small.cookie).await;
    assert_eq!(client.until("beat").await["positions"], json!({}), "no room is open");
    client.send(json!({ "t": "subscribe", "room": small.room, "since": null })).await;
    let mut head = client.until("subscribed").await["head"].take();
    client.send(json!({ "t": "fetch", "req": 1, "room": small.room, "after": 0, "to": head["seq"] })).await;
    let mut chain = "0".repeat(16);
    for event in client.until("events").await["events"].as_array().unwrap() {
        chain = chain_by_hand(&chain, &event["header"]);
    }
    for n in 0..3 {
        head["chain"] = json!(chain);
        assert_eq!(client.until("beat").await["positions"], json!({ small.room.clone(): head }));
        small.here.post(small.here.owner, ClientId::random(), &format!("message {n}")).await;
        let event = client.until("event").await["event"].take();
        chain = chain_by_hand(&chain, &event["header"]);
        head["seq"] = event["seq"].clone();
    }
    client.send(json!({ "t": "unsubscribe", "room": small.room })).await;
    client.send(json!({ "t": "people", "ids": [] })).await;
    client.until("people").await;
    assert_eq!(client.until("beat").await["positions"], json!({}), "the room is closed again");
}
