//! What each format of the log decides, and which bodies can be erased. A table that was released is never edited, so
//! these lists only grow.

use crate::corpus::KINDS;
use beck::protocol::{Erasable, Format, NewerFormat, erasable};
use beck::server::fold::{Archiving, Fold, Rules, Strict};

#[test]
fn the_rules_of_every_released_format_are_these() {
    let one = Rules {
        status: false,
        role: false,
        archiving: Archiving::Members,
        unarchiving_needs_the_name: false,
        archived_rooms_can_be_joined: false,
        replies_in_room: false,
        strict: None,
    };
    let two = Rules {
        status: true,
        archiving: Archiving::CreatorAndOwners,
        unarchiving_needs_the_name: true,
        archived_rooms_can_be_joined: true,
        ..one
    };
    let three = Rules { replies_in_room: true, ..two };
    let four = Rules { role: true, ..three };
    let released = [(Format::One, one), (Format::Two, two), (Format::Three, three), (Format::Four, four)];
    let strict = Strict { restore_ms: 86_400_000, erase_ms: 86_400_000, reactions: 20, reactions_each: 10 };
    let five = Rules { strict: Some(strict), ..four };
    for (format, rules) in released.into_iter().chain([(Format::Five, five)]) {
        assert_eq!(*Rules::of(format), rules, "{format:?}");
    }
}

#[test]
fn a_state_file_that_a_later_version_wrote_is_folded_afresh() {
    let folder = tempfile::tempdir().unwrap();
    let log = crate::corpus::recorded(4);
    let (_, mut fold) = Fold::open(folder.path(), |_, _| true).unwrap();
    fold.fold(&log).unwrap();
    assert_eq!(fold.folded().0, log.len() as u64);
    drop(fold);
    let file = rusqlite::Connection::open(folder.path().join("state.sqlite")).unwrap();
    assert_eq!(file.execute("UPDATE meta SET value = '6' WHERE key = 'format'", []).unwrap(), 1);
    drop(file);
    let (_, fold) = Fold::open(folder.path(), |_, _| true).unwrap();
    assert_eq!(fold.folded().0, 0);
}

#[test]
fn a_format_is_read_by_its_number_and_a_newer_one_is_not_read() {
    let known = [Format::One, Format::Two, Format::Three, Format::Four, Format::Five];
    for (number, format) in (1..).zip(known) {
        assert_eq!(Format::try_from(number), Ok(format));
        assert_eq!(format.number(), number);
    }
    assert_eq!(Format::NEWEST, Format::Five);
    for number in [6, 7, 1_000, u32::MAX] {
        assert_eq!(Format::try_from(number), Err(NewerFormat { number, newest: Format::Five }));
    }
    // As an earlier version reads them.
    assert_eq!(Format::read(4, Format::Four), Ok(Format::Four));
    assert_eq!(Format::read(5, Format::Four), Err(NewerFormat { number: 5, newest: Format::Four }));
    assert_eq!(
        NewerFormat { number: 5, newest: Format::Four }.to_string(),
        "the log is of format 5; this version reads format 4"
    );
}

#[test]
fn the_texts_of_messages_can_be_erased_and_no_other_body() {
    let mut always = Vec::new();
    for kind in KINDS {
        for slot in ["-", "text", "deleted", "pin", "react:x:bcdfghjklm", "room", "status", "name", "topic"] {
            let token = slot.parse().ok();
            match erasable(Format::Four, &kind.parse().unwrap(), token.as_ref()) {
                Erasable::Always => always.push(format!("{kind} {slot}")),
                Erasable::IfRestore => assert_eq!((kind, slot), ("act", "deleted")),
                Erasable::Never => assert_ne!((kind, slot), ("act", "deleted")),
            }
        }
    }
    always.retain(|of| !of.starts_with("message "));
    assert_eq!(always, ["act text"]);
    assert_eq!(erasable(Format::Four, &"message".parse().unwrap(), None), Erasable::Always);
}
