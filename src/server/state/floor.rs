//! The floor of a stay: what stands below it is not there for the account.

use super::{ReadError, Reader, number};
use crate::protocol::{ClientId, Event, Kind, Row};

/// The seq from which an account sees a room: the rows that were written from there on, as they are now, and the events
/// from there on. Of an event about a message below it only the header is sent. It is decided when a stay begins, and it
/// is 0 while everybody may read every room from its first message on.
///
/// It comes out of the file with the [`Membership`](super::Membership). Reads of events, rings and counts ask for it, and
/// a row of a [`Member`](super::Member) comes through [`Floor::row`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floor(u64);

impl Floor {
    /// For whoever sees the whole room: the fold, and tests that compare with it.
    pub const NONE: Floor = Floor(0);

    /// The column of a stay.
    pub(super) fn of(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Floor> {
        number(row, column).map(Floor)
    }

    pub fn is_none(self) -> bool {
        self == Floor::NONE
    }

    /// Whether what has this seq is there for the account.
    pub fn shows(self, seq: u64) -> bool {
        seq >= self.0
    }

    /// The seq after which events are there for the account.
    pub(super) fn after(self) -> u64 {
        self.0.saturating_sub(1)
    }

    /// The row, if it is there for the account.
    pub(super) fn row(self, row: Row) -> Option<Row> {
        self.shows(row.seq).then_some(row)
    }

    /// For a statement with [`at_floor`].
    pub(super) fn number(self) -> i64 {
        super::integer(self.0)
    }
}

/// The condition of a statement that the row with this JSON is there for an account with this floor.
macro_rules! at_floor {
    ($row:literal, $floor:literal) => {
        concat!("(", $floor, " = 0 OR json_extract(", $row, ", '$.seq') >= ", $floor, ")")
    };
}
pub(super) use at_floor;

impl Reader<'_> {
    /// Takes what a floor hides from an event at or above it. Runs no statement where there is no floor.
    pub(super) fn hide_below(&self, floor: Floor, event: &mut Event) -> Result<bool, ReadError> {
        if floor.is_none() {
            return Ok(false);
        }
        let about = match event.header.kind {
            Kind::Act => event.header.target.as_ref().and_then(|target| target.as_str().parse().ok()),
            _ => None,
        };
        let mut hidden = self.is_below(floor, about)?;
        let mut shown = Vec::new();
        for id in std::mem::take(&mut event.erased) {
            match self.is_below(floor, Some(id))? {
                true => hidden = true,
                false => shown.push(id),
            }
        }
        event.erased = shown;
        Ok(hidden)
    }

    fn is_below(&self, floor: Floor, message: Option<ClientId>) -> Result<bool, ReadError> {
        let row = message.map(|id| self.row(id)).transpose()?.flatten();
        Ok(row.is_some_and(|(_, row)| floor.row(row).is_none()))
    }
}
