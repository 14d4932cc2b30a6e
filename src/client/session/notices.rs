//! Notifications: of what is new, for whom it concerns, once.
//!
//! Every tab follows what is new; only the one that sends for its browser asks for the messages and notifies.

use super::window::Ask;
use super::{Effect, Notice, Permission, Session, Status};
use crate::protocol::bounds::ROOM_HANDLE;
use crate::protocol::{Badge, ClientFrame, Level, Page, PageAt, RoomId, Row, Wanted};
use crate::text::{mentions, plain};
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
    /// The row that a clicked notification leads to, and how many were clicked so far.
    pub opened: Option<(RoomId, u64, u32)>,
    /// Somebody named me while this page was open.
    named_here: bool,
    /// The newest ordinal of each room of which it is decided whether to notify.
    noticed: HashMap<RoomId, u64>,
    /// Rows to notify of, once their authors are known.
    untold: Vec<(RoomId, Vec<Arc<Row>>)>,
}

impl Default for Notices {
    fn default() -> Self {
        Notices {
            permission: Permission::Unsupported,
            opened: None,
            named_here: false,
            noticed: HashMap::new(),
            untold: Vec::new(),
        }
    }
}

impl Session {
    /// A notification was clicked.
    pub(super) fn open(&mut self, room: RoomId, ordinal: u64) {
        let count = self.notices.opened.map_or(0, |(.., count)| count);
        self.notices.opened = Some((room, ordinal, count + 1));
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
            out.push(Effect::CloseNotices { room, to: badge.read });
        }
        self.notices.named_here |= badge.mentions > before.mentions;
        let noticed = *self.notices.noticed.entry(room).or_insert(before.head);
        if badge.head <= noticed {
            return;
        }
        let something = match badge.wanted {
            Wanted { muted: true, .. } | Wanted { level: Level::Nothing, .. } => false,
            Wanted { level: Level::All, .. } => badge.unread > 0,
            Wanted { level: Level::Mentions, .. } => badge.mentions > 0,
        };
        let notifies = self.sender && self.notices.permission == Permission::Granted;
        if !something || !notifies || self.is_reading(room) {
            self.notices.noticed.insert(room, badge.head);
            return;
        }
        let Some(req) = self.request(room, Ask::Notice) else { return };
        let after = noticed.max(badge.head.saturating_sub(LOOKED_AT as u64));
        let (at, limit) = (PageAt::After(after), LOOKED_AT);
        out.push(Effect::Send(ClientFrame::Page { req, room, lane: 0, at, limit, at_least: None }));
    }

    /// The messages that are new in a room.
    pub(super) fn notice_page(&mut self, page: &Page, out: &mut Vec<Effect>) {
        let room = page.room;
        let Some(info) = self.room(room).cloned() else { return };
        let noticed = self.notices.noticed.get(&room).copied().unwrap_or(0);
        self.notices.noticed.insert(room, page.head.max(noticed));
        self.introduce(page.rows.iter().map(|row| (row.author, row.text.as_deref())), out);
        if self.is_reading(room) {
            return;
        }
        let read = self.read_to(room).ordinal.max(noticed);
        let concerns = |row: &Row| {
            let names_me = |text| mentions(text).iter().any(|h| *h == self.me.handle || h == ROOM_HANDLE);
            row.ordinal > read
                && row.author != self.me.id
                && row
                    .text
                    .as_deref()
                    .is_some_and(|text| info.badge.wanted.level == Level::All || names_me(text))
        };
        let rows: Vec<_> = page.rows.iter().filter(|row| concerns(row)).cloned().collect();
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
            let body = |row: &Row| row.text.as_deref().map(short).unwrap_or_default();
            if let (Some(first), Some(last)) = (rows.first(), rows.last())
                && rows.len() > ONE_BY_ONE
            {
                let title = format!("{} in {name}", counted_messages(rows.len() as u64));
                out.push(Effect::Notify(Notice { room, ordinal: first.ordinal, title, body: body(last) }));
                continue;
            }
            for row in rows {
                let title = match self.people.get(&row.author) {
                    Some(person) => format!("{} in {name}", person.name),
                    None => format!("New in {name}"),
                };
                out.push(Effect::Notify(Notice { room, ordinal: row.ordinal, title, body: body(&row) }));
            }
        }
    }

    /// What came while there was no connection is one notification, whatever the rooms; what is there at the first one
    /// is no news.
    pub(super) fn notice_backlog(&mut self, out: &mut Vec<Effect>) {
        let (mut rooms, mut mentions, mut messages, mut first) = (0, 0, 0, None);
        let notifies = self.sender && self.notices.permission == Permission::Granted;
        for at in 0..self.rooms.len() {
            let (room, badge) = (self.rooms[at].id, self.rooms[at].badge);
            let Some(noticed) = self.notices.noticed.insert(room, badge.head) else { continue };
            let new = badge.head.saturating_sub(noticed.max(badge.read)).min(u64::from(badge.unread));
            let concerns = match badge.wanted {
                Wanted { muted: true, .. } | Wanted { level: Level::Nothing, .. } => false,
                Wanted { level: Level::All, .. } => new > 0,
                Wanted { level: Level::Mentions, .. } => new > 0 && badge.mentions > 0,
            };
            if concerns && notifies && !self.is_reading(room) {
                rooms += 1;
                mentions += u64::from(badge.mentions).min(new);
                messages += new;
                first.get_or_insert((room, noticed.max(badge.read) + 1));
            }
        }
        let Some((room, ordinal)) = first else { return };
        let name = self.room(room).map(|info| info.name.clone()).unwrap_or_default();
        let place = if rooms == 1 { name } else { format!("{rooms} rooms") };
        let title = format!("{} in {place} while you were away", counted_messages(messages));
        let body = match mentions {
            0 => String::new(),
            1 => "One names you.".into(),
            n => format!("{n} name you."),
        };
        out.push(Effect::Notify(Notice { room, ordinal, title, body }));
    }
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
