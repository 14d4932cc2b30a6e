//! Fifty clients, half of them the real engine, on two and three servers that share a store, while every part fails
//! in its turn. BECK_SEED picks chances and order; BECK_CLUSTER_ROUNDS sets how often every fault comes (1).

use crate::servers::Cluster;
use crate::support::checker::{WholeRoom, assert_engine, calm, check_frames};
use crate::support::engine::Engine;
use crate::support::log_reader;
use crate::support::plain::Plain;
use crate::support::proxy::CuttingProxy;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::TestClient;
use crate::support::store_line::Way;
use crate::support::{Place, furnish_on, seed};
use beck::protocol::{ClientId, RoomId};
use beck::server::broker::redis::Redis;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tempfile::tempdir;

const CLIENTS: usize = 50;
const OUTSIDERS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    KillServer(usize),
    /// Killed, and its state file is gone when it starts again.
    ForgetState(usize),
    KillStore,
    /// Longer than a server waits for an answer.
    PauseStore,
    PauseWrites,
    Partition(usize, Way),
}

/// Everything that runs.
struct Run {
    cluster: Cluster,
    front: CuttingProxy,
    dice: StdRng,
    room: RoomId,
    engines: Vec<Engine>,
    plains: Vec<Plain>,
    outsiders: Vec<Plain>,
    texts: HashMap<String, String>,
    written: usize,
    tenths: usize,
    happened: BTreeMap<Fault, usize>,
}

impl Run {
    async fn start(servers: usize, seed: u64) -> (Run, Place) {
        let store = RedisServer::start(Store::Redis);
        let folder = tempdir().unwrap();
        let log = Redis::open(&store.settings()).await.unwrap();
        let mut place = furnish_on(folder.path(), Arc::new(log), CLIENTS + OUTSIDERS).await;
        let outside = place.people.split_off(CLIENTS);
        let cluster = Cluster::start_with_lines(store, servers).await;
        for (_, cookie) in &outside {
            let left = cluster.servers[0].form(&format!("/r/{}/leave", place.general), cookie, &[]).await;
            assert_eq!(left.0, 303);
        }
        let front = CuttingProxy::start(cluster.servers[0].host(), seed).await;
        front.aim_at(cluster.hosts());
        let host = front.addr();
        let (mut engines, mut plains) = (Vec::new(), Vec::new());
        for (n, (account, cookie)) in place.people.iter().enumerate() {
            if n % 2 == 0 {
                engines.push(Engine::start(&host, *account, cookie, place.general));
            } else {
                plains.push(Plain::member(&host, cookie, place.general));
            }
        }
        let outsiders = outside.iter().map(|(_, cookie)| Plain::outsider(&host, cookie, place.general));
        let run = Run {
            cluster,
            front,
            dice: StdRng::seed_from_u64(seed),
            room: place.general,
            engines,
            plains,
            outsiders: outsiders.collect(),
            texts: HashMap::new(),
            written: 0,
            tenths: 0,
            happened: BTreeMap::new(),
        };
        (run, place)
    }

    /// One message of everybody, some of them to be refused.
    fn write(&mut self) {
        let n = self.written;
        self.written += 1;
        for (who, engine) in self.engines.iter().enumerate() {
            let (id, text) = (ClientId::random(), format!("engine {who}, {n}"));
            self.texts.insert(id.to_string(), text.clone());
            engine.write(id, self.room, text);
        }
        for (who, plain) in self.plains.iter().enumerate() {
            let (id, text) = (ClientId::random().to_string(), format!("plain {who}, {n}"));
            self.texts.insert(id.clone(), text.clone());
            plain.say(id.clone(), text);
            if who < 3 {
                plain.say(id, format!("something else under the id of {n}"));
            }
        }
        for outsider in &self.outsiders {
            outsider.say(ClientId::random().to_string(), format!("from outside, {n}"));
        }
    }

    /// So many tenths of a second of writing and cutting.
    async fn go_on(&mut self, tenths: usize) {
        for _ in 0..tenths {
            if self.tenths.is_multiple_of(12) {
                self.write();
            }
            if self.tenths.is_multiple_of(5) {
                self.front.cut_some(0.15);
            }
            self.tenths += 1;
            match self.dice.random_range(0..12) {
                0 => self.front.lose_replies(),
                1..4 => self.front.mend(),
                4 => drop(self.front.delay_some(0.2, Duration::from_millis(30))),
                _ => {}
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn restart(&mut self, n: usize, keep_state: bool) {
        self.cluster.servers[n].kill();
        let alive = self.cluster.hosts().enumerate().filter(|(index, _)| *index != n);
        self.front.aim_at(alive.map(|(_, host)| host));
        self.go_on(5).await;
        if !keep_state {
            let folder = self.cluster.folders[n].path();
            for ending in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(folder.join(format!("state.sqlite{ending}")));
            }
        }
        self.cluster.servers[n] = self.cluster.serve(n);
        self.front.aim_at(self.cluster.hosts());
    }

    async fn suffer(&mut self, fault: Fault) {
        println!("{fault:?}");
        match fault {
            Fault::KillServer(n) => self.restart(n, true).await,
            Fault::ForgetState(n) => self.restart(n, false).await,
            Fault::KillStore => {
                self.cluster.store.kill();
                self.go_on(10).await;
                self.cluster.store.restart();
            }
            Fault::PauseStore => {
                // Much is under way, and what the servers give up the store still has in its sockets: it carries it
                // out when it goes on, and they send it again.
                self.write();
                tokio::time::sleep(Duration::from_millis(5)).await;
                self.cluster.store.signal("-STOP");
                self.go_on(54).await;
                self.cluster.store.signal("-CONT");
            }
            Fault::PauseWrites => {
                assert_eq!(self.cluster.store.command(&["CLIENT", "PAUSE", "1500", "WRITE"]), "+OK\r\n");
                self.go_on(20).await;
            }
            Fault::Partition(n, way) => {
                let before = self.cluster.lines[n].held();
                self.cluster.lines[n].lose(way);
                self.go_on(65).await;
                self.cluster.lines[n].mend();
                assert!(self.cluster.lines[n].held() > before, "nothing was held back: no fault");
            }
        }
        *self.happened.entry(fault).or_default() += 1;
        self.go_on(5).await;
    }

    /// Everybody holds the same, it is what was written, and every server and the log say so too.
    async fn check(&self, place: &Place) {
        let cookie = &place.people[0].1;
        for n in 0..self.cluster.servers.len() {
            self.cluster.until_ready_is(n, 200, "ready").await;
        }
        let mut reader = TestClient::connect(&self.cluster.servers[0], cookie).await;
        calm(&mut reader, self.room, &self.engines, &self.plains).await;
        calm(&mut reader, self.room, &[], &self.outsiders).await;
        let whole = WholeRoom::read(&mut reader, self.room).await;
        whole.assert_holds(&self.texts);
        for server in &self.cluster.servers {
            let mut client = TestClient::connect(server, cookie).await;
            assert_eq!(WholeRoom::read(&mut client, self.room).await, whole, "servers disagree");
        }
        for (n, engine) in self.engines.iter().enumerate() {
            assert_engine(&format!("engine {n}"), engine, &whole);
        }
        let (mut acked, mut reconnects, mut other_text) = (0, 0, 0);
        for (n, plain) in self.plains.iter().enumerate() {
            let told = plain.told();
            let place = (told.position["seq"].as_u64(), told.position["chain"].as_str());
            assert_eq!(place, (Some(whole.seq), Some(whole.chain.as_str())), "plain {n}");
            assert_eq!(told.acked.len(), self.written, "plain {n}");
            assert!(told.refused.iter().all(|(_, why)| why == "other_draft"), "{:?}", told.refused);
            acked += told.acked.len();
            other_text += told.refused.len();
            reconnects += told.connections - 1;
        }
        let mut from_outside = 0;
        for outsider in &self.outsiders {
            let told = outsider.told();
            assert_eq!((told.acked.len(), told.refused.len()), (0, self.written));
            assert!(told.refused.iter().all(|(_, why)| why == "not_found"), "{:?}", told.refused);
            from_outside += told.refused.len();
        }
        assert_eq!(other_text, 3 * self.written);

        // The log itself, read without Beck: whole, with every message; what was sent again may be there again.
        let entries = log_reader::read_store(self.cluster.store.port);
        let again = log_reader::assert_holds(&entries, self.texts.keys(), []);

        let (counts, moves) = (self.front.counts(), self.front.moves());
        let checked = check_frames(&self.front.frames());
        println!(
            "{} messages; {acked} acks of plain clients, {from_outside} refused from outside, {other_text} as another \
             text; {again} times more in the log; {moves} moves between servers, {reconnects} reconnects of plain \
             clients; {counts:?}; {checked} events checked; {:?}",
            self.texts.len(),
            self.happened
        );
        assert!(checked > self.texts.len(), "frames were seen");
        assert!(counts.cut > 0 && counts.lost > 0 && counts.delayed > 0, "{counts:?}");
        assert!(moves > 0 && reconnects > 0 && from_outside > 0);
    }
}

async fn run(servers: usize) {
    let seed = seed();
    let (mut run, place) = Run::start(servers, seed).await;
    let mut faults: Vec<Fault> = (0..servers).map(Fault::KillServer).collect();
    let any = |dice: &mut StdRng| dice.random_range(0..servers);
    faults.push(Fault::ForgetState(any(&mut run.dice)));
    faults.extend([
        Fault::KillStore,
        Fault::KillStore,
        Fault::PauseStore,
        Fault::PauseStore,
        Fault::PauseWrites,
    ]);
    faults.push(Fault::Partition(any(&mut run.dice), Way::ToStore));
    faults.push(Fault::Partition(any(&mut run.dice), Way::ToServer));
    let rounds = std::env::var("BECK_CLUSTER_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    run.go_on(5).await;
    for _ in 0..rounds {
        faults.shuffle(&mut run.dice);
        for fault in faults.clone() {
            run.suffer(fault).await;
        }
    }
    run.front.mend();
    run.check(&place).await;
    for fault in &faults {
        let times = faults.iter().filter(|other| *other == fault).count();
        assert_eq!(run.happened.get(fault), Some(&(rounds * times)), "{fault:?} came");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_lose_nothing_double_nothing_and_agree_whatever_fails() {
    run(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_servers_lose_nothing_double_nothing_and_agree_whatever_fails() {
    run(3).await;
}
