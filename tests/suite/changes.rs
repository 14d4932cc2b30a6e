//! What entries of format 5 do, read from bytes that are written here by hand, and the bytes that servers write.

use beck::protocol::change::{AccountSetting, Act, Bodies, Change, Reason, Unreadable};
use beck::protocol::stored::{MessageDraft, Nothing, Stored, digest};
use beck::protocol::{AccountId, ClientId, Format, Header, RoomId, WorkspaceId};
use beck::server::broker::{Content, Proposal};
use serde_json::json;

const ANN: &str = "bcdfghjklm";
const BOB: &str = "cdfghjklmn";
const ROOM: &str = "dfghjklmnp";
const SALT: &str = "0123456789abcdef";
const M1: &str = "00000000-0004-7000-8000-00000000000a";
const M2: &str = "00000000-0005-7000-8000-000000000005";
const OWN: &str = "00000000-0001-7000-8000-000000000001";

fn ann() -> AccountId {
    ANN.parse().unwrap()
}

fn bob() -> AccountId {
    BOB.parse().unwrap()
}

fn room() -> RoomId {
    ROOM.parse().unwrap()
}

fn id(text: &str) -> ClientId {
    text.parse().unwrap()
}

/// The header of entry 900 with these words: room, kind, target, slot.
fn header(words: &str) -> Header {
    let rest = format!("{ANN} {OWN} {words} 00000000000000000000000000000000");
    Header::parse(900, 1, &rest).unwrap_or_else(|| panic!("{words}"))
}

fn read(words: &str, body: Option<&str>) -> Result<Change, Unreadable> {
    Change::read(&header(words), body)
}

/// As `read`, of a body with a salt before this draft.
fn with_salt(words: &str, draft: &str) -> Result<Change, Unreadable> {
    read(words, Some(&format!("{SALT}{draft}")))
}

#[track_caller]
fn refused(words: &str, draft: &str) {
    assert_eq!(with_salt(words, draft), Err(Unreadable::Malformed), "{words} {draft}");
}

/// Every change whose body is never erased: header words, draft, and what they say.
fn never_erased() -> Vec<(String, String, Change)> {
    let account =
        |handle: &str, owner, rooms: &[&str], invitation: Option<&str>, name: Option<&str>| Change::Account {
            id: ann(),
            handle: handle.to_owned(),
            owner,
            rooms: rooms.iter().map(|room| room.parse().unwrap()).collect(),
            invitation: invitation.map(str::to_owned),
            name: name.map(str::to_owned),
        };
    let act = |act| Change::Act { room: room(), message: id(M1), act };
    let react = |emoji: &str, on| act(Act::React { emoji: emoji.to_owned(), account: ann(), on });
    let token = "aa".repeat(32);
    let of_account = format!("- account {ANN} -");
    let of_message = |slot: &str| format!("{ROOM} act {M1} {slot}");
    let erase = |room: Option<RoomId>, bodies, reason| Change::Erase { room, bodies, reason };
    let in_room = format!("{ROOM} erase - -");
    let words = |text: &str| text.to_owned();
    vec![
        (
            words("- workspace - -"),
            words(r#"{"id":"fghjklmnpq","name":"Ink \"&\" paper\t\u0001é","format":5}"#),
            Change::Workspace {
                id: "fghjklmnpq".parse().unwrap(),
                name: "Ink \"&\" paper\t\u{1}é".to_owned(),
                format: 5,
            },
        ),
        (words("- format - -"), words("5"), Change::Format { number: 5 }),
        (words("- format - -"), words("4294967295"), Change::Format { number: u32::MAX }),
        (of_account.clone(), words(r#"{"handle":"ann"}"#), account("ann", false, &[], None, None)),
        (
            of_account.clone(),
            words(r#"{"handle":"a.-_9","role":"owner"}"#),
            account("a.-_9", true, &[], None, None),
        ),
        (
            of_account.clone(),
            format!(r#"{{"handle":"ann","rooms":["{ROOM}","fghjklmnpq"],"invitation":"{token}"}}"#),
            account("ann", false, &[ROOM, "fghjklmnpq"], Some(&token), None),
        ),
        (
            of_account.clone(),
            words(r#"{"name":"Ann","handle":"ann","role":"member"}"#),
            account("ann", false, &[], None, Some("Ann")),
        ),
        (
            of_account,
            words(r#"{"name":"","handle":"ann","role":"owner"}"#),
            account("ann", true, &[], None, Some("")),
        ),
        (
            format!("- account.set {BOB} role"),
            words(r#"{"value":"owner"}"#),
            Change::SetAccount { account: bob(), setting: AccountSetting::Role },
        ),
        (format!("- logins {BOB} -"), words("null"), Change::Logins { account: bob() }),
        (format!("- void {M1} -"), words("null"), Change::Void { draft: id(M1) }),
        (
            format!("{ROOM} room - -"),
            words(r#"{"kind":"open","name":"Grüße","key":"grüße"}"#),
            Change::MakeRoom {
                room: room(), name: "Grüße".into(), key: Some("grüße".into()), topic: None
            },
        ),
        (
            format!("{ROOM} room - -"),
            words(r#"{"kind":"open","name":"General","topic":""}"#),
            Change::MakeRoom { room: room(), name: "General".into(), key: None, topic: Some(String::new()) },
        ),
        (
            format!("{ROOM} room.set - name"),
            words(r#"{"value":"Ops","key":"ops"}"#),
            Change::Rename { room: room(), name: "Ops".into(), key: Some("ops".into()) },
        ),
        (
            format!("{ROOM} room.set - name"),
            words(r#"{"value":"Ops"}"#),
            Change::Rename { room: room(), name: "Ops".into(), key: None },
        ),
        (
            format!("{ROOM} room.set - archived"),
            words(r#"{"value":false}"#),
            Change::Archive { room: room(), archived: false },
        ),
        (format!("{ROOM} join {BOB} -"), words("null"), Change::Join { room: room(), account: bob() }),
        (format!("{ROOM} leave {BOB} -"), words("null"), Change::Leave { room: room(), account: bob() }),
        (of_message("deleted"), words(r#"{"value":true}"#), act(Act::Delete)),
        (of_message("deleted"), words(r#"{"value":false}"#), act(Act::Restore { with_text: false })),
        (of_message("pin"), words(r#"{"value":true}"#), act(Act::Pin(true))),
        (of_message(&format!("react:👍🏽:{ANN}")), words(r#"{"value":true}"#), react("👍🏽", true)),
        (of_message(&format!("react:1️⃣:{ANN}")), words(r#"{"value":false}"#), react("1️⃣", false)),
        (
            in_room.clone(),
            format!(r#"{{"messages":["{M1}"],"reason":"deleted"}}"#),
            erase(Some(room()), Bodies::Messages(vec![id(M1)]), Reason::Deleted),
        ),
        (
            in_room,
            format!(r#"{{"earlier":["{M2}","{M1}"],"reason":"replaced"}}"#),
            erase(Some(room()), Bodies::Earlier(vec![id(M2), id(M1)]), Reason::Replaced),
        ),
        (
            words("- erase - -"),
            words(r#"{"entries":[1,2,899],"reason":"operator"}"#),
            erase(None, Bodies::Entries(vec![1, 2, 899]), Reason::Operator),
        ),
    ]
}

#[test]
fn every_change_that_is_never_erased_has_its_bytes() {
    for (words, draft, change) in never_erased() {
        assert_eq!(with_salt(&words, &draft), Ok(change.clone()), "{words} {draft}");
        assert_eq!(change.body().as_deref(), Some(draft.as_str()), "{words}");
        let written = change.words().unwrap();
        let expected = header(&words);
        assert_eq!(
            (written.kind, written.room, written.target, written.slot),
            (expected.kind, expected.room, expected.target, expected.slot)
        );
    }
}

/// Every change with an erasable body, by its header words alone.
fn erasable() -> Vec<(String, Change)> {
    let set = |setting| Change::SetAccount { account: bob(), setting };
    let post = |answers: Option<&str>, in_room, written_for| Change::Post {
        room: room(),
        answers: answers.map(id),
        in_room,
        written_for,
    };
    let slots = [
        ("name", AccountSetting::Name),
        ("title", AccountSetting::Title),
        ("status", AccountSetting::Status),
        ("pronouns", AccountSetting::Pronouns),
        ("zone", AccountSetting::Zone),
        ("field:1", AccountSetting::Field(1)),
        ("field:2", AccountSetting::Field(2)),
        ("field:3", AccountSetting::Field(3)),
    ];
    let mut all: Vec<_> =
        slots.map(|(slot, setting)| (format!("- account.set {BOB} {slot}"), set(setting))).into();
    all.extend([
        ("- workspace.set - name".to_owned(), Change::SetWorkspaceName),
        (format!("{ROOM} room.set - topic"), Change::SetTopic { room: room() }),
        (format!("{ROOM} message - -"), post(None, false, None)),
        (format!("{ROOM} message {M1} -"), post(Some(M1), false, None)),
        (format!("{ROOM} message {M1} room"), post(Some(M1), true, None)),
        (format!("{ROOM} message - for:{BOB}"), post(None, false, Some(bob()))),
        (format!("{ROOM} message {M1} room,for:{BOB}"), post(Some(M1), true, Some(bob()))),
        (format!("{ROOM} act {M1} text"), Change::Act { room: room(), message: id(M1), act: Act::Edit }),
    ]);
    all
}

#[test]
fn no_erasable_body_is_read() {
    for (words, change) in erasable() {
        for body in [None, Some(""), Some("x"), Some("{"), Some("0123456789abcdef{\"value\":1}\n{}")] {
            assert_eq!(read(&words, body), Ok(change.clone()), "{words} {body:?}");
        }
        assert_eq!(change.body(), None);
        let (written, expected) = (change.words().unwrap(), header(&words));
        assert_eq!(
            (written.kind, written.room, written.target, written.slot),
            (expected.kind, expected.room, expected.target, expected.slot)
        );
    }
    assert_eq!(read(&format!("{ROOM} poll.later {M1} x"), None), Ok(Change::Unknown));
}

#[test]
fn a_missing_body_that_is_never_erased_is_a_damaged_log() {
    for (words, draft, _) in never_erased() {
        let of_deletion = words.ends_with("deleted");
        assert_eq!(
            read(&words, None).is_err_and(|why| why == Unreadable::Absent),
            !of_deletion,
            "{words} {draft}"
        );
    }
    // Also where its header is malformed.
    assert_eq!(read(&format!("{ROOM} act - react:x"), None), Err(Unreadable::Absent));
    assert_eq!(read(&format!("{ROOM} account - -"), None), Err(Unreadable::Absent));
    assert_eq!(read(&format!("{ROOM} act {M1} floor"), None), Err(Unreadable::Malformed));
    assert_eq!(read(&format!("{ROOM} room.set - floor"), None), Err(Unreadable::Malformed));
}

#[test]
fn every_act_on_deleted_deletes_or_restores() {
    let read = |body: Option<&str>| match read(&format!("{ROOM} act {M1} deleted"), body).unwrap() {
        Change::Act { act, .. } => act,
        other => panic!("{other:?}"),
    };
    assert_eq!(read(Some(r#"0123456789abcdef{"value":true}"#)), Act::Delete);
    assert_eq!(read(Some(r#"0123456789abcdef{"value":false}"#)), Act::Restore { with_text: false });
    for body in [
        None,
        Some(""),
        Some("null"),
        Some("0123456789abcdef"),
        Some(r#"0123456789abcdef{"value":{"restored":"x"}}"#),
        Some(r#"0123456789abcdef{"value":true,"x":1}"#),
        Some(r#"0123456789abcdef{"value": true}"#),
        Some("0123456789abcdef{\"value\":true}\n{}"),
        Some(r#"0123456789ABCDEF{"value":true}"#),
        Some(r#"0123456789abcdeg{"value":false}"#),
        Some(r#"0123456789abcde{"value":true}"#),
        Some(r#"0123456789abcdef0123456789abcdef{"value":true}"#),
        // The salt would end in the middle of a character.
        Some(r#"0123456789abcdé{"value":true}"#),
    ] {
        assert_eq!(read(body), Act::Restore { with_text: true }, "{body:?}");
    }
}

#[test]
fn other_bytes_of_the_same_value_are_malformed() {
    for (words, draft, _) in never_erased() {
        if words.ends_with("deleted") {
            continue;
        }
        for bytes in [
            format!(" {draft}"),
            format!("{draft} "),
            format!("{draft}\n{{}}"),
            draft.replacen('{', "{ ", 1),
            draft.replacen(':', ": ", 1),
            draft.replacen(',', ", ", 1),
            draft.replacen('}', ",\"x\":1}", 1),
            draft.replacen('a', "\\u0061", 1),
            draft.replacen("\"reason\"", "\"reason\":\"rule\",\"reason\"", 1),
        ] {
            if bytes != draft {
                assert_eq!(with_salt(&words, &bytes), Err(Unreadable::Malformed), "{words} {bytes}");
            }
        }
        for salt in ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0123456789abcde "] {
            // The first digit of a number would stand for the last of the salt.
            if salt.len() < 16 && draft.starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            let body = format!("{salt}{draft}");
            assert_eq!(read(&words, Some(&body)), Err(Unreadable::Malformed), "{words} {body}");
        }
    }
    for escaped in [r#"\/"#, r#"\u00e9"#, r#"\u0009"#, r#"\u001F"#, r#"\u007f"#, "\u{1}"] {
        refused("- workspace - -", &format!(r#"{{"id":"fghjklmnpq","name":"{escaped}","format":5}}"#));
    }
    let kept = r#"{"id":"fghjklmnpq","name":"/\u001f\b\f\n\r\"\\","format":5}"#;
    assert!(with_salt("- workspace - -", kept).is_ok());
    let kept = format!(r#"{{"id":"fghjklmnpq","name":"{}","format":5}}"#, '\u{7f}');
    assert!(with_salt("- workspace - -", &kept).is_ok());
}

#[test]
fn values_that_the_table_does_not_have_are_malformed() {
    for number in ["0", "05", "+5", "-1", "5.0", "4294967296", "null", "\"5\"", "5e0"] {
        refused("- format - -", number);
    }
    let account = format!("- account {ANN} -");
    for handle in ["a", "-a", "a.", "A2", "room", "ä2", "a b", "aaaaaaaaaaaaaaaaaaaaaaaaa"] {
        refused(&account, &format!(r#"{{"handle":"{handle}"}}"#));
        refused(&account, &format!(r#"{{"name":"Ann","handle":"{handle}","role":"member"}}"#));
    }
    for rest in [
        r#","role":"member""#,
        r#","role":"admin""#,
        r#","role":null"#,
        r#","rooms":[]"#,
        r#","invitation":null"#,
        r#","invitation":"aa""#,
        r#","name":"Ann""#,
        r#","rooms":["dfghjklmnp","dfghjklmnp"]"#,
        r#","rooms":["dfghjklmn"]"#,
        r#","rooms":["dfghjklmnp"],"role":"owner""#,
    ] {
        refused(&account, &format!(r#"{{"handle":"ann"{rest}}}"#));
    }
    refused(&account, &format!(r#"{{"handle":"ann","invitation":"{}"}}"#, "AA".repeat(32)));
    let rooms = |n: usize| {
        let rooms: Vec<_> = (0..n).map(|n| format!("\"{}\"", nth_room(n))).collect();
        format!(r#"{{"handle":"ann","rooms":[{}]}}"#, rooms.join(","))
    };
    assert!(with_salt(&account, &rooms(100)).is_ok());
    refused(&account, &rooms(101));
    refused(&account, r#"{"name":"Ann","handle":"ann"}"#);
    refused(&account, r#"{"handle":"ann","name":"Ann","role":"member"}"#);
    refused(&format!("- account.set {BOB} role"), r#"{"value":"member"}"#);
    refused(&format!("- account.set {BOB} role"), r#"{"value":true}"#);

    let long = "x".repeat(257);
    let whole = "x".repeat(256);
    let made = format!("{ROOM} room - -");
    for draft in [
        r#"{"kind":"private","name":"A","key":"a"}"#.to_owned(),
        r#"{"kind":"open","name":"A"}"#.to_owned(),
        r#"{"kind":"open","name":"A","key":"a","topic":""}"#.to_owned(),
        r#"{"kind":"open","name":"","key":"a"}"#.to_owned(),
        r#"{"kind":"open","name":"A","key":""}"#.to_owned(),
        r#"{"kind":"private","name":"A","topic":""}"#.to_owned(),
        format!(r#"{{"kind":"open","name":"{long}","key":"a"}}"#),
        format!(r#"{{"kind":"open","name":"A","key":"{long}"}}"#),
    ] {
        refused(&made, &draft);
    }
    assert!(with_salt(&made, &format!(r#"{{"kind":"open","name":"{whole}","key":"{whole}"}}"#)).is_ok());
    let named = format!("{ROOM} room.set - name");
    for draft in [r#"{"value":""}"#, r#"{"value":"A","key":""}"#, r#"{"value":null}"#, r#"{"key":"a"}"#] {
        refused(&named, draft);
    }
    refused(&named, &format!(r#"{{"value":"{long}","key":"a"}}"#));
    refused(&format!("{ROOM} room.set - archived"), r#"{"value":"true"}"#);
    refused(&format!("{ROOM} act {M1} pin"), r#"{"value":null}"#);
    refused(&format!("{ROOM} join {BOB} -"), "{}");
}

/// Ten letters of the alphabet of ids.
fn nth_room(n: usize) -> String {
    let letters: Vec<_> = "bcdfghjklmnpqrstvwxz".chars().collect();
    format!("bbbbbbbb{}{}", letters[n / 20], letters[n % 20])
}

#[test]
fn lists_of_an_erase_are_bounded() {
    let (in_room, outside) = (format!("{ROOM} erase - -"), "- erase - -");
    let ids = |n: u64| {
        let ids: Vec<_> = (0..n).map(|n| format!("\"{}\"", ClientId::from_number(n))).collect();
        ids.join(",")
    };
    assert!(with_salt(&in_room, &format!(r#"{{"messages":[{}],"reason":"rule"}}"#, ids(100))).is_ok());
    refused(&in_room, &format!(r#"{{"messages":[{}],"reason":"rule"}}"#, ids(101)));
    refused(&in_room, r#"{"messages":[],"reason":"rule"}"#);
    refused(&in_room, &format!(r#"{{"earlier":["{M1}","{M1}"],"reason":"rule"}}"#));
    refused(&in_room, &format!(r#"{{"messages":["{}"],"reason":"rule"}}"#, M1.to_uppercase()));
    refused(&in_room, &format!(r#"{{"messages":["{M1}"],"earlier":["{M2}"],"reason":"rule"}}"#));
    refused(&in_room, &format!(r#"{{"messages":["{M1}"],"reason":"fun"}}"#));
    refused(&in_room, &format!(r#"{{"messages":["{M1}"]}}"#));
    refused(&in_room, r#"{"entries":[1],"reason":"rule"}"#);
    refused(outside, &format!(r#"{{"messages":["{M1}"],"reason":"rule"}}"#));
    refused(outside, r#"{"reason":"rule"}"#);
    for numbers in ["", "2,1", "1,1", "900", "1,900", "-1", "1.0"] {
        refused(outside, &format!(r#"{{"entries":[{numbers}],"reason":"rule"}}"#));
    }
    let entries = |n: u64| {
        let numbers: Vec<_> = (1..=n).map(|n| n.to_string()).collect();
        let body = format!(r#"{SALT}{{"entries":[{}],"reason":"rule"}}"#, numbers.join(","));
        let mut header = header(outside);
        header.g = 5_000;
        Change::read(&header, Some(&body))
    };
    assert!(entries(1_000).is_ok());
    assert_eq!(entries(1_001), Err(Unreadable::Malformed));
}

#[test]
fn header_words_that_a_kind_does_not_have_are_malformed() {
    let all = never_erased().into_iter().map(|(words, draft, _)| (words, format!("{SALT}{draft}")));
    let texts = erasable().into_iter().map(|(words, _)| (words, String::new()));
    for (words, body) in all.chain(texts) {
        let parts: Vec<&str> = words.split(' ').collect();
        let [in_room, kind, target, slot] = parts[..] else { panic!("{words}") };
        for (in_room, target, slot) in [
            (if in_room == "-" { ROOM } else { "-" }, target, slot),
            (in_room, "x", slot),
            (in_room, target, "x"),
            (in_room, if target == "-" { M2 } else { "-" }, slot),
            (in_room, target, if slot == "-" { "name" } else { "-" }),
        ] {
            let changed = format!("{in_room} {kind} {target} {slot}");
            // An answer and a message differ by the target alone, as a message and an answer in the room do by the slot.
            if let Ok(read) = read(&changed, Some(&body)) {
                assert!(matches!(read, Change::Post { .. }), "{changed}");
            }
        }
    }
    let body = format!(r#"{SALT}{{"value":true}}"#);
    for words in [
        format!("{ROOM} message - room"),
        format!("{ROOM} message - room,for:{BOB}"),
        format!("{ROOM} message {M1} for:"),
        format!("{ROOM} message {M1} for:{BOB},room"),
        format!("{ROOM} message {M1} room,"),
        format!("{ROOM} message {} -", M1.to_uppercase()),
        format!("{ROOM} act {} pin", M1.to_uppercase()),
        format!("- void {OWN} -"),
        format!("{ROOM} act {M1} react:"),
        format!("{ROOM} act {M1} react:{BOB}"),
        format!("{ROOM} act {M1} react::{BOB}"),
        format!("{ROOM} act {M1} react:👍:ann"),
        format!("{ROOM} act {M1} react:ok:{BOB}"),
        format!("{ROOM} act {M1} react:1_:{BOB}"),
        format!("{ROOM} act {M1} react:1-:{BOB}"),
        format!("{ROOM} act {M1} react:👍:👍:{BOB}"),
        format!("{ROOM} act {M1} react:{}:{BOB}", "é".repeat(33)),
        format!("- account.set {BOB} field:0"),
        format!("- account.set {BOB} field:4"),
        format!("- account.set {BOB} avatar"),
        "- workspace.set - logo".to_owned(),
        "- workspace.set - -".to_owned(),
    ] {
        assert_eq!(read(&words, Some(&body)), Err(Unreadable::Malformed), "{words}");
    }
    let long = format!("{ROOM} act {M1} react:{}:{BOB}", "é".repeat(32));
    assert!(read(&long, Some(&body)).is_ok());
}

#[test]
fn only_the_operator_makes_accounts_and_reacts_for_others() {
    let operator = "fghjklmnpq".parse::<WorkspaceId>().unwrap().operator();
    assert_eq!(operator.as_str(), "fghjklmnpq");
    let account = with_salt(&format!("- account {ANN} -"), r#"{"handle":"ann"}"#).unwrap();
    let react = with_salt(&format!("{ROOM} act {M1} react:👍:{ANN}"), r#"{"value":true}"#).unwrap();
    for change in [account, react] {
        assert!(change.fits_author(ann(), operator) && change.fits_author(operator, operator));
        assert!(!change.fits_author(bob(), operator));
    }
    let own = with_salt("- account fghjklmnpq -", r#"{"handle":"ann"}"#).unwrap();
    assert!(!own.fits_author(operator, operator));
    let leave = with_salt(&format!("{ROOM} leave {ANN} -"), "null").unwrap();
    assert!(leave.fits_author(bob(), operator));
}

#[test]
fn a_stored_body_is_split_and_joined() {
    let body = "9f3a77c1004be2d8c07d55e21b90aa34{\"text\":\"ship it @ann\"}\n{\"mentions\":{\"ann\":\"bcdfghjklm\"}}";
    let stored = Stored::erasable(body).unwrap();
    assert_eq!(stored.salt, "9f3a77c1004be2d8c07d55e21b90aa34");
    assert_eq!(stored.draft, r#"{"text":"ship it @ann"}"#);
    assert_eq!(stored.added, Some(r#"{"mentions":{"ann":"bcdfghjklm"}}"#));
    assert_eq!(stored.join(), body);
    // Computed by sha256sum: the first 16 bytes.
    assert_eq!(stored.digest().to_string(), SHIP_IT);
    assert_eq!(stored.digest(), digest(body));

    // Of format 4: a shorter salt and no added part. A line feed in a text is escaped.
    let old = Stored::erasable("0123456789abcdef{\"text\":\"a\\nb\"}").unwrap();
    assert_eq!((old.salt, old.draft, old.added), (SALT, "{\"text\":\"a\\nb\"}", None));
    // Only the first line feed splits.
    let twice = Stored::erasable("{}\n{}\n{}").unwrap();
    assert_eq!((twice.salt, twice.draft, twice.added), ("", "{}", Some("{}\n{}")));
    assert_eq!(Stored::erasable("0123456789abcdefnull"), None);

    let never = Stored::never_erased("0123456789abcdefnull").unwrap();
    assert_eq!((never.salt, never.draft, never.added), (SALT, "null", None));
    assert_eq!(never.join(), "0123456789abcdefnull");
    assert_eq!(Stored::never_erased("0123456789abcdeFnull"), None);
    assert_eq!(Stored::never_erased("0123"), None);
}

const SHIP_IT: &str = "0ea73d3820086c87cedd7db1b3681503";

#[test]
fn proposals_have_the_salt_and_parts_of_their_kind() {
    let by = bob();
    let propose = |change: &Change, content| Proposal::of(Format::Five, by, id(OWN), change, content);
    for (words, draft, change) in never_erased() {
        let proposal = propose(&change, Content::None).unwrap();
        let salt = &proposal.body[..16];
        assert!(salt.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')), "{salt}");
        assert_eq!(&proposal.body[16..], draft, "{words}");
        assert_eq!(Change::read(&proposal.header(900, 1), Some(&proposal.body)), Ok(change.clone()));
        assert_ne!(propose(&change, Content::None).unwrap().body, proposal.body, "the salt is random");
        assert!(propose(&change, Content::value(Some("x"))).is_err(), "{words}");
    }
    for (words, change) in erasable() {
        let proposal = propose(&change, Content::value(Some("Ä\n"))).unwrap();
        assert!(proposal.body[..32].bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')));
        assert_eq!(&proposal.body[32..], "{\"value\":\"Ä\\n\"}\n{}", "{words}");
        assert!(propose(&change, Content::None).is_err(), "{words}");
    }
    let written = |content| match content {
        Content::Erasable { draft, added } => format!("{draft}\n{added}"),
        Content::None => panic!(),
    };
    assert_eq!(written(Content::value(None::<&str>)), "{\"value\":null}\n{}");
    let draft = MessageDraft { text: "a\u{7f}\u{1b}", quote: Some(id(M1)), said: Some(7) };
    let added = json!({"all": true});
    assert_eq!(
        written(Content::erasable(&draft, &added)),
        format!("{{\"text\":\"a\u{7f}\\u001b\",\"quote\":\"{M1}\",\"said\":7}}\n{{\"all\":true}}")
    );
    let draft = MessageDraft { text: "", quote: None, said: None };
    assert_eq!(written(Content::erasable(&draft, &Nothing {})), "{\"text\":\"\"}\n{}");
    let blank = Act::React { emoji: "a b".to_owned(), account: by, on: true };
    assert!(propose(&Change::Act { room: room(), message: id(M2), act: blank }, Content::None).is_err());
    assert!(propose(&Change::Unknown, Content::None).is_err());
}

#[test]
fn a_change_says_which_format_it_needs() {
    let needs = |words: &str, draft: &str| with_salt(words, draft).unwrap().needs();
    assert_eq!(needs(&format!("{ROOM} message {M1} -"), "{}"), Format::One);
    assert_eq!(needs(&format!("- account.set {ANN} status"), "{}"), Format::Two);
    assert_eq!(needs(&format!("{ROOM} message {M1} room"), "{}"), Format::Three);
    assert_eq!(needs(&format!("- account.set {ANN} role"), r#"{"value":"owner"}"#), Format::Four);
    assert_eq!(needs(&format!("- account.set {ANN} zone"), "{}"), Format::Five);
    assert_eq!(needs(&format!("{ROOM} act {M1} deleted"), r#"{"value":false}"#), Format::Five);
    assert_eq!(needs(&format!("{ROOM} act {M1} deleted"), r#"{"value":{"restored":"x"}}"#), Format::One);
}
