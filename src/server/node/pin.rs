//! The data folder remembers whose log it follows: another log, or none, is never taken for it.

use super::Node;
use crate::protocol::Hash;
use crate::server::broker::embedded::{CopyError, LogCopy};
use crate::server::broker::{BrokerError, Entry, SharedBroker};
use crate::server::fold::{FoldError, WorkspaceBody};
use crate::server::state::State;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// The file that holds the workspace's id.
pub(super) const PIN_FILE: &str = "workspace";

/// Why a node cannot start; says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the log cannot be reached: {0}")]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error(
        "the log is gone, but {pin} says that there was one. Restore it from a copy{copied}, or set DATA_DIR to another folder to begin anew"
    )]
    LogGone { pin: PathBuf, copied: String },
    #[error(
        "this is the log of workspace {found}, but the data folder belongs to {pinned}. Set DATA_DIR to another folder"
    )]
    OtherLog { pinned: String, found: String },
    #[error("the data folder cannot be written: {0}")]
    Pin(std::io::Error),
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error("no thread can be started: {0}")]
    Thread(std::io::Error),
}

impl StartError {
    /// The log of this folder's workspace is gone: says what there is of it here.
    pub(super) fn log_gone(folder: &Path) -> StartError {
        let copied = match LogCopy::last(folder) {
            Some(g) => format!(" (beck restore does it from the one in this folder, which has {g} entries)"),
            None => String::new(),
        };
        StartError::LogGone { pin: folder.join(PIN_FILE), copied }
    }
}

impl Node {
    /// Writes the workspace's id into the data folder, once; another id there means another log.
    pub fn check_pin(&self) -> Result<(), StartError> {
        let Some(id) = self.epoch() else { return Ok(()) };
        let _pinning = self.pinning.lock().unwrap_or_else(PoisonError::into_inner);
        match std::fs::read_to_string(&self.pin) {
            Ok(pinned) if pinned.trim() == id.as_str() => Ok(()),
            Ok(pinned) => {
                Err(StartError::OtherLog { pinned: pinned.trim().to_owned(), found: id.to_string() })
            }
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {
                std::fs::write(&self.pin, format!("{id}\n")).map_err(StartError::Pin)
            }
            Err(fault) => Err(StartError::Pin(fault)),
        }
    }
}

/// The log must be of the workspace that the data folder remembers. Asked before anything is written.
pub(super) async fn check_workspace(broker: &SharedBroker, pin: &Path) -> Result<(), StartError> {
    let pinned = match std::fs::read_to_string(pin) {
        Ok(pinned) => pinned.trim().to_owned(),
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(fault) => return Err(StartError::Pin(fault)),
    };
    let first = broker.read(1, 1).await?;
    let body = first.first().and_then(Entry::json).and_then(|json| serde_json::from_str(json).ok());
    match body {
        Some(WorkspaceBody { id, .. }) if id.as_str() == pinned => Ok(()),
        Some(WorkspaceBody { id, .. }) => Err(StartError::OtherLog { pinned, found: id.to_string() }),
        None => Err(FoldError::NoWorkspace.into()),
    }
}

/// Whether the state file was made from this log: its last entry must stand there with the same link.
pub(super) async fn state_fits(broker: &SharedBroker, folder: &Path) -> Result<bool, StartError> {
    let mut at = (0, Hash::ZERO);
    drop(
        State::open(folder, |g, link| {
            at = (g, link);
            true
        })
        .map_err(FoldError::from)?,
    );
    let (g, link) = at;
    if g == 0 {
        return Ok(true);
    }
    let head = broker.head().await?;
    if head.is_none_or(|head| head.g < g) {
        return Ok(false);
    }
    let entry = broker.read(g, 1).await?;
    Ok(entry.first().is_some_and(|entry| entry.header.g == g && entry.link == link))
}
