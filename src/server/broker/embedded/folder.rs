//! The data folder: one process at a time.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// Why a data folder cannot be opened; says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "the data folder {0} is in use by another Beck. Stop that one, or set DATA_DIR to another folder"
    )]
    Locked(PathBuf),
    #[error("the data folder {path} cannot be used: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("the log {path} cannot be opened: {source}")]
    Log { path: PathBuf, source: rusqlite::Error },
    #[error("the log {0} was written by a newer Beck. Start that version, or restore a copy")]
    Newer(PathBuf),
}

/// Makes a data folder if it is missing and locks it for this process, until the file is dropped.
pub fn lock_folder(folder: &Path) -> Result<File, OpenError> {
    let in_folder = |source| OpenError::Folder { path: folder.to_owned(), source };
    make_private_folder(folder).map_err(in_folder)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("lock"))
        .map_err(in_folder)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
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
