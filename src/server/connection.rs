//! One socket: answers frames in order and delivers each open room from its cursor on.

mod deliver;
mod follow;
mod goodbye;
mod heed;
mod look;
mod people;
mod seat;
mod slips;
mod surplus;
mod timeouts;

pub use seat::Seat;
pub use slips::Slips;
pub use surplus::Surplus;
pub use timeouts::{TIMEOUTS, Timeouts};

use super::hub::{HubRoom, Mailbox, encode};
use super::node::Node;
use super::rooms;
use super::serve::Progress;
use super::socket::Socket;
use super::state::{RoomHead, Subscription};
use super::throttle::Bucket;
use crate::protocol::{
    AccountId, ClientFrame, CloseCode, PROTOCOL_VERSION, Position, Presence, RoomId, ServerFrame,
};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use heed::{FRAME_RATE, WIRE_BYTES};
use people::People;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// Proposals of one connection that wait for their outcome; beyond it the socket is not read.
const PROPOSALS_AT_ONCE: usize = 32;

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
    socket: Socket,
    progress: Progress,
    timeouts: &'static Timeouts,
    mailbox: Arc<Mailbox>,
    /// Dropped last, after the rooms were left.
    _seat: Seat,
    open: HashMap<RoomId, OpenRoom>,
    /// Rooms that the account is in, each with a hash of the badge that was told last; 0 before one was.
    watched: HashMap<RoomId, u64>,
    answers: FuturesOrdered<Answer>,
    badges: HashSet<RoomId>,
    badges_due: Option<Instant>,
    /// When what signals tell is looked up without one: they may be lost.
    look_up_at: Instant,
    /// The read pointers as they were at the last look-up.
    pointers: Option<u64>,
    people: Box<People>,
    rate: Bucket,
    slips: Slips,
    heard: Instant,
    said: Instant,
}

struct OpenRoom {
    subscription: Subscription,
    room: Arc<HubRoom>,
    cursor: u64,
}

impl Connection {
    /// `progress` is that of the socket under `socket`.
    pub fn new(
        node: Arc<Node>,
        (seat, token): (Seat, String),
        (socket, progress): (Socket, Progress),
        timeouts: &'static Timeouts,
    ) -> Self {
        let mailbox = seat.mailbox().clone();
        let me = mailbox.account;
        let uptime = node.uptime_ms();
        let now = Instant::now();
        Connection {
            node,
            me,
            token,
            socket,
            progress,
            timeouts,
            mailbox,
            _seat: seat,
            open: HashMap::new(),
            watched: HashMap::new(),
            answers: FuturesOrdered::new(),
            badges: HashSet::new(),
            badges_due: None,
            look_up_at: now + look::first_pause(timeouts),
            pointers: None,
            people: Box::default(),
            rate: Bucket::full(FRAME_RATE, uptime),
            slips: Slips::new(uptime),
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
        // Nothing more is delivered: no ring keeps frames for it while it says goodbye.
        self.leave_rooms();
        if let End::Close(code) = end {
            let (socket, progress) = (&mut self.socket, &self.progress);
            Box::pin(goodbye::say(socket, progress, code, self.timeouts)).await;
        }
    }

    /// The person is gone, and no room is read or watched any more.
    fn leave_rooms(&mut self) {
        self.attend(None);
        self.unwatch();
        for (room, _) in self.open.drain() {
            self.node.hub.close(room, &self.mailbox);
        }
        for (room, _) in self.watched.drain() {
            self.node.hub.unwatch(room, &self.mailbox);
        }
    }

    async fn greet(&mut self) -> Result<(), End> {
        self.progress.heard(WIRE_BYTES);
        let first = tokio::time::timeout(self.timeouts.hello, self.socket.next()).await;
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
        let (rooms, quiet) = match rooms::mine(&self.node, self.me).await {
            Ok((rooms, quiet)) => {
                rooms.iter().for_each(|room| _ = self.told(room.id, &room.badge));
                (rooms, Some(quiet))
            }
            // The rooms are known without the store; what is unread there comes once it can be asked.
            Err(_) => {
                self.badges.extend(self.watched.keys());
                self.badges_due = Some(self.look_up_at);
                (directory.rooms_of(self.me), None)
            }
        };
        let mut frames = vec![self.own_presence()];
        frames.extend(quiet.map(look::quiet_frame));
        frames.push(ServerFrame::Welcome {
            version: PROTOCOL_VERSION,
            workspace: workspace.id,
            name: workspace.name,
            me,
            rooms,
            g,
            heartbeat_ms: u32::try_from(self.timeouts.beat.as_millis()).unwrap_or(u32::MAX),
            format: workspace.format.number(),
        });
        let frames: Vec<_> = frames.iter().map(|frame| Utf8Bytes::from(encode(frame))).collect();
        self.send_all(frames).await?;
        self.attend(Some(Presence::Online));
        Ok(())
    }

    fn watch(&mut self, room: RoomId) {
        self.node.hub.watch(room, &self.mailbox);
        self.watched.insert(room, 0);
    }

    fn stop_watching(&mut self, room: RoomId) {
        if self.watched.remove(&room).is_some() {
            self.node.hub.unwatch(room, &self.mailbox);
        }
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
        let look_up_at = self.badges_due.map_or(self.look_up_at, |due| due.min(self.look_up_at));
        let look_up_at = self.people.due.map_or(look_up_at, |due| due.min(look_up_at));
        let reading = self.answers.len() < PROPOSALS_AT_ONCE;
        let draining = self.node.draining.clone();
        tokio::select! {
            // More is there to deliver: look at the others, but do not wait for them.
            () = std::future::ready(()), if behind => {}
            message = self.socket.next(), if reading => Box::pin(self.heed(message)).await?,
            Some(answer) = self.answers.next(), if !self.answers.is_empty() => self.send(&answer).await?,
            () = self.mailbox.notify.notified() => Box::pin(self.look()).await?,
            () = tokio::time::sleep_until(look_up_at) => Box::pin(self.look_up()).await?,
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

    async fn beat(&mut self) -> Result<(), End> {
        let epoch = self.node.epoch();
        let rooms = self.open.values().map(|open| &open.subscription);
        let heads = self.node.state.positions_of(rooms).unwrap_or_default();
        let position = |(room, head): (RoomId, RoomHead)| {
            Some((room, Position { epoch: epoch?, seq: head.seq, chain: head.chain }))
        };
        let positions = heads.into_iter().filter_map(position).collect();
        let g = self.node.folded();
        self.send(&ServerFrame::Beat { g, positions }).await
    }
}

impl Drop for Connection {
    /// Also where a panic ended it: nobody stays online, and no room is kept, for a connection that is gone.
    fn drop(&mut self) {
        self.leave_rooms();
    }
}
