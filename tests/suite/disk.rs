//! A disk that fills up: a clear error, never an ack for what is not stored, and it goes on once there is room.
//! Needs the right to mount; without it nothing is tested, and a line says so.

use crate::support::server::{TestClient, TestServer};
use crate::support::{assert_linked, furnish, read_all};
use beck::protocol::ClientId;
use beck::server::broker::embedded::Embedded;
use serde_json::Value;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::tempdir;

/// A small file system of its own.
pub struct Mounted(PathBuf);

impl Mounted {
    pub fn try_new(at: &Path) -> Option<Mounted> {
        Mounted::try_with(at, 24)
    }

    pub fn try_with(at: &Path, megabytes: u32) -> Option<Mounted> {
        let size = format!("size={megabytes}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        mount.is_ok_and(|done| done.status.success()).then(|| Mounted(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Writes until the file system is full but for some bytes.
fn fill_up(path: &Path, but: u64) {
    let mut ballast = File::create(path).unwrap();
    let block = [7; 4096];
    let mut size = 0;
    while ballast.write_all(&block).is_ok() {
        size += block.len() as u64;
    }
    ballast.set_len(size.saturating_sub(but)).unwrap();
}

/// Posts everything and reads until each has its answer, by id. Never silence: it ends only then.
async fn answers(client: &mut TestClient, room: &str, drafts: &[(String, String)]) -> HashMap<String, Value> {
    let mut answers: HashMap<String, Value> = HashMap::new();
    for (index, (id, text)) in drafts.iter().enumerate() {
        client.post(room, id, text).await;
        // One by one as long as all goes well, so that the commits are small.
        while answers.len() <= index {
            let next = tokio::time::timeout(Duration::from_millis(300), client.next()).await;
            let Ok(frame) = next else { break };
            let frame = frame.expect("the socket stays open");
            if frame["t"] == "ack" || frame["t"] == "error" {
                answers.insert(frame["id"].as_str().unwrap().to_owned(), frame);
            }
        }
    }
    while answers.len() < drafts.len() {
        let next = tokio::time::timeout(Duration::from_secs(60), client.next()).await;
        let frame = next.expect("a post is never answered").expect("the socket stays open");
        if frame["t"] == "ack" || frame["t"] == "error" {
            answers.insert(frame["id"].as_str().unwrap().to_owned(), frame);
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_nothing_acknowledged_is_lost() {
    let folder = tempdir().unwrap();
    let Some(mounted) = Mounted::try_new(folder.path()) else {
        eprintln!("SKIPPED: a full disk was not tested, since nothing can be mounted here.");
        return;
    };
    let data = mounted.0.join("data");
    std::fs::create_dir(&data).unwrap();
    let place = furnish(&data, 1).await;
    let (cookie, room) = (&place.people[0].1, place.general.to_string());
    let mut server = TestServer::start(&data);
    let mut client = TestClient::connect(&server, cookie).await;
    let ballast = mounted.0.join("ballast");
    let mut acked: HashMap<String, u64> = HashMap::new();
    let mut failed: HashMap<String, u64> = HashMap::new();
    for round in 0..2 {
        fill_up(&ballast, 256 * 1024);
        let text = |n| format!("{round} {n} {}", "x".repeat(20_000));
        let mut open: Vec<_> = (0..25).map(|n| (ClientId::random().to_string(), text(n))).collect();
        let mut full = true;
        // There is room again after the first pass; the same ids are sent until each is stored.
        while !open.is_empty() {
            let answers = answers(&mut client, &room, &open).await;
            open.retain(|(id, _)| {
                let answer = &answers[id];
                if answer["t"] == "ack" {
                    assert_eq!(answer["outcome"]["is"], "stored", "{answer}");
                    acked.insert(id.clone(), answer["outcome"]["seq"].as_u64().unwrap());
                    return false;
                }
                let code = answer["code"].as_str().unwrap();
                // A full disk is said at once: whoever then tries again and again is slowed down.
                assert!(matches!(code, "unavailable" | "unknown" | "throttled"), "{answer}");
                *failed.entry(code.to_owned()).or_default() += u64::from(full);
                true
            });
            if full {
                assert!(!open.is_empty(), "the disk was full");
                std::fs::remove_file(&ballast).unwrap();
                full = false;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    println!("{} acknowledged; not stored at first: {failed:?}", acked.len());
    assert_eq!(acked.len(), 50);
    assert!(failed.values().sum::<u64>() > 2, "{failed:?}");
    server.kill();
    let log = Embedded::open(&data).unwrap();
    assert_linked(&read_all(&log).await);
    drop(log);
    let server = TestServer::start(&data);
    let mut client = TestClient::connect(&server, cookie).await;
    let seen = client.all_rows(&room, 20).await;
    assert_eq!(seen, acked, "what people see is what was acknowledged");
}
