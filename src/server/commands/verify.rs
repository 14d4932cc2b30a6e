//! `beck verify`: walks log, copy and state from the first entry on, recomputes every link, chain, number and count, and
//! compares them with each other. It changes nothing, and says the first thing that is wrong in each of them.
//!
//! It runs beside a server: no read transaction takes more than some thousand entries, and nothing is locked.

mod copy;
mod entries;
mod fold;
mod state;
mod walk;

use super::doctor::report::Report;
use crate::server::broker::InForce;
use crate::server::broker::embedded::{COPY_FILE, LOG_FILE, earlier_logs};
use crate::server::broker::moving::Moved;
use crate::server::config::Config;
use crate::server::counted::counted;
use crate::server::fold::WorkspaceBody;
use crate::server::node::missing_log;
use entries::{Log, LogFile, StoredEntry};
use state::{Found, StateFile};
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Instant;
use walk::Walk;

/// What to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Also fold the log anew and compare every row of the state.
    pub fold: bool,
}

impl Depth {
    /// Reads the words after `verify`.
    pub fn parse(words: &[&str]) -> Result<Depth, String> {
        match words {
            [] => Ok(Depth { fold: false }),
            ["--fold"] => Ok(Depth { fold: true }),
            _ => {
                Err("write beck verify, or beck verify --fold to compare every row with a fresh fold".into())
            }
        }
    }
}

const NEWER_COPY: &str =
    "stop the server, delete copy.sqlite and start it: it makes the copy anew from the log";
const DELETE_EARLIER: &str =
    "It is needed only to go back to an earlier version of Beck: if you do not need it, delete it";
const NEW_STATE: &str = "stop the server, delete state.sqlite and start it: it folds the log anew";
const KEEP_FIRST: &str =
    "keep a copy of this folder before Beck starts on it: it may hold the last trace of messages";

/// Says how far a long walk is, on a terminal alone.
struct Progress {
    what: &'static str,
    said: u64,
    shown: bool,
}

impl Progress {
    fn new(what: &'static str) -> Progress {
        Progress { what, said: 0, shown: false }
    }

    fn at(&mut self, done: u64) {
        if done < self.said + 50_000 || !std::io::stderr().is_terminal() {
            return;
        }
        (self.said, self.shown) = (done, true);
        let _ = write!(std::io::stderr(), "\r{}: {done}", self.what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r{:60}\r", "");
        }
    }
}

/// Verifies; `true` if nothing is wrong.
pub async fn run(config: &Config, depth: Depth) -> bool {
    let began = Instant::now();
    let mut report = Report::default();
    let entries = verify(config, depth, &mut report).await;
    let entries = counted(entries, "entry was", "entries were");
    say!("{entries} looked at in {:.1} s.", began.elapsed().as_secs_f64());
    report.end()
}

/// Looks at everything; gives how far the log is well.
async fn verify(config: &Config, depth: Depth, report: &mut Report) -> u64 {
    let folder = &config.data_dir;
    if config.redis.is_none() && !folder.join(LOG_FILE).is_file() {
        let unused = || {
            format!(
                "there is no {LOG_FILE} in {}: set DATA_DIR to the folder of the workspace; if it was moved away, put it back",
                folder.display()
            )
        };
        report.fault("log", log_gone(config).unwrap_or_else(unused));
        return 0;
    }
    let log = match Log::open(config).await {
        Ok(log) => log,
        Err(why) => {
            report.fault("log", why);
            return 0;
        }
    };
    // A server writes an entry to the log first, then to the copy, then to the state. Opened the other way round, none
    // of the three can be ahead of the one before it.
    let state = StateFile::open(folder);
    let copy = match config.redis.is_some() && folder.join(COPY_FILE).is_file() {
        true => Some(LogFile::open(folder, COPY_FILE).and_then(|copy| Ok((copy.last()?.unwrap_or(0), copy)))),
        false => None,
    };
    let end = match log.last().await {
        Ok(end) => end.unwrap_or(0),
        Err(why) => {
            report.fault("log", why);
            return 0;
        }
    };
    if end == 0
        && let Some(why) = log_gone(config)
    {
        report.fault("log", why);
        return 0;
    }
    let open_state = match &state {
        Ok(Found::File(state)) => Some(state),
        _ => None,
    };
    let seen = look_at_log(&log, end, open_state, report).await;
    let open_copy = copy.as_ref().and_then(|copy| copy.as_ref().ok());
    match &copy {
        None if config.redis.is_some() => {
            report.ok("copy", format!("there is none in {} yet", folder.display()))
        }
        None => {}
        Some(Err(why)) => report.fault("copy", format!("{why}: {NEWER_COPY}")),
        Some(Ok((reaches, copy))) => {
            look_at_copy((*reaches, copy), (end, &log), seen.well, open_state, report).await;
        }
    }
    if let Log::Folder(_) = &log {
        look_at_earlier_logs(folder, (end, &log), seen.well, open_state, report).await;
    }
    let state = match &state {
        Ok(Found::None) => {
            report.ok("state", "there is none yet: the next start folds the log");
            return seen.well;
        }
        Ok(Found::Other) => {
            report.ok("state", "it is of another version of Beck: the next start folds the log anew");
            return seen.well;
        }
        Err(why) => {
            report.fault("state", format!("{why}: {NEW_STATE}"));
            return seen.well;
        }
        Ok(Found::File(state)) => state,
    };
    if !look_at_state(state, end, &seen, report) {
        return seen.well;
    }
    let copy = open_copy.map(|(_, copy)| copy);
    look_at_rooms(state, &log, copy, report).await;
    if depth.fold {
        look_at_fold(config, state, &log, copy, report).await;
    }
    seen.well
}

/// What the start of a server says of a used folder without a log.
fn log_gone(config: &Config) -> Option<String> {
    Some(missing_log(&config.data_dir)?.to_string().trim_end_matches('.').to_owned())
}

/// What the walk over the log has seen.
struct Seen {
    /// Up to this entry the log is well.
    well: u64,
    /// The link at the number at which the state stands.
    link_of_state: Option<String>,
    /// The first entry without an outcome in the state.
    without_outcome: Option<String>,
}

async fn look_at_log(log: &Log, end: u64, state: Option<&StateFile>, report: &mut Report) -> Seen {
    let mut seen = Seen { well: 0, link_of_state: None, without_outcome: None };
    let walked = walk_log(log, end, state, &mut seen).await;
    let name = log.name();
    match walked {
        Ok(_) if end == 0 => report.ok("log", format!("there is no workspace in {name} yet")),
        Ok(walk) => report.ok(
            "log",
            format!(
                "{}, {} erased, in {name}",
                counted(walk.g, "entry is well", "entries continue each other"),
                walk.erased
            ),
        ),
        Err(why) => report.fault("log", format!("{why} in {name}; {} well: {}", counted(seen.well, "entry before it is", "entries before it are"), match log {
            Log::Folder(_) => "keep this folder, and restore the newest backup into an empty one (beck restore FILE)",
            Log::Store(_) => "stop the servers, verify the copy of each, and fill Redis anew from the best one (beck restore) or from a backup",
        })),
    }
    seen
}

async fn walk_log(log: &Log, end: u64, state: Option<&StateFile>, seen: &mut Seen) -> Result<Walk, String> {
    let (mut walk, mut in_force) = (Walk::start(), InForce::default());
    let mut progress = Progress::new("log");
    while walk.g < end {
        let entries = log.read(walk.g + 1, end).await?;
        if entries.is_empty() {
            return Err(format!("entry {} is missing", walk.g + 1));
        }
        for entry in &entries {
            walk.step(entry)?;
            if let Some(header) = entry.header() {
                if in_force.lacks_body(&header, entry.body.as_deref()) {
                    return Err(format!("entry {} has no body, and its body is never erased", entry.g));
                }
                in_force.take(&header, entry.body.as_deref());
            }
            if entry.g == 1 && !begins(entry) {
                return Err("entry 1 does not make a workspace".to_owned());
            }
            seen.well = walk.g;
            if state.is_some_and(|state| state.g == entry.g) {
                seen.link_of_state = Some(entry.link.clone());
            }
        }
        if let Some(state) = state.filter(|_| seen.without_outcome.is_none()) {
            seen.without_outcome = state.check_drafts(&entries).err();
        }
        progress.at(walk.g);
    }
    Ok(walk)
}

fn begins(entry: &StoredEntry) -> bool {
    let json = entry.body.as_deref().and_then(|body| body.get(16..));
    json.is_some_and(|json| serde_json::from_str::<WorkspaceBody>(json).is_ok())
}

async fn look_at_copy(
    (reaches, copy): (u64, &LogFile),
    (end, log): (u64, &Log),
    well: u64,
    state: Option<&StateFile>,
    report: &mut Report,
) {
    let mut progress = Progress::new("copy");
    let checked = copy::check(copy, reaches, log, well, state, |done| progress.at(done)).await;
    drop(progress);
    let name = &copy.name;
    match checked {
        Err(why) => report.fault("copy", format!("{why}, in {name}. {KEEP_FIRST}. Then {NEWER_COPY}")),
        Ok(_) if reaches > end => report.fault(
            "copy",
            format!(
                "{name} has {} after entry {end}, with which the log ends: the log has lost them. {KEEP_FIRST}",
                counted(reaches - end, "entry", "entries")
            ),
        ),
        Ok(sum) if well < sum.entries => report.ok(
            "copy",
            format!("{} in {name}; those up to {well} are the log's", counted(sum.entries, "entry is well", "entries continue each other")),
        ),
        Ok(sum) => {
            report.ok("copy", format!("{} the log's in {name}{}", counted(sum.entries, "entry is", "entries are"), waiting(sum.to_erase)));
        }
    }
}

/// The copies from before the format of a folder's log rose: each is a beginning of the log, with the same texts erased.
async fn look_at_earlier_logs(
    folder: &Path,
    (end, log): (u64, &Log),
    well: u64,
    state: Option<&StateFile>,
    report: &mut Report,
) {
    for path in earlier_logs(folder) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let checked = async {
            let copy = LogFile::open(folder, &name)?;
            let reaches = copy.last()?.unwrap_or(0);
            if reaches > end {
                let more = counted(reaches - end, "entry", "entries");
                return Err(format!("it has {more} after entry {end}, with which the log ends"));
            }
            let mut progress = Progress::new("copy");
            copy::check(&copy, reaches, log, well, state, |done| progress.at(done)).await
        };
        match checked.await {
            Err(why) => report.fault("copy", format!("{why}, in {}. {DELETE_EARLIER}", path.display())),
            Ok(sum) => report.ok(
                "copy",
                format!(
                    "{} the log's in {}, from before its format rose{}",
                    counted(sum.entries, "entry is", "entries are"),
                    path.display(),
                    waiting(sum.to_erase)
                ),
            ),
        }
    }
}

/// What is said of texts that are gone from the log and not yet from here.
fn waiting(to_erase: u64) -> String {
    match to_erase {
        0 => String::new(),
        n => {
            let texts = counted(n, "erased text goes", "erased texts go");
            format!("; {texts} from here within an hour of Beck's running")
        }
    }
}

/// Where the state stands; `true` if it makes sense to look at what is in it.
fn look_at_state(state: &StateFile, end: u64, seen: &Seen, report: &mut Report) -> bool {
    let StateFile { g, link, name, .. } = state;
    if *g > end {
        report.fault(
            "state",
            format!(
                "{name} stands at entry {g}, {} after entry {end}, with which the log ends: the log has lost them. {KEEP_FIRST}",
                g - end
            ),
        );
        return false;
    }
    if *g > seen.well {
        report.fault(
            "state",
            format!("{name} stands at entry {g}, behind the fault of the log: mend the log first"),
        );
        return false;
    }
    if *g > 0 && seen.link_of_state.as_ref() != Some(link) {
        let there = seen.link_of_state.as_deref().unwrap_or("none");
        report.fault(
            "state",
            format!("{name} was made from another log: at entry {g} its link is {link}, that of the log {there}. {KEEP_FIRST}. Then {NEW_STATE}"),
        );
        return false;
    }
    match &seen.without_outcome {
        Some(why) => report.fault("state", format!("{why}: {NEW_STATE}")),
        None => report
            .ok("state", format!("{name} stands at entry {g} as the log has it; each entry has its outcome")),
    }
    true
}

async fn look_at_rooms(state: &StateFile, log: &Log, copy: Option<&LogFile>, report: &mut Report) {
    let mut progress = Progress::new("events");
    let checked = state.check_rooms(log, copy, |done| progress.at(done)).await;
    drop(progress);
    match checked {
        Err(why) => report.fault("rooms", format!("{why}: {NEW_STATE}")),
        Ok(sum) => report.ok(
            "rooms",
            format!(
                "{} of {}: numbers, chains, places and the log's headers are right{}",
                counted(sum.events, "event", "events"),
                counted(sum.rooms, "room", "rooms"),
                waiting(sum.to_erase)
            ),
        ),
    }
}

async fn look_at_fold(
    config: &Config,
    state: &StateFile,
    log: &Log,
    copy: Option<&LogFile>,
    report: &mut Report,
) {
    let mut progress = Progress::new("fold");
    let checked = tokio::select! {
        checked = fold::check(config, state, log, copy, |done| progress.at(done)) => checked,
        () = stopped() => {
            drop(progress);
            return report.fault("fold", "it was stopped before it had compared everything");
        }
    };
    drop(progress);
    match checked {
        Err(why) => report.fault("fold", format!("{why}: {NEW_STATE}")),
        Ok((tables, rows)) => {
            let rows = counted(rows, "row", "rows");
            let tables = counted(tables, "table", "tables");
            report.ok("fold", format!("a fresh fold gives the same {rows} in {tables}"))
        }
    }
}

/// Waits for Ctrl+C or SIGTERM. Without it they would end the process and leave the folder of the fold behind.
async fn stopped() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// The newest entries continue each other; gives the time of the last one. For `beck doctor`.
pub async fn newest(config: &Config, count: u64) -> Moved<i64> {
    let log = Log::open(config).await?;
    let name = log.name();
    let wrong =
        |why: String| format!("{why} in {name}: restore a backup, and see what beck verify says of the rest");
    let end = log.last().await?.unwrap_or(0);
    let from = end.saturating_sub(count).max(1);
    let mut walk: Option<Walk> = None;
    while walk.is_none_or(|walk| walk.g < end) {
        let next = walk.map_or(from, |walk| walk.g + 1);
        let entries = log.read(next, end).await?;
        if entries.is_empty() {
            return Err(wrong(format!("entry {next} is missing")));
        }
        for entry in &entries {
            match &mut walk {
                None if entry.g != from => return Err(wrong(format!("entry {from} is missing"))),
                None if from == 1 => {
                    let mut first = Walk::start();
                    first.step(entry).map_err(wrong)?;
                    walk = Some(first);
                }
                None => walk = Some(Walk::after(entry).map_err(wrong)?),
                Some(walk) => walk.step(entry).map_err(wrong)?,
            }
        }
    }
    Ok(walk.map_or(0, |walk| walk.at))
}
