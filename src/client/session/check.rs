//! "Check from #1": every link of a room recomputed here from the headers that the server gives, and then the texts
//! that are loaded.

use super::links::Links;
use super::texts::Texts;
use super::window::Ask;
use super::{Effect, Session};
use crate::protocol::{ClientFrame, Event, Format, Hash, Header, Position, RoomId, bounds};
use std::sync::Arc;

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
    pub(super) links: Links,
    /// What was found of the texts, once all links agree.
    pub texts: Option<Texts>,
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

impl Check {
    /// Nothing is checked any more: what the chain says of the texts is not needed.
    fn end(&mut self, state: CheckState) {
        (self.links, self.state) = (Links::default(), state);
    }
}

impl Session {
    pub(super) fn begin_check(&mut self, out: &mut Vec<Effect>) {
        let (Some(room), Some(timeline)) = (self.looking_at, self.current()) else { return };
        let to = timeline.cursor();
        let of_five = self.of_five.get(&room).map(|seq| seq + 1);
        let links = Links::of(&self.loaded(room), to.epoch.operator(), of_five);
        let state = CheckState::Running;
        self.check =
            Some(Check { room, to, done: 0, chain: Hash::ZERO, began: self.now, links, texts: None, state });
        self.check_on(out);
    }

    fn check_on(&mut self, out: &mut Vec<Effect>) {
        let Some(check) = self.check.as_mut() else { return };
        if check.done == check.to.seq {
            if check.chain == check.to.chain {
                self.check_texts(out);
            } else {
                check.end(CheckState::Differs { seq: check.done });
            }
            return;
        }
        let (after, room, to) = (check.done, check.room, check.to);
        match self.request(room, Ask::Headers) {
            Some(req) => {
                let to = to.seq.min(after + bounds::HEADERS_AT_ONCE);
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
            check.end(CheckState::Differs { seq: check.done + 1 });
            return;
        }
        let left = (check.to.seq - check.done) as usize;
        for (header, chain) in headers.iter().take(left) {
            let computed = check.chain.then(header);
            if computed != *chain {
                check.end(CheckState::Differs { seq: check.done + 1 });
                return;
            }
            (check.chain, check.done) = (computed, check.done + 1);
            check.links.take(check.done, header);
        }
        self.check_on(out);
    }

    /// All links agree. What deletes, restores or erases is read first; no earlier format gives what its bytes are.
    fn check_texts(&mut self, out: &mut Vec<Effect>) {
        let five = self.format >= Format::Five.number();
        let Some(check) = &mut self.check else { return };
        if let Some((after, to)) = check.links.next_events().filter(|_| five) {
            let room = check.room;
            match self.request(room, Ask::Bodies) {
                Some(req) => out.push(Effect::Send(ClientFrame::Fetch { req, room, after, to })),
                None => self.stop_check("There is no connection to the server."),
            }
            return;
        }
        self.finish_check();
    }

    /// Events that were asked for by [`Session::check_texts`].
    pub(super) fn bodies_came(&mut self, events: &[Arc<Event>], out: &mut Vec<Effect>) {
        if let Some(check) = self.check.as_mut().filter(|check| check.state == CheckState::Running) {
            events.iter().for_each(|event| check.links.see(event));
            self.check_texts(out);
        }
    }

    /// Says what was found; what could not be read is not checked.
    pub(super) fn finish_check(&mut self) {
        let Some(mut check) = self.check.take_if(|check| check.state == CheckState::Running) else { return };
        check.texts = Some(self.count_texts(check.room, &mut check.links));
        check.end(CheckState::Agrees { ms: self.now - check.began });
        self.check = Some(check);
    }

    pub(super) fn stop_check(&mut self, why: &str) {
        if let Some(check) = &mut self.check
            && check.state == CheckState::Running
        {
            check.end(CheckState::Stopped(why.to_owned()));
        }
    }
}
