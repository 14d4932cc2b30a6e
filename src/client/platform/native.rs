//! A device without a browser: sockets and timers of tokio, what is kept in a file.

pub mod address;
pub mod disk;
pub mod logins;
pub mod running;
pub mod server;
mod socket;

use super::Device;
use crate::client::engine::Intents;
use crate::client::session::{Effect, Input, Permission};
use disk::Disk;
use rusqlite::Connection;
use server::Server;
use socket::NativeSocket;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_tungstenite::tungstenite::{client::IntoClientRequest, http::Request};

/// Connects to one server with one login. Runs inside a tokio runtime.
pub struct NativeDevice {
    url: String,
    /// Sent with the upgrade: login, and origin where it is a cookie.
    headers: Vec<(&'static str, String)>,
    kept: Option<KeptHere>,
}

/// What a device needs to keep things, and to tell.
struct KeptHere {
    disk: Arc<Disk>,
    server: Server,
    intents: Intents,
    /// Takes what only a window or the system can do; must not block.
    tell: Box<dyn Fn(Effect) + Send + Sync>,
}

impl NativeDevice {
    /// Keeps nothing. `url` begins with `ws://` or `wss://`.
    pub fn new(url: String, headers: Vec<(&'static str, String)>) -> Self {
        NativeDevice { url, headers, kept: None }
    }

    fn request(&self) -> Option<Request<()>> {
        let mut request = self.url.as_str().into_client_request().ok()?;
        for (name, value) in &self.headers {
            request.headers_mut().insert(*name, value.parse().ok()?);
        }
        Some(request)
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// The system's zone now, in minutes east of UTC: SQLite knows it.
pub fn zone() -> i32 {
    thread_local!(static CLOCK: Option<Connection> = Connection::open_in_memory().ok());
    let minutes = "SELECT (strftime('%s', 'now', 'localtime') - strftime('%s', 'now')) / 60";
    let asked = CLOCK.with(|clock| {
        let mut ask = clock.as_ref()?.prepare_cached(minutes).ok()?;
        ask.query_row([], |row| row.get(0)).ok()
    });
    asked.unwrap_or(0)
}

impl Device for NativeDevice {
    type Socket = NativeSocket;

    fn now_ms(&self) -> i64 {
        now_ms()
    }

    fn zone(&self) -> i32 {
        zone()
    }

    fn chance(&self) -> f64 {
        (uuid::Uuid::new_v4().as_u128() as u32) as f64 / f64::from(u32::MAX)
    }

    fn open(&mut self) -> Option<NativeSocket> {
        self.request().map(NativeSocket::open)
    }

    async fn sleep(&self, ms: u32) {
        tokio::time::sleep(Duration::from_millis(u64::from(ms))).await;
    }

    /// Nothing is drawn: what is there is applied.
    async fn picture(&self) {
        tokio::task::yield_now().await;
    }

    fn restore(&mut self) -> Vec<Input> {
        let Some(here) = &self.kept else { return Vec::new() };
        let (typed, kept) = here.disk.written();
        vec![Input::Permission(Permission::Granted), Input::Drafts(typed), Input::Restore(kept)]
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        let here = self.kept.as_mut()?;
        let done = match effect {
            Effect::Keep(kept) => here.disk.keep(&kept),
            Effect::Forget(id) => here.disk.forget(id),
            Effect::KeepTyped(lane, text) => here.disk.keep_typed(lane, &text),
            Effect::Probe => {
                let (server, intents) = (here.server.clone(), here.intents.clone());
                tokio::spawn(async move { intents.send(Input::Probed(server.probe().await)) });
                return None;
            }
            other => {
                (here.tell)(other);
                return None;
            }
        };
        (!done).then_some(Input::NotKept)
    }
}
