//! Proposals, and what becomes of them.

use super::{Node, Readiness};
use crate::protocol::{ClientId, Format, Hash, Outcome};
use crate::server::broker::{BrokerError, Entry, Head, Proposal};
use crate::server::directory::Directory;
use crate::server::error::AppError;
use crate::server::fold::{Folded, known_outcome};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Outcomes that are kept for those who ask after the fold has passed.
const RECENT_OUTCOMES: usize = 8_192;
/// An outcome that is not there after so long is unknown: the log has the entry, but this node cannot read it.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(10);
/// Appends of one proposal before the outcome is called unknown.
const APPEND_TRIES: u32 = 3;

/// What became of the entries that were folded last. Each answer is asked for by number and draft: after the log's
/// tail was rewritten a number may be another draft's.
#[derive(Default)]
pub(super) struct Outcomes {
    /// The number of the first kept outcome.
    first: u64,
    recent: VecDeque<(ClientId, Outcome)>,
    waiting: HashMap<u64, Vec<(ClientId, oneshot::Sender<Outcome>)>>,
}

impl Outcomes {
    /// None yet of what follows this entry.
    pub(super) fn after(g: u64) -> Outcomes {
        Outcomes { first: g + 1, ..Outcomes::default() }
    }
}

impl Node {
    /// Proposes an entry and waits for the fold's answer. Proposals made one after the other are stored in
    /// that order. A draft that is known already is not stored again.
    pub fn propose(
        self: &Arc<Node>,
        proposal: Proposal,
    ) -> impl Future<Output = Result<Outcome, AppError>> + Send + use<> {
        let known = match (self.known_outcome(&proposal), self.standstill()) {
            // It would be stored and get no outcome.
            (Ok(None), Readiness::Unready(why)) => Err(AppError::Unready(why)),
            (known, _) => known,
        };
        let (proposal, known) = match (known, self.check_form(&proposal)) {
            (Ok(None), Err(fault)) => (proposal, Err(fault.into())),
            (known, Ok(since)) => (proposal.since(since), known),
            (known, Err(_)) => (proposal, known),
        };
        let first = match &known {
            Ok(None) => Some(self.broker.append(vec![proposal.clone()])),
            _ => None,
        };
        let node = self.clone();
        async move {
            if let Some(outcome) = known? {
                return Ok(outcome);
            }
            let mut next = first;
            let mut may_be_stored = false;
            for _ in 0..APPEND_TRIES {
                let appended = match next.take() {
                    Some(first) => first.await,
                    None => node.broker.append(vec![proposal.clone()]).await,
                };
                match appended {
                    Ok(g) => {
                        let outcome =
                            tokio::time::timeout(OUTCOME_TIMEOUT, node.outcome(g, proposal.client_id));
                        return outcome.await.unwrap_or(Err(AppError::Unknown));
                    }
                    // This time it is not stored, but an earlier time it may have been.
                    Err(BrokerError::Refused(_) | BrokerError::Unready(_)) if may_be_stored => {
                        return Err(AppError::Unknown);
                    }
                    Err(BrokerError::Unready(why)) => return Err(AppError::Unready(why)),
                    Err(fault @ (BrokerError::Refused(_) | BrokerError::Rewritten(_))) => {
                        return Err(fault.into());
                    }
                    Err(BrokerError::Unknown(why)) => {
                        may_be_stored = true;
                        tracing::warn!(draft.id = %proposal.client_id, why, "outcome of an append is unknown");
                    }
                }
            }
            Err(AppError::Unknown)
        }
    }

    /// The entry that each append of a proposal names, so that no log stores it whose format would misread it. Fails if
    /// the log has lost the format in which the proposal was made: then it has to be made again.
    fn check_form(&self, proposal: &Proposal) -> Result<Head, BrokerError> {
        let directory = self.directory();
        match proposal.form {
            Format::One => Ok(Head::default()),
            form if form <= directory.format() => Ok(directory.format_since()),
            form => {
                let number = form.number();
                Err(BrokerError::Rewritten(format!(
                    "the log has lost format {number}, in which this was made"
                )))
            }
        }
    }

    /// The outcome of a proposal whose `client_id` is stored already, as far as it is folded here.
    pub(in crate::server) fn known_outcome(&self, proposal: &Proposal) -> Result<Option<Outcome>, AppError> {
        let known = self.state.draft(proposal.client_id).map_err(AppError::State)?;
        let Some(known) = known else { return Ok(None) };
        let entry =
            Entry { header: proposal.header(0, 0), body: Some(proposal.body.clone()), link: Hash::ZERO };
        Ok(Some(known_outcome(self.directory().rules(), &known, &entry)))
    }

    /// Nothing that is waited for can come any more: its number is another entry's now.
    pub(super) fn forget_outcomes(&self) {
        *self.outcomes.lock().unwrap_or_else(PoisonError::into_inner) = Outcomes::after(self.folded());
    }

    async fn outcome(&self, g: u64, id: ClientId) -> Result<Outcome, AppError> {
        let waiting = {
            let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(index) = g.checked_sub(outcomes.first)
                && let Some((of, outcome)) = outcomes.recent.get(index as usize)
            {
                return if *of == id { Ok(*outcome) } else { Err(AppError::Unknown) };
            }
            let (answer, waiting) = oneshot::channel();
            outcomes.waiting.entry(g).or_default().push((id, answer));
            waiting
        };
        waiting.await.map_err(|_| AppError::Unknown)
    }

    /// Tells those who read along, then those who wait for an outcome.
    pub(super) fn publish(&self, entries: &[Entry], folded: &[Folded], directory: &Directory) {
        self.hub.publish(folded, directory);
        folded
            .iter()
            .filter_map(|folded| folded.changed_account)
            .for_each(|account| self.presence.changed(account));
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        for (entry, folded) in entries.iter().zip(folded) {
            let id = entry.header.client_id;
            outcomes.recent.push_back((id, folded.outcome));
            for (of, waiting) in outcomes.waiting.remove(&folded.g).into_iter().flatten() {
                if of == id {
                    let _ = waiting.send(folded.outcome);
                }
            }
        }
        while outcomes.recent.len() > RECENT_OUTCOMES {
            outcomes.recent.pop_front();
            outcomes.first += 1;
        }
    }
}
