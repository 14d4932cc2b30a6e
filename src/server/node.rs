//! One server process: the broker, the fold that follows it, and the hub that the fold feeds.

mod copying;
mod due;
mod entry_times;
mod erase;
mod erasures;
mod fold_pauses;
mod follower;
mod format;
mod lost;
mod lost_entries;
mod outcomes;
mod pin;
mod rewritten;
mod rise;
mod sign_ups;
mod state_log;
mod store_restart;
mod writes;

pub use due::ERASURES_IN_A_TURN;
pub use entry_times::{AHEAD_MS, stand_still_words};
pub use erase::{ERASE_AFTER_MS, ERASE_AT_ONCE};
pub use fold_pauses::FoldPauses;
pub use format::Raised;
pub use pin::{StartError, missing_log};
pub use rise::{KEEP_EARLIER_LOG_MS, RaiseError};
pub use state_log::{LOG_PAUSE, StateLine, StateLog};

use super::broker::embedded::LogCopy;
use super::broker::{BrokerError, SharedBroker, Signal};
use super::config::Config;
use super::directory::Directory;
use super::fold::Fold;
use super::hub::Hub;
use super::peers::Peers;
use super::presence::PresenceTable;
use super::readiness::{Unready, UnreadyState};
use super::state::State;
use super::watch::Watch;
use crate::protocol::{Hash, WorkspaceId};
use erase::ToErase;
use erasures::Erasures;
use follower::Follower;
use lost::Lost;
use lost_entries::LostEntries;
use outcomes::Outcomes;
use pin::{PIN_FILE, check_workspace};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use writes::{Noting, Writes};

/// Entries that one transaction of the fold takes.
const FOLD_ENTRIES: usize = 512;
/// A start on a store waits so long for the fold; then the server listens and says how far it is.
const START_WAIT: Duration = Duration::from_secs(10);
/// A start on a store looks so long for what the store has dropped.
const LOST_WAIT: Duration = Duration::from_millis(500);
/// A start waits so long to see whether something can be written.
const PROBE_WAIT: Duration = Duration::from_secs(2);
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
    Unready(Unready),
}

enum FoldCommand {
    /// Gives of how many messages the text was erased.
    Erase(ToErase, oneshot::Sender<Result<usize, String>>),
    /// For tests of a bug in the fold.
    Panic,
}

/// Everything that requests and connections share.
pub struct Node {
    pub config: Config,
    pub broker: SharedBroker,
    pub state: State,
    pub hub: Hub,
    pub auth: super::auth::Auth,
    pub request_rates: super::request_rates::RequestRates,
    pub presence: Arc<PresenceTable>,
    pub peers: Peers,
    /// Ends when the server goes: connections say goodbye.
    pub draining: CancellationToken,
    directory: RwLock<Arc<Directory>>,
    folded: watch::Receiver<(u64, Hash)>,
    outcomes: Mutex<Outcomes>,
    readiness: watch::Receiver<Readiness>,
    lost: Lost,
    writes: Arc<Writes>,
    watch: Watch,
    lost_entries: Arc<LostEntries>,
    erasures: Erasures,
    /// The time of the newest entry that was folded.
    newest_at: AtomicI64,
    fold_commands: mpsc::UnboundedSender<FoldCommand>,
    /// Held for reading from the check of a restore until its outcome, for writing while texts are erased.
    pub(in crate::server) restoring: Arc<tokio::sync::RwLock<()>>,
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
        let writes = Arc::new(Writes::default());
        let broker: SharedBroker = Arc::new(Noting { broker, writes: writes.clone() });
        let head = broker.head().await?;
        let pin = folder.join(PIN_FILE);
        if head.is_none()
            && let Some(fault) = missing_log(&folder)
        {
            return Err(fault);
        }
        let lost_entries = Arc::new(LostEntries::of(&folder)?);
        let erasures = Erasures::open(&folder).map_err(StartError::Erased)?;
        let mut fits = true;
        if head.is_some() {
            check_workspace(&broker, &pin).await?;
            fits = lost_entries::check_state(&broker, &folder, &lost_entries).await?;
        }
        let copy = match &config.redis {
            Some(_) => Some(Arc::new(LogCopy::open(&folder)?)),
            None => None,
        };
        if let Some(copy) = copy.as_ref().filter(|_| head.is_some()) {
            // The fold thread cuts it. What is lost is known before anybody is told that the server is ready.
            lost_entries::keep_of_copy(&broker, copy, &lost_entries).await?;
        }
        let (state, fold) = Fold::open_up_to(&folder, |_, _| fits, config.newest_format)?;
        let newest_at = match head {
            Some(head) => broker.read(head.g, 1).await?.first().map_or(0, |entry| entry.header.at),
            None => 0,
        };
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
            auth: super::auth::Auth::default(),
            request_rates: Default::default(),
            state,
            hub: Hub::default(),
            presence: Arc::new(PresenceTable::new(heartbeat)),
            peers: Peers::new(config.forget_servers_after),
            config,
            draining: CancellationToken::new(),
            directory: RwLock::new(fold.directory()),
            folded,
            outcomes: Mutex::new(Outcomes::after(fold.folded().0)),
            readiness,
            lost: Lost::default(),
            writes,
            watch: Watch::default(),
            lost_entries,
            erasures,
            newest_at: AtomicI64::new(newest_at),
            fold_commands,
            restoring: Arc::default(),
            pin,
            pinning: Mutex::default(),
            started: Instant::now(),
            opened: AtomicBool::new(fold.folded().0 >= head_g),
            broker: broker.clone(),
        });
        let mut restarts = broker.restarts();
        if let Some(restarts) = &mut restarts {
            // The store may have been started anew while this server was down.
            restarts.mark_changed();
        }
        let follower = Follower {
            restarts,
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
            rewriting: false,
            wrong_entry: None,
            published: false,
        };
        let runtime = tokio::runtime::Handle::current();
        node.watch.thread("fold", move || follower.run(&runtime)).map_err(StartError::Thread)?;
        // A long log of a store is folded while /readyz tells how far it is; a folder's own is soon there.
        let wait = if node.config.redis.is_some() { START_WAIT } else { Duration::MAX };
        if tokio::time::timeout(wait, node.wait_started()).await.is_ok() {
            node.check_pin()?;
        }
        let here = || Arc::downgrade(&node);
        node.watch.task("signals", heed_signals(here()));
        let presence = PresenceTable::run(Arc::downgrade(&node.presence), node.broker.signals());
        node.watch.task("presence", presence);
        node.watch.task("erasures", erasures::remove_what_is_erased(here(), copy.clone()));
        if let Some(copy) = copy {
            // The start line tells what is known by then; the rest is looked at later.
            let looked = copying::look_for_lost(&node, &copy);
            let _ = tokio::time::timeout(LOST_WAIT, looked).await;
            node.watch.task("copy", copying::copy_beside(here(), copy));
        }
        node.watch.task("erase", erase::erase_what_is_due(here()));
        if head.is_some() && node.readiness() == Readiness::Ready {
            let _ = tokio::time::timeout(PROBE_WAIT, node.probe_writes()).await;
        }
        node.watch.task("sign-ups", sign_ups::finish_hourly(here()));
        node.watch.task("write-probe", writes::probe_while_writing_fails(here()));
        match node.config.redis {
            Some(_) => node.watch.task("rise", rise::rise_once_all_read_it(here())),
            None => node.watch.task("earlier-log", rise::delete_earlier_logs_in_time(here())),
        };
        node.watch.task("state-log", state_log::log_states(here()));
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
        match self.standstill() {
            Readiness::Ready => self.writes.unready().map_or(Readiness::Ready, Readiness::Unready),
            readiness => readiness,
        }
    }

    /// As [`Node::readiness`], but ready where only writing fails: reading goes on, and so does the next try to write.
    pub fn standstill(&self) -> Readiness {
        if let Some(part) = self.ended_part() {
            return Readiness::Unready(Unready::new(UnreadyState::TaskEnded, part));
        }
        if let Some(why) = self.state.damage() {
            return Readiness::Unready(Unready::new(UnreadyState::StateDamaged, why));
        }
        let readiness = self.readiness.borrow().clone();
        match self.lost.unready() {
            Some(why) if readiness == Readiness::Ready => Readiness::Unready(why),
            _ => readiness,
        }
    }

    fn ended_part(&self) -> Option<String> {
        self.watch.ended().or_else(|| self.broker.watch().ended())
    }

    /// Starts a task that lives as long as the node.
    pub(super) fn watch_task(
        &self,
        name: &'static str,
        run: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        self.watch.task(name, run)
    }

    /// Waits until a thread or task has ended that must not end; says which. Then only a new start helps.
    pub async fn wait_part_ended(&self) -> String {
        let log = self.broker.watch();
        tokio::select! {
            part = self.watch.wait() => part,
            part = log.wait() => part,
        }
    }

    /// Makes the fold thread panic. For tests.
    pub fn plant_fold_panic(&self) {
        let _ = self.fold_commands.send(FoldCommand::Panic);
    }

    /// What the person who runs the server is told while the server is ready all the same: clauses.
    pub fn warnings(&self) -> Vec<String> {
        self.lost_entries().into_iter().chain(self.times_stand_words()).collect()
    }

    /// What people are told of entries that the log has lost.
    pub fn lost_entries(&self) -> Vec<String> {
        self.lost_entries.words()
    }

    /// What time it is by the clock that times entries: ends that stand in entries are made and read by it, or servers
    /// whose clocks differ would end a status at different moments.
    pub fn log_now_ms(&self) -> i64 {
        super::now_ms().saturating_add(self.broker.clock_ahead_ms())
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

    async fn catch_up(&self) -> Result<(), BrokerError> {
        let head = self.broker.head().await?.map_or(0, |head| head.g);
        tokio::time::timeout(CATCH_UP_TIMEOUT, self.wait_folded(head))
            .await
            .ok()
            // A fold that has ended never gets there.
            .filter(|()| self.folded() >= head)
            .ok_or_else(|| BrokerError::Refused("The server has not caught up yet. Try again.".into()))
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
            Signal::Lost => {
                node.peers.interrupted();
                node.hub.check_all();
            }
            Signal::Deaf => node.peers.interrupted(),
            Signal::OwnHeartbeat => node.peers.listening(Instant::now()),
            Signal::Heartbeat { node: peer, announced } => node.peers.hear(&peer, announced, Instant::now()),
            Signal::Presence(told) => {
                node.peers.hear(&told.node, None, Instant::now());
                node.presence.hear(&told);
            }
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
