//! Whether the texts that are loaded here are those of the log, and whether an event that came is the one of its header.

use super::Session;
use super::links::Links;
use crate::protocol::stored::{Stored, deletes, digest};
use crate::protocol::{
    ActBody, ActValue, Added, Erasable, Event, EventBody, Format, Kind, RoomId, Row, erasable, json,
};
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::Arc;

/// What is known of the text of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextState {
    /// Its bytes give the digest that the chain has, and no later event of the chain says otherwise.
    Checked,
    /// Of a body as formats 1 to 4 have it, and nothing before it in the chain is of format 5.
    Older,
    /// The server sent no proof of it, though it was written when the log had format 5.
    Unproven,
    /// It came after the check, or something that is needed for it is not known here.
    NotChecked,
    /// The event with this seq says otherwise.
    Differs(u64),
    /// It is absent, and an `erase` of the chain names its message.
    Erased,
    /// It is absent, and its message is deleted.
    Deleted,
    /// It is absent, and nothing says why.
    Missing,
}

/// How many of the loaded texts are in which state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    pub checked: usize,
    pub older: usize,
    pub unproven: usize,
    pub not_checked: usize,
    pub differ: usize,
    pub erased: usize,
    pub deleted: usize,
    pub missing: usize,
}

impl Texts {
    /// Texts that are here, checked or not.
    pub fn here(&self) -> usize {
        self.checked + self.older + self.unproven + self.not_checked + self.differ
    }

    fn count(&mut self, state: TextState) {
        match state {
            TextState::Checked => self.checked += 1,
            TextState::Older => self.older += 1,
            TextState::Unproven => self.unproven += 1,
            TextState::NotChecked => self.not_checked += 1,
            TextState::Differs(_) => self.differ += 1,
            TextState::Erased => self.erased += 1,
            TextState::Deleted => self.deleted += 1,
            TextState::Missing => self.missing += 1,
        }
    }
}

/// Whether an event is the one of its header: its stored bytes give the digest, and what it shows is what a reader makes of
/// those bytes. `None` if that cannot be told.
pub(super) fn fits(event: &Event) -> Option<bool> {
    let bytes = event.stored_bytes()?;
    Some(digest(&bytes) == event.header.digest && shows(event, &bytes))
}

/// Whether what an event shows is what a reader makes of these bytes.
fn shows(event: &Event, bytes: &str) -> bool {
    let stored = match erasable(Format::Five, &event.header.kind, event.header.slot.as_ref()) {
        Erasable::IfRestore => {
            let deletion = matches!(&event.body, Some(EventBody::Act(ActBody { value: ActValue::On(true) })));
            return deletes(bytes) == deletion;
        }
        // The bytes were made of what it shows.
        _ if event.stored.is_none() => return true,
        Erasable::Always => Stored::erasable(bytes),
        Erasable::Never => Stored::never_erased(bytes),
    };
    let Stored { draft, added, .. } = stored.unwrap_or(Stored { salt: "", draft: bytes, added: None });
    let body = match event.header.kind {
        Kind::Message => json::read(draft).ok().map(EventBody::Message),
        Kind::Act => act(draft),
        _ => return true,
    };
    event.body == body && event.added == added.map(|added| json::read::<Added>(added).unwrap_or_default())
}

/// The body of an act, as a client reads it.
fn act(draft: &str) -> Option<EventBody> {
    #[derive(Deserialize)]
    struct Act {
        value: serde_json::Value,
    }
    let Act { value } = json::read(draft).ok()?;
    ActValue::of(&value).map(|value| EventBody::Act(ActBody { value }))
}

impl Session {
    /// What is loaded of a room: in its own lane, and in the thread beside it.
    pub(super) fn loaded(&self, room: RoomId) -> Vec<Arc<Row>> {
        let open = self.thread.as_ref().filter(|open| open.at.room == room);
        let thread = open.and_then(|open| open.timeline.as_ref());
        let lanes = self.timelines.get(&room).into_iter().chain(thread);
        let mut rows: Vec<_> = lanes.flat_map(|timeline| timeline.rows()).cloned().collect();
        rows.extend(open.and_then(|open| open.root()).cloned());
        let mut seen = HashSet::new();
        rows.retain(|row| seen.insert(row.id));
        rows
    }

    /// What a finished check says of the texts that are loaded now.
    pub(super) fn count_texts(&mut self, room: RoomId, links: &mut Links) -> Texts {
        let mut texts = Texts::default();
        links.differing().iter().for_each(|seq| self.differs(room, *seq));
        let rows = self.loaded(room);
        links.see_texts(&rows);
        for row in rows {
            let state = links.state_of(&row);
            texts.count(state);
            if let TextState::Differs(seq) = state {
                self.differs(room, seq);
            }
        }
        texts
    }

    /// The log does not have what came for this event.
    pub(super) fn differs(&mut self, room: RoomId, seq: u64) {
        if !self.differing.contains(&(room, seq)) {
            self.differing.push((room, seq));
        }
    }
}
