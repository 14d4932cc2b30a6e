//! A clean stop leaves the whole log in log.sqlite alone; before it, a part of it is in log.sqlite-wal.
#![cfg(unix)]

use crate::doctor::{doctor, private_folder};
use crate::support::awaited::awaited;
use crate::support::log_reader;
use crate::support::server::{TestClient, TestServer};
use crate::verify::verify;
use beck::protocol::ClientId;
use std::collections::HashSet;
use std::fs;

/// Several, with sockets that are open and posts that go on while it stops.
#[tokio::test(flavor = "multi_thread")]
async fn log_sqlite_alone_holds_everything_after_a_clean_stop() {
    let (folder, aside) = (private_folder(), private_folder());
    let mut acked: HashSet<String> = HashSet::new();
    for round in 0..3 {
        let mut server = TestServer::start(folder.path());
        let (cookie, room) = match round {
            0 => server.set_up().await,
            _ => {
                let form = [("handle", "olive"), ("password", "a long password")];
                let (status, cookie, _) = server.form("/sign-in", "", &form).await;
                assert_eq!(status, 303);
                let (_, location, _) = server.page("/", &cookie).await;
                (cookie, location.rsplit('/').next().unwrap().to_owned())
            }
        };
        let mut client = TestClient::connect(&server, &cookie).await;
        for n in 0..20 {
            let id = ClientId::random().to_string();
            client.post(&room, &id, &format!("round {round} text {n}")).await;
            let ack = awaited("an answer", client.until("ack")).await;
            assert_eq!(ack["id"], id.as_str());
            acked.insert(id);
        }
        server.terminate();
        assert_eq!(server.wait(), Some(0));
        let wal = fs::metadata(folder.path().join("log.sqlite-wal")).map_or(0, |wal| wal.len());
        assert_eq!(wal, 0, "round {round}");
        fs::copy(folder.path().join("log.sqlite"), aside.path().join("log.sqlite")).unwrap();
        let alone = log_reader::read_folder(aside.path());
        log_reader::assert_whole(&alone);
        log_reader::assert_holds(&alone, acked.iter(), &HashSet::new());
    }
    assert_eq!(acked.len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_its_wal_is_said_with_what_is_missing() {
    let (folder, aside) = (private_folder(), private_folder());
    let mut server = TestServer::start(folder.path());
    let (_, _) = server.set_up().await;
    server.kill();
    let copy = aside.path().join("log.sqlite");
    fs::copy(folder.path().join("log.sqlite"), &copy).unwrap();
    let set = [("DATA_DIR", aside.path().to_str().unwrap()), ("PORT", "0")];
    for words in ["log.sqlite-wal", "must lie beside it", "beck restore"] {
        verify(&[], &set).first("log", words);
    }
    let said = doctor(&[], &set);
    assert!(said.bad.contains(&"fault log".to_owned()), "{}", said.text);
    assert!(said.text.contains("log.sqlite-wal"), "{}", said.text);
    // It was right.
    for ending in ["-wal", "-shm"] {
        let name = format!("log.sqlite{ending}");
        let _ = fs::remove_file(aside.path().join(&name));
        let _ = fs::copy(folder.path().join(&name), aside.path().join(&name));
    }
    verify(&[], &set).well(&["log"]);
}
