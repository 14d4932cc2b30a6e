//! "Deleting and restoring" and "The order of refusals": who deletes and restores, until when, and what the message
//! shows.

use super::log::{BEGIN, Log, account, number};
use super::scene::scene;
use beck::protocol::AccountId;
use beck::server::state::Deletion;

const ON: &str = r#"{"value":true}"#;
const OFF: &str = r#"{"value":false}"#;
const DAY: i64 = 86_400_000;

fn deletion(log: &Log, n: u64) -> Option<Deletion> {
    log.state.read_anything(|reader| reader.deletion(number(n))).unwrap()
}

#[test]
fn deletions() {
    scene().each(&[
        ("ann act xxxxxxxxxx #1 deleted", ON, "not_found"),
        ("op act xxxxxxxxxx #1 deleted", ON, "not_found"),
        ("cat act general #1 deleted", ON, "not_found"),
        // Of nobody's message one is not the author.
        ("cat act general #9 deleted", ON, "not_found"),
        ("cat act old #9 deleted", ON, "not_found"),
        ("bob act old #9 deleted", ON, "target_gone"),
        ("bob act general #9 deleted", ON, "target_gone"),
        // Another room's.
        ("bob act general #7 deleted", ON, "target_gone"),
        ("bob act general #1 deleted", ON, "not_allowed"),
        ("ann act old #7 deleted", ON, "not_allowed"),
        ("ann act general #1 deleted", ON, "ok"),
        ("olga act general #2 deleted", ON, "ok"),
        // Again, and in an archived room.
        ("ann act general #1 deleted", ON, "ok"),
        ("bob act old #7 deleted", ON, "ok"),
        ("op act old #7 deleted", ON, "ok"),
    ]);
}

#[test]
fn only_exactly_a_salt_and_true_deletes() {
    let mut log = scene();
    for body in [
        Some("0011223344556677{\"value\":true}\n{}"),
        Some(r#"0011223344556677{"value":true} "#),
        Some(r#"001122334455667G{"value":true}"#),
        Some(r#"00112233445566778899aabbccddeeff{"value":true}"#),
        Some(r#"0011223344556677{"value":false}"#),
        Some(r#"0011223344556677{"value":{"restored":"one"}}"#),
        Some("what"),
        None,
    ] {
        // It restores, and #1 is not deleted.
        assert_eq!(log.raw("ann act general #1 deleted", body), "target_gone", "{body:?}");
        assert_eq!(log.raw("ann act general #3 deleted", body), "ok", "{body:?}");
        assert_eq!(
            log.text(3).as_deref(),
            Some("three"),
            "the text that stood, whatever the body says: {body:?}"
        );
        log.ok("ann act general #3 deleted", ON);
        assert_eq!(log.text(3), None);
    }
}

#[test]
fn the_first_deletion_counts() {
    let mut log = scene();
    let first = deletion(&log, 3).unwrap();
    assert_eq!((first.by, first.by_others, first.by_operator), (account("ann"), false, false));
    log.at = 5_000;
    log.ok("ann act general #3 deleted", ON);
    assert_eq!(deletion(&log, 3), Some(first));
    log.ok("olga act general #3 deleted", ON);
    assert_eq!(deletion(&log, 3), Some(Deletion { by_others: true, ..first }));
    log.ok("op act general #3 deleted", ON);
    assert_eq!(deletion(&log, 3), Some(Deletion { by_others: true, by_operator: true, ..first }));
    assert_eq!(deletion(&log, 1), None);
}

/// What a reader sees: who deleted the message, and when.
fn tombstone(log: &Log, n: u64) -> Option<(AccountId, i64)> {
    log.row(n).deleted.map(|deleted| (deleted.by, deleted.at - BEGIN))
}

#[test]
fn the_tombstone_is_that_of_the_first_deletion() {
    let mut log = scene();
    for (at, who) in [(1_000, "ann"), (2_000, "ann"), (3_000, "olga"), (4_000, "op")] {
        log.at = at;
        log.ok(&format!("{who} act general #1 deleted"), ON);
        assert_eq!(tombstone(&log, 1), Some((account("ann"), 1_000)), "{who}");
    }
    // After a restore the next one is the first.
    log.ok("ann act general #3 deleted", OFF);
    assert_eq!(tombstone(&log, 3), None);
    for (at, who) in [(5_000, "olga"), (6_000, "ann")] {
        log.at = at;
        log.ok(&format!("{who} act general #3 deleted"), ON);
        assert_eq!(tombstone(&log, 3), Some((account("olga"), 5_000)), "{who}");
    }
}

#[test]
fn restores() {
    let mut log = scene();
    log.each(&[
        ("cat act general #3 deleted", OFF, "not_found"),
        ("bob act general #9 deleted", OFF, "target_gone"),
        // Not deleted before whose it is.
        ("bob act general #1 deleted", OFF, "target_gone"),
        ("op act general #1 deleted", OFF, "target_gone"),
        // By another than who deleted it: the author too.
        ("bob act general #3 deleted", OFF, "not_allowed"),
        ("olga act general #3 deleted", OFF, "not_allowed"),
        ("bob act general #4 deleted", OFF, "not_allowed"),
        ("op act general #4 deleted", OFF, "not_allowed"),
        ("ann act general #3 deleted", OFF, "ok"),
        ("ann act general #3 deleted", OFF, "target_gone"),
        // An owner restores what they deleted of somebody else.
        ("olga act general #4 deleted", OFF, "ok"),
    ]);
    assert_eq!((log.text(3), log.text(4)), (Some("three".into()), Some("four".into())));
    assert_eq!(deletion(&log, 3), None);
    // Deleted by two.
    log.each(&[
        ("bob act general #4 deleted", ON, "ok"),
        ("olga act general #4 deleted", ON, "ok"),
        ("bob act general #4 deleted", OFF, "not_allowed"),
        ("olga act general #4 deleted", OFF, "not_allowed"),
        ("ann act general #1 deleted", ON, "ok"),
        ("op act general #1 deleted", ON, "ok"),
        ("ann act general #1 deleted", OFF, "not_allowed"),
        ("op act general #2 deleted", ON, "ok"),
        ("bob act general #2 deleted", ON, "ok"),
        ("op act general #2 deleted", OFF, "not_allowed"),
        ("bob act general #2 deleted", OFF, "not_allowed"),
    ]);
}

#[test]
fn a_restore_comes_within_24_hours_of_the_first_deletion() {
    let mut log = scene();
    log.at = DAY - 1;
    log.ok("ann act general #3 deleted", ON);
    log.ok("ann act general #3 deleted", OFF);
    // Deleted anew: the time counts from here.
    log.ok("ann act general #3 deleted", ON);
    log.at = DAY;
    assert_eq!(log.put("olga act general #4 deleted", OFF), "too_late");
    // Whose it is comes first.
    assert_eq!(log.put("bob act general #4 deleted", OFF), "not_allowed");
    // A later deletion does not move the time.
    log.ok("olga act general #4 deleted", ON);
    assert_eq!(log.put("olga act general #4 deleted", OFF), "too_late");
    log.at = 2 * DAY - 2;
    log.ok("ann act general #3 deleted", OFF);
    log.ok("ann act general #3 deleted", ON);
    log.at = 3 * DAY - 2;
    assert_eq!(log.put("ann act general #3 deleted", OFF), "too_late");
}

#[test]
fn who_has_left_deletes_and_restores_what_they_wrote() {
    let mut log = scene();
    log.each(&[
        ("bob leave general bob -", "null", "ok"),
        ("olga leave general olga -", "null", "ok"),
        ("bob leave old bob -", "null", "ok"),
        ("bob act general #2 pin", ON, "not_found"),
        ("bob act general #2 deleted", ON, "ok"),
        ("bob act general #2 deleted", OFF, "ok"),
        // Archived as well.
        ("bob act old #7 deleted", ON, "ok"),
        ("bob act old #7 deleted", OFF, "ok"),
        ("bob act general #1 deleted", ON, "not_found"),
        // Not the author: an owner is a member, or gets nothing.
        ("olga act general #1 deleted", ON, "not_found"),
        ("olga act general #4 deleted", OFF, "not_found"),
        ("bob act general #4 deleted", OFF, "not_allowed"),
    ]);
}

#[test]
fn the_text_before_the_deletion_stands_again() {
    let mut log = scene();
    log.ok("ann act general #1 text", r#"{"value":"first edit"}"#);
    log.ok("ann act general #1 text", r#"{"value":"second edit"}"#);
    let edit = log.row(1).version;
    log.ok("ann act general #1 deleted", ON);
    let again = log.fold("ann act general #1 deleted", Some(r#"0011223344556677{"value":false}"#)).unwrap();
    assert_eq!(log.text(1).as_deref(), Some("second edit"));
    let (_, event) = again.event.unwrap();
    assert_eq!(event.restores, Some(edit));
    assert_eq!(
        serde_json::to_value(&event.body).unwrap(),
        serde_json::json!({ "value": { "restored": "second edit" } })
    );
    // A restore with text shows what stood, and writes nothing that stands later.
    log.ok("ann act general #1 deleted", ON);
    log.ok("ann act general #1 deleted", r#"{"value":{"restored":"put in its mouth"}}"#);
    assert_eq!(log.text(1).as_deref(), Some("second edit"));
    log.ok("ann act general #1 deleted", ON);
    log.ok("ann act general #1 deleted", OFF);
    assert_eq!(log.text(1).as_deref(), Some("second edit"));
}

#[test]
fn a_text_that_the_log_no_longer_has_stands_again_as_none() {
    let mut log = scene();
    log.ok("ann act general #1 text", r#"{"value":"edit"}"#);
    let edit = log.entries.len() as u64;
    log.ok("ann act general #1 deleted", ON);
    log.ok("ann act general #1 deleted", OFF);
    let again = log.refold(&[edit]);
    assert_eq!(again.text(1), None, "not the text before the edit");
    assert_eq!(deletion(&again, 1), None);
}
