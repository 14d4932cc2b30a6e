//! Following rooms: windows of rows, cursors, pages, holes.

use super::{Effect, Session, Status};
use crate::client::outbox::Kept;
use crate::protocol::frame::{ResetReason, RoomInfo};
use crate::protocol::{AccountId, ClientFrame, ErrorCode, Event, EventBody, Page, PageAt, RoomId, bounds};
use crate::timeline::{Applied, Mark, MarkKind, Paged, Timeline};
use std::sync::Arc;

/// Rows that a room's window keeps; it grows to half as many again before it is cut.
const WINDOW_ROWS: usize = 250;
/// Rooms whose rows are kept when one looks at another.
const KEPT_ROOMS: usize = 8;

/// What a request for a room was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    First,
    /// After a reset, and why.
    Again(ResetReason),
    Older,
    Newer,
    Jump,
    /// Rows between two loaded ones.
    Hole,
    /// Events between the cursor and one that came early.
    Missing,
    Headers,
}

impl Session {
    pub(super) fn look(&mut self, room: RoomId, at: Option<u64>, out: &mut Vec<Effect>) {
        if self.looking_at == Some(room) && self.timelines.contains_key(&room) {
            if let Some(ordinal) = at {
                self.go_to(ordinal, out);
            }
            return;
        }
        self.unfollow(out);
        self.looking_at = Some(room);
        self.go_to = at;
        self.offer(out);
        self.mark_unread(room);
        while self.timelines.len() > KEPT_ROOMS {
            let idle = |id: &&RoomId| **id != room;
            let Some(idle) = self.timelines.keys().find(idle).copied() else { break };
            self.timelines.remove(&idle);
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
        (self.unpinned_at, self.left_at, self.go_to, self.check) = (None, None, None, None);
        self.wanted.clear();
        if let Some(room) = self.looking_at
            && self.status == Status::Live
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
                if let Some(ordinal) = self.go_to.take() {
                    self.go_to(ordinal, out);
                }
            }
            None => {
                let at = self.go_to.map_or(PageAt::Newest, PageAt::Around);
                self.ask(room, Ask::First, at, out);
            }
        }
    }

    pub(super) fn load_again(&mut self, room: RoomId, why: ResetReason, out: &mut Vec<Effect>) {
        self.ask(room, Ask::Again(why), PageAt::Newest, out);
    }

    /// A number for a request, unless one for the same is under way.
    pub(super) fn request(&mut self, room: RoomId, ask: Ask) -> Option<u64> {
        let asked = self.asks.values().any(|asked| *asked == (room, ask));
        if asked || self.status != Status::Live {
            return None;
        }
        let req = self.next_req;
        self.next_req += 1;
        self.asks.insert(req, (room, ask));
        Some(req)
    }

    fn ask(&mut self, room: RoomId, ask: Ask, at: PageAt, out: &mut Vec<Effect>) {
        let Some(req) = self.request(room, ask) else { return };
        let fresh = matches!(ask, Ask::First | Ask::Again(_));
        let at_least = self.timelines.get(&room).filter(|_| !fresh).map(Timeline::cursor);
        let limit = bounds::FIRST_PAGE_ROWS;
        out.push(Effect::Send(ClientFrame::Page { req, room, lane: 0, at, limit, at_least }));
    }

    pub(super) fn ask_failed(&mut self, req: u64, code: ErrorCode, message: &str, out: &mut Vec<Effect>) {
        let Some((room, ask)) = self.asks.remove(&req) else { return };
        match ask {
            Ask::Headers => self.stop_check(message),
            // What is still wanted is asked for again at the next tick.
            Ask::First | Ask::Again(_) if code.try_again() => self.ask(room, ask, PageAt::Newest, out),
            _ => {}
        }
    }

    /// Asks for what is missing within what is held.
    pub(super) fn fill(&mut self, room: RoomId, out: &mut Vec<Effect>) {
        let Some(timeline) = self.timelines.get(&room) else { return };
        let (missing, hole) = (timeline.missing(), timeline.hole());
        if let Some((after, to)) = missing
            && let Some(req) = self.request(room, Ask::Missing)
        {
            out.push(Effect::Send(ClientFrame::Fetch { req, room, after, to }));
        }
        if let Some((from, _)) = hole {
            self.ask(room, Ask::Hole, PageAt::After(from - 1), out);
        }
    }

    /// Rows at an edge of the window, or the newest ones. What cannot be asked for now is asked for when it can be.
    pub(super) fn want(&mut self, ask: Ask, out: &mut Vec<Effect>) {
        if ask == Ask::Jump {
            self.unpinned_at = None;
        }
        if !self.wanted.contains(&ask) {
            self.wanted.push(ask);
        }
        self.ask_wanted(out);
    }

    pub(super) fn ask_wanted(&mut self, out: &mut Vec<Effect>) {
        let (Some(room), Some(timeline)) = (self.looking_at, self.current()) else { return };
        let (oldest, newest) = timeline.window().unwrap_or((1, 0));
        let at_newest = timeline.at_newest();
        self.wanted.retain(|ask| if *ask == Ask::Older { oldest > 1 } else { !at_newest });
        for ask in self.wanted.clone() {
            let at = match ask {
                Ask::Older => PageAt::Before(oldest),
                Ask::Newer => PageAt::After(newest),
                _ => PageAt::Newest,
            };
            self.ask(room, ask, at, out);
        }
    }

    pub(super) fn go_to(&mut self, ordinal: u64, out: &mut Vec<Effect>) {
        let (Some(room), Some(timeline)) = (self.looking_at, self.current()) else { return };
        let loaded = timeline.rows().any(|row| row.ordinal == ordinal);
        if loaded {
            out.push(Effect::Show(ordinal));
        } else {
            self.go_to = Some(ordinal);
            self.ask(room, Ask::Jump, PageAt::Around(ordinal), out);
        }
    }

    pub(super) fn saw(&mut self, ordinal: u64, out: &mut Vec<Effect>) {
        let Some(room) = self.looking_at else { return };
        let seen = self.seen.entry(room).or_default();
        if ordinal > *seen {
            *seen = ordinal;
            if self.status == Status::Live {
                out.push(Effect::Send(ClientFrame::Read { room, lane: 0, generation: 0, ordinal }));
            }
        }
    }

    pub(super) fn event(&mut self, room: RoomId, event: &Arc<Event>, out: &mut Vec<Effect>) {
        let mine = event.header.author == self.me.id;
        let looked_at = self.looking_at == Some(room);
        let scrolled_up = looked_at && self.unpinned_at.is_some();
        let Some(timeline) = self.timelines.get_mut(&room) else { return };
        match timeline.apply(event) {
            Applied::Advanced => {
                cut(timeline, !scrolled_up);
                self.caught_up(room);
                self.introduce(room, [event.header.author], out);
                if let Some(ordinal) = event.ordinal.filter(|_| !mine && event.lane == 0 && looked_at) {
                    self.announce(event, out);
                    if let Some(after) = self.left_at.take_if(|left_at| *left_at < ordinal) {
                        self.mark_left(room, after);
                    }
                }
            }
            Applied::Old => {}
            Applied::Ahead { .. } => self.fill(room, out),
            Applied::Rewritten => self.load_again(room, ResetReason::Rewritten, out),
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

    pub(super) fn put_room(&mut self, room: RoomInfo) {
        let joined = self.looking_at == Some(room.id)
            && room.joined
            && self.room(room.id).is_some_and(|known| !known.joined);
        let id = room.id;
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
    }

    fn announce(&self, event: &Event, out: &mut Vec<Effect>) {
        if let Some(EventBody::Message(body)) = &event.body {
            let name = self.people.get(&event.header.author).map_or("Someone", |person| &person.name);
            out.push(Effect::Announce(format!("{name}: {}", body.text)));
        }
    }

    /// Asks who authors are whose names are not known yet.
    fn introduce(&self, room: RoomId, also: impl IntoIterator<Item = AccountId>, out: &mut Vec<Effect>) {
        let rows = self.timelines.get(&room);
        let mut ids: Vec<_> = also.into_iter().collect();
        if ids.is_empty() {
            ids.extend(rows.into_iter().flat_map(Timeline::rows).map(|row| row.author));
        }
        ids.retain(|id| !self.people.contains_key(id));
        ids.sort_unstable();
        ids.dedup();
        if !ids.is_empty() {
            ids.truncate(100);
            out.push(Effect::Send(ClientFrame::People { ids }));
        }
    }

    pub(super) fn page(&mut self, req: u64, page: &Page, out: &mut Vec<Effect>) {
        let Some((room, ask)) = self.asks.remove(&req) else { return };
        let paged = match (self.timelines.get_mut(&room), ask) {
            (Some(timeline), Ask::First | Ask::Again(_)) => {
                let head = timeline.head();
                timeline.reset(page);
                // What is acknowledged is in the log, or is asked about below.
                let known: Vec<_> = timeline.echoes().iter().map(|echo| echo.draft.id).collect();
                for id in known.into_iter().filter(|id| self.outbox.get(*id).is_some_and(Kept::is_stored)) {
                    timeline.drop_echo(id);
                }
                if let Ask::Again(why) = ask {
                    self.loaded_again(room, why, head, page.head, out);
                }
                Paged::Taken
            }
            (None, _) => {
                self.timelines.insert(room, Timeline::from_page(page));
                self.show_echoes(room);
                Paged::Taken
            }
            (Some(timeline), Ask::Jump) => timeline.jump(page),
            (Some(timeline), _) => {
                let paged = timeline.take_page(page);
                cut(timeline, ask == Ask::Newer);
                paged
            }
        };
        if paged == Paged::Taken && matches!(ask, Ask::First | Ask::Again(_) | Ask::Jump) {
            // Pages that were asked for at the edges of the window before would tear a hole into this one.
            let at_an_edge = |ask: &Ask| matches!(ask, Ask::Older | Ask::Newer | Ask::Hole);
            self.asks.retain(|_, (of, ask)| *of != room || !at_an_edge(ask));
            self.wanted.clear();
        } else if paged == Paged::Taken {
            self.wanted.retain(|wanted| *wanted != ask);
        }
        match (paged, ask) {
            (Paged::Taken, Ask::First | Ask::Again(_)) => self.follow(room, out),
            (Paged::Taken, Ask::Jump) => {
                if let Some(ordinal) = self.go_to.take() {
                    out.push(Effect::Show(ordinal));
                }
            }
            (Paged::Taken, _) => {}
            // Older than the cursor: the node is behind. What is still wanted is asked for at the next tick.
            (Paged::Stale, Ask::Jump) => self.ask(room, ask, PageAt::Newest, out),
            (Paged::Stale, _) => {}
            (Paged::Rewritten, _) => self.load_again(room, ResetReason::Rewritten, out),
        }
        self.introduce(room, [], out);
        self.fill(room, out);
    }

    /// Says what a fresh window replaced. After a changed log acknowledged drafts may be gone: their outcome is asked for.
    fn loaded_again(
        &mut self,
        room: RoomId,
        why: ResetReason,
        before: u64,
        head: u64,
        out: &mut Vec<Effect>,
    ) {
        self.unpinned_at = None;
        if why == ResetReason::Far {
            let missed = head.saturating_sub(before);
            if missed > 0 {
                self.put_mark(room, Mark { after: before, what: MarkKind::CaughtUp { missed } });
            }
            return;
        }
        self.put_mark(room, Mark { after: head, what: MarkKind::Reset { at: self.now } });
        for id in self.outbox.stored_in(room) {
            out.push(Effect::Send(ClientFrame::Outcome { id }));
        }
    }
}

/// Keeps a window bounded without cutting it at every event.
fn cut(timeline: &mut Timeline, keep_newest: bool) {
    if timeline.rows().len() > WINDOW_ROWS + WINDOW_ROWS / 2 {
        timeline.trim(WINDOW_ROWS, keep_newest);
    }
}
