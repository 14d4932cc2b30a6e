//! Who is typing in a room, and where: one is in one lane at a time. It ends with the message, or by itself.

use crate::protocol::AccountId;
use std::collections::HashMap;
use tokio::time::Instant;

/// Authors whose last message is remembered.
const REMEMBERED: usize = 256;

#[derive(Default)]
pub struct Typing {
    until: HashMap<AccountId, (u64, Instant)>,
    /// Each one's newest message: a signal from before it comes too late.
    said: HashMap<AccountId, u64>,
}

impl Typing {
    /// Takes a signal that was sent when the room stood at `seq`; `true` if it changes who types.
    pub fn hear(&mut self, (account, lane): (AccountId, u64), until: Option<Instant>, seq: u64) -> bool {
        match until {
            Some(_) if self.said.get(&account).is_some_and(|said| *said > seq) => false,
            Some(until) => self.until.insert(account, (lane, until)).is_none_or(|(before, _)| before != lane),
            None if self.until.get(&account).is_some_and(|(typed, _)| *typed == lane) => {
                self.until.remove(&account).is_some()
            }
            None => false,
        }
    }

    pub fn said(&mut self, account: AccountId, seq: u64) -> bool {
        if self.said.len() >= REMEMBERED {
            self.said.clear();
        }
        self.said.insert(account, seq);
        self.until.remove(&account).is_some()
    }

    /// Forgets whose time is up; `true` if there were some.
    pub fn forget(&mut self, now: Instant) -> bool {
        let before = self.until.len();
        self.until.retain(|_, (_, until)| *until > now);
        self.until.len() != before
    }

    pub fn now(&self) -> Vec<(u64, AccountId)> {
        let mut people: Vec<_> = self.until.iter().map(|(account, (lane, _))| (*lane, *account)).collect();
        people.sort_unstable();
        people
    }
}
