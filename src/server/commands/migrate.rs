//! `beck migrate`: moves a workspace from a data folder to Redis, or back.

use super::Ended;
use super::moving::{Load, carry, open_folder, say_done, store};
use crate::server::broker::embedded::FolderSource;
use crate::server::broker::moving::{Moved, Source, Target};
use crate::server::broker::redis::{RedisSettings, StoreSource, StoreTarget};
use crate::server::config::Config;
use futures::FutureExt;
use std::path::{Path, PathBuf};

/// The word that stands for the store of the REDIS_ settings; a folder of that name is `./redis`.
const STORE: &str = "redis";

/// From where to where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    ToStore(PathBuf),
    ToFolder(PathBuf),
}

impl Way {
    /// Reads the words after `migrate`.
    pub fn parse(words: &[&str]) -> Result<Way, String> {
        let usage = "write beck migrate --from FOLDER --to redis, or --from redis --to FOLDER";
        let (from, to) = match words {
            ["--from", from, "--to", to] | ["--to", to, "--from", from] => (*from, *to),
            _ => return Err(usage.to_owned()),
        };
        match (from == STORE, to == STORE) {
            (false, true) => Ok(Way::ToStore(from.into())),
            (true, false) => Ok(Way::ToFolder(to.into())),
            (true, true) => Err(format!("both ends are {STORE}: go by way of a folder; {usage}")),
            (false, false) => {
                Err(format!("both ends are folders: stop Beck and copy the folder instead, or {usage}"))
            }
        }
    }
}

pub fn run(config: Config, way: Way) -> Ended {
    async move {
        let settings = store(&config)?;
        match way {
            Way::ToStore(folder) => to_store(&folder, settings).await,
            Way::ToFolder(folder) => to_folder(settings, &folder).await,
        }
    }
    .boxed()
}

async fn to_store(folder: &Path, settings: &RedisSettings) -> Moved<()> {
    let source = FolderSource::open(folder)?;
    let load = Load::of(&source).await?;
    let target = StoreTarget::open(settings, load.workspace.id.as_str(), false).await?;
    let megabytes = load.end.g * 300 / 1_000_000 + 1;
    say!("It needs about {megabytes} MB of Redis memory.");
    if let Some(warning) = &target.durability().warning {
        say!("Warning: {warning}.");
    }
    migrate(&source, &target, load).await?;
    say!(
        "Next: set REDIS_URL for each server, as it was set for this command, and start it. A server may go on with DATA_DIR={}.",
        folder.display()
    );
    say!(
        "log.sqlite there is left as a copy, and is not served any more. Delete it once all is well: text that is erased from now on stays in it."
    );
    Ok(())
}

async fn to_folder(settings: &RedisSettings, folder: &Path) -> Moved<()> {
    let source = StoreSource::open(settings).await?;
    let load = Load::of(&source).await?;
    let target = open_folder(folder, &load.workspace)?;
    migrate(&source, &target, load).await?;
    say!("Next: start Beck with DATA_DIR={} and without the REDIS_ settings.", folder.display());
    say!(
        "What is in Redis is left as a copy, and is not served any more. Delete it once all is well: text that is erased from now on stays in it."
    );
    Ok(())
}

/// Everything is there and was compared before the source is closed; nothing serves both.
async fn migrate(source: &dyn Source, target: &dyn Target, mut load: Load) -> Moved<()> {
    let to = target.name();
    if let Some(other) = source.sealed().await?.filter(|sealed| *sealed != to) {
        return Err(format!("{} was moved to {other} already", source.name()));
    }
    say!("Moving from {} to {to}. Beck must not run on either.", source.name());
    loop {
        carry(source, target, &load).await?;
        if source.seal(load.end, &to).await? {
            break;
        }
        say!("The log has grown meanwhile: going on.");
        load = Load::of(source).await?;
    }
    say!("Closed {}.", source.name());
    target.commit().await?;
    say_done("Moved", &load, target);
    Ok(())
}
