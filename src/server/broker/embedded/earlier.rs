//! The copy of a folder's log that is made before the log's format rises: with it an earlier version can be started again.

use super::folder::OpenError;
use super::{CopyError, LOG_FILE, erase_in_file, file};
use crate::protocol::Format;
use crate::server::broker::Head;
use crate::server::private_files;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// How the names of these copies begin; the number of the format and the ending of an SQLite file follow.
const BEGINNING: &str = "log-before-format-";
const ENDING: &str = ".sqlite";
/// Bytes that must be left on the disk beside the copy.
const ROOM_LEFT: u64 = 16 * 1024 * 1024;

/// The name of the copy that is made before a log rises to a format.
pub fn earlier_log_file(format: Format) -> String {
    format!("{BEGINNING}{}{ENDING}", format.number())
}

/// The copies in a data folder.
pub fn earlier_logs(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_copy = |name: &str| name.starts_with(BEGINNING) && name.ends_with(ENDING);
    let copies = files.filter(|file| file.file_name().to_str().is_some_and(is_copy));
    let mut copies: Vec<_> = copies.map(|file| file.path()).collect();
    copies.sort();
    copies
}

/// Copies the log of a data folder, with what stands beside it, and flushes the copy. A copy of an earlier try is replaced.
/// Fails where the disk has no room for it; then nothing is left of it.
pub fn copy_log(folder: &Path, to: Format) -> io::Result<PathBuf> {
    let path = folder.join(earlier_log_file(to));
    let part = path.with_extension("part");
    let _ = fs::remove_file(&part);
    let copied = check_room(folder).and_then(|()| write(folder, &part)).and_then(|()| {
        File::open(&part)?.sync_all()?;
        fs::rename(&part, &path)?;
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    });
    if copied.is_err() {
        let _ = fs::remove_file(&part);
    }
    copied.map(|()| path)
}

fn write(folder: &Path, part: &Path) -> io::Result<()> {
    let log = file::open_to_read(&folder.join(LOG_FILE)).map_err(|fault| match fault {
        OpenError::Log { source, .. } => of_sqlite(source),
        fault => io::Error::other(fault),
    })?;
    private_files::options().write(true).create_new(true).open(part)?;
    // The copy is written by the setting of this connection. Without it SQLite leaves texts in the free space of the pages
    // that it fills, and erasing them later does not reach these.
    log.pragma_update(None, "secure_delete", true).map_err(of_sqlite)?;
    // Takes no pages of erased texts along.
    log.execute("VACUUM INTO ?1", [part.to_string_lossy()]).map(drop).map_err(of_sqlite)
}

fn of_sqlite(fault: rusqlite::Error) -> io::Error {
    match fault.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => io::Error::new(io::ErrorKind::StorageFull, fault),
        _ => io::Error::other(fault),
    }
}

#[cfg(unix)]
fn check_room(folder: &Path) -> io::Result<()> {
    let disk = rustix::fs::statvfs(folder)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let wal = fs::metadata(folder.join(format!("{LOG_FILE}-wal"))).map_or(0, |wal| wal.len());
    let needed = fs::metadata(folder.join(LOG_FILE))?.len() + wal + ROOM_LEFT;
    if free >= needed { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
}

#[cfg(not(unix))]
fn check_room(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes the bodies of these entries from each copy in a data folder, from its file too. An entry with another link than
/// that of this number is none of these.
pub fn erase_in_earlier_logs(folder: &Path, entries: &[Head]) -> Result<(), CopyError> {
    for path in earlier_logs(folder) {
        erase_in_file(&path, entries)?;
    }
    Ok(())
}

/// Deletes the copies of a data folder.
pub fn delete_earlier_logs(folder: &Path) -> io::Result<()> {
    for path in earlier_logs(folder) {
        for beside in ["-wal", "-shm"] {
            let mut name = path.clone().into_os_string();
            name.push(beside);
            let _ = fs::remove_file(name);
        }
        fs::remove_file(path)?;
    }
    Ok(())
}
