//! A draft on the screen before its row is there.

use crate::protocol::frame::Draft;
use crate::protocol::{Outcome, Refusal};

/// A local echo: what was written here and is not yet part of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    pub draft: Draft,
    /// When it was written, by this device's clock; shown only.
    pub at: i64,
    pub state: EchoState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EchoState {
    /// Waits for the connection, or for what was written before it.
    Waiting,
    /// Waits for one before it that needs its author.
    Behind,
    /// Sent; no answer yet.
    Sending,
    /// Acknowledged; its event has not come yet.
    Stored { seq: u64 },
    /// Refused, and so never to be stored.
    NotSent { why: Refusal },
    /// Not carried out for a reason that lies outside the log (too long, signed out); stays editable.
    Failed { why: String },
    /// It waited so long that its author is asked whether it is still to be sent.
    Question,
    /// It was acknowledged, and the log that the server has now lacks it: its author is asked.
    Lost,
    /// Being taken back: whether that comes in time is not known yet.
    TakingBack,
}

impl Echo {
    /// Whether it waits for its author.
    pub fn needs_author(&self) -> bool {
        self.holds_others() || self.state == EchoState::Lost
    }

    /// Whether later ones of its lane wait for it. Those behind one that the log has lost do not: it had its turn.
    pub(super) fn holds_others(&self) -> bool {
        use EchoState::*;
        matches!(self.state, NotSent { .. } | Failed { .. } | Question)
    }

    pub(super) fn answered(&mut self, outcome: Outcome) {
        self.state = match outcome {
            Outcome::Stored { seq: Some(seq), .. } => EchoState::Stored { seq },
            Outcome::Stored { seq: None, .. } => EchoState::NotSent { why: Refusal::OtherDraft },
            Outcome::Refused { why } => EchoState::NotSent { why },
        };
    }

    /// After a reset an old ack names a place in a log that is gone: ask again.
    pub(super) fn forget_ack(&mut self) {
        if let EchoState::Stored { .. } = self.state {
            self.state = EchoState::Waiting;
        }
    }
}
