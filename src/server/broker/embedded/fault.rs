//! What an operator can do about a file of the log that cannot be read or written.

use crate::server::broker::BrokerError;
use crate::server::readiness::{Unready, UnreadyState};
use crate::server::remedy::is_unreadable;
use rusqlite::{Error, ErrorCode};
use std::path::Path;

/// The fault and, where there is one, the way out.
pub fn with_remedy(path: &Path, fault: &Error) -> String {
    let shown = path.file_name().unwrap_or_default().to_string_lossy();
    if is_unreadable(fault) {
        return format!(
            "{shown} is damaged: {fault}. Stop Beck, keep a copy of the data folder, and restore the newest backup into another folder (docs/operations.md#a-damaged-log)"
        );
    }
    let remedy = match fault.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "Free some space on its disk".to_owned(),
        Some(ErrorCode::SystemIoFailure) => {
            format!("The disk of {shown} cannot be read or written: see whether it is full or failing")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            format!("Give Beck's user write access to {shown}")
        }
        _ => return fault.to_string(),
    };
    format!("{fault}. {remedy}")
}

pub fn cannot_read(path: &Path, fault: &Error) -> BrokerError {
    unready(UnreadyState::LogUnreadable, path, fault)
}

/// Nothing of what the caller asked for is stored.
pub fn cannot_write(path: &Path, fault: &Error) -> BrokerError {
    unready(UnreadyState::LogUnwritable, path, fault)
}

fn unready(state: UnreadyState, path: &Path, fault: &Error) -> BrokerError {
    let state = if is_unreadable(fault) { UnreadyState::LogUnreadable } else { state };
    let unready = Unready::of_file(state, fault);
    match unready.state {
        // Its sentence has the remedy.
        UnreadyState::DiskFull => BrokerError::Unready(unready),
        _ => BrokerError::Unready(Unready { detail: with_remedy(path, fault), ..unready }),
    }
}
