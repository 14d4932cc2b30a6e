//! Who may do what: the gate against a table written by hand, for each format, and the page that prints it.

mod page;
mod strict;

use beck::protocol::frame::{Role, RoomInfo, RoomKind};
use beck::protocol::{AccountId, ClientId, Format, OwnStatus, Refusal, RoomAct, RoomId, Row, WorkspaceId};
use beck::server::access::{Action, Actor, Facts, Rules, can};
use beck::server::directory::{Account, Directory, Room, Workspace};
use std::sync::Arc;

/// What an action is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Nothing,
    /// The workspace, before it has an owner.
    FirstRun,
    Own,
    Others,
    /// Another member of the room, an account that is not in it, and no account.
    Member,
    Newcomer,
    Nobody,
    /// A message of the actor or of somebody else; deleted by the actor or by somebody else.
    OwnMessage,
    OthersMessage,
    OwnDeleted,
    OwnDeletedByOthers,
    OthersDeleted,
}

use About::*;
use Action::*;

/// The actors of the columns: an owner in the room and outside, its maker in it and outside, a member, an account that
/// was never in it, one that was removed, a visitor, the operator.
const COLUMNS: usize = 9;
const OUTSIDE: [usize; 4] = [1, 3, 5, 6];

/// An action in a room that is open, and in one that is archived, by actor: y yes · f forbidden · n not found ·
/// a archived · t taken · g the message is gone · m malformed.
type Line = (Action, About, &'static str, &'static str);

/// What is proposed to a log of format 4.
const NOW: [Line; 42] = [
    (SetUp, FirstRun, "fffffffyf", "fffffffyf"),
    (SetUp, Nothing, "fffffffff", "fffffffff"),
    (SetRole, Others, "ffffffffy", "ffffffffy"),
    (SetRole, Own, "ffffffffy", "ffffffffy"),
    (EditProfile, Own, "yyyyyyyff", "yyyyyyyff"),
    (EditProfile, Others, "fffffffff", "fffffffff"),
    (EndLogins, Own, "yyyyyyyff", "yyyyyyyff"),
    (EndLogins, Others, "fffffffff", "fffffffff"),
    (TakeBack, Own, "yyyyyyyff", "yyyyyyyff"),
    (TakeBack, Others, "fffffffff", "fffffffff"),
    (MakeRoom, Nothing, "yyyyyyyff", "yyyyyyyff"),
    (See, Nothing, "yyyyyyynn", "yyyyyyynn"),
    (Read, Nothing, "ynynynnnn", "ynynynnnn"),
    (Join, Nothing, "tytytyynn", "tytytyynn"),
    (Invite, Newcomer, "ynynynnnn", "ananannnn"),
    (Invite, Member, "tntntnnnn", "tntntnnnn"),
    (Invite, Nobody, "nnnnnnnnn", "nnnnnnnnn"),
    (Leave, Nothing, "ynynynnnn", "ynynynnnn"),
    (Remove, Member, "ynfnfnnnn", "ynfnfnnnn"),
    (Remove, Newcomer, "nnnnnnnnn", "nnnnnnnnn"),
    (Post, Nothing, "ynynynnnn", "ananannnn"),
    (Reply, OthersMessage, "ynynynnnn", "ananannnn"),
    (Reply, OthersDeleted, "ynynynnnn", "ananannnn"),
    (React, Own, "ynynynnnn", "ananannnn"),
    (React, Others, "fnfnfnnnn", "ananannnn"),
    (React, OwnDeleted, "gngngnnnn", "ananannnn"),
    (Pin, OthersMessage, "ynynynnnn", "ananannnn"),
    (Pin, OthersDeleted, "gngngnnnn", "ananannnn"),
    (Edit, OwnMessage, "ynynynnnn", "ananannnn"),
    (Edit, OthersMessage, "fnfnfnnnn", "ananannnn"),
    (Edit, OwnDeleted, "gngngnnnn", "ananannnn"),
    (Edit, OthersDeleted, "fnfnfnnnn", "ananannnn"),
    (Delete, OwnMessage, "ynynynnnn", "ananannnn"),
    (Delete, OthersMessage, "ynfnfnnnn", "ananannnn"),
    (Delete, OwnDeletedByOthers, "ynfnfnnnn", "ananannnn"),
    (Restore, OwnMessage, "mnmnmnnnn", "ananannnn"),
    (Restore, OwnDeleted, "ynynynnnn", "ananannnn"),
    (Restore, OwnDeletedByOthers, "fnfnfnnnn", "ananannnn"),
    (Restore, OthersDeleted, "fnfnfnnnn", "ananannnn"),
    (Rename, Nothing, "ynynynnnn", "ananannnn"),
    (SetTopic, Nothing, "ynynynnnn", "ananannnn"),
    (Archive, Nothing, "yyyyfffnn", "yyyyfffnn"),
];

/// Where the fold decides otherwise in formats 2 to 4: it takes more than is proposed now.
const FOLD: [Line; 6] = [
    (Invite, Member, "tttttttnn", "tttttttnn"),
    (Invite, Newcomer, "yfyfyffnn", "fffffffnn"),
    (Delete, OwnDeletedByOthers, "ynynynnnn", "ananannnn"),
    (Restore, OwnDeletedByOthers, "ynynynnnn", "ananannnn"),
    (Rename, Nothing, "ynynynnnn", "ynynynnnn"),
    (SetTopic, Nothing, "ynynynnnn", "ynynynnnn"),
];

/// Where it decides otherwise in format 1.
const FOLD_OF_1: [Line; 2] =
    [(Join, Nothing, "tytytyynn", "tftftffnn"), (Archive, Nothing, "ynynynnnn", "ynynynnnn")];

struct Place {
    directory: Directory,
    room: RoomId,
    actors: [Actor; COLUMNS],
    other: AccountId,
    newcomer: AccountId,
}

fn place(kind: RoomKind, archived: bool, maker_in: bool) -> Place {
    let mut directory = Directory {
        workspace: Some(Workspace {
            id: WorkspaceId::random(),
            name: "W".into(),
            format: Format::Four,
            format_since: Default::default(),
        }),
        ..Directory::default()
    };
    let mut account = |role| {
        let id = AccountId::random();
        let handle = id.to_string();
        let account = Account {
            id,
            name: "Somebody".into(),
            handle: handle.clone(),
            role,
            status: OwnStatus::default(),
        };
        directory.handles.insert(handle, id);
        directory.accounts.insert(id, Arc::new(account));
        id
    };
    let (owner_in, owner_out) = (account(Role::Owner), account(Role::Owner));
    let [maker, member, outsider, removed, other, newcomer] = [(); 6].map(|()| account(Role::Member));
    let room = RoomId::random();
    let made = Room {
        id: room,
        kind,
        name: "Room".into(),
        key: "room".into(),
        topic: String::new(),
        archived,
        creator: maker,
        members: Default::default(),
    };
    directory.rooms.insert(room, Arc::new(made));
    for id in [owner_in, member, removed, other].into_iter().chain(maker_in.then_some(maker)) {
        directory.add_member(room, id);
    }
    directory.remove_member(room, removed);
    let of = Actor::Account;
    let actors = [
        of(owner_in),
        of(owner_out),
        of(maker),
        of(maker),
        of(member),
        of(outsider),
        of(removed),
        Actor::Visitor,
        Actor::Operator,
    ];
    Place { directory, room, actors, other, newcomer }
}

impl Place {
    fn row(&self, author: AccountId, deleted_by: Option<AccountId>) -> Row {
        let deleted = deleted_by.map(|by| serde_json::json!({ "by": by, "at": 2 }));
        serde_json::from_value(serde_json::json!({
            "id": ClientId::random(), "author": author, "at": 1, "seq": 1, "ordinal": 1, "version": 1,
            "deleted": deleted,
        }))
        .unwrap()
    }

    fn facts(&self, actor: Actor, about: About) -> Facts {
        let facts = Facts::of(&self.directory, actor);
        let here = facts.in_room(&self.directory, self.room);
        let me = match actor {
            Actor::Account(id) => id,
            // Nothing is theirs.
            Actor::Operator | Actor::Visitor => self.newcomer,
        };
        match about {
            Nothing => here.first_run(&self.directory),
            FirstRun => facts,
            Own => here.of_account(me),
            Others => here.of_account(self.other),
            Member => facts.about(&self.directory, self.room, self.other),
            Newcomer => facts.about(&self.directory, self.room, self.newcomer),
            Nobody => facts.about(&self.directory, self.room, AccountId::random()),
            OwnMessage => here.row(&self.row(me, None)),
            OthersMessage => here.row(&self.row(self.other, None)),
            OwnDeleted => here.row(&self.row(me, Some(me))),
            OwnDeletedByOthers => here.row(&self.row(me, Some(self.other))),
            OthersDeleted => here.row(&self.row(self.other, Some(self.other))),
        }
    }
}

fn letter(answer: Result<(), Refusal>) -> char {
    match answer {
        Ok(()) => 'y',
        Err(Refusal::NotAllowed) => 'f',
        Err(Refusal::NotFound) => 'n',
        Err(Refusal::Archived) => 'a',
        Err(Refusal::Taken) => 't',
        Err(Refusal::TargetGone) => 'g',
        Err(Refusal::Malformed) => 'm',
        Err(Refusal::TooLate) => 'l',
        Err(other) => panic!("{other:?}"),
    }
}

fn is_of_room(action: Action) -> bool {
    let outside =
        [SetUp, SetRole, EditProfile, EndLogins, TakeBack, MakeRoom, NameWorkspace, RaiseFormat, Erase];
    !outside.contains(&action)
}

fn assert_answers(rules: Rules, line: &Line, kind: RoomKind) {
    let (action, about, open, archived) = *line;
    for (expected, is_archived) in [(open, false), (archived, true)] {
        let maker_in = place(kind, is_archived, true);
        let maker_out = place(kind, is_archived, false);
        assert_eq!(expected.len(), COLUMNS);
        for (column, expected) in expected.chars().enumerate() {
            let place = if column == 3 { &maker_out } else { &maker_in };
            let facts = place.facts(place.actors[column], about);
            let answer = can(&rules, &facts, action).map_err(|denied| denied.code);
            // A room that is not open is not there for whoever is outside.
            let hidden = kind != RoomKind::Open && is_of_room(action) && OUTSIDE.contains(&column);
            let expected = if hidden { 'n' } else { expected };
            let place =
                format!("{action:?} {about:?} of {column}, archived: {is_archived}, {kind:?}, {rules:?}");
            assert_eq!(letter(answer), expected, "{place}");
        }
    }
}

/// The lines of `general`, but for those that `special` has.
fn but<'a>(general: &'a [Line], special: &'a [Line]) -> Vec<&'a Line> {
    let other =
        |line: &&Line| !special.iter().any(|(action, about, ..)| (*action, *about) == (line.0, line.1));
    general.iter().filter(other).chain(special).collect()
}

#[test]
fn each_action_of_each_actor_is_answered_as_the_table_by_hand_says() {
    for kind in [RoomKind::Open, RoomKind::Private, RoomKind::Direct] {
        for line in &NOW {
            assert_answers(Rules::to_propose(Format::Four), line, kind);
        }
    }
}

#[test]
fn the_fold_decides_by_the_rules_of_each_format() {
    let later = but(&NOW, &FOLD);
    let later_lines: Vec<Line> = later.iter().map(|line| **line).collect();
    for kind in [RoomKind::Open, RoomKind::Private, RoomKind::Direct] {
        for format in [Format::Two, Format::Three, Format::Four] {
            later.iter().for_each(|line| assert_answers(Rules::of(format), line, kind));
        }
        for line in but(&later_lines, &FOLD_OF_1) {
            assert_answers(Rules::of(Format::One), line, kind);
        }
    }
}

#[test]
fn a_refusal_says_what_is_missing() {
    let place = place(RoomKind::Open, false, true);
    let said = |action, about| {
        let facts = place.facts(place.actors[4], about);
        can(&Rules::to_propose(Format::Four), &facts, action).unwrap_err().why
    };
    for (action, about, why) in [
        (Archive, Nothing, "Only the one who made the room and the owner of the workspace may do that."),
        (
            Restore,
            OthersDeleted,
            "Only the author of a message can restore it, and only if nobody else deleted it.",
        ),
        (SetUp, Nothing, "This workspace has an owner already. Sign in."),
        (Edit, OthersMessage, "You may not do that here."),
        (Edit, OwnDeleted, "The message it is about is gone."),
    ] {
        assert_eq!(said(action, about), why);
    }
}

/// The acts that a room's list holds, by hand.
fn offered(directory: &Directory, room: RoomId, actor: Actor) -> Option<Vec<RoomAct>> {
    let Actor::Account(id) = actor else { panic!("{actor:?} has no list of rooms") };
    let info = directory.room_info(id, room)?;
    assert_eq!(info.may_archive, info.allows(RoomAct::Archive), "what older clients read");
    Some(RoomAct::ALL.into_iter().filter(|act| info.allows(*act)).collect())
}

#[test]
fn a_room_tells_each_reader_what_they_may_do_there() {
    use RoomAct::*;
    let writes = [Leave, Invite, Post, Reply, React, Pin, Edit, Delete, Restore, SetTopic];
    let with = |more: &[RoomAct]| {
        let mut acts: Vec<_> = writes.iter().chain(more).copied().collect();
        acts.sort_by_key(|act| *act as u32);
        Some(acts)
    };
    let (open, archived) = (place(RoomKind::Open, false, true), place(RoomKind::Open, true, true));
    let hidden = place(RoomKind::Private, false, true);
    let of = |place: &Place, column: usize| offered(&place.directory, place.room, place.actors[column]);
    for (column, in_open, in_archived) in [
        (0, with(&[DeleteOthers, Archive]), Some(vec![Leave, Archive])),
        (1, Some(vec![Join, Archive]), Some(vec![Join, Archive])),
        (2, with(&[Archive]), Some(vec![Leave, Archive])),
        (4, with(&[]), Some(vec![Leave])),
        (5, Some(vec![Join]), Some(vec![Join])),
        (6, Some(vec![Join]), Some(vec![Join])),
    ] {
        assert_eq!(of(&open, column), in_open, "{column}");
        assert_eq!(of(&archived, column), in_archived, "{column}, archived");
    }
    assert_eq!(of(&hidden, 4), with(&[]));
    assert_eq!(of(&hidden, 5), None);
}

#[test]
fn the_acts_of_a_room_are_bits_on_the_wire_and_may_be_absent() {
    let place = place(RoomKind::Open, false, true);
    let Actor::Account(member) = place.actors[4] else { panic!() };
    let info = place.directory.room_info(member, place.room).unwrap();
    let mut json = serde_json::to_value(&info).unwrap();
    // Leave, invite, post, reply, react, pin, edit, delete, restore, change the topic.
    assert_eq!(json["may"], 2 + 4 + 8 + 16 + 32 + 64 + 128 + 256 + 512 + 2048);
    // A bit of a later version is no act of this one.
    json["may"] = serde_json::json!(1u32 << 31 | 1);
    let later: RoomInfo = serde_json::from_value(json.clone()).unwrap();
    let acts: Vec<_> = RoomAct::ALL.into_iter().filter(|act| later.allows(*act)).collect();
    assert_eq!(acts, [RoomAct::Join]);
    // What a server of 0.1.0 sends.
    json.as_object_mut().unwrap().remove("may");
    for (joined, is_archived, may_archive) in
        [(true, false, true), (true, true, false), (false, false, false), (false, true, true)]
    {
        json["joined"] = joined.into();
        json["archived"] = is_archived.into();
        json["may_archive"] = may_archive.into();
        let info: RoomInfo = serde_json::from_value(json.clone()).unwrap();
        for act in RoomAct::ALL {
            let expected = match act {
                RoomAct::Join => !joined,
                RoomAct::Leave => joined,
                RoomAct::Archive => may_archive,
                RoomAct::DeleteOthers => false,
                _ => joined && !is_archived,
            };
            assert_eq!(info.allows(act), expected, "{act:?}, joined: {joined}, archived: {is_archived}");
        }
    }
}

#[test]
fn a_client_offers_what_the_room_tells_and_without_it_what_it_did_before() {
    use crate::support::boot;
    use beck::client::Session;
    let (me, room) = (AccountId::random(), RoomId::random());
    let session = |role, may: Option<u32>| {
        let mut boot = boot(me, room, None);
        boot.me.as_mut().unwrap().role = role;
        boot.rooms[0].may = may.map(|bits| serde_json::from_value(bits.into()).unwrap());
        Session::from_boot(&boot).unwrap()
    };
    let (react, delete_others) = (1 << 5, 1 << 10);
    for (role, may, acts) in [
        (Role::Owner, None, [true, true, true]),
        (Role::Member, None, [true, true, false]),
        (Role::Owner, Some(react), [true, false, false]),
        (Role::Member, Some(delete_others), [false, false, true]),
        (Role::Owner, Some(0), [false, false, false]),
    ] {
        let session = session(role, may);
        let told = [RoomAct::React, RoomAct::Delete, RoomAct::DeleteOthers].map(|act| session.may(room, act));
        assert_eq!(told, acts, "{role:?} {may:?}");
    }
    assert!(!session(Role::Owner, None).may(RoomId::random(), RoomAct::Post), "no such room");
}

/// Roles and makers are compared by the gate alone. The others write them, or print them.
#[test]
fn nothing_else_compares_roles_or_makers() {
    let allowed = [
        ("server/access.rs", "the gate"),
        ("server/directory.rs", "looks up whether there is an owner"),
        ("server/admin.rs", "prints roles, and says that somebody is an owner already"),
        ("server/broker/archive.rs", "finds the owner's name"),
        ("server/fold/decide/loose/accounts.rs", "an account that is made as an owner"),
        ("server/fold/decide/strict/accounts.rs", "the same"),
        ("protocol/change/read.rs", "the form of a body"),
        ("client/session/mod.rs", "what a server of 0.1.0 does not tell"),
    ];
    let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src.clone()];
    let mut found = std::collections::BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let compares = [
                "== Role::Owner",
                "!= Role::Owner",
                "::Role::Owner {",
                "creator ==",
                "creator !=",
                "(room.creator)",
            ];
            if compares.iter().any(|words| text.contains(words)) {
                found.insert(path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let allowed: std::collections::BTreeSet<_> = allowed.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(found, allowed);
}
