//! How far one has read: what was seen, and what is marked by hand.

use super::{Effect, Session, Status};
use crate::client::Lane;
use crate::protocol::frame::RoomInfo;
use crate::protocol::{Badge, ClientFrame, Pointer, Raise, RoomId, bounds};
use crate::timeline::{Mark, MarkKind};

/// A mark can be taken back for so long, in milliseconds.
const UNDO_MS: i64 = 60_000;

/// What was unread of the looked-at room when it was entered, until the line above it was on the screen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entered {
    after: u64,
    unread: u32,
    above: bool,
}

/// What the last mark changed, so that it can be taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct Marked {
    pub what: MarkedAs,
    /// Where the pointers stood, and what was unread then.
    pub before: Vec<(RoomId, Badge)>,
    /// Where those of threads stood.
    pub(super) threads: Vec<(Lane, Pointer)>,
    pub(super) at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkedAs {
    Read,
    Unread,
}

impl Session {
    /// How far one has read in a room: what the server knows, or what it does not know yet.
    pub fn read_to(&self, room: RoomId) -> Pointer {
        let known = self.room(room).map(|info| info.badge.pointer()).unwrap_or_default();
        self.unsaid.get(&room.into()).copied().unwrap_or_default().max(known)
    }

    /// What is unread in a room for one who looks at it as now: nothing, where it is being read.
    pub fn badge(&self, room: &RoomInfo) -> Badge {
        if self.is_reading(room.id) && self.held != Some(room.id) {
            return Badge { unread: 0, mentions: 0, ..room.badge };
        }
        room.badge
    }

    /// Whether what comes in a lane is seen as it comes.
    pub(super) fn is_reading(&self, lane: impl Into<Lane>) -> bool {
        self.attending && self.viewport(lane.into()).is_some_and(|viewport| viewport.unpinned_at.is_none())
    }

    /// Mentions, and rooms with something unread, over all rooms.
    pub fn total(&self) -> (u32, u32) {
        let badges =
            self.rooms.iter().filter(|room| room.joined && !room.archived).map(|room| self.badge(room));
        badges.fold((0, 0), |(mentions, rooms), badge| {
            let named = badge.all_mentions();
            let counts = badge.all_unread() > 0 && (!badge.wanted.muted || named > 0);
            (mentions + named, rooms + u32::from(counts))
        })
    }

    /// The first unread ordinal of the looked-at room and how many were unread when it was entered, while the line
    /// above it was not on the screen.
    pub fn first_unread(&self) -> Option<(u64, u32)> {
        let Entered { after, unread, above } = self.entered?;
        let (oldest, _) = self.current()?.window()?;
        (above || oldest > after + 1).then_some((after + 1, unread))
    }

    /// The line above what is new has come on the screen, or stands above it.
    pub(super) fn new_line(&mut self, above: bool) {
        match &mut self.entered {
            Some(entered) if above => entered.above = true,
            _ => self.entered = None,
        }
    }

    /// The line above what is unread, as it is when the room is entered.
    pub(super) fn mark_unread(&mut self, room: RoomId) {
        let Badge { unread, read, .. } = self.room(room).map(|info| info.badge).unwrap_or_default();
        if let Some(marks) = self.marks.get_mut(&room) {
            marks.retain(|mark| !matches!(mark.what, MarkKind::New | MarkKind::CaughtUp { .. }));
        }
        self.entered = (unread > 0).then_some(Entered { after: read, unread, above: false });
        if unread > 0 {
            self.put_mark(room, Mark { after: read, what: MarkKind::New });
        }
    }

    /// What was missed begins above the rows that are loaded: the way to it is shown.
    pub(super) fn lead_to(&mut self, after: u64, missed: u64) {
        let unread = u32::try_from(missed).unwrap_or(u32::MAX);
        self.entered = Some(Entered { after, unread, above: false });
    }

    pub(super) fn saw(&mut self, ordinal: u64, out: &mut Vec<Effect>) {
        let Some(room) = self.looking_at else { return };
        let seen = self.seen.entry(room).or_default();
        *seen = ordinal.max(*seen);
        let Pointer { generation, ordinal: read } = self.read_to(room);
        if ordinal > read && self.held != Some(room) {
            self.raise(vec![(room.into(), Pointer { generation, ordinal })], out);
        }
    }

    /// Tells the server how far one has read, now or when there is a connection.
    pub(super) fn raise(&mut self, pointers: Vec<(Lane, Pointer)>, out: &mut Vec<Effect>) {
        self.unsaid.extend(pointers.iter().copied());
        self.say_read(pointers, out);
    }

    fn say_read(&self, pointers: Vec<(Lane, Pointer)>, out: &mut Vec<Effect>) {
        if self.status != Status::Live {
            return;
        }
        let raise =
            |(at, pointer): &(Lane, Pointer)| Raise { room: at.room, lane: at.lane, pointer: *pointer };
        match pointers.as_slice() {
            [] => {}
            [one] => out.push(Effect::Send(ClientFrame::Read(raise(one)))),
            many => {
                out.extend(many.chunks(bounds::RAISE_AT_ONCE).map(|some| {
                    Effect::Send(ClientFrame::ReadAll { raise: some.iter().map(raise).collect() })
                }))
            }
        }
    }

    /// What the server may not have got is said again.
    pub(super) fn say_unsaid(&mut self, out: &mut Vec<Effect>) {
        let rooms = &self.rooms;
        self.unsaid.retain(|at, pointer| {
            let known = rooms.iter().find(|known| known.id == at.room && known.joined);
            known.is_some_and(|known| at.lane != 0 || known.badge.pointer() < *pointer)
        });
        self.say_read(self.unsaid.iter().map(|(at, pointer)| (*at, *pointer)).collect(), out);
    }

    pub(super) fn badge_came(&mut self, room: RoomId, badge: Badge, out: &mut Vec<Effect>) {
        let Some(info) = self.rooms.iter_mut().find(|known| known.id == room) else { return };
        // Marked on another device: what is on the screen here does not undo it.
        let seen = self.seen.get(&room).copied().unwrap_or(0);
        if self.looking_at == Some(room) && badge.generation > info.badge.generation && badge.read < seen {
            self.held = Some(room);
        }
        let before = std::mem::replace(&mut info.badge, badge);
        // What was read of a thread is answered with the room's badge.
        self.unsaid.retain(|at, unsaid| at.room != room || (at.lane == 0 && *unsaid > badge.pointer()));
        let answered = (before.threads, before.newest_answer) != (badge.threads, badge.newest_answer);
        if answered {
            self.refresh_threads(room, out);
        }
        // A badge like the one before tells that something else was said, as that one follows.
        if (answered || before == badge) && self.thread.as_ref().is_some_and(|open| open.at.room == room) {
            self.ask_thread(out);
        }
        if before.mentions != badge.mentions {
            self.refresh_mentions(out);
        }
        self.notice(room, before, out);
    }

    /// Marks what stands from an ordinal on in the looked-at room as unread. It stays so until one comes back to it.
    pub(super) fn mark_unread_from(&mut self, ordinal: u64, out: &mut Vec<Effect>) {
        let Some(room) = self.looking_at else { return };
        let after = ordinal.saturating_sub(1);
        let me = self.me.id;
        let below = self.current().into_iter().flat_map(|timeline| timeline.rows());
        let below = below.filter(|row| row.ordinal > after && row.author != me && row.deleted.is_none());
        let unread = u32::try_from(below.count()).unwrap_or(u32::MAX).min(bounds::UNREAD_EXACT + 1);
        self.mark(MarkedAs::Unread, vec![(room, after, Some(unread))], out);
        self.held = Some(room);
        self.put_mark(room, Mark { after, what: MarkKind::New });
    }

    /// Marks all that is known of rooms as read.
    pub(super) fn mark_read(&mut self, rooms: Vec<RoomId>, out: &mut Vec<Effect>) {
        if self.looking_at.is_some_and(|room| rooms.contains(&room)) {
            self.entered = None;
        }
        let head = |room: &RoomId| {
            let info = self.room(*room).filter(|info| info.joined && info.badge.all_unread() > 0)?;
            let loaded = self.timelines.get(room).map_or(0, |timeline| timeline.head());
            Some((*room, info.badge.head.max(loaded), Some(0)))
        };
        let heads: Vec<_> = rooms.iter().filter_map(head).collect();
        if heads.is_empty() {
            return;
        }
        let rooms: Vec<_> = heads.iter().map(|(room, ..)| *room).collect();
        self.mark(MarkedAs::Read, heads, out);
        rooms.into_iter().for_each(|room| self.read_threads(room, out));
    }

    fn mark(&mut self, what: MarkedAs, to: Vec<(RoomId, u64, Option<u32>)>, out: &mut Vec<Effect>) {
        let before = |room: RoomId| {
            let badge = self.room(room)?.badge;
            Some((room, Badge { read: self.read_to(room).ordinal, ..badge }))
        };
        let before: Vec<_> = to.iter().filter_map(|(room, ..)| before(*room)).collect();
        self.set_read(to, out);
        self.marked = Some(Marked { what, before, threads: Vec::new(), at: self.now });
    }

    /// Begins a new generation of these pointers. What is unread then is shown at once and corrected by the server.
    fn set_read(&mut self, to: Vec<(RoomId, u64, Option<u32>)>, out: &mut Vec<Effect>) {
        let mut pointers = Vec::new();
        for (room, ordinal, unread) in to {
            let before = self.read_to(room);
            pointers.push((room.into(), Pointer { generation: before.generation + 1, ordinal }));
            let back = ordinal < before.ordinal.max(self.seen.get(&room).copied().unwrap_or(0));
            if self.looking_at == Some(room) {
                (self.held, self.entered) = (back.then_some(room), None);
            }
            if let (Some(info), Some(unread)) = (self.rooms.iter_mut().find(|info| info.id == room), unread) {
                info.badge.unread = unread;
                info.badge.mentions = info.badge.mentions.min(unread);
            }
        }
        self.raise(pointers, out);
    }

    pub(super) fn undo_mark(&mut self, out: &mut Vec<Effect>) {
        let Some(marked) = self.marked.take() else { return };
        self.threads_to_read.clear();
        for (room, badge) in &marked.before {
            if let Some(info) = self.rooms.iter_mut().find(|info| info.id == *room) {
                info.badge.mentions = badge.mentions;
            }
        }
        let back = marked.before.iter().map(|(room, badge)| (*room, badge.read, Some(badge.unread)));
        self.set_read(back.collect(), out);
        // The mark was one generation, to take it back is another.
        let again =
            |(at, read): &(Lane, Pointer)| (*at, Pointer { generation: read.generation + 2, ..*read });
        let threads: Vec<_> = marked.threads.iter().map(again).collect();
        threads.iter().for_each(|(at, read)| self.set_answers_read(*at, *read, false));
        self.raise(threads, out);
    }

    /// Another stay in the room has a pointer of its own.
    pub(super) fn forget_reading(&mut self, room: RoomId) {
        self.unsaid.retain(|at, _| at.room != room);
        self.held.take_if(|held| *held == room);
        if let Some(marked) = &mut self.marked {
            marked.before.retain(|(of, _)| *of != room);
            marked.threads.retain(|(at, _)| at.room != room);
        }
        self.marked.take_if(|marked| marked.before.is_empty() && marked.threads.is_empty());
    }

    pub(super) fn forget_old_mark(&mut self) {
        self.marked.take_if(|marked| self.now - marked.at >= UNDO_MS);
    }
}
