//! The form of an `erase`, its author, and its place.

use super::log::{ANN, BOB, DAY, Log, OPERATOR, OTHER_ROOM, ROOM, id};
use serde_json::json;

/// Ids of messages that are not there.
fn ids(count: u64) -> String {
    json!((1..=count).map(id).collect::<Vec<_>>()).to_string()
}

fn numbers(count: u64) -> String {
    json!((1..=count).collect::<Vec<_>>()).to_string()
}

#[test]
fn a_list_of_messages_is_of_another_form_if_it_is_empty_too_long_or_names_one_twice() {
    let mut log = Log::new();
    for list in ["messages", "earlier"] {
        for (ids, why) in [
            (ids(1), "target_gone"),
            (ids(100), "target_gone"),
            (ids(0), "malformed"),
            (ids(101), "malformed"),
            (json!([id(1), id(2), id(1)]).to_string(), "malformed"),
            (json!([id(0xabcdef).to_uppercase()]).to_string(), "malformed"),
            (json!([7]).to_string(), "malformed"),
            (json!(id(1)).to_string(), "malformed"),
        ] {
            let erase = log.erase(&format!(r#""{list}":{ids}"#)).room(ROOM);
            log.refuse(erase, why);
        }
    }
    log.check();
}

#[test]
fn a_list_of_numbers_is_of_another_form_if_it_does_not_rise_below_the_entrys_own() {
    let mut log = Log::new();
    while log.entries.len() < 1_000 {
        let poll = log.raw(ANN, "poll", "1");
        log.put(poll);
    }
    let own = log.entries.len() as u64 + 1;
    // Each entry that is written raises the number of the next one.
    for (n, (list, why)) in [
        (numbers(1_000), "target_gone"),
        ("[1]".to_owned(), "target_gone"),
        (numbers(1_001), "malformed"),
        ("[]".to_owned(), "malformed"),
        ("[1,1]".to_owned(), "malformed"),
        ("[2,1]".to_owned(), "malformed"),
        ("[-1]".to_owned(), "malformed"),
        ("[1.0]".to_owned(), "malformed"),
        (r#"["1"]"#.to_owned(), "malformed"),
    ]
    .into_iter()
    .enumerate()
    {
        let erase = log.erase(&format!(r#""entries":{list}"#));
        assert_eq!(log.refuse(erase, why), own + n as u64);
    }
    let own = log.entries.len() as u64 + 1;
    let at_its_own = log.erase_entries(&[1, own]);
    log.refuse(at_its_own, "malformed");
    let above = log.erase_entries(&[1, own + 2]);
    log.refuse(above, "malformed");
    let below = log.erase_entries(&[1, own + 1]);
    log.refuse(below, "target_gone");
    log.check();
}

#[test]
fn a_room_is_there_with_messages_and_not_with_numbers() {
    let mut log = Log::new();
    for list in [r#""messages""#, r#""earlier""#] {
        let erase = log.erase(&format!("{list}:{}", ids(1)));
        log.refuse(erase, "malformed");
    }
    let erase = log.erase_entries(&[1]).room(ROOM);
    log.refuse(erase, "malformed");
    let erase = log.erase_entries(&[1]);
    log.refuse(erase, "target_gone");
    for erase in [log.erase_messages(&[&id(1)]).target(&id(1)), log.erase_messages(&[&id(1)]).slot("text")] {
        log.refuse(erase, "malformed");
    }
    for erase in [log.erase_entries(&[1]).target(&id(1)), log.erase_entries(&[1]).slot("text")] {
        log.refuse(erase, "malformed");
    }
    log.check();
}

#[test]
fn a_body_has_one_list_and_a_reason_in_exactly_these_bytes() {
    let mut log = Log::new();
    let one = ids(1);
    for reason in ["deleted", "replaced", "refused", "rule", "account", "operator"] {
        let body = format!(r#"{{"messages":{one},"reason":"{reason}"}}"#);
        let erase = log.raw(OPERATOR, "erase", &body).room(ROOM);
        log.refuse(erase, "target_gone");
    }
    for body in [
        format!(r#"{{"messages":{one}}}"#),
        format!(r#"{{"messages":{one},"reason":"other"}}"#),
        format!(r#"{{"messages":{one},"reason":null}}"#),
        format!(r#"{{"reason":"deleted","messages":{one}}}"#),
        format!(r#"{{"messages":{one},"reason":"deleted","by":"me"}}"#),
        format!(r#"{{"messages":{one}, "reason":"deleted"}}"#),
        format!(r#"{{"messages":{one},"messages":{one},"reason":"deleted"}}"#),
        format!(r#"{{"messages":{one},"earlier":{one},"reason":"deleted"}}"#),
        format!(r#"{{"messages":{one},"entries":[1],"reason":"deleted"}}"#),
        format!(r#"{{"texts":{one},"reason":"deleted"}}"#),
        r#"{"reason":"deleted"}"#.to_owned(),
        "null".to_owned(),
        String::new(),
    ] {
        let erase = log.raw(OPERATOR, "erase", &body).room(ROOM);
        log.refuse(erase, "malformed");
    }
    let draft = format!(r#"{{"messages":{one},"reason":"deleted"}}"#);
    for body in [
        format!("000000000000000A{draft}"),
        format!("00000000000000000000000000000000{draft}"),
        format!("0000000000000000{draft}\n{{}}"),
        draft.clone(),
    ] {
        let erase = log.erase("").room(ROOM).stored(&body);
        log.refuse(erase, "malformed");
    }
    log.check();
}

#[test]
fn form_comes_before_the_room_the_room_before_the_author_and_the_author_before_what_qualifies() {
    let mut log = Log::new();
    let nowhere = "zzzzzzzzzz";
    let message = log.message(ANN, "hello");
    let hello = message.id.clone();
    log.accept(message);
    let malformed = log.erase(r#""messages":[]"#).room(nowhere).by(BOB);
    log.refuse(malformed, "malformed");
    for author in [OPERATOR, ANN, "ffffffffff"] {
        let unknown_room = log.erase_messages(&[&hello]).room(nowhere).by(author);
        log.refuse(unknown_room, "not_found");
    }
    for author in [ANN, BOB, "ffffffffff"] {
        let of_messages = log.erase_messages(&[&hello]).by(author);
        log.refuse(of_messages, "not_allowed");
        let of_numbers = log.erase_entries(&[1]).by(author);
        log.refuse(of_numbers, "not_allowed");
    }
    let nothing = log.erase_messages(&[&hello]);
    log.refuse(nothing, "target_gone");
    log.check();
}

#[test]
fn one_with_a_room_is_an_event_of_it_and_one_with_numbers_is_none() {
    let mut log = Log::new();
    let (first, second) = (log.message(ANN, "first"), log.message(ANN, "second"));
    let (one, two) = (first.id.clone(), second.id.clone());
    let numbers = [log.accept(first), log.accept(second)];
    for id in [&one, &two] {
        let delete = log.act(ANN, id, "deleted", "true");
        log.accept(delete);
    }
    let refused = log.message("ffffffffff", "not here");
    let refused = log.refuse(refused, "not_found");
    log.now += DAY;
    // The room was made, Bob joined, two were written and deleted.
    let erase = log.erase_messages(&[&two, &id(9), &one]);
    let g = log.takes(erase, &[numbers[1], numbers[0]]);
    let (room, event) = log.of(g).event.clone().unwrap();
    assert_eq!((room.as_str(), event.seq, event.lane, event.ordinal), (ROOM, 7, 0, None));
    let told: Vec<_> = event.erased.iter().map(|id| id.to_string()).collect();
    assert_eq!(told, [two, one], "in the order of the list, without what did not qualify");
    assert_eq!(
        event.body,
        Some(
            serde_json::from_value(
                json!({ "messages": [event.erased[0], id(9), event.erased[1]], "reason": "deleted" })
            )
            .unwrap()
        )
    );
    assert_eq!(*log.event_of(ROOM, 7), *event, "as it is read later");

    let of_numbers = log.erase_entries(&[refused]);
    let g = log.takes(of_numbers, &[refused]);
    assert!(log.of(g).event.is_none());
    let next = log.message(ANN, "next");
    let next = log.accept(next);
    assert_eq!(log.of(next).event.as_ref().unwrap().1.seq, 8);
    log.check();
}

#[test]
fn a_repeated_one_has_the_first_outcome_and_takes_nothing() {
    let mut log = Log::new();
    let (first, second) = (log.message(ANN, "first"), log.message(ANN, "second"));
    let (one, two) = (first.id.clone(), second.id.clone());
    let (one_g, two_g) = (log.accept(first), log.accept(second));
    for id in [&one, &two] {
        let delete = log.act(ANN, id, "deleted", "true");
        log.accept(delete);
    }
    log.now += DAY;
    let erase = log.erase_messages(&[&one]);
    let (again, other) = (erase.clone(), log.erase_messages(&[&two]).id(&erase.id));
    let g = log.takes(erase, &[one_g]);
    for repeated in [again, other] {
        let repeated = log.accept(repeated);
        assert_eq!(log.of(repeated).outcome, log.of(g).outcome);
        assert!(log.of(repeated).erased.is_empty() && log.of(repeated).event.is_none());
    }
    let other_room = log.erase_messages(&[&two]).room(OTHER_ROOM);
    let other_room = other_room.id(&log.entries[g as usize - 1].header.client_id.to_string());
    log.refuse(other_room, "other_draft");
    let second = log.erase_messages(&[&two]);
    log.takes(second, &[two_g]);
    log.check();
}

#[test]
fn formats_1_to_4_accept_it_as_an_unknown_kind_without_effect() {
    for format in 1..=4 {
        let mut log = Log::of_earlier(format);
        let message = log.message(ANN, "first");
        let first = message.id.clone();
        log.accept(message);
        let delete = log.act(ANN, &first, "deleted", "true");
        log.accept(delete);
        log.now += 2 * DAY;
        for erase in [
            log.erase_messages(&[&first]),
            log.erase_earlier(&[&first]).room("zzzzzzzzzz"),
            log.erase("").by("ffffffffff"),
            log.erase_entries(&[99]).target("x").slot("y"),
        ] {
            let g = log.accept(erase);
            assert!(log.of(g).event.is_none() && log.of(g).erased.is_empty(), "format {format}");
        }
        // No erase took it: it qualifies in format 5.
        log.rise_to(5);
        let erase = log.erase_messages(&[&first]);
        log.takes(erase, &[8]);
        log.check();
    }
}
