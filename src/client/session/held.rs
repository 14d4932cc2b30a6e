//! Rooms that a device keeps on its disk, and what must not stay there.

use super::window::Ask;
use super::{Effect, Session, Status};
use crate::client::Lane;
use crate::client::outbox::Kept;
use crate::protocol::frame::RoomInfo;
use crate::protocol::{ActBody, ActValue, ClientFrame, ClientId, Event, EventBody, Page, RoomId, Row, Slot};
use crate::timeline::{Timeline, erase, erase_by, erased_texts};
use std::sync::Arc;

impl Session {
    /// Begins with pages of an earlier run. From here on every room with rows is followed, not only the one that is
    /// looked at: what is erased there, or taken away, is to go from here too.
    pub fn hold(&mut self, pages: &[Page]) {
        self.holds = true;
        for page in pages {
            self.timelines.insert(page.room, Timeline::from_page(page));
        }
    }

    /// Rooms whose events are wanted: the one that is looked at, or all that have rows.
    pub(super) fn followed(&self) -> Vec<RoomId> {
        let held = self.timelines.keys().filter(|room| self.holds && Some(**room) != self.looking_at);
        self.looking_at.into_iter().chain(held.copied()).collect()
    }

    /// Takes the rooms that I am not in from what the server lists. Of those that I am in it tells by itself.
    pub fn list_others(&mut self, rooms: Vec<RoomInfo>) {
        self.rooms.retain(|known| known.joined || rooms.iter().any(|room| room.id == known.id));
        for room in rooms {
            if !room.joined && self.room(room.id).is_none_or(|known| !known.joined) {
                self.put_room(room, false);
            }
        }
    }

    /// A room whose rows are dropped.
    pub(super) fn let_go(&mut self, room: RoomId, out: &mut Vec<Effect>) {
        if self.holds && self.status == Status::Live {
            out.push(Effect::Send(ClientFrame::Unsubscribe { room }));
        }
    }

    /// I am no longer in a room: nothing of it stays, nor what I wrote there and is stored.
    pub(super) fn left(&mut self, room: RoomId, out: &mut Vec<Effect>) {
        self.timelines.remove(&room);
        self.thread.take_if(|open| open.at.room == room);
        self.threads.remove(&room);
        self.marks.remove(&room);
        self.pins.remove(&room);
        self.undo.retain(|undo| undo.room != room);
        self.of_five.remove(&room);
        self.forget_reading(room);
        if let Some(room) = self.rooms.iter_mut().find(|known| known.id == room) {
            // What one may do here now comes with the next list of rooms.
            (room.joined, room.may) = (false, None);
        }
        let stored = self.outbox.in_room(room).filter(|kept| kept.is_stored());
        let stored: Vec<_> = stored.map(Kept::id).collect();
        self.forget(stored, out);
    }

    /// The outbox keeps what was stored for a while: not where the message is deleted.
    pub(super) fn forget_erased(&mut self, room: RoomId, out: &mut Vec<Effect>) {
        let held = |lane| self.timeline(Lane { room, lane });
        let beside = self.thread.as_ref().and_then(|open| held(open.at.lane));
        let erased = |kept: &&Kept| {
            let timelines = held(0).into_iter().chain(beside);
            let row = timelines.filter_map(|timeline| timeline.row(kept.message())).next();
            kept.is_stored() && kept.draft.text().is_some() && row.is_some_and(|row| row.text.is_none())
        };
        let erased: Vec<_> = self.outbox.in_room(room).filter(erased).map(Kept::id).collect();
        self.forget(erased, out);
    }

    /// As [`Session::forget_erased`], of a message that may not be loaded; and its earlier texts.
    pub(super) fn forget_deleted(&mut self, event: &Event, out: &mut Vec<Effect>) {
        let slot = event.header.slot.as_ref().and_then(|slot| Slot::parse(slot.as_str()));
        let on = !matches!(&event.body, Some(EventBody::Act(ActBody { value: ActValue::Restored { .. } })));
        let target = event.header.target.as_ref().and_then(|target| target.as_str().parse().ok());
        if let (Some(Slot::Deleted), Some(room), Some(target), true) = (slot, event.header.room, target, on) {
            let of = |kept: &&Kept| kept.is_stored() && kept.message() == target;
            let of: Vec<_> = self.outbox.in_room(room).filter(of).map(Kept::id).collect();
            self.forget(of, out);
            if let Some((_, versions)) = self.history.as_mut().filter(|(of, _)| *of == target) {
                versions.clear();
            }
            self.mentions.iter_mut().for_each(|held| held.mentions.retain(|one| one.row.id != target));
            // What somebody else has deleted too cannot be restored.
            if event.header.author != self.me.id {
                self.undo.retain(|undo| undo.id != target);
            }
        }
    }

    /// An `erase` took texts away: nothing of them stays here.
    pub(super) fn erase(&mut self, room: RoomId, event: &Event, out: &mut Vec<Effect>) {
        if event.erased.is_empty() {
            return;
        }
        if let Some((_, versions)) = self.history.as_mut().filter(|(of, _)| event.erased.contains(of)) {
            versions.clear();
        }
        let of = |kept: &&Kept| kept.is_stored() && event.erased.contains(&kept.message());
        let of: Vec<_> = self.outbox.in_room(room).filter(of).map(Kept::id).collect();
        self.forget(of, out);
        let erased = |row: &Row| erased_texts(event).contains(&row.id);
        let lists = self.pins.values_mut().chain(self.notices.untold.iter_mut().map(|(_, rows)| rows));
        let mentions = self.mentions.iter_mut().flat_map(|held| &mut held.mentions);
        lists.flatten().chain(mentions.map(|mention| &mut mention.row)).for_each(|row| erase_by(row, event));
        self.undo.retain(|undo| !erased_texts(event).contains(&undo.id));
        self.pins.values_mut().for_each(|pins| pins.retain(|row| !erased(row)));
        self.notices.untold.iter_mut().for_each(|(_, rows)| rows.retain(|row| !erased(row)));
        self.mentions.iter_mut().for_each(|held| held.mentions.retain(|mention| !erased(&mention.row)));
        let open = self.thread.as_mut().and_then(|open| open.told.as_mut());
        let roots = self.threads.values_mut().flatten().chain(open).map(|told| &mut told.root);
        roots.for_each(|root| erase_by(root, event));
    }

    /// A room was loaded again: what else is held of its texts may be erased in its log by now.
    pub(super) fn forget_texts(&mut self, room: RoomId, out: &mut Vec<Effect>) {
        self.differing.retain(|(of, _)| *of != room);
        self.of_five.remove(&room);
        self.undo.retain(|undo| undo.room != room);
        self.notices.untold.retain(|(of, _)| *of != room);
        self.mentions.iter_mut().for_each(|held| held.mentions.retain(|mention| mention.room != room));
        self.refresh_mentions(out);
        let (pins, threads) = (self.pins.remove(&room), self.threads.remove(&room));
        if self.looking_at != Some(room) {
            return;
        }
        if let Some((of, _)) = self.history.take() {
            self.ask_history(of, out);
        }
        if pins.is_some() {
            self.want(0, Ask::Pins, out);
        }
        if threads.is_some() {
            self.ask_threads(out);
        }
        if let Some(told) = self.thread.as_mut().and_then(|open| open.told.as_mut()) {
            erase(&mut told.root);
            // Whatever the server has now is newer.
            Arc::make_mut(&mut told.root).version = 0;
            self.ask_thread(out);
        }
    }

    fn forget(&mut self, drafts: Vec<ClientId>, out: &mut Vec<Effect>) {
        for id in drafts {
            self.outbox.remove(id);
            out.push(Effect::Forget(id));
        }
    }
}
