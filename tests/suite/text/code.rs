//! Code in colours: nothing is lost, and what is coloured is what it is said to be.

use beck::text::code::{Class, PIECES, knows, pieces};
use proptest::prelude::*;

/// The pieces of one class.
fn of(class: Class, language: &str, code: &str) -> Vec<String> {
    let mut begin = 0;
    let mut found = Vec::new();
    for (one, end) in pieces(language, code) {
        if one == class {
            found.push(code[begin..end].to_owned());
        }
        begin = end;
    }
    assert_eq!(begin, code.len(), "{language}: {code}");
    found
}

#[test]
fn each_language_has_its_words_texts_and_comments() {
    let cases = [
        ("rust", "fn a<'b>() { let c = \"d\\\"e\"; } // f", "fn let", "\"d\\\"e\"", "// f"),
        ("ts", "const a: `b\nc` = 'd' /* e\n */", "const", "`b\nc` 'd'", "/* e\n */"),
        ("python", "def a(): # b\n  return '''c\n'd'''", "def return", "'''c\n'd'''", "# b"),
        ("go", "func a() { return `b` } // c", "func return", "`b`", "// c"),
        ("c++", "int a = 'b'; /* c */", "int", "'b'", "/* c */"),
        ("java", "class A { String b = \"c\"; } // d", "class", "\"c\"", "// d"),
        ("json", "{\"a\": \"b\", \"c\": true}", "true", "\"b\"", ""),
        ("html", "<p class=\"a\">for b</p><!-- c -->", "<p > </p>", "\"a\"", "<!-- c -->"),
        ("css", "@media (a) { b-c: \"d\" } /* e */", "media", "\"d\"", "/* e */"),
        ("sh", "for a in b; do echo \"$a\"; done # c", "for in do echo done", "\"$a\"", "# c"),
        ("sql", "SELECT a from b where c = 'd' -- e", "SELECT from where", "'d'", "-- e"),
        ("toml", "a = \"b\" # c\nd = true", "true", "\"b\"", "# c"),
        ("yaml", "a: 'b' # c\nd: yes", "yes", "'b'", "# c"),
        ("diff", "@@ a\n+b\n-c\n d", "", "", "@@ a\n"),
        ("rb", "def a; return 'b' end # c", "def return end", "'b'", "# c"),
    ];
    for (language, code, keywords, texts, comments) in cases {
        assert!(knows(language), "{language}");
        assert_eq!(of(Class::Keyword, language, code).join(" "), keywords, "{language}");
        assert_eq!(of(Class::Text, language, code).join(" "), texts, "{language}");
        assert_eq!(of(Class::Comment, language, code).join(" "), comments, "{language}");
    }
    assert!(!knows("brainfuck") && !knows(""));
    assert_eq!(of(Class::Added, "diff", "+a\n-b\n"), ["+a\n"]);
    assert_eq!(of(Class::Removed, "diff", "+a\n-b\n"), ["-b\n"]);
    assert_eq!(of(Class::Name, "yaml", "a: b\n  - c: d"), ["a", "c"]);
    assert_eq!(of(Class::Name, "json", "{\"a\" : 1}"), ["\"a\""]);
    assert_eq!(of(Class::Name, "sh", "echo $HOME"), ["$HOME"]);
    assert_eq!(of(Class::Name, "html", "<a href='b' x>c</a>"), ["href", "x"]);
    assert_eq!(of(Class::Number, "rust", "1_000u64 + 0xff a1"), ["1_000u64", "0xff"]);
    assert_eq!(of(Class::Text, "rust", "'a' '\\n' &'b str"), ["'a'", "'\\n'"]);
}

#[test]
fn there_is_an_end_to_the_colours() {
    let code = "let a;\n".repeat(5_000);
    let found = pieces("rust", &code);
    assert!(found.len() > PIECES / 2 && found.len() <= PIECES + 1, "{}", found.len());
    assert_eq!(found.last().map(|(_, end)| *end), Some(code.len()));
}

proptest! {
    #[test]
    fn the_pieces_are_the_code(n in 0..15usize, code in "[a-z<>/!*'\"`#$\\\\\\-=:+@0-9 \\n]{0,120}|\\PC{0,60}") {
        let names = ["rust", "js", "py", "go", "c", "java", "json", "html", "css", "sh", "sql", "toml", "yaml", "diff", "rb"];
        let mut begin = 0;
        for (_, end) in pieces(names[n], &code) {
            prop_assert!(end > begin && code.is_char_boundary(end));
            begin = end;
        }
        prop_assert_eq!(begin, code.len());
    }
}
