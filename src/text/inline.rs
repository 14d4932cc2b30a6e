//! The text of a block becomes spans, from left to right. What opens something waits on a stack; what closes it wraps
//! the pieces since then, so that each piece is moved once per level.

use super::mention::{mention, room};
use super::{LEVELS, Node, Parser, Tag};

/// How far back what closes looks for what opens, in things that opened.
const BACK: usize = 32;
/// Backticks in a row that can begin code; more are text.
const TICKS: usize = 15;
/// Brackets within an address.
const BRACKETS: usize = 8;
/// Bytes of an address that is written as `[text](address)`.
const ADDRESS_BYTES: usize = 2048;

/// `*`, `_` or `~` that may begin something.
struct Opener {
    mark: u8,
    count: usize,
    /// It could have ended something as well.
    closes: bool,
    /// Its text in `out`.
    node: usize,
    /// Levels of spans since it.
    levels: usize,
}

struct Spans<'a> {
    text: &'a str,
    out: Vec<Node>,
    openers: Vec<Opener>,
    /// Where each `[` stands in `out`.
    brackets: Vec<usize>,
    /// Text from here on is not in `out` yet.
    from: usize,
    /// Runs of backticks of which there are no more on this line, a bit each.
    no_ticks: u32,
    steps: usize,
}

impl Parser {
    pub(super) fn spans(&mut self, text: &str) -> Vec<Node> {
        let (out, openers, brackets) = (Vec::new(), Vec::new(), Vec::new());
        let mut spans = Spans { text, out, openers, brackets, from: 0, no_ticks: 0, steps: 0 };
        let mut at = 0;
        while at < text.len() {
            spans.steps += 1;
            at = spans.take(at);
        }
        spans.flush(at);
        self.steps += spans.steps + spans.out.len();
        joined(spans.out)
    }
}

impl Spans<'_> {
    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(b'\n')
    }

    fn before(&self, at: usize) -> char {
        self.text[..at].chars().next_back().unwrap_or('\n')
    }

    /// Looks at one byte; answers with the place of the next one.
    fn take(&mut self, at: usize) -> usize {
        let next = match self.byte(at) {
            b'\\' => self.escape(at),
            b'`' => self.code(at),
            b'*' | b'_' | b'~' => self.emphasis(at),
            b'[' => {
                self.flush(at);
                self.brackets.push(self.out.len());
                None
            }
            b']' => self.link(at),
            b'<' => match self.bare(at + 1) {
                Some((link, end)) if self.byte(end) == b'>' => Some(self.put(at, (link, end + 1))),
                _ => None,
            },
            b'h' | b'H' => self.bare(at).map(|found| self.put(at, found)),
            b'@' | b'#' => {
                let found = if self.byte(at) == b'@' { mention } else { room };
                let found = found(&self.text[at..], &self.text[..at], &mut self.steps);
                found.map(|(node, length)| self.put(at, (node, at + length)))
            }
            b'\n' => {
                self.no_ticks = 0;
                None
            }
            _ => None,
        };
        next.unwrap_or(at + 1)
    }

    fn flush(&mut self, at: usize) {
        if self.from < at {
            self.out.push(Node::Text(self.text[self.from..at].to_owned()));
        }
        self.from = at;
    }

    fn put(&mut self, at: usize, (node, end): (Node, usize)) -> usize {
        self.flush(at);
        if matches!(node, Node::Link { .. }) {
            // No link within a link: what is read as an address is one.
            self.brackets.clear();
        }
        self.out.push(node);
        self.steps += end - at;
        self.from = end;
        end
    }

    fn escape(&mut self, at: usize) -> Option<usize> {
        let next = self.byte(at + 1);
        if at + 1 == self.text.len() || !(next.is_ascii_punctuation() || next == b'\n') {
            return None;
        }
        // The arm of ¯\_(ツ)_/¯ is an arm.
        if self.before(at) != '¯' {
            self.flush(at);
            self.from = at + 1;
        }
        if next == b'\n' {
            self.no_ticks = 0;
        }
        Some(at + 2)
    }

    fn run(&self, at: usize) -> usize {
        let mark = self.byte(at);
        self.text.as_bytes()[at..].iter().take_while(|b| **b == mark).count()
    }

    /// Code ends on its line. A length of which none was found on it is not looked for again.
    fn code(&mut self, at: usize) -> Option<usize> {
        let run = self.run(at);
        let begin = at + run;
        let mut end = begin;
        if run <= TICKS && self.no_ticks & 1 << run == 0 {
            while end < self.text.len() && self.byte(end) != b'\n' {
                let found = if self.byte(end) == b'`' { self.run(end) } else { 0 };
                if found == run {
                    self.steps += end - at;
                    let mut code = &self.text[begin..end];
                    if let Some(inner) = code.strip_prefix(' ').and_then(|code| code.strip_suffix(' '))
                        && !inner.trim().is_empty()
                    {
                        code = inner;
                    }
                    let node = Node::Part(Tag::Code, vec![Node::Text(code.to_owned())]);
                    return Some(self.put(at, (node, end + run)));
                }
                end += found.max(1);
            }
            self.no_ticks |= 1 << run;
        }
        self.steps += end - at;
        Some(begin)
    }

    fn emphasis(&mut self, at: usize) -> Option<usize> {
        let (mark, mut run) = (self.byte(at), self.run(at));
        let end = at + run;
        self.steps += run;
        let (before, after) = (self.before(at), self.text[end..].chars().next().unwrap_or('\n'));
        // Of other scripts every sign counts as a letter: they put no spaces around words, nor around 「quoted」 ones.
        let sign = |c: char| c.is_ascii_punctuation();
        // Nothing begins with what ends a sentence or parts a path: `*.rs`, `**/*`.
        let begins = !(after.is_whitespace() || ".,;:!?/)]}".contains(after));
        let opens = begins && (!sign(after) || before.is_whitespace() || sign(before));
        let closes = !before.is_whitespace() && (!sign(before) || after.is_whitespace() || sign(after));
        let (mut can_open, mut can_close) = (opens, closes);
        match mark {
            b'_' => {
                can_open = opens && (!closes || sign(before));
                can_close = closes && (!opens || sign(after));
            }
            // `2*3*4` is a product.
            b'*' if run == 1 && before.is_ascii_alphanumeric() && after.is_ascii_alphanumeric() => {
                return Some(end);
            }
            b'~' if run != 2 => return Some(end),
            _ => {}
        }
        self.flush(at);
        self.from = end;
        while can_close && run > 0 {
            let found = self.opener(mark, run, can_open);
            let Some(found) = found else { break };
            run -= self.wrap(found, run);
        }
        if run > 0 {
            if can_open {
                let opener = Opener { mark, count: run, closes: can_close, node: self.out.len(), levels: 0 };
                self.openers.push(opener);
            }
            self.out.push(Node::Text(self.text[end - run..end].to_owned()));
        }
        Some(end)
    }

    /// What a run of marks closes, the nearest first.
    fn opener(&mut self, mark: u8, run: usize, opens: bool) -> Option<usize> {
        let mut levels = 0;
        for (n, opener) in self.openers.iter().enumerate().rev().take(BACK) {
            self.steps += 1;
            levels = levels.max(opener.levels);
            // As in CommonMark: of two that could each begin and end, the lengths make no multiple of three.
            let three = (opener.count + run).is_multiple_of(3) && !run.is_multiple_of(3);
            if opener.mark == mark && !(three && (opens || opener.closes)) {
                return (levels < LEVELS).then_some(n);
            }
        }
        None
    }

    /// Forgets what opened from there on; answers with the levels of spans since then.
    fn drop_openers(&mut self, from: usize) -> usize {
        let mut levels = 0;
        while self.openers.len() > from {
            self.steps += 1;
            levels = self.openers.pop().map_or(levels, |opener| opener.levels.max(levels));
        }
        levels
    }

    /// Wraps what stands since an opener; answers with how many marks that took.
    fn wrap(&mut self, opener: usize, run: usize) -> usize {
        let inner = self.drop_openers(opener + 1);
        let Opener { mark, count, node, levels, .. } = self.openers[opener];
        let levels = levels.max(inner) + 1;
        let taken = if count >= 2 && run >= 2 { 2 } else { 1 };
        let tag = match (mark, taken) {
            (b'~', _) => Tag::Struck,
            (_, 2) => Tag::Strong,
            _ => Tag::Emphasis,
        };
        let left = count - taken;
        self.openers[opener].count = left;
        while self.brackets.last().is_some_and(|at| *at > node) {
            self.brackets.pop();
        }
        self.steps += self.out.len() - node;
        let inner = joined(self.out.drain(node + 1..));
        self.out[node] = Node::Text(String::from(mark as char).repeat(left));
        self.out.push(Node::Part(tag, inner));
        if left == 0 {
            self.openers.pop();
        }
        if let Some(outer) = self.openers.last_mut() {
            outer.levels = outer.levels.max(levels);
        }
        taken
    }

    /// `](address)` after a `[`.
    fn link(&mut self, at: usize) -> Option<usize> {
        let open = self.brackets.pop()?;
        if self.byte(at + 1) != b'(' {
            return None;
        }
        let begin = at + 2;
        let (mut end, mut level) = (begin, 0);
        let fits = loop {
            match self.byte(end) {
                b')' if level == 0 => break true,
                b')' => level -= 1,
                b'(' => level += 1,
                b'<' | b'>' | b'"' | b'`' => break false,
                b if b <= b' ' || b == 0x7f => break false,
                _ => {}
            }
            end += 1;
            if level > BRACKETS || end - begin > ADDRESS_BYTES {
                break false;
            }
        };
        self.steps += end - at;
        let url = fits.then(|| &self.text[begin..end]).filter(|url| is_safe(url))?.to_owned();
        self.flush(at);
        while self.openers.last().is_some_and(|opener| opener.node > open) {
            let levels = self.drop_openers(self.openers.len() - 1);
            if let Some(outer) = self.openers.last_mut() {
                outer.levels = outer.levels.max(levels);
            }
        }
        self.steps += self.out.len() - open;
        // The bracket is part of the text that stands at `open`.
        let mut inner = joined(self.out.drain(open..));
        if let Some(Node::Text(first)) = inner.first_mut() {
            first.remove(0);
        }
        let text = joined(inner.into_iter().map(untied));
        Some(self.put(at, (Node::Link { url, text }, end + 1)))
    }

    /// A bare address and its end.
    fn bare(&mut self, at: usize) -> Option<(Node, usize)> {
        let rest = &self.text.as_bytes()[at..];
        let begins = |scheme: &str| {
            rest.get(..scheme.len()).is_some_and(|found| found.eq_ignore_ascii_case(scheme.as_bytes()))
        };
        let scheme = ["https://", "http://"].into_iter().find(|scheme| begins(scheme))?;
        if self.before(at).is_alphanumeric() {
            return None;
        }
        let mut open = (0, 0);
        let ends = |c: char| {
            match c {
                '(' => open.0 += 1,
                '[' => open.1 += 1,
                ')' => open.0 -= 1,
                ']' => open.1 -= 1,
                _ => {}
            }
            open.0 < 0 || open.1 < 0 || c.is_whitespace() || c.is_control() || "<>\"`".contains(c)
        };
        let rest = &self.text[at..];
        let whole = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.steps += whole.len();
        // What ends a sentence, or what surrounds the address, is no part of it.
        let url = whole.trim_end_matches(|c| ".,;:!?'*_~".contains(c));
        let link = Node::Link { url: url.to_owned(), text: Vec::new() };
        (url.len() > scheme.len()).then_some((link, at + url.len()))
    }
}

/// Whether a link may lead there.
fn is_safe(url: &str) -> bool {
    let scheme = |scheme: &str| {
        url.len() > scheme.len() && url.as_bytes()[..scheme.len()].eq_ignore_ascii_case(scheme.as_bytes())
    };
    ["https://", "http://", "mailto:"].into_iter().any(scheme)
}

/// Texts beside each other become one.
fn joined(nodes: impl IntoIterator<Item = Node>) -> Vec<Node> {
    let mut out: Vec<Node> = Vec::new();
    for node in nodes {
        match (node, out.last_mut()) {
            (Node::Text(text), Some(Node::Text(before))) => before.push_str(&text),
            (Node::Text(text), _) if text.is_empty() => {}
            (node, _) => out.push(node),
        }
    }
    out
}

/// Within a link nothing else leads anywhere or names anybody.
fn untied(node: Node) -> Node {
    match node {
        Node::Mention { typed, .. } | Node::Room { typed, .. } => Node::Text(typed),
        Node::Part(tag, inner) => Node::Part(tag, joined(inner.into_iter().map(untied))),
        node => node,
    }
}
