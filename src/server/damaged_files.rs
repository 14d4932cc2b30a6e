//! Databases of the data folder that cannot be read are renamed, not deleted: they may hold the last copy of what the log
//! has lost. Two of each are kept: the oldest, from before the first damage, and the newest. So a disk that damages a
//! file again and again neither takes the one that matters nor fills itself.

use std::fs::{remove_file, rename};
use std::io::{ErrorKind, Result};
use std::path::Path;

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
