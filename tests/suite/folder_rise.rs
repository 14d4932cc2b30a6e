//! A folder's log rises to a newer format at a start, after it was copied.

use crate::support::awaited::{closed, unlocked};
use crate::support::command::Running;
use crate::support::server::TestServer;
use crate::support::{assert_linked, config, message, read_all, set_up_of};
use beck::protocol::{ActDraft, ActValue, ClientId, Format, Kind};
use beck::server::admin::{Ask, carry_out};
use beck::server::broker::embedded::{Embedded, LOG_FILE, copy_log, earlier_logs, erase_in_earlier_logs};
use beck::server::broker::{Broker, Head, Proposal};
use beck::server::node::{KEEP_EARLIER_LOG_MS, Node};
use beck::server::rooms;
use std::path::Path;
use std::sync::Arc;
use tempfile::tempdir;

const COPY: &str = "log-before-format-5.sqlite";
/// A version that reads no format newer than 4.
const FOUR: (&str, &str) = ("BECK_NEWEST_FORMAT", "4");

/// A workspace in a log of format 4, and its entries; nothing has it open.
async fn of_format_4(folder: &Path) -> Vec<beck::server::broker::Entry> {
    let here = set_up_of(folder, Format::Four).await;
    for n in 0..3 {
        here.post(here.owner, ClientId::random(), &format!("hemlock {n}")).await;
    }
    let entries = here.log().await;
    drop(here);
    closed(folder).await;
    entries
}

fn verify(folder: &Path) -> (bool, String) {
    let settings = [("DATA_DIR", folder.to_str().unwrap()), ("PORT", "0")];
    Running::start(&["verify", "--fold"], &settings).end()
}

fn serve(folder: &Path, settings: &[(&str, &str)]) -> TestServer {
    TestServer::start_set(folder, settings).0
}

fn stop(mut server: TestServer) {
    server.terminate();
    assert_eq!(server.wait(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_copies_the_log_and_raises_it_and_the_copy_can_be_served_by_an_earlier_version() {
    let folder = tempdir().unwrap();
    let before = of_format_4(folder.path()).await;
    // One that reads nothing newer leaves it as it is.
    stop(serve(folder.path(), &[FOUR]));
    assert_eq!(earlier_logs(folder.path()), Vec::<std::path::PathBuf>::new());

    let server = serve(folder.path(), &[]);
    assert_eq!(server.page("/readyz", "").await.0, 200);
    stop(server);
    let copy = folder.path().join(COPY);
    assert_eq!(earlier_logs(folder.path()), std::slice::from_ref(&copy));
    let after = read_all(&unlocked(folder.path()).await).await;
    assert_linked(&after);
    assert_eq!((&after[..before.len()], after.len()), (&before[..], before.len() + 1));
    let raised = &after[before.len()];
    assert_eq!((&raised.header.kind, raised.json()), (&Kind::Format, Some("5")));
    let (done, said) = verify(folder.path());
    assert!(done && said.contains(COPY), "{said}");

    // A second start has nothing to do.
    stop(serve(folder.path(), &[]));
    assert_eq!(read_all(&unlocked(folder.path()).await).await, after);
    // An earlier version says that it cannot read it, and serves the copy.
    let old = serve(folder.path(), &[FOUR]);
    let (status, _, said) = old.page("/readyz", "").await;
    assert_eq!(status, 503);
    assert!(said.contains("the log is of format 5; this version reads format 4"), "{said}");
    stop(old);
    let back = tempdir().unwrap();
    std::fs::copy(&copy, back.path().join(LOG_FILE)).unwrap();
    let old = serve(back.path(), &[FOUR]);
    assert_eq!(old.page("/readyz", "").await.0, 200);
    stop(old);
    assert_eq!(read_all(&unlocked(back.path()).await).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_says_once_where_the_copy_is_and_what_cannot_be_restored() {
    let folder = tempdir().unwrap();
    let here = set_up_of(folder.path(), Format::Four).await;
    for (n, deletes) in [true, true, false].into_iter().enumerate() {
        let target = ClientId::random();
        here.post(here.owner, target, &format!("message {n}")).await;
        let (id, slot, value) = (ClientId::random(), "deleted".to_owned(), ActValue::On(true));
        let act = ActDraft { id, room: here.general, target, slot, value, named: Default::default() };
        if deletes {
            rooms::act(&here.node, here.owner, act).await.unwrap();
        }
    }
    drop(here);
    closed(folder.path()).await;
    let settings = [("DATA_DIR", folder.path().to_str().unwrap()), ("PORT", "0"), ("QR", "no")];
    // What is said of the format, and that it is ready and stops.
    let said_of_it = |settings: &[(&str, &str)]| {
        let said = Running::start(&[], settings).stop();
        assert!(said[0].starts_with("Beck is ready: "), "{said:?}");
        said.into_iter().filter(|line| line.contains("format") || line.contains("rise")).collect::<Vec<_>>()
    };
    let rises = format!(
        "The log rises from format 4 to format 5, which an earlier version cannot read. A copy from before is {}. It is deleted after 7 days. See docs/operations.md#formats-of-the-log.",
        folder.path().join(COPY).display()
    );
    let lost = "2 messages deleted since yesterday cannot be restored after the rise.";
    assert_eq!(said_of_it(&settings), [rises.as_str(), lost]);
    assert_eq!(said_of_it(&settings), [""; 0], "the second start says nothing of it");
    // The setting of tests is said where it makes a server an earlier one.
    let set = |number: &'static str| [&settings[..], &[("BECK_NEWEST_FORMAT", number)]].concat();
    assert_eq!(said_of_it(&set("5")), [""; 0]);
    let said = said_of_it(&set("4"));
    assert!(said[0].starts_with("Warning: BECK_NEWEST_FORMAT is set, which is for tests"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_copied_does_not_rise_and_the_start_says_so() {
    let folder = tempdir().unwrap();
    let before = of_format_4(folder.path()).await;
    // Nothing can be written at the name of the copy until it is whole.
    let part = folder.path().join("log-before-format-5.part");
    std::fs::create_dir(&part).unwrap();
    let settings = [("DATA_DIR", folder.path().to_str().unwrap()), ("PORT", "0"), ("QR", "no")];
    let mut server = Running::start(&[], &settings);
    assert!(server.first_line().starts_with("Beck is ready: "));
    let line = server.first_line();
    assert!(
        line.starts_with("Warning: the log stays in format 4: no copy of it can be made before it rises"),
        "{line}"
    );
    assert!(line.ends_with("The next start tries again."), "{line}");
    assert_eq!(server.stop_unheard(), Some(0));
    assert_eq!(read_all(&unlocked(folder.path()).await).await, before);
    let (done, said) = Running::start(&["format", "raise"], &settings).end();
    assert!(!done && said.contains("no copy of it can be made before it rises"), "{said}");
    assert_eq!(read_all(&unlocked(folder.path()).await).await, before);

    std::fs::remove_dir(&part).unwrap();
    let (done, said) = Running::start(&["format", "raise"], &settings).end();
    assert!(done && said.contains("The log has format 5 now") && said.contains(COPY), "{said}");
    let after = read_all(&unlocked(folder.path()).await).await;
    assert_eq!((&after[..before.len()], after.len()), (&before[..], before.len() + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_goes_from_the_copy_too_and_the_copy_goes_after_seven_days() {
    let folder = tempdir().unwrap();
    let before = of_format_4(folder.path()).await;
    stop(serve(folder.path(), &[]));
    let copy = folder.path().join(COPY);
    let holds = |text: &str| {
        let bytes = std::fs::read(&copy).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    assert!(holds("hemlock 0") && holds("hemlock 1"));
    let message = |text: &str| {
        let holds =
            |entry: &&beck::server::broker::Entry| entry.json().is_some_and(|json| json.contains(text));
        let entry = before.iter().find(holds).unwrap();
        Head { g: entry.header.g, link: entry.link }
    };
    let other = Head { link: before[0].link, ..message("hemlock 1") };
    for _ in 0..2 {
        erase_in_earlier_logs(folder.path(), &[message("hemlock 0"), other]).unwrap();
        assert!(!holds("hemlock 0"), "its bytes are gone");
        assert!(holds("hemlock 1"), "an entry of another link is another entry");
    }
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().ends_with("5.sqlite-wal")), "{names:?}");

    let node = Node::start(config(folder.path()), Arc::new(unlocked(folder.path()).await)).await.unwrap();
    let raised = node.broker.read(before.len() as u64 + 1, 1).await.unwrap()[0].header.at;
    node.delete_earlier_logs(raised + KEEP_EARLIER_LOG_MS - 1).await.unwrap();
    assert!(copy.exists());
    node.delete_earlier_logs(raised + KEEP_EARLIER_LOG_MS).await.unwrap();
    assert!(!copy.exists());
    assert_eq!(carry_out(&node, &Ask::Format).await.unwrap()[0], "The log has format 5.");
}

/// SQLite copies rows about in its pages: where it does not clear what it leaves, erasing does not find it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_in_the_copy_of_texts_that_were_erased_there() {
    let folder = tempdir().unwrap();
    let here = set_up_of(folder.path(), Format::Four).await;
    let mut texts = Vec::new();
    for n in 0..200_usize {
        let (id, long) = (ClientId::random(), "x".repeat(n * 7 % 60));
        texts.push(message(Format::Four, here.owner, id, here.general, &format!("hemlock {n} {long}")));
    }
    here.log.append(texts).await.unwrap();
    let entries = here.log().await;
    let messages = entries.iter().filter(|entry| entry.header.kind == Kind::Message);
    let erased: Vec<_> =
        messages.step_by(2).map(|entry| Head { g: entry.header.g, link: entry.link }).collect();
    drop(here);
    closed(folder.path()).await;
    let copy = copy_log(folder.path(), Format::Five).unwrap();
    erase_in_earlier_logs(folder.path(), &erased).unwrap();
    let bytes = std::fs::read(&copy).unwrap();
    let left = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let left: Vec<_> = (0..200).filter(|n| left(&format!("hemlock {n} "))).collect();
    assert_eq!(left, (1..200).step_by(2).collect::<Vec<_>>());
}

/// A log that has the newest format needs no copy.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_the_newest_format_is_not_copied() {
    let folder = tempdir().unwrap();
    let id = beck::protocol::WorkspaceId::random();
    let operator = id.as_str().parse().unwrap();
    let begin = Proposal::new(operator, ClientId::random(), Kind::Workspace, &());
    let body = format!("0123456789abcdef{{\"id\":\"{id}\",\"name\":\"W\",\"format\":5}}");
    let log = Embedded::open(folder.path()).unwrap();
    log.create(Proposal { body, ..begin }).await.unwrap();
    drop(log);
    closed(folder.path()).await;
    stop(serve(folder.path(), &[]));
    assert_eq!(earlier_logs(folder.path()), Vec::<std::path::PathBuf>::new());
    assert_eq!(read_all(&unlocked(folder.path()).await).await.len(), 1);
}
