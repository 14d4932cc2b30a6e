//! What people do on their devices.

use super::{Device, World};
use beck::client::{Input, Kept, KeptState, Lane};
use beck::protocol::frame::{Answer, Draft};
use beck::protocol::{ActDraft, ActValue, ClientId, Format, Pointer, Row, Slot};
use beck::timeline::Timeline;
use rand::Rng;
use std::sync::Arc;

impl World {
    fn words(&mut self) -> String {
        let words = ["hello", "there", "@ann", "@bob", "@room", "@nobody"];
        let n = self.dice.random_range(1..4);
        (0..n).map(|_| words[self.dice.random_range(0..words.len())]).collect::<Vec<_>>().join(" ")
    }

    /// A row that the device has, of the room or of the thread that is open.
    fn some_row(&mut self, device: usize, of_thread: bool) -> Option<Arc<Row>> {
        let session = &self.devices[device].session;
        let timeline = match of_thread {
            true => session.thread.as_ref()?.timeline.as_ref()?,
            false => session.current()?,
        };
        let rows: Vec<_> = timeline.rows().rev().take(8).cloned().collect();
        (!rows.is_empty()).then(|| rows[self.dice.random_range(0..rows.len())].clone())
    }

    fn write(&mut self, device: usize) {
        let (id, room, text) = (ClientId::random(), self.here.general, self.words());
        let of_thread = self.dice.random_bool(0.4);
        let to = self.some_row(device, of_thread).filter(|_| self.dice.random_bool(0.8));
        let also = self.dice.random_bool(0.3);
        let thread = to.map(|row| Answer { to: row.id, also });
        self.done.count(match thread {
            None => "written",
            Some(Answer { also: false, .. }) => "answered",
            Some(_) => "answered in the room too",
        });
        self.give(
            device,
            Input::Write(Draft { id, room, thread, quote: None, text, named: Default::default() }),
        );
    }

    fn change(&mut self, device: usize) {
        let of_thread = self.dice.random_bool(0.6);
        let me = self.devices[device].me;
        let gone = {
            let mut mine = self.devices[device].session.current().into_iter().flat_map(Timeline::rows);
            mine.rfind(|row| row.author == me && row.deleted.is_some()).cloned()
        };
        let gone = gone.filter(|_| self.dice.random_bool(0.2));
        let Some(row) = gone.or_else(|| self.some_row(device, of_thread)) else { return };
        let text = self.words();
        let stood = || self.here.node.state.read_anything(|state| state.last_text(row.id)).ok().flatten();
        let (what, slot, value) = match (row.author == me, row.deleted.is_some()) {
            (true, true) => {
                let restored = ActValue::Restored { restored: stood().unwrap_or(text) };
                let parted = self.here.node.directory().format() >= Format::Five;
                let value = if parted { ActValue::On(false) } else { restored };
                ("restored", Slot::Deleted, value)
            }
            (true, _) if self.dice.random_bool(0.4) => ("deleted", Slot::Deleted, ActValue::On(true)),
            (true, _) => ("edited", Slot::Text, ActValue::Text(text)),
            (_, false) => {
                let slot = Slot::React { emoji: "🌊".into(), account: me };
                ("reacted", slot, ActValue::On(self.dice.random()))
            }
            _ => return,
        };
        self.done.count(what);
        let (id, room, target, slot) = (ClientId::random(), self.here.general, row.id, slot.to_string());
        self.give(device, Input::Act(ActDraft { id, room, target, slot, value, named: Default::default() }));
    }

    fn open(&mut self, device: usize) {
        // Often the same one on several devices.
        let rows = self.devices[device].session.current().into_iter().flat_map(Timeline::rows);
        let some: Vec<_> = rows.rev().take(3).cloned().collect();
        let among = if some.is_empty() { 0 } else { self.dice.random_range(0..some.len()) };
        let Some(row) = some.get(among) else { return };
        let lane = row.also.map_or(row.seq, |also| also.lane);
        self.done.count("opened a thread");
        let open = self.devices[device].session.thread.as_ref().map(|open| open.at.lane);
        self.devices[device].marked &= open == Some(lane);
        self.give(device, Input::LookAtThread(Some((lane, None))));
    }

    /// Somebody does something on a device. If answers of a thread that he follows were marked as unread: its lane, and after
    /// which of them.
    pub(super) fn act(&mut self, device: usize) -> Option<(u64, u64)> {
        let session = &self.devices[device].session;
        let (open, taken_back) = (session.thread.as_ref().map(|open| open.at.lane), session.marked.is_some());
        let at = |world: &mut World, lane| {
            let lane = Lane { room: world.here.general, lane };
            let head = world.devices[device].session.timeline(lane).map_or(0, Timeline::head);
            (head > 0).then(|| world.dice.random_range(1..=head))
        };
        match (self.dice.random_range(0..25), open) {
            (0..=4, _) => self.write(device),
            (5..=7, _) => self.change(device),
            (8 | 9, _) => self.open(device),
            (10, Some(_)) if self.dice.random_bool(0.5) => {
                self.devices[device].marked = false;
                self.give(device, Input::LookAtThread(None));
            }
            (11..=15, Some(_)) => {
                let follow = self.dice.random_bool(0.5);
                self.give(device, Input::Follow(follow));
            }
            (16..=19, Some(lane)) => {
                let ordinal = at(self, lane)?;
                self.see(device, ordinal);
            }
            (20, _) => {
                let ordinal = at(self, 0)?;
                self.give(device, Input::Seen(0, ordinal));
            }
            (21 | 22, Some(lane)) => {
                let ordinal = at(self, lane)?;
                self.done.count("marked answers as unread");
                let me = self.devices[device].me;
                for other in self.devices.iter_mut().filter(|other| other.me == me) {
                    other.marked |= other.session.thread.as_ref().is_some_and(|open| open.at.lane == lane);
                }
                self.give(device, Input::MarkUnread(lane, ordinal));
                let told = self.devices[device].session.thread.as_ref()?.told.as_ref()?;
                return told.follows.then_some((lane, ordinal - 1));
            }
            (23, _) => {
                let ordinal = at(self, 0).filter(|_| self.dice.random());
                let mark = ordinal.map_or(Input::MarkAllRead, |ordinal| Input::MarkUnread(0, ordinal));
                self.give(device, mark);
            }
            (24, _) if taken_back => {
                self.done.count("taken back");
                self.give(device, Input::UndoMark);
            }
            _ => {}
        }
        None
    }

    /// An answer of the open thread is on the screen: it is read for good, also if nobody can be told now.
    fn see(&mut self, device: usize, ordinal: u64) {
        let Device { session, seen, live, marked, .. } = &mut self.devices[device];
        let open = session.thread.as_ref().unwrap();
        let lane = open.at.lane;
        let told = open.told.as_ref().filter(|told| told.follows && told.badge.read < ordinal && !*marked);
        if let Some(told) = told {
            seen.push((lane, Pointer { generation: told.badge.generation, ordinal }));
            self.done.count(if *live { "seen" } else { "seen without a line" });
        }
        self.give(device, Input::Seen(lane, ordinal));
    }

    /// What was refused, as of a message that was deleted meanwhile, its author gives up.
    pub(super) fn give_up_refused(&mut self, device: usize) {
        let kept = self.devices[device].session.outbox.in_room(self.here.general);
        let refused = kept.filter(|kept| matches!(kept.state, KeptState::NotSent { .. }));
        for id in refused.map(Kept::id).collect::<Vec<_>>() {
            self.done.count("refused");
            self.give(device, Input::Discard { id, void: ClientId::random() });
        }
    }
}
