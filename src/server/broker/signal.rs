//! What servers and connections tell each other beside the log. A signal may be lost.

use crate::protocol::{AccountId, RoomId};
use crate::server::peers::Announcement;
use crate::server::presence::Told;
use tokio::sync::{broadcast, mpsc};

/// Something that may be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A register of this account changed.
    Register { account: AccountId, key: String },
    /// A secret's kind and owner: logins of this account are to be looked up again.
    Logins { account: AccountId },
    /// Who is connected to a server.
    Presence(Told),
    /// Somebody types in a lane of a room, for so long; 0: no more. `seq` is where the room stood then.
    Typing { room: RoomId, lane: u64, account: AccountId, seq: u64, ttl_ms: u32 },
    /// The heartbeat of another server, with what it announces. The backend sends them; nobody else does.
    Heartbeat { node: String, announced: Option<Announcement> },
    /// The heartbeat of this server has come back by way of the store, so signals of others arrive. Never sent.
    OwnHeartbeat,
    /// Signals of other servers may have been missed: everything is to be looked up again. Never sent.
    Lost,
    /// Signals of other servers do not arrive, until this server's heartbeat comes back. Never sent.
    Deaf,
}

/// Where signals are sent and heard. What is sent is heard here too.
#[derive(Clone)]
pub struct Signals {
    heard: broadcast::Sender<Signal>,
    /// To the other servers, if there can be any.
    out: Option<mpsc::Sender<Signal>>,
}

impl Signals {
    pub fn new(heard: broadcast::Sender<Signal>, out: Option<mpsc::Sender<Signal>>) -> Signals {
        Signals { heard, out }
    }

    pub fn send(&self, signal: Signal) {
        if let Some(out) = &self.out {
            // Full: the store has been away for long, and those who come back look everything up.
            let _ = out.try_send(signal.clone());
        }
        // Nobody may listen yet.
        let _ = self.heard.send(signal);
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Signal> {
        self.heard.subscribe()
    }
}
