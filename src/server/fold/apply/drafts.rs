//! What is kept of every proposal: its outcome, and how to tell the same draft from another one.

use crate::protocol::{AccountId, ClientId, Header, Outcome};
use crate::server::broker::Entry;
use crate::server::fold::decide::{header_words, sameness};
use crate::server::fold::{Fold, Rules};
use rusqlite::params;

impl Fold {
    /// Keeps the outcome of the first entry with this `client_id`, or that it is taken back where `entry` is none.
    pub(in crate::server::fold) fn keep_draft(
        &self,
        rules: &Rules,
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
        let same = entry.zip(salt).and_then(|(entry, salt)| sameness(rules, salt, entry));
        let salt = salt.filter(|_| same.is_some());
        let sql = "INSERT INTO drafts(id, author, g, refused, seq, ordinal, salt, same, words)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        self.db.prepare_cached(sql)?.execute(params![
            id.as_bytes(),
            author.as_str(),
            g as i64,
            refused,
            seq.map(|seq| seq as i64),
            ordinal.map(|ordinal| ordinal as i64),
            salt,
            same,
            entry.map(|entry| header_words(&entry.header))
        ])?;
        Ok(())
    }

    /// Keeps that an entry has the `client_id` of an earlier one: its text goes with the first's.
    pub(in crate::server::fold) fn keep_repeated(&self, header: &Header) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("INSERT OR IGNORE INTO doubles(id, g) VALUES(?1, ?2)")?
            .execute(params![header.client_id.as_bytes(), header.g as i64])?;
        Ok(())
    }
}
