//! The rules of the log in formats 1 to 4, to be read as their specification. An interpreter reads the entries in order
//! and decides for each whether it is accepted, and its place in its room. It keeps plain lists (`lists.rs`).
//!
//! It is the oracle of the fold, so it uses no code of the fold.

use super::bodies::{
    AccountBody, ActBody, ActValue, MessageBody, Role, RoomBody, RoomKind, SettingBody, StatusValue,
    WorkspaceBody, parse,
};
use super::lists::{Account, Asked, First, Interpreter, Message, Outcome, Room, id, require};
use beck::protocol::{AccountId, ClientId, Header, RoomId};
use serde_json::{Value, from_value};

#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    pub outcome: Outcome,
    /// The event that the entry became, if it was accepted in a room.
    pub event: Option<Placed>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    pub room: RoomId,
    pub seq: u64,
    pub lane: u64,
    pub ordinal: Option<u64>,
    /// Lane and ordinal of a message that stands in a thread too.
    pub also: Option<(u64, u64)>,
}

/// The room of an accepted entry, its lane, and the thread in which a message of the room stands too (0 is none).
/// `None`: the entry is accepted and becomes no event.
type Place = Option<(RoomId, u64, u64)>;

impl Interpreter {
    pub fn read(&mut self, header: &Header, body: Option<&str>) -> Decided {
        let asked = Asked::of(header, body);
        let draft = asked.draft();
        if let Some(first) = self.firsts.iter().find(|first| first.id == header.client_id) {
            let differs = body.is_some() && first.draft.as_ref().is_some_and(|first| *first != draft);
            let other = first.author != header.author || differs;
            let outcome = if other { Err("other_draft".to_owned()) } else { first.outcome.clone() };
            return Decided { outcome, event: None };
        }
        let place = self.decide(&asked);
        let event = place.ok().flatten().map(|place| self.place(header, place));
        let numbers = event.as_ref().map(|event| (Some(event.seq), event.ordinal)).unwrap_or_default();
        let outcome = place.map(|_| (header.g, numbers.0, numbers.1)).map_err(str::to_owned);
        let salted = body.is_some_and(|body| body.get(..16).is_some());
        let (id, author, draft) = (header.client_id, header.author, salted.then_some(draft));
        self.firsts.push(First { id, author, outcome: outcome.clone(), draft });
        Decided { outcome, event }
    }

    /// Gives an accepted entry the next seq of its room, and a message the next ordinal of each of its lanes.
    fn place(&mut self, header: &Header, (id, lane, also): (RoomId, u64, u64)) -> Placed {
        let is_message = header.kind.as_str() == "message";
        let room = self.room_mut(id);
        room.seq += 1;
        let seq = room.seq;
        let ordinal = is_message.then(|| room.next_ordinal(lane));
        let place = (also != 0).then(|| (also, room.next_ordinal(also)));
        if is_message {
            let (id, room, author, deleted) = (header.client_id, id, header.author, false);
            self.messages.push(Message { id, room, author, seq, lane, also, deleted });
        }
        Placed { room: id, seq, lane, ordinal, also: place }
    }

    fn decide(&mut self, asked: &Asked) -> Result<Place, &'static str> {
        let Asked { header, body, author, json, target, slot } = *asked;
        match header.kind.as_str() {
            "workspace" if header.g == 1 => self.format = parse::<WorkspaceBody>(json).unwrap().format,
            "workspace" => return Err("taken"),
            "format" => self.format = self.format.max(parse(json).unwrap_or(0)),
            "account" => {
                let AccountBody { handle, role, .. } = parse(json).ok_or("malformed")?;
                let owner = role == Role::Owner;
                require(target == Some(author.as_str()), "malformed")?;
                require(!self.has_account(author), "taken")?;
                require(self.accounts.iter().all(|account| account.handle != handle), "taken")?;
                require(!owner || !self.accounts.iter().any(|account| account.owner), "not_allowed")?;
                self.accounts.push(Account { id: author, handle, owner });
            }
            "account.set" => {
                let id: AccountId = id(target)?;
                require(self.has_account(id), "not_found")?;
                require(author == id, "not_allowed")?;
                let formed = match (slot, parse::<SettingBody>(json).map(|body| body.value)) {
                    (Some("name"), Some(value)) => value.is_string(),
                    (Some("status"), Some(value)) if self.format >= 2 => {
                        from_value::<StatusValue>(value).is_ok()
                    }
                    (Some("status"), None) if self.format >= 2 => body.is_none(),
                    (Some("role"), Some(value)) if self.format >= 4 => value == "owner",
                    _ => false,
                };
                require(formed, "malformed")?;
                let account = self.accounts.iter_mut().find(|account| account.id == id).unwrap();
                account.owner |= slot == Some("role");
            }
            "logins" => {
                let id: AccountId = id(target)?;
                require(author == id && self.has_account(id), "not_allowed")?;
            }
            "void" => {
                let id: ClientId = id(target)?;
                require(id != header.client_id, "malformed")?;
                require(self.has_account(author), "not_allowed")?;
                match self.firsts.iter().find(|first| first.id == id) {
                    Some(first) if first.author != author => return Err("not_allowed"),
                    Some(first) => require(first.outcome.is_err(), "too_late")?,
                    None => self.firsts.push(First { id, author, outcome: Err("void".into()), draft: None }),
                }
            }
            "room" | "room.set" | "join" | "leave" => return self.decide_room(asked),
            "message" | "act" => {
                let room = header.room.ok_or("malformed")?;
                require(self.is_member(author, room), "not_found")?;
                require(!self.room_mut(room).archived, "archived")?;
                return match header.kind.as_str() {
                    "message" => self.decide_message(room, asked),
                    _ => self.decide_act(room, asked),
                };
            }
            // An unknown kind is accepted and changes nothing.
            _ => {}
        }
        Ok(None)
    }

    fn decide_room(&mut self, asked: &Asked) -> Result<Place, &'static str> {
        let Asked { header, author, json, target, slot, .. } = *asked;
        let room = header.room.ok_or("malformed")?;
        let (is_member, is_owner) = (self.is_member(author, room), self.is_owner(author));
        let known = self.room(room).cloned();
        let open = known.as_ref().is_some_and(|room| room.kind == RoomKind::Open);
        let sees = is_member || open && self.has_account(author);
        match header.kind.as_str() {
            "room" => {
                let RoomBody { kind, name, .. } = parse(json).ok_or("malformed")?;
                require(self.has_account(author), "not_allowed")?;
                require(known.is_none() && !self.is_taken(&name, kind, room), "taken")?;
                let (id, maker, members, places) = (room, author, vec![author], Vec::new());
                self.rooms.push(Room { id, kind, name, archived: false, maker, members, seq: 0, places });
            }
            "room.set" => {
                // In format 1 every member may archive, as every member may rename.
                let archives = slot == Some("archived") && self.format >= 2;
                require(is_member || archives && sees, "not_found")?;
                let Room { kind, name: old, archived: before, maker, .. } = known.unwrap();
                require(!archives || maker == author || is_owner, "not_allowed")?;
                match (slot, parse::<SettingBody>(json).ok_or("malformed")?.value) {
                    (Some("topic"), Value::String(_)) => {}
                    (Some("name"), Value::String(name)) => {
                        require(!self.is_taken(&name, kind, room), "taken")?;
                        self.room_mut(room).name = name;
                    }
                    (Some("archived"), Value::Bool(archived)) => {
                        let comes_back = archives && before && !archived;
                        require(!comes_back || !self.is_taken(&old, kind, room), "taken")?;
                        self.room_mut(room).archived = archived;
                    }
                    _ => return Err("malformed"),
                }
            }
            "join" => {
                let who: AccountId = id(target)?;
                require(sees && self.has_account(who), "not_found")?;
                require(!self.is_member(who, room), "taken")?;
                let archived = known.is_some_and(|room| room.archived);
                let by_oneself = author == who && open && (!archived || self.format >= 2);
                require(by_oneself || is_member && !archived, "not_allowed")?;
                self.room_mut(room).members.push(who);
            }
            _ => {
                let who: AccountId = id(target)?;
                require(is_member && self.is_member(who, room), "not_found")?;
                require(author == who || is_owner, "not_allowed")?;
                self.room_mut(room).members.retain(|member| *member != who);
            }
        }
        Ok(Some((room, 0, 0)))
    }

    fn decide_message(&self, room: RoomId, asked: &Asked) -> Result<Place, &'static str> {
        let Asked { json, target, slot, .. } = *asked;
        require(json.is_none() || parse::<MessageBody>(json).is_some(), "malformed")?;
        let mut thread = 0;
        if target.is_some() {
            let answered = self.target(room, id(target)?)?;
            require(answered.lane == 0, "target_gone")?;
            thread = if answered.also == 0 { answered.seq } else { answered.also };
        }
        let in_room = slot == Some("room") && self.format >= 3;
        Ok(Some(if in_room { (room, 0, thread) } else { (room, thread, 0) }))
    }

    fn decide_act(&mut self, room: RoomId, asked: &Asked) -> Result<Place, &'static str> {
        let Asked { author, json, .. } = *asked;
        let (target, slot): (ClientId, _) = (id(asked.target)?, asked.slot.ok_or("malformed")?);
        let reacts = slot.strip_prefix("react:").and_then(|rest| rest.rsplit_once(':'));
        let reacts = reacts.filter(|(emoji, _)| !emoji.is_empty());
        let reacts: Option<AccountId> = reacts.and_then(|(_, account)| account.parse().ok());
        require(matches!(slot, "text" | "deleted" | "pin") || reacts.is_some(), "malformed")?;
        let message = self.target(room, target)?;
        // No body means that the value was erased. Only edits and restores are erased.
        let value = json.map(|_| parse(json).map(|body: ActBody| body.value).ok_or("malformed"));
        let own = message.author == author;
        let (formed, allowed, deleted) = match (slot, value.transpose()?) {
            ("text", None | Some(ActValue::Text(_))) => (true, own, message.deleted),
            ("deleted", Some(ActValue::On(true))) => (true, own || self.is_owner(author), true),
            ("deleted", None | Some(ActValue::Restored { .. })) => (message.deleted, own, false),
            ("pin", Some(ActValue::On(_))) => (true, true, message.deleted),
            (_, Some(ActValue::On(_))) if reacts.is_some() => (true, reacts == Some(author), message.deleted),
            _ => (false, false, false),
        };
        require(formed, "malformed")?;
        require(allowed, "not_allowed")?;
        require(!message.deleted || slot == "deleted", "target_gone")?;
        self.messages.iter_mut().find(|known| known.id == target).unwrap().deleted = deleted;
        Ok(Some((room, message.lane, 0)))
    }
}
