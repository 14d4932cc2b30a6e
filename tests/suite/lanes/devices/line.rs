//! Devices and the server, which hands each its frames one by one.

use super::{Device, OWNERS, World};
use crate::lanes::naive::{HANDLES, Said};
use crate::support::room_log::Counts as Done;
use crate::support::{TestNode, boot, welcome};
use beck::client::{Effect, Input, Session};
use beck::protocol::{AccountId, ClientFrame, ClientId, Outcome, Raise, ServerFrame};
use beck::server::error::AppError;
use beck::server::state::Floor;
use beck::server::{rooms, threads, unread};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::VecDeque;

fn refused(id: Option<ClientId>, req: Option<u64>, fault: &AppError) -> ServerFrame {
    ServerFrame::Error { id, req, code: fault.code(), message: fault.to_string() }
}

fn answered(id: ClientId, outcome: Result<Outcome, AppError>) -> ServerFrame {
    outcome.map_or_else(|fault| refused(Some(id), None, &fault), |outcome| ServerFrame::Ack { id, outcome })
}

fn with_req<T>(req: u64, answer: Result<T, AppError>, frame: impl FnOnce(T) -> ServerFrame) -> ServerFrame {
    answer.map_or_else(|fault| refused(None, Some(req), &fault), frame)
}

impl World {
    pub(super) async fn new(here: TestNode, seed: u64) -> World {
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

    pub(super) async fn add(&mut self, me: AccountId) -> usize {
        let mut start = boot(me, self.here.general, None);
        start.me = self.here.node.directory().person(me);
        let session = Session::from_boot(&start).unwrap();
        self.devices.push(Device {
            session,
            me,
            there: VecDeque::new(),
            back: VecDeque::new(),
            live: false,
            sent: None,
            told: None,
            seen: Vec::new(),
            marked: false,
        });
        let device = self.devices.len() - 1;
        self.connect(device).await;
        self.give(device, Input::Look { room: self.here.general, at: None });
        device
    }

    pub(super) fn give(&mut self, device: usize, input: Input) {
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
        let mut frame = welcome(self.here.node.epoch().unwrap(), person, rooms);
        if let ServerFrame::Welcome { format, .. } = &mut frame {
            *format = self.here.node.directory().format().number();
        }
        self.devices[device].back.push_back(frame);
    }

    fn cut(&mut self, device: usize) {
        let Device { live, there, back, sent, seen, .. } = &mut self.devices[device];
        (*live, *sent) = (false, None);
        // A badge that crosses what is said of a thread counts as the answer to it: what is on its way now may be lost.
        let said = there.iter().flat_map(|frame| match frame {
            ClientFrame::Read(raise) => std::slice::from_ref(raise),
            ClientFrame::ReadAll { raise } => raise,
            _ => &[],
        });
        let lost: Vec<_> = said.map(|raise| raise.lane).collect();
        seen.retain(|(lane, _)| !lost.contains(lane));
        there.clear();
        back.clear();
        self.give(device, Input::Closed(None));
    }

    /// The next frame of a device comes to the server, which answers.
    async fn arrive(&mut self, device: usize) {
        let me = self.devices[device].me;
        let Some(frame) = self.devices[device].there.pop_front() else { return };
        let node = self.here.node.clone();
        let events = |room, after, to| node.state.enter((me, room), |member| member.events(after, to));
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
                let known = node.state.read_anything(|state| state.draft(id)).unwrap();
                answered(id, known.map(|known| known.outcome).ok_or(AppError::NotFound))
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
        let events = node
            .state
            .read_anything(|state| state.events(&state.room_head(room)?, Floor::NONE, sent, u64::MAX))
            .unwrap();
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

    pub(super) async fn step(&mut self) {
        let device = self.dice.random_range(0..OWNERS.len());
        if self.dice.random() {
            self.act(device);
            return;
        }
        match self.dice.random_range(0..23) {
            0 if self.devices[device].live => {
                self.done.count("cut");
                self.cut(device);
            }
            0 | 1 if !self.devices[device].live => self.connect(device).await,
            2 => self.tell_badges(self.devices[device].me, false).await,
            3..=6 => self.flow(device, true),
            7..=14 => self.arrive(device).await,
            _ => self.hear(device),
        }
    }

    /// What is on its way arrives, and what it gives rise to; nobody asks by himself.
    pub(super) async fn deliver(&mut self) {
        for _ in 0..1_000 {
            for device in 0..self.devices.len() {
                while !self.devices[device].there.is_empty() {
                    self.arrive(device).await;
                }
            }
            for device in 0..self.devices.len() {
                self.flow(device, false);
                self.tell_badges(self.devices[device].me, false).await;
            }
            for device in 0..self.devices.len() {
                while !self.devices[device].back.is_empty() {
                    self.hear(device);
                }
                self.give_up_refused(device);
            }
            if self.devices.iter().all(|device| device.there.is_empty() && device.back.is_empty()) {
                return;
            }
        }
        panic!("devices and server never come to rest");
    }

    /// Everything arrives, and time passes.
    pub(super) async fn settle(&mut self) {
        for device in 0..self.devices.len() {
            if !self.devices[device].live {
                self.connect(device).await;
            }
        }
        for _ in 0..5 {
            self.deliver().await;
            self.now += 1_000;
            for device in 0..self.devices.len() {
                self.give(device, Input::Tick);
            }
        }
        self.deliver().await;
    }
}
