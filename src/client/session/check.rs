//! "Check from #1": every link of a room recomputed here from the headers that the server gives.

use super::window::Ask;
use super::{Effect, Session};
use crate::protocol::{ClientFrame, Hash, Header, Position, RoomId, bounds};

/// A check of one room, running or done.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    pub room: RoomId,
    /// The position that the recomputed chain must arrive at: what this client held when it began.
    pub to: Position,
    /// Links that were recomputed so far.
    pub done: u64,
    chain: Hash,
    began: i64,
    pub state: CheckState,
}

#[derive(Debug, Clone, PartialEq)]
pub enum CheckState {
    Running,
    /// All agree; milliseconds that it took.
    Agrees {
        ms: i64,
    },
    /// The first event whose chain is not what its header gives.
    Differs {
        seq: u64,
    },
    /// It could not be finished, and why.
    Stopped(String),
}

impl Session {
    pub(super) fn begin_check(&mut self, out: &mut Vec<Effect>) {
        let (Some(room), Some(timeline)) = (self.looking_at, self.current()) else { return };
        let to = timeline.cursor();
        let state = CheckState::Running;
        self.check = Some(Check { room, to, done: 0, chain: Hash::ZERO, began: self.now, state });
        self.check_on(out);
    }

    fn check_on(&mut self, out: &mut Vec<Effect>) {
        let Some(check) = self.check.clone() else { return };
        if check.done == check.to.seq {
            let state = if check.chain == check.to.chain {
                CheckState::Agrees { ms: self.now - check.began }
            } else {
                CheckState::Differs { seq: check.done }
            };
            self.check = Some(Check { state, ..check });
            return;
        }
        let (after, room) = (check.done, check.room);
        match self.request(room, Ask::Headers) {
            Some(req) => {
                let to = check.to.seq.min(after + bounds::HEADERS_AT_ONCE);
                out.push(Effect::Send(ClientFrame::Headers { req, room, after, to }));
            }
            None => self.stop_check("There is no connection to the server."),
        }
    }

    pub(super) fn checked(&mut self, req: u64, headers: &[(Header, Hash)], out: &mut Vec<Effect>) {
        self.asks.remove(&req);
        let Some(check) = self.check.as_mut().filter(|check| check.state == CheckState::Running) else {
            return;
        };
        if headers.is_empty() {
            check.state = CheckState::Differs { seq: check.done + 1 };
            return;
        }
        for (header, chain) in headers {
            let computed = check.chain.then(header);
            if computed != *chain {
                check.state = CheckState::Differs { seq: check.done + 1 };
                return;
            }
            (check.chain, check.done) = (computed, check.done + 1);
        }
        self.check_on(out);
    }

    pub(super) fn stop_check(&mut self, why: &str) {
        if let Some(check) = &mut self.check
            && check.state == CheckState::Running
        {
            check.state = CheckState::Stopped(why.to_owned());
        }
    }
}
