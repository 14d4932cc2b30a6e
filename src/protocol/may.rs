//! What a reader may do in a room, so that a client offers nothing that the server would refuse.

use super::frame::RoomInfo;
use serde::{Deserialize, Serialize};

/// An act in a room. Its number is that of its bit in [`May`], and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomAct {
    Join = 0,
    Leave = 1,
    Invite = 2,
    Post = 3,
    Reply = 4,
    React = 5,
    Pin = 6,
    /// Of an own message, as the next two.
    Edit = 7,
    Delete = 8,
    Restore = 9,
    DeleteOthers = 10,
    SetTopic = 11,
    Archive = 12,
}

impl RoomAct {
    pub const ALL: [RoomAct; 13] = [
        RoomAct::Join,
        RoomAct::Leave,
        RoomAct::Invite,
        RoomAct::Post,
        RoomAct::Reply,
        RoomAct::React,
        RoomAct::Pin,
        RoomAct::Edit,
        RoomAct::Delete,
        RoomAct::Restore,
        RoomAct::DeleteOthers,
        RoomAct::SetTopic,
        RoomAct::Archive,
    ];
}

/// A set of acts: a bit for each. Bits of later versions are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct May(u32);

impl May {
    pub fn of(allows: impl Fn(RoomAct) -> bool) -> May {
        May(RoomAct::ALL.into_iter().filter(|act| allows(*act)).fold(0, |bits, act| bits | 1 << act as u32))
    }

    pub fn has(self, act: RoomAct) -> bool {
        self.0 >> act as u32 & 1 == 1
    }
}

impl RoomInfo {
    /// Whether the reader may do something here. A server that sends no set is asked for what the other fields tell; it
    /// tells nothing of the messages of others.
    pub fn allows(&self, act: RoomAct) -> bool {
        match (self.may, act) {
            (Some(may), _) => may.has(act),
            (None, RoomAct::Join) => !self.joined,
            (None, RoomAct::Leave) => self.joined,
            (None, RoomAct::Archive) => self.may_archive,
            (None, RoomAct::DeleteOthers) => false,
            (None, _) => self.joined && !self.archived,
        }
    }
}
