//! What other threads want of the window: its title, that it shows itself, that it ends. The main thread carries it out,
//! also while nothing is drawn.

use crate::client::Lane;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

#[derive(Default)]
pub struct Wishes {
    inner: Mutex<Inner>,
    wake: Mutex<Option<Box<dyn Fn() + Send>>>,
    changes: watch::Sender<()>,
}

#[derive(Default)]
struct Inner {
    counts: HashMap<String, (u32, u32)>,
    retitle: bool,
    show: bool,
    quit: bool,
    /// The login whose message was clicked on, and the message.
    open: Option<(String, Lane, u64)>,
}

/// What the main thread is to do now.
pub struct ToDo {
    pub title: Option<String>,
    pub show: bool,
    pub quit: bool,
}

impl Wishes {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the main thread is woken.
    pub fn wake_by(&self, wake: impl Fn() + Send + 'static) {
        *self.wake.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(wake));
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.inner());
        self.changes.send_replace(());
        if let Some(wake) = &*self.wake.lock().unwrap_or_else(PoisonError::into_inner) {
            wake();
        }
    }

    /// Tells the page that counts have changed, or that something is to be opened.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Mentions at a server, and its rooms with something unread.
    pub fn count(&self, key: &str, mentions: u32, rooms: u32) {
        self.change(|inner| {
            inner.counts.insert(key.to_owned(), (mentions, rooms));
            inner.retitle = true;
        });
    }

    pub fn uncount(&self, key: &str) {
        self.change(|inner| {
            inner.counts.remove(key);
            inner.retitle = true;
        });
    }

    pub fn counts(&self) -> HashMap<String, (u32, u32)> {
        self.inner().counts.clone()
    }

    pub fn show(&self) {
        self.change(|inner| inner.show = true);
    }

    pub fn quit(&self) {
        self.change(|inner| inner.quit = true);
    }

    pub fn open(&self, key: String, at: Lane, ordinal: u64) {
        self.change(|inner| (inner.show, inner.open) = (true, Some((key, at, ordinal))));
    }

    /// What is to be opened, once.
    pub fn opened(&self) -> Option<(String, Lane, u64)> {
        self.inner().open.take()
    }

    pub fn take(&self) -> ToDo {
        let mut inner = self.inner();
        let (mentions, rooms) = inner.counts.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let title = match (mentions, rooms) {
            (0, 0) => "Beck".to_owned(),
            (0, _) => "\u{2022} Beck".to_owned(),
            (n, _) => format!("({n}) Beck"),
        };
        let title = std::mem::take(&mut inner.retitle).then_some(title);
        ToDo { title, show: std::mem::take(&mut inner.show), quit: std::mem::take(&mut inner.quit) }
    }
}
