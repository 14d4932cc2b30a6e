//! What `beck migrate`, `restore` and `import` have in common: everything of a source is put into a target, read back and
//! compared; only then the target becomes a log that is served.

use crate::protocol::Hash;
use crate::server::broker::embedded::FolderTarget;
use crate::server::broker::moving::{Beside, Moved, Side, Target};
use crate::server::broker::redis::RedisSettings;
use crate::server::broker::{Entry, Head, InForce};
use crate::server::config::Config;
use crate::server::fold::WorkspaceBody;
use crate::server::now_ms;
use crate::server::passwords::no_password;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

/// The store of the settings, where a command needs one.
pub fn store(config: &Config) -> Moved<&RedisSettings> {
    let none = "no Redis is set: set REDIS_URL or REDIS_HOST in the environment or in .env";
    config.redis.as_ref().ok_or(none.to_owned())
}

/// A folder for the log of this workspace; one that belongs to another is refused.
pub fn open_folder(folder: &Path, workspace: &WorkspaceBody) -> Moved<FolderTarget> {
    let target = FolderTarget::open(folder)?;
    match std::fs::read_to_string(folder.join("workspace")) {
        Ok(pinned) if pinned.trim() != workspace.id.as_str() => Err(format!(
            "the folder {} belongs to another workspace ({}): name another folder",
            folder.display(),
            pinned.trim()
        )),
        _ => Ok(target),
    }
}

/// Entries that travel together.
pub const BATCH: usize = 250;

/// What is there to move.
pub struct Load {
    pub workspace: WorkspaceBody,
    pub end: Head,
    first: Hash,
    pub beside: Beside,
}

impl Load {
    /// Looks at a source.
    pub async fn of(source: &dyn Side) -> Moved<Load> {
        let name = source.name();
        let end =
            source.head().await?.ok_or(format!("the log in {name} is empty: there is nothing to move"))?;
        let first = source.read(1, 1).await?.into_iter().next();
        let first = first.ok_or(format!("the log in {name} has no first entry: restore it from a copy"))?;
        let workspace = first.json().and_then(|json| serde_json::from_str(json).ok());
        let workspace = workspace.ok_or(format!("the log in {name} does not begin with a workspace"))?;
        let beside = source.beside().await?.after(now_ms());
        Ok(Load { workspace, end, first: first.link, beside })
    }

    fn say(&self) {
        let Load { workspace, end, first, beside } = self;
        say!(
            "The workspace {:?} ({}): {} entries, link of the first {first}, of the last {}; {} beside them.",
            workspace.name,
            workspace.id,
            end.g,
            end.link,
            counted(beside)
        );
    }
}

fn counted(beside: &Beside) -> String {
    let none = no_password();
    let secrets = beside.secrets.values().filter(|secret| secret.value != none).count();
    format!("secrets: {secrets}, read pointers: {}", beside.pointers.len())
}

/// Says how far it is, at most a hundred times; on a terminal in one line.
pub struct Progress {
    what: &'static str,
    of: u64,
    said: u64,
}

impl Progress {
    pub fn new(what: &'static str, of: u64) -> Progress {
        Progress { what, of, said: u64::MAX }
    }

    pub fn at(&mut self, done: u64) {
        let percent = done * 100 / self.of.max(1);
        if percent == self.said {
            return;
        }
        self.said = percent;
        let text = format!("{}: {done} of {} entries", self.what, self.of);
        let mut out = std::io::stdout();
        let end = if out.is_terminal() && done < self.of { "\r" } else { "\n" };
        // Whom nobody listens to goes on.
        let _ = write!(out, "{text}{end}").and_then(|()| out.flush());
    }
}

/// Moves all of it and reads it back. The target is not served yet; [`Target::commit`] is what is left to do.
pub async fn carry(source: &dyn Side, target: &dyn Target, load: &Load) -> Moved<()> {
    load.say();
    let there = target.head().await?;
    if let Some(there) = there {
        let found = source.read(there.g, 1).await?;
        if found.first().is_none_or(|entry| entry.header.g != there.g || entry.link != there.link) {
            return Err(format!(
                "{} has an unfinished move of another log of this workspace: empty it first",
                target.name()
            ));
        }
        say!("Going on with an unfinished move: {} entries are there.", there.g);
    }
    target.begin(load.workspace.id.as_str()).await?;
    let mut progress = Progress::new("Copying", load.end.g);
    let mut g = there.map_or(0, |there| there.g);
    progress.at(g);
    while g < load.end.g {
        let entries = source.read(g + 1, BATCH.min((load.end.g - g) as usize)).await?;
        let last = entries.last().ok_or(missing(source, g + 1))?.header.g;
        target.put(&entries).await?;
        g = last;
        progress.at(g);
    }
    say!("Copying: {}", counted(&load.beside));
    target.put_beside(&load.beside).await?;
    compare(source, target, load).await
}

/// Reads both sides whole: headers, bodies and links must be the same, and the links those of the headers.
async fn compare(source: &dyn Side, target: &dyn Target, load: &Load) -> Moved<()> {
    let mut progress = Progress::new("Reading back", load.end.g);
    let (mut at, mut in_force) = (Head::default(), InForce::default());
    progress.at(0);
    while at.g < load.end.g {
        let limit = BATCH.min((load.end.g - at.g) as usize);
        let wanted = source.read(at.g + 1, limit).await?;
        let mut found = target.read(at.g + 1, limit).await?;
        // Text that was erased since an earlier try.
        let erased = |pair: &(&Entry, &Entry)| pair.0.body.is_none() && pair.1.body.is_some();
        let erased: Vec<_> =
            wanted.iter().zip(&found).filter(erased).map(|(entry, _)| entry.clone()).collect();
        if !erased.is_empty() {
            target.put(&erased).await?;
            found = target.read(at.g + 1, limit).await?;
        }
        for (n, entry) in wanted.iter().enumerate() {
            let g = at.g + 1;
            if entry.header.g != g || entry.link != at.link.then(&entry.header) {
                return Err(format!(
                    "entry {g} in {} does not continue the log: restore a copy of it",
                    source.name()
                ));
            }
            if in_force.lacks_body(&entry.header, entry.body.as_deref()) {
                return Err(format!(
                    "entry {g} in {} has no body, and its body is never erased: restore a backup",
                    source.name()
                ));
            }
            in_force.take(&entry.header, entry.body.as_deref());
            if found.get(n) != Some(entry) {
                return Err(format!(
                    "entry {g} in {} is not the one that was put there: run this again",
                    target.name()
                ));
            }
            at = Head { g, link: entry.link };
        }
        if wanted.is_empty() {
            return Err(missing(source, at.g + 1));
        }
        progress.at(at.g);
    }
    let ends = [Some(at), target.head().await?];
    if ends != [Some(load.end), Some(load.end)] {
        return Err(format!("the log in {} does not end where it should: run this again", target.name()));
    }
    let found = target.beside().await?;
    let now = now_ms();
    if found.after(now) != load.beside.clone().after(now) {
        return Err(format!(
            "secrets in {} are not those that were put there: run this again",
            target.name()
        ));
    }
    Ok(())
}

fn missing(source: &dyn Side, g: u64) -> String {
    format!("entry {g} is missing in {}: restore a copy of it", source.name())
}

/// What was done, in numbers.
pub fn say_done(verb: &str, load: &Load, target: &dyn Target) {
    say!(
        "{verb} {} entries to {}; link of the first {}, of the last {}; {}. All of it was read back and is the same.",
        load.end.g,
        target.name(),
        load.first,
        load.end.link,
        counted(&load.beside)
    );
}
