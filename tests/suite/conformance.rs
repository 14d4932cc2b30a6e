//! The contract of `Broker` and of the fold behind it, on every backend there is.

use crate::support::{assert_linked, open, read_all, room_proposal, set_up};
use beck::protocol::frame::Draft;
use beck::protocol::{AccountId, ActValue, ClientId, Kind, Outcome, PageAt, Refusal, WorkspaceId};
use beck::server::broker::embedded::{Embedded, Fault, OpenError};
use beck::server::broker::{Broker, BrokerError, Pointer, Proposal, SecretOp};
use beck::server::fold::{LOG_FORMAT, WorkspaceBody};
use beck::server::rooms;
use std::path::Path;
use tempfile::tempdir;

fn workspace(by: AccountId) -> Proposal {
    let body = WorkspaceBody { id: WorkspaceId::random(), name: "Here".into(), format: LOG_FORMAT };
    Proposal::new(by, ClientId::random(), Kind::Workspace, &body)
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_numbered_and_linked_as_a_second_implementation_does() {
    let folder = tempdir().unwrap();
    let log = Embedded::open(folder.path()).unwrap();
    let by = AccountId::random();
    log.create(workspace(by)).await.unwrap();
    // Not awaited one by one: the calls alone give the order.
    let names: Vec<_> = (0..50).map(|n| format!("room {n}")).collect();
    let proposals: Vec<_> = names.iter().map(|name| room_proposal(by, name)).collect();
    let ids: Vec<_> = proposals.iter().map(|proposal| proposal.client_id).collect();
    let appends: Vec<_> = proposals.into_iter().map(|proposal| log.append(vec![proposal])).collect();
    for (n, append) in appends.into_iter().enumerate().rev() {
        assert_eq!(append.await.unwrap(), n as u64 + 2);
    }
    let entries = read_all(&log).await;
    assert_eq!(entries[1..].iter().map(|entry| entry.header.client_id).collect::<Vec<_>>(), ids);
    assert!(entries.is_sorted_by_key(|entry| entry.header.at));
    assert_linked(&entries);
    // From the file as well, not only from memory.
    drop(log);
    let again = Embedded::open(folder.path()).unwrap();
    assert_eq!(read_all(&again).await, entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clock_is_asked_once_for_each_entry_and_times_never_fall() {
    let folder = tempdir().unwrap();
    let mut times = [1_000, 3_000, 2_000, 4_000].into_iter();
    let log = Embedded::open_with_clock(folder.path(), move || times.next().unwrap_or(9_000)).unwrap();
    let by = AccountId::random();
    log.create(workspace(by)).await.unwrap();
    log.append((0..4).map(|n| room_proposal(by, &format!("r{n}"))).collect()).await.unwrap();
    let entries = read_all(&log).await;
    let at: Vec<_> = entries.iter().map(|entry| entry.header.at).collect();
    assert_eq!(at, [1_000, 3_000, 3_000, 4_000, 9_000]);
    assert_linked(&entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_made_once_and_only_on_purpose() {
    let folder = tempdir().unwrap();
    let log = Embedded::open(folder.path()).unwrap();
    let by = AccountId::random();
    let early = log.append(vec![room_proposal(by, "early")]).await;
    assert!(matches!(early, Err(BrokerError::Refused(_))), "{early:?}");
    assert_eq!(log.head().await.unwrap(), None);
    log.create(workspace(by)).await.unwrap();
    assert!(matches!(log.create(workspace(by)).await, Err(BrokerError::Refused(_))));
    assert_eq!(log.head().await.unwrap().unwrap().g, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_stays_together() {
    let folder = tempdir().unwrap();
    let log = Embedded::open(folder.path()).unwrap();
    let by = AccountId::random();
    log.create(workspace(by)).await.unwrap();
    let batch: Vec<_> = (0..5).map(|n| room_proposal(by, &format!("r{n}"))).collect();
    let (first, second) = tokio::join!(log.append(batch.clone()), log.append(batch));
    assert_eq!([first.unwrap(), second.unwrap()], [2, 7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_process() {
    let folder = tempdir().unwrap();
    let first = Embedded::open(folder.path()).unwrap();
    assert!(matches!(Embedded::open(folder.path()), Err(OpenError::Locked(_))));
    drop(first);
    Embedded::open(folder.path()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_compare_versions_and_expire_and_registers_only_rise() {
    let folder = tempdir().unwrap();
    let log = Embedded::open(folder.path()).unwrap();
    let put = |value: &str, if_version, expires| SecretOp::Put { value: value.into(), if_version, expires };
    let first = log.secret("k".into(), put("a", 0, None)).await.unwrap().unwrap();
    assert_eq!(first.value, "a");
    // Another one was here first: the answer is what stands.
    assert_eq!(log.secret("k".into(), put("b", 0, None)).await.unwrap().unwrap(), first);
    let second = log.secret("k".into(), put("b", first.version, None)).await.unwrap().unwrap();
    assert!(second.value == "b" && second.version > first.version);
    assert_eq!(log.secret("k".into(), SecretOp::Delete).await.unwrap(), None);
    assert_eq!(log.secret("k".into(), SecretOp::Get).await.unwrap(), None);
    log.secret("old".into(), put("x", 0, Some(1))).await.unwrap();
    assert_eq!(log.secret("old".into(), SecretOp::Get).await.unwrap(), None);

    let me = AccountId::random();
    let raise = |generation, ordinal| vec![("read:x:0".to_owned(), Pointer { generation, ordinal })];
    log.registers(me, raise(0, 9)).await.unwrap();
    log.registers(me, raise(0, 4)).await.unwrap();
    assert_eq!(log.registers(me, Vec::new()).await.unwrap(), raise(0, 9));
    log.registers(me, raise(1, 2)).await.unwrap();
    assert_eq!(log.registers(me, raise(0, 50)).await.unwrap(), raise(1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_gets_the_first_outcome_and_another_text_is_refused() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let id = ClientId::random();
    let first = here.post(here.owner, id, "once").await;
    assert!(matches!(first, Outcome::Stored { ordinal: Some(1), .. }), "{first:?}");
    for _ in 0..20 {
        assert_eq!(here.post(here.owner, id, "once").await, first);
    }
    let other = Outcome::Refused { why: Refusal::OtherDraft };
    assert_eq!(here.post(here.owner, id, "another text").await, other);
    let guest = here.member("guest").await;
    assert_eq!(here.post(guest, id, "once").await, other);
    let page = rooms::page(&here.node, here.owner, (here.general, 0), PageAt::Newest, 50, None).unwrap();
    assert_eq!(page.rows.len(), 1);
    // The same when both are in the log already, as two nodes would write them.
    let twice = ClientId::random();
    let proposal = |text: &str| {
        let body = beck::protocol::MessageBody { text: text.into(), quote: None };
        Proposal::new(here.owner, twice, Kind::Message, &body).room(here.general)
    };
    let batch = vec![proposal("two"), proposal("two"), proposal("three")];
    let g = here.node.broker.append(batch).await.unwrap();
    here.node.wait_folded(g + 2).await;
    let page = rooms::page(&here.node, here.owner, (here.general, 0), PageAt::Newest, 50, None).unwrap();
    let texts: Vec<_> = page.rows.iter().map(|row| row.text.clone().unwrap()).collect();
    assert_eq!(texts, ["once", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_comes_first_wins_message_or_void() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let (early, late) = (ClientId::random(), ClientId::random());
    let voided = rooms::void(&here.node, here.owner, ClientId::random(), early).await.unwrap();
    assert!(matches!(voided, Outcome::Stored { .. }));
    assert_eq!(here.post(here.owner, early, "x").await, Outcome::Refused { why: Refusal::Void });
    here.post(here.owner, late, "y").await;
    let voided = rooms::void(&here.node, here.owner, ClientId::random(), late).await.unwrap();
    assert_eq!(voided, Outcome::Refused { why: Refusal::TooLate });
    let guest = here.member("guest").await;
    let voided = rooms::void(&here.node, guest, ClientId::random(), late).await.unwrap();
    assert_eq!(voided, Outcome::Refused { why: Refusal::NotAllowed });
    let page = rooms::page(&here.node, here.owner, (here.general, 0), PageAt::Newest, 50, None).unwrap();
    assert_eq!(page.rows.len(), 1);
}

fn files_hold(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let holds = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let found: Vec<_> = files.filter(|path| path.is_file() && holds(path)).collect();
    println!("{text} is in {found:?}");
    !found.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_text_is_gone_from_files_and_answers_and_links_agree() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let id = ClientId::random();
    let (first, edited) = ("waterfall-hemlock-first", "waterfall-hemlock-edited");
    // Longer than a page of the file, so that whole pages are given free as well.
    let posted = format!("{}{first}", "long ".repeat(3_000));
    here.post(here.owner, id, &posted).await;
    let act = |slot: &'static str, value| {
        let ids = (ClientId::random(), here.general, id);
        rooms::act(&here.node, here.owner, ids, slot, value)
    };
    act("text", ActValue::Text(edited.into())).await.unwrap();
    act("deleted", ActValue::On(true)).await.unwrap();
    assert!(files_hold(folder.path(), first) && files_hold(folder.path(), edited));
    here.post(here.owner, ClientId::random(), "something follows").await;
    here.node.erase(id).await.unwrap();
    assert!(!files_hold(folder.path(), first), "the first text is still in a file");
    assert!(!files_hold(folder.path(), edited), "the edited text is still in a file");
    let entries = here.log().await;
    assert_linked(&entries);
    assert!(entries.iter().filter_map(|entry| entry.body.as_ref()).all(|body| !body.contains("hemlock")));
    let answers = here.node.state.read(|state| {
        let head = state.room_head(here.general)?;
        Ok(format!("{:?} {:?}", state.events(&head, 0, 99)?, state.row(id)?))
    });
    assert!(!answers.unwrap().contains("hemlock"));
    // A retry of the erased draft is still no second message.
    let again = here.post(here.owner, id, &posted).await;
    assert!(matches!(again, Outcome::Stored { ordinal: Some(1), .. }), "{again:?}");
    assert_refold_is_equal(folder.path(), here).await;
}

/// All that the state file holds, as text.
fn dump(folder: &Path) -> Vec<String> {
    let db = rusqlite::Connection::open(folder.join("state.sqlite")).unwrap();
    let mut tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut lines = Vec::new();
    for table in tables {
        let mut select = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = select.column_count();
        let mut rows = select.query([]).unwrap();
        let mut of_table = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..columns).map(|column| format!("{:?}", row.get_ref(column).unwrap()));
            of_table.push(format!("{table}: {}", values.collect::<Vec<_>>().join(" | ")));
        }
        of_table.sort();
        lines.extend(of_table);
    }
    lines
}

async fn assert_refold_is_equal(folder: &Path, here: crate::support::TestNode) {
    let directory = here.node.directory();
    let last = here.node.folded();
    let crate::support::TestNode { node, embedded, .. } = here;
    drop((node, embedded));
    let before = dump(folder);
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("state.sqlite{ending}")));
    }
    let node = reopen(folder).await;
    assert_eq!(node.folded(), last);
    assert_eq!(*node.directory(), *directory);
    drop(node);
    assert_eq!(dump(folder), before);
    assert!(before.len() > 20);
}

/// The node of a folder whose last node was just dropped: its threads may take a moment to end.
async fn reopen(folder: &Path) -> std::sync::Arc<beck::server::node::Node> {
    loop {
        match Embedded::open(folder) {
            Ok(log) => {
                let config = crate::support::config(folder);
                return beck::server::node::Node::start(config, std::sync::Arc::new(log)).await.unwrap();
            }
            Err(OpenError::Locked(_)) => tokio::task::yield_now().await,
            Err(fault) => panic!("{fault}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_state_is_folded_again_to_the_same() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let guest = here.member("guest").await;
    let mut ids = Vec::new();
    for n in 0..30 {
        let id = ClientId::random();
        ids.push(id);
        here.post(if n % 2 == 0 { here.owner } else { guest }, id, &format!("line {n}")).await;
        let target = ids[n / 2];
        let react = format!("react:🌊:{guest}");
        let ids = (ClientId::random(), here.general, target);
        let acted = rooms::act(&here.node, guest, ids, &react, ActValue::On(n % 3 == 0)).await;
        assert!(acted.is_ok());
    }
    let thread = Draft {
        id: ClientId::random(),
        room: here.general,
        thread: Some(ids[3]),
        quote: None,
        text: "in a thread".into(),
    };
    assert!(matches!(
        rooms::post(&here.node, guest, thread).await.unwrap(),
        Outcome::Stored { ordinal: Some(1), .. }
    ));
    rooms::leave(&here.node, guest, here.general).await.unwrap();
    assert_eq!(
        here.post(guest, ClientId::random(), "after leaving").await,
        Outcome::Refused { why: Refusal::NotFound }
    );
    assert_refold_is_equal(folder.path(), here).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_flush_the_outcome_is_unknown_and_a_retry_makes_one_message() {
    let mut faults = 0;
    for fault in [Fault::LostCommit, Fault::KeptCommit] {
        let folder = tempdir().unwrap();
        let here = set_up(folder.path()).await;
        here.post(here.owner, ClientId::random(), "before").await;
        // The broker itself says unknown …
        let body = beck::protocol::MessageBody { text: "direct".into(), quote: None };
        let direct = Proposal::new(here.owner, ClientId::random(), Kind::Message, &body).room(here.general);
        here.embedded.plant(fault);
        let answer = here.embedded.append(vec![direct.clone()]).await;
        assert!(matches!(answer, Err(BrokerError::Unknown(_))), "{answer:?}");
        faults += 1;
        assert!(matches!(here.node.propose(direct).await.unwrap(), Outcome::Stored { .. }));
        // … and the node tries again under the same id.
        here.embedded.plant(fault);
        let outcome = here.post(here.owner, ClientId::random(), "during").await;
        assert!(matches!(outcome, Outcome::Stored { ordinal: Some(3), .. }), "{fault:?} {outcome:?}");
        faults += 1;
        here.post(here.owner, ClientId::random(), "after").await;
        let page = rooms::page(&here.node, here.owner, (here.general, 0), PageAt::Newest, 50, None).unwrap();
        let texts: Vec<_> = page.rows.iter().map(|row| row.text.clone().unwrap()).collect();
        assert_eq!(texts, ["before", "direct", "during", "after"], "{fault:?}");
        assert_linked(&here.log().await);
    }
    assert_eq!(faults, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_log_never_becomes_a_new_workspace() {
    let folder = tempdir().unwrap();
    drop(set_up(folder.path()).await);
    drop(reopen(folder.path()).await);
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join(format!("log.sqlite{ending}")));
    }
    let log = loop {
        match Embedded::open(folder.path()) {
            Ok(log) => break log,
            Err(OpenError::Locked(_)) => tokio::task::yield_now().await,
            Err(fault) => panic!("{fault}"),
        }
    };
    let config = crate::support::config(folder.path());
    let started = beck::server::node::Node::start(config, std::sync::Arc::new(log)).await;
    let fault = started.err().map(|fault| fault.to_string()).unwrap_or_default();
    assert!(fault.contains("the log is gone"), "{fault}");
}

/// The data folder in tests/data was made by version 0.1.0: every later version must open it.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_versions_data_folder_opens() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/v0.1.0");
    let folder = tempdir().unwrap();
    for file in ["log.sqlite", "workspace"] {
        std::fs::copy(source.join(file), folder.path().join(file)).unwrap();
    }
    let (node, log) = open(folder.path()).await;
    let entries = read_all(log.as_ref()).await;
    assert_linked(&entries);
    let directory = node.directory();
    assert_eq!(directory.workspace.as_ref().unwrap().name, "Test Place");
    let owner = directory.by_handle("olive").unwrap().id;
    let room = directory.rooms_of(owner)[0].id;
    let page = rooms::page(&node, owner, (room, 0), PageAt::Newest, 50, None).unwrap();
    let texts: Vec<_> = page.rows.iter().map(|row| row.text.as_deref()).collect();
    assert_eq!(texts, [Some("first"), Some("second, edited"), None, Some("fourth")]);
    assert_eq!(page.rows[3].reactions["🌊"].len(), 1);
    let login = node.check_password("olive", "a long password").await.unwrap();
    assert_eq!(login.map(|login| login.account), Some(owner));
}

/// Makes that folder: `cargo suite -- --ignored make_the_data_folder`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes tests/data; run once for each version whose format differs"]
async fn make_the_data_folder() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let ids: Vec<_> = (0..4).map(|_| ClientId::random()).collect();
    for (id, text) in ids.iter().zip(["first", "second", "third", "fourth"]) {
        here.post(here.owner, *id, text).await;
    }
    let react = format!("react:🌊:{}", here.owner);
    for (id, slot, value) in [
        (ids[1], "text", ActValue::Text("second, edited".into())),
        (ids[2], "deleted", ActValue::On(true)),
        (ids[3], react.as_str(), ActValue::On(true)),
    ] {
        let ids = (ClientId::random(), here.general, id);
        rooms::act(&here.node, here.owner, ids, slot, value).await.unwrap();
    }
    here.node.erase(ids[2]).await.unwrap();
    drop(here);
    drop(reopen(folder.path()).await);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/v0.1.0");
    std::fs::create_dir_all(&target).unwrap();
    for file in ["log.sqlite", "workspace"] {
        std::fs::copy(folder.path().join(file), target.join(file)).unwrap();
    }
}
