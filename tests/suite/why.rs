//! Why one is notified of a message, or is not: the decision, and what is told of it later.

mod answers;

use crate::notices::{allowed, asked, told};
use crate::reading::{Here, counted, row};
use crate::support::seed;
use beck::client::{Input, Known, Permission, Why};
use beck::protocol::frame::{Person, Role};
use beck::protocol::{
    Badge, Hash, Level, OwnStatus, Page, Position, Presence, Quiet, RoomId, Row, Seen, ServerFrame, Wanted,
    WorkspaceId,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the device's clock says in these tests is 1,000 ms after midnight UTC.
const AROUND_NOW: Quiet = Quiet { on: true, from: 1_439, to: 1 };

pub fn disturb(here: &mut Here, until: Option<i64>) {
    let status = OwnStatus { text: String::new(), do_not_disturb: true, until };
    let me = Seen { id: here.session.me.id, is: Presence::DoNotDisturb, status };
    here.give(Input::Frame(ServerFrame::Presence { people: vec![me] }));
}

fn settings(here: &mut Here, quiet: Quiet) {
    let Quiet { on, from, to } = quiet;
    here.give(Input::Frame(ServerFrame::Quiet { on, from, to }));
}

/// New messages of a room come: the badge, and the rows if they are asked for. Gives the ordinals that were told of.
fn come(here: &mut Here, room: RoomId, badge: Badge, rows: &[Arc<Row>]) -> BTreeSet<u64> {
    let mut effects = here.badge(room, badge);
    if let Some((req, of, after)) = asked(&effects) {
        assert_eq!(of, room);
        let as_of = Position { epoch: WorkspaceId::random(), seq: 50, chain: Hash::ZERO };
        let new = rows.iter().filter(|row| row.ordinal > after).cloned().collect();
        let page = Page { room, lane: 0, as_of, head: badge.head, rows: new, quotes: BTreeMap::new() };
        let person = |row: &Arc<Row>| Person {
            id: row.author,
            name: "Bo".into(),
            handle: row.author.to_string(),
            role: Role::Member,
        };
        effects.extend(here.give(Input::Frame(ServerFrame::Page { req, page })));
        let people = rows.iter().map(person).filter(|person| person.id != here.session.me.id).collect();
        effects.extend(here.give(Input::Frame(ServerFrame::People { people })));
    }
    told(effects).into_iter().map(|notice| notice.ordinal).collect()
}

type Arrange = fn(&mut Here);

#[test]
fn every_reason_is_reached_decides_and_is_told_afterwards() {
    let wanted = |level, muted| Wanted { level, muted, ..Wanted::default() };
    let usual = wanted(Level::Mentions, false);
    let all = wanted(Level::All, false);
    let nothing: Arrange = |_| {};
    // Who is arranged how, what is wanted of the room, the text, and what is to come of it.
    let table: [(Arrange, Wanted, &str, Why, Known); 21] = [
        (nothing, usual, "hello @me", Why::NamesYou, Known::Decided),
        (nothing, usual, "hello @room", Why::NamesAll, Known::Decided),
        (nothing, all, "@room and @me", Why::NamesYou, Known::Decided),
        (nothing, all, "hello", Why::Everything, Known::Decided),
        (nothing, usual, "hello", Why::NotNamed, Known::Decided),
        (nothing, usual, "`@me`", Why::NotNamed, Known::Decided),
        (nothing, wanted(Level::Nothing, false), "@me", Why::Nothing, Known::Decided),
        (nothing, wanted(Level::All, true), "@me", Why::Muted, Known::Decided),
        (|here| drop(here.give(Input::Permission(Permission::Ask))), usual, "@me", Why::Off, Known::Decided),
        (
            |here| drop(here.give(Input::Permission(Permission::Unsupported))),
            all,
            "hi",
            Why::Off,
            Known::Decided,
        ),
        (
            |here| drop(here.give(Input::Permission(Permission::Denied))),
            all,
            "hi",
            Why::Forbidden,
            Known::Decided,
        ),
        (|here| disturb(here, None), usual, "@me", Why::Disturb, Known::Decided),
        (|here| disturb(here, Some(1_001)), all, "hi", Why::Disturb, Known::Decided),
        (|here| disturb(here, Some(1_000)), usual, "@me", Why::NamesYou, Known::Decided),
        (|here| disturb(here, None), usual, "hi", Why::NotNamed, Known::Decided),
        (|here| settings(here, AROUND_NOW), usual, "@me", Why::Quiet, Known::Decided),
        (
            |here| settings(here, Quiet { on: false, ..AROUND_NOW }),
            usual,
            "@me",
            Why::NamesYou,
            Known::Decided,
        ),
        // An hour east it is one o'clock.
        (
            |here| {
                settings(here, AROUND_NOW);
                here.give(Input::Zone(60));
            },
            usual,
            "@me",
            Why::NamesYou,
            Known::Decided,
        ),
        (
            |here| {
                here.give(Input::Look { room: here.other, at: None });
            },
            usual,
            "@me",
            Why::Looking,
            Known::Decided,
        ),
        (|here| drop(here.give(Input::Sender(false))), usual, "@me", Why::NamesYou, Known::OtherTab),
        (|here| drop(here.give(Input::Sender(false))), usual, "hi", Why::NotNamed, Known::Decided),
    ];
    for (index, (arrange, wanted, text, why, known)) in table.into_iter().enumerate() {
        let mut here = allowed();
        arrange(&mut here);
        let new = row(11, text);
        let mentions = u32::from(matches!(text, "hello @me" | "hello @room" | "@room and @me" | "@me"));
        let badge = Badge { wanted, ..counted(1, mentions, 10, 4, 11) };
        let other = here.other;
        let told = come(&mut here, other, badge, std::slice::from_ref(&new));
        let yes = known == Known::Decided && matches!(why, Why::NamesYou | Why::NamesAll | Why::Everything);
        assert_eq!(told, if yes { BTreeSet::from([11]) } else { BTreeSet::new() }, "{index}: {text}");
        assert_eq!(here.session.explain(other, &new), Some((why, known)), "{index}: {text}");
        // Whatever is set afterwards, what was decided stays.
        here.give(Input::Sender(true));
        here.give(Input::Permission(Permission::Granted));
        here.badge(
            other,
            Badge { wanted: Wanted { level: Level::All, ..wanted }, ..counted(0, 0, 11, 5, 11) },
        );
        if known == Known::Decided {
            assert_eq!(here.session.explain(other, &new), Some((why, known)), "{index}: {text}, later");
        }
    }
}

#[test]
fn own_deleted_and_read_messages_tell_nothing_though_another_one_beside_them_does() {
    let mut here = allowed();
    let other = here.other;
    let mut own = row(11, "my own @room");
    Arc::make_mut(&mut own).author = here.session.me.id;
    let mut deleted = row(12, "gone");
    Arc::make_mut(&mut deleted).text = None;
    let (plain, named) = (row(13, "hello"), row(14, "@me"));
    let rows = [own, deleted, plain, named];
    assert_eq!(come(&mut here, other, counted(3, 1, 10, 4, 14), &rows), BTreeSet::from([14]));
    let why = |row: &Arc<Row>| here.session.explain(other, row).map(|(why, _)| why);
    assert_eq!(
        rows.iter().filter_map(why).collect::<Vec<_>>(),
        [Why::Own, Why::Deleted, Why::NotNamed, Why::NamesYou]
    );
    // Read on another device before this one heard of it, alone or with another one behind, and while on its way.
    let new = row(15, "@me too");
    assert_eq!(come(&mut here, other, counted(0, 0, 15, 4, 15), std::slice::from_ref(&new)), BTreeSet::new());
    assert_eq!(here.session.explain(other, &new), Some((Why::Read, Known::Decided)));
    let rows = [row(16, "@me"), row(17, "hello")];
    assert_eq!(come(&mut here, other, counted(1, 0, 16, 4, 17), &rows), BTreeSet::new());
    assert_eq!(here.session.explain(other, &rows[0]), Some((Why::Read, Known::Decided)));
    assert_eq!(here.session.explain(other, &rows[1]), Some((Why::NotNamed, Known::Decided)));
    let (late, newest) = (row(18, "@me"), row(19, "@me"));
    let (req, ..) = asked(&here.badge(other, counted(2, 2, 17, 4, 19))).unwrap();
    here.badge(other, counted(1, 1, 18, 4, 19));
    let as_of = Position { epoch: WorkspaceId::random(), seq: 50, chain: Hash::ZERO };
    let rows = vec![late.clone(), newest.clone()];
    let page = Page { room: other, lane: 0, as_of, head: 19, rows, quotes: BTreeMap::new() };
    here.give(Input::Frame(ServerFrame::Page { req, page }));
    assert_eq!(here.session.explain(other, &late), Some((Why::Read, Known::Decided)));
    assert_eq!(here.session.explain(other, &newest), Some((Why::NamesYou, Known::Decided)));
}

#[test]
fn what_was_not_decided_here_is_explained_by_the_settings_of_now_and_says_so() {
    let mut here = allowed();
    let other = here.other;
    let mut old = row(5, "@me before the page was opened");
    Arc::make_mut(&mut old).at = 90 * 60_000;
    assert_eq!(here.session.explain(other, &old), Some((Why::NamesYou, Known::Settings)));
    // The hours count for when it came, not for when one asks; not being disturbed counts as it is now.
    settings(&mut here, Quiet { on: true, from: 60, to: 120 });
    assert_eq!(here.session.explain(other, &old), Some((Why::Quiet, Known::Settings)));
    settings(&mut here, AROUND_NOW);
    assert_eq!(here.session.explain(other, &old), Some((Why::NamesYou, Known::Settings)));
    disturb(&mut here, None);
    assert_eq!(here.session.explain(other, &old), Some((Why::Disturb, Known::Settings)));
    // That one looks at the room now says nothing of then.
    here.give(Input::Look { room: other, at: None });
    assert_eq!(here.session.explain(other, &old), Some((Why::Disturb, Known::Settings)));
    assert_eq!(here.session.explain(RoomId::random(), &old), None);
}

#[test]
fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
    let mut here = allowed();
    let other = here.other;
    let mut rows = Vec::new();
    for ordinal in 11..=400 {
        // Each other than the one before: no run is one decision.
        let new = row(ordinal, if ordinal % 2 == 0 { "@me" } else { "hello" });
        let badge = counted(1, u32::from(ordinal % 2 == 0), ordinal - 1, 4, ordinal);
        come(&mut here, other, badge, std::slice::from_ref(&new));
        rows.push(new);
    }
    let known = |row| here.session.explain(other, row).map(|(_, known)| known);
    let decided = rows.iter().filter(|row| known(row) == Some(Known::Decided)).count();
    assert_eq!(decided, 256);
    assert_eq!(known(&rows[0]), Some(Known::Settings));
    assert!(rows[rows.len() - 256..].iter().all(|row| known(row) == Some(Known::Decided)));
    // Alike ones are one: a busy room does not push out the others.
    for ordinal in 401..=2_000 {
        come(&mut here, other, counted(1, 0, ordinal - 1, 4, ordinal), &[]);
    }
    assert_eq!(here.session.explain(other, &rows[380]), Some((Why::NotNamed, Known::Decided)));
}

#[test]
fn what_came_while_away_is_silent_too_if_one_is_not_to_be_disturbed_or_it_is_quiet_and_is_remembered() {
    let mut silent = 0;
    for (quiet, do_not_disturb, why) in [
        (None, false, Why::NamesYou),
        (None, true, Why::Disturb),
        (Some(AROUND_NOW), false, Why::Quiet),
        (Some(Quiet { on: false, ..AROUND_NOW }), false, Why::NamesYou),
    ] {
        let mut here = allowed();
        here.give(Input::Closed(None));
        here.give(Input::Opened);
        here.session.rooms[1].badge = counted(3, 1, 11, 4, 14);
        // Set elsewhere meanwhile: told before the welcome, and so before anything is decided.
        if let Some(quiet) = quiet {
            settings(&mut here, quiet);
        }
        if do_not_disturb {
            disturb(&mut here, None);
        }
        let notices = told(here.welcome());
        assert_eq!(notices.len(), usize::from(why == Why::NamesYou), "{why:?}");
        silent += u32::from(notices.is_empty());
        let explain = |row: &Row| here.session.explain(here.other, row).unwrap();
        let read = if why == Why::NamesYou { Why::Read } else { why };
        assert_eq!(explain(&row(11, "@me")), (read, Known::Decided));
        assert_eq!(explain(&row(12, "@me")), (why, Known::Decided));
        assert_eq!(explain(&row(13, "hello")), (Why::NotNamed, Known::Decided));
        let mut edited = row(14, "@me, but it said something else");
        Arc::make_mut(&mut edited).edited = Some(2);
        let known = if why == Why::NamesYou { Known::Settings } else { Known::Decided };
        assert_eq!(explain(&edited).1, known, "{why:?}: what it said then is not known");
    }
    assert_eq!(silent, 2);
}

/// Random settings, messages and circumstances: what is told is just what the explanation says was told.
#[test]
fn the_explanation_never_differs_from_the_decision() {
    let mut dice = StdRng::seed_from_u64(seed());
    let (mut yes, mut no, mut other_tab) = (0, 0, 0);
    for _ in 0..400 {
        let mut here = allowed();
        let room = here.other;
        let (mut head, mut read) = (10, 10);
        let mut decided: Vec<(Arc<Row>, (Why, Known))> = Vec::new();
        for _ in 0..12 {
            match dice.random_range(0..9) {
                0 => drop(here.give(Input::Sender(dice.random()))),
                1 => {
                    let may = [Permission::Granted, Permission::Granted, Permission::Ask, Permission::Denied];
                    here.give(Input::Permission(may[dice.random_range(0..4)]));
                }
                2 => {
                    let until = if dice.random() { Some(0) } else { None };
                    disturb(&mut here, until);
                }
                3 => settings(&mut here, Quiet { on: dice.random(), ..AROUND_NOW }),
                4 => drop(here.give(Input::Zone(dice.random_range(-3..3)))),
                5 => {
                    let room = if dice.random() { room } else { here.room };
                    here.give(Input::Look { room, at: None });
                }
                6 => drop(here.give(Input::Attending(dice.random()))),
                _ => {}
            }
            let mut rows = Vec::new();
            for _ in 0..dice.random_range(0..=3) {
                head += 1;
                let mut new = row(head, ["hello", "@me", "@room", "`@me`"][dice.random_range(0..4)]);
                if dice.random_range(0..5) == 0 {
                    Arc::make_mut(&mut new).author = here.session.me.id;
                }
                rows.push(new);
            }
            if dice.random_range(0..6) == 0 {
                read = head;
            }
            let unread = rows.iter().filter(|row| row.ordinal > read && row.author != here.session.me.id);
            let named = |row: &&Arc<Row>| matches!(row.text.as_deref(), Some("@me" | "@room"));
            let (unread, mentions) = (unread.clone().count() as u32, unread.filter(named).count() as u32);
            let level =
                [Level::All, Level::Mentions, Level::Mentions, Level::Nothing][dice.random_range(0..4)];
            let wanted = Wanted { level, muted: dice.random_range(0..5) == 0, ..Wanted::default() };
            let told =
                come(&mut here, room, Badge { wanted, ..counted(unread, mentions, read, 4, head) }, &rows);
            let explained = rows.iter().map(|row| (row.clone(), here.session.explain(room, row).unwrap()));
            decided.extend(explained.inspect(|(row, (why, known))| {
                let tells = matches!(why, Why::NamesYou | Why::NamesAll | Why::Everything);
                assert_ne!(*known, Known::Settings, "it was decided");
                assert_eq!(told.contains(&row.ordinal), *known == Known::Decided && tells, "{row:?} {why:?}");
                yes += u32::from(told.contains(&row.ordinal));
                no += u32::from(!told.contains(&row.ordinal));
                other_tab += u32::from(*known == Known::OtherTab);
            }));
        }
        for (row, explained) in decided.iter().filter(|(_, (_, known))| *known == Known::Decided) {
            assert_eq!(here.session.explain(room, row), Some(*explained), "{row:?}, later");
        }
    }
    assert!(yes > 200 && no > 200 && other_tab > 50, "{yes} {no} {other_tab}");
}
