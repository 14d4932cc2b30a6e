//! Reads across all rooms of an account.

use super::{ReadError, Reader, State};
use crate::protocol::AccountId;

/// All rooms of an account, as of one read transaction. It cannot outlive the transaction.
pub struct Scope<'a> {
    pub(super) state: &'a Reader<'a>,
    pub(super) account: AccountId,
}

impl State {
    /// Reads from any of an account's rooms in one transaction.
    pub fn scope<T>(
        &self,
        account: AccountId,
        what: impl FnOnce(&Scope<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        self.read(|state| what(&Scope { state, account }))
    }
}
