//! The log's format rises when something is written for the first time that an older version would misread.

use super::Node;
use crate::protocol::{AccountId, ClientId, Format, Kind, Outcome, WorkspaceId};
use crate::server::broker::Proposal;
use crate::server::error::AppError;
use std::sync::Arc;

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

    /// Proposes the newest format that this version reads, in the name of the workspace itself.
    pub(in crate::server) async fn raise_format(self: &Arc<Node>) -> Result<Outcome, AppError> {
        let by = self.operator().ok_or(AppError::NotFound)?;
        self.propose_format(by, self.config.newest_format).await
    }

    async fn propose_format(self: &Arc<Node>, by: AccountId, format: Format) -> Result<Outcome, AppError> {
        self.propose(Proposal::new(by, ClientId::random(), Kind::Format, &format.number())).await
    }
}
