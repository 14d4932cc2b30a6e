//! Pages of the embedded log that cannot be read: said clearly, and nothing else is lost by it.

use crate::conformance::workspace;
use crate::support::log_reader::read_folder;
use crate::support::logged::LoggedServer;
use crate::support::{room_proposal, set_up};
use beck::protocol::{AccountId, ClientId};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, BrokerError, Head};
use rusqlite::Connection;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use tempfile::tempdir;

/// The pages with rows of the log, in the order of the rows.
fn leaves(folder: &Path) -> Vec<u64> {
    let db = Connection::open(folder.join("log.sqlite")).unwrap();
    let sql = "SELECT pageno FROM dbstat WHERE name = 'entries' AND pagetype = 'leaf' ORDER BY path";
    let mut select = db.prepare(sql).unwrap();
    select.query_map([], |row| row.get::<_, i64>(0)).unwrap().map(|page| page.unwrap() as u64).collect()
}

fn overwrite_page(file: &Path, page: u64) {
    let mut file = std::fs::File::options().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start((page - 1) * 4096)).unwrap();
    file.write_all(&[0xff; 4096]).unwrap();
    file.sync_all().unwrap();
}

/// A folder with a log of several pages, which no process has open and whose pages are all in the one file.
async fn folder_of_pages(by: AccountId) -> tempfile::TempDir {
    let folder = tempdir().unwrap();
    let log = Embedded::open(folder.path()).unwrap();
    log.create(workspace()).await.unwrap();
    let rooms = |_| room_proposal(by, &"x".repeat(600));
    log.append((0..200).map(rooms).collect()).await.unwrap();
    drop(log);
    folder
}

fn assert_said(fault: &str) {
    for word in ["log.sqlite", "damaged", "backup"] {
        assert!(fault.contains(word), "{word}: {fault}");
    }
}

/// Reads the log entry by entry: numbers that came, and what was said of the others.
async fn read_each(log: &Embedded, last: u64) -> (Vec<u64>, Vec<String>) {
    let (mut read, mut faults) = (Vec::new(), Vec::new());
    for g in 1..=last {
        match log.read(g, 1).await {
            Ok(entries) => read.extend(entries.iter().map(|entry| entry.header.g)),
            Err(BrokerError::Unready(unready)) => faults.push(unready.detail),
            Err(other) => panic!("{other:?}"),
        }
    }
    (read, faults)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_of_a_stopped_log_fails_only_its_own_reads() {
    let by = AccountId::random();
    let folder = folder_of_pages(by).await;
    let before = read_folder(folder.path());
    let pages = leaves(folder.path());
    assert!(pages.len() > 10);
    overwrite_page(&folder.path().join("log.sqlite"), pages[pages.len() / 2]);
    let log = Embedded::open(folder.path()).unwrap();
    let (read, faults) = read_each(&log, 201).await;
    assert_eq!(read.len() + faults.len(), 201);
    assert!(!faults.is_empty() && read.len() > 150, "{} read", read.len());
    faults.iter().for_each(|fault| assert_said(fault));
    // It goes on at its end, linked to what was there.
    assert_eq!(log.append(vec![room_proposal(by, "next")]).await.unwrap(), 202);
    let head = log.head().await.unwrap().unwrap();
    let last = log.read(201, 2).await.unwrap();
    assert_eq!((head.g, last.len()), (202, 2));
    assert_eq!(last[0].link.to_string(), before[200].link);
    assert_eq!(last[1].link, last[0].link.then(&last[1].header));
    // What cannot be read is not erased either, and that harms nothing.
    let damaged = (1..=201).find(|g| !read.contains(g)).unwrap();
    let damaged = Head { g: damaged, link: before[damaged as usize - 1].link.parse().unwrap() };
    let fault = log.erase(vec![damaged]).await.unwrap_err().to_string();
    assert_said(&fault);
    assert_eq!(log.append(vec![room_proposal(by, "next")]).await.unwrap(), 203);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_damaged_while_the_log_is_open_fails_only_its_own_reads() {
    let by = AccountId::random();
    let folder = folder_of_pages(by).await;
    let pages = leaves(folder.path());
    let log = Embedded::open(folder.path()).unwrap();
    log.read(1, 1).await.unwrap();
    overwrite_page(&folder.path().join("log.sqlite"), pages[pages.len() / 2]);
    let (read, faults) = read_each(&log, 201).await;
    assert_eq!(read.len() + faults.len(), 201);
    assert!(!faults.is_empty() && read.len() > 150, "{} read", read.len());
    faults.iter().for_each(|fault| assert_said(fault));
    assert_eq!(log.append(vec![room_proposal(by, "next")]).await.unwrap(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_says_what_is_damaged() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    for n in 0..60 {
        here.post(here.owner, ClientId::random(), &format!("{n} {}", "x".repeat(600))).await;
    }
    drop(here);
    drop(crate::embedded::reopen(folder.path()).await);
    crate::support::awaited::closed(folder.path()).await;
    let file = folder.path().join("log.sqlite");
    let whole = std::fs::read(&file).unwrap();
    let pages = leaves(folder.path());
    // In the middle: it serves, since everything is folded. The start does not read the whole log; `beck verify` does.
    overwrite_page(&file, pages[pages.len() / 2]);
    let damaged = std::fs::read(&file).unwrap();
    let server = LoggedServer::start(folder.path(), "022").unwrap();
    assert_eq!(server.readyz().await.0, 200);
    server.stop();
    assert_eq!(std::fs::read(&file).unwrap().len(), damaged.len());
    let verify = std::process::Command::new(env!("CARGO_BIN_EXE_beck"))
        .arg("verify")
        .env("DATA_DIR", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verify.stdout).into_owned();
    assert_eq!(verify.status.code(), Some(1), "{said}");
    assert!(said.lines().any(|line| line.contains("fault") && line.contains("log")), "{said}");
    let put_back = || {
        for ending in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("log.sqlite{ending}")));
        }
        std::fs::write(&file, &whole).unwrap();
    };
    // Where it ends, and where SQLite says what the file is: it cannot be served.
    for page in [pages[pages.len() - 1], 1] {
        put_back();
        overwrite_page(&file, page);
        let damaged = std::fs::read(&file).unwrap();
        let fault = LoggedServer::start(folder.path(), "022").err().expect("it does not start");
        assert_said(&fault);
        assert!(!fault.contains("panicked"), "{fault}");
        assert!(std::fs::read(&file).unwrap() == damaged, "a file that cannot be read is left as it is");
    }
    // The whole file again: as if nothing had been.
    put_back();
    let server = LoggedServer::start(folder.path(), "022").unwrap();
    assert_eq!(server.readyz().await.0, 200);
}
