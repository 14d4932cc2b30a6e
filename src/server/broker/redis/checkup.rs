//! What `beck doctor` asks a store: whether it works for Beck, without a trace in the log.

use super::connect::Line;
use super::entries::Keys;
use super::place::{Place, words};
use super::settings::RedisSettings;
use crate::server::broker::Durability;
use crate::server::broker::moving::Moved;
use ::redis::{Cmd, Value, cmd};
use std::collections::HashMap;

pub struct Checkup {
    place: Place,
    durability: Durability,
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

    /// What it uses of its memory, and whether that is nearly all.
    pub async fn memory(&self) -> Moved<(String, bool)> {
        let info: String = self.place.line.read(cmd("INFO").arg("memory")).await.map_err(words)?;
        let fields: HashMap<_, _> = info.lines().filter_map(|line| line.trim().split_once(':')).collect();
        let bytes = |name: &str| fields.get(name).and_then(|text| text.parse::<u64>().ok());
        let used = bytes("used_memory").ok_or("Redis does not say")?;
        let most = bytes("maxmemory").unwrap_or(0);
        let megabytes = |bytes: u64| bytes / (1024 * 1024);
        if most == 0 {
            return Ok((format!("Redis uses {} MB and has no limit", megabytes(used)), false));
        }
        let nearly = used > most / 10 * 9;
        let text = format!("Redis uses {} of {} MB", megabytes(used), megabytes(most));
        Ok((
            if nearly { format!("{text}: raise its maxmemory before messages are refused") } else { text },
            nearly,
        ))
    }

    /// Its clock, in milliseconds since 1970.
    pub async fn time(&self) -> Moved<i64> {
        let (seconds, micros): (i64, i64) = self.place.line.read(&cmd("TIME")).await.map_err(words)?;
        Ok(seconds * 1000 + micros / 1000)
    }
}
