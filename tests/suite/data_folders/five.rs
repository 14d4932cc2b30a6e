//! Two folders of format 5, made by servers with real use: one that began in it, and one that began in format 4 and rose.
//! What was erased there began with "gone: ".

use super::{act, copy, post, rows, source};
use crate::conformance::files_hold;
use crate::corpus::{self, entries_of};
use crate::embedded::reopen;
use crate::support::awaited::{closed, unlocked};
use crate::support::erasing::delete_by_operator;
use crate::support::{TestNode, assert_linked, config, config_of, message, read_all, set_up_with};
use beck::protocol::change::AccountSetting;
use beck::protocol::frame::{Answer, Role};
use beck::protocol::stored::MessageDraft;
use beck::protocol::{
    AccountId, ActBody, ActValue, Added, Change, ClientId, Format, Kind, Outcome, Pointer, Quiet, Raise,
    Wanted,
};
use beck::server::admin::{Ask, carry_out};
use beck::server::broker::embedded::{Embedded, earlier_log_file};
use beck::server::broker::{Content, Proposal, SharedBroker};
use beck::server::hashing::Whose;
use beck::server::node::Node;
use beck::server::{accounts, now_ms, rooms, threads, unread};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::tempdir;

const FOLDERS: [(&str, bool); 2] = [("format-5", false), ("format-5-risen", true)];
/// The room General after what people do there in a log of any format, and what they do in format 5 alone.
const LIVED: [Option<&str>; 6] =
    [Some("first, edited"), Some("second @guest @room"), None, Some("fourth"), Some("also here"), None];
const FIVE_ALONE: [Option<&str>; 3] = [Some("imported for guest"), None, None];

#[tokio::test(flavor = "multi_thread")]
async fn the_folders_of_format_5_open() {
    for (name, risen) in FOLDERS {
        let folder = tempdir().unwrap();
        copy(&source(name), folder.path());
        assert!(!files_hold(folder.path(), "gone: "), "{name}");
        assert_eq!(folder.path().join(earlier_log_file(Format::Five)).exists(), risen, "{name}");
        let node = reopen(folder.path()).await;
        let entries = read_all(node.broker.as_ref()).await;
        assert_linked(&entries);
        let recorded = entries_of(&format!("{}-served{}", &name[..8], &name[8..]));
        for (entry, recorded) in entries.iter().zip(&recorded) {
            assert_eq!(entry, recorded, "{name}");
        }
        assert_eq!(entries.len(), recorded.len(), "{name}");
        let directory = node.directory();
        assert_eq!(directory.format(), Format::Five);
        assert_eq!(directory.workspace.as_ref().unwrap().name, "Test Place Two");
        let account = |handle: &str| directory.by_handle(handle).unwrap().clone();
        let (owner, guest, cid) = (account("olive"), account("guest"), account("cid"));
        assert_eq!((guest.name.as_str(), guest.status.text.as_str()), ("Guest Person", "On a boat"));
        assert_eq!((owner.role, guest.role, cid.role), (Role::Owner, Role::Member, Role::Owner));
        let named =
            |name: &str| directory.rooms_of(owner.id).into_iter().find(|room| room.name == name).unwrap();
        let (general, plans) = (named("General").id, named("Plans"));
        assert_eq!((plans.topic.as_str(), plans.archived), ("What comes next", true));

        let room = rows(&node, guest.id, general, 0);
        let texts: Vec<_> = room.iter().map(|row| row.text.as_deref()).collect();
        let lived = if risen { LIVED.repeat(2) } else { LIVED.to_vec() };
        assert_eq!(texts, [&lived[..], &FIVE_ALONE, &[Some("a message of today")]].concat(), "{name}");
        let imported = &room[lived.len()];
        assert!(imported.imported && imported.author == guest.id && imported.said == Some(1_700_000_000_000));
        assert_eq!(room[1].reactions["🌊"], [guest.id].into());
        let pins = rooms::pins(&node, guest.id, general).unwrap();
        let pinned: Vec<_> = pins.iter().map(|row| row.text.as_deref()).collect();
        assert_eq!(pinned, vec![Some("second @guest @room"); 1 + usize::from(risen)]);
        // Earlier texts are erased.
        let versions = rooms::history(&node, guest.id, general, room[0].id).unwrap();
        let versions: Vec<_> = versions.iter().map(|version| version.text.as_str()).collect();
        assert_eq!(versions, ["first, edited"]);
        let followed = threads::threads(&node, owner.id, general).await.unwrap();
        assert_eq!(followed.len(), 1 + usize::from(risen));
        let answers = rows(&node, guest.id, general, followed[0].lane);
        let answers: Vec<_> = answers.iter().map(|row| row.text.as_deref().unwrap()).collect();
        assert_eq!(answers, ["an answer", "also here"]);
        let mentions = unread::mentions(&node, guest.id, None).await.unwrap();
        assert_eq!(mentions.mentions.len(), 1 + usize::from(risen));
        let (_, quiet) = unread::pointers(&node, guest.id).await.unwrap();
        assert_eq!(quiet, Quiet::new(true, 22 * 60, 7 * 60).unwrap());
        for (handle, account) in [("olive", owner.id), ("guest", guest.id)] {
            let login = node.check_password(Whose::Known, handle, "a long password").await.unwrap();
            assert_eq!(login.map(|login| login.account), Some(account));
        }
        // Nothing is due, and what was erased stays so after a look through the log.
        assert_eq!(node.erase_due(now_ms()).await, Ok(0));
        node.wait_removed().await;
        assert_eq!(read_all(node.broker.as_ref()).await, entries);
    }
}

/// What people do in a log of any format.
async fn live(here: &TestNode, guest: AccountId) {
    let (node, owner) = (&here.node, here.owner);
    let format = node.directory().format();
    let first = post(here, owner, None, "gone: first").await;
    act(here, owner, first, "text", ActValue::Text("first, edited".into())).await;
    let second = post(here, owner, None, "second @guest @room").await;
    act(here, guest, second, &format!("react:🌊:{guest}"), ActValue::On(true)).await;
    act(here, guest, second, "pin", ActValue::On(true)).await;
    let third = post(here, guest, None, "gone: third").await;
    act(here, guest, third, "deleted", ActValue::On(true)).await;
    let fourth = post(here, owner, None, "fourth").await;
    act(here, owner, fourth, "deleted", ActValue::On(true)).await;
    // Not by a use case: by the clock of this server it is too late.
    let restored = ActValue::Restored { restored: "fourth".into() };
    let value = if format >= Format::Five { ActValue::On(false) } else { restored };
    let restore = Proposal::new(owner, ClientId::random(), Kind::Act, &ActBody { value }).room(here.general);
    let restore = restore.target(fourth.to_string().parse().unwrap()).slot("deleted".parse().unwrap());
    let outcome = node.propose(restore).await.unwrap();
    assert!(matches!(outcome, Outcome::Stored { .. }), "{outcome:?}");
    post(here, guest, Some(Answer { to: first, also: false }), "an answer").await;
    post(here, guest, Some(Answer { to: first, also: true }), "also here").await;
    let removed = post(here, guest, None, "gone: removed by the owner").await;
    act(here, owner, removed, "deleted", ActValue::On(true)).await;
    accounts::set_status(node, guest, "gone: on a train", false, None).await.unwrap();
    accounts::set_status(node, guest, "On a boat", false, None).await.unwrap();
    let hidden = rooms::create(node, owner, &format!("Without guest {}", format.number()), "").await.unwrap();
    let refused = message(format, guest, ClientId::random(), hidden, "gone: a refused draft");
    node.propose(refused).await.unwrap();
    let taken_back = ClientId::random();
    rooms::void(node, guest, ClientId::random(), taken_back).await.unwrap();
    node.propose(message(format, guest, taken_back, here.general, "gone: taken back")).await.unwrap();
}

/// What they do in format 5 alone.
async fn live_in_five(here: &TestNode, guest: AccountId) {
    let (node, owner, general) = (&here.node, here.owner, here.general);
    let operator = node.epoch().unwrap().operator();
    let propose = async |by, change: Change, content| {
        let proposal = Proposal::of(Format::Five, by, ClientId::random(), &change, content).unwrap();
        node.propose(proposal).await.unwrap();
    };
    let draft = MessageDraft { text: "imported for guest", quote: None, said: Some(1_700_000_000_000) };
    let import = Change::Post { room: general, answers: None, in_room: false, written_for: Some(guest) };
    propose(operator, import, Content::erasable(&draft, &Added::default())).await;
    let removed = post(here, guest, None, "gone: removed by the administrator").await;
    act(here, guest, removed, "deleted", ActValue::On(true)).await;
    delete_by_operator(node, removed).await;
    let cid = here.member("cid").await;
    let left = post(here, cid, None, "gone: written by cid").await;
    rooms::leave(node, cid, general).await.unwrap();
    act(here, cid, left, "deleted", ActValue::On(true)).await;
    carry_out(node, &Ask::MakeOwner("cid".into())).await.unwrap();
    let named = || Change::SetAccount { account: guest, setting: AccountSetting::Name };
    propose(guest, named(), Content::value(Some("gone: Guest"))).await;
    propose(guest, named(), Content::value(Some("Guest Person"))).await;
    propose(operator, Change::SetWorkspaceName, Content::value(Some("gone: Test Place"))).await;
    propose(operator, Change::SetWorkspaceName, Content::value(Some("Test Place Two"))).await;
    let plans = rooms::create(node, owner, "Plans", "gone: what was").await.unwrap();
    rooms::set_topic(node, owner, plans, "What comes next").await.unwrap();
    rooms::archive(node, owner, plans, true).await.unwrap();
    node.sign_out_everywhere(guest).await.unwrap();
    let pointer = Pointer { generation: 1, ordinal: 3 };
    unread::raise(node, guest, vec![Raise { room: general, lane: 0, pointer }]).await.unwrap();
    unread::want(node, guest, general, Wanted { starred: true, ..Wanted::default() }).await.unwrap();
    unread::set_quiet(node, guest, Quiet::new(true, 22 * 60, 7 * 60).unwrap()).await.unwrap();
}

/// A log whose clock is three days behind until it is told otherwise.
async fn behind(folder: &Path, behind: &Arc<AtomicI64>) -> SharedBroker {
    drop(unlocked(folder).await);
    let behind = behind.clone();
    let clock = move || now_ms() - behind.load(Ordering::SeqCst);
    Arc::new(Embedded::open_with_clock(folder, clock).unwrap())
}

/// Makes these folders, and records their logs for tests/data/corpus: `cargo suite -- --ignored make_the_folders_of_format_5`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes tests/data; a folder that is there is never made again"]
async fn make_the_folders_of_format_5() {
    for (name, risen) in FOLDERS {
        let target = source(name);
        assert!(!target.exists(), "{} is there", target.display());
        let folder = tempdir().unwrap();
        let path = folder.path();
        let back = Arc::new(AtomicI64::new(3 * 86_400_000));
        let first = if risen { Format::Four } else { Format::Five };
        let here = set_up_with(config_of(path, first), behind(path, &back).await).await;
        let guest = here.member("guest").await;
        live(&here, guest).await;
        let mut here = here;
        if risen {
            let TestNode { node, log, owner, general } = here;
            drop((node, log));
            closed(path).await;
            let log = behind(path, &back).await;
            let node = Node::start(config(path), log.clone()).await.unwrap();
            here = TestNode { node, log, owner, general };
            let said = carry_out(&here.node, &Ask::RaiseFormat).await.unwrap();
            println!("{said:?}");
            live(&here, guest).await;
        }
        live_in_five(&here, guest).await;
        back.store(0, Ordering::SeqCst);
        post(&here, here.owner, None, "a message of today").await;
        let mut erased = 0;
        loop {
            match here.node.erase_due(now_ms()).await.unwrap() {
                0 => break,
                some => erased += some,
            }
        }
        here.node.wait_removed().await;
        let entries = here.log().await;
        let erases = entries.iter().filter(|entry| entry.header.kind == Kind::Erase).count();
        println!("{name}: {} entries, {erases} erase {erased} messages and entries", entries.len());
        drop(here);
        drop(reopen(path).await);
        drop(reopen(path).await);
        closed(path).await;
        copy(path, &target);
        corpus::write(&format!("{}-served{}", &name[..8], &name[8..]), &entries);
    }
}
