//! `beck restore`: makes a lost store again from the copy that a server keeps in its data folder.

use super::Ended;
use super::moving::{Load, carry, say_done};
use crate::server::broker::embedded::FolderSource;
use crate::server::broker::moving::Side;
use crate::server::broker::redis::StoreTarget;
use crate::server::config::Config;
use crate::server::now_ms;
use futures::FutureExt;

pub fn run(config: Config) -> Ended {
    async move {
        let settings = config.redis.as_ref();
        let settings = settings.ok_or("no Redis is set: set REDIS_URL or REDIS_HOST in the environment or in .env")?;
        let source = FolderSource::open_copy(&config.data_dir)?;
        let mut load = Load::of(&source).await?;
        let target = StoreTarget::open(settings, load.workspace.id.as_str(), true).await?;
        if let Some(warning) = &target.durability().warning {
            println!("Warning: {warning}.");
        }
        println!("Restoring {} from the copy in {}.", target.name(), source.name());
        // What outlived the log is newer than the copy.
        let mut beside = target.beside().await?.after(now_ms());
        beside.fill(std::mem::take(&mut load.beside));
        load.beside = beside;
        carry(&source, &target, &load).await?;
        crate::server::broker::moving::Target::commit(&target).await?;
        say_done("Restored", &load, &target);
        println!("Next: start the servers; those that run go on by themselves. What one of them had beyond entry {} is in lost.jsonl of its data folder.", load.end.g);
        println!("Logins and links to join or to sign in were lost with Redis: everyone signs in again. Passwords are those of the copy.");
        Ok(())
    }
    .boxed()
}
