//! `beck admin`, while servers run and while they are stopped, on each backend.

use crate::backup::{entries_of, refuses, run, set};
use crate::embedded::first_version;
use crate::support::command::Running;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, TestServer};
use crate::support::{config, read_all};
use beck::protocol::frame::Role;
use beck::protocol::{ClientId, Kind, Outcome, Refusal, Token};
use beck::server::broker::Proposal;
use beck::server::broker::embedded::Embedded;
use beck::server::fold::SettingBody;
use beck::server::node::Node;
use std::sync::Arc;
use tempfile::tempdir;

fn did(words: &[&str], set: &[(String, String)]) -> String {
    let (done, said) = tokio::task::block_in_place(|| run(words, set).end());
    assert!(done, "{said}");
    said
}

/// The password in what was said.
fn password(said: &str) -> String {
    let line = said.lines().find(|line| line.contains("new password")).unwrap();
    line.split(" is ").nth(1).unwrap().to_owned()
}

async fn sign_in(server: &TestServer, handle: &str, password: &str) -> bool {
    server.form("/sign-in", "", &[("handle", handle), ("password", password)]).await.0 == 303
}

async fn helped(kind: Option<Store>) {
    let folder = tempdir().unwrap();
    let store = kind.map(RedisServer::start);
    let set = set(folder.path(), store.as_ref());
    let pairs: Vec<_> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (mut server, _) = TestServer::start_set(folder.path(), &pairs);
    let (olive, room) = server.set_up().await;
    let bo = server.sign_up(&olive, &room, "bo").await;

    let said = did(&["admin", "list"], &set);
    assert!(
        said.contains("\nbo\tbo\tmember\tyes\tGeneral\n") || said.ends_with("bo\tbo\tmember\tyes\tGeneral"),
        "{said}"
    );
    assert!(said.contains("olive\tOlive Owner\towner\tyes\tGeneral"), "{said}");
    assert!(!said.contains("argon2"));

    // While it runs: its sockets close, its logins have ended, the old password too; others stay.
    let mut client = TestClient::connect(&server, &bo).await;
    let mut other = TestClient::connect(&server, &olive).await;
    let new = password(&did(&["admin", "reset-password", "@Bo"], &set));
    assert!(new.len() > 20);
    assert!(client.close_code().await.is_some());
    assert_eq!(server.page("/rooms", &bo).await.1, "/sign-in?next=/rooms");
    assert!(!sign_in(&server, "bo", "a long password").await);
    assert!(sign_in(&server, "bo", &new).await);
    other.post(&room, &ClientId::random().to_string(), "still here").await;
    assert_eq!(other.until("ack").await["outcome"]["is"], "stored");

    let said = did(&["admin", "make-owner", "bo"], &set);
    assert!(said.contains("bo (bo) is an owner now"), "{said}");
    assert!(did(&["admin", "make-owner", "bo"], &set).contains("is an owner already"));
    assert!(did(&["admin", "list"], &set).contains("bo\tbo\towner\tyes"));
    let why = refuses(&["admin", "reset-password", "nobody"], &set);
    assert!(why.contains("nobody has the handle nobody"), "{why}");
    #[cfg(unix)]
    {
        let socket = std::fs::symlink_metadata(folder.path().join("admin.sock")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&socket) & 0o777, 0o600);
    }

    // While it is stopped.
    server.kill();
    let new = password(&did(&["admin", "reset-password", "olive"], &set));
    assert!(did(&["admin", "list"], &set).contains("olive\tOlive Owner\towner\tyes\tGeneral"));
    let entries = entries_of(folder.path(), store.as_ref()).await;
    let (mut server, _) = TestServer::start_set(folder.path(), &pairs);
    assert_eq!(server.page("/rooms", &olive).await.1, "/sign-in?next=/rooms");
    assert!(!sign_in(&server, "olive", "a long password").await);
    assert!(sign_in(&server, "olive", &new).await);
    // A folder that is copied while Beck is stopped has files only.
    let socket = folder.path().join("admin.sock");
    assert!(socket.exists());
    server.terminate();
    assert_eq!(server.wait(), Some(0));
    assert!(!socket.exists());
    let logins = entries.iter().filter(|entry| entry.header.kind == Kind::Logins).count();
    let is_role = |slot: &Token| slot.as_str() == "role";
    let roles = entries.iter().filter(|entry| entry.header.slot.as_ref().is_some_and(is_role)).count();
    assert_eq!((logins, roles), (2, 1), "the log says that they changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_a_folder_are_helped_while_beck_runs_and_while_it_is_stopped() {
    helped(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_a_redis_are_helped_while_beck_runs_and_while_it_is_stopped() {
    helped(Some(Store::Redis)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_a_valkey_are_helped_while_beck_runs_and_while_it_is_stopped() {
    helped(Some(Store::Valkey)).await;
}

/// A command on one folder, or on one of its own, reaches the sockets of every server.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_logins_on_every_server() {
    let cluster = crate::servers::Cluster::start(RedisServer::start(Store::Redis), 2);
    let (olive, room) = cluster.servers[0].set_up().await;
    cluster.servers[1].sign_up(&olive, &room, "bo").await;
    let own = tempdir().unwrap();
    for folder in [cluster.folders[0].path(), own.path()] {
        let fields = [("handle", "olive"), ("password", "a long password")];
        let (status, cookie, _) = cluster.servers[1].form("/sign-in", "", &fields).await;
        let cookie = if status == 303 { cookie } else { olive.clone() };
        let mut client = TestClient::connect(&cluster.servers[1], &cookie).await;
        let said = did(&["admin", "reset-password", "olive"], &set(folder, Some(&cluster.store)));
        assert!(client.close_code().await.is_some());
        assert_eq!(cluster.servers[1].page("/rooms", &cookie).await.1, "/sign-in?next=/rooms");
        // For the next round.
        let next = password(&said);
        let (status, cookie, _) =
            cluster.servers[1].form("/sign-in", "", &[("handle", "olive"), ("password", &next)]).await;
        assert_eq!(status, 303);
        let change = [("current", next.as_str()), ("new", "a long password")];
        assert_eq!(cluster.servers[1].form("/account/password", &cookie, &change).await.0, 303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_said_in_one_sentence() {
    let folder = tempdir().unwrap();
    let set = set(folder.path(), None);
    let why = refuses(&["admin", "list"], &set);
    assert!(why.contains("there is no log.sqlite"), "{why}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing was made");
    let why = refuses(&["admin", "remove", "bo"], &set);
    assert!(why.contains("write beck admin list"), "{why}");
    // Something that answers nothing has the folder.
    let held = Embedded::open(folder.path()).unwrap();
    let why = refuses(&["admin", "list"], &set);
    assert!(
        why.contains("in use by another Beck, which cannot be asked") && why.contains("stop it"),
        "{why}"
    );
    drop(held);
    let (done, said) = Running::start(&["--help"], &[]).end();
    assert!(done && said.contains("beck admin reset-password HANDLE"), "{said}");
}

/// An older version would not know that somebody became an owner.
#[tokio::test(flavor = "multi_thread")]
async fn owners_are_made_from_a_format_on_that_older_versions_stop_at() {
    let folder = tempdir().unwrap();
    let node = first_version(folder.path()).await;
    let new = beck::server::accounts::NewAccount { name: "Bo", handle: "bo", password: "a long password" };
    let bo = beck::server::accounts::sign_up(&node, new).await.unwrap();
    let role = |value: &str| {
        let body = SettingBody { value: value.into() };
        let proposal = Proposal::new(bo, ClientId::random(), Kind::AccountSet, &body);
        proposal.target(bo.as_str().parse().unwrap()).slot("role".parse().unwrap())
    };
    let early = node.propose(role("owner")).await.unwrap();
    assert_eq!(early, Outcome::Refused { why: Refusal::Malformed });
    let before = read_all(node.broker.as_ref()).await.len();
    let ask = beck::server::admin::Ask::MakeOwner("bo".into());
    beck::server::admin::carry_out(&node, &ask).await.unwrap();
    let written = read_all(node.broker.as_ref()).await.split_off(before);
    let kinds: Vec<_> = written.iter().map(|entry| entry.header.kind.clone()).collect();
    assert_eq!(kinds, [Kind::Format, Kind::AccountSet]);
    assert_eq!(written[0].json(), Some("4"));
    let king = node.propose(role("king")).await.unwrap();
    assert_eq!(king, Outcome::Refused { why: Refusal::Malformed });
    let directory = node.directory();
    assert_eq!(directory.by_handle("bo").unwrap().role, Role::Owner);
    drop(node);
    // Folded anew it comes to the same.
    drop(crate::support::awaited::unlocked(folder.path()).await);
    std::fs::remove_file(folder.path().join("state.sqlite")).unwrap();
    let log = Arc::new(crate::support::awaited::unlocked(folder.path()).await);
    let node = Node::start(config(folder.path()), log).await.unwrap();
    assert_eq!(*node.directory(), *directory);
}
