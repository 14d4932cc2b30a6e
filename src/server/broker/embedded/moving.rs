//! A data folder as a side of a move.

use super::file;
use super::folder::{FolderLock, MOVED_FILE, UNFINISHED_FILE, check_moves, lock_folder};
use super::{LOG_FILE, lock};
use crate::protocol::AccountId;
use crate::server::broker::moving::{Beside, KeptSecret, LiveLog, Moved, Side, Source, Target};
use crate::server::broker::{Entry, Head, Pointer};
use crate::server::private_files;
use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::Connection;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A file with a log in a folder.
struct LogFile {
    folder: PathBuf,
    /// Closed before the log is begun, and once it is committed.
    connection: Mutex<Option<Connection>>,
    /// None where others may write meanwhile.
    _lock: Option<FolderLock>,
}

impl LogFile {
    fn new(folder: &Path, lock: Option<FolderLock>) -> LogFile {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        LogFile { folder, connection: Mutex::new(None), _lock: lock }
    }

    fn open(&self, name: &str) -> Moved<()> {
        let connection = file::open_log(&self.folder.join(name)).map_err(|fault| fault.to_string())?;
        *lock(&self.connection) = Some(connection);
        Ok(())
    }

    fn head(&self) -> Moved<Option<Head>> {
        if lock(&self.connection).is_none() {
            return Ok(None);
        }
        Ok(self.with(file::read_head)?.map(|(head, _)| head))
    }

    fn name(&self) -> String {
        format!("the folder {}", self.folder.display())
    }

    fn with<T>(&self, what: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Moved<T> {
        let connection = lock(&self.connection);
        let connection = connection.as_ref().ok_or("the log was closed")?;
        what(connection).map_err(|fault| {
            format!(
                "the log in {} cannot be read or written: {fault}. See whether its disk is full",
                self.name()
            )
        })
    }

    /// All of it or nothing.
    fn write(&self, what: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Moved<()> {
        self.with(|connection| {
            let transaction = connection.unchecked_transaction()?;
            what(&transaction)?;
            transaction.commit()
        })
    }

    fn in_folder<T>(&self, done: std::io::Result<T>) -> Moved<T> {
        done.map_err(|fault| format!("{} cannot be written: {fault}", self.name()))
    }
}

macro_rules! side {
    ($name:ident) => {
        impl Side for $name {
            fn name(&self) -> String {
                self.0.name()
            }

            fn head(&self) -> BoxFuture<'_, Moved<Option<Head>>> {
                async { self.0.head() }.boxed()
            }

            fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Moved<Vec<Entry>>> {
                async move { self.0.with(|connection| file::read_entries(connection, from - 1, limit)) }
                    .boxed()
            }

            fn beside(&self) -> BoxFuture<'_, Moved<Beside>> {
                async { self.0.with(file::read_beside) }.boxed()
            }
        }
    };
}

/// The log of a data folder.
pub struct FolderSource(LogFile);
side!(FolderSource);

impl FolderSource {
    pub fn open(folder: &Path) -> Moved<FolderSource> {
        Self::open_file(folder, LOG_FILE, "a server that has its log there has made none yet")
    }

    /// The copy that a server of a store keeps.
    pub fn open_copy(folder: &Path) -> Moved<FolderSource> {
        let why = "a server on Redis keeps one in its DATA_DIR";
        Self::open_file(folder, super::COPY_FILE, why)
    }

    fn open_file(folder: &Path, name: &str, why: &str) -> Moved<FolderSource> {
        // Before the lock, which would make the folder.
        if !folder.join(name).is_file() {
            return Err(format!("there is no {name} in the folder {}: {why}", folder.display()));
        }
        let lock = lock_folder(folder).map_err(|fault| fault.to_string())?;
        let log = LogFile::new(folder, Some(lock));
        log.open(name)?;
        Ok(FolderSource(log))
    }
}

impl Source for FolderSource {
    fn sealed(&self) -> BoxFuture<'_, Moved<Option<String>>> {
        async {
            match std::fs::read_to_string(self.0.folder.join(MOVED_FILE)) {
                Ok(to) => Ok(Some(to.trim().to_owned())),
                Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(fault) => self.0.in_folder(Err(fault)),
            }
        }
        .boxed()
    }

    fn seal<'a>(&'a self, end: Head, target: &'a str) -> BoxFuture<'a, Moved<bool>> {
        async move {
            if self.0.head()? != Some(end) {
                return Ok(false);
            }
            let written = (|| {
                let path = self.0.folder.join(MOVED_FILE);
                private_files::write(&path, format!("{target}\n").as_bytes())?.sync_all()?;
                sync_folder(&self.0.folder)
            })();
            self.0.in_folder(written)?;
            Ok(true)
        }
        .boxed()
    }
}

/// The log of a data folder whose server may be at work.
pub struct LiveFolder(LogFile);
side!(LiveFolder);

impl LiveFolder {
    pub fn open(folder: &Path) -> Moved<LiveFolder> {
        check_moves(folder).map_err(|fault| fault.to_string())?;
        let path = folder.join(LOG_FILE);
        if !path.is_file() {
            return Err(format!("there is no {LOG_FILE} in the folder {}: see DATA_DIR", folder.display()));
        }
        let log = LogFile::new(folder, None);
        let connection = file::open_to_read(&path).map_err(|fault| fault.to_string())?;
        *lock(&log.connection) = Some(connection);
        Ok(LiveFolder(log))
    }
}

impl LiveLog for LiveFolder {
    fn pointers<'a>(
        &'a self,
        accounts: &'a [AccountId],
    ) -> BoxFuture<'a, Moved<BTreeMap<(AccountId, String), Pointer>>> {
        async move {
            let accounts: HashSet<_> = accounts.iter().collect();
            let all = self.0.with(file::read_beside)?.pointers.into_iter();
            let theirs = all.filter_map(|((account, key), pointer)| {
                let account = account.parse().ok().filter(|account| accounts.contains(account))?;
                Some(((account, key), pointer))
            });
            Ok(theirs.collect())
        }
        .boxed()
    }

    fn secrets<'a>(&'a self, names: &'a [String]) -> BoxFuture<'a, Moved<BTreeMap<String, KeptSecret>>> {
        async move {
            let names: HashSet<_> = names.iter().collect();
            let mut all = self.0.with(file::read_beside)?.secrets;
            all.retain(|name, secret| secret.expires.is_none() && names.contains(name));
            Ok(all)
        }
        .boxed()
    }
}

/// A data folder that gets a log.
pub struct FolderTarget(LogFile);
side!(FolderTarget);

impl FolderTarget {
    /// The folder is made if it is missing; it must have no log, but for one in which nothing was written yet.
    pub fn open(folder: &Path) -> Moved<FolderTarget> {
        let lock = lock_folder(folder).map_err(|fault| fault.to_string())?;
        let shown = folder.display();
        if folder.join(LOG_FILE).exists() && !is_unwritten(folder)? {
            let old = match std::fs::read_to_string(folder.join(MOVED_FILE)) {
                Ok(to) => format!(" (an old one, which was moved to {})", to.trim()),
                Err(_) => String::new(),
            };
            return Err(format!(
                "the folder {shown} has a log already{old}: name another folder, or take {LOG_FILE} and what belongs to it out of this one"
            ));
        }
        // SQLite would take it for a part of the log that gets this name.
        if let Some(rest) =
            REST.iter().map(|end| format!("{LOG_FILE}{end}")).find(|rest| folder.join(rest).exists())
        {
            return Err(format!(
                "the folder {shown} has {rest} of a log that is gone: take it out of this folder first"
            ));
        }
        let log = LogFile::new(folder, Some(lock));
        if folder.join(UNFINISHED_FILE).exists() {
            log.open(UNFINISHED_FILE)?;
        }
        Ok(FolderTarget(log))
    }
}

/// What SQLite keeps beside a file while it is open.
const REST: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Whether the log of a folder that is locked has no entry: a server made it that waited for its first account.
fn is_unwritten(folder: &Path) -> Moved<bool> {
    let connection = file::open_log(&folder.join(LOG_FILE)).map_err(|fault| fault.to_string())?;
    let head = file::read_head(&connection).map_err(|fault| format!("{LOG_FILE} cannot be read: {fault}"))?;
    // One file again, before another takes its name.
    let _ = connection.query_row("PRAGMA journal_mode=DELETE", [], |_| Ok(()));
    Ok(head.is_none())
}

impl Target for FolderTarget {
    fn begin<'a>(&'a self, _workspace: &'a str) -> BoxFuture<'a, Moved<()>> {
        // The file's name is the mark.
        async { self.0.open(UNFINISHED_FILE) }.boxed()
    }

    fn put<'a>(&'a self, entries: &'a [Entry]) -> BoxFuture<'a, Moved<()>> {
        async move {
            self.0.write(|connection| entries.iter().try_for_each(|entry| file::replace(connection, entry)))
        }
        .boxed()
    }

    fn put_beside<'a>(&'a self, beside: &'a Beside) -> BoxFuture<'a, Moved<()>> {
        async move { self.0.write(|connection| file::replace_beside(connection, beside)) }.boxed()
    }

    fn commit(&self) -> BoxFuture<'_, Moved<()>> {
        async {
            let folder = &self.0.folder;
            self.0.with(|connection| {
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
                // One file, whole, before it gets its name.
                connection.query_row("PRAGMA journal_mode=DELETE", [], |_| Ok(()))
            })?;
            drop(lock(&self.0.connection).take());
            let renamed = (|| {
                File::open(folder.join(UNFINISHED_FILE))?.sync_all()?;
                let _ = std::fs::remove_file(folder.join(MOVED_FILE));
                std::fs::rename(folder.join(UNFINISHED_FILE), folder.join(LOG_FILE))?;
                sync_folder(folder)
            })();
            self.0.in_folder(renamed)
        }
        .boxed()
    }
}

pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
