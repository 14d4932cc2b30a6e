//! Entries of a store as they are kept, for a reader that does not trust them: `beck verify`.

use super::entries::Keys;
use super::mark;
use super::place::{AT_ONCE, Place, words};
use super::settings::RedisSettings;
use crate::server::broker::moving::Moved;
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeMap;

/// What a store keeps under one number of the log.
#[derive(Debug, Default)]
pub struct KeptEntry {
    pub g: u64,
    /// The values of the stream's entry by their names; `None` if the stream has none.
    pub fields: Option<Vec<(String, String)>>,
    /// `at link rest`, from the headers of what was erased.
    pub erased: Option<String>,
}

/// The log of a store whose servers may be at work. Reads only.
pub struct RawStore(Place);

type Found = Vec<(String, Vec<Vec<u8>>)>;

impl RawStore {
    pub async fn open(settings: &RedisSettings) -> Moved<RawStore> {
        let (place, _) = Place::open(settings, Keys::of(settings)).await?;
        match mark::says(&place.line, &place.keys).await.map_err(words)? {
            Some(says) => Err(says),
            None => Ok(RawStore(place)),
        }
    }

    pub fn name(&self) -> String {
        self.0.name()
    }

    /// The number of the newest entry of the stream; `None` if there is none.
    pub async fn last(&self) -> Moved<Option<u64>> {
        let found: Found = self.0.line.read(&self.0.keys.last()).await.map_err(words)?;
        Ok(found.first().map(|(id, _)| number(id)))
    }

    /// What is kept under up to `limit` numbers from `from` on; numbers under which nothing is kept are left out.
    pub async fn read(&self, from: u64, limit: usize) -> Moved<Vec<KeptEntry>> {
        let Place { line, keys, .. } = &self.0;
        let found: Found = line.read(&keys.range(from, limit)).await.map_err(words)?;
        let Some((last, _)) = found.last() else { return Ok(Vec::new()) };
        let end = number(last).saturating_add(1).min(from.saturating_add(limit as u64));
        let mut kept: BTreeMap<u64, KeptEntry> = BTreeMap::new();
        for (id, values) in found {
            let g = number(&id);
            if g < end {
                kept.insert(g, KeptEntry { g, fields: Some(fields(&id, values)), erased: None });
            }
        }
        if end > from {
            let erased: Vec<Option<Vec<u8>>> = line.read(&keys.erased(from..end)).await.map_err(words)?;
            for (g, header) in (from..end).zip(erased) {
                let Some(header) = header else { continue };
                let entry = kept.entry(g).or_insert(KeptEntry { g, ..KeptEntry::default() });
                entry.erased = Some(String::from_utf8_lossy(&header).into_owned());
                // It may have been erased between the two questions: then it is no more in the stream.
                if entry.fields.is_some() && self.in_stream(g).await?.is_none() {
                    entry.fields = None;
                }
            }
        }
        Ok(kept.into_values().collect())
    }

    /// What is kept under each of these numbers.
    pub async fn read_each(&self, numbers: &[u64]) -> Moved<Vec<KeptEntry>> {
        let each = stream::iter(numbers.to_vec()).map(|g| async move {
            let Place { line, keys, .. } = &self.0;
            let fields = self.in_stream(g).await?;
            if fields.is_some() {
                return Moved::Ok(KeptEntry { g, fields, erased: None });
            }
            let erased: Vec<Option<Vec<u8>>> =
                line.read(&keys.erased(std::iter::once(g))).await.map_err(words)?;
            let erased = erased.into_iter().next().flatten();
            let erased = erased.map(|header| String::from_utf8_lossy(&header).into_owned());
            Ok(KeptEntry { g, fields: None, erased })
        });
        each.buffered(AT_ONCE).try_collect().await
    }

    async fn in_stream(&self, g: u64) -> Moved<Option<Vec<(String, String)>>> {
        let found: Found = self.0.line.read(&self.0.keys.range(g, 1)).await.map_err(words)?;
        let found = found.into_iter().next().filter(|(id, _)| number(id) == g);
        Ok(found.map(|(id, values)| fields(&id, values)))
    }
}

fn number(id: &str) -> u64 {
    id.split('-').next().and_then(|g| g.parse().ok()).unwrap_or(0)
}

/// An id that Beck does not write stands among the fields, so that they are of no form that it reads.
fn fields(id: &str, values: Vec<Vec<u8>>) -> Vec<(String, String)> {
    let texts: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    let mut fields: Vec<_> = texts.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    if !id.ends_with("-0") {
        fields.insert(0, ("id".to_owned(), id.to_owned()));
    }
    fields
}
