//! Moving a workspace to another backend: every entry with its number, time and link, and what stands beside the log.
//!
//! A target that was not committed is not a log: servers refuse it and say why, and the next move goes on with it.

use super::{Entry, Head, Pointer};
use crate::protocol::AccountId;
use futures::future::BoxFuture;
use std::collections::BTreeMap;

/// A secret with its version and its end, in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSecret {
    pub value: String,
    pub version: u64,
    pub expires: Option<i64>,
}

/// What stands beside a log: secrets by key, pointers by account and key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    pub secrets: BTreeMap<String, KeptSecret>,
    pub pointers: BTreeMap<(String, String), Pointer>,
}

impl Beside {
    /// Without the secrets that have ended by then.
    pub fn after(mut self, now: i64) -> Beside {
        self.secrets.retain(|_, secret| secret.expires.is_none_or(|end| end > now));
        self
    }

    /// Adds what is missing here; of pointers the higher ones.
    pub fn fill(&mut self, other: Beside) {
        for (key, secret) in other.secrets {
            self.secrets.entry(key).or_insert(secret);
        }
        for (key, pointer) in other.pointers {
            let here = self.pointers.entry(key).or_default();
            *here = pointer.max(*here);
        }
    }
}

/// The fault of a move: one sentence that says what to do, without a full stop.
pub type Moved<T> = Result<T, String>;

/// One side of a move. Nobody else writes there meanwhile.
pub trait Side: Send + Sync {
    /// As people call it: where it is.
    fn name(&self) -> String;

    /// Where its log ends, as far as it is there.
    fn head(&self) -> BoxFuture<'_, Moved<Option<Head>>>;

    /// Up to `limit` entries with `g >= from`, in order.
    fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Moved<Vec<Entry>>>;

    fn beside(&self) -> BoxFuture<'_, Moved<Beside>>;
}

/// A log that may be in use: others may write there meanwhile.
pub trait LiveLog: Side {
    /// The read pointers of these accounts.
    fn pointers<'a>(
        &'a self,
        accounts: &'a [AccountId],
    ) -> BoxFuture<'a, Moved<BTreeMap<(AccountId, String), Pointer>>>;

    /// The secrets of these names that are there and have no end.
    fn secrets<'a>(&'a self, names: &'a [String]) -> BoxFuture<'a, Moved<BTreeMap<String, KeptSecret>>>;
}

/// Where a workspace is moved from. It is left as it is, but for the seal.
pub trait Source: Side {
    /// The name of the target that it was sealed for.
    fn sealed(&self) -> BoxFuture<'_, Moved<Option<String>>>;

    /// From now on nothing is appended to it and no server serves it; `false` if it does not end there.
    fn seal<'a>(&'a self, end: Head, target: &'a str) -> BoxFuture<'a, Moved<bool>>;
}

/// Where a workspace is moved to.
pub trait Target: Side {
    /// Marks it as unfinished.
    fn begin<'a>(&'a self, workspace: &'a str) -> BoxFuture<'a, Moved<()>>;

    /// Puts entries in their places, in place of what is there.
    fn put<'a>(&'a self, entries: &'a [Entry]) -> BoxFuture<'a, Moved<()>>;

    /// Puts this beside the log in place of what is there.
    fn put_beside<'a>(&'a self, beside: &'a Beside) -> BoxFuture<'a, Moved<()>>;

    /// Makes it the log that servers serve, in one step.
    fn commit(&self) -> BoxFuture<'_, Moved<()>>;
}
