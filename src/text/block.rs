//! Lines become blocks. What one types under another thing without indentation is no part of it: a line under a quote
//! is the answer to it.

use super::{Align, LEVELS, Node, Parser, Tag};

/// Columns of a table; one with more is text.
const COLUMNS: usize = 64;
const LANGUAGE_BYTES: usize = 20;

/// A block and the lines that it takes; nothing for an empty line.
type Found = Option<(Option<Node>, usize)>;

/// What a line begins a list with.
struct Marker<'a> {
    /// Columns before it, and up to what follows it.
    indent: usize,
    width: usize,
    /// `-`, `*`, `.` or `)`: another one begins another list.
    kind: u8,
    number: u32,
    rest: &'a str,
}

impl Parser {
    pub(super) fn blocks(&mut self, lines: &[&str], level: usize) -> Vec<Node> {
        let (mut out, mut open, mut at) = (Vec::new(), 0, 0);
        while at < lines.len() {
            match self.block(&lines[at..], level, at > open) {
                Some((node, length)) => {
                    self.paragraph(&lines[open..at], &mut out);
                    out.extend(node);
                    at += length;
                    open = at;
                }
                None => at += 1,
            }
        }
        self.paragraph(&lines[open..], &mut out);
        out
    }

    fn paragraph(&mut self, lines: &[&str], out: &mut Vec<Node>) {
        if !lines.is_empty() {
            let spans = self.spans(&lines.join("\n"));
            out.push(Node::Part(Tag::Paragraph, spans));
        }
    }

    /// The block that begins with these lines, if it is no paragraph. `within`: a paragraph would go on.
    fn block(&mut self, lines: &[&str], level: usize, within: bool) -> Found {
        let line = lines[0];
        self.steps += line.len() + 1;
        let text = line.trim();
        let found = match text.as_bytes().first() {
            None => Some((None, 1)),
            Some(b'`' | b'~') => self.fence(lines),
            Some(b'#') => self.heading(text),
            Some(b'-' | b'*' | b'_') if is_rule(text) => Some((Some(Node::Part(Tag::Rule, Vec::new())), 1)),
            Some(b'-' | b'*' | b'0'..=b'9') => self.list(lines, level, within),
            Some(b'>') => self.quote(lines, level),
            _ => None,
        };
        found.or_else(|| self.table(lines))
    }

    fn fence(&mut self, lines: &[&str]) -> Found {
        let text = lines[0].trim_start();
        let indent = lines[0].len() - text.len();
        let mark = text.as_bytes()[0];
        let ticks = mark == b'`';
        let run = text.bytes().take_while(|b| *b == mark).count();
        let info = text[run..].trim();
        let first = info.split_whitespace().next().unwrap_or("");
        let word = |b: u8| b.is_ascii_alphanumeric() || b"+#-_.".contains(&b);
        let named = first.len() <= LANGUAGE_BYTES && first.bytes().all(word);
        let language = named && (first == info || super::code::knows(first));
        // On one line it is code within the line; and `~~~ what ~~~` names no language.
        if run < 3 || info.contains('`') || !(ticks || language) {
            return None;
        }
        let mut code = String::new();
        if !language {
            // As one types it in other chats: the code begins beside the fence.
            code.push_str(info);
            code.push('\n');
        }
        let mut length = 1;
        for line in &lines[1..] {
            length += 1;
            self.steps += line.len() + 1;
            let text = line.trim_end();
            let before = text.trim_end_matches(mark as char);
            if text.len() - before.len() >= run && (ticks || before.trim().is_empty()) {
                if !before.trim().is_empty() {
                    code.push_str(before);
                    code.push('\n');
                }
                break;
            }
            let spaces = line.len() - line.trim_start().len();
            code.push_str(&line[spaces.min(indent)..]);
            code.push('\n');
        }
        code.pop();
        let language = if language { first.to_ascii_lowercase() } else { String::new() };
        Some((Some(Node::Fenced { language, code }), length))
    }

    fn heading(&mut self, text: &str) -> Found {
        let rest = text.trim_start_matches('#');
        let level = text.len() - rest.len();
        // A space makes the difference between a heading and a room.
        if level > 6 || !rest.starts_with([' ', '\t']) {
            return None;
        }
        let open = rest.trim_end_matches('#');
        let title = if open.ends_with([' ', '\t']) { open.trim() } else { rest.trim() };
        if title.is_empty() {
            return None;
        }
        let spans = self.spans(title);
        Some((Some(Node::Part(Tag::Heading(level as u8), spans)), 1))
    }

    fn quote(&mut self, lines: &[&str], level: usize) -> Found {
        if level >= LEVELS {
            return None;
        }
        let mut inner = Vec::new();
        for line in lines {
            self.steps += line.len() + 1;
            let Some(line) = quoted(line) else { break };
            inner.push(line);
        }
        if inner.is_empty() {
            return None;
        }
        let length = inner.len();
        let inner = self.blocks(&inner, level + 1);
        Some((Some(Node::Part(Tag::Quote, inner)), length))
    }

    fn list(&mut self, lines: &[&str], level: usize, within: bool) -> Found {
        let first = marker(lines[0])?;
        let ordered = matches!(first.kind, b'.' | b')');
        // A year at the beginning of a line is no list.
        if level >= LEVELS || (within && ordered && first.number != 1) {
            return None;
        }
        let (mut items, mut at) = (Vec::new(), 0);
        while let Some(marker) = lines.get(at).and_then(|line| marker(line)) {
            self.steps += lines[at].len() + 1;
            if marker.kind != first.kind || marker.indent >= first.indent + 2 || is_rule(lines[at].trim()) {
                break;
            }
            let (tag, rest) = task(marker.rest);
            let mut inner = vec![rest];
            at += 1;
            let mut empty = 0;
            while let Some(line) = lines.get(at) {
                self.steps += line.len() + 1;
                if line.trim().is_empty() {
                    empty += 1;
                } else if columns(line) >= marker.indent + 2 {
                    inner.extend(std::iter::repeat_n("", empty));
                    inner.push(without_columns(line, marker.indent + marker.width));
                    empty = 0;
                } else {
                    break;
                }
                at += 1;
            }
            let inner = self.blocks(&inner, level + 1);
            items.push(Node::Part(tag, inner));
        }
        let tag = if ordered { Tag::Ordered(first.number) } else { Tag::List };
        Some((Some(Node::Part(tag, items)), at))
    }

    fn table(&mut self, lines: &[&str]) -> Found {
        let (head, rule) = (lines[0], lines.get(1)?);
        if !head.contains('|') {
            return None;
        }
        self.steps += head.len() + rule.len();
        let columns = aligns(rule)?;
        let first = self.row(head, &columns, Tag::HeadCell)?;
        let Node::Part(_, cells) = &first else { return None };
        if cells.len() != columns.len() {
            return None;
        }
        let mut rows = vec![first];
        for line in &lines[2..] {
            self.steps += line.len() + 1;
            if !line.contains('|') {
                break;
            }
            rows.extend(self.row(line, &columns, Tag::Cell));
        }
        let length = rows.len() + 1;
        Some((Some(Node::Part(Tag::Table, rows)), length))
    }

    /// A row has the cells that were typed: one that lacks some is not filled up. What is too much stays in its last one.
    fn row(&mut self, line: &str, columns: &[Align], tag: fn(Align) -> Tag) -> Option<Node> {
        let mut rest = line.trim();
        rest = rest.strip_prefix('|').unwrap_or(rest);
        if !rest.ends_with("\\|") {
            rest = rest.strip_suffix('|').unwrap_or(rest);
        }
        let mut cells = Vec::new();
        for (n, align) in columns.iter().enumerate() {
            let bar = rest.as_bytes().iter().enumerate();
            let mut bar = bar.filter(|(i, b)| **b == b'|' && (*i == 0 || rest.as_bytes()[i - 1] != b'\\'));
            let end = bar
                .next()
                .map(|(i, _)| i)
                .filter(|_| n + 1 < columns.len() || tag(*align) == Tag::HeadCell(*align));
            let cell = rest[..end.unwrap_or(rest.len())].trim().replace("\\|", "|");
            let spans = self.spans(&cell);
            cells.push(Node::Part(tag(*align), spans));
            match end {
                // More heads than columns: no table.
                Some(_) if n + 1 == columns.len() => return None,
                Some(end) => rest = &rest[end + 1..],
                None => break,
            }
        }
        Some(Node::Part(Tag::Row, cells))
    }
}

/// Three or more of one of `-`, `*`, `_`, and spaces.
fn is_rule(text: &str) -> bool {
    let Some(mark) = text.bytes().next().filter(|b| b"-*_".contains(b)) else { return false };
    let marks = text.bytes().filter(|b| *b == mark).count();
    marks >= 3 && text.bytes().all(|b| b == mark || b == b' ')
}

/// A line without its `>`, of which the last one needs a space after it: `>_<` is a face.
fn quoted(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix('>')?;
    let after = rest.trim_start_matches('>');
    let marked = after.is_empty() || after.starts_with([' ', '\t']);
    marked.then(|| rest.strip_prefix(' ').unwrap_or(rest))
}

fn marker(line: &str) -> Option<Marker<'_>> {
    let text = line.trim_start();
    let digits = text.bytes().take(10).take_while(u8::is_ascii_digit).count();
    let kind = *text.as_bytes().get(digits)?;
    let fits = if digits == 0 { b"-*".contains(&kind) } else { b".)".contains(&kind) && digits < 10 };
    let after = if fits { &text[digits + 1..] } else { return None };
    let rest = after.trim_start();
    // An item says something: a lone dash is a dash.
    if rest.is_empty() || !after.starts_with([' ', '\t']) {
        return None;
    }
    let number = text[..digits].parse().unwrap_or(0);
    Some(Marker { indent: columns(line), width: digits + 2, kind, number, rest })
}

fn task(rest: &str) -> (Tag, &str) {
    let done = match rest.get(..4) {
        Some("[ ] ") => false,
        Some("[x] " | "[X] ") => true,
        _ => return (Tag::Item, rest),
    };
    (Tag::Task(done), rest[4..].trim_start())
}

/// Columns of white space that a line begins with; a tab leads to the next multiple of four.
fn columns(line: &str) -> usize {
    let space = line.bytes().take_while(|b| matches!(b, b' ' | b'\t'));
    space.fold(0, |n, b| if b == b'\t' { n / 4 * 4 + 4 } else { n + 1 })
}

/// A line without that many columns of white space at its beginning.
fn without_columns(line: &str, most: usize) -> &str {
    let mut n = 0;
    let cut = line.bytes().take_while(|b| {
        let space = n < most && matches!(b, b' ' | b'\t');
        n = if *b == b'\t' { n / 4 * 4 + 4 } else { n + 1 };
        space
    });
    &line[cut.count()..]
}

/// The line under a table's head: `| --- | :-: |`.
fn aligns(line: &str) -> Option<Vec<Align>> {
    let text = line.trim();
    let text = text.strip_prefix('|').unwrap_or(text);
    let text = text.strip_suffix('|').unwrap_or(text);
    let column = |cell: &str| {
        let cell = cell.trim();
        let dashes = cell.trim_start_matches(':').trim_end_matches(':');
        let fits = !dashes.is_empty() && dashes.bytes().all(|b| b == b'-') && cell.len() - dashes.len() <= 2;
        fits.then(|| match (cell.starts_with(':'), cell.ends_with(':')) {
            (true, true) => Align::Middle,
            (false, true) => Align::End,
            _ => Align::Start,
        })
    };
    if !line.contains('|') || line.bytes().filter(|b| *b == b'|').count() > COLUMNS {
        return None;
    }
    text.split('|').map(column).collect()
}
