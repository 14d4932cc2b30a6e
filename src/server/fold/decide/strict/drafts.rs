//! Decisions about drafts that came before, and drafts that are taken back.

use super::super::{Accepted, Effect, NotAccepted, hash_of, header_words};
use crate::protocol::{ClientId, Erasable, Format, Header, Outcome, Refusal, Stored, erasable};
use crate::server::access::Action;
use crate::server::broker::Entry;
use crate::server::fold::facts::Facts;
use crate::server::state::KnownDraft;

/// The outcome of an entry whose `client_id` an earlier one has: that one's, if author, kind, room, target and slot are
/// the same. Of what a `void` took back before it came no words are known: only the author counts.
pub(in crate::server::fold) fn repeated(first: &KnownDraft, header: &Header) -> Outcome {
    let same = first.words.as_ref().is_none_or(|words| *words == header_words(header));
    if same && first.author == header.author {
        first.outcome
    } else {
        Outcome::Refused { why: Refusal::OtherDraft }
    }
}

/// What two proposals of one text have in common whatever their salt: 16 bytes that do not tell it. None of an entry that
/// has no text, or whose text does not tell drafts apart: all forms of a restore are one draft.
pub(in crate::server::fold) fn sameness(salt: &str, entry: &Entry) -> Option<Vec<u8>> {
    let header = &entry.header;
    if erasable(Format::Five, &header.kind, header.slot.as_ref()) != Erasable::Always {
        return None;
    }
    let draft = Stored::erasable(entry.body.as_deref()?)?.draft;
    Some(hash_of(salt, header, Some(draft)))
}

pub(super) fn void(header: &Header, draft: ClientId, facts: Facts<'_>) -> Result<Accepted, NotAccepted> {
    let known = facts.draft(draft)?;
    let author = known.as_ref().map_or(header.author, |known| known.author);
    facts.permit(&facts.author(header).of_account(author), Action::TakeBack)?;
    match known {
        None => Ok(Effect::TakeBack(draft).outside_rooms()),
        Some(known) if matches!(known.outcome, Outcome::Stored { .. }) => Err(Refusal::TooLate.into()),
        Some(_) => Ok(Effect::None.outside_rooms()),
    }
}
