//! The rules of the log in format 5, to be read as their specification. Like the interpreter of formats 1 to 4 it keeps
//! plain lists (`lists.rs`) and uses no code of the fold. `forms.rs` says what an entry asks for, or that it is
//! malformed; here is what becomes of it.

use super::super::lists::Account;
use super::forms::{Act, Asked, Setting};
use super::lists::{DAY, Deletion, First, Interpreter, Room, require};
use beck::protocol::{Header, RoomId};

/// The room of an accepted entry, its lane, and the thread in which a message of the room stands too (0 is none).
/// `None`: the entry is accepted and becomes no event.
pub type Place = Option<(RoomId, u64, u64)>;

/// In place of a refusal: the fold cannot go on.
pub const STOPS: &str = "stops";

impl Interpreter {
    pub(super) fn decide(&mut self, header: &Header, asked: Asked) -> Result<Place, &'static str> {
        let (by, room) = (header.author, asked.room());
        let (operator, owner, known) = (self.is_operator(by), self.is_owner(by), self.has_account(by));
        match asked {
            Asked::Workspace => require(false, "taken")?,
            Asked::Format(number) if number <= self.format => {}
            Asked::Format(_) => require(operator, "not_allowed").and(Err(STOPS))?,
            Asked::Account { id, handle, owner } => {
                require(!self.is_operator(id) && (by == id || operator), "malformed")?;
                require(self.accounts.iter().all(|known| known.id != id && known.handle != handle), "taken")?;
                require(!owner || operator, "not_allowed")?;
                self.accounts.push(Account { id, handle, owner });
            }
            Asked::AccountSet { id, role } => {
                require(self.has_account(id), "not_found")?;
                require(operator || by == id && !role, "not_allowed")?;
                self.accounts.iter_mut().filter(|known| known.id == id).for_each(|known| known.owner |= role);
            }
            Asked::WorkspaceSet => require(operator, "not_allowed")?,
            Asked::Logins(id) => {
                require(self.has_account(id), "not_found")?;
                require(operator || by == id, "not_allowed")?;
            }
            Asked::Void(id) => {
                require(id != header.client_id, "malformed")?;
                require(known, "not_allowed")?;
                let first = self.firsts.iter().find(|first| first.id == id);
                require(first.is_none_or(|first| first.author == by), "not_allowed")?;
                require(first.is_none_or(|first| first.outcome.is_err()), "too_late")?;
                if first.is_none() {
                    self.firsts.push(First::voided(id, by));
                }
            }
            Asked::Room { id, key } => {
                require(operator || known, "not_allowed")?;
                require(self.room(id).is_none() && !self.is_taken(&key, id), "taken")?;
                let members = if operator { Vec::new() } else { vec![by] };
                self.rooms.push(Room::new(id, key, by, members));
            }
            Asked::RoomSet { id, value } => {
                require(self.sees(by, id), "not_found")?;
                let room = self.room(id).unwrap();
                let archives = matches!(value, Setting::Archived(_));
                require(archives || !room.archived, "archived")?;
                let right = if archives { owner || room.maker == by } else { room.members.contains(&by) };
                require(operator || right, "not_allowed")?;
                let key = match &value {
                    Setting::Name(key) => Some(key),
                    Setting::Archived(false) if room.archived => Some(&room.key),
                    _ => None,
                };
                require(!room.open || key.is_none_or(|key| !self.is_taken(key, id)), "taken")?;
                self.set_room(id, value);
            }
            Asked::Join { id, who } => {
                require(self.sees(by, id) && self.has_account(who), "not_found")?;
                require(!self.is_member(who, id), "taken")?;
                require(by == who || !self.is_archived(id), "archived")?;
                require(by == who || self.is_inside(by, id), "not_allowed")?;
                self.room_mut(id).members.push(who);
            }
            Asked::Leave { id, who } => {
                require(self.is_inside(by, id) && self.is_member(who, id), "not_found")?;
                require(by == who || owner || operator, "not_allowed")?;
                self.room_mut(id).members.retain(|member| *member != who);
            }
            Asked::Message { id, target, in_room, writer } => {
                require(writer.is_some() || !operator, "not_allowed")?;
                require(self.is_inside(by, id), "not_found")?;
                require(!self.is_archived(id), "archived")?;
                require(writer.is_none() || operator, "not_allowed")?;
                require(writer.is_none_or(|writer| self.has_account(writer)), "not_found")?;
                let Some(target) = target else { return Ok(Some((id, 0, 0))) };
                let answered = self.message(id, target).filter(|answered| answered.lane == 0);
                require(answered.is_some(), "target_gone")?;
                let thread = answered.unwrap().thread();
                return Ok(Some(if in_room { (id, 0, thread) } else { (id, thread, 0) }));
            }
            Asked::Act { id, target, act } => {
                let (found, deletes) = (self.message(id, target), act.is_of_deleted());
                let own = found.is_some_and(|message| message.author == by);
                let inside = self.is_inside(by, id);
                if let Act::React { who, .. } = act {
                    require(who == by || operator, "malformed")?;
                }
                require(act != Act::Text || !operator, "not_allowed")?;
                require(inside || deletes && own, "not_found")?;
                require(act.account().is_none_or(|who| self.has_account(who)), "not_found")?;
                require(deletes || !self.is_archived(id), "archived")?;
                require(found.is_some(), "target_gone")?;
                let message = found.unwrap();
                require(act != Act::Text || own, "not_allowed")?;
                require(act != Act::Delete || own || operator || owner && inside, "not_allowed")?;
                let first = message.deletions.first();
                require(deletes || first.is_none(), "target_gone")?;
                if act == Act::Restore {
                    require(first.is_some(), "target_gone")?;
                    let first = first.unwrap();
                    let only = message.deletions.iter().all(|deletion| deletion.by == by);
                    require(only && !operator, "not_allowed")?;
                    require(first.format >= 5, "too_late")?;
                    require(header.at - first.at < DAY && !message.erased, "too_late")?;
                }
                require(act.account().is_none() || message.takes(&act), "not_allowed")?;
                let lane = message.lane;
                self.write(target, act, Deletion { by, at: header.at, format: self.format });
                return Ok(Some((id, lane, 0)));
            }
            Asked::Erase(erase) => {
                require(room.is_none_or(|id| self.room(id).is_some()), "not_found")?;
                require(operator, "not_allowed")?;
                self.erase(erase, header.at - DAY)?;
            }
            // An unknown kind is accepted and changes nothing.
            Asked::Unknown => {}
        }
        Ok(room.map(|id| (id, 0, 0)))
    }
}
