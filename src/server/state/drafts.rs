//! Proposals that the fold knows, and what is to be erased of them.

use super::{ReadError, Reader, client_id, event_body, number, parsed};
use crate::protocol::{
    AccountId, ActBody, ActValue, ClientId, Erasable, EventBody, Format, Header, Kind, Outcome, Refusal,
    erasable,
};
use rusqlite::OptionalExtension;

/// What is known of a proposal: the fold's answer and how to tell the same draft from another one.
pub struct KnownDraft {
    pub author: AccountId,
    pub outcome: Outcome,
    pub salt: Option<String>,
    pub same: Option<Vec<u8>>,
    /// Of the header words that name what it is; none where a `void` took it back before it came.
    pub words: Option<Vec<u8>>,
}

impl Reader<'_> {
    pub fn draft(&self, id: ClientId) -> Result<Option<KnownDraft>, ReadError> {
        let sql = "SELECT author, g, refused, seq, ordinal, salt, same, words FROM drafts WHERE id = ?1";
        let known = self.db.prepare_cached(sql)?.query_row([id.as_bytes()], |row| {
            let refused: Option<String> = row.get(2)?;
            let outcome = match refused {
                Some(why) => Outcome::Refused { why: refusal(&why) },
                None => Outcome::Stored {
                    g: number(row, 1)?,
                    seq: row.get::<_, Option<i64>>(3)?.map(|seq| seq as u64),
                    ordinal: row.get::<_, Option<i64>>(4)?.map(|ordinal| ordinal as u64),
                },
            };
            let author = parsed(row, 0)?;
            Ok(KnownDraft { author, outcome, salt: row.get(5)?, same: row.get(6)?, words: row.get(7)? })
        });
        Ok(known.optional()?)
    }

    /// Numbers of the log's entries that hold text of a message: its own, its edits', its doubles'.
    pub fn entries_of_message(&self, id: ClientId) -> Result<Vec<u64>, ReadError> {
        let sql = "SELECT e.g, e.at, e.rest, e.json FROM acts a
                   JOIN events e ON e.room = a.room AND e.seq = a.seq WHERE a.target = ?1";
        let mut select = self.db.prepare_cached(sql)?;
        let mut rows = select.query([id.as_bytes()])?;
        let mut ids = vec![id];
        while let Some(row) = rows.next()? {
            let rest: String = row.get(2)?;
            let Some(header) = Header::parse(number(row, 0)?, row.get(1)?, &rest) else { continue };
            let json: Option<String> = row.get(3)?;
            let goes = match erasable(Format::Four, &header.kind, header.slot.as_ref()) {
                Erasable::Always => true,
                Erasable::IfRestore => json.is_some_and(|json| restores(&json)),
                Erasable::Never => false,
            };
            if goes {
                ids.push(header.client_id);
            }
        }
        let sql = "SELECT g FROM drafts WHERE id = ?1 UNION SELECT g FROM doubles WHERE id = ?1";
        let mut select = self.db.prepare_cached(sql)?;
        let mut entries = Vec::new();
        for id in ids {
            let rows = select.query_map([id.as_bytes()], |row| number(row, 0))?;
            entries.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
        }
        Ok(entries)
    }

    /// How many messages were deleted after a time and still have their text.
    pub fn deleted_since(&self, at: i64) -> Result<u64, ReadError> {
        let sql = "SELECT COUNT(*) FROM to_erase WHERE at > ?1";
        let count: i64 = self.db.prepare_cached(sql)?.query_row([at], |row| row.get(0))?;
        Ok(count as u64)
    }

    /// Deleted messages whose text is due to go, the oldest deletion first.
    pub fn due_to_erase(&self, before: i64, limit: usize) -> Result<Vec<ClientId>, ReadError> {
        let sql = "SELECT id FROM to_erase WHERE at < ?1 ORDER BY at, id LIMIT ?2";
        let mut select = self.db.prepare_cached(sql)?;
        let rows = select.query_map([before, limit as i64], |row| client_id(row, 0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// When a message was deleted whose text is not erased yet: the first deletion since it was restored last.
    pub fn deleted_at(&self, id: ClientId) -> Result<Option<i64>, ReadError> {
        let mut select = self.db.prepare_cached("SELECT at FROM to_erase WHERE id = ?1")?;
        Ok(select.query_row([id.as_bytes()], |row| row.get(0)).optional()?)
    }
}

/// Whether an act on the slot `deleted` is decided as a restore with text.
fn restores(json: &str) -> bool {
    let body = event_body(&Kind::Act, json);
    matches!(body, Some(EventBody::Act(ActBody { value: ActValue::Restored { .. } })))
}

fn refusal(text: &str) -> Refusal {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).unwrap_or(Refusal::Other)
}
