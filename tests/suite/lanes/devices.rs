//! Three devices, two of them of one account, do random things in a room and its threads, each through a line that is cut
//! and that loses events: in the end each has what the naive interpreter and a device that comes anew have.

use super::naive::{Counts, HANDLES, Naive, Said};
use super::world::line_of;
use crate::support::room_log::Counts as Done;
use crate::support::{TestNode, boot, set_up, welcome};
use beck::client::{Effect, Input, Kept, KeptState, Lane, Session};
use beck::protocol::frame::{Answer, Draft};
use beck::protocol::{
    AccountId, ActDraft, ActValue, Badge, ClientFrame, ClientId, Outcome, Raise, Row, ServerFrame, Slot,
};
use beck::server::rooms::RoomError;
use beck::server::{rooms, threads, unread};
use beck::timeline::Timeline;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::VecDeque;
use std::sync::Arc;
use tempfile::tempdir;

/// Whose each device is, in [`HANDLES`].
const OWNERS: [usize; 3] = [1, 1, 2];

struct Device {
    session: Session,
    me: AccountId,
    /// Frames on their way to the server, and back.
    there: VecDeque<ClientFrame>,
    back: VecDeque<ServerFrame>,
    live: bool,
    /// The seq of the last event that was sent to it.
    sent: Option<u64>,
    /// The badge that it was told last.
    told: Option<Badge>,
}

struct World {
    here: TestNode,
    people: Vec<AccountId>,
    devices: Vec<Device>,
    said: Vec<(u64, Said)>,
    done: Done,
    dice: StdRng,
    now: i64,
}

fn refused(id: Option<ClientId>, req: Option<u64>, fault: &RoomError) -> ServerFrame {
    ServerFrame::Error { id, req, code: fault.code(), message: fault.to_string() }
}

fn answered(id: ClientId, outcome: Result<Outcome, RoomError>) -> ServerFrame {
    outcome.map_or_else(|fault| refused(Some(id), None, &fault), |outcome| ServerFrame::Ack { id, outcome })
}

fn with_req<T>(req: u64, answer: Result<T, RoomError>, frame: impl FnOnce(T) -> ServerFrame) -> ServerFrame {
    answer.map_or_else(|fault| refused(None, Some(req), &fault), frame)
}

impl World {
    async fn new(here: TestNode, seed: u64) -> World {
        let mut people = vec![here.owner];
        for handle in &HANDLES[1..] {
            people.push(here.member(handle).await);
        }
        let mut world = World {
            here,
            people,
            devices: Vec::new(),
            said: Vec::new(),
            done: Done::default(),
            dice: StdRng::seed_from_u64(seed),
            now: 1_000,
        };
        for owner in OWNERS {
            world.add(world.people[owner]).await;
        }
        world
    }

    async fn add(&mut self, me: AccountId) -> usize {
        let mut start = boot(me, self.here.general, None);
        start.me = self.here.node.directory().person(me);
        let session = Session::from_boot(&start).unwrap();
        let (there, back) = (VecDeque::new(), VecDeque::new());
        self.devices.push(Device { session, me, there, back, live: false, sent: None, told: None });
        let device = self.devices.len() - 1;
        self.connect(device).await;
        self.give(device, Input::Look { room: self.here.general, at: None });
        device
    }

    fn give(&mut self, device: usize, input: Input) {
        self.now += 1;
        let Device { session, there, live, .. } = &mut self.devices[device];
        for effect in session.handle(input, self.now) {
            if let Effect::Send(frame) = effect {
                assert!(*live, "nothing is sent without a connection: {frame:?}");
                there.push_back(frame);
            }
        }
    }

    async fn connect(&mut self, device: usize) {
        self.devices[device].live = true;
        self.give(device, Input::Opened);
        let me = self.devices[device].me;
        let person = self.here.node.directory().person(me).unwrap();
        let rooms = rooms::mine(&self.here.node, me).await.unwrap().0;
        let badge = rooms.iter().find(|room| room.id == self.here.general).map(|room| room.badge);
        self.devices[device].told = badge;
        let frame = welcome(self.here.node.epoch().unwrap(), person, rooms);
        self.devices[device].back.push_back(frame);
    }

    fn cut(&mut self, device: usize) {
        let Device { live, there, back, sent, .. } = &mut self.devices[device];
        (*live, *sent) = (false, None);
        there.clear();
        back.clear();
        self.give(device, Input::Closed(None));
    }

    /// The next frame of a device comes to the server, which answers.
    async fn arrive(&mut self, device: usize) {
        let me = self.devices[device].me;
        let Some(frame) = self.devices[device].there.pop_front() else { return };
        let node = self.here.node.clone();
        let events = |room, after, to| {
            node.state.read_as((me, room), |state| state.events(&state.room_head(room)?, after, to))
        };
        let back = match frame {
            ClientFrame::Subscribe { room, since } => {
                let head = rooms::page(&node, me, (room, 0), beck::protocol::PageAt::Newest, 1, None);
                let head = head.unwrap().as_of;
                let since = since.unwrap_or(head);
                self.devices[device].sent = Some(since.seq);
                if since.seq < head.seq {
                    self.done.count("resumed behind");
                }
                ServerFrame::Subscribed { room, since, head }
            }
            ClientFrame::Unsubscribe { .. } => {
                self.devices[device].sent = None;
                return;
            }
            ClientFrame::Post(draft) => answered(draft.id, rooms::post(&node, me, draft).await),
            ClientFrame::Act(act) => answered(act.id, rooms::act(&node, me, act).await),
            ClientFrame::Void { id, target } => answered(id, rooms::void(&node, me, id, target).await),
            ClientFrame::Outcome { id } => {
                let known = node.state.read(|state| state.draft(id)).unwrap();
                answered(id, known.map(|known| known.outcome).ok_or(RoomError::NotFound))
            }
            ClientFrame::Page { req, room, lane, at, limit, at_least } => {
                let page = rooms::page(&node, me, (room, lane), at, limit, at_least);
                with_req(req, page, |page| ServerFrame::Page { req, page })
            }
            ClientFrame::Fetch { req, room, after, to } => {
                self.done.count("fetched");
                ServerFrame::Events { req, room, events: events(room, after, to).unwrap() }
            }
            ClientFrame::Thread { req, room, lane } => {
                let thread = threads::thread(&node, me, (room, lane)).await;
                with_req(req, thread, |thread| ServerFrame::Thread { req, room, thread })
            }
            ClientFrame::Threads { room } => {
                ServerFrame::Threads { room, threads: threads::threads(&node, me, room).await.unwrap() }
            }
            ClientFrame::Follow { room, lane, follow } => {
                threads::follow(&node, me, (room, lane), follow).await.unwrap();
                self.said.push((node.folded(), Said::Follow(me, lane, follow)));
                self.done.count(if follow { "followed" } else { "no longer followed" });
                self.tell_badges(me, true).await;
                ServerFrame::Threads { room, threads: threads::threads(&node, me, room).await.unwrap() }
            }
            ClientFrame::Answers { req, room, after } => {
                let rows = threads::answers(&node, me, room, after).await;
                with_req(req, rows, |rows| ServerFrame::Answers { req, room, rows })
            }
            ClientFrame::Read(raise) => return self.raise(me, vec![raise]).await,
            ClientFrame::ReadAll { raise } => return self.raise(me, raise).await,
            ClientFrame::People { ids, .. } => {
                let directory = node.directory();
                let people = ids.into_iter().filter_map(|id| directory.person(id)).collect();
                ServerFrame::People { people }
            }
            _ => return,
        };
        self.devices[device].back.push_back(back);
    }

    async fn raise(&mut self, me: AccountId, raise: Vec<Raise>) {
        for raise in &raise {
            let what = match (raise.lane, raise.pointer.generation) {
                (0, _) => "read the room",
                (_, 0) => "read",
                _ => "read after a mark",
            };
            self.done.count(what);
            self.said.push((self.here.node.folded(), Said::Read(me, raise.lane, raise.pointer)));
        }
        unread::raise(&self.here.node, me, raise).await.unwrap();
        self.tell_badges(me, true).await;
    }

    /// To those who were told another one; after what an account said, to all of its devices.
    async fn tell_badges(&mut self, me: AccountId, said: bool) {
        let room = self.here.general;
        let badge = unread::badges(&self.here.node, me, [room]).await.unwrap()[&room];
        for device in self.devices.iter_mut().filter(|device| device.me == me && device.live) {
            if device.told.replace(badge) != Some(badge) || said {
                device.back.push_back(ServerFrame::Badge { room, badge });
            }
        }
    }

    /// What came to the room since is sent to a device; now and then something of it is lost on the way.
    fn flow(&mut self, device: usize, loses: bool) {
        let Some(sent) = self.devices[device].sent else { return };
        let (node, room) = (self.here.node.clone(), self.here.general);
        let events = node.state.read(|state| state.events(&state.room_head(room)?, sent, u64::MAX)).unwrap();
        self.devices[device].sent = events.last().map_or(Some(sent), |event| Some(event.seq));
        for event in events {
            if loses && self.dice.random_bool(0.1) {
                self.done.count("lost events");
            } else {
                self.devices[device].back.push_back(ServerFrame::Event { room, event });
            }
        }
    }

    fn hear(&mut self, device: usize) {
        if let Some(frame) = self.devices[device].back.pop_front() {
            self.give(device, Input::Frame(frame));
        }
    }

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
        self.give(device, Input::Write(Draft { id, room, thread, quote: None, text }));
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
        let (what, slot, value) = match (row.author == me, row.deleted.is_some()) {
            (true, true) => ("restored", Slot::Deleted, ActValue::Restored { restored: text }),
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
        self.give(device, Input::Act(ActDraft { id, room, target, slot, value }));
    }

    fn open(&mut self, device: usize) {
        // Often the same one on several devices.
        let rows = self.devices[device].session.current().into_iter().flat_map(Timeline::rows);
        let some: Vec<_> = rows.rev().take(3).cloned().collect();
        let among = if some.is_empty() { 0 } else { self.dice.random_range(0..some.len()) };
        let Some(row) = some.get(among) else { return };
        let lane = row.also.map_or(row.seq, |also| also.lane);
        self.done.count("opened a thread");
        self.give(device, Input::LookAtThread(Some((lane, None))));
    }

    async fn step(&mut self) {
        let device = self.dice.random_range(0..OWNERS.len());
        let open = self.devices[device].session.thread.as_ref().map(|open| open.at.lane);
        let at = |world: &mut World, lane| {
            let lane = Lane { room: world.here.general, lane };
            let head = world.devices[device].session.timeline(lane).map_or(0, Timeline::head);
            (head > 0).then(|| world.dice.random_range(1..=head))
        };
        match (self.dice.random_range(0..46), open) {
            (0..=4, _) => self.write(device),
            (5..=7, _) => self.change(device),
            (8 | 9, _) => self.open(device),
            (10, Some(_)) if self.dice.random_bool(0.5) => {
                self.give(device, Input::LookAtThread(None));
            }
            (11 | 40 | 41, Some(_)) => {
                let follow = self.dice.random_bool(0.5);
                self.give(device, Input::Follow(follow));
            }
            (12 | 13 | 42..=44, Some(lane)) => {
                if let Some(ordinal) = at(self, lane) {
                    self.give(device, Input::Seen(lane, ordinal));
                }
            }
            (14, _) => {
                if let Some(ordinal) = at(self, 0) {
                    self.give(device, Input::Seen(0, ordinal));
                }
            }
            (15, Some(lane)) => {
                if let Some(ordinal) = at(self, lane) {
                    self.done.count("marked answers as unread");
                    self.give(device, Input::MarkUnread(lane, ordinal));
                }
            }
            (16, _) => {
                let ordinal = at(self, 0).filter(|_| self.dice.random());
                let mark = ordinal.map_or(Input::MarkAllRead, |ordinal| Input::MarkUnread(0, ordinal));
                self.give(device, mark);
            }
            (17, _) if self.devices[device].session.marked.is_some() => {
                self.done.count("taken back");
                self.give(device, Input::UndoMark);
            }
            (18, _) if self.devices[device].live => {
                self.done.count("cut");
                self.cut(device);
            }
            (18 | 19, _) if !self.devices[device].live => self.connect(device).await,
            (20, _) => self.tell_badges(self.devices[device].me, false).await,
            (21..=24, _) => self.flow(device, true),
            (25..=32, _) => self.arrive(device).await,
            _ => self.hear(device),
        }
    }

    /// What was refused, as of a message that was deleted meanwhile, its author gives up.
    fn give_up_refused(&mut self, device: usize) {
        let kept = self.devices[device].session.outbox.in_room(self.here.general);
        let refused = kept.filter(|kept| matches!(kept.state, KeptState::NotSent { .. }));
        for id in refused.map(Kept::id).collect::<Vec<_>>() {
            self.done.count("refused");
            self.give(device, Input::Discard { id, void: ClientId::random() });
        }
    }

    /// Everything arrives.
    async fn settle(&mut self) {
        for device in 0..self.devices.len() {
            if !self.devices[device].live {
                self.connect(device).await;
            }
        }
        for _ in 0..30 {
            for device in 0..self.devices.len() {
                self.flow(device, false);
                while !self.devices[device].there.is_empty() {
                    self.arrive(device).await;
                }
                while !self.devices[device].back.is_empty() {
                    self.hear(device);
                }
                self.tell_badges(self.devices[device].me, false).await;
                self.give_up_refused(device);
                self.now += 1_000;
                self.give(device, Input::Tick);
            }
        }
    }

    fn assert_rows(timeline: &Timeline, naive: &Naive, who: &str) -> u32 {
        let mut expected = naive.lane(timeline.lane());
        assert_eq!(timeline.cursor().seq, naive.seq, "{who}");
        assert_eq!(timeline.head(), expected.len() as u64, "{who}");
        assert!(timeline.at_newest() && timeline.hole().is_none() && timeline.echoes().is_empty(), "{who}");
        let (from, to) = timeline.window().unwrap_or((1, 0));
        expected.retain(|(ordinal, _)| (from..=to).contains(ordinal));
        let rows: Vec<_> = timeline.rows().map(|row| line_of(row)).collect();
        assert_eq!(rows, expected, "{who}");
        rows.len() as u32
    }

    async fn compare(&mut self) -> [u32; 4] {
        let log = self.here.log().await;
        let naive = Naive::read(&log, &self.said, self.here.general, &self.people);
        let mut found = [0; 4];
        for device in 0..OWNERS.len() {
            let who = format!("device {device}");
            let (me, open) = {
                let Device { session, me, .. } = &self.devices[device];
                (*me, session.thread.as_ref().map(|open| open.at.lane))
            };
            // One who comes anew, to the same thread.
            let fresh = self.add(me).await;
            self.give(fresh, Input::LookAtThread(open.map(|lane| (lane, None))));
            self.settle().await;
            let fresh = self.devices.pop().unwrap().session;
            let session = &self.devices[device].session;
            let badge = session.rooms[0].badge;
            assert_eq!(badge, fresh.rooms[0].badge, "{who}");
            assert_eq!(Some(Counts::from(badge)), naive.counts(me), "{who}");
            assert_eq!(session.waiting(), 0, "{who}");
            found[0] += Self::assert_rows(session.current().unwrap(), &naive, &who);
            Self::assert_rows(fresh.current().unwrap(), &naive, "who comes anew");
            found[1] += badge.threads;
            found[2] += u32::from(badge.thread_mentions > 0);
            let Some(lane) = open else { continue };
            let (mine, anew) = (session.thread.as_ref().unwrap(), fresh.thread.as_ref().unwrap());
            found[3] += Self::assert_rows(mine.timeline.as_ref().unwrap(), &naive, &who);
            Self::assert_rows(anew.timeline.as_ref().unwrap(), &naive, "who comes anew");
            let followed = naive.threads(me).iter().any(|(of, ..)| *of == lane);
            for open in [mine, anew] {
                assert_eq!(open.told.as_ref().unwrap().follows, followed, "{who}: lane {lane}");
                let root = line_of(open.root().unwrap()).1;
                assert_eq!(Some(&root), naive.lines.iter().find(|line| line.seq == lane), "{who}");
            }
        }
        found
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_are_cut_and_lose_events_have_what_the_log_and_a_new_device_have() {
    let (mut found, mut done) = ([0; 4], Done::default());
    for seed in 0..6 {
        let folder = tempdir().unwrap();
        let mut world = World::new(set_up(folder.path()).await, seed).await;
        world.done = std::mem::take(&mut done);
        for _ in 0..4 {
            for _ in 0..350 {
                world.step().await;
            }
            // Nobody misses a lost event that nothing came after.
            world.here.post(world.here.owner, ClientId::random(), "the last one").await;
            world.settle().await;
            let of_world = world.compare().await;
            found.iter_mut().zip(of_world).for_each(|(found, of_world)| *found += of_world);
        }
        done = world.done;
    }
    println!("rows, unread answers, devices with mentions, answers in open threads: {found:?}");
    done.assert_all(&[
        "written",
        "answered",
        "answered in the room too",
        "edited",
        "deleted",
        "restored",
        "reacted",
        "opened a thread",
        "followed",
        "no longer followed",
        "read",
        "read the room",
        "read after a mark",
        "marked answers as unread",
        "taken back",
        "cut",
        "lost events",
        "fetched",
        "resumed behind",
    ]);
    assert!(found.iter().all(|n| *n > 20), "{found:?}");
}
