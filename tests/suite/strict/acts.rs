//! "The order of refusals" and "Limits and clocks": acts on messages but for deletions and restores, and the limits of
//! reactions.

use super::log::{account, id};
use super::scene::scene;

const ON: &str = r#"{"value":true}"#;
const OFF: &str = r#"{"value":false}"#;
const TEXT: &str = r#"{"value":"new"}"#;

#[test]
fn edits() {
    let mut log = scene();
    log.each(&[
        ("op act general - text", TEXT, "malformed"),
        ("op act - #1 text", TEXT, "malformed"),
        ("op act general ann text", TEXT, "malformed"),
        ("op act general #1 words", TEXT, "malformed"),
        // The operator before the room.
        ("op act xxxxxxxxxx #1 text", TEXT, "not_allowed"),
        ("op act general #1 text", TEXT, "not_allowed"),
        ("ann act xxxxxxxxxx #1 text", TEXT, "not_found"),
        ("cat act old #9 text", TEXT, "not_found"),
        ("bob act old #9 text", TEXT, "archived"),
        ("bob act old #7 text", TEXT, "archived"),
        ("ann act general #9 text", TEXT, "target_gone"),
        ("ann act general #7 text", TEXT, "target_gone"),
        // The right before the deletion.
        ("ann act general #4 text", TEXT, "not_allowed"),
        ("olga act general #1 text", TEXT, "not_allowed"),
        ("ann act general #3 text", TEXT, "target_gone"),
        ("bob act general #4 text", TEXT, "target_gone"),
        ("ann act general #1 text", TEXT, "ok"),
    ]);
    assert_eq!(log.text(1).as_deref(), Some("new"));
    assert_eq!(log.raw("bob act general #2 text", None), "ok");
    assert_eq!(log.text(2), None);
}

#[test]
fn pins() {
    scene().each(&[
        ("dan act xxxxxxxxxx #1 pin", r#"{"value":1}"#, "malformed"),
        ("dan act general #1 pin", ON, "not_found"),
        ("cat act general #1 pin", ON, "not_found"),
        ("op act xxxxxxxxxx #1 pin", ON, "not_found"),
        ("bob act old #9 pin", ON, "archived"),
        ("op act old #7 pin", ON, "archived"),
        ("op act general #9 pin", ON, "target_gone"),
        ("op act general #3 pin", ON, "target_gone"),
        ("bob act general #3 pin", OFF, "target_gone"),
        ("bob act general #1 pin", ON, "ok"),
        ("op act general #1 pin", OFF, "ok"),
    ]);
}

#[test]
fn reactions() {
    let mut log = scene();
    log.each(&[
        // Of somebody else, and other emoji: before the room.
        ("ann act xxxxxxxxxx #1 react:👍:bob", ON, "malformed"),
        ("olga act general #1 react:👍:bob", OFF, "malformed"),
        ("ann act general #1 react:a:ann", ON, "malformed"),
        ("ann act general #1 react::ann", ON, "malformed"),
        ("ann act general #1 react:👍::ann", ON, "malformed"),
        ("ann act general #1 react:👍:ann", TEXT, "malformed"),
        // An unknown room, an unknown account.
        ("ann act xxxxxxxxxx #1 react:👍:ann", ON, "not_found"),
        ("op act xxxxxxxxxx #1 react:👍:ann", ON, "not_found"),
        ("op act general #1 react:👍:dan", ON, "not_found"),
        ("op act old #9 react:👍:dan", ON, "not_found"),
        ("op act general #1 react:👍:op", ON, "not_found"),
        ("cat act general #1 react:👍:cat", ON, "not_found"),
        ("bob act old #9 react:👍:bob", ON, "archived"),
        ("op act old #7 react:👍:bob", ON, "archived"),
        ("bob act general #9 react:👍:bob", ON, "target_gone"),
        ("bob act general #3 react:👍:bob", ON, "target_gone"),
        ("bob act general #1 react:👍:bob", ON, "ok"),
        ("bob act general #1 react:👍:bob", ON, "ok"),
        // The operator, for somebody who is not in the room.
        ("op act general #1 react:👍:cat", ON, "ok"),
        ("op act general #1 react:👍:bob", OFF, "ok"),
    ]);
    let row = log.row(1);
    assert_eq!(row.reactions["👍"].iter().collect::<Vec<_>>(), [&account("cat")]);
}

/// 25 emoji.
fn emoji() -> Vec<String> {
    (0..25).map(|n| char::from_u32(0x1f600 + n).unwrap().to_string()).collect()
}

#[test]
fn one_account_has_ten_reactions_on_a_message() {
    let mut log = scene();
    let emoji = emoji();
    let react = |who: &str, n: usize| format!("{who} act general #1 react:{}:{who}", emoji[n]);
    (0..10).for_each(|n| log.ok(&react("ann", n), ON));
    assert_eq!(log.put(&react("ann", 10), ON), "not_allowed");
    log.ok(&react("bob", 10), ON);
    // Also one that the message has.
    assert_eq!(log.put(&react("ann", 10), ON), "not_allowed");
    // By the operator too.
    assert_eq!(log.put(&format!("op act general #1 react:{}:ann", emoji[10]), ON), "not_allowed");
    // One that is there already, and taking away, also what is not there.
    log.ok(&react("ann", 3), ON);
    log.ok(&react("ann", 10), OFF);
    log.ok(&react("ann", 3), OFF);
    log.ok(&react("ann", 10), ON);
    assert_eq!(log.put(&react("ann", 11), ON), "not_allowed");
    log.ok(&format!("ann act general #2 react:{}:ann", emoji[11]), ON);
}

#[test]
fn a_message_has_twenty_different_emoji() {
    let mut log = scene();
    let emoji = emoji();
    let react = |who: &str, n: usize| format!("{who} act general #1 react:{}:{who}", emoji[n]);
    (0..10).for_each(|n| log.ok(&react("ann", n), ON));
    (10..20).for_each(|n| log.ok(&react("bob", n), ON));
    assert_eq!(log.put(&react("olga", 20), ON), "not_allowed");
    log.ok(&react("olga", 0), ON);
    // Those of somebody who has left count.
    log.ok("bob leave general bob -", "null");
    assert_eq!(log.put(&react("olga", 20), ON), "not_allowed");
    // The last account's reaction with an emoji frees its place; the other account's does not.
    log.ok(&react("ann", 0), OFF);
    assert_eq!(log.put(&react("olga", 20), ON), "not_allowed");
    log.ok(&react("olga", 0), OFF);
    log.ok(&react("olga", 20), ON);
    assert_eq!(log.row(1).reactions.len(), 20);
    assert_eq!(id("general"), "hhhhhhhhhh");
}
