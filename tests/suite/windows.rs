//! A reader who holds a part of a room: pages at its edges and elsewhere, trims and jumps, mixed with events.
//!
//! After each step just the rows are loaded that the reader asked for, or that came to the newest end of the window; at
//! the end each is what the naive interpreter says. BECK_SCHEDULES sets how many schedules, a fifth of it (10,000).

use crate::support::room_log::{Counts, Log, line_of, naive};
use beck::protocol::{AccountId, ClientId, Event, Kind};
use beck::timeline::{Applied, Paged, Timeline};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeSet;
use std::sync::Arc;

const KINDS: [&str; 15] = [
    "row joins",
    "row beyond the window",
    "act on a row of the window",
    "act on another row",
    "early",
    "older page",
    "older page ahead of the cursor",
    "newer page",
    "newer page ahead of the cursor",
    "page from elsewhere",
    "hole",
    "hole filled",
    "trimmed at the oldest",
    "trimmed at the newest",
    "jump",
];

struct Reader {
    log: Log,
    timeline: Timeline,
    /// Ordinals that are to be loaded.
    loaded: BTreeSet<u64>,
    /// The newest ordinal that was heard of.
    head: u64,
    /// It was at the newest row, and did nothing to leave it.
    pinned: bool,
}

impl Reader {
    /// Opens a room at its newest rows.
    fn open(log: Log, seq: usize, limit: u64) -> Reader {
        let head = log.events[..seq].iter().filter_map(|event| event.ordinal).max().unwrap_or(0);
        let from = head.saturating_sub(limit) + 1;
        let timeline = Timeline::from_page(&log.page(seq, from, head));
        Reader { log, timeline, loaded: (from..=head).collect(), head, pinned: true }
    }

    fn cursor(&self) -> usize {
        self.timeline.cursor().seq as usize
    }

    fn edges(&self) -> Option<(u64, u64)> {
        Some((*self.loaded.first()?, *self.loaded.last()?))
    }

    fn next_event(&mut self, counts: &mut Counts) {
        let event = self.log.events[self.cursor()].clone();
        assert_eq!(self.timeline.apply(&event), Applied::Advanced);
        self.note(&event, counts);
    }

    /// What an event that was applied does to what is to be loaded.
    fn note(&mut self, event: &Event, counts: &mut Counts) {
        if let Some(ordinal) = event.ordinal {
            let joins = self.loaded.last().map_or(ordinal == 1, |newest| newest + 1 == ordinal);
            if !self.loaded.contains(&ordinal) {
                counts.count(if joins { "row joins" } else { "row beyond the window" });
            }
            if joins {
                self.loaded.insert(ordinal);
            }
            self.head = self.head.max(ordinal);
        } else if event.header.kind == Kind::Act {
            let target = event.header.target.as_ref().unwrap().as_str().parse::<ClientId>().unwrap();
            let of = |event: &&Arc<Event>| event.header.client_id == target;
            let ordinal = self.log.events.iter().find(of).and_then(|event| event.ordinal).unwrap();
            let inside = self.loaded.contains(&ordinal);
            counts.count(if inside { "act on a row of the window" } else { "act on another row" });
        }
    }

    /// Takes a page as of the cursor or of a later position.
    fn take(&mut self, seq: usize, from: u64, to: u64, jump: bool) {
        let page = self.log.page(seq, from, to);
        let paged = if jump { self.timeline.jump(&page) } else { self.timeline.take_page(&page) };
        assert_eq!(paged, Paged::Taken);
        if jump {
            self.loaded.clear();
        }
        self.loaded.extend(page.rows.iter().map(|row| row.ordinal));
        self.head = self.head.max(page.head);
        if jump {
            self.pinned = self.loaded.contains(&self.head);
        }
    }

    fn trim(&mut self, limit: usize, keep_newest: bool) -> bool {
        let before = self.loaded.len();
        while self.loaded.len() > limit {
            if keep_newest {
                self.loaded.pop_first();
            } else {
                self.loaded.pop_last();
                self.pinned = false;
            }
        }
        self.timeline.trim(limit, keep_newest);
        self.loaded.len() < before
    }

    fn holes(&self) -> Option<(u64, u64)> {
        let (oldest, newest) = self.edges()?;
        let from = (oldest..=newest).find(|ordinal| !self.loaded.contains(ordinal))?;
        let to = (from..=newest).find(|ordinal| self.loaded.contains(ordinal))? - 1;
        Some((from, to))
    }

    fn assert_held(&self, seed: u64, what: &str) {
        let held: Vec<_> = self.timeline.rows().map(|row| row.ordinal).collect();
        assert_eq!(held, self.loaded.iter().copied().collect::<Vec<_>>(), "{seed}: {what}");
        assert_eq!(self.timeline.window(), self.edges(), "{seed}: {what}");
        assert_eq!(self.timeline.hole(), self.holes(), "{seed}: {what}");
        assert_eq!(self.timeline.head(), self.head, "{seed}: {what}");
        let at_newest = self.loaded.last().copied().unwrap_or(0) == self.head;
        assert_eq!(self.timeline.at_newest(), at_newest, "{seed}: {what}");
    }
}

fn wander(seed: u64, counts: &mut Counts) {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut next_id = seed << 20;
    let mut more = |log: &mut Log, dice: &mut StdRng, count: usize| {
        for _ in 0..count {
            next_id += 1;
            log.push_random(dice, ClientId::from_number(next_id), &format!("text {next_id}"));
        }
    };
    let mut log = Log::new([AccountId::random(), AccountId::random(), AccountId::random()]);
    let count = dice.random_range(0..60);
    more(&mut log, &mut dice, count);
    let start = dice.random_range(0..=log.events.len());
    let mut reader = Reader::open(log, start, dice.random_range(1..12));
    reader.assert_held(seed, "opened");
    for _ in 0..dice.random_range(5..60) {
        let (cursor, end) = (reader.cursor(), reader.log.events.len());
        let seq = dice.random_range(cursor..=end);
        let lines = reader.log.events[..seq].iter().filter_map(|event| event.ordinal).max().unwrap_or(0);
        let ahead = seq > cursor;
        let size = dice.random_range(1..8);
        let what = match (dice.random_range(0..14), reader.edges()) {
            (0..=3, _) if cursor < end => {
                reader.next_event(counts);
                "event"
            }
            (4, _) if cursor + 1 < end => {
                let early = reader.log.events[dice.random_range(cursor + 1..end)].clone();
                assert!(matches!(reader.timeline.apply(&early), Applied::Ahead { .. }));
                while reader.timeline.cursor().seq < early.seq {
                    reader.next_event(counts);
                }
                // It came with the one before it.
                reader.note(&early, counts);
                counts.count("early");
                "early event"
            }
            (5 | 6, Some((oldest, _))) if oldest > 1 => {
                reader.take(seq, oldest.saturating_sub(size).max(1), oldest - 1, false);
                counts.count(if ahead { "older page ahead of the cursor" } else { "older page" });
                "older page"
            }
            (7, Some((_, newest))) if newest < lines => {
                reader.take(seq, newest + 1, newest + size, false);
                counts.count(if ahead { "newer page ahead of the cursor" } else { "newer page" });
                "newer page"
            }
            (8, Some(_)) if lines > 0 => {
                let from = dice.random_range(1..=lines);
                reader.take(seq, from, from + size, false);
                counts.count("page from elsewhere");
                "page from elsewhere"
            }
            (9, Some(_)) if reader.holes().is_some() => {
                let (from, to) = reader.holes().unwrap();
                reader.take(seq, from, to, false);
                counts.count("hole filled");
                "hole filled"
            }
            (10, Some(_)) => {
                let keep_newest = dice.random();
                if reader.trim(size as usize, keep_newest) {
                    counts.count(if keep_newest { "trimmed at the oldest" } else { "trimmed at the newest" });
                }
                "trimmed"
            }
            (11, _) if lines > 0 => {
                let from = dice.random_range(1..=lines);
                reader.take(seq, from, from + size, true);
                counts.count("jump");
                "jump"
            }
            _ => {
                let count = dice.random_range(1..5);
                more(&mut reader.log, &mut dice, count);
                "more is said"
            }
        };
        if reader.holes().is_some() {
            counts.count("hole");
        }
        reader.assert_held(seed, what);
    }
    while reader.cursor() < reader.log.events.len() {
        reader.next_event(counts);
        reader.assert_held(seed, "at the end");
    }
    assert_eq!(reader.timeline.cursor(), reader.log.position(reader.log.events.len()), "{seed}");
    assert!(!reader.pinned || reader.timeline.at_newest(), "{seed}: it was led away from the newest row");
    let lines = naive::lines(&reader.log.events).into_iter();
    let lines: Vec<_> = lines.filter(|line| reader.loaded.contains(&line.ordinal)).collect();
    let held: Vec<_> = reader.timeline.rows().map(|row| line_of(row)).collect();
    assert_eq!(held, lines, "{seed}");
}

#[test]
fn a_window_holds_what_was_asked_for_and_what_comes_to_its_newest_end() {
    let schedules = std::env::var("BECK_SCHEDULES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let mut counts = Counts::default();
    for seed in 0..schedules / 5 {
        wander(seed, &mut counts);
    }
    println!("{counts:?}");
    counts.assert_all(&KINDS);
}
