//! Proposes to erase what is due, in a log of format 5. Each server does so; what another one has proposed first is
//! skipped, or refused because nothing of it is left. Undoing a deletion and erasing it are ordered by the log.

use super::Node;
use crate::protocol::change::{Bodies, Change, Reason};
use crate::protocol::{ClientId, Outcome, Refusal, RoomId};
use crate::server::broker::Content;
use crate::server::fold::Strict;
use crate::server::state::{DueEntry, DueMessage, ReadError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Messages, and entries, that one `erase` names at most.
const MESSAGES: usize = 100;
const ENTRIES: usize = 1_000;
/// Entries of one turn: each of the three lists has so many at most.
pub const ERASURES_IN_A_TURN: usize = 64;
/// The clock that times entries may be behind this server's by so much: what is due by a hair would be skipped.
const MARGIN_MS: i64 = 60_000;

/// What a turn has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Turn {
    /// Messages and entries that were named by accepted `erase` entries.
    pub(super) erased: usize,
    /// There is more to erase at once.
    pub(super) more: bool,
}

impl Node {
    /// Erases what is due at a time (milliseconds since 1970, UTC), as much as one turn takes.
    pub(super) async fn propose_what_is_due(
        self: &Arc<Node>,
        strict: &Strict,
        now: i64,
    ) -> Result<Turn, String> {
        if let Some(words) = self.times_stand_words() {
            return Err(words);
        }
        self.sure(|()| true, || ()).await.map_err(|fault| fault.to_string())?;
        let here = self.clone();
        let before = now - strict.erase_ms - MARGIN_MS;
        let due = tokio::task::spawn_blocking(move || here.due(before)).await;
        let due = due.map_err(|fault| fault.to_string())?.map_err(|fault| fault.to_string())?;
        let mut turn = Turn { erased: 0, more: due.len() >= ERASURES_IN_A_TURN };
        for erasure in due.into_iter().take(ERASURES_IN_A_TURN) {
            turn.erased += match self.propose_erasure(erasure.room, erasure.bodies, erasure.reason).await? {
                Outcome::Stored { .. } => erasure.count,
                Outcome::Refused { why: Refusal::TargetGone } => 0,
                Outcome::Refused { why } => return Err(format!("the log refused to erase ({why:?})")),
            };
        }
        Ok(turn)
    }

    pub(super) async fn propose_erasure(
        self: &Arc<Node>,
        room: Option<RoomId>,
        bodies: Bodies,
        reason: Reason,
    ) -> Result<Outcome, String> {
        let operator = self.operator().ok_or("there is no workspace yet")?;
        let change = Change::Erase { room, bodies, reason };
        let proposal = self.proposal(operator, ClientId::random(), &change, Content::None);
        let proposal = proposal.map_err(|fault| fault.to_string())?;
        self.propose(proposal).await.map_err(|fault| fault.to_string())
    }

    fn due(&self, before: i64) -> Result<Vec<Erasure>, ReadError> {
        let most = ERASURES_IN_A_TURN * MESSAGES;
        let mut due = of_messages(&self.state.deleted_to_erase(before, most)?, Bodies::Messages, |message| {
            if message.by_operator { Reason::Operator } else { Reason::Deleted }
        });
        let edited = self.state.edited_to_erase(before, most)?;
        due.extend(of_messages(&edited, Bodies::Earlier, |_| Reason::Replaced));
        due.extend(of_entries(&self.state.due_entries(before, ERASURES_IN_A_TURN * ENTRIES)?));
        Ok(due)
    }
}

/// What one `erase` takes.
struct Erasure {
    room: Option<RoomId>,
    bodies: Bodies,
    reason: Reason,
    count: usize,
}

fn of_messages(
    messages: &[DueMessage],
    bodies: impl Fn(Vec<ClientId>) -> Bodies,
    reason: impl Fn(&DueMessage) -> Reason,
) -> Vec<Erasure> {
    let mut groups: BTreeMap<(RoomId, bool), Vec<&DueMessage>> = BTreeMap::new();
    for message in messages {
        groups.entry((message.room, message.by_operator)).or_default().push(message);
    }
    let chunks = groups.values().flat_map(|group| group.chunks(MESSAGES));
    chunks
        .map(|chunk| Erasure {
            room: Some(chunk[0].room),
            bodies: bodies(chunk.iter().map(|message| message.id).collect()),
            reason: reason(chunk[0]),
            count: chunk.len(),
        })
        .collect()
}

fn of_entries(entries: &[DueEntry]) -> Vec<Erasure> {
    let mut erasures = Vec::new();
    for (replaced, reason) in [(false, Reason::Refused), (true, Reason::Replaced)] {
        let mut numbers: Vec<u64> =
            entries.iter().filter(|entry| entry.replaced == replaced).map(|entry| entry.g).collect();
        numbers.sort_unstable();
        erasures.extend(numbers.chunks(ENTRIES).map(|chunk| Erasure {
            room: None,
            bodies: Bodies::Entries(chunk.to_vec()),
            reason,
            count: chunk.len(),
        }));
    }
    erasures
}
