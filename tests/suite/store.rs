//! How a server stands to its store: over TLS, with few rights, in a cluster; and what it says if it cannot.

use crate::conformance::workspace;
use crate::servers::refusal;
use crate::support::awaited::awaited;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, TestServer};
use crate::support::{assert_linked, erase, read_all, room_proposal};
use beck::protocol::{AccountId, ClientId};
use beck::server::broker::redis::{Redis, RedisSettings};
use beck::server::broker::{Broker, BrokerError, Head, Signal};
use beck::server::readiness::UnreadyState;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tempfile::tempdir;

const ALWAYS: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// The rights that docs/architecture.md names, word for word.
fn documented_rights() -> Vec<String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let line = docs.lines().find_map(|line| line.trim().strip_prefix("ACL SETUSER beck ")).unwrap();
    line.split(' ').map(str::to_owned).collect()
}

fn set_user(store: &RedisServer, rights: &[String]) {
    let mut words = vec!["ACL", "SETUSER", "beck"];
    words.extend(rights.iter().map(String::as_str));
    assert_eq!(store.command(&words), "+OK\r\n");
}

/// Writes an authority, and a certificate for 127.0.0.1 that it signed, into a folder.
fn make_certificates(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

/// A store that speaks TLS alone at the second port.
fn start_with_tls() -> (RedisServer, u16) {
    let folder = tempdir().unwrap();
    make_certificates(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (cert, key, ca) = (path("cert.pem"), path("key.pem"), path("ca.pem"));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tls = port.to_string();
    let files = ["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
    let mut arguments = ALWAYS.to_vec();
    arguments.extend(["--tls-port", &tls, "--tls-auth-clients", "no"]);
    arguments.extend(files);
    (RedisServer::start_in(Store::Redis, folder, &arguments), port)
}

async fn append_and_read(log: &Redis) {
    let by = AccountId::random();
    log.create(workspace()).await.unwrap();
    assert_eq!(log.append((0..20).map(|n| room_proposal(by, &n.to_string())).collect()).await.unwrap(), 2);
    assert!(erase(log, &[4]).await);
    let entries = read_all(log).await;
    assert_linked(&entries);
    assert_eq!(entries.len(), 21);
}

/// A store that speaks TLS to the user who has the documented rights, and how he gets there.
pub fn with_tls_and_few_rights() -> (RedisServer, RedisSettings) {
    let (store, port) = start_with_tls();
    let mut rights = documented_rights();
    assert_eq!(rights.iter().filter(|word| word.starts_with('>')).count(), 1, "{rights:?}");
    rights.retain(|word| !word.starts_with('>'));
    rights.push(">a secret".into());
    set_user(&store, &rights);
    let settings = RedisSettings {
        port,
        tls: true,
        ca_file: Some(store.folder().join("ca.pem")),
        username: Some("beck".into()),
        password: Some("a secret".into()),
        ..store.settings()
    };
    (store, settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_and_with_the_documented_rights_everything_works() {
    let (_store, settings) = with_tls_and_few_rights();
    let (port, ca) = (settings.port, settings.ca_file.clone().unwrap());
    let log = Redis::open(&settings).await.unwrap();
    assert!(log.durability().words.contains("durability unknown"), "{:?}", log.durability());
    drop(log);
    // Two whole servers on it, with signals between them.
    let url = format!("rediss://beck:a%20secret@127.0.0.1:{port}");
    let set = [("REDIS_URL", url.as_str()), ("REDIS_CA_FILE", ca.to_str().unwrap())];
    let folders = [tempdir().unwrap(), tempdir().unwrap()];
    let (a, line) = TestServer::start_set(folders[0].path(), &set);
    let (b, _) = TestServer::start_set(folders[1].path(), &set);
    assert!(line.contains("durability unknown: the service hides it") && !line.contains("secret"), "{line}");
    let (cookie, room) = a.set_up().await;
    let mut client = TestClient::connect(&b, &cookie).await;
    client.send(json!({ "t": "subscribe", "room": room })).await;
    client.until("subscribed").await;
    let mut writer = TestClient::connect(&a, &cookie).await;
    writer.post(&room, &ClientId::random().to_string(), "over TLS").await;
    assert_eq!(client.until("event").await["event"]["body"]["text"], "over TLS");
    writer.send(json!({ "t": "read", "room": room, "lane": 0, "generation": 0, "ordinal": 1 })).await;
    assert_eq!(client.until("badge").await["badge"]["unread"], 0);
    a.form("/sign-out-everywhere", &cookie, &[]).await;
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), client.close_code()).await.unwrap(), Some(4001));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_right_that_is_missing_is_named() {
    let store = RedisServer::start(Store::Redis);
    let rights = documented_rights();
    let url = format!("redis://beck:secret@127.0.0.1:{}", store.port);
    let commands: Vec<_> = rights.iter().filter_map(|word| word.strip_prefix('+')).collect();
    assert!(commands.len() > 10, "{commands:?}");
    let mut named = 0;
    for command in ["info", "xrevrange"] {
        assert!(commands.contains(&command));
        let mut fewer: Vec<_> = rights.iter().filter(|word| !word.starts_with('>')).cloned().collect();
        fewer.extend([">secret".into(), format!("-{command}")]);
        set_user(&store, &fewer);
        let why = refusal(&tempdir().unwrap(), &[("REDIS_URL", &url)]);
        assert!(why.contains(&format!("may not run {command}")) && why.contains("docs/"), "{why}");
        named += 1;
    }
    // What is only missed later is said then, and nothing is stored.
    for command in ["xadd", "evalsha", "time", "script|load"] {
        let mut fewer: Vec<_> = rights.iter().filter(|word| !word.starts_with('>')).cloned().collect();
        fewer.extend([">secret".into(), format!("-{command}")]);
        set_user(&store, &fewer);
        let settings = RedisSettings {
            username: Some("beck".into()),
            password: Some("secret".into()),
            ..store.settings()
        };
        assert_eq!(store.command(&["SCRIPT", "FLUSH"]), "+OK\r\n");
        let log = Redis::open(&settings).await.unwrap();
        let made = log.create(workspace()).await;
        let Err(BrokerError::Unready(why)) = made else { panic!("{made:?}") };
        assert_eq!(why.state, UnreadyState::StoreRights);
        let why = why.detail;
        assert!(why.contains(&format!("may not run {command}")), "{command}: {why}");
        assert_eq!(log.head().await.unwrap(), None);
        named += 1;
    }
    assert_eq!(named, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_reached_is_said_in_one_sentence_without_secrets() {
    let (store, tls_port) = start_with_tls();
    let other = tempdir().unwrap();
    make_certificates(other.path());
    let plain = format!("redis://127.0.0.1:{}", store.port);
    let plain_to_tls = format!("redis://127.0.0.1:{tls_port}");
    let tls_to_plain = format!("rediss://127.0.0.1:{}", store.port);
    let tls = format!("rediss://127.0.0.1:{tls_port}");
    let other_name = format!("rediss://localhost:{tls_port}");
    let wrong_password = format!("redis://:hunter2@127.0.0.1:{}", store.port);
    let wrong_user = format!("redis://nobody:hunter2@127.0.0.1:{}", store.port);
    let (ca, wrong_ca) = (store.folder().join("ca.pem"), other.path().join("ca.pem"));
    let (ca, wrong_ca) = (ca.to_str().unwrap(), wrong_ca.to_str().unwrap());
    let http = TestServer::start(tempdir().unwrap().keep().as_path());
    let not_redis = format!("redis://{}", http.host());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("redis://127.0.0.1:{nobody}");
    let with_ca = |url, ca| vec![("REDIS_URL", url), ("REDIS_CA_FILE", ca)];
    let cases = [
        (vec![("REDIS_URL", nobody.as_str())], "nothing listens at 127.0.0.1:"),
        (vec![("REDIS_URL", "redis://no-such-host.invalid")], "there is no host no-such-host.invalid"),
        (vec![("REDIS_URL", plain_to_tls.as_str())], "REDIS_TLS"),
        (with_ca(tls_to_plain.as_str(), ca), "TLS"),
        (with_ca(tls.as_str(), wrong_ca), "REDIS_CA_FILE"),
        (vec![("REDIS_URL", tls.as_str())], "REDIS_CA_FILE"),
        (with_ca(other_name.as_str(), ca), "is for another name"),
        (with_ca(tls.as_str(), "nowhere.pem"), "REDIS_CA_FILE names nowhere.pem, which cannot be read"),
        (vec![("REDIS_URL", wrong_password.as_str())], "REDIS_PASSWORD"),
        (vec![("REDIS_URL", wrong_user.as_str())], "refused the sign-in"),
        (vec![("REDIS_URL", not_redis.as_str())], "is not Redis"),
    ];
    let mut said = 0;
    for (settings, says) in &cases {
        let why = refusal(&tempdir().unwrap(), settings);
        println!("{settings:?}\n  {why}");
        assert!(why.contains(says), "{settings:?}: {why}");
        assert!(!why.contains("hunter2"), "{why}");
        said += 1;
    }
    assert_eq!(said, 11);
    assert_eq!(store.command(&["CONFIG", "SET", "requirepass", "hunter3"]), "+OK\r\n");
    let why = refusal(&tempdir().unwrap(), &[("REDIS_URL", &plain)]);
    assert!(why.contains("asks for a password: set REDIS_PASSWORD"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_line_says_what_an_ack_is_worth() {
    let cases: [(&[&str], &str, &str, &str); 4] = [
        (
            &["--appendonly", "yes", "--appendfsync", "always"],
            "is on disk there before it is acknowledged",
            "on …'s disk, flushed",
            "",
        ),
        (
            &["--appendonly", "yes"],
            "in memory when they are acknowledged, and soon on disk",
            "in …'s memory, soon on its disk",
            "appendfsync always",
        ),
        (&[], "are in memory when they are acknowledged", "in …'s memory", "appendonly yes"),
        (
            &[
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                "--maxmemory",
                "100mb",
                "--maxmemory-policy",
                "allkeys-lru",
            ],
            "on disk",
            "on …'s disk, flushed",
            "noeviction",
        ),
    ];
    for store in [Store::Redis, Store::Valkey] {
        for (arguments, words, place, warning) in cases {
            let server = RedisServer::start_with(store, arguments);
            let log = Redis::open(&server.settings()).await.unwrap();
            let durability = log.durability();
            assert!(durability.words.contains(words), "{durability:?}");
            let (version, name) =
                if store == Store::Redis { ("Redis 7", "Redis") } else { ("Valkey 9", "Valkey") };
            assert!(durability.words.contains(version));
            assert_eq!(durability.place, place.replace('…', name));
            match durability.warning {
                Some(said) => assert!(!warning.is_empty() && said.contains(warning), "{said}"),
                None => assert_eq!(warning, ""),
            }
        }
    }
    let store = RedisServer::start(Store::Redis);
    let folder = tempdir().unwrap();
    let (_server, line) = TestServer::start_set(folder.path(), &[("REDIS_URL", &store.url())]);
    assert!(line.contains("log in Redis 7") && line.contains(&store.port.to_string()), "{line}");
    // A replica cannot be written to.
    let replica =
        RedisServer::start_with(Store::Redis, &["--replicaof", "127.0.0.1", &store.port.to_string()]);
    let why = refusal(&tempdir().unwrap(), &[("REDIS_URL", &replica.url())]);
    assert!(why.contains("is a replica"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_scripts_are_forgotten_is_given_them_again() {
    let store = RedisServer::start(Store::Redis);
    let log = Redis::open(&store.settings()).await.unwrap();
    append_and_read(&log).await;
    for n in 0..5 {
        assert_eq!(store.command(&["SCRIPT", "FLUSH"]), "+OK\r\n");
        assert_eq!(log.append(vec![room_proposal(AccountId::random(), "again")]).await.unwrap(), 22 + n);
    }
    // A cluster of one node has slots and no databases, and takes only keys of one slot in a script.
    let arguments = ["--appendonly", "yes", "--cluster-enabled", "yes"];
    let cluster = RedisServer::start_with(Store::Redis, &arguments);
    assert_eq!(cluster.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]), "+OK\r\n");
    while !cluster.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    append_and_read(&Redis::open(&cluster.settings()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_store_leaves_outcomes_unknown_and_is_found_out() {
    let store = RedisServer::start(Store::Redis);
    let log = Redis::open(&store.settings()).await.unwrap();
    append_and_read(&log).await;
    let last = log.head().await.unwrap().unwrap();
    let pause = |signal: &str| {
        let told = std::process::Command::new("kill").args([signal, &store.pid().to_string()]).status();
        assert!(told.unwrap().success());
    };
    pause("-STOP");
    let told = log.append(vec![room_proposal(AccountId::random(), "paused")]).await;
    assert!(matches!(told, Err(BrokerError::Unknown(_))), "{told:?}");
    // Who waits for what comes next is told, though no connection was closed.
    let told = log.follow(last, 9).await;
    assert!(
        matches!(&told, Err(BrokerError::Unready(why)) if why.detail.contains("does not answer")),
        "{told:?}"
    );
    pause("-CONT");
    // The append that nobody was answered had arrived; the log goes on behind it.
    let mut tries = 0;
    while let Err(fault) = log.append(vec![room_proposal(AccountId::random(), "after")]).await {
        tries += 1;
        assert!(tries < 200, "{fault}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    while log.follow(last, 9).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_linked(&read_all(&log).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_onto_another_log_than_the_one_that_was_read_is_refused() {
    let store = RedisServer::start(Store::Redis);
    let log = Redis::open(&store.settings()).await.unwrap();
    append_and_read(&log).await;
    assert_eq!(log.append(vec![room_proposal(AccountId::random(), "ok")]).await.unwrap(), 22);
    let entries = read_all(&log).await;
    let end = entries.last().map(|last| Head { g: last.header.g, link: last.link }).unwrap();
    log.follow(Head { g: end.g - 1, link: entries[20].link }, 1).await.unwrap();
    assert_eq!(store.command(&["XDEL", "{beck}:log", "22-0"]), ":1\r\n");
    let told = log.append(vec![room_proposal(AccountId::random(), "not there")]).await;
    assert!(matches!(told, Err(BrokerError::Refused(_))), "{told:?}");
    // It is found without anything new in the log.
    let told = log.follow(end, 9).await;
    assert!(matches!(told, Err(BrokerError::Rewritten(_))), "{told:?}");
    // A hole in the middle is no log either.
    assert_eq!(store.command(&["XDEL", "{beck}:log", "7-0"]), ":1\r\n");
    let told = log.read(1, 99).await;
    assert!(
        matches!(&told, Err(BrokerError::Rewritten(why)) if why.contains("entry 7 is missing")),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_reach_the_servers_of_this_log_and_no_others() {
    let store = RedisServer::start(Store::Redis);
    let open = |database, prefix: &str| {
        let settings = RedisSettings { database, prefix: prefix.to_owned(), ..store.settings() };
        async move { Redis::open(&settings).await.unwrap() }
    };
    let (a, b) = (open(0, "beck").await, open(0, "beck").await);
    let others = [open(1, "beck").await, open(0, "two").await];
    let mut hears: Vec<_> =
        [&b, &others[0], &others[1]].iter().map(|log| log.signals().subscribe()).collect();
    for log in [&a, &others[0], &others[1]] {
        log.create(workspace()).await.unwrap();
    }
    // Each says that it listens now, by asking to look everything up.
    for hear in &mut hears {
        assert_eq!(hear.recv().await.unwrap(), Signal::Lost);
    }
    // The heartbeat of another server is heard by those of its own log alone.
    let mut heartbeats = [0; 3];
    let mut next = async |n: usize| loop {
        match awaited("a signal", hears[n].recv()).await.unwrap() {
            Signal::Heartbeat { .. } => heartbeats[n] += 1,
            Signal::OwnHeartbeat => {}
            signal => return signal,
        }
    };
    let account = AccountId::random();
    let register = Signal::Register { account, key: "read:x:0".into() };
    for signal in [Signal::Logins { account }, register] {
        a.signals().send(signal.clone());
        assert_eq!(next(0).await, signal);
    }
    // A signal of each of the others comes after all that they could have heard.
    for (n, log) in (1..).zip(&others) {
        let own = Signal::Logins { account: AccountId::random() };
        log.signals().send(own.clone());
        assert_eq!(next(n).await, own);
    }
    assert_eq!(heartbeats[1..], [0, 0]);
}
