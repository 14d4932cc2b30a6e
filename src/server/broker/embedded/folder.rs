//! The data folder: one process at a time.

use super::fault;
use crate::server::private_files;
use crate::server::remedy::with_remedy;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// A log that is being moved into the folder, until it is whole.
pub const UNFINISHED_FILE: &str = "unfinished.sqlite";
/// Says where the log of the folder was moved to.
pub const MOVED_FILE: &str = "moved";

/// Why a data folder cannot be opened; says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "the data folder {0} is in use by another Beck. Stop that one, or set DATA_DIR to another folder"
    )]
    Locked(PathBuf),
    #[error("the data folder {path} cannot be used: {}", with_remedy(source))]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("the log {path} cannot be opened: {}", fault::with_remedy(path, source))]
    Log { path: PathBuf, source: rusqlite::Error },
    #[error(
        "the log {path} has a gap after entry {after}, and what follows it cannot be moved aside: {}. The log is as it was",
        with_remedy(source)
    )]
    Gap { path: PathBuf, after: u64, source: std::io::Error },
    #[error("the log {0} was written by a newer Beck. Start that version, or restore a copy")]
    Newer(PathBuf),
    #[error(
        "a move or restore into the data folder {0} is not finished: run the same command again, or delete {UNFINISHED_FILE} there to give it up"
    )]
    Unfinished(PathBuf),
    #[error(
        "the log of the data folder {folder} was moved to {to}: serve it from there (REDIS_URL). Delete the file {MOVED_FILE} in the folder only if nothing was written there since"
    )]
    Moved { folder: PathBuf, to: String },
}

/// A log that is not whole, or that goes on elsewhere, is not served.
pub fn check_moves(folder: &Path) -> Result<(), OpenError> {
    if folder.join(UNFINISHED_FILE).exists() {
        return Err(OpenError::Unfinished(folder.to_owned()));
    }
    match fs::read_to_string(folder.join(MOVED_FILE)) {
        Ok(to) => Err(OpenError::Moved { folder: folder.to_owned(), to: to.trim().to_owned() }),
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(OpenError::Folder { path: folder.to_owned(), source }),
    }
}

/// A data folder is this process's own until the drop.
pub struct FolderLock(File);

impl Drop for FolderLock {
    fn drop(&mut self) {
        // To close it is not enough: a process that is being started has a copy of it for a moment.
        let _ = self.0.unlock();
    }
}

/// Makes a data folder if it is missing and locks it.
pub fn lock_folder(folder: &Path) -> Result<FolderLock, OpenError> {
    let in_folder = |source| OpenError::Folder { path: folder.to_owned(), source };
    make_private_folder(folder).map_err(in_folder)?;
    private_files::tighten_folder(folder);
    let lock = private_files::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("lock"))
        .map_err(in_folder)?;
    match lock.try_lock() {
        Ok(()) => Ok(FolderLock(lock)),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(in_folder(source)),
    }
}

fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
