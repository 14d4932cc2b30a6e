//! What the app holds outside its window: logins, an engine for each, and what they have to tell.

use super::keyring::SystemKeyring;
use super::notes::Notes;
use super::wish::Wishes;
use crate::api::Boot;
use crate::client::platform::native::logins::{Login, Logins};
use crate::client::platform::native::running::{NotStarted, Running};
use crate::client::platform::native::server::{Fault, Server};
use crate::client::{Effect, Input};
use futures::channel::mpsc::{Receiver, Sender, channel};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Effects that a window which draws nothing may leave waiting; more are dropped: they only move what is on the screen.
const WAITING_EFFECTS: usize = 256;

pub struct Desk {
    pub wishes: Arc<Wishes>,
    logins: Mutex<Logins>,
    engines: Mutex<HashMap<String, Arc<Engine>>>,
    looked_at: Mutex<LookedAt>,
}

/// Whether somebody is at the window, and which login it shows.
#[derive(Default)]
struct LookedAt {
    focused: bool,
    key: Option<String>,
}

/// A login with its engine.
pub struct Engine {
    pub running: Arc<Running>,
    pub login: Login,
    pub server: Server,
    /// For the window that shows it.
    pub effects: Mutex<Option<Receiver<Effect>>>,
    notes: Notes,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    pub fn open(folder: PathBuf, wishes: Arc<Wishes>) -> std::io::Result<Desk> {
        let logins = Logins::open(&folder, Box::new(SystemKeyring))?;
        let desk = Desk {
            wishes,
            logins: Mutex::new(logins),
            engines: Mutex::default(),
            looked_at: Mutex::default(),
        };
        // All of them: each receives and notifies, whichever is looked at.
        for login in desk.logins() {
            let _ = desk.engine(&login.key());
        }
        Ok(desk)
    }

    /// By their names.
    pub fn logins(&self) -> Vec<Login> {
        let mut logins = lock(&self.logins).list().to_vec();
        logins.sort_by_key(|login| (login.workspace.to_lowercase(), login.key()));
        logins
    }

    /// The login that was used last.
    pub fn last(&self) -> Option<String> {
        Some(lock(&self.logins).list().first()?.key())
    }

    /// The engine of a login, started if it is not running.
    pub fn engine(&self, key: &str) -> Result<Arc<Engine>, String> {
        let mut engines = lock(&self.engines);
        if let Some(engine) = engines.get(key) {
            return Ok(engine.clone());
        }
        let engine = Arc::new(self.start(key, None)?);
        engines.insert(key.to_owned(), engine.clone());
        drop(engines);
        self.attend();
        Ok(engine)
    }

    fn start(&self, key: &str, boot: Option<Boot>) -> Result<Engine, String> {
        let (login, server, folder) = {
            let logins = lock(&self.logins);
            let login = logins.list().iter().find(|login| login.key() == key).cloned();
            let login = login.ok_or("This server is no longer in the list.")?;
            let server = logins.server(&login).ok_or("This server's address cannot be used.")?;
            (login.clone(), server, logins.folder(&login))
        };
        let (send, receive) = channel(WAITING_EFFECTS);
        let notes = Notes::new(key.to_owned(), self.wishes.clone());
        let tell = teller(key.to_owned(), send, self.wishes.clone(), notes.clone());
        let running = Running::start(server.clone(), &folder, boot, tell);
        let running = running.map_err(|fault: NotStarted| fault.to_string())?;
        let running = Arc::new(running);
        Ok(Engine { running, login, server, effects: Mutex::new(Some(receive)), notes })
    }

    /// Takes a new login in, or a new token of one that is known; gives its key.
    pub async fn signed_in(&self, server: Server) -> Result<String, String> {
        let boot = server.boot().await.map_err(|fault: Fault| fault.to_string())?;
        let login = lock(&self.logins).put(&server, &boot).map_err(|fault| fault.to_string())?;
        let key = login.key();
        let old = lock(&self.engines).remove(&key);
        if let Some(old) = old {
            old.running.stop();
        }
        let engine = self.start(&key, Some(boot))?;
        lock(&self.engines).insert(key.clone(), Arc::new(engine));
        self.attend();
        Ok(key)
    }

    /// The window has the keyboard, or not any more.
    pub fn focus(&self, focused: bool) {
        lock(&self.looked_at).focused = focused;
        self.attend();
    }

    /// The window shows a login.
    pub fn look_at(&self, key: Option<&str>) {
        lock(&self.looked_at).key = key.map(str::to_owned);
        self.attend();
        if let Some(key) = key {
            self.used(key);
        }
    }

    /// Tells each engine whether somebody looks at what it shows.
    fn attend(&self) {
        let looked_at = lock(&self.looked_at);
        for (key, engine) in &*lock(&self.engines) {
            let attending = looked_at.focused && looked_at.key.as_ref() == Some(key);
            engine.running.intents.send(Input::Attending(attending));
        }
    }

    fn used(&self, key: &str) {
        let mut logins = lock(&self.logins);
        if let Some(login) = logins.list().iter().find(|login| login.key() == key).cloned() {
            let _ = logins.used(&login);
        }
    }

    /// Ends a login, and takes away what was kept of it.
    pub async fn sign_out(&self, key: &str) {
        let engine = lock(&self.engines).remove(key);
        let Some(engine) = engine else { return };
        let _ = engine.server.sign_out().await;
        engine.running.stop();
        engine.notes.close_all();
        let _ = lock(&self.logins).remove(&engine.login);
        self.wishes.uncount(key);
    }

    /// Everything is in its file when this returns.
    pub fn stop(&self) {
        for (_, engine) in lock(&self.engines).drain() {
            engine.running.stop();
            engine.notes.close_all();
        }
    }
}

/// What an engine tells is for the window that shows it, or for the system.
fn teller(
    key: String,
    send: Sender<Effect>,
    wishes: Arc<Wishes>,
    notes: Notes,
) -> impl Fn(Effect) + Send + Sync + 'static {
    let send = Mutex::new(send);
    move |effect| match effect {
        Effect::Total { mentions, rooms } => wishes.count(&key, mentions, rooms),
        Effect::Notify(notice) => notes.show(notice),
        Effect::CloseNotices { at, to } => notes.close(at, to),
        Effect::NeverAsk => {}
        other => drop(lock(&send).try_send(other)),
    }
}
