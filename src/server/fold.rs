//! The fold: reads the log in order and decides. Duplicate, refused, or accepted; every node decides alike.
//!
//! Total: no entry can stop it or make it panic. Its decisions use what the log holds and nothing else:
//! no clock, no randomness, no configuration. An entry whose body was erased decides as it did before.

mod refold;

pub use refold::LostEvent;

use super::broker::Entry;
use super::directory::{Account, Action, Directory, Room, Workspace};
use super::state::{self, ReadError, Reader, RoomHead, State, event_body};
use crate::protocol::frame::{Role, RoomKind};
use crate::protocol::{
    AccountId, ActValue, ClientId, Event, EventBody, Hash, Kind, Outcome, Refusal, RoomId, Row, Slot,
    WorkspaceId,
};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The format of the log that this version writes and reads.
pub const LOG_FORMAT: u32 = 1;

/// Body of a `workspace` entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkspaceBody {
    pub id: WorkspaceId,
    pub name: String,
    pub format: u32,
}

/// Body of an `account` entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccountBody {
    pub name: String,
    pub handle: String,
    #[serde(default)]
    pub role: Role,
}

/// Body of a `room` entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoomBody {
    pub kind: RoomKind,
    pub name: String,
    #[serde(default)]
    pub topic: String,
}

/// Body of `account.set` and `room.set`: the whole new value of the setting that the slot names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SettingBody {
    pub value: serde_json::Value,
}

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
}

/// Why the fold cannot go on. Nothing of the batch is kept.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    #[error("entry {g} does not continue the log that this node has folded")]
    Rewritten { g: u64 },
    #[error("the log is of format {0}; this version reads format {LOG_FORMAT}. Start a newer Beck")]
    Format(u32),
    #[error("the log's first entry makes no workspace")]
    NoWorkspace,
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
    db: Connection,
    directory: Arc<Directory>,
    heads: HashMap<RoomId, RoomHead>,
    g: u64,
    link: Hash,
}

/// An accepted entry's effect, before it has its place in a room.
struct Accepted {
    /// Its room, if it becomes an event.
    event_of: Option<RoomId>,
    lane: u64,
    changed_room: Option<RoomId>,
}

impl Accepted {
    fn outside_rooms() -> Self {
        Self { event_of: None, lane: 0, changed_room: None }
    }

    fn in_room(room: RoomId) -> Self {
        Self { event_of: Some(room), lane: 0, changed_room: None }
    }

    fn changing(room: RoomId) -> Self {
        Self { event_of: Some(room), lane: 0, changed_room: Some(room) }
    }
}

/// Whether an entry takes effect. `Err(Ok(refusal))` is a decision, `Err(Err(fault))` a failure of the file.
type Decision = Result<Accepted, Result<Refusal, ReadError>>;

fn refuse<T>(why: Refusal) -> Result<T, Result<Refusal, ReadError>> {
    Err(Ok(why))
}

trait OrFault<T> {
    fn or_fault(self) -> Result<T, Result<Refusal, ReadError>>;
}

impl<T, E: Into<ReadError>> OrFault<T> for Result<T, E> {
    fn or_fault(self) -> Result<T, Result<Refusal, ReadError>> {
        self.map_err(|fault| Err(fault.into()))
    }
}

impl Fold {
    /// Opens the state file of a data folder, or makes it anew where `usable` says it does not fit the log.
    pub fn open(folder: &Path, usable: impl FnOnce(u64, Hash) -> bool) -> Result<(State, Fold), FoldError> {
        let (state, db) = State::open(folder, usable)?;
        let (g, link) = state::folded(&db)?;
        let directory = Arc::new(Reader { db: &db }.directory()?);
        Ok((state, Fold { db, directory, heads: HashMap::new(), g, link }))
    }

    pub fn directory(&self) -> Arc<Directory> {
        self.directory.clone()
    }

    /// The last entry that is folded, and its link.
    pub fn folded(&self) -> (u64, Hash) {
        (self.g, self.link)
    }

    /// Folds entries that follow the last one, all or none, in one transaction.
    pub fn fold(&mut self, entries: &[Entry]) -> Result<Vec<Folded>, FoldError> {
        let before = (self.directory.clone(), self.g, self.link);
        let result = self.fold_batch(entries);
        if result.is_err() {
            let _ = self.db.execute_batch("ROLLBACK TO batch; RELEASE batch");
            (self.directory, self.g, self.link) = before;
            self.heads.clear();
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
        Ok(folded)
    }

    /// The first entry makes the workspace; a log that begins otherwise is none of ours.
    fn begin(&mut self, entry: &Entry) -> Result<(), FoldError> {
        let body: WorkspaceBody = entry
            .json()
            .filter(|_| entry.header.kind == Kind::Workspace)
            .and_then(|json| serde_json::from_str(json).ok())
            .ok_or(FoldError::NoWorkspace)?;
        if body.format > LOG_FORMAT {
            return Err(FoldError::Format(body.format));
        }
        self.put_meta("workspace", body.id.as_str())?;
        self.put_meta("name", &body.name)?;
        Arc::make_mut(&mut self.directory).workspace = Some(Workspace { id: body.id, name: body.name });
        Ok(())
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
        };
        if let Kind::Format = header.kind {
            let wanted = entry.json().and_then(|json| serde_json::from_str::<u32>(json).ok());
            if let Some(format) = wanted.filter(|format| *format > LOG_FORMAT) {
                return Err(FoldError::Format(format));
            }
        }
        if let Some(known) = (Reader { db: &self.db }).draft(header.client_id)? {
            folded.outcome = if known.author != header.author {
                Outcome::Refused { why: Refusal::OtherDraft }
            } else if same_draft(&known, entry) {
                known.outcome
            } else {
                Outcome::Refused { why: Refusal::OtherDraft }
            };
            self.db
                .prepare_cached("INSERT OR IGNORE INTO doubles(id, g) VALUES(?1, ?2)")?
                .execute(params![header.client_id.as_bytes(), header.g as i64])?;
            return Ok(folded);
        }
        match self.decide(entry) {
            Ok(accepted) => {
                let mut place = (None, None);
                if let Some(room) = accepted.event_of {
                    let event = self.place(entry, room, accepted.lane)?;
                    place = (Some(event.seq), event.ordinal);
                    folded.event = Some((room, event));
                }
                folded.outcome = Outcome::Stored { g: header.g, seq: place.0, ordinal: place.1 };
                folded.changed_room = accepted.changed_room;
            }
            Err(Ok(why)) => folded.outcome = Outcome::Refused { why },
            Err(Err(fault)) => return Err(fault.into()),
        }
        self.keep_draft(entry.header.client_id, header.author, header.g, folded.outcome, Some(entry))?;
        Ok(folded)
    }

    fn keep_draft(
        &self,
        id: ClientId,
        author: AccountId,
        g: u64,
        outcome: Outcome,
        entry: Option<&Entry>,
    ) -> rusqlite::Result<()> {
        let (refused, seq, ordinal) = match outcome {
            Outcome::Stored { seq, ordinal, .. } => (None, seq, ordinal),
            Outcome::Refused { why } => {
                let why = serde_json::to_value(why).ok();
                let why = why.as_ref().and_then(|why| why.as_str()).unwrap_or("other").to_owned();
                (Some(why), None, None)
            }
        };
        let salt = entry.and_then(|entry| entry.body.as_deref()).and_then(|body| body.get(..16));
        let same = entry.zip(salt).map(|(entry, salt)| sameness(salt, entry));
        let sql = "INSERT INTO drafts(id, author, g, refused, seq, ordinal, salt, same)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        self.db.prepare_cached(sql)?.execute(params![
            id.as_bytes(),
            author.as_str(),
            g as i64,
            refused,
            seq.map(|seq| seq as i64),
            ordinal.map(|ordinal| ordinal as i64),
            salt,
            same
        ])?;
        Ok(())
    }

    /// Gives an accepted entry its place in a room and writes what it changes there.
    fn place(&mut self, entry: &Entry, room: RoomId, lane: u64) -> Result<Arc<Event>, FoldError> {
        let header = &entry.header;
        let mut head = self.head(room)?;
        head.seq += 1;
        head.chain = head.chain.then(header);
        let ordinal = match header.kind {
            Kind::Message => {
                let ordinal = Reader { db: &self.db }.lane_head(&head, lane)? + 1;
                self.db
                    .prepare_cached("INSERT OR REPLACE INTO lanes(room, lane, head) VALUES(?1, ?2, ?3)")?
                    .execute(params![head.n, lane as i64, ordinal as i64])?;
                Some(ordinal)
            }
            _ => None,
        };
        let json = entry.json();
        let event = Arc::new(Event {
            seq: head.seq,
            chain: head.chain,
            lane,
            ordinal,
            header: header.clone(),
            body: json.and_then(|json| event_body(&header.kind, json)),
        });
        let sql = "INSERT INTO events(room, seq, g, at, rest, chain, lane, ordinal, json)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        self.db.prepare_cached(sql)?.execute(params![
            head.n,
            head.seq as i64,
            header.g as i64,
            header.at,
            header.rest(),
            head.chain.to_string(),
            lane as i64,
            ordinal.map(|ordinal| ordinal as i64),
            json
        ])?;
        if let Some(row) = Row::of(&event) {
            self.put_row(&head, &row)?;
        } else if header.kind == Kind::Act {
            self.write_slot(&head, &event)?;
        }
        self.db.prepare_cached("UPDATE rooms SET seq = ?2, chain = ?3 WHERE n = ?1")?.execute(params![
            head.n,
            head.seq as i64,
            head.chain.to_string()
        ])?;
        self.heads.insert(room, head);
        Ok(event)
    }

    fn put_row(&self, head: &RoomHead, row: &Row) -> Result<(), FoldError> {
        let json = serde_json::to_string(row).map_err(ReadError::from)?;
        let sql = "INSERT OR REPLACE INTO rows(room, lane, ordinal, id, author, deleted, row)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.db.prepare_cached(sql)?.execute(params![
            head.n,
            row.lane as i64,
            row.ordinal as i64,
            row.id.as_bytes(),
            row.author.as_str(),
            row.deleted.is_some(),
            json
        ])?;
        Ok(())
    }

    fn write_slot(&self, head: &RoomHead, event: &Event) -> Result<(), FoldError> {
        let target = event.header.target.as_ref().and_then(|target| target.as_str().parse().ok());
        let Some(target) = target else { return Ok(()) };
        let Some((_, mut row)) = (Reader { db: &self.db }).row(target)? else { return Ok(()) };
        let had_text = row.text.is_some();
        row.write(event);
        self.put_row(head, &row)?;
        self.db
            .prepare_cached("INSERT OR IGNORE INTO acts(target, room, seq) VALUES(?1, ?2, ?3)")?
            .execute(params![target.as_bytes(), head.n, event.seq as i64])?;
        if row.deleted.is_none() {
            self.db.prepare_cached("DELETE FROM to_erase WHERE id = ?1")?.execute([target.as_bytes()])?;
        } else if had_text {
            self.db
                .prepare_cached("INSERT OR IGNORE INTO to_erase(id, at) VALUES(?1, ?2)")?
                .execute(params![target.as_bytes(), event.header.at])?;
        }
        Ok(())
    }

    fn head(&mut self, room: RoomId) -> Result<RoomHead, ReadError> {
        if let Some(head) = self.heads.get(&room) {
            return Ok(*head);
        }
        let head = Reader { db: &self.db }.room_head(room)?;
        self.heads.insert(room, head);
        Ok(head)
    }

    fn decide(&mut self, entry: &Entry) -> Decision {
        let header = &entry.header;
        match &header.kind {
            Kind::Workspace if header.g == 1 => Ok(Accepted::outside_rooms()),
            Kind::Workspace => refuse(Refusal::Taken),
            Kind::Format | Kind::Other(_) => Ok(Accepted::outside_rooms()),
            Kind::Account => self.account(entry),
            Kind::Void => self.void(entry),
            Kind::Room => self.room(entry),
            Kind::AccountSet => self.account_set(entry),
            Kind::RoomSet => self.room_set(entry),
            Kind::Join => self.join(entry),
            Kind::Leave => self.leave(entry),
            Kind::Message => self.message(entry),
            Kind::Act => self.act(entry),
        }
    }

    fn account(&mut self, entry: &Entry) -> Decision {
        let Some(body) = parse::<AccountBody>(entry) else { return refuse(Refusal::Malformed) };
        let id = entry.header.author;
        if entry.header.target.as_ref().map(|target| target.as_str()) != Some(id.as_str()) {
            return refuse(Refusal::Malformed);
        }
        let directory = &self.directory;
        if directory.accounts.contains_key(&id) || directory.handles.contains_key(&body.handle) {
            return refuse(Refusal::Taken);
        }
        if body.role == Role::Owner && directory.has_owner() {
            return refuse(Refusal::NotAllowed);
        }
        let role = serde_json::to_string(&body.role).or_fault()?;
        self.db
            .prepare_cached("INSERT INTO accounts(id, name, handle, role) VALUES(?1, ?2, ?3, ?4)")
            .or_fault()?
            .execute([id.as_str(), &body.name, &body.handle, &role])
            .or_fault()?;
        let directory = Arc::make_mut(&mut self.directory);
        directory.handles.insert(body.handle.clone(), id);
        let account = Account { id, name: body.name, handle: body.handle, role: body.role };
        directory.accounts.insert(id, Arc::new(account));
        Ok(Accepted::outside_rooms())
    }

    fn account_set(&mut self, entry: &Entry) -> Decision {
        let header = &entry.header;
        let target: Option<AccountId> = header.target.as_ref().and_then(|t| t.as_str().parse().ok());
        let Some(target) = target else { return refuse(Refusal::Malformed) };
        let Some(account) = self.directory.accounts.get(&target).cloned() else {
            return refuse(Refusal::NotFound);
        };
        if header.author != target {
            return refuse(Refusal::NotAllowed);
        }
        let (Some("name"), Some(SettingBody { value: serde_json::Value::String(name) })) =
            (header.slot.as_ref().map(|slot| slot.as_str()), parse(entry))
        else {
            return refuse(Refusal::Malformed);
        };
        self.db
            .prepare_cached("UPDATE accounts SET name = ?2 WHERE id = ?1")
            .or_fault()?
            .execute([target.as_str(), &name])
            .or_fault()?;
        let account = Account { name, ..(*account).clone() };
        Arc::make_mut(&mut self.directory).accounts.insert(target, Arc::new(account));
        Ok(Accepted::outside_rooms())
    }

    fn void(&mut self, entry: &Entry) -> Decision {
        let header = &entry.header;
        let target: Option<ClientId> = header.target.as_ref().and_then(|t| t.as_str().parse().ok());
        let Some(target) = target.filter(|target| *target != header.client_id) else {
            return refuse(Refusal::Malformed);
        };
        if !self.directory.accounts.contains_key(&header.author) {
            return refuse(Refusal::NotAllowed);
        }
        match (Reader { db: &self.db }).draft(target).map_err(Err)? {
            None => {
                let outcome = Outcome::Refused { why: Refusal::Void };
                self.keep_draft(target, header.author, header.g, outcome, None).or_fault()?;
                Ok(Accepted::outside_rooms())
            }
            Some(known) if known.author != header.author => refuse(Refusal::NotAllowed),
            Some(known) if matches!(known.outcome, Outcome::Stored { .. }) => refuse(Refusal::TooLate),
            Some(_) => Ok(Accepted::outside_rooms()),
        }
    }

    fn room(&mut self, entry: &Entry) -> Decision {
        let header = &entry.header;
        let (Some(id), Some(body)) = (header.room, parse::<RoomBody>(entry)) else {
            return refuse(Refusal::Malformed);
        };
        if !self.directory.accounts.contains_key(&header.author) {
            return refuse(Refusal::NotAllowed);
        }
        if self.directory.rooms.contains_key(&id) || self.room_name_taken(&body.name, body.kind, id) {
            return refuse(Refusal::Taken);
        }
        let kind = serde_json::to_string(&body.kind).or_fault()?;
        self.db
            .prepare_cached(
                "INSERT INTO rooms(id, kind, name, topic, archived, seq, chain)
                 VALUES(?1, ?2, ?3, ?4, 0, 0, ?5)",
            )
            .or_fault()?
            .execute(params![id.as_str(), kind, body.name, body.topic, Hash::ZERO.to_string()])
            .or_fault()?;
        let room = Room {
            id,
            kind: body.kind,
            name: body.name,
            topic: body.topic,
            archived: false,
            members: Default::default(),
        };
        Arc::make_mut(&mut self.directory).rooms.insert(id, Arc::new(room));
        self.add_member(id, header.author).or_fault()?;
        Ok(Accepted::changing(id))
    }

    /// Names of open rooms are unique, whatever their case, so that people can tell rooms apart.
    fn room_name_taken(&self, name: &str, kind: RoomKind, except: RoomId) -> bool {
        let name = name.to_lowercase();
        kind == RoomKind::Open
            && self.directory.rooms.values().any(|room| {
                room.id != except
                    && room.kind == RoomKind::Open
                    && !room.archived
                    && room.name.to_lowercase() == name
            })
    }

    fn room_set(&mut self, entry: &Entry) -> Decision {
        let header = &entry.header;
        let Some(id) = header.room else { return refuse(Refusal::Malformed) };
        if !self.directory.can(header.author, Action::Read, id) {
            return refuse(Refusal::NotFound);
        }
        let Some(room) = self.directory.rooms.get(&id).cloned() else { return refuse(Refusal::NotFound) };
        let Some(SettingBody { value }) = parse(entry) else { return refuse(Refusal::Malformed) };
        let mut room = (*room).clone();
        match (header.slot.as_ref().map(|slot| slot.as_str()), value) {
            (Some("name"), serde_json::Value::String(name)) => {
                if self.room_name_taken(&name, room.kind, id) {
                    return refuse(Refusal::Taken);
                }
                room.name = name;
            }
            (Some("topic"), serde_json::Value::String(topic)) => room.topic = topic,
            (Some("archived"), serde_json::Value::Bool(archived)) => room.archived = archived,
            _ => return refuse(Refusal::Malformed),
        }
        self.db
            .prepare_cached("UPDATE rooms SET name = ?2, topic = ?3, archived = ?4 WHERE id = ?1")
            .or_fault()?
            .execute(params![id.as_str(), room.name, room.topic, room.archived])
            .or_fault()?;
        Arc::make_mut(&mut self.directory).rooms.insert(id, Arc::new(room));
        Ok(Accepted::changing(id))
    }

    fn add_member(&mut self, room: RoomId, account: AccountId) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("INSERT OR IGNORE INTO members(room, account) VALUES(?1, ?2)")?
            .execute([room.as_str(), account.as_str()])?;
        Arc::make_mut(&mut self.directory).add_member(room, account);
        Ok(())
    }

    fn join(&mut self, entry: &Entry) -> Decision {
        let header = &entry.header;
        let target: Option<AccountId> = header.target.as_ref().and_then(|t| t.as_str().parse().ok());
        let (Some(id), Some(target)) = (header.room, target) else { return refuse(Refusal::Malformed) };
        let directory = &self.directory;
        if !directory.can(header.author, Action::See, id) || !directory.accounts.contains_key(&target) {
            return refuse(Refusal::NotFound);
        }
        if directory.can(target, Action::Read, id) {
            return refuse(Refusal::Taken);
        }
        let by_oneself = header.author == target && directory.can(target, Action::Join, id);
        if !by_oneself && !directory.can(header.author, Action::Write, id) {
            return refuse(Refusal::NotAllowed);
        }
        self.add_member(id, target).or_fault()?;
        Ok(Accepted::changing(id))
    }

    fn leave(&mut self, entry: &Entry) -> Decision {
        let header = &entry.header;
        let target: Option<AccountId> = header.target.as_ref().and_then(|t| t.as_str().parse().ok());
        let (Some(id), Some(target)) = (header.room, target) else { return refuse(Refusal::Malformed) };
        let directory = &self.directory;
        if !directory.can(header.author, Action::Read, id) || !directory.can(target, Action::Read, id) {
            return refuse(Refusal::NotFound);
        }
        let owner = directory.accounts.get(&header.author).is_some_and(|a| a.role == Role::Owner);
        if header.author != target && !owner {
            return refuse(Refusal::NotAllowed);
        }
        self.db
            .prepare_cached("DELETE FROM members WHERE room = ?1 AND account = ?2")
            .or_fault()?
            .execute([id.as_str(), target.as_str()])
            .or_fault()?;
        Arc::make_mut(&mut self.directory).remove_member(id, target);
        Ok(Accepted::changing(id))
    }

    /// The room of a message or act, if its author may write there.
    fn writable(&self, entry: &Entry) -> Result<RoomId, Result<Refusal, ReadError>> {
        let header = &entry.header;
        let Some(room) = header.room else { return refuse(Refusal::Malformed) };
        if !self.directory.can(header.author, Action::Read, room) {
            return refuse(Refusal::NotFound);
        }
        if !self.directory.can(header.author, Action::Write, room) {
            return refuse(Refusal::Archived);
        }
        Ok(room)
    }

    fn message(&mut self, entry: &Entry) -> Decision {
        let room = self.writable(entry)?;
        let header = &entry.header;
        if let Some(json) = entry.json()
            && event_body(&Kind::Message, json).is_none()
        {
            return refuse(Refusal::Malformed);
        }
        let lane = match &header.target {
            None => 0,
            Some(target) => {
                let Ok(target) = target.as_str().parse() else { return refuse(Refusal::Malformed) };
                let row = self.target_row(room, target)?;
                if row.lane != 0 {
                    return refuse(Refusal::TargetGone);
                }
                row.seq
            }
        };
        Ok(Accepted { lane, ..Accepted::in_room(room) })
    }

    fn target_row(&mut self, room: RoomId, id: ClientId) -> Result<Row, Result<Refusal, ReadError>> {
        let head = self.head(room).map_err(Err)?;
        match (Reader { db: &self.db }).row(id).map_err(Err)? {
            Some((n, row)) if n == head.n => Ok(row),
            _ => refuse(Refusal::TargetGone),
        }
    }

    fn act(&mut self, entry: &Entry) -> Decision {
        let room = self.writable(entry)?;
        let header = &entry.header;
        let target: Option<ClientId> = header.target.as_ref().and_then(|t| t.as_str().parse().ok());
        let slot = header.slot.as_ref().and_then(|slot| Slot::parse(slot.as_str()));
        let (Some(target), Some(slot)) = (target, slot) else { return refuse(Refusal::Malformed) };
        let row = self.target_row(room, target)?;
        // An erased body decides as it did when it was there: only bodies of the right form are erased.
        let value = match entry.json().map(|json| event_body(&Kind::Act, json)) {
            None => None,
            Some(Some(EventBody::Act(body))) => Some(body.value),
            Some(_) => return refuse(Refusal::Malformed),
        };
        let own = row.author == header.author;
        let owner = self.directory.accounts.get(&header.author).is_some_and(|a| a.role == Role::Owner);
        let (allowed, formed) = match (&slot, &value) {
            (Slot::Text, value) => (own, matches!(value, None | Some(ActValue::Text(_)))),
            (Slot::Deleted, Some(ActValue::On(true))) => (own || owner, true),
            (Slot::Deleted, None | Some(ActValue::Restored { .. })) => (own || owner, row.deleted.is_some()),
            (Slot::Pin, Some(ActValue::On(_))) => (true, true),
            (Slot::React { account, .. }, Some(ActValue::On(_))) => (*account == header.author, true),
            _ => (true, false),
        };
        if !formed {
            return refuse(Refusal::Malformed);
        }
        if !allowed {
            return refuse(Refusal::NotAllowed);
        }
        if row.deleted.is_some() && slot != Slot::Deleted {
            return refuse(Refusal::TargetGone);
        }
        Ok(Accepted { lane: row.lane, ..Accepted::in_room(room) })
    }

    /// Removes the text of a deleted message from the state file, after the broker erased its bodies.
    pub fn erase(&mut self, id: ClientId) -> Result<(), FoldError> {
        let entries = Reader { db: &self.db }.entries_of_message(id)?;
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let done = (|| {
            let Some((n, row)) = (Reader { db: &self.db }).row(id)? else { return Ok(()) };
            for g in entries {
                self.db
                    .prepare_cached("UPDATE events SET json = NULL WHERE room = ?1 AND g = ?2")?
                    .execute(params![n, g as i64])?;
                self.db
                    .prepare_cached("UPDATE drafts SET salt = NULL, same = NULL WHERE g = ?1")?
                    .execute([g as i64])?;
            }
            self.db.prepare_cached("DELETE FROM to_erase WHERE id = ?1")?.execute([id.as_bytes()])?;
            let head = RoomHead { n, seq: 0, chain: Hash::ZERO };
            self.put_row(&head, &Row { text: None, quote: None, ..row })
        })();
        match done {
            Ok(()) => {
                self.db.execute_batch("COMMIT")?;
                let ignore = |_: &rusqlite::Row<'_>| Ok(());
                self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], ignore)?;
                Ok(())
            }
            Err(fault) => {
                let _ = self.db.execute_batch("ROLLBACK");
                Err(fault)
            }
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(entry: &Entry) -> Option<T> {
    serde_json::from_str(entry.json()?).ok()
}

/// What two proposals of one draft have in common whatever their salt: 16 bytes that do not tell the text.
pub fn sameness(salt: &str, entry: &Entry) -> Vec<u8> {
    let header = &entry.header;
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(header.kind.as_str());
    for word in [
        header.room.as_ref().map(RoomId::as_str),
        header.target.as_ref().map(|target| target.as_str()),
        header.slot.as_ref().map(|slot| slot.as_str()),
        entry.json(),
    ] {
        hash.update([0]);
        hash.update(word.unwrap_or(""));
    }
    hash.finalize()[..16].to_vec()
}

/// Whether an entry repeats a draft that is known. Where the text was erased nothing can be compared: it does.
pub fn same_draft(known: &state::KnownDraft, entry: &Entry) -> bool {
    match (&known.salt, &known.same, &entry.body) {
        (Some(salt), Some(same), Some(_)) => sameness(salt, entry) == *same,
        _ => true,
    }
}
