//! Who is there, who is typing, and what one says of oneself.

use super::window::Ask;
use super::{Effect, Session, Status};
use crate::client::Lane;
use crate::protocol::frame::Person;
use crate::protocol::{AccountId, ClientFrame, Presence, RoomId, Seen};

/// Typing is told again after so long, in milliseconds.
const TYPING_MS: i64 = 3_000;
/// Nobody looked for so long: the person is away, in milliseconds.
const AWAY_MS: i64 = 300_000;

impl Session {
    /// What is known of somebody; offline, if nothing is.
    pub fn seen(&self, id: AccountId) -> Option<&Seen> {
        self.presence.get(&id)
    }

    /// Who is typing in a lane, by name; those whose names are not known yet are left out.
    pub fn typers(&self, lane: impl Into<Lane>) -> Vec<&str> {
        let typing = self.typing.get(&lane.into()).into_iter().flatten();
        typing.filter_map(|id| Some(self.people.get(id)?.name.as_str())).collect()
    }

    /// The people in view: oneself, and a room's list while it is open.
    pub(super) fn watch(&self, out: &mut Vec<Effect>) {
        if self.status != Status::Live {
            return;
        }
        let listed = self.listed.and_then(|room| self.members.get(&room)).into_iter().flatten();
        let people = [self.me.id].into_iter().chain(listed.map(|person| person.id)).collect();
        out.push(Effect::Send(ClientFrame::Watch { people }));
    }

    /// What a new connection does not know.
    pub(super) fn introduce_oneself(&mut self, out: &mut Vec<Effect>) {
        // Of oneself it was told before the welcome.
        let own = self.presence.remove(&self.me.id);
        self.presence.clear();
        self.presence.extend(own.map(|own| (own.id, own)));
        self.typing.clear();
        self.typed_at = None;
        self.watch(out);
        if self.is_away {
            out.push(Effect::Send(ClientFrame::Active { on: false }));
        }
        if let Some(room) = self.listed {
            self.ask_members(room, out);
        }
    }

    /// The list of a room's people is opened or closed.
    pub(super) fn list_people(&mut self, room: Option<RoomId>, out: &mut Vec<Effect>) {
        if self.listed == room {
            return;
        }
        self.listed = room;
        match room {
            Some(room) => self.ask_members(room, out),
            None => self.watch(out),
        }
    }

    fn ask_members(&mut self, room: RoomId, out: &mut Vec<Effect>) {
        if let Some(req) = self.request(room, Ask::Members) {
            out.push(Effect::Send(ClientFrame::Members { req, room }));
        }
    }

    pub(super) fn members_came(
        &mut self,
        req: u64,
        room: RoomId,
        people: Vec<Person>,
        out: &mut Vec<Effect>,
    ) {
        self.asks.remove(&req);
        people.iter().for_each(|person| self.know(person.clone()));
        self.members.insert(room, people);
        self.watch(out);
    }

    pub(super) fn seen_came(&mut self, people: Vec<Seen>) {
        for seen in people {
            if seen.is == Presence::Offline && seen.status == Default::default() {
                self.presence.remove(&seen.id);
            } else {
                self.presence.insert(seen.id, seen);
            }
        }
    }

    pub(super) fn typing_came(
        &mut self,
        room: RoomId,
        people: Vec<AccountId>,
        threads: Vec<(u64, AccountId)>,
        out: &mut Vec<Effect>,
    ) {
        let all = people.into_iter().map(|id| (0, id)).chain(threads);
        let all: Vec<_> = all.map(|(lane, id)| (Lane { room, lane }, id)).collect();
        self.introduce(all.iter().map(|(_, id)| (*id, None, None)), out);
        self.typing.retain(|lane, _| lane.room != room);
        all.into_iter().for_each(|(lane, id)| self.typing.entry(lane).or_default().push(id));
    }

    /// Somebody has said what he was typing.
    pub(super) fn typed(&mut self, room: RoomId, by: AccountId) {
        let here = self.typing.iter_mut().filter(|(lane, _)| lane.room == room);
        here.for_each(|(_, people)| people.retain(|id| *id != by));
    }

    /// Something stands in a composer that did not before.
    pub(super) fn say_typing(&mut self, at: Lane, on: bool, out: &mut Vec<Effect>) {
        if self.status != Status::Live {
            return;
        }
        let last = self.typed_at.filter(|(of, _)| *of == at).map(|(_, at)| at);
        let Lane { room, lane } = at;
        if on && last.is_none_or(|at| self.now - at >= TYPING_MS) {
            self.typed_at = Some((at, self.now));
            out.push(Effect::Send(ClientFrame::Typing { room, lane, on }));
        } else if !on && last.is_some() {
            self.typed_at = None;
            out.push(Effect::Send(ClientFrame::Typing { room, lane, on }));
        }
    }

    /// Somebody looks, or nobody has for long enough.
    pub(super) fn look_whether_away(&mut self, out: &mut Vec<Effect>) {
        let away = self.unattended_since.is_some_and(|since| self.now - since >= AWAY_MS);
        if std::mem::replace(&mut self.is_away, away) != away && self.status == Status::Live {
            out.push(Effect::Send(ClientFrame::Active { on: !away }));
        }
    }
}
