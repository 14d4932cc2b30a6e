//! `beck admin delete`, while servers run and while they are stopped, on each backend.

use crate::backup::{entries_of, refuses, run, set};
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, TestServer};
use beck::protocol::{ClientId, Kind};
use beck::server::broker::Entry;
use serde_json::json;
use std::io::Write as _;
use std::process::{Command, Stdio};
use tempfile::tempdir;

/// A word of every text that is deleted here.
const SECRET: &str = "hemlock";
/// The texts of the message that is deleted first, before and after its edit.
const TEXTS: [&str; 2] = ["hemlock, first text", "hemlock, second text\nand its second line"];

fn in_format(mut set: Vec<(String, String)>, format: &str) -> Vec<(String, String)> {
    set.push(("BECK_NEWEST_FORMAT".into(), format.into()));
    set
}

/// Runs `beck admin delete` and answers its question; gives whether it went well, and all that it said.
fn answered(message: &str, set: &[(String, String)], answer: &str) -> (bool, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_beck"))
        .args(["admin", "delete", message])
        .env_clear()
        .env("LOG", "off")
        .envs(set.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended before it asks.
    let _ = child.stdin.take().unwrap().write_all(answer.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.success(), said.concat())
}

/// Posts a message and gives its ordinal and its seq.
async fn post(client: &mut TestClient, room: &str, id: &str, text: &str, to: Option<&str>) -> (u64, u64) {
    let thread = to.map(|to| json!({ "to": to, "also": false }));
    client.send(json!({ "t": "post", "id": id, "room": room, "text": text, "thread": thread })).await;
    let outcome = &client.until("ack").await["outcome"];
    (outcome["ordinal"].as_u64().unwrap(), outcome["seq"].as_u64().unwrap())
}

fn holding(entries: &[Entry], text: &str) -> usize {
    entries.iter().filter(|entry| entry.body.as_ref().is_some_and(|body| body.contains(text))).count()
}

async fn deletes(kind: Option<Store>) {
    let folder = tempdir().unwrap();
    let store = kind.map(RedisServer::start);
    let set = in_format(set(folder.path(), store.as_ref()), "5");
    let pairs: Vec<_> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (mut server, _) = TestServer::start_set(folder.path(), &pairs);
    let (olive, room) = server.set_up().await;
    let bo = server.sign_up(&olive, &room, "bo").await;
    let mut client = TestClient::connect(&server, &bo).await;
    client.send(json!({ "t": "subscribe", "room": room })).await;
    client.until("subscribed").await;
    let ids = [(); 3].map(|()| ClientId::random().to_string());
    let (ordinal, lane) = post(&mut client, &room, &ids[0], TEXTS[0], None).await;
    let edit = json!({ "t": "act", "id": ClientId::random(), "room": room, "target": ids[0], "slot": "text", "value": TEXTS[1] });
    client.send(edit).await;
    assert_eq!(client.until("ack").await["outcome"]["is"], "stored");
    let (reply, _) = post(&mut client, &room, &ids[1], "hemlock in a reply", Some(&ids[0])).await;
    post(&mut client, &room, &ids[2], "hemlock that stays", None).await;
    let link = format!("https://chat.example.org/r/{room}/{ordinal}?from=copy#there");

    // It shows what would be deleted, and deletes nothing without a yes.
    let (done, said) = tokio::task::block_in_place(|| answered(&link, &set, "no\n"));
    assert!(!done && said.contains("beck: nothing was deleted."), "{said}");
    let shown =
        ["Author:  bo (bo)", "Room:    General", "Time:    20", "Edited:  20", "the earlier texts go too"];
    for line in shown.into_iter().chain(["  hemlock, second text\n  and its second line\n"]) {
        assert!(said.contains(line), "{line} is not in: {said}");
    }
    assert!(said.contains("Delete this for everybody, for ever?") && !said.contains("first text"), "{said}");
    let (done, said) = tokio::task::block_in_place(|| answered(&link, &set, ""));
    assert!(!done && said.contains("nothing was deleted"), "a closed input is no yes: {said}");

    // While the server runs: whoever looks on is told, and both texts go.
    let (done, said) = tokio::task::block_in_place(|| answered(&link, &set, "yes\n"));
    assert!(done && said.contains("cannot be restored. Its texts are erased."), "{said}");
    assert!(said.contains("Not reached: backups and exports that exist, devices"), "{said}");
    loop {
        let event = client.until("event").await;
        if event["event"]["header"]["kind"] == "erase" {
            assert_eq!(event["event"]["erased"], json!([ids[0]]));
            break;
        }
    }
    let (_, _, page) = server.page(&format!("/r/{room}"), &bo).await;
    assert!(!page.contains("second text") && page.contains("hemlock that stays"));
    let restore = json!({ "t": "act", "id": ClientId::random(), "room": room, "target": ids[0], "slot": "deleted", "value": false });
    client.send(restore).await;
    let no = client.until("error").await;
    assert_eq!(no["message"], "Deleted by the administrator. It can't be restored.");
    let refused =
        |message: &str| tokio::task::block_in_place(|| refuses(&["admin", "delete", message, "--yes"], &set));
    let why = refused(&ids[0]);
    assert!(why.contains("its texts are erased: nothing is left to delete"), "{why}");
    assert!(refused(&format!("/r/{room}/99")).contains("there is no such message"));
    assert!(refused(&ClientId::random().to_string()).contains("there is no such message"));
    assert!(refused("hemlock").contains("write the link or the id of a message"));

    // While it is stopped, and without a question.
    server.kill();
    let words = ["admin", "delete", "--yes", &format!("/r/{room}/thread/{lane}/{reply}")];
    let (done, said) = tokio::task::block_in_place(|| run(&words, &set).end());
    assert!(done && said.contains("  hemlock in a reply"), "{said}");
    let entries = entries_of(folder.path(), store.as_ref()).await;
    assert_eq!(holding(&entries, SECRET), 1, "what was not deleted stands");
    assert_eq!(holding(&entries, "hemlock that stays"), 1);
    let erasures = entries.iter().filter(|entry| entry.header.kind == Kind::Erase);
    for entry in erasures.clone() {
        assert!(entry.body.as_ref().unwrap().contains("\"reason\":\"operator\""), "{:?}", entry.body);
    }
    assert_eq!(erasures.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_folder_is_deleted_for_ever_by_the_administrator() {
    deletes(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_redis_is_deleted_for_ever_by_the_administrator() {
    deletes(Some(Store::Redis)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_valkey_is_deleted_for_ever_by_the_administrator() {
    deletes(Some(Store::Valkey)).await;
}

/// What somebody else deleted can be restored, until the administrator deletes it too.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_deleted_already_can_be_deleted_for_ever() {
    let folder = tempdir().unwrap();
    let set = in_format(set(folder.path(), None), "5");
    let pairs: Vec<_> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (mut server, _) = TestServer::start_set(folder.path(), &pairs);
    let (olive, room) = server.set_up().await;
    let mut client = TestClient::connect(&server, &olive).await;
    let id = ClientId::random().to_string();
    post(&mut client, &room, &id, TEXTS[0], None).await;
    let deletion = json!({ "t": "act", "id": ClientId::random(), "room": room, "target": id, "slot": "deleted", "value": true });
    client.send(deletion).await;
    assert_eq!(client.until("ack").await["outcome"]["is"], "stored");
    let (done, said) = tokio::task::block_in_place(|| run(&["admin", "delete", &id, "--yes"], &set).end());
    assert!(
        done && said.contains("by Olive Owner (olive)") && said.contains("  hemlock, first text"),
        "{said}"
    );
    server.kill();
    assert_eq!(holding(&entries_of(folder.path(), None).await, SECRET), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_log_of_an_earlier_format_the_administrator_deletes_nothing_and_is_told_why() {
    let folder = tempdir().unwrap();
    let set = in_format(set(folder.path(), None), "4");
    let pairs: Vec<_> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (mut server, _) = TestServer::start_set(folder.path(), &pairs);
    let (olive, room) = server.set_up().await;
    let mut client = TestClient::connect(&server, &olive).await;
    let id = ClientId::random().to_string();
    let (ordinal, _) = post(&mut client, &room, &id, TEXTS[0], None).await;
    for message in [id.clone(), format!("/r/{room}/{ordinal}"), format!("/r/{room}/99")] {
        let why = tokio::task::block_in_place(|| refuses(&["admin", "delete", &message, "--yes"], &set));
        assert!(why.contains("the log has format 4") && why.contains("beck format says how"), "{why}");
        assert!(!why.contains(SECRET), "{why}");
    }
    server.kill();
    assert_eq!(holding(&entries_of(folder.path(), None).await, SECRET), 1);
}
