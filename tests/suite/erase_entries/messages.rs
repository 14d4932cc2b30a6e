//! The list `messages`: every text of messages that were deleted.

use super::log::{ANN, BOB, DAY, Log, OPERATOR, OTHER_ROOM, ROOM, id};

/// Ann writes a message; gives its id and its number.
fn written(log: &mut Log) -> (String, u64) {
    let message = log.message(ANN, "first");
    let id = message.id.clone();
    (id, log.accept(message))
}

/// Deletes a message; gives the time of that.
fn deleted(log: &mut Log, by: &str, id: &str) -> i64 {
    let delete = log.act(by, id, "deleted", "true");
    log.accept(delete);
    log.now - 1
}

#[test]
fn a_deletion_is_due_after_86_400_000_milliseconds() {
    let mut log = Log::new();
    let (first, g) = written(&mut log);
    let at = deleted(&mut log, ANN, &first);
    log.now = at + 86_399_999;
    let early = log.erase_messages(&[&first]);
    log.refuse(early, "target_gone");
    assert_eq!(log.now, at + 86_400_000);
    let due = log.erase_messages(&[&first]);
    log.takes(due, &[g]);
    log.check();
}

#[test]
fn a_deletion_by_the_operator_is_due_at_once_even_if_it_is_not_the_first() {
    let mut log = Log::new();
    let (first, first_g) = written(&mut log);
    let (second, second_g) = written(&mut log);
    deleted(&mut log, OPERATOR, &first);
    deleted(&mut log, ANN, &second);
    let both = log.erase_messages(&[&first, &second]);
    log.takes(both, &[first_g]);
    deleted(&mut log, OPERATOR, &second);
    let both = log.erase_messages(&[&first, &second]);
    log.takes(both, &[second_g]);
    log.check();
}

#[test]
fn a_later_deletion_does_not_move_the_time_and_a_restore_ends_it() {
    let mut log = Log::new();
    let (first, first_g) = written(&mut log);
    let (second, second_g) = written(&mut log);
    let at = deleted(&mut log, ANN, &first);
    deleted(&mut log, ANN, &second);
    let restore = log.act(ANN, &second, "deleted", "false");
    log.accept(restore);
    log.now = at + DAY - 1_000;
    deleted(&mut log, ANN, &first);
    let again = deleted(&mut log, ANN, &second);
    log.now = at + DAY;
    let both = log.erase_messages(&[&first, &second]);
    log.takes(both, &[first_g]);
    log.now = again + DAY;
    let second = log.erase_messages(&[&second]);
    log.takes(second, &[second_g]);
    log.check();
}

#[test]
fn what_does_not_qualify_is_skipped_and_with_nothing_left_it_is_refused() {
    let mut log = Log::new();
    let (standing, _) = written(&mut log);
    let (gone, gone_g) = written(&mut log);
    let elsewhere = log.message(ANN, "elsewhere").room(OTHER_ROOM);
    let other = elsewhere.id.clone();
    log.accept(elsewhere);
    let restored = log.message(ANN, "restored");
    let back = restored.id.clone();
    log.accept(restored);
    deleted(&mut log, ANN, &gone);
    deleted(&mut log, ANN, &back);
    let delete = log.act(ANN, &other, "deleted", "true").room(OTHER_ROOM);
    log.accept(delete);
    let restore = log.act(ANN, &back, "deleted", "false");
    log.accept(restore);
    log.now += DAY;
    let none = log.erase_messages(&[&standing, &other, &back, &id(7)]);
    log.refuse(none, "target_gone");
    let some = log.erase_messages(&[&standing, &other, &gone, &back, &id(7)]);
    let g = log.takes(some, &[gone_g]);
    assert_eq!(log.of(g).event.as_ref().unwrap().1.erased.len(), 1);
    // Not again, not even beside one that is new.
    let again = log.erase_messages(&[&gone]);
    log.refuse(again, "target_gone");
    let there = log.erase_messages(&[&other]).room(OTHER_ROOM);
    log.accept(there);
    log.check();
}

/// The entries of a message of format 5 that an `erase` takes, and those that stay though they name it.
#[test]
fn all_texts_go_with_their_duplicates_and_no_other_body() {
    let mut log = Log::new();
    let message = log.message(ANN, "@bob first");
    let first = message.id.clone();
    let again = message.clone().stored(&format!("{:032x}{}", 7, r#"{"text":"another"}"#));
    let by_another = message.clone().by(BOB);
    let other_kind = log.raw(ANN, "join", "null").room(ROOM).target(ANN).id(&first);
    let mut goes = vec![log.accept(message)];
    let edit = log.act(ANN, &first, "text", r#""second""#);
    let edit_again = edit.clone();
    goes.push(log.accept(edit));
    goes.push(log.accept(edit_again));
    // An edit by one who may not has its text alone.
    let refused = log.act(BOB, &first, "text", r#""mine""#);
    let refused = log.refuse(refused, "not_allowed");
    for value in ["true", r#"{"restored":"second"}"#, "true"] {
        let act = log.act(ANN, &first, "deleted", value);
        let act_again = act.clone();
        let g = log.accept(act);
        let again_g = log.accept(act_again);
        if value != "true" {
            goes.extend([g, again_g]);
        }
    }
    goes.push(log.accept(again));
    goes.push(log.refuse(by_another, "other_draft"));
    log.refuse(other_kind, "other_draft");
    // Erasable, but no text.
    let name = log.raw(ANN, "account.set", r#"{"value":"Ann"}"#).target(ANN).slot("name").id(&first);
    let name = log.refuse(name, "other_draft");
    log.now += DAY;
    goes.sort();
    let erase = log.erase_messages(&[&first]);
    log.takes(erase, &goes);
    assert_eq!(log.can_be_erased(i64::MAX), [refused, name]);
    let row = log.row(&first);
    assert!(row.deleted.is_some());
    assert_eq!((row.text, row.quote), (None, None));
    log.check();
}

#[test]
fn pins_reactions_and_plain_restores_stay() {
    let mut log = Log::new();
    let (first, g) = written(&mut log);
    for (slot, value) in [("pin", "true"), ("react:👍:bbbbbbbbbb", "true")] {
        let act = log.act(ANN, &first, slot, value);
        log.accept(act);
    }
    for value in ["true", "false", "true"] {
        let act = log.act(ANN, &first, "deleted", value);
        log.accept(act);
    }
    log.now += DAY;
    let erase = log.erase_messages(&[&first]);
    log.takes(erase, &[g]);
    let row = log.row(&first);
    assert!(row.pinned.is_some() && row.deleted.is_some());
    assert_eq!(row.reactions.len(), 1);
    log.check();
}

#[test]
fn an_erased_message_is_not_restored_and_takes_no_edit() {
    let mut log = Log::new();
    let (first, g) = written(&mut log);
    let at = deleted(&mut log, ANN, &first);
    log.now = at + DAY;
    let erase = log.erase_messages(&[&first]);
    log.takes(erase, &[g]);
    let restore = log.act(ANN, &first, "deleted", "false");
    log.refuse(restore, "too_late");
    let edit = log.act(ANN, &first, "text", r#""again""#);
    log.refuse(edit, "target_gone");
    log.check();
}

/// What comes after the `erase` under the id of an erased text has that text again: it goes by its number.
#[test]
fn a_duplicate_that_comes_later_goes_by_its_number() {
    let mut log = Log::new();
    let message = log.message(ANN, "first");
    let (first, again) = (message.id.clone(), message.clone());
    let g = log.accept(message);
    deleted(&mut log, ANN, &first);
    log.now += DAY;
    let erase = log.erase_messages(&[&first]);
    log.takes(erase, &[g]);
    let again = log.accept(again);
    log.now += DAY;
    let erase = log.erase_messages(&[&first]);
    log.refuse(erase, "target_gone");
    let erase = log.erase_entries(&[again]);
    log.takes(erase, &[again]);
    log.check();
}

#[test]
fn what_was_named_in_an_erased_text_is_forgotten_and_answers_stay() {
    let mut log = Log::new();
    let message = log.message(ANN, "@bob first");
    let root = message.id.clone();
    let root_g = log.accept(message);
    let reply = log.message(ANN, "@bob reply").target(&root);
    let answer = reply.id.clone();
    let reply_g = log.accept(reply);
    for id in [&root, &answer] {
        deleted(&mut log, ANN, id);
    }
    log.now += DAY;
    let erase = log.erase_messages(&[&root, &answer]);
    log.takes(erase, &[root_g, reply_g]);
    let more = log.message(BOB, "more").target(&root);
    log.accept(more);
    assert_eq!(log.row(&root).answers.unwrap().count, 2);
    log.check();
}

#[test]
fn the_state_file_and_its_journal_have_the_text_no_more() {
    let mut log = Log::new();
    let message = log.message(ANN, "xylophone");
    let first = message.id.clone();
    let again = message.clone().stored(&format!("{:032x}{}", 7, r#"{"text":"glockenspiel"}"#));
    let mut goes = vec![log.accept(message), log.accept(again)];
    let edit = log.act(ANN, &first, "text", r#""@bob marimba""#);
    goes.push(log.accept(edit));
    let words = ["xylophone", "marimba"];
    assert!(words.iter().all(|word| log.state_has(word)));
    let at = deleted(&mut log, ANN, &first);
    log.now = at + DAY;
    let erase = log.erase_messages(&[&first]);
    log.takes(erase, &goes);
    assert!(!words.iter().any(|word| log.state_has(word)));
    log.check();
}
