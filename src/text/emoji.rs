//! Emoji that are offered, by the names that people type between colons. Any other one can be typed or pasted.

/// One emoji: the character, its name, and other words to find it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emoji {
    pub emoji: &'static str,
    pub name: &'static str,
    words: &'static str,
}

/// What most reactions are.
pub const USUAL: [&str; 6] = ["👍", "❤️", "😂", "🎉", "👀", "✅"];

/// More than these are no gesture: they are shown as text is.
const ALONE_BYTES: usize = 64;

/// A line each: emoji, name, other words. One text, since a table of pointers takes more of the client than the words.
/// The composer fetches the same file.
const TABLE: &str = include_str!("../../public/emoji.txt");

/// All that are offered.
pub fn all() -> impl Iterator<Item = Emoji> {
    TABLE.lines().filter_map(|line| {
        let (emoji, rest) = line.split_once(' ')?;
        let (name, words) = rest.split_once(' ').unwrap_or((rest, ""));
        Some(Emoji { emoji, name, words })
    })
}

/// Whether a text is a few emoji and nothing else; such a text is shown larger.
pub fn alone(text: &str) -> bool {
    let signs = |sign: char| matches!(u32::from(sign), 0x2300..=0x23FF | 0x2600..=0x27BF | 0x2B00..=0x2BFF | 0x1F000..=0x1FAFF);
    // What joins or colours a sign, a flag's letters, and what stands between.
    let between = |sign: char| matches!(u32::from(sign), 0x20 | 0x200D | 0xFE0F | 0xE0020..=0xE007F);
    text.len() <= ALONE_BYTES && text.contains(signs) && text.chars().all(|sign| signs(sign) || between(sign))
}

/// How an emoji is called; `None` for one that is not offered.
pub fn name_of(emoji: &str) -> Option<&'static str> {
    all().find(|known| known.emoji == emoji).map(|known| known.name)
}

/// Those whose name or words begin with each word of a query, those found by name first.
pub fn find(query: &str) -> Vec<Emoji> {
    let query = query.trim().trim_matches(':').to_lowercase();
    let words: Vec<_> = query.split([' ', '_']).filter(|word| !word.is_empty()).collect();
    let begins = |texts: &[&str]| {
        words.iter().all(|word| {
            texts.iter().flat_map(|text| text.split([' ', '_'])).any(|part| part.starts_with(*word))
        })
    };
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for emoji in all() {
        if begins(&[emoji.name]) {
            named.push(emoji);
        } else if begins(&[emoji.name, emoji.words]) {
            others.push(emoji);
        }
    }
    named.append(&mut others);
    named
}
