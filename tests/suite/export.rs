//! `beck export` and `beck import`: every link equal, byte for byte the same again, and nothing of a file that is not
//! whole.

use crate::backup::{Origin, entries_of, files, refuses, run, set};
use crate::servers::refusal;
use crate::support::redis::{RedisServer, Store};
use crate::support::seed;
use crate::support::server::TestServer;
use beck::protocol::Format;
use beck::server::broker::archive::{Archive, Kind};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use std::path::Path;
use tempfile::tempdir;

async fn there_and_out_again(format: Format, from: Option<Store>, to: Option<Store>) {
    let origin = Origin::of(format, from).await;
    let folder = tempdir().unwrap();
    let file = folder.path().join("one.jsonl");
    let path = file.to_str().unwrap();
    let (done, said) = run(&["export", path], &origin.set()).end();
    assert!(done && said.contains("passwords: 0"), "{said}");
    let text = std::fs::read_to_string(&file).unwrap();
    for secret in ["argon2", "password:", "login:", "\"secret\""] {
        assert!(!text.contains(secret), "{secret} is in the export");
    }
    read_by_hand(&text, &origin);

    let target = tempdir().unwrap();
    let store = to.map(RedisServer::start);
    let set = set(target.path(), store.as_ref());
    let pairs: Vec<_> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut kills = 0;
    for lines in [2, 4, 7, 12, 18] {
        let killed = run(&["import", path], &set).kill_after(lines);
        let begun = match &store {
            Some(store) => store.command(&["EXISTS", "{beck}:mark"]) == ":1\r\n",
            None => target.path().join("unfinished.sqlite").exists(),
        };
        if begun {
            kills += usize::from(killed);
            let why = refusal(&target, &pairs);
            assert!(why.contains("is not finished: run the same command again"), "{why}");
        }
    }
    println!("{kills} kills in the middle of an import");
    assert!(kills >= 2, "only {kills} kills in the middle of the import");
    let (done, said) = run(&["import", path], &set).end();
    assert!(done && said.contains("beck admin reset-password olive"), "{said}");
    let imported = format!("Imported {} entries", origin.place.entries.len());
    assert!(said.contains(&imported) && said.contains("secrets: 0"), "{said}");
    assert!(entries_of(target.path(), store.as_ref()).await == origin.place.entries);
    let again = folder.path().join("two.jsonl");
    let (done, said) = run(&["export", again.to_str().unwrap()], &set).end();
    assert!(done, "{said}");
    assert!(std::fs::read_to_string(&again).unwrap() == text, "the export of the import is another one");
    let why = refuses(&["import", path], &set);
    assert!(why.contains("has a log already"), "{why}");
    // Nobody has a password, which harms nothing; the owner is given one.
    let (server, _) = TestServer::start_set(target.path(), &pairs);
    let sign_in = async |password: &str| {
        server.form("/sign-in", "", &[("handle", "olive"), ("password", password)]).await.0
    };
    assert_ne!(sign_in("a long password").await, 303);
    assert_ne!(sign_in("").await, 303);
    assert_eq!(server.page("/readyz", "").await.0, 200);
    let reset = ["admin", "reset-password", "olive"];
    let (done, said) = tokio::task::block_in_place(|| run(&reset, &set).end());
    assert!(done, "{said}");
    let password = said.lines().next().unwrap().split(" is ").nth(1).unwrap();
    assert_eq!(sign_in(password).await, 303);
}

/// The file as another program reads it.
fn read_by_hand(text: &str, origin: &Origin) {
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let end = &lines.last().unwrap()["end"];
    assert_eq!(lines[0]["beck"]["archive"], "export");
    assert_eq!(end["entries"], origin.place.entries.len());
    assert_eq!((end["erased"].as_u64(), end["secrets"].as_u64()), (Some(4), Some(0)));
    let entries: Vec<_> = lines.iter().filter_map(|line| line.get("entry")).collect();
    for (line, entry) in entries.iter().zip(&origin.place.entries) {
        assert_eq!(line["header"]["g"], entry.header.g);
        assert_eq!(line["link"], entry.link.to_string());
        assert_eq!(line["body"].as_str(), entry.body.as_deref());
    }
    assert_eq!(entries.len(), origin.place.entries.len());
    assert_eq!(end["first_link"], entries[0]["link"]);
    assert_eq!(end["last_link"], entries[entries.len() - 1]["link"]);
    let pointers = lines.iter().filter(|line| line.get("pointer").is_some()).count();
    assert_eq!(end["pointers"], pointers);
    assert!(pointers > 0);
    let before = text.len() - text.lines().last().unwrap().len() - 1;
    let sum = <sha2::Sha256 as sha2::Digest>::digest(&text.as_bytes()[..before]);
    assert_eq!(end["sha256"], sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_a_folder_is_imported_into_a_folder() {
    there_and_out_again(Format::Five, None, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_a_folder_is_imported_into_a_redis() {
    there_and_out_again(Format::Five, None, Some(Store::Redis)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_a_valkey_is_imported_into_a_folder() {
    there_and_out_again(Format::Five, Some(Store::Valkey), None).await;
}

/// The log rises once a server is on it, not before.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_a_log_of_format_4_is_imported_as_it_is() {
    there_and_out_again(Format::Four, None, None).await;
}

/// What a person, a disk or a network may do to a file, and what is said of it.
fn damaged(text: &str) -> Vec<(&'static str, String, &'static str)> {
    let lines: Vec<&str> = text.lines().collect();
    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    let without = |n: usize| joined(&[&lines[..n], &lines[n + 1..]].concat());
    let mut swapped = lines.clone();
    swapped.swap(40, 41);
    let mut twice = lines.clone();
    twice.insert(20, lines[20]);
    let last = lines.len() - 1;
    let pointer = lines.iter().position(|line| line.starts_with("{\"pointer\"")).unwrap();
    let changed = |n: usize, from: &str, to: &str| {
        let line = lines[n].replace(from, to);
        assert_ne!(line, lines[n], "{from} is not in line {}", n + 1);
        joined(&[&lines[..n], &[line.as_str()], &lines[n + 1..]].concat())
    };
    let secret = r#"{"secret":{"key":"password:bbbbbbbbbb","value":"x","version":1}}"#;
    vec![
        ("a text", changed(100, "\"text\\\":\\\"message", "\"text\\\":\\\"Message"), "line 101 of"),
        ("an author", changed(100, "\"by\":\"", "\"by\":\"x"), "line 101 of"),
        ("an erasure", changed(100, "\"link\":\"", "\"link\":\"0"), "line 101 of"),
        ("a number", changed(100, "\"g\":100,", "\"g\":99,"), "line 101 of"),
        ("a pointer", changed(pointer, "\"ordinal\":", "\"ordinal\":1"), "does not fit the lines before"),
        ("a count", changed(last, "\"erased\":4", "\"erased\":3"), "does not fit the lines before"),
        ("a line is gone", without(50), "line 51 of"),
        ("the first entry is gone", without(1), "line 2 of"),
        ("a pointer is gone", without(pointer), "does not fit the lines before"),
        ("the end is gone", without(last), "is missing: the file is cut off"),
        ("cut at a line", joined(&lines[..200]), "line 201 of"),
        ("cut in a line", text[..text.len() / 2].to_owned(), "ends in the middle"),
        ("two lines in another order", joined(&swapped), "line 41 of"),
        ("a line twice", joined(&twice), "line 22 of"),
        (
            "an entry after a pointer",
            joined(&[&lines[..=pointer], &[lines[5]], &lines[pointer + 1..]].concat()),
            "is in another order",
        ),
        (
            "a secret",
            joined(&[&lines[..last], &[secret], &lines[last..]].concat()),
            "lines are in another order",
        ),
        ("more after the end", format!("{text}{{}}\n"), "comes after the end"),
        ("an empty line", joined(&[&lines[..9], &[""], &lines[9..]].concat()), "line 10 of"),
        ("nothing", String::new(), "is empty"),
        ("another file", "PK\u{3}\u{4}\n".repeat(9), "is no backup or export of Beck"),
        ("other JSON", "{\"version\":1}\n".to_owned(), "is no backup or export of Beck"),
        ("a newer form", changed(0, "\"version\":1", "\"version\":2,\"new\":[]"), "Use a newer Beck"),
        ("another workspace", changed(0, "\"workspace\":\"", "\"workspace\":\"x"), "line 1 of"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_refused_before_anything_is_written_with_its_line() {
    let origin = Origin::new(None).await;
    let folder = tempdir().unwrap();
    let file = folder.path().join("export.jsonl");
    let (done, said) = run(&["export", file.to_str().unwrap()], &origin.set()).end();
    assert!(done, "{said}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(Archive::open(&file, Kind::Export).is_ok());
    let bad = folder.path().join("bad.jsonl");
    let target = folder.path().join("target");
    let of_bad = |text: &[u8]| {
        std::fs::write(&bad, text).unwrap();
        Archive::open(&bad, Kind::Export).err()
    };
    let cases = damaged(&text);
    for (what, text, says) in &cases {
        let why = of_bad(text.as_bytes()).unwrap_or_else(|| panic!("{what} is not noticed"));
        let says = says.replace("is in another order", "does not belong there");
        assert!(why.contains(&says), "{what}: {why}");
        assert!(why.contains("Nothing was written"), "{what}: {why}");
    }
    println!("{} kinds of damage", cases.len());
    // Any byte.
    let mut dice = StdRng::seed_from_u64(seed());
    for _ in 0..60 {
        let mut bytes = text.clone().into_bytes();
        let at = dice.random_range(0..bytes.len());
        bytes[at] ^= 1 << dice.random_range(0..8);
        let why = of_bad(&bytes).unwrap_or_else(|| panic!("byte {at} is not noticed"));
        let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        assert!(why.contains("line ") || line == 1, "byte {at}: {why}");
    }
    // By the command, on either backend.
    let store = RedisServer::start(Store::Redis);
    for (_, text, _) in cases.iter().step_by(6) {
        std::fs::write(&bad, text).unwrap();
        for set in [set(&target, None), set(&target, Some(&store))] {
            let why = refuses(&["import", bad.to_str().unwrap()], &set);
            assert!(why.contains("Nothing was written"), "{why}");
        }
    }
    assert!(!target.exists(), "nothing was made");
    assert_eq!(store.command(&["KEYS", "*"]), "*0\r\n");
    let why = refuses(&["restore", file.to_str().unwrap()], &set(&target, None));
    assert!(why.contains("use beck import"), "{why}");
    let missing = Path::new("/nowhere/at/all.jsonl");
    let why = refuses(&["import", missing.to_str().unwrap()], &set(&target, None));
    assert!(why.contains("cannot be read"), "{why}");
    assert!(files(folder.path(), "export.jsonl.part").is_empty());
}
