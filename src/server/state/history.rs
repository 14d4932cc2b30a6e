//! The texts that a message had.

use super::room_events::text_of;
use super::{Member, ReadError, Reader};
use crate::protocol::frame::Version;
use crate::protocol::{ClientId, Event, bounds};

impl Member<'_> {
    /// The texts that a message of the room had, oldest first: the first text and the newest of the others. None of a
    /// deleted message.
    pub fn history(&self, id: ClientId) -> Result<Vec<Version>, ReadError> {
        let row = self.message(id)?.ok_or(ReadError::NotFound)?;
        if row.deleted.is_some() {
            return Ok(Vec::new());
        }
        let written = self.state.event_at(self.head.n, row.seq)?;
        let mut versions: Vec<_> = written.and_then(version).into_iter().collect();
        let mut newest = Vec::new();
        self.state.texts_after_first(id, bounds::HISTORY_WITHIN, |act| {
            let Some(earlier) = version(act) else { return true };
            // What was deleted and taken back is the same text again.
            newest.pop_if(|later: &mut Version| later.text == earlier.text);
            newest.push(earlier);
            newest.len() + versions.len() < bounds::VERSIONS
        })?;
        versions.extend(newest.into_iter().rev());
        versions.dedup_by(|later, earlier| later.text == earlier.text);
        Ok(versions)
    }
}

impl Reader<'_> {
    /// The text that a message had when it was deleted, or has; none once it is erased.
    pub fn last_text(&self, id: ClientId) -> Result<Option<String>, ReadError> {
        let (n, writer) = self.writer_of_text(id)?.ok_or(ReadError::NotFound)?;
        Ok(self.text_written_by(n, writer)?.map(|text| text.text))
    }
}

/// The text that an event of a message wrote, if it wrote one.
fn version(event: Event) -> Option<Version> {
    let text = text_of(&event)?.to_owned();
    Some(Version { at: event.header.at, text, added: event.added })
}
