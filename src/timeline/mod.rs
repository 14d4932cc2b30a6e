//! One lane of one room as a reader holds it: events, pages and local echoes become rows.
//!
//! Pure: no clock, no socket, no store. [`Timeline::apply`] moves the cursor only to the next event whose
//! chain continues the cursor's; anything else is old, ahead or rewritten, and says so.

mod acts;
mod echo;
mod items;
mod window;

pub use acts::{ActEcho, ActState};
pub use echo::{Echo, EchoState};
pub use items::{Item, Mark, MarkKind, items};

use crate::protocol::bounds::RESTORE_MS;
use crate::protocol::{
    AccountId, ClientId, Event, EventBody, Hash, Kind, Outcome, Page, Position, Quote, Row, Tombstone,
};
use crate::text::first_line;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// Events that came too early are held up to here; beyond it they are fetched again anyway.
const AHEAD_EVENTS: usize = 1_000;
/// Chains of the events just passed, so that an old event of another log is told from a doubled one.
const RECENT_CHAINS: usize = 1_000;
const QUOTE_CHARS: usize = 140;

/// What an event did to the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The cursor moved, by this event and any that were waiting for it.
    Advanced,
    /// Already counted; nothing changed.
    Old,
    /// It is held. Events `after < seq <= to` are missing: fetch them.
    Ahead { after: u64, to: u64 },
    /// It is of another log than what is held: load the room again.
    Rewritten,
}

/// What a page did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paged {
    Taken,
    /// It is as of an older position than the cursor: ask again, naming the cursor.
    Stale,
    /// It is of another log: load the room again.
    Rewritten,
}

/// A reader's copy of one lane: a window of rows, a cursor, and what is being sent.
#[derive(Debug, Clone)]
pub struct Timeline {
    lane: u64,
    cursor: Position,
    /// The newest ordinal of the lane as of the cursor, or of a page that is ahead of it.
    head: u64,
    /// By ordinal. Missing ordinals in between are holes.
    rows: BTreeMap<u64, Arc<Row>>,
    ordinals: HashMap<ClientId, u64>,
    quotes: BTreeMap<ClientId, Quote>,
    ahead: BTreeMap<u64, Arc<Event>>,
    recent: VecDeque<(u64, Hash)>,
    /// Positions of pages that are ahead of the cursor: it must pass through each of them.
    promised: BTreeMap<u64, Hash>,
    echoes: Vec<Echo>,
    acts: Vec<ActEcho>,
}

impl Timeline {
    /// Begins with a page: the window is its rows, the cursor its position.
    pub fn from_page(page: &Page) -> Timeline {
        let mut timeline = Timeline {
            lane: page.lane,
            cursor: page.as_of,
            head: page.head,
            rows: BTreeMap::new(),
            ordinals: HashMap::new(),
            quotes: BTreeMap::new(),
            ahead: BTreeMap::new(),
            recent: VecDeque::from([(page.as_of.seq, page.as_of.chain)]),
            promised: BTreeMap::new(),
            echoes: Vec::new(),
            acts: Vec::new(),
        };
        timeline.take_rows(page);
        timeline
    }

    /// Begins again with a page after a reset. What is being sent stays.
    pub fn reset(&mut self, page: &Page) {
        let (echoes, acts) = (std::mem::take(&mut self.echoes), std::mem::take(&mut self.acts));
        *self = Timeline::from_page(page);
        // The ack of an act names a place in a log that may be gone; what it did is in the page, or is done again.
        self.acts = acts.into_iter().filter(|echo| !matches!(echo.state, ActState::Stored { .. })).collect();
        self.echoes = echoes;
        for echo in &mut self.echoes {
            echo.forget_ack();
        }
        self.settle_echoes();
    }

    pub fn lane(&self) -> u64 {
        self.lane
    }

    pub fn cursor(&self) -> Position {
        self.cursor
    }

    /// The lane's newest ordinal that is known of.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Loaded rows, oldest first.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &Arc<Row>> + ExactSizeIterator + '_ {
        self.rows.values()
    }

    pub fn row(&self, id: ClientId) -> Option<&Arc<Row>> {
        self.rows.get(self.ordinals.get(&id)?)
    }

    pub fn row_at(&self, ordinal: u64) -> Option<&Arc<Row>> {
        self.rows.get(&ordinal)
    }

    /// A message as others quote it, if it is known here.
    pub fn quote(&self, id: ClientId) -> Option<Quote> {
        self.quotes.get(&id).cloned().or_else(|| self.row(id).map(|row| quote_of(row)))
    }

    pub fn echoes(&self) -> &[Echo] {
        &self.echoes
    }

    /// Ordinals of the oldest and newest loaded rows.
    pub fn window(&self) -> Option<(u64, u64)> {
        Some((*self.rows.first_key_value()?.0, *self.rows.last_key_value()?.0))
    }

    /// Whether the newest row of the lane is loaded (an empty lane counts).
    pub fn at_newest(&self) -> bool {
        self.window().map_or(self.head == 0, |(_, newest)| newest == self.head)
    }

    /// The first hole between loaded rows, as ordinals `from..=to`.
    pub fn hole(&self) -> Option<(u64, u64)> {
        let mut before: Option<u64> = None;
        for &ordinal in self.rows.keys() {
            if let Some(before) = before
                && ordinal > before + 1
            {
                return Some((before + 1, ordinal - 1));
            }
            before = Some(ordinal);
        }
        None
    }

    /// The events that are missing between the cursor and what came early.
    pub fn missing(&self) -> Option<(u64, u64)> {
        let first = *self.ahead.first_key_value()?.0;
        Some((self.cursor.seq, first - 1))
    }

    /// Takes one event of the room, in any order and any number of times.
    pub fn apply(&mut self, event: &Arc<Event>) -> Applied {
        if event.seq <= self.cursor.seq {
            let known = self.recent.iter().rev().find(|(seq, _)| *seq == event.seq);
            return match known {
                Some((_, chain)) if *chain != event.chain => Applied::Rewritten,
                _ => Applied::Old,
            };
        }
        if event.seq > self.cursor.seq + 1 {
            if self.ahead.len() < AHEAD_EVENTS {
                self.ahead.insert(event.seq, event.clone());
            }
            let to = self.ahead.first_key_value().map_or(event.seq, |(seq, _)| *seq) - 1;
            return Applied::Ahead { after: self.cursor.seq, to };
        }
        let mut next = event.clone();
        loop {
            if !self.step(&next) {
                return Applied::Rewritten;
            }
            match self.ahead.remove(&(self.cursor.seq + 1)) {
                Some(waiting) => next = waiting,
                None => break,
            }
        }
        self.settle_echoes();
        self.settle_acts();
        Applied::Advanced
    }

    /// One step of the cursor; `false` if the event does not continue it.
    fn step(&mut self, event: &Event) -> bool {
        let chain = self.cursor.chain.then(&event.header);
        let promised = self.promised.remove(&event.seq);
        if chain != event.chain || promised.is_some_and(|promised| promised != chain) {
            return false;
        }
        self.cursor.seq = event.seq;
        self.cursor.chain = chain;
        if event.header.kind == Kind::Act {
            self.drop_act(event.header.client_id);
        }
        self.erase(event);
        self.recent.push_back((event.seq, chain));
        if self.recent.len() > RECENT_CHAINS {
            self.recent.pop_front();
        }
        if let Some(row) = Row::of(event) {
            if let Some(root) = event.answers().and_then(|place| self.by_seq(place.lane)) {
                Arc::make_mut(root).answered(event);
            }
            if let Some(row) = row.seen_from(self.lane) {
                self.take_live_row(row);
            }
        } else if let Some(target) = event.header.target.as_ref()
            && let Ok(target) = target.as_str().parse()
            && let Some(ordinal) = self.ordinals.get(&target)
            && let Some(row) = self.rows.get_mut(ordinal)
            && event.header.kind == Kind::Act
            && event.seq > row.version
        {
            write(row, event);
            let row = row.clone();
            self.refresh_quote(&row);
        }
        true
    }

    /// Takes away what an `erase` removed, and how these messages are quoted.
    fn erase(&mut self, event: &Event) {
        for id in &event.erased {
            if let Some(row) = self.ordinals.get(id).and_then(|ordinal| self.rows.get_mut(ordinal)) {
                erase_by(row, event);
            }
        }
        for id in erased_texts(event) {
            if let Some(quote) = self.quotes.get_mut(id) {
                quote.text = None;
            }
        }
    }

    fn by_seq(&mut self, seq: u64) -> Option<&mut Arc<Row>> {
        self.rows.values_mut().find(|row| row.seq == seq)
    }

    /// A new row joins the window only where it is the next one of it: elsewhere it is loaded when asked for. A page that
    /// is ahead of the cursor may have told of it before.
    fn take_live_row(&mut self, row: Row) {
        let newest = self.window().map_or(0, |(_, newest)| newest);
        self.head = self.head.max(row.ordinal);
        if row.ordinal == newest + 1 {
            self.insert(Arc::new(row));
        }
    }

    fn insert(&mut self, row: Arc<Row>) {
        if let Some(quoted) = row.quote
            && !self.quotes.contains_key(&quoted)
            && let Some(target) = self.row(quoted)
        {
            let quote = quote_of(target);
            self.quotes.insert(quoted, quote);
        }
        self.ordinals.insert(row.id, row.ordinal);
        self.rows.insert(row.ordinal, row);
    }

    fn refresh_quote(&mut self, row: &Row) {
        if let Some(quote) = self.quotes.get_mut(&row.id) {
            *quote = quote_of(row);
        }
    }

    /// Compares the server's head with the cursor: `true` if they can be of one log.
    pub fn agrees_with(&self, head: &Position) -> bool {
        if head.epoch != self.cursor.epoch || head.seq < self.cursor.seq {
            return false;
        }
        head.seq > self.cursor.seq || head.chain == self.cursor.chain
    }

    /// Shows a draft before it is stored, in the order of writing. A second echo of one draft changes nothing.
    pub fn echo(&mut self, echo: Echo) {
        let known = self.echoes.iter().any(|mine| mine.draft.id == echo.draft.id);
        if !known && !self.ordinals.contains_key(&echo.draft.id) {
            let before = self.echoes.iter().rposition(|other| other.at <= echo.at);
            self.echoes.insert(before.map_or(0, |at| at + 1), echo);
        }
    }

    /// What became of a draft. An ack changes a mark only: place and cursor move with the event.
    pub fn answered(&mut self, id: ClientId, outcome: Outcome) {
        if let Some(echo) = self.echoes.iter_mut().find(|echo| echo.draft.id == id) {
            echo.answered(outcome);
        }
        self.settle_echoes();
    }

    /// Marks an echo as being sent, waiting, or not sent.
    pub fn mark(&mut self, id: ClientId, state: EchoState) {
        if let Some(echo) = self.echoes.iter_mut().find(|echo| echo.draft.id == id) {
            echo.state = state;
        }
    }

    /// Takes an echo away: discarded, or taken back for editing.
    pub fn drop_echo(&mut self, id: ClientId) {
        self.echoes.retain(|echo| echo.draft.id != id);
    }

    /// An echo ends when its row is loaded, or when the cursor has passed the place that its ack named.
    fn settle_echoes(&mut self) {
        let (ordinals, seq) = (&self.ordinals, self.cursor.seq);
        self.echoes.retain(|echo| {
            let passed = matches!(echo.state, EchoState::Stored { seq: at } if at <= seq);
            !passed && !ordinals.contains_key(&echo.draft.id)
        });
    }
}

/// The messages whose texts an `erase` removed; one of earlier texts leaves the text that stands.
pub fn erased_texts(event: &Event) -> &[ClientId] {
    match &event.body {
        Some(EventBody::Other(body)) if body.get("earlier").is_some() => &[],
        _ => &event.erased,
    }
}

/// Writes the slot that an act names. A deletion of format 5, whose event has a salt, can be taken back.
pub fn write(row: &mut Arc<Row>, event: &Event) {
    let row = Arc::make_mut(row);
    let before = row.deleted.clone();
    row.write(event);
    if let Some(deleted) = &mut row.deleted {
        let until = event.salt.as_ref().map(|_| event.header.at.saturating_add(RESTORE_MS));
        deleted.until = deleted_until(before, event.header.author, until);
    }
}

/// Until when a message can be restored that somebody deletes now: only by who made the first deletion, in its time, and
/// if nobody else has deleted the message since.
fn deleted_until(before: Option<Tombstone>, by: AccountId, until: Option<i64>) -> Option<i64> {
    match before {
        None => until,
        Some(first) if first.by == by => first.until,
        Some(_) => None,
    }
}

/// Takes the text of a message away, with what belongs to it.
pub fn erase(row: &mut Arc<Row>) {
    let row = Arc::make_mut(row);
    (row.text, row.added, row.proof) = (None, None, None);
    (row.quote, row.said) = (None, None);
}

/// Takes away what an `erase` removed of a row.
pub fn erase_by(row: &mut Arc<Row>, event: &Event) {
    if !event.erased.contains(&row.id) {
        return;
    }
    if erased_texts(event).contains(&row.id) {
        erase(row);
    } else if row.added.is_none() && (row.quote.is_some() || row.said.is_some()) {
        // Of its earlier texts: what does not stand in the added part stood in one of them. A restore gives it back.
        let row = Arc::make_mut(row);
        (row.quote, row.said) = (None, None);
    }
}

/// A row as others quote it: its first line without markup, 140 characters at most.
pub fn quote_of(row: &Row) -> Quote {
    let text = row.text.as_ref().map(|text| first_line(text, QUOTE_CHARS));
    Quote { author: row.author, lane: row.lane, ordinal: row.ordinal, text }
}
