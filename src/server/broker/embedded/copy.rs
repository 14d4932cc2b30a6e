//! The copy of a store's log that a server keeps in its data folder: with it a lost store can be made again.

use super::{OpenError, aside, file, lock};
use crate::protocol::{AccountId, Hash};
use crate::server::broker::moving::KeptSecret;
use crate::server::broker::{Entry, Head, Pointer};
use crate::server::damaged_files;
use crate::server::remedy::is_unreadable;
use rusqlite::{Connection, params};
use std::path::Path;
use std::sync::Mutex;

/// The copy's file in the data folder: of the same form as the log of a folder.
pub const COPY_FILE: &str = "copy.sqlite";

/// Always a beginning of the log, as it was when it was read last.
pub struct LogCopy {
    open: Mutex<(Connection, Head)>,
}

/// Why the copy did not take entries.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("entry {0} does not continue the copy of the log")]
    Gap(u64),
    #[error("the copy of the log ({COPY_FILE}) cannot be written: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("{0}")]
    Open(String),
}

impl LogCopy {
    /// Opens the copy of a data folder. A damaged file is set aside, since it may have entries that the log has lost, and
    /// the log fills a new one; any other fault is an error.
    pub fn open(folder: &Path) -> Result<LogCopy, CopyError> {
        let path = folder.join(COPY_FILE);
        let connection = match file::open_log(&path) {
            Err(OpenError::Log { source, .. }) if is_unreadable(&source) => {
                let aside = damaged_files::set_aside(folder, COPY_FILE).map_err(|fault| {
                    CopyError::Open(format!("{COPY_FILE} is damaged and cannot be renamed: {fault}"))
                })?;
                let aside = aside.unwrap_or_default();
                tracing::error!(fault = %source, "the copy of the log is damaged: it is now {aside}, and a new one is made");
                file::open_log(&path)
            }
            opened => opened,
        };
        let connection = connection.map_err(|fault| match fault {
            OpenError::Log { source, .. } => CopyError::Sqlite(source),
            fault => CopyError::Open(fault.to_string()),
        })?;
        // The log itself is flushed before anyone is answered.
        connection.execute_batch("PRAGMA synchronous=NORMAL")?;
        let head = file::read_head(&connection)?.map_or(Head::default(), |(head, _)| head);
        Ok(LogCopy { open: Mutex::new((connection, head)) })
    }

    /// How far the copy of a data folder reaches; `None` if there is none.
    pub fn last(folder: &Path) -> Option<u64> {
        let path = folder.join(COPY_FILE);
        let connection = path.is_file().then(|| file::open(&path).ok()).flatten()?;
        Some(file::read_head(&connection).ok()??.0.g)
    }

    pub fn head(&self) -> Head {
        lock(&self.open).1
    }

    /// The link at a number; zero before the first entry.
    pub fn link(&self, g: u64) -> Result<Hash, CopyError> {
        if g == 0 {
            return Ok(Hash::ZERO);
        }
        let entries = file::read_entries(&lock(&self.open).0, g - 1, 1)?;
        entries.first().filter(|entry| entry.header.g == g).map(|entry| entry.link).ok_or(CopyError::Gap(g))
    }

    /// Up to `limit` entries that follow the one at `after`, in order.
    pub fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, CopyError> {
        Ok(file::read_entries(&lock(&self.open).0, after, limit)?)
    }

    /// The links of up to `limit` entries from a number on.
    pub fn links(&self, from: u64, limit: usize) -> Result<Vec<Hash>, CopyError> {
        let entries = file::read_entries(&lock(&self.open).0, from.saturating_sub(1), limit)?;
        Ok(entries.into_iter().map(|entry| entry.link).collect())
    }

    /// Takes entries that follow the last one, all or none; those that it has are passed over.
    pub fn take(&self, entries: &[Entry]) -> Result<(), CopyError> {
        let mut open = lock(&self.open);
        let (connection, head) = &mut *open;
        let mut at = *head;
        if let Some(other) = entries.iter().find(|entry| entry.header.g == head.g && entry.link != head.link)
        {
            return Err(CopyError::Gap(other.header.g));
        }
        let transaction = connection.unchecked_transaction()?;
        for entry in entries.iter().filter(|entry| entry.header.g > head.g) {
            if entry.header.g != at.g + 1 || entry.link != at.link.then(&entry.header) {
                return Err(CopyError::Gap(entry.header.g));
            }
            file::replace(&transaction, entry)?;
            at = Head { g: entry.header.g, link: entry.link };
        }
        transaction.commit()?;
        *head = at;
        Ok(())
    }

    /// Forgets what comes after an entry.
    pub fn cut(&self, after: Head) -> Result<(), CopyError> {
        let mut open = lock(&self.open);
        open.0.execute("DELETE FROM entries WHERE g > ?1", [after.g as i64])?;
        open.1 = after;
        Ok(())
    }

    /// Removes the bodies of these entries, from the file too. Gives the numbers at which the copy has an entry with
    /// another link: that keeps its body.
    pub fn erase(&self, entries: &[Head]) -> Result<Vec<u64>, CopyError> {
        Ok(aside::erase_in(&lock(&self.open).0, entries)?)
    }

    pub fn put_secret(&self, key: &str, secret: &KeptSecret) -> Result<(), CopyError> {
        Ok(file::replace_secret(&lock(&self.open).0, key, secret)?)
    }

    pub fn has_secret(&self, key: &str) -> Result<bool, CopyError> {
        Ok(file::read_secret(&lock(&self.open).0, key)?.is_some())
    }

    /// Keeps the pointers of an account.
    pub fn put_pointers(&self, account: AccountId, pointers: &[(String, Pointer)]) -> Result<(), CopyError> {
        let open = lock(&self.open);
        let transaction = open.0.unchecked_transaction()?;
        transaction.execute("DELETE FROM registers WHERE account = ?1", params![account.as_str()])?;
        for (key, pointer) in pointers {
            file::replace_pointer(&transaction, account.as_str(), key, *pointer)?;
        }
        transaction.commit()?;
        Ok(())
    }
}
