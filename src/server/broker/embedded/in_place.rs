//! Whether the files that the log has open are still those at their paths. What goes into a file that was deleted, moved
//! or replaced is gone after the next start, so nothing of it may be acknowledged.

use crate::server::broker::BrokerError;
use crate::server::readiness::UnreadyState;
use std::path::{Path, PathBuf};

/// The files of an open log: the database, and what SQLite has not yet carried over into it.
pub struct InPlace(Vec<(PathBuf, Identity)>);

impl InPlace {
    /// Notes the files as they are now. Asked once the log is open and was read, so that both are there.
    pub fn of(log: &Path) -> InPlace {
        let mut wal = log.as_os_str().to_owned();
        wal.push("-wal");
        let files = [log.to_owned(), wal.into()].into_iter();
        InPlace(files.filter_map(|path| identity(&path).map(|identity| (path, identity))).collect())
    }

    /// Fails while one of them is not at its path.
    pub fn check(&self) -> Result<(), BrokerError> {
        for (path, opened) in &self.0 {
            let what = match identity(path) {
                Some(found) if found == *opened => continue,
                Some(_) => "is another file than the one that this server has open",
                None => "was deleted or moved away while this server has it open",
            };
            let words = format!(
                "{} {what}. Put the very same file back, and the server goes on; if there is none, stop the server",
                path.display()
            );
            return Err(BrokerError::unready(UnreadyState::LogGone, words));
        }
        Ok(())
    }
}

/// What tells a file from another one at the same path, for as long as it is open.
#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Only whether it is there.
#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Identity> {
    path.is_file().then_some(())
}
