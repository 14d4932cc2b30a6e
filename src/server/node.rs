//! One server process: the broker, the fold that follows it, and the hub that the fold feeds.

mod copying;
mod erase;
mod follower;
mod format;
mod lost;
mod outcomes;
mod pin;
mod rewritten;

pub use erase::ERASE_AFTER_MS;
pub use outcomes::ProposeError;
pub use pin::StartError;

use super::broker::embedded::LogCopy;
use super::broker::{BrokerError, SharedBroker, Signal};
use super::config::Config;
use super::directory::{Action, Directory};
use super::fold::Fold;
use super::hub::Hub;
use super::presence::PresenceTable;
use super::state::State;
use crate::protocol::{AccountId, ClientId, Hash, RoomId, WorkspaceId};
use follower::Follower;
use lost::Lost;
use outcomes::Outcomes;
use pin::{PIN_FILE, check_workspace, state_fits};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Entries that one transaction of the fold takes.
const FOLD_ENTRIES: usize = 512;
/// A start on a store waits so long for the fold; then the server listens and says how far it is.
const START_WAIT: Duration = Duration::from_secs(10);
/// A start on a store looks so long for what the store has dropped.
const LOST_WAIT: Duration = Duration::from_millis(500);
/// Nobody types for longer without another signal.
const LONGEST_TYPING_MS: u32 = 30_000;
/// What another server wrote is folded here after a millisecond or two; after so long something is wrong.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether this node may serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    Starting {
        folded: u64,
        head: u64,
    },
    Ready,
    /// Says why, and what to do.
    Unready(String),
}

enum FoldCommand {
    /// Removes the text of a message, which is in these entries.
    Erase(ClientId, Vec<u64>, oneshot::Sender<Result<(), String>>),
}

/// Everything that requests and connections share.
pub struct Node {
    pub config: Config,
    pub broker: SharedBroker,
    pub state: State,
    pub hub: Hub,
    pub auth: super::auth::Auth,
    pub presence: Arc<PresenceTable>,
    /// Ends when the server goes: connections say goodbye.
    pub draining: CancellationToken,
    directory: RwLock<Arc<Directory>>,
    folded: watch::Receiver<(u64, Hash)>,
    outcomes: Mutex<Outcomes>,
    readiness: watch::Receiver<Readiness>,
    lost: Lost,
    fold_commands: mpsc::UnboundedSender<FoldCommand>,
    pin: PathBuf,
    /// Held while the pin is compared and written: who reads it half written would take it for another's.
    pinning: Mutex<()>,
    started: Instant,
    /// What was in the log at the start is folded.
    opened: AtomicBool,
}

impl Node {
    /// Opens the state file beside the log and starts to fold. Needs a tokio runtime.
    pub async fn start(config: Config, broker: SharedBroker) -> Result<Arc<Node>, StartError> {
        let folder = config.data_dir.clone();
        let head = broker.head().await?;
        let pin = folder.join(PIN_FILE);
        if head.is_none() && pin.exists() {
            return Err(StartError::log_gone(&folder));
        }
        if head.is_some() {
            check_workspace(&broker, &pin).await?;
        }
        let fits = state_fits(&broker, &folder).await?;
        let (state, fold) = Fold::open(&folder, |_, _| fits)?;
        let (publish_folded, folded) = watch::channel(fold.folded());
        let head_g = head.map_or(0, |head| head.g);
        let first = if fold.folded().0 >= head_g {
            Readiness::Ready
        } else {
            Readiness::Starting { folded: fold.folded().0, head: head_g }
        };
        let (publish_readiness, readiness) = watch::channel(first);
        let heartbeat = config.heartbeat;
        let (fold_commands, commands) = mpsc::unbounded_channel();
        let node = Arc::new(Node {
            auth: super::auth::Auth::new(&config),
            config,
            state,
            hub: Hub::default(),
            presence: Arc::new(PresenceTable::new(heartbeat)),
            draining: CancellationToken::new(),
            directory: RwLock::new(fold.directory()),
            folded,
            outcomes: Mutex::new(Outcomes::after(fold.folded().0)),
            readiness,
            lost: Lost::default(),
            fold_commands,
            pin,
            pinning: Mutex::default(),
            started: Instant::now(),
            opened: AtomicBool::new(fold.folded().0 >= head_g),
            broker: broker.clone(),
        });
        let copy = match &node.config.redis {
            Some(_) => Some(Arc::new(LogCopy::open(&folder)?)),
            None => None,
        };
        let follower = Follower {
            fold,
            copy: copy.clone(),
            aligned: copy.is_none(),
            node: Arc::downgrade(&node),
            broker,
            commands,
            publish_folded,
            publish_readiness,
            head: head_g,
            looked: Instant::now(),
        };
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new()
            .name("fold".into())
            .spawn(move || follower.run(&runtime))
            .map_err(StartError::Thread)?;
        // A long log of a store is folded while /readyz tells how far it is; a folder's own is soon there.
        let wait = if node.config.redis.is_some() { START_WAIT } else { Duration::MAX };
        if tokio::time::timeout(wait, node.wait_started()).await.is_ok() {
            node.check_pin()?;
        }
        tokio::spawn(heed_signals(Arc::downgrade(&node)));
        tokio::spawn(PresenceTable::run(Arc::downgrade(&node.presence), node.broker.signals()));
        if let Some(copy) = copy {
            // The start line tells what is known by then; the rest is looked at later.
            let looked = copying::look_for_lost(&node, &copy);
            let _ = tokio::time::timeout(LOST_WAIT, looked).await;
            tokio::spawn(copying::copy_beside(Arc::downgrade(&node), copy));
        }
        tokio::spawn(erase::erase_what_is_due(Arc::downgrade(&node)));
        Ok(node)
    }

    pub fn directory(&self) -> Arc<Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The workspace's id, which is the epoch of every position; `None` before the first run.
    pub fn epoch(&self) -> Option<WorkspaceId> {
        self.directory().workspace.as_ref().map(|workspace| workspace.id)
    }

    pub fn folded(&self) -> u64 {
        self.folded.borrow().0
    }

    pub fn readiness(&self) -> Readiness {
        let readiness = self.readiness.borrow().clone();
        match self.lost.words() {
            Some(why) if readiness == Readiness::Ready => Readiness::Unready(why),
            _ => readiness,
        }
    }

    /// How far a node is that is still folding what the log had at its start, and how far it has to go; until then
    /// it answers nothing.
    pub fn opening(&self) -> Option<(u64, u64)> {
        if self.opened.load(Ordering::Acquire) {
            return None;
        }
        match self.readiness() {
            Readiness::Starting { folded, head } => Some((folded, head)),
            _ => Some((self.folded(), self.folded())),
        }
    }

    /// Milliseconds since the start: the clock of the throttles.
    pub fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Waits until what the log had at the start is folded, or it is known why it cannot be.
    async fn wait_started(&self) {
        let starting = |readiness: &Readiness| matches!(readiness, Readiness::Starting { .. });
        let _ = self.readiness.clone().wait_for(|readiness| !starting(readiness)).await;
    }

    /// Waits until an entry is folded. Ends early if the fold stopped.
    pub async fn wait_folded(&self, g: u64) {
        let _ = self.folded.clone().wait_for(|(folded, _)| *folded >= g).await;
    }

    /// Asks what this node knows; a "no" it asks again once everything is folded that is in the log now, since only
    /// then it holds for what another server has just written. Fails if the log cannot say where it ends.
    pub async fn sure<T>(&self, no: impl Fn(&T) -> bool, ask: impl Fn() -> T) -> Result<T, BrokerError> {
        let answer = ask();
        if !no(&answer) {
            return Ok(answer);
        }
        self.catch_up().await?;
        Ok(ask())
    }

    /// Whether an account may do something in a room. If the log cannot be asked, what is known here counts.
    pub async fn can(&self, account: AccountId, action: Action, room: RoomId) -> bool {
        let can = || self.directory().can(account, action, room);
        self.sure(|can| !can, can).await.unwrap_or(false)
    }

    async fn catch_up(&self) -> Result<(), BrokerError> {
        let head = self.broker.head().await?.map_or(0, |head| head.g);
        tokio::time::timeout(CATCH_UP_TIMEOUT, self.wait_folded(head))
            .await
            .map_err(|_| BrokerError::Refused("The server has not caught up yet. Try again.".into()))
    }
}

async fn heed_signals(node: std::sync::Weak<Node>) {
    let Some(mut signals) = node.upgrade().map(|node| node.broker.signals().subscribe()) else { return };
    loop {
        let signal = match signals.recv().await {
            Ok(signal) => signal,
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => Signal::Lost,
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        };
        let Some(node) = node.upgrade() else { return };
        match signal {
            Signal::Logins { account } => node.hub.check_logins(account),
            Signal::Lost => node.hub.check_all(),
            Signal::Presence(told) => node.presence.hear(&told),
            Signal::Typing { room, lane, account, seq, ttl_ms } => {
                let until = (ttl_ms > 0).then(|| Duration::from_millis(ttl_ms.min(LONGEST_TYPING_MS).into()));
                Hub::typing(&node, (room, lane), account, until, seq);
            }
            Signal::Register { account, key } => {
                // Without a room it is of the whole workspace.
                match key.split(':').nth(1).map(|room| room.parse()) {
                    Some(Ok(room)) => node.hub.check_badge(account, room),
                    Some(Err(_)) => {}
                    None => node.hub.check_settings(account),
                }
            }
        }
    }
}
