//! What the other servers have told.

use super::Told;
use crate::protocol::{AccountId, Presence};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

struct Other {
    /// With the heartbeat in which it was told last.
    people: HashMap<AccountId, (Presence, u64)>,
    /// The newest heartbeat, and how many people came with it.
    round: u64,
    came: usize,
    until: Instant,
}

#[derive(Default)]
pub struct Others(HashMap<String, Other>);

impl Others {
    pub fn of(&self, account: AccountId) -> Presence {
        let told = self.0.values().filter_map(|other| other.people.get(&account));
        told.map(|(is, _)| *is).max().unwrap_or_default()
    }

    /// Takes what a server tells; gives who may have changed. Once all of a heartbeat has come, those who were not in
    /// it are gone: that they left was lost on the way.
    pub fn hear(&mut self, told: &Told, now: Instant) -> Vec<AccountId> {
        let until = now + Duration::from_millis(told.ttl_ms.into());
        let new = || Other { people: HashMap::new(), round: 0, came: 0, until };
        let other = self.0.entry(told.node.clone()).or_insert_with(new);
        other.until = until;
        let mut changed = Vec::new();
        for (account, is) in &told.people {
            let before = other.people.insert(*account, (*is, told.round));
            if before.map(|(is, _)| is).unwrap_or_default() != *is {
                changed.push(*account);
            }
        }
        if let Some(total) = told.total {
            if told.round != other.round {
                (other.round, other.came) = (told.round, 0);
            }
            other.came += told.people.len();
            if other.came >= total {
                let gone = |round: u64| round < told.round;
                changed.extend(
                    other.people.iter().filter(|(_, (_, at))| gone(*at)).map(|(account, _)| *account),
                );
                other.people.retain(|_, (_, at)| !gone(*at));
            }
        }
        other.people.retain(|_, (is, _)| *is != Presence::Offline);
        changed
    }

    /// When the time of the next server is up.
    pub fn due(&self) -> Option<Instant> {
        self.0.values().map(|other| other.until).min()
    }

    /// Forgets the servers whose time is up; gives their people.
    pub fn forget(&mut self, now: Instant) -> Vec<AccountId> {
        let mut gone = Vec::new();
        self.0.retain(|_, other| {
            let stays = other.until > now;
            if !stays {
                gone.extend(other.people.keys());
            }
            stays
        });
        gone
    }
}
