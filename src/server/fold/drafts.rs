//! What is kept of every proposal: its outcome, and how to tell the same draft from another one.

use super::Fold;
use crate::protocol::{AccountId, ClientId, Outcome, RoomId};
use crate::server::broker::Entry;
use crate::server::state;
use rusqlite::params;
use sha2::{Digest as _, Sha256};

impl Fold {
    pub(super) fn keep_draft(
        &self,
        id: ClientId,
        author: AccountId,
        g: u64,
        outcome: Outcome,
        entry: Option<&Entry>,
    ) -> rusqlite::Result<()> {
        let (refused, seq, ordinal) = match outcome {
            Outcome::Stored { seq, ordinal, .. } => (None, seq, ordinal),
            Outcome::Refused { why } => {
                let why = serde_json::to_value(why).ok();
                let why = why.as_ref().and_then(|why| why.as_str()).unwrap_or("other").to_owned();
                (Some(why), None, None)
            }
        };
        let salt = entry.and_then(|entry| entry.body.as_deref()).and_then(|body| body.get(..16));
        let same = entry.zip(salt).map(|(entry, salt)| sameness(salt, entry));
        let sql = "INSERT INTO drafts(id, author, g, refused, seq, ordinal, salt, same)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        self.db.prepare_cached(sql)?.execute(params![
            id.as_bytes(),
            author.as_str(),
            g as i64,
            refused,
            seq.map(|seq| seq as i64),
            ordinal.map(|ordinal| ordinal as i64),
            salt,
            same
        ])?;
        Ok(())
    }
}

/// What two proposals of one draft have in common whatever their salt: 16 bytes that do not tell the text.
pub fn sameness(salt: &str, entry: &Entry) -> Vec<u8> {
    let header = &entry.header;
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(header.kind.as_str());
    for word in [
        header.room.as_ref().map(RoomId::as_str),
        header.target.as_ref().map(|target| target.as_str()),
        header.slot.as_ref().map(|slot| slot.as_str()),
        entry.json(),
    ] {
        hash.update([0]);
        hash.update(word.unwrap_or(""));
    }
    hash.finalize()[..16].to_vec()
}

/// Whether an entry repeats a draft that is known. Where the text was erased nothing can be compared: it does.
pub fn same_draft(known: &state::KnownDraft, entry: &Entry) -> bool {
    match (&known.salt, &known.same, &entry.body) {
        (Some(salt), Some(same), Some(_)) => sameness(salt, entry) == *same,
        _ => true,
    }
}
