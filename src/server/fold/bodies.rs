//! Bodies of the entries that are no events: JSON, as [`Entry::json`](crate::server::broker::Entry::json) gives it.

use crate::protocol::WorkspaceId;
use crate::protocol::frame::{Role, RoomKind};
use serde::{Deserialize, Serialize};

/// Body of a `workspace` entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkspaceBody {
    pub id: WorkspaceId,
    pub name: String,
    pub format: u32,
}

/// Body of an `account` entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccountBody {
    pub name: String,
    pub handle: String,
    #[serde(default)]
    pub role: Role,
}

/// Body of a `room` entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoomBody {
    pub kind: RoomKind,
    pub name: String,
    #[serde(default)]
    pub topic: String,
}

/// Body of `account.set` and `room.set`: the whole new value of the setting that the slot names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SettingBody {
    pub value: serde_json::Value,
}
