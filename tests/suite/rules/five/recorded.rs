//! The recorded logs of format 5 in tests/data/corpus: they are decided for ever as they were.

use super::super::recorded::line;
use super::lists::Interpreter;
use super::maker::{Maker, history};
use crate::corpus::{assert_recorded, decided, decided_in_batches, entries_of, file, lines_of, write};
use beck::protocol::{Kind, Outcome};
use beck::server::broker::Entry;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Two random histories, of which the second rises from an earlier format, and two logs that servers wrote.
const RECORDED: [&str; 4] = ["format-5", "format-5-risen", "format-5-served", "format-5-served-risen"];
const MADE: [(&str, u64); 2] = [("format-5", 0xbec1), ("format-5-risen", 0xbec2)];
const ENTRIES: usize = 500;

/// Without the bodies that the log says are erased, as a server leaves it.
fn without_erased(made: Maker) -> Vec<Entry> {
    let mut log = made.log;
    made.oracle.erased.iter().for_each(|g| log[*g as usize - 1].body = None);
    log
}

#[test]
fn every_recorded_log_of_format_5_is_decided_as_it_was_recorded() {
    for name in RECORDED {
        let entries = entries_of(name);
        let (now, then) = (decided(&entries), lines_of(name, "decisions"));
        for (now, then) in now.iter().zip(&then) {
            assert_eq!(now, then, "{name}");
        }
        assert_eq!(now.len(), then.len(), "{name}");
        assert_recorded(name, decided_in_batches(&entries));
    }
}

#[test]
fn the_interpreter_decides_the_recorded_logs_of_format_5_as_recorded() {
    for name in RECORDED {
        let mut interpreter = Interpreter::default();
        let mut taken = 0;
        for (entry, then) in entries_of(name).iter().zip(lines_of(name, "decisions")) {
            let decided = interpreter.read(&entry.header, entry.body.as_deref()).unwrap();
            let mut now = line(entry.header.g, &decided);
            if decided.event.is_some() && !interpreter.named.is_empty() {
                now["event"]["erased"] = json!(interpreter.named);
            }
            if interpreter.erased.len() > taken {
                let mut erased = interpreter.erased[taken..].to_vec();
                erased.sort_unstable();
                now["erased"] = json!(erased);
                taken = interpreter.erased.len();
            }
            let mut then: Value = serde_json::from_str(&then).unwrap();
            then.as_object_mut().unwrap().remove("chain");
            assert_eq!(now, then, "{name}: {:?}", entry.header);
        }
    }
}

#[test]
fn the_recorded_logs_of_format_5_are_decided_alike_without_any_erasable_body() {
    let mut erased = 0;
    for name in RECORDED {
        let mut interpreter = Interpreter::default();
        let mut entries = entries_of(name);
        for entry in &mut entries {
            interpreter.read(&entry.header, entry.body.as_deref()).unwrap();
            let past = interpreter.past.last().unwrap();
            if past.format >= 5 && past.erasable {
                erased += usize::from(entry.body.take().is_some());
            }
        }
        assert_recorded(name, decided_in_batches(&entries));
    }
    assert!(erased > 200, "{erased} bodies were erased");
}

#[test]
fn the_recorded_logs_of_format_5_have_every_kind_of_entry_and_every_refusal() {
    let (mut kinds, mut refusals, mut taken) = (BTreeSet::new(), BTreeSet::new(), 0);
    for name in RECORDED {
        let entries = entries_of(name);
        kinds.extend(entries.iter().map(|entry| entry.header.kind.as_str().to_owned()));
        assert!(entries.iter().any(|entry| entry.body.is_none()), "nothing is erased in {name}");
        assert!(entries.iter().any(|entry| entry.header.kind == Kind::Erase), "{name} has no erase");
        let begins_in_five = entries[0].json().is_some_and(|json| json.ends_with("\"format\":5}"));
        assert_eq!(!begins_in_five, name.ends_with("risen"), "{name}");
        for line in lines_of(name, "decisions") {
            let line: Value = serde_json::from_str(&line).unwrap();
            taken += line["erased"].as_array().map_or(0, Vec::len);
            let outcome: Outcome = serde_json::from_value(line["outcome"].clone()).unwrap();
            if let Outcome::Refused { why } = outcome {
                refusals.insert(format!("{why:?}"));
            }
        }
    }
    for kind in crate::corpus::KINDS.into_iter().chain(["workspace.set", "erase"]) {
        assert!(kinds.contains(kind), "no {kind}: {kinds:?}");
    }
    assert_eq!(refusals.len(), 9, "{refusals:?}");
    assert!(taken > 50, "{taken} bodies were erased");
}

/// Records the random histories: `cargo suite -- --ignored record_the_histories_of_format_5`.
#[test]
#[ignore = "writes tests/data; a log that is there is never recorded again"]
fn record_the_histories_of_format_5() {
    for (name, seed) in MADE {
        assert!(!file(name, "log").exists(), "{name} is recorded");
        write(name, &without_erased(history(seed, ENTRIES)));
    }
}
