//! Names of rooms: what may be entered, the key that the log compares, and names that look the same.

use beck::protocol::bounds::Unfit;
use beck::server::room_names::{RoomName, key, shown_name};

#[test]
fn case_width_and_what_is_not_seen_do_not_make_another_key() {
    for (name, expected) in [
        ("General", "general"),
        ("GRÜSSE", "grüsse"),
        ("Gru\u{308}ße", "grüße"),
        ("ΟΔΟΣ", "οδοσ"),
        ("οδος", "οδοσ"),
        ("Ｏｐｓ　２", "ops 2"),
        ("ﬁre", "fire"),
        ("a\u{a0}\u{2003}b", "a b"),
        ("❤\u{fe0f}", "❤"),
        ("👩\u{200d}💻", "👩💻"),
        ("क\u{94d}\u{200d}ष", "क\u{94d}ष"),
        ("so\u{ad}ft", "soft"),
        ("İzmir", "i\u{307}zmir"),
        ("Ⅷ", "viii"),
    ] {
        assert_eq!(key(name), expected, "{name}");
        assert_eq!(key(&key(name)), expected, "{name}: a key is its own key");
    }
    assert_ne!(key("Grüße"), key("Grusse"));
    assert_ne!(key("ops"), key("op s"));
}

#[test]
fn a_name_has_1_to_32_characters_as_people_count_them() {
    let family = "👨\u{200d}👩\u{200d}👧";
    assert_eq!(shown_name(&family.repeat(13)), Ok(family.repeat(13)));
    for fits in ["x", "乙", "🌊", "e\u{301}", &"x".repeat(32), &"e\u{301}".repeat(32), " two \n words "] {
        assert!(RoomName::typed(fits).is_ok(), "{fits}");
    }
    assert_eq!(RoomName::typed(" two \t words ").unwrap().name, "two words");
    for long in ["x".repeat(33), family.repeat(33), "x\u{301}\u{302}\u{303}\u{304}\u{305}".repeat(24)] {
        assert!(matches!(RoomName::typed(&long), Err(Unfit::Long { .. })), "{long}");
    }
    // Its key has more bytes than the log takes.
    assert!(matches!(RoomName::typed(&"\u{fdfa}".repeat(10)), Err(Unfit::Long { .. })));
    for empty in ["", " ", "\u{3000}"] {
        assert_eq!(RoomName::typed(empty), Err(Unfit::Empty), "{empty:?}");
    }
    for unseen in ["a\u{202e}b", "a\u{200b}b", "\u{3164}", "ab\u{200d}", "a\u{7}"] {
        assert_eq!(RoomName::typed(unseen), Err(Unfit::Control), "{unseen:?}");
    }
}
