//! What one login keeps in a file: outbox, drafts of the composers, and the rows that stand in its rooms.
//!
//! Only its owner can read it. What is removed is overwritten in it, and no journal of it stays.

use crate::api::Boot;
use crate::client::Lane;
use crate::client::outbox::Kept;
use crate::client::session::{Session, Status};
use crate::protocol::{ClientId, Page, RoomId, Row};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const FORMAT: i64 = 1;
const TABLES: &str = "
    CREATE TABLE outbox (id TEXT PRIMARY KEY, kept TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE typed (lane TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE known (boot TEXT NOT NULL);
    CREATE TABLE place (room TEXT PRIMARY KEY, page TEXT NOT NULL, looked_at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE row (room TEXT, ordinal INTEGER, row TEXT NOT NULL, PRIMARY KEY (room, ordinal)) WITHOUT ROWID;
    PRAGMA user_version = 1;";

#[derive(Debug, thiserror::Error)]
pub enum DiskFault {
    #[error("Another Beck has {0} open. Close it first.")]
    InUse(PathBuf),
    #[error("{0} was written by a newer Beck. Install that one again.")]
    Newer(PathBuf),
    #[error("{path} cannot be used: {why}.")]
    Unusable { path: PathBuf, why: String },
}

pub struct Disk {
    inner: Mutex<Inner>,
    /// Held as long as the file is open.
    _lock: Lock,
}

struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // To close it is not enough: a process that is being started has a copy of it for a moment.
        let _ = self.0.unlock();
    }
}

struct Inner {
    file: Connection,
    /// What stands in the file, once this run has written it.
    shown: Option<Shown>,
}

/// What is shown, as it is kept.
#[derive(Default)]
pub struct Shown {
    boot: String,
    /// Each room's page without its rows as JSON, and whether the room is looked at.
    places: HashMap<RoomId, (String, bool)>,
    rows: BTreeMap<(RoomId, u64), Arc<Row>>,
}

impl Shown {
    /// Once a login has ended, only whose it was.
    pub fn of(session: &Session, first: &Boot) -> Shown {
        let mut shown = Shown::default();
        let mut boot = Boot {
            workspace: session.workspace.clone(),
            me: Some(session.me.clone()),
            rooms: Vec::new(),
            people: Vec::new(),
            page: None,
            thread: None,
            mentions: None,
            found: None,
            join_link: None,
            notice: None,
            ..first.clone()
        };
        if session.status != Status::SignedOut {
            boot.rooms.clone_from(&session.rooms);
            boot.people = session.people.values().cloned().collect();
            boot.people.sort_by_key(|person| person.id);
            for (room, timeline) in &session.timelines {
                let mut page = timeline.page(*room);
                let rows = std::mem::take(&mut page.rows).into_iter();
                shown.rows.extend(rows.map(|row| ((*room, row.ordinal), row)));
                shown.places.insert(*room, (json(&page), session.looking_at == Some(*room)));
            }
        }
        shown.boot = json(&boot);
        shown
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn read<T: DeserializeOwned>(text: rusqlite::Result<String>) -> Option<T> {
    serde_json::from_str(&text.ok()?).ok()
}

pub(super) fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes the file, if it is not there, readable for its owner only. SQLite gives its journal the same rights.
pub(super) fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn connect(path: &Path) -> rusqlite::Result<(Connection, i64)> {
    let file = Connection::open(path)?;
    file.execute_batch(
        "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;",
    )?;
    let ok: String = file.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if ok != "ok" {
        return Err(rusqlite::Error::InvalidQuery);
    }
    let mut format = file.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if format == 0 {
        file.execute_batch(&format!("BEGIN; {TABLES} COMMIT;"))?;
        format = FORMAT;
    }
    Ok((file, format))
}

impl Disk {
    /// Opens the file in a folder, or makes both. One that is damaged is set aside and a new one begun.
    pub fn open(folder: &Path) -> Result<Disk, DiskFault> {
        let path = folder.join("kept.sqlite");
        let unusable = |why: String| DiskFault::Unusable { path: path.clone(), why };
        let not_made = |fault: std::io::Error| unusable(fault.to_string());
        private_folder(folder).map_err(not_made)?;
        let lock = Lock(private_file(&folder.join("lock")).map_err(not_made)?);
        match lock.0.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DiskFault::InUse(path)),
            Err(TryLockError::Error(fault)) => return Err(not_made(fault)),
        }
        private_file(&path).map_err(not_made)?;
        let (file, format) = connect(&path).or_else(|fault| {
            let damaged = match &fault {
                rusqlite::Error::SqliteFailure(fault, _) => {
                    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
                    matches!(fault.code, DatabaseCorrupt | NotADatabase)
                }
                rusqlite::Error::InvalidQuery => true,
                _ => false,
            };
            if !damaged {
                return Err(unusable(fault.to_string()));
            }
            let aside = format!("damaged-{}.sqlite", super::now_ms());
            fs::rename(&path, folder.join(aside)).and_then(|()| private_file(&path)).map_err(not_made)?;
            connect(&path).map_err(|fault| unusable(fault.to_string()))
        })?;
        if format > FORMAT {
            return Err(DiskFault::Newer(path));
        }
        Ok(Disk { inner: Mutex::new(Inner { file, shown: None }), _lock: lock })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the last run showed: who I am and my rooms, with the page of the room that was looked at, and the pages of
    /// the others.
    pub fn shown(&self) -> Option<(Boot, Vec<Page>)> {
        let inner = self.inner();
        let text = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        let text = inner.file.query_row("SELECT boot FROM known", [], text).optional().ok()??;
        let mut boot: Boot = serde_json::from_str::<Boot>(&text).ok()?;
        let mut places = inner.file.prepare("SELECT page, looked_at FROM place").ok()?;
        let mut rows = inner.file.prepare("SELECT row FROM row WHERE room = ?1 ORDER BY ordinal").ok()?;
        let places = places.query_map([], |row| Ok((read::<Page>(row.get(0)), row.get(1)?))).ok()?;
        let mut pages = Vec::new();
        for (page, looked_at) in places.filter_map(|place| {
            let (page, looked_at) = place.ok()?;
            Some((page?, looked_at))
        }) {
            let mut page = page;
            let found = rows.query_map([page.room.as_str()], |row| Ok(read::<Arc<Row>>(row.get(0)))).ok()?;
            page.rows = found.filter_map(|row| row.ok()?).collect();
            if looked_at {
                boot.page = Some(page);
            } else {
                pages.push(page);
            }
        }
        Some((boot, pages))
    }

    /// Drafts of the composers, and the outbox.
    pub fn written(&self) -> (HashMap<Lane, String>, Vec<Kept>) {
        let inner = self.inner();
        let all = || {
            let mut typed = inner.file.prepare("SELECT lane, text FROM typed")?;
            let typed = typed.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
            let typed = typed.filter_map(|typed| {
                let (lane, text) = typed.ok()?;
                Some((lane.parse().ok()?, text))
            });
            let typed = typed.collect();
            let mut kept = inner.file.prepare("SELECT kept FROM outbox")?;
            let kept =
                kept.query_map([], |row| Ok(read::<Kept>(row.get(0))))?.filter_map(|kept| kept.ok()?);
            Ok::<_, rusqlite::Error>((typed, kept.collect()))
        };
        all().unwrap_or_default()
    }

    /// `false`: the disk is full, or does not take it for another reason. So for the next two.
    pub fn keep(&self, kept: &Kept) -> bool {
        let put = "INSERT OR REPLACE INTO outbox VALUES (?1, ?2)";
        self.inner().file.execute(put, [kept.id().to_string(), json(kept)]).is_ok()
    }

    pub fn forget(&self, id: ClientId) -> bool {
        self.inner().file.execute("DELETE FROM outbox WHERE id = ?1", [id.to_string()]).is_ok()
    }

    pub fn keep_typed(&self, lane: Lane, text: &str) -> bool {
        let (inner, lane) = (self.inner(), lane.to_string());
        let done = match text {
            "" => inner.file.execute("DELETE FROM typed WHERE lane = ?1", [&lane]),
            _ => inner.file.execute("INSERT OR REPLACE INTO typed VALUES (?1, ?2)", [lane.as_str(), text]),
        };
        done.is_ok()
    }

    /// Makes the file hold what is shown, and nothing else of rooms: only what differs is written. It is asked what that
    /// is once the file is free: of two calls none brings back what the other took away.
    pub fn take(&self, shown: impl FnOnce() -> Shown) -> rusqlite::Result<()> {
        let mut inner = self.inner();
        let (inner, shown) = (&mut *inner, shown());
        let change = inner.file.transaction()?;
        let before = match inner.shown.take() {
            Some(before) => before,
            None => {
                change.execute_batch("DELETE FROM row; DELETE FROM place; DELETE FROM known;")?;
                Shown::default()
            }
        };
        write(&change, &before, &shown)?;
        change.commit()?;
        inner.shown = Some(shown);
        Ok(())
    }
}

fn write(change: &Transaction<'_>, before: &Shown, shown: &Shown) -> rusqlite::Result<()> {
    if before.boot != shown.boot {
        change.execute("DELETE FROM known", [])?;
        change.execute("INSERT INTO known VALUES (?1)", [&shown.boot])?;
    }
    let mut drop_place = change.prepare_cached("DELETE FROM place WHERE room = ?1")?;
    for room in before.places.keys().filter(|room| !shown.places.contains_key(room)) {
        drop_place.execute([room.as_str()])?;
    }
    let mut put_place = change.prepare_cached("INSERT OR REPLACE INTO place VALUES (?1, ?2, ?3)")?;
    for (room, place) in shown.places.iter().filter(|(room, place)| before.places.get(room) != Some(place)) {
        put_place.execute(params![room.as_str(), place.0, place.1])?;
    }
    let mut drop_row = change.prepare_cached("DELETE FROM row WHERE room = ?1 AND ordinal = ?2")?;
    for (room, ordinal) in before.rows.keys().filter(|at| !shown.rows.contains_key(at)) {
        drop_row.execute(params![room.as_str(), *ordinal as i64])?;
    }
    let mut put_row = change.prepare_cached("INSERT OR REPLACE INTO row VALUES (?1, ?2, ?3)")?;
    let same =
        |at: &(RoomId, u64), row: &Arc<Row>| before.rows.get(at).is_some_and(|old| Arc::ptr_eq(old, row));
    for ((room, ordinal), row) in shown.rows.iter().filter(|(at, row)| !same(at, row)) {
        // A salt with its text would prove for ever that the text was written: salts stay in memory.
        let row = Row { proof: None, ..Row::clone(row) };
        put_row.execute(params![room.as_str(), *ordinal as i64, json(&row)])?;
    }
    Ok(())
}
