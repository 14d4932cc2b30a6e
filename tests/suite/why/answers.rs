//! Answers in threads that one follows: who is told of which, once, where it leads, and when it goes again.

use super::disturb;
use crate::beside::{LANE, beside};
use crate::notices::{allowed, told};
use crate::reading::{Here, counted, row};
use beck::client::{Effect, Input, Known, Lane, Permission, Why};
use beck::protocol::frame::{Person, Role};
use beck::protocol::{Badge, ClientFrame, ErrorCode, Level, Place, RoomId, Row, ServerFrame, Thread, Wanted};
use std::sync::Arc;

/// An answer at this seq of the room.
fn answer((lane, ordinal): (u64, u64), seq: u64, text: &str) -> Arc<Row> {
    Arc::new(Row { lane, seq, version: seq, ..Row::clone(&row(ordinal, text)) })
}

/// What a badge says of threads: how many answers are unread, how many name one, the newest one's seq.
fn threads(threads: u32, thread_mentions: u32, newest_answer: u64) -> Badge {
    Badge { threads, thread_mentions, newest_answer, ..counted(0, 0, 10, 4, 10) }
}

fn asked(effects: &[Effect]) -> Vec<(u64, RoomId, u64)> {
    let asked = |effect: &Effect| match effect {
        Effect::Send(ClientFrame::Answers { req, room, after }) => Some((*req, *room, *after)),
        _ => None,
    };
    effects.iter().filter_map(asked).collect()
}

/// What is asked for is given: of these rows those after the seq, and then who wrote them.
fn give(here: &mut Here, effects: &[Effect], rows: &[Arc<Row>]) -> Vec<Effect> {
    let mut out = Vec::new();
    for (req, room, after) in asked(effects) {
        let rows: Vec<_> = rows.iter().filter(|row| row.seq > after).cloned().collect();
        let handle = |row: &Arc<Row>| row.author.to_string();
        let person = |row: &Arc<Row>| Person {
            id: row.author,
            name: "Bo".into(),
            handle: handle(row),
            role: Role::Member,
        };
        let people = rows.iter().map(person).collect();
        out.extend(here.give(Input::Frame(ServerFrame::Answers { req, room, rows })));
        out.extend(here.give(Input::Frame(ServerFrame::People { people })));
    }
    out
}

/// A badge of the other room comes, and the answers that are asked for then. Gives the places that were told of.
fn come(here: &mut Here, badge: Badge, rows: &[Arc<Row>]) -> Vec<(u64, u64)> {
    let other = here.other;
    let mut effects = here.badge(other, badge);
    let answered = give(here, &effects, rows);
    effects.extend(answered);
    told(effects).into_iter().map(|notice| (notice.at.lane, notice.ordinal)).collect()
}

fn closed(effects: &[Effect]) -> Vec<(u64, u64)> {
    let closed = |effect: &Effect| match effect {
        Effect::CloseNotices { at, to } if at.lane != 0 => Some((at.lane, *to)),
        _ => None,
    };
    effects.iter().filter_map(closed).collect()
}

type Arrange = fn(&mut Here);

#[test]
fn an_answer_in_a_followed_thread_is_told_as_by_the_level_of_the_room() {
    let nothing: Arrange = |_| {};
    let table: [(Arrange, Level, bool, &str, Why, Known); 13] = [
        (nothing, Level::All, false, "hello", Why::Everything, Known::Decided),
        (nothing, Level::All, false, "@me", Why::NamesYou, Known::Decided),
        (nothing, Level::Mentions, false, "hello", Why::NotNamed, Known::Decided),
        (nothing, Level::Mentions, false, "@me", Why::NamesYou, Known::Decided),
        (nothing, Level::Mentions, false, "@room", Why::NamesAll, Known::Decided),
        (nothing, Level::Nothing, false, "@me", Why::Nothing, Known::Decided),
        (nothing, Level::All, true, "@me", Why::Muted, Known::Decided),
        (
            |here| drop(here.give(Input::Permission(Permission::Ask))),
            Level::All,
            false,
            "hello",
            Why::Off,
            Known::Decided,
        ),
        (|here| disturb(here, None), Level::All, false, "@me", Why::Disturb, Known::Decided),
        (|here| disturb(here, None), Level::Mentions, false, "hello", Why::NotNamed, Known::Decided),
        (
            |here| drop(here.give(Input::Sender(false))),
            Level::All,
            false,
            "hello",
            Why::Everything,
            Known::OtherTab,
        ),
        // To look at the room is not to look at its threads.
        (
            |here| drop(here.give(Input::Look { room: here.other, at: None })),
            Level::All,
            false,
            "hello",
            Why::Everything,
            Known::Decided,
        ),
        (
            |here| drop(here.give(Input::Attending(false))),
            Level::Mentions,
            false,
            "@me",
            Why::NamesYou,
            Known::Decided,
        ),
    ];
    for (index, (arrange, level, muted, text, why, known)) in table.into_iter().enumerate() {
        let mut here = allowed();
        arrange(&mut here);
        let new = answer((3, 5), 70, text);
        let named = u32::from(text != "hello");
        let badge = Badge { wanted: Wanted { level, muted, ..Wanted::default() }, ..threads(1, named, 70) };
        let places = come(&mut here, badge, std::slice::from_ref(&new));
        let tells = known == Known::Decided && matches!(why, Why::NamesYou | Why::NamesAll | Why::Everything);
        assert_eq!(places, if tells { vec![(3, 5)] } else { Vec::new() }, "{index}: {text}");
        let at = Lane { room: here.other, lane: 3 };
        assert_eq!(here.session.explain(at, &new), Some((why, known)), "{index}: {text}");
        // The same badge again, read and unread again: nothing is told twice.
        here.give(Input::Sender(true));
        let back = Badge { wanted: badge.wanted, ..threads(0, 0, 0) };
        assert!(
            come(&mut here, back, &[]).is_empty() && come(&mut here, badge, &[new]).is_empty(),
            "{index}"
        );
    }
}

#[test]
fn it_names_its_author_and_leads_to_its_thread_and_many_are_one() {
    let mut here = allowed();
    let other = here.other;
    let effects = here.badge(other, Badge { wanted: all(), ..threads(2, 0, 71) });
    assert_eq!(
        asked(&effects).iter().map(|(_, room, after)| (*room, *after)).collect::<Vec<_>>(),
        [(other, 0)]
    );
    let rows = [answer((3, 5), 70, "one"), answer((9, 1), 71, "two")];
    let notices = told(give(&mut here, &effects, &rows));
    let lane = |lane| Lane { room: other, lane };
    assert_eq!(
        notices.iter().map(|n| (n.at, n.ordinal, n.title.as_str(), n.body.as_str())).collect::<Vec<_>>(),
        [(lane(3), 5, "Bo in a thread in Other", "one"), (lane(9), 1, "Bo in a thread in Other", "two")]
    );
    let rows: Vec<_> = (0..4).map(|n| answer((3 + n, 6), 72 + n, "more")).collect();
    let effects = here.badge(other, Badge { wanted: all(), ..threads(6, 0, 75) });
    let notices = told(give(&mut here, &effects, &rows));
    assert_eq!(
        notices.iter().map(|n| (n.at, n.ordinal, n.title.as_str())).collect::<Vec<_>>(),
        [(lane(3), 6, "4 new messages in threads in Other")]
    );
    // A click leads to it.
    here.give(Input::Open { at: lane(9), ordinal: 1 });
    assert_eq!(here.session.notices.opened, Some((lane(9), 1, 1)));
}

fn all() -> Wanted {
    Wanted { level: Level::All, ..Wanted::default() }
}

#[test]
fn nothing_is_told_of_a_thread_that_one_looks_at() {
    let (mut looking, mut telling) = (0, 0);
    for (arrange, lane, seen) in [
        (Input::Attending(true), LANE, true),
        (Input::Attending(true), 98, false),
        (Input::Attending(false), LANE, false),
        (Input::Pinned(LANE, false), LANE, false),
        // That the room is scrolled up is no matter of the thread.
        (Input::Pinned(0, false), LANE, true),
        (Input::LookAtThread(None), LANE, false),
    ] {
        let mut beside = beside();
        beside.give(Input::Permission(Permission::Granted));
        let what = format!("{arrange:?} {lane}");
        beside.give(arrange);
        let room = beside.here.room;
        let new = answer((lane, 4), 101, "hello");
        let badge = Badge { wanted: all(), threads: 1, newest_answer: 101, ..counted(0, 0, 100, 0, 100) };
        let effects = beside.here.badge(room, badge);
        let notices = told(give(&mut beside.here, &effects, std::slice::from_ref(&new)));
        assert_eq!(notices.is_empty(), seen, "{what}");
        let why = if seen { Why::Looking } else { Why::Everything };
        assert_eq!(
            beside.here.session.explain(Lane { room, lane }, &new),
            Some((why, Known::Decided)),
            "{what}"
        );
        looking += u32::from(seen);
        telling += u32::from(!seen);
    }
    assert_eq!((looking, telling), (2, 4));
}

#[test]
fn what_stands_in_the_room_too_is_told_once_and_not_to_one_who_looks_at_its_thread() {
    for seen in [false, true] {
        let mut beside = beside();
        beside.give(Input::Permission(Permission::Granted));
        beside.give(Input::Pinned(0, false));
        beside.give(Input::Pinned(LANE, seen));
        let (room, at) = (beside.here.room, beside.at());
        // As the room has it, and as the thread has it.
        let also = Place { lane: LANE, ordinal: 4 };
        let both = Arc::new(Row { also: Some(also), ..Row::clone(&row(101, "for all")) });
        let also = Some(Place { lane: 0, ordinal: 101 });
        let there = Row { lane: LANE, ordinal: 4, also, ..Row::clone(&both) };
        let mut effects = beside.here.badge(room, Badge { wanted: all(), ..counted(1, 0, 100, 0, 101) });
        assert!(asked(&effects).is_empty(), "no thread has news of it");
        let (req, ..) = crate::notices::asked(&effects).expect("the room is asked");
        let as_of = beside.here.session.current().unwrap().cursor();
        let page = beck::protocol::Page {
            room,
            lane: 0,
            as_of,
            head: 101,
            rows: vec![both.clone()],
            quotes: Default::default(),
        };
        effects.extend(beside.give(Input::Frame(ServerFrame::Page { req, page })));
        let people =
            vec![Person { id: both.author, name: "Bo".into(), handle: "bo".into(), role: Role::Member }];
        effects.extend(beside.give(Input::Frame(ServerFrame::People { people })));
        let places: Vec<_> = told(effects).iter().map(|notice| (notice.at.lane, notice.ordinal)).collect();
        assert_eq!(places, if seen { Vec::new() } else { vec![(0, 101)] });
        let why = Some((if seen { Why::Looking } else { Why::Everything }, Known::Decided));
        assert_eq!(beside.here.session.explain(room, &both), why);
        assert_eq!(beside.here.session.explain(at, &there), why, "wherever one asks");
    }
}

#[test]
fn what_is_read_goes_here_at_once_and_elsewhere_as_far_as_it_was_read() {
    let mut here = allowed();
    let other = here.other;
    let rows = [answer((3, 5), 70, "@me"), answer((3, 6), 71, "@me"), answer((9, 1), 72, "@me")];
    assert_eq!(come(&mut here, threads(3, 3, 72), &rows), [(3, 5), (3, 6), (9, 1)]);
    // Another device read one of them, while another one came that concerns nobody.
    let effects = here.badge(other, threads(2, 2, 72));
    assert_eq!(asked(&effects).iter().map(|(_, _, after)| *after).collect::<Vec<_>>(), [69]);
    assert_eq!(closed(&give(&mut here, &effects, &rows[1..])), [(3, 5)]);
    // The rest of the thread; and then everything.
    let effects = here.badge(other, threads(1, 1, 72));
    assert_eq!(closed(&give(&mut here, &effects, &rows[2..])), [(3, 6)]);
    assert_eq!(closed(&here.badge(other, threads(0, 0, 0))), [(9, 1)]);
    assert!(closed(&here.badge(other, threads(0, 0, 0))).is_empty());
    // More are unread than are given: of older ones it is not known.
    let first = answer((3, 7), 80, "@me");
    come(&mut here, threads(1, 1, 80), std::slice::from_ref(&first));
    here.badge(other, threads(61, 1, 80));
    let effects = here.badge(other, threads(60, 1, 80));
    let many: Vec<_> = (0..50).map(|n| answer((9, 2 + n), 81 + n, "hello")).collect();
    assert!(closed(&give(&mut here, &effects, &many)).is_empty());

    // Read here.
    let mut beside = beside();
    beside.give(Input::Permission(Permission::Granted));
    beside.give(Input::Attending(false));
    let room = beside.here.room;
    let badge = Badge { wanted: all(), threads: 2, newest_answer: 102, ..counted(0, 0, 100, 0, 100) };
    let effects = beside.here.badge(room, badge);
    let rows = [answer((LANE, 4), 101, "one"), answer((LANE, 5), 102, "two")];
    assert_eq!(told(give(&mut beside.here, &effects, &rows)).len(), 2);
    assert_eq!(closed(&beside.give(Input::Seen(LANE, 4))), [(LANE, 4)]);
    assert_eq!(closed(&beside.give(Input::Seen(LANE, 5))), [(LANE, 5)]);
}

/// The other room as it is when the connection comes back: two messages and so many answers are new.
fn away(new_answers: u32) -> Here {
    let mut here = allowed();
    let room = here.other;
    here.badge(room, Badge { wanted: all(), ..threads(0, 0, 0) });
    here.give(Input::Closed(None));
    here.give(Input::Opened);
    let newest_answer = if new_answers == 0 { 0 } else { 73 };
    let badge = Badge { wanted: all(), threads: new_answers, newest_answer, ..counted(2, 1, 10, 4, 12) };
    here.session.rooms[1].badge = badge;
    here
}

#[test]
fn what_came_while_away_is_one_notification_with_the_answers() {
    let mut here = away(2);
    let effects = here.welcome();
    assert!(told(effects.clone()).is_empty(), "the answers are awaited");
    let rows = [answer((3, 5), 70, "hello"), answer((9, 1), 73, "@me")];
    let notices = told(give(&mut here, &effects, &rows));
    let [one] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!(
        (one.title.as_str(), one.body.as_str()),
        ("4 new messages in Other while you were away", "2 name you.")
    );
    assert_eq!((one.at.lane, one.ordinal), (0, 11));
    let at = |lane| Lane { room: here.other, lane };
    assert_eq!(here.session.explain(at(3), &rows[0]), Some((Why::Everything, Known::Decided)));
    // Answers alone: it leads to the first, and goes with it.
    let mut here = away(2);
    here.session.rooms[1].badge = Badge { wanted: all(), ..threads(2, 0, 73) };
    let effects = here.welcome();
    let notices = told(give(&mut here, &effects, &rows));
    assert_eq!(notices.iter().map(|n| (n.at.lane, n.ordinal)).collect::<Vec<_>>(), [(3, 5)]);
    let other = here.other;
    assert_eq!(closed(&here.badge(other, Badge { wanted: all(), ..threads(0, 0, 0) })), [(3, 5)]);
    // What of it cannot be known is told the next time.
    let mut here = away(2);
    let effects = here.welcome();
    let (req, ..) = asked(&effects)[0];
    let (code, message) = (ErrorCode::Unavailable, "not now".to_owned());
    let effects = here.give(Input::Frame(ServerFrame::Error { id: None, req: Some(req), code, message }));
    assert_eq!(told(effects)[0].title, "2 new messages in Other while you were away");
    here.give(Input::Closed(None));
    here.give(Input::Opened);
    let effects = here.welcome();
    let notices = told(give(&mut here, &effects, &rows));
    assert_eq!(
        notices.iter().map(|n| n.title.as_str()).collect::<Vec<_>>(),
        ["2 new messages in Other while you were away"]
    );
    // A cut in between tells what is known.
    let mut here = away(2);
    assert!(told(here.welcome()).is_empty());
    assert_eq!(told(here.give(Input::Closed(None)))[0].title, "2 new messages in Other while you were away");
    assert_eq!(told(away(0).welcome())[0].title, "2 new messages in Other while you were away");
}

#[test]
fn what_is_not_known_is_explained_by_whether_one_follows() {
    let mut beside = beside();
    beside.give(Input::Permission(Permission::Granted));
    let (room, at) = (beside.here.room, beside.at());
    let wanted = beside.here.session.rooms[0].badge;
    let (plain, named) = (answer((LANE, 2), 90, "hello"), answer((LANE, 3), 91, "@me"));
    for (follows, level, of_plain) in [
        (true, Level::All, Why::Everything),
        (true, Level::Mentions, Why::NotNamed),
        (false, Level::All, Why::Unfollowed),
        (false, Level::Mentions, Why::Unfollowed),
        (false, Level::Nothing, Why::Nothing),
    ] {
        beside.here.badge(room, Badge { wanted: Wanted { level, ..Wanted::default() }, ..wanted });
        let root = beside.here.session.thread.as_ref().unwrap().root().unwrap().clone();
        let thread = Thread { lane: LANE, root, follows, badge: counted(0, 0, 3, 0, 3) };
        let (_, effects) = (0, beside.give(Input::LookAtThread(None)));
        drop(effects);
        let effects = beside.give(Input::LookAtThread(Some((LANE, None))));
        let req = effects.iter().find_map(|effect| match effect {
            Effect::Send(ClientFrame::Thread { req, .. }) => Some(*req),
            _ => None,
        });
        beside.give(Input::Frame(ServerFrame::Thread { req: req.unwrap(), room, thread }));
        let of_named = if level == Level::Nothing { Why::Nothing } else { Why::NamesYou };
        let explain = |row| beside.here.session.explain(at, row);
        assert_eq!(explain(&plain), Some((of_plain, Known::Settings)));
        assert_eq!(explain(&named), Some((of_named, Known::Settings)));
    }
}
