//! Servers of version 0.1.0 and of this one on the same store: each reads and replaces what the other writes. The older
//! server is its scripts, word for word, and the commands by which it reads.

use crate::conformance::workspace;
use crate::support::redis::{RedisServer, Store};
use crate::support::{assert_linked, erase, read_all, room_proposal};
use beck::protocol::AccountId;
use beck::server::broker::redis::Redis;
use beck::server::broker::{Broker, Pointer, Proposal, SecretOp};

struct Older(redis::Connection);

impl Older {
    fn run<T: redis::FromRedisValue>(&mut self, script: &str, keys: &[&str], arguments: &[String]) -> T {
        let mut eval = redis::cmd("EVAL");
        eval.arg(script).arg(keys.len()).arg(keys).arg(arguments);
        eval.query(&mut self.0).unwrap()
    }

    fn append(&mut self, batch: &[Proposal], known: (u64, String)) -> (String, String, String) {
        let mut arguments = vec!["append".to_owned(), known.0.to_string(), known.1];
        for proposal in batch {
            arguments.extend([proposal.header(0, 0).rest(), proposal.body.clone()]);
        }
        let keys = ["{beck}:log", "{beck}:erased", "{beck}:mark"];
        self.run(include_str!("older_scripts/append.lua"), &keys, &arguments)
    }

    fn erase(&mut self, entries: &[u64]) -> i64 {
        let numbers: Vec<_> = entries.iter().map(u64::to_string).collect();
        self.run(include_str!("older_scripts/erase.lua"), &["{beck}:log", "{beck}:erased"], &numbers)
    }

    fn put(&mut self, key: &str, value: &str, if_version: u64, expires: i64) -> (String, u64) {
        let arguments = [value.to_owned(), if_version.to_string(), expires.to_string()];
        let key = format!("{{beck}}:secret:{key}");
        self.run(include_str!("older_scripts/secret.lua"), &[&key], &arguments)
    }

    fn get(&mut self, key: &str) -> Option<(String, u64)> {
        let mut get = redis::cmd("HMGET");
        get.arg(format!("{{beck}}:secret:{key}")).arg("value").arg("version");
        let (value, version): (Option<String>, Option<u64>) = get.query(&mut self.0).unwrap();
        value.zip(version)
    }

    /// The key's own expiry; -1: none, -2: no key.
    fn end(&mut self, key: &str) -> i64 {
        redis::cmd("PEXPIRETIME").arg(format!("{{beck}}:secret:{key}")).query(&mut self.0).unwrap()
    }

    fn command(&mut self, words: &[&str]) -> i64 {
        redis::cmd(words[0]).arg(&words[1..]).query(&mut self.0).unwrap()
    }
}

async fn both(kind: Store) {
    let store = RedisServer::start(kind);
    let log = Redis::open(&store.settings()).await.unwrap();
    let mut older = Older(redis::Client::open(store.url()).unwrap().get_connection().unwrap());
    let by = AccountId::random();
    log.create(workspace()).await.unwrap();

    // Entries and erased headers, in turn.
    let proposals = |n: u64, count: u64| -> Vec<Proposal> {
        (0..count).map(|m| room_proposal(by, &format!("{n} {m}"))).collect()
    };
    let mut length = 1;
    for round in 0..6 {
        let known = log.head().await.unwrap().unwrap();
        let (first, last, _) = older.append(&proposals(round, 5), (known.g, known.link.to_string()));
        assert_eq!((first, last), ((length + 1).to_string(), (length + 5).to_string()));
        assert_eq!(log.append(proposals(round, 4)).await.unwrap(), length + 6);
        assert_eq!(older.erase(&[length + 1, length + 7]), 1);
        assert!(erase(&log, &[length + 2, length + 6, length + 7]).await);
        length += 9;
    }
    let known = log.head().await.unwrap().unwrap();
    assert_eq!(older.append(&proposals(9, 1), (known.g, known.link.to_string())).2.len(), 16);
    // A server that has not read what the other one erased since.
    let entries = read_all(&Redis::open(&store.settings()).await.unwrap()).await;
    assert_linked(&entries);
    assert_eq!(entries.len() as u64, length + 1);
    assert_eq!(entries.iter().filter(|entry| entry.body.is_none()).count(), 6 * 4);
    // An erasure of this version that was cut off is read and finished by the older one.
    let entry = &entries[3];
    let header = format!("{} {} {}", entry.header.at, entry.link, entry.header.rest());
    older.command(&["HSET", "{beck}:erased", &entry.header.g.to_string(), &header]);
    assert_eq!(older.erase(&[entry.header.g]), 1);
    assert_linked(&read_all(&log).await);

    // Secrets.
    let put = |value: &str, if_version, expires| SecretOp::Put { value: value.into(), if_version, expires };
    let soon = beck::server::now_ms() + 3_600_000;
    let new = log.secret("login".into(), put("new", 0, Some(soon))).await.unwrap().unwrap();
    assert_eq!(older.get("login"), Some(("new".to_owned(), new.version)));
    assert_eq!(older.end("login"), soon, "the older server lets it end");
    // The older one replaces it, with a later end and then with none: the field of before does not end it.
    let (value, version) = older.put("login", "old", new.version, soon * 2);
    assert_eq!(value, "old");
    let stands = log.secret("login".into(), SecretOp::Get).await.unwrap().unwrap();
    assert_eq!((stands.value.as_str(), stands.version), ("old", version));
    let newer = log.secret("login".into(), put("new again", version, Some(soon))).await.unwrap().unwrap();
    assert_eq!(
        (newer.value.as_str(), older.end("login")),
        ("new again", soon),
        "an end may come earlier too"
    );
    let past = log.secret("past".into(), put("x", 0, Some(soon))).await.unwrap().unwrap();
    older.command(&["HSET", "{beck}:secret:past", "expires", &format!("{} 1000", past.version)]);
    older.command(&["PERSIST", "{beck}:secret:past"]);
    let (_, version) = older.put("past", "for ever", past.version, 0);
    assert_eq!(older.end("past"), -1);
    let stands = log.secret("past".into(), SecretOp::Get).await.unwrap().unwrap();
    assert_eq!((stands.value.as_str(), stands.version), ("for ever", version));
    // A record of the older one that ends is made one that does not.
    let (_, version) = older.put("kept", "old", 0, soon);
    let kept = log.secret("kept".into(), put("new", version, None)).await.unwrap().unwrap();
    assert_eq!((older.end("kept"), older.get("kept")), (-1, Some(("new".to_owned(), kept.version))));
    // Another version changes nothing: neither value nor end.
    let (_, version) = older.put("theirs", "old", 0, soon);
    let stands = log.secret("theirs".into(), put("mine", version - 1, None)).await.unwrap().unwrap();
    assert_eq!((stands.value.as_str(), older.end("theirs")), ("old", soon));
    // The store was not told when a secret ends: it has ended all the same, and can be made again.
    let lost = log.secret("lost".into(), put("x", 0, Some(soon))).await.unwrap().unwrap();
    older.command(&["PERSIST", "{beck}:secret:lost"]);
    assert!(log.secret("lost".into(), SecretOp::Get).await.unwrap().is_some());
    older.command(&["HSET", "{beck}:secret:lost", "expires", &format!("{} 1000", lost.version)]);
    assert_eq!(log.secret("lost".into(), SecretOp::Get).await.unwrap(), None);
    let again = log.secret("lost".into(), put("y", 0, None)).await.unwrap().unwrap();
    assert!(again.value == "y" && again.version > lost.version);

    // Registers.
    let name = format!("{{beck}}:registers:{by}");
    let pointer = |ordinal: u64| Pointer { generation: 0, ordinal };
    let text = |ordinal: u64| format!("{:020} {ordinal:020}", 0);
    for ordinal in [5, 9] {
        let arguments = ["read:a:0".to_owned(), text(ordinal), "read:b:0".to_owned(), text(3)];
        let _: Vec<String> = older.run(include_str!("older_scripts/registers.lua"), &[&name], &arguments);
        let raise = vec![("read:a:0".to_owned(), pointer(7)), ("read:c:0".to_owned(), pointer(ordinal))];
        let mut all = log.registers(by, raise).await.unwrap();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        let high = [("read:a:0", ordinal.max(7)), ("read:b:0", 3), ("read:c:0", ordinal)];
        assert_eq!(all, high.map(|(name, ordinal)| (name.to_owned(), pointer(ordinal))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_both_versions_read_what_the_other_writes_on_redis() {
    both(Store::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_both_versions_read_what_the_other_writes_on_valkey() {
    both(Store::Valkey).await;
}
