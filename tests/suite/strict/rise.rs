//! "Formats" and "Formats 1 to 4": one log of all formats, where the fold stops, and what it has of earlier formats.

use super::log::{Log, account, number, room};
use super::scene::scene;
use beck::protocol::{Format, Outcome};
use beck::server::fold::FoldError;

const ON: &str = r#"0011223344556677{"value":true}"#;

/// A log of format 1 with two people in a room.
fn of_format_1() -> Log {
    let mut log = Log::empty();
    log.ok("ann workspace - - -", r#"{"id":"wwwwwwwwww","name":"Works","format":1}"#);
    log.ok("ann account - ann -", r#"{"name":"Ann","handle":"ann"}"#);
    log.ok("bob account - bob -", r#"{"name":"Bob","handle":"bob"}"#);
    log.ok("ann room general - -", r#"{"kind":"open","name":"General"}"#);
    log.ok("bob join general bob -", "null");
    log
}

/// An entry with the body that formats 1 to 4 give it.
fn old(log: &mut Log, words: &str, json: &str) -> String {
    log.raw(words, Some(&format!("0011223344556677{json}")))
}

#[test]
fn each_entry_is_decided_by_the_format_in_force_where_it_stands() {
    let mut log = of_format_1();
    // 1: every member archives, and coming back asks for no name.
    assert_eq!(old(&mut log, "bob room old - -", r#"{"kind":"open","name":"ΟΔΟΣ"}"#), "ok");
    log.ok("ann join old ann -", "null");
    log.ok("ann room.set old - archived", r#"{"value":true}"#);
    assert_eq!(old(&mut log, "ann room side - -", r#"{"kind":"open","name":"οδος"}"#), "ok");
    log.ok("ann room.set old - archived", r#"{"value":false}"#);
    old(&mut log, "#1 ann message general - -", r#"{"text":"one"}"#);
    old(&mut log, "#2 bob message general #1 room", r#"{"text":"two"}"#);
    assert_eq!(log.row(2).lane, 3, "the slot means nothing");
    // 2
    log.ok("ann format - - -", "2");
    assert_eq!(log.put("ann room.set old - archived", r#"{"value":true}"#), "not_allowed");
    assert_eq!(old(&mut log, "ann account.set - ann role", r#"{"value":"owner"}"#), "malformed");
    // 3
    log.ok("bob format - - -", "3");
    old(&mut log, "#3 bob message general #1 room", r#"{"text":"three"}"#);
    assert_eq!(log.row(3).lane, 0);
    // 4
    log.ok("bob format - - -", "4");
    assert_eq!(old(&mut log, "ann account.set - ann role", r#"{"value":"owner"}"#), "ok");
    assert_eq!(old(&mut log, "#4 ann message general - for:bob", r#"{"text":"four"}"#), "ok");
    assert_eq!(log.row(4).author, account("ann"), "the slot means nothing");
    assert_eq!(old(&mut log, "ann act general #1 pin", r#"{"value": true}"#), "ok");
    assert_eq!(old(&mut log, "ann workspace.set - - name", r#"{"value":"New"}"#), "ok");
    assert_eq!(old(&mut log, "ann act general #1 deleted", r#"{"value":false}"#), "malformed");
    assert_eq!(old(&mut log, "ann act general #4 deleted", r#"{"value":true}"#), "ok");
    assert_eq!(old(&mut log, "#5 bob message general - -", r#"{"text":"five"}"#), "ok");
    assert_eq!(old(&mut log, "#5 bob message general - -", r#"{"text":"other"}"#), "other_draft");
    assert_eq!(old(&mut log, "op message general - -", r#"{"text":"no account"}"#), "not_found");
    assert_eq!(log.directory().workspace.as_ref().unwrap().name, "Works");
    // The entry that raises to 5 is decided by 4: whoever wrote it, and with another body.
    assert_eq!(old(&mut log, "bob format general - -", " 5"), "ok");
    let rise = log.entries.len() as u64;
    assert_eq!(log.directory().format(), Format::Five);
    assert_eq!(old(&mut log, "ann account.set - bob role", r#"{"value":"owner"}"#), "not_allowed");
    assert_eq!(old(&mut log, "ann act general #1 pin", r#"{"value": true}"#), "malformed");
    assert_eq!(old(&mut log, "op message general - -", r#"{"text":"no account"}"#), "not_allowed");
    assert_eq!(log.put("op workspace.set - - name", r#"{"value":"New"}"#), "ok");
    assert_eq!(log.directory().workspace.as_ref().unwrap().name, "New");
    // A duplicate of a first of format 4: its header words count, not its text.
    assert_eq!(old(&mut log, "#5 bob message general - -", r#"{"text":"other"}"#), "ok");
    assert_eq!(old(&mut log, "#5 bob message general #1 -", r#"{"text":"five"}"#), "other_draft");
    assert_eq!(log.text(5).as_deref(), Some("five"));
    // A deletion that format 4 decided.
    assert_eq!(
        log.raw("bob act general #4 deleted", Some(r#"0011223344556677{"value":false}"#)),
        "not_allowed"
    );
    assert_eq!(log.raw("ann act general #4 deleted", Some(r#"0011223344556677{"value":false}"#)), "too_late");
    assert_eq!(log.raw("ann act general #4 deleted", Some(ON)), "ok");
    assert_eq!(log.raw("ann act general #4 deleted", Some(r#"0011223344556677{"value":false}"#)), "too_late");
    // Messages in the form of format 4, and edits.
    assert_eq!(old(&mut log, "#6 bob message general - -", r#"{"text":"six"}"#), "ok");
    assert_eq!(old(&mut log, "bob act general #6 text", r#"{"value":"six!"}"#), "ok");
    assert_eq!(log.text(6).as_deref(), Some("six!"));
    // Two old rooms with one key: both stay, and neither name is free.
    let directory = log.directory();
    assert_eq!(
        (&directory.rooms[&room("old")].key, &directory.rooms[&room("side")].key),
        (&"οδος".into(), &"οδος".into())
    );
    assert_eq!(log.put("ann room xxxxxxxxxx - -", r#"{"kind":"open","name":"O","key":"οδος"}"#), "taken");
    assert_eq!(log.put("bob room.set old - archived", r#"{"value":false}"#), "ok");

    let format_of = |g| log.state.read_anything(|reader| reader.format_of(g)).unwrap();
    assert_eq!(
        (format_of(1), format_of(rise), format_of(rise + 1)),
        (Format::One, Format::Four, Format::Five)
    );
    let again = log.refold(&[]);
    assert_eq!(*again.directory(), *log.directory());
    assert_eq!(again.row(4), log.row(4));
}

#[test]
fn a_restore_in_format_4_ends_the_deletion_and_a_later_one_is_restored_in_5() {
    let mut log = of_format_1();
    log.ok("ann format - - -", "4");
    old(&mut log, "#1 ann message general - -", r#"{"text":"one"}"#);
    assert_eq!(old(&mut log, "ann act general #1 deleted", r#"{"value":true}"#), "ok");
    assert_eq!(old(&mut log, "ann act general #1 deleted", r#"{"value":{"restored":"one"}}"#), "ok");
    let deletion = |log: &Log| log.state.read_anything(|reader| reader.deletion(number(1))).unwrap();
    assert_eq!(deletion(&log), None);
    log.ok("ann format - - -", "5");
    log.at = 1_000;
    log.ok("ann act general #1 deleted", r#"{"value":true}"#);
    assert_eq!(deletion(&log).unwrap().g, log.entries.len() as u64);
    log.ok("ann act general #1 deleted", r#"{"value":false}"#);
    assert_eq!(log.text(1).as_deref(), Some("one"));
}

#[test]
fn format_entries() {
    let mut log = scene();
    log.each(&[
        // Form before all; a number that is not above is taken of everybody, before the author.
        ("ann format - - -", "05", "malformed"),
        ("ann format - - -", "0", "malformed"),
        ("ann format - - -", "4294967296", "malformed"),
        ("op format general - -", "6", "malformed"),
        ("op format - - -", r#""6""#, "malformed"),
        ("ann format - - -", "5", "ok"),
        ("dan format - - -", "1", "ok"),
        ("#80 ann format - - -", "6", "not_allowed"),
        ("olga format - - -", "4294967295", "not_allowed"),
        ("#80 op format - - -", "6", "other_draft"),
        ("#80 ann format - - -", "7", "not_allowed"),
    ]);
    assert_eq!(log.directory().format(), Format::Five);
    // What it would accept, and does not read.
    let stops = log.fold("op format - - -", Some("00112233445566776"));
    assert!(matches!(stops, Err(FoldError::Format(newer)) if newer.number == 6), "{stops:?}");
    // It stands before that entry and reads on if another comes.
    assert_eq!(log.put("ann message general - -", r#"{"text":"on"}"#), "ok");
}

#[test]
fn a_log_of_format_4_stops_at_a_higher_one_whoever_wrote_it() {
    let mut log = of_format_1();
    log.ok("ann format - - -", "4");
    let stops = log.fold("bob format general - -", Some("00112233445566776"));
    assert!(matches!(stops, Err(FoldError::Format(newer)) if newer.number == 6), "{stops:?}");
}

#[test]
fn a_log_in_which_an_account_has_the_operators_id_does_not_rise() {
    let mut log = of_format_1();
    log.ok("ann format - - -", "4");
    assert_eq!(old(&mut log, "op account - op -", r#"{"name":"W","handle":"works"}"#), "ok");
    let g = log.entries.len() as u64 + 1;
    let stops = log.fold("ann format - - -", Some("00112233445566775"));
    assert!(matches!(stops, Err(FoldError::OperatorIsAccount { g: at }) if at == g), "{stops:?}");
    assert_eq!(log.directory().format(), Format::Four);
}

#[test]
fn an_entry_that_lost_a_body_that_is_never_erased_stops_the_fold() {
    let mut log = scene();
    let g = log.entries.len() as u64 + 1;
    for words in [
        "ann workspace - - -",
        "op format - - -",
        "dan account - dan -",
        "ann account.set - ann role",
        "ann logins - ann -",
        "ann void - #60 -",
        "ann room xxxxxxxxxx - -",
        "ann room.set general - name",
        "ann room.set general - archived",
        "ann join general cat -",
        "ann leave general ann -",
        "ann act general #1 pin",
        "ann act general #1 react:👍:ann",
        "ann act general #1 react:",
        "op erase general - -",
        // A duplicate too.
        "#1 ann act general #1 pin",
    ] {
        let stops = log.fold(words, None);
        assert!(matches!(stops, Err(FoldError::NoBody { g: at }) if at == g), "{words}: {stops:?}");
    }
    // What can be erased is decided as before, or refused for its header.
    for (words, expected) in [
        ("ann message general - -", "ok"),
        ("ann act general #1 text", "ok"),
        ("ann act general #1 words", "malformed"),
        ("ann room.set general - colour", "malformed"),
        ("ann account.set - ann status", "ok"),
        ("op workspace.set - - name", "ok"),
        ("ann sticker - - -", "ok"),
    ] {
        assert_eq!(log.raw(words, None), expected, "{words}");
    }
}

#[test]
fn no_decision_reads_a_body_that_can_be_erased() {
    let mut log = scene();
    log.ok("ann account.set - ann status", r#"{"value":{"text":"x"}}"#);
    log.ok("ann act general #1 text", r#"{"value":"x"}"#);
    log.ok("ann room.set general - topic", r#"{"value":"x"}"#);
    log.ok("ann act general #1 deleted", r#"{"value":true}"#);
    log.put("ann act general #1 deleted", r#"{"value":{"restored":"one"}}"#);
    log.put("#1 ann message general - -", r#"{"text":"another"}"#);
    log.put("cat message general - -", r#"{"text":"another"}"#);
    let kinds = ["message", "account.set"];
    let erasable: Vec<_> = log
        .entries
        .iter()
        .map(|entry| &entry.header)
        .filter(|header| {
            let slot = header.slot.as_ref().map_or("", |slot| slot.as_str());
            kinds.contains(&header.kind.as_str()) || matches!(slot, "text" | "topic")
        })
        .map(|header| header.g)
        .collect();
    let outcomes = |entries: &[beck::server::broker::Entry]| {
        let mut again = Log::empty();
        let folded = again.fold.fold(entries).unwrap();
        folded.into_iter().map(|folded| (folded.g, folded.outcome)).collect::<Vec<(u64, Outcome)>>()
    };
    assert!(erasable.len() >= 12, "{erasable:?}");
    assert_eq!(outcomes(&log.refold(&erasable).entries), outcomes(&log.entries));
}
