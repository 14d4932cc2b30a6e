//! Reads that decide whether to propose something.

use super::{KnownDraft, ReadError, Reader, RoomHead, State, Undo};
use crate::protocol::{ClientId, Format, RoomId, Row};

/// Reads outcomes of drafts, and the message that a proposal is about, without checking who asks. The caller sends an
/// outcome only to the author of the draft, and asks the gate before an answer depends on what the message holds.
pub struct Checks<'a> {
    state: &'a Reader<'a>,
}

impl State {
    /// Checks a proposal in one transaction.
    pub fn check<T>(&self, what: impl FnOnce(&Checks<'_>) -> Result<T, ReadError>) -> Result<T, ReadError> {
        self.read(|state| what(&Checks { state }))
    }

    /// The fold's outcome for a proposal, if it has seen one with this id.
    pub fn draft(&self, id: ClientId) -> Result<Option<KnownDraft>, ReadError> {
        self.check(|checks| checks.draft(id))
    }
}

impl Checks<'_> {
    pub fn draft(&self, id: ClientId) -> Result<Option<KnownDraft>, ReadError> {
        self.state.draft(id)
    }

    /// A message, if it is in this room.
    pub fn message(&self, room: RoomId, id: ClientId) -> Result<Option<Row>, ReadError> {
        match self.head(room)? {
            Some(head) => self.state.message(&head, id),
            None => Ok(None),
        }
    }

    /// A message by its ordinal in a lane of a room.
    pub fn at(&self, room: RoomId, lane: u64, ordinal: u64) -> Result<Option<Row>, ReadError> {
        match self.head(room)? {
            Some(head) => self.state.row_at(&head, lane, ordinal),
            None => Ok(None),
        }
    }

    /// A message and its room.
    pub fn anywhere(&self, id: ClientId) -> Result<Option<(RoomId, Row)>, ReadError> {
        let Some((_, row)) = self.state.row(id)? else { return Ok(None) };
        Ok(Some((self.state.room_of(id)?, row)))
    }

    /// The root message of a thread.
    pub fn root(&self, room: RoomId, lane: u64) -> Result<Option<Row>, ReadError> {
        match self.head(room)? {
            Some(head) => self.state.root(&head, lane),
            None => Ok(None),
        }
    }

    /// See [`Reader::deleted_at`].
    pub fn deleted_at(&self, id: ClientId) -> Result<Option<i64>, ReadError> {
        self.state.deleted_at(id)
    }

    /// See [`Reader::undo`].
    pub fn undo(&self, id: ClientId) -> Result<Option<Undo>, ReadError> {
        self.state.undo(id)
    }

    /// See [`Reader::is_erased`].
    pub fn is_erased(&self, id: ClientId) -> Result<bool, ReadError> {
        self.state.is_erased(id)
    }

    /// See [`Reader::deleted_since`].
    pub fn deleted_since(&self, at: i64) -> Result<u64, ReadError> {
        self.state.deleted_since(at)
    }

    /// See [`Reader::format_of`].
    pub fn format_of(&self, g: u64) -> Result<Format, ReadError> {
        self.state.format_of(g)
    }

    /// See [`Reader::last_text`].
    pub fn last_text(&self, id: ClientId) -> Result<Option<String>, ReadError> {
        self.state.last_text(id)
    }

    fn head(&self, room: RoomId) -> Result<Option<RoomHead>, ReadError> {
        match self.state.room_head(room) {
            Err(ReadError::NotFound) => Ok(None),
            head => head.map(Some),
        }
    }
}
