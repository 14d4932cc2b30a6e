//! Entries that this server has and the log has no more, as they go into `lost.jsonl`.

use crate::protocol::stored::Stored;
use crate::protocol::{Hash, Header};
use crate::server::broker::Entry;

/// A line of `lost.jsonl`.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct LostEntry {
    pub header: Header,
    /// Known of those that come from a copy of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Hash>,
    /// The draft: without salt and added part; none where it was erased.
    pub body: Option<serde_json::Value>,
}

impl From<Entry> for LostEntry {
    fn from(entry: Entry) -> LostEntry {
        let draft = || entry.body.as_deref().and_then(Stored::erasable).map(|stored| stored.draft);
        let of = |json: &str| serde_json::from_str(json).ok();
        let body = entry.json().and_then(of).or_else(|| draft().and_then(of));
        LostEntry { header: entry.header, link: Some(entry.link), body }
    }
}

/// What is held of lost entries at once, oldest first: never more than [`LostBatch::MOST`], however many are lost.
#[derive(Debug, Default)]
pub struct LostBatch(Vec<LostEntry>);

impl LostBatch {
    pub const MOST: usize = 512;

    /// Takes the first [`LostBatch::MOST`] of these.
    pub fn take<E>(entries: impl IntoIterator<Item = Result<LostEntry, E>>) -> Result<LostBatch, E> {
        entries.into_iter().take(Self::MOST).collect::<Result<_, E>>().map(LostBatch)
    }

    pub fn entries(&self) -> &[LostEntry] {
        &self.0
    }

    /// The number of its newest entry; none of an empty one.
    pub fn last(&self) -> Option<u64> {
        self.0.last().map(|entry| entry.header.g)
    }
}
