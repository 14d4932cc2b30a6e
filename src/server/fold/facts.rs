//! What decisions know of earlier entries. There is no other way from a decision to the Directory or the state file.

use crate::protocol::frame::RoomKind;
use crate::protocol::{AccountId, ClientId, Format, Header, Refusal, RoomId};
use crate::server::access::{self, Action, Actor};
use crate::server::directory::Directory;
use crate::server::fold::lower_case;
use crate::server::state::{Deletion, KnownDraft, ReadError, Reader, RoomHead, Undo};
use rusqlite::Connection;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Look-ups in what the fold has made of the entries before the one that is decided. All of it comes from earlier
/// decisions, none from a body that can be erased.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    directory: &'a Directory,
    db: &'a Connection,
    heads: &'a Heads,
    newest: Format,
}

/// A room, as far as decisions read it.
pub(super) struct RoomFacts<'a> {
    pub(super) kind: RoomKind,
    pub(super) name: &'a str,
    pub(super) key: &'a str,
    pub(super) archived: bool,
}

/// A message, as far as decisions read it.
pub(super) struct MessageFacts {
    pub(super) author: AccountId,
    pub(super) seq: u64,
    pub(super) lane: u64,
    /// The lane of the thread in which a message of the room's own lane stands too.
    pub(super) also: Option<u64>,
    pub(super) deleted: bool,
    /// Who reacted, by emoji.
    pub(super) reactions: BTreeMap<String, BTreeSet<AccountId>>,
}

impl<'a> Facts<'a> {
    /// `newest`: the newest format that this fold reads.
    pub(super) fn new(
        directory: &'a Directory,
        db: &'a Connection,
        heads: &'a Heads,
        newest: Format,
    ) -> Facts<'a> {
        Facts { directory, db, heads, newest }
    }

    pub(super) fn newest(&self) -> Format {
        self.newest
    }

    /// The format in force.
    pub(super) fn format(&self) -> Format {
        self.directory.format()
    }

    /// The operator as an author.
    pub(super) fn operator_id(&self) -> Option<AccountId> {
        self.directory.workspace.as_ref().map(|workspace| workspace.id.operator())
    }

    pub(super) fn has_account(&self, id: AccountId) -> bool {
        self.directory.accounts.contains_key(&id)
    }

    pub(super) fn handle_is_taken(&self, handle: &str) -> bool {
        self.directory.handles.contains_key(handle)
    }

    /// Asks the gate by the rules of the format in force.
    pub(super) fn permit(&self, facts: &access::Facts, action: Action) -> Result<(), Refusal> {
        access::can(&access::Rules::of(self.format()), facts, action).map_err(|denied| denied.code)
    }

    /// What the gate needs to know of the first run. Whoever makes an account is a visitor until then.
    pub(super) fn first_run(&self) -> access::Facts {
        access::Facts::of(self.directory, Actor::Visitor).first_run(self.directory)
    }

    /// What the gate needs to know of the operator.
    pub(super) fn operator(&self) -> access::Facts {
        access::Facts::of(self.directory, Actor::Operator)
    }

    /// What the gate needs to know of the author of an entry.
    pub(super) fn author(&self, header: &Header) -> access::Facts {
        let operator = self.directory.rules().strict.is_some() && self.directory.is_operator(header.author);
        let actor = if operator { Actor::Operator } else { Actor::Account(header.author) };
        access::Facts::of(self.directory, actor)
    }

    pub(super) fn author_in(&self, header: &Header, room: RoomId) -> access::Facts {
        self.author(header).in_room(self.directory, room)
    }

    pub(super) fn author_about(&self, header: &Header, room: RoomId, target: AccountId) -> access::Facts {
        self.author(header).about(self.directory, room, target)
    }

    pub(super) fn room(&self, id: RoomId) -> Option<RoomFacts<'a>> {
        let room = self.directory.rooms.get(&id)?;
        Some(RoomFacts { kind: room.kind, name: &room.name, key: &room.key, archived: room.archived })
    }

    /// Whether another open room that is not archived has this name, in any case.
    pub(super) fn room_name_is_taken(&self, name: &str, except: RoomId) -> bool {
        let name = lower_case(name);
        self.directory.rooms.values().any(|room| {
            room.id != except
                && room.kind == RoomKind::Open
                && !room.archived
                && lower_case(&room.name) == name
        })
    }

    /// Whether another open room that is not archived has exactly this key.
    pub(super) fn room_key_is_taken(&self, key: &str, except: RoomId) -> bool {
        self.directory
            .rooms
            .values()
            .any(|room| room.id != except && room.kind == RoomKind::Open && !room.archived && room.key == key)
    }

    /// The first entry with this `client_id`, or the `void` that took it back before it came.
    pub(super) fn draft(&self, id: ClientId) -> Result<Option<KnownDraft>, ReadError> {
        self.state().draft(id)
    }

    /// A message of this room.
    pub(super) fn message(&self, room: RoomId, id: ClientId) -> Result<Option<MessageFacts>, ReadError> {
        let Some(head) = self.heads.of(room, self.db)? else { return Ok(None) };
        let found = self.state().row(id)?.filter(|(n, _)| *n == head.n);
        Ok(found.map(|(_, row)| MessageFacts {
            author: row.author,
            seq: row.seq,
            lane: row.lane,
            also: row.also.map(|also| also.lane),
            deleted: row.deleted.is_some(),
            reactions: row.reactions,
        }))
    }

    /// The deletion of a message that stands, with its end.
    pub(super) fn undo(&self, id: ClientId) -> Result<Option<Undo>, ReadError> {
        self.state().undo(id)
    }

    /// The deletion of a message of this room that stands.
    pub(super) fn deletion_in(&self, room: RoomId, id: ClientId) -> Result<Option<Deletion>, ReadError> {
        match self.message(room, id)? {
            Some(_) => self.state().deletion(id),
            None => Ok(None),
        }
    }

    /// Whether an `erase` took all texts of a message.
    pub(super) fn is_erased(&self, id: ClientId) -> Result<bool, ReadError> {
        self.state().is_erased(id)
    }

    /// See [`Reader::texts_of`].
    pub(super) fn texts_of(&self, id: ClientId, replaced: Option<i64>) -> Result<Vec<u64>, ReadError> {
        self.state().texts_of(id, replaced)
    }

    /// See [`Reader::can_be_erased`].
    pub(super) fn can_be_erased(&self, g: u64, since: i64) -> Result<bool, ReadError> {
        self.state().can_be_erased(g, since)
    }

    /// Where a room stands; none before it is made.
    pub(super) fn head(&self, room: RoomId) -> Result<Option<RoomHead>, ReadError> {
        self.heads.of(room, self.db)
    }

    /// The newest ordinal of a lane; 0 if it has none.
    pub(super) fn lane_head(&self, room: RoomId, lane: u64) -> Result<u64, ReadError> {
        match self.heads.of(room, self.db)? {
            Some(head) => self.state().lane_head(&head, lane),
            None => Ok(0),
        }
    }

    fn state(&self) -> Reader<'a> {
        Reader { db: self.db }
    }
}

/// The heads of rooms that were looked up or written since the fold began or failed last.
#[derive(Default)]
pub(super) struct Heads(RefCell<HashMap<RoomId, RoomHead>>);

impl Heads {
    pub(super) fn of(&self, room: RoomId, db: &Connection) -> Result<Option<RoomHead>, ReadError> {
        if let Some(head) = self.0.borrow().get(&room) {
            return Ok(Some(*head));
        }
        match (Reader { db }).room_head(room) {
            Ok(head) => {
                self.set(room, head);
                Ok(Some(head))
            }
            Err(ReadError::NotFound) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    pub(super) fn set(&self, room: RoomId, head: RoomHead) {
        self.0.borrow_mut().insert(room, head);
    }
}
