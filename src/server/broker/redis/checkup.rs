//! What `beck doctor` asks a store: whether it works for Beck, without a trace in the log.

use super::clock::Clocks;
use super::connect::Line;
use super::durability;
use super::entries::Keys;
use super::place::{Place, words};
use super::settings::RedisSettings;
use super::versions::outdated;
use crate::server::broker::Durability;
use crate::server::broker::moving::Moved;
use ::redis::{Cmd, Value, cmd};
use std::collections::HashMap;

pub struct Checkup {
    place: Place,
    durability: Durability,
}

/// How much of its memory a store uses, in words and against its limit.
pub struct Memory {
    pub text: String,
    pub nearly_full: bool,
    pub full: bool,
}

impl Checkup {
    pub async fn open(settings: &RedisSettings) -> Moved<Checkup> {
        let (place, durability) = Place::open(settings, Keys::of(settings)).await?;
        Ok(Checkup { place, durability })
    }

    pub fn durability(&self) -> &Durability {
        &self.durability
    }

    /// Whether there is neither a log nor a mark that says where it is.
    pub async fn is_empty(&self) -> Moved<bool> {
        let mark = super::mark::says(&self.place.line, &self.place.keys).await.map_err(words)?;
        Ok(mark.is_none() && self.place.head().await?.is_none())
    }

    /// Each command that Beck runs, on keys of its own that are gone afterwards; what was refused, in words.
    pub async fn missing_rights(&self) -> Vec<String> {
        let settings = &self.place.settings;
        let by_chance = uuid::Uuid::new_v4().simple().to_string();
        let (stream, hash) =
            (settings.key(&format!("doctor:{by_chance}:a")), settings.key(&format!("doctor:{by_chance}:b")));
        let command = |words: &[&str]| {
            let mut command = cmd(words[0]);
            for word in &words[1..] {
                command.arg(*word);
            }
            command
        };
        let channel = settings.key("signals:doctor");
        let commands: Vec<Cmd> = vec![
            command(&["TIME"]),
            command(&["XADD", &stream, "1-0", "at", "0"]),
            command(&["XRANGE", &stream, "-", "+"]),
            command(&["XREVRANGE", &stream, "+", "-"]),
            command(&["XREAD", "COUNT", "1", "STREAMS", &stream, "0"]),
            command(&["XLEN", &stream]),
            command(&["XDEL", &stream, "1-0"]),
            command(&["HSET", &hash, "value", "0"]),
            command(&["HGET", &hash, "value"]),
            command(&["HMGET", &hash, "value", "version"]),
            command(&["HGETALL", &hash]),
            command(&["HLEN", &hash]),
            command(&["PEXPIREAT", &hash, "33000000000000"]),
            command(&["PERSIST", &hash]),
            command(&["DEL", &stream]),
            command(&["DEL", &hash]),
            command(&["SCRIPT", "LOAD", "return 1"]),
            // The hash of that script.
            command(&["EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"]),
            command(&["PUBLISH", &channel, ""]),
        ];
        // A node of a cluster that does not have our keys says who has.
        let _ = self.place.head().await;
        let mut missing: Vec<String> = Vec::new();
        for command in commands {
            if let Err(fault) = self.place.line.write::<Value>(&command).await {
                let text = fault.to_string();
                missing.extend((!text.contains("NOSCRIPT")).then_some(text));
            }
        }
        if let Err(why) = self.hear(&self.place.line, &channel).await {
            missing.push(why);
        }
        missing.sort();
        missing.dedup();
        missing
    }

    async fn hear(&self, line: &Line, channel: &str) -> Moved<()> {
        let (mut sink, _messages) = line.connector.listen().await?.split();
        sink.subscribe(channel).await.map_err(|fault| line.connector.words(&fault))
    }

    /// What it uses of its memory.
    pub async fn memory(&self) -> Moved<Memory> {
        let info: String = self.place.line.read(cmd("INFO").arg("memory")).await.map_err(words)?;
        let fields: HashMap<_, _> = info.lines().filter_map(|line| line.trim().split_once(':')).collect();
        let bytes = |name: &str| fields.get(name).and_then(|text| text.parse::<u64>().ok());
        let used = bytes("used_memory").ok_or("Redis does not say")?;
        let most = bytes("maxmemory").unwrap_or(0);
        let megabytes = |bytes: u64| bytes / (1024 * 1024);
        if most == 0 {
            let text = format!("Redis uses {} MB and has no limit", megabytes(used));
            return Ok(Memory { text, nearly_full: false, full: false });
        }
        let (nearly_full, full) = (used > most / 10 * 9, used >= most);
        let text = format!("Redis uses {} of {} MB", megabytes(used), megabytes(most));
        Ok(Memory { text, nearly_full, full })
    }

    /// What is wrong with its version; which one it is, where nothing is.
    pub async fn version(&self) -> Moved<Result<String, String>> {
        let info: String = self.place.line.read(cmd("INFO").arg("server")).await.map_err(words)?;
        let fields = durability::fields(&info);
        let (name, version) = match fields.get("valkey_version") {
            Some(version) => ("Valkey", *version),
            None => ("Redis", fields.get("redis_version").copied().unwrap_or_default()),
        };
        Ok(outdated(name, version).map_or_else(|| Ok(format!("it is {name} {version}")), Err))
    }

    /// What it says of its files: whether it is well, and in words.
    pub async fn persistence(&self) -> Moved<Result<String, String>> {
        let info: String = self.place.line.read(cmd("INFO").arg("persistence")).await.map_err(words)?;
        let fields = durability::fields(&info);
        let is = |name: &str, value: &str| fields.get(name).is_none_or(|found| *found == value);
        let mut faults = Vec::new();
        if !is("loading", "0") || !is("async_loading", "0") {
            faults.push("Redis is still loading its data: wait");
        }
        if !is("aof_last_write_status", "ok") {
            faults.push("Redis could not write its append-only file: see its log and the space on its disk");
        }
        if !is("aof_last_bgrewrite_status", "ok") {
            faults.push("Redis could not rewrite its append-only file: see its log, then run BGREWRITEAOF");
        }
        if !is("rdb_last_bgsave_status", "ok") {
            faults.push("Redis could not save its last snapshot: see its log and the space on its disk");
        }
        Ok(if faults.is_empty() {
            Ok("Redis could write its files".to_owned())
        } else {
            Err(faults.join("; "))
        })
    }

    /// Its clock beside this machine's.
    pub async fn clocks(&self) -> Moved<Clocks> {
        Clocks::compare(&self.place.line).await.map_err(words)
    }
}
