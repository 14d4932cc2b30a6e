//! What an `erase` takes of entries that formats 1 to 4 decided.

use super::log::{ANN, BOB, DAY, Log, OTHER_ROOM, ROOM, id};

const STRANGER: &str = "ffffffffff";

fn assert_goes(log: &mut Log, expected: &[(u64, bool)]) {
    log.now += DAY;
    let all: Vec<u64> = expected.iter().map(|(g, _)| *g).collect();
    let goes: Vec<u64> = expected.iter().filter(|(_, goes)| *goes).map(|(g, _)| *g).collect();
    let erase = log.erase_entries(&all);
    log.takes(erase, &goes);
    let again = log.erase_entries(&all);
    log.refuse(again, "target_gone");
}

#[test]
fn refused_texts_go_but_where_their_form_was_read() {
    for format in 1..=4 {
        let mut log = Log::of_earlier(format);
        let message = log.message(ANN, "first");
        let first = message.id.clone();
        let mut expected = vec![(log.accept(message), false)];
        let archived = log.message(ANN, "elsewhere").room(OTHER_ROOM);
        let there = archived.id.clone();
        log.accept(archived);
        let archive = log.raw(ANN, "room.set", r#"{"value":true}"#).room(OTHER_ROOM).slot("archived");
        log.accept(archive);
        let text = r#""words""#;
        let restored = r#"{"restored":"words"}"#;
        let refused = vec![
            (log.message(STRANGER, "words"), "not_found", true),
            (log.message(ANN, "words").room(OTHER_ROOM), "archived", true),
            (log.message(ANN, "words").target(&id(7)), "target_gone", true),
            (log.raw(ANN, "message", r#"{"words":1}"#).room(ROOM), "malformed", false),
            (log.message(ANN, "words").no_room(), "malformed", false),
            (log.act(BOB, &first, "text", text), "not_allowed", true),
            (log.act(ANN, &id(7), "text", text), "target_gone", true),
            (log.act(STRANGER, &first, "text", text), "not_found", true),
            (log.act(ANN, &there, "text", text).room(OTHER_ROOM), "archived", true),
            (log.act(ANN, &first, "text", "5"), "malformed", false),
            (log.act(ANN, &first, "deleted", restored), "malformed", true),
            (log.act(STRANGER, &first, "deleted", restored), "not_found", true),
            (log.act(ANN, &id(7), "deleted", restored), "target_gone", true),
            (log.act(ANN, &first, "deleted", restored).no_room(), "malformed", true),
            (log.act(ANN, &first, "deleted", restored).stored("short"), "malformed", true),
            (log.act(ANN, &first, "deleted", "false"), "malformed", false),
            (log.act(BOB, &first, "deleted", "true"), "not_allowed", false),
            (log.act(ANN, &first, "deleted", text), "malformed", false),
            (log.act(ANN, &first, "pin", text), "malformed", false),
            (log.act(STRANGER, &first, "pin", "true"), "not_found", false),
            (log.act(ANN, &first, "else", text), "malformed", false),
            (
                log.raw(BOB, "room.set", r#"{"value":"x"}"#).room("zzzzzzzzzz").slot("topic"),
                "not_found",
                false,
            ),
        ];
        for (words, why, goes) in refused {
            expected.push((log.refuse(words, why), goes));
        }
        log.rise_to(5);
        assert_goes(&mut log, &expected);
        log.check();
    }
}

#[test]
fn settings_of_accounts_stay_but_for_a_status() {
    for format in 2..=4 {
        let mut log = Log::of_earlier(format);
        let set = |log: &mut Log, by: &str, target: &str, slot: &str, value: &str| {
            log.raw(by, "account.set", &format!(r#"{{"value":{value}}}"#)).target(target).slot(slot)
        };
        let status = r#"{"text":"words","do_not_disturb":false}"#;
        let mut expected = Vec::new();
        for (slot, value, older_goes) in [("name", r#""Ann""#, false), ("status", status, true)] {
            let older = set(&mut log, ANN, ANN, slot, value);
            expected.push((log.accept(older), older_goes));
            let newer = set(&mut log, ANN, ANN, slot, value);
            expected.push((log.accept(newer), false));
            for (by, target, why) in [(BOB, ANN, "not_allowed"), (ANN, STRANGER, "not_found")] {
                let refused = set(&mut log, by, target, slot, value);
                expected.push((log.refuse(refused, why), older_goes));
            }
            let malformed = set(&mut log, ANN, ANN, slot, "7");
            expected.push((log.refuse(malformed, "malformed"), false));
        }
        expected.sort();
        log.rise_to(5);
        assert_goes(&mut log, &expected);
        log.check();
    }
}

#[test]
fn a_status_of_an_earlier_format_goes_a_day_after_one_of_format_5() {
    let mut log = Log::of_earlier(4);
    let body = r#"{"value":{"text":"words","do_not_disturb":false}}"#;
    let status = log.raw(ANN, "account.set", body).target(ANN).slot("status");
    let old = log.accept(status);
    log.rise_to(5);
    log.now += DAY;
    let early = log.erase_entries(&[old]);
    log.refuse(early, "target_gone");
    let null = log.raw(ANN, "account.set", r#"{"value":null}"#).target(ANN).slot("status");
    let new = log.accept(null);
    log.now += DAY;
    let erase = log.erase_entries(&[old, new]);
    log.takes(erase, &[old]);
    log.check();
}

#[test]
fn the_topic_and_the_name_that_an_earlier_format_decided_stay() {
    let mut log = Log::of_earlier(4);
    let set = |log: &mut Log| {
        let topic = log.raw(ANN, "room.set", r#"{"value":"words"}"#).room(ROOM).slot("topic");
        let name = log.raw(ANN, "account.set", r#"{"value":"words"}"#).target(ANN).slot("name");
        [log.accept(topic), log.accept(name)]
    };
    let old = set(&mut log);
    log.rise_to(5);
    let new = set(&mut log);
    set(&mut log);
    log.now += DAY;
    let erase = log.erase_entries(&old);
    log.refuse(erase, "target_gone");
    let erase = log.erase_entries(&[old[0], old[1], new[0], new[1]]);
    log.takes(erase, &new);
    log.check();
}

/// By its number whatever its outcome, so that also what repeats a refused entry goes.
#[test]
fn a_duplicate_goes_by_its_number_if_it_is_a_text_or_a_status() {
    for format in 1..=4 {
        let mut log = Log::of_earlier(format);
        let message = log.message(ANN, "first");
        let (first, again, other) = (message.id.clone(), message.clone(), log.message(ANN, "other"));
        let mut expected = vec![(log.accept(message), false), (log.accept(again), true)];
        let other = log.refuse(other.id(&first), "other_draft");
        let edit = log.act(ANN, &first, "text", r#""second""#);
        let (edit_again, edit_by_another) = (edit.clone(), edit.clone().by(BOB));
        expected.extend([(log.accept(edit), false), (log.accept(edit_again), true)]);
        expected.push((log.refuse(edit_by_another, "other_draft"), true));
        let refused = log.message(STRANGER, "refused");
        let refused_again = refused.clone();
        expected.push((log.refuse(refused, "not_found"), true));
        expected.push((log.refuse(refused_again, "not_found"), true));
        // Of what was refused for its form only the duplicate goes.
        let malformed = log.raw(ANN, "message", r#"{"words":1}"#).room(ROOM);
        let malformed_again = malformed.clone();
        let formed = log.message(ANN, "words").id(&malformed.id);
        expected.push((log.refuse(malformed, "malformed"), false));
        expected.push((log.refuse(malformed_again, "malformed"), true));
        let formed = log.refuse(formed, "other_draft");
        let restored = log.act(ANN, &first, "deleted", r#"{"restored":"second"}"#);
        let delete = log.act(ANN, &first, "deleted", "true");
        let (restored_again, delete_again) = (restored.clone(), delete.clone());
        for (words, goes) in
            [(delete, false), (delete_again, false), (restored, false), (restored_again, true)]
        {
            expected.push((log.accept(words), goes));
        }
        if format > 1 {
            let status = r#"{"value":{"text":"words","do_not_disturb":false}}"#;
            let status = log.raw(ANN, "account.set", status).target(ANN).slot("status");
            let status_again = status.clone();
            expected.extend([(log.accept(status), false), (log.accept(status_again), true)]);
        }
        let name = log.raw(ANN, "account.set", r#"{"value":"x"}"#).target(ANN).slot("name").id(&first);
        expected.push((log.refuse(name, "other_draft"), false));
        let join = log.raw(ANN, "join", "null").room(ROOM).target(ANN);
        let under_join = log.message(ANN, "words").id(&join.id);
        expected.push((log.refuse(join, "taken"), false));
        let under_join = log.refuse(under_join, "other_draft");
        expected.extend([other, formed, under_join].map(|g| (g, true)));
        expected.sort();
        log.rise_to(5);
        assert_goes(&mut log, &expected);
        // Since then it is not known that these three were other drafts.
        log.check_but_for(&[other, formed, under_join]);
    }
}

#[test]
fn a_duplicate_is_due_a_day_after_it_came() {
    let mut log = Log::of_earlier(4);
    let refused = log.message(STRANGER, "refused");
    let refused_again = refused.clone();
    let first = log.refuse(refused, "not_found");
    log.now += DAY / 2;
    let again = log.refuse(refused_again, "not_found");
    let at = log.now - 1;
    log.rise_to(5);
    log.now = at + DAY - 1;
    let erase = log.erase_entries(&[first, again]);
    log.takes(erase, &[first]);
    let erase = log.erase_entries(&[again]);
    log.takes(erase, &[again]);
    log.check();
}

#[test]
fn a_duplicate_goes_with_its_first() {
    for format in 1..=4 {
        let mut log = Log::of_earlier(format);
        let message = log.message(ANN, "first");
        let first = message.id.clone();
        let (again, by_another) = (message.clone(), message.clone().by(BOB));
        let mut duplicates = Vec::new();
        let g = log.accept(message);
        duplicates.push(log.accept(again));
        duplicates.push(log.refuse(by_another, "other_draft"));
        // Not erased with it: of another kind, or no text.
        let join = log.raw(ANN, "join", "null").room(ROOM).target(ANN).id(&first);
        let join = log.refuse(join, "other_draft");
        let delete = log.act(ANN, &first, "deleted", "true");
        let delete_again = delete.clone();
        log.accept(delete);
        log.accept(delete_again);
        log.rise_to(5);
        log.now += DAY;
        let erase = log.erase_messages(&[&first]);
        log.takes(erase, &[g, duplicates[0], duplicates[1]]);
        let erase = log.erase_entries(&duplicates);
        log.refuse(erase, "target_gone");
        log.check_but_for(&[join]);
    }
}

#[test]
fn all_texts_of_a_message_go_and_of_its_duplicates_those_of_both_formats() {
    for format in 1..=4 {
        let mut log = Log::of_earlier(format);
        let message = log.message(ANN, "first");
        let (first, again) = (message.id.clone(), message.clone());
        let mut goes = vec![log.accept(message)];
        for (slot, value, is_text) in [
            ("text", r#""second""#, true),
            ("deleted", "true", false),
            ("deleted", r#"{"restored":"second"}"#, true),
            ("pin", "true", false),
            ("deleted", r#"{"value":true,"restored":"words"}"#, false),
        ] {
            let act = match value.starts_with(r#"{"value""#) {
                true => log.raw(ANN, "act", value).room(ROOM).target(&first).slot(slot),
                false => log.act(ANN, &first, slot, value),
            };
            let act_again = act.clone();
            let (act, act_again) = (log.accept(act), log.accept(act_again));
            if is_text {
                goes.extend([act, act_again]);
            }
        }
        goes.push(log.accept(again.clone()));
        log.rise_to(5);
        // Repeated once more, now decided by format 5.
        goes.push(log.accept(again));
        log.now += DAY;
        let erase = log.erase_messages(&[&first]);
        log.takes(erase, &goes);
        log.check();
    }
}

#[test]
fn entries_under_a_void_go_whoever_wrote_them() {
    for format in 1..=4 {
        let mut log = Log::of_earlier(format);
        let message = log.message(ANN, "first");
        let void = log.raw(ANN, "void", "null").target(&message.id);
        let taken_back = message.id.clone();
        let (again, by_another) = (message.clone(), message.clone().by(BOB));
        let edit = log.act(ANN, &id(7), "text", r#""words""#).id(&taken_back);
        let restore = log.act(ANN, &id(7), "deleted", r#"{"restored":"words"}"#).id(&taken_back);
        let restore_by_another = restore.clone().by(BOB);
        let delete = log.act(ANN, &id(7), "deleted", "true").id(&taken_back);
        let status = log.raw(ANN, "account.set", "{}").target(ANN).slot("status").id(&taken_back);
        let name = log.raw(ANN, "account.set", "{}").target(ANN).slot("name").id(&taken_back);
        let expected = vec![
            (log.accept(void), false),
            (log.refuse(message, "void"), true),
            (log.refuse(again, "void"), true),
            (log.refuse(by_another, "other_draft"), true),
            (log.refuse(edit, "void"), true),
            (log.refuse(restore, "void"), true),
            (log.refuse(restore_by_another, "other_draft"), true),
            (log.refuse(delete, "void"), false),
            (log.refuse(status, "void"), true),
            (log.refuse(name, "void"), false),
        ];
        log.rise_to(5);
        assert_goes(&mut log, &expected);
        log.check();
    }
}

/// A log without some texts, as a server of an earlier version left it, has the same facts.
#[test]
fn what_was_erased_without_an_entry_counts_as_not_erased() {
    let mut log = Log::of_earlier(4);
    let message = log.message(ANN, "first");
    let first = message.id.clone();
    let g = log.accept(message);
    let delete = log.act(ANN, &first, "deleted", "true");
    log.accept(delete);
    log.erase_without_an_entry(&first);
    log.rise_to(5);
    log.now += DAY;
    let erase = log.erase_messages(&[&first]);
    log.takes(erase, &[g]);
    log.check();
}
