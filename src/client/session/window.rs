//! The window of rows of a room: pages asked for, taken, and asked for again.

use super::{Effect, Session, Status};
use crate::client::outbox::Kept;
use crate::protocol::frame::ResetReason;
use crate::protocol::{ClientFrame, ClientId, ErrorCode, Page, PageAt, RoomId, bounds};
use crate::timeline::{Mark, MarkKind, Paged, Timeline};

/// Rows that a room's window keeps; it grows to half as many again before it is cut.
const WINDOW_ROWS: usize = 250;

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
    /// What is new, to be notified of.
    Notice,
    Headers,
    History(ClientId),
    Pins,
    Members,
}

impl Session {
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

    pub(super) fn ask(&mut self, room: RoomId, ask: Ask, at: PageAt, out: &mut Vec<Effect>) {
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
            Ask::History(_) | Ask::Pins | Ask::Members => {
                self.wanted.retain(|wanted| *wanted != ask || code.try_again());
                self.notice = Some(message.to_owned());
            }
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
        self.wanted.retain(|ask| match ask {
            Ask::History(_) | Ask::Pins => true,
            Ask::Older => oldest > 1,
            _ => !at_newest,
        });
        for ask in self.wanted.clone() {
            let at = match ask {
                Ask::History(target) => {
                    if let Some(req) = self.request(room, ask) {
                        out.push(Effect::Send(ClientFrame::History { req, room, target }));
                    }
                    continue;
                }
                Ask::Pins => {
                    if let Some(req) = self.request(room, ask) {
                        out.push(Effect::Send(ClientFrame::Pins { req, room }));
                    }
                    continue;
                }
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

    pub(super) fn page(&mut self, req: u64, page: &Page, out: &mut Vec<Effect>) {
        let Some((room, ask)) = self.asks.remove(&req) else { return };
        if ask == Ask::Notice {
            return self.notice_page(page, out);
        }
        let paged = match (self.timelines.get_mut(&room), ask) {
            (Some(timeline), Ask::First | Ask::Again(_)) => {
                let head = timeline.head();
                timeline.reset(page);
                // What is acknowledged is in the log, or is asked about below.
                let known: Vec<_> = timeline.echoes().iter().map(|echo| echo.draft.id).collect();
                for id in known.into_iter().filter(|id| self.outbox.get(*id).is_some_and(Kept::is_stored)) {
                    timeline.drop_echo(id);
                }
                // Some may have been found lost while their old rows still stood.
                self.order_echoes(room);
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
            self.wanted.retain(|ask| matches!(ask, Ask::History(_) | Ask::Pins));
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
        self.introduce_rows(room, out);
        self.fill(room, out);
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
        self.unpinned_at = None;
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
