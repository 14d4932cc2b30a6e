//! Whom a message names.

use crate::client::Session;
use crate::protocol::bounds::ROOM_HANDLE;
use crate::text::mentions;

/// Handles that a message names and that somebody has, each with whether it means me.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Named(Vec<(String, bool)>);

impl Named {
    pub fn of(session: &Session, text: Option<&str>) -> Named {
        let known = |handle: String| match session.handles.get(&handle) {
            Some(account) => Some((handle, *account == session.me.id)),
            None => (handle == ROOM_HANDLE).then_some((handle, true)),
        };
        Named(mentions(text.unwrap_or("")).into_iter().filter_map(known).collect())
    }

    pub fn me(&self) -> bool {
        self.0.iter().any(|(_, me)| *me)
    }

    /// How a mention looks; `None`: nobody has that handle, so it is text.
    pub fn class(&self, handle: &str) -> Option<&'static str> {
        let (_, me) = self.0.iter().find(|(known, _)| known == handle)?;
        Some(if *me { "mention me" } else { "mention" })
    }
}
