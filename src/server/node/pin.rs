//! The data folder remembers whose log it follows: another log, or none, is never taken for it.

use super::Node;
use crate::server::broker::embedded::{COPY_FILE, CopyError, LogCopy};
use crate::server::broker::{BrokerError, Entry, SharedBroker};
use crate::server::counted::counted;
use crate::server::erased_entries::ERASED_FILE;
use crate::server::fold::{FoldError, WorkspaceBody};
use crate::server::private_files;
use crate::server::readiness::{Unready, UnreadyState};
use crate::server::state::{AnyVersion, ReadError, STATE_FILE, StateFault};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// The file that holds the workspace's id.
pub(super) const PIN_FILE: &str = "workspace";

/// Why a node cannot start; says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{}", self.unready())]
    Broker(#[from] BrokerError),
    #[error("{}", self.unready())]
    Fold(#[from] FoldError),
    #[error("{}", self.unready())]
    LogGone { pin: PathBuf, copied: String },
    #[error("{}", self.unready())]
    OtherLog { pinned: String, found: String },
    #[error("{}", self.unready())]
    Pin(std::io::Error),
    #[error("{}", self.unready())]
    Lost(std::io::Error),
    #[error("{}", self.unready())]
    Erased(std::io::Error),
    #[error("{}", self.unready())]
    Copy(#[from] CopyError),
    #[error("No thread can be started: {0}. Raise the limit of threads or memory for Beck's user.")]
    Thread(std::io::Error),
}

impl StartError {
    /// The log of this folder's workspace is gone, as a file here tells: says what there is of it here.
    pub(super) fn log_gone(folder: &Path, named: &str) -> StartError {
        let copied = match LogCopy::last(folder) {
            Some(g) => format!("; the copy in this folder has {}", counted(g, "entry", "entries")),
            None => String::new(),
        };
        StartError::LogGone { pin: folder.join(named), copied }
    }

    /// The state of a server that meets this fault.
    pub fn unready(&self) -> Unready {
        match self {
            StartError::Broker(fault) => fault.clone().into(),
            StartError::Fold(fault) => fault.into(),
            StartError::LogGone { pin, copied } => Unready::new(
                UnreadyState::LogGone,
                format!("the workspace is named in {}{copied}", pin.display()),
            ),
            StartError::OtherLog { pinned, found } => {
                let words = format!("the data folder belongs to {pinned}, the log to {found}");
                Unready::new(UnreadyState::OtherWorkspace, words)
            }
            StartError::Pin(fault) => {
                let Unready { state, detail } = Unready::of_io(fault);
                Unready::new(state, format!("the file {PIN_FILE}: {detail}"))
            }
            StartError::Lost(fault) => {
                let Unready { state, detail } = Unready::of_io(fault);
                Unready::new(
                    state,
                    format!(
                        "entries that the log has lost cannot be kept, and nothing was deleted: {detail}"
                    ),
                )
            }
            StartError::Erased(fault) => {
                let Unready { state, detail } = Unready::of_io(fault);
                Unready::new(state, format!("the file {ERASED_FILE}: {detail}"))
            }
            StartError::Copy(fault) => fault.into(),
            StartError::Thread(_) => Unready::new(UnreadyState::TaskEnded, self),
        }
    }
}

impl From<StartError> for Unready {
    fn from(fault: StartError) -> Unready {
        fault.unready()
    }
}

impl From<&FoldError> for Unready {
    fn from(fault: &FoldError) -> Unready {
        match fault {
            FoldError::State(ReadError::Sqlite(fault)) => {
                Unready::of_file(UnreadyState::StateUnwritable, fault)
            }
            FoldError::State(_) => Unready::new(UnreadyState::StateUnwritable, fault),
            FoldError::Rewritten { .. } => Unready::new(UnreadyState::LogRewritten, fault),
            FoldError::Format(_) => Unready::new(UnreadyState::NewerFormat, fault),
            FoldError::NoWorkspace | FoldError::NoBody { .. } | FoldError::OperatorIsAccount { .. } => {
                Unready::new(UnreadyState::LogUnreadable, fault)
            }
        }
    }
}

impl From<FoldError> for Unready {
    fn from(fault: FoldError) -> Unready {
        (&fault).into()
    }
}

impl From<&CopyError> for Unready {
    fn from(fault: &CopyError) -> Unready {
        match fault {
            CopyError::Sqlite(fault) => Unready::of_file(UnreadyState::CopyUnwritable, fault),
            CopyError::Gap(_) | CopyError::Open(_) => Unready::new(UnreadyState::CopyUnwritable, fault),
        }
    }
}

impl From<CopyError> for Unready {
    fn from(fault: CopyError) -> Unready {
        (&fault).into()
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
                let written = private_files::write(&self.pin, format!("{id}\n").as_bytes());
                written.map(drop).map_err(StartError::Pin)
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

/// What the start of a server says of a data folder that has been used, if its log is gone or empty; `None` if it has
/// not been used.
pub fn missing_log(folder: &Path) -> Option<StartError> {
    if folder.join(PIN_FILE).exists() {
        return Some(StartError::log_gone(folder, PIN_FILE));
    }
    check_unused(folder).err()
}

/// Fails if a data folder without the workspace's id has been used with a log all the same.
fn check_unused(folder: &Path) -> Result<(), StartError> {
    let state = AnyVersion::open(folder).and_then(|state| state.map_or(Ok(0), |state| Ok(state.folded()?.0)));
    let used = match state {
        Ok(0) if LogCopy::last(folder).is_some() => COPY_FILE,
        Ok(0) => return Ok(()),
        Ok(_) | Err(StateFault::Unreadable(_)) => STATE_FILE,
        Err(StateFault::Failed(fault)) => return Err(FoldError::from(fault).into()),
    };
    Err(StartError::log_gone(folder, used))
}
