//! Message text: what is markup, what stays text, and that the worst text costs no more than its length.

use beck::protocol::bounds::{self, Unfit};
use beck::text::{Block, Span, blocks, mentions};
use proptest::prelude::*;

fn plain(text: &str) -> Span {
    Span::Plain(text.into())
}

#[test]
fn code_links_and_paragraphs() {
    let found =
        blocks("See https://a.example/x(1), and `code`.\nnext\n\n```rust\nlet a = 1;\n```\nend `open");
    let expected = vec![
        Block::Paragraph(vec![
            plain("See "),
            Span::Link("https://a.example/x(1)".into()),
            plain(", and "),
            Span::Code("code".into()),
            plain(".\nnext"),
        ]),
        Block::Code("let a = 1;".into()),
        Block::Paragraph(vec![plain("end `open")]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn only_http_becomes_a_link() {
    for text in ["javascript:alert(1)", "data:text/html,x", "xhttp://a", "https://", "<script>x</script>"] {
        let found = blocks(text);
        assert_eq!(found, vec![Block::Paragraph(vec![plain(text)])], "{text}");
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
    assert_eq!(bounds::name("a\u{202e}bc"), Err(Unfit::Control));
    assert_eq!(bounds::handle("@Anna.L").unwrap(), "anna.l");
    assert_eq!(bounds::handle("@Room"), Err(Unfit::Reserved));
    for bad in ["a b", "änn", ".a", "a/b", "a:*", "a.", "ann_"] {
        assert_eq!(bounds::handle(bad), Err(Unfit::Handle), "{bad}");
    }
    assert_eq!(bounds::password("short"), Err(Unfit::Short { at_least: 10 }));
}

#[test]
fn mentions_stand_outside_code_links_and_addresses() {
    let cases: [(&str, &[&str]); 14] = [
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
    ];
    for (text, expected) in cases {
        assert_eq!(mentions(text).into_iter().collect::<Vec<_>>(), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_is_lost_and_none_panics(text in "[a-z`h:/\\n .()@A-Z_-]{0,200}|\\PC{0,80}") {
        let mut kept = String::new();
        for block in blocks(&text) {
            match block {
                Block::Code(code) => kept.push_str(&code),
                Block::Paragraph(spans) => for span in spans {
                    match span {
                        Span::Plain(text) | Span::Code(text) | Span::Link(text) => kept.push_str(&text),
                        Span::Mention { typed, .. } => kept.push_str(&typed),
                    }
                },
            }
        }
        let letters = |text: &str| text.chars().filter(char::is_ascii_lowercase).count();
        if !text.contains("```") {
            prop_assert_eq!(letters(&kept), letters(&text));
        }
    }
}
