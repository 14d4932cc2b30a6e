//! "Check from #1" and the texts: each state that a text can be in, and what makes it another one.

use super::{Client, Log, Says, digest, naming, salt, sent};
use beck::client::Input;
use beck::client::session::{CheckState, Texts};
use beck::protocol::{
    AccountId, ActBody, ActValue, Added, ClientFrame, ClientId, Event, EventBody, MessageBody, Proof,
    ProofForm, ServerFrame,
};
use std::sync::Arc;

/// Answers what a check asks for, as a server would from this log.
fn check(log: &Log, client: &mut Client) -> Texts {
    let mut effects = client.give(Input::Check);
    while let Some(frame) = sent(&effects).first().copied().cloned() {
        let between = |after: u64, to: u64| log.events[after as usize..to as usize].to_vec();
        let frame = match frame {
            ClientFrame::Headers { req, room, after, to } => {
                let headers =
                    between(after, to).iter().map(|event| (event.header.clone(), event.chain)).collect();
                ServerFrame::Headers { req, room, headers }
            }
            ClientFrame::Fetch { req, room, after, to } => {
                ServerFrame::Events { req, room, events: between(after, to) }
            }
            other => panic!("{other:?}"),
        };
        effects = client.give(Input::Frame(frame));
    }
    let check = client.session.check.as_ref().unwrap();
    assert!(matches!(check.state, CheckState::Agrees { .. }), "{:?}", check.state);
    check.texts.clone().unwrap()
}

fn differing(client: &Client) -> Vec<u64> {
    client.session.differing.iter().map(|(_, seq)| *seq).collect()
}

/// A message as formats 1 to 4 have it: without a salt on the wire.
fn older(log: &mut Log, text: &str) -> ClientId {
    let id = log.message(text, Added::default());
    let event = Arc::make_mut(log.events.last_mut().unwrap());
    (event.salt, event.added) = (None, None);
    let row = log.row(id);
    (row.added, row.proof) = (None, None);
    id
}

/// How the row of one more message is changed on its way, and what is found.
type Change = fn(&mut Log, ClientId);

#[test]
fn each_state_of_a_text_is_told_apart() {
    let table: [(&str, Change, Texts, bool); 37] = [
        ("a message", |_, _| {}, Texts { checked: 1, ..Texts::default() }, false),
        (
            "an edit",
            |log, id| {
                log.edit(id, "edited", naming(&[("bo", log.bo)]));
            },
            Texts { checked: 1, ..Texts::default() },
            false,
        ),
        (
            "another byte in the text",
            |log, id| log.row(id).text = Some("hello thers".into()),
            Texts { differ: 1, ..Texts::default() },
            true,
        ),
        (
            "another byte in the text of an edit",
            |log, id| {
                log.edit(id, "edited", Added::default());
                log.row(id).text = Some("edites".into());
            },
            Texts { differ: 1, ..Texts::default() },
            true,
        ),
        (
            "another account in the added part",
            |log, id| {
                let me = log.me;
                log.row(id).added = Some(naming(&[("bo", me)]));
            },
            Texts { differ: 1, ..Texts::default() },
            true,
        ),
        (
            "another byte in the salt",
            |log, id| log.row(id).proof.as_mut().unwrap().salt.replace_range(31.., "z"),
            Texts { differ: 1, ..Texts::default() },
            true,
        ),
        (
            "the proof of another message",
            |log, id| {
                let other = log.rows[0].clone();
                let row = log.row(id);
                (row.text, row.added, row.proof) =
                    (other.text.clone(), other.added.clone(), other.proof.clone());
            },
            Texts { differ: 1, ..Texts::default() },
            true,
        ),
        (
            "an edit that the server does not show",
            |log, id| {
                let before = log.row(id).clone();
                log.edit(id, "edited", Added::default());
                *log.row(id) = before;
            },
            Texts { differ: 1, ..Texts::default() },
            true,
        ),
        (
            "a deletion that the server does not show",
            |log, id| {
                let before = log.row(id).clone();
                log.delete(log.bo, id);
                *log.row(id) = before;
            },
            Texts { differ: 1, ..Texts::default() },
            true,
        ),
        (
            "a later deletion whose body is not given",
            |log, id| {
                log.act_deleted(log.bo, id, true, None);
                Arc::make_mut(log.events.last_mut().unwrap()).salt = None;
            },
            Texts { not_checked: 1, ..Texts::default() },
            false,
        ),
        (
            "a deletion and a restore",
            |log, id| {
                log.act_deleted(log.bo, id, true, Some(ActValue::On(true)));
                let text = log.row(id).text.clone().unwrap();
                log.act_deleted(log.bo, id, false, Some(ActValue::Restored { restored: text }));
            },
            Texts { checked: 1, ..Texts::default() },
            false,
        ),
        (
            "an edit that a deletion and a restore came behind",
            |log, id| {
                let before = log.row(id).clone();
                log.edit(id, "edited", Added::default());
                log.act_deleted(log.bo, id, true, Some(ActValue::On(true)));
                log.act_deleted(log.bo, id, false, Some(ActValue::Restored { restored: "edited".into() }));
                *log.row(id) = before;
            },
            Texts { differ: 1, ..Texts::default() },
            true,
        ),
        (
            "bytes in which the salt has a text",
            |log, id| {
                let row = log.row(id);
                let salt = format!("{}{{\"text\":\"hello there\"}}\n", row.proof.as_ref().unwrap().salt);
                row.proof.as_mut().unwrap().salt = salt;
            },
            Texts { not_checked: 1, ..Texts::default() },
            false,
        ),
        (
            "absent for a reason that came since",
            |log, id| {
                let row = log.row(id);
                (row.text, row.added, row.proof) = (None, None, None);
                row.version = 99;
            },
            Texts { not_checked: 1, ..Texts::default() },
            false,
        ),
        (
            "a restore whose header is of other bytes",
            |log, id| {
                log.act_deleted(log.bo, id, true, Some(ActValue::On(true)));
                log.act_deleted(
                    log.bo,
                    id,
                    true,
                    Some(ActValue::Restored { restored: "hello there".into() }),
                );
            },
            Texts { not_checked: 1, ..Texts::default() },
            true,
        ),
        (
            "an unknown form",
            |log, id| log.row(id).proof.as_mut().unwrap().form = Some(ProofForm::Other),
            Texts { not_checked: 1, ..Texts::default() },
            false,
        ),
        (
            "a later erase whose body is not given",
            |log, _| {
                let other = log.rows[0].id;
                log.erase("messages", &[other]);
                let event = Arc::make_mut(log.events.last_mut().unwrap());
                (event.salt, event.body) = (None, None);
            },
            Texts { not_checked: 1, ..Texts::default() },
            false,
        ),
        (
            "a later erase of another message",
            |log, _| {
                log.erase("messages", &[ClientId::random()]);
            },
            Texts { checked: 1, ..Texts::default() },
            false,
        ),
        (
            "an erase of its earlier texts",
            |log, id| {
                log.edit(id, "edited", Added::default());
                log.erase("earlier", &[id]);
            },
            Texts { checked: 1, ..Texts::default() },
            false,
        ),
        (
            "deleted",
            |log, id| {
                log.delete(log.bo, id);
            },
            Texts { deleted: 1, ..Texts::default() },
            false,
        ),
        (
            "deleted by an act whose body is not given",
            |log, id| {
                log.delete(log.bo, id);
                let event = Arc::make_mut(log.events.last_mut().unwrap());
                (event.salt, event.body) = (None, None);
            },
            Texts { not_checked: 1, ..Texts::default() },
            false,
        ),
        (
            "deleted, and then an act whose body is not given",
            |log, id| {
                log.delete(log.bo, id);
                log.act_deleted(log.bo, id, false, None);
                Arc::make_mut(log.events.last_mut().unwrap()).salt = None;
            },
            Texts { not_checked: 1, ..Texts::default() },
            false,
        ),
        (
            "erased",
            |log, id| {
                log.delete(log.bo, id);
                log.erase("messages", &[id]);
            },
            Texts { erased: 1, ..Texts::default() },
            false,
        ),
        (
            "an erase that does not name it, though the server says so",
            |log, id| {
                log.delete(log.bo, id);
                log.erase("messages", &[ClientId::random()]);
                Arc::make_mut(log.events.last_mut().unwrap()).erased = vec![id];
            },
            Texts { deleted: 1, ..Texts::default() },
            false,
        ),
        (
            "missing",
            |log, id| {
                let row = log.row(id);
                (row.text, row.added, row.proof) = (None, None, None);
            },
            Texts { missing: 1, ..Texts::default() },
            false,
        ),
        (
            "missing behind a restore",
            |log, id| {
                log.delete(log.bo, id);
                log.act_deleted(
                    log.bo,
                    id,
                    false,
                    Some(ActValue::Restored { restored: "hello there".into() }),
                );
                log.row(id).deleted = None;
            },
            Texts { missing: 1, ..Texts::default() },
            false,
        ),
        (
            "without a proof behind a text of format 5",
            |log, id| {
                let row = log.row(id);
                (row.added, row.proof) = (None, None);
            },
            Texts { unproven: 1, ..Texts::default() },
            false,
        ),
        (
            "another author",
            |log, id| log.row(id).author = log.me,
            Texts { differ: 1, ..Texts::default() },
            true,
        ),
        (
            "imported, by what the row says alone",
            |log, id| log.row(id).imported = true,
            Texts { differ: 1, ..Texts::default() },
            true,
        ),
        (
            "a message that the log does not have, without a proof",
            |log, id| {
                let row = log.row(id);
                (row.id, row.added, row.proof) = (ClientId::random(), None, None);
            },
            Texts { differ: 1, ..Texts::default() },
            true,
        ),
        (
            "an edit that keeps the quote of its message",
            |log, id| {
                log.edit(id, "edited", Added { quote: Some(id), said: Some(7), ..Added::default() });
                let row = log.row(id);
                (row.quote, row.said) = (Some(id), Some(7));
            },
            Texts { checked: 1, ..Texts::default() },
            false,
        ),
        (
            "an edit with a quote that the server does not show",
            |log, id| {
                log.edit(id, "edited", Added { quote: Some(id), ..Added::default() });
                log.row(id).quote = None;
            },
            Texts { differ: 1, ..Texts::default() },
            true,
        ),
        (
            "an edit with another quote than its message has",
            |log, id| {
                log.edit(id, "edited", Added::default());
                log.row(id).quote = Some(log.rows[0].id);
            },
            Texts { differ: 1, ..Texts::default() },
            true,
        ),
        (
            "a deletion with a salt that is none, which restores",
            |log, id| {
                log.act_deleted(log.bo, id, true, Some(ActValue::On(true)));
                log.salt_of_newest("not sixteen hex!");
            },
            Texts { checked: 1, ..Texts::default() },
            false,
        ),
        (
            "deleted by such a one",
            |log, id| {
                log.delete(log.bo, id);
                log.salt_of_newest("0123456789ABCDEF");
            },
            Texts { missing: 1, ..Texts::default() },
            false,
        ),
        (
            "deleted by a deletion and a byte more",
            |log, id| {
                log.delete(log.bo, id);
                log.salt_of_newest("01234567890123456");
            },
            Texts { missing: 1, ..Texts::default() },
            false,
        ),
        (
            "erased though nobody deleted it",
            |log, id| {
                log.erase("messages", &[id]);
                let row = log.row(id);
                (row.text, row.added, row.proof) = (None, None, None);
            },
            Texts { missing: 1, ..Texts::default() },
            false,
        ),
    ];
    for (what, change, expected, differs) in table {
        let mut log = Log::new();
        // One that is found right, whatever is wrong with the other.
        log.message("first", Added::default());
        let id = log.message("hello there", naming(&[("bo", log.bo)]));
        let before = log.rows.len();
        change(&mut log, id);
        assert_eq!(log.rows.len(), before);
        let mut client = log.client(5);
        let mut found = check(&log, &mut client);
        // The first message, which an erase without a body may have taken.
        if what == "a later erase whose body is not given" {
            found.not_checked -= 1;
        } else {
            found.checked -= 1;
        }
        assert_eq!(found, expected, "{what}");
        assert_eq!(!differing(&client).is_empty(), differs, "{what}");
        let row = log.rows.iter().find(|row| row.seq == 2).unwrap().clone();
        assert_eq!(client.row(row.id).text, row.text, "{what}: what came is kept");
    }
}

#[test]
fn a_check_counts_what_was_loaded_when_it_began() {
    let mut log = Log::new();
    older(&mut log, "older");
    log.message("first", Added::default());
    let mut client = log.client(5);
    let effects = client.give(Input::Check);
    let Some(ClientFrame::Headers { req, room, .. }) = sent(&effects).first().copied().cloned() else {
        panic!("{effects:?}")
    };
    let headers = log.events.iter().map(|event| (event.header.clone(), event.chain)).collect();
    // Meanwhile another one comes: it stands in a longer chain than the one that is checked.
    log.message("later", Added::default());
    let event = log.events.last().unwrap().clone();
    client.event(&event);
    client.give(Input::Frame(ServerFrame::Headers { req, room, headers }));
    let texts = client.session.check.as_ref().unwrap().texts.clone().unwrap();
    assert_eq!(texts, Texts { checked: 1, older: 1, not_checked: 1, ..Texts::default() });
    assert_eq!(texts.here(), 3);
    // The next check has all.
    let texts = check(&log, &mut client);
    assert_eq!(texts, Texts { checked: 2, older: 1, ..Texts::default() });
}

#[test]
fn a_log_of_format_4_has_nothing_to_check_and_no_event_is_asked_for() {
    let mut log = Log::new();
    let id = older(&mut log, "older");
    log.delete(log.bo, id);
    older(&mut log, "another");
    let mut client = log.client(4);
    let effects = client.give(Input::Check);
    let Some(ClientFrame::Headers { req, room, .. }) = sent(&effects).first().copied().cloned() else {
        panic!("{effects:?}")
    };
    let headers = log.events.iter().map(|event| (event.header.clone(), event.chain)).collect();
    let effects = client.give(Input::Frame(ServerFrame::Headers { req, room, headers }));
    assert_eq!(sent(&effects), Vec::<&ClientFrame>::new());
    let texts = client.session.check.as_ref().unwrap().texts.clone().unwrap();
    assert_eq!(texts, Texts { older: 1, not_checked: 1, ..Texts::default() });
}

#[test]
fn what_cannot_be_fetched_leaves_the_order_checked_and_the_text_not() {
    let mut log = Log::new();
    let id = log.message("hello", Added::default());
    log.act_deleted(log.bo, id, true, Some(ActValue::On(true)));
    let mut client = log.client(5);
    let effects = client.give(Input::Check);
    let Some(ClientFrame::Headers { req, room, .. }) = sent(&effects).first().copied().cloned() else {
        panic!("{effects:?}")
    };
    let headers = log.events.iter().map(|event| (event.header.clone(), event.chain)).collect();
    let effects = client.give(Input::Frame(ServerFrame::Headers { req, room, headers }));
    let Some(ClientFrame::Fetch { req, after: 1, to: 2, .. }) = sent(&effects).first().copied().cloned()
    else {
        panic!("{effects:?}")
    };
    let code = beck::protocol::ErrorCode::NotFound;
    let frame = ServerFrame::Error { id: None, req: Some(req), code, message: "no".into() };
    client.give(Input::Frame(frame));
    let check = client.session.check.as_ref().unwrap();
    assert!(matches!(check.state, CheckState::Agrees { .. }));
    assert_eq!(check.texts, Some(Texts { not_checked: 1, ..Texts::default() }));
}

/// An event is changed on its way.
type Bend = fn(&mut Event);

#[test]
fn what_comes_live_is_held_against_its_header_at_once() {
    let table: [(&str, Bend, bool); 11] = [
        ("as it is", |_| {}, false),
        (
            "text",
            |event| {
                let body = MessageBody { text: "hellp".into(), quote: None, said: None };
                event.body = Some(EventBody::Message(body));
            },
            true,
        ),
        ("added part", |event| event.added.as_mut().unwrap().all = true, true),
        ("salt", |event| event.salt = Some(salt(99)), true),
        (
            "stored bytes beside it",
            |event| event.stored = Some(format!("{}{{\"text\":\"hello\"}}\n{{}}", salt(1))),
            false,
        ),
        (
            "another text beside the stored bytes",
            |event| {
                event.stored = Some(format!("{}{{\"text\":\"hello\"}}\n{{}}", salt(1)));
                let body = MessageBody { text: "hellp".into(), quote: None, said: None };
                event.body = Some(EventBody::Message(body));
            },
            true,
        ),
        (
            "a quote beside the stored bytes",
            |event| {
                event.stored = Some(format!("{}{{\"text\":\"hello\"}}\n{{}}", salt(1)));
                let quote = Some(ClientId::random());
                let body = MessageBody { text: "hello".into(), quote, said: None };
                event.body = Some(EventBody::Message(body));
            },
            true,
        ),
        (
            "another added part beside the stored bytes",
            |event| {
                event.stored = Some(format!("{}{{\"text\":\"hello\"}}\n{{}}", salt(1)));
                event.added.as_mut().unwrap().all = true;
            },
            true,
        ),
        (
            "nothing beside the stored bytes",
            |event| {
                event.stored = Some(format!("{}{{\"text\":\"hello\"}}\n{{}}", salt(1)));
                event.body = None;
            },
            true,
        ),
        (
            "a byte in the stored bytes",
            |event| event.stored = Some(format!("{}{{\"text\":\"hellp\"}}\n{{}}", salt(1))),
            true,
        ),
        ("without a salt", |event| event.salt = None, false),
    ];
    for (what, bend, differs) in table {
        let mut log = Log::new();
        let mut client = log.client(5);
        let id = log.message("hello", Added::default());
        let mut event = Event::clone(&log.events[0]);
        assert_eq!(event.header.digest, digest(&format!("{}{{\"text\":\"hello\"}}\n{{}}", salt(1))));
        bend(&mut event);
        client.event(&Arc::new(event.clone()));
        assert_eq!(differing(&client), if differs { vec![1] } else { Vec::new() }, "{what}");
        let body = event.body.as_ref();
        assert_eq!(client.row(id).text.is_some(), body.is_some(), "{what}: it is kept");
    }
}

/// Bytes of other programs, with what a server makes of them.
#[test]
fn what_a_server_makes_of_unusual_bytes_does_not_differ() {
    let bo = AccountId::random();
    let other = format!(r#"{{"mentions":{{"bo":"{bo}","cy":7}},"later":[1]}}"#);
    let message =
        |text: &str| Some(EventBody::Message(MessageBody { text: text.into(), quote: None, said: None }));
    let table = [
        (r#"{ "text": "a" }"#, "{}", message("a"), Added::default()),
        (r#"{"text":"a","later":{"n":1}}"#, "{}", message("a"), Added::default()),
        (r#"{"text":"a"}"#, other.as_str(), message("a"), naming(&[("bo", bo)])),
        (r#"{"text":"a"}"#, r#"{"all":1}"#, message("a"), Added::default()),
        (r#"{"text":"a"}"#, "none", message("a"), Added::default()),
        // Not JSON, or not of the form: nobody shows a text of these.
        (r#"{"text":"a"},"it":{"text":"b"}"#, "{}", None, Added::default()),
        (r#"{"text":"a","text":"b"}"#, "{}", None, Added::default()),
        (r#"{"text":7}"#, "{}", None, Added::default()),
        (r#"{"text":"a""#, "{}", None, Added::default()),
    ];
    for (draft, part, body, added) in table {
        let mut log = Log::new();
        let mut client = log.client(5);
        let stored = format!("{}{draft}\n{part}", salt(1));
        log.push(Says {
            by: log.bo,
            id: ClientId::random(),
            kind: "message",
            about: None,
            stored: stored.clone(),
            salt: Some(salt(1)),
            body,
            added: Some(added),
        });
        Arc::make_mut(&mut log.events[0]).stored = Some(stored);
        client.event(&log.events[0].clone());
        assert_eq!(differing(&client), Vec::<u64>::new(), "{draft} {part}");
    }
}

/// Deleted and restored by other bytes than those that are shown.
#[test]
fn a_deletion_that_its_bytes_do_not_say_differs() {
    let restored = || ActValue::Restored { restored: "hello".into() };
    let table: [(&str, ActValue, &str, bool); 5] = [
        (r#"{"value":true}"#, ActValue::On(true), "0123456789abcdef", false),
        (r#"{"value":true}"#, restored(), "0123456789abcdef", true),
        (r#"{"value":false}"#, ActValue::On(true), "0123456789abcdef", true),
        (r#"{"value":false}"#, restored(), "0123456789abcdef", false),
        (r#"{"value":true}"#, ActValue::On(true), "0123456789abcdeF", true),
    ];
    for (draft, shown, salt, differs) in table {
        let mut log = Log::new();
        let id = log.message("hello", Added::default());
        let mut client = log.client(5);
        let stored = format!("{salt}{draft}");
        log.push(Says {
            by: log.bo,
            id: ClientId::random(),
            kind: "act",
            about: Some((id, "deleted")),
            stored: stored.clone(),
            salt: Some(salt.into()),
            body: Some(EventBody::Act(ActBody { value: shown.clone() })),
            added: None,
        });
        Arc::make_mut(&mut log.events[1]).stored = Some(stored);
        client.event(&log.events[1].clone());
        assert_eq!(!differing(&client).is_empty(), differs, "{draft} {shown:?} {salt}");
    }
}

#[test]
fn a_salt_with_a_text_in_it_proves_nothing() {
    let mut log = Log::new();
    let mut client = log.client(5);
    let (added, shown) = (r#"{"text":"another"}"#, "another");
    // Whoever proposes can write such an added part; to every other reader the message says "hello".
    let stored = format!("{}{{\"text\":\"hello\"}}\n{added}\n{{}}", salt(1));
    let body = MessageBody { text: shown.into(), quote: None, said: None };
    log.push(Says {
        by: log.bo,
        id: ClientId::random(),
        kind: "message",
        about: None,
        stored: stored.clone(),
        salt: Some(stored.strip_suffix(&format!("{added}\n{{}}")).unwrap().to_owned()),
        body: Some(EventBody::Message(body)),
        added: Some(Added::default()),
    });
    client.event(&log.events[0].clone());
    let texts = check(&log, &mut client);
    assert_eq!(texts, Texts { not_checked: 1, ..Texts::default() });
}

/// A server that sends no proof at all: what came when the log had format 5 already is not of an earlier one.
#[test]
fn what_came_since_the_log_has_format_5_is_never_counted_as_older() {
    let mut log = Log::new();
    older(&mut log, "older");
    let mut client = log.client(5);
    client.give(Input::Frame(ServerFrame::Subscribed {
        room: log.room,
        since: log.position(),
        head: log.position(),
    }));
    older(&mut log, "no proof");
    client.event(&log.events[1].clone());
    let texts = check(&log, &mut client);
    assert_eq!(texts, Texts { older: 1, unproven: 1, ..Texts::default() });
    // And in a log of format 4 everything is.
    let mut client = log.client(4);
    client.give(Input::Frame(ServerFrame::Subscribed {
        room: log.room,
        since: log.position(),
        head: log.position(),
    }));
    let texts = check(&log, &mut client);
    assert_eq!(texts, Texts { older: 2, ..Texts::default() });
}

#[test]
fn an_erase_and_an_imported_message_show_that_the_log_has_format_5() {
    type Show = fn(&mut Log, ClientId);
    let shows: [(Show, Texts); 3] = [
        (|log, _| drop(log.erase("earlier", &[])), Texts { older: 1, unproven: 1, ..Texts::default() }),
        (
            |log, _| log.import("from elsewhere"),
            Texts { older: 1, unproven: 1, checked: 1, ..Texts::default() },
        ),
        (
            |log, id| drop(log.act_deleted(log.bo, id, false, None)),
            Texts { older: 1, unproven: 1, ..Texts::default() },
        ),
    ];
    for (n, (show, expected)) in shows.into_iter().enumerate() {
        let mut log = Log::new();
        let id = older(&mut log, "older");
        show(&mut log, id);
        older(&mut log, "no proof");
        let mut client = log.client(5);
        assert_eq!(check(&log, &mut client), expected, "{n}");
    }
}

#[test]
fn a_row_that_came_live_is_checked_like_one_of_a_page() {
    let mut log = Log::new();
    let mut client = log.client(5);
    let (kept, edited) = (log.message("kept", Added::default()), log.message("first", Added::default()));
    log.edit(edited, "second", naming(&[("me", log.me)]));
    // Other bytes than a client would write: they come as they are, and the row is not checked.
    let id = ClientId::random();
    let stored = format!("{}{{ \"text\": \"spaced\" }}\n{{}}", salt(7));
    let body = MessageBody { text: "spaced".into(), quote: None, said: None };
    log.push(Says {
        by: log.bo,
        id,
        kind: "message",
        about: None,
        stored: stored.clone(),
        salt: Some(salt(7)),
        body: Some(EventBody::Message(body)),
        added: Some(Added::default()),
    });
    Arc::make_mut(log.events.last_mut().unwrap()).stored = Some(stored);
    for event in log.events.clone() {
        client.event(&event);
    }
    for id in [kept, edited] {
        assert_eq!(client.row(id).proof, log.row(id).proof);
        assert_eq!(client.row(id).added, log.row(id).added);
    }
    assert_eq!(client.row(id).proof, None::<Proof>);
    let texts = check(&log, &mut client);
    assert_eq!(texts, Texts { checked: 2, not_checked: 1, ..Texts::default() });
    assert_eq!(differing(&client), Vec::<u64>::new());
}
