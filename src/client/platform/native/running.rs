//! The engine of one login on a thread of its own: it receives, sends and keeps, whatever a window does.

use super::disk::{Disk, DiskFault, Shown};
use super::server::Server;
use super::{KeptHere, NativeDevice};
use crate::api::Boot;
use crate::client::engine::{self, Intents};
use crate::client::session::{Effect, Input, Session, Status};
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// The file follows what is shown at most so often.
const WRITE_PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// Nothing is kept of this login yet, and nothing was given to begin with.
    #[error("Nothing is kept of this server yet. Sign in while it can be reached.")]
    Empty,
    #[error(transparent)]
    Disk(#[from] DiskFault),
    #[error("The engine could not be started: {0}.")]
    System(#[from] std::io::Error),
}

struct Shared {
    session: Mutex<Session>,
    /// How often the session changed.
    changes: watch::Sender<u64>,
}

impl Shared {
    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running engine. Its drop stops it, once everything is in the file.
pub struct Running {
    pub intents: Intents,
    boot: Boot,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Running {
    /// Begins with what the folder holds, else with `boot`. `tell` gets what only a window or the system can do; it is
    /// called by the engine's thread and must not block.
    pub fn start(
        server: Server,
        folder: &Path,
        boot: Option<Boot>,
        tell: impl Fn(Effect) + Send + Sync + 'static,
    ) -> Result<Running, NotStarted> {
        let disk = Arc::new(Disk::open(folder)?);
        let (boot, pages) = disk.shown().or_else(|| Some((boot?, Vec::new()))).ok_or(NotStarted::Empty)?;
        let mut session = Session::from_boot(&boot).ok_or(NotStarted::Empty)?;
        session.hold(&pages);
        let (send, receive) = unbounded();
        let intents = Intents(send);
        let shared = Arc::new(Shared { session: Mutex::new(session), changes: watch::Sender::new(0) });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let asks = server.clone();
        let device = NativeDevice {
            url: server.socket_url(),
            headers: vec![("authorization", server.bearer())],
            kept: Some(KeptHere {
                disk: disk.clone(),
                server,
                intents: intents.clone(),
                tell: Box::new(tell),
            }),
        };
        let (here, boot) = (shared.clone(), Boot { page: None, ..boot });
        let first = boot.clone();
        let run = move || runtime.block_on(drive(device, here, disk, asks, boot, receive));
        let thread = std::thread::Builder::new().name("engine".into()).spawn(run)?;
        Ok(Running { intents, boot: first, shared, thread: Mutex::new(Some(thread)) })
    }

    /// What there is to see now. The engine waits while it is held.
    pub fn session(&self) -> MutexGuard<'_, Session> {
        self.shared.session()
    }

    /// What it began with, without a page.
    pub fn boot(&self) -> &Boot {
        &self.boot
    }

    /// Ends it; what it knows is in the file when this returns.
    pub fn stop(&self) {
        self.intents.0.close_channel();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    /// Tells that the session has changed; several changes may be one.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn drive(
    device: NativeDevice,
    shared: Arc<Shared>,
    disk: Arc<Disk>,
    server: Server,
    boot: Boot,
    intents: UnboundedReceiver<Input>,
) {
    let keep = || {
        let (shared, disk, boot) = (shared.clone(), disk.clone(), boot.clone());
        move || disk.take(|| Shown::of(&shared.session(), &boot))
    };
    let change = |change: &mut dyn FnMut(&mut Session)| {
        change(&mut shared.session());
        shared.changes.send_modify(|count| *count += 1);
    };
    let mut changes = shared.changes.subscribe();
    changes.mark_changed();
    let keeping = async {
        while changes.changed().await.is_ok() {
            // What could not be written is tried again with the next change; the rows are in the log anyway.
            let _ = tokio::task::spawn_blocking(keep()).await;
            tokio::time::sleep(WRITE_PAUSE).await;
        }
    };
    // A page is loaded anew once in a while, and then has the rooms that one is not in; nobody tells a device of them that
    // was away.
    let refreshing = async {
        let (mut changes, mut was_live) = (shared.changes.subscribe(), false);
        while changes.changed().await.is_ok() {
            let live = shared.session().status == Status::Live;
            if live
                && !was_live
                && let Ok(boot) = server.boot().await
            {
                shared.session().list_others(boot.rooms);
                shared.changes.send_modify(|count| *count += 1);
            }
            was_live = live;
        }
    };
    tokio::select! {
        () = engine::run(device, change, intents) => {}
        () = keeping => {}
        () = refreshing => {}
    }
    let _ = keep()();
}
