//! The log rises to a new format by itself: on a store once every server reads it, in a folder at a start.

use super::{Node, Raised, Readiness};
use crate::protocol::bounds::RESTORE_MS;
use crate::protocol::{Format, Outcome};
use crate::server::broker::embedded::{copy_log, delete_earlier_logs, earlier_logs};
use crate::server::counted::counted;
use crate::server::error::AppError;
use crate::server::now_ms;
use crate::server::peers::UNANNOUNCED_FORMAT;
use crate::server::remedy::with_remedy;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// The copy from before a rise is deleted so long after it, in milliseconds.
pub const KEEP_EARLIER_LOG_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Why the log was not raised.
#[derive(Debug, thiserror::Error)]
pub enum RaiseError {
    #[error("no copy of it can be made before it rises: {}", with_remedy(.0))]
    Copy(std::io::Error),
    #[error(transparent)]
    App(#[from] AppError),
}

impl Node {
    /// The format to which the log is to rise: the newest one that this server reads, if some versions cannot read it.
    pub(in crate::server) fn next_format(&self) -> Option<Format> {
        let newest = self.config.newest_format;
        let rises = self.epoch().is_some() && self.directory().format() < newest;
        (rises && newest.number() > UNANNOUNCED_FORMAT).then_some(newest)
    }

    /// What a rise takes away: deleted messages that could be restored until then. A sentence, if there are any.
    pub(in crate::server) fn lost_by_rise(&self) -> Option<String> {
        self.next_format().filter(|_| self.directory().format() < Format::Five)?;
        let since = self.log_now_ms() - RESTORE_MS;
        match self.state.check(|checks| checks.deleted_since(since)) {
            Ok(0) => None,
            Ok(n) => {
                let messages = counted(n, "message", "messages");
                Some(format!("{messages} deleted since yesterday cannot be restored after the rise."))
            }
            Err(fault) => {
                tracing::warn!(%fault, "deleted messages cannot be counted");
                None
            }
        }
    }

    /// What a start does before it says that the server is ready: where a folder's log is to rise, it is copied.
    pub async fn prepare_rise(&self) -> Result<Option<PathBuf>, RaiseError> {
        if self.readiness() == Readiness::Ready { self.copy_before_rise().await } else { Ok(None) }
    }

    /// What a start does and says about a format of the log that is newer than the one in force. Takes what
    /// [`Node::prepare_rise`] gave.
    pub async fn rise_at_start(
        self: &Arc<Node>,
        prepared: Result<Option<PathBuf>, RaiseError>,
        say: impl Fn(String),
    ) {
        let Some(next) = self.next_format() else { return };
        let (next, had) = (next.number(), self.directory().format().number());
        if self.config.redis.is_some() {
            say(format!(
                "The log has format {had}. It rises to format {next} by itself once every server of this Redis has read that format for {} minutes.",
                self.config.forget_servers_after.as_secs() / 60
            ));
            self.lost_by_rise().into_iter().for_each(say);
            return;
        }
        let stays = |why: String| {
            let why = why.trim_end_matches('.');
            say(format!("Warning: the log stays in format {had}: {why}. The next start tries again."));
        };
        let copy = match prepared {
            Ok(Some(copy)) => copy,
            Ok(None) => return,
            Err(fault) => return stays(fault.to_string()),
        };
        say(format!(
            "The log rises from format {had} to format {next}, which an earlier version cannot read. A copy from before is {}. It is deleted after 7 days. See docs/operations.md#formats-of-the-log.",
            copy.display()
        ));
        self.lost_by_rise().into_iter().for_each(&say);
        match self.propose_newest_format().await {
            Ok(Outcome::Stored { .. }) => {}
            Ok(Outcome::Refused { why }) => stays(format!("it refused the rise ({why:?})")),
            Err(fault) => stays(fault.to_string()),
        }
    }

    /// Copies the log of a folder, if earlier versions cannot read the format to which it rises.
    pub(super) async fn copy_before_rise(&self) -> Result<Option<PathBuf>, RaiseError> {
        let Some(next) = self.next_format().filter(|_| self.config.redis.is_none()) else { return Ok(None) };
        let folder = self.config.data_dir.clone();
        let copied = tokio::task::spawn_blocking(move || copy_log(&folder, next)).await;
        let copied = copied.unwrap_or_else(|fault| Err(std::io::Error::other(fault)));
        copied.map(Some).map_err(RaiseError::Copy)
    }

    /// Deletes the copies from before the last rise, if that was long enough before this time (milliseconds since 1970,
    /// UTC).
    pub async fn delete_earlier_logs(&self, now: i64) -> Result<(), String> {
        let folder = &self.config.data_dir;
        // Before the rise the copy may be about to be needed.
        if self.next_format().is_some() || earlier_logs(folder).is_empty() {
            return Ok(());
        }
        let since = self.directory().format_since();
        let raised = self.broker.read(since.g, 1).await.map_err(|fault| fault.to_string())?;
        let raised = raised.first().filter(|entry| entry.link == since.link);
        if raised.is_some_and(|raised| raised.header.at + KEEP_EARLIER_LOG_MS <= now) {
            delete_earlier_logs(folder).map_err(|fault| with_remedy(&fault))?;
        }
        Ok(())
    }

    fn all_read_newest(&self) -> bool {
        let (now, newest) = (Instant::now(), self.config.newest_format.number());
        self.peers.heard(now).all_read(newest, now, self.config.forget_servers_after)
    }

    fn is_due_to_rise(&self) -> bool {
        self.next_format().is_some()
            && self.readiness() == Readiness::Ready
            && !self.draining.is_cancelled()
            && self.all_read_newest()
    }
}

/// On a store: proposes the newest format once every server reads it. Several servers may find that in the same moment:
/// each waits a little first, and an entry that comes second changes nothing.
pub(super) async fn rise_once_all_read_it(node: Weak<Node>) {
    loop {
        let Some(beat) = node.upgrade().map(|node| node.config.heartbeat) else { return };
        tokio::time::sleep(beat).await;
        if node.upgrade().is_none_or(|node| !node.is_due_to_rise()) {
            continue;
        }
        let by_chance = uuid::Uuid::new_v4().as_bytes()[0];
        tokio::time::sleep(beat * by_chance.into() / 256).await;
        let Some(node) = node.upgrade().filter(|node| node.is_due_to_rise()) else { continue };
        let had = node.directory().format().number();
        match node.raise_format().await {
            Ok(Raised { outcome: Outcome::Stored { .. }, .. }) => {
                let now = node.directory().format().number();
                tracing::info!("The log has format {now} now; it had {had}. Every server reads it.");
            }
            Ok(Raised { outcome: Outcome::Refused { why }, .. }) => {
                tracing::warn!(?why, "the log refused to rise to a newer format");
            }
            Err(fault) => tracing::warn!(%fault, "the log cannot rise to a newer format now; tried again"),
        }
    }
}

/// In a folder: deletes the copy from before a rise when its time is over.
pub(super) async fn delete_earlier_logs_in_time(node: Weak<Node>) {
    let mut hour = tokio::time::interval(Duration::from_secs(3_600));
    loop {
        hour.tick().await;
        let Some(node) = node.upgrade() else { return };
        if let Err(why) = node.delete_earlier_logs(now_ms()).await {
            tracing::warn!(why, "the copy of the log from before its format rose cannot be deleted");
        }
    }
}
