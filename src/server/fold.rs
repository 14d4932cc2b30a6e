//! The fold: reads the log in order and decides. Duplicate, refused, or accepted; every node decides alike.
//!
//! Total: no entry but one of a newer format can stop it, and none makes it panic. `decide` decides and writes
//! nothing, `apply` writes and decides nothing. Decisions read what the log holds and nothing else: no clock, no
//! randomness, no configuration. An entry whose body was erased is decided as it was before.

mod apply;
mod bodies;
mod decide;
mod erase;
mod erasing;
mod facts;
mod lost_entry;
mod lower_case;
mod read;
mod refold;
mod rules;

pub use bodies::{AccountBody, RoomBody, SettingBody, WorkspaceBody};
pub use decide::{IN_ROOM, known_outcome};
pub use lost_entry::{LostBatch, LostEntry};
pub use lower_case::lower_case;
pub use rules::{Archiving, Rules, Strict};

use super::broker::{Entry, Head};
use super::directory::{Directory, Workspace};
use super::state::{self, Events, ReadError, Reader, RoomHead, State, Trace};
use crate::protocol::{
    AccountId, Change, Erasable, Event, Format, Hash, Kind, NewerFormat, Outcome, Refusal, RoomId,
    WorkspaceId, erasable,
};
use decide::{Effect, NotAccepted, decide, repeated};
use erasing::Fate;
use facts::{Facts, Heads};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;

/// What the fold made of one entry.
#[derive(Debug, Clone)]
pub struct Folded {
    pub g: u64,
    pub author: AccountId,
    pub outcome: Outcome,
    /// The event that it became, for an accepted entry of a room.
    pub event: Option<(RoomId, Arc<Event>)>,
    /// Rooms whose name, kind, topic or members changed.
    pub changed_room: Option<RoomId>,
    /// The account some of whose logins have ended.
    pub ended_logins: Option<AccountId>,
    /// The account that says something else of itself.
    pub changed_account: Option<AccountId>,
    /// The entries whose bodies it removes. They are gone from the state file; whoever has them elsewhere removes them.
    pub erased: Vec<u64>,
}

/// Why the fold cannot go on. Nothing of the batch is kept.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    #[error("entry {g} does not continue the log that this node has folded")]
    Rewritten { g: u64 },
    #[error(transparent)]
    Format(#[from] NewerFormat),
    #[error("the log's first entry makes no workspace")]
    NoWorkspace,
    #[error(
        "entry {g} has no body, and the body of an entry of its kind is never erased: the log is damaged. Restore it from a backup (`beck restore`)"
    )]
    NoBody { g: u64 },
    #[error(
        "entry {g} raises the log to a format in which the workspace's id is the operator's, and an account has this id. Only a version that does not read this format can go on with this log"
    )]
    OperatorIsAccount { g: u64 },
    #[error("the state file cannot be written: {0}")]
    State(#[from] ReadError),
}

impl From<rusqlite::Error> for FoldError {
    fn from(fault: rusqlite::Error) -> Self {
        FoldError::State(fault.into())
    }
}

/// The one that folds: the only writer of the state file.
pub struct Fold {
    /// The newest format that it reads.
    newest: Format,
    db: Connection,
    directory: Arc<Directory>,
    heads: Heads,
    g: u64,
    link: Hash,
    /// The journal of the state file may hold bodies that were erased.
    journal_has_erased: bool,
}

impl Fold {
    /// Opens the state file of a data folder, or makes it anew where `usable` says it does not fit the log.
    pub fn open(folder: &Path, usable: impl FnOnce(u64, Hash) -> bool) -> Result<(State, Fold), FoldError> {
        Self::open_up_to(folder, usable, Format::NEWEST)
    }

    /// As [`Fold::open`], of a fold that stops before a format newer than this one.
    pub fn open_up_to(
        folder: &Path,
        usable: impl FnOnce(u64, Hash) -> bool,
        newest: Format,
    ) -> Result<(State, Fold), FoldError> {
        let (state, db) = State::open(folder, usable)?;
        match Self::load(db, newest) {
            Ok(fold) => Ok((state, fold)),
            Err(fault) if fault.is_unreadable() => {
                drop(state);
                state::set_aside_or_delete(folder, &fault.to_string());
                let (state, db) = State::open(folder, |_, _| true)?;
                Ok((state, Self::load(db, newest)?))
            }
            Err(fault) => Err(fault.into()),
        }
    }

    fn load(db: Connection, newest: Format) -> Result<Fold, ReadError> {
        let (g, link) = state::folded(&db)?;
        let directory = Arc::new(Reader { db: &db }.directory(newest)?);
        let heads = Heads::default();
        // A server that was killed may have left them there.
        Ok(Fold { newest, db, directory, heads, g, link, journal_has_erased: true })
    }

    /// Reports every statement that the fold runs from now on. For tests.
    pub fn trace(&self, trace: Trace) {
        self.db.trace_v2(state::TRACED, Some(trace));
    }

    pub fn directory(&self) -> Arc<Directory> {
        self.directory.clone()
    }

    /// The last entry that is folded, and its link.
    pub fn folded(&self) -> (u64, Hash) {
        (self.g, self.link)
    }

    /// What the state file has of the entries of all rooms.
    pub fn events(&mut self) -> Events<'_> {
        Events { db: &mut self.db }
    }

    /// Folds entries that follow the last one, all or none, in one transaction.
    pub fn fold(&mut self, entries: &[Entry]) -> Result<Vec<Folded>, FoldError> {
        let before = (self.directory.clone(), self.g, self.link);
        let result = self.fold_batch(entries);
        if result.is_err() {
            let _ = self.db.execute_batch("ROLLBACK TO batch; RELEASE batch");
            (self.directory, self.g, self.link) = before;
            self.heads = Heads::default();
        } else if self.journal_has_erased && self.db.is_autocommit() {
            self.try_empty_journal();
        }
        result
    }

    fn fold_batch(&mut self, entries: &[Entry]) -> Result<Vec<Folded>, FoldError> {
        // A savepoint is a transaction of its own, or part of the one of a refold.
        self.db.execute_batch("SAVEPOINT batch")?;
        let mut folded = Vec::with_capacity(entries.len());
        for entry in entries {
            let header = &entry.header;
            if header.g != self.g + 1 || entry.link != self.link.then(header) {
                return Err(FoldError::Rewritten { g: header.g });
            }
            if header.g == 1 {
                self.begin(entry)?;
            }
            folded.push(self.fold_entry(entry)?);
            self.g = header.g;
            self.link = entry.link;
        }
        self.put_meta("g", &self.g.to_string())?;
        self.put_meta("link", &self.link.to_string())?;
        self.db.execute_batch("RELEASE batch")?;
        self.journal_has_erased |= folded.iter().any(|folded| !folded.erased.is_empty());
        Ok(folded)
    }

    /// The first entry makes the workspace; a log that begins otherwise is none of ours.
    fn begin(&mut self, entry: &Entry) -> Result<(), FoldError> {
        let body: WorkspaceBody = entry
            .json()
            .filter(|_| entry.header.kind == Kind::Workspace)
            .and_then(|json| serde_json::from_str(json).ok())
            .ok_or(FoldError::NoWorkspace)?;
        let format = Format::read(body.format, self.newest)?;
        self.put_meta("workspace", body.id.as_str())?;
        self.put_meta("name", &body.name)?;
        if Rules::of(format).strict.is_some() {
            self.check_begin(entry, body.id)?;
        }
        self.put_meta("first_name", &body.name)?;
        let format_since = self.put_format(0, format, entry)?;
        let workspace = Workspace { id: body.id, name: body.name, format, format_since };
        Arc::make_mut(&mut self.directory).workspace = Some(workspace);
        Ok(())
    }

    /// A log that begins in a strict format begins with exactly this entry.
    fn check_begin(&self, entry: &Entry, id: WorkspaceId) -> Result<(), FoldError> {
        match Change::read(&entry.header, entry.body.as_deref()) {
            Ok(Change::Workspace { .. }) if entry.header.author == id.operator() => Ok(()),
            _ => Err(FoldError::NoWorkspace),
        }
    }

    /// The format that decides the entries after this number, and the entry that says so.
    fn put_format(&self, after: u64, format: Format, by: &Entry) -> rusqlite::Result<Head> {
        let since = Head { g: by.header.g, link: by.link };
        self.put_meta("format", &format.number().to_string())?;
        self.put_meta("format_g", &since.g.to_string())?;
        self.put_meta("format_link", &since.link.to_string())?;
        self.db
            .prepare_cached("INSERT OR REPLACE INTO formats(g, format) VALUES(?1, ?2)")?
            .execute([after as i64, i64::from(format.number())])?;
        Ok(since)
    }

    fn put_meta(&self, key: &str, value: &str) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)")?
            .execute([key, value])?;
        Ok(())
    }

    fn fold_entry(&mut self, entry: &Entry) -> Result<Folded, FoldError> {
        let header = &entry.header;
        let mut folded = Folded {
            g: header.g,
            author: header.author,
            outcome: Outcome::Refused { why: Refusal::Malformed },
            event: None,
            changed_room: None,
            ended_logins: None,
            changed_account: None,
            erased: Vec::new(),
        };
        // Those that decide it: it may raise the format itself.
        let (rules, format) = (self.directory.rules(), self.directory.format());
        if rules.strict.is_some() {
            let erasable = erasable(format, &header.kind, header.slot.as_ref());
            if entry.body.is_none() && erasable == Erasable::Never {
                return Err(FoldError::NoBody { g: header.g });
            }
        }
        if header.kind == Kind::Join {
            self.join_has_come(header.client_id)?;
        }
        let facts = Facts::new(&self.directory, &self.db, &self.heads, self.newest);
        if let Some(first) = facts.draft(header.client_id)? {
            folded.outcome = repeated(rules, &first, entry);
            self.keep_repeated(header)?;
            self.keep_erasable(entry, rules, format, Fate::Repeated)?;
            return Ok(folded);
        }
        // Formats 1 to 4 take it from anybody; in a strict one the decision says whether it counts.
        if rules.strict.is_none() && header.kind == Kind::Format {
            read::format(entry).map(|number| Format::read(number, self.newest)).transpose()?;
        }
        match decide(rules, entry, facts) {
            Ok(accepted) => {
                if let Effect::Format(format) = accepted.effect
                    && Rules::of(format).strict.is_some()
                    && facts.operator_id().is_some_and(|operator| facts.has_account(operator))
                {
                    return Err(FoldError::OperatorIsAccount { g: header.g });
                }
                folded.outcome = accepted.outcome(header.g);
                self.apply(entry, accepted, &mut folded)?;
            }
            Err(NotAccepted::Refused(why)) => folded.outcome = Outcome::Refused { why },
            Err(NotAccepted::Newer(newer)) => return Err(newer.into()),
            Err(NotAccepted::Fault(fault)) => return Err(fault.into()),
        }
        self.keep_draft(rules, header.client_id, header.author, header.g, folded.outcome, Some(entry))?;
        self.keep_erasable(entry, rules, format, Fate::of_new(folded.outcome))?;
        Ok(folded)
    }

    fn head(&self, room: RoomId) -> Result<RoomHead, ReadError> {
        self.heads.of(room, &self.db)?.ok_or(ReadError::NotFound)
    }
}
