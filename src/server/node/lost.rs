//! What the store was given to keep and has dropped, beside the log: a store that drops one thing drops others, so the
//! node is not ready before it is back.

use super::Node;
use crate::protocol::AccountId;
use crate::server::counted::counted;
use crate::server::readiness::{Unready, UnreadyState};
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Accounts whose password, or the number of whose logins that ended, is gone.
#[derive(Default)]
pub(super) struct Lost(Mutex<HashSet<AccountId>>);

impl Lost {
    fn accounts(&self) -> MutexGuard<'_, HashSet<AccountId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn unready(&self) -> Option<Unready> {
        let accounts = match self.accounts().len() {
            0 => return None,
            n => counted(n as u64, "account", "accounts"),
        };
        Some(Unready::new(UnreadyState::SecretsLost, format!("the password record of {accounts} is missing")))
    }
}

impl Node {
    pub(in crate::server) fn secret_is_lost(&self, account: AccountId) {
        if self.lost.accounts().insert(account) {
            tracing::error!(%account, "Redis no longer has the password record of this account");
        }
    }

    pub(super) fn lost_secrets(&self) -> Vec<AccountId> {
        self.lost.accounts().iter().copied().collect()
    }

    pub(super) fn secret_is_back(&self, account: AccountId) {
        self.lost.accounts().remove(&account);
    }
}
