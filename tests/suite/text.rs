//! Message text: what is markup, what stays text, and that the worst text costs no more than its length allows.

mod code;
mod worst;

use beck::protocol::bounds::{self, Unfit};
use beck::text::{Align, Node, Tag, first_line, mentions, named, parse, plain};
use proptest::prelude::*;

fn text(text: &str) -> Node {
    Node::Text(text.into())
}

fn part(tag: Tag, inner: impl Into<Vec<Node>>) -> Node {
    Node::Part(tag, inner.into())
}

fn paragraph(inner: impl Into<Vec<Node>>) -> Node {
    part(Tag::Paragraph, inner)
}

fn link(url: &str) -> Node {
    Node::Link { url: url.into(), text: Vec::new() }
}

/// The tree in a short form: a letter for each part, and its pieces in brackets.
pub fn sketch(nodes: &[Node]) -> String {
    nodes.iter().map(one).collect()
}

fn one(node: &Node) -> String {
    match node {
        Node::Text(text) => text.replace('\n', "⏎"),
        Node::Part(tag, inner) => {
            let name = match tag {
                Tag::Paragraph => "p".to_owned(),
                Tag::Heading(level) => format!("h{level}"),
                Tag::Quote => "quote".into(),
                Tag::Rule => return "—".into(),
                Tag::List => "ul".into(),
                Tag::Ordered(first) => format!("ol{first}"),
                Tag::Item => "li".into(),
                Tag::Task(done) => if *done { "done" } else { "todo" }.into(),
                Tag::Table => "table".into(),
                Tag::Row => "tr".into(),
                Tag::HeadCell(align) => format!("th{}", letter(*align)),
                Tag::Cell(align) => format!("td{}", letter(*align)),
                Tag::Strong => "b".into(),
                Tag::Emphasis => "i".into(),
                Tag::Struck => "s".into(),
                Tag::Code => "code".into(),
            };
            format!("{name}({})", sketch(inner))
        }
        Node::Fenced { language, code } => format!("fence:{language}({})", code.replace('\n', "⏎")),
        Node::Link { url, text } => format!("a:{url}({})", sketch(text)),
        Node::Mention { typed, handle } => format!("@{handle}({typed})"),
        Node::Room { typed, slug } => format!("#{slug}({typed})"),
    }
}

fn letter(align: Align) -> &'static str {
    match align {
        Align::Start => "",
        Align::Middle => "|",
        Align::End => ">",
    }
}

#[track_caller]
fn reads(text: &str, expected: &str) {
    assert_eq!(sketch(&parse(text)), expected, "{text}");
}

#[test]
fn code_links_and_paragraphs() {
    let found = parse("See https://a.example/x(1), and `code`.\nnext\n\n```rust\nlet a = 1;\n```\nend `open");
    let expected = vec![
        paragraph([
            text("See "),
            link("https://a.example/x(1)"),
            text(", and "),
            part(Tag::Code, [text("code")]),
            text(".\nnext"),
        ]),
        Node::Fenced { language: "rust".into(), code: "let a = 1;".into() },
        paragraph([text("end `open")]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn emphasis_as_in_commonmark() {
    for (text, expected) in [
        ("*a* _b_ **c** __d__ ~~e~~", "p(i(a) i(b) b(c) b(d) s(e))"),
        ("***a***", "p(i(b(a)))"),
        ("**a *b* c**", "p(b(a i(b) c))"),
        ("*a **b** c*", "p(i(a b(b) c))"),
        ("**bold**ness and un~~wanted~~", "p(b(bold)ness and uns(wanted))"),
        ("*a\nb*", "p(i(a⏎b))"),
        ("**これ**は**「重要」**です", "p(b(これ)はb(「重要」)です)"),
        ("*foo**bar*", "p(i(foo**bar))"),
        ("**a", "p(**a)"),
        ("*a **b*", "p(*a *i(b))"),
        ("**a `b** c`", "p(**a code(b** c))"),
        ("_a ~~b_ c~~", "p(i(a ~~b) c~~)"),
        ("*a*b*", "p(i(a*b))"),
    ] {
        reads(text, expected);
    }
}

/// What was typed before there was markup, or without a thought of it.
#[test]
fn what_is_no_markup_is_text() {
    for text in [
        "5 * 3 * 2 and 2*3*4 and a * b",
        "snake_case_name or a__b__c",
        "~5 minutes, ~/notes, a ~ b, ~~~ what ~~~",
        "*.rs and **/*.rs",
        "- ",
        "1.",
        ">_< and >:( and >5 people",
        ">5 people came",
        ">>= is bind",
        "#",
        "# ",
        "#1, I think",
        "+ 1 from me",
        "a | b\nc | d",
        "[x] and [y](z) and [a]()",
        "![",
        "x\n=====",
        "  indented\n      more",
        "¯\\_(ツ)_/¯",
        "C:\\Users\\ann",
        "&amp; <b>bold</b> <script>x</script>",
        "`",
        "``",
        "a ``` b",
        "I was there in\n1986. It rained.",
        "-5 degrees",
        "--\nAnn",
    ] {
        let found = parse(text);
        let mut said = String::new();
        for node in &found {
            let Node::Part(Tag::Paragraph, inner) = node else { panic!("{text}: {node:?}") };
            for node in inner {
                match node {
                    Node::Text(text) | Node::Room { typed: text, .. } => said.push_str(text),
                    other => panic!("{text}: {other:?}"),
                }
            }
        }
        assert_eq!(said, text.trim_end_matches('\n'));
    }
    reads("snake_case_name", "p(snake_case_name)");
}

#[test]
fn escapes() {
    reads(r"\*a\* \`b\` \[c\](d) \\ \@ann \#general \a", r"p(*a* `b` [c](d) \ @ann #general \a)");
    reads("a\\\nb", "p(a⏎b)");
    reads(r"`\*`", r"p(code(\*))");
    reads(r"\# no heading", "p(# no heading)");
    reads(r"\- no list", "p(- no list)");
}

#[test]
fn code_ends_on_its_line() {
    reads("`a` ``b ` c`` ` d `", "p(code(a) code(b ` c) code(d))");
    reads("`a\nb`", "p(`a⏎b`)");
    reads("```x = 1```", "p(code(x = 1))");
    reads("```\na\n```", "fence:(a)");
    reads("~~~py\na\n~~~", "fence:py(a)");
    reads("````md\n```\nx\n```\n````", "fence:md(```⏎x⏎```)");
    reads("```\nopen", "fence:(open)");
    reads("```let a = 1;\nlet b = 2;```\nafter", "fence:(let a = 1;⏎let b = 2;)p(after)");
    reads("```rust ignore\na\n```", "fence:rust(a)");
    reads("- a\n  ```\n  x\n    y\n  ```", "ul(li(p(a)fence:(x⏎  y)))");
    reads("```\n```", "fence:()");
}

#[test]
fn blocks() {
    for (text, expected) in [
        ("# One\n## Two ##\n###### Six\n####### no", "h1(One)h2(Two)h6(Six)p(####### no)"),
        ("a\n---\nb", "p(a)—p(b)"),
        ("***", "—"),
        ("> a\n> b\nmine", "quote(p(a⏎b))p(mine)"),
        (">> a\n> b", "quote(quote(p(a))p(b))"),
        ("> - a\n> - b", "quote(ul(li(p(a))li(p(b))))"),
        ("Buy:\n- milk\n- eggs\nThanks", "p(Buy:)ul(li(p(milk))li(p(eggs)))p(Thanks)"),
        ("- a\n  - b\n    - c\n- d", "ul(li(p(a)ul(li(p(b)ul(li(p(c))))))li(p(d)))"),
        ("1. a\n   - b\n2. c", "ol1(li(p(a)ul(li(p(b))))li(p(c)))"),
        ("3) a\n4) b", "ol3(li(p(a))li(p(b)))"),
        ("1986. A year", "ol1986(li(p(A year)))"),
        ("- a\n\n- b\n\n  more", "ul(li(p(a))li(p(b)p(more)))"),
        ("- a\n* b", "ul(li(p(a)))ul(li(p(b)))"),
        ("- [ ] a\n- [x] b\n- [X] c\n- [y] d", "ul(todo(p(a))done(p(b))done(p(c))li(p([y] d)))"),
        ("\t- a\n\t\t- b", "ul(li(p(a)ul(li(p(b)))))"),
        ("a\n\n\nb", "p(a)p(b)"),
    ] {
        reads(text, expected);
    }
}

#[test]
fn tables() {
    reads(
        "Look:\n| a | b | c |\n|---|:-:|--:|\n| 1 | `x\\|y` | *3* |\n| 4 |\nend",
        "p(Look:)table(tr(th(a)th|(b)th>(c))tr(td(1)td|(code(x|y))td>(i(3)))tr(td(4)))p(end)",
    );
    reads("a | b\n--- | ---\n1 | 2 | 3", "table(tr(th(a)th(b))tr(td(1)td(2 | 3)))");
    reads("a | b | c\n--- | ---", "p(a | b | c⏎--- | ---)");
    reads("| a |\n|---|", "table(tr(th(a)))");
}

#[test]
fn links_lead_to_safe_places_only() {
    reads("[the *site*](https://a.example/x_(y))", "p(a:https://a.example/x_(y)(the i(site)))");
    reads(
        "[m](mailto:a@b.example) <https://a.b> HTTP://A.B",
        "p(a:mailto:a@b.example(m) a:https://a.b() a:HTTP://A.B())",
    );
    reads(
        "**https://a.b/c_d** (https://e.f/g). _https://h.i_",
        "p(b(a:https://a.b/c_d()) (a:https://e.f/g()). i(a:https://h.i()))",
    );
    reads("[@ann and #general](https://a.b)", "p(a:https://a.b(@ann and #general))");
    // What looks like one address and leads to another is no link.
    reads("[https://a.b](https://c.d)", "p([a:https://a.b()](a:https://c.d()))");
    reads("[a [b](https://c.d) e](https://f.g)", "p([a a:https://c.d(b) e](a:https://f.g()))");
    reads("[a](https://b.c d)", "p([a](a:https://b.c() d))");
    for text in [
        "javascript:alert(1)",
        "data:text/html,x",
        "xhttp://a",
        "https://",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt:alert(1))",
        "[a](data:text/html,x)",
        "[a](vbscript:x)",
        "[a](/r/x)",
        "[a](//evil.example)",
        "[a](https://)",
        "[a](\u{1}javascript:x)",
        "<javascript:x>",
    ] {
        let found = parse(text);
        assert_eq!(sketch(&found), format!("p({text})"));
    }
}

#[test]
fn what_people_type_is_made_fit_or_refused_with_a_reason() {
    assert_eq!(bounds::message_text("a\r\nb  \n").unwrap(), "a\nb");
    for empty in ["", "  \n\t ", "\u{200b}\u{2060}"] {
        assert_eq!(bounds::message_text(empty), Err(Unfit::Empty));
    }
    assert_eq!(bounds::message_text("a\u{0}b"), Err(Unfit::Control));
    assert!(matches!(bounds::message_text(&"x".repeat(1 << 20)), Err(Unfit::Long { .. })));
    assert_eq!(bounds::name("  Anna   Lena ").unwrap(), "Anna Lena");
    for unseen in
        ["\u{202e}", "\u{200d}", "\u{200c}", "\u{fff9}", "\u{e0041}", "\u{3164}", "\u{2800}", "\u{fe0f}"]
    {
        assert_eq!(bounds::name(&format!("a{unseen}bc")), Err(Unfit::Control), "{}", unseen.escape_unicode());
        assert_eq!(bounds::name(&format!("abc{unseen}")), Err(Unfit::Control), "{}", unseen.escape_unicode());
        assert_eq!(bounds::message_text(&unseen.repeat(3)), Err(Unfit::Empty), "{}", unseen.escape_unicode());
    }
    // A family, hearts, a key, a flag, names in Persian, Devanagari, Mongolian and Japanese.
    for joined in [
        "1\u{fe0f}\u{20e3} first",
        "®\u{fe0f}",
        "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        "ᠠ\u{180b}",
        "葛\u{e0100}飾",
        "👩\u{200d}👧",
        "Team ❤\u{fe0f}",
        "❤\u{fe0f}\u{200d}🔥",
        "علی\u{200c}رضا",
        "क्\u{200d}ष",
    ] {
        assert_eq!(bounds::name(joined).unwrap(), joined);
    }
    for loose in [
        "1\u{fe0f}",
        "1\u{fe0f}2",
        "🏴\u{e0001}",
        "a\u{e0067}",
        "a\u{180b}",
        "a\u{e0100}",
        "👩\u{200d}",
        "👩\u{200d}\u{200d}👧",
        "\u{200c}علی",
        "a👩\u{200d}b",
    ] {
        assert_eq!(bounds::name(loose), Err(Unfit::Control), "{}", loose.escape_unicode());
    }
    assert_eq!(bounds::handle("@Anna.L").unwrap(), "anna.l");
    assert_eq!(bounds::handle("@Room"), Err(Unfit::Reserved));
    for bad in ["a b", "änn", ".a", "a/b", "a:*", "a.", "ann_"] {
        assert_eq!(bounds::handle(bad), Err(Unfit::Handle), "{bad}");
    }
    assert_eq!(bounds::password("short"), Err(Unfit::Short { at_least: 10 }));
}

#[test]
fn mentions_stand_outside_code_links_and_addresses() {
    let cases: [(&str, &[&str]); 19] = [
        ("@ann", &["ann"]),
        ("hello @Ann, and @bob.b.", &["ann", "bob.b"]),
        ("(@ann) *@bob* @ann", &["ann", "bob"]),
        ("に@misakiさん", &["misaki"]),
        ("@a @abcdefghijklmnopqrstuvwxyz", &[]),
        ("mail ann@example.org or x+@ann or a_@ann", &[]),
        ("@ann@example.org", &[]),
        ("@anné and é@ann", &[]),
        ("`@ann` and `x @bob y`", &[]),
        ("```\n@ann\n```\n@bob", &["bob"]),
        ("https://example.org/@ann and example.org/@ann", &[]),
        ("@-ann @.ann @", &[]),
        ("@room", &["room"]),
        ("@ann's and @bob-", &["ann", "bob"]),
        ("> @ann\n- **@bob** _@cy_", &["ann", "bob", "cy"]),
        ("# @ann\n| @bob |\n|---|\n| @cy |", &["ann", "bob", "cy"]),
        (r"\@ann", &[]),
        ("[@ann](https://a.b)", &[]),
        ("`x`@ann", &["ann"]),
    ];
    for (text, expected) in cases {
        assert_eq!(mentions(text).into_iter().collect::<Vec<_>>(), expected, "{text}");
    }
}

#[test]
fn rooms_are_written_with_dashes() {
    let cases: [(&str, &[&str]); 6] = [
        ("See #General, #otter-works and #Große-Pläne.", &["general", "große-pläne", "otter-works"]),
        ("C#general ##x a#b &#123; /#top", &[]),
        ("#a `#code` https://a.b/#part", &[]),
        ("#two_words #v1.2", &["two-words", "v1"]),
        ("**#general** (#random)", &["general", "random"]),
        ("# general", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(named(text).rooms.into_iter().collect::<Vec<_>>(), expected, "{text}");
    }
    assert_eq!(beck::text::slug("Otter  Works & Co."), "otter-works-co");
}

#[test]
fn plain_text_has_the_words_and_none_of_the_marks() {
    let cases = [
        ("**a** `b` [c](https://d.e) https://f.g ~~h~~", "a b c https://f.g h"),
        ("# T\n\n- a\n- [x] b\n\n3. c\n4. d\n\n> q", "T\n• a\n☑ b\n3. c\n4. d\n> q"),
        ("```rust\nlet a;\n```\nafter", "let a;\nafter"),
        ("|a|b|\n|-|-|\n|1|2|", "a | b\n1 | 2"),
        ("@ann #general\nnext", "@ann #general\nnext"),
    ];
    for (text, expected) in cases {
        assert_eq!(plain(text), expected, "{text}");
    }
    assert_eq!(first_line("\n---\n**Hello** there", 9), "Hello the…");
    assert_eq!(first_line("```\n```", 9), "");
}

fn words(nodes: &[Node], out: &mut String) {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Part(tag, inner) => {
                match tag {
                    Tag::Task(true) => out.push('x'),
                    Tag::Ordered(first) => out.push_str(&first.to_string()),
                    _ => {}
                }
                words(inner, out);
            }
            Node::Fenced { language, code } => {
                out.push_str(language);
                out.push_str(code);
            }
            Node::Link { url, text } => {
                out.push_str(url);
                words(text, out);
            }
            Node::Mention { typed, .. } | Node::Room { typed, .. } => out.push_str(typed),
        }
    }
}

proptest! {
    #[test]
    fn no_text_is_lost_and_none_panics(text in "[a-z`h:/\\n .()@A-Z_*~#>|\\[\\]-]{0,200}|\\PC{0,80}") {
        let mut kept = String::new();
        words(&parse(&text), &mut kept);
        let letters = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).count();
        // What follows the name of a language is left out.
        if !text.contains("```") {
            prop_assert_eq!(letters(&kept), letters(&text), "{}", kept);
        }
    }
}
