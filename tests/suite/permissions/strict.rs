//! The gate in format 5, against a table written by hand: what docs/architecture.md says in "The operator",
//! "Deleting and restoring" and "The order of refusals".

use super::{About::*, Line, OUTSIDE, Place, is_of_room, letter, place};
use beck::protocol::frame::RoomKind;
use beck::protocol::{AccountId, Format, Refusal};
use beck::server::access::Action::*;
use beck::server::access::{Actor, Facts, Rules, TargetFacts, can};
use beck::server::state::Deletion;

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

fn restore(place: &Place, actor: Actor, deletion: Option<Deletion>, is_over: bool) -> char {
    let facts = Facts::of(&place.directory, actor).in_room(&place.directory, place.room);
    let facts = facts.message(place.other, deletion.is_some()).deletion(deletion, is_over);
    letter(can(&Rules::of(Format::Five), &facts, Restore).map_err(|denied| denied.code))
}

#[test]
fn whoever_made_the_only_deletion_restores_in_time() {
    let place = place(RoomKind::Open, false, true);
    let account = |column: usize| match place.actors[column] {
        Actor::Account(id) => id,
        actor => panic!("{actor:?}"),
    };
    let (owner, member): (AccountId, AccountId) = (account(0), account(4));
    let by = |by, by_others, by_operator| Some(Deletion { g: 1, at: 0, by, by_others, by_operator });
    for (actor, deletion, is_over, expected) in [
        (owner, by(owner, false, false), false, 'y'),
        (owner, by(owner, false, false), true, 'l'),
        (owner, by(owner, true, false), true, 'f'),
        (owner, by(owner, false, true), false, 'f'),
        (owner, by(member, false, false), true, 'f'),
        (member, by(member, false, false), false, 'y'),
        (member, by(owner, false, false), false, 'f'),
        (member, None, true, 'g'),
    ] {
        let actor = Actor::Account(actor);
        assert_eq!(restore(&place, actor, deletion, is_over), expected, "{deletion:?}");
    }
    assert_eq!(restore(&place, Actor::Operator, by(owner, false, true), false), 'f');
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
