//! Notifications: of what is new, for whom it concerns, once.
//!
//! Every tab follows what is new; only the one that sends for its browser asks for the messages and notifies.

use super::why::{Case, Decided, How, Known, News, Said, Why, why};
use super::window::Ask;
use super::{Effect, Notice, Permission, Session, Status};
use crate::client::Lane;
use crate::protocol::{
    Badge, ClientFrame, ClientId, Mentions, Page, PageAt, Quiet, RoomId, Row, Wanted, bounds,
};
use crate::text::plain;
use std::collections::HashMap;
use std::sync::Arc;

/// More messages of a room that come at once are one notification.
const ONE_BY_ONE: usize = 3;
/// Messages of a room that are looked at for who is named.
const LOOKED_AT: usize = 50;
const BODY_CHARS: usize = 140;

#[derive(Debug, Clone)]
pub struct Notices {
    /// Whether this browser may notify.
    pub permission: Permission,
    /// When this account wants to be told nothing, on any device.
    pub quiet: Quiet,
    /// Where this device is now, in minutes east of UTC.
    pub(super) zone: i32,
    /// What was decided in this tab, the newest last.
    pub(super) decided: Vec<Decided>,
    /// The same of messages that name me only since they were edited.
    pub(super) edits: Vec<(ClientId, Why)>,
    /// The newest edit of each room that is known to name me so.
    edited: HashMap<RoomId, u64>,
    /// The row that a clicked notification leads to, and how many were clicked so far.
    pub opened: Option<(Lane, u64, u32)>,
    /// Somebody named me while this page was open.
    named_here: bool,
    /// The newest number of each kind of which it is decided whether to notify.
    noticed: HashMap<News, u64>,
    /// Rows to notify of, once their authors are known.
    pub(super) untold: Vec<(RoomId, Vec<Arc<Row>>)>,
    /// Answers that were notified of, until they are read.
    told: Vec<Told>,
    /// What came while there was no connection, until all of it is known.
    backlog: Option<Backlog>,
}

/// An answer that was notified of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub at: Lane,
    pub ordinal: u64,
    seq: u64,
}

impl Told {
    fn of(room: RoomId, row: &Row) -> Told {
        Told { at: Lane { room, lane: row.lane }, ordinal: row.ordinal, seq: row.seq }
    }
}

#[derive(Debug, Clone, Default)]
struct Backlog {
    rooms: Vec<RoomId>,
    mentions: u64,
    messages: u64,
    first: Option<(Lane, u64)>,
}

impl Backlog {
    fn add(&mut self, at: Lane, first: u64, (messages, mentions): (u64, u64)) {
        if !self.rooms.contains(&at.room) {
            self.rooms.push(at.room);
        }
        self.messages += messages;
        self.mentions += mentions;
        self.first.get_or_insert((at, first));
    }
}

impl Notices {
    pub(super) fn new(quiet: Quiet, zone: i32) -> Self {
        Notices {
            permission: Permission::Unsupported,
            quiet,
            zone,
            decided: Vec::new(),
            edits: Vec::new(),
            edited: HashMap::new(),
            opened: None,
            named_here: false,
            noticed: HashMap::new(),
            untold: Vec::new(),
            told: Vec::new(),
            backlog: None,
        }
    }
}

impl Session {
    /// A notification was clicked.
    pub(super) fn open(&mut self, at: Lane, ordinal: u64) {
        let count = self.notices.opened.map_or(0, |(.., count)| count);
        self.notices.opened = Some((at, ordinal, count + 1));
    }

    pub(super) fn want_of(&mut self, room: RoomId, wanted: Wanted, out: &mut Vec<Effect>) {
        if self.status == Status::Live
            && let Some(info) = self.rooms.iter_mut().find(|info| info.id == room)
        {
            info.badge.wanted = wanted;
            out.push(Effect::Send(ClientFrame::Want { room, wanted }));
        }
    }

    pub(super) fn never_ask(&mut self, out: &mut Vec<Effect>) {
        self.notices.named_here = false;
        out.push(Effect::NeverAsk);
    }

    /// Whether to offer notifications: somebody named me while this page was open, and nobody was asked yet.
    pub fn offers_notices(&self) -> bool {
        self.notices.named_here && self.notices.permission == Permission::Ask
    }

    /// A room's badge has come: closes what was read, and looks after what is new.
    pub(super) fn notice(&mut self, room: RoomId, before: Badge, out: &mut Vec<Effect>) {
        let Some(badge) = self.room(room).map(|info| info.badge) else { return };
        if badge.pointer() > before.pointer() {
            out.push(Effect::CloseNotices { at: room.into(), to: badge.read });
        }
        self.notices.named_here |= badge.all_mentions() > before.all_mentions();
        self.notice_answers(room, before, badge, out);
        self.notice_edit(room, before.named_by_edit, out);
        let news = News { room, answers: false };
        let noticed = *self.notices.noticed.entry(news).or_insert(before.head);
        if badge.head <= noticed {
            return;
        }
        let (most, case) = (most_of(badge.mentions), self.case(news, badge));
        if !why(most, case).tells() {
            self.notices.noticed.insert(news, badge.head);
            self.remember_unseen((news, noticed), badge, (most, case));
            return;
        }
        let Some(req) = self.request(room, Ask::Notice) else { return };
        let after = noticed.max(badge.head.saturating_sub(LOOKED_AT as u64));
        let (at, limit) = (PageAt::After(after), LOOKED_AT);
        out.push(Effect::Send(ClientFrame::Page { req, room, lane: 0, at, limit, at_least: None }));
    }

    /// An edit may name me where its message did not before, in a message that was read long ago: the badge tells of it,
    /// and the list of mentions where it stands.
    fn notice_edit(&mut self, room: RoomId, before: u64, out: &mut Vec<Effect>) {
        let Some(badge) = self.room(room).map(|info| info.badge) else { return };
        let noticed = *self.notices.edited.entry(room).or_insert(before);
        if badge.named_by_edit > noticed
            && self.sender
            && let Some(req) = self.request(room, Ask::Edits(noticed))
        {
            out.push(Effect::Send(ClientFrame::Mentions { req, before: None }));
        }
    }

    /// The newest messages that name me, among them those that do so since an edit.
    pub(super) fn edits_came(&mut self, room: RoomId, after: u64, page: &Mentions, out: &mut Vec<Effect>) {
        let Some(badge) = self.room(room).map(|info| info.badge) else { return };
        self.notices.edited.insert(room, badge.named_by_edit);
        let edited = |row: &Row| row.edited.is_some() && row.version > after;
        let rows = page.mentions.iter().filter(|mention| mention.room == room && edited(&mention.row));
        let mut rows: Vec<_> = rows.map(|mention| mention.row.clone()).collect();
        rows.retain(|row| {
            // It may have been new at the same time.
            let known = Some((Why::NamesYou, Known::Decided));
            let at = Lane { room, lane: row.lane };
            self.explain(at, row) != known && self.decide_edit(room, row).is_some_and(Why::tells)
        });
        if !rows.is_empty() {
            self.tell_of(room, rows, out);
        }
    }

    /// The same of answers in the threads that one follows. No badge tells in which of them they are.
    fn notice_answers(&mut self, room: RoomId, before: Badge, badge: Badge, out: &mut Vec<Effect>) {
        if badge.threads == 0 {
            self.close_answers(out, |told| told.at.room == room);
        }
        self.notices.noticed.entry(News { room, answers: true }).or_insert(before.newest_answer);
        let told = self.notices.told.iter().filter(|told| told.at.room == room).map(|told| told.seq).min();
        let after = match (self.answers_after(room, badge), told.filter(|_| badge.threads < before.threads)) {
            (Some(after), Some(told)) => after.min(told - 1),
            (None, Some(told)) => told - 1,
            (Some(after), None) => after,
            (None, None) => return,
        };
        self.ask_answers(room, after, out);
    }

    /// The seq after which there are answers that may be notified of. If none may, it is decided.
    fn answers_after(&mut self, room: RoomId, badge: Badge) -> Option<u64> {
        let news = News { room, answers: true };
        let noticed = self.notices.noticed.get_mut(&news)?;
        let after = *noticed;
        if badge.newest_answer <= after {
            return None;
        }
        let (most, case) = (most_of(badge.thread_mentions), self.case(news, badge));
        if why(most, case).tells() {
            return Some(after);
        }
        self.notices.noticed.insert(news, badge.newest_answer);
        self.remember(news, (after, badge.newest_answer), How::All(most, case));
        None
    }

    fn ask_answers(&mut self, room: RoomId, after: u64, out: &mut Vec<Effect>) {
        if let Some(req) = self.request(room, Ask::Answers(after)) {
            out.push(Effect::Send(ClientFrame::Answers { req, room, after }));
        }
    }

    /// The unread answers of a room: those that were notified of and are not among them were read elsewhere, those that
    /// are new are looked at.
    pub(super) fn answers_came(
        &mut self,
        req: u64,
        room: RoomId,
        rows: Vec<Arc<Row>>,
        out: &mut Vec<Effect>,
    ) {
        let Some((_, Ask::Answers(after))) = self.asks.remove(&req) else { return };
        let Some(badge) = self.room(room).map(|info| info.badge) else { return };
        let all = rows.len() < bounds::ANSWERS;
        let oldest = rows.first().filter(|_| !all).map_or(after + 1, |row| row.seq);
        self.close_answers(out, |told| {
            let mut unread = rows.iter().filter(|row| row.lane == told.at.lane);
            told.at.room == room
                && told.seq >= oldest
                && unread.next().is_none_or(|first| told.ordinal < first.ordinal)
        });
        let news = News { room, answers: true };
        let noticed = self.notices.noticed.get(&news).copied().unwrap_or(0);
        let newest = rows.last().map_or(0, |row| row.seq).max(badge.newest_answer);
        self.notices.noticed.insert(news, newest.max(noticed));
        let new = rows.into_iter().filter(|row| row.seq > noticed);
        let rows = self.decide(news, badge, new.collect());
        if let Some(mut backlog) = self.notices.backlog.take() {
            for row in rows {
                let told = Told::of(room, &row);
                self.notices.told.extend(backlog.first.is_none().then_some(told));
                let mentions = u64::from(self.said(&row) > Said::ToNobody);
                backlog.add(told.at, told.ordinal, (1, mentions));
            }
            self.notices.backlog = Some(backlog);
            self.tell_backlog(out);
        } else {
            self.tell_of(room, rows, out);
        }
    }

    pub(super) fn close_answers(&mut self, out: &mut Vec<Effect>, read: impl Fn(&Told) -> bool) {
        self.notices.told.retain(|told| {
            let read = read(told);
            if read {
                out.push(Effect::CloseNotices { at: told.at, to: told.ordinal });
            }
            !read
        });
    }

    /// The messages that are new in a room.
    pub(super) fn notice_page(&mut self, page: &Page, out: &mut Vec<Effect>) {
        let room = page.room;
        let Some(badge) = self.room(room).map(|info| info.badge) else { return };
        let news = News { room, answers: false };
        let noticed = self.notices.noticed.get(&news).copied().unwrap_or(0);
        self.notices.noticed.insert(news, page.head.max(noticed));
        let new = page.rows.iter().filter(|row| row.ordinal > noticed).cloned().collect();
        let rows = self.decide(news, badge, new);
        self.tell_of(room, rows, out);
    }

    /// Those of new rows that are notified of; what is decided is remembered.
    fn decide(&mut self, news: News, badge: Badge, mut rows: Vec<Arc<Row>>) -> Vec<Arc<Row>> {
        let (read, case) = (self.read_to(news.room).ordinal, self.case(news, badge));
        rows.retain(|row| {
            // Members have read what is imported.
            let here = if row.imported || !news.answers && row.ordinal <= read {
                Some(Why::Read)
            } else {
                self.is_in_view(news.room, row).then_some(Why::Looking)
            };
            let why = why(self.said(row), Case { hindrance: case.hindrance.or(here), ..case });
            let number = news.number(row);
            self.remember(news, (number - 1, number), How::One(why));
            why.tells()
        });
        rows
    }

    /// Notifies of these rows, once their authors are known.
    fn tell_of(&mut self, room: RoomId, rows: Vec<Arc<Row>>, out: &mut Vec<Effect>) {
        self.introduce(rows.iter().map(|row| (row.author, None, None)), out);
        let unknown = rows.iter().any(|row| !self.people.contains_key(&row.author));
        self.notices.untold.push((room, rows));
        if !unknown {
            self.tell(out);
        }
    }

    /// Notifies of what waited for the names of its authors.
    pub(super) fn tell(&mut self, out: &mut Vec<Effect>) {
        for (room, rows) in std::mem::take(&mut self.notices.untold) {
            let Some(name) = self.room(room).map(|info| info.name.clone()) else { continue };
            let place = match rows.first() {
                Some(first) if first.lane != 0 && rows.len() > ONE_BY_ONE => format!("threads in {name}"),
                Some(first) if first.lane != 0 => format!("a thread in {name}"),
                _ => name,
            };
            let at = |row: &Row| Lane { room, lane: row.lane };
            let mut told = |row: &Row| {
                if row.lane != 0 {
                    self.notices.told.push(Told::of(room, row));
                }
            };
            let body = |row: &Row| row.text.as_deref().map(short).unwrap_or_default();
            if let (Some(first), Some(last)) = (rows.first(), rows.last())
                && rows.len() > ONE_BY_ONE
            {
                let title = format!("{} in {place}", counted_messages(rows.len() as u64));
                let (at, ordinal, body) = (at(first), first.ordinal, body(last));
                told(first);
                out.push(Effect::Notify(Notice { at, ordinal, title, body }));
                continue;
            }
            for row in rows {
                let title = match self.people.get(&row.author) {
                    Some(person) => format!("{} in {place}", person.name),
                    None => format!("New in {place}"),
                };
                let (at, ordinal, body) = (at(&row), row.ordinal, body(&row));
                told(&row);
                out.push(Effect::Notify(Notice { at, ordinal, title, body }));
            }
        }
    }

    /// What came while there was no connection is one notification, whatever the rooms; what is there at the first one
    /// is no news.
    pub(super) fn notice_backlog(&mut self, out: &mut Vec<Effect>) {
        let mut backlog = Backlog::default();
        for at in 0..self.rooms.len() {
            let (room, badge) = (self.rooms[at].id, self.rooms[at].badge);
            self.notice_edit(room, badge.named_by_edit, out);
            let news = News { room, answers: true };
            self.notices.noticed.entry(news).or_insert(badge.newest_answer);
            if let Some(after) = self.answers_after(room, badge) {
                self.ask_answers(room, after, out);
            }
            let news = News { room, answers: false };
            let Some(noticed) = self.notices.noticed.insert(news, badge.head) else { continue };
            let after = noticed.max(badge.read);
            let new = badge.head.saturating_sub(after).min(u64::from(badge.unread));
            let (most, case) = (most_of(badge.mentions), self.case(news, badge));
            self.remember_unseen((news, noticed), badge, (most, case));
            if new > 0 && why(most, case).tells() {
                backlog.add(room.into(), after + 1, (new, u64::from(badge.mentions).min(new)));
            }
        }
        self.notices.backlog = Some(backlog);
        self.tell_backlog(out);
    }

    /// Notifies of the backlog, unless answers are awaited.
    pub(super) fn tell_backlog(&mut self, out: &mut Vec<Effect>) {
        if self.asks.values().any(|(_, ask)| matches!(ask, Ask::Answers(_))) {
            return;
        }
        let Some(Backlog { rooms, mentions, messages, first: Some((at, ordinal)) }) =
            self.notices.backlog.take()
        else {
            return;
        };
        let name = self.room(at.room).map(|info| info.name.clone()).unwrap_or_default();
        let place = if rooms.len() == 1 { name } else { format!("{} rooms", rooms.len()) };
        let title = format!("{} in {place} while you were away", counted_messages(messages));
        let body = match mentions {
            0 => String::new(),
            1 => "One names you.".into(),
            n => format!("{n} name you."),
        };
        out.push(Effect::Notify(Notice { at, ordinal, title, body }));
    }
}

/// The most that a message is to one among those that a badge counts.
fn most_of(mentions: u32) -> Said {
    if mentions > 0 { Said::ToMe } else { Said::ToNobody }
}

fn counted_messages(n: u64) -> String {
    if n == 1 { "1 new message".to_owned() } else { format!("{n} new messages") }
}

fn short(text: &str) -> String {
    let text = plain(text);
    match text.char_indices().nth(BODY_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
