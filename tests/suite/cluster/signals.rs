//! What servers tell each other beside the log may be lost: within a heartbeat everything is as if it had arrived.

use crate::support::awaited::awaited;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::TestClient;
use crate::support::{config, set_up_on};
use beck::protocol::{AccountId, ClientId, Quiet, RoomId};
use beck::server::accounts::NewAccount;
use beck::server::broker::redis::{Redis, RedisSettings};
use beck::server::broker::{Broker, Signal};
use beck::server::connection::{TIMEOUTS, Timeouts};
use beck::server::node::{Node, Readiness};
use beck::server::{accounts, router, serve, unread};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tempfile::{TempDir, tempdir};

const BEAT: Duration = Duration::from_millis(400);
const PAUSE: Duration = Duration::from_millis(50);

/// Two servers in this process, with a short heartbeat.
pub struct Two {
    pub nodes: Vec<Arc<Node>>,
    pub hosts: Vec<String>,
    pub owner: AccountId,
    pub general: RoomId,
    pub store: RedisServer,
    _folders: [TempDir; 2],
}

impl Two {
    /// Servers whose user may not use the channel of signals.
    pub async fn deaf() -> Two {
        Two::start("resetchannels").await
    }

    /// Servers whose user may use these channels.
    pub async fn start(channels: &str) -> Two {
        let user = ["--user", "deaf", "on", ">secret", "~*", channels, "+@all"];
        let always = ["--appendonly", "yes", "--appendfsync", "always"];
        let store = RedisServer::start_with(Store::Redis, &[&always[..], &user[..]].concat());
        let settings = RedisSettings {
            username: Some("deaf".into()),
            password: Some("secret".into()),
            ..store.settings()
        };
        let folders = [tempdir().unwrap(), tempdir().unwrap()];
        let here =
            set_up_on(folders[0].path(), Arc::new(Redis::open(&store.settings()).await.unwrap())).await;
        let (owner, general) = (here.owner, here.general);
        drop(here);
        let (mut nodes, mut hosts) = (Vec::new(), Vec::new());
        let timeouts: &'static Timeouts =
            Box::leak(Box::new(Timeouts { beat: BEAT, presence: PAUSE, ..TIMEOUTS.clone() }));
        for folder in &folders {
            let mut config = config(folder.path());
            config.redis = Some(settings.clone());
            config.heartbeat = BEAT;
            let log = Arc::new(Redis::open(&settings).await.unwrap());
            let node = Node::start(config, log).await.unwrap();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            hosts.push(listener.local_addr().unwrap().to_string());
            let app = router::router(node.clone(), None).layer(axum::Extension(timeouts));
            tokio::spawn(serve::serve(node.clone(), app, listener, std::future::pending()));
            nodes.push(node);
        }
        Two { nodes, hosts, owner, general, store, _folders: folders }
    }

    /// Makes a member; gives the cookie.
    pub async fn member(&self, handle: &str) -> String {
        self.person(handle).await.1
    }

    /// As [`Two::member`], with the account.
    pub async fn person(&self, handle: &str) -> (AccountId, String) {
        let new = NewAccount { name: "Wanda Writer", handle, password: "a long password" };
        let account = accounts::sign_up(&self.nodes[0], new).await.unwrap();
        (account, format!("beck_login={}", self.nodes[0].sign_in(account).await.unwrap()))
    }

    pub async fn owners_cookie(&self) -> String {
        format!("beck_login={}", self.nodes[0].sign_in(self.owner).await.unwrap())
    }

    /// How often the store refused the channel.
    fn refused(&self) -> usize {
        self.store.command(&["ACL", "LOG", "100"]).matches("signals:").count()
    }
}

async fn badge_of(client: &mut TestClient, unread: u64) -> Value {
    let wait = async {
        loop {
            let badge = client.until("badge").await;
            if badge["badge"]["unread"] == unread {
                return badge;
            }
        }
    };
    awaited("the badge", wait).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_pointer_arrives_on_the_other_server_without_signals() {
    let here = Two::deaf().await;
    let (cookie, writer) = (here.owners_cookie().await, here.member("wanda").await);
    let mut a = TestClient::connect_at(&here.hosts[0], &cookie).await;
    let mut b = TestClient::connect_at(&here.hosts[1], &cookie).await;
    let mut writer = TestClient::connect_at(&here.hosts[0], &writer).await;
    let mut ordinal = 0;
    // There and back: each server is the one that is not told.
    for round in 0..4 {
        for n in 0..3 {
            writer.post(&here.general.to_string(), &ClientId::random().to_string(), &format!("{n}")).await;
            ordinal = writer.until("ack").await["outcome"]["ordinal"].as_u64().unwrap();
        }
        for client in [&mut a, &mut b] {
            badge_of(client, 3).await;
        }
        let reads = if round % 2 == 0 { &mut a } else { &mut b };
        let read =
            json!({ "t": "read", "room": here.general, "lane": 0, "generation": 0, "ordinal": ordinal });
        reads.send(read).await;
        for client in [&mut a, &mut b] {
            assert_eq!(badge_of(client, 0).await["badge"]["read"], ordinal);
        }
    }
    assert!(here.refused() > 0, "signals were not lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_hours_arrive_on_the_other_server_with_signals_and_without() {
    let mut lost = 0;
    for channels in ["allchannels", "resetchannels"] {
        let here = Two::start(channels).await;
        let cookie = here.owners_cookie().await;
        let mut clients = Vec::new();
        for host in &here.hosts {
            clients.push(TestClient::connect_at(host, &cookie).await);
        }
        // There and back: the last one counts, whichever server took it.
        for from in 1..5_u32 {
            let node = &here.nodes[from as usize % 2];
            let quiet = Quiet::new(true, from, 0).unwrap();
            unread::set_quiet(node, here.owner, quiet).await.unwrap();
            for client in &mut clients {
                let arrives = async { while client.until("quiet").await["from"] != from {} };
                awaited("quiet hours", arrives).await;
            }
        }
        lost += here.refused();
    }
    assert!(lost > 0, "signals were not lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_ended_elsewhere_ends_without_signals() {
    let here = Two::deaf().await;
    for round in 0..4 {
        let (at, other) = (round % 2, (round + 1) % 2);
        let token = here.nodes[at].sign_in(here.owner).await.unwrap();
        let cookie = format!("beck_login={token}");
        let mut socket = TestClient::connect_at(&here.hosts[other], &cookie).await;
        if round < 2 {
            here.nodes[at].sign_out(&token).await.unwrap();
        } else {
            here.nodes[at].sign_out_everywhere(here.owner).await.unwrap();
        }
        let ended = awaited("the end of the socket", socket.close_code()).await;
        assert_eq!(ended, Some(4001), "round {round}");
    }
    assert!(here.refused() > 0, "signals were not lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_at_a_heartbeat_ends_no_login_and_loses_no_badge() {
    let mut here = Two::deaf().await;
    let (cookie, writer) = (here.owners_cookie().await, here.member("wanda").await);
    let mut a = TestClient::connect_at(&here.hosts[0], &cookie).await;
    let mut b = TestClient::connect_at(&here.hosts[1], &cookie).await;
    let mut writer = TestClient::connect_at(&here.hosts[0], &writer).await;
    let mut unasked = 0;
    for round in 1..=10 {
        writer.post(&here.general.to_string(), &ClientId::random().to_string(), "unread").await;
        while writer.next().await.expect("the socket goes on")["t"] != "ack" {}
        // Most times before anybody has asked what is unread; then several heartbeats without a store.
        here.store.kill();
        let mut early = 0;
        for client in [&mut a, &mut b] {
            let mut beats = 0;
            while beats < 4 {
                let frame = client.next().await.expect("the socket goes on");
                beats += usize::from(frame["t"] == "beat");
                early += usize::from(frame["badge"]["unread"] == round);
            }
        }
        here.store.restart();
        if early == 0 {
            unasked += 1;
            for client in [&mut a, &mut b] {
                badge_of(client, round).await;
            }
        }
        for node in &here.nodes {
            while node.readiness() != Readiness::Ready {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        if unasked == 2 {
            return;
        }
    }
    panic!("the store was asked each time before it was dead");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_welcomed_while_the_store_is_away_is_told_his_rooms() {
    let mut here = Two::deaf().await;
    let (cookie, writer) = (here.owners_cookie().await, here.member("wanda").await);
    let mut writer = TestClient::connect_at(&here.hosts[0], &writer).await;
    writer.post(&here.general.to_string(), &ClientId::random().to_string(), "unread").await;
    writer.until("ack").await;
    // The login was looked up; then the store dies, before the first word.
    let mut socket = TestClient::upgrade(&here.hosts[1], &cookie).await;
    here.store.kill();
    socket.send(json!({ "t": "hello", "version": 1 })).await;
    let welcome = socket.until("welcome").await;
    assert_eq!(welcome["rooms"][0]["id"], json!(here.general), "{welcome}");
    here.store.restart();
    badge_of(&mut socket, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workspaces_on_one_store_never_hear_each_other() {
    let store = RedisServer::start(Store::Redis);
    let here = store.settings();
    let places = [
        here.clone(),
        RedisSettings { prefix: "two".into(), ..here.clone() },
        RedisSettings { database: 1, ..here.clone() },
        RedisSettings { database: 1, prefix: "two".into(), ..here },
    ];
    let mut logs = Vec::new();
    for settings in &places {
        let (log, other) = (Redis::open(settings).await.unwrap(), Redis::open(settings).await.unwrap());
        log.create(crate::conformance::workspace()).await.unwrap();
        let heard = other.signals().subscribe();
        logs.push((log, other, heard, AccountId::random()));
    }
    // Each is heard by the other server of its own workspace ...
    for (log, _, heard, account) in &mut logs {
        let own = Signal::Logins { account: *account };
        let wait = async {
            loop {
                log.signals().send(own.clone());
                let next = tokio::time::timeout(Duration::from_millis(100), heard.recv()).await;
                if next.is_ok_and(|signal| signal.unwrap() == own) {
                    return;
                }
            }
        };
        awaited("somebody hears it", wait).await;
    }
    // ... and by nobody else, when all speak at once.
    let mut own_heard = 0;
    for _ in 0..20 {
        for (log, _, _, account) in &logs {
            log.signals().send(Signal::Logins { account: *account });
        }
    }
    for (log, _, heard, account) in &mut logs {
        let last = Signal::Register { account: *account, key: "last".into() };
        log.signals().send(last.clone());
        loop {
            match awaited("the last one", heard.recv()).await.unwrap() {
                signal if signal == last => break,
                Signal::Logins { account: of } => {
                    assert_eq!(of, *account, "another workspace was heard");
                    own_heard += 1;
                }
                Signal::Lost | Signal::OwnHeartbeat | Signal::Heartbeat { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(own_heard >= 80, "{own_heard}");
    for (log, _, _, _) in &logs {
        assert_eq!(crate::support::read_all(log).await.len(), 1);
    }
}
