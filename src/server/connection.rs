//! One socket: answers frames in order and delivers each open room from its cursor on.

use super::broker::Pointer;
use super::directory::Action;
use super::hub::{HubRoom, Mailbox, Pulled, encode};
use super::node::{Node, ProposeError};
use super::rooms::{self, RoomError};
use super::state::Reader;
use super::throttle::{Bucket, Rate};
use crate::protocol::frame::ResetReason;
use crate::protocol::{
    AccountId, ClientFrame, ClientId, CloseCode, ErrorCode, Outcome, PROTOCOL_VERSION, Position, RoomId,
    ServerFrame, bounds,
};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures::stream::FuturesOrdered;
use futures::{FutureExt, SinkExt, StreamExt, future::BoxFuture};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Frames that go out before the connection looks at what came in.
const FRAMES_AT_ONCE: usize = 64;
/// Events read from the state file at once.
const EVENTS_AT_ONCE: u64 = 64;
/// Proposals of one connection that wait for their outcome; beyond it the socket is not read.
const PROPOSALS_AT_ONCE: usize = 32;
const FRAME_RATE: Rate = Rate { burst: 120.0, per_second: 30.0 };
/// Frames above the rate that are answered with an error before the socket is closed.
const FRAMES_OVER: u32 = 200;
/// Frames that cannot be read before the socket is closed.
const BAD_FRAMES: u32 = 10;
/// A reader that takes no byte for so long is closed; it resumes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// An outcome that is not there after so long is unknown, as when the disk is full: the log may have the entry.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(10);
/// The peer has so long to take the close frame and to answer it.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
const BADGE_PAUSE: Duration = Duration::from_millis(300);

/// Why a connection ends.
enum End {
    /// The peer closed, or the socket broke.
    Gone,
    Close(CloseCode),
}

type Answer = BoxFuture<'static, ServerFrame>;

pub struct Connection {
    node: Arc<Node>,
    me: AccountId,
    token: String,
    socket: WebSocket,
    mailbox: Arc<Mailbox>,
    open: HashMap<RoomId, OpenRoom>,
    watched: HashSet<RoomId>,
    answers: FuturesOrdered<Answer>,
    badges: HashSet<RoomId>,
    badges_due: Option<Instant>,
    rate: Bucket,
    over: u32,
    bad: u32,
    heard: Instant,
    said: Instant,
}

struct OpenRoom {
    room: Arc<HubRoom>,
    cursor: u64,
}

impl Connection {
    pub fn new(node: Arc<Node>, me: AccountId, token: String, socket: WebSocket) -> Self {
        let mailbox = node.hub.connect(me);
        let rate = Bucket::full(FRAME_RATE, node.uptime_ms());
        let now = Instant::now();
        Connection {
            node,
            me,
            token,
            socket,
            mailbox,
            open: HashMap::new(),
            watched: HashSet::new(),
            answers: FuturesOrdered::new(),
            badges: HashSet::new(),
            badges_due: None,
            rate,
            over: 0,
            bad: 0,
            heard: now,
            said: now,
        }
    }

    /// Serves the socket until it ends.
    pub async fn run(mut self) {
        let end = match self.greet().await {
            Ok(()) => self.serve().await,
            Err(end) => end,
        };
        if let End::Close(code) = end {
            let frame = CloseFrame { code: code.number(), reason: Utf8Bytes::from_static(code.reason()) };
            let goodbye = async {
                self.socket.send(Message::Close(Some(frame))).await?;
                // What is left unread would make the system reset the connection, and the peer may then lose
                // what was sent last: the reason, and outcomes before it.
                while let Some(Ok(_)) = self.socket.recv().await {}
                Ok::<(), axum::Error>(())
            };
            let _ = tokio::time::timeout(GOODBYE_TIMEOUT, goodbye).await;
        }
        self.node.hub.disconnect(&self.mailbox, self.open.keys().chain(&self.watched).copied());
    }

    async fn greet(&mut self) -> Result<(), End> {
        let first = tokio::time::timeout(HELLO_TIMEOUT, self.socket.recv()).await;
        let text = match first.map_err(|_| End::Close(CloseCode::Silent))? {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(_)) => return Err(End::Close(CloseCode::BadFrame)),
            _ => return Err(End::Gone),
        };
        match serde_json::from_str(&text) {
            Ok(ClientFrame::Hello { version: PROTOCOL_VERSION }) => {}
            Ok(ClientFrame::Hello { .. }) => return Err(End::Close(CloseCode::TooOld)),
            _ => return Err(End::Close(CloseCode::BadFrame)),
        }
        let directory = self.node.directory();
        let (Some(workspace), Some(me)) = (directory.workspace.clone(), directory.person(self.me)) else {
            return Err(End::Close(CloseCode::SignedOut));
        };
        for room in directory.memberships.get(&self.me).into_iter().flatten() {
            self.watch(*room);
        }
        let g = self.node.folded();
        let rooms = rooms::mine(&self.node, self.me).await.unwrap_or_default();
        self.send(&ServerFrame::Welcome {
            version: PROTOCOL_VERSION,
            workspace: workspace.id,
            name: workspace.name,
            me,
            rooms,
            g,
            heartbeat_ms: bounds::HEARTBEAT_MS,
        })
        .await
    }

    fn watch(&mut self, room: RoomId) {
        self.node.hub.room(room).watch(&self.mailbox);
        self.watched.insert(room);
    }

    async fn serve(&mut self) -> End {
        loop {
            if let Err(end) = self.step().await {
                return end;
            }
        }
    }

    async fn step(&mut self) -> Result<(), End> {
        let behind = self.deliver().await?;
        let heartbeat = Duration::from_millis(u64::from(bounds::HEARTBEAT_MS));
        let beat_at = self.said + heartbeat;
        let silent_at = self.heard + heartbeat * 2 + Duration::from_secs(5);
        let badges_at = self.badges_due;
        let reading = self.answers.len() < PROPOSALS_AT_ONCE;
        let draining = self.node.draining.clone();
        tokio::select! {
            // More is there to deliver: look at the others, but do not wait for them.
            () = std::future::ready(()), if behind => {}
            message = self.socket.recv(), if reading => self.heed(message).await?,
            Some(answer) = self.answers.next(), if !self.answers.is_empty() => self.send(&answer).await?,
            () = self.mailbox.notify.notified() => self.look().await?,
            () = tokio::time::sleep_until(badges_at.unwrap_or(silent_at)), if badges_at.is_some() => {
                self.send_badges().await?;
            }
            () = tokio::time::sleep_until(beat_at) => self.beat().await?,
            () = tokio::time::sleep_until(silent_at) => return Err(End::Close(CloseCode::Silent)),
            () = draining.cancelled() => {
                self.finish().await?;
                return Err(End::Close(CloseCode::Moving));
            }
        }
        Ok(())
    }

    /// Before the server goes: outcomes of what is under way, then when to come back.
    async fn finish(&mut self) -> Result<(), End> {
        let wait = tokio::time::sleep(Duration::from_secs(5));
        tokio::pin!(wait);
        while !self.answers.is_empty() {
            tokio::select! {
                Some(answer) = self.answers.next() => self.send(&answer).await?,
                () = &mut wait => break,
            }
        }
        // Spread over a second, so that not all come back at once.
        let after_ms = 200 + (uuid::Uuid::new_v4().as_u128() % 800) as u32;
        self.send(&ServerFrame::Moving { after_ms }).await
    }

    async fn send(&mut self, frame: &ServerFrame) -> Result<(), End> {
        self.send_all([Utf8Bytes::from(encode(frame))]).await
    }

    /// Writes frames and flushes once.
    async fn send_all(&mut self, frames: impl IntoIterator<Item = Utf8Bytes>) -> Result<(), End> {
        let socket = &mut self.socket;
        let writing = async {
            for frame in frames {
                socket.feed(Message::Text(frame)).await?;
            }
            socket.flush().await
        };
        match tokio::time::timeout(WRITE_TIMEOUT, writing).await {
            Ok(Ok(())) => {
                self.said = Instant::now();
                Ok(())
            }
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Close(CloseCode::Slow)),
        }
    }

    /// Sends what the open rooms have after their cursors; `true` if there may be more.
    async fn deliver(&mut self) -> Result<bool, End> {
        let mut out: Vec<Utf8Bytes> = Vec::new();
        let mut more = false;
        let mut left = Vec::new();
        for (id, open) in &mut self.open {
            let until = self.mailbox.until(*id);
            if until.is_some_and(|until| open.cursor >= until) {
                left.push(*id);
                continue;
            }
            let frames = match open.room.pull(open.cursor, until, FRAMES_AT_ONCE) {
                Pulled::Frames(frames) => frames,
                Pulled::ReadTo(to) => {
                    let to = to.min(open.cursor + EVENTS_AT_ONCE);
                    let read = self.node.state.read(|state| {
                        let head = state.room_head(*id)?;
                        state.events(&head, open.cursor, to)
                    });
                    let Ok(events) = read else { return Err(End::Gone) };
                    let frame = |event| Utf8Bytes::from(encode(&ServerFrame::Event { room: *id, event }));
                    events.into_iter().map(frame).collect()
                }
            };
            open.cursor += frames.len() as u64;
            more |= !frames.is_empty();
            out.extend(frames);
        }
        if !out.is_empty() {
            self.send_all(out).await?;
        }
        for room in left {
            self.close_room(room);
            self.send(&ServerFrame::Left { room }).await?;
        }
        Ok(more)
    }

    fn close_room(&mut self, room: RoomId) {
        if let Some(open) = self.open.remove(&room) {
            open.room.close(&self.mailbox);
        }
    }

    async fn look(&mut self) -> Result<(), End> {
        let inbox = self.mailbox.take();
        if inbox.check_login && self.node.account_of(&self.token).await != Some(self.me) {
            return Err(End::Close(CloseCode::SignedOut));
        }
        let directory = self.node.directory();
        for room in inbox.changed {
            match directory.room_info(self.me, room) {
                Some(info) if info.joined => {
                    self.watch(room);
                    self.send(&ServerFrame::Room { room: info }).await?;
                    self.badges.insert(room);
                }
                _ if !self.open.contains_key(&room) => self.send(&ServerFrame::Left { room }).await?,
                _ => {}
            }
        }
        // A badge of a room that is open comes too: it may not be in view.
        self.badges.extend(inbox.badges);
        if !self.badges.is_empty() && self.badges_due.is_none() {
            self.badges_due = Some(Instant::now() + BADGE_PAUSE);
        }
        Ok(())
    }

    async fn send_badges(&mut self) -> Result<(), End> {
        self.badges_due = None;
        let directory = self.node.directory();
        let asked = std::mem::take(&mut self.badges);
        let asked = asked.into_iter().filter(|room| directory.can(self.me, Action::Read, *room));
        let badges = rooms::badges(&self.node, self.me, asked.collect::<Vec<_>>()).await.unwrap_or_default();
        let frames = badges.into_iter().map(|(room, badge)| ServerFrame::Badge { room, badge });
        let frames: Vec<_> = frames.map(|frame| Utf8Bytes::from(encode(&frame))).collect();
        self.send_all(frames).await
    }

    async fn beat(&mut self) -> Result<(), End> {
        let epoch = self.node.epoch();
        let positions = self.node.state.read(|state| {
            let mut positions = BTreeMap::new();
            for room in self.open.keys() {
                if let (Ok(head), Some(epoch)) = (state.room_head(*room), epoch) {
                    positions.insert(*room, Position { epoch, seq: head.seq, chain: head.chain });
                }
            }
            Ok(positions)
        });
        let g = self.node.folded();
        self.send(&ServerFrame::Beat { g, positions: positions.unwrap_or_default() }).await
    }

    async fn heed(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        let message = match message {
            Some(Ok(message)) => message,
            // Too large, not UTF-8, or against the WebSocket protocol.
            Some(Err(_)) => return Err(End::Close(CloseCode::BadFrame)),
            None => return Err(End::Gone),
        };
        let allowed = self.rate.take(FRAME_RATE, self.node.uptime_ms());
        if !allowed {
            self.over += 1;
            if self.over > FRAMES_OVER {
                return Err(End::Close(CloseCode::Throttled));
            }
        }
        match message {
            Message::Text(text) if allowed => {
                self.heard = Instant::now();
                self.heed_text(&text).await
            }
            Message::Text(text) => {
                let message = "Too many at once. Try again in a moment.".to_owned();
                self.send(&error_frame(&text, ErrorCode::Throttled, message)).await
            }
            Message::Binary(_) => Err(End::Close(CloseCode::BadFrame)),
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => Err(End::Gone),
        }
    }

    async fn heed_text(&mut self, text: &str) -> Result<(), End> {
        let frame = match serde_json::from_str::<ClientFrame>(text) {
            Ok(frame) => frame,
            Err(fault) => {
                self.bad += 1;
                if self.bad > BAD_FRAMES {
                    return Err(End::Close(CloseCode::BadFrame));
                }
                let message = format!("This frame cannot be read: {fault}");
                return self.send(&error_frame(text, ErrorCode::BadFrame, message)).await;
            }
        };
        match frame {
            ClientFrame::Hello { .. } | ClientFrame::Unknown => Ok(()),
            ClientFrame::Subscribe { room, since } => self.subscribe(room, since).await,
            ClientFrame::Unsubscribe { room } => {
                self.close_room(room);
                Ok(())
            }
            ClientFrame::Post(draft) => {
                let id = draft.id;
                let posted = rooms::post(&self.node, self.me, draft);
                self.answer_with(id, posted);
                Ok(())
            }
            ClientFrame::Act { id, room, target, slot, value } => {
                let acted = rooms::act(&self.node, self.me, (id, room, target), &slot, value);
                self.answer_with(id, acted);
                Ok(())
            }
            ClientFrame::Void { id, target } => {
                let (node, me) = (self.node.clone(), self.me);
                self.answer_with(id, async move { rooms::void(&node, me, id, target).await });
                Ok(())
            }
            ClientFrame::Outcome { id } => {
                let known = self.node.state.read(|state| state.draft(id));
                let known = known.map_err(RoomError::from).and_then(|known| {
                    let mine = known.filter(|known| known.author == self.me);
                    mine.map(|known| known.outcome).ok_or(RoomError::NotFound)
                });
                self.send(&answer(id, known)).await
            }
            ClientFrame::Page { req, room, lane, at, limit, at_least } => {
                let frame = match rooms::page(&self.node, self.me, (room, lane), at, limit, at_least) {
                    Ok(page) => ServerFrame::Page { req, page },
                    Err(fault) => refused(None, Some(req), &fault),
                };
                self.send(&frame).await
            }
            ClientFrame::Fetch { req, room, after, to } => {
                let frame = match self.events(room, after, to.min(after.saturating_add(500))) {
                    Ok(events) => ServerFrame::Events { req, room, events },
                    Err(fault) => refused(None, Some(req), &fault),
                };
                self.send(&frame).await
            }
            ClientFrame::Headers { req, room, after, to } => {
                let to = to.min(after.saturating_add(bounds::HEADERS_AT_ONCE));
                let frame = match self.events(room, after, to) {
                    Ok(events) => {
                        let headers =
                            events.into_iter().map(|event| (event.header.clone(), event.chain)).collect();
                        ServerFrame::Headers { req, room, headers }
                    }
                    Err(fault) => refused(None, Some(req), &fault),
                };
                self.send(&frame).await
            }
            ClientFrame::People { ids } => {
                let directory = self.node.directory();
                let people = ids.into_iter().take(100).filter_map(|id| directory.person(id)).collect();
                self.send(&ServerFrame::People { people }).await
            }
            ClientFrame::Read { room, lane, generation, ordinal } => {
                let pointer = Pointer { generation, ordinal };
                match rooms::read(&self.node, self.me, room, lane, pointer).await {
                    Ok(()) => Ok(()),
                    Err(fault) => self.send(&refused(None, None, &fault)).await,
                }
            }
            ClientFrame::Beat { positions } => self.compare(positions).await,
        }
    }

    /// Answers a proposal in its turn; a fold that cannot go on leaves the outcome unknown.
    fn answer_with(
        &mut self,
        id: ClientId,
        proposed: impl Future<Output = Result<Outcome, RoomError>> + Send + 'static,
    ) {
        let answered = tokio::time::timeout(OUTCOME_TIMEOUT, proposed);
        let answered =
            answered.map(move |done| answer(id, done.unwrap_or(Err(ProposeError::Unknown.into()))));
        self.answers.push_back(answered.boxed());
    }

    fn events(
        &self,
        room: RoomId,
        after: u64,
        to: u64,
    ) -> Result<Vec<Arc<crate::protocol::Event>>, RoomError> {
        if !self.node.directory().can(self.me, Action::Read, room) {
            return Err(RoomError::NotFound);
        }
        Ok(self.node.state.read(|state| {
            let head = state.room_head(room)?;
            state.events(&head, after, to)
        })?)
    }

    /// First subscribe, resume and reset are this one path.
    async fn subscribe(&mut self, id: RoomId, since: Option<Position>) -> Result<(), End> {
        self.close_room(id);
        if self.open.len() >= bounds::OPEN_ROOMS {
            let fault = RoomError::Unavailable("Too many rooms are open. Close one first.".into());
            return self.send(&refused(None, None, &fault)).await;
        }
        // Listen first, then ask: a removal is seen by one of the two.
        let room = self.node.hub.room(id);
        room.open(&self.mailbox);
        self.mailbox.begin(id);
        let epoch = self.node.epoch();
        let allowed = self.node.directory().can(self.me, Action::Read, id);
        let place = self.node.state.read(|state| {
            let head = state.room_head(id)?;
            let reason = match since {
                Some(since) => cannot_resume(state, &head, since, epoch)?,
                None => None,
            };
            Ok((head, reason))
        });
        let (Ok((head, reason)), Some(epoch), true) = (place, epoch, allowed) else {
            room.close(&self.mailbox);
            let mut frame = refused(None, None, &RoomError::NotFound);
            if let ServerFrame::Error { message, .. } = &mut frame {
                *message = format!("{message} ({id})");
            }
            self.send(&ServerFrame::Left { room: id }).await?;
            return self.send(&frame).await;
        };
        let head = Position { epoch, seq: head.seq, chain: head.chain };
        if let Some(why) = reason {
            room.close(&self.mailbox);
            return self.send(&ServerFrame::Reset { room: id, why, head }).await;
        }
        let since = since.unwrap_or(head);
        self.open.insert(id, OpenRoom { room, cursor: since.seq });
        self.send(&ServerFrame::Subscribed { room: id, since, head }).await
    }

    /// The client's positions must lie on this log.
    async fn compare(&mut self, positions: BTreeMap<RoomId, Position>) -> Result<(), End> {
        let epoch = self.node.epoch();
        for (room, position) in positions {
            if !self.open.contains_key(&room) {
                continue;
            }
            let compared = self.node.state.read(|state| {
                let head = state.room_head(room)?;
                Ok((head, position.epoch, state.chain_at(&head, position.seq)?))
            });
            let (Ok((head, theirs, chain)), Some(epoch)) = (compared, epoch) else { continue };
            if theirs != epoch || chain != Some(position.chain) {
                self.close_room(room);
                let head = Position { epoch, seq: head.seq, chain: head.chain };
                let why = ResetReason::Rewritten;
                self.send(&ServerFrame::Reset { room, why, head }).await?;
            }
        }
        Ok(())
    }
}

fn cannot_resume(
    state: &Reader<'_>,
    head: &super::state::RoomHead,
    since: Position,
    epoch: Option<crate::protocol::WorkspaceId>,
) -> Result<Option<ResetReason>, super::state::ReadError> {
    if epoch != Some(since.epoch) {
        return Ok(Some(ResetReason::Epoch));
    }
    if state.chain_at(head, since.seq)? != Some(since.chain) {
        return Ok(Some(ResetReason::Rewritten));
    }
    Ok((head.seq - since.seq > bounds::RESUME_EVENTS).then_some(ResetReason::Far))
}

fn answer(id: ClientId, done: Result<Outcome, RoomError>) -> ServerFrame {
    match done {
        Ok(outcome) => ServerFrame::Ack { id, outcome },
        Err(fault) => refused(Some(id), None, &fault),
    }
}

fn refused(id: Option<ClientId>, req: Option<u64>, fault: &RoomError) -> ServerFrame {
    ServerFrame::Error { id, req, code: fault.code(), message: fault.to_string() }
}

/// An error that names what it is about, as far as a frame that cannot be read tells.
fn error_frame(text: &str, code: ErrorCode, message: String) -> ServerFrame {
    let frame: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let id = frame.get("id").and_then(|id| id.as_str()).and_then(|id| id.parse().ok());
    let req = frame.get("req").and_then(serde_json::Value::as_u64);
    ServerFrame::Error { id, req, code, message }
}
