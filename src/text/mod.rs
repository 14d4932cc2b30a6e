//! A message's text as blocks: fenced code, paragraphs, inline code, bare links, mentions. One pass, no backtracking.

mod mention;

pub use mention::mentions;

pub mod emoji;

/// A block of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    Code(String),
    Paragraph(Vec<Span>),
}

/// A run of text within a paragraph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    Plain(String),
    Code(String),
    /// `http` and `https` only.
    Link(String),
    /// What may be a mention, as it was typed, `@` included; its handle in small letters. Whether anybody has it the
    /// text does not tell.
    Mention {
        typed: String,
        handle: String,
    },
}

const FENCE: &str = "```";

/// Parses a text; never fails: what is no markup is text.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with(FENCE) {
            end_paragraph(&mut paragraph, &mut blocks);
            let code: Vec<_> = lines.by_ref().take_while(|line| line.trim() != FENCE).collect();
            blocks.push(Block::Code(code.join("\n")));
        } else if line.trim().is_empty() {
            end_paragraph(&mut paragraph, &mut blocks);
        } else {
            paragraph.push(line);
        }
    }
    end_paragraph(&mut paragraph, &mut blocks);
    blocks
}

fn end_paragraph(lines: &mut Vec<&str>, blocks: &mut Vec<Block>) {
    if !lines.is_empty() {
        blocks.push(Block::Paragraph(spans(&lines.join("\n"))));
        lines.clear();
    }
}

fn spans(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut rest = text;
    let mut plain = String::new();
    while !rest.is_empty() {
        let next = rest.find(['`', 'h', '@']).unwrap_or(rest.len());
        plain.push_str(&rest[..next]);
        rest = &rest[next..];
        let found =
            inline_code(rest).or_else(|| link(rest, &plain)).or_else(|| mention::mention(rest, &plain));
        match found {
            Some((span, length)) => {
                if !plain.is_empty() {
                    spans.push(Span::Plain(std::mem::take(&mut plain)));
                }
                spans.push(span);
                rest = &rest[length..];
            }
            None => {
                let length = rest.chars().next().map_or(0, char::len_utf8);
                plain.push_str(&rest[..length]);
                rest = &rest[length..];
            }
        }
    }
    if !plain.is_empty() {
        spans.push(Span::Plain(plain));
    }
    spans
}

fn inline_code(rest: &str) -> Option<(Span, usize)> {
    let inner = rest.strip_prefix('`')?;
    // A backtick that nothing closes on its line is text; looking only along the line keeps this linear.
    let line = inner.split('\n').next()?;
    let end = line.find('`').filter(|end| *end > 0)?;
    Some((Span::Code(inner[..end].to_owned()), end + 2))
}

fn link(rest: &str, before: &str) -> Option<(Span, usize)> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| rest.starts_with(scheme))?;
    if before.chars().next_back().is_some_and(char::is_alphanumeric) {
        return None;
    }
    let end = rest.find(|c: char| c.is_whitespace() || c.is_control() || "<>\"`".contains(c));
    let mut url = &rest[..end.unwrap_or(rest.len())];
    // Punctuation at the end belongs to the sentence; a closing bracket only if it was opened inside.
    while let Some(last) = url.chars().next_back() {
        let unopened = last == ')' && url.matches(')').count() > url.matches('(').count();
        if !(".,;:!?'*_".contains(last) || unopened) {
            break;
        }
        url = &url[..url.len() - last.len_utf8()];
    }
    (url.len() > scheme.len()).then(|| (Span::Link(url.to_owned()), url.len()))
}
