//! What the log has lost and this server still has. It goes into a file of the data folder, flushed, before anything is
//! cut or deleted here: it may be the last copy of messages that were acknowledged.

use super::StartError;
use crate::protocol::{ClientId, Digest, Header};
use crate::server::broker::embedded::{CopyError, LogCopy};
use crate::server::broker::{Broker, BrokerError, Head, SharedBroker, digest};
use crate::server::fold::{FoldError, LostBatch, LostEntry};
use crate::server::readiness::{Unready, UnreadyState};
use crate::server::state::{AnyVersion, Events, StateFault, set_aside};
use crate::server::{json_lines, private_files};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The file in the data folder that lost entries are added to, one JSON object a line.
pub(super) const LOST_FILE: &str = "lost.jsonl";
/// Entries of the log that are looked through for drafts that were sent again; beyond them one may be written though
/// it is stored again.
const SENT_AGAIN_WITHIN: u64 = 100_000;

/// Why lost entries were not kept. Nothing was cut or deleted.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeepError {
    #[error("what the log has lost cannot be written to {LOST_FILE}: {0}. Nothing was deleted")]
    File(#[from] std::io::Error),
    #[error("the log cannot be read: {0}")]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<KeepError> for StartError {
    fn from(fault: KeepError) -> Self {
        match fault {
            KeepError::File(fault) => StartError::Lost(fault),
            KeepError::Broker(fault) => StartError::Broker(fault),
            KeepError::Copy(fault) => StartError::Copy(fault),
            KeepError::State(StateFault::Failed(fault)) => StartError::Fold(FoldError::from(fault)),
            KeepError::State(fault @ StateFault::Unreadable(_)) => {
                StartError::Lost(std::io::Error::other(fault.to_string()))
            }
        }
    }
}

impl From<KeepError> for Unready {
    fn from(fault: KeepError) -> Unready {
        match fault {
            // A start sets the file aside, whole.
            KeepError::State(fault @ StateFault::Unreadable(_)) => {
                Unready::new(UnreadyState::StateDamaged, fault)
            }
            fault => StartError::from(fault).unready(),
        }
    }
}

/// What a data folder has of lost entries, and what is known to be lost without being there.
pub(super) struct LostEntries {
    path: PathBuf,
    lines: AtomicU64,
    /// Held while the file is written.
    writing: Mutex<()>,
    /// Lost entries that the state file does not have as entries: how far it had read, and where the log ended.
    not_kept: OnceLock<(u64, u64)>,
}

impl LostEntries {
    pub(super) fn of(folder: &Path) -> Result<LostEntries, KeepError> {
        let path = folder.join(LOST_FILE);
        let lines = known(&path)?.len() as u64;
        Ok(LostEntries {
            path,
            lines: AtomicU64::new(lines),
            writing: Mutex::default(),
            not_kept: OnceLock::new(),
        })
    }

    /// Clauses for people: of the file as long as it is there, of what was not kept until the next start.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let lines = self.lines.load(Ordering::Relaxed);
        if lines > 0 && self.path.is_file() {
            words.push(format!(
                "the log has lost entries that this server had: {lines} are in {}. See \"Lost entries\" in docs/operations.md, then move the file away",
                self.path.display()
            ));
        }
        if let Some((folded, head)) = self.not_kept.get() {
            words.push(format!(
                "the log is not the one that this server had read up to entry {folded}; it ended at {head} when the server started. No message is lost, but accounts, memberships or settings may be. See \"Lost entries\" in docs/operations.md; the next start no longer says this"
            ));
        }
        words
    }

    /// Keeps what `next` gives, batch by batch until one is empty, but for what is in the file already or stored in the
    /// log again. Gives how many were written; they are flushed.
    fn keep<E: From<std::io::Error>>(
        &self,
        again: &SentAgain,
        mut next: impl FnMut() -> Result<LostBatch, E>,
    ) -> Result<u64, E> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = known(&self.path)?;
        let (mut file, mut kept) = (None, 0);
        loop {
            let batch = next()?;
            if batch.entries().is_empty() {
                break;
            }
            let mut lines = String::new();
            for entry in batch.entries().iter().filter(|entry| !again.has(entry)) {
                if known.insert(entry.header.client_id) {
                    lines.push_str(&serde_json::to_string(entry).map_err(std::io::Error::from)?);
                    lines.push('\n');
                    kept += 1;
                }
            }
            if !lines.is_empty() {
                if file.is_none() {
                    file = Some(open(&self.path)?);
                }
                if let Some(file) = &mut file {
                    file.write_all(lines.as_bytes())?;
                }
            }
        }
        if let Some(file) = file {
            file.sync_all()?;
            private_files::sync_folder_of(&self.path)?;
        }
        self.lines.store(known.len() as u64, Ordering::Relaxed);
        Ok(kept)
    }

    /// Removes the bodies of entries whose text is erased; their lines stay.
    pub(super) fn erase(&self, is_erased: impl Fn(&Header) -> bool) -> std::io::Result<u64> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        json_lines::replace_lines(&self.path, |line| {
            let entry: LostEntry = serde_json::from_slice(line).ok()?;
            let goes = entry.body.is_some() && is_erased(&entry.header);
            goes.then(|| serde_json::to_string(&LostEntry { body: None, ..entry }).ok()).flatten()
        })
    }
}

/// Opens the file to add lines; a line that a crash cut off is ended first.
fn open(path: &Path) -> std::io::Result<File> {
    let mut file = private_files::options().create(true).read(true).append(true).open(path)?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// The drafts that are in the file.
fn known(path: &Path) -> std::io::Result<HashSet<ClientId>> {
    #[derive(serde::Deserialize)]
    struct Line {
        header: Header,
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(fault) => return Err(fault),
    };
    let mut known = HashSet::new();
    for line in BufReader::new(file).split(b'\n') {
        if let Ok(Line { header }) = serde_json::from_slice(&line?) {
            known.insert(header.client_id);
        }
    }
    Ok(known)
}

/// Drafts that the log has stored again after it had lost them, with a digest of each body: they are not lost.
#[derive(Default)]
struct SentAgain(HashMap<ClientId, Option<Digest>>);

impl SentAgain {
    /// Looks through what the log has after an entry.
    async fn after(broker: &dyn Broker, after: u64) -> Result<SentAgain, BrokerError> {
        let mut again = SentAgain::default();
        let mut g = after;
        while g < after.saturating_add(SENT_AGAIN_WITHIN) {
            let entries = broker.read(g + 1, LostBatch::MOST).await?;
            let Some(last) = entries.last() else { break };
            g = last.header.g;
            for entry in entries.into_iter().map(LostEntry::from) {
                again.0.insert(entry.header.client_id, body_digest(&entry));
            }
        }
        Ok(again)
    }

    fn has(&self, entry: &LostEntry) -> bool {
        let again = self.0.get(&entry.header.client_id);
        again.is_some_and(|again| entry.body.is_none() || *again == body_digest(entry))
    }
}

/// Of the body without its salt, which is another one when a draft is sent again.
fn body_digest(entry: &LostEntry) -> Option<Digest> {
    entry.body.as_ref().map(|body| digest(&body.to_string()))
}

/// Whether the log has this entry.
async fn stands(broker: &dyn Broker, header: &Header) -> Result<bool, BrokerError> {
    let found = broker.read(header.g, 1).await?;
    Ok(found.first().is_some_and(|found| found.header == *header))
}

/// Whether the state file of a folder was made from this log; what it has beyond the log is kept first. A file that
/// cannot be read is set aside.
pub(super) async fn check_state(
    broker: &SharedBroker,
    folder: &Path,
    lost: &LostEntries,
) -> Result<bool, StartError> {
    match state_fits(broker, folder, lost).await {
        Err(KeepError::State(fault @ StateFault::Unreadable(_))) => {
            // What the log has lost may be in it.
            set_aside(folder, &fault.to_string()).map_err(StartError::Lost)?;
            Ok(false)
        }
        fits => Ok(fits?),
    }
}

async fn state_fits(broker: &SharedBroker, folder: &Path, lost: &LostEntries) -> Result<bool, KeepError> {
    let Some(mut state) = AnyVersion::open(folder)? else { return Ok(true) };
    let (g, link) = state.folded()?;
    if g == 0 {
        return Ok(true);
    }
    let entry = broker.read(g, 1).await?;
    if entry.first().is_some_and(|entry| entry.header.g == g && entry.link == link) {
        return Ok(true);
    }
    match keep_of_state(broker.as_ref(), state.events(), lost).await? {
        Some((kept, after)) => tracing::error!(
            kept,
            after,
            folded = g,
            "the log has lost what this server has shown: it is in lost.jsonl, and the log is folded again"
        ),
        // What else is lost (accounts, rooms, memberships) the state does not have as entries.
        None => {
            let head = broker.head().await?.map_or(0, |head| head.g);
            tracing::error!(
                folded = g,
                head,
                "the log is not the one that this server has folded: it is folded again. No message is lost, but accounts or settings may be; see docs/operations.md#lost-entries"
            );
            let _ = lost.not_kept.set((g, head));
        }
    }
    Ok(false)
}

/// Keeps the events that a state file has and the log has no more. Gives how many were written, and the newest event
/// before them; `None` if the log has them all.
pub(super) async fn keep_of_state(
    broker: &dyn Broker,
    events: Events<'_>,
    lost: &LostEntries,
) -> Result<Option<(u64, u64)>, KeepError> {
    let Some(newest) = events.before(u64::MAX)? else { return Ok(None) };
    if stands(broker, &newest).await? {
        return Ok(None);
    }
    // Every event up to `low` stands in the log, the one at `high` does not. An entry's link holds all before it, so
    // halving finds the first that is lost.
    let (mut low, mut high) = (0, newest.g);
    while low + 1 < high {
        let middle = low.midpoint(high);
        let event = events.before(middle)?.filter(|event| event.g > low);
        match event {
            None => low = middle,
            Some(event) => match stands(broker, &event).await? {
                true => low = middle,
                false => high = event.g,
            },
        }
    }
    let again = SentAgain::after(broker, low).await?;
    let mut after = low;
    let kept = lost.keep(&again, || {
        let batch = events.after(after)?;
        after = batch.last().unwrap_or(after);
        Ok::<_, KeepError>(batch)
    })?;
    Ok(Some((kept, low)))
}

/// Where a copy and its log part: what the copy has after that is kept.
pub(super) async fn keep_of_copy(
    broker: &SharedBroker,
    copy: &LogCopy,
    lost: &LostEntries,
) -> Result<Head, KeepError> {
    let fork = fork(broker.as_ref(), copy).await?;
    let head = copy.head();
    if fork == head {
        return Ok(fork);
    }
    let again = SentAgain::after(broker.as_ref(), fork.g).await?;
    let mut after = fork.g;
    let kept = lost.keep(&again, || {
        let entries = copy.entries(after, LostBatch::MOST)?;
        let batch = LostBatch::take(entries.into_iter().map(|entry| Ok::<_, KeepError>(entry.into())))?;
        after = batch.last().unwrap_or(after);
        Ok::<_, KeepError>(batch)
    })?;
    // None where the same was found a moment ago, before the copy was cut.
    if kept > 0 {
        tracing::error!(
            kept,
            from = head.g,
            to = fork.g,
            "the copy has entries that the log has lost: they are in lost.jsonl, and the copy is cut back"
        );
    }
    Ok(fork)
}

/// The last entry that copy and log have in common. Links hold all that came before, so halving finds it.
async fn fork(broker: &dyn Broker, copy: &LogCopy) -> Result<Head, KeepError> {
    let (mut low, mut high) = (Head::default(), copy.head().g);
    if let Some(head) = common(broker, copy, high).await? {
        return Ok(head);
    }
    while low.g + 1 < high {
        let middle = low.g.midpoint(high);
        match common(broker, copy, middle).await? {
            Some(head) => low = head,
            None => high = middle,
        }
    }
    Ok(low)
}

/// The copy's entry at a number, if the log has the same.
async fn common(broker: &dyn Broker, copy: &LogCopy, g: u64) -> Result<Option<Head>, KeepError> {
    if g == 0 {
        return Ok(Some(Head::default()));
    }
    let link = copy.link(g)?;
    let found = broker.read(g, 1).await?;
    let same = found.first().is_some_and(|entry| entry.header.g == g && entry.link == link);
    Ok(same.then_some(Head { g, link }))
}
