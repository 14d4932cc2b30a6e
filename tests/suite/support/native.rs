//! The desktop app without its window.

use beck::client::platform::native::running::Running;
use beck::client::platform::native::server::Server;
use beck::client::{Effect, Input, Session, Status};
use beck::protocol::frame::Draft;
use beck::protocol::{ClientId, RoomId};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Nothing here is measured: a wait that is longer is a hang.
const HANG: Duration = Duration::from_secs(60);

pub struct App {
    running: Running,
    told: Arc<Mutex<Vec<Effect>>>,
}

impl App {
    /// Begins with what the folder holds, else with what the server says.
    pub async fn start(base: &str, token: &str, folder: &Path) -> App {
        let server = Server::new(base, token).unwrap();
        let boot =
            if folder.join("kept.sqlite").exists() { None } else { Some(server.boot().await.unwrap()) };
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = told.clone();
        let running =
            Running::start(server, folder, boot, move |effect| tell.lock().unwrap().push(effect)).unwrap();
        App { running, told }
    }

    pub fn intend(&self, input: Input) {
        self.running.intents.send(input);
    }

    pub fn look(&self, room: RoomId) {
        self.intend(Input::Look { room, at: None });
    }

    /// Sends into the looked-at room.
    pub fn write(&self, text: &str) -> ClientId {
        let (id, room) = (ClientId::random(), self.session().looking_at.unwrap());
        self.intend(Input::Write(Draft {
            id,
            room,
            thread: None,
            quote: None,
            text: text.into(),
            named: Default::default(),
        }));
        id
    }

    pub fn session(&self) -> MutexGuard<'_, Session> {
        self.running.session()
    }

    /// Waits until the session is so.
    pub async fn until(&self, holds: impl Fn(&Session) -> bool) {
        let mut changes = self.running.changes();
        let wait = async {
            while !holds(&self.session()) {
                changes.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(HANG, wait).await.is_err() {
            panic!("it never was so: {:#?}", self.session());
        }
    }

    pub async fn until_live(&self) {
        self.until(|session| session.status == Status::Live).await;
    }

    /// Waits until something outside the session is so.
    pub async fn until_true(&self, holds: impl Fn() -> bool) {
        let wait = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(HANG, wait).await.expect("it never was so");
    }

    /// Whether the window was told this; waits for it.
    pub async fn told(&self, what: impl Fn(&Effect) -> bool) -> bool {
        self.until_true(|| self.told.lock().unwrap().iter().any(&what)).await;
        true
    }

    /// Quits.
    pub fn stop(self) {
        drop(self.running);
    }
}

/// Whether any file of a folder has these bytes.
pub fn holds_bytes(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()));
    // A journal may be gone between the two, and a folder cannot be read.
    files.flatten().any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
}
