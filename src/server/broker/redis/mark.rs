//! The mark on a store's keys while a workspace is moved there, and after it was moved away.

use super::connect::Line;
use super::entries::Keys;
use crate::server::broker::BrokerError;
use ::redis::cmd;

/// What servers are to say instead of serving, if anything.
pub async fn says(line: &Line, keys: &Keys) -> Result<Option<String>, BrokerError> {
    field(line, keys, "says").await
}

/// One field: `says`; `workspace` of a move that is not finished; `sealed`, where the log was moved to.
pub async fn field(line: &Line, keys: &Keys, name: &str) -> Result<Option<String>, BrokerError> {
    line.read(cmd("HGET").arg(&keys.mark).arg(name)).await
}
