//! The backend for many servers: one stream of a Redis or Valkey store, which every server appends to and follows.
//!
//! An append is one script call on one key: it reads the last entry, numbers, times, links and adds. The stream is
//! its own and only truth; nothing about it is kept elsewhere. An answer that does not come leaves the outcome
//! unknown, and nothing here tries again by itself.

mod checkup;
mod connect;
mod durability;
mod entries;
mod fault;
mod mark;
mod moving;
mod place;
mod script;
mod settings;
mod signals;
mod tail;
mod writer;

pub use checkup::Checkup;
pub use moving::{LiveStore, StoreSource, StoreTarget};
pub use settings::{DEFAULT_PREFIX, RedisSettings};

use super::{Broker, BrokerError, Durability, Entry, Head, Pointer, Proposal, Secret, SecretOp, Signals};
use crate::protocol::AccountId;
use ::redis::cmd;
use connect::{Connector, Line};
use entries::Keys;
use futures::FutureExt;
use futures::future::BoxFuture;
use script::{ERASE, REGISTERS, SECRET};
use std::sync::Arc;
use tail::Shared;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use writer::{Append, WAITING_APPENDS};

/// The Redis and Valkey backend. Dropping it ends its tasks and closes its connections.
pub struct Redis {
    shared: Arc<Shared>,
    settings: RedisSettings,
    appends: mpsc::Sender<Append>,
    signals: Signals,
    durability: Durability,
    tasks: Vec<JoinHandle<()>>,
}

impl Redis {
    /// Connects to a store and looks whether it can be worked with; a fault is one sentence that says what to do.
    /// Needs a tokio runtime.
    pub async fn open(settings: &RedisSettings) -> Result<Redis, String> {
        let line = Line::new(Arc::new(Connector::new(settings.clone())?));
        let keys = Keys::of(settings);
        let durability = durability::ask(&line).await?;
        if let Some(says) = mark::says(&line, &keys).await.map_err(|fault| fault.to_string())? {
            return Err(says);
        }
        let shared = Shared::new(line, keys);
        shared.start().await.map_err(|fault| fault.to_string())?;
        let (appends, waiting) = mpsc::channel(WAITING_APPENDS);
        let (out, leaving) = mpsc::channel(1_024);
        let heard = broadcast::channel(1_024).0;
        let me = uuid::Uuid::new_v4().simple().to_string();
        let tasks = vec![
            tokio::spawn(shared.clone().run()),
            tokio::spawn(writer::run(shared.clone(), waiting)),
            tokio::spawn(signals::send(shared.clone(), me.clone(), leaving)),
            tokio::spawn(signals::hear(shared.clone(), me, heard.clone())),
        ];
        let signals = Signals::new(heard, Some(out));
        Ok(Redis { shared, settings: settings.clone(), appends, signals, durability, tasks })
    }

    fn put(
        &self,
        create: bool,
        batch: Vec<Proposal>,
    ) -> BoxFuture<'static, Result<(u64, Head), BrokerError>> {
        let (reply, answer) = oneshot::channel();
        let closed = || BrokerError::Refused("The log has been closed.".into());
        // At once, before the first poll: who appends twice in a row is stored in that order.
        let full = match self.appends.try_send(Append { create, batch, reply }) {
            Ok(()) => None,
            Err(mpsc::error::TrySendError::Full(append)) => Some(append),
            Err(mpsc::error::TrySendError::Closed(_)) => return async move { Err(closed()) }.boxed(),
        };
        let appends = self.appends.clone();
        async move {
            if let Some(append) = full {
                appends.send(append).await.map_err(|_| closed())?;
            }
            drop(appends);
            answer.await.unwrap_or_else(|_| Err(BrokerError::Unknown("the log's writer ended".into())))
        }
        .boxed()
    }

    async fn put_secret(
        &self,
        key: &str,
        value: &str,
        if_version: u64,
        expires: Option<i64>,
    ) -> Result<Option<Secret>, BrokerError> {
        let mut call = SECRET.call(&[key]);
        // 0 stands for never, so what ended in 1970 ends a millisecond later.
        call.arg(value).arg(if_version).arg(expires.map_or(0, |at| at.max(1)));
        let stands = SECRET.run::<(String, String)>(&self.shared.line, &call).await;
        let (value, version) = stands.map_err(|fault| self.shared.line.broker_error(fault))?;
        let version = version.parse().unwrap_or(0);
        Ok((version > 0).then_some(Secret { value, version }))
    }
}

/// Numbers with leading zeros, so that texts compare as pointers do.
fn pointer_text(pointer: Pointer) -> String {
    format!("{:020} {:020}", pointer.generation, pointer.ordinal)
}

fn pointers(fields: Vec<(String, String)>) -> Vec<(String, Pointer)> {
    let pointer = |text: &str| {
        let (generation, ordinal) = text.split_once(' ')?;
        Some(Pointer { generation: generation.parse().ok()?, ordinal: ordinal.parse().ok()? })
    };
    fields.into_iter().filter_map(|(name, text)| Some((name, pointer(&text)?))).collect()
}

impl Drop for Redis {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Broker for Redis {
    fn create(&self, first: Proposal) -> BoxFuture<'_, Result<Head, BrokerError>> {
        let made = self.put(true, vec![first]);
        async move { Ok(made.await?.1) }.boxed()
    }

    fn append(&self, batch: Vec<Proposal>) -> BoxFuture<'static, Result<u64, BrokerError>> {
        let stored = self.put(false, batch);
        async move { Ok(stored.await?.0) }.boxed()
    }

    fn follow(&self, after: Head, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        self.shared.follow(after, limit).boxed()
    }

    fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        entries::read(&self.shared.line, &self.shared.keys, from.max(1), limit).boxed()
    }

    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, BrokerError>> {
        self.shared.head().boxed()
    }

    fn erase(&self, entries: Vec<u64>) -> BoxFuture<'_, Result<bool, BrokerError>> {
        async move {
            let mut call = ERASE.call(&[&self.shared.keys.log, &self.shared.keys.erased]);
            call.arg(&entries);
            let all = ERASE.run::<i64>(&self.shared.line, &call).await;
            let all = all.map_err(|fault| self.shared.line.broker_error(fault))?;
            self.shared.forget(&entries);
            Ok(all == 1)
        }
        .boxed()
    }

    fn secret(&self, key: String, op: SecretOp) -> BoxFuture<'_, Result<Option<Secret>, BrokerError>> {
        let key = self.settings.key(&format!("secret:{key}"));
        async move {
            match op {
                SecretOp::Put { value, if_version, expires } => {
                    self.put_secret(&key, &value, if_version, expires).await
                }
                SecretOp::Delete => {
                    self.shared.line.write::<i64>(cmd("DEL").arg(&key)).await?;
                    Ok(None)
                }
                SecretOp::Get => {
                    let mut get = cmd("HMGET");
                    get.arg(&key).arg("value").arg("version");
                    let (value, version): (Option<String>, Option<u64>) = self.shared.line.read(&get).await?;
                    Ok(value.zip(version).map(|(value, version)| Secret { value, version }))
                }
            }
        }
        .boxed()
    }

    fn registers(
        &self,
        account: AccountId,
        raise: Vec<(String, Pointer)>,
    ) -> BoxFuture<'_, Result<Vec<(String, Pointer)>, BrokerError>> {
        let key = self.settings.key(&format!("registers:{account}"));
        async move {
            let line = &self.shared.line;
            let all: Vec<(String, String)> = if raise.is_empty() {
                line.read(cmd("HGETALL").arg(&key)).await?
            } else {
                let mut call = REGISTERS.call(&[&key]);
                for (name, pointer) in &raise {
                    call.arg(name).arg(pointer_text(*pointer));
                }
                REGISTERS.run(line, &call).await.map_err(|fault| line.broker_error(fault))?
            };
            Ok(pointers(all))
        }
        .boxed()
    }

    fn signals(&self) -> Signals {
        self.signals.clone()
    }

    fn durability(&self) -> Durability {
        self.durability.clone()
    }
}
