//! A message's text as a tree: a part of CommonMark with tables, tasks and struck out words, mentions, rooms and bare
//! links. Never HTML: what is no markup is text. `docs/text.md` tells what is markup and what is not.
//!
//! Every text parses, in steps that are bounded by its length: lines are read once per level of nesting, of which there
//! are [`LEVELS`] at most, and whatever looks ahead or back has a bound of its own.

mod block;
pub mod code;
pub mod emoji;
mod inline;
pub mod matching;
mod mention;
mod plain;

pub use mention::{Named, mentions, named, slug};
pub use plain::{first_line, plain};

/// Quotes and lists within each other, and spans within each other; what is deeper is text.
pub const LEVELS: usize = 8;

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Text(String),
    /// What holds other pieces; for [`Tag::Code`] one text, for [`Tag::Rule`] nothing.
    Part(Tag, Vec<Node>),
    /// Fenced code. The language is the word after the fence, or empty.
    Fenced {
        language: String,
        code: String,
    },
    /// `http`, `https` and `mailto` only. Without a text of its own it shows its address.
    Link {
        url: String,
        text: Vec<Node>,
    },
    /// What may be a mention, as it was typed, `@` included; its handle in small letters. Whether anybody has it the
    /// text does not tell.
    Mention {
        typed: String,
        handle: String,
    },
    /// What may be a room, as it was typed, `#` included; its [`slug`].
    Room {
        typed: String,
        slug: String,
    },
}

/// What a part is. The first ones stand by themselves, those from [`Tag::Strong`] on within a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// Its texts keep their line breaks.
    Paragraph,
    /// Level 1 to 6.
    Heading(u8),
    Quote,
    Rule,
    List,
    /// The number of its first item.
    Ordered(u32),
    Item,
    /// An item that is to be done, or is done.
    Task(bool),
    Table,
    Row,
    HeadCell(Align),
    Cell(Align),
    Strong,
    Emphasis,
    Struck,
    Code,
}

/// How a column of a table is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Start,
    Middle,
    End,
}

/// Parses a text.
pub fn parse(text: &str) -> Vec<Node> {
    parse_counted(text).0
}

/// As [`parse`], with the number of steps that it took: bytes, lines and pieces looked at.
pub fn parse_counted(text: &str) -> (Vec<Node>, usize) {
    let mut parser = Parser { steps: 0 };
    let lines: Vec<&str> = text.lines().collect();
    let nodes = parser.blocks(&lines, 0);
    (nodes, parser.steps)
}

struct Parser {
    steps: usize,
}
