//! Whether one is notified of a message, and why: one decision, which is also what is told to one who asks.

use super::notices::Notices;
use super::{Permission, Session};
use crate::client::Lane;
use crate::protocol::bounds::ROOM_HANDLE;
use crate::protocol::{Badge, Level, RoomId, Row, Wanted};
use crate::text::mentions;

/// Decisions that are remembered; runs of messages that were decided alike are one.
const REMEMBERED: usize = 256;

/// Why one is notified of a message, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Not: the administrator imported it.
    Imported,
    /// Not: it is one's own.
    Own,
    /// Not: it was deleted.
    Deleted,
    /// Not: its room is muted.
    Muted,
    /// Not: one wants to hear of nothing in its room.
    Nothing,
    /// Not: it names neither one nor everybody.
    NotNamed,
    /// Not: one does not follow its thread, and it does not name one.
    Unfollowed,
    /// Not: notifications were not turned on in this browser, or it has none.
    Off,
    /// Not: this browser forbids them.
    Forbidden,
    /// Not: one wants not to be disturbed.
    Disturb,
    /// Not: it is quiet.
    Quiet,
    /// Not: one looks at where it stands.
    Looking,
    /// Not here: another tab of this browser decides.
    OtherTab,
    /// Not: it was read before it was decided.
    Read,
    NamesYou,
    NamesAll,
    Everything,
}

impl Why {
    /// Whether one is notified.
    pub fn tells(self) -> bool {
        matches!(self, Why::NamesYou | Why::NamesAll | Why::Everything)
    }
}

/// What a message is to one who may be notified of it; each concerns more than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    Imported,
    Own,
    Deleted,
    ToNobody,
    ToAll,
    ToMe,
}

/// All else that a decision rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Case {
    pub wanted: Wanted,
    /// Whether one follows its thread, if it stands in one alone.
    pub follows: bool,
    /// What keeps this tab from telling anything of the room.
    pub hindrance: Option<Why>,
}

/// The decision.
pub(super) fn why(said: Said, Case { wanted, follows, hindrance }: Case) -> Why {
    let concerns = match (said, wanted.level) {
        (Said::Imported, _) => Why::Imported,
        (Said::Own, _) => Why::Own,
        (Said::Deleted, _) => Why::Deleted,
        _ if wanted.muted => Why::Muted,
        (_, Level::Nothing) => Why::Nothing,
        (Said::ToMe, _) => Why::NamesYou,
        _ if !follows => Why::Unfollowed,
        (Said::ToAll, _) => Why::NamesAll,
        (Said::ToNobody, Level::All) => Why::Everything,
        (Said::ToNobody, Level::Mentions) => Why::NotNamed,
    };
    hindrance.filter(|_| concerns.tells()).unwrap_or(concerns)
}

/// What an explanation rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It was decided in this tab when the message came.
    Decided,
    /// Another tab of this browser decided: it is what the settings say now.
    OtherTab,
    /// It is not known what was decided, if anything was: it is what the settings say now.
    Settings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// One message.
    One(Why),
    /// Unseen ones, of which none is more than this to one.
    All(Said, Case),
}

/// What comes to a room: messages, by their ordinals; or answers in its threads, by their seqs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct News {
    pub room: RoomId,
    pub answers: bool,
}

impl News {
    pub fn number(self, row: &Row) -> u64 {
        if self.answers { row.seq } else { row.ordinal }
    }
}

/// What was decided of news after one number, up to another.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    news: News,
    after: u64,
    to: u64,
    how: How,
}

impl Session {
    pub(super) fn said(&self, row: &Row) -> Said {
        let Some(text) = row.text.as_deref() else { return Said::Deleted };
        if row.author == self.me.id {
            return Said::Own;
        }
        if row.imported {
            return Said::Imported;
        }
        let mut said = Said::ToNobody;
        if let Some(added) = &row.added {
            let me = added.people().any(|(_, account)| *account == self.me.id);
            let all = if added.all { Said::ToAll } else { Said::ToNobody };
            return if me { Said::ToMe } else { all };
        }
        for handle in mentions(text) {
            let names = if handle == self.me.handle {
                Said::ToMe
            } else if handle == ROOM_HANDLE {
                Said::ToAll
            } else {
                continue;
            };
            said = said.max(names);
        }
        said
    }

    /// When the quiet hours end, in minutes since midnight, if it is quiet now.
    pub fn quiet_until(&self) -> Option<u32> {
        let Notices { quiet, zone, .. } = self.notices;
        // Before anything has happened it is not known what time it is.
        (self.now != 0 && quiet.covers(self.now, zone)).then_some(quiet.to)
    }

    /// What the settings say of a room, at a moment.
    fn case_by_settings(&self, wanted: Wanted, at: i64) -> Case {
        let busy = self.seen(self.me.id).is_some_and(|seen| seen.status.disturbs_not(self.now));
        let hindrance = match self.notices.permission {
            Permission::Denied => Some(Why::Forbidden),
            Permission::Granted if busy => Some(Why::Disturb),
            Permission::Granted => self.notices.quiet.covers(at, self.notices.zone).then_some(Why::Quiet),
            Permission::Ask | Permission::Unsupported => Some(Why::Off),
        };
        Case { wanted, follows: true, hindrance }
    }

    /// The same now, with what goes on in this tab.
    pub(super) fn case(&self, News { room, answers }: News, badge: Badge) -> Case {
        let case = self.case_by_settings(badge.wanted, self.now);
        let unread = if answers { badge.threads } else { badge.unread };
        let here = if !answers && self.is_reading(room) {
            Some(Why::Looking)
        } else if !self.sender {
            Some(Why::OtherTab)
        } else {
            (unread == 0).then_some(Why::Read)
        };
        Case { hindrance: case.hindrance.or(here), ..case }
    }

    /// Whether one looks at a row, in one of the places where it stands.
    pub(super) fn is_in_view(&self, room: RoomId, row: &Row) -> bool {
        let lanes = [Some(row.lane), row.also.map(|also| also.lane)];
        lanes.into_iter().flatten().any(|lane| self.is_reading(Lane { room, lane }))
    }

    /// Keeps what was decided of news after one number, up to another.
    pub(super) fn remember(&mut self, news: News, (after, to): (u64, u64), how: How) {
        let decided = &mut self.notices.decided;
        let last = decided.iter_mut().rev().find(|decided| decided.news == news);
        match last {
            _ if after >= to => {}
            Some(last) if last.to == after && last.how == how => last.to = to,
            _ => {
                decided.push(Decided { news, after, to, how });
                if decided.len() > REMEMBERED {
                    decided.remove(0);
                }
            }
        }
    }

    /// Keeps what was decided of all messages of a room after an ordinal by its badge, which counts those above the read
    /// pointer.
    pub(super) fn remember_unseen(
        &mut self,
        (news, after): (News, u64),
        badge: Badge,
        (most, case): (Said, Case),
    ) {
        let read = after.max(badge.read).min(badge.head);
        let hindrance = case.hindrance.or(Some(Why::Read));
        self.remember(news, (after, read), How::All(Said::ToMe, Case { hindrance, ..case }));
        self.remember(news, (read, badge.head), How::All(most, case));
    }

    /// Decides of an edit by which a message names me that did not before.
    pub(super) fn decide_edit(&mut self, room: RoomId, row: &Row) -> Option<Why> {
        let case = self.case_by_settings(self.room(room)?.badge.wanted, self.now);
        let here = if self.sender { None } else { Some(Why::OtherTab) };
        let here = here.or(self.is_in_view(room, row).then_some(Why::Looking));
        let why = why(self.said(row), Case { hindrance: case.hindrance.or(here), ..case });
        let edits = &mut self.notices.edits;
        if why != Why::OtherTab {
            edits.push((row.id, why));
        }
        if edits.len() > REMEMBERED {
            edits.remove(0);
        }
        Some(why)
    }

    /// Whether one was notified of a message, and why; or what the settings say, where that is not known.
    pub fn explain(&self, at: impl Into<Lane>, row: &Row) -> Option<(Why, Known)> {
        let at = at.into();
        let (room, said) = (at.room, self.said(row));
        if let Some((_, why)) = self.notices.edits.iter().rev().find(|(id, _)| *id == row.id) {
            return Some((*why, Known::Decided));
        }
        // What stands in the room too counts there alone.
        let also = row.also.filter(|also| also.lane == 0 && row.lane != 0);
        let (answers, number) = match also {
            Some(also) => (false, also.ordinal),
            None if row.lane == 0 => (false, row.ordinal),
            None => (true, row.seq),
        };
        let news = News { room, answers };
        let mut all = self.notices.decided.iter().rev();
        let decided =
            all.find(|decided| decided.news == news && decided.after < number && number <= decided.to);
        // An edit of a text of format 5 notifies whom it names for the first time.
        let named_later = row.edited.is_some() && row.added.is_some();
        let decided = decided.and_then(|decided| match decided.how {
            // It may have said something else then.
            How::One(Why::NotNamed | Why::Unfollowed) if named_later && said == Said::ToMe => None,
            How::One(why) => Some(why),
            How::All(most, case) if row.edited.is_some() && why(most, case).tells() => None,
            How::All(most, _) if named_later && said == Said::ToMe && most < said => None,
            How::All(most, case) => Some(why(said.min(most), case)),
        });
        let told = self.thread.as_ref().filter(|open| open.at == at).and_then(|open| open.told.as_ref());
        let follows = !answers || told.is_none_or(|told| told.follows);
        let case = self.case_by_settings(self.room(room)?.badge.wanted, row.at);
        let hindrance = case.hindrance.or(row.imported.then_some(Why::Read));
        let settings = why(said, Case { follows, hindrance, ..case });
        Some(match decided {
            Some(Why::OtherTab) => (settings, Known::OtherTab),
            Some(why) => (why, Known::Decided),
            None => (settings, Known::Settings),
        })
    }
}
