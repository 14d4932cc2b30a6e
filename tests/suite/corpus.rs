//! Old logs are decided for ever as they were: recorded logs, and what the fold made of every entry when they were
//! recorded. tests/data/corpus/README.md says how they came to be. Here are those of formats 1 to 4, which 0.1.0 has
//! recorded; `rules/five/recorded.rs` has those of format 5.

mod by_hand;

use crate::support::corpus::make_log;
use beck::protocol::{Kind, Outcome, Slot};
use beck::server::broker::Entry;
use beck::server::fold::{Fold, Folded};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use tempfile::tempdir;

pub(crate) const FORMATS: std::ops::RangeInclusive<u32> = 1..=4;

fn name_of(format: u32) -> String {
    format!("format-{format}")
}

pub(crate) fn file(name: &str, what: &str) -> PathBuf {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus");
    folder.join(format!("{name}.{what}.jsonl"))
}

/// The kinds of entries of formats 1 to 4, and one that they do not know.
pub(crate) const KINDS: [&str; 13] = [
    "workspace",
    "format",
    "account",
    "account.set",
    "room",
    "room.set",
    "join",
    "leave",
    "message",
    "act",
    "void",
    "logins",
    "poll",
];

pub(crate) fn lines(format: u32, what: &str) -> Vec<String> {
    lines_of(&name_of(format), what)
}

/// The lines of a recorded log, or of its decisions.
pub(crate) fn lines_of(name: &str, what: &str) -> Vec<String> {
    let path = file(name, what);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    text.lines().map(str::to_owned).collect()
}

pub(crate) fn recorded(format: u32) -> Vec<Entry> {
    entries_of(&name_of(format))
}

/// The entries of a recorded log, read without the archive's own reader.
pub(crate) fn entries_of(name: &str) -> Vec<Entry> {
    let entry = |line: String| {
        let line: Value = serde_json::from_str(&line).unwrap();
        let entry = &line["entry"];
        Entry {
            header: serde_json::from_value(entry["header"].clone()).unwrap(),
            body: entry["body"].as_str().map(str::to_owned),
            link: entry["link"].as_str().unwrap().parse().unwrap(),
        }
    };
    lines_of(name, "log").into_iter().map(entry).collect()
}

/// What became of one entry, without the chain.
fn decision(folded: &Folded) -> Value {
    let mut decided = json!({ "g": folded.g, "outcome": folded.outcome });
    if let Some((room, event)) = &folded.event {
        decided["event"] = json!({ "room": room, "seq": event.seq, "ordinal": event.ordinal, "lane": event.lane, "also": event.also });
        if !event.erased.is_empty() {
            decided["event"]["erased"] = json!(event.erased);
        }
    }
    if !folded.erased.is_empty() {
        decided["erased"] = json!(folded.erased);
    }
    decided
}

/// Folds a log afresh, an entry at a time: a line for each, with the chain of its room after it.
pub(crate) fn decided(entries: &[Entry]) -> Vec<String> {
    let folder = tempdir().unwrap();
    let (state, mut fold) = Fold::open(folder.path(), |_, _| true).unwrap();
    let line = |entry: &Entry| {
        let folded = fold.fold(std::slice::from_ref(entry)).unwrap().remove(0);
        let mut line = decision(&folded);
        let head = entry.header.room.and_then(|room| state.read_anything(|state| state.room_head(room)).ok());
        line["chain"] = json!(head.map(|head| head.chain));
        line.to_string()
    };
    entries.iter().map(line).collect()
}

/// As [`decided`], in batches as a server folds, without the chain of rooms that an entry leaves as they are.
pub(crate) fn decided_in_batches(entries: &[Entry]) -> Vec<Value> {
    let folder = tempdir().unwrap();
    let (_, mut fold) = Fold::open(folder.path(), |_, _| true).unwrap();
    let mut all = Vec::new();
    for batch in entries.chunks(97) {
        for folded in fold.fold(batch).unwrap() {
            let mut line = decision(&folded);
            line["chain"] = json!(folded.event.map(|(_, event)| event.chain));
            all.push(line);
        }
    }
    all
}

#[test]
fn a_fresh_fold_of_every_recorded_log_decides_as_it_was_recorded() {
    for format in FORMATS {
        let entries = recorded(format);
        assert!(entries.len() >= 300, "the log of format {format} has {} entries", entries.len());
        let recorded = lines(format, "decisions");
        let decided = decided(&entries);
        for (now, then) in decided.iter().zip(&recorded) {
            assert_eq!(now, then, "format {format}");
        }
        assert_eq!(decided.len(), recorded.len(), "format {format}");
    }
}

#[test]
fn batches_and_erased_bodies_change_no_recorded_decision() {
    let mut erased = 0;
    for format in FORMATS {
        let mut entries = recorded(format);
        let accepted: BTreeMap<u64, Value> = lines(format, "decisions")
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["outcome"]["is"] == "stored")
            .map(|line| (line["g"].as_u64().unwrap(), line))
            .collect();
        let mut times = HashMap::new();
        entries.iter().for_each(|entry| *times.entry(entry.header.client_id).or_insert(0) += 1);
        let newest = entries.len() as u64;
        for entry in &mut entries {
            let header = &entry.header;
            let slot = header.slot.as_ref().and_then(|slot| Slot::parse(slot.as_str()));
            let restores = entry.json().is_some_and(|json| json.contains("\"restored\""));
            let is_text = match (&header.kind, slot) {
                (Kind::Message, _) | (Kind::Act, Some(Slot::Text)) => true,
                (Kind::Act, Some(Slot::Deleted)) => restores,
                _ => false,
            };
            // Where a draft came twice, the text decides whether it is the same one.
            let decides = times[&header.client_id] > 1 || !accepted.contains_key(&header.g);
            if is_text && !decides && header.g != newest && entry.body.take().is_some() {
                erased += 1;
            }
        }
        assert_recorded(&name_of(format), decided_in_batches(&entries));
    }
    assert!(erased > 300, "{erased} bodies were erased");
}

/// Compares decisions from batches with the recorded ones.
pub(crate) fn assert_recorded(name: &str, now: Vec<Value>) {
    let recorded = lines_of(name, "decisions");
    assert_eq!(now.len(), recorded.len(), "{name}");
    for (mut now, then) in now.into_iter().zip(recorded) {
        let then: Value = serde_json::from_str(&then).unwrap();
        // A refused entry, or one of no room, moves no chain.
        if now["chain"].is_null() {
            now["chain"] = then["chain"].clone();
        }
        assert_eq!(now, then, "{name}");
    }
}

#[test]
fn the_recorded_logs_have_every_kind_of_entry_and_every_refusal() {
    let mut refusals: BTreeMap<String, usize> = BTreeMap::new();
    let mut accepted = BTreeSet::new();
    for format in FORMATS {
        let entries = recorded(format);
        let kinds: BTreeSet<_> = entries.iter().map(|entry| entry.header.kind.as_str()).collect();
        for kind in KINDS.into_iter().chain(["room.color"]) {
            assert!(kinds.contains(kind), "the log of format {format} has no {kind}");
        }
        assert!(entries.iter().any(|entry| entry.body.is_none()), "nothing is erased in {format}");
        let (mut answers, mut also) = (0, 0);
        let decisions = lines(format, "decisions");
        for (entry, line) in entries.iter().zip(&decisions) {
            let line: Value = serde_json::from_str(line).unwrap();
            let outcome: Outcome = serde_json::from_value(line["outcome"].clone()).unwrap();
            match outcome {
                Outcome::Stored { .. } => drop(accepted.insert(entry.header.kind.as_str().to_owned())),
                Outcome::Refused { why } => *refusals.entry(format!("{why:?}")).or_default() += 1,
            }
            answers += usize::from(line["event"]["lane"].as_u64().is_some_and(|lane| lane > 0));
            also += usize::from(line["event"]["also"].is_object());
        }
        assert!(answers > 10, "{answers} answers in {format}");
        assert_eq!(also > 0, format >= 3, "{also} answers stand in the room too, in {format}");
        let written = entries.iter().map(|entry| entry.header.client_id).collect::<BTreeSet<_>>();
        assert!(written.len() + 5 < entries.len(), "drafts came twice in {format}");
    }
    assert_eq!(accepted.len(), 14, "only {accepted:?} were accepted");
    println!("{refusals:?}");
    for why in [
        "NotFound",
        "Archived",
        "NotAllowed",
        "Taken",
        "TargetGone",
        "Void",
        "OtherDraft",
        "TooLate",
        "Malformed",
    ] {
        assert!(refusals.get(why).is_some_and(|times| *times >= 3), "{why}: {refusals:?}");
    }
}

/// Records the corpus anew; only with BECK_RECORD_CORPUS, and only on a checkout of the version that is recorded.
#[test]
fn record() {
    if std::env::var_os("BECK_RECORD_CORPUS").is_none() {
        return;
    }
    for format in FORMATS {
        let folder = tempdir().unwrap();
        let entries = make_log(folder.path(), format);
        write(&name_of(format), &entries);
    }
}

/// Records a log.
pub(crate) fn write(name: &str, entries: &[Entry]) {
    let line = |entry: &Entry| {
        let (header, link, body) = (&entry.header, entry.link, &entry.body);
        json!({ "entry": { "header": header, "link": link, "body": body } }).to_string()
    };
    let log: Vec<_> = entries.iter().map(line).collect();
    std::fs::write(file(name, "log"), log.join("\n") + "\n").unwrap();
    std::fs::write(file(name, "decisions"), decided(entries).join("\n") + "\n").unwrap();
}
