//! What a data folder keeps of erased entries, and how their texts go from its files.

use crate::support::awaited::{closed, unlocked};
use crate::support::command::Running;
use crate::support::{read_all, set_up};
use beck::protocol::{ClientId, Hash};
use beck::server::broker::embedded::{COPY_FILE, LogCopy, UNFINISHED_FILE};
use beck::server::broker::{Entry, Head};
use beck::server::damaged_files;
use beck::server::erased_entries::{self, ERASED_FILE, ErasedEntries};
use beck::server::state::STATE_FILE;
use std::fs;
use std::path::Path;
use tempfile::tempdir;

fn head(g: u64) -> Head {
    Head { g, link: format!("{g:016x}").parse().unwrap() }
}

#[test]
fn the_list_of_erased_entries_is_read_as_it_was_written() {
    let folder = tempdir().unwrap();
    let path = folder.path().join(ERASED_FILE);
    let list = ErasedEntries::open(folder.path()).unwrap();
    assert!(!path.exists(), "nothing is written before there is something");
    list.add(&[head(7), head(3)]).unwrap();
    list.add(&[]).unwrap();
    list.add(&[head(3), head(9)]).unwrap();
    assert_eq!(erased_entries::read(folder.path()).unwrap(), [head(3), head(7), head(9)]);
    drop(list);
    // Opened, it has each line once; one number may stand for two entries.
    let list = ErasedEntries::open(folder.path()).unwrap();
    let other = Head { g: 7, link: Hash::ZERO };
    list.add(&[other]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 4, "{text}");
    // A crash cut the last line off.
    fs::write(&path, format!("{text}12 00000000000")).unwrap();
    assert_eq!(erased_entries::read(folder.path()).unwrap().len(), 4);
    let list = ErasedEntries::open(folder.path()).unwrap();
    list.add(&[head(12)]).unwrap();
    assert_eq!(list.all().unwrap(), [head(3), other, head(7), head(9), head(12)]);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().all(|line| line.split(' ').count() == 2) && text.lines().count() == 5, "{text}");
}

/// Texts that are found whole nowhere else.
fn texts() -> Vec<String> {
    let long = (0..400).map(|n| format!("word {n} of a long text; ")).collect::<String>();
    vec!["short".into(), "a \"quoted\" line\nand another one with ü".into(), long]
}

fn posted(entries: &[Entry], ids: &[ClientId]) -> Vec<Entry> {
    entries.iter().filter(|entry| ids.contains(&entry.header.client_id)).cloned().collect()
}

/// Whether any part of a text of 48 bytes stands in a file.
fn holds(path: &Path, text: &str) -> bool {
    let bytes = fs::read(path).unwrap();
    let escaped = serde_json::to_string(text).unwrap();
    let escaped = if text.len() < 32 { escaped.as_str() } else { escaped.trim_matches('"') };
    let length = escaped.len().min(48);
    let parts = escaped.as_bytes().windows(length);
    parts.step_by(length / 3 + 1).any(|part| bytes.windows(length).any(|found| found == part))
}

async fn folder_with_texts(folder: &Path) -> Vec<Entry> {
    let here = set_up(folder).await;
    let mut ids = Vec::new();
    for text in texts() {
        let id = ClientId::random();
        here.post(here.owner, id, &text).await;
        ids.push(id);
    }
    here.post(here.owner, ClientId::random(), "a text that stays").await;
    let entries = here.log().await;
    let copy = LogCopy::open(folder).unwrap();
    copy.take(&entries).unwrap();
    posted(&entries, &ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_texts_go_from_files_that_were_set_aside() {
    let folder = tempdir().unwrap();
    let erased = folder_with_texts(folder.path()).await;
    closed(folder.path()).await;
    assert_eq!(erased.len(), texts().len());
    let mut looked = 0;
    for damage in [false, true] {
        let aside = tempdir().unwrap();
        let files = [format!("{COPY_FILE}.damaged"), format!("{STATE_FILE}.damaged-latest")];
        for (name, from) in files.iter().zip([COPY_FILE, STATE_FILE]) {
            let mut bytes = fs::read(folder.path().join(from)).unwrap();
            if damage {
                // SQLite cannot read a word of it.
                bytes[..100].fill(b'x');
            }
            fs::write(aside.path().join(name), bytes).unwrap();
        }
        for name in &files {
            for text in texts() {
                assert!(holds(&aside.path().join(name), &text), "{name} has not {text:.20}");
            }
        }
        assert!(damaged_files::any(aside.path()));
        damaged_files::erase(aside.path(), &erased).unwrap();
        for name in &files {
            for text in texts() {
                assert!(!holds(&aside.path().join(name), &text), "{name} {damage} has {text:.20}");
                looked += 1;
            }
            assert!(holds(&aside.path().join(name), "a text that stays"), "{name} {damage}");
        }
    }
    assert_eq!(looked, 12);
    assert!(!damaged_files::any(folder.path()));
}

/// A move can be gone on with: what is not erased stays to the byte, also where it has the same text.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_not_whole_keeps_what_is_not_erased() {
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    let here = set_up(folder.path()).await;
    let text = "a text that is long enough to be found in pieces wherever its bytes are";
    for _ in 0..2 {
        here.post(here.owner, ClientId::random(), text).await;
    }
    here.post(here.owner, ClientId::random(), "the newest entry").await;
    let entries = here.log().await;
    LogCopy::open(other.path()).unwrap().take(&entries).unwrap();
    let unfinished = other.path().join(UNFINISHED_FILE);
    fs::rename(other.path().join(COPY_FILE), &unfinished).unwrap();
    let erased = entries.iter().find(|entry| entry.body.as_ref().is_some_and(|body| body.contains(text)));
    assert!(damaged_files::any(other.path()));
    damaged_files::erase(other.path(), &[erased.unwrap().clone()]).unwrap();
    fs::rename(&unfinished, other.path().join(COPY_FILE)).unwrap();
    let after = LogCopy::open(other.path()).unwrap().entries(0, 100).unwrap();
    for (entry, is) in entries.iter().zip(&after) {
        let body = entry.body.clone().filter(|_| entry.header.g != erased.unwrap().header.g);
        assert_eq!((entry.head(), &body), (is.head(), &is.body));
    }
    assert_eq!(entries.len(), after.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_without_what_the_folder_knows_is_erased() {
    let (folder, empty, aside) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    let erased = folder_with_texts(folder.path()).await;
    closed(folder.path()).await;
    let file = aside.path().join("team.jsonl");
    let run = |words: &[&str], folder: &Path| {
        let (done, said) = Running::start(words, &[("DATA_DIR", folder.to_str().unwrap())]).end();
        assert!(done, "{said}");
        said
    };
    run(&["backup", file.to_str().unwrap()], folder.path());
    let target = empty.path().join("data");
    fs::create_dir(&target).unwrap();
    let list = ErasedEntries::open(&target).unwrap();
    let other = Head { g: erased[2].header.g, link: erased[0].link };
    list.add(&[erased[0].head(), erased[1].head(), other, head(10_000)]).unwrap();
    let said = run(&["restore", file.to_str().unwrap()], &target);
    assert!(said.contains("4 erased texts"), "{said}");
    let entries = read_all(&unlocked(&target).await).await;
    let before = read_all(&unlocked(folder.path()).await).await;
    assert_eq!(entries.len(), before.len());
    for (entry, was) in entries.iter().zip(&before) {
        assert_eq!((&entry.header, entry.link), (&was.header, was.link));
        let gone = [erased[0].header.g, erased[1].header.g].contains(&entry.header.g);
        assert_eq!(entry.body.is_none(), gone, "{}", entry.header.g);
    }
    for text in &texts()[..2] {
        assert!(!holds(&target.join("log.sqlite"), text), "{text}");
    }
}
