//! Databases of the data folder that cannot be read are renamed, not deleted: they may hold the last copy of what the log
//! has lost. Two of each are kept: the oldest, from before the first damage, and the newest. So a disk that damages a
//! file again and again neither takes the one that matters nor fills itself.
//!
//! What is erased goes from them too, as far as SQLite can still write them, and then wherever its bytes are found. It
//! goes from a log that was being moved into the folder as well: a server of a store may have such a folder, and the
//! move may be gone on with.

mod texts;

use super::broker::embedded::{COPY_FILE, UNFINISHED_FILE, erase_in_file};
use super::broker::{Entry, Head};
use super::state::{STATE_FILE, erase_in_aside};
use std::fs::{remove_file, rename};
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use texts::Texts;

/// Renames a database with what belongs to it; gives its new name. `None` if there is no such file.
pub fn set_aside(folder: &Path, file: &str) -> Result<Option<String>> {
    if !folder.join(file).exists() {
        return Ok(None);
    }
    let oldest = format!("{file}.damaged");
    let aside = if folder.join(&oldest).exists() { format!("{oldest}-latest") } else { oldest };
    // The write-ahead file first: without it a crash in between would leave a whole file with less in it.
    for ending in ["-wal", "-shm", ""] {
        let to = folder.join(format!("{aside}{ending}"));
        let _ = remove_file(&to);
        match rename(folder.join(format!("{file}{ending}")), &to) {
            Err(fault) if fault.kind() != ErrorKind::NotFound => return Err(fault),
            _ => {}
        }
    }
    Ok(Some(aside))
}

/// Removes the texts of entries from these files of a folder. The entries have their bodies still.
pub fn erase(folder: &Path, entries: &[Entry]) -> Result<()> {
    let heads: Vec<Head> = entries.iter().map(Entry::head).collect();
    for path in files(folder) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let done = match name.starts_with(STATE_FILE) {
            true => erase_in_aside(&path, entries),
            false => erase_in_file(&path, &heads),
        };
        match done {
            // It is whole, and its other entries may have the same text.
            Ok(()) if name == UNFINISHED_FILE => continue,
            Ok(()) => {}
            Err(fault) => {
                let file = path.display();
                tracing::warn!(%file, %fault, "this damaged file cannot be changed as a database: what was erased is overwritten where it is found");
            }
        }
        let texts = Texts::of(entries);
        for ending in ["", "-wal"] {
            let mut name = path.clone().into_os_string();
            name.push(ending);
            texts.overwrite_in(Path::new(&name))?;
        }
    }
    Ok(())
}

/// Whether there is a file in a folder from which texts are to be erased.
pub fn any(folder: &Path) -> bool {
    !files(folder).is_empty()
}

/// Those that were set aside, and a log that is not whole.
fn files(folder: &Path) -> Vec<PathBuf> {
    let aside = [COPY_FILE, STATE_FILE].into_iter().flat_map(|file| {
        let oldest = format!("{file}.damaged");
        let latest = format!("{oldest}-latest");
        [oldest, latest]
    });
    let names = aside.chain([UNFINISHED_FILE.to_owned()]);
    names.map(|name| folder.join(name)).filter(|path| path.is_file()).collect()
}
