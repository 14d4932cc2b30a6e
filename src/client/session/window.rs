//! The window of rows of a room: pages asked for, taken, and asked for again.

use super::{Effect, Session, Status};
use crate::client::Lane;
use crate::client::outbox::Kept;
use crate::protocol::frame::ResetReason;
use crate::protocol::{ClientFrame, ClientId, ErrorCode, Page, PageAt, RoomId, bounds};
use crate::timeline::{Mark, MarkKind, Paged, Timeline};

/// Rows that a room's window keeps; it grows to half as many again before it is cut.
const WINDOW_ROWS: usize = 250;

/// What a request for a lane of a room was for.
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
    /// What is new, to be notified of.
    Notice,
    /// Answers after a seq, for the same.
    Answers(u64),
    /// Messages that name me since they were edited, after a seq.
    Edits(u64),
    Headers,
    /// Events whose bodies a check needs.
    Bodies,
    History(ClientId),
    Pins,
    Members,
    /// What is to be known of the thread beside the room.
    Thread,
}

/// What is seen of one lane.
#[derive(Debug, Clone, Default)]
pub(super) struct Viewport {
    /// The lane's newest ordinal when its newest row went out of view.
    pub(super) unpinned_at: Option<u64>,
    /// A row to show as soon as it is loaded.
    pub(super) go_to: Option<u64>,
    /// What the one who looks is to see and does not have yet.
    pub(super) wanted: Vec<Ask>,
}

impl Session {
    /// What is held of a lane.
    pub fn timeline(&self, lane: Lane) -> Option<&Timeline> {
        match lane.lane {
            0 => self.timelines.get(&lane.room),
            _ => self.thread.as_ref().filter(|open| open.at == lane)?.timeline.as_ref(),
        }
    }

    pub(super) fn timeline_mut(&mut self, lane: Lane) -> Option<&mut Timeline> {
        match lane.lane {
            0 => self.timelines.get_mut(&lane.room),
            _ => self.thread.as_mut().filter(|open| open.at == lane)?.timeline.as_mut(),
        }
    }

    /// All that is held of a room: its own lane and the thread beside it.
    pub(super) fn timelines_of(&mut self, room: RoomId) -> impl Iterator<Item = &mut Timeline> {
        let open = self.thread.as_mut().filter(|open| open.at.room == room);
        let thread = open.and_then(|open| open.timeline.as_mut());
        self.timelines.get_mut(&room).into_iter().chain(thread)
    }

    pub(super) fn viewport(&self, lane: Lane) -> Option<&Viewport> {
        match lane.lane {
            0 => Some(&self.viewport).filter(|_| self.looking_at == Some(lane.room)),
            _ => Some(&self.thread.as_ref().filter(|open| open.at == lane)?.viewport),
        }
    }

    pub(super) fn viewport_mut(&mut self, lane: Lane) -> Option<&mut Viewport> {
        match lane.lane {
            0 if self.looking_at == Some(lane.room) => Some(&mut self.viewport),
            0 => None,
            _ => Some(&mut self.thread.as_mut().filter(|open| open.at == lane)?.viewport),
        }
    }

    /// A lane of the looked-at room.
    fn lane(&self, lane: u64) -> Option<Lane> {
        Some(Lane { room: self.looking_at?, lane })
    }

    pub(super) fn load_again(&mut self, lane: Lane, why: ResetReason, out: &mut Vec<Effect>) {
        self.ask(lane, Ask::Again(why), PageAt::Newest, out);
    }

    /// A number for a request, unless one for the same is under way.
    pub(super) fn request(&mut self, lane: impl Into<Lane>, ask: Ask) -> Option<u64> {
        let lane = lane.into();
        let asked = self.asks.values().any(|asked| *asked == (lane, ask));
        if asked || self.status != Status::Live {
            return None;
        }
        let req = self.next_req;
        self.next_req += 1;
        self.asks.insert(req, (lane, ask));
        Some(req)
    }

    pub(super) fn ask(&mut self, lane: Lane, ask: Ask, at: PageAt, out: &mut Vec<Effect>) {
        let Some(req) = self.request(lane, ask) else { return };
        let fresh = matches!(ask, Ask::First | Ask::Again(_));
        // A thread is at least as new as the room beside it.
        let known = self.timeline(lane).or_else(|| self.timelines.get(&lane.room).filter(|_| lane.lane != 0));
        let at_least = known.filter(|_| !fresh || lane.lane != 0).map(Timeline::cursor);
        let Lane { room, lane } = lane;
        let limit = bounds::FIRST_PAGE_ROWS;
        out.push(Effect::Send(ClientFrame::Page { req, room, lane, at, limit, at_least }));
    }

    pub(super) fn ask_failed(&mut self, req: u64, code: ErrorCode, message: &str, out: &mut Vec<Effect>) {
        let Some((lane, ask)) = self.asks.remove(&req) else { return };
        match ask {
            Ask::Headers => self.stop_check(message),
            Ask::Bodies => self.finish_check(),
            Ask::Answers(_) => self.tell_backlog(out),
            Ask::History(_) | Ask::Pins | Ask::Members => {
                self.viewport.wanted.retain(|wanted| *wanted != ask || code.try_again());
                self.notice = Some(message.to_owned());
            }
            // What is still wanted is asked for again at the next tick.
            Ask::First | Ask::Again(_) | Ask::Thread if code.try_again() => self.ask_again(lane, ask, out),
            Ask::First | Ask::Again(_) | Ask::Thread => self.thread_failed(lane, message),
            _ => {}
        }
    }

    fn ask_again(&mut self, lane: Lane, ask: Ask, out: &mut Vec<Effect>) {
        match ask {
            Ask::Thread => self.ask_thread(out),
            _ => self.ask(lane, ask, PageAt::Newest, out),
        }
    }

    /// Asks for what is missing within what is held.
    pub(super) fn fill(&mut self, lane: Lane, out: &mut Vec<Effect>) {
        let Some(timeline) = self.timeline(lane) else { return };
        let (missing, hole) = (timeline.missing(), timeline.hole());
        if let Some((after, to)) = missing
            && let Some(req) = self.request(lane, Ask::Missing)
        {
            out.push(Effect::Send(ClientFrame::Fetch { req, room: lane.room, after, to }));
        }
        if let Some((from, _)) = hole {
            self.ask(lane, Ask::Hole, PageAt::After(from - 1), out);
        }
    }

    /// As [`Session::fill`], for all that is followed or looked at.
    pub(super) fn fill_all(&mut self, out: &mut Vec<Effect>) {
        let thread = self.thread.as_ref().map(|open| open.at);
        for lane in self.followed().into_iter().map(Lane::from).chain(thread) {
            self.fill(lane, out);
        }
    }

    /// The lanes that are looked at.
    fn lanes(&self) -> Vec<Lane> {
        let thread = self.thread.as_ref().map(|open| open.at);
        self.looking_at.map(Lane::from).into_iter().chain(thread).collect()
    }

    pub(super) fn pin(&mut self, lane: u64, pinned: bool) {
        let Some(lane) = self.lane(lane) else { return };
        let head = self.timeline(lane).map(Timeline::head);
        if let Some(viewport) = self.viewport_mut(lane) {
            viewport.unpinned_at = if pinned { None } else { viewport.unpinned_at.or(head) };
        }
    }

    /// Rows at an edge of a window, or the newest ones. What cannot be asked for now is asked for when it can be.
    pub(super) fn want(&mut self, lane: u64, ask: Ask, out: &mut Vec<Effect>) {
        if let Some(lane) = self.lane(lane)
            && let Some(viewport) = self.viewport_mut(lane)
        {
            if ask == Ask::Jump {
                viewport.unpinned_at = None;
            }
            if !viewport.wanted.contains(&ask) {
                viewport.wanted.push(ask);
            }
            self.ask_wanted_of(lane, out);
        }
    }

    pub(super) fn ask_wanted(&mut self, out: &mut Vec<Effect>) {
        for lane in self.lanes() {
            self.ask_wanted_of(lane, out);
        }
    }

    fn ask_wanted_of(&mut self, lane: Lane, out: &mut Vec<Effect>) {
        let Some(timeline) = self.timeline(lane) else { return };
        let (oldest, newest) = timeline.window().unwrap_or((1, 0));
        let at_newest = timeline.at_newest();
        let Some(viewport) = self.viewport_mut(lane) else { return };
        viewport.wanted.retain(|ask| match ask {
            Ask::History(_) | Ask::Pins => true,
            Ask::Older => oldest > 1,
            _ => !at_newest,
        });
        let room = lane.room;
        for ask in viewport.wanted.clone() {
            let at = match ask {
                Ask::History(target) => {
                    if let Some(req) = self.request(lane, ask) {
                        out.push(Effect::Send(ClientFrame::History { req, room, target }));
                    }
                    continue;
                }
                Ask::Pins => {
                    if let Some(req) = self.request(lane, ask) {
                        out.push(Effect::Send(ClientFrame::Pins { req, room }));
                    }
                    continue;
                }
                Ask::Older => PageAt::Before(oldest),
                Ask::Newer => PageAt::After(newest),
                _ => PageAt::Newest,
            };
            self.ask(lane, ask, at, out);
        }
    }

    pub(super) fn go_to(&mut self, lane: u64, ordinal: u64, out: &mut Vec<Effect>) {
        let Some(at) = self.lane(lane) else { return };
        let Some(timeline) = self.timeline(at) else { return };
        if timeline.row_at(ordinal).is_some() {
            out.push(Effect::Show(lane, ordinal));
        } else if let Some(viewport) = self.viewport_mut(at) {
            viewport.go_to = Some(ordinal);
            self.ask(at, Ask::Jump, PageAt::Around(ordinal), out);
        }
    }

    /// The first window of a lane.
    fn begin(&mut self, lane: Lane, page: &Page) {
        match &mut self.thread {
            _ if lane.lane == 0 => drop(self.timelines.insert(lane.room, Timeline::from_page(page))),
            Some(open) if open.at == lane => open.timeline = Some(Timeline::from_page(page)),
            _ => {}
        }
        self.show_echoes(lane.room);
    }

    pub(super) fn page(&mut self, req: u64, page: &Page, out: &mut Vec<Effect>) {
        let Some((lane, ask)) = self.asks.remove(&req) else { return };
        if ask == Ask::Notice {
            return self.notice_page(page, out);
        }
        let paged = match (self.timeline_mut(lane), ask) {
            (Some(timeline), Ask::First | Ask::Again(_)) => {
                let head = timeline.head();
                timeline.reset(page);
                // What is acknowledged is in the log, or is asked about below.
                let known: Vec<_> = timeline.echoes().iter().map(|echo| echo.draft.id).collect();
                for id in known {
                    if self.outbox.get(id).is_some_and(Kept::is_stored) {
                        self.timeline_mut(lane).into_iter().for_each(|timeline| timeline.drop_echo(id));
                    }
                }
                // Some may have been found lost while their old rows still stood.
                self.order_echoes(lane.room);
                if let Ask::Again(why) = ask
                    && lane.lane == 0
                {
                    self.loaded_again(lane.room, why, head, page.head, out);
                }
                Paged::Taken
            }
            (None, _) => {
                self.begin(lane, page);
                Paged::Taken
            }
            (Some(timeline), Ask::Jump) => timeline.jump(page),
            (Some(timeline), _) => {
                let paged = timeline.take_page(page);
                cut(timeline, ask == Ask::Newer);
                paged
            }
        };
        let fresh = matches!(ask, Ask::First | Ask::Again(_) | Ask::Jump);
        if paged == Paged::Taken && fresh {
            // Pages that were asked for at the edges of the window before would tear a hole into this one.
            let at_an_edge = |ask: &Ask| matches!(ask, Ask::Older | Ask::Newer | Ask::Hole);
            self.asks.retain(|_, (of, ask)| *of != lane || !at_an_edge(ask));
        }
        let mut go_to = None;
        if let Some(viewport) = self.viewport_mut(lane).filter(|_| paged == Paged::Taken) {
            let kept = |wanted: &Ask| matches!(wanted, Ask::History(_) | Ask::Pins);
            viewport.wanted.retain(|wanted| if fresh { kept(wanted) } else { *wanted != ask });
            go_to = if ask == Ask::Jump || (fresh && lane.lane != 0) { viewport.go_to.take() } else { None };
        }
        match (paged, ask) {
            (Paged::Taken, Ask::First | Ask::Again(_)) if lane.lane == 0 => self.follow(lane.room, out),
            (Paged::Taken, _) => out.extend(go_to.map(|ordinal| Effect::Show(lane.lane, ordinal))),
            // Older than the cursor: the node is behind. What is still wanted is asked for at the next tick.
            (Paged::Stale, Ask::Jump) => self.ask(lane, ask, PageAt::Newest, out),
            (Paged::Stale, _) => {}
            (Paged::Rewritten, _) => self.load_again(lane, ResetReason::Rewritten, out),
        }
        self.forget_erased(lane.room, out);
        self.introduce_rows(lane, out);
        self.fill(lane, out);
    }

    /// Says what a fresh window replaced. After a changed log acknowledged drafts may be gone: their outcome is looked up.
    fn loaded_again(
        &mut self,
        room: RoomId,
        why: ResetReason,
        before: u64,
        head: u64,
        out: &mut Vec<Effect>,
    ) {
        self.viewport.unpinned_at = None;
        // Only from format 5 on can a log have erased texts by an entry that was missed.
        if why != ResetReason::Far || self.is_of_five() {
            self.forget_texts(room, out);
        }
        if why == ResetReason::Far {
            let missed = head.saturating_sub(before);
            if missed > 0 {
                self.put_mark(room, Mark { after: before, what: MarkKind::CaughtUp { missed } });
                if self.looking_at == Some(room) {
                    self.lead_to(before, missed);
                    let words = format!("Caught up: {missed} messages while you were away");
                    out.push(Effect::Announce(words));
                }
            }
            return;
        }
        self.put_mark(room, Mark { after: head, what: MarkKind::Reset { at: self.now } });
        self.outbox.doubt_all();
        self.send_outbox(out);
    }
}

/// Keeps a window bounded without cutting it at every event.
pub(super) fn cut(timeline: &mut Timeline, keep_newest: bool) {
    if timeline.rows().len() > WINDOW_ROWS + WINDOW_ROWS / 2 {
        timeline.trim(WINDOW_ROWS, keep_newest);
    }
}
