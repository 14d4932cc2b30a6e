//! `beck admin delete`: shows a message, and deletes it for everybody, for ever.

use super::{Answer, words};
use crate::protocol::change::Act;
use crate::protocol::{AccountId, Change, ClientId, Outcome, PageAt, RoomId, Row};
use crate::server::access::{Action, Actor, Facts};
use crate::server::boot::Asked;
use crate::server::broker::Content;
use crate::server::node::Node;
use crate::server::state::{Checks, Deletion, ReadError};
use crate::server::utc::utc;
use std::sync::Arc;
use std::time::Duration;

/// So long the command waits until the texts are removed here and in the log.
const REMOVED_WITHIN: Duration = Duration::from_secs(30);

const NOT_REACHED: &str = "Not reached: backups and exports that exist, devices and servers that never connect \
                           again, notifications that were shown, and texts that others copied.";

/// A message as the administrator names it.
enum Named {
    Id(ClientId),
    Place { room: RoomId, lane: u64, ordinal: u64 },
}

impl Named {
    /// Reads an id, or a link with or without the address of the server.
    fn read(text: &str) -> Option<Named> {
        if let Ok(id) = text.parse() {
            return Some(Named::Id(id));
        }
        let path = &text[text.find("/r/")?..];
        let path = path.split(['?', '#']).next().unwrap_or(path);
        match Asked::of(path) {
            Asked::Room { id: room, at: PageAt::Around(ordinal), thread: None } => {
                Some(Named::Place { room, lane: 0, ordinal })
            }
            Asked::Room { id: room, thread: Some((lane, PageAt::Around(ordinal))), .. } => {
                Some(Named::Place { room, lane, ordinal })
            }
            _ => None,
        }
    }
}

/// A message, and what stands in the log of it.
struct Found {
    room: RoomId,
    row: Row,
    /// The text that it has, or had when it was deleted; none once it is erased.
    text: Option<String>,
    deletion: Option<Deletion>,
}

impl Found {
    fn read(checks: &Checks<'_>, named: &Named) -> Result<Option<Found>, ReadError> {
        let found = match named {
            Named::Id(id) => checks.anywhere(*id)?,
            Named::Place { room, lane, ordinal } => {
                checks.at(*room, *lane, *ordinal)?.map(|row| (*room, row))
            }
        };
        let Some((room, row)) = found else { return Ok(None) };
        let (text, undo) = (checks.last_text(row.id)?, checks.undo(row.id)?);
        Ok(Some(Found { room, row, text, deletion: undo.map(|undo| undo.deletion) }))
    }
}

/// The message, in lines for the administrator; the first one is its id.
pub async fn show(node: &Arc<Node>, message: &str) -> Answer {
    let Found { room, row, text, deletion } = find(node, message).await?;
    let directory = node.directory();
    let name = |id: AccountId| match directory.accounts.get(&id) {
        Some(account) => printable(&format!("{} ({})", account.name, account.handle)),
        None => "the administrator".to_owned(),
    };
    let room = directory.rooms.get(&room).map(|room| printable(&room.name)).unwrap_or_default();
    let mut lines = vec![
        row.id.to_string(),
        format!("Author:  {}", name(row.author)),
        format!("Room:    {room}"),
        format!("Time:    {}", utc(row.at)),
    ];
    lines.extend(row.edited.map(|at| format!("Edited:  {}; the earlier texts go too", utc(at))));
    lines.extend(deletion.map(|by| format!("Deleted: {}, by {}", utc(by.at), name(by.by))));
    lines.push("Text:".to_owned());
    lines.extend(text.unwrap_or_default().split('\n').map(|line| format!("  {}", printable(line))));
    Ok(lines)
}

/// Deletes a message and erases its texts. Called again it finishes what an earlier call has left.
pub async fn delete(node: &Arc<Node>, id: ClientId) -> Answer {
    let Found { room, row, .. } = find(node, &id.to_string()).await?;
    let operator = node.operator().ok_or("there is no workspace yet")?;
    let directory = node.directory();
    let facts = Facts::of(&directory, Actor::Operator).in_room(&directory, room);
    directory.permits(&facts.row(&row), Action::Delete).map_err(words)?;
    let change = Change::Act { room, message: id, act: Act::Delete };
    let deleted = node.proposal(operator, ClientId::random(), &change, Content::None).map_err(words)?;
    if let Outcome::Refused { why } = node.propose(deleted).await.map_err(words)? {
        return Err(format!("the log refused to delete it ({why:?}): see beck doctor"));
    }
    if let Err(why) = node.erase(id).await {
        // The task that erases what is due may have been faster.
        let is_erased = node.state.check(|checks| checks.is_erased(id)).map_err(words)?;
        if !is_erased {
            return Err(format!(
                "the message is deleted, and nobody can restore it, but its texts are still in the log ({why}): run this again"
            ));
        }
    }
    let removed = tokio::time::timeout(REMOVED_WITHIN, node.wait_removed()).await;
    let mut lines =
        vec!["The message is deleted for everybody and cannot be restored. Its texts are erased.".to_owned()];
    if removed.is_err() {
        lines.push(
            "They are not removed from every file yet: Beck goes on with that while it runs.".to_owned(),
        );
    }
    lines.push(NOT_REACHED.to_owned());
    Ok(lines)
}

async fn find(node: &Arc<Node>, message: &str) -> Result<Found, String> {
    let Some(named) = Named::read(message) else {
        return Err(
            "write the link or the id of a message: https://chat.example.org/r/ROOM/NUMBER".to_owned()
        );
    };
    let look = || node.state.check(|checks| Found::read(checks, &named));
    let found = node.sure(|found| matches!(found, Ok(None)), look).await.map_err(words)?;
    if node.directory().rules().strict.is_none() {
        let format = node.directory().format().number();
        return Err(format!(
            "the log has format {format}, in which only people delete messages: a member can delete what they wrote, and an owner what others wrote in a room that they are in. From format 5 on the administrator can: beck format says how the log rises to it"
        ));
    }
    let found = found.map_err(words)?.ok_or("there is no such message: look at its link")?;
    if found.text.is_none() && found.deletion.is_some() {
        return Err("this message is deleted and its texts are erased: nothing is left to delete".to_owned());
    }
    Ok(found)
}

/// Without characters that change what a terminal shows.
fn printable(text: &str) -> String {
    let unsafe_here = |c: char| {
        c.is_control() && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if unsafe_here(c) { '\u{fffd}' } else { c }).collect()
}
