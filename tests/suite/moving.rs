//! `beck migrate` as a process: every entry arrives with its link, and a move that is killed in the middle leaves
//! nothing that is taken for whole.

use crate::servers::refusal;
use crate::support::awaited::awaited;
use crate::support::awaited::unlocked;
use crate::support::command::{Running, refused};
use crate::support::furnished::{Furnished, furnish};
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, TestServer};
use crate::support::{assert_linked, read_all, set_up};
use beck::protocol::ClientId;
use beck::server::broker::Entry;
use beck::server::broker::embedded::{Embedded, OpenError};
use beck::server::broker::moving::Side;
use beck::server::broker::redis::{Redis, StoreSource};
use std::path::Path;
use tempfile::tempdir;

/// Every entry of a store, also of one that is closed.
pub async fn of_store(store: &RedisServer) -> Vec<Entry> {
    store.command(&["RENAME", "{beck}:mark", "aside"]);
    let entries = read_all(&Redis::open(&store.settings()).await.unwrap()).await;
    store.command(&["RENAME", "aside", "{beck}:mark"]);
    assert_linked(&entries);
    entries
}

/// Says whether everything works that a person notices: the login, the password, the messages.
async fn assert_lives(server: &TestServer, place: &Furnished) {
    let (status, _, page) = server.page(&format!("/r/{}", place.room), &place.cookie).await;
    assert_eq!((status, page.contains("message 11 499")), (200, true));
    let fields = [("handle", "guest"), ("password", "a long password")];
    assert_eq!(server.form("/sign-in", "", &fields).await.0, 303);
}

async fn there_and_back(kind: Store) {
    let (folder, back) = (tempdir().unwrap(), tempdir().unwrap());
    let place = furnish(folder.path(), 6_000).await;
    let store = RedisServer::start(kind);
    let url = store.url();
    let set = [("REDIS_URL", url.as_str())];
    let (from, to) = (folder.path().to_str().unwrap(), back.path().join("data"));
    let to = to.to_str().unwrap();
    let there = ["migrate", "--from", from, "--to", "redis"];

    let exists = |key: &str| store.command(&["EXISTS", key]) == ":1\r\n";
    // Killed again and again, each time further on; the next one goes on with what is there.
    let mut kills = 0;
    for lines in [2, 3, 4, 6, 8, 11, 15, 20, 26, 30] {
        if !Running::start(&there, &set).kill_after(lines) {
            continue;
        }
        // The kill was too early, or too late.
        match (exists("{beck}:mark"), exists("{beck}:log")) {
            (_, true) => break,
            (false, false) => continue,
            (true, false) => {}
        }
        kills += 1;
        let why = refusal(&tempdir().unwrap(), &set);
        assert!(why.contains("is not finished: run the same command again"), "{why}");
        // The folder is as it was and can be served, until the very end: then neither side is.
        match Embedded::open(folder.path()) {
            Ok(log) => assert!(read_all(&log).await == place.entries, "the folder has another log"),
            Err(fault) => assert!(matches!(fault, OpenError::Moved { .. }), "{fault}"),
        }
    }
    println!("{kills} kills on the way to the store");
    assert!(kills >= 3, "only {kills} kills in the middle of the move");

    let (done, said) = Running::start(&there, &set).end();
    assert!(done, "{said}");
    let last = place.entries.last().unwrap().link;
    assert!(said.contains("Going on with an unfinished move"), "{said}");
    assert!(
        said.contains(&format!("Moved {} entries", place.entries.len())) && said.contains(&last.to_string())
    );
    assert!(of_store(&store).await == place.entries, "the store has another log");
    assert_eq!(store.command(&["HLEN", "{beck}:erased"]), format!(":{}\r\n", place.erased));
    assert_eq!(store.command(&["KEYS", "*unfinished*"]), "*0\r\n");
    assert_eq!(StoreSource::open(&store.settings()).await.unwrap().beside().await.unwrap(), place.beside);
    // The source is closed, and the target takes no second move.
    let why = refusal(&folder, &[]);
    assert!(why.contains("was moved to Redis at 127.0.0.1:") && why.contains("REDIS_URL"), "{why}");
    let why = refused(&there, &set);
    assert!(why.contains("has a log already"), "{why}");

    let (mut server, _) = TestServer::start_set(folder.path(), &set);
    assert_lives(&server, &place).await;
    let mut client = TestClient::connect(&server, &place.cookie).await;
    client.post(&place.room, &ClientId::random().to_string(), "written on the store").await;
    assert_eq!(client.until("ack").await["outcome"]["is"], "stored");
    let home = ["migrate", "--from", "redis", "--to", to];
    let why = refused(&home, &set);
    assert!(why.contains("is in use: one server is still at work there"), "{why}");
    server.kill();

    let entries = of_store(&store).await;
    assert_eq!(entries.len(), place.entries.len() + 1);
    let in_folder = |file: &str| Path::new(to).join(file).exists();
    let mut kills = 0;
    for lines in [2, 3, 4, 6, 8, 11, 15, 20, 26, 30] {
        if !Running::start(&home, &set).kill_after(lines) {
            continue;
        }
        match (in_folder("unfinished.sqlite"), in_folder("log.sqlite")) {
            (_, true) => break,
            (false, false) => continue,
            (true, false) => {}
        }
        kills += 1;
        let why = refusal(&back, &[("DATA_DIR", to)]);
        assert!(why.contains("is not finished: run the same command again"), "{why}");
    }
    println!("{kills} kills on the way to the folder");
    assert!(kills >= 3, "only {kills} kills in the middle of the move");
    if !in_folder("log.sqlite") {
        let (done, said) = Running::start(&home, &set).end();
        assert!(done, "{said}");
    }
    assert!(read_all(&Embedded::open(Path::new(to)).unwrap()).await == entries, "the folder has another log");
    assert_linked(&entries);
    let why = refusal(&tempdir().unwrap(), &set);
    assert!(why.contains("was moved from Redis") && why.contains(to), "{why}");
    let server = TestServer::start(Path::new(to));
    assert_lives(&server, &place).await;
    let (_, _, page) = server.page(&format!("/r/{}", place.room), &place.cookie).await;
    assert!(page.contains("written on the store"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_moves_to_redis_and_back_whole_however_often_it_is_killed() {
    there_and_back(Store::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_moves_to_valkey_and_back_whole_however_often_it_is_killed() {
    there_and_back(Store::Valkey).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_moved_is_left_alone_with_one_sentence() {
    let (folder, empty) = (tempdir().unwrap(), tempdir().unwrap());
    let here = set_up(folder.path()).await;
    let store = RedisServer::start(Store::Redis);
    let url = store.url();
    let set = [("REDIS_URL", url.as_str())];
    let (from, nothing) = (folder.path().to_str().unwrap(), empty.path().to_str().unwrap());
    let there = ["migrate", "--from", from, "--to", "redis"];
    let said = [
        (refused(&["migrate"], &set), "--from FOLDER --to redis"),
        (refused(&["migrate", "--from", "redis", "--to", "redis"], &set), "go by way of a folder"),
        (refused(&["migrate", "--from", from, "--to", nothing], &set), "both ends are folders"),
        (refused(&there, &[]), "set REDIS_URL"),
        (refused(&["migrate", "--from", nothing, "--to", "redis"], &set), "there is no log.sqlite"),
        (refused(&["migrate", "--from", "redis", "--to", nothing], &set), "there is no log in Redis"),
        (refused(&there, &set), "is in use by another Beck"),
        (refused(&["restore"], &[("DATA_DIR", nothing), set[0]]), "there is no copy.sqlite"),
        (refused(&["restore"], &[("DATA_DIR", nothing)]), "set REDIS_URL"),
    ];
    let (done, help) = Running::start(&["--help"], &[]).end();
    assert!(done && help.contains("  migrate ") && help.contains("  restore "), "{help}");
    for (why, says) in &said {
        assert!(why.contains(says), "{why}");
    }
    assert_eq!(said.len(), 9);
    drop(here);
    drop(unlocked(folder.path()).await);
    // Something is there already.
    store.command(&["SET", "{beck}:secret:x", "y"]);
    let why = refused(&there, &set);
    assert!(why.contains("is not empty") && why.contains("{beck}:secret:x"), "{why}");
    store.command(&["DEL", "{beck}:secret:x"]);
    assert_eq!(store.command(&["KEYS", "*"]), "*0\r\n", "nothing was written");

    // A server that waits there for its first account cannot begin a workspace in the middle of a move.
    let waiting = tempdir().unwrap();
    let (server, _) = TestServer::start_set(waiting.path(), &set);
    store.command(&["HSET", "{beck}:mark", "workspace", "x", "says", "a move is not finished"]);
    let fields = [("workspace", "Mine"), ("name", "Eve"), ("handle", "eve"), ("password", "a long password")];
    assert_eq!(server.form("/setup", "", &fields).await.1, "");
    assert_eq!(store.command(&["EXISTS", "{beck}:log"]), ":0\r\n");
    let why = refused(&there, &set);
    assert!(why.contains("unfinished move of another workspace"), "{why}");
    store.command(&["FLUSHALL"]);
    // Once the workspace is there it serves it.
    let (done, said) = Running::start(&there, &set).end();
    assert!(done, "{said}");
    let fields = [("handle", "olive"), ("password", "a long password")];
    let served = async {
        while server.form("/sign-in", "", &fields).await.0 != 303 {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
    };
    awaited("the server that waited serves what was moved", served).await;
}

/// What docs/architecture.md says that a user of the store needs, line by line.
pub fn documented_rights() -> Vec<Vec<String>> {
    let docs =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md")).unwrap();
    let lines = docs.lines().filter_map(|line| line.trim().strip_prefix("ACL SETUSER beck "));
    lines
        .map(|line| line.split(' ').filter(|word| !word.starts_with('>')).map(str::to_owned).collect())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_works_with_the_documented_rights_and_names_one_that_is_missing() {
    let (folder, back) = (tempdir().unwrap(), tempdir().unwrap());
    drop(set_up(folder.path()).await);
    drop(unlocked(folder.path()).await);
    let store = RedisServer::start(Store::Redis);
    let url = format!("redis://beck:secret@127.0.0.1:{}", store.port);
    let set = [("REDIS_URL", url.as_str())];
    let (from, to) = (folder.path().to_str().unwrap(), back.path().to_str().unwrap());
    let rights = documented_rights();
    let [always, to_move] = rights.as_slice() else { panic!("{rights:?}") };
    let allow = |rights: &[String]| {
        let mut words = vec!["ACL", "SETUSER", "beck", ">secret"];
        words.extend(rights.iter().map(String::as_str));
        assert_eq!(store.command(&words), "+OK\r\n");
    };
    allow(always);
    let why = refused(&["migrate", "--from", from, "--to", "redis"], &set);
    assert!(why.contains("may not run scan") && why.contains("docs/architecture.md"), "{why}");
    allow(to_move);
    let (done, said) = Running::start(&["migrate", "--from", from, "--to", "redis"], &set).end();
    assert!(done && !said.contains("secret@"), "{said}");
    let (done, said) = Running::start(&["migrate", "--from", "redis", "--to", to], &set).end();
    assert!(done, "{said}");
    assert_eq!(read_all(&Embedded::open(back.path()).unwrap()).await, of_store(&store).await);
}
