//! Following rooms: which one is looked at, and the events that move its cursor.

use super::texts::fits;
use super::window::{Ask, cut};
use super::{Effect, Session, Status};
use crate::client::Lane;
use crate::protocol::frame::{ResetReason, RoomInfo};
use crate::protocol::{
    AccountId, ActBody, ActValue, Added, ClientFrame, ClientId, Event, EventBody, Kind, PageAt, RoomId, Row,
};
use crate::text::{mentions, plain};
use crate::timeline::{Applied, Mark, MarkKind, Timeline};
use std::iter;
use std::sync::Arc;

/// Rooms whose rows are kept when one looks at another.
const KEPT_ROOMS: usize = 8;

/// Who says something, what, and what the server made of it.
type Said<'a> = (AccountId, Option<&'a str>, Option<&'a Added>);

pub(super) fn said_of(row: &Row) -> Said<'_> {
    (row.author, row.text.as_deref(), row.added.as_ref())
}

pub(super) fn said_in(event: &Event) -> Said<'_> {
    let text = match &event.body {
        Some(EventBody::Message(body)) => Some(&body.text),
        Some(EventBody::Act(ActBody {
            value: ActValue::Text(text) | ActValue::Restored { restored: text },
        })) => Some(text),
        _ => None,
    };
    (event.author(), text.map(String::as_str), event.added.as_ref())
}

impl Session {
    pub(super) fn look(&mut self, room: RoomId, at: Option<u64>, out: &mut Vec<Effect>) {
        if self.looking_at == Some(room) && self.timelines.contains_key(&room) {
            if let Some(ordinal) = at {
                self.go_to(0, ordinal, out);
            }
            return;
        }
        self.unfollow(out);
        self.list_people(None, out);
        self.at_mentions = false;
        self.looking_at = Some(room);
        self.viewport.go_to = at;
        self.offer(out);
        self.mark_unread(room);
        while self.timelines.len() > KEPT_ROOMS {
            let idle = |id: &&RoomId| **id != room;
            let Some(idle) = self.timelines.keys().find(idle).copied() else { break };
            self.timelines.remove(&idle);
            // Without events nothing says what is erased of them.
            self.pins.remove(&idle);
            self.let_go(idle, out);
        }
        if self.status == Status::Live {
            self.follow(room, out);
        }
    }

    pub(super) fn look_away(&mut self, out: &mut Vec<Effect>) {
        self.unfollow(out);
        self.looking_at = None;
    }

    /// The room that was looked at is no longer followed; its rows stay for when one comes back.
    fn unfollow(&mut self, out: &mut Vec<Effect>) {
        self.look_at_thread(None, out);
        self.viewport = Default::default();
        (self.left_at, self.check, self.held, self.entered) = (None, None, None, None);
        if let Some(room) = self.looking_at
            && self.status == Status::Live
            && !self.holds
        {
            self.catching.remove(&room);
            out.push(Effect::Send(ClientFrame::Unsubscribe { room }));
        }
    }

    /// Subscribes from the cursor on, or loads the room first.
    pub(super) fn follow(&mut self, room: RoomId, out: &mut Vec<Effect>) {
        if self.room(room).is_some_and(|info| !info.joined) {
            return;
        }
        match self.timelines.get(&room) {
            Some(timeline) => {
                let since = Some(timeline.cursor());
                out.push(Effect::Send(ClientFrame::Subscribe { room, since }));
                if self.looking_at == Some(room)
                    && let Some(ordinal) = self.viewport.go_to.take()
                {
                    self.go_to(0, ordinal, out);
                }
            }
            None => {
                let at = self.viewport.go_to.map_or(PageAt::Newest, PageAt::Around);
                self.ask(room.into(), Ask::First, at, out);
            }
        }
    }

    pub(super) fn ask_history(&mut self, of: ClientId, out: &mut Vec<Effect>) {
        self.history = None;
        self.viewport.wanted.retain(|ask| !matches!(ask, Ask::History(_)));
        self.want(0, Ask::History(of), out);
    }

    pub(super) fn event(&mut self, room: RoomId, event: &Arc<Event>, out: &mut Vec<Effect>) {
        let mine = event.header.author == self.me.id;
        let looked_at = self.looking_at == Some(room);
        let scrolled_up = looked_at && self.viewport.unpinned_at.is_some();
        if fits(event) == Some(false) {
            self.differs(room, event.seq);
        }
        self.answer(room, event, out);
        self.erase(room, event, out);
        let Some(timeline) = self.timelines.get_mut(&room) else { return };
        match timeline.apply(event) {
            Applied::Advanced => {
                cut(timeline, !scrolled_up);
                self.forget_deleted(event, out);
                self.caught_up(room);
                // Pinned, deleted or edited: a list that was loaded says so.
                if event.header.kind == Kind::Act && looked_at && self.pins.contains_key(&room) {
                    self.want(0, Ask::Pins, out);
                }
                self.introduce([said_in(event)], out);
                if event.ordinal.is_some() {
                    self.typed(room, event.header.author);
                }
                if let Some(ordinal) = event.ordinal.filter(|_| !mine && event.lane == 0 && looked_at) {
                    self.announce(event, out);
                    if let Some(after) = self.left_at.take_if(|left_at| *left_at < ordinal) {
                        self.mark_left(room, after);
                    }
                }
            }
            Applied::Old => {}
            Applied::Ahead { .. } => self.fill(room.into(), out),
            Applied::Rewritten => self.load_again(room.into(), ResetReason::Rewritten, out),
        }
    }

    /// The first message since nobody looks: a line above it, unless an older one still has unseen messages below it.
    fn mark_left(&mut self, room: RoomId, after: u64) {
        let seen = self.seen.get(&room).copied().unwrap_or(0);
        let standing = self.marks.get(&room).into_iter().flatten().any(|mark| mark.what == MarkKind::New);
        if !standing || seen >= after {
            self.put_mark(room, Mark { after, what: MarkKind::New });
        }
    }

    /// Takes a room as the server has it; its badge counts if it is the one of a welcome, else it comes by itself. Returns
    /// whether I have just been added to the room that I look at: then it has to be followed.
    pub(super) fn put_room(&mut self, mut room: RoomInfo, with_badge: bool) -> bool {
        let id = room.id;
        let was_in = self.room(id).is_some_and(|known| known.joined);
        if !was_in {
            self.forget_reading(id);
        }
        if !with_badge && was_in {
            room.badge = self.room(id).map(|known| known.badge).unwrap_or_default();
        }
        let joined = self.looking_at == Some(id) && room.joined && self.room(id).is_some() && !was_in;
        match self.rooms.iter_mut().find(|known| known.id == room.id) {
            Some(known) => *known = room,
            None => {
                let name = room.name.to_lowercase();
                let at = self.rooms.iter().position(|known| known.name.to_lowercase() > name);
                self.rooms.insert(at.unwrap_or(self.rooms.len()), room);
            }
        }
        if joined {
            self.timelines.remove(&id);
        }
        joined
    }

    pub(super) fn announce(&self, event: &Event, out: &mut Vec<Effect>) {
        if let Some(EventBody::Message(body)) = &event.body {
            let name = self.people.get(&event.header.author).map_or("Someone", |person| &person.name);
            out.push(Effect::Announce(format!("{name}: {}", plain(&body.text))));
        }
    }

    /// Asks who authors are, and who is named, where that is not known yet.
    pub(super) fn introduce<'a>(&mut self, said: impl IntoIterator<Item = Said<'a>>, out: &mut Vec<Effect>) {
        let (mut ids, mut handles) = (Vec::new(), Vec::new());
        for (author, text, added) in said {
            let named = added.into_iter().flat_map(Added::people).map(|(_, account)| *account);
            for id in iter::once(author).chain(named) {
                if !self.people.contains_key(&id) && !ids.contains(&id) {
                    ids.push(id);
                }
            }
            // Of a text that has an added part no handle is looked up.
            for handle in mentions(text.filter(|_| added.is_none()).unwrap_or("")) {
                if !self.handles.contains_key(&handle) && self.asked_handles.insert(handle.clone()) {
                    handles.push(handle);
                }
            }
        }
        if !ids.is_empty() || !handles.is_empty() {
            ids.truncate(100);
            handles.truncate(100);
            out.push(Effect::Send(ClientFrame::People { ids, handles }));
        }
    }

    /// As [`Session::introduce`], for the loaded rows of a lane.
    pub(super) fn introduce_rows(&mut self, lane: Lane, out: &mut Vec<Effect>) {
        let rows: Vec<_> = self.timeline(lane).into_iter().flat_map(Timeline::rows).cloned().collect();
        let said = rows.iter().map(|row| said_of(row));
        let others = rows.iter().flat_map(|row| {
            let answerers = row.answers.iter().flat_map(|answers| &answers.by);
            row.reactions.values().flatten().chain(&row.pinned).chain(answerers)
        });
        self.introduce(said.chain(others.map(|id| (*id, None, None))), out);
    }
}
