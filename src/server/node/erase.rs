//! Deleted text goes for good once it can be restored no more.

use super::{FoldCommand, Node};
use crate::protocol::ClientId;
use crate::server::now_ms;
use std::sync::Weak;
use std::time::Duration;
use tokio::sync::oneshot;

/// Deleted text can be restored for a day; then it is erased.
pub const ERASE_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

impl Node {
    /// Erases the text of a deleted message, in the log and here.
    pub async fn erase(&self, id: ClientId) -> Result<(), String> {
        let entries = self
            .state
            .read(|state| state.entries_of_message(id))
            .map_err(|fault| format!("the message cannot be looked up: {fault}"))?;
        let all = self.broker.erase(entries.clone()).await.map_err(|fault| fault.to_string())?;
        if !all {
            return Err(
                "the newest entry of the log cannot be erased; it can once another one follows".into()
            );
        }
        let (reply, answer) = oneshot::channel();
        let _ = self.fold_commands.send(FoldCommand::Erase(id, entries, reply));
        answer.await.unwrap_or_else(|_| Err("the fold has stopped".into()))
    }
}

pub(super) async fn erase_what_is_due(node: Weak<Node>) {
    let mut hour = tokio::time::interval(Duration::from_secs(3600));
    loop {
        hour.tick().await;
        let Some(node) = node.upgrade() else { return };
        let now = now_ms();
        let due = node.state.read(|state| state.due_to_erase(now - ERASE_AFTER_MS)).unwrap_or_default();
        for id in due {
            if let Err(why) = node.erase(id).await {
                tracing::warn!(message.id = %id, why, "a deleted message could not be erased");
            }
        }
    }
}
