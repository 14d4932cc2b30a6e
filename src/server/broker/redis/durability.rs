//! What the store says of itself: whether we can work with it, and what an ack is worth there.

use super::connect::Line;
use super::fault;
use crate::server::broker::Durability;
use ::redis::{RedisError, cmd};
use std::collections::HashMap;

/// Asks the store; `Err` if Beck cannot work with it.
pub async fn ask(line: &Line) -> Result<Durability, String> {
    let info: String = line.ask(cmd("INFO").arg("server")).await.map_err(|fault| in_words(line, fault))?;
    let at = line.connector.settings.address();
    let server = fields(&info);
    let version = server.get("redis_version").copied().unwrap_or("of an unknown version");
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if major < 7 {
        return Err(fault::too_old(&at, &format!("Redis {version}")));
    }
    let name = match server.get("valkey_version") {
        Some(version) => format!("Valkey {version}"),
        None => format!("Redis {version}"),
    };
    let info: String =
        line.ask(cmd("INFO").arg("replication")).await.map_err(|fault| in_words(line, fault))?;
    let replication = fields(&info);
    if replication.get("role") == Some(&"slave") {
        return Err(fault::replica(&at));
    }
    let replicas: u32 = replication.get("connected_slaves").and_then(|n| n.parse().ok()).unwrap_or(0);
    Ok(durability(&format!("{name} at {at}"), replicas, read_config(line).await.as_ref()))
}

fn in_words(line: &Line, fault: Result<RedisError, String>) -> String {
    fault.map_or_else(|words| words, |fault| line.connector.words(&fault))
}

pub fn fields(info: &str) -> HashMap<&str, &str> {
    info.lines().filter_map(|line| line.trim().split_once(':')).collect()
}

/// The settings that decide; `None` if the service hides them.
async fn read_config(line: &Line) -> Option<HashMap<String, String>> {
    let mut config = HashMap::new();
    for name in ["appendonly", "appendfsync", "maxmemory", "maxmemory-policy"] {
        let answer: Vec<String> = line.ask(cmd("CONFIG").arg("GET").arg(name)).await.ok()?;
        if let [name, value] = answer.as_slice() {
            config.insert(name.clone(), value.clone());
        }
    }
    (config.len() == 4).then_some(config)
}

/// In words, from what the store said.
pub fn durability(store: &str, replicas: u32, config: Option<&HashMap<String, String>>) -> Durability {
    let copies = match replicas {
        0 => String::new(),
        1 => ", with one replica".to_owned(),
        n => format!(", with {n} replicas"),
    };
    let name = store.split(' ').next().unwrap_or_default();
    let Some(config) = config else {
        return Durability {
            words: format!("log in {store}{copies}; durability unknown: the service hides it"),
            place: format!("in {name}, which does not say when it is on disk"),
            warning: None,
        };
    };
    let is = |name: &str, value: &str| config.get(name).is_some_and(|found| found == value);
    let mut warnings = Vec::new();
    let (words, at, place) = if !is("appendonly", "yes") {
        warnings.push(
            "Redis keeps messages in memory and a crash of it loses what came since its last snapshot: set appendonly yes and appendfsync always there",
        );
        ("messages are in memory when they are acknowledged", "in", "memory")
    } else if is("appendfsync", "always") {
        ("every message is on disk there before it is acknowledged", "on", "disk, flushed")
    } else {
        warnings.push(
            "Redis writes to its disk once a second or less, and a crash of its machine loses the last acknowledged messages: set appendfsync always there",
        );
        (
            "messages are in memory when they are acknowledged, and soon on disk",
            "in",
            "memory, soon on its disk",
        )
    };
    if !is("maxmemory", "0") && !is("maxmemory-policy", "noeviction") {
        warnings
            .push("Redis may drop the log when its memory is full: set maxmemory-policy noeviction there");
    }
    let warning = (!warnings.is_empty()).then(|| warnings.join(". "));
    let place = format!("{at} {name}'s {place}");
    Durability { words: format!("log in {store}{copies}; {words}"), place, warning }
}
