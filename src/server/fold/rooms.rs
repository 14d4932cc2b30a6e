//! Whether an entry takes effect: rooms and their members.

use super::bodies::{RoomBody, SettingBody};
use super::decide::{Accepted, Decision, OrFault, parse, refuse};
use super::{Archiving, Fold};
use crate::protocol::frame::{Role, RoomKind};
use crate::protocol::{AccountId, Hash, Refusal, RoomId};
use crate::server::broker::Entry;
use crate::server::directory::{Action, Room};
use crate::server::state::{ReadError, Reader};
use rusqlite::params;
use std::sync::Arc;

impl Fold {
    pub(super) fn room(&mut self, entry: &Entry) -> Decision {
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
                "INSERT INTO rooms(id, kind, name, topic, archived, creator, seq, chain)
                 VALUES(?1, ?2, ?3, ?4, 0, ?5, 0, ?6)",
            )
            .or_fault()?
            .execute(params![
                id.as_str(),
                kind,
                body.name,
                body.topic,
                header.author.as_str(),
                Hash::ZERO.to_string()
            ])
            .or_fault()?;
        let room = Room {
            id,
            kind: body.kind,
            name: body.name,
            topic: body.topic,
            archived: false,
            creator: header.author,
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

    pub(super) fn room_set(&mut self, entry: &Entry) -> Decision {
        let header = &entry.header;
        let Some(id) = header.room else { return refuse(Refusal::Malformed) };
        let slot = header.slot.as_ref().map(|slot| slot.as_str());
        let rules = self.directory.rules();
        let archives = slot == Some("archived") && rules.archiving == Archiving::CreatorAndOwners;
        let sees = if archives { Action::See } else { Action::Read };
        if !self.directory.can(header.author, sees, id) {
            return refuse(Refusal::NotFound);
        }
        if archives && !self.directory.can(header.author, Action::Archive, id) {
            return refuse(Refusal::NotAllowed);
        }
        let Some(room) = self.directory.rooms.get(&id).cloned() else { return refuse(Refusal::NotFound) };
        let Some(SettingBody { value }) = parse(entry) else { return refuse(Refusal::Malformed) };
        let mut room = (*room).clone();
        match (slot, value) {
            (Some("name"), serde_json::Value::String(name)) => {
                if self.room_name_taken(&name, room.kind, id) {
                    return refuse(Refusal::Taken);
                }
                room.name = name;
            }
            (Some("topic"), serde_json::Value::String(topic)) => room.topic = topic,
            (Some("archived"), serde_json::Value::Bool(archived)) => {
                let returns = room.archived && !archived && rules.unarchiving_needs_the_name;
                if returns && self.room_name_taken(&room.name, room.kind, id) {
                    return refuse(Refusal::Taken);
                }
                room.archived = archived;
            }
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

    /// The entry that is being decided makes a member: what was said before it is not unread.
    fn add_member(&mut self, room: RoomId, account: AccountId) -> Result<(), ReadError> {
        let head = self.head(room)?;
        let since = Reader { db: &self.db }.lane_head(&head, 0)?;
        let sql = "INSERT OR IGNORE INTO members(room, account, joined, since) VALUES(?1, ?2, ?3, ?4)";
        self.db.prepare_cached(sql)?.execute(params![
            room.as_str(),
            account.as_str(),
            head.seq as i64 + 1,
            since as i64
        ])?;
        Arc::make_mut(&mut self.directory).add_member(room, account);
        Ok(())
    }

    pub(super) fn join(&mut self, entry: &Entry) -> Decision {
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

    pub(super) fn leave(&mut self, entry: &Entry) -> Decision {
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
        self.forget_follows(id, target).or_fault()?;
        Arc::make_mut(&mut self.directory).remove_member(id, target);
        Ok(Accepted::changing(id))
    }
}
