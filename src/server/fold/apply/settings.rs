//! Settings of the strict formats whose values can be erased. They are derived data: no decision reads them.

use crate::protocol::change::AccountSetting;
use crate::protocol::{AccountId, RoomId, Stored};
use crate::server::broker::Entry;
use crate::server::fold::bodies::SettingBody;
use crate::server::fold::decide::RoomSetting;
use crate::server::fold::{Fold, FoldError};
use crate::server::state;
use serde_json::Value;
use std::sync::Arc;

impl Fold {
    pub(super) fn set_profile(
        &mut self,
        account: AccountId,
        setting: AccountSetting,
        entry: &Entry,
    ) -> Result<(), FoldError> {
        match setting {
            AccountSetting::Name => {
                // Never an older name: it may have been taken back.
                let handle = || self.directory.accounts.get(&account).map(|account| account.handle.clone());
                let name = text(entry).or_else(handle).unwrap_or_default();
                self.set_name(account, name)
            }
            AccountSetting::Status => {
                let status = value(entry).and_then(|value| serde_json::from_value(value).ok());
                self.set_status(account, status.unwrap_or_default())
            }
            // Nothing shows these yet. An owner is made by a body that is never erased.
            AccountSetting::Title
            | AccountSetting::Pronouns
            | AccountSetting::Zone
            | AccountSetting::Field(_)
            | AccountSetting::Role => Ok(()),
        }
    }

    pub(super) fn set_topic(&mut self, room: RoomId, entry: &Entry) -> Result<(), FoldError> {
        self.set_room(room, RoomSetting::Topic(text(entry).unwrap_or_default()))
    }

    /// Without a text the workspace has its first name, which is never erased.
    pub(super) fn set_workspace_name(&mut self, entry: &Entry) -> Result<(), FoldError> {
        let name = match text(entry) {
            Some(name) => name,
            None => state::meta(&self.db, "first_name")?.unwrap_or_default(),
        };
        self.put_meta("name", &name)?;
        if let Some(workspace) = &mut Arc::make_mut(&mut self.directory).workspace {
            workspace.name = name;
        }
        Ok(())
    }
}

/// The new value; none if it was taken away or erased.
fn value(entry: &Entry) -> Option<Value> {
    let draft = Stored::erasable(entry.body.as_deref()?)?.draft;
    let SettingBody { value } = serde_json::from_str(draft).ok()?;
    Some(value).filter(|value| !value.is_null())
}

fn text(entry: &Entry) -> Option<String> {
    value(entry)?.as_str().map(str::to_owned)
}
