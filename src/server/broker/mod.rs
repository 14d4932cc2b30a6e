//! The log and what stands beside it, behind one trait: [`Broker`]. Its docs are the contract, and
//! `tests/suite/conformance.rs` holds every backend to it.

pub mod archive;
pub mod embedded;
mod in_force;
pub mod moving;
mod not_erased;
mod proposal;
pub mod redis;
mod signal;
mod waiting;

pub use crate::protocol::Pointer;
pub use crate::protocol::stored::digest;
pub use in_force::InForce;
pub use not_erased::NotErased;
pub use proposal::{Content, Proposal, Unwritable};
pub use signal::{Signal, Signals};

use super::readiness::{Unready, UnreadyState};
use super::watch::Watch;
use crate::protocol::{AccountId, Hash, Header};
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::watch;

/// An entry as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub header: Header,
    /// Salt and JSON; `None` once erased.
    pub body: Option<String>,
    /// Over all headers up to and with this one.
    pub link: Hash,
}

impl Entry {
    /// The log up to and with this entry.
    pub fn head(&self) -> Head {
        Head { g: self.header.g, link: self.link }
    }

    /// The body's JSON, without the salt.
    pub fn json(&self) -> Option<&str> {
        self.body.as_deref().and_then(|body| body.get(16..))
    }
}

/// Where the log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Head {
    pub g: u64,
    pub link: Hash,
}

/// Why an operation of the log or beside it did not happen, or may not have happened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    /// Certainly not stored. Says what to do.
    #[error("{0}")]
    Refused(String),
    /// Certainly not stored, because the log or the store is in a state that concerns the whole server.
    #[error("{}", .0.detail)]
    Unready(Unready),
    /// It may be stored or not. Try again with the same `client_id`; the fold drops the second one.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
    /// The log is no longer the one that was read: its tail was rewritten, or all of it. Says what was found.
    #[error("{0}")]
    Rewritten(String),
}

impl BrokerError {
    pub fn unready(state: UnreadyState, detail: impl std::fmt::Display) -> BrokerError {
        BrokerError::Unready(Unready::new(state, detail))
    }

    /// As people who use the chat are told it: they cannot mend the store.
    pub fn for_people(&self) -> String {
        match self {
            BrokerError::Unready(unready) => {
                format!("That can't be done right now: {}.", unready.state.for_people())
            }
            fault => fault.to_string(),
        }
    }
}

/// The state of a server whose log answers with this fault.
impl From<BrokerError> for Unready {
    fn from(fault: BrokerError) -> Unready {
        match fault {
            BrokerError::Unready(unready) => unready,
            BrokerError::Rewritten(_) => Unready::new(UnreadyState::EntriesMissing, fault),
            BrokerError::Refused(_) | BrokerError::Unknown(_) => {
                Unready::new(UnreadyState::LogUnreadable, fault)
            }
        }
    }
}

/// A secret's value and the version that `put` compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    pub value: String,
    pub version: u64,
}

/// What is done to one secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretOp {
    Get,
    /// Writes if the version is as said (0: absent); `expires` in milliseconds since 1970, none for never.
    Put {
        value: String,
        if_version: u64,
        expires: Option<i64>,
    },
    Delete,
}

/// How durable an acknowledged entry is, in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// A clause that follows the address in the start line.
    pub words: String,
    /// Where an acknowledged message is, for the people of a room.
    pub place: String,
    /// What could be lost, if anything.
    pub warning: Option<String>,
}

/// One ordered, numbered, linked log of one workspace, and the small things that are not in it.
///
/// # What every backend guarantees
/// - **Order.** Entries have `g` = 1, 2, 3 … without gaps; `at` never falls; `link(g)` is
///   [`Hash::then`] of `link(g - 1)` and the header, the same on every backend.
/// - **Append.** `Ok` means: stored, as durable as [`Broker::durability`] says. [`BrokerError::Refused`] and
///   [`BrokerError::Unready`] mean: certainly not stored. Anything else is [`BrokerError::Unknown`]. The log decides
///   nothing: it takes a doubled `client_id`. Each entry of a batch is stored by a write of its own, in the order of
///   the batch. After a fault the first entries of a batch may be stored, and none behind one that is not; entries of
///   other servers may stand between them. Whatever must be stored whole is one entry.
/// - **Form.** An append of a proposal that earlier formats would misread names the entry since which the log has its
///   format ([`Proposal::since`]). Where the log does not have this entry with this link, nothing is stored, and the answer
///   says so: the proposal has to be made again in the form that the log has then.
/// - **Clock.** The log times entries. Where its clock and the proposer's differ by more than a minute, nothing is
///   stored. The embedded log has the proposer's own clock, so it compares nothing.
/// - **No log by accident.** Only [`Broker::create`] makes a log, and only where there is none.
/// - **Read.** Every reader sees the same entries in the same order, each one exactly once per pass.
///   What was read can not become unread, unless the tail was rewritten (a failover, a restored copy), and then
///   [`Broker::follow`] says so within two seconds, also when nothing new comes.
/// - **Erase** removes bodies, from the file too, never the newest entry's; headers and links stay.
///   Erasing twice is erasing once. Entries are named by number and link: where the tail was rewritten since they were
///   read, the entry that has the number now keeps its body.
/// - **Secrets** are never in the log. **Registers** only ever rise. **Signals** may be lost.
pub trait Broker: Send + Sync {
    /// Makes the log with its first entry. Refused if there is one already.
    fn create(&self, first: Proposal) -> BoxFuture<'_, Result<Head, BrokerError>>;

    /// Stores a batch; gives the number of its first entry. Calls made one after the other are stored in
    /// that order, also when the first was not awaited, as long as none fails. When one fails, the calls that went out
    /// with it are drained; those that were stored are answered so, and the ones behind the fault are refused with it,
    /// or sent again in order where the fault is one that the backend mends. Refused if too much
    /// is waiting already.
    fn append(&self, batch: Vec<Proposal>) -> BoxFuture<'static, Result<u64, BrokerError>>;

    /// Does what the next append has to do, and takes it back: tells whether an entry could be stored. `Ok` where a
    /// backend cannot tell.
    fn try_append(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(async { Ok(()) })
    }

    /// Whether what is known of the log keeps it from being written: it is no longer where it was opened, or its clock
    /// differs too much. Asked every few seconds, so it costs next to nothing.
    fn look(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    /// The last call of a clean stop: what was acknowledged is then in the log's own file, without what lies beside it.
    /// Later writes are refused; reading goes on.
    fn close(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(async { Ok(()) })
    }

    /// Up to `limit` entries that continue the one at `after`, in order; waits for the first one if there is none
    /// yet. With a limit of 0 it does not wait: it only compares. [`BrokerError::Rewritten`] if the log does not have this entry with this link; [`BrokerError::Refused`]
    /// while it cannot be reached, also in the middle of the wait. Cancelling the wait loses nothing.
    fn follow(&self, after: Head, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>>;

    /// Up to `limit` entries with `g >= from`, in order, as they stand now; none after the end.
    fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>>;

    /// Where the log ends now; `None` if there is no log.
    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, BrokerError>>;

    /// Removes the bodies of these entries. The newest entry of the log is left as it is, and so is an entry that has one
    /// of these numbers and another link. Says what was left.
    fn erase(&self, entries: Vec<Head>) -> BoxFuture<'_, Result<NotErased, BrokerError>>;

    /// One operation on one secret: its state after it, or as it stands if a `Put` found another version.
    fn secret(&self, key: String, op: SecretOp) -> BoxFuture<'_, Result<Option<Secret>, BrokerError>>;

    /// Raises the pointers of one account by maximum and gives all of them; an empty change only reads.
    fn registers(
        &self,
        account: AccountId,
        raise: Vec<(String, Pointer)>,
    ) -> BoxFuture<'_, Result<Vec<(String, Pointer)>, BrokerError>>;

    /// Sends and receives what may be lost.
    fn signals(&self) -> Signals;

    /// Rises when the store behind the log was started anew, or another one answers in its place: then its log may
    /// differ from what was read before, and not only at the end. `None` where nothing else keeps the log.
    fn restarts(&self) -> Option<watch::Receiver<u64>> {
        None
    }

    /// How far the clock that times entries is ahead of this machine's, in milliseconds, as it was measured last.
    fn clock_ahead_ms(&self) -> i64 {
        0
    }

    /// What an ack is worth here.
    fn durability(&self) -> Durability;

    /// The threads and tasks of this backend.
    fn watch(&self) -> Watch {
        Watch::default()
    }
}

/// The broker that the whole node shares.
pub type SharedBroker = Arc<dyn Broker>;
