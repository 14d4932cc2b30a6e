//! Whom a text names: the server that proposes it looks up its handles, and the accounts are stored with the text.

use super::directory::Directory;
use crate::protocol::bounds::{MENTIONED, ROOM_HANDLE, Unfit};
use crate::protocol::{AccountId, Added};
use crate::text;
use std::collections::BTreeMap;

/// What is known of the handles of a text beside the directory.
#[derive(Debug, Clone, Copy)]
pub struct Hints<'a> {
    /// Accounts that the writer chose from a list.
    pub named: &'a BTreeMap<String, AccountId>,
    /// What was stored with the text that an edit replaces.
    pub before: Option<&'a Added>,
}

/// The added part of a text, and whether one of its handles is unknown to this directory: then a newer directory may
/// give another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub added: Added,
    pub unknown: bool,
}

/// Looks up whom a text of `by` names. A hint counts only where the account has exactly that handle and `by` may see the
/// person. Whoever may post may name everybody.
pub fn resolve(
    directory: &Directory,
    by: AccountId,
    text: &str,
    hints: Hints<'_>,
) -> Result<Resolved, Unfit> {
    let mut resolved = Resolved { added: Added::default(), unknown: false };
    for handle in text::mentions(text) {
        if handle == ROOM_HANDLE {
            resolved.added.all = true;
            continue;
        }
        let kept = hints.before.and_then(|before| before.mentions.get(&handle)).copied();
        let seen = |id: &AccountId| directory.see_person(by, *id);
        let hinted = hints.named.get(&handle).copied();
        let hinted = hinted.filter(|id| seen(id).is_some_and(|account| account.handle == handle));
        let known = || directory.handles.get(&handle).copied().filter(|id| seen(id).is_some());
        match kept.or(hinted).or_else(known) {
            Some(account) => _ = resolved.added.mentions.insert(handle, account),
            None => resolved.unknown = true,
        }
    }
    if resolved.added.mentions.len() > MENTIONED {
        return Err(Unfit::Mentions { people: resolved.added.mentions.len() });
    }
    Ok(resolved)
}
