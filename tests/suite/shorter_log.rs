//! Servers start on a log that has lost its newest entries: an older file was put back, a write-ahead file was deleted, a
//! store came back with less. What they still have of it is kept in lost.jsonl, said, and offered to its authors.
//! BECK_LOSSES sets the rounds (3).

use crate::embedded::reopen;
use crate::support::awaited::{HANG, awaited, closed, unlocked, until};
use crate::support::engine::Engine;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, TestServer};
use crate::support::{Place, furnish, furnish_on, read_all, set_up};
use beck::client::KeptState;
use beck::protocol::frame::Role;
use beck::protocol::{AccountId, ClientId, Kind, MessageBody, RoomId};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::redis::Redis;
use beck::server::broker::{Broker, Proposal};
use beck::server::fold::AccountBody;
use beck::timeline::MarkKind;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::tempdir;

fn rounds() -> usize {
    std::env::var("BECK_LOSSES").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3)
}

/// Writes this many messages and waits until each is acknowledged and shown in the room. If a message is lost before its
/// author saw it there, only the card of the draft says so, and no mark in the room.
async fn write(engine: &Engine, room: RoomId, n: usize) -> Vec<ClientId> {
    let ids: Vec<_> = (0..n).map(|_| ClientId::random()).collect();
    for id in &ids {
        engine.write(*id, room, format!("text of {id}"));
    }
    let has_come = || {
        let session = engine.session();
        let is_stored = |id| session.outbox.get(id).is_some_and(|kept| kept.is_stored());
        let is_shown = |id| session.timelines.get(&room).is_some_and(|timeline| timeline.row(id).is_some());
        ids.iter().all(|id| is_stored(*id) && is_shown(*id))
    };
    until("every message is acknowledged and shown", has_come).await;
    ids
}

/// An SQLite file with what belongs to it, removed.
fn remove(folder: &Path, name: &str) {
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("{name}{ending}")));
    }
}

/// All of an SQLite file is in the file itself.
fn checkpoint(folder: &Path, name: &str) {
    let db = Connection::open(folder.join(name)).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

/// The ids of the messages in a folder's log, by hand.
fn messages_of_file(folder: &Path) -> Vec<String> {
    let db = Connection::open(folder.join("log.sqlite")).unwrap();
    let mut select = db.prepare("SELECT rest FROM entries ORDER BY g").unwrap();
    let rests = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let words = |rest: String| rest.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let messages = rests.map(|rest| words(rest.unwrap())).filter(|words| words[3] == "message");
    messages.map(|words| words[1].clone()).collect()
}

fn lost_lines(folder: &Path) -> Vec<Value> {
    #[cfg(unix)]
    crate::file_modes::assert_private_file(&folder.join("lost.jsonl"));
    let text = std::fs::read_to_string(folder.join("lost.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(lines: &[Value]) -> BTreeSet<&str> {
    lines.iter().map(|line| line["header"]["kind"].as_str().unwrap()).collect()
}

/// Every acknowledged message is in the log or in lost.jsonl, once; gives how many are lost.
fn check_sum(acked: &[ClientId], log: &[String], lost: &[Value]) -> usize {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let mut lost_ids = BTreeSet::new();
    for id in log {
        *times.entry(id.clone()).or_default() += 1;
    }
    for line in lost {
        let id = line["header"]["id"].as_str().unwrap().to_owned();
        *times.entry(id.clone()).or_default() += 1;
        if line["header"]["kind"] == "message" {
            let text = line["body"]["text"].as_str().unwrap();
            assert!(text == format!("text of {id}"), "{line}");
        }
        lost_ids.insert(id);
    }
    for id in acked {
        assert_eq!(times.get(&id.to_string()), Some(&1), "{id} is in log and lost.jsonl");
    }
    acked.iter().filter(|id| lost_ids.contains(&id.to_string())).count()
}

/// What /readyz says once it is 200.
async fn ready(server: &TestServer) -> String {
    let ready = async {
        loop {
            let (status, _, text) = server.page("/readyz", "").await;
            if status == 200 {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    awaited("the server is ready", ready).await
}

/// What a server says at its start about lost entries.
fn said_at_start(folder: &Path, settings: &[(&str, &str)]) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_beck"))
        .env_clear()
        .env("DATA_DIR", folder)
        .env("PORT", "0")
        .envs(settings.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (send, lines_of) = std::sync::mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).all(|line| send.send(line).is_ok()));
    let found =
        std::iter::from_fn(|| lines_of.recv_timeout(HANG).ok()).find(|line| line.contains("lost.jsonl"));
    child.kill().unwrap();
    child.wait().unwrap();
    found.expect("the start says that entries are lost")
}

/// One server, what was written to it, and what is to be checked once its log is shorter.
struct Drill {
    folder: PathBuf,
    settings: Vec<(&'static str, String)>,
    server: TestServer,
    engine: Engine,
    cookie: String,
    room: RoomId,
    by: AccountId,
    acked: Vec<ClientId>,
}

impl Drill {
    async fn start(folder: &Path, place: &Place, redis: Option<String>) -> Drill {
        let mut settings: Vec<_> = redis.into_iter().map(|url| ("REDIS_URL", url)).collect();
        let server = serve(folder, &settings);
        let (account, cookie) = place.people[0].clone();
        let engine = Engine::start(server.host(), account, &cookie, place.general);
        // The engine finds it again at the same port.
        settings.push(("PORT", server.host().rsplit(':').next().unwrap().to_owned()));
        let (room, by) = (place.general, place.people[1].0);
        Drill { folder: folder.to_owned(), settings, server, engine, cookie, room, by, acked: Vec::new() }
    }

    async fn write(&mut self, n: usize) {
        self.acked.extend(write(&self.engine, self.room, n).await);
    }

    fn restart(&mut self) {
        self.server.kill();
        self.server = serve(&self.folder, &self.settings);
    }

    /// After a start on the shorter log; gives how many acknowledged messages are lost.
    async fn check(&mut self, log: Vec<String>) -> usize {
        let text = ready(&self.server).await;
        let lines = lost_lines(&self.folder);
        let lost = check_sum(&self.acked, &log, &lines);
        assert!(lost > 0, "nothing was lost");
        assert!(text.starts_with("ready"), "{text}");
        assert!(text.contains("lost.jsonl") && text.contains(&format!(" {} ", lines.len())), "{text}");
        // The author is told, and what is lost is offered again.
        let in_log: BTreeSet<_> = log.iter().cloned().collect();
        let gone: Vec<_> =
            self.acked.iter().filter(|id| !in_log.contains(&id.to_string())).copied().collect();
        let offered = |id: &ClientId| {
            let session = self.engine.session();
            session.outbox.get(*id).is_some_and(|kept| kept.state == KeptState::Lost)
        };
        until("what is lost is offered to its author", || gone.iter().all(offered)).await;
        let told = || {
            let session = self.engine.session();
            let mut marks = session.marks.get(&self.room).into_iter().flatten();
            marks.any(|mark| matches!(mark.what, MarkKind::Reset { .. }))
        };
        until("the author is told of it", told).await;
        let mut client = TestClient::connect(&self.server, &self.cookie).await;
        let rows = client.all_rows(&self.room, 100).await;
        assert_eq!(rows.keys().cloned().collect::<BTreeSet<_>>(), in_log, "the room is that of the log");
        // Another start changes nothing.
        self.restart();
        assert!(ready(&self.server).await.contains("lost.jsonl"));
        assert_eq!(lost_lines(&self.folder), lines, "a line was written twice");
        lost
    }
}

fn serve(folder: &Path, settings: &[(&'static str, String)]) -> TestServer {
    let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    TestServer::start_set(folder, &settings).0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_folder_has_beyond_its_log_is_kept_and_offered() {
    let mut dice = StdRng::seed_from_u64(crate::support::seed());
    let mut lost = 0;
    for round in 0..rounds() {
        for cut in ["an older file", "no write-ahead file", "another tail", "an older state"] {
            let folder = tempdir().unwrap();
            let place = furnish(folder.path(), 2).await;
            let mut drill = Drill::start(folder.path(), &place, None).await;
            drill.write(dice.random_range(1..12)).await;
            drill.server.kill();
            checkpoint(folder.path(), "log.sqlite");
            let older = std::fs::read(folder.path().join("log.sqlite")).unwrap();
            drill.restart();
            drill.write(dice.random_range(1..40)).await;
            let all = messages_of_file(folder.path()).len();
            drill.server.kill();
            match cut {
                "no write-ahead file" => {
                    let _ = std::fs::remove_file(folder.path().join("log.sqlite-shm"));
                    std::fs::remove_file(folder.path().join("log.sqlite-wal")).unwrap();
                }
                _ => {
                    remove(folder.path(), "log.sqlite");
                    std::fs::write(folder.path().join("log.sqlite"), &older).unwrap();
                }
            }
            if cut == "another tail" {
                // As long as the lost one, or longer.
                let log = Embedded::open(folder.path()).unwrap();
                let missing = all - messages_of_file(folder.path()).len() + dice.random_range(0..3);
                let message = |_| {
                    let id = ClientId::random();
                    let body = MessageBody { text: format!("text of {id}"), quote: None, said: None };
                    Proposal::new(drill.by, id, Kind::Message, &body).room(drill.room)
                };
                log.append((0..missing).map(message).collect()).await.unwrap();
            }
            if cut == "an older state" {
                let state = Connection::open(folder.path().join("state.sqlite")).unwrap();
                state
                    .execute_batch("PRAGMA user_version = 4; DROP TABLE to_erase; DROP TABLE doubles")
                    .unwrap();
            }
            let log = messages_of_file(folder.path());
            if round == 0 {
                let said = said_at_start(folder.path(), &[]);
                assert!(said.starts_with("Warning: the log has lost entries"), "{said}");
            }
            drill.restart();
            let now = drill.check(log).await;
            println!("round {round}, {cut}: {now} of {} acknowledged messages were lost", drill.acked.len());
            lost += now;
        }
    }
    println!("{lost} lost messages were kept");
    assert!(lost >= 4 * rounds());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_has_beyond_its_store_is_kept_and_offered() {
    let mut dice = StdRng::seed_from_u64(crate::support::seed());
    let mut lost = 0;
    for round in 0..rounds() {
        for keep in ["state", "copy", "both"] {
            let mut store = RedisServer::start(Store::Redis);
            let (folder, first) = (tempdir().unwrap(), tempdir().unwrap());
            let log = Redis::open(&store.settings()).await.unwrap();
            let place = furnish_on(first.path(), Arc::new(log), 2).await;
            let mut drill = Drill::start(folder.path(), &place, Some(store.url())).await;
            drill.write(dice.random_range(1..12)).await;
            let file = last_file(&store);
            let before = std::fs::metadata(&file).unwrap().len();
            drill.write(dice.random_range(1..40)).await;
            let fields = [("name", "Lost room"), ("topic", "")];
            assert_eq!(drill.server.form("/rooms", &drill.cookie, &fields).await.0, 303);
            let fields = [("text", "Away")];
            assert_eq!(drill.server.form("/account/status", &drill.cookie, &fields).await.0, 303);
            drill.server.kill();
            store.kill();
            let after = std::fs::metadata(&file).unwrap().len();
            let cut = before + dice.random_range(0..(after - before) / 3);
            std::fs::File::options().write(true).open(&file).unwrap().set_len(cut).unwrap();
            match keep {
                "state" => remove(folder.path(), "copy.sqlite"),
                "copy" => remove(folder.path(), "state.sqlite"),
                _ => {}
            }
            store.restart();
            let log = Redis::open(&store.settings()).await.unwrap();
            let entries = read_all(&log).await;
            let messages = entries.iter().filter(|entry| entry.header.kind == Kind::Message);
            let messages = messages.map(|entry| entry.header.client_id.to_string()).collect();
            drill.restart();
            let now = drill.check(messages).await;
            let lines = lost_lines(folder.path());
            assert!(kinds(&lines).is_superset(&BTreeSet::from(["message", "room"])), "{:?}", kinds(&lines));
            assert_eq!(
                kinds(&lines).contains("account.set"),
                keep != "state",
                "what accounts say is in the copy"
            );
            println!("round {round}, {keep}: {now} of {} acknowledged messages were lost", drill.acked.len());
            lost += now;
        }
    }
    println!("{lost} lost messages were kept");
    assert!(lost >= 3 * rounds());
}

/// The file that the store adds to.
fn last_file(store: &RedisServer) -> PathBuf {
    let folder = std::fs::read_dir(store.folder().join("appendonlydir")).unwrap();
    let mut files = folder.map(|file| file.unwrap().path());
    files.find(|path| path.to_str().unwrap().ends_with(".incr.aof")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_whose_log_is_gone_does_not_start_and_keeps_what_it_has() {
    for with_pin in [true, false] {
        let folder = tempdir().unwrap();
        let here = set_up(folder.path()).await;
        here.post(here.owner, ClientId::random(), "kept").await;
        let folded = here.node.folded();
        drop(here);
        drop(reopen(folder.path()).await);
        closed(folder.path()).await;
        remove(folder.path(), "log.sqlite");
        if !with_pin {
            let _ = std::fs::remove_file(folder.path().join("workspace"));
        }
        let log = Embedded::open(folder.path()).unwrap();
        let started =
            beck::server::node::Node::start(crate::support::config(folder.path()), Arc::new(log)).await;
        let why = started.err().expect("it does not start").to_string();
        assert!(why.contains("#log-gone"), "{why}");
        let state = Connection::open(folder.path().join("state.sqlite")).unwrap();
        let g: String =
            state.query_row("SELECT value FROM meta WHERE key = 'g'", [], |row| row.get(0)).unwrap();
        assert_eq!(g, folded.to_string(), "the state is as it was");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_that_cannot_be_read_is_set_aside_and_made_anew() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    here.post(here.owner, ClientId::random(), "kept").await;
    drop(here);
    drop(reopen(folder.path()).await);
    type Damage<'a> = (&'a str, &'a dyn Fn(&Path));
    let kinds: [Damage<'_>; 3] = [
        ("no database", &|path| std::fs::write(path, "no database".repeat(1_000)).unwrap()),
        ("no events", &|path| {
            let db = Connection::open(path).unwrap();
            let g = "UPDATE meta SET value = '999' WHERE key = 'g'";
            db.execute_batch(&format!("PRAGMA user_version = 1; {g}; DROP TABLE events")).unwrap();
        }),
        ("a broken header", &|path| {
            let db = Connection::open(path).unwrap();
            let g = "UPDATE meta SET value = '999' WHERE key = 'g'";
            db.execute_batch(&format!("{g}; UPDATE events SET rest = 'x', g = g + 100")).unwrap();
        }),
    ];
    for (n, (what, harm)) in kinds.into_iter().enumerate() {
        let path = folder.path().join("state.sqlite");
        closed(folder.path()).await;
        for ending in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", path.display()));
        }
        harm(&path);
        let node = reopen(folder.path()).await;
        assert_eq!(node.folded(), node.broker.head().await.unwrap().unwrap().g, "{what}");
        drop(node);
        let names = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
        let kept = names.filter(|name| {
            let name = name.to_str().unwrap();
            name.starts_with("state.sqlite.damaged") && !name.ends_with("-wal") && !name.ends_with("-shm")
        });
        assert_eq!(kept.count(), (n + 1).min(2), "{what}: the first and the newest one are kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_was_sent_again_is_not_lost_and_a_torn_line_is_written_anew() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    here.post(here.owner, ClientId::random(), "kept").await;
    let (owner, general) = (here.owner, here.general);
    drop(here);
    drop(reopen(folder.path()).await);
    closed(folder.path()).await;
    checkpoint(folder.path(), "log.sqlite");
    let older = std::fs::read(folder.path().join("log.sqlite")).unwrap();
    let node = reopen(folder.path()).await;
    let ids = [ClientId::random(), ClientId::random(), ClientId::random()];
    let message = |id: ClientId, text: &str| {
        let body = MessageBody { text: text.into(), quote: None, said: None };
        Proposal::new(owner, id, Kind::Message, &body).room(general)
    };
    for id in ids {
        node.propose(message(id, "words")).await.unwrap();
    }
    drop(node);
    closed(folder.path()).await;
    remove(folder.path(), "log.sqlite");
    std::fs::write(folder.path().join("log.sqlite"), older).unwrap();
    // The second one is sent again before the server is there.
    let log = unlocked(folder.path()).await;
    log.append(vec![message(ids[1], "words")]).await.unwrap();
    drop(log);
    // A crash cut off the first line.
    std::fs::write(folder.path().join("lost.jsonl"), format!("{{\"header\":{{\"id\":\"{}\"", ids[0]))
        .unwrap();
    drop(reopen(folder.path()).await);
    let text = std::fs::read_to_string(folder.path().join("lost.jsonl")).unwrap();
    let whole = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let kept: Vec<_> = whole.map(|line| line["header"]["id"].clone()).collect();
    assert_eq!(kept, [json!(ids[0]), json!(ids[2])]);
}

/// What happened in rooms is all there, so nothing goes into lost.jsonl; it is said all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_has_lost_accounts_alone_is_said_until_the_next_start() {
    let folder = tempdir().unwrap();
    furnish(folder.path(), 1).await;
    checkpoint(folder.path(), "log.sqlite");
    let older = std::fs::read(folder.path().join("log.sqlite")).unwrap();
    let account = AccountId::random();
    let body = AccountBody { name: "Late".into(), handle: "late".into(), role: Role::Member };
    let late = Proposal::new(account, ClientId::random(), Kind::Account, &body);
    let late = late.target(account.as_str().parse().unwrap());
    let node = reopen(folder.path()).await;
    node.propose(late).await.unwrap();
    assert!(node.directory().accounts.contains_key(&account));
    let folded = node.folded();
    drop(node);
    closed(folder.path()).await;
    remove(folder.path(), "log.sqlite");
    std::fs::write(folder.path().join("log.sqlite"), older).unwrap();
    let node = reopen(folder.path()).await;
    assert!(!node.directory().accounts.contains_key(&account));
    let said = node.lost_entries();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains(&format!("entry {folded};")) && said[0].contains("No message is lost"),
        "{said:?}"
    );
    assert!(!folder.path().join("lost.jsonl").exists());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/readyz", listener.local_addr().unwrap());
    let app = beck::server::router::router(node.clone(), None);
    let serving = beck::server::serve::serve(node.clone(), app, listener, std::future::pending());
    let serving = tokio::spawn(serving);
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains(&format!("Warning: {}", said[0])));
    serving.abort();
    drop(node);
    // The state is that of the log again.
    assert!(reopen(folder.path()).await.lost_entries().is_empty());
}
