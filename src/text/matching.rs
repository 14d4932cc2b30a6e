//! Whether a name is what somebody means who typed a part of it, with slips.

/// Letters with marks, after the letter that people type for them.
const MARKED: [(char, &str); 22] = [
    ('a', "àáâãäåāăą"),
    ('c', "çćĉċč"),
    ('d', "ďđð"),
    ('e', "èéêëēĕėęě"),
    ('g', "ĝğġģ"),
    ('h', "ĥħ"),
    ('i', "ìíîïĩīĭįı"),
    ('j', "ĵ"),
    ('k', "ķ"),
    ('l', "ĺļľŀł"),
    ('n', "ñńņňŋ"),
    ('o', "òóôõöøōŏő"),
    ('r', "ŕŗř"),
    ('s', "śŝşšș"),
    ('t', "ţťŧț"),
    ('u', "ùúûüũūŭůűų"),
    ('w', "ŵ"),
    ('y', "ýÿŷ"),
    ('z', "źżž"),
    ('s', "ß"),
    ('a', "æ"),
    ('o', "œ"),
];

/// Names above this length are compared by their beginning only, so that the work is bounded.
const LENGTH: usize = 80;

fn plain(text: &str) -> Vec<char> {
    let lower = text.chars().flat_map(char::to_lowercase);
    let unmarked =
        |c: char| MARKED.iter().find(|(_, marked)| marked.contains(c)).map_or(c, |(letter, _)| *letter);
    lower.map(|c| if c.is_alphanumeric() { unmarked(c) } else { ' ' }).take(LENGTH).collect()
}

/// How far off the meaning is; 0 is nearest. `None`: it does not match. Every word of the query must be found: at the
/// beginning of a word, within one, as letters in their order, or with one letter wrong, missing, too many or swapped.
pub fn distance(query: &str, name: &str) -> Option<u32> {
    let (query, name) = (plain(query), plain(name));
    let words: Vec<&[char]> = name.split(|c| *c == ' ').filter(|word| !word.is_empty()).collect();
    let mut sum = 0;
    for (nth, part) in query.split(|c| *c == ' ').filter(|part| !part.is_empty()).enumerate() {
        let at_start = words.iter().position(|word| word.starts_with(part));
        sum += match at_start {
            Some(place) if place == nth => 0,
            Some(_) => 1,
            None if words.iter().any(|word| word.windows(part.len()).any(|run| run == part)) => 3,
            None if part.len() > 3 && words.iter().any(|word| one_slip(part, word)) => 6,
            None if part.len() > 2 && in_order(part, &name) => 9,
            None => return None,
        };
    }
    Some(sum)
}

fn in_order(part: &[char], name: &[char]) -> bool {
    let mut rest = part.iter().peekable();
    for c in name {
        rest.next_if(|next| *next == c);
    }
    rest.peek().is_none()
}

/// Whether the word begins with the part, but for one slip.
fn one_slip(part: &[char], word: &[char]) -> bool {
    let same = part.iter().zip(word).take_while(|(a, b)| a == b).count();
    let (part, word) = (&part[same..], &word[same..]);
    let swapped = part.len() > 1 && word.len() > 1 && part[0] == word[1] && part[1] == word[0];
    let rest = |part_from: usize, word_from: usize| {
        word.get(word_from..).zip(part.get(part_from..)).is_some_and(|(word, part)| word.starts_with(part))
    };
    rest(1, 1) || rest(1, 0) || rest(0, 1) || (swapped && rest(2, 2))
}
