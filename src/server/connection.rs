//! One socket: answers frames in order and delivers each open room from its cursor on.

mod deliver;
mod follow;
mod heed;
mod timeouts;

pub use timeouts::{TIMEOUTS, Timeouts};

use super::directory::Action;
use super::hub::{HubRoom, Mailbox, encode};
use super::node::Node;
use super::rooms;
use super::serve::Progress;
use super::throttle::Bucket;
use super::unread;
use crate::protocol::{AccountId, ClientFrame, CloseCode, PROTOCOL_VERSION, Position, RoomId, ServerFrame};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use heed::FRAME_RATE;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Proposals of one connection that wait for their outcome; beyond it the socket is not read.
const PROPOSALS_AT_ONCE: usize = 32;
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
    progress: Progress,
    timeouts: &'static Timeouts,
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
    /// `progress` is that of the socket under `socket`.
    pub fn new(
        node: Arc<Node>,
        (me, token): (AccountId, String),
        (socket, progress): (WebSocket, Progress),
        timeouts: &'static Timeouts,
    ) -> Self {
        let mailbox = node.hub.connect(me);
        let rate = Bucket::full(FRAME_RATE, node.uptime_ms());
        let now = Instant::now();
        Connection {
            node,
            me,
            token,
            socket,
            progress,
            timeouts,
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
        // Boxed where it is rare, so that a connection that waits, as nearly all do, takes little memory.
        let end = match Box::pin(self.greet()).await {
            Ok(()) => self.serve().await,
            Err(end) => end,
        };
        // Nothing more is delivered: no ring keeps frames for it.
        for (_, open) in self.open.drain() {
            open.room.close(&self.mailbox);
        }
        if let End::Close(code) = end {
            let frame = CloseFrame { code: code.number(), reason: Utf8Bytes::from_static(code.reason()) };
            let goodbye = async {
                self.socket.send(Message::Close(Some(frame))).await?;
                // What is left unread would make the system reset the connection, and the peer may then lose
                // what was sent last: the reason, and outcomes before it.
                while let Some(Ok(_)) = self.socket.recv().await {}
                Ok::<(), axum::Error>(())
            };
            let _ = tokio::time::timeout(self.timeouts.goodbye, Box::pin(goodbye)).await;
        }
        self.node.hub.disconnect(&self.mailbox, self.watched);
    }

    async fn greet(&mut self) -> Result<(), End> {
        let first = tokio::time::timeout(self.timeouts.hello, self.socket.recv()).await;
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
            heartbeat_ms: u32::try_from(self.timeouts.beat.as_millis()).unwrap_or(u32::MAX),
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
        let beat_at = self.said + self.timeouts.beat;
        let silent_at = self.heard + self.timeouts.silent;
        let badges_at = self.badges_due;
        let reading = self.answers.len() < PROPOSALS_AT_ONCE;
        let draining = self.node.draining.clone();
        tokio::select! {
            // More is there to deliver: look at the others, but do not wait for them.
            () = std::future::ready(()), if behind => {}
            message = self.socket.recv(), if reading => Box::pin(self.heed(message)).await?,
            Some(answer) = self.answers.next(), if !self.answers.is_empty() => self.send(&answer).await?,
            () = self.mailbox.notify.notified() => Box::pin(self.look()).await?,
            () = tokio::time::sleep_until(badges_at.unwrap_or(silent_at)), if badges_at.is_some() => {
                Box::pin(self.send_badges()).await?;
            }
            () = tokio::time::sleep_until(beat_at) => Box::pin(self.beat()).await?,
            () = tokio::time::sleep_until(silent_at) => return Err(End::Close(CloseCode::Silent)),
            () = draining.cancelled() => {
                Box::pin(self.finish()).await?;
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

    async fn look(&mut self) -> Result<(), End> {
        let inbox = self.mailbox.take();
        if inbox.rewritten {
            self.send(&ServerFrame::Moving { after_ms: 0 }).await?;
            return Err(End::Close(CloseCode::Moving));
        }
        if inbox.check_login || inbox.check_all {
            match self.node.login_of(&self.token).await {
                Ok(Some(account)) if account == self.me => {}
                Ok(_) => return Err(End::Close(CloseCode::SignedOut)),
                // Nobody can tell now; before it comes back its login is looked up.
                Err(_) => return Err(End::Close(CloseCode::Moving)),
            }
        }
        if inbox.check_all {
            self.badges.extend(&self.watched);
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
        let badges = unread::badges(&self.node, self.me, asked.collect::<Vec<_>>()).await.unwrap_or_default();
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
}
