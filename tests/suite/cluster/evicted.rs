//! A store that drops what it was given to keep: servers say so and stand still, and nobody becomes anything by it.

use crate::servers::{Cluster, refusal};
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, TestServer};
use beck::protocol::ClientId;
use beck::server::broker::redis::Redis;
use tempfile::tempdir;

const LOG: &str = "{beck}:log";
const EVE: [(&str, &str); 4] =
    [("workspace", "Mine"), ("name", "Eve"), ("handle", "eve"), ("password", "a long password")];

/// Two servers with a workspace of twenty messages; a socket on each.
struct Here {
    cluster: Cluster,
    cookie: String,
    room: String,
    sockets: Vec<TestClient>,
}

impl Here {
    async fn start(store: Store) -> Here {
        let cluster = Cluster::start(RedisServer::start(store), 2);
        let (cookie, room) = cluster.servers[0].set_up().await;
        let mut sockets = Vec::new();
        for server in &cluster.servers {
            sockets.push(TestClient::connect(server, &cookie).await);
        }
        for n in 0..20 {
            sockets[n % 2].post(&room, &ClientId::random().to_string(), &format!("line {n}")).await;
            sockets[n % 2].until("ack").await;
        }
        Here { cluster, cookie, room, sockets }
    }

    fn command(&self, words: &[&str]) -> String {
        self.cluster.store.command(words)
    }

    fn length(&self) -> String {
        self.command(&["XLEN", LOG])
    }

    /// Both servers say why they stand still; nothing is stored and nobody becomes the owner of anything.
    async fn assert_unready(&mut self, words: &str) {
        for n in 0..2 {
            self.cluster.until_ready_is(n, 503, words).await;
        }
        let before = self.length();
        for socket in &mut self.sockets {
            socket.post(&self.room, &ClientId::random().to_string(), "on what is left").await;
            let error = socket.until("error").await;
            assert_eq!(error["code"], "unavailable", "{error}");
        }
        for server in &self.cluster.servers {
            let (_, cookie, _) = server.form("/setup", "", &EVE).await;
            assert_eq!(cookie, "", "somebody has become the owner");
            assert_ne!(server.page("/", "").await.1, "/setup");
        }
        assert_eq!(self.length(), before, "something was stored");
    }

    /// What a server says that is started anew; it must not start.
    fn refusals(&mut self) -> Vec<String> {
        self.cluster.servers.iter_mut().for_each(TestServer::kill);
        let url = self.cluster.store.url();
        self.cluster.folders.iter().map(|folder| refusal(folder, &[("REDIS_URL", &url)])).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_trimmed_from_its_head_makes_servers_unready() {
    let mut here = Here::start(Store::Redis).await;
    here.command(&["XTRIM", LOG, "MAXLEN", "5"]);
    assert_eq!(here.length(), ":5\r\n");
    here.assert_unready("entries of the log are missing in the store").await;
    for why in here.refusals() {
        assert!(why.contains("evicted or deleted. Restore Redis from a copy"), "{why}");
    }
    // A server with an empty folder takes it for no workspace of its own either, and opens no door.
    let folder = tempdir().unwrap();
    let (fresh, _) = TestServer::start_set(folder.path(), &[("REDIS_URL", &here.cluster.store.url())]);
    let (status, _, text) = fresh.page("/readyz", "").await;
    assert!(status == 503 && text.contains("evicted or deleted"), "{status} {text}");
    assert_eq!(fresh.page("/setup", "").await.0, 503);
    assert_eq!(fresh.form("/setup", "", &EVE).await.1, "");
    assert_eq!(here.length(), ":5\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_or_the_headers_of_erased_ones_that_are_gone_make_servers_unready() {
    let mut here = Here::start(Store::Valkey).await;
    let log = Redis::open(&here.cluster.store.settings()).await.unwrap();
    assert!(crate::support::erase(&log, &[6, 9]).await);
    // What was erased is not missing: some comparisons later all is well.
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    for n in 0..2 {
        assert_eq!(here.cluster.readiness(n).await.0, 200);
    }
    let headers = here.command(&["DUMP", "{beck}:erased"]);
    assert_eq!(here.command(&["DEL", "{beck}:erased"]), ":1\r\n");
    assert!(headers.len() > 20);
    here.assert_unready("2 of ").await;
    assert_eq!(here.command(&["XDEL", LOG, "7-0"]), ":1\r\n");
    here.assert_unready("3 of ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_somebody_made_anew_is_not_taken_for_ours() {
    let mut here = Here::start(Store::Redis).await;
    assert_eq!(here.command(&["DEL", LOG]), ":1\r\n");
    here.assert_unready("gone").await;
    // By hand: no log at all.
    here.command(&["XADD", LOG, "*", "some", "thing"]);
    here.assert_unready("").await;
    assert_eq!(here.command(&["DEL", LOG]), ":1\r\n");
    // By a server that never knew the workspace: another one.
    let folder = tempdir().unwrap();
    let (other, _) = TestServer::start_set(folder.path(), &[("REDIS_URL", &here.cluster.store.url())]);
    let (eve, _) = other.set_up().await;
    here.assert_unready("belongs to").await;
    // Who owns that one is nobody here, also by a login that the same store keeps.
    for server in &here.cluster.servers {
        assert_ne!(server.page("/rooms", &eve).await.0, 200);
    }
    for why in here.refusals() {
        assert!(why.contains("belongs to"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_that_had_ended_do_not_come_back_when_the_store_drops_secrets() {
    let here = Here::start(Store::Redis).await;
    let sign_in = [("handle", "olive"), ("password", "a long password")];
    let server = &here.cluster.servers[0];
    let mut ended = Vec::new();
    for _ in 0..2 {
        ended.push(server.form("/sign-in", "", &sign_in).await.1);
        assert_eq!(server.form("/sign-out-everywhere", &ended[ended.len() - 1], &[]).await.0, 303);
    }
    ended.push(here.cookie.clone());
    let is_in = async |server: &TestServer, cookie: &str| server.page("/rooms", cookie).await.0 == 200;
    let now = server.form("/sign-in", "", &sign_in).await.1;
    assert!(is_in(server, &now).await);
    // The one key is dropped that says which logins have ended; the logins themselves are still kept.
    let keys = here.command(&["KEYS", "{beck}:secret:password:*"]);
    let key = keys.lines().find(|line| line.starts_with("{beck}")).unwrap();
    assert_eq!(here.command(&["DEL", key]), ":1\r\n");
    assert!(here.command(&["KEYS", "{beck}:secret:login:*"]).contains("login"), "no login is kept");
    for server in &here.cluster.servers {
        for cookie in &ended {
            assert!(!is_in(server, cookie).await, "a login that had ended is good again");
        }
        // The account is told what happened, and not that its password is wrong.
        let (status, _, text) = server.page("/rooms", &now).await;
        assert!(status == 503 && text.contains("evicted or removed"), "{status} {text}");
        let answer = server.post("/sign-in", "", &sign_in, &[("accept", "application/json")]).await;
        assert_eq!(answer.status(), 503);
        assert!(answer.text().await.unwrap().contains("evicted or removed"));
    }
    // Neither server goes on as if it were well, whoever asks, and each says why.
    for n in 0..2 {
        here.cluster.until_ready_is(n, 503, "the password record of 1 account is missing").await;
    }
    // All secrets: nobody is signed in, and nobody becomes the owner.
    let keys = here.command(&["KEYS", "{beck}:secret:*"]);
    for key in keys.lines().filter(|line| line.starts_with("{beck}")) {
        here.command(&["DEL", key]);
    }
    for server in &here.cluster.servers {
        for cookie in [&now, &here.cookie] {
            assert!(!is_in(server, cookie).await);
        }
        let (_, cookie, _) = server.form("/setup", "", &EVE).await;
        assert_eq!(cookie, "");
        assert_ne!(server.page("/", "").await.1, "/setup");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_the_store_has_dropped_makes_servers_unready_until_it_is_back() {
    let mut here = Here::start(Store::Valkey).await;
    let copied = |n: usize| {
        let copy = here.cluster.folders[n].path().join("copy.sqlite");
        let copy = rusqlite::Connection::open(copy).unwrap();
        copy.query_row("SELECT COUNT(*) FROM secrets", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    for n in 0..2 {
        while copied(n) < 1 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    let keys = here.command(&["KEYS", "{beck}:secret:password:*"]);
    let key = keys.lines().find(|line| line.starts_with("{beck}")).unwrap().to_owned();
    assert_eq!(here.command(&["RENAME", &key, "{beck}:kept"]), "+OK\r\n");
    // Nobody signs in: a server that is started finds it by its copy, and says it at once.
    here.cluster.servers[0].kill();
    let started = here.cluster.serve(0);
    let (status, _, text) = started.page("/readyz", "").await;
    let words = "the password record of 1 account is missing";
    assert!(status == 503 && text.contains(words), "{status} {text}");
    here.cluster.servers[0] = started;
    assert_eq!(here.cluster.readiness(1).await.0, 200, "the other one has not asked yet");
    let sign_in = [("handle", "olive"), ("password", "a long password")];
    assert_eq!(here.cluster.servers[1].form("/sign-in", "", &sign_in).await.1, "");
    here.sockets.remove(0);
    for n in 0..2 {
        here.cluster.until_ready_is(n, 503, words).await;
    }
    let before = here.length();
    here.sockets[0].post(&here.room, &ClientId::random().to_string(), "on what is left").await;
    assert_eq!(here.sockets[0].until("error").await["code"], "unavailable");
    assert_eq!(here.length(), before);
    assert_eq!(here.command(&["RENAME", "{beck}:kept", &key]), "+OK\r\n");
    for n in 0..2 {
        here.cluster.until_ready_is(n, 200, "").await;
        let (status, cookie, _) = here.cluster.servers[n].form("/sign-in", "", &sign_in).await;
        assert!(status == 303 && !cookie.is_empty());
    }
}
