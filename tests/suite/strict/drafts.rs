//! "Repeated drafts" and "The order of refusals": entries with a `client_id` that came before, and drafts that are
//! taken back.

use super::log::Log;
use super::scene::scene;
use beck::protocol::{Outcome, Refusal};

fn outcome(log: &mut Log, words: &str, draft: &str) -> Outcome {
    let body = super::log::stored(words, draft);
    log.fold(words, Some(&body)).unwrap().outcome
}

#[test]
fn a_duplicate_has_the_first_outcome_whatever_its_body() {
    let mut log = scene();
    let first = outcome(&mut log, "#50 ann message general #1 room", r#"{"text":"a"}"#);
    assert!(matches!(first, Outcome::Stored { seq: Some(12), ordinal: Some(6), .. }), "{first:?}");
    let words = "#50 ann message general #1 room";
    assert_eq!(outcome(&mut log, words, r#"{"text":"another text"}"#), first);
    assert_eq!(log.fold(words, None).unwrap().outcome, first);
    assert_eq!(log.text(50).as_deref(), Some("a"));
    let other = Outcome::Refused { why: Refusal::OtherDraft };
    for words in [
        "#50 bob message general #1 room",
        "#50 op message general #1 room",
        "#50 ann message old #1 room",
        "#50 ann message general #2 room",
        "#50 ann message general - room",
        "#50 ann message general #1 -",
        "#50 ann act general #1 room",
        // Before its form is looked at.
        "#50 ann sticker - - -",
        "#50 ann workspace - - -",
    ] {
        assert_eq!(outcome(&mut log, words, r#"{"text":"a"}"#), other, "{words}");
    }
}

#[test]
fn a_duplicate_of_a_refused_entry_is_refused_as_it_was() {
    let mut log = scene();
    log.each(&[
        ("#51 cat message general - -", r#"{"text":"a"}"#, "not_found"),
        ("cat join general cat -", "null", "ok"),
        ("#51 cat message general - -", r#"{"text":"b"}"#, "not_found"),
        // A deletion and a restore have the same header words.
        ("#52 ann act general #1 deleted", r#"{"value":true}"#, "ok"),
        ("#52 ann act general #1 deleted", r#"{"value":false}"#, "ok"),
    ]);
    assert_eq!(log.text(1), None, "the second one did nothing");
}

#[test]
fn drafts_are_taken_back() {
    let mut log = scene();
    log.each(&[
        ("#51 cat message general - -", r#"{"text":"a"}"#, "not_found"),
        // Form: before the author.
        ("dan void - - -", "null", "malformed"),
        ("#61 dan void - #61 -", "null", "malformed"),
        ("dan void - #60 -", "true", "malformed"),
        ("dan void - #60 text", "null", "malformed"),
        // An unknown author, the operator, a draft of another: before what became of it.
        ("dan void - #60 -", "null", "not_allowed"),
        ("op void - #60 -", "null", "not_allowed"),
        ("op void - #2 -", "null", "not_allowed"),
        ("ann void - #2 -", "null", "not_allowed"),
        ("ann void - #51 -", "null", "not_allowed"),
        ("ann void - #1 -", "null", "too_late"),
        ("cat void - #51 -", "null", "ok"),
        ("ann void - #60 -", "null", "ok"),
        ("ann void - #60 -", "null", "ok"),
        ("bob void - #60 -", "null", "not_allowed"),
        // Any header words of the void's author.
        ("#60 ann message general - -", r#"{"text":"a"}"#, "void"),
        ("#60 ann act general #1 text", r#"{"value":"a"}"#, "void"),
        ("#60 bob message general - -", r#"{"text":"a"}"#, "other_draft"),
    ]);
}
