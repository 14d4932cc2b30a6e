//! What holds for every data folder in tests/data: a server of now starts on it, and an export of it imports.

use super::{copy, source};
use crate::backup::{run, set};
use crate::support::awaited::{closed, unlocked};
use crate::support::command::Running;
use crate::support::server::TestServer;
use crate::support::{assert_linked, read_all};
use beck::protocol::{Format, Kind};
use beck::server::broker::Entry;
use beck::server::broker::embedded::{LOG_FILE, earlier_log_file};
use std::path::Path;
use tempfile::tempdir;

/// Each with the format of its log.
const FOLDERS: [(&str, u32); 4] = [("v0.1.0", 1), ("format-4", 4), ("format-5", 5), ("format-5-risen", 5)];

#[test]
fn every_folder_is_listed() {
    let folders = std::fs::read_dir(source("")).unwrap().map(|folder| folder.unwrap().path());
    let mut folders: Vec<_> = folders.filter(|folder| folder.join(LOG_FILE).exists()).collect();
    folders.sort();
    let mut listed = FOLDERS.map(|(name, _)| source(name));
    listed.sort();
    assert_eq!(folders, listed);
}

async fn entries(folder: &Path) -> Vec<Entry> {
    let entries = read_all(&unlocked(folder).await).await;
    closed(folder).await;
    assert_linked(&entries);
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_on_every_folder_and_what_it_exports_imports() {
    for (name, format) in FOLDERS {
        let (folder, aside, other) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
        copy(&source(name), folder.path());
        let settings = set(folder.path(), None);
        let before = entries(folder.path()).await;
        // As the folder is, before a server was on it.
        let export = |of: &str, settings: &[(String, String)]| {
            let path = aside.path().join(of);
            let (done, said) = run(&["export", path.to_str().unwrap()], settings).end();
            assert!(done, "{name}: {said}");
            path
        };
        let early = export("early", &settings);
        let quiet = [("DATA_DIR", folder.path().to_str().unwrap()), ("PORT", "0"), ("QR", "no")];
        let said = Running::start(&[], &quiet).stop();
        assert!(said[0].starts_with("Beck is ready: "), "{name}: {said:?}");
        let newest = Format::NEWEST.number();
        let rises = said.iter().any(|line| line.starts_with(&format!("The log rises from format {format} ")));
        assert_eq!(rises, format < newest, "{name}: {said:?}");
        let again = Running::start(&[], &quiet).stop();
        assert!(again.iter().all(|line| !line.contains("format")), "{name}: {again:?}");
        let after = entries(folder.path()).await;
        let links = |entries: &[Entry]| entries.iter().map(|entry| entry.link).collect::<Vec<_>>();
        assert_eq!(links(&after[..before.len()]), links(&before), "{name}");
        // Beside the rise the server erases what is due.
        let mut written: Vec<_> = after[before.len()..].iter().map(|entry| &entry.header.kind).collect();
        written.retain(|kind| **kind != Kind::Erase);
        assert_eq!(written, vec![&Kind::Format; usize::from(rises)], "{name}");
        assert_eq!(
            folder.path().join(earlier_log_file(Format::NEWEST)).exists(),
            rises || name.ends_with("risen")
        );
        let (well, said) = run(&["verify", "--fold"], &settings).end();
        assert!(well, "{name}: {said}");

        for (exported, entries_of_it) in [(early, &before), (export("late", &settings), &after)] {
            let folder = other.path().join(exported.file_name().unwrap());
            let settings = set(&folder, None);
            let (done, said) = run(&["import", exported.to_str().unwrap()], &settings).end();
            assert!(done && said.contains("beck admin reset-password olive"), "{name}: {said}");
            assert!(entries(&folder).await == *entries_of_it, "{name}: another log was imported");
            let (text, again) = (std::fs::read(&exported), export("again", &settings));
            assert!(text.unwrap() == std::fs::read(again).unwrap(), "{name}: the export is another one");
            std::fs::remove_file(aside.path().join("again")).unwrap();
            let server = TestServer::start(&folder);
            assert_eq!(server.page("/readyz", "").await.0, 200, "{name}");
            drop(server);
            let (well, said) = run(&["verify", "--fold"], &settings).end();
            assert!(well, "{name}: {said}");
        }
    }
}
