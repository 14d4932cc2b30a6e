//! Whether people are there, what they say of themselves, and who is typing.

use super::ids::AccountId;
use serde::{Deserialize, Serialize};

/// Whether somebody is there; the greatest counts over all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    #[default]
    Offline,
    /// Connected, and nobody has looked for a while.
    Away,
    Online,
    /// Connected, and wants not to be disturbed.
    DoNotDisturb,
    /// Of a later version.
    #[serde(other)]
    Other,
}

/// What somebody says of himself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OwnStatus {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub do_not_disturb: bool,
    /// It counts until then: milliseconds since 1970, UTC. None: until it is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

impl OwnStatus {
    /// Whether one wants not to be disturbed at a moment.
    pub fn disturbs_not(&self, now: i64) -> bool {
        self.do_not_disturb && self.until.is_none_or(|until| until > now)
    }

    /// As others see somebody who is there.
    pub fn of(self, id: AccountId) -> Seen {
        let is = if self.do_not_disturb { Presence::DoNotDisturb } else { Presence::Online };
        Seen { id, is, status: self }
    }

    /// What is left of it at a moment.
    pub fn at(&self, now: i64) -> OwnStatus {
        if self.until.is_some_and(|until| until <= now) { OwnStatus::default() } else { self.clone() }
    }
}

/// One person as one who looks is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub id: AccountId,
    pub is: Presence,
    #[serde(default)]
    pub status: OwnStatus,
}
