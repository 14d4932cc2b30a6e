//! Taking a deletion back: for how long that is offered, and what is sent.

use super::Session;
use crate::client::Lane;
use crate::client::outbox::Proposed;
use crate::protocol::bounds::RESTORE_MS;
use crate::protocol::frame::ActDraft;
use crate::protocol::{ActValue, ClientId, Format, Refusal, RoomId, Row, Slot};

/// The text of an own message that was deleted on this device: logs before format 5 get it back from who deleted it.
#[derive(Debug, Clone)]
pub(super) struct Undo {
    pub(super) id: ClientId,
    pub(super) room: RoomId,
    text: String,
    at: i64,
}

impl Session {
    /// Whether the log is of format 5 or a later one.
    pub fn is_of_five(&self) -> bool {
        self.format >= Format::Five.number()
    }

    /// The act that takes the deletion of a message back, while a server would accept it.
    pub fn restore_of(&self, row: &Row) -> Option<ActValue> {
        let me = self.me.id;
        let deleted = row.deleted.as_ref().filter(|deleted| deleted.by == me)?;
        if self.is_of_five() {
            return deleted.until.filter(|until| self.now < *until).map(|_| ActValue::On(false));
        }
        let mine = row.author == me && self.now - deleted.at < RESTORE_MS;
        let undo = self.undo.iter().find(|undo| undo.id == row.id && mine)?;
        Some(ActValue::Restored { restored: undo.text.clone() })
    }

    /// Before an own message is deleted.
    pub(super) fn keep_to_restore(&mut self, act: &ActDraft) {
        if act.slot != Slot::Deleted.to_string() {
            return;
        }
        if act.value != ActValue::On(true) {
            self.undo.retain(|undo| undo.id != act.target);
        } else if !self.is_of_five() {
            // As it is shown: an edit may be under way.
            let beside = self.thread.as_ref().map(|open| open.at).filter(|at| at.room == act.room);
            let mut lanes = [Some(Lane::from(act.room)), beside].into_iter().flatten();
            let row = lanes.find_map(|lane| self.shown(lane, act.target));
            let mine = row.filter(|row| row.author == self.me.id);
            if let Some(text) = mine.and_then(|row| row.text.clone()) {
                self.undo.retain(|undo| undo.id != act.target);
                self.undo.push(Undo { id: act.target, room: act.room, text, at: self.now });
            }
        }
    }

    /// Why a message cannot be restored, where its tombstone tells it.
    pub(super) fn why_not_restored(&self, draft: &Proposed, why: Refusal) -> Option<&'static str> {
        let Proposed::Act(ActDraft { room, target, value: ActValue::On(false), .. }) = draft else {
            return None;
        };
        let open = self.thread.as_ref().and_then(|open| open.timeline.as_ref());
        let mut lanes = self.timelines.get(room).into_iter().chain(open);
        let (row, operator) =
            lanes.find_map(|lane| Some((lane.row(*target)?, lane.cursor().epoch.operator())))?;
        let deleted = row.deleted.as_ref()?;
        match why {
            Refusal::NotAllowed if deleted.by == operator => {
                Some("Deleted by the administrator. It can't be restored.")
            }
            Refusal::TooLate if self.now - deleted.at < RESTORE_MS => {
                Some("Deleted before the server was updated. It can't be restored.")
            }
            Refusal::TooLate => Some("Deleted more than 24 hours ago. It can't be restored."),
            _ => None,
        }
    }

    pub(super) fn forget_undo(&mut self) {
        self.undo.retain(|undo| self.now - undo.at < RESTORE_MS);
    }
}
