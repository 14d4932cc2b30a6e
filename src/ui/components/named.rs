//! Whom and what a message names.

use crate::client::Session;
use crate::protocol::bounds::ROOM_HANDLE;
use crate::protocol::{AccountId, Added, RoomId};
use crate::text::{mentions, named, slug};
use std::collections::BTreeMap;

/// The accounts of handles that were completed, as the page tells them (`handle:account`, a space between), as far as the
/// text still names them.
pub fn named_in(completed: &str, text: &str) -> BTreeMap<String, AccountId> {
    let mut found = BTreeMap::new();
    if completed.is_empty() {
        return found;
    }
    let named = mentions(text);
    for (handle, account) in completed.split(' ').filter_map(|one| one.split_once(':')) {
        if let (true, Ok(account)) = (named.contains(handle), account.parse()) {
            found.insert(handle.to_owned(), account);
        }
    }
    found
}

/// What a message names and what is there for the reader.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Named {
    /// Handles that somebody has, each with whether it means me.
    people: Vec<(String, bool)>,
    rooms: Vec<(String, RoomId)>,
}

impl Named {
    /// `added` is what a server made of the text: then nothing else says whom it names.
    pub fn of(session: &Session, text: Option<&str>, added: Option<&Added>) -> Named {
        let named = named(text.unwrap_or(""));
        let known = |handle: String| {
            let account = match added {
                // Who has no account is dropped.
                Some(added) => added.account(&handle).filter(|id| session.people.contains_key(id)),
                None => session.handles.get(&handle).copied(),
            };
            match account {
                Some(account) => Some((handle, account == session.me.id)),
                None => {
                    (handle == ROOM_HANDLE && added.is_none_or(|added| added.all)).then_some((handle, true))
                }
            }
        };
        let room = |name: String| {
            // Of two with names that are written alike neither is meant.
            let mut rooms = session.rooms.iter().filter(|room| slug(&room.name) == name);
            rooms.next().filter(|_| rooms.next().is_none()).map(|room| room.id).map(|room| (name, room))
        };
        Named {
            people: named.handles.into_iter().filter_map(known).collect(),
            rooms: named.rooms.into_iter().filter_map(room).collect(),
        }
    }

    pub fn me(&self) -> bool {
        self.people.iter().any(|(_, me)| *me)
    }

    /// Whether a handle means me; `None`: nobody has it, so it is text.
    pub fn means_me(&self, handle: &str) -> Option<bool> {
        self.people.iter().find(|(known, _)| known == handle).map(|(_, me)| *me)
    }

    pub fn room(&self, slug: &str) -> Option<RoomId> {
        self.rooms.iter().find(|(known, _)| known == slug).map(|(_, room)| *room)
    }
}
