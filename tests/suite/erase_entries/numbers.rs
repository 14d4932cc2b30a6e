//! The list `entries`, of entries that format 5 decided.

use super::log::{ANN, BOB, DAY, Log, OPERATOR, ROOM, Words, id};

const STRANGER: &str = "ffffffffff";

/// Whether each of these goes by its number a day later, by hand.
fn assert_goes(log: &mut Log, expected: &[(u64, bool)]) {
    log.now += DAY;
    for (g, goes) in expected {
        let erase = log.erase_entries(&[*g]);
        if *goes {
            log.takes(erase, &[*g]);
            let again = log.erase_entries(&[*g]);
            log.refuse(again, "target_gone");
        } else {
            log.refuse(erase, "target_gone");
        }
    }
}

#[test]
fn a_refused_entry_is_due_after_86_400_000_milliseconds() {
    let mut log = Log::new();
    let refused = log.message(STRANGER, "first");
    let g = log.refuse(refused, "not_found");
    let at = log.entries[g as usize - 1].header.at;
    assert_eq!((log.can_be_erased(at - 1), log.can_be_erased(at)), (vec![], vec![g]));
    log.now = at + 86_399_999;
    let early = log.erase_entries(&[g]);
    log.refuse(early, "target_gone");
    let due = log.erase_entries(&[g]);
    log.takes(due, &[g]);
    assert!(log.can_be_erased(i64::MAX).is_empty());
    log.check();
}

#[test]
fn refused_entries_go_if_their_kind_and_slot_can_be_erased() {
    let mut log = Log::new();
    let message = log.message(ANN, "first");
    let first = message.id.clone();
    let accepted = log.accept(message);
    let mut expected = vec![(accepted, false)];
    let text = r#""words""#;
    let restored = r#"{"restored":"words"}"#;
    let act = |log: &mut Log, by: &str, slot: &str, value: &str| log.act(by, &first, slot, value);
    let set = |log: &mut Log, kind: &str, slot: &str, value: &str| {
        log.raw(BOB, kind, &format!(r#"{{"value":{value}}}"#)).slot(slot)
    };
    let refused: Vec<(Words, &str, bool)> = vec![
        (log.message(STRANGER, "words"), "not_found", true),
        (log.message(ANN, "words").target(&id(7)), "target_gone", true),
        (log.message(ANN, "words").slot("else"), "malformed", true),
        (log.message(ANN, "words").no_room(), "malformed", true),
        (act(&mut log, BOB, "text", text), "not_allowed", true),
        (act(&mut log, ANN, "else", text), "malformed", true),
        (act(&mut log, BOB, "deleted", "true"), "not_allowed", false),
        (act(&mut log, ANN, "deleted", "false"), "target_gone", false),
        (act(&mut log, ANN, "deleted", restored), "target_gone", true),
        (act(&mut log, ANN, "deleted", text), "target_gone", true),
        (act(&mut log, STRANGER, "pin", "true"), "not_found", false),
        (act(&mut log, ANN, "pin", text), "malformed", false),
        (act(&mut log, STRANGER, "react:👍:ffffffffff", "true"), "not_found", false),
        (set(&mut log, "account.set", "name", text).target(ANN), "not_allowed", true),
        (set(&mut log, "account.set", "status", text).target(STRANGER), "not_found", true),
        (set(&mut log, "account.set", "field:4", text).target(BOB), "malformed", true),
        (set(&mut log, "account.set", "role", r#""owner""#).target(BOB), "not_allowed", false),
        (set(&mut log, "workspace.set", "name", text), "not_allowed", true),
        (set(&mut log, "workspace.set", "color", text), "malformed", true),
        (set(&mut log, "room.set", "topic", text).room("zzzzzzzzzz"), "not_found", true),
        (set(&mut log, "room.set", "color", text).room(ROOM), "malformed", true),
        (set(&mut log, "room.set", "name", text).room("zzzzzzzzzz"), "not_found", false),
        (set(&mut log, "room.set", "archived", "true").room("zzzzzzzzzz"), "not_found", false),
        (log.raw(ANN, "account", r#"{"handle":"ann"}"#).target(ANN), "taken", false),
        (log.raw(ANN, "room", r#"{"kind":"open","name":"x","key":"x"}"#).room(ROOM), "taken", false),
        (log.raw(STRANGER, "join", "null").room(ROOM).target(STRANGER), "not_found", false),
        (log.raw(STRANGER, "leave", "null").room(ROOM).target(STRANGER), "not_found", false),
        (log.raw(STRANGER, "logins", "null").target(ANN), "not_allowed", false),
        (log.raw(STRANGER, "void", "null").target(&id(7)), "not_allowed", false),
        (log.raw(ANN, "format", "6"), "not_allowed", false),
        (log.raw(OPERATOR, "workspace", "null"), "taken", false),
        (log.erase_entries(&[1]), "target_gone", false),
    ];
    for (words, why, goes) in refused {
        expected.push((log.refuse(words, why), goes));
    }
    let unknown = log.raw(ANN, "poll", r#"{"question":"words"}"#);
    expected.push((log.accept(unknown), false));
    assert_goes(&mut log, &expected);
    log.check();
}

#[test]
fn duplicates_go_whatever_their_outcome_if_their_own_kind_and_slot_can_be_erased() {
    let mut log = Log::new();
    let message = log.message(ANN, "first");
    let first = message.id.clone();
    let (again, by_another) = (message.clone(), message.clone().by(BOB));
    let g = log.accept(message);
    let poll = log.raw(ANN, "poll", "1");
    let poll_again = poll.clone();
    log.accept(poll);
    let delete = log.act(ANN, &first, "deleted", "true");
    let delete_again = delete.clone();
    let restored = log.act(ANN, &first, "deleted", r#"{"restored":"first"}"#).id(&delete.id);
    log.accept(delete);
    let join = log.raw(ANN, "join", "null").room(ROOM).target(ANN).id(&first);
    let pin = log.act(ANN, &first, "pin", "true").id(&first);
    let name = log.raw(ANN, "account.set", r#"{"value":"x"}"#).target(ANN).slot("name").id(&first);
    let expected = vec![
        (g, false),
        (log.accept(again), true),
        (log.refuse(by_another, "other_draft"), true),
        (log.accept(poll_again), true),
        (log.accept(delete_again), false),
        (log.accept(restored), true),
        (log.refuse(join, "other_draft"), false),
        (log.refuse(pin, "other_draft"), false),
        (log.refuse(name, "other_draft"), true),
    ];
    assert_goes(&mut log, &expected);
    log.check();
}

#[test]
fn entries_under_a_void_go_whoever_wrote_them() {
    let mut log = Log::new();
    let message = log.message(ANN, "first");
    let void = log.raw(ANN, "void", "null").target(&message.id);
    let (again, by_another) = (message.clone(), message.clone().by(BOB));
    let status = log.raw(ANN, "account.set", r#"{"value":"x"}"#).target(ANN).slot("status").id(&message.id);
    let pin = log.act(ANN, &id(7), "pin", "true").id(&message.id);
    let void = log.accept(void);
    let expected = vec![
        (void, false),
        (log.refuse(message, "void"), true),
        (log.refuse(again, "void"), true),
        (log.refuse(by_another, "other_draft"), true),
        (log.refuse(status, "void"), true),
        (log.refuse(pin, "void"), false),
    ];
    assert_goes(&mut log, &expected);
    log.check();
}

/// Each setting that can be erased: an older value goes when a later one is due, the newest never.
#[test]
fn a_value_goes_a_day_after_the_next_one_of_the_same_setting() {
    let mut log = Log::new();
    let set = |log: &mut Log, kind: &str, slot: &str, value: &str| {
        let by = if kind == "workspace.set" { OPERATOR } else { ANN };
        let words = log.raw(by, kind, &format!(r#"{{"value":{value}}}"#)).slot(slot);
        let words = match kind {
            "account.set" => words.target(ANN),
            "room.set" => words.room(ROOM),
            _ => words,
        };
        log.accept(words)
    };
    let slots = ["name", "title", "status", "pronouns", "zone", "field:1", "field:2", "field:3"];
    let mut settings: Vec<_> = slots.iter().map(|slot| ("account.set", *slot)).collect();
    settings.extend([("workspace.set", "name"), ("room.set", "topic")]);
    let old: Vec<u64> = settings.iter().map(|(kind, slot)| set(&mut log, kind, slot, r#""old""#)).collect();
    log.now += DAY;
    for g in &old {
        let only_value = log.erase_entries(&[*g]);
        log.refuse(only_value, "target_gone");
    }
    let at = log.now;
    let new: Vec<u64> = settings.iter().map(|(kind, slot)| set(&mut log, kind, slot, "null")).collect();
    log.now = at + DAY - 1;
    let early = log.erase_entries(&old);
    log.refuse(early, "target_gone");
    // Only the first of the later values is due.
    let first = log.erase_entries(&old);
    log.takes(first, &old[..1]);
    log.now += DAY;
    let mut all: Vec<u64> = old.iter().chain(&new).copied().collect();
    all.sort();
    let rest = log.erase_entries(&all);
    log.takes(rest, &old[1..]);
    log.check();
}

#[test]
fn a_value_stays_while_only_others_were_set() {
    let mut log = Log::new();
    let name = log.raw(ANN, "account.set", r#"{"value":"Ann"}"#).target(ANN).slot("name");
    let g = log.accept(name);
    // Another slot, another account, one that is refused, one that is repeated.
    let title = log.raw(ANN, "account.set", r#"{"value":"Dr"}"#).target(ANN).slot("title");
    log.accept(title);
    let bob = log.raw(BOB, "account.set", r#"{"value":"Bob"}"#).target(BOB).slot("name");
    let again = bob.clone();
    log.accept(bob);
    let refused = log.raw(BOB, "account.set", r#"{"value":"Eve"}"#).target(ANN).slot("name");
    log.refuse(refused, "not_allowed");
    let again = log.accept(again);
    log.now += DAY;
    let erase = log.erase_entries(&[g, again]);
    log.takes(erase, &[again]);
    // An older topic of another room stays too.
    let by_operator = log.raw(OPERATOR, "account.set", r#"{"value":null}"#).target(ANN).slot("name");
    log.accept(by_operator);
    log.now += DAY;
    let erase = log.erase_entries(&[g]);
    log.takes(erase, &[g]);
    log.check();
}

/// A text that an edit replaced goes with its message or by `earlier`, never by its number.
#[test]
fn texts_of_a_message_never_go_by_their_numbers() {
    let mut log = Log::new();
    let message = log.message(ANN, "one");
    let first = message.id.clone();
    let one = log.accept(message);
    let edit = log.act(ANN, &first, "text", r#""two""#);
    let two = log.accept(edit);
    let delete = log.act(ANN, &first, "deleted", "true");
    log.accept(delete);
    log.now += DAY;
    let erase = log.erase_entries(&[one, two]);
    log.refuse(erase, "target_gone");
    assert!(log.can_be_erased(i64::MAX).is_empty());
    log.check();
}

#[test]
fn a_thousand_bodies_go_at_once() {
    let mut log = Log::new();
    let mut numbers = Vec::new();
    for n in 0..1_000 {
        let refused = log.message(STRANGER, &format!("refused {n}"));
        numbers.push(log.refuse(refused, "not_found"));
    }
    log.now += DAY;
    let erase = log.erase_entries(&numbers);
    log.takes(erase, &numbers);
    assert_eq!(log.erased(), numbers);
    log.check();
}
