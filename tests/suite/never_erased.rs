//! A log of format 5 that lacks a body which is never erased is damaged: every tool says so.

use crate::support::awaited::closed;
use crate::support::command::Running;
use crate::support::{erase, read_all};
use beck::protocol::{AccountId, ClientId, Format, Kind, RoomId, WorkspaceId};
use beck::server::broker::archive::{Archive, Kind as ArchiveKind};
use beck::server::broker::embedded::{Embedded, LiveFolder};
use beck::server::broker::{Broker, Entry, InForce, Proposal};
use beck::server::commands::backup::write;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::tempdir;

/// A log of a format with an account, a room and a message; gives the operator.
async fn log_of(folder: &Path, format: Format) -> (Embedded, AccountId) {
    let log = Embedded::open(folder).unwrap();
    let id = WorkspaceId::random();
    let operator: AccountId = id.as_str().parse().unwrap();
    let body = json!({ "id": id, "name": "W", "format": format.number() });
    log.create(Proposal::new(operator, ClientId::random(), Kind::Workspace, &body)).await.unwrap();
    let (account, room) = (AccountId::random(), RoomId::random());
    let target = account.as_str().parse().unwrap();
    let body = json!({ "name": "Olive", "handle": "olive", "role": "member" });
    let made = Proposal::new(account, ClientId::random(), Kind::Account, &body).target(target);
    let body = json!({ "kind": "open", "name": "General", "topic": "" });
    let opened = Proposal::new(account, ClientId::random(), Kind::Room, &body).room(room);
    let said = Proposal::new(account, ClientId::random(), Kind::Message, &json!({ "text": "hi" })).room(room);
    let joined = Proposal::new(account, ClientId::random(), Kind::Logins, &());
    let joined = joined.target(account.as_str().parse().unwrap());
    log.append(vec![made, opened, said, joined]).await.unwrap();
    (log, operator)
}

fn verify(folder: &Path) -> (bool, String) {
    let settings = [("DATA_DIR", folder.to_str().unwrap()), ("BECK_NEWEST_FORMAT", "5")];
    Running::start(&["verify"], &settings).end()
}

async fn backup(folder: &Path, files: &Path) -> Result<PathBuf, String> {
    let log = LiveFolder::open(folder)?;
    Ok(write(&log, ArchiveKind::Export, files, Format::Five).await?.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lacks_a_body_which_is_never_erased_is_neither_well_nor_backed_up() {
    for (format, erased, lacks) in [
        (Format::Five, 2, true),
        (Format::Five, 3, true),
        (Format::Five, 4, false),
        // Formats 1 to 4 decide an entry without its body.
        (Format::Four, 2, false),
        (Format::Four, 4, false),
    ] {
        let (folder, files) = (tempdir().unwrap(), tempdir().unwrap());
        let (log, _) = log_of(folder.path(), format).await;
        assert!(erase(&log, &[erased]).await);
        drop(log);
        closed(folder.path()).await;
        let (well, said) = verify(folder.path());
        let words = format!("entry {erased} has no body, and its body is never erased");
        assert_eq!((well, said.contains(&words)), (!lacks, lacks), "{format:?} {erased}: {said}");
        let made = backup(folder.path(), files.path()).await;
        let words = format!("has no body of entry {erased}, which is never erased");
        assert_eq!(
            made.as_ref().is_err_and(|why| why.contains(&words)),
            lacks,
            "{format:?} {erased}: {made:?}"
        );
        if let Ok(made) = made {
            Archive::open_up_to(&made, ArchiveKind::Export, Format::Five).map(drop).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_lacks_a_body_which_is_never_erased_is_refused_at_its_line() {
    let (folder, files) = (tempdir().unwrap(), tempdir().unwrap());
    drop(log_of(folder.path(), Format::Five).await);
    closed(folder.path()).await;
    let whole = backup(folder.path(), files.path()).await.unwrap();
    Archive::open_up_to(&whole, ArchiveKind::Export, Format::Five).map(drop).unwrap();
    let refused = Archive::open_up_to(&whole, ArchiveKind::Export, Format::Four).map(drop).unwrap_err();
    assert!(refused.contains("has a log of format 5; this version reads format 4"), "{refused}");
    let text = std::fs::read_to_string(&whole).unwrap();
    for (entry, lacks) in [(2, true), (3, true), (4, false), (5, true)] {
        let lines = text.lines().enumerate().map(|(n, line)| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            if n == entry {
                line["entry"]["body"] = Value::Null;
            }
            format!("{line}\n")
        });
        let other = files.path().join(format!("without-{entry}.jsonl"));
        std::fs::write(&other, lines.collect::<String>()).unwrap();
        // One that lacks a text is another file than the one that was written.
        let why = Archive::open_up_to(&other, ArchiveKind::Export, Format::Five).map(drop).unwrap_err();
        let words = format!("has no body of entry {entry}, which is never erased");
        assert_eq!(why.contains(&words), lacks, "{entry}: {why}");
        if lacks {
            assert!(why.starts_with(&format!("line {} of ", entry + 1)), "{why}");
        }
    }
}

/// The format in force as the fold decides it.
#[tokio::test(flavor = "multi_thread")]
async fn from_format_5_on_only_the_operator_raises_the_format() {
    for (first, by_operator, number) in
        [(Format::Four, true, 6), (Format::Four, false, 6), (Format::Five, true, 6), (Format::Five, false, 5)]
    {
        let folder = tempdir().unwrap();
        let (log, operator) = log_of(folder.path(), first).await;
        let by = if by_operator { operator } else { AccountId::random() };
        log.append(vec![Proposal::new(by, ClientId::random(), Kind::Format, &6)]).await.unwrap();
        let mut in_force = InForce::default();
        for Entry { header, body, .. } in read_all(&log).await {
            assert!(!in_force.lacks_body(&header, body.as_deref()));
            in_force.take(&header, body.as_deref());
        }
        assert_eq!(in_force.number(), number, "{first:?} {by_operator}");
    }
}
