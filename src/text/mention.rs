//! Whom a text names: `@handle`, or `@room` for everybody in the room.

use super::{Block, Span, blocks};
use crate::protocol::bounds::HANDLE_CHARS;
use std::collections::BTreeSet;

/// The handles that a text names, in small letters, outside code and links.
pub fn mentions(text: &str) -> BTreeSet<String> {
    if !text.contains('@') {
        return BTreeSet::new();
    }
    let spans = blocks(text).into_iter().flat_map(|block| match block {
        Block::Paragraph(spans) => spans,
        Block::Code(_) => Vec::new(),
    });
    let handle = |span| match span {
        Span::Mention { handle, .. } => Some(handle),
        _ => None,
    };
    spans.filter_map(handle).collect()
}

/// A letter or digit of a script that puts spaces between words: `name@example.org` is an address, `に@misaki` is none.
fn continues_a_word(c: char) -> bool {
    c.is_alphanumeric() && c < '\u{0590}'
}

pub(super) fn mention(rest: &str, before: &str) -> Option<(Span, usize)> {
    let name = rest.strip_prefix('@')?;
    let starts = before.chars().next_back().is_none_or(|c| !(continues_a_word(c) || "_-+%/@".contains(c)));
    if !starts || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let in_handle = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let run = &name[..name.find(|c| !in_handle(c)).unwrap_or(name.len())];
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
    Some((Span::Mention { typed, handle }, length))
}
