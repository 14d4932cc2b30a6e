//! The log: whether it can be reached, what an acknowledgement is worth, and whether the clock fits it.

use super::report::Report;
use crate::server::broker::archive::Contents;
use crate::server::broker::embedded::{LOG_FILE, LiveFolder, check_moves};
use crate::server::broker::moving::{Moved, Side};
use crate::server::broker::redis::{Checkup, LiveStore};
use crate::server::broker::{Entry, Head};
use crate::server::config::Config;
use crate::server::fold::WorkspaceBody;
use crate::server::now_ms;

/// Entries at the end of the log that are looked at.
const LAST_ENTRIES: u64 = 500;
/// Clocks that differ by more are wrong, in milliseconds.
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
                Ok((text, false)) => report.ok("memory", text),
                Ok((text, true)) => report.warning("memory", text),
                // A service that does not say.
                Err(_) => {}
            }
            match checkup.time().await {
                Ok(time) => look_at_clock("Redis", time - now_ms(), report),
                Err(why) => report.fault("clock", why),
            }
            if !missing.is_empty() {
                return;
            }
            match checkup.is_empty().await {
                Ok(true) => return report.ok("log", "there is no workspace in that Redis yet"),
                Ok(false) => {}
                Err(why) => return report.fault("log", why),
            }
            match LiveStore::open(settings).await {
                Ok(log) => look_at_entries(&log).await,
                Err(why) => Err(why),
            }
        }
        None if !config.data_dir.join(LOG_FILE).is_file() => {
            return match std::fs::read_to_string(config.data_dir.join("workspace")) {
                Ok(_) => report.fault("log", "it is gone, but the data folder says that there was one: restore a backup (beck restore FILE)"),
                Err(_) => report.ok("log", "there is none yet: the first start makes it"),
            };
        }
        None => match LiveFolder::open(&config.data_dir) {
            Ok(log) if matches!(log.head().await, Ok(None)) => {
                return report.ok("log", "there is no workspace in it yet");
            }
            Ok(log) => look_at_entries(&log).await,
            Err(why) => Err(why),
        },
    };
    let (workspace, end, last) = match looked {
        Ok(looked) => looked,
        Err(why) => return report.fault("log", why),
    };
    let pinned = std::fs::read_to_string(config.data_dir.join("workspace"));
    match pinned {
        Ok(pinned) if pinned.trim() != workspace.id.as_str() => report.fault(
            "log",
            format!("it is of the workspace {}, but the data folder belongs to {}: set DATA_DIR to another folder, or name the right Redis", workspace.id, pinned.trim()),
        ),
        _ => report.ok("log", format!("{} entries of {:?}; the last ones continue each other", end.g, workspace.name)),
    }
    // Behind the log it would go on with the log's time for so long.
    if last > now_ms() + CLOCK_MS {
        look_at_clock("the last entry of the log", last - now_ms(), report);
    } else if config.redis.is_none() {
        report.ok("clock", "it is not behind the last entry of the log");
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

/// The workspace, the end, and the time of the last entry.
async fn look_at_entries(log: &dyn Side) -> Moved<(WorkspaceBody, Head, i64)> {
    let name = log.name();
    let end = log.head().await?.ok_or(format!("there is no log in {name}"))?;
    let mut contents = Contents::default();
    let first = log.read(1, 1).await?;
    let first = first.first().ok_or(format!("entry 1 is missing in {name}: restore a backup"))?;
    contents.take(first).map_err(|what| format!("{name} {what}: restore a backup"))?;
    let workspace = contents.workspace.ok_or(format!("{name} is not the beginning of a workspace"))?;
    let from = end.g.saturating_sub(LAST_ENTRIES).max(1);
    let last = log.read(from, LAST_ENTRIES as usize + 1).await?;
    let links = |pair: &[Entry]| pair[1].link == pair[0].link.then(&pair[1].header);
    if let Some(pair) = last.windows(2).find(|pair| !links(pair)) {
        let g = pair[1].header.g;
        return Err(format!("entry {g} in {name} does not continue the one before it: restore a backup"));
    }
    let at = last.last().map_or(0, |entry| entry.header.at);
    Ok((workspace, end, at))
}
