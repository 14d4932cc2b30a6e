//! Walks a log from one entry to the next and says the first thing that is wrong.

use super::entries::StoredEntry;
use crate::protocol::{Digest, Hash};
use sha2::{Digest as _, Sha256};

/// Where a walk stands: after which entry, and with which link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    pub g: u64,
    pub link: Hash,
    pub at: i64,
    /// Entries without a body so far.
    pub erased: u64,
}

impl Walk {
    /// Before the first entry.
    pub fn start() -> Walk {
        Walk { g: 0, link: Hash::ZERO, at: i64::MIN, erased: 0 }
    }

    /// After an entry whose link is taken as it is.
    pub fn after(entry: &StoredEntry) -> Result<Walk, String> {
        let link = entry.link.parse().map_err(|_| format!("entry {} has no link", entry.g))?;
        Ok(Walk { g: entry.g, link, at: entry.at, erased: 0 })
    }

    /// Goes on to the next entry. What is wrong is said as a clause that begins with its number.
    pub fn step(&mut self, entry: &StoredEntry) -> Result<(), String> {
        let StoredEntry { g, at, rest, body, link, fault } = entry;
        let next = self.g + 1;
        if *g != next {
            return Err(format!("entry {next} is missing (the next one is {g})"));
        }
        if let Some(fault) = fault {
            return Err(format!("entry {g} {fault}"));
        }
        let Some(header) = entry.header() else {
            return Err(format!("entry {g} has a header that cannot be read"));
        };
        if *at < self.at {
            return Err(format!(
                "the time of entry {g} ({at}) is before that of the entry before it ({})",
                self.at
            ));
        }
        let expected = self.link.then_text(*g, *at, rest);
        if link.parse() != Ok(expected) {
            return Err(format!(
                "entry {g} does not continue the one before it (its link is {link}, not {expected})"
            ));
        }
        match body {
            Some(body) if digest(body) != header.digest => {
                return Err(format!("the body of entry {g} does not match the digest in its header"));
            }
            Some(_) => {}
            None => self.erased += 1,
        }
        (self.g, self.link, self.at) = (*g, expected, *at);
        Ok(())
    }
}

fn digest(body: &str) -> Digest {
    let full = Sha256::digest(body.as_bytes());
    Digest(std::array::from_fn(|n| full[n]))
}
