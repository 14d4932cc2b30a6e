//! One server process: the broker, the fold that follows it, and the hub that the fold feeds.

mod follower;
mod rewritten;

use super::broker::{BrokerError, Entry, Proposal, SharedBroker, Signal};
use super::config::Config;
use super::directory::{Action, Directory};
use super::fold::{Fold, FoldError, Folded, WorkspaceBody, same_draft};
use super::hub::Hub;
use super::state::{ReadError, State};
use crate::protocol::{AccountId, ClientId, Hash, Outcome, RoomId, WorkspaceId};
use follower::Follower;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Entries that one transaction of the fold takes.
const FOLD_ENTRIES: usize = 512;
/// Outcomes that are kept for those who ask after the fold has passed.
const RECENT_OUTCOMES: usize = 8_192;
/// An outcome that is not there after so long is unknown: the log has the entry, but this node cannot read it.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(10);
/// A start on a store waits so long for the fold; then the server listens and says how far it is.
const START_WAIT: Duration = Duration::from_secs(10);
/// What another server wrote is folded here after a millisecond or two; after so long something is wrong.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(2);
/// Appends of one proposal before the outcome is called unknown.
const APPEND_TRIES: u32 = 3;
/// Deleted text can be restored for a day; then it is erased.
pub const ERASE_AFTER_MS: i64 = 24 * 60 * 60 * 1000;
const PIN_FILE: &str = "workspace";

/// Why a proposal has no outcome.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProposeError {
    /// Not stored.
    #[error("{0}")]
    Unavailable(String),
    /// It may be stored: the same proposal may be sent again.
    #[error("The server cannot tell yet whether this was stored.")]
    Unknown,
}

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

/// What became of the entries that were folded last. Each answer is asked for by number and draft: after the log's
/// tail was rewritten a number may be another draft's.
#[derive(Default)]
struct Outcomes {
    /// The number of the first kept outcome.
    first: u64,
    recent: VecDeque<(ClientId, Outcome)>,
    waiting: HashMap<u64, Vec<(ClientId, oneshot::Sender<Outcome>)>>,
}

enum FoldCommand {
    Erase(ClientId, oneshot::Sender<Result<(), String>>),
}

/// Everything that requests and connections share.
pub struct Node {
    pub config: Config,
    pub broker: SharedBroker,
    pub state: State,
    pub hub: Hub,
    pub auth: super::auth::Auth,
    /// Ends when the server goes: connections say goodbye.
    pub draining: CancellationToken,
    directory: RwLock<Arc<Directory>>,
    folded: watch::Receiver<(u64, Hash)>,
    outcomes: Mutex<Outcomes>,
    readiness: watch::Receiver<Readiness>,
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
            return Err(StartError::LogGone(pin));
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
        let (fold_commands, commands) = mpsc::unbounded_channel();
        let node = Arc::new(Node {
            auth: super::auth::Auth::new(&config),
            config,
            state,
            hub: Hub::default(),
            draining: CancellationToken::new(),
            directory: RwLock::new(fold.directory()),
            folded,
            outcomes: Mutex::new(Outcomes { first: fold.folded().0 + 1, ..Outcomes::default() }),
            readiness,
            fold_commands,
            pin,
            pinning: Mutex::default(),
            started: Instant::now(),
            opened: AtomicBool::new(fold.folded().0 >= head_g),
            broker: broker.clone(),
        });
        let follower = Follower {
            fold,
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
        if tokio::time::timeout(wait, node.wait_folded(head_g)).await.is_ok() {
            node.check_pin()?;
        }
        tokio::spawn(heed_signals(Arc::downgrade(&node)));
        tokio::spawn(erase_what_is_due(Arc::downgrade(&node)));
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
        self.readiness.borrow().clone()
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

    /// Writes the workspace's id into the data folder, once; another id there means another log.
    pub fn check_pin(&self) -> Result<(), StartError> {
        let Some(id) = self.epoch() else { return Ok(()) };
        let _pinning = self.pinning.lock().unwrap_or_else(PoisonError::into_inner);
        match std::fs::read_to_string(&self.pin) {
            Ok(pinned) if pinned.trim() == id.as_str() => Ok(()),
            Ok(pinned) => {
                Err(StartError::OtherLog { pinned: pinned.trim().to_owned(), found: id.to_string() })
            }
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {
                std::fs::write(&self.pin, format!("{id}\n")).map_err(StartError::Pin)
            }
            Err(fault) => Err(StartError::Pin(fault)),
        }
    }

    /// Proposes an entry and waits for the fold's answer. Proposals made one after the other are stored in
    /// that order. A draft that is known already is not stored again.
    pub fn propose(
        self: &Arc<Node>,
        proposal: Proposal,
    ) -> impl Future<Output = Result<Outcome, ProposeError>> + Send + use<> {
        let known = match (self.known_outcome(&proposal), self.readiness()) {
            // It would be stored and get no outcome.
            (Ok(None), Readiness::Unready(why)) => Err(ProposeError::Unavailable(format!(
                "The server cannot go on, and nothing was stored: {why}. Try again later."
            ))),
            (known, _) => known,
        };
        let first = match &known {
            Ok(None) => Some(self.broker.append(vec![proposal.clone()])),
            _ => None,
        };
        let node = self.clone();
        async move {
            if let Some(outcome) = known? {
                return Ok(outcome);
            }
            let mut next = first;
            for _ in 0..APPEND_TRIES {
                let appended = match next.take() {
                    Some(first) => first.await,
                    None => node.broker.append(vec![proposal.clone()]).await,
                };
                match appended {
                    Ok(g) => {
                        let outcome =
                            tokio::time::timeout(OUTCOME_TIMEOUT, node.outcome(g, proposal.client_id));
                        return outcome.await.unwrap_or(Err(ProposeError::Unknown));
                    }
                    Err(BrokerError::Refused(why) | BrokerError::Rewritten(why)) => {
                        return Err(ProposeError::Unavailable(why));
                    }
                    Err(BrokerError::Unknown(why)) => {
                        tracing::warn!(draft.id = %proposal.client_id, why, "outcome of an append is unknown");
                    }
                }
            }
            Err(ProposeError::Unknown)
        }
    }

    fn known_outcome(&self, proposal: &Proposal) -> Result<Option<Outcome>, ProposeError> {
        let known = self.state.read(|state| state.draft(proposal.client_id)).map_err(unreadable)?;
        let Some(known) = known else { return Ok(None) };
        let entry =
            Entry { header: proposal.header(0, 0), body: Some(proposal.body.clone()), link: Hash::ZERO };
        let same = known.author == proposal.author && same_draft(&known, &entry);
        let other = Outcome::Refused { why: crate::protocol::Refusal::OtherDraft };
        Ok(Some(if same { known.outcome } else { other }))
    }

    async fn outcome(&self, g: u64, id: ClientId) -> Result<Outcome, ProposeError> {
        let waiting = {
            let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(index) = g.checked_sub(outcomes.first)
                && let Some((of, outcome)) = outcomes.recent.get(index as usize)
            {
                return if *of == id { Ok(*outcome) } else { Err(ProposeError::Unknown) };
            }
            let (answer, waiting) = oneshot::channel();
            outcomes.waiting.entry(g).or_default().push((id, answer));
            waiting
        };
        waiting.await.map_err(|_| ProposeError::Unknown)
    }

    /// Erases the text of a deleted message, in the log and here.
    pub async fn erase(&self, id: ClientId) -> Result<(), String> {
        let entries = self
            .state
            .read(|state| state.entries_of_message(id))
            .map_err(|fault| format!("the message cannot be looked up: {fault}"))?;
        let all = self.broker.erase(entries).await.map_err(|fault| fault.to_string())?;
        if !all {
            return Err(
                "the newest entry of the log cannot be erased; it can once another one follows".into()
            );
        }
        let (reply, answer) = oneshot::channel();
        let _ = self.fold_commands.send(FoldCommand::Erase(id, reply));
        answer.await.unwrap_or_else(|_| Err("the fold has stopped".into()))
    }

    /// Tells those who read along, then those who wait for an outcome.
    fn publish(&self, entries: &[Entry], folded: &[Folded], directory: &Directory) {
        self.hub.publish(folded, directory);
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        for (entry, folded) in entries.iter().zip(folded) {
            let id = entry.header.client_id;
            outcomes.recent.push_back((id, folded.outcome));
            for (of, waiting) in outcomes.waiting.remove(&folded.g).into_iter().flatten() {
                if of == id {
                    let _ = waiting.send(folded.outcome);
                }
            }
        }
        while outcomes.recent.len() > RECENT_OUTCOMES {
            outcomes.recent.pop_front();
            outcomes.first += 1;
        }
    }
}

/// Why a node cannot start; says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the log cannot be reached: {0}")]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error(
        "the log is gone, but {0} says that there was one. Restore it from a copy, or set DATA_DIR to another folder to begin anew"
    )]
    LogGone(PathBuf),
    #[error(
        "this is the log of workspace {found}, but the data folder belongs to {pinned}. Set DATA_DIR to another folder"
    )]
    OtherLog { pinned: String, found: String },
    #[error("the data folder cannot be written: {0}")]
    Pin(std::io::Error),
    #[error("no thread can be started: {0}")]
    Thread(std::io::Error),
}

fn unreadable(fault: ReadError) -> ProposeError {
    ProposeError::Unavailable(format!("The server cannot read its state: {fault}"))
}

/// The log must be of the workspace that the data folder remembers. Asked before anything is written.
async fn check_workspace(broker: &SharedBroker, pin: &Path) -> Result<(), StartError> {
    let pinned = match std::fs::read_to_string(pin) {
        Ok(pinned) => pinned.trim().to_owned(),
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(fault) => return Err(StartError::Pin(fault)),
    };
    let first = broker.read(1, 1).await?;
    let body = first.first().and_then(Entry::json).and_then(|json| serde_json::from_str(json).ok());
    match body {
        Some(WorkspaceBody { id, .. }) if id.as_str() == pinned => Ok(()),
        Some(WorkspaceBody { id, .. }) => Err(StartError::OtherLog { pinned, found: id.to_string() }),
        None => Err(FoldError::NoWorkspace.into()),
    }
}

/// Whether the state file was made from this log: its last entry must stand there with the same link.
async fn state_fits(broker: &SharedBroker, folder: &Path) -> Result<bool, StartError> {
    let mut at = (0, Hash::ZERO);
    drop(
        State::open(folder, |g, link| {
            at = (g, link);
            true
        })
        .map_err(FoldError::from)?,
    );
    let (g, link) = at;
    if g == 0 {
        return Ok(true);
    }
    let head = broker.head().await?;
    if head.is_none_or(|head| head.g < g) {
        return Ok(false);
    }
    let entry = broker.read(g, 1).await?;
    Ok(entry.first().is_some_and(|entry| entry.header.g == g && entry.link == link))
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
            Signal::Register { account, key } => {
                if let Some(room) = key.split(':').nth(1).and_then(|room| room.parse().ok()) {
                    node.hub.check_badge(account, room);
                }
            }
        }
    }
}

async fn erase_what_is_due(node: std::sync::Weak<Node>) {
    let mut hour = tokio::time::interval(Duration::from_secs(3600));
    loop {
        hour.tick().await;
        let Some(node) = node.upgrade() else { return };
        let now = super::now_ms();
        let due = node.state.read(|state| state.due_to_erase(now - ERASE_AFTER_MS)).unwrap_or_default();
        for id in due {
            if let Err(why) = node.erase(id).await {
                tracing::warn!(message.id = %id, why, "a deleted message could not be erased");
            }
        }
    }
}
