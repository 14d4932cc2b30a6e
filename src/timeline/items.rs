//! The lines of the room view: rows with day dividers, groups, holes and echoes between them.

use super::{ActEcho, Echo, EchoState, Timeline};
use crate::protocol::{AccountId, Row};
use std::sync::Arc;

/// Messages of one author this close together stand in one group, in milliseconds.
const GROUP_MS: i64 = 5 * 60 * 1000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const MINUTE_MS: i64 = 60 * 1000;

/// A line between two messages that says what happened there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// It stands below this ordinal.
    pub after: u64,
    pub what: MarkKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    /// What is below was not read when the room was entered.
    New,
    /// So many messages came while this client was away.
    CaughtUp { missed: u64 },
    /// The room was loaded again because the server's log changed; when, by this device's clock.
    Reset { at: i64 },
}

/// One line of the list; its key is unique and never changes for one thing.
#[derive(Debug, Clone)]
pub enum Item {
    /// A day begins; days since 1970 in the reader's zone.
    Day(i64),
    Row {
        /// With what was done to it here.
        row: Arc<Row>,
        /// Whether it begins a group: avatar and name are shown.
        first: bool,
        /// An edit of it that is not stored yet.
        edit: Option<ActEcho>,
    },
    /// What is below was not read when the room was entered; when the first of it was written.
    New {
        at: i64,
    },
    /// So many messages came while this client was away.
    CaughtUp {
        missed: u64,
    },
    /// The room was loaded again because the server's log changed; when, by this device's clock.
    Reset {
        at: i64,
    },
    /// Ordinals `from..=to` are being loaded.
    Hole {
        from: u64,
        to: u64,
    },
    /// Events `from..=to` of the room have not come yet, although later ones have.
    Missing {
        from: u64,
        to: u64,
    },
    Echo {
        echo: Echo,
        first: bool,
    },
}

impl Item {
    pub fn key(&self) -> String {
        match self {
            Item::Day(day) => format!("d:{day}"),
            Item::Row { row, .. } => row.id.to_string(),
            Item::New { .. } => "new".to_owned(),
            Item::CaughtUp { missed } => format!("c:{missed}"),
            Item::Reset { at } => format!("r:{at}"),
            Item::Hole { from, .. } => format!("h:{from}"),
            Item::Missing { .. } => "missing".to_owned(),
            Item::Echo { echo, .. } => echo.draft.id.to_string(),
        }
    }
}

/// Lays out a timeline for `me`, whose clock is `zone` minutes east of UTC. Of each kind of mark there is one at most.
pub fn items(timeline: &Timeline, marks: &[Mark], me: AccountId, zone: i32) -> Vec<Item> {
    let mut items = Vec::with_capacity(timeline.rows.len() + 8);
    let local = |at: i64| at.saturating_add(i64::from(zone) * MINUTE_MS);
    let mut day = None;
    let mut before: Option<&Row> = None;
    let mut new = marks.iter().find(|mark| mark.what == MarkKind::New);
    let line = |mark: &Mark| match mark.what {
        MarkKind::New => None,
        MarkKind::CaughtUp { missed } => Some((mark.after, Item::CaughtUp { missed })),
        MarkKind::Reset { at } => Some((mark.after, Item::Reset { at })),
    };
    let mut marks: Vec<_> = marks.iter().filter_map(line).collect();
    // Two at most.
    if !marks.is_sorted_by_key(|(after, _)| *after) {
        marks.reverse();
    }
    let mut marks = marks.into_iter().peekable();
    for row in timeline.rows() {
        let hole = before.filter(|before| row.ordinal > before.ordinal + 1);
        if let Some(before) = hole {
            items.push(Item::Hole { from: before.ordinal + 1, to: row.ordinal - 1 });
        }
        // Days only ever go forward: a key must not come twice.
        let today = local(row.at).div_euclid(DAY_MS);
        let new_day = day.is_none_or(|day| today > day);
        if new_day {
            items.push(Item::Day(today));
            day = Some(today);
        }
        let mut marked = false;
        while let Some((_, line)) = marks.next_if(|(after, _)| *after < row.ordinal) {
            items.push(line);
            marked = true;
        }
        // What one wrote oneself is not new.
        if new.take_if(|mark| mark.after < row.ordinal && row.author != me).is_some() {
            items.push(Item::New { at: row.at });
            marked = true;
        }
        let continues = before.is_some_and(|before| {
            let apart = before.written().abs_diff(row.written());
            let together = before.imported == row.imported && (!row.imported || apart <= GROUP_MS as u64);
            before.author == row.author && close(before.at, row.at) && together && row.quote.is_none()
        });
        let first = new_day || marked || hole.is_some() || !continues;
        let edit = timeline.edit_of(row.id).cloned();
        items.push(Item::Row { row: timeline.shown(row), first, edit });
        before = Some(row);
    }
    // What is not stored yet stands below everything that is, and events come before it.
    let missing = timeline.missing().filter(|_| timeline.at_newest());
    if let Some((after, to)) = missing {
        items.push(Item::Missing { from: after + 1, to });
    }
    items.extend(marks.map(|(_, line)| line));
    let mut last = before.map(|row| (row.author, row.at));
    let mut held = Vec::new();
    for echo in timeline.echoes() {
        let continues = last.is_some_and(|(author, at)| author == me && close(at, echo.at));
        let first = !continues || echo.draft.quote.is_some();
        last = Some((me, echo.at));
        let (mut echo, lane) = (echo.clone(), echo.draft.thread.map(|answer| answer.to));
        if echo.holds_others() {
            held.push(lane);
        } else if echo.state == EchoState::Waiting && held.contains(&lane) {
            echo.state = EchoState::Behind;
        }
        items.push(Item::Echo { echo, first });
    }
    items
}

fn close(before: i64, after: i64) -> bool {
    after.saturating_sub(before) <= GROUP_MS
}
