//! The rules of the log in format 5, and of logs that rise to it.
//!
//! The oracle is [`interpreter`] with what it reads and keeps. The tests compare it with the fold over random histories
//! and over a handwritten log.

mod bytes;
mod erase;
mod forms;
mod histories;
mod interpreter;
mod lists;
mod maker;
mod quirks;
mod reading;
mod recorded;

use super::interpreter::Decided;
use beck::server::broker::Entry;
use lists::Interpreter;
use std::path::Path;

/// The interpreter's decisions about a whole log.
fn interpreted(entries: &[Entry]) -> Vec<Decided> {
    let mut interpreter = Interpreter::default();
    entries.iter().map(|entry| interpreter.read(&entry.header, entry.body.as_deref()).unwrap()).collect()
}

/// A specification is short enough to be read at once.
#[test]
fn the_rules_stay_short() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/rules/five");
    for (file, most) in [("interpreter.rs", 150), ("erase.rs", 80)] {
        let lines = std::fs::read_to_string(folder.join(file)).unwrap().lines().count();
        assert!(lines < most, "{file} has {lines} lines");
    }
}
