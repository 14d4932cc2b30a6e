//! The log's format rises when something is written for the first time that an older version would misread.

use super::Node;
use super::rise::RaiseError;
use crate::protocol::{AccountId, Change, ClientId, Format, Outcome, WorkspaceId};
use crate::server::broker::{Content, Proposal, Unwritable};
use crate::server::error::AppError;
use std::path::PathBuf;
use std::sync::Arc;

/// What became of a raise of the format.
pub struct Raised {
    pub outcome: Outcome,
    /// The copy of the folder's log from before.
    pub copy: Option<PathBuf>,
}

impl Node {
    /// The workspace itself as an author; `None` before there is one.
    pub(in crate::server) fn operator(&self) -> Option<AccountId> {
        self.epoch().map(WorkspaceId::operator)
    }

    /// Who stands in the log for what the operator does to an account: in format 5 the operator, before it the account.
    pub(in crate::server) fn acting_operator(&self, account: AccountId) -> AccountId {
        let strict = self.directory().rules().strict.is_some();
        self.operator().filter(|_| strict).unwrap_or(account)
    }

    /// What an account proposes next has this format; servers that cannot read it stop before they come to it.
    pub(in crate::server) async fn require_format(
        self: &Arc<Node>,
        by: AccountId,
        format: Format,
    ) -> Result<(), AppError> {
        if self.directory().format() < format {
            self.propose_format(by, format).await?;
        }
        Ok(())
    }

    /// Proposes the newest format that this server reads, in the name of the workspace itself. In a folder a copy of the
    /// log is made first, if an earlier version could not read the log any more; without the copy the log stays as it is.
    pub(in crate::server) async fn raise_format(self: &Arc<Node>) -> Result<Raised, RaiseError> {
        let copy = self.copy_before_rise().await?;
        let outcome = self.propose_newest_format().await?;
        Ok(Raised { outcome, copy })
    }

    pub(super) async fn propose_newest_format(self: &Arc<Node>) -> Result<Outcome, AppError> {
        let by = self.operator().ok_or(AppError::NotFound)?;
        self.propose_format(by, self.config.newest_format).await
    }

    async fn propose_format(self: &Arc<Node>, by: AccountId, format: Format) -> Result<Outcome, AppError> {
        let change = Change::Format { number: format.number() };
        self.propose(self.proposal(by, ClientId::random(), &change, Content::None)?).await
    }

    /// A change in the form of the log's format.
    pub(in crate::server) fn proposal(
        &self,
        by: AccountId,
        id: ClientId,
        change: &Change,
        content: Content,
    ) -> Result<Proposal, Unwritable> {
        Proposal::of(self.directory().format(), by, id, change, content)
    }
}
