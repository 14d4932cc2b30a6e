//! `beck format`: which formats the log and the servers have, and the raise to the newest one.

use super::{Answer, words};
use crate::protocol::Outcome;
use crate::server::counted::counted;
use crate::server::node::{Node, Raised};
use crate::server::peers::{FORGOTTEN_AFTER, Heard, Peer};
use std::sync::Arc;
use std::time::{Duration, Instant};

const NOTHING_TO_RAISE: &str =
    "The log has the newest format that this version of Beck reads: there is nothing to do.";
/// How often it is looked whether signals were heard for long enough.
const PAUSE: Duration = Duration::from_millis(50);

/// What `beck format` prints.
pub async fn report(node: &Arc<Node>) -> Answer {
    let format = format_of(node).await?;
    let heard = others(node).await?;
    let (version, newest) = (env!("CARGO_PKG_VERSION"), newest(node));
    let mut lines = vec![
        format!("The log has format {format}."),
        format!("This Beck, version {version}, reads formats up to {newest}."),
    ];
    if let Some(heard) = &heard {
        lines.extend(peer_lines(heard, Instant::now()));
    }
    lines.push(match obstacle(newest, heard.as_ref()) {
        _ if format >= newest => NOTHING_TO_RAISE.to_owned(),
        None => {
            format!("The log can be raised to format {newest}: make a backup, then run beck format raise.")
        }
        Some(why) => format!("The log cannot be raised: {why}."),
    });
    lines.extend(node.lost_by_rise());
    Ok(lines)
}

/// What `beck format raise` does.
pub async fn raise(node: &Arc<Node>) -> Answer {
    let format = format_of(node).await?;
    if format >= newest(node) {
        return Ok(vec![NOTHING_TO_RAISE.to_owned()]);
    }
    if let Some(why) = obstacle(newest(node), others(node).await?.as_ref()) {
        return Err(format!("the log was not raised: {why}"));
    }
    let lost = node.lost_by_rise();
    let raised = node.raise_format().await;
    let Raised { outcome, copy } =
        raised.map_err(|fault| format!("the log was not raised: {}", words(fault)))?;
    match outcome {
        Outcome::Stored { .. } => {
            let now = node.directory().format().number();
            let mut lines: Vec<_> = lost.into_iter().collect();
            lines.push(format!(
                "The log has format {now} now; it had {format}. A version of Beck that cannot read format {now} can no longer open it."
            ));
            lines.extend(copy.map(|copy| {
                format!("A copy of the log from before is {}. It is deleted after 7 days.", copy.display())
            }));
            Ok(lines)
        }
        Outcome::Refused { why } => Err(format!("the log refused it ({why:?}): see beck doctor")),
    }
}

/// The newest format that this server reads.
fn newest(node: &Node) -> u32 {
    node.config.newest_format.number()
}

/// The number of the log's format.
async fn format_of(node: &Node) -> Result<u32, String> {
    let format = node.sure(|_| true, || node.directory().format().number()).await.map_err(words)?;
    if node.epoch().is_none() {
        return Err("there is no workspace yet".into());
    }
    Ok(format)
}

/// The other servers that were heard; none where a folder has the log.
async fn others(node: &Node) -> Result<Option<Heard>, String> {
    if node.config.redis.is_none() {
        return Ok(None);
    }
    listen(node).await.map(Some)
}

/// Listens until each server must have been heard: for a little longer than a heartbeat without a break.
async fn listen(node: &Node) -> Result<Heard, String> {
    let enough = node.config.heartbeat * 11 / 10;
    let listening = async {
        loop {
            let heard = node.peers.heard(Instant::now());
            if heard.since.is_some_and(|since| since.elapsed() >= enough) {
                return heard;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(enough * 2, listening).await.map_err(|_| {
        "the signals of other servers cannot be heard: see the log of this server, and the rights that docs/architecture.md lists".to_owned()
    })
}

fn peer_lines(heard: &Heard, now: Instant) -> Vec<String> {
    let minutes = FORGOTTEN_AFTER.as_secs() / 60;
    let mut lines = vec![match heard.peers.len() as u64 {
        0 => format!("No other server was heard in the last {minutes} minutes."),
        count => {
            let were = counted(count, "other server was", "other servers were");
            format!("{were} heard in the last {minutes} minutes:")
        }
    }];
    for (name, Peer { format, version, heard }) in &heard.peers {
        let says = match version {
            Some(version) => format!("version {version}"),
            None => "which announces none, as version 0.1.0 does".to_owned(),
        };
        let ago = now.saturating_duration_since(*heard).as_secs();
        lines.push(format!("  {}: reads formats up to {format}, {says}; heard {ago} s ago", short(name)));
    }
    if heard.more {
        lines.push("  More were heard than are listed.".to_owned());
    }
    lines
}

/// Enough to tell servers apart.
fn short(name: &str) -> &str {
    name.get(..8).unwrap_or(name)
}

/// Why a log of an older format cannot be raised to the newest one of this version, in a clause.
fn obstacle(newest: u32, heard: Option<&Heard>) -> Option<String> {
    let heard = heard?;
    let behind: Vec<_> = heard.behind(newest).collect();
    if !behind.is_empty() {
        let named: Vec<_> =
            behind.iter().map(|(name, peer)| format!("{} (format {})", short(name), peer.format)).collect();
        let minutes = FORGOTTEN_AFTER.as_secs() / 60;
        let mut why = format!(
            "these servers cannot read format {newest}: {}. Update them, or stop them and wait {minutes} minutes",
            named.join(", ")
        );
        let unannounced: Vec<_> = behind.iter().filter(|(_, peer)| peer.version.is_none()).collect();
        if !unannounced.is_empty() {
            let named: Vec<_> = unannounced.iter().map(|(name, _)| short(name)).collect();
            why.push_str(&format!(
                ". These announce none, as version 0.1.0 does: {}. End their processes: one that cannot read the log any more still erases messages in it",
                named.join(", ")
            ));
        }
        return Some(why);
    }
    heard
        .more
        .then(|| "more servers were heard than Beck can list, so that some of them may not read it".into())
}
