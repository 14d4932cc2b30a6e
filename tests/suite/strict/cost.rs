//! What one entry and one page cost does not depend on how often a message was deleted and restored.

use super::log::{Log, account, room};
use super::scene::scene;
use rusqlite::StatementStatus;
use rusqlite::trace::TraceEvent;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

const DELETED: &str = r#"{"value":true}"#;
const RESTORED: &str = r#"{"value":false}"#;
const DAY: i64 = 86_400_000;
const TIMES: u64 = 500;
/// `#1` of the scene.
const ID: &str = "018f0000-0000-7000-8000-000000000001";

thread_local! {
    static STEPS: Cell<i64> = const { Cell::new(0) };
    /// What each statement had counted when it ended last.
    static COUNTED: RefCell<HashMap<String, i64>> = RefCell::default();
}

/// Counts the steps of SQLite's machine: each row that is visited takes some.
fn count(event: TraceEvent<'_>) {
    let TraceEvent::Profile(statement, _) = event else { return };
    let now = i64::from(statement.get_status(StatementStatus::VmStep));
    let before = COUNTED.with_borrow_mut(|counted| counted.insert(statement.sql().into_owned(), now));
    // Prepared anew it counts from 0.
    let before = before.filter(|before| *before <= now).unwrap_or(0);
    STEPS.set(STEPS.get() + now - before);
}

fn steps(what: impl FnOnce()) -> i64 {
    let before = STEPS.get();
    what();
    STEPS.get() - before
}

/// The scene, and what its message `#1` went through: so many edits, then so many deletions with restores.
fn log_with(edits: u64, restores: u64) -> Log {
    let mut log = scene();
    for n in 0..edits {
        log.ok("ann act general #1 text", &format!(r#"{{"value":"edit {n}"}}"#));
    }
    for _ in 0..restores {
        log.ok("ann act general #1 deleted", DELETED);
        log.ok("ann act general #1 deleted", RESTORED);
    }
    log
}

/// The steps of a deletion and a restore, and of an `erase` of the earlier texts a day later.
fn steps_of(edits: u64, restores: u64) -> (i64, i64) {
    COUNTED.take();
    let mut log = log_with(0, 0);
    log.fold.trace(count);
    for n in 0..edits {
        log.ok("ann act general #1 text", &format!(r#"{{"value":"edit {n}"}}"#));
    }
    let toggle = |log: &mut Log| {
        log.ok("ann act general #1 deleted", DELETED);
        log.ok("ann act general #1 deleted", RESTORED);
    };
    for _ in 0..restores {
        toggle(&mut log);
    }
    let toggled = steps(|| toggle(&mut log));
    log.at += DAY;
    let erase = format!(r#"{{"earlier":["{ID}"],"reason":"replaced"}}"#);
    let erased = steps(|| log.ok("op erase general - -", &erase));
    assert_eq!(log.text(1), Some(format!("edit {}", edits - 1)));
    (toggled, erased)
}

#[test]
fn a_restore_and_an_erasure_cost_the_same_after_many_restores() {
    let (toggled, erased) = steps_of(2, 1);
    assert!(toggled > 100 && erased > 100, "nothing is counted: {toggled}, {erased}");
    let (then, erased_then) = steps_of(2, TIMES);
    assert!(then < toggled + toggled / 10, "{toggled} steps, and after {TIMES} restores {then}");
    assert!(erased_then < erased + erased / 10, "{erased} steps, and after {TIMES} restores {erased_then}");
    let (then, erased_then) = steps_of(TIMES, TIMES);
    assert!(then < toggled + toggled / 10, "{toggled} steps, and after {TIMES} edits and restores {then}");
    // Each text that goes costs its part.
    let most = erased * i64::try_from(TIMES).unwrap() / 2;
    assert!(erased_then < most, "{erased} steps for 2 edits, {erased_then} for {TIMES}");
}

#[test]
fn the_history_of_a_message_costs_the_same_after_many_restores() {
    let cost = |restores| {
        COUNTED.take();
        let log = log_with(3, restores);
        log.state.trace_readers(count);
        let who = (account("ann"), room("general"));
        steps(|| {
            let history = log.state.enter(who, |member| member.history(ID.parse().unwrap())).unwrap();
            let texts: Vec<_> = history.iter().map(|version| version.text.as_str()).collect();
            assert_eq!(texts, ["one", "edit 0", "edit 1", "edit 2"]);
        })
    };
    let (few, many) = (cost(1), cost(TIMES));
    assert!(few > 20, "nothing is counted: {few}");
    assert!(many < few + few / 10, "{few} steps, and after {TIMES} restores {many}");
}
