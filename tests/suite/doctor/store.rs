//! Faults of a Redis or Valkey.

use super::{Said, bundle, doctor, free_port, private_folder};
use crate::moving::documented_rights;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::TestServer;
use beck::server::broker::redis::outdated;
use tempfile::TempDir;

struct Here {
    kind: Store,
    folder: TempDir,
    aside: TempDir,
}

impl Here {
    fn new(kind: Store) -> Here {
        Here { kind, folder: private_folder(), aside: private_folder() }
    }

    fn look(&self, url: &str) -> Said {
        let (bundle, port) = (bundle(self.aside.path()), free_port());
        let mut said = doctor(
            &[],
            &[
                ("DATA_DIR", self.folder.path().to_str().unwrap()),
                ("PORT", port.as_str()),
                ("DIOXUS_PUBLIC_PATH", bundle.to_str().unwrap()),
                ("REDIS_URL", url),
            ],
        );
        // The one that Debian has is of a line without a mended release.
        if said.text.contains("Redis 7.0.") && self.kind == Store::Redis {
            said.bad.retain(|bad| bad != "warning version");
        }
        said
    }
}

async fn each_fault(kind: Store) {
    let here = Here::new(kind);
    let store = RedisServer::start(kind);
    let said = here.look(&store.url());
    said.only(&[], &["there is no workspace in that Redis yet", "on disk there before it is acknowledged"]);
    assert_eq!(store.command(&["KEYS", "*"]), "*0\r\n", "nothing was left");
    let (mut server, _) = TestServer::start_set(here.folder.path(), &[("REDIS_URL", &store.url())]);
    server.set_up().await;
    server.kill();
    let said = here.look(&store.url());
    said.only(&[], &["entries of \"Test Place\"", "it agrees with Redis", "has what Beck needs", "no limit"]);
    for name in ["durability", "rights", "memory", "version", "persistence", "clock", "log"] {
        assert!(said.names.iter().any(|found| found == name), "{name}: {}", said.text);
    }

    let set = |name: &str, value: &str| {
        assert_eq!(store.command(&["CONFIG", "SET", name, value]), "+OK\r\n");
    };
    set("appendfsync", "everysec");
    here.look(&store.url()).only(&["warning durability"], &["set appendfsync always there"]);
    set("appendonly", "no");
    here.look(&store.url()).only(&["warning durability"], &["set appendonly yes"]);
    set("appendonly", "yes");
    set("appendfsync", "always");
    set("maxmemory", "100mb");
    set("maxmemory-policy", "allkeys-lru");
    here.look(&store.url()).only(&["warning durability"], &["set maxmemory-policy noeviction"]);
    set("maxmemory-policy", "noeviction");
    here.look(&store.url()).only(&[], &["of 100 MB"]);
    // So much beside it that nine tenths are used.
    assert_eq!(store.command(&["SETRANGE", "ballast", "40000000", "x"]), ":40000001\r\n");
    set("maxmemory", "44000000");
    here.look(&store.url()).only(&["warning memory"], &["raise its maxmemory"]);
    store.command(&["DEL", "ballast"]);
    set("maxmemory", "0");

    // As a user with rights, all of them or not.
    let rights = documented_rights();
    let allow = |rights: &[String]| {
        let mut words = vec!["ACL", "SETUSER", "beck", ">secret"];
        words.extend(rights.iter().map(String::as_str));
        assert_eq!(store.command(&words), "+OK\r\n");
    };
    allow(&rights[0]);
    let url = format!("redis://beck:secret@127.0.0.1:{}", store.port);
    let said = here.look(&url);
    said.only(&[], &["durability unknown"]);
    let mut planted = 0;
    for (right, names) in [
        ("xdel", "run xdel"),
        ("pexpireat", "run pexpireat"),
        ("publish", "run publish"),
        ("subscribe", "run subscribe"),
        ("evalsha", "run evalsha"),
        ("hmget", "run hmget"),
    ] {
        allow(&[format!("-{right}")]);
        let said = here.look(&url);
        said.only(&["fault rights"], &[names, "docs/architecture.md"]);
        assert!(!said.text.contains("secret@"));
        allow(&[format!("+{right}")]);
        planted += 1;
    }
    assert_eq!(planted, 6);
    here.look(&url).only(&[], &[]);
    let wrong = format!("redis://beck:wrong@127.0.0.1:{}", store.port);
    here.look(&wrong).only(&["fault log"], &["refused the sign-in"]);

    // Another workspace's folder; a log that is not whole; none at all.
    std::fs::write(here.folder.path().join("workspace"), "bbbbbbbbbb\n").unwrap();
    here.look(&store.url()).only(&["fault log"], &["belongs to bbbbbbbbbb"]);
    std::fs::remove_file(here.folder.path().join("workspace")).unwrap();
    store.command(&["HSET", "{beck}:mark", "says", "a move is not finished"]);
    here.look(&store.url()).only(&["fault log"], &["a move is not finished"]);
    store.command(&["DEL", "{beck}:mark"]);
    store.command(&["XDEL", "{beck}:log", "1-0"]);
    here.look(&store.url()).only(&["fault log"], &["evicted or removed"]);
    let nobody = format!("redis://127.0.0.1:{}", free_port());
    here.look(&nobody).only(&["fault log"], &["nothing listens at"]);
    let replica = RedisServer::start(kind);
    replica.command(&["REPLICAOF", "127.0.0.1", &store.port.to_string()]);
    here.look(&replica.url()).only(&["fault log"], &["is a replica"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_redis_is_found_and_no_other() {
    each_fault(Store::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_valkey_is_found_and_no_other() {
    each_fault(Store::Valkey).await;
}

#[test]
fn versions_whose_scripts_are_not_safe_are_named_with_the_one_to_install() {
    let cases = [
        ("Redis", "7.0.15", "has no mended release"),
        ("Redis", "7.2.10", "install 7.2.11"),
        ("Redis", "7.4.5", "install 7.4.6"),
        ("Redis", "8.0.3", "install 8.0.4"),
        ("Redis", "8.2.1", "install 8.2.2"),
        ("Valkey", "7.2.10", "install 7.2.11"),
        ("Valkey", "8.0.5", "install 8.0.6"),
        ("Valkey", "8.1.3", "install 8.1.4"),
    ];
    for (name, version, says) in cases {
        let why = outdated(name, version).unwrap_or_default();
        assert!(why.contains(says) && why.contains(version), "{name} {version}: {why}");
    }
    for (name, version) in [
        ("Redis", "7.2.11"),
        ("Redis", "7.4.6"),
        ("Redis", "8.0.4"),
        ("Redis", "8.2.2"),
        ("Redis", "8.4.0"),
        ("Valkey", "7.2.11"),
        ("Valkey", "8.0.6"),
        ("Valkey", "8.1.4"),
        ("Valkey", "9.1.2"),
        ("Redis", "of an unknown version"),
    ] {
        assert_eq!(outdated(name, version), None, "{name} {version}");
    }
}
