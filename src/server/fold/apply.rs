//! What an accepted entry changes in the Directory and the state file. Nothing is decided here.

mod accounts;
mod deletions;
mod drafts;
mod erase;
mod followers;
mod mentions;
mod named_again;
mod rooms;
mod rows;
mod settings;
mod sign_ups;

use super::decide::{Accepted, Effect};
use super::{Fold, FoldError, Folded};
use crate::protocol::{Format, Outcome, Refusal};
use crate::server::broker::Entry;
use std::sync::Arc;

impl Fold {
    pub(super) fn apply(
        &mut self,
        entry: &Entry,
        accepted: Accepted,
        folded: &mut Folded,
    ) -> Result<(), FoldError> {
        let header = &entry.header;
        let mut erased = Vec::new();
        match accepted.effect {
            Effect::None | Effect::Row => {}
            Effect::Delete(id) => self.put_deletion(id, header)?,
            Effect::Restore(id) => self.remove_deletion(id)?,
            Effect::Format(format) => self.raise_format(format, entry)?,
            Effect::NewAccount(id, body) => {
                self.add_account(id, body, header.g)?;
                self.expect_joins(entry)?;
            }
            Effect::Name(id, name) => self.set_name(id, name)?,
            Effect::Status(id, status) => {
                self.set_status(id, status)?;
                folded.changed_account = Some(id);
            }
            Effect::Profile(id, setting) => {
                self.set_profile(id, setting, entry)?;
                folded.changed_account = Some(id);
            }
            Effect::WorkspaceName => self.set_workspace_name(entry)?,
            Effect::Role(id, role) => {
                self.set_role(id, role)?;
                folded.changed_account = Some(id);
            }
            Effect::Logins(id) => folded.ended_logins = Some(id),
            Effect::TakeBack(id) => {
                let outcome = Outcome::Refused { why: Refusal::Void };
                self.keep_draft(self.directory.rules(), id, header.author, header.g, outcome, None)?;
            }
            Effect::NewRoom(id, room) => {
                self.add_room(id, room, header.author)?;
                // The operator is in no room.
                if self.directory.accounts.contains_key(&header.author) {
                    self.add_member(id, header.author)?;
                }
                folded.changed_room = Some(id);
            }
            Effect::Room(id, setting) => {
                self.set_room(id, setting)?;
                folded.changed_room = Some(id);
            }
            Effect::Topic(id) => {
                self.set_topic(id, entry)?;
                folded.changed_room = Some(id);
            }
            Effect::Join(id, account) => {
                self.add_member(id, account)?;
                self.expect_no_join(id, account)?;
                folded.changed_room = Some(id);
            }
            Effect::Leave(id, account) => {
                self.remove_member(id, account)?;
                self.expect_no_join(id, account)?;
                folded.changed_room = Some(id);
            }
            Effect::Erase(erasure) => {
                self.erase_bodies(header.g, &erasure)?;
                erased = erasure.of_messages().copied().collect();
                folded.erased = erasure.entries;
            }
        }
        if let Some(new) = accepted.event {
            let mut event = self.add_event(entry, new)?;
            if !erased.is_empty() {
                Arc::make_mut(&mut event).erased = erased;
            }
            folded.event = Some((new.room, event));
        }
        Ok(())
    }

    fn raise_format(&mut self, format: Format, entry: &Entry) -> rusqlite::Result<()> {
        let since = self.put_format(entry.header.g, format, entry)?;
        if let Some(workspace) = &mut Arc::make_mut(&mut self.directory).workspace {
            (workspace.format, workspace.format_since) = (format, since);
        }
        Ok(())
    }
}
