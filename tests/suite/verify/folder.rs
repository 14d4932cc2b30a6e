//! Faults planted in the files of a data folder.

use super::{Said, copy_folder, link_anew, verify};
use crate::support::awaited::{closed, unlocked};
use crate::support::erasing::erase_message;
use crate::support::furnished::{Furnished, furnish};
use crate::support::log_reader::{self, StoredEntry, link_after, read_folder};
use crate::support::{config, set_up};
use beck::protocol::frame::{Answer, Draft};
use beck::protocol::{ActDraft, ActValue, ClientId, Kind, MessageBody};
use beck::server::broker::{Broker, Proposal};
use beck::server::node::Node;
use beck::server::rooms;
use rusqlite::{Connection, params};
use std::path::Path;
use std::sync::Arc;
use tempfile::tempdir;

/// Puts these entries into the log in place of what is there.
fn write_log(db: &Connection, entries: &[StoredEntry]) {
    db.execute_batch("BEGIN; DELETE FROM entries").unwrap();
    for entry in entries {
        let StoredEntry { g, at, rest, body, link } = entry;
        db.execute(
            "INSERT INTO entries VALUES(?1, ?2, ?3, ?4, ?5)",
            params![*g as i64, at, rest, body, link],
        )
        .unwrap();
    }
    db.execute_batch("COMMIT").unwrap();
}

/// Gives event 300 of the first room another header, and everything after it a chain that fits.
fn change_an_event_with_its_chain(state: &Connection) {
    let sql = "SELECT seq, g, at, rest, chain FROM events WHERE room = 1 AND seq >= 299 ORDER BY seq";
    let rows: Vec<(i64, u64, i64, String, String)> = state
        .prepare(sql)
        .unwrap()
        .query_map([], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)? as u64, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut before = rows[0].4.clone();
    for (seq, g, at, rest, _) in &rows[1..] {
        let at = at - i64::from(*seq == 300);
        before = link_after(&before, *g, at, rest);
        let sql = "UPDATE events SET at = ?2, chain = ?3 WHERE room = 1 AND seq = ?1";
        state.execute(sql, params![seq, at, before]).unwrap();
    }
    state.execute("UPDATE rooms SET chain = ?1 WHERE n = 1", [before]).unwrap();
}

/// A draft that came twice, and ten answers to one message that stand in the room and in its thread.
async fn write_more(folder: &Path, furnished: &Furnished) {
    let message = furnished.entries.iter().find(|entry| entry.header.kind == Kind::Message).unwrap();
    let (to, room) = (message.header.client_id, message.header.room.unwrap());
    let log = Arc::new(unlocked(folder).await);
    let body = MessageBody { text: "twice".into(), quote: None, said: None };
    let twice = Proposal::new(message.header.author, ClientId::random(), Kind::Message, &body).room(room);
    log.append(vec![twice.clone(), twice]).await.unwrap();
    let node = Node::start(config(folder), log).await.unwrap();
    for n in 0..10 {
        let thread = Some(Answer { to, also: true });
        let draft = Draft {
            id: ClientId::random(),
            room,
            thread,
            quote: None,
            text: format!("answer {n}"),
            named: Default::default(),
        };
        rooms::post(&node, message.header.author, draft).await.unwrap();
    }
    drop(node);
    closed(folder).await;
}

type Plant<'a> = Box<dyn Fn(&Connection, &Connection) + 'a>;

fn plant<'a>(put: impl Fn(&Connection, &Connection) + 'a) -> Plant<'a> {
    Box::new(put)
}

fn sql(sql: &'static str) -> Plant<'static> {
    plant(move |log, state| {
        // The tables tell which file is meant.
        let done = if sql.contains("entries") { log.execute_batch(sql) } else { state.execute_batch(sql) };
        done.unwrap();
    })
}

fn run(folder: &Path, words: &[&str]) -> Said {
    verify(words, &[("DATA_DIR", folder.to_str().unwrap())])
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_folder_is_named_by_its_number() {
    let source = tempdir().unwrap();
    let furnished = furnish(source.path(), 800).await;
    write_more(source.path(), &furnished).await;
    let entries = read_folder(source.path());
    let end = entries.len() as u64;
    run(source.path(), &["--fold"]).well(&["log", "state", "rooms", "fold"]);

    let write_anew = |change: fn(&mut Vec<StoredEntry>)| -> Plant<'_> {
        let mut changed = entries.clone();
        change(&mut changed);
        plant(move |log, _| write_log(log, &changed))
    };
    let ahead = format!("{} after entry 500", end - 500);
    let plants: Vec<(&str, &str, Plant)> = vec![
        ("log", "entry 400 is missing", sql("DELETE FROM entries WHERE g = 400")),
        ("log", "entry 1 is missing", sql("DELETE FROM entries WHERE g = 1")),
        (
            "log",
            "entry 400 does not continue",
            sql("UPDATE entries SET rest = replace(rest, 'message', 'act') WHERE g = 400"),
        ),
        ("log", "entry 400 does not continue", sql("UPDATE entries SET at = at + 1 WHERE g = 400")),
        (
            "log",
            "entry 400 does not continue",
            sql("UPDATE entries SET link = '0123456789abcdef' WHERE g = 400"),
        ),
        ("log", "entry 400 does not continue", sql("UPDATE entries SET link = 'none' WHERE g = 400")),
        (
            "log",
            "entry 400 does not continue",
            write_anew(|entries| {
                let (one, two) = (entries[399].clone(), entries[400].clone());
                entries[399] = StoredEntry { g: 400, ..two };
                entries[400] = StoredEntry { g: 401, ..one };
            }),
        ),
        ("log", "does not continue", write_anew(|entries| entries.last_mut().unwrap().link = "0".repeat(16))),
        (
            "log",
            "entry 400 has a header that cannot be read",
            sql("UPDATE entries SET rest = 'nothing' WHERE g = 400"),
        ),
        (
            "log",
            "entry 400 has columns that are no header",
            sql("UPDATE entries SET at = 'never' WHERE g = 400"),
        ),
        ("log", "the body of entry 400", sql("UPDATE entries SET body = body || ' ' WHERE g = 400")),
        ("log", "the body of entry 400", sql("UPDATE entries SET body = X'FFFE' WHERE g = 400")),
        (
            "log",
            "the time of entry 400",
            write_anew(|entries| {
                entries[399].at = 1;
                link_anew(entries, 400);
            }),
        ),
        ("log", "entry 1 does not make a workspace", sql("UPDATE entries SET body = NULL WHERE g = 1")),
        ("state", &ahead, sql("DELETE FROM entries WHERE g > 500")),
        (
            "state",
            "was made from another log",
            write_anew(|entries| {
                entries[399].rest = entries[399].rest.replace("message", "a-message");
                link_anew(entries, 400);
            }),
        ),
        (
            "state",
            "was made from another log",
            sql("UPDATE meta SET value = '0123456789abcdef' WHERE key = 'link'"),
        ),
        ("state", "entry 400 has no outcome", sql("DELETE FROM drafts WHERE g = 400")),
        ("state", "entry 400 has no outcome", sql("UPDATE drafts SET g = 401 WHERE g = 400")),
        ("rooms", "event 300 is missing", sql("DELETE FROM events WHERE room = 1 AND seq = 300")),
        (
            "rooms",
            "its events end with",
            sql("DELETE FROM events WHERE room = 1 AND seq = (SELECT MAX(seq) FROM events WHERE room = 1)"),
        ),
        (
            "rooms",
            "event 300 ",
            sql("UPDATE events SET chain = '0123456789abcdef' WHERE room = 1 AND seq = 300"),
        ),
        ("rooms", "event 300 ", sql("UPDATE events SET at = at + 1 WHERE room = 1 AND seq = 300")),
        ("rooms", "header is not that of the entry", plant(|_, state| change_an_event_with_its_chain(state))),
        (
            "rooms",
            "is not that of its last event",
            sql("UPDATE rooms SET chain = '0123456789abcdef' WHERE n = 1"),
        ),
        ("rooms", "stands at event 9999", sql("UPDATE rooms SET seq = 9999 WHERE n = 1")),
        ("rooms", "its header names another room", sql("UPDATE rooms SET id = 'bbbbbbbbbb' WHERE n = 1")),
        ("rooms", "row 100 of lane 0 is missing", sql("DELETE FROM rows WHERE room = 1 AND ordinal = 100")),
        (
            "rooms",
            "row 100 of lane 0 is of another",
            sql("UPDATE rows SET id = zeroblob(16) WHERE room = 1 AND ordinal = 100"),
        ),
        (
            "rooms",
            "has row 9000",
            sql(
                "INSERT INTO rows SELECT room, lane, 9000, zeroblob(16), author, deleted, imported, pinned, writer, row FROM rows WHERE room = 1 AND ordinal = 100",
            ),
        ),
        (
            "rooms",
            "has row 7",
            sql(
                "INSERT INTO rows SELECT room, 55, 7, zeroblob(16), author, deleted, imported, pinned, writer, row FROM rows WHERE room = 1 AND ordinal = 100",
            ),
        ),
        ("rooms", "ends with message 9000", sql("UPDATE lanes SET head = 9000 WHERE room = 1 AND lane = 0")),
        ("rooms", "ends with message none", sql("DELETE FROM lanes WHERE room = 1 AND lane = 0")),
        (
            "rooms",
            "it is message 9000 of lane 0",
            sql("UPDATE events SET ordinal = 9000 WHERE room = 1 AND seq = 300"),
        ),
        ("rooms", "its outcome names another place", sql("UPDATE drafts SET seq = 9000 WHERE g = 400")),
        (
            "rooms",
            "its text is not that",
            sql("UPDATE events SET json = '{\"text\":\"other\"}' WHERE room = 1 AND seq = 300"),
        ),
        ("rooms", "its text is not that", sql("UPDATE events SET json = NULL WHERE room = 1 AND seq = 300")),
        ("rooms", "(entry 400): its text is not that", sql("UPDATE entries SET body = NULL WHERE g = 400")),
        ("rooms", "room number 99", sql("INSERT INTO lanes VALUES(99, 0, 1, 1)")),
        (
            "rooms",
            "the table also has rows of room number 99",
            sql("INSERT INTO also VALUES(99, 1, 1, zeroblob(16))"),
        ),
        (
            "rooms",
            "the table rows has rows of room number 99",
            sql(
                "INSERT INTO rows SELECT 99, lane, ordinal, zeroblob(16), author, deleted, imported, pinned, writer, row FROM rows WHERE room = 1 AND ordinal = 100",
            ),
        ),
        (
            "rooms",
            "the table events has rows of room number 99",
            sql(
                "INSERT INTO events SELECT 99, seq, g, at, rest, chain, lane, ordinal, json, also_lane, also_ordinal, head, restores FROM events WHERE room = 1 AND seq = 300",
            ),
        ),
        (
            "rooms",
            "it is message 9000 of lane",
            sql("UPDATE events SET also_ordinal = 9000 WHERE also_ordinal = 7"),
        ),
        ("rooms", "is missing in the table also", sql("DELETE FROM also WHERE ordinal = 7")),
        (
            "rooms",
            "is of another message in the table also",
            sql("UPDATE also SET id = zeroblob(16) WHERE ordinal = 7"),
        ),
        (
            "rooms",
            "but has row 9000 in the table also",
            sql("INSERT INTO also SELECT room, lane, 9000, zeroblob(16) FROM also WHERE ordinal = 7"),
        ),
    ];
    let (mut planted, mut found_by_the_reader) = (0, 0);
    for (name, says, put) in &plants {
        let folder = tempdir().unwrap();
        copy_folder(source.path(), folder.path());
        let log = Connection::open(folder.path().join("log.sqlite")).unwrap();
        let state = Connection::open(folder.path().join("state.sqlite")).unwrap();
        let changes = |db: &Connection| db.total_changes();
        put(&log, &state);
        assert!(changes(&log) + changes(&state) > 0, "nothing was planted for {says:?}");
        drop((log, state));
        let said = run(folder.path(), &[]);
        said.first(name, says);
        if *says == "entry 400 is missing" {
            said.says("state", "behind the fault of the log: mend the log first");
        }
        // The tests' own reader finds what is wrong with the links too, or cannot even read it.
        if *name == "log" && !says.contains("workspace") {
            let faults = std::panic::catch_unwind(|| log_reader::faults(&read_folder(folder.path())));
            assert!(faults.is_err() || faults.is_ok_and(|faults| !faults.is_empty()), "{says:?}");
            found_by_the_reader += 1;
        }
        planted += 1;
    }
    assert_eq!((planted, found_by_the_reader), (46, 13));

    // What only a fresh fold can tell.
    let mut planted_for_fold = 0;
    for (says, sql) in [
        (
            "the table rows, row room 1, lane 0, ordinal 100: the column row",
            "UPDATE rows SET row = replace(row, 'message', 'massage') WHERE room = 1 AND ordinal = 100",
        ),
        (
            "the table members has the row room ",
            "DELETE FROM members WHERE account = (SELECT account FROM members LIMIT 1)",
        ),
        ("the table members lacks the row room ", "DELETE FROM members"),
        ("the table accounts", "UPDATE accounts SET handle = handle || 'x'"),
        (
            "the table mentions has the row",
            "INSERT INTO mentions VALUES(1, 0, 9, 'bbbbbbbbbb', 'bbbbbbbbbb', 9)",
        ),
    ] {
        let folder = tempdir().unwrap();
        copy_folder(source.path(), folder.path());
        let state = Connection::open(folder.path().join("state.sqlite")).unwrap();
        assert!(state.execute(sql, []).unwrap() > 0);
        drop(state);
        run(folder.path(), &[]).well(&["rooms"]);
        run(folder.path(), &["--fold"]).first("fold", says);
        let left =
            std::fs::read_dir(folder.path()).unwrap().filter(|it| it.as_ref().unwrap().path().is_dir());
        assert_eq!(left.count(), 0, "the folder of the fold is gone");
        planted_for_fold += 1;
    }
    assert_eq!(planted_for_fold, 5);
    let folder = tempdir().unwrap();
    copy_folder(source.path(), folder.path());
    let state = Connection::open(folder.path().join("state.sqlite")).unwrap();
    state.execute_batch("ALTER TABLE lanes ADD COLUMN more INTEGER").unwrap();
    drop(state);
    run(folder.path(), &[]).well(&["rooms"]);
    run(folder.path(), &["--fold"]).first("fold", "the table lanes has other columns");

    // A text that is due to be erased leaves the log first.
    let folder = tempdir().unwrap();
    copy_folder(source.path(), folder.path());
    let log = Connection::open(folder.path().join("log.sqlite")).unwrap();
    let state = Connection::open(folder.path().join("state.sqlite")).unwrap();
    log.execute_batch("UPDATE entries SET body = NULL WHERE g = 400").unwrap();
    state.execute_batch("INSERT INTO to_erase SELECT id, 1 FROM drafts WHERE g = 400").unwrap();
    drop((log, state));
    let said = run(folder.path(), &[]);
    said.well(&["log", "state", "rooms"]);
    assert!(said.text.contains("1 erased text goes from here within an hour"), "{}", said.text);

    // Of another version of Beck.
    for (file, version, name, says) in [
        ("log.sqlite", 99, Some("log"), "was written by a newer Beck"),
        ("state.sqlite", 99, None, "it is of another version of Beck"),
    ] {
        let folder = tempdir().unwrap();
        copy_folder(source.path(), folder.path());
        let db = Connection::open(folder.path().join(file)).unwrap();
        db.pragma_update(None, "user_version", version).unwrap();
        drop(db);
        let said = run(folder.path(), &[]);
        assert!(said.text.contains(says), "{}", said.text);
        assert_eq!(
            said.faults.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            Vec::from_iter(name)
        );
    }
}

/// The state file loses it when the `erase` is folded, the log last: a server may be stopped in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_erased_and_still_in_the_log_is_no_fault() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let id = ClientId::random();
    here.post(here.owner, id, "a text").await;
    let written = here.log().await.pop().unwrap();
    let (own, slot, value) = (ClientId::random(), "deleted".to_owned(), ActValue::On(true));
    let act = ActDraft { id: own, room: here.general, target: id, slot, value, named: Default::default() };
    rooms::act(&here.node, here.owner, act).await.unwrap();
    erase_message(&here.node, id).await;
    drop(here);
    closed(folder.path()).await;
    run(folder.path(), &["--fold"]).well(&["log", "state", "rooms", "fold"]);
    let log = Connection::open(folder.path().join("log.sqlite")).unwrap();
    let put = "UPDATE entries SET body = ?2 WHERE g = ?1 AND body IS NULL";
    assert_eq!(log.execute(put, params![written.header.g as i64, written.body]).unwrap(), 1);
    drop(log);
    let said = run(folder.path(), &["--fold"]);
    said.well(&["log", "state", "rooms", "fold"]);
    assert!(said.text.contains("1 erased text goes"), "{}", said.text);
    // Of another entry it is one.
    let state = Connection::open(folder.path().join("state.sqlite")).unwrap();
    state.execute_batch("UPDATE erasable SET erased = NULL").unwrap();
    drop(state);
    run(folder.path(), &[]).first("rooms", "its text is not that of the entry in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_a_log_and_words_that_it_does_not_know_are_said() {
    let folder = tempdir().unwrap();
    run(folder.path(), &[]).first("log", "there is no log.sqlite");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is made");
    let (done, said) = tokio::task::block_in_place(|| {
        crate::support::command::Running::start(&["verify", "all"], &[]).end()
    });
    assert!(!done && said.contains("beck verify --fold"), "{said}");
    std::fs::write(folder.path().join("log.sqlite"), "this is no database at all, but it is long enough")
        .unwrap();
    run(folder.path(), &[]).first("log", "cannot be read");
}
