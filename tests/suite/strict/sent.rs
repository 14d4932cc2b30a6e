//! docs/protocol.md, "Texts": what readers are sent of a text, and what they can check of it.

use super::log::{Log, account, number, room};
use super::scene::scene;
use beck::protocol::{Event, PageAt, Row};
use beck::timeline::{Applied, Timeline};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;

const SALT: &str = "9f3a77c1004be2d8c07d55e21b90aa34";

fn digest(bytes: &str) -> String {
    Sha256::digest(bytes.as_bytes())[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The event with this seq of the room general, as a member of it is sent it.
fn event_at(log: &Log, seq: u64) -> Event {
    let who = (account("ann"), room("general"));
    let events = log.state.enter(who, |member| member.events(seq - 1, seq)).unwrap();
    Event::clone(&events[0])
}

fn sent(log: &Log, seq: u64) -> Value {
    serde_json::to_value(event_at(log, seq)).unwrap()
}

/// A message of the room general, as somebody is sent it.
fn row(log: &Log, who: &str, n: u64) -> Row {
    let epoch = "wwwwwwwwww".parse().unwrap();
    let read = |lane| {
        let page = log
            .state
            .enter((account(who), room("general")), |member| member.page(epoch, lane, PageAt::Newest, 100));
        page.unwrap().rows.into_iter().find(|row| row.id == number(n))
    };
    Row::clone(&read(0).or_else(|| read(4)).unwrap())
}

fn proof(row: &Row) -> Value {
    serde_json::to_value(&row.proof).unwrap()
}

/// Nothing that ann can load of the room has these words.
fn nobody_is_sent(log: &Log, n: u64, words: &[&str]) {
    let read = log.state.enter((account("ann"), room("general")), |member| {
        let events = serde_json::to_string(&member.events(0, 1_000)?).unwrap();
        let page = member.page("wwwwwwwwww".parse().unwrap(), 0, PageAt::Newest, 100)?;
        let page = serde_json::to_string(&page).unwrap();
        let history = serde_json::to_string(&member.history(number(n))?).unwrap();
        let pins = serde_json::to_string(&member.pins()?).unwrap();
        Ok([events, page, history, pins])
    });
    for read in read.unwrap() {
        for word in words {
            assert!(!read.contains(word), "{word} in {read}");
        }
    }
}

#[test]
fn an_event_and_its_row_give_the_stored_bytes() {
    let mut log = scene();
    let stored = concat!(
        "9f3a77c1004be2d8c07d55e21b90aa34",
        r#"{"text":"ship it @bob\n\"x\" \\ /\u0001é","quote":"018f0000-0000-7000-8000-000000000001"}"#,
        "\n",
        r#"{"mentions":{"bob":"cccccccccc"},"all":true}"#
    );
    assert_eq!(log.raw("#20 ann message general - -", Some(stored)), "ok");
    let event = sent(&log, 12);
    assert_eq!(event["salt"], SALT);
    assert_eq!(event["body"]["text"], "ship it @bob\n\"x\" \\ /\u{1}é");
    assert_eq!(event["added"], json!({"mentions": {"bob": "cccccccccc"}, "all": true}));
    assert_eq!(event["header"]["digest"], digest(stored));
    for absent in ["stored", "restores", "erased", "for"] {
        assert_eq!(event[absent], Value::Null, "{absent}");
    }
    // What a client makes of it.
    assert_eq!(event_at(&log, 12).stored_bytes().as_deref(), Some(stored));
    let row = row(&log, "bob", 20);
    assert_eq!(proof(&row), json!({"seq": 12, "salt": SALT}));
    assert_eq!(serde_json::to_value(&row.added).unwrap(), event["added"]);
}

#[test]
fn an_edit_proves_the_text_by_its_own_event() {
    let mut log = scene();
    let stored = format!("{SALT}{}\n{}", r#"{"value":"uno @bob"}"#, r#"{"mentions":{"bob":"cccccccccc"}}"#);
    assert_eq!(log.raw("ann act general #1 text", Some(&stored)), "ok");
    assert_eq!(event_at(&log, 12).stored_bytes().as_deref(), Some(&*stored));
    assert_eq!(sent(&log, 12)["header"]["digest"], digest(&stored));
    let edited = row(&log, "bob", 1);
    assert_eq!(proof(&edited), json!({"seq": 12, "salt": SALT, "form": "text"}));
    assert_eq!(edited.added.unwrap().mentions["bob"], account("bob"));
}

#[test]
fn bytes_that_a_client_would_not_make_are_sent_as_they_are_and_prove_no_row() {
    let mut log = scene();
    let added = r#"{"mentions":{"bob":"cccccccccc"},"preview":"x"}"#;
    for (n, stored) in [
        format!("{SALT}{}\n{{}}", r#"{"text": "with a space"}"#),
        format!("{SALT}{}\n{{}}", r#"{"text":"and more","more":1}"#),
        format!("{SALT}{}\n{added}", r#"{"text":"@bob"}"#),
        format!("{SALT}{}\n{{}}", r#"{"text":"\u00e9"}"#),
        format!("{SALT}{}\n[]", r#"{"text":"no added part"}"#),
        format!("{SALT}{}\n{{}}", r#"{"what":"no text"}"#),
        "without a salt, without braces".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(log.raw(&format!("#{} ann message general - -", 20 + n), Some(stored)), "ok");
        let event = event_at(&log, 12 + n as u64);
        assert_eq!(event.stored.as_deref(), Some(&**stored));
        assert_eq!(event.stored_bytes().as_deref(), Some(&**stored));
        assert_eq!(event.header.digest.to_string(), digest(stored));
        assert_eq!(row(&log, "bob", 20 + n as u64).proof, None, "{stored}");
    }
    assert_eq!(row(&log, "bob", 22).added.unwrap().mentions["bob"], account("bob"));
    // As a server of 0.1.0 writes it after the rise.
    let old = format!("0011223344556677{}", r#"{"text":"@bob"}"#);
    assert_eq!(log.raw("#40 ann message general - -", Some(&old)), "ok");
    let event = event_at(&log, 19);
    assert_eq!((event.stored.as_ref(), event.added.as_ref()), (None, None));
    assert_eq!(event.stored_bytes().as_deref(), Some(&*old));
    assert_eq!(proof(&row(&log, "bob", 40)), json!({"seq": 19, "salt": "0011223344556677"}));
}

#[test]
fn bodies_that_are_never_erased_give_their_bytes_too() {
    let mut log = scene();
    log.ok("ann act general #1 pin", r#"{"value":true}"#);
    log.ok("ann act general #1 react:👍:ann", r#"{"value":true}"#);
    log.ok("ann act general #1 deleted", r#"{"value":true}"#);
    log.ok("ann room.set general - name", r#"{"value":"Two","key":"two"}"#);
    let seen: Vec<_> = (1..=15).map(|seq| event_at(&log, seq)).collect();
    for event in seen {
        let bytes = log.entries[event.header.g as usize - 1].body.clone().unwrap();
        let deleted = matches!(event.seq, 4 | 6 | 7);
        let expected = if deleted { None } else { Some(bytes) };
        assert_eq!(event.stored_bytes(), expected, "{:?}", event.header);
    }
    assert_eq!(sent(&log, 2)["salt"], "0011223344556677");
    assert_eq!(sent(&log, 15)["stored"], r#"0011223344556677{"value":"Two","key":"two"}"#);
}

#[test]
fn from_a_deletion_on_no_text_salt_or_added_part_is_sent() {
    let mut log = scene();
    let stored = |text: &str| {
        format!("{SALT}{{\"text\":\"{text} @bob\"}}\n{}", r#"{"mentions":{"bob":"cccccccccc"}}"#)
    };
    assert_eq!(log.raw("#20 ann message general - -", Some(&stored("secret"))), "ok");
    log.ok("#21 bob message general - -", r#"{"text":"see","quote":"018f0000-0000-7000-8000-000000000014"}"#);
    let edit = format!("{SALT}{}\n{}", r#"{"value":"hidden @bob"}"#, r#"{"mentions":{"bob":"cccccccccc"}}"#);
    assert_eq!(log.raw("ann act general #20 text", Some(&edit)), "ok");
    log.ok("ann act general #20 pin", r#"{"value":true}"#);
    log.ok("ann act general #20 deleted", r#"{"value":true}"#);
    nobody_is_sent(&log, 20, &["secret", "hidden", SALT, "mentions"]);
    for seq in [12, 14] {
        let event = sent(&log, seq);
        for part in ["body", "salt", "added", "stored"] {
            assert_eq!(event[part], Value::Null, "{part} of {seq}");
        }
    }
    assert_eq!(sent(&log, 16)["body"], json!({"value": true}));
    let deleted = row(&log, "ann", 20);
    assert_eq!((deleted.text, deleted.added, deleted.proof), (None, None, None));
    // Restored, all of it stands again; deleted again, nothing of it, nor what the restore brought.
    log.ok("ann act general #20 deleted", r#"{"value":false}"#);
    let restore = sent(&log, 17);
    assert_eq!(restore["body"], json!({"value": {"restored": "hidden @bob"}}));
    assert_eq!(restore["added"], json!({"mentions": {"bob": "cccccccccc"}}));
    assert_eq!((&restore["restores"], &restore["salt"]), (&json!(14), &json!("0011223344556677")));
    assert_eq!(restore["header"]["digest"], digest(r#"0011223344556677{"value":false}"#));
    assert_eq!(event_at(&log, 17).stored_bytes().as_deref(), Some(r#"0011223344556677{"value":false}"#));
    assert_eq!(sent(&log, 12)["body"]["text"], "secret @bob");
    let restored = row(&log, "bob", 20);
    assert_eq!(proof(&restored), json!({"seq": 14, "salt": SALT, "form": "text"}));
    assert_eq!(restored.added.unwrap().mentions["bob"], account("bob"));
    log.ok("ann act general #20 deleted", r#"{"value":true}"#);
    nobody_is_sent(&log, 20, &["secret", "hidden", SALT, "mentions"]);
    let restore = sent(&log, 17);
    for part in ["body", "salt", "added", "restores"] {
        assert_eq!(restore[part], Value::Null, "{part}");
    }
}

#[test]
fn a_restore_with_text_brings_what_stood_and_is_not_checked() {
    let mut log = scene();
    log.ok("ann act general #1 deleted", r#"{"value":true}"#);
    log.ok("ann act general #1 deleted", r#"{"value":{"restored":"forged"}}"#);
    let restore = sent(&log, 13);
    assert_eq!(restore["body"], json!({"value": {"restored": "one"}}));
    assert_eq!(restore["restores"], 4);
    assert_eq!((&restore["salt"], &restore["stored"]), (&Value::Null, &Value::Null));
    assert_eq!(row(&log, "bob", 1).text.as_deref(), Some("one"));
    assert_eq!(proof(&row(&log, "bob", 1))["seq"], 4);
    nobody_is_sent(&log, 1, &["forged"]);
}

#[test]
fn where_the_text_is_gone_a_restore_has_no_body() {
    let mut log = scene();
    log.ok("ann act general #1 deleted", r#"{"value":true}"#);
    log.ok("ann act general #1 deleted", r#"{"value":false}"#);
    // The body of the message is the eleventh of the log: three accounts, three rooms and four joins come before it.
    let first = log.entries.iter().position(|entry| entry.header.client_id == number(1)).unwrap() as u64 + 1;
    let log = log.refold(&[first]);
    let restore = sent(&log, 13);
    for part in ["body", "salt", "added", "restores", "stored"] {
        assert_eq!(restore[part], Value::Null, "{part}");
    }
    let row = row(&log, "bob", 1);
    assert_eq!((row.text, row.proof, row.deleted), (None, None, None));
}

#[test]
fn undo_is_offered_to_whoever_may_restore() {
    let mut log = scene();
    let until = |log: &Log, who: &str, n: u64| row(log, who, n).deleted.unwrap().until;
    let day = 1_767_225_600_000 + 86_400_000;
    // Ann deleted #3, and Olga #4 of Bob.
    assert_eq!(until(&log, "ann", 3), Some(day));
    assert_eq!(until(&log, "bob", 3), None);
    assert_eq!(until(&log, "bob", 4), None);
    assert_eq!(until(&log, "olga", 4), Some(day));
    log.at = 1_000;
    log.ok("ann act general #3 deleted", r#"{"value":true}"#);
    assert_eq!(until(&log, "ann", 3), Some(day), "a later deletion keeps the time");
    log.ok("olga act general #3 deleted", r#"{"value":true}"#);
    assert_eq!(until(&log, "ann", 3), None);
    log.ok("op act general #4 deleted", r#"{"value":true}"#);
    assert_eq!(until(&log, "olga", 4), None);
}

#[test]
fn an_imported_message_is_its_authors_and_notifies_nobody() {
    let mut log = scene();
    let stored = format!(
        "{SALT}{}\n{}",
        r#"{"text":"@bob","said":1500000000000}"#, r#"{"mentions":{"bob":"cccccccccc"}}"#
    );
    assert_eq!(log.raw("#20 op message general - for:cat", Some(&stored)), "ok");
    let event = sent(&log, 12);
    assert_eq!((&event["for"], &event["header"]["by"]), (&json!("dddddddddd"), &json!("wwwwwwwwww")));
    assert_eq!(event_at(&log, 12).stored_bytes().as_deref(), Some(&*stored));
    let imported = row(&log, "bob", 20);
    assert_eq!(
        (imported.author, imported.imported, imported.said),
        (account("cat"), true, Some(1_500_000_000_000))
    );
    assert_eq!(Row::of(&event_at(&log, 12)).unwrap(), imported);
    let badge =
        log.state.enter((account("bob"), room("general")), |member| member.badge(0, Default::default()));
    // Bob has joined before all messages: #1 and #6 of Ann are unread; #3 and #4 are deleted.
    let badge = badge.unwrap();
    assert_eq!((badge.unread, badge.mentions, badge.head), (2, 0, 6));
}

#[test]
fn mentions_are_those_that_are_stored() {
    let mut log = scene();
    let stored = |added: &str| format!("{SALT}{}\n{added}", r#"{"text":"@olga @room"}"#);
    let badge = |log: &Log, who: &str| {
        let badge =
            log.state.enter((account(who), room("general")), |member| member.badge(0, Default::default()));
        badge.unwrap().mentions
    };
    assert_eq!(
        log.raw("#20 ann message general - -", Some(&stored(r#"{"mentions":{"x":"cccccccccc"}}"#))),
        "ok"
    );
    assert_eq!((badge(&log, "bob"), badge(&log, "olga")), (1, 0));
    assert_eq!(log.raw("#21 ann message general - -", Some(&stored(r#"{"all":true}"#))), "ok");
    assert_eq!((badge(&log, "bob"), badge(&log, "olga")), (2, 1));
    // Two handles of one account, one of nobody; what cannot be read names nobody.
    let twice = r#"{"mentions":{"a":"cccccccccc","b":"cccccccccc","c":"zzzzzzzzzz","d":5}}"#;
    assert_eq!(log.raw("#22 ann message general - -", Some(&stored(twice))), "ok");
    assert_eq!(log.raw("#23 ann message general - -", Some(&stored("{\"mentions\""))), "ok");
    assert_eq!((badge(&log, "bob"), badge(&log, "olga")), (3, 1));
    // The first fifty of what is stored, in the order in which it is stored.
    let fifty: String = (0..50).map(|n| format!(r#""z{n}":"zzzzzzzzzz","#)).collect();
    let many = format!(r#"{{"mentions":{{{fifty}"a":"cccccccccc"}}}}"#);
    assert_eq!(log.raw("#24 ann message general - -", Some(&stored(&many))), "ok");
    assert_eq!(badge(&log, "bob"), 3);
    // A text without an added part is read as in format 4.
    assert_eq!(
        log.raw("#25 ann message general - -", Some(&format!("{SALT}{}", r#"{"text":"@olga"}"#))),
        "ok"
    );
    assert_eq!((badge(&log, "bob"), badge(&log, "olga")), (3, 2));
}

#[test]
fn an_edit_tells_each_person_that_it_names_anew_once() {
    let mut log = scene();
    let edit = |log: &mut Log, accounts: &[&str]| {
        let mentions: Vec<_> =
            accounts.iter().map(|name| format!(r#""{name}":"{}""#, account(name))).collect();
        let stored = format!("{SALT}{}\n{{\"mentions\":{{{}}}}}", r#"{"value":"x"}"#, mentions.join(","));
        assert_eq!(log.raw("ann act general #1 text", Some(&stored)), "ok");
    };
    let told = |log: &Log, who: &str| {
        let badge =
            log.state.enter((account(who), room("general")), |member| member.badge(0, Default::default()));
        badge.unwrap().named_by_edit
    };
    assert_eq!(told(&log, "bob"), 0);
    edit(&mut log, &["bob"]);
    assert_eq!((told(&log, "bob"), told(&log, "olga")), (12, 0));
    edit(&mut log, &["olga"]);
    edit(&mut log, &["olga", "bob", "ann"]);
    assert_eq!((told(&log, "bob"), told(&log, "olga"), told(&log, "ann")), (12, 13, 0));
    log.ok("ann act general #1 deleted", r#"{"value":true}"#);
    log.ok("ann act general #1 deleted", r#"{"value":false}"#);
    assert_eq!((told(&log, "bob"), told(&log, "olga")), (12, 13));
    // Who was named when it was written is not named anew.
    let stored = format!("{SALT}{}\n{}", r#"{"text":"@bob"}"#, r#"{"mentions":{"bob":"cccccccccc"}}"#);
    assert_eq!(log.raw("#30 ann message general - -", Some(&stored)), "ok");
    let edit =
        format!("{SALT}{}\n{}", r#"{"value":"@bob!"}"#, r#"{"mentions":{"bob":"cccccccccc"},"all":true}"#);
    assert_eq!(log.raw("ann act general #30 text", Some(&edit)), "ok");
    assert_eq!((told(&log, "bob"), told(&log, "olga")), (12, 13));
}

#[test]
fn whoever_reads_along_has_the_tombstone_of_the_page() {
    let page = |log: &Log| {
        let epoch = "wwwwwwwwww".parse().unwrap();
        let who = (account("ann"), room("general"));
        log.state.enter(who, |member| member.page(epoch, 0, PageAt::Newest, 100)).unwrap()
    };
    let mut log = scene();
    let mut timeline = Timeline::from_page(&page(&log));
    let mut seen = 0;
    for (at, who, value) in [
        (1_000, "ann", true),
        (2_000, "ann", true),
        (3_000, "ann", false),
        (4_000, "ann", true),
        (5_000, "olga", true),
        (6_000, "op", true),
    ] {
        log.at = at;
        log.ok(&format!("{who} act general #1 deleted"), &format!(r#"{{"value":{value}}}"#));
        let event = event_at(&log, timeline.cursor().seq + 1);
        assert_eq!(timeline.apply(&Arc::new(event)), Applied::Advanced);
        let shown = timeline.row(number(1)).unwrap().deleted.clone();
        assert_eq!(shown, row(&log, "ann", 1).deleted, "{who} at {at}");
        seen += usize::from(shown.is_some_and(|deleted| deleted.until.is_some()));
    }
    assert_eq!(seen, 3, "by Ann alone");
}
