//! `beck backup` and `beck export`: write a workspace into one file, also while servers are at work.

use super::Ended;
use super::moving::{BATCH, Progress};
use crate::protocol::Format;
use crate::server::broker::archive::{ArchiveWriter, Kind, Manifest};
use crate::server::broker::embedded::LiveFolder;
use crate::server::broker::moving::{LiveLog, Moved};
use crate::server::broker::redis::LiveStore;
use crate::server::config::Config;
use crate::server::fold::WorkspaceBody;
use crate::server::passwords::password_key;
use futures::FutureExt;
use std::path::{Path, PathBuf};

pub fn run(config: Config, kind: Kind, path: PathBuf) -> Ended {
    async move {
        let log: Box<dyn LiveLog> = match &config.redis {
            Some(settings) => Box::new(LiveStore::open(settings).await?),
            None => Box::new(LiveFolder::open(&config.data_dir)?),
        };
        let (path, manifest) = write(log.as_ref(), kind, &path, config.newest_format).await?;
        say!(
            "Wrote {} entries to {}; link of the first {}, of the last {}; passwords: {}, read pointers: {}.",
            manifest.entries,
            path.display(),
            manifest.first_link,
            manifest.last_link,
            manifest.secrets,
            manifest.pointers
        );
        say!("{}", match kind {
            Kind::Backup => "It has every message, and a hash of each password: keep it where nobody else reads it. beck restore takes it. Logins and links to join are not in it.",
            Kind::Export => "It has every message, also of private rooms, and no password: keep it where nobody else reads it. beck import takes it.",
        });
        Ok(())
    }
    .boxed()
}

/// Writes an archive of a log that may grow meanwhile, and has no format newer than `newest`.
pub async fn write(log: &dyn LiveLog, kind: Kind, path: &Path, newest: Format) -> Moved<(PathBuf, Manifest)> {
    let name = log.name();
    let first = log.read(1, 1).await?.into_iter().next();
    let workspace = first.and_then(|first| serde_json::from_str::<WorkspaceBody>(first.json()?).ok());
    let workspace = workspace.ok_or(format!("there is no workspace in {name} yet"))?;
    let mut archive = ArchiveWriter::create(path, kind, workspace.id, newest)?;
    let article = if kind == Kind::Export { "an" } else { "a" };
    say!("Writing {article} {kind} of the workspace {:?} ({}) in {name}.", workspace.name, workspace.id);
    write_entries(log, &mut archive).await?;
    // In this order: no pointer is beyond the end of the log, and every account that is in it has its password.
    let pointers = log.pointers(&archive.contents().accounts).await?;
    write_entries(log, &mut archive).await?;
    for ((account, key), pointer) in pointers {
        archive.pointer(account, key, pointer)?;
    }
    if kind == Kind::Backup {
        let names: Vec<_> = archive.contents().accounts.iter().map(|id| password_key(*id)).collect();
        for (name, secret) in log.secrets(&names).await? {
            archive.secret(name, secret)?;
        }
    }
    archive.end()
}

/// Writes what the log has beyond what is written, up to where it ends now.
async fn write_entries(log: &dyn LiveLog, archive: &mut ArchiveWriter) -> Moved<()> {
    let name = log.name();
    let end = log.head().await?.unwrap_or_default().g;
    let mut progress = Progress::new("Writing", end);
    loop {
        let g = archive.contents().end.g;
        // What was the last one when it was counted may be erased by now: then others follow it.
        if g >= end && archive.contents().ends_whole {
            return Ok(());
        }
        let left = end.saturating_sub(g).max(1);
        let entries = log.read(g + 1, BATCH.min(left as usize)).await?;
        if entries.is_empty() {
            return Err(format!("entry {} is missing in {name}: restore a copy of it", g + 1));
        }
        for entry in entries {
            archive.entry(entry).map_err(|what| format!("{name} {what}"))?;
        }
        progress.at(archive.contents().end.g.min(end));
    }
}
