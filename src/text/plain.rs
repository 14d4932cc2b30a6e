//! A message without its markup: for quotes, notifications, lists, and whoever reads aloud.

use super::{Node, Tag, parse};

/// The words of a text, a line for each block and item; code, addresses and names as they are.
pub fn plain(text: &str) -> String {
    let mut plain = Plain { out: String::new(), fresh: true };
    plain.all(parse(text));
    plain.out
}

/// The first line that says something, of so many characters at most.
pub fn first_line(text: &str, chars: usize) -> String {
    let plain = plain(text);
    let line = plain.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    match line.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

struct Plain {
    out: String,
    /// Nothing stands on the line yet, or what its item begins with.
    fresh: bool,
}

impl Plain {
    fn all(&mut self, nodes: Vec<Node>) {
        nodes.into_iter().for_each(|node| self.one(node));
    }

    fn say(&mut self, text: &str) {
        self.out.push_str(text);
        self.fresh = false;
    }

    fn line(&mut self, begin: &str) {
        if !self.fresh {
            self.out.push('\n');
        }
        self.out.push_str(begin);
        self.fresh = true;
    }

    fn one(&mut self, node: Node) {
        match node {
            Node::Text(text) => self.say(&text),
            Node::Mention { typed, .. } | Node::Room { typed, .. } => self.say(&typed),
            Node::Link { url, text } if text.is_empty() => self.say(&url),
            Node::Link { text, .. } => self.all(text),
            Node::Fenced { code, .. } => {
                self.line("");
                self.say(&code);
            }
            Node::Part(Tag::Ordered(first), items) => {
                for (item, n) in items.into_iter().zip(first..) {
                    let Node::Part(tag, inner) = item else { continue };
                    self.line(&format!("{n}. "));
                    self.part(tag, inner, true);
                }
            }
            Node::Part(tag, inner) => self.part(tag, inner, false),
        }
    }

    fn part(&mut self, tag: Tag, inner: Vec<Node>, numbered: bool) {
        match tag {
            Tag::Item if numbered => {}
            Tag::Item => self.line("• "),
            Tag::Task(done) => self.line(if done { "☑ " } else { "☐ " }),
            Tag::Quote => self.line("> "),
            Tag::HeadCell(_) | Tag::Cell(_) if !self.fresh => self.say(" | "),
            Tag::Paragraph | Tag::Heading(_) | Tag::Row => self.line(""),
            _ => {}
        }
        self.all(inner);
    }
}
