//! Whether an entry takes effect: what concerns accounts, drafts, messages and acts.

use super::Fold;
use super::bodies::{AccountBody, SettingBody};
use crate::protocol::frame::Role;
use crate::protocol::{
    AccountId, ActValue, ClientId, EventBody, Format, Kind, Outcome, OwnStatus, Refusal, RoomId, Row, Slot,
};
use crate::server::broker::Entry;
use crate::server::directory::{Account, Action};
use crate::server::state::{ReadError, Reader, event_body};
use std::sync::Arc;

/// The slot of an answer that stands in the room too.
pub const IN_ROOM: &str = "room";

/// An accepted entry's effect, before it has its place in a room.
pub(super) struct Accepted {
    /// Its room, if it becomes an event.
    pub(super) event_of: Option<RoomId>,
    pub(super) lane: u64,
    /// The thread in whose lane a message of the room stands too; 0 is none.
    pub(super) also: u64,
    pub(super) changed_room: Option<RoomId>,
    pub(super) ended_logins: Option<AccountId>,
    pub(super) changed_account: Option<AccountId>,
}

impl Accepted {
    fn outside_rooms() -> Self {
        Self {
            event_of: None,
            lane: 0,
            also: 0,
            changed_room: None,
            ended_logins: None,
            changed_account: None,
        }
    }

    fn in_room(room: RoomId) -> Self {
        Self { event_of: Some(room), ..Self::outside_rooms() }
    }

    pub(super) fn changing(room: RoomId) -> Self {
        Self { changed_room: Some(room), ..Self::in_room(room) }
    }
}

/// Whether an entry takes effect. `Err(Ok(refusal))` is a decision, `Err(Err(fault))` a failure of the file.
pub(super) type Decision = Result<Accepted, Result<Refusal, ReadError>>;

pub(super) fn refuse<T>(why: Refusal) -> Result<T, Result<Refusal, ReadError>> {
    Err(Ok(why))
}

pub(super) trait OrFault<T> {
    fn or_fault(self) -> Result<T, Result<Refusal, ReadError>>;
}

impl<T, E: Into<ReadError>> OrFault<T> for Result<T, E> {
    fn or_fault(self) -> Result<T, Result<Refusal, ReadError>> {
        self.map_err(|fault| Err(fault.into()))
    }
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(entry: &Entry) -> Option<T> {
    serde_json::from_str(entry.json()?).ok()
}

impl Fold {
    pub(super) fn decide(&mut self, entry: &Entry) -> Decision {
        let header = &entry.header;
        match &header.kind {
            Kind::Workspace if header.g == 1 => Ok(Accepted::outside_rooms()),
            Kind::Workspace => refuse(Refusal::Taken),
            Kind::Other(_) => Ok(Accepted::outside_rooms()),
            Kind::Format => self.format(entry),
            Kind::Account => self.account(entry),
            Kind::Void => self.void(entry),
            Kind::Logins => self.logins(entry),
            Kind::Room => self.room(entry),
            Kind::AccountSet => self.account_set(entry),
            Kind::RoomSet => self.room_set(entry),
            Kind::Join => self.join(entry),
            Kind::Leave => self.leave(entry),
            Kind::Message => self.message(entry),
            Kind::Act => self.act(entry),
        }
    }

    /// A format that this version cannot read has stopped the fold before.
    fn format(&mut self, entry: &Entry) -> Decision {
        let format = parse::<u32>(entry).and_then(|number| Format::try_from(number).ok());
        if let Some(format) = format.filter(|format| *format > self.directory.format()) {
            self.put_meta("format", &format.number().to_string()).or_fault()?;
            if let Some(workspace) = &mut Arc::make_mut(&mut self.directory).workspace {
                workspace.format = format;
            }
        }
        Ok(Accepted::outside_rooms())
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
        let account = Account {
            id,
            name: body.name,
            handle: body.handle,
            role: body.role,
            status: OwnStatus::default(),
        };
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
        if header.slot.as_ref().is_some_and(|slot| slot.as_str() == "status") && self.directory.rules().status
        {
            return self.own_status(&account, entry);
        }
        if header.slot.as_ref().is_some_and(|slot| slot.as_str() == "role") && self.directory.rules().role {
            return self.own_role(&account, entry);
        }
        let (Some("name"), Some(SettingBody { value: serde_json::Value::String(name) })) =
            (header.slot.as_ref().map(|slot| slot.as_str()), parse(entry))
        else {
            return refuse(Refusal::Malformed);
        };
        let sql = "UPDATE accounts SET name = ?2 WHERE id = ?1";
        self.put_account(sql, &name, Account { name: name.clone(), ..(*account).clone() })?;
        Ok(Accepted::outside_rooms())
    }

    /// Keeps an account of which one column is another now.
    fn put_account(
        &mut self,
        sql: &str,
        value: &str,
        account: Account,
    ) -> Result<(), Result<Refusal, ReadError>> {
        let id = account.id;
        self.db.prepare_cached(sql).or_fault()?.execute([id.as_str(), value]).or_fault()?;
        Arc::make_mut(&mut self.directory).accounts.insert(id, Arc::new(account));
        Ok(())
    }

    /// No person writes it: a server does for its administrator, in the name of the account.
    fn own_role(&mut self, account: &Account, entry: &Entry) -> Decision {
        if parse::<SettingBody>(entry).is_none_or(|body| body.value != "owner") {
            return refuse(Refusal::Malformed);
        }
        let role = Role::Owner;
        let json = serde_json::to_string(&role).or_fault()?;
        let sql = "UPDATE accounts SET role = ?2 WHERE id = ?1";
        self.put_account(sql, &json, Account { role, ..account.clone() })?;
        Ok(Accepted { changed_account: Some(account.id), ..Accepted::outside_rooms() })
    }

    /// An erased one says nothing.
    fn own_status(&mut self, account: &Account, entry: &Entry) -> Decision {
        let status = match parse::<SettingBody>(entry) {
            Some(SettingBody { value }) => serde_json::from_value::<OwnStatus>(value).ok(),
            None => entry.body.is_none().then(OwnStatus::default),
        };
        let Some(status) = status else { return refuse(Refusal::Malformed) };
        let json = serde_json::to_string(&status).or_fault()?;
        let sql = "UPDATE accounts SET status = ?2 WHERE id = ?1";
        self.put_account(sql, &json, Account { status, ..account.clone() })?;
        Ok(Accepted { changed_account: Some(account.id), ..Accepted::outside_rooms() })
    }

    /// Which logins have ended stands in the secrets; here stands that they have.
    fn logins(&self, entry: &Entry) -> Decision {
        let header = &entry.header;
        let target: Option<AccountId> = header.target.as_ref().and_then(|t| t.as_str().parse().ok());
        let Some(target) = target else { return refuse(Refusal::Malformed) };
        if header.author != target || !self.directory.accounts.contains_key(&target) {
            return refuse(Refusal::NotAllowed);
        }
        Ok(Accepted { ended_logins: Some(target), ..Accepted::outside_rooms() })
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
                match row.also {
                    _ if row.lane != 0 => return refuse(Refusal::TargetGone),
                    Some(also) => also.lane,
                    None => row.seq,
                }
            }
        };
        let in_room = header.slot.as_ref().is_some_and(|slot| slot.as_str() == IN_ROOM)
            && self.directory.rules().replies_in_room;
        let (lane, also) = if in_room { (0, lane) } else { (lane, 0) };
        Ok(Accepted { lane, also, ..Accepted::in_room(room) })
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
            // The text comes with the act: nobody else may put words into an author's mouth.
            (Slot::Deleted, None | Some(ActValue::Restored { .. })) => (own, row.deleted.is_some()),
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
}
