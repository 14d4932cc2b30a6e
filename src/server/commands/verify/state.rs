//! Compares `state.sqlite` with the log: where it stands, its drafts, and each room's events, places and heads.
//!
//! A running server moves on meanwhile: each batch is one read transaction, and is compared with what that shows.

use super::entries::{FILE_BATCH, Log, LogFile, StoredEntry, open_to_read, text};
use crate::protocol::{ClientId, Hash, Header, Kind};
use crate::server::broker::moving::Moved;
use crate::server::state::{SCHEMA_VERSION, STATE_FILE};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;
use std::path::Path;

/// Texts of events in one batch, in bytes.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// The state file of a data folder.
pub struct StateFile {
    pub name: String,
    db: Connection,
    /// How far it had folded the log when it was opened.
    pub g: u64,
    pub link: String,
}

/// What is there of a state file.
pub enum Found {
    None,
    /// Of another version of Beck: the next start makes it anew.
    Other,
    File(StateFile),
}

/// What was counted.
#[derive(Debug, Default)]
pub struct Counted {
    pub rooms: u64,
    pub events: u64,
    /// Texts that are gone from the log and are still to be erased here.
    pub to_erase: u64,
}

/// The fault of a table: one clause that begins with where it is.
type Checked<T> = Result<T, String>;

struct EventRow {
    seq: u64,
    g: u64,
    at: i64,
    rest: String,
    chain: String,
    lane: u64,
    ordinal: Option<u64>,
    json: Option<String>,
    also: Option<(u64, u64)>,
}

struct Room {
    n: i64,
    id: String,
    seq: u64,
    chain: Hash,
    /// The last ordinal of each lane.
    lanes: BTreeMap<u64, u64>,
}

impl StateFile {
    pub fn open(folder: &Path) -> Checked<Found> {
        let path = folder.join(STATE_FILE);
        let name = path.display().to_string();
        if !path.is_file() {
            return Ok(Found::None);
        }
        let read = || {
            let db = open_to_read(&path)?;
            let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
            if version != SCHEMA_VERSION {
                return Ok(Found::Other);
            }
            db.execute_batch("BEGIN")?;
            let meta = |key: &str| {
                let sql = "SELECT value FROM meta WHERE key = ?1";
                db.query_row(sql, [key], |row| text(row, 0)).optional().map(Option::flatten)
            };
            let (g, link) = (meta("g")?, meta("link")?);
            db.execute_batch("COMMIT")?;
            let g = g.and_then(|g| g.parse().ok()).unwrap_or(0);
            let link = link.unwrap_or_else(|| Hash::ZERO.to_string());
            Ok(Found::File(StateFile { name: name.clone(), db, g, link }))
        };
        read().map_err(|fault: rusqlite::Error| format!("{name} cannot be read: {fault}"))
    }

    fn read<T>(&self, what: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Checked<T> {
        what(&self.db).map_err(|fault| format!("{} cannot be read: {fault}", self.name))
    }

    fn in_transaction<T>(&self, what: impl FnOnce() -> Checked<T>) -> Checked<T> {
        self.read(|db| db.execute_batch("BEGIN"))?;
        let done = what();
        self.read(|db| db.execute_batch("COMMIT"))?;
        done
    }

    /// Each of these entries has its outcome.
    pub fn check_drafts(&self, entries: &[StoredEntry]) -> Checked<()> {
        self.in_transaction(|| {
            for entry in entries.iter().filter(|entry| entry.g <= self.g) {
                let Some(header) = entry.header() else { continue };
                let (id, g) = (header.client_id, entry.g);
                let known = self.draft(id)?;
                let again = |db: &Connection| {
                    let sql = "SELECT 1 FROM doubles WHERE id = ?1 AND g = ?2";
                    db.prepare_cached(sql)?.exists(params![id.as_bytes(), g as i64])
                };
                if known.is_none_or(|draft| draft.g != g) && !(known.is_some() && self.read(again)?) {
                    return Err(format!("entry {g} has no outcome in {}", self.name));
                }
            }
            Ok(())
        })
    }

    fn draft(&self, id: ClientId) -> Checked<Option<Draft>> {
        self.read(|db| {
            let sql = "SELECT g, seq, ordinal FROM drafts WHERE id = ?1";
            let number =
                |row: &rusqlite::Row<'_>, n: usize| row.get::<_, Option<i64>>(n).map(|n| n.map(|n| n as u64));
            let draft = |row: &rusqlite::Row<'_>| {
                Ok(Draft { g: number(row, 0)?.unwrap_or(0), seq: number(row, 1)?, ordinal: number(row, 2)? })
            };
            db.prepare_cached(sql)?.query_row([id.as_bytes()], draft).optional()
        })
    }

    /// Compares every room with the log. With a store the copy, if there is one, is asked before the store.
    pub async fn check_rooms(
        &self,
        log: &Log,
        copy: Option<&LogFile>,
        mut progress: impl FnMut(u64),
    ) -> Checked<Counted> {
        let mut counted = Counted::default();
        let mut n = i64::MIN;
        loop {
            let next = self.read(|db| {
                let sql = "SELECT n, id FROM rooms WHERE n > ?1 ORDER BY n LIMIT 1";
                db.prepare_cached(sql)?.query_row([n], |row| Ok((row.get(0)?, text(row, 1)?))).optional()
            })?;
            let Some((number, id)) = next else { break };
            n = number;
            let id = id.unwrap_or_default();
            let mut room = Room { n, id, seq: 0, chain: Hash::ZERO, lanes: BTreeMap::new() };
            counted.rooms += 1;
            loop {
                let (events, ends) = self.in_transaction(|| self.next_events(&mut room))?;
                self.compare(&room, &events, log, copy, &mut counted).await?;
                counted.events += events.len() as u64;
                progress(counted.events);
                if ends {
                    break;
                }
            }
        }
        self.check_strangers()?;
        Ok(counted)
    }

    /// The next events of a room, and whether it ends with them: then so do its head and its lanes.
    fn next_events(&self, room: &mut Room) -> Checked<(Vec<EventRow>, bool)> {
        let (head, chain) = self.read(|db| {
            let sql = "SELECT seq, chain FROM rooms WHERE n = ?1";
            db.prepare_cached(sql)?
                .query_row([room.n], |row| Ok((row.get::<_, i64>(0)? as u64, text(row, 1)?)))
        })?;
        let (events, more) = self.read(|db| read_events(db, room.n, room.seq))?;
        for event in &events {
            self.check_event(room, event)?;
        }
        if more {
            return Ok((events, false));
        }
        let id = &room.id;
        if head != room.seq {
            return Err(format!("room {id} stands at event {head}, and its events end with {}", room.seq));
        }
        if chain.as_deref().and_then(|chain| chain.parse().ok()) != Some(room.chain) {
            return Err(format!("the chain of room {id} is not that of its last event {}", room.seq));
        }
        self.check_lanes(room)?;
        Ok((events, true))
    }

    /// Number, chain, place, row and outcome of one event.
    fn check_event(&self, room: &mut Room, event: &EventRow) -> Checked<()> {
        let EventRow { seq, g, lane, ordinal, .. } = *event;
        let here = format!("room {} event {seq} (entry {g})", room.id);
        if seq != room.seq + 1 {
            return Err(format!(
                "room {} event {} is missing (the next one is {seq})",
                room.id,
                room.seq + 1
            ));
        }
        let Some(header) = Header::parse(g, event.at, &event.rest) else {
            return Err(format!("{here}: its header cannot be read"));
        };
        if header.room.as_ref().map(|id| id.as_str()) != Some(room.id.as_str()) {
            return Err(format!("{here}: its header names another room"));
        }
        let chain = room.chain.then_text(g, event.at, &event.rest);
        if event.chain.parse() != Ok(chain) {
            return Err(format!("{here}: its chain is {}, not {chain}", event.chain));
        }
        (room.seq, room.chain) = (seq, chain);
        for (lane, ordinal) in ordinal.map(|ordinal| (lane, ordinal)).into_iter().chain(event.also) {
            let head = room.lanes.entry(lane).or_default();
            if ordinal != *head + 1 {
                return Err(format!("{here}: it is message {ordinal} of lane {lane}, after message {head}"));
            }
            *head = ordinal;
        }
        let places = [("rows", ordinal.map(|ordinal| (lane, ordinal))), ("also", event.also)];
        for (table, place) in places {
            let Some((lane, ordinal)) = place else { continue };
            let id: Option<Vec<u8>> = self.read(|db| {
                let sql = format!("SELECT id FROM {table} WHERE room = ?1 AND lane = ?2 AND ordinal = ?3");
                let place = params![room.n, lane as i64, ordinal as i64];
                db.prepare_cached(&sql)?.query_row(place, |row| row.get(0)).optional()
            })?;
            if id.as_deref() != Some(header.client_id.as_bytes().as_slice()) {
                let what = if id.is_none() { "is missing" } else { "is of another message" };
                return Err(format!("{here}: row {ordinal} of lane {lane} {what} in the table {table}"));
            }
        }
        if self.draft(header.client_id)? != Some(Draft { g, seq: Some(seq), ordinal }) {
            return Err(format!("{here}: its outcome names another place"));
        }
        Ok(())
    }

    /// The heads of the room's lanes are those of its events, and there is no row beyond them.
    fn check_lanes(&self, room: &Room) -> Checked<()> {
        let (n, id) = (room.n, &room.id);
        let heads: BTreeMap<u64, u64> = self.read(|db| {
            let mut select = db.prepare_cached("SELECT lane, head FROM lanes WHERE room = ?1")?;
            let heads =
                select.query_map([n], |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64)));
            heads?.collect()
        })?;
        for lane in heads.keys().chain(room.lanes.keys()) {
            let (said, counted) = (heads.get(lane), room.lanes.get(lane));
            if said != counted {
                let number = |n: Option<&u64>| n.map_or("none".to_owned(), u64::to_string);
                let (said, counted) = (number(said), number(counted));
                return Err(format!(
                    "lane {lane} of room {id} ends with message {said}, its events with {counted}"
                ));
            }
        }
        for table in ["rows", "also"] {
            let mut lane = -1;
            loop {
                let next: Option<i64> = self.read(|db| {
                    let sql = format!(
                        "SELECT lane FROM {table} WHERE room = ?1 AND lane > ?2 ORDER BY lane LIMIT 1"
                    );
                    db.prepare_cached(&sql)?.query_row([n, lane], |row| row.get(0)).optional()
                })?;
                let Some(next) = next else { break };
                lane = next;
                let last: i64 = self.read(|db| {
                    let sql = format!(
                        "SELECT ordinal FROM {table} WHERE room = ?1 AND lane = ?2 ORDER BY ordinal DESC LIMIT 1"
                    );
                    db.prepare_cached(&sql)?.query_row([n, lane], |row| row.get(0))
                })?;
                let head = room.lanes.get(&(lane as u64)).copied().unwrap_or(0);
                if last as u64 > head {
                    return Err(format!(
                        "lane {lane} of room {id} ends with message {head}, but has row {last} in the table {table}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// No table has something of a room that is not there.
    fn check_strangers(&self) -> Checked<()> {
        for table in ["events", "rows", "also", "lanes"] {
            let mut n = i64::MIN;
            loop {
                let sql = format!(
                    "SELECT room, EXISTS(SELECT 1 FROM rooms WHERE n = room) FROM {table}
                     WHERE room > ?1 ORDER BY room LIMIT 1"
                );
                let next = self.read(|db| {
                    let ask = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
                    db.prepare_cached(&sql)?.query_row([n], ask).optional()
                })?;
                match next {
                    None => break,
                    Some((room, true)) => n = room,
                    Some((room, false)) => {
                        return Err(format!(
                            "the table {table} has rows of room number {room}, which is not there"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Header and text of each event are those of its entry in the log.
    async fn compare(
        &self,
        room: &Room,
        events: &[EventRow],
        log: &Log,
        copy: Option<&LogFile>,
        counted: &mut Counted,
    ) -> Checked<()> {
        let mut found: Vec<Option<StoredEntry>> = match (log, copy) {
            (Log::Store(_), Some(copy)) => {
                copy.in_transaction(|| events.iter().map(|event| copy.read_one(event.g)).collect())?
            }
            (Log::Store(_), None) => vec![None; events.len()],
            (Log::Folder(_), _) => {
                log.read_each(&events.iter().map(|event| event.g).collect::<Vec<_>>()).await?
            }
        };
        if matches!(log, Log::Store(_)) {
            for (events, found) in events.chunks(500).zip(found.chunks_mut(500)) {
                let missing: Vec<_> = found.iter().enumerate().filter(|(_, it)| it.is_none()).collect();
                let missing: Vec<_> = missing.into_iter().map(|(index, _)| index).collect();
                let numbers: Vec<_> = missing.iter().map(|index| events[*index].g).collect();
                for (index, entry) in missing.into_iter().zip(log.read_each(&numbers).await?) {
                    found[index] = entry;
                }
            }
        }
        for (event, found) in events.iter().zip(found) {
            let here = || format!("room {} event {} (entry {})", room.id, event.seq, event.g);
            let Some(found) = found else { return Err(format!("{}: the log has no such entry", here())) };
            if (found.at, &found.rest) != (event.at, &event.rest) {
                return Err(format!("{}: its header is not that of the entry in the log", here()));
            }
            let json = found.body.as_deref().and_then(|body| body.get(16..));
            match (json, &event.json) {
                (Some(logged), Some(here)) if logged == here => {}
                (None, None) => {}
                _ => {
                    if self.text_differs(room.n, event, log).await? {
                        return Err(format!("{}: its text is not that of the entry in the log", here()));
                    }
                    counted.to_erase += 1;
                }
            }
        }
        Ok(())
    }

    /// Whether a text is another one than in the log for good, looked at anew. In a log of formats 1 to 4 a text that is
    /// due to be erased leaves the log first, then the copy, then this file; another server may have begun. What an `erase`
    /// takes leaves this file first and the log last.
    async fn text_differs(&self, n: i64, event: &EventRow, log: &Log) -> Checked<bool> {
        let (json, due) = self.text_of(n, event)?;
        let logged = log.read_one(event.g).await?.and_then(|entry| entry.body);
        Ok(match (logged.as_deref().and_then(|body| body.get(16..)), json) {
            (Some(logged), Some(here)) => logged != here,
            (None, Some(_)) => !due,
            (Some(_), None) => !self.is_erased(event.g)?,
            (None, None) => false,
        })
    }

    /// The text of an event as it stands, and whether its message is due to be erased.
    fn text_of(&self, n: i64, event: &EventRow) -> Checked<(Option<String>, bool)> {
        let header = Header::parse(event.g, event.at, &event.rest);
        let message = header.map(|header| match header.kind {
            Kind::Act => {
                let target: Option<ClientId> = header.target.and_then(|target| target.as_str().parse().ok());
                target.unwrap_or(header.client_id)
            }
            _ => header.client_id,
        });
        self.in_transaction(|| {
            self.read(|db| {
                let sql = "SELECT json FROM events WHERE room = ?1 AND seq = ?2";
                let json = db.query_row(sql, params![n, event.seq as i64], |row| text(row, 0)).optional()?;
                let Some(message) = message else { return Ok((json.flatten(), false)) };
                let sql = "SELECT 1 FROM to_erase WHERE id = ?1";
                Ok((json.flatten(), db.prepare_cached(sql)?.exists([message.as_bytes()])?))
            })
        })
    }

    /// Whether an `erase` has taken the body of an entry, by what this file says.
    pub fn is_erased(&self, g: u64) -> Checked<bool> {
        let sql = "SELECT 1 FROM erasable WHERE g = ?1 AND erased IS NOT NULL";
        self.read(|db| db.prepare_cached(sql)?.exists([g as i64]))
    }

    /// Whether this file still has the text that came with an entry.
    pub fn has_text(&self, g: u64, id: ClientId) -> Checked<bool> {
        self.read(|db| {
            // A draft that came again has no event of its own.
            let sql = "SELECT e.json IS NOT NULL FROM drafts d JOIN events e ON e.seq = d.seq AND e.g = d.g
                       JOIN rooms r ON r.n = e.room WHERE d.id = ?1 AND (d.g = ?2 OR EXISTS
                         (SELECT 1 FROM doubles WHERE id = ?1 AND g = ?2))";
            let has = db.prepare_cached(sql)?.query_row(params![id.as_bytes(), g as i64], |row| row.get(0));
            Ok(has.optional()?.unwrap_or(false))
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Draft {
    g: u64,
    seq: Option<u64>,
    ordinal: Option<u64>,
}

/// Events of a room after a seq, and whether there may be more.
fn read_events(db: &Connection, n: i64, after: u64) -> rusqlite::Result<(Vec<EventRow>, bool)> {
    let sql = "SELECT seq, g, at, rest, chain, lane, ordinal, json, also_lane, also_ordinal FROM events
               WHERE room = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    let mut select = db.prepare_cached(sql)?;
    let mut rows = select.query(params![n, after as i64, FILE_BATCH as i64])?;
    let (mut events, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let number = |column: usize| row.get::<_, Option<i64>>(column).map(|n| n.map(|n| n as u64));
        let event = EventRow {
            seq: number(0)?.unwrap_or(0),
            g: number(1)?.unwrap_or(0),
            at: row.get(2)?,
            rest: text(row, 3)?.unwrap_or_default(),
            chain: text(row, 4)?.unwrap_or_default(),
            lane: number(5)?.unwrap_or(0),
            ordinal: number(6)?,
            json: text(row, 7)?,
            also: number(8)?.zip(number(9)?),
        };
        bytes += event.json.as_ref().map_or(0, String::len) + event.rest.len();
        events.push(event);
        if bytes >= BATCH_BYTES {
            return Ok((events, true));
        }
    }
    let more = events.len() == FILE_BATCH;
    Ok((events, more))
}

/// The file as it is at one moment, in another file.
pub fn snapshot(state: &StateFile, to: &Path) -> Moved<()> {
    let to = to.to_str().ok_or("the name of the data folder is not valid UTF-8")?;
    state.read(|db| db.execute("VACUUM INTO ?1", [to]).map(drop))
}
