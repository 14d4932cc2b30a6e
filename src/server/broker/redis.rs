//! The backend for many servers: one stream of a Redis or Valkey store, which every server appends to and follows.
//!
//! An append is one script call for each entry: it reads the last entry, numbers, times, links and adds. Calls that wait
//! go out in one pipeline. The stream is its own and only truth; nothing about it is kept elsewhere. An answer that does
//! not come leaves the outcome unknown, and nothing here tries again by itself.

mod checkup;
mod clock;
mod connect;
mod durability;
mod entries;
mod fault;
mod mark;
mod moving;
mod place;
mod raw;
mod script;
mod secrets;
mod settings;
mod signals;
mod tail;
mod versions;
mod writer;

pub use checkup::Checkup;
pub use clock::Clocks;
pub use moving::{LiveStore, StoreSource, StoreTarget};
pub use raw::{KeptEntry, RawStore};
pub use settings::{DEFAULT_PREFIX, RedisSettings};
pub use signals::{SIGNAL_TIMES, SignalTimes};
pub use versions::outdated;

use super::waiting::{Waiting, bytes_of};
use super::{
    Broker, BrokerError, Durability, Entry, Head, NotErased, Pointer, Proposal, Secret, SecretOp, Signals,
};
use crate::protocol::{AccountId, Format};
use crate::server::readiness::UnreadyState;
use crate::server::watch::Watch;
use ::redis::cmd;
use connect::{Connector, Line};
use entries::Keys;
use futures::FutureExt;
use futures::future::BoxFuture;
use script::{ERASE, REGISTERS, REMOVE};
use std::sync::Arc;
use tail::Shared;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use writer::Append;

/// Entries or registers of one call of a script that names them in one command: Lua passes some thousands of arguments.
const SCRIPT_NAMES: usize = 1_000;

/// The Redis and Valkey backend. Dropping it ends its tasks and closes its connections.
pub struct Redis {
    shared: Arc<Shared>,
    settings: RedisSettings,
    appends: mpsc::UnboundedSender<Append>,
    waiting: Arc<Waiting>,
    signals: Signals,
    durability: Durability,
    tasks: Vec<JoinHandle<()>>,
    watch: Watch,
}

impl Redis {
    /// Connects to a store and looks whether it can be worked with; a fault is one sentence that says what to do.
    /// Needs a tokio runtime.
    pub async fn open(settings: &RedisSettings) -> Result<Redis, String> {
        Redis::open_up_to(settings, Format::NEWEST).await
    }

    /// As [`Redis::open`], of a server whose heartbeat announces that it reads no format newer than this one.
    pub async fn open_up_to(settings: &RedisSettings, newest: Format) -> Result<Redis, String> {
        Redis::open_with(settings, newest, SIGNAL_TIMES).await
    }

    /// As [`Redis::open_up_to`], with other times for what is done about lost signals.
    pub async fn open_with(
        settings: &RedisSettings,
        newest: Format,
        times: SignalTimes,
    ) -> Result<Redis, String> {
        let line = Line::new(Arc::new(Connector::new(settings.clone())?));
        let keys = Keys::of(settings);
        let durability = durability::ask(&line).await?;
        if let Some(says) = mark::says(&line, &keys).await.map_err(|fault| fault.to_string())? {
            return Err(says);
        }
        let shared = Shared::new(line, keys);
        shared.start().await.map_err(|fault| fault.to_string())?;
        let (appends, waiting) = mpsc::unbounded_channel();
        let (out, leaving) = mpsc::channel(1_024);
        let heard = broadcast::channel(1_024).0;
        let me = uuid::Uuid::new_v4().simple().to_string();
        let watch = Watch::default();
        let tasks = vec![
            watch.task("redis-tail", shared.clone().run()),
            watch.task("redis-writer", writer::run(shared.clone(), waiting)),
            watch.task("redis-signals-out", signals::send(shared.clone(), me.clone(), leaving)),
            watch.task("redis-signals-in", signals::hear(shared.clone(), (me, newest), heard.clone(), times)),
        ];
        let signals = Signals::new(heard, Some(out));
        Ok(Redis {
            shared,
            settings: settings.clone(),
            appends,
            waiting: Arc::default(),
            signals,
            durability,
            tasks,
            watch,
        })
    }

    fn put(
        &self,
        create: bool,
        batch: Vec<Proposal>,
    ) -> BoxFuture<'static, Result<(u64, Head), BrokerError>> {
        let (reply, answer) = oneshot::channel();
        // At once, before the first poll: calls made one after the other are stored in that order.
        let sent = self.waiting.enter(bytes_of(&batch)).and_then(|place| {
            let append = Append { create, batch, reply, _place: place };
            self.appends.send(append).map_err(|_| BrokerError::Refused("The log has been closed.".into()))
        });
        async move {
            sent?;
            answer.await.unwrap_or_else(|_| Err(BrokerError::Unknown("the log's writer ended".into())))
        }
        .boxed()
    }

    /// Keeps the header first, then removes the body. If the server stops between the two, the next erase repeats both.
    async fn erase_some(&self, entries: &[Head]) -> Result<NotErased, BrokerError> {
        let line = &self.shared.line;
        let keys = [self.shared.keys.log.as_str(), self.shared.keys.erased.as_str()];
        let mut keep = ERASE.call(&keys);
        for entry in entries {
            keep.arg(entry.g).arg(entry.link.to_string());
        }
        let kept = ERASE.run::<(i64, Vec<String>, Vec<u64>)>(line, &keep).await;
        let (all, standing, other) = kept.map_err(|fault| line.broker_error(fault))?;
        let mut left = NotErased { newest: all != 1, other };
        if !standing.is_empty() {
            let mut remove = REMOVE.call(&keys);
            remove.arg(standing);
            let removed = REMOVE.run::<(i64, Vec<u64>)>(line, &remove).await;
            let (all, other) = removed.map_err(|fault| line.broker_error(fault))?;
            left = left.and(NotErased { newest: all != 1, other });
        }
        // The newest one stays here too.
        let newest = entries.iter().map(|entry| entry.g).max().filter(|_| left.newest);
        self.shared.forget(entries.iter().filter(|entry| Some(entry.g) != newest));
        Ok(left)
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

    /// On a key of its own, which is gone afterwards. What the store refuses there it refuses for the log too.
    fn try_append(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        let key = self.settings.key("trial");
        async move {
            if let Some(says) = mark::says(&self.shared.line, &self.shared.keys).await? {
                return Err(BrokerError::unready(UnreadyState::LogMoved, says));
            }
            self.shared.compare_clocks().await?;
            let mut add = cmd("XADD");
            add.arg(&key).arg("MAXLEN").arg(0).arg("*").arg("at").arg(0);
            self.shared.line.write::<String>(&add).await?;
            self.shared.line.write::<i64>(cmd("DEL").arg(&key)).await.map(drop)
        }
        .boxed()
    }

    /// That the log is there the tail finds out.
    fn look(&self) -> Result<(), BrokerError> {
        self.shared.clocks().fault().map_or(Ok(()), |fault| Err(BrokerError::Unready(fault)))
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

    fn erase(&self, entries: Vec<Head>) -> BoxFuture<'_, Result<NotErased, BrokerError>> {
        async move {
            let mut left = NotErased::default();
            for some in entries.chunks(SCRIPT_NAMES) {
                left = left.and(self.erase_some(some).await?);
            }
            Ok(left)
        }
        .boxed()
    }

    fn secret(&self, key: String, op: SecretOp) -> BoxFuture<'_, Result<Option<Secret>, BrokerError>> {
        let key = self.settings.key(&format!("secret:{key}"));
        async move { secrets::carry_out(&self.shared.line, &key, op).await }.boxed()
    }

    fn registers(
        &self,
        account: AccountId,
        raise: Vec<(String, Pointer)>,
    ) -> BoxFuture<'_, Result<Vec<(String, Pointer)>, BrokerError>> {
        let key = self.settings.key(&format!("registers:{account}"));
        async move {
            let line = &self.shared.line;
            let mut all: Option<Vec<(String, String)>> = None;
            for some in raise.chunks(SCRIPT_NAMES) {
                let mut call = REGISTERS.call(&[&key]);
                for (name, pointer) in some {
                    call.arg(name).arg(pointer_text(*pointer));
                }
                let raised = REGISTERS.run(line, &call).await;
                all = Some(raised.map_err(|fault| line.broker_error(fault))?);
            }
            let all = match all {
                Some(all) => all,
                None => line.read(cmd("HGETALL").arg(&key)).await?,
            };
            Ok(pointers(all))
        }
        .boxed()
    }

    fn signals(&self) -> Signals {
        self.signals.clone()
    }

    fn clock_ahead_ms(&self) -> i64 {
        self.shared.clocks().ahead_ms
    }

    fn restarts(&self) -> Option<watch::Receiver<u64>> {
        Some(self.shared.restarts())
    }

    fn durability(&self) -> Durability {
        self.durability.clone()
    }

    fn watch(&self) -> Watch {
        self.watch.clone()
    }
}
