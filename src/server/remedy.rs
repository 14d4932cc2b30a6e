//! What a person can do about a file or folder that the system keeps from Beck.

use rusqlite::ErrorCode;
use std::io::{Error, ErrorKind};

/// The fault and, where there is one, the way out: "Permission denied (os error 13). User 10001 …".
pub fn with_remedy(fault: &Error) -> String {
    let remedy = match fault.kind() {
        ErrorKind::PermissionDenied => owner(),
        ErrorKind::ReadOnlyFilesystem => {
            "Mount it so that it can be written, or name another place".to_owned()
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "Free some space there".to_owned(),
        _ => return fault.to_string(),
    };
    format!("{fault}. {remedy}")
}

/// Whether SQLite found that the content of a file is not what it wrote.
pub fn is_corrupt(fault: &rusqlite::Error) -> bool {
    matches!(fault.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// As [`is_corrupt`], or a column that does not hold what Beck writes there.
pub fn is_unreadable(fault: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, InvalidColumnType};
    is_corrupt(fault) || matches!(fault, FromSqlConversionFailure(..) | InvalidColumnType(..))
}

/// In a container, and under a service manager, the user is seldom the one who reads this.
#[cfg(unix)]
fn owner() -> String {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    format!(
        "It must belong to user {user}, as whom Beck runs: chown -R {user}:{group}, or name another place"
    )
}

#[cfg(not(unix))]
fn owner() -> String {
    "It must belong to the user as whom Beck runs; or name another place".to_owned()
}
