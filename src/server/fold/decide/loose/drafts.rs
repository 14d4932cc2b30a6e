//! Decisions about drafts that came before, and drafts that are taken back.

use super::super::hash_of;
use super::{Accepted, Effect, NotAccepted, target_id};
use crate::protocol::{Header, Outcome, Refusal};
use crate::server::access::Action;
use crate::server::broker::Entry;
use crate::server::fold::facts::Facts;
use crate::server::state::KnownDraft;

/// The outcome of an entry whose `client_id` an earlier one has: that one's, if it is the same draft by the same author.
/// Where a text was erased nothing can be compared, and it counts as the same.
pub(in crate::server::fold) fn repeated(first: &KnownDraft, entry: &Entry) -> Outcome {
    let same = match (&first.salt, &first.same, &entry.body) {
        (Some(salt), Some(same), Some(_)) => sameness(salt, entry) == *same,
        _ => true,
    };
    if first.author == entry.header.author && same {
        first.outcome
    } else {
        Outcome::Refused { why: Refusal::OtherDraft }
    }
}

/// What two proposals of one draft have in common whatever their salt: 16 bytes that do not tell the text.
pub(in crate::server::fold) fn sameness(salt: &str, entry: &Entry) -> Vec<u8> {
    hash_of(salt, &entry.header, entry.json())
}

pub(super) fn void(header: &Header, facts: Facts<'_>) -> Result<Accepted, NotAccepted> {
    let target = target_id(header).filter(|target| *target != header.client_id).ok_or(Refusal::Malformed)?;
    let known = facts.draft(target)?;
    let author = known.as_ref().map_or(header.author, |known| known.author);
    facts.permit(&facts.author(header).of_account(author), Action::TakeBack)?;
    match known {
        None => Ok(Effect::TakeBack(target).outside_rooms()),
        Some(known) if matches!(known.outcome, Outcome::Stored { .. }) => Err(Refusal::TooLate.into()),
        Some(_) => Ok(Effect::None.outside_rooms()),
    }
}
