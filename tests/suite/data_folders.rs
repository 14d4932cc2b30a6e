//! Data folders that earlier versions left behind, in tests/data: every later version opens them and finds what is in
//! them. tests/suite/embedded.rs has the one of 0.1.0.

mod every;
mod five;

use crate::embedded::reopen;
use crate::support::{TestNode, assert_linked, read_all, set_up_of};
use beck::protocol::frame::{Answer, Draft};
use beck::protocol::{
    AccountId, ActDraft, ActValue, ClientId, Format, PageAt, Pointer, Quiet, Raise, RoomId, Row, Wanted,
};
use beck::server::hashing::Whose;
use beck::server::node::Node;
use beck::server::{accounts, rooms, threads, unread};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::tempdir;

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let name = file.file_name();
        if name != "lock" && !name.to_string_lossy().ends_with("-shm") {
            std::fs::copy(file.path(), to.join(name)).unwrap();
        }
    }
}

fn rows(node: &Node, by: AccountId, room: RoomId, lane: u64) -> Vec<Arc<Row>> {
    rooms::page(node, by, (room, lane), PageAt::Newest, 50, None).unwrap().rows
}

/// Of format 4, with all that people can do there, a state of schema 6 and a list of messages that were lost once.
#[tokio::test(flavor = "multi_thread")]
async fn the_folder_of_format_4_opens() {
    let folder = tempdir().unwrap();
    copy(&source("format-4"), folder.path());
    let lost = std::fs::read(folder.path().join("lost.jsonl")).unwrap();
    let node = reopen(folder.path()).await;
    assert_linked(&read_all(node.broker.as_ref()).await);
    let directory = node.directory();
    let id = |handle: &str| directory.by_handle(handle).unwrap().id;
    let (owner, guest) = (id("olive"), id("guest"));
    let named = |name: &str| directory.rooms_of(owner).into_iter().find(|room| room.name == name).unwrap();
    let (general, plans) = (named("General").id, named("Plans"));
    assert_eq!((plans.topic.as_str(), plans.archived), ("What comes next", true));

    let room = rows(&node, guest, general, 0);
    let texts: Vec<_> = room.iter().map(|row| row.text.as_deref()).collect();
    let expected = [Some("first, edited"), Some("second"), None, Some("@guest fourth"), Some("also here")];
    assert_eq!(texts, expected);
    assert_eq!(room[1].reactions["🌊"], [guest].into());
    let pins = rooms::pins(&node, guest, general).unwrap();
    assert_eq!(pins.iter().map(|row| row.ordinal).collect::<Vec<_>>(), [2]);
    let versions = rooms::history(&node, guest, general, room[0].id).unwrap();
    assert_eq!(
        versions.iter().map(|version| version.text.as_str()).collect::<Vec<_>>(),
        ["first", "first, edited"]
    );

    let followed = threads::threads(&node, owner, general).await.unwrap();
    assert_eq!(followed.len(), 1);
    let answers = rows(&node, guest, general, followed[0].lane);
    let answers: Vec<_> = answers.iter().map(|row| row.text.as_deref().unwrap()).collect();
    assert_eq!(answers, ["an answer", "also here"]);
    let mentions = unread::mentions(&node, guest, None).await.unwrap();
    assert_eq!(mentions.mentions.len(), 1);

    let account = directory.accounts.get(&guest).unwrap();
    assert_eq!(account.status.text, "On a boat");
    let (_, quiet) = unread::pointers(&node, guest).await.unwrap();
    assert_eq!(quiet, Quiet::new(true, 22 * 60, 7 * 60).unwrap());
    for (handle, account) in [("olive", owner), ("guest", guest)] {
        let login = node.check_password(Whose::Known, handle, "a long password").await.unwrap();
        assert_eq!(login.map(|login| login.account), Some(account));
    }
    assert_eq!(std::fs::read(folder.path().join("lost.jsonl")).unwrap(), lost);
}

async fn post(here: &TestNode, by: AccountId, thread: Option<Answer>, text: &str) -> ClientId {
    let id = ClientId::random();
    let draft =
        Draft { id, room: here.general, thread, quote: None, text: text.into(), named: Default::default() };
    rooms::post(&here.node, by, draft).await.unwrap();
    id
}

async fn act(here: &TestNode, by: AccountId, target: ClientId, slot: &str, value: ActValue) {
    let act = ActDraft {
        id: ClientId::random(),
        room: here.general,
        target,
        slot: slot.into(),
        value,
        named: Default::default(),
    };
    rooms::act(&here.node, by, act).await.unwrap();
}

/// Makes that folder: `cargo suite -- --ignored make_the_folder_of_format_4`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes tests/data; a folder that is there is never made again"]
async fn make_the_folder_of_format_4() {
    let folder = tempdir().unwrap();
    let here = set_up_of(folder.path(), Format::Four).await;
    let guest = here.member("guest").await;
    let first = post(&here, here.owner, None, "first").await;
    let second = post(&here, here.owner, None, "second").await;
    let third = post(&here, guest, None, "third").await;
    post(&here, here.owner, None, "@guest fourth").await;
    post(&here, guest, Some(Answer { to: first, also: false }), "an answer").await;
    post(&here, guest, Some(Answer { to: first, also: true }), "also here").await;
    act(&here, here.owner, first, "text", ActValue::Text("first, edited".into())).await;
    act(&here, guest, second, &format!("react:🌊:{guest}"), ActValue::On(true)).await;
    act(&here, guest, second, "pin", ActValue::On(true)).await;
    act(&here, guest, third, "deleted", ActValue::On(true)).await;
    here.node.erase(third).await.unwrap();
    let plans = rooms::create(&here.node, here.owner, "Plans", "What comes next").await.unwrap();
    rooms::archive(&here.node, here.owner, plans, true).await.unwrap();
    accounts::set_status(&here.node, guest, "On a boat", false, None).await.unwrap();
    let pointer = Pointer { generation: 1, ordinal: 3 };
    unread::raise(&here.node, guest, vec![Raise { room: here.general, lane: 0, pointer }]).await.unwrap();
    unread::want(&here.node, guest, here.general, Wanted { starred: true, ..Wanted::default() })
        .await
        .unwrap();
    unread::set_quiet(&here.node, guest, Quiet::new(true, 22 * 60, 7 * 60).unwrap()).await.unwrap();
    drop(here);
    drop(reopen(folder.path()).await);
    drop(reopen(folder.path()).await);
    std::fs::write(folder.path().join("lost.jsonl"), "{\"lost\":\"once\"}\n").unwrap();
    let target = source("format-4");
    assert!(!target.exists(), "{} is there", target.display());
    copy(folder.path(), &target);
}
