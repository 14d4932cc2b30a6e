//! What a store writes to its append-only file: no transaction that a power cut could tear, and a log that is whole
//! wherever the file is cut. BECK_AOF_CUTS sets how many cuts there are beside those at the ends of commands (12).

use crate::conformance::workspace;
use crate::support::awaited::{awaited, until};
use crate::support::command::Running;
use crate::support::furnished::furnish;
use crate::support::redis::{RedisServer, Store};
use crate::support::{assert_linked, config, erase, read_all, room_proposal, set_up_on};
use beck::protocol::{AccountId, ClientId};
use beck::server::broker::redis::Redis;
use beck::server::broker::{Broker, Head, Pointer, SecretOp};
use beck::server::node::{Node, Readiness};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha1::{Digest, Sha1};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::tempdir;

/// The files of an append-only file, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(folder.join("appendonlydir")).unwrap();
    let mut files: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "aof"));
    files.sort();
    files
}

/// The names of the commands of an append-only file, and where each one ends.
fn commands(bytes: &[u8]) -> Vec<(String, usize)> {
    fn line(bytes: &[u8], at: usize) -> (usize, usize) {
        let end = at + bytes[at..].windows(2).position(|two| two == b"\r\n").unwrap();
        (std::str::from_utf8(&bytes[at + 1..end]).unwrap().parse().unwrap(), end + 2)
    }
    let (mut commands, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        assert_eq!(bytes[at], b'*', "a command begins at {at}");
        let (words, mut next) = line(bytes, at);
        let mut name = String::new();
        for word in 0..words {
            let (length, from) = line(bytes, next);
            if word == 0 {
                name = String::from_utf8_lossy(&bytes[from..from + length]).to_ascii_uppercase();
            }
            next = from + length + 2;
        }
        commands.push((name, next));
        at = next;
    }
    commands
}

fn pointers(count: u64, ordinal: u64) -> Vec<(String, Pointer)> {
    (0..count).map(|n| (format!("read:x{n}:0"), Pointer { generation: 0, ordinal })).collect()
}

fn put(value: &str, if_version: u64, expires: Option<i64>) -> SecretOp {
    SecretOp::Put { value: value.into(), if_version, expires }
}

/// Everything that servers write while they run.
async fn write_everything(log: &Redis) {
    let by = AccountId::random();
    log.create(workspace()).await.unwrap();
    let batches: Vec<_> = (0..4)
        .map(|n| log.append((0..40).map(|m| room_proposal(by, &format!("{n} {m}"))).collect()))
        .collect();
    for batch in batches {
        batch.await.unwrap();
    }
    assert!(erase(log, &[3, 4, 5, 90]).await);
    assert!(erase(log, &[4, 6]).await);
    let soon = beck::server::now_ms() + 3_600_000;
    let first = log.secret("a".into(), put("one", 0, Some(soon))).await.unwrap().unwrap();
    let second = log.secret("a".into(), put("two", first.version, Some(soon * 2))).await.unwrap().unwrap();
    let third = log.secret("a".into(), put("three", second.version, None)).await.unwrap().unwrap();
    log.secret("a".into(), put("four", third.version, Some(soon))).await.unwrap().unwrap();
    log.secret("b".into(), put("never", 0, None)).await.unwrap().unwrap();
    log.secret("c".into(), put("gone", 0, Some(1))).await.unwrap();
    log.secret("b".into(), SecretOp::Delete).await.unwrap();
    for ordinal in [3, 9] {
        log.registers(by, pointers(12, ordinal)).await.unwrap();
    }
}

async fn nothing_is_a_transaction(kind: Store) {
    let (store, target) = (RedisServer::start(kind), RedisServer::start(kind));
    write_everything(&Redis::open(&store.settings()).await.unwrap()).await;
    // A move there and back, and a store that is filled from a file.
    let (folder, back, aside) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    furnish(folder.path(), 800).await;
    let url = target.url();
    let set = [("REDIS_URL", url.as_str())];
    let run = |words: &[&str], set: &[(&str, &str)]| {
        let (done, said) = Running::start(words, set).end();
        assert!(done, "{said}");
    };
    run(&["migrate", "--from", folder.path().to_str().unwrap(), "--to", "redis"], &set);
    let file = aside.path().join("team.jsonl");
    run(&["backup", file.to_str().unwrap()], &set);
    let home = back.path().join("data");
    run(&["migrate", "--from", "redis", "--to", home.to_str().unwrap()], &set);
    let third = RedisServer::start(kind);
    let empty = tempdir().unwrap();
    let third_url = third.url();
    let settings = [("REDIS_URL", third_url.as_str()), ("DATA_DIR", empty.path().to_str().unwrap())];
    run(&["restore", file.to_str().unwrap()], &settings);

    let mut counts = BTreeMap::<String, usize>::new();
    for server in [&store, &target, &third] {
        for file in files(server.folder()) {
            let bytes = std::fs::read(file).unwrap();
            // The base of the file may be a snapshot, which has no commands.
            if bytes.first() == Some(&b'*') {
                commands(&bytes).into_iter().for_each(|(name, _)| *counts.entry(name).or_default() += 1);
            }
        }
    }
    println!("{kind:?}: {counts:?}");
    let count = |name: &str| counts.get(name).copied().unwrap_or_default();
    for (name, least) in [("XADD", 161 + 800), ("HSET", 20), ("XDEL", 2), ("PEXPIREAT", 2), ("PERSIST", 1)] {
        assert!(count(name) >= least, "the run has written only {} of {name}", count(name));
    }
    assert!(count("RENAME") >= 2 && count("DEL") >= 2, "{counts:?}");
    assert_eq!((count("MULTI"), count("EXEC")), (0, 0), "a power cut can tear a transaction");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_write_of_a_whole_run_is_a_transaction_on_redis() {
    nothing_is_a_transaction(Store::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_write_of_a_whole_run_is_a_transaction_on_valkey() {
    nothing_is_a_transaction(Store::Valkey).await;
}

/// The log of a store, read by commands of our own: number, link and header text of each entry.
fn read_by_hand(store: &RedisServer) -> Vec<(u64, String, String)> {
    let mut redis = redis::Client::open(store.url()).unwrap().get_connection().unwrap();
    let stream: Vec<(String, Vec<String>)> =
        redis::cmd("XRANGE").arg("{beck}:log").arg("-").arg("+").query(&mut redis).unwrap();
    let erased: Vec<(u64, String)> = redis::cmd("HGETALL").arg("{beck}:erased").query(&mut redis).unwrap();
    let mut entries = BTreeMap::new();
    for (g, header) in erased {
        let [at, link, rest] = header.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{header}") };
        entries.insert(g, (at.to_owned(), link.to_owned(), rest.to_owned()));
    }
    for (id, fields) in stream {
        let g = id.strip_suffix("-0").unwrap().parse().unwrap();
        entries.insert(g, (fields[1].clone(), fields[3].clone(), fields[5].clone()));
    }
    let mut before = "0000000000000000".to_owned();
    let mut read = Vec::new();
    for (n, (g, (at, link, rest))) in entries.into_iter().enumerate() {
        assert_eq!(g, n as u64 + 1, "the log has a hole");
        let hash = Sha1::digest(format!("{before}\n{g}\n{at}\n{rest}").as_bytes());
        let by_hand: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(link, by_hand, "entry {g} does not continue the one before it");
        before.clone_from(&link);
        read.push((g, link, rest));
    }
    read
}

async fn wherever_it_is_cut(kind: Store) {
    let mut store = RedisServer::start(kind);
    let by = AccountId::random();
    let log = Redis::open(&store.settings()).await.unwrap();
    log.create(workspace()).await.unwrap();
    log.append((0..20).map(|n| room_proposal(by, &n.to_string())).collect()).await.unwrap();
    let file = files(store.folder()).pop().unwrap();
    let from = std::fs::metadata(&file).unwrap().len() as usize;
    // The last writes, of each kind.
    log.append((0..4).map(|n| room_proposal(by, &format!("late {n}"))).collect()).await.unwrap();
    log.registers(by, pointers(3, 7)).await.unwrap();
    assert!(erase(&log, &[4, 7]).await);
    let soon = beck::server::now_ms() + 3_600_000;
    log.secret("a".into(), put("one", 0, Some(soon))).await.unwrap();
    log.append((0..2).map(|n| room_proposal(by, &format!("last {n}"))).collect()).await.unwrap();
    drop(log);
    store.kill();
    let whole = std::fs::read(&file).unwrap();
    let saved = tempdir().unwrap();
    std::fs::create_dir(saved.path().join("appendonlydir")).unwrap();
    for file in std::fs::read_dir(store.folder().join("appendonlydir")).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), saved.path().join("appendonlydir").join(file.file_name())).unwrap();
    }

    let seed: u64 = rand::random();
    println!("{kind:?}: seed {seed}, {} bytes of last writes", whole.len() - from);
    let more = std::env::var("BECK_AOF_CUTS").ok().and_then(|cuts| cuts.parse().ok()).unwrap_or(12);
    let mut dice = StdRng::seed_from_u64(seed);
    let mut cuts: BTreeSet<usize> = (0..more).map(|_| dice.random_range(from..=whole.len())).collect();
    for (_, end) in commands(&whole).into_iter().filter(|(_, end)| *end > from) {
        cuts.extend([end - 1, end, (end + 3).min(whole.len())]);
    }
    let (mut made, mut torn) = (0, 0);
    for cut in cuts {
        store.restore(saved.path());
        std::fs::write(&file, &whole[..cut]).unwrap();
        store.restart();
        let read = read_by_hand(&store);
        assert!((21..=27).contains(&read.len()), "cut at {cut}: {} entries", read.len());
        torn += u64::from(read.len() < 27);
        let log = Redis::open(&store.settings()).await.unwrap();
        let entries = read_all(&log).await;
        assert_linked(&entries);
        assert_eq!(entries.len(), read.len(), "cut at {cut}");
        // What comes later stays, and nothing that was replaced comes back.
        log.append((0..3).map(|n| room_proposal(by, &format!("after {n}"))).collect()).await.unwrap();
        assert!(erase(&log, &[4, 7]).await, "an erasure that was cut off is finished");
        let before = read_by_hand(&store);
        assert_eq!(before.len(), read.len() + 3);
        store.restart();
        assert_eq!(read_by_hand(&store), before, "cut at {cut}: another log after a clean start");
        store.kill();
        made += 1;
    }
    println!("{made} cuts, {torn} of them lost entries");
    assert!(made >= 30 && torn >= 10, "{made} cuts, {torn} lost entries");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_whole_wherever_its_redis_file_is_cut() {
    wherever_it_is_cut(Store::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_whole_wherever_its_valkey_file_is_cut() {
    wherever_it_is_cut(Store::Valkey).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_entry_that_a_store_came_back_with_is_found_by_the_copy() {
    let mut store = RedisServer::start(Store::Redis);
    let folder = tempdir().unwrap();
    let here = set_up_on(folder.path(), Arc::new(Redis::open(&store.settings()).await.unwrap())).await;
    for n in 0..30 {
        here.post(here.owner, ClientId::random(), &format!("line {n}")).await;
    }
    drop(here);
    let mut config = config(folder.path());
    config.redis = Some(store.settings());
    let start = async |config: beck::server::config::Config| {
        let log = Arc::new(Redis::open(config.redis.as_ref().unwrap()).await.unwrap());
        Node::start(config, log).await
    };
    let node = start(config.clone()).await.unwrap();
    let last = node.broker.head().await.unwrap().unwrap();
    node.wait_folded(last.g).await;
    assert_eq!(node.readiness(), Readiness::Ready);
    // A clean start of the store changes nothing.
    store.restart();
    let follows = async {
        while node.broker.follow(last, 0).await.is_err() || node.readiness() != Readiness::Ready {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    awaited("the server follows the store again", follows).await;

    // The same log but for one old entry: its newest one and the number of entries are as they were.
    let other = RedisServer::start(Store::Redis);
    let mut redis = redis::Client::open(store.url()).unwrap().get_connection().unwrap();
    let entries: Vec<(String, Vec<String>)> =
        redis::cmd("XRANGE").arg("{beck}:log").arg("-").arg("+").query(&mut redis).unwrap();
    let mut to = redis::Client::open(other.url()).unwrap().get_connection().unwrap();
    for (id, mut fields) in entries.clone() {
        if id == "20-0" {
            fields[3] = "0123456789abcdef".into();
        }
        let _: String = redis::cmd("XADD").arg("{beck}:log").arg(&id).arg(fields).query(&mut to).unwrap();
    }
    drop((redis, to));
    store.kill();
    store.restore(other.folder());
    store.restart();
    assert_eq!(entries.last().unwrap().0, format!("{}-0", last.g));
    until("the server says that the log is another one", || {
        matches!(node.readiness(), Readiness::Unready(why) if why.to_string().contains("entry 20 ") || why.to_string().contains("rewritten"))
    })
    .await;
    // And it stays so: the newest entry alone would say that all is well.
    let mut looks = 0;
    while looks < 40 {
        assert!(matches!(node.readiness(), Readiness::Unready(_)), "it is ready again after {looks} looks");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        looks += 1;
    }
    // A server that starts on it does not take it for the log that it has copied either.
    drop(node);
    let node = start(config).await.unwrap();
    until("a new server says so too", || matches!(node.readiness(), Readiness::Unready(_))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_was_cut_off_hides_nothing_and_is_finished_by_the_next() {
    let store = RedisServer::start(Store::Redis);
    let log = Redis::open(&store.settings()).await.unwrap();
    let by = AccountId::random();
    log.create(workspace()).await.unwrap();
    log.append((0..20).map(|n| room_proposal(by, &n.to_string())).collect()).await.unwrap();
    let entries = read_all(&log).await;
    for entry in &entries[3..6] {
        let header = format!("{} {} {}", entry.header.at, entry.link, entry.header.rest());
        let set = ["HSET", "{beck}:erased", &entry.header.g.to_string(), &header];
        assert_eq!(store.command(&set), ":1\r\n");
    }
    for log in [&log, &Redis::open(&store.settings()).await.unwrap()] {
        assert_eq!(read_all(log).await, entries, "an entry that still stands is read as it is");
        assert_eq!(log.read(4, 3).await.unwrap(), entries[3..6]);
    }
    assert!(erase(&log, &[4, 5, 6, 7]).await);
    assert_eq!(store.command(&["XLEN", "{beck}:log"]), ":17\r\n");
    assert_eq!(store.command(&["HLEN", "{beck}:erased"]), ":4\r\n");
    let after = read_all(&log).await;
    assert_linked(&after);
    assert_eq!(after.iter().filter(|entry| entry.body.is_none()).count(), 4);
    // A header that is another entry's does not let the body go.
    let newest = Head { g: 21, link: after[20].link };
    assert_eq!(store.command(&["HSET", "{beck}:erased", "9", "1 0123456789abcdef x"]), ":1\r\n");
    assert!(erase(&log, &[9]).await, "the header is written again, as it is");
    assert!(!erase(&log, &[newest.g]).await);
    assert_linked(&read_all(&log).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_keep_their_order_when_calls_in_the_middle_fail() {
    let store = RedisServer::start(Store::Redis);
    let (log, other) =
        (Redis::open(&store.settings()).await.unwrap(), Redis::open(&store.settings()).await.unwrap());
    let by = AccountId::random();
    log.create(workspace()).await.unwrap();
    let failed = |kind: &str| {
        let stats = store.command(&["INFO", "errorstats"]);
        let count = stats.lines().find_map(|line| line.strip_prefix(&format!("errorstat_{kind}:count=")));
        count.map_or(0, |count| count.trim().parse::<u64>().unwrap())
    };
    let (mut refused, mut stored) = (0, 0);
    let mut gone = Vec::new();
    for round in 0..40 {
        let proposals: Vec<_> = (0..200).map(|n| room_proposal(by, &format!("{round} {n}"))).collect();
        let ids: Vec<_> = proposals.iter().map(|proposal| proposal.client_id).collect();
        let mine: Vec<_> = proposals.into_iter().map(|proposal| log.append(vec![proposal])).collect();
        let theirs: Vec<_> = (0..50).map(|n| other.append(vec![room_proposal(by, &n.to_string())])).collect();
        let full = round % 4 == 3;
        let address = store.port;
        let hinder = tokio::task::spawn_blocking(move || {
            let client = redis::Client::open(format!("redis://127.0.0.1:{address}")).unwrap();
            let mut redis = client.get_connection().unwrap();
            for n in 0..6 {
                let limit = if n % 2 == 0 { "1" } else { "0" };
                let command: Vec<&str> =
                    if full { vec!["CONFIG", "SET", "maxmemory", limit] } else { vec!["SCRIPT", "FLUSH"] };
                let mut call = redis::cmd(command[0]);
                let _: () = call.arg(&command[1..]).query(&mut redis).unwrap();
                std::thread::sleep(std::time::Duration::from_micros(700));
            }
        });
        let mut last = 0;
        for (append, id) in mine.into_iter().zip(ids) {
            match append.await {
                Ok(g) => {
                    assert!(g > last, "round {round}: {g} after {last}");
                    last = g;
                    stored += 1;
                }
                Err(fault) => {
                    assert!(full, "round {round}: {fault}");
                    use beck::server::broker::BrokerError::{Refused, Unready};
                    assert!(matches!(fault, Refused(_) | Unready(_)), "{fault:?}");
                    refused += 1;
                    gone.push(id);
                }
            }
        }
        for append in theirs {
            let done = append.await;
            assert!(full || done.is_ok(), "{done:?}");
        }
        hinder.await.unwrap();
    }
    let (no_script, out_of_memory) = (failed("NOSCRIPT"), failed("OOM"));
    println!(
        "{stored} stored, {refused} refused; {no_script} without a script, {out_of_memory} without memory"
    );
    assert!(no_script > 0 && out_of_memory > 0 && refused > 0, "nothing went wrong");
    let entries = read_all(&log).await;
    assert_linked(&entries);
    let ids: std::collections::HashSet<_> = entries.iter().map(|entry| entry.header.client_id).collect();
    assert!(gone.iter().all(|id| !ids.contains(id)), "what was refused is stored");
}
