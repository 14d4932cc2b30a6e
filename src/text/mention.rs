//! Whom and what a text names: `@handle`, `@room` for everybody in the room, `#name-of-a-room`.

use super::{Node, parse};
use crate::protocol::bounds::{HANDLE_CHARS, NAME_CHARS};
use std::collections::BTreeSet;

/// What a text names, outside code and links. Whether there are such people and rooms it does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Handles in small letters.
    pub handles: BTreeSet<String>,
    /// [`slug`]s of rooms.
    pub rooms: BTreeSet<String>,
}

/// The handles that a text names.
pub fn mentions(text: &str) -> BTreeSet<String> {
    if text.contains('@') { named(text).handles } else { BTreeSet::new() }
}

pub fn named(text: &str) -> Named {
    let mut named = Named::default();
    if text.contains(['@', '#']) {
        collect(parse(text), &mut named);
    }
    named
}

fn collect(nodes: Vec<Node>, named: &mut Named) {
    for node in nodes {
        match node {
            Node::Mention { handle, .. } => drop(named.handles.insert(handle)),
            Node::Room { slug, .. } => drop(named.rooms.insert(slug)),
            Node::Part(_, inner) => collect(inner, named),
            _ => {}
        }
    }
}

/// A room's name as it is written in a text: letters and digits, small ones, and a dash for whatever else is between.
pub fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

/// A letter or digit of a script that puts spaces between words: `name@example.org` is an address, `に@misaki` is none.
fn continues_a_word(c: char) -> bool {
    c.is_alphanumeric() && c < '\u{0590}'
}

/// Whether a name may begin after this; what only emphasises it does not count.
fn begins(before: &str) -> bool {
    let before = before.trim_end_matches('_').chars().next_back();
    before.is_none_or(|c| !(continues_a_word(c) || "-+%/@#&".contains(c)))
}

/// What begins at an `@`, and its length.
pub(super) fn mention(rest: &str, before: &str, steps: &mut usize) -> Option<(Node, usize)> {
    let name = &rest[1..];
    if !begins(before) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let in_handle = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let run = &name[..name.find(|c| !in_handle(c)).unwrap_or(name.len())];
    *steps += run.len();
    if name[run.len()..].chars().next().is_some_and(|c| c == '@' || continues_a_word(c)) {
        return None;
    }
    // A full stop at its end belongs to the sentence.
    let handle = run.trim_end_matches(['.', '_', '-']);
    if !HANDLE_CHARS.contains(&handle.len()) {
        return None;
    }
    let length = 1 + handle.len();
    let (typed, handle) = (rest[..length].to_owned(), handle.to_ascii_lowercase());
    Some((Node::Mention { typed, handle }, length))
}

/// What begins at a `#`, and its length.
pub(super) fn room(rest: &str, before: &str, steps: &mut usize) -> Option<(Node, usize)> {
    let name = &rest[1..];
    let in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let run = &name[..name.find(|c| !in_name(c)).unwrap_or(name.len())];
    *steps += run.len();
    let run = run.trim_end_matches(['_', '-']);
    if !begins(before)
        || !NAME_CHARS.contains(&run.chars().count())
        || !run.starts_with(char::is_alphanumeric)
    {
        return None;
    }
    let length = 1 + run.len();
    Some((Node::Room { typed: rest[..length].to_owned(), slug: slug(run) }, length))
}
