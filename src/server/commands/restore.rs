//! `beck restore` and `beck import`: make a workspace from a file, or a lost store from a server's copy, where there is
//! none.

use super::Ended;
use super::moving::{Load, carry, open_folder, say_done, store};
use super::without_erased::WithoutErased;
use crate::server::broker::archive::{Archive, Kind};
use crate::server::broker::embedded::FolderSource;
use crate::server::broker::moving::{KeptSecret, Moved, Side, Target};
use crate::server::broker::redis::StoreTarget;
use crate::server::config::Config;
use crate::server::now_ms;
use crate::server::passwords::{no_password, password_key};
use futures::FutureExt;
use std::path::PathBuf;

/// From a backup or an export.
pub fn run(config: Config, kind: Kind, path: PathBuf) -> Ended {
    async move {
        say!("Looking at all of {}.", path.display());
        let archive = Archive::open_up_to(&path, kind, config.newest_format)?;
        let mut load = Load::of(&archive).await?;
        let passwords = load.beside.secrets.len();
        for account in &archive.contents().accounts {
            let none = KeptSecret { value: no_password(), version: 1, expires: None };
            load.beside.secrets.entry(password_key(*account)).or_insert(none);
        }
        let source = WithoutErased::of(&archive, load.end, &config.data_dir)?;
        let (verb, doing) = match kind {
            Kind::Backup => ("Restored", "Restoring"),
            Kind::Export => ("Imported", "Importing"),
        };
        let next = match &config.redis {
            Some(settings) => {
                let target = StoreTarget::open(settings, load.workspace.id.as_str(), false).await?;
                if let Some(warning) = &target.durability().warning {
                    say!("Warning: {warning}.");
                }
                say!("{doing} into {}.", target.name());
                fill(&source, &target, &load, verb).await?;
                "start the servers on this Redis, each with a DATA_DIR of its own; those that run go on by themselves".to_owned()
            }
            None => {
                let target = open_folder(&config.data_dir, &load.workspace)?;
                say!("{doing} into {}.", target.name());
                fill(&source, &target, &load, verb).await?;
                format!("start Beck with DATA_DIR={}", config.data_dir.display())
            }
        };
        say!("Next: {next}.");
        let owner = archive.contents().owner.as_deref().unwrap_or("HANDLE");
        if passwords > 0 {
            say!("Everyone signs in again, with the password of when the backup was made; links to join are new.");
        } else {
            say!("Nobody has a password yet. Give one to the owner: beck admin reset-password {owner}");
            say!("It works for the others too; they then choose their own under Account.");
        }
        Ok(())
    }
    .boxed()
}

async fn fill(source: &dyn Side, target: &dyn Target, load: &Load, verb: &str) -> Moved<()> {
    carry(source, target, load).await?;
    target.commit().await?;
    say_done(verb, load, target);
    Ok(())
}

/// From the copy that a server of a store keeps in its data folder.
pub fn run_copy(config: Config) -> Ended {
    async move {
        let settings = store(&config).map_err(|none| {
            format!("{none}; beck restore FILE restores a backup into DATA_DIR without one")
        })?;
        let source = FolderSource::open_copy(&config.data_dir)?;
        let mut load = Load::of(&source).await?;
        let source = WithoutErased::of(&source, load.end, &config.data_dir)?;
        let target = StoreTarget::open(settings, load.workspace.id.as_str(), true).await?;
        if let Some(warning) = &target.durability().warning {
            say!("Warning: {warning}.");
        }
        say!("Restoring {} from the copy in {}.", target.name(), source.name());
        // What outlived the log is newer than the copy.
        let mut beside = target.beside().await?.after(now_ms());
        beside.fill(std::mem::take(&mut load.beside));
        load.beside = beside;
        fill(&source, &target, &load, "Restored").await?;
        say!("Next: start the servers; those that run go on by themselves. What one of them had beyond entry {} is in lost.jsonl of its data folder.", load.end.g);
        say!("Logins and links to join or to sign in were lost with Redis: everyone signs in again. Passwords are those of the copy.");
        Ok(())
    }
    .boxed()
}
