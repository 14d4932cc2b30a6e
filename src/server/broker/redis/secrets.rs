//! Secrets: hashes of a value, its version, and its end.
//!
//! The end is written with the value, in one command, and counts for the version that it names. Redis' own expiry of the
//! key is set by a call of its own: it removes what has ended, and is what servers before the field `expires` go by.
//! They write no such field, so that a value of theirs ends by the key's expiry alone.

use super::connect::Line;
use super::script::{SECRET, SECRET_END};
use crate::server::broker::{BrokerError, Secret, SecretOp};
use crate::server::now_ms;
use ::redis::{Cmd, cmd};

/// The fields of a secret, as `HMGET` answers [`read`].
pub type Fields = (Option<String>, Option<u64>, Option<String>);

/// The command that reads a secret.
pub fn read(key: &str) -> Cmd {
    let mut get = cmd("HMGET");
    get.arg(key).arg("value").arg("version").arg("expires");
    get
}

/// The end that a version of a secret was written with, in milliseconds since 1970.
pub fn end_of(version: u64, expires: Option<&str>) -> Option<i64> {
    let (of, end) = expires?.split_once(' ')?;
    (of.parse() == Ok(version)).then(|| end.parse().ok())?
}

/// The field that says so; empty for no end.
pub fn expires_text(version: u64, end: Option<i64>) -> String {
    end.map_or(String::new(), |end| format!("{version} {end}"))
}

/// Whether an end has passed, by the clock of the store: it is asked only when it has passed by the clock of this
/// machine.
pub async fn has_ended(line: &Line, end: Option<i64>) -> Result<bool, BrokerError> {
    let Some(end) = end.filter(|end| *end <= now_ms()) else { return Ok(false) };
    let (seconds, micros): (i64, i64) = line.read(&cmd("TIME")).await?;
    Ok(end <= seconds * 1000 + micros / 1000)
}

pub async fn carry_out(line: &Line, key: &str, op: SecretOp) -> Result<Option<Secret>, BrokerError> {
    match op {
        SecretOp::Put { value, if_version, expires } => put(line, key, &value, if_version, expires).await,
        SecretOp::Delete => {
            line.write::<i64>(cmd("DEL").arg(key)).await?;
            Ok(None)
        }
        SecretOp::Get => {
            let (value, version, expires): Fields = line.read(&read(key)).await?;
            let Some((value, version)) = value.zip(version) else { return Ok(None) };
            let end = end_of(version, expires.as_deref());
            if has_ended(line, end).await? {
                // The call that sets the expiry was lost. Redis removes the key now; if this call is lost too, the next read
                // repeats it.
                let _ = set_end(line, key, version, end.unwrap_or(1), "exact").await;
                return Ok(None);
            }
            Ok(Some(Secret { value, version }))
        }
    }
}

async fn put(
    line: &Line,
    key: &str,
    value: &str,
    if_version: u64,
    expires: Option<i64>,
) -> Result<Option<Secret>, BrokerError> {
    // 0 stands for never, so what ended in 1970 ends a millisecond later.
    let end = expires.map_or(0, |at| at.max(1));
    set_end(line, key, if_version, end, "later").await?;
    let mut call = SECRET.call(&[key]);
    call.arg(value).arg(if_version).arg(end);
    let stands = SECRET.run::<(String, String, String)>(line, &call).await;
    let (value, version, written) = stands.map_err(|fault| line.broker_error(fault))?;
    let version = version.parse().unwrap_or(0);
    if written == "1"
        && end != 0
        && let Err(fault) = set_end(line, key, version, end, "exact").await
    {
        // It ends all the same, by its field; only servers of an older version do not know that.
        tracing::warn!(%fault, "Redis was not told when a secret ends");
    }
    Ok((version > 0).then_some(Secret { value, version }))
}

async fn set_end(line: &Line, key: &str, version: u64, end: i64, how: &str) -> Result<(), BrokerError> {
    let mut call = SECRET_END.call(&[key]);
    call.arg(version).arg(end).arg(how);
    let set = SECRET_END.run::<i64>(line, &call).await;
    set.map(drop).map_err(|fault| line.broker_error(fault))
}
