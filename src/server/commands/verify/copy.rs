//! Compares `copy.sqlite`, which a server on Redis keeps, with the log that it is a copy of.

use super::entries::{Log, LogFile, StoredEntry};
use super::state::StateFile;
use super::walk::Walk;

/// What was counted.
#[derive(Debug, Default)]
pub struct Counted {
    pub entries: u64,
    /// Texts that are gone from the log and are still to be erased here.
    pub to_erase: u64,
}

/// The copy continues from entry to entry up to `end`, and is the log's beginning as far as the log is well. The log
/// is read after the copy: what is erased meanwhile leaves the log first.
pub async fn check(
    copy: &LogFile,
    end: u64,
    log: &Log,
    well: u64,
    state: Option<&StateFile>,
    mut progress: impl FnMut(u64),
) -> Result<Counted, String> {
    let (mut walk, mut counted) = (Walk::start(), Counted::default());
    let mut logged: Vec<StoredEntry> = Vec::new();
    while walk.g < end {
        let entries = copy.read(walk.g + 1, end)?;
        if entries.is_empty() {
            return Err(format!("entry {} is missing", walk.g + 1));
        }
        for entry in entries {
            walk.step(&entry)?;
            counted.entries = walk.g;
            if entry.g > well {
                continue;
            }
            if logged.last().is_none_or(|last| last.g < entry.g) {
                logged = log.read(entry.g, well).await?;
            }
            let index = entry.g.saturating_sub(logged.first().map_or(0, |first| first.g)) as usize;
            let Some(there) = logged.get(index).filter(|there| there.g == entry.g) else {
                return Err(format!("the log has no entry {}, which the copy has", entry.g));
            };
            if (there.at, &there.rest, &there.link) != (entry.at, &entry.rest, &entry.link) {
                return Err(format!(
                    "it forks from the log at entry {}: its link is {}, that of the log {}",
                    entry.g, entry.link, there.link
                ));
            }
            if there.body.is_some() != entry.body.is_some() {
                counted.to_erase += compare_again(copy, &entry, log, state).await?;
            }
        }
        progress(walk.g);
    }
    Ok(counted)
}

/// Looks anew at an entry that has a text in one place alone; gives how many texts are still to be erased: in formats 1
/// to 4 a text leaves the log first, then the copy, then the state file, and what an `erase` takes leaves them in the other
/// order. Another server may have begun.
async fn compare_again(
    copy: &LogFile,
    entry: &StoredEntry,
    log: &Log,
    state: Option<&StateFile>,
) -> Result<u64, String> {
    let g = entry.g;
    let id = entry.header().map(|header| header.client_id);
    let erased = state.map(|state| state.is_erased(g)).transpose()?.unwrap_or(false);
    let waits = match state.zip(id) {
        Some((state, id)) => erased || state.has_text(g, id)?,
        None => false,
    };
    let here = copy.read_one(g)?.is_some_and(|entry| entry.body.is_some());
    let there = log.read_one(g).await?.is_some_and(|entry| entry.body.is_some());
    match (there, here) {
        (false, true) if !waits => {
            Err(format!("the text of entry {g} is erased in the log, and not in the copy"))
        }
        (false, true) => Ok(1),
        (true, false) if erased => Ok(1),
        (true, false) => Err(format!("the text of entry {g} is erased in the copy, and not in the log")),
        _ => Ok(0),
    }
}
