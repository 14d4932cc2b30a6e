//! Accounts and rooms in a log of format 5: what servers write, and operations that one server begins and another one
//! finishes.

use crate::support::backend::{Backend, on_backend};
use crate::support::{config, read_all};
use beck::protocol::frame::Role;
use beck::protocol::{AccountId, Change, ClientId, Format, Kind, Outcome, OwnStatus, Refusal, RoomId};
use beck::server::accounts::{self, NewAccount};
use beck::server::admin::{Ask, carry_out};
use beck::server::broker::{Content, Entry, Proposal, SharedBroker};
use beck::server::error::AppError;
use beck::server::hashing::Whose;
use beck::server::node::Node;
use beck::server::rooms;
use beck::server::steps::step;
use std::path::Path;
use std::sync::Arc;
use tempfile::tempdir;

const PASSWORD: &str = "a long password";

async fn node(folder: &Path, log: SharedBroker) -> Arc<Node> {
    let mut config = config(folder);
    config.newest_format = Format::Five;
    Node::start(config, log).await.unwrap()
}

fn new<'a>(name: &'a str, handle: &'a str) -> NewAccount<'a> {
    NewAccount { name, handle, password: PASSWORD }
}

/// A workspace of format 5 with its owner, on a server and its log.
async fn set_up(backend: &Backend) -> (Arc<Node>, SharedBroker, AccountId, RoomId) {
    let log = backend.log().await;
    let node = node(backend.folder(), log.clone()).await;
    let (olive, general) = accounts::set_up(&node, "Test Place", new("Olive Owner", "olive")).await.unwrap();
    (node, log, olive, general)
}

/// Author, room, kind, target, slot and the body without its salt.
fn line(entry: &Entry) -> String {
    let rest = entry.header.rest();
    let words: Vec<_> = rest.split(' ').collect();
    let [author, _, room, kind, target, slot, _] = words[..] else { panic!("{rest}") };
    let body = entry.body.as_deref().unwrap();
    let salt = body.find(|c: char| !c.is_ascii_hexdigit()).unwrap();
    format!("{author} {room} {kind} {target} {slot} {}", &body[salt..])
}

async fn lines(log: &SharedBroker, after: usize) -> Vec<String> {
    read_all(log.as_ref()).await.iter().skip(after).map(line).collect()
}

fn operator(node: &Node) -> AccountId {
    node.epoch().unwrap().operator()
}

async fn the_first_run_is_written_by_the_operator(backend: &Backend) {
    let (node, log, olive, general) = set_up(backend).await;
    let (workspace, by) = (node.epoch().unwrap(), operator(&node));
    assert_eq!(
        lines(&log, 0).await,
        [
            format!(r#"{by} - workspace - - {{"id":"{workspace}","name":"Test Place","format":5}}"#),
            format!(r#"{by} - account {olive} - {{"handle":"olive","role":"owner"}}"#),
            format!("{by} - account.set {olive} name {{\"value\":\"Olive Owner\"}}\n{{}}"),
            format!(r#"{olive} {general} room - - {{"kind":"open","name":"General","key":"general"}}"#),
            format!(
                "{olive} {general} room.set - topic {{\"value\":\"Everything that is for all of us\"}}\n{{}}"
            ),
        ]
    );
    let entries = read_all(log.as_ref()).await;
    let ids: Vec<_> = entries.iter().map(|entry| entry.header.client_id).collect();
    assert_eq!((ids[1], ids[2]), (step(ids[0], 1), step(ids[1], 1)));
    let directory = node.directory();
    let account = &directory.accounts[&olive];
    assert_eq!((account.name.as_str(), account.role), ("Olive Owner", Role::Owner));
    let room = &directory.rooms[&general];
    assert_eq!((room.name.as_str(), room.topic.as_str()), ("General", "Everything that is for all of us"));
    assert!(room.members.contains(&olive) && !accounts::needs_setup(&node));
}

async fn of_two_first_runs_at_once_one_makes_the_owner(backend: &Backend) {
    let beside = tempdir().unwrap();
    let log = backend.log().await;
    let first = node(backend.folder(), log.clone()).await;
    let second = node(beside.path(), backend.log_beside(&log).await).await;
    let (one, two) = tokio::join!(
        accounts::set_up(&first, "Test Place", new("Olive", "olive")),
        accounts::set_up(&second, "Test Place", new("Paul", "paul"))
    );
    let (node, refused, handle) = match (one, two) {
        (Ok(_), Err(refused)) => (first, refused, "paul"),
        (Err(refused), Ok(_)) => (second, refused, "olive"),
        both => panic!("{both:?}"),
    };
    assert!(matches!(refused, AppError::Forbidden(_)), "{refused:?}");
    let directory = node.directory();
    assert_eq!(directory.accounts.len(), 1);
    assert!(directory.has_owner() && directory.by_handle(handle).is_none());
}

async fn a_sign_up_is_an_account_its_name_and_its_rooms(backend: &Backend) {
    let (node, log, _, general) = set_up(backend).await;
    let bo = accounts::sign_up(&node, new("Bø", "bo")).await.unwrap();
    assert_eq!(
        lines(&log, 5).await,
        [
            format!(r#"{bo} - account {bo} - {{"handle":"bo","rooms":["{general}"]}}"#),
            format!("{bo} - account.set {bo} name {{\"value\":\"Bø\"}}\n{{}}"),
            format!("{bo} {general} join {bo} - null"),
        ]
    );
    let entries = read_all(log.as_ref()).await;
    let ids: Vec<_> = entries.iter().map(|entry| entry.header.client_id).collect();
    assert_eq!((ids[6], ids[7]), (step(ids[5], 1), step(ids[5], 2)));
    assert_eq!(
        entries[6].body.as_ref().unwrap().find('{'),
        Some(32),
        "128 random bits before an erasable body"
    );
    let directory = node.directory();
    assert_eq!(directory.accounts[&bo].name, "Bø");
    assert!(directory.rooms[&general].members.contains(&bo));
    assert_eq!(node.state.joins_to_come(0).unwrap(), []);
    // A handle that is taken leaves nothing.
    let taken = accounts::sign_up(&node, new("Another", "bo")).await;
    assert!(matches!(taken, Err(AppError::HandleTaken)), "{taken:?}");
    assert_eq!(lines(&log, 8).await.len(), 1);
    let short = accounts::sign_up(&node, new("乙", "yi")).await.unwrap();
    assert_eq!(node.directory().accounts[&short].name, "乙");
}

/// The first entry of a sign-up, by a server that stops after it.
async fn begin_sign_up(node: &Arc<Node>, handle: &str, rooms: Vec<RoomId>) -> (AccountId, ClientId) {
    let (account, id) = (AccountId::random(), ClientId::random());
    node.set_password(account, PASSWORD).await.unwrap();
    let handle = handle.to_owned();
    let change = Change::Account { id: account, handle, owner: false, rooms, invitation: None, name: None };
    let proposal = Proposal::of(Format::Five, account, id, &change, Content::None).unwrap();
    let outcome = node.propose(proposal).await.unwrap();
    assert!(matches!(outcome, Outcome::Stored { .. }), "{outcome:?}");
    (account, id)
}

async fn another_server_finishes_a_sign_up(backend: &Backend) {
    let beside = tempdir().unwrap();
    let (first, log, olive, general) = set_up(backend).await;
    let ops = rooms::create(&first, olive, "Ops", "").await.unwrap();
    let (bo, id) = begin_sign_up(&first, "bo", vec![general, ops]).await;
    let (cy, of_cy) = begin_sign_up(&first, "cy", vec![general]).await;
    let begun = lines(&log, 0).await.len();
    let second = node(beside.path(), backend.log_beside(&log).await).await;
    second.read_whole_log().await.unwrap();
    drop(first);

    // At a sign-in, for this account alone.
    accounts::sign_in(&second, Whose::Known, "bo", PASSWORD).await.unwrap();
    let joins = [format!("{bo} {general} join {bo} - null"), format!("{bo} {ops} join {bo} - null")];
    assert_eq!(lines(&log, begun).await, joins);
    let entries = read_all(log.as_ref()).await;
    let ids: Vec<_> = entries[begun..].iter().map(|entry| entry.header.client_id).collect();
    assert_eq!(ids, [step(id, 2), step(id, 3)]);
    // Nobody but the first has the name.
    assert_eq!(second.directory().accounts[&bo].name, "bo");
    assert!(second.directory().rooms[&ops].members.contains(&bo));
    // Every hour, for all.
    second.finish_sign_ups(None).await.unwrap();
    assert_eq!(lines(&log, begun + 2).await, [format!("{cy} {general} join {cy} - null")]);
    assert_eq!(read_all(log.as_ref()).await[begun + 2].header.client_id, step(of_cy, 2));
    // There is nothing left to do, also for a server that folds the log anew.
    second.finish_sign_ups(None).await.unwrap();
    accounts::sign_in(&second, Whose::Known, "cy", PASSWORD).await.unwrap();
    let anew = tempdir().unwrap();
    let third = node(anew.path(), backend.log_beside(&log).await).await;
    third.read_whole_log().await.unwrap();
    third.finish_sign_ups(None).await.unwrap();
    assert_eq!(lines(&log, begun + 3).await.len(), 0);
}

async fn a_join_of_a_sign_up_is_not_proposed_again(backend: &Backend) {
    let (node, log, olive, general) = set_up(backend).await;
    let ops = rooms::create(&node, olive, "Ops", "").await.unwrap();
    let missing = RoomId::random();
    let (bo, id) = begin_sign_up(&node, "bo", vec![missing, general, ops]).await;
    let at = read_all(log.as_ref()).await.last().unwrap().header.at;
    assert_eq!(node.state.joins_to_come(at - 1).unwrap().len(), 3);
    // A day after the first entry nobody proposes it any more.
    assert_eq!(node.state.joins_to_come(at).unwrap(), []);
    // Of a room that the account has joined by itself, and of one that it has left since.
    rooms::join(&node, bo, general).await.unwrap();
    rooms::leave(&node, bo, general).await.unwrap();
    assert!(rooms::invite(&node, olive, ops, bo).await.unwrap());
    let begun = lines(&log, 0).await.len();
    // The log refuses the one that is left.
    node.finish_sign_ups(Some(bo)).await.unwrap();
    assert_eq!(lines(&log, begun).await, [format!("{bo} {missing} join {bo} - null")]);
    let known = node.state.draft(step(id, 2)).unwrap().unwrap();
    assert_eq!(known.outcome, Outcome::Refused { why: Refusal::NotFound });
    node.finish_sign_ups(None).await.unwrap();
    assert_eq!(lines(&log, begun).await.len(), 1);
    assert!(!node.directory().rooms[&general].members.contains(&bo));
    assert_eq!(node.state.joins_to_come(0).unwrap(), []);
}

async fn the_administrator_acts_as_the_operator(backend: &Backend) {
    let (node, log, olive, _) = set_up(backend).await;
    let bo = accounts::sign_up(&node, new("Bo", "bo")).await.unwrap();
    let by = operator(&node);
    let before = lines(&log, 0).await.len();
    carry_out(&node, &Ask::MakeOwner("bo".into())).await.unwrap();
    carry_out(&node, &Ask::ResetPassword("bo".into())).await.unwrap();
    assert_eq!(
        lines(&log, before).await,
        [
            format!(r#"{by} - account.set {bo} role {{"value":"owner"}}"#),
            format!("{by} - logins {bo} - null"),
        ]
    );
    assert_eq!(node.directory().accounts[&bo].role, Role::Owner);
    // Oneself signs out under one's own name.
    node.sign_out_everywhere(olive).await.unwrap();
    assert_eq!(lines(&log, before + 2).await, [format!("{olive} - logins {olive} - null")]);
}

async fn names_of_rooms_have_keys_and_do_not_look_the_same(backend: &Backend) {
    let (node, log, olive, _) = set_up(backend).await;
    let before = lines(&log, 0).await.len();
    let ops = rooms::create(&node, olive, "  Grüße  Alle ", "").await.unwrap();
    let made = r#"{"kind":"open","name":"Grüße Alle","key":"grüße alle"}"#;
    assert_eq!(lines(&log, before).await, [format!("{olive} {ops} room - - {made}")]);
    for name in [
        "GRÜSSE ALLE".to_lowercase().as_str(),
        "grüße alle",
        "ＧＲÜßE Alle",
        "Grüße\u{a0}ALLE",
        "Grüße Аlle",
        "Grüße AIIe",
    ] {
        let same = rooms::create(&node, olive, name, "").await;
        let other = name.contains("ss");
        assert_eq!(
            matches!(&same, Err(AppError::RoomNameTaken(of)) if of == "Grüße Alle"),
            !other,
            "{name} {same:?}"
        );
    }
    let one = rooms::create(&node, olive, "x", "").await.unwrap();
    // What is archived leaves its name, and finds it taken when it comes back.
    rooms::archive(&node, olive, one, true).await.unwrap();
    let two = rooms::create(&node, olive, "X", "").await.unwrap();
    let back = rooms::archive(&node, olive, one, false).await;
    assert!(matches!(back, Err(AppError::NameTaken)), "{back:?}");
    rooms::archive(&node, olive, two, true).await.unwrap();
    rooms::archive(&node, olive, one, false).await.unwrap();
    assert!(!node.directory().rooms[&one].archived);
}

async fn topics_and_statuses_have_two_parts(backend: &Backend) {
    let (node, log, olive, general) = set_up(backend).await;
    let before = lines(&log, 0).await.len();
    rooms::set_topic(&node, olive, general, "Plans \"and\" news").await.unwrap();
    assert_eq!(node.directory().rooms[&general].topic, "Plans \"and\" news");
    rooms::set_topic(&node, olive, general, "").await.unwrap();
    assert_eq!(node.directory().rooms[&general].topic, "");
    accounts::set_status(&node, olive, "Lunch", true, None).await.unwrap();
    let status = OwnStatus { text: "Lunch".into(), do_not_disturb: true, until: None };
    assert_eq!(node.directory().accounts[&olive].status, status);
    accounts::set_status(&node, olive, "", false, None).await.unwrap();
    assert_eq!(node.directory().accounts[&olive].status, OwnStatus::default());
    assert_eq!(
        lines(&log, before).await,
        [
            format!("{olive} {general} room.set - topic {{\"value\":\"Plans \\\"and\\\" news\"}}\n{{}}"),
            format!("{olive} {general} room.set - topic {{\"value\":null}}\n{{}}"),
            format!(
                "{olive} - account.set {olive} status {{\"value\":{{\"text\":\"Lunch\",\"do_not_disturb\":true}}}}\n{{}}"
            ),
            format!("{olive} - account.set {olive} status {{\"value\":null}}\n{{}}"),
        ]
    );
    // The topic of an archived room stays, before the proposal and in the log.
    rooms::archive(&node, olive, general, true).await.unwrap();
    let archived = rooms::set_topic(&node, olive, general, "New").await;
    assert!(matches!(archived, Err(AppError::Refused(Refusal::Archived))), "{archived:?}");
    let change = Change::SetTopic { room: general };
    let proposal =
        Proposal::of(Format::Five, olive, ClientId::random(), &change, Content::value(Some("New"))).unwrap();
    let outcome = node.propose(proposal).await.unwrap();
    assert_eq!(outcome, Outcome::Refused { why: Refusal::Archived });
    assert!(read_all(log.as_ref()).await.iter().all(|entry| entry.header.kind != Kind::Format));
}

macro_rules! on_a_folder_and_a_store {
    ($($name:ident)*) => {
        on_backend! { embedded { $($name)* } }
        on_backend! { redis { $($name)* } }
    };
}

on_a_folder_and_a_store! {
    the_first_run_is_written_by_the_operator
    of_two_first_runs_at_once_one_makes_the_owner
    a_sign_up_is_an_account_its_name_and_its_rooms
    another_server_finishes_a_sign_up
    a_join_of_a_sign_up_is_not_proposed_again
    the_administrator_acts_as_the_operator
    names_of_rooms_have_keys_and_do_not_look_the_same
    topics_and_statuses_have_two_parts
}
