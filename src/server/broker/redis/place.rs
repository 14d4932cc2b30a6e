//! The keys of a workspace in a store, as a move reads and writes them.

use super::connect::{Connector, Line};
use super::durability;
use super::entries::{self, Keys};
use super::script::Script;
use super::secrets;
use super::settings::RedisSettings;
use crate::server::broker::moving::{Beside, KeptSecret, Moved};
use crate::server::broker::{BrokerError, Durability, Head, Pointer};
use ::redis::{Cmd, cmd};
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Commands that are on their way at the same time.
pub const AT_ONCE: usize = 64;

/// A store and the keys of the log in it.
pub struct Place {
    pub line: Line,
    pub settings: RedisSettings,
    pub keys: Keys,
}

pub fn words(fault: BrokerError) -> String {
    fault.to_string()
}

impl Place {
    pub async fn open(settings: &RedisSettings, keys: Keys) -> Moved<(Place, Durability)> {
        let line = Line::new(Arc::new(Connector::new(settings.clone())?));
        let durability = durability::ask(&line).await?;
        Ok((Place { line, settings: settings.clone(), keys }, durability))
    }

    pub fn name(&self) -> String {
        let RedisSettings { database, prefix, .. } = &self.settings;
        format!("Redis at {}, database {database}, prefix {prefix}", self.settings.address())
    }

    pub async fn head(&self) -> Moved<Option<Head>> {
        entries::head_of(self.line.read(&self.keys.last()).await.map_err(words)?).map_err(words)
    }

    pub async fn run(&self, script: &Script, call: &Cmd) -> Moved<String> {
        let done = script.run::<::redis::Value>(&self.line, call).await;
        let done = done.map_err(|fault| words(self.line.broker_error(fault)))?;
        Ok(match done {
            ::redis::Value::Int(n) => n.to_string(),
            _ => String::new(),
        })
    }

    /// The names of our keys that begin so, without what all of them begin with.
    pub async fn names(&self, begin: &str) -> Moved<BTreeSet<String>> {
        let (mut names, mut cursor) = (BTreeSet::new(), "0".to_owned());
        let all = self.settings.key("");
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(&cursor).arg("MATCH").arg(format!("{all}{begin}*")).arg("COUNT").arg(1_000);
            let (next, found): (String, Vec<String>) = self.line.read(&scan).await.map_err(words)?;
            names.extend(found.iter().filter_map(|key| key.strip_prefix(&all)).map(str::to_owned));
            if next == "0" {
                return Ok(names);
            }
            cursor = next;
        }
    }

    pub async fn exists(&self, key: &str) -> Moved<bool> {
        self.line.read::<i64>(cmd("EXISTS").arg(key)).await.map(|found| found == 1).map_err(words)
    }

    /// A command whose answer does not matter.
    pub async fn write(&self, command: &Cmd) -> Moved<()> {
        self.line.write::<::redis::Value>(command).await.map(drop).map_err(words)
    }

    /// A secret's value and version, and its end, if it was written with one.
    pub async fn value(&self, name: &str) -> Moved<(Option<String>, Option<u64>, Option<i64>)> {
        let get = secrets::read(&self.settings.key(name));
        let (value, version, expires): secrets::Fields = self.line.read(&get).await.map_err(words)?;
        let end = version.and_then(|version| secrets::end_of(version, expires.as_deref()));
        Ok((value, version, end))
    }

    async fn secret(&self, name: String) -> Moved<Option<(String, KeptSecret)>> {
        let key = self.settings.key(&name);
        let (value, version, written) = self.value(&name).await?;
        let end: i64 = self.line.read(cmd("PEXPIRETIME").arg(&key)).await.map_err(words)?;
        let kept = |(value, version)| {
            let expires = written.or((end >= 0).then_some(end));
            let secret = KeptSecret { value, version, expires };
            Some((name.strip_prefix("secret:")?.to_owned(), secret))
        };
        // It may have ended since it was listed.
        Ok(value.zip(version).filter(|_| end != -2).and_then(kept))
    }

    pub async fn pointers(&self, name: String) -> Moved<Vec<((String, String), Pointer)>> {
        let all = self.line.read(cmd("HGETALL").arg(self.settings.key(&name))).await.map_err(words)?;
        let account = name.strip_prefix("registers:").unwrap_or_default();
        let pointers = super::pointers(all).into_iter();
        Ok(pointers.map(|(key, pointer)| ((account.to_owned(), key), pointer)).collect())
    }

    pub async fn beside(&self) -> Moved<Beside> {
        let names = self.names("secret:").await?;
        let secrets = stream::iter(names).map(|name| self.secret(name)).buffered(AT_ONCE);
        let secrets: Vec<_> = secrets.try_collect().await?;
        let names = self.names("registers:").await?;
        let pointers = stream::iter(names).map(|name| self.pointers(name)).buffered(AT_ONCE);
        let pointers: Vec<_> = pointers.try_collect().await?;
        let (secrets, pointers) = (secrets.into_iter().flatten(), pointers.into_iter().flatten());
        Ok(Beside { secrets: secrets.collect(), pointers: pointers.collect() })
    }

    /// Carries out commands of which none needs another one's answer.
    pub async fn write_all(&self, commands: Vec<Cmd>) -> Moved<()> {
        let done = stream::iter(commands)
            .map(|command| async move { self.line.write::<i64>(&command).await.map(drop).map_err(words) });
        done.buffered(AT_ONCE).try_for_each(|()| async { Ok(()) }).await
    }
}
