//! `beck verify` names each planted fault by its number, and finds none where there is none.

mod folder;
mod healthy;
mod store;

use crate::support::command::Running;
use crate::support::log_reader::{StoredEntry, link_after};
use std::path::Path;

/// What it said.
pub struct Said {
    pub well: bool,
    /// Name and words of each fault, in order.
    pub faults: Vec<(String, String)>,
    pub text: String,
}

/// Runs it; its exit code must fit what it says.
pub fn verify(words: &[&str], set: &[(&str, &str)]) -> Said {
    let words: Vec<_> = ["verify"].iter().chain(words).copied().collect();
    let (well, text) = tokio::task::block_in_place(|| Running::start(&words, set).end());
    let faults: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("fault"))
        .filter_map(|line| line.trim_start().split_once(' '))
        .map(|(name, words)| (name.to_owned(), words.trim_start().to_owned()))
        .collect();
    assert_eq!(well, faults.is_empty(), "{text}");
    assert!(text.contains(&format!("Faults: {}, warnings: 0.", faults.len())), "{text}");
    Said { well, faults, text }
}

impl Said {
    /// The first fault is of this line and says this.
    pub fn first(&self, name: &str, says: &str) {
        let Some((found, words)) = self.faults.first() else {
            panic!("no fault, not {says:?}: {}", self.text)
        };
        assert!(found == name && words.contains(says), "not {name} {says:?} but: {}", self.text);
    }

    /// Some fault is of this line and says this.
    pub fn says(&self, name: &str, says: &str) {
        let found = self.faults.iter().any(|(found, words)| found == name && words.contains(says));
        assert!(found, "not {name} {says:?} but: {}", self.text);
    }

    /// Nothing is wrong, and these lines were said.
    pub fn well(&self, names: &[&str]) {
        assert!(self.well, "{}", self.text);
        for name in names {
            let line = format!("ok       {name}");
            assert!(self.text.lines().any(|said| said.starts_with(&line)), "no {name}: {}", self.text);
        }
    }
}

/// Copies the files of a folder, at rest.
pub fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Makes the links from an entry on follow from what the entries say now.
pub fn link_anew(entries: &mut [StoredEntry], from: u64) {
    for index in from as usize - 1..entries.len() {
        let before = index.checked_sub(1).map_or("0".repeat(16), |index| entries[index].link.clone());
        let entry = &mut entries[index];
        entry.link = link_after(&before, entry.g, entry.at, &entry.rest);
    }
}
