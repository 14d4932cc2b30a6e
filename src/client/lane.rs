//! A lane of a room, as the client keys what it holds of it.

use crate::protocol::RoomId;
use std::fmt;
use std::str::FromStr;

/// The room's own lane (0), or the thread under the message whose seq is `lane`. As text `<room>` or `<room>/<lane>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    pub room: RoomId,
    pub lane: u64,
}

impl From<RoomId> for Lane {
    fn from(room: RoomId) -> Lane {
        Lane { room, lane: 0 }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.room.as_str())?;
        if self.lane == 0 { Ok(()) } else { write!(f, "/{}", self.lane) }
    }
}

impl FromStr for Lane {
    type Err = ();

    fn from_str(text: &str) -> Result<Lane, ()> {
        let (room, lane) = text.split_once('/').unwrap_or((text, "0"));
        Ok(Lane { room: room.parse().map_err(drop)?, lane: lane.parse().map_err(drop)? })
    }
}
