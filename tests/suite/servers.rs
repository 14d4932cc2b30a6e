//! Many servers on one store: what happens through one is seen through the others, and what the store does to them.

use crate::support::awaited::HANG;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, TestServer};
use crate::support::store_line::StoreLine;
use crate::support::{assert_linked, read_all};
use beck::protocol::{ClientId, Kind};
use beck::server::broker::redis::Redis;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tempfile::{TempDir, tempdir};

/// A store and servers with folders of their own.
pub struct Cluster {
    pub store: RedisServer,
    pub servers: Vec<TestServer>,
    pub folders: Vec<TempDir>,
    /// What stands between each server and the store, if anything does.
    pub lines: Vec<StoreLine>,
}

impl Cluster {
    pub fn start(store: RedisServer, servers: usize) -> Cluster {
        Cluster::furnished(store, Vec::new(), servers)
    }

    /// As [`Cluster::start`], each server with a line of its own to the store.
    pub async fn start_with_lines(store: RedisServer, servers: usize) -> Cluster {
        let mut lines = Vec::new();
        for _ in 0..servers {
            lines.push(StoreLine::start(store.port).await);
        }
        Cluster::furnished(store, lines, servers)
    }

    fn furnished(store: RedisServer, lines: Vec<StoreLine>, servers: usize) -> Cluster {
        let mut cluster = Cluster { store, servers: Vec::new(), folders: Vec::new(), lines };
        for n in 0..servers {
            cluster.folders.push(tempdir().unwrap());
            let server = cluster.serve(n);
            cluster.servers.push(server);
        }
        cluster
    }

    /// Starts a server on its folder.
    pub fn serve(&self, n: usize) -> TestServer {
        let url = self.lines.get(n).map_or_else(|| self.store.url(), StoreLine::url);
        TestServer::start_set(self.folders[n].path(), &[("REDIS_URL", &url)]).0
    }

    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.servers.iter().map(TestServer::host)
    }

    /// The answer of /readyz.
    pub async fn readiness(&self, n: usize) -> (u16, String) {
        let (status, _, text) = self.servers[n].page("/readyz", "").await;
        (status, text)
    }

    /// Waits until /readyz answers so, with these words; gives all of them.
    pub async fn until_ready_is(&self, n: usize, status: u16, words: &str) -> String {
        let wait = async {
            loop {
                let (now, text) = self.readiness(n).await;
                if now == status && text.contains(words) {
                    return text;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(HANG, wait).await;
        match waited {
            Ok(text) => text,
            Err(_) => panic!("/readyz stays {:?}, not {status} {words}", self.readiness(n).await),
        }
    }
}

async fn subscribe(client: &mut TestClient, room: &str) -> Value {
    client.send(json!({ "t": "subscribe", "room": room })).await;
    client.until("subscribed").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_through_one_server_is_seen_through_the_other() {
    let cluster = Cluster::start(RedisServer::start(Store::Redis), 2);
    let [a, b] = cluster.servers.as_slice() else { panic!() };
    let (olive, general) = a.set_up().await;
    // No cookie, no sticky session: the other server knows the login at once.
    assert_eq!(b.page(&format!("/r/{general}"), &olive).await.0, 200);
    let guest = b.sign_up(&olive, &general, "guest").await;
    assert_eq!(a.page(&format!("/r/{general}"), &guest).await.0, 200);

    // A room that was made through one opens on the other, at once and each time.
    for n in 0..20 {
        let (status, _, location) =
            a.form("/rooms", &olive, &[("name", &format!("room {n}")), ("topic", "")]).await;
        assert_eq!(status, 303);
        let (status, _, text) = b.page(&location, &olive).await;
        assert_eq!((status, text.contains(&format!("room {n}"))), (200, true), "{location}");
    }

    let mut writer = TestClient::connect(a, &olive).await;
    let mut reader = TestClient::connect(b, &guest).await;
    subscribe(&mut reader, &general).await;
    for n in 0..50 {
        let (id, text) = (ClientId::random().to_string(), format!("line {n}"));
        writer.post(&general, &id, &text).await;
        let ack = writer.until("ack").await;
        let event = reader.until("event").await;
        assert_eq!(event["event"]["header"]["id"], id.as_str(), "{event}");
        assert_eq!(event["event"]["seq"], ack["outcome"]["seq"], "{ack}");
    }
    // The position is the same on both.
    subscribe(&mut writer, &general).await;
    let here = subscribe(&mut writer, &general).await;
    let there = subscribe(&mut reader, &general).await;
    assert_eq!(here["head"], there["head"]);

    // A draft that went through one is no second message through the other.
    let id = ClientId::random().to_string();
    writer.post(&general, &id, "once").await;
    let first = writer.until("ack").await;
    let mut other = TestClient::connect(b, &olive).await;
    other.post(&general, &id, "once").await;
    assert_eq!(other.until("ack").await["outcome"], first["outcome"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_through_one_server_ends_it_on_the_other() {
    let cluster = Cluster::start(RedisServer::start(Store::Valkey), 2);
    let [a, b] = cluster.servers.as_slice() else { panic!() };
    let (olive, general) = a.set_up().await;
    let guest = b.sign_up(&olive, &general, "guest").await;

    // Out of the room through A: the socket on B gets nothing that came after it.
    let mut left = TestClient::connect(b, &guest).await;
    subscribe(&mut left, &general).await;
    assert_eq!(a.form(&format!("/r/{general}/leave"), &guest, &[]).await.0, 303);
    let mut writer = TestClient::connect(a, &olive).await;
    writer.post(&general, &ClientId::random().to_string(), "after the leave").await;
    writer.until("ack").await;
    loop {
        let frame = left.next().await.unwrap();
        assert!(!frame.to_string().contains("after the leave"), "{frame}");
        if frame["t"] == "left" && frame["room"] == general.as_str() {
            break;
        }
    }
    // Signed out everywhere through A: the socket on B ends, and the login is good nowhere.
    assert_eq!(a.form("/sign-out-everywhere", &guest, &[]).await.0, 303);
    let ended = tokio::time::timeout(Duration::from_secs(20), left.close_code()).await;
    assert_eq!(ended.unwrap(), Some(4001));
    for server in [a, b] {
        assert_eq!(server.page("/rooms", &guest).await.1, "/sign-in?next=/rooms");
    }
    // The other account is as it was.
    assert_eq!(b.page(&format!("/r/{general}"), &olive).await.0, 200);
}

/// Posts to one server until its store is killed in the middle; gives what was acked and what had no answer.
async fn post_into_a_kill(
    cluster: &mut Cluster,
    round: usize,
    (cookie, room): (&str, &str),
    acked: &mut HashMap<String, u64>,
) -> Vec<(String, String)> {
    let mut clients = Vec::new();
    for server in &cluster.servers {
        clients.push(TestClient::connect(server, cookie).await);
    }
    let mut open = Vec::new();
    for n in 0..30 {
        for client in &mut clients {
            let (id, text) = (ClientId::random().to_string(), format!("round {round} line {n}"));
            client.post(room, &id, &text).await;
            open.push((id, text));
        }
    }
    let mut heed = |frame: &Value, open: &mut Vec<(String, String)>| {
        if frame["t"] == "ack" {
            let id = frame["id"].as_str().unwrap().to_owned();
            assert_eq!(frame["outcome"]["is"], "stored", "{frame}");
            open.retain(|(waiting, _)| *waiting != id);
            acked.insert(id, frame["outcome"]["seq"].as_u64().unwrap());
            true
        } else {
            frame["t"] == "error"
        }
    };
    for _ in 0..1 + (round * 5) % 20 {
        while !heed(&clients[0].next().await.unwrap(), &mut open) {}
    }
    cluster.store.kill();
    // Whatever else comes before the connections tell: acks count, errors leave the draft open.
    for client in &mut clients {
        while let Ok(Some(frame)) = tokio::time::timeout(Duration::from_millis(300), client.next()).await {
            heed(&frame, &mut open);
        }
    }
    open
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_message_survives_a_kill_of_the_store_once_on_both_servers() {
    let mut cluster = Cluster::start(RedisServer::start(Store::Redis), 2);
    let (cookie, room) = cluster.servers[0].set_up().await;
    let mut acked = HashMap::new();
    let (mut kills, mut without_answer) = (0, 0);
    for round in 0..6 {
        let open = post_into_a_kill(&mut cluster, round, (&cookie, &room), &mut acked).await;
        kills += 1;
        without_answer += open.len();
        // Red while the store is dead, and nobody is told that something is stored.
        for n in 0..2 {
            let text = cluster.until_ready_is(n, 503, "").await;
            assert!(text.contains("Redis"), "{text}");
        }
        cluster.store.restart();
        for n in 0..2 {
            cluster.until_ready_is(n, 200, "ready").await;
        }
        // The same drafts again, through the other server.
        let mut again = TestClient::connect(&cluster.servers[1], &cookie).await;
        for (id, text) in open {
            again.post(&room, &id, &text).await;
            let ack = again.until("ack").await;
            assert_eq!(ack["outcome"]["is"], "stored", "{ack}");
            acked.insert(id, ack["outcome"]["seq"].as_u64().unwrap());
        }
    }
    assert_eq!(kills, 6);
    assert!(without_answer > 0 && acked.len() == 6 * 60, "{without_answer} {}", acked.len());

    let entries = read_all(&Redis::open(&cluster.store.settings()).await.unwrap()).await;
    assert_linked(&entries);
    let mut shown = Vec::new();
    for server in &cluster.servers {
        let mut client = TestClient::connect(server, &cookie).await;
        let rows = client.all_rows(&room, 100).await;
        assert_eq!(rows.len(), acked.len());
        for (id, seq) in &acked {
            assert_eq!(rows.get(id), Some(seq), "an ack named another place");
        }
        shown.push(subscribe(&mut client, &room).await["head"].clone());
    }
    assert_eq!(shown[0], shown[1], "the chain is the same on both servers");
    let messages = entries.iter().filter(|entry| entry.header.kind == Kind::Message);
    assert!(messages.count() >= acked.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_store_makes_servers_unready_and_never_a_new_workspace() {
    let mut cluster = Cluster::start(RedisServer::start(Store::Redis), 2);
    let (cookie, room) = cluster.servers[0].set_up().await;
    let mut client = TestClient::connect(&cluster.servers[0], &cookie).await;
    client.post(&room, &ClientId::random().to_string(), "before").await;
    client.until("ack").await;
    cluster.until_ready_is(1, 200, "ready").await;
    assert_eq!(cluster.store.command(&["FLUSHALL"]), "+OK\r\n");
    for n in 0..2 {
        let text = cluster.until_ready_is(n, 503, "gone").await;
        assert!(text.contains("Restore"), "{text}");
    }
    // Nothing is acknowledged, nobody can become the owner of something new.
    client.post(&room, &ClientId::random().to_string(), "after").await;
    assert_eq!(client.until("error").await["code"], "unavailable");
    let fields = [("workspace", "Mine"), ("name", "Eve"), ("handle", "eve"), ("password", "a long password")];
    for server in &cluster.servers {
        let (_, cookie, _) = server.form("/setup", "", &fields).await;
        assert_eq!(cookie, "");
    }
    assert_eq!(cluster.store.command(&["KEYS", "*"]), "*0\r\n", "nothing was written");
    // Started anew they say why they do not start; the second server remembers too.
    for n in 0..2 {
        cluster.servers[n].kill();
        let why = refusal(&cluster.folders[n], &[("REDIS_URL", &cluster.store.url())]);
        assert!(why.contains("The log is gone"), "{why}");
    }
    assert_eq!(cluster.store.command(&["KEYS", "*"]), "*0\r\n", "nothing was written");
}

/// Why a server does not start; it must say so in one sentence.
pub fn refusal(folder: &TempDir, settings: &[(&str, &str)]) -> String {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_beck"))
        .env_clear()
        .env("DATA_DIR", folder.path())
        .env("PORT", "0")
        .env("LOG", "off")
        .envs(settings.iter().copied())
        .current_dir(folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let said = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap())).next();
    if said.is_some() {
        child.kill().unwrap();
    }
    let ended = child.wait_with_output().unwrap();
    assert!(said.is_none() && !ended.status.success(), "it starts: {said:?}");
    let why = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(why.trim().lines().count(), 1, "{why}");
    why
}

#[tokio::test(flavor = "multi_thread")]
async fn another_workspace_in_the_store_is_not_taken_for_ours() {
    let cluster = Cluster::start(RedisServer::start(Store::Redis), 1);
    cluster.servers[0].set_up().await;
    let url = cluster.store.url();
    // The same store under another prefix, and in another database, is another workspace.
    for other in
        [vec![("REDIS_URL", url.as_str()), ("REDIS_PREFIX", "two")], vec![("REDIS_URL", &format!("{url}/1"))]]
    {
        let folder = tempdir().unwrap();
        let (mut server, _) = TestServer::start_set(folder.path(), &other);
        server.set_up().await;
        server.kill();
        let why = refusal(&folder, &[("REDIS_URL", &url)]);
        assert!(why.contains("belongs to"), "{why}");
        // Nothing of the folder was harmed.
        TestServer::start_set(folder.path(), &other).0.page("/readyz", "").await;
    }
}

/// All that a client has of a room, by its own copy: seq, chain and text of each event since the start.
async fn events(client: &mut TestClient, room: &str) -> Vec<Value> {
    client.send(json!({ "t": "fetch", "req": 7, "room": room, "after": 0, "to": 400 })).await;
    client.until("events").await["events"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewritten_tail_resets_those_who_saw_it_and_is_kept_in_a_file() {
    let mut cluster = Cluster::start(RedisServer::start(Store::Redis), 2);
    let (cookie, room) = cluster.servers[0].set_up().await;
    let mut client = TestClient::connect(&cluster.servers[0], &cookie).await;
    let post = async |client: &mut TestClient, text: &str| {
        let id = ClientId::random().to_string();
        client.post(&room, &id, text).await;
        let ack = client.until("ack").await;
        assert_eq!(ack["outcome"]["is"], "stored", "{ack}");
        id
    };
    for n in 0..5 {
        post(&mut client, &format!("kept {n}")).await;
    }
    // A copy of the store is made; what is acked after it will be lost.
    let copy = tempdir().unwrap();
    let mut copying = std::process::Command::new("cp");
    copying.arg("-r").arg(cluster.store.folder()).arg(copy.path().join("store"));
    assert!(copying.status().unwrap().success());
    let lost = [post(&mut client, "lost one").await, post(&mut client, "lost two").await];
    subscribe(&mut client, &room).await;
    let before = events(&mut client, &room).await;
    let mut reader = TestClient::connect(&cluster.servers[1], &cookie).await;
    let position = subscribe(&mut reader, &room).await["head"].clone();

    // The store is restored from the copy, as a failover to a stale replica would do, and is written to by a third.
    cluster.store.kill();
    cluster.store.restore(&copy.path().join("store"));
    cluster.store.restart();
    for n in 0..2 {
        cluster.until_ready_is(n, 200, "ready").await;
    }
    // Both who were connected are sent back …
    for client in [&mut client, &mut reader] {
        assert_eq!(client.close_code().await, Some(1012));
    }
    // … and told that what they saw is no more.
    let mut resets = 0;
    let mut heads = Vec::new();
    for server in &cluster.servers {
        let mut client = TestClient::connect(server, &cookie).await;
        client.send(json!({ "t": "subscribe", "room": room, "since": position })).await;
        let reset = client.until("reset").await;
        assert_eq!(reset["why"], "rewritten", "{reset}");
        resets += 1;
        let id = post(&mut client, &format!("new {resets}")).await;
        // A draft that was lost is taken again, once.
        client.post(&room, &lost[0], "lost one").await;
        assert_eq!(client.until("ack").await["outcome"]["is"], "stored");
        assert!(!lost.contains(&id));
    }
    assert_eq!(resets, 2);
    for server in &cluster.servers {
        let mut client = TestClient::connect(server, &cookie).await;
        heads.push(subscribe(&mut client, &room).await["head"].clone());
        let now = events(&mut client, &room).await;
        assert_eq!(now[..6], before[..6], "what was before the copy is as it was");
        let texts: Vec<_> = now.iter().filter_map(|event| event["body"]["text"].as_str()).collect();
        assert_eq!(texts[5..], ["new 1", "lost one", "new 2"]);
    }
    assert_eq!(heads[0], heads[1]);
    assert_linked(&read_all(&Redis::open(&cluster.store.settings()).await.unwrap()).await);
    for folder in &cluster.folders {
        let kept = std::fs::read_to_string(folder.path().join("lost.jsonl")).unwrap();
        let kept: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let texts: Vec<_> = kept.iter().map(|event| event["body"]["text"].as_str().unwrap()).collect();
        assert_eq!(texts, ["lost one", "lost two"]);
        assert_eq!(kept[1]["header"]["id"], lost[1].as_str());
    }
}
