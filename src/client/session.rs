//! The sync state of one client: pure. [`Session::handle`] takes what happened and gives what to do.
//!
//! Guarantees: a room's cursor moves with its events only; a draft is sent until its outcome is known, always
//! under the same id, in order within its room; what cannot be continued is loaded again, and said.

use crate::api::Boot;
use crate::protocol::frame::{Draft, Person, RoomInfo};
use crate::protocol::{
    AccountId, ClientFrame, ClientId, CloseCode, Outcome, PROTOCOL_VERSION, Page, PageAt, RoomId,
    ServerFrame, bounds,
};
use crate::timeline::{Applied, Echo, EchoState, Paged, Timeline};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Rows that a room's window keeps.
const WINDOW_ROWS: usize = 300;
/// Rooms whose rows are kept when one looks at another.
const KEPT_ROOMS: usize = 8;
/// The longest wait between two tries to connect, in milliseconds.
const MAX_BACKOFF_MS: u32 = 30_000;
const FIRST_BACKOFF_MS: u32 = 500;

/// Whether what is shown follows the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The first connection has not been made; what is shown came with the page.
    Starting,
    Live,
    /// Being connected again.
    Offline,
    /// The login ended: sign in again.
    SignedOut,
    /// The server is too new for this client: reload.
    TooOld,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// The socket is open.
    Opened,
    Frame(ServerFrame),
    /// The socket is closed, or could not be opened.
    Closed(Option<u16>),
    /// Some seconds have passed.
    Tick,
    /// The machine woke, the network came back, or the page is seen again.
    Wake,
    /// A room is looked at.
    Look(RoomId),
    /// Nothing is looked at.
    LookAway,
    /// Written and sent by the person.
    Write(Draft),
    /// Drafts that a reload left in the outbox.
    Restore(Vec<(Draft, i64)>),
    /// A draft that was not sent is given up.
    Discard(ClientId),
    Older,
    Newer,
    /// Back to the newest rows.
    Newest,
    /// This ordinal of the looked-at room was seen.
    Seen(u64),
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Connect {
        after_ms: u32,
    },
    Send(ClientFrame),
    Disconnect,
    /// Keep a draft over reloads.
    Keep(Draft, i64),
    Forget(ClientId),
    /// Say a foreign message to a screen reader.
    Announce(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    First,
    Again,
    Older,
    Newer,
    Jump,
}

#[derive(Debug, Clone)]
pub struct Session {
    pub me: Person,
    pub workspace: String,
    pub rooms: Vec<RoomInfo>,
    pub people: HashMap<AccountId, Person>,
    pub timelines: HashMap<RoomId, Timeline>,
    pub status: Status,
    pub looking_at: Option<RoomId>,
    /// Rooms that were loaded again because the server's log changed.
    pub reset_at: HashMap<RoomId, i64>,
    /// Drafts without an outcome, in the order of writing.
    outbox: Vec<Draft>,
    sent: HashSet<ClientId>,
    asks: BTreeMap<u64, (RoomId, Ask)>,
    next_req: u64,
    tries: u32,
    heard_at: i64,
    said_at: i64,
    seen: HashMap<RoomId, u64>,
    lagging: HashSet<RoomId>,
}

impl Session {
    /// Begins with what the server put into the page; `None` for one who is not signed in.
    pub fn from_boot(boot: &Boot) -> Option<Session> {
        let me = boot.me.clone()?;
        let mut session = Session {
            me,
            workspace: boot.workspace.clone(),
            rooms: boot.rooms.clone(),
            people: boot.people.iter().map(|person| (person.id, person.clone())).collect(),
            timelines: HashMap::new(),
            status: Status::Starting,
            looking_at: None,
            reset_at: HashMap::new(),
            outbox: Vec::new(),
            sent: HashSet::new(),
            asks: BTreeMap::new(),
            next_req: 1,
            tries: 0,
            heard_at: 0,
            said_at: 0,
            seen: HashMap::new(),
            lagging: HashSet::new(),
        };
        if let Some(page) = &boot.page {
            session.timelines.insert(page.room, Timeline::from_page(page));
            session.looking_at = Some(page.room);
        }
        Some(session)
    }

    pub fn room(&self, id: RoomId) -> Option<&RoomInfo> {
        self.rooms.iter().find(|room| room.id == id)
    }

    /// The timeline of the room that is looked at.
    pub fn current(&self) -> Option<&Timeline> {
        self.timelines.get(&self.looking_at?)
    }

    /// Drafts that wait for an outcome.
    pub fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// Takes what happened at `now` (milliseconds of any clock that only goes forward, and is the clock's time).
    pub fn handle(&mut self, input: Input, now: i64) -> Vec<Effect> {
        let mut out = Vec::new();
        match input {
            Input::Opened => {
                self.heard_at = now;
                out.push(Effect::Send(ClientFrame::Hello { version: PROTOCOL_VERSION }));
            }
            Input::Frame(frame) => {
                self.heard_at = now;
                self.frame(frame, now, &mut out);
            }
            Input::Closed(code) => self.closed(code, &mut out),
            Input::Tick => self.tick(now, &mut out),
            Input::Wake => match self.status {
                Status::Offline => out.push(Effect::Connect { after_ms: 0 }),
                Status::Live => out.push(self.beat()),
                _ => {}
            },
            Input::Look(room) => self.look(room, &mut out),
            Input::LookAway => self.looking_at = None,
            Input::Write(draft) => self.write(draft, now, &mut out),
            Input::Restore(drafts) => {
                for (draft, at) in drafts {
                    self.enqueue(draft, at);
                }
                self.send_outbox(&mut out);
            }
            Input::Discard(id) => {
                for timeline in self.timelines.values_mut() {
                    timeline.drop_echo(id);
                }
                self.outbox.retain(|draft| draft.id != id);
                self.sent.remove(&id);
                out.push(Effect::Forget(id));
                self.send_outbox(&mut out);
            }
            Input::Older => self.page_older(&mut out),
            Input::Newer => self.page_newer(&mut out),
            Input::Newest => {
                if let Some(room) = self.looking_at {
                    self.ask(room, Ask::Jump, PageAt::Newest, &mut out);
                }
            }
            Input::Seen(ordinal) => self.saw(ordinal, &mut out),
        }
        if out.iter().any(|effect| matches!(effect, Effect::Send(_))) {
            self.said_at = now;
        }
        out
    }

    fn closed(&mut self, code: Option<u16>, out: &mut Vec<Effect>) {
        // What was sent without an answer may be stored or not: it is sent again under the same id.
        for id in self.sent.drain() {
            for timeline in self.timelines.values_mut() {
                timeline.mark(id, EchoState::Waiting);
            }
        }
        self.asks.clear();
        self.status = match code.and_then(CloseCode::from_number) {
            Some(CloseCode::SignedOut) => Status::SignedOut,
            Some(CloseCode::TooOld) => Status::TooOld,
            _ => Status::Offline,
        };
        if self.status == Status::Offline {
            let backoff = FIRST_BACKOFF_MS << self.tries.min(6);
            self.tries += 1;
            // The engine spreads it: half of the time is certain, half is chance.
            out.push(Effect::Connect { after_ms: backoff.min(MAX_BACKOFF_MS) });
        }
    }

    fn tick(&mut self, now: i64, out: &mut Vec<Effect>) {
        if self.status != Status::Live {
            return;
        }
        let heartbeat = i64::from(bounds::HEARTBEAT_MS);
        if now - self.heard_at > 2 * heartbeat {
            out.push(Effect::Disconnect);
        } else if now - self.said_at > heartbeat * 4 / 5 {
            out.push(self.beat());
        }
        // A proposal that was told to come again later.
        self.send_outbox(out);
    }

    fn beat(&self) -> Effect {
        let mut positions = BTreeMap::new();
        if let Some((room, timeline)) =
            self.looking_at.and_then(|room| Some((room, self.timelines.get(&room)?)))
        {
            positions.insert(room, timeline.cursor());
        }
        Effect::Send(ClientFrame::Beat { positions })
    }

    fn look(&mut self, room: RoomId, out: &mut Vec<Effect>) {
        if self.looking_at == Some(room) && self.timelines.contains_key(&room) {
            return;
        }
        if let Some(before) = self.looking_at.replace(room)
            && before != room
            && self.status == Status::Live
        {
            out.push(Effect::Send(ClientFrame::Unsubscribe { room: before }));
        }
        while self.timelines.len() > KEPT_ROOMS {
            let idle = |id: &&RoomId| **id != room && self.timelines[*id].echoes().is_empty();
            let Some(idle) = self.timelines.keys().find(idle).copied() else { break };
            self.timelines.remove(&idle);
        }
        if self.status == Status::Live {
            self.follow(room, out);
        }
    }

    /// Subscribes from the cursor on, or loads the room first.
    fn follow(&mut self, room: RoomId, out: &mut Vec<Effect>) {
        match self.timelines.get(&room) {
            Some(timeline) => {
                let since = Some(timeline.cursor());
                out.push(Effect::Send(ClientFrame::Subscribe { room, since }));
            }
            None => self.ask(room, Ask::First, PageAt::Newest, out),
        }
    }

    fn ask(&mut self, room: RoomId, ask: Ask, at: PageAt, out: &mut Vec<Effect>) {
        let asked = self.asks.values().any(|asked| *asked == (room, ask));
        if asked || self.status != Status::Live {
            return;
        }
        let req = self.next_req;
        self.next_req += 1;
        self.asks.insert(req, (room, ask));
        let fresh = matches!(ask, Ask::First | Ask::Again);
        let at_least = self.timelines.get(&room).filter(|_| !fresh).map(Timeline::cursor);
        let limit = bounds::FIRST_PAGE_ROWS;
        out.push(Effect::Send(ClientFrame::Page { req, room, lane: 0, at, limit, at_least }));
    }

    fn page_older(&mut self, out: &mut Vec<Effect>) {
        let Some((room, timeline)) =
            self.looking_at.and_then(|room| Some((room, self.timelines.get(&room)?)))
        else {
            return;
        };
        if let Some((oldest, _)) = timeline.window().filter(|(oldest, _)| *oldest > 1) {
            self.ask(room, Ask::Older, PageAt::Before(oldest), out);
        }
    }

    fn page_newer(&mut self, out: &mut Vec<Effect>) {
        let Some((room, timeline)) =
            self.looking_at.and_then(|room| Some((room, self.timelines.get(&room)?)))
        else {
            return;
        };
        if let Some((_, newest)) = timeline.window().filter(|_| !timeline.at_newest()) {
            self.ask(room, Ask::Newer, PageAt::After(newest), out);
        }
    }

    fn saw(&mut self, ordinal: u64, out: &mut Vec<Effect>) {
        let Some(room) = self.looking_at else { return };
        let seen = self.seen.entry(room).or_default();
        if ordinal > *seen {
            *seen = ordinal;
            if self.status == Status::Live {
                out.push(Effect::Send(ClientFrame::Read { room, lane: 0, generation: 0, ordinal }));
            }
        }
    }

    fn write(&mut self, draft: Draft, now: i64, out: &mut Vec<Effect>) {
        out.push(Effect::Keep(draft.clone(), now));
        self.enqueue(draft, now);
        self.send_outbox(out);
    }

    fn enqueue(&mut self, draft: Draft, at: i64) {
        if self.outbox.iter().any(|waiting| waiting.id == draft.id) {
            return;
        }
        if let Some(timeline) = self.timelines.get_mut(&draft.room) {
            timeline.echo(Echo { draft: draft.clone(), at, state: EchoState::Waiting });
        }
        self.outbox.push(draft);
    }

    /// Sends the first waiting draft of each room that has none under way and none that was refused.
    fn send_outbox(&mut self, out: &mut Vec<Effect>) {
        if self.status != Status::Live {
            return;
        }
        let mut busy: HashSet<RoomId> = HashSet::new();
        for (room, timeline) in &self.timelines {
            let refused =
                |echo: &Echo| matches!(echo.state, EchoState::NotSent { .. } | EchoState::Failed { .. });
            if timeline.echoes().iter().any(refused) {
                busy.insert(*room);
            }
        }
        for draft in self.outbox.clone() {
            if !busy.insert(draft.room) || self.sent.contains(&draft.id) {
                continue;
            }
            self.sent.insert(draft.id);
            if let Some(timeline) = self.timelines.get_mut(&draft.room) {
                timeline.mark(draft.id, EchoState::Sending);
            }
            out.push(Effect::Send(ClientFrame::Post(draft)));
        }
    }

    fn frame(&mut self, frame: ServerFrame, now: i64, out: &mut Vec<Effect>) {
        match frame {
            ServerFrame::Welcome { name, me, rooms, .. } => {
                self.status = Status::Live;
                self.tries = 0;
                self.workspace = name;
                self.people.insert(me.id, me.clone());
                self.me = me;
                for room in &mut self.rooms {
                    room.joined = rooms.iter().any(|mine| mine.id == room.id);
                }
                for room in rooms {
                    self.put_room(room);
                }
                if let Some(room) = self.looking_at {
                    self.follow(room, out);
                }
                self.send_outbox(out);
            }
            ServerFrame::Subscribed { room, .. } => drop(self.lagging.remove(&room)),
            ServerFrame::Reset { room, .. } => self.ask(room, Ask::Again, PageAt::Newest, out),
            ServerFrame::Event { room, event } => {
                let Some(timeline) = self.timelines.get_mut(&room) else { return };
                match timeline.apply(&event) {
                    Applied::Advanced => {
                        timeline.trim(WINDOW_ROWS, true);
                        self.introduce(room, [event.header.author], out);
                        if event.ordinal.is_some() && event.header.author != self.me.id {
                            self.announce(room, &event, out);
                        }
                    }
                    Applied::Old => {}
                    Applied::Ahead { after, to } => {
                        let req = self.next_req;
                        self.next_req += 1;
                        out.push(Effect::Send(ClientFrame::Fetch { req, room, after, to }));
                    }
                    Applied::Rewritten => {
                        self.reset_at.insert(room, now);
                        self.ask(room, Ask::Again, PageAt::Newest, out);
                    }
                }
            }
            ServerFrame::Events { room, events, .. } => {
                for event in events {
                    self.frame(ServerFrame::Event { room, event }, now, out);
                }
            }
            ServerFrame::Page { req, page } => self.page(req, &page, out),
            ServerFrame::Ack { id, outcome } => self.acked(id, outcome, out),
            ServerFrame::Error { id, req, code, message } => {
                if let Some(req) = req {
                    let ask = self.asks.remove(&req);
                    if let (Some((room, ask @ (Ask::First | Ask::Again))), true) = (ask, code.try_again()) {
                        self.ask(room, ask, PageAt::Newest, out);
                    }
                }
                if let Some(id) = id.filter(|id| self.sent.remove(id)) {
                    let state = if code.try_again() {
                        EchoState::Waiting
                    } else {
                        self.outbox.retain(|draft| draft.id != id);
                        EchoState::Failed { why: message }
                    };
                    for timeline in self.timelines.values_mut() {
                        timeline.mark(id, state.clone());
                    }
                }
            }
            ServerFrame::People { people } => {
                self.people.extend(people.into_iter().map(|person| (person.id, person)));
            }
            ServerFrame::Room { room } => self.put_room(room),
            ServerFrame::Left { room } => {
                self.timelines.remove(&room);
                if let Some(room) = self.rooms.iter_mut().find(|known| known.id == room) {
                    room.joined = false;
                }
            }
            ServerFrame::Badge { room, badge } => {
                if let Some(room) = self.rooms.iter_mut().find(|known| known.id == room) {
                    room.badge = badge;
                }
            }
            ServerFrame::Beat { positions, .. } => self.compare(positions, now, out),
            ServerFrame::Moving { after_ms } => {
                self.tries = 0;
                out.push(Effect::Disconnect);
                out.push(Effect::Connect { after_ms });
            }
            ServerFrame::Unknown => {}
        }
    }

    fn put_room(&mut self, room: RoomInfo) {
        match self.rooms.iter_mut().find(|known| known.id == room.id) {
            Some(known) => *known = room,
            None => {
                let name = room.name.to_lowercase();
                let at = self.rooms.iter().position(|known| known.name.to_lowercase() > name);
                self.rooms.insert(at.unwrap_or(self.rooms.len()), room);
            }
        }
    }

    fn announce(&self, room: RoomId, event: &crate::protocol::Event, out: &mut Vec<Effect>) {
        if self.looking_at != Some(room) {
            return;
        }
        if let Some(crate::protocol::EventBody::Message(body)) = &event.body {
            let name = self.people.get(&event.header.author).map_or("Someone", |person| &person.name);
            out.push(Effect::Announce(format!("{name}: {}", body.text)));
        }
    }

    /// Asks who authors are whose names are not known yet.
    fn introduce(&self, room: RoomId, also: impl IntoIterator<Item = AccountId>, out: &mut Vec<Effect>) {
        let rows = self.timelines.get(&room);
        let mut ids: Vec<_> = also.into_iter().collect();
        if ids.is_empty() {
            ids.extend(rows.into_iter().flat_map(Timeline::rows).map(|row| row.author));
        }
        ids.retain(|id| !self.people.contains_key(id));
        ids.sort_unstable();
        ids.dedup();
        if !ids.is_empty() {
            ids.truncate(100);
            out.push(Effect::Send(ClientFrame::People { ids }));
        }
    }

    fn page(&mut self, req: u64, page: &Page, out: &mut Vec<Effect>) {
        let Some((room, ask)) = self.asks.remove(&req) else { return };
        let paged = match (self.timelines.get_mut(&room), ask) {
            (Some(timeline), Ask::First | Ask::Again) => {
                timeline.reset(page);
                Paged::Taken
            }
            (None, _) => {
                let mut timeline = Timeline::from_page(page);
                for draft in self.outbox.iter().filter(|draft| draft.room == room) {
                    let state = EchoState::Waiting;
                    timeline.echo(Echo { draft: draft.clone(), at: self.heard_at, state });
                }
                self.timelines.insert(room, timeline);
                Paged::Taken
            }
            (Some(timeline), Ask::Jump) => timeline.jump(page),
            (Some(timeline), Ask::Older | Ask::Newer) => {
                let paged = timeline.take_page(page);
                timeline.trim(WINDOW_ROWS, ask == Ask::Newer);
                paged
            }
        };
        match paged {
            Paged::Taken if matches!(ask, Ask::First | Ask::Again) => self.follow(room, out),
            Paged::Taken => {}
            Paged::Stale => self.ask(room, ask, PageAt::Newest, out),
            Paged::Rewritten => self.ask(room, Ask::Again, PageAt::Newest, out),
        }
        self.introduce(room, [], out);
    }

    fn acked(&mut self, id: ClientId, outcome: Outcome, out: &mut Vec<Effect>) {
        self.sent.remove(&id);
        self.outbox.retain(|draft| draft.id != id);
        for timeline in self.timelines.values_mut() {
            timeline.answered(id, outcome);
        }
        out.push(Effect::Forget(id));
        self.send_outbox(out);
    }

    fn compare(
        &mut self,
        positions: BTreeMap<RoomId, crate::protocol::Position>,
        now: i64,
        out: &mut Vec<Effect>,
    ) {
        for (room, head) in positions {
            let Some(timeline) = self.timelines.get(&room) else { continue };
            if !timeline.agrees_with(&head) {
                self.reset_at.insert(room, now);
                self.ask(room, Ask::Again, PageAt::Newest, out);
            } else if head.seq > timeline.cursor().seq && !self.lagging.insert(room) {
                // Behind at two beats in a row: the socket lost something.
                self.lagging.remove(&room);
                self.follow(room, out);
            } else if head.seq == timeline.cursor().seq {
                self.lagging.remove(&room);
            }
        }
    }
}
