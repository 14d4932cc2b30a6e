//! Fuzzing with what is markup, and texts made to be slow.

use super::sketch;
use beck::text::{LEVELS, Node, Tag, named, parse, parse_counted, plain};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// Of 64 KB. The factor is what the bounds of the parser allow at most: the levels of nesting, at each of which a line
/// is looked at a few times, and what looks ahead within a line.
const BYTES: usize = 64 * 1024;
const STEPS_PER_BYTE: usize = 32;

fn filled(unit: &str) -> String {
    unit.repeat(BYTES / unit.len())
}

fn worst() -> Vec<(&'static str, String)> {
    let each = |f: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for n in 0.. {
            let piece = f(n);
            if text.len() + piece.len() > BYTES {
                return text;
            }
            text.push_str(&piece);
        }
        text
    };
    vec![
        ("quotes in a line", filled(">")),
        ("quotes apart", filled("> ")),
        ("quoted lines", filled(">>>>>>>>>>>> a\n")),
        ("deeper and deeper quotes", each(&|n| format!("{} a\n", ">".repeat(n)))),
        ("lists in a line", filled("- ")),
        ("nested items", each(&|n| format!("{}- a\n", " ".repeat(2 * n)))),
        ("items and quotes", filled("- > ")),
        ("numbers", filled("1. ")),
        ("empty lines", filled("\n")),
        ("an item and empty lines", format!("- a{}", filled("\n"))),
        ("items between empty lines", filled("- a\n\n\n\n")),
        ("open emphasis", filled("*a ")),
        ("open emphasis of three kinds", filled("*a _b ~~c ")),
        ("open strong", filled("**a **")),
        ("open and closed at odds", filled("*a **b* ")),
        ("lengths that do not fit", format!("*a {} **", filled("_b **c* "))),
        ("closed only", filled("a* ")),
        ("nested emphasis", format!("{}a{}", "*_".repeat(BYTES / 4), "_*".repeat(BYTES / 4))),
        ("nested strong", format!("{}a{}", "**a ".repeat(BYTES / 8), " a**".repeat(BYTES / 8))),
        ("stars", filled("*")),
        ("stars and underscores", filled("*_")),
        ("open brackets", filled("[")),
        ("brackets", filled("[]")),
        ("open and closed brackets", format!("{}{}", "[".repeat(BYTES / 2), "]".repeat(BYTES / 2))),
        ("half links", filled("[a](")),
        ("half links with addresses", filled("[a](https://b")),
        ("brackets within an address", format!("[a](https://b{}", filled("("))),
        ("links within links", format!("{}{}", "[".repeat(BYTES / 20), "](https://a.b)".repeat(BYTES / 20))),
        ("emphasis over links", filled("*[a*](https://b.c)")),
        ("one long address", format!("https://{}", filled("a"))),
        ("an address that ends in brackets", format!("https://a{}", filled(")"))),
        ("an address that ends in signs", format!("https://a{}", filled("."))),
        ("schemes", filled("http://")),
        ("almost schemes", filled("<https:/")),
        ("angles", filled("<https://a")),
        ("backticks", filled("`")),
        ("runs of backticks, each longer", each(&|n| format!("{} ", "`".repeat(n)))),
        ("runs of backticks, each shorter", {
            let mut all: Vec<String> = (1..350).map(|n| "`".repeat(n)).collect();
            all.reverse();
            all.join(" ")
        }),
        ("runs of backticks, on lines", each(&|n| format!("{} \n", "`".repeat(n % 20)))),
        ("runs of backticks after an escaped one", filled("\\``` ")),
        ("fences", filled("```\n")),
        ("open fences in quotes", filled("> ```\n")),
        ("tildes", filled("~~~\n")),
        ("table heads", filled("a|b\n")),
        ("table rules", filled("|-|-\n")),
        ("a table of bars", format!("|a|\n|-|\n{}", filled("|"))),
        ("a wide table with narrow rows", {
            let bars = "|a".repeat(60);
            format!("{bars}|\n{}|\n{}", "|-".repeat(60), filled("|x\n"))
        }),
        ("heads that are too wide", filled(&format!("{}\n|-|\n", "|`".repeat(40)))),
        ("escapes", filled("\\")),
        ("escaped stars", filled("\\*")),
        ("mentions", filled("@a.")),
        ("at signs", filled("@")),
        ("at signs after underscores", filled("____@")),
        ("one long handle", format!("@{}", filled("a"))),
        ("hashes", filled("#")),
        ("rooms", filled("#a_")),
        ("rules", filled("- - -\n")),
        ("one long rule", filled("-")),
        ("spaces", filled(" ")),
        ("tabs and dashes", filled("\t-")),
        ("letters of four bytes", filled("𝔞*")),
    ]
}

fn depth(nodes: &[Node]) -> usize {
    let inner = |node: &Node| match node {
        Node::Part(_, inner) | Node::Link { text: inner, .. } => 1 + depth(inner),
        _ => 1,
    };
    nodes.iter().map(inner).max().unwrap_or(0)
}

#[test]
fn the_worst_texts_take_steps_in_proportion() {
    let mut most = (0, "");
    for (name, text) in worst() {
        assert!(text.len() > BYTES / 2, "{name} is no long text: {}", text.len());
        let (nodes, steps) = parse_counted(&text);
        assert!(steps >= text.len() / 2, "{name}: {steps} steps cannot have looked at all of it");
        assert!(steps <= STEPS_PER_BYTE * text.len(), "{name}: {} steps a byte", steps / text.len());
        // Lists take two levels each in the tree, and a paragraph, a table's cell and a link one more.
        assert!(depth(&nodes) <= 3 * LEVELS + 4, "{name}: {} levels", depth(&nodes));
        most = most.max((steps / text.len(), name));
    }
    println!("most steps a byte: {most:?}");
    assert!(most.0 > 4, "nothing here is slow");
}

#[derive(Default, Debug)]
struct Counts(BTreeMap<&'static str, usize>);

impl Counts {
    fn all(&mut self, nodes: &[Node]) {
        for node in nodes {
            let name = match node {
                Node::Text(text) => {
                    assert!(!text.is_empty());
                    "text"
                }
                Node::Fenced { .. } => "fenced",
                Node::Link { text, .. } => {
                    self.all(text);
                    if text.is_empty() { "bare link" } else { "link" }
                }
                Node::Mention { .. } => "mention",
                Node::Room { .. } => "room",
                Node::Part(tag, inner) => {
                    self.all(inner);
                    match tag {
                        Tag::Paragraph => "paragraph",
                        Tag::Heading(_) => "heading",
                        Tag::Quote => "quote",
                        Tag::Rule => "rule",
                        Tag::List => "list",
                        Tag::Ordered(_) => "ordered",
                        Tag::Item => "item",
                        Tag::Task(_) => "task",
                        Tag::Table => "table",
                        Tag::Row => "row",
                        Tag::HeadCell(_) => "head cell",
                        Tag::Cell(_) => "cell",
                        Tag::Strong => "strong",
                        Tag::Emphasis => "emphasis",
                        Tag::Struck => "struck",
                        Tag::Code => "code",
                    }
                }
            };
            *self.0.entry(name).or_default() += 1;
        }
    }
}

const BITS: [&str; 54] = [
    "a",
    "b c",
    " ",
    "  ",
    "\n",
    "\n\n",
    "*",
    "**",
    "***",
    "_",
    "__",
    "~~",
    "~",
    "`",
    "``",
    "```",
    "```rust\n",
    "\n```\n",
    "> ",
    "\n> ",
    ">",
    "- ",
    "\n- ",
    "\n  - ",
    "\n1. ",
    "1. ",
    "[ ] ",
    "- [x] ",
    "# ",
    "\n## ",
    "#general",
    "@ann",
    "@",
    "#",
    "[",
    "](",
    "](https://a.b)",
    ")",
    "(",
    "https://a.b",
    "<https://c.d>",
    "http",
    "|",
    "\n|a|b|\n|-|-|\n|c|d|\n",
    "\n|",
    "---",
    "\n---\n",
    "\\",
    "\t",
    "é",
    "漢字",
    "👍",
    "\u{202e}",
    ".",
];

/// The same seeds each time, so that what breaks is found again.
#[test]
fn any_mixture_of_marks_parses_into_all_kinds_of_parts() {
    let mut counts = Counts::default();
    for seed in 0..4_000 {
        let mut random = StdRng::seed_from_u64(seed);
        let length = random.random_range(1..60);
        let text: String = (0..length).map(|_| BITS[random.random_range(0..BITS.len())]).collect();
        let (nodes, steps) = parse_counted(&text);
        assert!(steps <= STEPS_PER_BYTE * (text.len() + 1), "{seed}: {text:?}");
        assert_eq!(nodes, parse(&text), "{seed}: one text, one tree");
        plain(&text);
        named(&text);
        sketch(&nodes);
        counts.all(&nodes);
    }
    println!("{counts:?}");
    assert_eq!(counts.0.len(), 22, "{counts:?}");
    assert!(counts.0.values().all(|count| *count >= 20), "{counts:?}");
}
