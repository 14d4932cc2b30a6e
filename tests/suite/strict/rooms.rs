//! "The order of refusals" and "Names of rooms": rooms, their names and keys, and their members.

use super::log::{Log, room};
use super::scene::scene;

#[test]
fn rooms() {
    let mut log = scene();
    log.each(&[
        // Form before the author.
        ("dan room - - -", r#"{"kind":"open","name":"N","key":"n"}"#, "malformed"),
        ("dan room general ann -", r#"{"kind":"open","name":"N","key":"n"}"#, "malformed"),
        ("dan room general - -", r#"{"kind":"private","name":"N","key":"n"}"#, "malformed"),
        // The author before the id and the key.
        ("dan room general - -", r#"{"kind":"open","name":"N","key":"n"}"#, "not_allowed"),
        ("dan room xxxxxxxxxx - -", r#"{"kind":"open","name":"N","key":"general"}"#, "not_allowed"),
        ("ann room general - -", r#"{"kind":"open","name":"N","key":"n"}"#, "taken"),
        ("ann room xxxxxxxxxx - -", r#"{"kind":"open","name":"N","key":"general"}"#, "taken"),
        ("op room xxxxxxxxxx - -", r#"{"kind":"open","name":"N","key":"side"}"#, "taken"),
        // The bytes of the key count, not the name, and not the key of an archived room.
        ("ann room xxxxxxxxxx - -", r#"{"kind":"open","name":"General","key":"General"}"#, "ok"),
        ("op room zzzzzzzzzz - -", r#"{"kind":"open","name":"Old","key":"old"}"#, "ok"),
        // The old form: its key is the lower case of its name.
        ("ann room bbbbbbbbbb - -", r#"{"kind":"open","name":"GENERAL","topic":""}"#, "taken"),
        ("ann room bbbbbbbbbb - -", r#"{"kind":"open","name":"ΟΔΟΣ","topic":"streets"}"#, "ok"),
        ("ann room cccccccccc - -", r#"{"kind":"open","name":"Odos","key":"οδος"}"#, "taken"),
    ]);
    let directory = log.directory();
    let made = &directory.rooms[&room("bbbbbbbbbb")];
    assert_eq!((made.name.as_str(), made.key.as_str(), made.topic.as_str()), ("ΟΔΟΣ", "οδος", "streets"));
    assert!(log.is_member("ann", "xxxxxxxxxx"));
    assert!(directory.rooms[&room("zzzzzzzzzz")].members.is_empty(), "the operator is no member");
}

#[test]
fn names_of_rooms() {
    let mut log = scene();
    log.each(&[
        // Form before what can be seen.
        ("ann room.set xxxxxxxxxx - colour", r#"{"value":"N","key":"n"}"#, "malformed"),
        ("ann room.set xxxxxxxxxx - name", r#"{"key":"n","value":"N"}"#, "malformed"),
        ("ann room.set xxxxxxxxxx ann name", r#"{"value":"N","key":"n"}"#, "malformed"),
        ("ann room.set xxxxxxxxxx - name", r#"{"value":"N","key":"n"}"#, "not_found"),
        ("op room.set xxxxxxxxxx - name", r#"{"value":"N","key":"n"}"#, "not_found"),
        ("dan room.set old - name", r#"{"value":"N","key":"n"}"#, "not_found"),
        // Archived before the right, the right before the key.
        ("cat room.set old - name", r#"{"value":"N","key":"n"}"#, "archived"),
        ("op room.set old - name", r#"{"value":"N","key":"n"}"#, "archived"),
        ("cat room.set general - name", r#"{"value":"N","key":"side"}"#, "not_allowed"),
        ("olga room.set side - name", r#"{"value":"N","key":"general"}"#, "not_allowed"),
        ("bob room.set general - name", r#"{"value":"N","key":"side"}"#, "taken"),
        ("op room.set general - name", r#"{"value":"N","key":"side"}"#, "taken"),
        // Its own key, an archived room's key.
        ("bob room.set general - name", r#"{"value":"GENERAL","key":"general"}"#, "ok"),
        ("op room.set general - name", r#"{"value":"Older","key":"old"}"#, "ok"),
        ("bob room.set general - name", r#"{"value":"SIDE"}"#, "taken"),
        ("bob room.set general - name", r#"{"value":"Sides"}"#, "ok"),
        ("cat room.set side - name", r#"{"value":"x","key":"sides"}"#, "taken"),
    ]);
    assert_eq!(log.directory().rooms[&room("general")].name, "Sides");
}

#[test]
fn topics_of_rooms() {
    let mut log = scene();
    log.each(&[
        ("dan room.set general - topic", r#"{"value":"T"}"#, "not_found"),
        ("cat room.set old - topic", r#"{"value":"T"}"#, "archived"),
        ("cat room.set general - topic", r#"{"value":"T"}"#, "not_allowed"),
        ("bob room.set general - topic", r#"{"value":"T"}"#, "ok"),
    ]);
    let topic = |log: &Log| log.directory().rooms[&room("general")].topic.clone();
    assert_eq!(topic(&log), "T");
    log.ok("op room.set general - topic", r#"{"value":"By the operator"}"#);
    assert_eq!(topic(&log), "By the operator");
    assert_eq!(log.raw("bob room.set general - topic", None), "ok");
    assert_eq!(topic(&log), "");
}

#[test]
fn archiving() {
    let mut log = scene();
    log.each(&[
        ("bob room.set xxxxxxxxxx - archived", r#"{"value":"yes"}"#, "malformed"),
        ("bob room.set xxxxxxxxxx - archived", r#"{"value":true}"#, "not_found"),
        ("dan room.set general - archived", r#"{"value":true}"#, "not_found"),
        ("cat room.set general - archived", r#"{"value":true}"#, "not_allowed"),
        ("bob room.set general - archived", r#"{"value":true}"#, "not_allowed"),
        // The maker who left, and an owner who was never in it.
        ("ann leave general ann -", "null", "ok"),
        ("ann room.set general - archived", r#"{"value":true}"#, "ok"),
        ("olga room.set side - archived", r#"{"value":true}"#, "ok"),
        ("op room.set side - archived", r#"{"value":false}"#, "ok"),
        ("ann room.set general - archived", r#"{"value":true}"#, "ok"),
        // Coming back with a key that was taken meanwhile: after the right.
        ("ann room xxxxxxxxxx - -", r#"{"kind":"open","name":"Old","key":"old"}"#, "ok"),
        ("bob room.set old - archived", r#"{"value":false}"#, "not_allowed"),
        ("ann room.set old - archived", r#"{"value":false}"#, "taken"),
        ("op room.set old - archived", r#"{"value":false}"#, "taken"),
        ("ann room.set old - archived", r#"{"value":true}"#, "ok"),
        ("ann room.set xxxxxxxxxx - archived", r#"{"value":false}"#, "ok"),
        ("ann room.set general - archived", r#"{"value":false}"#, "ok"),
    ]);
}

#[test]
fn joins() {
    let mut log = scene();
    log.each(&[
        ("ann join xxxxxxxxxx dan -", "{}", "malformed"),
        ("ann join xxxxxxxxxx - -", "null", "malformed"),
        ("ann join general bob name", "null", "malformed"),
        ("ann join xxxxxxxxxx bob -", "null", "not_found"),
        ("op join xxxxxxxxxx bob -", "null", "not_found"),
        ("dan join general bob -", "null", "not_found"),
        ("dan join general dan -", "null", "not_found"),
        // Unknown before a member, a member before archived, archived before the right.
        ("cat join old dan -", "null", "not_found"),
        ("op join general op -", "null", "not_found"),
        ("cat join old bob -", "null", "taken"),
        ("cat join general bob -", "null", "taken"),
        ("ann join general ann -", "null", "taken"),
        ("dan account - dan -", r#"{"handle":"dan"}"#, "ok"),
        ("cat join old dan -", "null", "archived"),
        ("ann join old dan -", "null", "archived"),
        ("op join old dan -", "null", "archived"),
        ("cat join general dan -", "null", "not_allowed"),
        ("olga join side dan -", "null", "not_allowed"),
        ("bob join general dan -", "null", "ok"),
        ("cat join old cat -", "null", "ok"),
        ("op join general cat -", "null", "ok"),
    ]);
    assert!(
        log.is_member("dan", "general") && log.is_member("cat", "old") && log.is_member("cat", "general")
    );
}

#[test]
fn leaves() {
    let mut log = scene();
    log.each(&[
        ("cat leave general - -", "null", "malformed"),
        ("cat leave xxxxxxxxxx cat -", "null", "not_found"),
        ("op leave xxxxxxxxxx cat -", "null", "not_found"),
        ("cat leave general cat -", "null", "not_found"),
        // The author is no member, the target is none: before the right.
        ("cat leave general ann -", "null", "not_found"),
        ("olga leave side cat -", "null", "not_found"),
        ("bob leave general cat -", "null", "not_found"),
        ("op leave general cat -", "null", "not_found"),
        ("bob leave general ann -", "null", "not_allowed"),
        ("ann leave general bob -", "null", "not_allowed"),
        ("olga leave general bob -", "null", "ok"),
        ("bob leave old bob -", "null", "ok"),
        ("op leave old ann -", "null", "ok"),
        ("op leave side cat -", "null", "ok"),
    ]);
    assert!(!log.is_member("ann", "old") && !log.is_member("bob", "general"));
}
