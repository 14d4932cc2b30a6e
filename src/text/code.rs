//! Fenced code in colours: one scanner, and a line of words for each language. It colours what it is sure of; the rest
//! stays as it is.

/// What a piece of code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Plain,
    Keyword,
    Text,
    Comment,
    Number,
    /// A key, an attribute, a variable.
    Name,
    Added,
    Removed,
}

/// Pieces of one code that are coloured; what follows is plain.
pub const PIECES: usize = 2000;

struct Language {
    /// What may stand after the fence.
    names: &'static str,
    /// Up to two marks after which the rest of the line is a comment.
    line: &'static str,
    /// What a comment over lines begins and ends with.
    block: &'static str,
    quotes: &'static str,
    traits: u8,
    keywords: &'static str,
}

/// Three quotes make a text over lines.
const TRIPLE: u8 = 1;
/// Keywords in capitals as well.
const CASELESS: u8 = 2;
/// The first word of a line is a name if `:` or `=` follows, and a quoted text if `:` follows.
const KEYS: u8 = 4;
/// `$name`.
const DOLLAR: u8 = 8;
/// Tags: nothing is said outside `<` and `>`.
const TAGS: u8 = 16;
/// Lines are added or removed.
const DIFF: u8 = 32;
/// A dash is part of a word.
const DASHES: u8 = 64;

macro_rules! language {
    ($names:literal, $line:literal, $block:literal, $quotes:literal, $traits:expr, $keywords:literal) => {
        Language {
            names: $names,
            line: $line,
            block: $block,
            quotes: $quotes,
            traits: $traits,
            keywords: $keywords,
        }
    };
}

#[rustfmt::skip]
const LANGUAGES: [Language; 15] = [
    language!("rust rs", "//", "/* */", "\"", 0, "as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub ref return self Self static struct super trait true type unsafe use where while"),
    language!("javascript js jsx mjs typescript ts tsx", "//", "/* */", "\"'`", 0, "abstract as async await break case catch class const continue declare default delete do else enum export extends false finally for from function get if implements import in instanceof interface keyof let namespace new null of private protected public readonly return satisfies set static super switch this throw true try type typeof undefined var void while yield"),
    language!("python py", "#", "", "\"'", TRIPLE, "and as assert async await break case class continue def del elif else except False finally for from global if import in is lambda match None nonlocal not or pass raise return self True try while with yield"),
    language!("go golang", "//", "/* */", "\"'`", 0, "break case chan const continue default defer else fallthrough false for func go goto if import interface iota map nil package range return select struct switch true type var"),
    language!("c h cpp c++ cc hpp objc", "//", "/* */", "\"'", 0, "alignas auto bool break case catch char class const constexpr continue default delete do double else enum explicit extern false final float for friend goto if inline int long namespace new noexcept nullptr operator override private protected public register return short signed sizeof static struct switch template this throw true try typedef typename union unsigned using virtual void volatile while"),
    language!("java kotlin kt csharp cs swift scala", "//", "/* */", "\"'", TRIPLE, "abstract as async await bool boolean break byte case catch char class const continue data def default do double else enum extends extension false final finally float for foreach fun func get guard if implements import in init instanceof int interface internal is let long namespace new nil null object open override package private protected public readonly record return sealed self set short static string struct super switch this throw throws true try using val var virtual void when where while"),
    language!("json jsonc json5", "//", "", "\"", KEYS, "true false null"),
    language!("html xml svg vue", "", "<!-- -->", "\"'", TAGS | DASHES, ""),
    language!("css scss less", "//", "/* */", "\"'", KEYS | DASHES, "important media supports import keyframes layer container from to and not only"),
    language!("shell sh bash zsh console", "#", "", "\"'", DOLLAR | DASHES, "alias break case cd continue do done echo elif else esac eval exec exit export fi for function if in local readonly return set shift source sudo then trap unset until while"),
    language!("sql postgres sqlite mysql", "--", "/* */", "'\"", CASELESS, "add all alter and as asc begin between by case cascade check column commit constraint count create cross default delete desc distinct drop else end except exists foreign from full group having if in index inner insert into is join key left like limit not null offset on or order outer over partition primary references returning right rollback select set table then transaction trigger union unique update using values view when where with"),
    language!("toml ini cfg conf", "#", "", "\"'", KEYS | TRIPLE | DASHES, "true false"),
    language!("yaml yml", "#", "", "\"'", KEYS | DASHES, "true false null yes no on off"),
    language!("diff patch", "", "", "", DIFF, ""),
    language!("ruby rb php perl lua elixir", "#", "", "\"'", DOLLAR, "and begin break case class def defmodule do done else elseif elsif end ensure false fn for foreach function if in include local module new next nil not null or package private protected public repeat require rescue return self static sub super then true undef unless until use var when while yield"),
];

fn language(name: &str) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| has(language.names, name))
}

/// Whether code in that language is coloured.
pub fn knows(name: &str) -> bool {
    language(name).is_some()
}

/// Whether a word is one of a list.
fn has(words: &str, word: &str) -> bool {
    words.split(' ').any(|one| one == word)
}

/// The pieces of a code in order, each with where it ends. All together they are the whole code.
pub fn pieces(name: &str, code: &str) -> Vec<(Class, usize)> {
    let Some(language) = language(name) else { return vec![(Class::Plain, code.len())] };
    let mut scanner = Scanner { language, code, at: 0, pieces: Vec::new(), tag: false, head: true };
    while scanner.at < code.len() && scanner.pieces.len() < PIECES {
        let begin = scanner.at;
        let class = if language.traits & DIFF != 0 { scanner.changed() } else { scanner.piece() };
        if scanner.code[begin..scanner.at].contains('\n') {
            scanner.head = true;
        }
        scanner.push(class);
    }
    scanner.at = code.len();
    scanner.push(Class::Plain);
    scanner.pieces
}

struct Scanner<'a> {
    language: &'static Language,
    code: &'a str,
    at: usize,
    pieces: Vec<(Class, usize)>,
    /// Within a tag.
    tag: bool,
    /// Nothing but spaces stands before it on the line.
    head: bool,
}

impl<'a> Scanner<'a> {
    fn is(&self, traits: u8) -> bool {
        self.language.traits & traits != 0
    }

    fn rest(&self) -> &'a str {
        &self.code[self.at..]
    }

    fn push(&mut self, class: Class) {
        match self.pieces.last_mut() {
            Some((last, end)) if *last == class => *end = self.at,
            Some((_, end)) if *end == self.at => {}
            None if self.at == 0 => {}
            _ => self.pieces.push((class, self.at)),
        }
    }

    /// Goes on while this holds.
    fn skip(&mut self, holds: impl Fn(char) -> bool) {
        self.at += self.rest().find(|c| !holds(c)).unwrap_or(self.rest().len());
    }

    fn rest_of_line(&mut self) {
        self.skip(|c| c != '\n');
    }

    fn changed(&mut self) -> Class {
        let class = match self.rest().as_bytes()[0] {
            b'+' => Class::Added,
            b'-' => Class::Removed,
            b'@' | b'd' | b'i' => Class::Comment,
            _ => Class::Plain,
        };
        self.rest_of_line();
        self.skip(|c| c == '\n');
        class
    }

    fn piece(&mut self) -> Class {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Class::Plain };
        let (begin, end) = self.language.block.split_once(' ').unwrap_or(("", ""));
        if !begin.is_empty() && rest.starts_with(begin) {
            self.at += rest.find(end).map_or(rest.len(), |at| at + end.len());
            return Class::Comment;
        }
        // `#` within a word, `//` within an address: no comments.
        let line = self.language.line;
        let apart = !self.code[..self.at].ends_with(|c: char| c == ':' || c.is_alphanumeric() || c == '$');
        if !line.is_empty() && rest.starts_with(line) && apart {
            self.rest_of_line();
            return Class::Comment;
        }
        if self.is(TAGS) && !self.tag {
            let opens = first == '<';
            self.at += first.len_utf8();
            if opens {
                self.tag = true;
                self.skip(|c| c == '/' || c == '!' || c == '?');
                self.skip(|c| c.is_alphanumeric() || c == '-' || c == ':');
                return Class::Keyword;
            }
            self.skip(|c| c != '<');
            return Class::Plain;
        }
        if self.language.quotes.contains(first) {
            return self.text(first);
        }
        if first == '\'' && self.language.quotes == "\"" {
            return self.letter();
        }
        if first.is_ascii_digit() {
            self.skip(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
            return Class::Number;
        }
        let dash = first == '-'
            && self.is(DASHES)
            && rest[1..].starts_with(|c: char| c == '-' || c.is_alphanumeric());
        if first.is_alphabetic() || first == '_' || first == '$' || dash {
            return self.word(first);
        }
        if self.tag && first == '>' {
            self.tag = false;
            self.at += 1;
            return Class::Keyword;
        }
        self.head &= first.is_whitespace() || first == '-';
        self.at += first.len_utf8();
        Class::Plain
    }

    /// A text ends on its line, but for those that do not.
    fn text(&mut self, quote: char) -> Class {
        let rest = self.rest();
        let triple = [quote; 3].iter().collect::<String>();
        if self.is(TRIPLE) && rest.starts_with(&triple) {
            self.at += rest[3..].find(&triple).map_or(rest.len(), |at| at + 6);
            return Class::Text;
        }
        let over_lines = quote == '`' || self.tag || self.language.names.starts_with("rust");
        let mut escaped = true;
        let end = rest.char_indices().find(|(_, c)| {
            let ends = !escaped && (*c == quote || (*c == '\n' && !over_lines));
            escaped = !escaped && *c == '\\';
            ends
        });
        self.at += match end {
            Some((end, '\n')) => end,
            Some((end, _)) => end + 1,
            None => rest.len(),
        };
        if self.is(KEYS) && self.rest().trim_start_matches(' ').starts_with(':') {
            Class::Name
        } else {
            Class::Text
        }
    }

    /// `'a'`, but not the `'a` of a lifetime.
    fn letter(&mut self) -> Class {
        let rest = self.rest();
        let end = rest.char_indices().skip(2).take(9).find(|(_, c)| *c == '\'').map(|(end, _)| end);
        match end {
            Some(end) if rest.starts_with("'\\") || rest[1..end].chars().count() == 1 => {
                self.at += end + 1;
                Class::Text
            }
            _ => {
                self.at += 1;
                Class::Plain
            }
        }
    }

    fn word(&mut self, first: char) -> Class {
        let begin = self.at;
        let dashes = self.is(DASHES);
        self.at = begin + first.len_utf8();
        self.skip(|c| c.is_alphanumeric() || c == '_' || (dashes && c == '-'));
        let word = &self.code[begin..self.at];
        let head = std::mem::replace(&mut self.head, false);
        if self.tag {
            return Class::Name;
        }
        if first == '$' && self.is(DOLLAR) {
            return Class::Name;
        }
        let after = self.rest().trim_start_matches(' ');
        if self.is(KEYS) && head && after.starts_with([':', '=']) {
            return Class::Name;
        }
        let keywords = self.language.keywords;
        let found =
            if self.is(CASELESS) { has(keywords, &word.to_ascii_lowercase()) } else { has(keywords, word) };
        if found { Class::Keyword } else { Class::Plain }
    }
}
