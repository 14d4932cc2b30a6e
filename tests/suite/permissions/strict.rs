//! The gate in format 5, against a table written by hand: what docs/architecture.md says in "The operator",
//! "Deleting and restoring" and "The order of refusals".

use super::{About::*, Line, OUTSIDE, Place, is_of_room, letter, place};
use beck::protocol::frame::RoomKind;
use beck::protocol::{AccountId, Format, Refusal};
use beck::server::access::Action::*;
use beck::server::access::{Actor, Denied, Facts, Rules, TargetFacts, can};
use beck::server::state::{Deletion, Undo};

/// What is proposed to a log of format 5.
const NOW: [Line; 47] = [
    (SetUp, FirstRun, "fffffffyf", "fffffffyf"),
    (SetUp, Nothing, "fffffffff", "fffffffff"),
    (SetRole, Others, "ffffffffy", "ffffffffy"),
    (SetRole, Own, "ffffffffy", "ffffffffy"),
    (NameWorkspace, Nothing, "ffffffffy", "ffffffffy"),
    (RaiseFormat, Nothing, "ffffffffy", "ffffffffy"),
    (Erase, Nothing, "ffffffffy", "ffffffffy"),
    (EditProfile, Own, "yyyyyyyfy", "yyyyyyyfy"),
    (EditProfile, Others, "ffffffffy", "ffffffffy"),
    (EndLogins, Own, "yyyyyyyfy", "yyyyyyyfy"),
    (EndLogins, Others, "ffffffffy", "ffffffffy"),
    (TakeBack, Own, "yyyyyyyff", "yyyyyyyff"),
    (TakeBack, Others, "fffffffff", "fffffffff"),
    (MakeRoom, Nothing, "yyyyyyyfy", "yyyyyyyfy"),
    (See, Nothing, "yyyyyyyny", "yyyyyyyny"),
    (Read, Nothing, "ynynynnny", "ynynynnny"),
    (Join, Nothing, "tytytyynn", "tytytyynn"),
    (Invite, Newcomer, "ynynynnny", "ananannna"),
    (Invite, Member, "tntntnnnt", "tntntnnnt"),
    (Invite, Nobody, "nnnnnnnnn", "nnnnnnnnn"),
    (Leave, Nothing, "ynynynnnn", "ynynynnnn"),
    (Remove, Member, "ynfnfnnny", "ynfnfnnny"),
    (Remove, Newcomer, "nnnnnnnnn", "nnnnnnnnn"),
    (Post, Nothing, "ynynynnnf", "ananannnf"),
    (Reply, OthersDeleted, "ynynynnnf", "ananannnf"),
    (PostFor, Member, "fnfnfnnny", "ananannna"),
    (PostFor, Newcomer, "fnfnfnnny", "ananannna"),
    (PostFor, Nobody, "fnfnfnnnn", "ananannna"),
    (React, Own, "ynynynnny", "ananannna"),
    (React, Others, "fnfnfnnny", "ananannna"),
    (React, OwnDeleted, "gngngnnng", "ananannna"),
    (Pin, OthersMessage, "ynynynnny", "ananannna"),
    (Pin, OthersDeleted, "gngngnnng", "ananannna"),
    (Edit, OwnMessage, "ynynynnnf", "ananannnf"),
    (Edit, OthersMessage, "fnfnfnnnf", "ananannnf"),
    (Edit, OwnDeleted, "gngngnnnf", "ananannnf"),
    (Edit, OthersDeleted, "fnfnfnnnf", "ananannnf"),
    (Delete, OwnMessage, "yyyyyyyny", "yyyyyyyny"),
    (Delete, OthersMessage, "ynfnfnnny", "ynfnfnnny"),
    (Delete, OwnDeletedByOthers, "yyyyyyyny", "yyyyyyyny"),
    (Restore, OwnMessage, "gggggggng", "gggggggng"),
    (Restore, OwnDeleted, "yyyyyyynf", "yyyyyyynf"),
    (Restore, OwnDeletedByOthers, "fffffffnf", "fffffffnf"),
    (Restore, OthersDeleted, "fnfnfnnnf", "fnfnfnnnf"),
    (Rename, Nothing, "ynynynnny", "ananannna"),
    (SetTopic, Nothing, "ynynynnny", "ananannna"),
    (Archive, Nothing, "yyyyfffny", "yyyyfffny"),
];

/// Where the fold takes or tells more.
const FOLD: [Line; 4] = [
    (Invite, Newcomer, "yfyfyffny", "aaaaaaana"),
    (Invite, Member, "tttttttnt", "tttttttnt"),
    (Rename, Nothing, "yfyfyffny", "aaaaaaana"),
    (SetTopic, Nothing, "yfyfyffny", "aaaaaaana"),
];

fn assert_answers(rules: Rules, line: &Line, kind: RoomKind) {
    let (action, about, open, archived) = *line;
    // Whoever has left deletes and restores what they wrote, in a room of any kind.
    let wrote =
        matches!(action, Delete | Restore) && matches!(about, OwnMessage | OwnDeleted | OwnDeletedByOthers);
    for (expected, is_archived) in [(open, false), (archived, true)] {
        for (column, expected) in expected.chars().enumerate() {
            let place = place(kind, is_archived, column != 3);
            let facts = place.facts(place.actors[column], about);
            let hidden = kind != RoomKind::Open && is_of_room(action) && OUTSIDE.contains(&column) && !wrote;
            let expected = if hidden { 'n' } else { expected };
            let answer = letter(can(&rules, &facts, action).map_err(|denied| denied.code));
            assert_eq!(
                answer, expected,
                "{action:?} {about:?} of {column}, archived: {is_archived}, {kind:?}"
            );
        }
    }
}

#[test]
fn each_action_of_each_actor_is_answered_as_the_table_of_format_5_says() {
    for kind in [RoomKind::Open, RoomKind::Private, RoomKind::Direct] {
        for line in &NOW {
            assert_answers(Rules::to_propose(Format::Five), line, kind);
        }
        for line in super::but(&NOW, &FOLD) {
            assert_answers(Rules::of(Format::Five), line, kind);
        }
    }
}

/// What the gate answers to a restore at a time.
fn restore(place: &Place, actor: Actor, undo: Option<&Undo>, at: i64) -> Result<(), Denied> {
    let facts = Facts::of(&place.directory, actor).in_room(&place.directory, place.room);
    let facts = facts.message(place.other, undo.is_some()).deletion(undo, at);
    can(&Rules::of(Format::Five), &facts, Restore)
}

#[test]
fn whoever_made_the_only_deletion_restores_in_time() {
    let place = place(RoomKind::Open, false, true);
    let account = |column: usize| match place.actors[column] {
        Actor::Account(id) => id,
        actor => panic!("{actor:?}"),
    };
    let (owner, member): (AccountId, AccountId) = (account(0), account(4));
    let by = |by, by_others, by_operator| Deletion { g: 1, at: 0, by, by_others, by_operator };
    let ends = |deletion| Some(Undo { deletion, until: Some(10) });
    let never = |deletion| Some(Undo { deletion, until: None });
    // The last column: the time that the refusal names.
    for (actor, undo, at, expected, named) in [
        (owner, ends(by(owner, false, false)), 9, 'y', None),
        (owner, ends(by(owner, false, false)), 10, 'l', Some(10)),
        (owner, never(by(owner, false, false)), 9, 'l', None),
        (owner, ends(by(owner, true, false)), 10, 'f', None),
        (owner, ends(by(owner, false, true)), 9, 'f', None),
        (owner, ends(by(member, false, false)), 10, 'f', None),
        (member, ends(by(member, false, false)), 9, 'y', None),
        (member, ends(by(owner, false, false)), 9, 'f', None),
        (member, None, 10, 'g', None),
    ] {
        let answer = restore(&place, Actor::Account(actor), undo.as_ref(), at);
        assert_eq!(letter(answer.map_err(|denied| denied.code)), expected, "{undo:?} at {at}");
        assert_eq!(answer.err().and_then(|denied| denied.until), named, "{undo:?} at {at}");
    }
    let no = restore(&place, Actor::Account(member), ends(by(owner, false, false)).as_ref(), 9).unwrap_err();
    assert_eq!(
        no.why,
        "Only whoever deleted a message can restore it, and only if nobody else deleted it too."
    );
    let answer = restore(&place, Actor::Operator, ends(by(owner, false, true)).as_ref(), 9);
    assert_eq!(letter(answer.map_err(|denied| denied.code)), 'f');
}

/// What a row tells its reader is what the gate answers.
#[test]
fn a_row_can_be_restored_until_the_time_that_it_tells() {
    let place = place(RoomKind::Open, false, true);
    let accounts = [0, 2, 4].map(|column| match place.actors[column] {
        Actor::Account(id) => id,
        actor => panic!("{actor:?}"),
    });
    let mut told = 0;
    for by in accounts {
        for (by_others, by_operator) in [(false, false), (true, false), (false, true), (true, true)] {
            let undo =
                Undo { deletion: Deletion { g: 1, at: 0, by, by_others, by_operator }, until: Some(10) };
            for actor in place.actors {
                let until = undo.until_for(actor);
                told += usize::from(until.is_some());
                for at in [0, 9, 10, 11] {
                    let may = restore(&place, actor, Some(&undo), at).is_ok();
                    assert_eq!(may, until.is_some_and(|until| at < until), "{actor:?} at {at}: {undo:?}");
                }
            }
        }
    }
    // The maker of the room stands in two columns.
    assert_eq!(told, 4);
}

#[test]
fn of_a_message_that_is_not_there_the_room_is_answered_first() {
    let ask = |place: &Place, column: usize, action| {
        let facts = Facts::of(&place.directory, place.actors[column]).in_room(&place.directory, place.room);
        can(&Rules::of(Format::Five), &facts.unknown_message(), action).map_err(|denied| denied.code)
    };
    let (open, archived) = (place(RoomKind::Open, false, true), place(RoomKind::Open, true, true));
    for action in [React, Pin, Edit] {
        assert_eq!(ask(&open, 5, action), Err(Refusal::NotFound));
        assert_eq!(ask(&archived, 4, action), Err(Refusal::Archived));
        assert_eq!(ask(&open, 4, action), Err(Refusal::TargetGone));
    }
    for action in [Delete, Restore] {
        assert_eq!(ask(&open, 5, action), Err(Refusal::NotFound));
        assert_eq!(ask(&archived, 4, action), Err(Refusal::TargetGone));
    }
}

#[test]
fn nobody_joins_a_room_that_they_cannot_see() {
    let hidden = place(RoomKind::Private, false, true);
    let facts = Facts::of(&hidden.directory, hidden.actors[5]).in_room(&hidden.directory, hidden.room);
    let facts = Facts { target: TargetFacts { known: true, member: false }, ..facts };
    let answer = can(&Rules::of(Format::Five), &facts, Join).map_err(|denied| denied.code);
    assert_eq!(answer, Err(Refusal::NotFound));
}
