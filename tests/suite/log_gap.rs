//! The embedded log never has a gap: one transaction has one fate, and a gap that version 0.1.0 left is repaired.
//! BECK_FULL_DISKS sets the rounds of the full disk (3).

use crate::conformance::workspace;
use crate::disk::Mounted;
use crate::support::log_reader::{StoredEntry, assert_whole, read_folder};
use crate::support::logged::LoggedServer;
use crate::support::{room_proposal, set_up};
use beck::protocol::{AccountId, ClientId, Pointer};
use beck::server::broker::embedded::{Embedded, Fault};
use beck::server::broker::{Broker, BrokerError, Proposal, SecretOp};
use rusqlite::Connection;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use tempfile::tempdir;

/// A proposal with a body of about so many bytes.
fn proposal(by: AccountId, bytes: usize) -> Proposal {
    room_proposal(by, &"x".repeat(bytes))
}

fn id_of(proposal: &Proposal) -> String {
    proposal.client_id.to_string()
}

/// What a put of a secret that was absent says, as whether it was stored.
fn put(value: &str) -> SecretOp {
    SecretOp::Put { value: value.into(), if_version: 0, expires: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_statement_that_ends_the_transaction_fails_the_whole_commit() {
    let mut faults = 0;
    for place_of_large in [0, 1, 6, 11] {
        let folder = tempdir().unwrap();
        let log = Embedded::open(folder.path()).unwrap();
        let by = AccountId::random();
        log.create(workspace()).await.unwrap();
        log.append(vec![proposal(by, 10), proposal(by, 10)]).await.unwrap();

        let batch: Vec<_> =
            (0..12).map(|n| proposal(by, if n == place_of_large { 24_000 } else { 10 })).collect();
        let paused = log.pause_writer();
        // The writer takes one command before it stops: this one.
        let first = log.registers(by, Vec::new());
        log.plant(Fault::NoRoom);
        let secret = log.secret("before".into(), put("value"));
        let pointer = Pointer { generation: 0, ordinal: 7 };
        let raised = log.registers(by, vec![("read:x:0".into(), pointer)]);
        let appends: Vec<_> = batch.iter().map(|one| (id_of(one), log.append(vec![one.clone()]))).collect();
        let late_secret = log.secret("after".into(), put("value"));
        drop(paused);
        let _ = first.await;
        let mut stored = HashMap::new();
        let mut failed = HashMap::new();
        for (id, append) in appends {
            match append.await {
                Ok(g) => drop(stored.insert(id, g as i64)),
                Err(fault) => drop(failed.insert(id, fault)),
            }
        }
        let secrets = [secret.await, late_secret.await];
        let raised = raised.await;
        faults += failed.len();
        assert!(failed.contains_key(&id_of(&batch[place_of_large])), "the large one finds no room");

        // What is said now is what is in the file.
        let head = log.head().await.unwrap().unwrap();
        for (name, said) in ["before", "after"].into_iter().zip(&secrets) {
            let is = log.secret(name.into(), SecretOp::Get).await.unwrap();
            assert!(matches!(said, Err(BrokerError::Unknown(_))) || said.is_ok() == is.is_some(), "{said:?}");
        }
        let pointers = log.registers(by, Vec::new()).await.unwrap();
        let raised_at = pointers.iter().any(|(_, is)| *is == pointer);
        assert!(matches!(raised, Err(BrokerError::Unknown(_))) || raised.is_ok() == raised_at, "{raised:?}");

        // There is room again: the same proposals are stored in order.
        for one in &batch {
            if let Some(BrokerError::Refused(_) | BrokerError::Unready(_) | BrokerError::Unknown(_)) =
                failed.get(&id_of(one))
            {
                log.append(vec![one.clone()]).await.unwrap();
            }
        }
        drop(log);
        let entries = read_folder(folder.path());
        assert_whole(&entries);
        assert_eq!(entries[head.g as usize - 1].link, head.link.to_string());
        for (id, g) in &stored {
            assert_eq!(entries[*g as usize - 1].client_id(), id, "an acknowledged entry has its place");
        }
        for (id, fault) in failed {
            let times = entries.iter().filter(|entry| entry.client_id() == id).count();
            // Certainly not stored: only the second call stored it.
            assert!(times == 1 || matches!(fault, BrokerError::Unknown(_)), "{times}: {fault}");
        }
    }
    assert!(faults >= 4, "{faults}");
    println!("{faults} appends failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_within_a_commit_leaves_no_gap() {
    let rounds: usize = std::env::var("BECK_FULL_DISKS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let (mut acknowledged, mut refused, mut unknown, mut full_commits) = (0, 0, 0, 0);
    for round in 0..rounds {
        let folder = tempdir().unwrap();
        let Some(mounted) = Mounted::try_with(folder.path(), 24) else {
            eprintln!(
                "SKIPPED: nothing can be mounted here; the planted fault of this module stands for it."
            );
            return;
        };
        let data = folder.path().join("data");
        let ballast = folder.path().join("ballast");
        // So little room that the first large commit fills it while it spills, at another place in each round: before
        // that a checkpoint would take what is left. Once the ballast is gone there is room for all.
        let room = 1536 * 1024 + round % 20 * 160 * 1024;
        std::fs::write(&ballast, vec![7; 24 * 1024 * 1024 - room]).unwrap();
        let log = Embedded::open(&data).unwrap();
        let by = AccountId::random();
        log.create(workspace()).await.unwrap();
        let mut acked: HashMap<String, i64> = HashMap::new();
        let (mut not_stored, mut open) = (HashSet::new(), HashSet::new());
        for _ in 0..50 {
            let small = proposal(by, 20);
            let g = log.append(vec![small.clone()]).await.unwrap();
            acked.insert(id_of(&small), g as i64);
        }
        let mut wave = 0;
        let mut full = 0;
        while full < 3 && wave < 50 {
            wave += 1;
            // A commit far above the page cache spills, and fails inside a statement on the full disk.
            let paused = log.pause_writer();
            let sizes = (0..480).map(|n| if (n + round) % 5 > 0 { 23_000 } else { 20 });
            let batch: Vec<_> = sizes.map(|bytes| proposal(by, bytes)).collect();
            let calls: Vec<_> = batch.iter().map(|one| (id_of(one), log.append(vec![one.clone()]))).collect();
            drop(paused);
            let mut failed = 0;
            for (id, call) in calls {
                match call.await {
                    Ok(g) => drop(acked.insert(id, g as i64)),
                    Err(BrokerError::Refused(_) | BrokerError::Unready(_)) => {
                        failed += 1;
                        not_stored.insert(id);
                    }
                    Err(_) => {
                        failed += 1;
                        open.insert(id);
                    }
                }
            }
            full += usize::from(failed > 0);
            // Small ones may fit again.
            for _ in 0..20 {
                let small = proposal(by, 20);
                match log.append(vec![small.clone()]).await {
                    Ok(g) => drop(acked.insert(id_of(&small), g as i64)),
                    Err(BrokerError::Refused(_) | BrokerError::Unready(_)) => {
                        not_stored.insert(id_of(&small));
                    }
                    Err(_) => drop(open.insert(id_of(&small))),
                }
            }
        }
        assert!(full > 0, "the disk of round {round} never was full");
        std::fs::remove_file(&ballast).unwrap();
        for _ in 0..20 {
            let small = proposal(by, 20);
            let g = log.append(vec![small.clone()]).await.expect("there is room again");
            acked.insert(id_of(&small), g as i64);
        }
        drop(log);
        let entries = read_folder(&data);
        assert_whole(&entries);
        for (id, g) in &acked {
            assert_eq!(entries[*g as usize - 1].client_id(), id, "an acknowledged entry has its place");
        }
        let unexpected = entries[1..].iter().filter(|entry| !acked.contains_key(entry.client_id()));
        for entry in unexpected {
            assert!(open.contains(entry.client_id()), "entry {} was refused, and is stored", entry.g);
        }
        acknowledged += acked.len();
        refused += not_stored.len();
        unknown += open.len();
        full_commits += full;
        drop(mounted);
    }
    println!(
        "{rounds} rounds: {full_commits} commits on a full disk; {acknowledged} entries acknowledged, \
         {refused} refused, {unknown} unknown"
    );
    assert!(full_commits >= rounds && refused + unknown > 0);
}

/// Takes entries out of the log of a folder, as 0.1.0 left it after a full disk.
fn cut_out(folder: &Path, from: i64, to: i64) {
    let db = Connection::open(folder.join("log.sqlite")).unwrap();
    assert!(db.execute("DELETE FROM entries WHERE g BETWEEN ?1 AND ?2", [from, to]).unwrap() > 0);
}

fn cut_files(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("log-cut-")).collect();
    files.sort();
    files
}

/// Makes a folder whose log has this many messages more than the set-up, and no state.
async fn folder_of(messages: usize) -> (tempfile::TempDir, Vec<StoredEntry>) {
    let (folder, entries) = folded_folder_of(messages).await;
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join(format!("state.sqlite{ending}")));
    }
    (folder, entries)
}

/// As [`folder_of`], with a state that has folded all of it.
async fn folded_folder_of(messages: usize) -> (tempfile::TempDir, Vec<StoredEntry>) {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    for n in 0..messages {
        here.post(here.owner, ClientId::random(), &format!("message {n}")).await;
    }
    drop(here);
    drop(crate::embedded::reopen(folder.path()).await);
    crate::support::awaited::closed(folder.path()).await;
    let entries = read_folder(folder.path());
    assert_whole(&entries);
    (folder, entries)
}

/// What was folded was answered: a gap there has another cause than a full disk, and cutting it would lose messages.
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_among_folded_entries_is_not_cut() {
    let (folder, before) = folded_folder_of(20).await;
    cut_out(folder.path(), 15, 17);
    drop(Embedded::open(folder.path()).unwrap());
    assert_eq!(cut_files(folder.path()), Vec::<PathBuf>::new());
    assert_eq!(read_folder(folder.path()).len(), before.len() - 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_a_gap_is_cut_at_the_start_and_nothing_is_lost() {
    let (folder, before) = folder_of(40).await;
    // Two gaps, of which the first counts.
    cut_out(folder.path(), 21, 25);
    cut_out(folder.path(), 30, 30);
    let server = LoggedServer::start(folder.path(), "022").unwrap();
    let (status, body) = server.readyz().await;
    assert_eq!(status, 200, "{body}");
    let log = server.stop();
    let line = log.lines().find(|line| line.contains("ERROR")).expect("the repair is said");
    assert!(line.contains("log-cut-20.jsonl"), "{line}");
    assert!(line.contains("operations.md"), "{line}");

    let after = read_folder(folder.path());
    assert_whole(&after);
    assert_eq!(after[..20], before[..20]);
    // The new server may have written entries of its own, but none of the old ones.
    assert!(after[20..].iter().all(|entry| !before.contains(entry)));
    let files = cut_files(folder.path());
    assert_eq!(files.len(), 1, "{files:?}");
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&files[0].metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    let cut = std::fs::read_to_string(&files[0]).unwrap();
    let cut: Vec<serde_json::Value> = cut.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = before.iter().filter(|entry| entry.g > 25 && entry.g != 30);
    let mut count = 0;
    for (line, entry) in cut.iter().zip(expected.clone()) {
        assert_eq!(line["g"], entry.g);
        assert_eq!(line["at"], entry.at);
        assert_eq!(line["rest"], entry.rest);
        assert_eq!(line["body"].as_str(), entry.body.as_deref());
        assert_eq!(line["link"], entry.link);
        count += 1;
    }
    assert_eq!((cut.len(), count), (expected.count(), cut.len()));
    assert!(count > 10);
    // A second start finds a whole log.
    let server = LoggedServer::start(folder.path(), "022").unwrap();
    assert_eq!(server.readyz().await.0, 200);
    assert!(!server.stop().contains("log-cut"));
    assert_eq!(cut_files(folder.path()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_file_of_an_earlier_repair_is_kept() {
    let (folder, before) = folder_of(20).await;
    let last = before.len() as i64;
    cut_out(folder.path(), last - 3, last - 3);
    let earlier = folder.path().join(format!("log-cut-{}.jsonl", last - 4));
    std::fs::write(&earlier, "earlier\n").unwrap();
    drop(Embedded::open(folder.path()).unwrap());
    assert_eq!(std::fs::read_to_string(&earlier).unwrap(), "earlier\n");
    assert_eq!(cut_files(folder.path()).len(), 2);
    assert_whole(&read_folder(folder.path()));
    assert_eq!(read_folder(folder.path()).len() as i64, last - 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_a_gap_is_never_cut() {
    for messages in [0, 1, 30] {
        let (folder, before) = folder_of(messages).await;
        drop(Embedded::open(folder.path()).unwrap());
        assert_eq!(read_folder(folder.path()), before);
        assert!(cut_files(folder.path()).is_empty());
    }
    // Without an entry as well, and without a first one nothing is touched.
    let folder = tempdir().unwrap();
    drop(Embedded::open(folder.path()).unwrap());
    drop(Embedded::open(folder.path()).unwrap());
    assert!(cut_files(folder.path()).is_empty());
    let (folder, before) = folder_of(5).await;
    cut_out(folder.path(), 1, 1);
    drop(Embedded::open(folder.path()).unwrap());
    assert_eq!(read_folder(folder.path()), before[1..]);
    assert!(cut_files(folder.path()).is_empty());
}
