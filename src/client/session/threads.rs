//! The thread that stands beside the looked-at room, and the threads that one follows.

use super::reading::{Marked, MarkedAs};
use super::rooms::{said_in, said_of};
use super::window::{Ask, Viewport, cut};
use super::{Effect, Session, Status};
use crate::client::Lane;
use crate::protocol::frame::{Draft, ResetReason};
use crate::protocol::{
    ClientFrame, ClientId, Event, Kind, Page, PageAt, Pointer, RoomId, Row, Thread, bounds,
};
use crate::timeline::{Applied, Mark, MarkKind, Timeline, write};
use std::sync::Arc;

/// A thread on the screen.
#[derive(Debug, Clone)]
pub struct OpenThread {
    pub at: Lane,
    /// Its root, whether one follows it, and what was unread there; none until the server has told.
    pub told: Option<Thread>,
    pub timeline: Option<Timeline>,
    /// The line above what was unread when it was opened.
    pub marks: Vec<Mark>,
    /// Why it cannot be shown.
    pub fault: Option<String>,
    /// It was marked as unread: what is on the screen does not count as read until one comes back.
    held: bool,
    /// The newest answer that was on the screen for a second, whether it counts as read or not.
    seen: u64,
    pub(super) viewport: Viewport,
}

impl OpenThread {
    fn new(at: Lane, go_to: Option<u64>) -> OpenThread {
        let viewport = Viewport { go_to, ..Viewport::default() };
        OpenThread {
            at,
            told: None,
            timeline: None,
            marks: Vec::new(),
            fault: None,
            held: false,
            seen: 0,
            viewport,
        }
    }

    /// As the server put it into the page.
    pub(super) fn of_page(thread: &Thread, page: &Page) -> OpenThread {
        let mut open = OpenThread::new(Lane { room: page.room, lane: page.lane }, None);
        open.timeline = Some(Timeline::from_page(page));
        open.tell(thread.clone());
        open
    }

    pub fn root(&self) -> Option<&Arc<Row>> {
        Some(&self.told.as_ref()?.root)
    }

    /// What the server says of it; the line above what is unread stays where it was first.
    fn tell(&mut self, thread: Thread) {
        if self.told.is_none() && thread.badge.unread > 0 {
            self.marks = vec![Mark { after: thread.badge.read, what: MarkKind::New }];
        }
        // Marked on another device: what is on the screen here does not undo it.
        let back = |told: &Thread| {
            told.badge.generation < thread.badge.generation && told.badge.read > thread.badge.read
        };
        self.held |= self.told.as_ref().is_some_and(back);
        let newer = self.told.take().filter(|told| told.root.version > thread.root.version);
        self.told =
            Some(Thread { root: newer.map_or_else(|| thread.root.clone(), |told| told.root), ..thread });
        self.fault = None;
    }
}

impl Session {
    /// The root of a lane, or a row of it, as it is shown: ordinal 0 is the root.
    pub fn shown_at(&self, lane: Lane, ordinal: u64) -> Option<Arc<Row>> {
        let timeline = self.timeline(lane)?;
        let open = self.thread.as_ref().filter(|_| lane.lane != 0 && ordinal == 0);
        let row = open.map_or_else(|| timeline.row_at(ordinal), OpenThread::root);
        row.map(|row| timeline.shown(row))
    }

    /// A loaded row of a lane as it is shown, or its root.
    pub fn shown(&self, lane: Lane, id: ClientId) -> Option<Arc<Row>> {
        let timeline = self.timeline(lane)?;
        let root = || self.thread.as_ref()?.root().filter(|root| lane.lane != 0 && root.id == id);
        timeline.row(id).or_else(root).map(|row| timeline.shown(row))
    }

    pub(super) fn look_at_thread(&mut self, at: Option<(u64, Option<u64>)>, out: &mut Vec<Effect>) {
        let at = self.looking_at.zip(at).map(|(room, (lane, ordinal))| (Lane { room, lane }, ordinal));
        let open = self.thread.as_ref().map(|open| open.at);
        match at {
            Some((lane, ordinal)) if open == Some(lane) => {
                if let Some(ordinal) = ordinal {
                    self.go_to(lane.lane, ordinal, out);
                }
                return;
            }
            None if open.is_none() => return,
            _ => {}
        }
        let closed = self.thread.take();
        if let Some(closed) = closed {
            self.asks.retain(|_, (lane, _)| *lane != closed.at);
            self.show_echoes(closed.at.room);
        }
        let Some((lane, ordinal)) = at else { return };
        self.thread = Some(OpenThread::new(lane, ordinal));
        self.offer(out);
        self.ask_thread(out);
    }

    /// Asks for what is to be known of the open thread, and for its rows if there are none.
    pub(super) fn ask_thread(&mut self, out: &mut Vec<Effect>) {
        let Some(open) = &self.thread else { return };
        let (at, go_to, begun) = (open.at, open.viewport.go_to, open.timeline.is_some());
        if let Some(req) = self.request(at, Ask::Thread) {
            let Lane { room, lane } = at;
            out.push(Effect::Send(ClientFrame::Thread { req, room, lane }));
        }
        if !begun {
            self.ask(at, Ask::First, go_to.map_or(PageAt::Newest, PageAt::Around), out);
        }
    }

    pub(super) fn thread_failed(&mut self, lane: Lane, message: &str) {
        if let Some(open) = self.thread.as_mut().filter(|open| open.at == lane) {
            open.fault = Some(message.to_owned());
        }
    }

    pub(super) fn thread_came(&mut self, req: u64, room: RoomId, thread: Thread, out: &mut Vec<Effect>) {
        self.asks.remove(&req);
        self.introduce([said_of(&thread.root)], out);
        let at = Lane { room, lane: thread.lane };
        if let Some(open) = self.thread.as_mut().filter(|open| open.at == at) {
            self.unsaid.retain(|lane, unsaid| *lane != at || *unsaid > thread.badge.pointer());
            open.tell(thread);
            // What was on the screen before one followed.
            let seen = open.seen;
            self.saw_answer(at.lane, seen, out);
            // Whose answers they are is known now.
            self.show_echoes(room);
        }
    }

    pub(super) fn threads_came(&mut self, room: RoomId, threads: Vec<Thread>, out: &mut Vec<Effect>) {
        self.introduce(threads.iter().map(|told| said_of(&told.root)), out);
        if let Some(open) = self.thread.as_mut().filter(|open| open.at.room == room) {
            match threads.iter().find(|told| told.lane == open.at.lane) {
                Some(told) => open.tell(told.clone()),
                None if threads.len() < bounds::THREADS => {
                    open.told.iter_mut().for_each(|told| told.follows = false);
                }
                None => {}
            }
        }
        if self.threads_to_read.remove(&room) {
            let unread = threads.iter().filter(|told| told.badge.unread > 0);
            let lanes = unread.map(|told| (Lane { room, lane: told.lane }, told.badge));
            let (before, now): (Vec<_>, Vec<_>) = lanes
                .map(|(at, badge)| {
                    let read = badge.pointer();
                    ((at, read), (at, Pointer { generation: read.generation + 1, ordinal: badge.head }))
                })
                .unzip();
            self.marked.iter_mut().for_each(|marked| marked.threads.extend(before.iter().copied()));
            self.raise(now, out);
        }
        self.threads.insert(room, threads);
    }

    /// A room was marked as read: so are its threads, once they are known.
    pub(super) fn read_threads(&mut self, room: RoomId, out: &mut Vec<Effect>) {
        let Some(info) = self.rooms.iter_mut().find(|info| info.id == room) else { return };
        if info.badge.threads > 0 {
            (info.badge.threads, info.badge.thread_mentions) = (0, 0);
            self.threads_to_read.insert(room);
            self.ask_threads_to_read(out);
        }
    }

    pub(super) fn ask_threads_to_read(&mut self, out: &mut Vec<Effect>) {
        if self.status == Status::Live {
            let rooms = self.threads_to_read.iter();
            out.extend(rooms.map(|room| Effect::Send(ClientFrame::Threads { room: *room })));
        }
    }

    pub(super) fn ask_threads(&mut self, out: &mut Vec<Effect>) {
        if let Some(room) = self.looking_at
            && self.status == Status::Live
        {
            out.push(Effect::Send(ClientFrame::Threads { room }));
        }
    }

    /// What is unread there has changed: a list that was loaded says so.
    pub(super) fn refresh_threads(&mut self, room: RoomId, out: &mut Vec<Effect>) {
        if self.looking_at == Some(room) && self.threads.contains_key(&room) {
            self.ask_threads(out);
        }
    }

    pub(super) fn follow_thread(&mut self, follow: bool, out: &mut Vec<Effect>) {
        if self.status == Status::Live
            && let Some(open) = &mut self.thread
            && let Some(told) = &mut open.told
        {
            told.follows = follow;
            let Lane { room, lane } = open.at;
            out.push(Effect::Send(ClientFrame::Follow { room, lane, follow }));
        }
    }

    /// An answer was on the screen for a second.
    pub(super) fn saw_answer(&mut self, lane: u64, ordinal: u64, out: &mut Vec<Effect>) {
        let Some(open) = self.thread.as_mut().filter(|open| open.at.lane == lane) else { return };
        open.seen = open.seen.max(ordinal);
        let (at, held) = (open.at, open.held);
        let unread = |told: &&mut Thread| told.follows && ordinal > told.badge.read && !held;
        let Some(told) = open.told.as_mut().filter(unread) else { return };
        told.badge.read = ordinal;
        let pointer = told.badge.pointer();
        self.raise(vec![(at, pointer)], out);
        self.close_answers(out, |told| told.at == at && told.ordinal <= ordinal);
    }

    /// Marks the answers of the open thread from an ordinal on as unread, for one who follows it.
    pub(super) fn mark_answers_unread(&mut self, lane: u64, ordinal: u64, out: &mut Vec<Effect>) {
        let Some(open) = self.thread.as_mut().filter(|open| open.at.lane == lane) else { return };
        let (at, after) = (open.at, ordinal.saturating_sub(1));
        let Some(told) = open.told.as_ref().filter(|told| told.follows) else { return };
        let before = told.badge.pointer();
        open.marks = vec![Mark { after, what: MarkKind::New }];
        let read = Pointer { generation: before.generation + 1, ordinal: after };
        self.set_answers_read(at, read, true);
        self.marked = Some(Marked {
            what: MarkedAs::Unread,
            before: Vec::new(),
            threads: vec![(at, before)],
            at: self.now,
        });
        self.raise(vec![(at, read)], out);
    }

    /// A pointer of a thread, which may be the open one, was set by hand.
    pub(super) fn set_answers_read(&mut self, at: Lane, read: Pointer, held: bool) {
        if let Some(open) = self.thread.as_mut().filter(|open| open.at == at)
            && let Some(told) = &mut open.told
        {
            (told.badge.generation, told.badge.read) = (read.generation, read.ordinal);
            open.held = held;
        }
    }

    /// An event of the room, for the thread beside it.
    pub(super) fn answer(&mut self, room: RoomId, event: &Arc<Event>, out: &mut Vec<Effect>) {
        let Some(open) = self.thread.as_mut().filter(|open| open.at.room == room) else { return };
        let (at, mut asks) = (open.at, false);
        if let Some(told) = &mut open.told {
            let target = event.header.target.as_ref().and_then(|target| target.as_str().parse().ok());
            if event.header.kind == Kind::Act && target == Some(told.root.id) {
                if event.seq > told.root.version {
                    write(&mut told.root, event);
                }
            } else if event.answers().is_some_and(|place| place.lane == at.lane) {
                Arc::make_mut(&mut told.root).answered(event);
                // Whoever answers follows, but for who said that he does not: the server knows.
                asks = !told.follows && event.header.author == self.me.id;
            }
        }
        if asks {
            self.ask_thread(out);
        }
        let Some(open) = &mut self.thread else { return };
        let scrolled_up = open.viewport.unpinned_at.is_some();
        let Some(timeline) = &mut open.timeline else { return };
        match timeline.apply(event) {
            Applied::Advanced => {
                cut(timeline, !scrolled_up);
                self.introduce([said_in(event)], out);
                if event.lane == at.lane && event.ordinal.is_some() && event.header.author != self.me.id {
                    self.announce(event, out);
                }
            }
            Applied::Old => {}
            Applied::Ahead { .. } => self.fill(at, out),
            Applied::Rewritten => self.load_again(at, ResetReason::Rewritten, out),
        }
    }

    /// A room and the thread beside it.
    pub(super) fn load_all_again(&mut self, room: RoomId, why: ResetReason, out: &mut Vec<Effect>) {
        self.load_again(room.into(), why, out);
        if let Some(at) = self.thread.as_ref().map(|open| open.at).filter(|at| at.room == room) {
            self.load_again(at, why, out);
        }
    }

    /// Where a draft is to stand, if that is known here.
    pub(super) fn lane_of(&self, draft: &Draft) -> Option<Lane> {
        let room = draft.room;
        let Some(answer) = draft.thread else { return Some(room.into()) };
        let open = self.thread.as_ref().filter(|open| open.root().is_some_and(|root| root.id == answer.to));
        let loaded = || self.timelines.get(&room)?.row(answer.to).map(|root| Lane { room, lane: root.seq });
        open.map(|open| open.at).or_else(loaded)
    }
}
