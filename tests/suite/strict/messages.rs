//! "The order of refusals" and "The operator": messages, answers, and messages in somebody's name.

use super::log::{Log, account, number};
use super::scene::scene;

const TEXT: &str = r#"{"text":"hi"}"#;

#[test]
fn messages() {
    let mut log = scene();
    log.each(&[
        // Form before everything.
        ("op message - - -", TEXT, "malformed"),
        ("op message general ann -", TEXT, "malformed"),
        ("op message general - text", TEXT, "malformed"),
        ("op message general - room", TEXT, "malformed"),
        ("op message general - room,for:ann", TEXT, "malformed"),
        ("op message general - for:general,room", TEXT, "malformed"),
        ("op message general - for:nobody", TEXT, "malformed"),
        // The operator in its own name before the room.
        ("op message xxxxxxxxxx - -", TEXT, "not_allowed"),
        ("op message old #9 -", TEXT, "not_allowed"),
        ("op message general #1 room", TEXT, "not_allowed"),
        // The room before all that is left.
        ("ann message xxxxxxxxxx - -", TEXT, "not_found"),
        ("cat message old #9 for:dan", TEXT, "not_found"),
        ("dan message general - -", TEXT, "not_found"),
        ("op message xxxxxxxxxx - for:ann", TEXT, "not_found"),
        // Archived before whose name it is.
        ("bob message old #9 for:dan", TEXT, "archived"),
        ("op message old #9 for:dan", TEXT, "archived"),
        // Whose name it is before who that is.
        ("ann message general #9 for:dan", TEXT, "not_allowed"),
        ("ann message general - for:ann", TEXT, "not_allowed"),
        ("olga message general - for:ann", TEXT, "not_allowed"),
        // Who that is before the target.
        ("op message general #9 for:dan", TEXT, "not_found"),
        ("op message general - for:op", TEXT, "not_found"),
        ("op message general #9 for:cat", TEXT, "target_gone"),
        // Not there, in another room, in a thread.
        ("ann message general #9 -", TEXT, "target_gone"),
        ("ann message general #7 -", TEXT, "target_gone"),
        ("ann message general #5 -", TEXT, "target_gone"),
        ("ann message general #5 room", TEXT, "target_gone"),
        // A deleted message takes answers. The form of the text is no reason.
        ("ann message general #3 -", TEXT, "ok"),
        ("ann message general - -", "what", "ok"),
    ]);
    assert_eq!(log.raw("ann message general - -", None), "ok");
    assert_eq!(log.raw("ann message general - -", Some("")), "ok");
}

fn place(log: &Log, n: u64) -> (u64, u64, u64, Option<(u64, u64)>) {
    let row = log.row(n);
    (row.seq, row.lane, row.ordinal, row.also.map(|also| (also.lane, also.ordinal)))
}

#[test]
fn lanes_of_answers() {
    let mut log = scene();
    // 1: made, 2 and 3: joins, 4 to 7: messages, 8 and 9: deletions.
    assert_eq!(place(&log, 1), (4, 0, 1, None));
    assert_eq!(place(&log, 5), (10, 4, 1, None));
    assert_eq!(place(&log, 6), (11, 0, 5, Some((4, 2))));
    // The root stands in a thread too: that thread.
    log.ok("#20 bob message general #6 -", TEXT);
    assert_eq!(place(&log, 20), (12, 4, 3, None));
    log.ok("#21 bob message general #6 room", TEXT);
    assert_eq!(place(&log, 21), (13, 0, 6, Some((4, 4))));
    log.ok("#22 bob message general #2 -", TEXT);
    assert_eq!(place(&log, 22), (14, 5, 1, None));
}

#[test]
fn a_message_for_somebody_is_theirs_in_rights_and_counts() {
    let mut log = scene();
    // Cat is no member of general; Ann is.
    log.ok("#20 op message general - for:cat", r#"{"text":"imported","said":1500000000000}"#);
    log.ok("#21 op message general #1 room,for:ann", TEXT);
    log.ok("#22 op message general #1 for:ann", TEXT);
    assert_eq!(log.row(20).author, account("cat"));
    assert_eq!(log.row(20).text.as_deref(), Some("imported"));
    assert_eq!(log.row(21).author, account("ann"));
    assert_eq!(place(&log, 21), (13, 0, 7, Some((4, 3))));
    assert_eq!(place(&log, 22), (14, 4, 4, None));
    log.each(&[
        ("bob act general #21 text", r#"{"value":"no"}"#, "not_allowed"),
        ("ann act general #21 text", r#"{"value":"yes"}"#, "ok"),
        ("cat act general #20 text", r#"{"value":"outside"}"#, "not_found"),
        ("cat act general #20 deleted", r#"{"value":true}"#, "ok"),
        ("cat act general #20 deleted", r#"{"value":false}"#, "ok"),
        ("bob act general #20 deleted", r#"{"value":true}"#, "not_allowed"),
    ]);
    assert_eq!(log.text(21).as_deref(), Some("yes"));
    assert_eq!(log.row(20).text.as_deref(), Some("imported"));
    let answers = log.row(1).answers.unwrap();
    assert_eq!(answers.count, 4);
    assert_eq!(log.row(20).id, number(20));
}
