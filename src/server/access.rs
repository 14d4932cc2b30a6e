//! Who may do what: one pure function, [`can`]. The fold decides by it, use cases ask it before they propose, and pages
//! offer what it allows. docs/permissions.md prints its table.

mod strict;

use super::directory::Directory;
use super::fold::{self, Archiving};
use super::state::Undo;
use crate::protocol::frame::{Role, RoomKind};
use crate::protocol::{AccountId, Format, Refusal, RoomId, Row};
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    Account(AccountId),
    /// Whoever may read the data folder or the store, by `beck admin`.
    Operator,
    /// Nobody is signed in.
    Visitor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Make the first account, which is the owner's.
    SetUp,
    /// Make somebody an owner.
    SetRole,
    /// Rename the workspace.
    NameWorkspace,
    /// Raise the format of the log.
    RaiseFormat,
    /// Remove texts from the log for ever.
    Erase,
    /// Change a name or a status.
    EditProfile,
    /// Sign out on all devices.
    EndLogins,
    /// Take back a draft that may not be stored.
    TakeBack,
    MakeRoom,
    /// Know that a room is there, and its name.
    See,
    /// Read what is written in a room.
    Read,
    Join,
    /// Add somebody else to a room.
    Invite,
    Leave,
    /// Take somebody else out of a room.
    Remove,
    Post,
    /// Answer in a thread.
    Reply,
    /// Write a message, or an answer, in somebody's name, as an import does.
    PostFor,
    React,
    Pin,
    Edit,
    Delete,
    Restore,
    Rename,
    SetTopic,
    /// Archive a room, or bring it back.
    Archive,
}

/// What the answers depend on beside the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    format: &'static fold::Rules,
    /// What is proposed now: narrower than what the fold takes, which must decide old logs as before.
    proposing: bool,
}

impl Rules {
    /// What the fold decides by, in a format of the log.
    pub fn of(format: Format) -> Rules {
        Rules { format: fold::Rules::of(format), proposing: false }
    }

    /// What a server lets people propose to a log of a format. Archiving raises the format by itself.
    pub fn to_propose(format: Format) -> Rules {
        Rules { proposing: true, ..Rules::of(format) }
    }

    /// Rooms are archived by their maker and by owners, not by any member.
    fn archiving_is_reserved(&self) -> bool {
        self.proposing || self.format.archiving == Archiving::CreatorAndOwners
    }
}

/// What is known of an actor, and of what the action is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub actor: Actor,
    /// The actor has an account here.
    pub known: bool,
    pub owner: bool,
    /// The workspace has an owner.
    pub has_owner: bool,
    /// The room, if there is one.
    pub room: Option<RoomFacts>,
    /// Whom it is about: of one who joins or leaves, the actor.
    pub target: TargetFacts,
    /// The message, reaction, profile or draft is the actor's.
    pub own: bool,
    /// Of a message: whether it is deleted, and whether the actor did that and nobody else did too.
    pub deleted: bool,
    pub deleted_by_actor: bool,
    /// When this deletion can be taken back; none where the question is not about one.
    pub undo: Option<UndoTime>,
    /// There is no such message in the room.
    pub message_is_unknown: bool,
}

/// A room, as an actor stands to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomFacts {
    pub open: bool,
    pub archived: bool,
    pub member: bool,
    /// The actor made it.
    pub maker: bool,
}

/// When a deletion can be taken back, in milliseconds since 1970 (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UndoTime {
    /// The time that counts.
    pub at: i64,
    /// Before this time. None: never.
    pub until: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TargetFacts {
    pub known: bool,
    pub member: bool,
}

impl Facts {
    pub fn of(directory: &Directory, actor: Actor) -> Facts {
        let account = match actor {
            Actor::Account(id) => directory.accounts.get(&id),
            Actor::Operator | Actor::Visitor => None,
        };
        Facts {
            actor,
            known: account.is_some(),
            owner: account.is_some_and(|account| account.role == Role::Owner),
            has_owner: false,
            room: None,
            target: TargetFacts::default(),
            own: false,
            deleted: false,
            deleted_by_actor: false,
            undo: None,
            message_is_unknown: false,
        }
    }

    fn is(&self, account: AccountId) -> bool {
        self.actor == Actor::Account(account)
    }

    /// Of the first run.
    pub fn first_run(self, directory: &Directory) -> Facts {
        Facts { has_owner: directory.has_owner(), ..self }
    }

    /// In a room, of the actor alone.
    pub fn in_room(self, directory: &Directory, room: RoomId) -> Facts {
        let Some(room) = directory.rooms.get(&room) else { return Facts { room: None, ..self } };
        let member = matches!(self.actor, Actor::Account(id) if room.members.contains(&id));
        let facts = RoomFacts {
            open: room.kind == RoomKind::Open,
            archived: room.archived,
            member,
            maker: self.is(room.creator),
        };
        Facts { room: Some(facts), target: TargetFacts { known: self.known, member }, ..self }
    }

    /// In a room, about an account.
    pub fn about(self, directory: &Directory, room: RoomId, target: AccountId) -> Facts {
        let member = directory.rooms.get(&room).is_some_and(|room| room.members.contains(&target));
        let known = directory.accounts.contains_key(&target);
        Facts { target: TargetFacts { known, member }, ..self.in_room(directory, room) }
    }

    /// About a message as it is shown.
    pub fn row(self, row: &Row) -> Facts {
        let deleted_by_actor = row.deleted.as_ref().is_some_and(|deleted| self.is(deleted.by));
        Facts { deleted_by_actor, ..self.message(row.author, row.deleted.is_some()) }
    }

    /// About a message.
    pub fn message(self, author: AccountId, deleted: bool) -> Facts {
        Facts { own: self.is(author), deleted, ..self }
    }

    /// About the deletion of a message at a time (milliseconds since 1970, UTC); none of a message that is not deleted.
    pub fn deletion(self, undo: Option<&Undo>, at: i64) -> Facts {
        Facts {
            deleted: undo.is_some(),
            deleted_by_actor: undo.is_some_and(|undo| undo.belongs_to(self.actor)),
            undo: undo.map(|undo| UndoTime { at, until: undo.until_for(self.actor) }),
            ..self
        }
    }

    /// About a message that is not there.
    pub fn unknown_message(self) -> Facts {
        Facts { message_is_unknown: true, ..self }
    }

    /// About something of an account.
    pub fn of_account(self, account: AccountId) -> Facts {
        Facts { own: self.is(account), ..self }
    }
}

/// Why an actor may not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    pub code: Refusal,
    /// The sentence for the actor.
    pub why: &'static str,
    /// Of what was possible until a time and is over: that time, in milliseconds since 1970 (UTC).
    pub until: Option<i64>,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)
    }
}

impl Denied {
    pub fn new(action: Action, code: Refusal) -> Denied {
        let why = match (code, action) {
            (Refusal::NotAllowed, Action::SetUp) => "This workspace has an owner already. Sign in.",
            (Refusal::NotAllowed, Action::Archive) => {
                "Only the one who made the room and the owner of the workspace may do that."
            }
            (Refusal::NotAllowed, Action::Restore) => {
                "Only the author of a message can restore it, and only if nobody else deleted it."
            }
            _ => code.sentence(),
        };
        Denied { code, why, until: None }
    }

    /// Whether the permission is missing. Anything else may be over before a proposal has its place in the log.
    pub fn is_lasting(&self) -> bool {
        matches!(self.code, Refusal::NotFound | Refusal::NotAllowed)
    }
}

/// The one place that decides who may do what. "Not there" and "not theirs to see" are one answer, `NotFound`. The order
/// of the reasons is part of the formats: it never changes.
pub fn can(rules: &Rules, facts: &Facts, action: Action) -> Result<(), Denied> {
    if rules.format.strict.is_some() {
        return strict::can(rules, facts, action);
    }
    let Facts { actor, known, owner, own, deleted, target, .. } = *facts;
    let require = |fact: bool, code| if fact { Ok(()) } else { Err(Denied::new(action, code)) };
    let permitted = |fact| require(fact, Refusal::NotAllowed);
    // Before a proposal an author cannot get at what somebody else has deleted too.
    let may_take_back = facts.deleted_by_actor || !rules.proposing;
    // What needs no room.
    match action {
        Action::SetUp => return permitted(actor == Actor::Visitor && !facts.has_owner),
        Action::SetRole | Action::RaiseFormat => return permitted(actor == Actor::Operator),
        // Formats 1 to 4 have none of these.
        Action::NameWorkspace | Action::Erase | Action::PostFor => return permitted(false),
        Action::MakeRoom => return permitted(known),
        Action::EditProfile | Action::EndLogins | Action::TakeBack => return permitted(known && own),
        _ => {}
    }
    let Some(room) = facts.room.filter(|room| room.member || room.open && known) else {
        return Err(Denied::new(action, Refusal::NotFound));
    };
    // What those may do who are not in the room.
    match action {
        Action::See => return Ok(()),
        Action::Join | Action::Invite => {
            // Before a proposal whoever is outside is told the same as of a room that is not there.
            let inside = room.member || action == Action::Join || !rules.proposing;
            require(inside, Refusal::NotFound)?;
            require(target.known, Refusal::NotFound)?;
            require(!target.member, Refusal::Taken)?;
            if action == Action::Join {
                return permitted(!room.archived || rules.format.archived_rooms_can_be_joined);
            }
            permitted(room.member)?;
            let closed = if rules.proposing { Refusal::Archived } else { Refusal::NotAllowed };
            return require(!room.archived, closed);
        }
        Action::Archive if rules.archiving_is_reserved() => return permitted(room.maker || owner),
        _ => require(room.member, Refusal::NotFound)?,
    }
    match action {
        Action::Remove => {
            require(target.member, Refusal::NotFound)?;
            permitted(owner)
        }
        Action::Rename | Action::SetTopic => require(!room.archived || !rules.proposing, Refusal::Archived),
        Action::Post | Action::Reply => require(!room.archived, Refusal::Archived),
        Action::React | Action::Pin | Action::Edit | Action::Delete | Action::Restore => {
            require(!room.archived, Refusal::Archived)?;
            // The fold finds it malformed by itself, before it asks.
            require(deleted || action != Action::Restore, Refusal::Malformed)?;
            permitted(match action {
                Action::Pin => true,
                Action::Delete => owner || own && (!deleted || may_take_back),
                Action::Restore => own && may_take_back,
                _ => own,
            })?;
            let on_deleted = matches!(action, Action::Delete | Action::Restore);
            require(!deleted || on_deleted, Refusal::TargetGone)
        }
        // Read, Leave; Archive before it was reserved.
        _ => Ok(()),
    }
}

impl Directory {
    /// Asks [`can`] by the rules for what is proposed now.
    pub fn permits(&self, facts: &Facts, action: Action) -> Result<(), Denied> {
        can(&Rules::to_propose(self.format()), facts, action)
    }

    /// Whether an account may do something in a room that is about nobody else and about no message.
    pub fn can(&self, account: AccountId, action: Action, room: RoomId) -> bool {
        self.permits(&Facts::of(self, Actor::Account(account)).in_room(self, room), action).is_ok()
    }
}
