//! Every file of the suite is compiled: one that no `mod` line names would hold nothing, and nobody would notice.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every Rust file under a folder.
fn files(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.insert(path);
        }
    }
}

/// The file of a module, and those of the modules that it declares; `beside` is the folder of its children.
fn reach(file: &Path, beside: &Path, reached: &mut BTreeSet<PathBuf>) {
    reached.insert(file.to_owned());
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) else { continue };
        let (flat, nested) = (beside.join(format!("{name}.rs")), beside.join(name).join("mod.rs"));
        let file = if flat.is_file() { flat } else { nested };
        reach(&file, &beside.join(name), reached);
    }
}

#[test]
fn every_file_of_the_suite_is_reached_from_its_root() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite");
    let (mut all, mut reached) = (BTreeSet::new(), BTreeSet::new());
    files(&suite, &mut all);
    reach(&suite.join("main.rs"), &suite, &mut reached);
    assert!(reached.len() > 90, "only {} files were found", reached.len());
    let forgotten: Vec<_> = all.difference(&reached).collect();
    assert!(forgotten.is_empty(), "no `mod` line names {forgotten:?}");
}
