//! Accounts and their settings.

use crate::protocol::frame::Role;
use crate::protocol::{AccountId, OwnStatus};
use crate::server::directory::Account;
use crate::server::fold::bodies::AccountBody;
use crate::server::fold::{Fold, FoldError};
use crate::server::state::ReadError;
use rusqlite::params;
use std::sync::Arc;

impl Fold {
    /// `g` is the number of the entry that makes it.
    pub(super) fn add_account(&mut self, id: AccountId, body: AccountBody, g: u64) -> Result<(), FoldError> {
        let AccountBody { name, handle, role } = body;
        let json = serde_json::to_string(&role).map_err(ReadError::from)?;
        self.db
            .prepare_cached("INSERT INTO accounts(id, g, name, handle, role) VALUES(?1, ?2, ?3, ?4, ?5)")?
            .execute(params![id.as_str(), g as i64, name, handle, json])?;
        let directory = Arc::make_mut(&mut self.directory);
        directory.handles.insert(handle.clone(), id);
        let account = Account { id, name, handle, role, status: OwnStatus::default() };
        directory.accounts.insert(id, Arc::new(account));
        Ok(())
    }

    pub(super) fn set_name(&mut self, id: AccountId, name: String) -> Result<(), FoldError> {
        self.put_account("UPDATE accounts SET name = ?2 WHERE id = ?1", id, &name)?;
        self.change_account(id, |account| account.name = name);
        Ok(())
    }

    pub(super) fn set_status(&mut self, id: AccountId, status: OwnStatus) -> Result<(), FoldError> {
        let json = serde_json::to_string(&status).map_err(ReadError::from)?;
        self.put_account("UPDATE accounts SET status = ?2 WHERE id = ?1", id, &json)?;
        self.change_account(id, |account| account.status = status);
        Ok(())
    }

    pub(super) fn set_role(&mut self, id: AccountId, role: Role) -> Result<(), FoldError> {
        let json = serde_json::to_string(&role).map_err(ReadError::from)?;
        self.put_account("UPDATE accounts SET role = ?2 WHERE id = ?1", id, &json)?;
        self.change_account(id, |account| account.role = role);
        Ok(())
    }

    fn put_account(&self, sql: &str, id: AccountId, value: &str) -> rusqlite::Result<()> {
        self.db.prepare_cached(sql)?.execute([id.as_str(), value])?;
        Ok(())
    }

    fn change_account(&mut self, id: AccountId, change: impl FnOnce(&mut Account)) {
        if let Some(account) = Arc::make_mut(&mut self.directory).accounts.get_mut(&id) {
            change(Arc::make_mut(account));
        }
    }
}
