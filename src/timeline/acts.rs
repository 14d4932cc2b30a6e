//! Acts on the screen before their events are there: written over the rows, never into them.

use super::{Timeline, deleted_until};
use crate::protocol::bounds::RESTORE_MS;
use crate::protocol::frame::ActDraft;
use crate::protocol::{AccountId, ActValue, ClientId, Row, Slot};
use std::sync::Arc;

/// An act that was made here and is not yet part of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActEcho {
    pub act: ActDraft,
    pub by: AccountId,
    /// When it was made, by this device's clock.
    pub at: i64,
    pub state: ActState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActState {
    /// Waits for the connection or for its answer.
    Waiting,
    /// Acknowledged; its event has not come yet.
    Stored { seq: u64 },
    /// Not carried out, and why: the text of an edit is still its author's.
    Failed { why: String },
}

impl Timeline {
    /// Shows an act, or what became of it.
    pub fn echo_act(&mut self, echo: ActEcho) {
        match self.acts.iter_mut().find(|mine| mine.act.id == echo.act.id) {
            Some(mine) => *mine = echo,
            None => self.acts.push(echo),
        }
        self.settle_acts();
    }

    pub fn drop_act(&mut self, id: ClientId) {
        self.acts.retain(|mine| mine.act.id != id);
    }

    /// A row as it is shown: with what was done to it here. Untouched, it is the same row.
    pub fn shown(&self, row: &Arc<Row>) -> Arc<Row> {
        let mut shown = row.clone();
        for echo in &self.acts {
            let failed = matches!(echo.state, ActState::Failed { .. });
            if echo.act.target == row.id
                && !failed
                && let Some(slot) = Slot::parse(&echo.act.slot)
            {
                let deletion = (slot == Slot::Deleted).then(|| ActValue::On(true) == echo.act.value);
                let shown = Arc::make_mut(&mut shown);
                let before = shown.deleted.clone();
                shown.set(slot, Some(&echo.act.value), echo.by, echo.at);
                // What is being deleted can be restored, what is being restored is.
                if let (Some(on), Some(deleted)) = (deletion, &mut shown.deleted) {
                    let until = deleted_until(before, echo.by, Some(echo.at + RESTORE_MS));
                    deleted.until = until.filter(|_| on);
                }
            }
        }
        shown
    }

    /// The edit of a row that is on its way, or did not go through.
    pub fn edit_of(&self, row: ClientId) -> Option<&ActEcho> {
        self.acts.iter().rev().find(|echo| echo.act.target == row && echo.act.slot == "text")
    }

    /// An act ends when the cursor has passed the place that its ack named.
    pub(super) fn settle_acts(&mut self) {
        let seq = self.cursor.seq;
        self.acts.retain(|echo| !matches!(echo.state, ActState::Stored { seq: at } if at <= seq));
    }
}
