//! Which words can stand in a header: the same for every compiler.

use beck::protocol::Token;

#[test]
fn no_word_of_a_header_has_white_space_or_a_control_character() {
    for c in '\0'..=char::MAX {
        let taken = format!("react:{c}").parse::<Token>().is_ok();
        let separates = c.is_whitespace() || c.is_control();
        // A later Unicode may have more white space; the log's words stay as they are.
        let grown = matches!(char::UNICODE_VERSION, (18.., _, _));
        assert!(
            taken != separates || grown && taken,
            "{c:?} {}",
            if taken { "is taken" } else { "is refused" }
        );
    }
}

#[test]
fn a_word_of_a_header_has_1_to_96_bytes_and_is_no_dash() {
    for (word, taken) in [
        ("", false),
        ("-", false),
        ("--", true),
        ("x", true),
        (&"x".repeat(96), true),
        (&"x".repeat(97), false),
        (&"\u{1f44d}".repeat(24), true),
        (&"\u{1f44d}".repeat(25), false),
    ] {
        assert_eq!(word.parse::<Token>().is_ok(), taken, "{word}");
    }
}
