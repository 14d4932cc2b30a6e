//! The state file is made from the log: a damaged one is set aside and folded again.

use crate::conformance::dump;
use crate::support::furnish;
use crate::support::logged::LoggedServer;
use crate::support::server::TestClient;
use beck::protocol::ClientId;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

struct Folded {
    folder: TempDir,
    room: String,
    cookie: String,
    whole: Vec<u8>,
    rows: Vec<String>,
}

impl Folded {
    /// A folder with a state of many pages, whole in one file, that no process has open.
    async fn make() -> Folded {
        let folder = tempfile::tempdir().unwrap();
        let place = furnish(folder.path(), 1).await;
        let node = crate::embedded::reopen(folder.path()).await;
        for n in 0..300 {
            let draft = beck::protocol::frame::Draft {
                id: ClientId::random(),
                room: place.general,
                thread: None,
                quote: None,
                text: format!("{n} {}", "word ".repeat(100)),
                named: Default::default(),
            };
            beck::server::rooms::post(&node, place.people[0].0, draft).await.unwrap();
        }
        let head = node.broker.head().await.unwrap().unwrap();
        node.wait_folded(head.g).await;
        drop(node);
        crate::support::awaited::closed(folder.path()).await;
        let rows = dump(folder.path());
        let whole = std::fs::read(folder.path().join("state.sqlite")).unwrap();
        assert!(whole.len() > 60 * 4096);
        Folded { folder, room: place.general.to_string(), cookie: place.people[0].1.clone(), whole, rows }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("state.sqlite")
    }

    fn write(&self, bytes: &[u8]) {
        for ending in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(self.folder.path().join(format!("state.sqlite{ending}")));
        }
        std::fs::write(self.file(), bytes).unwrap();
    }

    /// The file with a page of a table that is read at the start damaged.
    fn damaged_at(&self, table: &str) -> Vec<u8> {
        let db = rusqlite::Connection::open(self.file()).unwrap();
        let sql = "SELECT rootpage FROM sqlite_master WHERE name = ?1";
        let page: usize = db.query_row(sql, [table], |row| row.get(0)).unwrap();
        let mut bytes = self.whole.clone();
        bytes[(page - 1) * 4096..page * 4096].fill(0xff);
        bytes
    }

    /// The file after a statement that Beck never makes.
    fn changed_by(&self, sql: &str) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        std::fs::write(&path, &self.whole).unwrap();
        let db = rusqlite::Connection::open(&path).unwrap();
        assert!(db.execute(sql, []).unwrap() > 0);
        drop(db);
        std::fs::read(path).unwrap()
    }

    /// Reads every row of the room; `None` if the server cannot.
    async fn read_all(&self, server: &LoggedServer) -> Option<usize> {
        if server.readyz().await.0 != 200 {
            return None;
        }
        let mut client =
            TestClient::connect_at(server.base.strip_prefix("http://").unwrap(), &self.cookie).await;
        let mut after = 0;
        let mut rows = 0;
        loop {
            let at = serde_json::json!({ "after": after });
            client
                .send(serde_json::json!({ "t": "page", "req": 1, "room": self.room, "at": at, "limit": 100 }))
                .await;
            let page = loop {
                let frame = client.next().await?;
                if frame["t"] == "page" {
                    break frame;
                }
                if frame["t"] == "error" {
                    return None;
                }
            };
            let found = page["page"]["rows"].as_array().unwrap();
            let Some(last) = found.last() else { return Some(rows) };
            after = last["ordinal"].as_u64().unwrap();
            rows += found.len();
        }
    }
}

fn set_aside(folder: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let parts = |name: &String| name.ends_with("-wal") || name.ends_with("-shm");
    let mut names: Vec<_> = names.filter(|name| name.contains("damaged") && !parts(name)).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cannot_be_opened_is_set_aside_and_folded_again() {
    let folded = Folded::make().await;
    let mut faults = 0;
    let mut header = folded.whole.clone();
    header[..64].fill(0xff);
    let mut schema = folded.whole.clone();
    schema[100..4096].fill(0xff);
    let cut = &folded.whole[..folded.whole.len() / 2];
    let odd = &folded.whole[..4096 * 3 + 100];
    let all = vec![0x5a; folded.whole.len()];
    // Well but for what is read first of all: people and rooms.
    let (people, rooms) = (folded.damaged_at("accounts"), folded.damaged_at("rooms"));
    let value = folded.changed_by("UPDATE accounts SET role = 'no role'");
    for damaged in [&header[..], &schema[..], cut, odd, &all[..], &people[..], &rooms[..], &value[..]] {
        folded.write(damaged);
        let server = LoggedServer::start(folded.folder.path(), "022").unwrap();
        assert_eq!(folded.read_all(&server).await, Some(300));
        let log = server.stop();
        let line = log.lines().find(|line| line.contains("WARN") && line.contains("state.sqlite"));
        let name = if faults == 0 { "now state.sqlite.damaged," } else { "now state.sqlite.damaged-latest," };
        assert!(line.is_some_and(|line| line.contains(name)), "{log}");
        faults += 1;
        assert!(dump(folded.folder.path()) == folded.rows, "it is folded to the same");
        let aside = set_aside(folded.folder.path());
        // The first one may have what the log lost before it; of the later ones the newest is kept.
        assert_eq!(aside, &["state.sqlite.damaged", "state.sqlite.damaged-latest"][..faults.min(2)]);
        let kept = |n: usize| std::fs::read(folded.folder.path().join(&aside[n])).unwrap();
        assert!(kept(0) == header, "the first one is as it was");
        assert!(kept(faults.min(2) - 1) == damaged, "the newest one is as it was");
    }
    assert_eq!(faults, 8);
}

/// Whatever page is damaged, the server says it once it finds it, and the next start mends it.
#[tokio::test(flavor = "multi_thread")]
async fn damage_that_shows_while_it_runs_is_said_and_mended_by_a_restart() {
    let folded = Folded::make().await;
    let pages = folded.whole.len() / 4096;
    let (mut faults, mut found_late) = (0, 0);
    for part in 1..10 {
        let mut damaged = folded.whole.clone();
        let from = pages * part / 10 * 4096;
        damaged[from..from + 8 * 4096].fill(0xff);
        folded.write(&damaged);
        let server = LoggedServer::start(folded.folder.path(), "022").unwrap();
        let mut aside = set_aside(folded.folder.path());
        if folded.read_all(&server).await != Some(300) {
            let (status, why) = server.readyz().await;
            assert_eq!(status, 503, "{why}");
            assert!(why.contains("restart") || why.contains("Restart"), "{why}");
            assert!(server.log().contains("state.sqlite"), "{}", server.log());
            found_late += 1;
            server.stop();
            let server = LoggedServer::start(folded.folder.path(), "022").unwrap();
            assert_eq!(folded.read_all(&server).await, Some(300), "a restart mends it");
            server.stop();
            aside = set_aside(folded.folder.path());
        } else {
            server.stop();
        }
        // Damage that nothing has read yet is not known.
        if !aside.is_empty() {
            faults += 1;
            assert!(dump(folded.folder.path()) == folded.rows);
            assert_eq!(aside, ["state.sqlite.damaged"]);
            std::fs::remove_file(folded.folder.path().join(&aside[0])).unwrap();
        }
    }
    println!("{faults} were found, {found_late} of them while it ran");
    assert!(faults >= 5 && found_late >= 3, "{faults}, {found_late}");
}

/// The mark of a damage that was found while running, and a file that a start finds damaged too: what was set aside for
/// the one is not given up for the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_set_aside_is_kept_though_the_mark_of_its_damage_is_there() {
    let made = Folded::make().await;
    let garbages = [b"no database ".repeat(1_000), b"nor is this".repeat(2_000)];
    for (garbage, name) in garbages.iter().zip(["state.sqlite.damaged", "state.sqlite.damaged-latest"]) {
        made.write(garbage);
        let mark = made.folder.path().join("state.sqlite.damage-found");
        std::fs::write(mark, "found while running").unwrap();
        let server = LoggedServer::start(made.folder.path(), "022").unwrap();
        assert_eq!(server.readyz().await.0, 200);
        server.stop();
        assert!(std::fs::read(made.folder.path().join(name)).unwrap() == *garbage);
    }
    assert!(std::fs::read(made.folder.path().join("state.sqlite.damaged")).unwrap() == garbages[0]);
    assert_eq!(dump(made.folder.path()), made.rows);
}
