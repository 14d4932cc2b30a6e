//! The bytes of the log: header text, digest, link and chain of nine entries, and the bodies that servers write. The
//! constants were computed from docs/protocol.md by another program. They never change.

use super::written::{BEGIN, Words, ZERO, client_id, rest, then, write};
use crate::support::log_reader::{assert_whole, digest_of, read_folder};
use beck::protocol::change::{AccountSetting, Act};
use beck::protocol::stored::MessageDraft;
use beck::protocol::{
    AccountId, ActValue, Added, Change, Format, Hash, Header, OwnStatus, RoomId, WorkspaceId,
};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, Content, Entry, Proposal, digest};
use beck::server::fold::Fold;
use serde_json::json;
use tempfile::tempdir;

const ANN: &str = "bcdfghjklm";

/// An entry as the log stores it, and the chain of its room if the entry becomes an event.
struct Golden {
    body: &'static str,
    rest: &'static str,
    link: &'static str,
    chain: Option<&'static str>,
}

const GOLDEN: [Golden; 9] = [
    Golden {
        body: r#"0011223344556677{"id":"fghjklmnpq","name":"Bytes","format":4}"#,
        rest: "bcdfghjklm 00000000-0001-7000-8000-000000000001 - workspace - - 8b6faf7e5dc292af4189b651329c4575",
        link: "ca632f6322d0c8a0",
        chain: None,
    },
    Golden {
        body: r#"8899aabbccddeeff{"name":"Ann","handle":"ann","role":"owner"}"#,
        rest: "bcdfghjklm 00000000-0002-7000-8000-000000000002 - account bcdfghjklm - 3b3d53c97b608f62616b7e8b55ff09d8",
        link: "107ece11c2102d91",
        chain: None,
    },
    Golden {
        body: r#"0f1e2d3c4b5a6978{"kind":"open","name":"General","topic":""}"#,
        rest: "bcdfghjklm 00000000-0003-7000-8000-000000000003 dfghjklmnp room - - 72259dd0e4b46ea9027918a14a6cf4d7",
        link: "9e1c2fa2851689b6",
        chain: Some("3fe22c5b621ffdaa"),
    },
    Golden {
        body: r#"0123456789abcdef{"text":"Grüße, 日本語 👩‍💻\n\"quoted\""}"#,
        rest: "bcdfghjklm 00000000-0004-7000-8000-000000000004 dfghjklmnp message - - f3c2b49183537d97da64685fed952efa",
        link: "6371bafd91801dd2",
        chain: Some("0f3d1399c92dad14"),
    },
    Golden {
        body: r#"fedcba9876543210{"text":"both","quote":"00000000-0004-7000-8000-000000000004"}"#,
        rest: "bcdfghjklm 00000000-0005-7000-8000-000000000005 dfghjklmnp message 00000000-0004-7000-8000-000000000004 room d4314cf9b757c71e88a9ff7e5a20c482",
        link: "193a5742857adac1",
        chain: Some("66ce12adf9d2921a"),
    },
    Golden {
        body: r#"1111111111111111{"value":true}"#,
        rest: "bcdfghjklm 00000000-0006-7000-8000-000000000006 dfghjklmnp act 00000000-0004-7000-8000-000000000004 react:👍:bcdfghjklm 226780a9ef4b3343d08dd9e48467a7e9",
        link: "40682cebc07510e0",
        chain: Some("6d6d064c3fa8ead3"),
    },
    // Refused, since the message is not deleted: it has a link and no place in the chain.
    Golden {
        body: r#"2222222222222222{"value":{"restored":"x"}}"#,
        rest: "bcdfghjklm 00000000-0007-7000-8000-000000000007 dfghjklmnp act 00000000-0004-7000-8000-000000000004 deleted 23bbca5afc1f60b6f22543df4a8723e2",
        link: "5214c25f93b1dd23",
        chain: None,
    },
    Golden {
        body: "3333333333333333null",
        rest: "bcdfghjklm 00000000-0008-7000-8000-000000000008 - void abcdef01-2345-7000-8000-abcdef012345 - b76df7464d1a30d9c8abc2ca74b2261e",
        link: "e2c5e4c162a0618c",
        chain: None,
    },
    Golden {
        body: r#"4444444444444444{"value":true}"#,
        rest: "bcdfghjklm 00000000-0009-7000-8000-000000000009 dfghjklmnp room.set - archived df4d79c07e5d989c76d608759ef25c98",
        link: "65a5027677f8b1b5",
        chain: Some("2f604cf1d4a1f1ac"),
    },
];

impl Golden {
    fn words(&self) -> Words {
        let mut words = self.rest.split(' ').map(|word| (word != "-").then(|| word.to_owned()));
        let mut next = || words.next().unwrap();
        let (author, id) = (next().unwrap().parse().unwrap(), next().unwrap().parse().unwrap());
        let room = next().map(|room| room.parse().unwrap());
        let (kind, target, slot) = (next().unwrap(), next(), next());
        Words { author, id, kind, room, target, slot, body: self.body.to_owned() }
    }

    fn proposal(&self) -> Proposal {
        let Words { author, id, kind, room, target, slot, body } = self.words();
        let [target, slot] = [target, slot].map(|word| word.map(|word| word.parse().unwrap()));
        Proposal {
            author,
            client_id: id,
            room,
            kind: kind.parse().unwrap(),
            target,
            slot,
            body,
            form: beck::protocol::Format::One,
            since: None,
        }
    }
}

fn log() -> Vec<Entry> {
    let mut log = Vec::new();
    GOLDEN.iter().for_each(|golden| write(&mut log, &golden.words()));
    log
}

#[test]
fn headers_digests_and_links_have_the_bytes_of_the_protocol() {
    let mut link = Hash::ZERO;
    assert_eq!(link.to_string(), ZERO);
    for (golden, entry) in GOLDEN.iter().zip(log()) {
        let header = entry.header;
        // The tests' own computation first, then the library's.
        assert_eq!(rest(&header), golden.rest);
        assert_eq!(then(&link.to_string(), &header), golden.link);
        assert_eq!(header.rest(), golden.rest);
        assert_eq!(golden.proposal().header(header.g, header.at), header);
        assert_eq!(Header::parse(header.g, header.at, golden.rest), Some(header.clone()));
        assert_eq!(digest(golden.body).to_string(), digest_of(golden.body));
        link = link.then(&header);
        assert_eq!(link.to_string(), golden.link, "{}", golden.rest);
    }
}

#[test]
fn chains_run_over_the_events_of_a_room_alone() {
    let folder = tempdir().unwrap();
    let (_, mut fold) = Fold::open(folder.path(), |_, _| true).unwrap();
    let folded = fold.fold(&log()).unwrap();
    for (folded, golden) in folded.iter().zip(&GOLDEN) {
        let chain = folded.event.as_ref().map(|(_, event)| event.chain.to_string());
        assert_eq!(chain.as_deref(), golden.chain, "{}", golden.rest);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_folder_holds_these_bytes() {
    let folder = tempdir().unwrap();
    let mut now = BEGIN - 1_000;
    let clock = move || {
        now += 1_000;
        now
    };
    let log = Embedded::open_with_clock(folder.path(), clock).unwrap();
    log.create(GOLDEN[0].proposal()).await.unwrap();
    for golden in &GOLDEN[1..] {
        log.append(vec![golden.proposal()]).await.unwrap();
    }
    let stored = read_folder(folder.path());
    assert_whole(&stored);
    for (n, (stored, golden)) in stored.iter().zip(&GOLDEN).enumerate() {
        assert_eq!((stored.g, stored.at), (n as u64 + 1, BEGIN + 1_000 * n as i64));
        let (body, link) = (stored.body.as_deref(), stored.link.as_str());
        assert_eq!((stored.rest.as_str(), body, link), (golden.rest, Some(golden.body), golden.link));
    }
    assert_eq!(stored.len(), GOLDEN.len());
}

/// Events and archives carry headers as JSON.
#[test]
fn a_header_is_this_json() {
    let log = log();
    let json = |g: usize| serde_json::to_string(&log[g - 1].header).unwrap();
    assert_eq!(
        json(1),
        r#"{"g":1,"at":1767225600000,"by":"bcdfghjklm","id":"00000000-0001-7000-8000-000000000001","kind":"workspace","digest":"8b6faf7e5dc292af4189b651329c4575"}"#
    );
    assert_eq!(
        json(5),
        r#"{"g":5,"at":1767225604000,"by":"bcdfghjklm","id":"00000000-0005-7000-8000-000000000005","room":"dfghjklmnp","kind":"message","target":"00000000-0004-7000-8000-000000000004","slot":"room","digest":"d4314cf9b757c71e88a9ff7e5a20c482"}"#
    );
}

/// The JSON of a change as a server stores it in a log of formats 1 to 4.
fn written(change: &Change, content: Content) -> String {
    let proposal = Proposal::of(Format::Four, ANN.parse().unwrap(), client_id(1), change, content).unwrap();
    let (salt, json) = proposal.body.split_at(16);
    assert!(salt.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{salt}");
    // Servers of every format read it, so it needs no entry that raised the log's format.
    assert_eq!((proposal.form, proposal.since), (Format::One, None));
    json.to_owned()
}

/// A retry by another version counts as the same draft only if its JSON has the same bytes.
#[test]
fn bodies_are_these_bytes_behind_a_salt_of_sixteen_hex_characters() {
    let (ann, room): (AccountId, RoomId) = (ANN.parse().unwrap(), "dfghjklmnp".parse().unwrap());
    let whole = |change: Change| written(&change, Content::None);
    let id: WorkspaceId = "fghjklmnpq".parse().unwrap();
    assert_eq!(
        whole(Change::Workspace { id, name: "W".into(), format: 4 }),
        r#"{"id":"fghjklmnpq","name":"W","format":4}"#
    );
    for (owner, word) in [(true, "owner"), (false, "member")] {
        let (handle, name, rooms, invitation) = ("ann".into(), Some("Ann".into()), Vec::new(), None);
        let made = Change::Account { id: ann, handle, owner, rooms, invitation, name };
        assert_eq!(whole(made), format!(r#"{{"name":"Ann","handle":"ann","role":"{word}"}}"#));
    }
    let made = Change::MakeRoom { room, name: "General".into(), key: None, topic: Some(String::new()) };
    assert_eq!(whole(made), r#"{"kind":"open","name":"General","topic":""}"#);
    let post = Change::Post { room, answers: None, in_room: false, written_for: None };
    let message = |text: &str, quote| {
        written(&post, Content::erasable(&MessageDraft { text, quote, said: None }, &Added::default()))
    };
    assert_eq!(message("Grüße /\u{1}\n\"\\", None), r#"{"text":"Grüße /\u0001\n\"\\"}"#);
    assert_eq!(
        message("x", Some(client_id(4))),
        r#"{"text":"x","quote":"00000000-0004-7000-8000-000000000004"}"#
    );
    let act = |act| Change::Act { room, message: client_id(4), act };
    assert_eq!(whole(act(Act::Delete)), r#"{"value":true}"#);
    for on in [true, false] {
        assert_eq!(whole(act(Act::Pin(on))), format!(r#"{{"value":{on}}}"#));
        let react = Act::React { emoji: "🚲".into(), account: ann, on };
        assert_eq!(whole(act(react)), format!(r#"{{"value":{on}}}"#));
    }
    assert_eq!(written(&act(Act::Edit), Content::value(Some("x"))), r#"{"value":"x"}"#);
    let restored = Content::value(Some(ActValue::Restored { restored: "x".into() }));
    let restore = written(&act(Act::Restore { with_text: true }), restored);
    assert_eq!(restore, r#"{"value":{"restored":"x"}}"#);
    let set = |setting| Change::SetAccount { account: ann, setting };
    assert_eq!(whole(set(AccountSetting::Role)), r#"{"value":"owner"}"#);
    let status = |status: Option<OwnStatus>| written(&set(AccountSetting::Status), Content::value(status));
    assert_eq!(status(None), r#"{"value":{}}"#);
    // The fields of a status are sorted.
    let away = OwnStatus { text: "Away".into(), do_not_disturb: true, until: Some(5) };
    assert_eq!(status(Some(away)), r#"{"value":{"do_not_disturb":true,"text":"Away","until":5}}"#);
    let topic = |topic: Option<&str>| written(&Change::SetTopic { room }, Content::value(topic));
    assert_eq!([topic(Some("x")), topic(None)], [r#"{"value":"x"}"#, r#"{"value":""}"#]);
    assert_eq!(whole(Change::Archive { room, archived: true }), r#"{"value":true}"#);
    for nothing in [
        Change::Join { room, account: ann },
        Change::Leave { room, account: ann },
        Change::Logins { account: ann },
        Change::Void { draft: client_id(4) },
    ] {
        assert_eq!(whole(nothing), "null");
    }
    assert_eq!(whole(Change::Format { number: 4 }), "4");
}

#[test]
fn a_change_is_not_written_in_a_format_that_does_not_have_it() {
    let room = "dfghjklmnp".parse().unwrap();
    let restore = Act::Restore { with_text: false };
    for (change, first) in [
        (Change::Archive { room, archived: true }, Format::Two),
        (Change::Post { room, answers: Some(client_id(4)), in_room: true, written_for: None }, Format::Three),
        (Change::Act { room, message: client_id(4), act: restore }, Format::Five),
        (Change::MakeRoom { room, name: "Ops".into(), key: Some("ops".into()), topic: None }, Format::Five),
    ] {
        for format in Format::KNOWN {
            let content = match change {
                Change::Post { .. } => Content::erasable(&json!({ "text": "x" }), &Added::default()),
                _ => Content::None,
            };
            let proposal = Proposal::of(format, ANN.parse().unwrap(), client_id(1), &change, content);
            assert_eq!(proposal.is_ok(), format >= first, "{change:?} in {format:?}");
        }
    }
}
