//! Sign-ups that the server that began them has not finished: any other one joins the rooms.

use super::Node;
use crate::protocol::{AccountId, Change};
use crate::server::broker::Content;
use crate::server::error::AppError;
use crate::server::steps::FINISH_MS;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Pause before the first look, so that the log is read by then, and between two looks.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(60 * 60);

impl Node {
    /// Proposes the joins of new accounts, or of this one, that are missing in the log. A refused one is not proposed
    /// again.
    pub async fn finish_sign_ups(self: &Arc<Node>, of: Option<AccountId>) -> Result<(), AppError> {
        let after = self.log_now_ms().saturating_sub(FINISH_MS);
        let mut joins = self.state.joins_to_come(after)?;
        joins.retain(|join| of.is_none_or(|account| account == join.account));
        for join in joins {
            let change = Change::Join { room: join.room, account: join.account };
            self.propose(self.proposal(join.author, join.id, &change, Content::None)?).await?;
        }
        Ok(())
    }
}

pub(super) async fn finish_hourly(node: Weak<Node>) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = PAUSE;
        let Some(node) = node.upgrade() else { return };
        if let Err(fault) = node.finish_sign_ups(None).await {
            tracing::warn!(%fault, "new accounts may not be in their rooms yet: it is tried again in an hour");
        }
    }
}
