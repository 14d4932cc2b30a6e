//! Entries in the form of a format of the log.

use crate::protocol::change::AccountSetting;
use crate::protocol::frame::{Role, RoomKind};
use crate::protocol::stored::SALT;
use crate::protocol::{AccountId, Change, ClientId, Format, Kind, RoomId, Stored, WorkspaceId};
use crate::server::broker::{Content, Proposal, Unwritable};
use crate::server::fold::{AccountBody, RoomBody, Rules, WorkspaceBody};
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
        if self.is_strict() {
            let change = Change::Workspace { id, name, format };
            return Proposal::of(id.operator(), ClientId::random(), &change, Content::None);
        }
        Ok(Proposal::new(owner, ClientId::random(), Kind::Workspace, &WorkspaceBody { id, name, format }))
    }

    pub(super) fn account(
        &self,
        id: AccountId,
        owner: bool,
        (name, handle): (&str, &str),
    ) -> Result<Vec<Proposal>, Unwritable> {
        let (name, handle) = (name.to_owned(), handle.to_owned());
        if !self.is_strict() {
            let target = id.as_str().parse()?;
            let role = if owner { Role::Owner } else { Role::Member };
            let body = AccountBody { name, handle, role };
            return Ok(vec![Proposal::new(id, ClientId::random(), Kind::Account, &body).target(target)]);
        }
        let (author, first) = (if owner { self.workspace.operator() } else { id }, ClientId::random());
        let made = Change::Account { id, handle, owner, rooms: Vec::new(), invitation: None, name: None };
        let named = Change::SetAccount { account: id, setting: AccountSetting::Name };
        Ok(vec![
            Proposal::of(author, first, &made, Content::None)?,
            Proposal::of(author, step(first, NAME), &named, Content::value(Some(name)))?,
        ])
    }

    pub(super) fn room(
        &self,
        by: AccountId,
        room: RoomId,
        (name, topic): (&str, &str),
    ) -> Result<Vec<Proposal>, Unwritable> {
        if !self.is_strict() {
            let body = RoomBody { kind: RoomKind::Open, name: name.into(), topic: topic.into() };
            return Ok(vec![Proposal::new(by, ClientId::random(), Kind::Room, &body).room(room)]);
        }
        let made = Change::MakeRoom { room, name: name.into(), key: Some(key(name)), topic: None };
        let mut entries = vec![Proposal::of(by, ClientId::random(), &made, Content::None)?];
        if !topic.is_empty() {
            let topic = Content::value(Some(topic));
            entries.push(Proposal::of(by, ClientId::random(), &Change::SetTopic { room }, topic)?);
        }
        Ok(entries)
    }

    /// A change whose draft is the same in every format.
    pub(super) fn change(
        &self,
        by: AccountId,
        id: ClientId,
        change: &Change,
        content: Content,
    ) -> Result<Proposal, Unwritable> {
        let mut proposal = Proposal::of(by, id, change, content)?;
        if !self.is_strict()
            && let Some(Stored { salt, draft, .. }) = Stored::erasable(&proposal.body)
        {
            proposal.body = Stored { salt: &salt[..SALT], draft, added: None }.join();
        }
        Ok(proposal)
    }
}
