//! The forms of the bodies that decisions of formats 1 to 4 read, and how a stored body is read.

// Some fields are only checked: one that is missing or of another type makes the body malformed.
#![allow(dead_code)]

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[derive(Deserialize)]
pub struct WorkspaceBody {
    id: String,
    name: String,
    pub format: u32,
}

#[derive(Deserialize)]
pub struct AccountBody {
    name: String,
    pub handle: String,
    #[serde(default)]
    pub role: Role,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Owner,
    /// Also any unknown word.
    #[default]
    #[serde(other)]
    Member,
}

#[derive(Deserialize)]
pub struct RoomBody {
    pub kind: RoomKind,
    pub name: String,
    #[serde(default)]
    topic: String,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    Open,
    Private,
    Direct,
}

/// Of `account.set` and `room.set`.
#[derive(Deserialize)]
pub struct SettingBody {
    pub value: Value,
}

#[derive(Deserialize)]
pub struct StatusValue {
    #[serde(default)]
    text: String,
    #[serde(default)]
    do_not_disturb: bool,
    #[serde(default)]
    until: Option<i64>,
}

#[derive(Deserialize)]
pub struct MessageBody {
    text: String,
    #[serde(default)]
    quote: Option<beck::protocol::ClientId>,
}

#[derive(Deserialize)]
pub struct ActBody {
    pub value: ActValue,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum ActValue {
    On(bool),
    Text(String),
    Restored { restored: String },
}

/// The JSON of a stored body: all bytes after the salt of 16 bytes. None if the body is erased or shorter, or if byte 16
/// is in the middle of a character.
pub fn json(body: Option<&str>) -> Option<&str> {
    body?.get(16..)
}

pub fn parse<T: DeserializeOwned>(json: Option<&str>) -> Option<T> {
    serde_json::from_str(json?).ok()
}
