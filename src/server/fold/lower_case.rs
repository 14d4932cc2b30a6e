//! The lower case of a name by tables in the source: a decision depends on it, and a compiler brings new tables.

mod tables;

use tables::{CASE_IGNORABLE, CASED, LOWER};

/// The lower case by Unicode 17.0, with the final sigma. A character that Unicode 17.0 does not assign stays.
pub fn lower_case(text: &str) -> String {
    let mut lower = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            'Σ' => lower.push(if is_final_sigma(text, at) { 'ς' } else { 'σ' }),
            'İ' => lower.push_str("i\u{307}"),
            c => lower.push(lower_case_of(c)),
        }
    }
    lower
}

fn lower_case_of(c: char) -> char {
    let number = c as u32;
    let after = LOWER.partition_point(|(first, ..)| *first <= number);
    let Some((first, last, step, added)) = after.checked_sub(1).map(|run| LOWER[run]) else { return c };
    let in_run = number <= last && (number - first).is_multiple_of(step);
    number.checked_add_signed(added).filter(|_| in_run).and_then(char::from_u32).unwrap_or(c)
}

/// `Final_Sigma` of the Unicode Standard, section 3.13: a cased letter stands before and none after, if one skips what is
/// ignored for case.
fn is_final_sigma(text: &str, at: usize) -> bool {
    let (before, from) = text.split_at(at);
    begins_cased(before.chars().rev()) && !begins_cased(from.chars().skip(1))
}

fn begins_cased(mut chars: impl Iterator<Item = char>) -> bool {
    chars.find(|c| !is_in(CASE_IGNORABLE, *c)).is_some_and(|c| is_in(CASED, c))
}

fn is_in(ranges: &[(u32, u32)], c: char) -> bool {
    let number = c as u32;
    let after = ranges.partition_point(|(first, _)| *first <= number);
    after.checked_sub(1).is_some_and(|range| number <= ranges[range].1)
}
