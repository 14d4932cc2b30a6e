//! A writer says which entry it has read last. Where the store has another one there, nothing is appended.

use crate::conformance::workspace;
use crate::support::redis::{RedisServer, Store};
use crate::support::{assert_linked, erase, read_all, room_proposal};
use beck::protocol::AccountId;
use beck::server::broker::redis::Redis;
use beck::server::broker::{Broker, BrokerError, Entry};
use std::time::Duration;

const SCRIPT: &str = include_str!("../../src/server/broker/redis/append.lua");
const FOREIGN: &str = "0123456789abcdef";

/// Runs the script as a writer would that knows this link at this number; the raw answer.
fn append(store: &RedisServer, g: u64, link: &str) -> String {
    let proposal = room_proposal(AccountId::random(), "by hand");
    let (g, rest) = (g.to_string(), proposal.header(0, 0).rest());
    let keys = ["EVAL", SCRIPT, "3", "{beck}:log", "{beck}:erased", "{beck}:mark"];
    let now = beck::server::now_ms().to_string();
    let form = ["0", "0000000000000000"];
    store.command(&[&keys[..], &["append", &g, link, "", &now, &rest, &proposal.body], &form[..]].concat())
}

/// Twenty entries, of which 5 and 6 are erased.
async fn twenty(store: &RedisServer) -> Vec<Entry> {
    let log = Redis::open(&store.settings()).await.unwrap();
    let by = AccountId::random();
    log.create(workspace()).await.unwrap();
    log.append((0..19).map(|n| room_proposal(by, &n.to_string())).collect()).await.unwrap();
    assert!(erase(&log, &[5, 6]).await);
    read_all(&log).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_appends_only_where_the_store_has_what_the_writer_has_read() {
    for store in [Store::Redis, Store::Valkey] {
        let store = RedisServer::start(store);
        let entries = twenty(&store).await;
        let link = |g: usize| entries[g - 1].link.to_string();
        let length = || store.command(&["XLEN", "{beck}:log"]);
        let mut refused = 0;
        let foreign = [
            (20, FOREIGN.to_owned()),
            (20, link(19)),
            (7, FOREIGN.to_owned()),
            (7, link(8)),
            // Among the erased ones.
            (6, FOREIGN.to_owned()),
            (6, link(5)),
            // Beyond the end.
            (21, FOREIGN.to_owned()),
            (40, link(20)),
        ];
        for (g, link) in foreign {
            let before = length();
            let told = append(&store, g, &link);
            assert!(told.starts_with("-BECKREWRITTEN"), "{g} {link}: {told}");
            assert_eq!(length(), before);
            refused += 1;
        }
        assert_eq!(refused, 8);
        // The last one read, an older one, an erased one, none at all: each is its own place.
        for (n, (g, link)) in
            [(20, link(20)), (7, link(7)), (6, link(6)), (0, "0".repeat(16))].iter().enumerate()
        {
            let told = append(&store, *g, link);
            assert!(told.contains(&format!("\r\n{}\r\n", 21 + n)), "{g} {link}: {told}");
        }
        let log = Redis::open(&store.settings()).await.unwrap();
        let entries = read_all(&log).await;
        assert_linked(&entries);
        assert_eq!(entries.len(), 24);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_meets_the_rewritten_tail_first_appends_nothing() {
    let store = RedisServer::start(Store::Redis);
    let mut refused = 0;
    // The writer races with its server's own look at the log, once a second: nearly each round is the writer's.
    for _ in 0..10 {
        assert_eq!(store.command(&["FLUSHALL"]), "+OK\r\n");
        let entries = twenty(&store).await;
        let log = Redis::open(&store.settings()).await.unwrap();
        log.head().await.unwrap();
        // The newest entry becomes another one in one step, under the same number.
        let last = entries.last().unwrap();
        let (at, rest) = (last.header.at.to_string(), last.header.rest());
        let rewrite = "redis.call('XDEL', KEYS[1], '20-0'); redis.call('XSETID', KEYS[1], '19-0'); \
             return redis.call('XADD', KEYS[1], '20-0', 'at', ARGV[1], 'link', ARGV[2], 'rest', ARGV[3], 'body', '')";
        let done = store.command(&["EVAL", rewrite, "1", "{beck}:log", &at, FOREIGN, &rest]);
        assert!(done.contains("20-0"), "{done}");
        let told = log.append(vec![room_proposal(AccountId::random(), "not there")]).await;
        if let Err(BrokerError::Refused(why)) = told {
            assert!(why.contains("not the one that this server has read"), "{why}");
            assert_eq!(store.command(&["XLEN", "{beck}:log"]), ":18\r\n", "18 with a body, and not one more");
            refused += 1;
        }
        // Then it is found out, and the writer goes on behind what is there.
        let mut tries = 0;
        while log.append(vec![room_proposal(AccountId::random(), "behind it")]).await.is_err() {
            tries += 1;
            assert!(tries < 500, "the log goes on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert!(refused >= 5, "{refused} of 10 met the other tail first");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_removes_only_the_entry_that_has_the_link() {
    let script = include_str!("../../src/server/broker/redis/remove.lua");
    for store in [Store::Redis, Store::Valkey] {
        let store = RedisServer::start(store);
        let entries = twenty(&store).await;
        // The header is kept already, whichever server has kept it.
        let entry = &entries[8];
        let header = format!("{} {} {}", entry.header.at, entry.link, entry.header.rest());
        assert_eq!(store.command(&["HSET", "{beck}:erased", "9", &header]), ":1\r\n");
        let length = || store.command(&["XLEN", "{beck}:log"]);
        let remove =
            |link: &str| store.command(&["EVAL", script, "2", "{beck}:log", "{beck}:erased", "9", link]);
        let before = length();
        assert_eq!(remove(FOREIGN), "*2\r\n:1\r\n*1\r\n$1\r\n9\r\n");
        assert_eq!(length(), before);
        assert_eq!(remove(&entry.link.to_string()), "*2\r\n:1\r\n*0\r\n");
        assert_ne!(length(), before);
    }
}
