//! What went wrong with the store, in one sentence that says what to do.

use super::script;
use super::settings::RedisSettings;
use crate::server::broker::BrokerError;
use crate::server::readiness::UnreadyState;
use ::redis::{ErrorKind, RedisError};

/// The sentence for a fault, without a full stop.
pub fn words(fault: &RedisError, settings: &RedisSettings) -> String {
    let at = settings.address();
    let text = fault.to_string();
    let has = |part: &str| text.contains(part);
    let detail = fault.detail().unwrap_or_default();
    match fault.code() {
        Some("WRONGPASS") => return wrong_password(&at),
        Some("NOAUTH") => {
            return format!(
                "Redis at {at} asks for a password: set REDIS_PASSWORD, and REDIS_USERNAME if it has users"
            );
        }
        Some("NOPERM") => return no_right(detail, &at),
        Some("LOADING") => return format!("Redis at {at} is still loading its data: wait"),
        Some("OOM") => {
            return format!("Redis at {at} has no memory left and took nothing: raise its maxmemory");
        }
        Some("MISCONF") => {
            return format!("Redis at {at} cannot write to its disk and took nothing: free space there");
        }
        Some("READONLY") => return replica(&at),
        Some("NOREPLICAS") => {
            return format!("Redis at {at} has fewer replicas than it must have: start them");
        }
        Some("BECKMOVED") => return detail.to_owned(),
        Some("WRONGTYPE" | "BECKFOREIGN") => {
            return format!(
                "the key {} at {at} is not a log of Beck: set REDIS_PREFIX to another word",
                settings.key("log")
            );
        }
        Some(_) if has("ACL failure in script") || has("The user executing the script can't run") => {
            return no_right(detail, &at);
        }
        Some("ERR") if has("unknown command") => return too_old(&at, detail),
        _ => {}
    }
    let how = if settings.tls { "with TLS" } else { "without TLS" };
    match fault.kind() {
        ErrorKind::AuthenticationFailed if has("WRONGPASS") || has("invalid username-password") => {
            wrong_password(&at)
        }
        ErrorKind::AuthenticationFailed => {
            format!("Redis at {at} refused the sign-in: check REDIS_PASSWORD and REDIS_USERNAME")
        }
        ErrorKind::Parse => {
            format!("what listens at {at} is not Redis, or it speaks TLS: check REDIS_URL and REDIS_TLS")
        }
        _ if has("UnknownIssuer") || has("BadSignature") || has("CaUsedAsEndEntity") => format!(
            "the certificate of Redis at {at} is signed by an authority that is not known here: name the authority's PEM file in REDIS_CA_FILE"
        ),
        _ if has("NotValidForName") || has("not valid for name") => {
            format!(
                "the certificate of Redis at {at} is for another name: use that name in REDIS_URL or REDIS_HOST"
            )
        }
        _ if has("invalid peer certificate") => {
            format!("the certificate of Redis at {at} is not valid ({})", short(&text))
        }
        _ if has("InvalidContentType") || has("corrupt message") => {
            format!("Redis at {at} does not speak TLS: unset REDIS_TLS, or use redis:// instead of rediss://")
        }
        _ if fault.is_connection_refusal() => {
            format!("nothing listens at {at}: start Redis there, or correct REDIS_URL or REDIS_HOST")
        }
        _ if has("lookup address") || has("Name or service not known") => {
            format!("there is no host {}: correct REDIS_URL or REDIS_HOST", settings.host)
        }
        _ if fault.is_timeout() && settings.tls => {
            format!("Redis at {at} does not answer: see whether it is up and speaks TLS (REDIS_TLS)")
        }
        _ if fault.is_timeout() => {
            format!("Redis at {at} does not answer: see whether it is paused, or a firewall stands between")
        }
        _ if fault.is_connection_dropped() && settings.tls => {
            format!("Redis at {at} closed the connection: see whether it is up and speaks TLS (REDIS_TLS)")
        }
        _ if fault.is_connection_dropped() => {
            format!(
                "Redis at {at} closed the connection: see whether it is up, and whether it wants TLS (REDIS_TLS)"
            )
        }
        _ => format!("Redis at {at} ({how}): {}", short(&text)),
    }
}

fn wrong_password(at: &str) -> String {
    format!(
        "Redis at {at} refused the password: correct REDIS_PASSWORD (and REDIS_USERNAME, if it has users)"
    )
}

fn no_right(detail: &str, at: &str) -> String {
    let run = match script::command_at(detail) {
        Some(command) => format!("run {}", command.to_ascii_lowercase()),
        None if detail.contains("channel") => "use Beck's channel".to_owned(),
        None => match detail.split_once("run the '").and_then(|(_, rest)| rest.split('\'').next()) {
            Some(command) => format!("run {command}"),
            None => "use Beck's keys".to_owned(),
        },
    };
    format!("the Redis user may not {run} at {at}: give it the rights that docs/architecture.md lists")
}

pub fn replica(at: &str) -> String {
    format!("Redis at {at} is a replica and cannot be written: give the address of its primary")
}

pub fn too_old(at: &str, what: &str) -> String {
    format!("what listens at {at} is not Redis 7 or newer, nor Valkey ({what}): start one of these")
}

/// An error text of a library, without line breaks and not too long.
fn short(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(160).collect()
}

/// Whether the server itself answered with an error: then it did nothing.
pub fn answered(fault: &RedisError) -> bool {
    matches!(fault.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// A fault of a command as the broker's caller is told it.
pub fn broker_error(fault: &RedisError, settings: &RedisSettings) -> BrokerError {
    match fault.code() {
        Some("BECKNOLOG") => return BrokerError::Refused("There is no workspace yet.".into()),
        Some("BECKEXISTS") => return BrokerError::Refused("This log already has a workspace.".into()),
        Some("BECKORDER") => {
            return BrokerError::Refused("Too many servers append at the same time. Try again.".into());
        }
        Some("BECKCLOCK") => {
            return BrokerError::Refused("Redis took longer than a minute to store this. Try again.".into());
        }
        Some("BECKREWRITTEN") => {
            return BrokerError::Refused("The log is not the one that this server has read.".into());
        }
        _ => {}
    }
    let words = words(fault, settings);
    if answered(fault) { BrokerError::unready(state(fault), words) } else { BrokerError::Unknown(words) }
}

/// The state of a server whose store answers with this fault.
pub fn state(fault: &RedisError) -> UnreadyState {
    let text = fault.to_string();
    match fault.code() {
        Some("OOM") => UnreadyState::StoreFull,
        Some("MISCONF") => UnreadyState::StoreDiskFault,
        Some("READONLY") => UnreadyState::StoreReadOnly,
        Some("NOREPLICAS") => UnreadyState::StoreReplicasMissing,
        Some("NOPERM") => UnreadyState::StoreRights,
        Some("BECKMOVED") => UnreadyState::LogMoved,
        Some("WRONGTYPE" | "BECKFOREIGN") => UnreadyState::LogUnreadable,
        _ if text.contains("ACL failure in script")
            || text.contains("The user executing the script can't run") =>
        {
            UnreadyState::StoreRights
        }
        _ => UnreadyState::StoreUnreachable,
    }
}
