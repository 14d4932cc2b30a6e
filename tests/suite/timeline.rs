//! Property tests of the timeline against a naive interpreter.
//!
//! Random schedules: events reordered, doubled, lost and fetched again, pages mixed with events, local echoes
//! confirmed by page and by event, refusals, voids, resets. Each kind is counted, and each count must be above 0.
//! BECK_SCHEDULES sets how many (10,000).

use crate::support::room_log::{Counts, Log, line_of, naive};
use beck::protocol::frame::{Answer, Draft};
use beck::protocol::{AccountId, ClientId, EventBody, Kind, MessageBody, Outcome, Refusal};
use beck::timeline::{Applied, Echo, EchoState, Item, Mark, MarkKind, Paged, Timeline, items};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const KINDS: [&str; 13] = [
    "in order",
    "early",
    "doubled",
    "lost and fetched",
    "page as of the cursor",
    "page ahead of the cursor",
    "stale page",
    "echo confirmed by event",
    "echo confirmed by page",
    "ack before the event",
    "refused",
    "voided",
    "reset",
];

fn schedule(seed: u64, counts: &mut Counts) {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut next_id = seed << 20;
    let mut new_id = || {
        next_id += 1;
        ClientId::from_number(next_id)
    };
    let people = [AccountId::random(), AccountId::random(), AccountId::random()];
    let me = people[0];
    let mut log = Log::new(people);
    for n in 0..dice.random_range(1..30) {
        log.push_random(&mut dice, new_id(), &format!("text {n}"));
    }
    let start = dice.random_range(0..=log.events.len());
    let mut timeline = Timeline::from_page(&log.page(start, 1, u64::MAX));
    let (mut expected, mut ended): (Vec<ClientId>, Vec<ClientId>) = (Vec::new(), Vec::new());
    for step in 0..dice.random_range(5..40) {
        let cursor = timeline.cursor().seq as usize;
        let end = log.events.len();
        match dice.random_range(0..13) {
            0..=2 if cursor < end => {
                assert_eq!(timeline.apply(&log.events[cursor]), Applied::Advanced);
                counts.count("in order");
            }
            3 if cursor + 1 < end => {
                let early = dice.random_range(cursor + 1..end);
                let applied = timeline.apply(&log.events[early]);
                let Applied::Ahead { after, to } = applied else { panic!("{seed}: {applied:?}") };
                counts.count("early");
                if dice.random_bool(0.7) {
                    for event in &log.events[after as usize..to as usize] {
                        assert_eq!(timeline.apply(event), Applied::Advanced);
                    }
                    counts.count("lost and fetched");
                }
            }
            4 if cursor > 0 => {
                let old = dice.random_range(0..cursor);
                assert_eq!(timeline.apply(&log.events[old]), Applied::Old, "{seed}");
                counts.count("doubled");
            }
            5 => {
                let seq = dice.random_range(cursor..=end);
                assert_eq!(timeline.take_page(&log.page(seq, 1, u64::MAX)), Paged::Taken, "{seed}");
                let ahead = seq > cursor;
                counts.count(if ahead { "page ahead of the cursor" } else { "page as of the cursor" });
            }
            6 if cursor > 0 => {
                let seq = dice.random_range(0..cursor);
                assert_eq!(timeline.take_page(&log.page(seq, 1, u64::MAX)), Paged::Stale);
                counts.count("stale page");
            }
            7..=9 => {
                let id = new_id();
                let text = format!("own {step}");
                let draft = Draft {
                    id,
                    room: log.room,
                    thread: None,
                    quote: None,
                    text: text.clone(),
                    named: Default::default(),
                };
                timeline.echo(Echo { draft, at: 1, state: EchoState::Sending });
                assert!(timeline.echoes().iter().any(|echo| echo.draft.id == id));
                match dice.random_range(0..5) {
                    0 => {
                        timeline.answered(id, Outcome::Refused { why: Refusal::Archived });
                        expected.push(id);
                        counts.count("refused");
                    }
                    1 => {
                        timeline.answered(id, Outcome::Refused { why: Refusal::Void });
                        timeline.drop_echo(id);
                        ended.push(id);
                        counts.count("voided");
                    }
                    how => {
                        let body = MessageBody { text, quote: None, said: None };
                        log.push(me, Kind::Message, id, None, Some(EventBody::Message(body)));
                        let seq = log.events.len();
                        if dice.random_bool(0.5) {
                            let outcome = Outcome::Stored { g: 1, seq: Some(seq as u64), ordinal: Some(1) };
                            let passed = timeline.cursor().seq as usize >= seq;
                            timeline.answered(id, outcome);
                            assert!(passed || timeline.echoes().iter().any(|echo| echo.draft.id == id));
                            counts.count("ack before the event");
                        }
                        if how == 2 {
                            assert_eq!(timeline.take_page(&log.page(seq, 1, u64::MAX)), Paged::Taken);
                            counts.count("echo confirmed by page");
                        } else {
                            let cursor = timeline.cursor().seq as usize;
                            for event in &log.events[cursor..] {
                                assert!(matches!(timeline.apply(event), Applied::Advanced | Applied::Old));
                            }
                            counts.count("echo confirmed by event");
                        }
                        assert!(timeline.echoes().iter().all(|echo| echo.draft.id != id), "{seed}");
                        ended.push(id);
                    }
                }
            }
            10 if cursor > 1 => {
                // A copy of an older time was restored and went on otherwise.
                log.events.truncate(dice.random_range(0..cursor));
                let kept = log.events.len();
                while log.events.len() <= cursor {
                    let id = new_id();
                    log.push_random(&mut dice, id, "written after the loss");
                }
                let found = log.events[kept..].iter().any(|e| timeline.apply(e) == Applied::Rewritten);
                assert!(found, "{seed}: a rewritten log went unnoticed");
                assert!(!timeline.agrees_with(&log.position(kept)));
                timeline.reset(&log.page(log.events.len(), 1, u64::MAX));
                counts.count("reset");
            }
            _ => log.push_random(&mut dice, new_id(), &format!("later {step}")),
        }
    }
    // All is quiet: what is missing is fetched, then everyone agrees.
    for event in &log.events[timeline.cursor().seq as usize..] {
        assert!(matches!(timeline.apply(event), Applied::Advanced | Applied::Old), "{seed}");
    }
    let end = log.events.len();
    assert_eq!(timeline.cursor(), log.position(end), "{seed}");
    let lines: Vec<_> = timeline.rows().map(|row| line_of(row)).collect();
    assert_eq!(lines, naive::lines(&log.events), "seed {seed}");
    let left: Vec<_> = timeline.echoes().iter().map(|echo| echo.draft.id).collect();
    assert_eq!(left, expected, "seed {seed}: just the refused ones are left");
    assert!(ended.iter().all(|id| !left.contains(id)));
    assert_eq!((timeline.hole(), timeline.missing()), (None, None));
}

#[test]
fn random_schedules_end_as_the_naive_interpreter_says() {
    let schedules = std::env::var("BECK_SCHEDULES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let mut counts = Counts::default();
    for seed in 0..schedules {
        schedule(seed, &mut counts);
    }
    println!("{counts:?}");
    counts.assert_all(&KINDS);
}

#[test]
fn a_gap_between_pages_is_a_hole_until_it_is_filled() {
    let people = [AccountId::random(), AccountId::random(), AccountId::random()];
    let mut log = Log::new(people);
    for n in 0..60 {
        let body = MessageBody { text: format!("{n}"), quote: None, said: None };
        let body = Some(EventBody::Message(body));
        log.push(people[0], Kind::Message, ClientId::from_number(n + 1), None, body);
    }
    let mut timeline = Timeline::from_page(&log.page(60, 51, 60));
    timeline.take_page(&log.page(60, 21, 30));
    assert_eq!(timeline.hole(), Some((31, 50)));
    timeline.take_page(&log.page(60, 31, 50));
    assert_eq!(timeline.hole(), None);
    timeline.trim(10, false);
    assert_eq!(timeline.window(), Some((21, 30)));
    assert!(!timeline.at_newest());
    // A live row does not join a window that ends before it.
    let body = Some(EventBody::Message(MessageBody { text: "live".into(), quote: None, said: None }));
    log.push(people[1], Kind::Message, ClientId::from_number(99), None, body);
    assert_eq!(timeline.apply(&log.events[60]), Applied::Advanced);
    assert_eq!((timeline.window(), timeline.head()), (Some((21, 30)), 61));
}

#[test]
fn the_line_above_what_is_new_bears_the_time_of_the_first_new_row_of_others() {
    let (me, lena) = (AccountId::random(), AccountId::random());
    let people = [me, lena, AccountId::random()];
    let mut log = Log::new(people);
    for (n, by) in (1..).zip([lena, lena, me, lena, lena]) {
        let body = Some(EventBody::Message(MessageBody { text: format!("{n}"), quote: None, said: None }));
        log.push(by, Kind::Message, ClientId::from_number(n), None, body);
    }
    let timeline = Timeline::from_page(&log.page(5, 1, 5));
    assert_eq!(timeline.rows().len(), 5);
    let lines = |after| {
        let mark = |after, what| Mark { after, what };
        let marks = [mark(after, MarkKind::New), mark(1, MarkKind::CaughtUp { missed: 4 })];
        let name = |item| match item {
            Item::Day(_) => "day".to_owned(),
            Item::Row { row, .. } => row.ordinal.to_string(),
            Item::New { at } => format!("new {at}"),
            Item::CaughtUp { missed } => format!("caught up {missed}"),
            other => panic!("{other:?}"),
        };
        items(&timeline, &marks, me, 0).into_iter().map(name).collect::<Vec<_>>().join(", ")
    };
    // The log gives the n-th event the time 999,999 + n.
    assert_eq!(lines(1), "day, 1, caught up 4, new 1000001, 2, 3, 4, 5");
    assert_eq!(lines(2), "day, 1, caught up 4, 2, 3, new 1000003, 4, 5");
    assert_eq!(lines(5), "day, 1, caught up 4, 2, 3, 4, 5");
}

#[test]
fn drafts_stand_in_the_order_of_writing_and_say_if_they_wait_behind_one_that_needs_its_author() {
    let me = AccountId::random();
    let mut log = Log::new([me, AccountId::random(), AccountId::random()]);
    let root = ClientId::from_number(1);
    let body = Some(EventBody::Message(MessageBody { text: "a root".into(), quote: None, said: None }));
    log.push(me, Kind::Message, root, None, body);
    let mut timeline = Timeline::from_page(&log.page(1, 1, 1));
    let failed = EchoState::Failed { why: "too long".into() };
    let thread = Some(Answer { to: root, also: true });
    let drafts = [
        ("third", 3, None, EchoState::Waiting),
        ("first", 1, None, failed.clone()),
        ("fifth", 5, thread, EchoState::Waiting),
        ("second", 2, None, EchoState::Lost),
        ("fourth", 4, thread, EchoState::Lost),
    ];
    for (text, at, thread, state) in drafts {
        let id = ClientId::random();
        let draft =
            Draft { id, room: log.room, thread, quote: None, text: text.into(), named: Default::default() };
        timeline.echo(Echo { draft, at, state });
    }
    let shown = items(&timeline, &[], me, 0).into_iter().filter_map(|item| match item {
        Item::Echo { echo, .. } => Some((echo.draft.text, echo.state)),
        _ => None,
    });
    let right = [
        ("first", failed),
        ("second", EchoState::Lost),
        ("third", EchoState::Behind),
        ("fourth", EchoState::Lost),
        ("fifth", EchoState::Waiting),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), right.map(|(text, state)| (text.to_owned(), state)));
}
