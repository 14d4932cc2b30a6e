//! A log that is deleted, moved away or replaced while a server has it open: nothing more is acknowledged, and the server
//! says so, until the very same files are back.
#![cfg(unix)]

use crate::doctor::{doctor, port_of, private_folder};
use crate::support::awaited::{HANG, awaited, closed, until};
use crate::support::command::refused;
use crate::support::log_reader;
use crate::support::server::{TestClient, TestServer};
use crate::support::{room_proposal, set_up};
use crate::verify::verify;
use beck::protocol::{ClientId, Pointer};
use beck::server::broker::embedded::{Embedded, Fault};
use beck::server::broker::{Broker, BrokerError, SecretOp};
use beck::server::node::{Node, Readiness};
use beck::server::readiness::{Unready, UnreadyState};
use serde_json::Value;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What becomes of the log under a server.
#[derive(Debug, Clone, Copy)]
enum Way {
    FileGone,
    WalGone,
    FolderGone,
    /// A copy of it, with all that is in it, is not the file that is open.
    Copied,
    OtherFolder,
}

const WAYS: [Way; 5] = [Way::FileGone, Way::WalGone, Way::FolderGone, Way::Copied, Way::OtherFolder];

impl Way {
    /// Moves it away; gives from where to where.
    fn go(self, data: &Path) -> (PathBuf, PathBuf) {
        let here = match self {
            Way::FileGone | Way::Copied => data.join("log.sqlite"),
            Way::WalGone => data.join("log.sqlite-wal"),
            Way::FolderGone | Way::OtherFolder => data.to_owned(),
        };
        let aside = data.with_file_name("aside");
        fs::rename(&here, &aside).unwrap();
        match self {
            Way::Copied => drop(fs::copy(&aside, &here).unwrap()),
            Way::OtherFolder => fs::create_dir(&here).unwrap(),
            _ => {}
        }
        (here, aside)
    }

    fn come_back(self, (here, aside): &(PathBuf, PathBuf)) {
        if let Way::OtherFolder = self {
            fs::remove_dir_all(here).unwrap();
        }
        fs::rename(aside, here).unwrap();
    }
}

/// Every file below, with what is in it.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(&path).unwrap())).collect();
    files.sort();
    files.retain(|(path, _)| path.file_name().unwrap().to_string_lossy().starts_with("log.sqlite"));
    files
}

fn is_gone(node: &Node) -> bool {
    matches!(node.readiness(), Readiness::Unready(Unready { state: UnreadyState::LogGone, .. }))
}

fn refused_as_gone<T>(done: Result<T, BrokerError>) -> bool {
    matches!(done, Err(BrokerError::Unready(Unready { state: UnreadyState::LogGone, .. })))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_into_a_log_that_is_gone_until_it_is_back() {
    for way in WAYS {
        let folder = private_folder();
        let data = folder.path().join("data");
        let log = Arc::new(Embedded::open(&data).unwrap());
        let here = crate::support::set_up_on(&data, log.clone()).await;
        here.post(here.owner, ClientId::random(), "before").await;
        let before = log.head().await.unwrap().unwrap();
        let moved = way.go(&data);
        let left = files(&data);

        // The first write that comes, not only one after somebody has looked.
        assert!(refused_as_gone(log.append(vec![room_proposal(here.owner, "lost")]).await), "{way:?}");
        let put = SecretOp::Put { value: "value".into(), if_version: 0, expires: None };
        assert!(refused_as_gone(log.secret("key".into(), put).await), "{way:?}");
        assert!(refused_as_gone(log.erase(vec![before]).await), "{way:?}");
        let raise = vec![("key".to_owned(), Pointer { generation: 0, ordinal: 1 })];
        assert!(refused_as_gone(log.registers(here.owner, raise).await), "{way:?}");
        assert!(refused_as_gone(log.try_append().await), "{way:?}");
        assert!(refused_as_gone(log.close().await), "{way:?}");
        // Nobody wrote by way of the node.
        until("the node says it", || is_gone(&here.node)).await;
        assert_eq!(files(&data), left, "{way:?}: nothing is made or written there");
        assert_eq!(log.head().await.unwrap(), Some(before));

        // Something of the same name does not end it.
        if let Way::FileGone | Way::WalGone = way {
            fs::copy(&moved.1, &moved.0).unwrap();
            assert!(refused_as_gone(log.append(vec![room_proposal(here.owner, "lost")]).await), "{way:?}");
            assert!(is_gone(&here.node));
        }
        way.come_back(&moved);
        until("it ends by itself", || here.node.readiness() == Readiness::Ready).await;
        here.post(here.owner, ClientId::random(), "after").await;
        let entries = here.log().await;
        assert_eq!(entries.len() as u64, before.g + 1, "{way:?}");
        let last = entries.last().unwrap().link.to_string();
        drop((here, log));
        closed(&data).await;
        let stored = log_reader::read_folder(&data);
        assert_eq!((stored.len() as u64, &stored.last().unwrap().link), (before.g + 1, &last), "{way:?}");
        log_reader::assert_whole(&stored);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_while_the_log_went_away_is_unknown_until_it_is_back() {
    let folder = private_folder();
    let data = folder.path().join("data");
    let log = Arc::new(Embedded::open(&data).unwrap());
    let here = crate::support::set_up_on(&data, log.clone()).await;
    let before = log.head().await.unwrap().unwrap();
    let proposal = room_proposal(here.owner, "meanwhile");
    log.plant(Fault::MovedAway);
    let done = log.append(vec![proposal.clone()]).await;
    assert!(matches!(done, Err(BrokerError::Unknown(_))), "{done:?}");
    assert!(!data.join("log.sqlite").exists());
    until("the node says it", || is_gone(&here.node)).await;
    fs::rename(data.join("log.aside"), data.join("log.sqlite")).unwrap();
    until("it ends by itself", || here.node.readiness() == Readiness::Ready).await;
    let entries = here.log().await;
    let times = entries.iter().filter(|entry| entry.header.client_id == proposal.client_id).count();
    assert_eq!((entries.len() as u64, times), (before.g + 1, 1));
}

async fn readyz(server: &TestServer) -> (u16, String) {
    let answer = reqwest::get(format!("{}/readyz", server.base)).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn posted(client: &mut TestClient, room: &str) -> (String, Value) {
    let id = ClientId::random().to_string();
    client.post(room, &id, "a text").await;
    let answer = async {
        loop {
            let frame = client.next().await.unwrap();
            if frame["id"] == id.as_str() && (frame["t"] == "ack" || frame["t"] == "error") {
                return frame;
            }
        }
    };
    let frame = awaited("an answer", answer).await;
    (id, frame)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_acknowledges_is_there_after_a_start_whatever_became_of_its_log_meanwhile() {
    for way in WAYS {
        let folder = private_folder();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let mut server = TestServer::start(&data);
        let (cookie, room) = server.set_up().await;
        let mut client = TestClient::connect(&server, &cookie).await;
        let (mut acked, mut failed) = (HashSet::new(), HashSet::new());
        acked.insert(posted(&mut client, &room).await.0);
        let moved = way.go(&data);
        let red = async {
            while readyz(&server).await.0 == 200 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(HANG, red).await.unwrap_or_else(|_| panic!("{way:?}: /readyz stays 200"));
        let (status, said) = readyz(&server).await;
        assert_eq!(status, 503);
        assert!(said.starts_with(UnreadyState::LogGone.sentence()), "{said}");
        let (id, frame) = posted(&mut client, &room).await;
        assert_eq!((&frame["t"], &frame["code"]), (&"error".into(), &"unavailable".into()), "{frame}");
        failed.insert(id);
        if let Way::FolderGone = way {
            let set = [("DATA_DIR", data.to_str().unwrap()), ("PORT", port_of(&server))];
            let said = doctor(&[], &set);
            assert!(said.bad.contains(&"fault folder".to_owned()), "{}", said.text);
            assert!(said.bad.contains(&"fault server".to_owned()), "{}", said.text);
            assert!(!said.text.contains("the first start makes it"), "{}", said.text);
            assert!(!said.text.contains("it is ready at"), "{}", said.text);
        }
        way.come_back(&moved);
        let green = async {
            while readyz(&server).await.0 != 200 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        awaited("/readyz is green", green).await;
        let (id, frame) = posted(&mut client, &room).await;
        assert_eq!(frame["t"], "ack", "{frame}");
        acked.insert(id);
        server.kill();
        log_reader::assert_holds(&log_reader::read_folder(&data), acked.iter(), &failed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_doctor_and_verify_say_the_same_of_a_used_folder_without_a_log() {
    let folder = private_folder();
    let data = folder.path().join("data");
    drop(set_up(&data).await);
    closed(&data).await;
    fs::remove_file(data.join("log.sqlite")).unwrap();
    let sentence = UnreadyState::LogGone.sentence();
    let set = [("DATA_DIR", data.to_str().unwrap()), ("PORT", "0")];
    let agree = |state: &str| {
        let said = doctor(&[], &set);
        assert!(said.bad.contains(&"fault log".to_owned()), "{state}: {}", said.text);
        assert!(said.text.contains(sentence), "{state}: {}", said.text);
        verify(&[], &set).first("log", sentence);
    };
    agree("no file");
    let said = tokio::task::block_in_place(|| refused(&["serve"], &set));
    assert!(said.contains(sentence), "{said}");
    assert!(!data.join("log.sqlite").exists(), "a start that is refused makes none");
    agree("after a start");
    // As an earlier version left it.
    drop(Embedded::open(&data).unwrap());
    agree("an empty log");
    // Without the workspace's name its state tells the same.
    fs::remove_file(data.join("workspace")).unwrap();
    agree("no name");
    let said = tokio::task::block_in_place(|| refused(&["serve"], &set));
    assert!(said.contains(sentence), "{said}");
    // Nowhere at all: what to do is said too.
    let nowhere = folder.path().join("nowhere");
    verify(&[], &[("DATA_DIR", nowhere.to_str().unwrap())]).first("log", "put it back");
}
