//! Entries in the form of a format of the log.

use crate::protocol::change::AccountSetting;
use crate::protocol::{AccountId, Change, ClientId, Format, RoomId, WorkspaceId};
use crate::server::broker::{Content, Proposal, Unwritable};
use crate::server::fold::Rules;
use crate::server::room_names::key;
use crate::server::steps::{NAME, step};

pub(super) struct Forms {
    workspace: WorkspaceId,
    format: Format,
}

impl Forms {
    pub(super) fn new(format: Format) -> Forms {
        Forms { workspace: WorkspaceId::random(), format }
    }

    fn is_strict(&self) -> bool {
        Rules::of(self.format).strict.is_some()
    }

    /// What begins the log.
    pub(super) fn workspace(&self, owner: AccountId, name: &str) -> Result<Proposal, Unwritable> {
        let (id, name, format) = (self.workspace, name.to_owned(), self.format.number());
        let author = if self.is_strict() { id.operator() } else { owner };
        self.change(author, ClientId::random(), &Change::Workspace { id, name, format }, Content::None)
    }

    pub(super) fn account(
        &self,
        id: AccountId,
        owner: bool,
        (name, handle): (&str, &str),
    ) -> Result<Vec<Proposal>, Unwritable> {
        let (name, handle, first) = (name.to_owned(), handle.to_owned(), ClientId::random());
        let made = |name| Change::Account { id, handle, owner, rooms: Vec::new(), invitation: None, name };
        if !self.is_strict() {
            return Ok(vec![self.change(id, first, &made(Some(name)), Content::None)?]);
        }
        let author = if owner { self.workspace.operator() } else { id };
        let named = Change::SetAccount { account: id, setting: AccountSetting::Name };
        Ok(vec![
            self.change(author, first, &made(None), Content::None)?,
            self.change(author, step(first, NAME), &named, Content::value(Some(name)))?,
        ])
    }

    pub(super) fn room(
        &self,
        by: AccountId,
        room: RoomId,
        (name, topic): (&str, &str),
    ) -> Result<Vec<Proposal>, Unwritable> {
        let made = |key, topic| Change::MakeRoom { room, name: name.into(), key, topic };
        let entry = |change: Change, content| self.change(by, ClientId::random(), &change, content);
        if !self.is_strict() {
            return Ok(vec![entry(made(None, Some(topic.into())), Content::None)?]);
        }
        let mut entries = vec![entry(made(Some(key(name)), None), Content::None)?];
        if !topic.is_empty() {
            entries.push(entry(Change::SetTopic { room }, Content::value(Some(topic)))?);
        }
        Ok(entries)
    }

    pub(super) fn change(
        &self,
        by: AccountId,
        id: ClientId,
        change: &Change,
        content: Content,
    ) -> Result<Proposal, Unwritable> {
        Proposal::of(self.format, by, id, change, content)
    }
}
