//! Notifications of the system: shown, closed once what they tell of is read, and the way to their message.

use super::wish::Wishes;
use crate::client::{Lane, Notice};
use futures::executor::block_on;
use notify_rust::{Notification, NotificationHandle, NotificationResponse};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Standing = BTreeMap<(Lane, u64), Arc<NotificationHandle>>;

/// The notifications of one login.
#[derive(Clone)]
pub struct Notes {
    key: String,
    wishes: Arc<Wishes>,
    standing: Arc<Mutex<Standing>>,
}

impl Notes {
    pub fn new(key: String, wishes: Arc<Wishes>) -> Notes {
        Notes { key, wishes, standing: Arc::default() }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does not block: its thread ends with the notification.
    pub fn show(&self, notice: Notice) {
        let here = self.clone();
        let thread = std::thread::Builder::new().name("notice".into());
        let _ = thread.spawn(move || here.stand(notice));
    }

    fn stand(&self, notice: Notice) {
        let mut shown = Notification::new();
        shown.appname("Beck").summary(&notice.title).body(&plain(&notice.body)).action("default", "Open");
        shown.icon = "beck".to_owned();
        // A system that shows none has the count in the title.
        let Ok(handle) = shown.show() else { return };
        let (handle, at) = (Arc::new(handle), (notice.at, notice.ordinal));
        self.standing().insert(at, handle.clone());
        let mut clicked = false;
        block_on(handle.wait_for_action_async(|response: &NotificationResponse| {
            clicked = matches!(response, NotificationResponse::Default | NotificationResponse::Action(_));
        }));
        let mut standing = self.standing();
        if standing.get(&at).is_some_and(|other| Arc::ptr_eq(other, &handle)) {
            standing.remove(&at);
        }
        drop(standing);
        if clicked {
            // Not every system does.
            block_on(handle.close_async());
            self.wishes.open(self.key.clone(), notice.at, notice.ordinal);
        }
    }

    /// Closes those of a lane that tell of what is read.
    pub fn close(&self, lane: Lane, to: u64) {
        let mut standing = self.standing();
        let read: Vec<_> = standing.range((lane, 0)..=(lane, to)).map(|(at, _)| *at).collect();
        let read: Vec<_> = read.into_iter().filter_map(|at| standing.remove(&at)).collect();
        drop(standing);
        close_all(read);
    }

    pub fn close_all(&self) {
        close_all(std::mem::take(&mut *self.standing()).into_values().collect());
    }
}

fn close_all(handles: Vec<Arc<NotificationHandle>>) {
    if !handles.is_empty() {
        let thread = std::thread::Builder::new().name("notices".into());
        let _ = thread.spawn(move || handles.iter().for_each(|handle| block_on(handle.close_async())));
    }
}

/// Some systems read a body as markup.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
