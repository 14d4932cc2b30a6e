//! The lower case of names, by tables in the source, against that of the standard library.

use beck::server::fold::lower_case;

/// Whether the standard library knows what Unicode 17.0 knows, and nothing else.
const SAME_UNICODE: bool = matches!(char::UNICODE_VERSION, (17, 0, 0));

#[test]
fn each_character_has_the_lower_case_that_unicode_17_gives_it() {
    for c in '\0'..=char::MAX {
        let (text, here) = (c.to_string(), lower_case(&c.to_string()));
        // A later version gives a lower case to characters that 17.0 does not assign, and never changes one.
        assert!(here == text.to_lowercase() || !SAME_UNICODE && here == text, "{c:?} becomes {here:?}");
    }
}

#[test]
fn names_of_rooms_become_what_a_person_expects() {
    for (name, expected) in [
        ("General", "general"),
        ("ÄÖÜ ẞ", "äöü ß"),
        ("İstanbul", "i\u{307}stanbul"),
        ("ΟΔΟΣ", "οδος"),
        ("ΟΔΟΣ ΣΑΣ Σ", "οδος σας σ"),
        ("ΑΣ.", "ας."),
        ("ΑΣ.Α", "ασ.α"),
        ("Α'Σ'", "α'ς'"),
        ("\u{1e921}\u{10c80}", "\u{1e943}\u{10cc0}"),
        ("DŽ ǅ", "dž ǆ"),
        ("部屋 1", "部屋 1"),
        ("\u{378}", "\u{378}"),
    ] {
        assert_eq!(lower_case(name), expected, "{name}");
    }
}

/// The final sigma beside every character: before it, after it, and both, with what is ignored between them.
#[test]
fn the_final_sigma_is_that_of_unicode_17() {
    if !SAME_UNICODE {
        return;
    }
    for c in '\0'..=char::MAX {
        for text in [format!("{c}Σ"), format!("ΑΣ{c}"), format!("{c}.Σ"), format!("ΑΣ'{c}")] {
            assert_eq!(lower_case(&text), text.to_lowercase(), "{text:?}");
        }
    }
}
