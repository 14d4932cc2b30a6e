//! Whom and what a message names.

use crate::client::Session;
use crate::protocol::RoomId;
use crate::protocol::bounds::ROOM_HANDLE;
use crate::text::{named, slug};

/// What a message names and what is there for the reader.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Named {
    /// Handles that somebody has, each with whether it means me.
    people: Vec<(String, bool)>,
    rooms: Vec<(String, RoomId)>,
}

impl Named {
    pub fn of(session: &Session, text: Option<&str>) -> Named {
        let named = named(text.unwrap_or(""));
        let known = |handle: String| match session.handles.get(&handle) {
            Some(account) => Some((handle, *account == session.me.id)),
            None => (handle == ROOM_HANDLE).then_some((handle, true)),
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
