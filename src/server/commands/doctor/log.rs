//! The log: whether it can be reached, what an acknowledgement is worth, and whether the clock fits it.

use super::report::Report;
use crate::protocol::Format;
use crate::server::broker::Head;
use crate::server::broker::archive::Contents;
use crate::server::broker::embedded::{LOG_FILE, LiveFolder, check_moves};
use crate::server::broker::moving::{Moved, Side};
use crate::server::broker::redis::{Checkup, LiveStore};
use crate::server::commands::verify;
use crate::server::config::Config;
use crate::server::counted::counted;
use crate::server::fold::WorkspaceBody;
use crate::server::node::{AHEAD_MS, missing_log, stand_still_words};
use crate::server::now_ms;
use crate::server::readiness::UnreadyState;

/// Entries at the end of the log that are looked at; `beck verify` looks at all of them.
const NEWEST_ENTRIES: u64 = 10_000;
/// Clocks that differ by more get a warning, in milliseconds.
const CLOCK_MS: i64 = 5_000;

pub async fn look(config: &Config, report: &mut Report) {
    // The folder's look has said so.
    if config.redis.is_none() && check_moves(&config.data_dir).is_err() {
        return;
    }
    let looked = match &config.redis {
        Some(settings) => {
            let checkup = match Checkup::open(settings).await {
                Ok(checkup) => checkup,
                Err(why) => return report.fault("log", why),
            };
            let durability = checkup.durability();
            match &durability.warning {
                Some(warning) => report.warning("durability", warning),
                None => report.ok("durability", &durability.words),
            }
            let missing = checkup.missing_rights().await;
            if missing.is_empty() {
                report.ok("rights", "the Redis user has what Beck needs");
            } else {
                report.fault("rights", missing.join("; "));
            }
            match checkup.memory().await {
                Ok(memory) if memory.full => {
                    let text = format!("{}: {}", memory.text, UnreadyState::StoreFull.sentence());
                    report.fault("memory", text.trim_end_matches('.'));
                }
                Ok(memory) if memory.nearly_full => {
                    let text = format!("{}: raise its maxmemory before messages are refused", memory.text);
                    report.warning("memory", text);
                }
                Ok(memory) => report.ok("memory", memory.text),
                // A service that does not say.
                Err(_) => {}
            }
            match checkup.version().await {
                Ok(Ok(text)) => report.ok("version", text),
                Ok(Err(why)) => report.warning("version", why),
                Err(why) => report.fault("version", why),
            }
            match checkup.persistence().await {
                Ok(Ok(text)) => report.ok("persistence", text),
                Ok(Err(why)) => report.warning("persistence", why),
                // A service that does not say.
                Err(_) => {}
            }
            match checkup.clocks().await.map(|clocks| (clocks.ahead_ms, clocks.fault())) {
                Ok((_, Some(fault))) => report.fault("clock", fault.to_string().trim_end_matches('.')),
                Ok((ahead_ms, None)) => look_at_clock("Redis", ahead_ms, report),
                Err(why) => report.fault("clock", why),
            }
            if !missing.is_empty() {
                return;
            }
            match checkup.is_empty().await {
                Ok(true) => {
                    return look_at_no_log(config, "there is no workspace in that Redis yet", report);
                }
                Ok(false) => {}
                Err(why) => return report.fault("log", why),
            }
            match LiveStore::open(settings).await {
                Ok(log) => look_at_entries(&log, config.newest_format).await,
                Err(why) => Err(why),
            }
        }
        None if !config.data_dir.join(LOG_FILE).is_file() => {
            return look_at_no_log(config, "there is none yet: the first start makes it", report);
        }
        None => match LiveFolder::open(&config.data_dir) {
            Ok(log) if matches!(log.head().await, Ok(None)) => {
                return look_at_no_log(config, "there is no workspace in it yet", report);
            }
            Ok(log) => look_at_entries(&log, config.newest_format).await,
            Err(why) => Err(why),
        },
    };
    let ((workspace, end), last) = match (looked, verify::newest(config, NEWEST_ENTRIES).await) {
        (Ok(looked), Ok(last)) => (looked, last),
        // Of a file the walk knows the remedy.
        (Err(_), Err(why)) if config.redis.is_none() => return report.fault("log", why),
        (Err(why), _) | (_, Err(why)) => return report.fault("log", why),
    };
    let pinned = std::fs::read_to_string(config.data_dir.join("workspace"));
    match pinned {
        Ok(pinned) if pinned.trim() != workspace.id.as_str() => report.fault(
            "log",
            format!(
                "{} The log is of {}, the data folder belongs to {}",
                UnreadyState::OtherWorkspace.sentence(),
                workspace.id,
                pinned.trim()
            ),
        ),
        _ => report.ok(
            "log",
            format!(
                "{} of {:?}; {}",
                counted(end.g, "entry", "entries"),
                workspace.name,
                match end.g.min(NEWEST_ENTRIES) {
                    1 => "it is well".to_owned(),
                    newest => format!("the newest {newest} continue each other"),
                }
            ),
        ),
    }
    // Behind the log it would go on with the log's time for so long.
    if last > now_ms() + AHEAD_MS {
        report.warning("clock", stand_still_words("this machine's clock", now_ms(), last, None));
    } else if last > now_ms() + CLOCK_MS {
        look_at_clock("the last entry of the log", last - now_ms(), report);
    } else if config.redis.is_none() {
        report.ok("clock", "it is not behind the last entry of the log");
    }
}

/// Reports a missing or empty log: a fault if the folder has been used, in the words of a server that does not start.
fn look_at_no_log(config: &Config, unused: &str, report: &mut Report) {
    match missing_log(&config.data_dir) {
        Some(fault) => report.fault("log", fault.to_string().trim_end_matches('.')),
        None => report.ok("log", unused),
    }
}

fn look_at_clock(what: &str, ahead_ms: i64, report: &mut Report) {
    let seconds = ahead_ms.abs() / 1000;
    if ahead_ms.abs() <= CLOCK_MS {
        return report.ok("clock", format!("it agrees with {what}"));
    }
    let way = if ahead_ms > 0 { "behind" } else { "ahead of" };
    report.warning("clock", format!("this machine's clock is {seconds} s {way} {what}: set both by NTP"));
}

/// The workspace and the end.
async fn look_at_entries(log: &dyn Side, newest: Format) -> Moved<(WorkspaceBody, Head)> {
    let name = log.name();
    let end = log.head().await?.ok_or(format!("there is no log in {name}"))?;
    let mut contents = Contents::up_to(newest);
    let first = log.read(1, 1).await?;
    let first = first.first().ok_or(format!("entry 1 is missing in {name}: restore a backup"))?;
    contents.take(first).map_err(|what| format!("{name} {what}: restore a backup"))?;
    let workspace = contents.workspace.ok_or(format!("{name} is not the beginning of a workspace"))?;
    Ok((workspace, end))
}
