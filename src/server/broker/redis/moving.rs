//! A store as a side of a move.

use super::entries::{self, Keys};
use super::mark;
use super::place::{AT_ONCE, Place, words};
use super::script::SEAL;
use super::secrets;
use super::settings::RedisSettings;
use crate::protocol::AccountId;
use crate::server::broker::moving::{Beside, KeptSecret, LiveLog, Moved, Side, Source, Target};
use crate::server::broker::{Durability, Entry, Head, Pointer};
use crate::server::first_run::SETUP_SECRET;
use ::redis::cmd;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use std::collections::BTreeMap;

/// The field of the mark that names the workspace whose keys are being renamed.
const COMMITTING: &str = "committing";

macro_rules! side {
    ($name:ident) => {
        impl Side for $name {
            fn name(&self) -> String {
                self.0.name()
            }

            fn head(&self) -> BoxFuture<'_, Moved<Option<Head>>> {
                self.0.head().boxed()
            }

            fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Moved<Vec<Entry>>> {
                let read = entries::read(&self.0.line, &self.0.keys, from.max(1), limit);
                async move { read.await.map_err(words) }.boxed()
            }

            fn beside(&self) -> BoxFuture<'_, Moved<Beside>> {
                self.0.beside().boxed()
            }
        }
    };
}

/// The log of a store.
pub struct StoreSource(Place);
side!(StoreSource);

impl StoreSource {
    /// Servers must have stopped: one that listens for signals is found, and whoever writes later is refused.
    pub async fn open(settings: &RedisSettings) -> Moved<StoreSource> {
        let (place, _) = Place::open(settings, Keys::of(settings)).await?;
        let Some(link) = entries::link_at(&place.line, &place.keys, 1).await.map_err(words)? else {
            let unfinished = mark::field(&place.line, &place.keys, "workspace").await.map_err(words)?;
            return Err(match unfinished {
                Some(_) => format!("the move into {} is not finished: run that again first", place.name()),
                None => format!("there is no log in {}: see REDIS_URL and REDIS_PREFIX", place.name()),
            });
        };
        let mut ask = cmd("PUBSUB");
        ask.arg("NUMSUB").arg(settings.key(&format!("signals:{link}")));
        let (_, servers): (String, u64) = place.line.read(&ask).await.map_err(words)?;
        if servers > 0 {
            let count = if servers == 1 { "one server is".into() } else { format!("{servers} servers are") };
            return Err(format!(
                "{} is in use: {count} still at work there. Stop all of them first",
                place.name()
            ));
        }
        Ok(StoreSource(place))
    }
}

impl Source for StoreSource {
    fn sealed(&self) -> BoxFuture<'_, Moved<Option<String>>> {
        async { mark::field(&self.0.line, &self.0.keys, "sealed").await.map_err(words) }.boxed()
    }

    fn seal<'a>(&'a self, end: Head, target: &'a str) -> BoxFuture<'a, Moved<bool>> {
        async move {
            let Keys { log, mark, .. } = &self.0.keys;
            let says = format!(
                "this workspace was moved from {} to {target}: serve it from there. Delete the key {mark} only if nothing was written there since",
                self.0.name()
            );
            let mut call = SEAL.call(&[log, mark]);
            call.arg(format!("{}-0", end.g)).arg(end.link.to_string()).arg(target).arg(says);
            Ok(self.0.run(&SEAL, &call).await? == "1")
        }
        .boxed()
    }
}

/// The log of a store whose servers may be at work. Beck's usual rights there are enough.
pub struct LiveStore(Place);
side!(LiveStore);

impl LiveStore {
    pub async fn open(settings: &RedisSettings) -> Moved<LiveStore> {
        let (place, _) = Place::open(settings, Keys::of(settings)).await?;
        if let Some(says) = mark::says(&place.line, &place.keys).await.map_err(words)? {
            return Err(says);
        }
        if place.head().await?.is_none() {
            return Err(format!("there is no log in {}: see REDIS_URL and REDIS_PREFIX", place.name()));
        }
        Ok(LiveStore(place))
    }
}

impl LiveLog for LiveStore {
    fn pointers<'a>(
        &'a self,
        accounts: &'a [AccountId],
    ) -> BoxFuture<'a, Moved<BTreeMap<(AccountId, String), Pointer>>> {
        async move {
            let theirs = stream::iter(accounts.to_vec()).map(|account| async move {
                let pointers = self.0.pointers(format!("registers:{account}")).await?;
                let theirs = pointers.into_iter().map(|((_, key), pointer)| ((account, key), pointer));
                Moved::Ok(theirs.collect::<Vec<_>>())
            });
            let theirs: Vec<_> = theirs.buffered(AT_ONCE).try_collect().await?;
            Ok(theirs.into_iter().flatten().collect())
        }
        .boxed()
    }

    fn secrets<'a>(&'a self, names: &'a [String]) -> BoxFuture<'a, Moved<BTreeMap<String, KeptSecret>>> {
        async move {
            let there = stream::iter(names.to_vec()).map(|name| async move {
                let (value, version, _) = self.0.value(&format!("secret:{name}")).await?;
                let kept = |(value, version)| (name, KeptSecret { value, version, expires: None });
                Moved::Ok(value.zip(version).map(kept))
            });
            let there: Vec<_> = there.buffered(AT_ONCE).try_collect().await?;
            Ok(there.into_iter().flatten().collect())
        }
        .boxed()
    }
}

/// A store that gets a log.
pub struct StoreTarget {
    place: Place,
    durability: Durability,
}

impl StoreTarget {
    /// The store must have no log. Unless `beside` is allowed, nothing may stand beside where it is to be, but for
    /// what an unfinished move of this workspace left.
    pub async fn open(settings: &RedisSettings, workspace: &str, beside: bool) -> Moved<StoreTarget> {
        let (mut place, durability) = Place::open(settings, Keys::unfinished(settings)).await?;
        let name = place.name();
        let served = Keys::of(settings);
        let log: Vec<entries::StreamEntry> = place.line.read(&served.last()).await.map_err(words)?;
        if mark::field(&place.line, &served, COMMITTING).await.map_err(words)?.as_deref() == Some(workspace) {
            // The commit of this move was cut off: some of the keys have their names already.
            if place.exists(&served.log).await? {
                place.keys.log.clone_from(&served.log);
            }
            if !place.exists(&place.keys.erased).await? && place.exists(&served.erased).await? {
                place.keys.erased.clone_from(&served.erased);
            }
        } else if !log.is_empty() {
            return Err(format!(
                "{name} has a log already: nothing there is overwritten. Choose another REDIS_PREFIX, or another store"
            ));
        }
        match mark::field(&place.line, &served, "workspace").await.map_err(words)? {
            Some(unfinished) if unfinished == workspace => {}
            Some(_) => {
                let mark = &served.mark;
                return Err(format!(
                    "{name} has an unfinished move of another workspace: finish that, or delete the keys that begin with {} ",
                    mark.trim_end_matches("mark")
                ));
            }
            None if beside => {}
            None => {
                let mut names = place.names("").await?;
                // A server that waits for its first account.
                names.remove(&format!("secret:{SETUP_SECRET}"));
                if let Some(first) = names.first() {
                    return Err(format!(
                        "{name} is not empty: there is the key {}. Choose another REDIS_PREFIX, or delete what is there",
                        settings.key(first)
                    ));
                }
            }
        }
        Ok(StoreTarget { place, durability })
    }

    pub fn durability(&self) -> &Durability {
        &self.durability
    }
}

impl Side for StoreTarget {
    fn name(&self) -> String {
        self.place.name()
    }

    fn head(&self) -> BoxFuture<'_, Moved<Option<Head>>> {
        self.place.head().boxed()
    }

    fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Moved<Vec<Entry>>> {
        let Place { line, keys, .. } = &self.place;
        async move { entries::read(line, keys, from.max(1), limit).await.map_err(words) }.boxed()
    }

    fn beside(&self) -> BoxFuture<'_, Moved<Beside>> {
        self.place.beside().boxed()
    }
}

impl Target for StoreTarget {
    fn begin<'a>(&'a self, workspace: &'a str) -> BoxFuture<'a, Moved<()>> {
        async move {
            let says = format!(
                "a move or restore into {} is not finished: run the same command again, or delete the keys that begin with {} to give it up",
                self.name(),
                self.place.settings.key("")
            );
            let mut set = cmd("HSET");
            set.arg(&self.place.keys.mark).arg("workspace").arg(workspace).arg("says").arg(says);
            self.place.line.write::<i64>(&set).await.map(drop).map_err(words)
        }
        .boxed()
    }

    fn put<'a>(&'a self, entries: &'a [Entry]) -> BoxFuture<'a, Moved<()>> {
        async move {
            let Keys { log, erased, .. } = &self.place.keys;
            let mut commands = Vec::with_capacity(entries.len());
            for Entry { header, body, link } in entries {
                let (g, at, link, rest) = (header.g, header.at, link.to_string(), header.rest());
                match body {
                    Some(body) => {
                        let mut add = cmd("XADD");
                        add.arg(log).arg(format!("{g}-0")).arg("at").arg(at).arg("link").arg(link);
                        commands.push(add.arg("rest").arg(rest).arg("body").arg(body).take());
                    }
                    None => {
                        let header = format!("{at} {link} {rest}");
                        commands.push(cmd("HSET").arg(erased).arg(g).arg(header).take());
                        commands.push(cmd("XDEL").arg(log).arg(format!("{g}-0")).take());
                    }
                }
            }
            // Each by itself and in this order: what a move that was cut off has put is a beginning of the log.
            let line = &self.place.line;
            let done = line.ask_all::<::redis::Value>(commands).await;
            let done = done.map_err(|fault| words(line.broker_error(fault)))?;
            done.into_iter()
                .try_for_each(|done| done.map(drop).map_err(|fault| words(line.broker_error(Ok(fault)))))
        }
        .boxed()
    }

    fn put_beside<'a>(&'a self, beside: &'a Beside) -> BoxFuture<'a, Moved<()>> {
        async move {
            let place = &self.place;
            let mut names = place.names("secret:").await?;
            names.extend(place.names("registers:").await?);
            let (mut gone, mut puts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
            for name in names {
                gone.push(cmd("DEL").arg(place.settings.key(&name)).take());
            }
            for (key, secret) in &beside.secrets {
                let key = place.settings.key(&format!("secret:{key}"));
                let mut put = cmd("HSET");
                put.arg(&key).arg("value").arg(&secret.value).arg("version").arg(secret.version);
                let expires = secrets::expires_text(secret.version, secret.expires);
                puts.push(put.arg("expires").arg(expires).take());
                ends.extend(secret.expires.map(|end| cmd("PEXPIREAT").arg(&key).arg(end).take()));
            }
            for ((account, key), pointer) in &beside.pointers {
                let name = place.settings.key(&format!("registers:{account}"));
                puts.push(cmd("HSET").arg(name).arg(key).arg(super::pointer_text(*pointer)).take());
            }
            for commands in [gone, puts, ends] {
                place.write_all(commands).await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn commit(&self) -> BoxFuture<'_, Moved<()>> {
        async {
            let place = &self.place;
            let (served, unfinished) = (Keys::of(&place.settings), Keys::unfinished(&place.settings));
            let field = |name| mark::field(&place.line, &served, name);
            if field(COMMITTING).await.map_err(words)?.is_none() {
                if place.exists(&served.log).await? {
                    return Err(format!("{} has a log already: nothing there is overwritten", self.name()));
                }
                let workspace = field("workspace").await.map_err(words)?.unwrap_or_default();
                // Erased headers of a log that was lost.
                place.write(cmd("DEL").arg(&served.erased)).await?;
                place.write(cmd("HSET").arg(&served.mark).arg(COMMITTING).arg(workspace)).await?;
            }
            // Each step by itself, so that none is torn; servers refuse the log until the mark is gone, and the same
            // command goes on from any of them.
            for (from, to) in [(&unfinished.erased, &served.erased), (&unfinished.log, &served.log)] {
                if place.exists(from).await? {
                    if place.exists(to).await? {
                        return Err(format!(
                            "{} has the key {to} already: nothing there is overwritten",
                            self.name()
                        ));
                    }
                    place.write(cmd("RENAME").arg(from).arg(to)).await?;
                }
            }
            if !place.exists(&served.log).await? {
                return Err(format!("there is no log in {}", self.name()));
            }
            place.write(cmd("DEL").arg(&served.mark)).await
        }
        .boxed()
    }
}
