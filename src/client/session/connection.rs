//! The socket's life: opening, closing, coming back, signs of life.

use super::rooms::said_of;
use super::window::Ask;
use super::{Effect, Probe, Session, Status};
use crate::protocol::frame::RoomInfo;
use crate::protocol::{
    ClientFrame, CloseCode, Mentions, PROTOCOL_VERSION, Position, Quiet, RoomId, ServerFrame, bounds,
};
use crate::timeline::Timeline;
use std::collections::BTreeMap;

/// The longest wait between two tries to connect, in milliseconds.
const MAX_BACKOFF_MS: u32 = 30_000;
const FIRST_BACKOFF_MS: u32 = 500;
/// Where the account has too many sockets: somebody has to close one before a try can do anything.
const SURPLUS_BACKOFF_MS: u32 = 60_000;
/// A connection that does not answer for so long is given up, in milliseconds.
const ANSWER_MS: i64 = 10_000;
/// After so many tries in vain it is asked outside the socket what is wrong.
const TRIES_BEFORE_PROBE: u32 = 2;

impl Session {
    pub(super) fn opened(&mut self, out: &mut Vec<Effect>) {
        self.heard_at = self.now;
        out.push(Effect::Send(ClientFrame::Hello { version: PROTOCOL_VERSION }));
    }

    pub(super) fn closed(&mut self, code: Option<u16>, out: &mut Vec<Effect>) {
        for id in self.outbox.cut() {
            self.show_echo(id);
        }
        self.awaits_since = None;
        self.asks.clear();
        self.tell_backlog(out);
        self.mentions_asked = None;
        self.asked_handles.clear();
        self.catching.clear();
        self.stop_check("The connection was lost.");
        self.offline_since.get_or_insert(self.now);
        self.status = match code.and_then(CloseCode::from_number) {
            Some(CloseCode::SignedOut) => Status::SignedOut,
            Some(CloseCode::TooOld) => Status::TooOld,
            // A socket that was being opened meanwhile closes too, and tells nothing new.
            _ if matches!(self.status, Status::SignedOut | Status::TooOld) => self.status,
            Some(CloseCode::TooManySockets) => Status::TooManySockets,
            Some(CloseCode::Moving) => Status::Moving,
            // It said before that it goes; the way it then went does not matter.
            _ if self.come_back.is_some() => Status::Moving,
            _ => Status::Offline,
        };
        if self.status == Status::TooManySockets {
            (self.tries, self.probe, self.come_back) = (0, None, None);
            out.push(Effect::Connect { after_ms: SURPLUS_BACKOFF_MS });
        }
        if matches!(self.status, Status::Offline | Status::Moving) {
            let backoff = (FIRST_BACKOFF_MS << self.tries.min(6)).min(MAX_BACKOFF_MS);
            self.tries += 1;
            if self.tries >= TRIES_BEFORE_PROBE {
                out.push(Effect::Probe);
            }
            out.push(Effect::Connect { after_ms: self.come_back.take().unwrap_or(backoff) });
        }
    }

    pub(super) fn probed(&mut self, probe: Probe, out: &mut Vec<Effect>) {
        if !matches!(self.status, Status::Offline | Status::Moving | Status::Starting) {
            return;
        }
        self.probe = Some(probe);
        if probe == Probe::SignedOut {
            self.status = Status::SignedOut;
            out.push(Effect::Disconnect);
        }
    }

    pub(super) fn signed_in(&mut self, out: &mut Vec<Effect>) {
        self.status = Status::Offline;
        self.tries = 0;
        self.probe = None;
        out.push(Effect::Connect { after_ms: 0 });
    }

    pub(super) fn wake(&mut self, out: &mut Vec<Effect>) {
        match self.status {
            Status::Offline | Status::Moving | Status::TooManySockets => {
                out.push(Effect::Connect { after_ms: 0 });
            }
            // A socket that died in a sleep says nothing; coming back costs less than waiting to see.
            Status::Live if self.now - self.heard_at > i64::from(bounds::HEARTBEAT_MS) * 6 / 5 => {
                out.push(Effect::Disconnect);
            }
            // Younger ones are asked for something that is answered at once; the tick looks whether it was.
            Status::Live => {
                self.awaits_since.get_or_insert(self.now);
                out.push(Effect::Send(ClientFrame::People { ids: Vec::new(), handles: Vec::new() }));
            }
            _ => {}
        }
    }

    pub(super) fn tick(&mut self, out: &mut Vec<Effect>) {
        self.purge(out);
        self.forget_old_mark();
        self.forget_undo();
        self.look_whether_away(out);
        self.tell(out);
        if self.awaits_since.take_if(|since| self.now - *since >= ANSWER_MS).is_some() {
            out.push(Effect::Disconnect);
            return;
        }
        if self.status != Status::Live {
            return;
        }
        let heartbeat = i64::from(bounds::HEARTBEAT_MS);
        if self.now - self.heard_at > 2 * heartbeat {
            out.push(Effect::Disconnect);
            return;
        }
        if self.now - self.said_at > heartbeat * 4 / 5 {
            out.push(self.beat());
        }
        // What was told to come again later.
        self.send_outbox(out);
        self.say_unsaid(out);
        self.fill_all(out);
        self.ask_wanted(out);
    }

    fn beat(&self) -> Effect {
        let mut positions = BTreeMap::new();
        for room in self.followed() {
            positions.extend(self.timelines.get(&room).map(|timeline| (room, timeline.cursor())));
        }
        Effect::Send(ClientFrame::Beat { positions })
    }

    pub(super) fn frame(&mut self, frame: ServerFrame, out: &mut Vec<Effect>) {
        match frame {
            ServerFrame::Welcome { name, me, rooms, format, .. } => {
                self.status = Status::Live;
                self.format = format;
                self.tries = 0;
                self.offline_since = None;
                self.probe = None;
                self.workspace = name;
                self.know(me.clone());
                self.me = me;
                let no_longer = |room: &&RoomInfo| room.joined && rooms.iter().all(|mine| mine.id != room.id);
                let left: Vec<_> = self.rooms.iter().filter(no_longer).map(|room| room.id).collect();
                left.into_iter().for_each(|room| self.left(room, out));
                for room in rooms {
                    self.put_room(room, true);
                }
                self.say_unsaid(out);
                self.introduce_oneself(out);
                self.notice_backlog(out);
                self.followed().into_iter().for_each(|room| self.follow(room, out));
                self.ask_thread(out);
                self.ask_threads_to_read(out);
                self.refresh_mentions(out);
                self.ask_wanted(out);
                self.outbox.doubt_newest();
                self.send_outbox(out);
            }
            ServerFrame::Subscribed { room, since, head } => self.subscribed(room, since, head),
            ServerFrame::Reset { room, why, .. } => self.load_all_again(room, why, out),
            ServerFrame::Event { room, event } => self.event(room, &event, out),
            ServerFrame::Events { req, room, events } => {
                if let Some((_, Ask::Bodies)) = self.asks.remove(&req) {
                    return self.bodies_came(&events, out);
                }
                for event in events {
                    self.event(room, &event, out);
                }
                self.fill(room.into(), out);
                self.fill_all(out);
            }
            ServerFrame::Page { req, page } => self.page(req, &page, out),
            ServerFrame::Headers { req, headers, .. } => self.checked(req, &headers, out),
            ServerFrame::Ack { id, outcome } => self.acked(id, outcome, out),
            ServerFrame::Error { id, req, code, message } => {
                if let Some(req) = req {
                    self.mentions_asked.take_if(|(asked, _)| *asked == req);
                    self.ask_failed(req, code, &message, out);
                }
                if let Some(id) = id {
                    self.send_failed(id, code, message, out);
                }
            }
            ServerFrame::History { req, versions, .. } => {
                if let Some((_, Ask::History(of))) = self.asks.remove(&req) {
                    self.viewport.wanted.retain(|ask| *ask != Ask::History(of));
                    self.history = Some((of, versions));
                }
            }
            ServerFrame::Pins { req, room, rows } => {
                self.asks.remove(&req);
                self.viewport.wanted.retain(|ask| *ask != Ask::Pins);
                self.introduce(rows.iter().map(|row| said_of(row)), out);
                self.pins.insert(room, rows);
            }
            ServerFrame::People { people } => {
                people.into_iter().for_each(|person| self.know(person));
                self.tell(out);
            }
            ServerFrame::Room { room } => {
                let id = room.id;
                if self.put_room(room, false) {
                    self.follow(id, out);
                    if self.thread.as_ref().is_some_and(|open| open.at.room == id) {
                        self.ask_thread(out);
                    }
                }
            }
            ServerFrame::Left { room } => self.left(room, out),
            ServerFrame::Quiet { on, from, to } => {
                self.notices.quiet = Quiet::new(on, from, to).unwrap_or_default();
            }
            ServerFrame::Badge { room, badge } => self.badge_came(room, badge, out),
            ServerFrame::Mentions { req, mentions, more } => {
                self.mentions_came(req, Mentions { mentions, more }, out);
            }
            ServerFrame::Presence { people } => self.seen_came(people),
            ServerFrame::Typing { room, people, threads } => self.typing_came(room, people, threads, out),
            ServerFrame::Members { req, room, people } => self.members_came(req, room, people, out),
            ServerFrame::Beat { positions, .. } => self.compare(positions, out),
            ServerFrame::Moving { after_ms } => {
                self.tries = 0;
                self.come_back = Some(after_ms);
                out.push(Effect::Disconnect);
            }
            ServerFrame::Thread { req, room, thread } => self.thread_came(req, room, thread, out),
            ServerFrame::Answers { req, room, rows } => self.answers_came(req, room, rows, out),
            ServerFrame::Threads { room, threads } => self.threads_came(room, threads, out),
            ServerFrame::Unknown => {}
        }
    }

    /// The server's heads against the cursors.
    fn compare(&mut self, positions: BTreeMap<RoomId, Position>, out: &mut Vec<Effect>) {
        for (room, head) in positions {
            let Some(timeline) = self.timelines.get(&room) else { continue };
            if !timeline.agrees_with(&head) {
                self.load_all_again(room, crate::protocol::frame::ResetReason::Rewritten, out);
            } else if head.seq > timeline.cursor().seq && !self.lagging.insert(room) {
                // Behind at two beats in a row: the socket lost something.
                self.lagging.remove(&room);
                self.follow(room, out);
            } else if head.seq == timeline.cursor().seq {
                self.lagging.remove(&room);
            }
        }
    }

    fn subscribed(&mut self, room: RoomId, since: Position, head: Position) {
        self.lagging.remove(&room);
        if self.is_of_five() {
            self.of_five.entry(room).or_insert(head.seq);
        }
        let cursor = self.timelines.get(&room).map_or(since.seq, |timeline| timeline.cursor().seq);
        if head.seq > cursor {
            self.catching.insert(room, (since.seq, head.seq));
        } else {
            self.catching.remove(&room);
        }
    }

    pub(super) fn caught_up(&mut self, room: RoomId) {
        let cursor = self.timelines.get(&room).map(Timeline::cursor);
        if let (Some((_, to)), Some(cursor)) = (self.catching.get(&room), cursor)
            && cursor.seq >= *to
        {
            self.catching.remove(&room);
        }
    }
}
