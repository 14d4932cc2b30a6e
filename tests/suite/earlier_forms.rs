//! What servers write to a log of formats 1 to 4, from what people do: header words and bodies, byte by byte. Logs of these
//! formats are read by versions that know nothing later, so these bytes never change.

use crate::support::{config, read_all};
use beck::protocol::frame::{Answer, Draft};
use beck::protocol::{ActDraft, ActValue, ClientId, Format, Outcome};
use beck::server::accounts::{self, NewAccount};
use beck::server::admin::{Ask, carry_out};
use beck::server::broker::embedded::Embedded;
use beck::server::node::Node;
use beck::server::rooms;
use std::sync::Arc;
use tempfile::tempdir;

/// Author, room, kind, target and slot, and the body behind its salt.
const WRITTEN: [(&str, &str); 30] = [
    ("OLIVE - workspace - -", r#"{"id":"WORKSPACE","name":"Test Place","format":NUMBER}"#),
    ("OLIVE - account OLIVE -", r#"{"name":"Olive O","handle":"olive","role":"owner"}"#),
    (
        "OLIVE GENERAL room - -",
        r#"{"kind":"open","name":"General","topic":"Everything that is for all of us"}"#,
    ),
    ("BO - account BO -", r#"{"name":"Bo","handle":"bo","role":"member"}"#),
    ("BO GENERAL join BO -", "null"),
    ("OLIVE OPS room - -", r#"{"kind":"open","name":"Grüße \"&\" 🚲","topic":""}"#),
    ("OLIVE OPS join BO -", "null"),
    ("BO OPS room.set - topic", r#"{"value":"What is up"}"#),
    ("BO OPS room.set - topic", r#"{"value":""}"#),
    ("BO OPS leave BO -", "null"),
    ("BO OPS join BO -", "null"),
    ("BO OPS message - -", r#"{"text":"ship it @olive\n\tnow \"é\" 🚲"}"#),
    ("BO OPS message - -", r#"{"text":"quoting","quote":"FIRST"}"#),
    ("BO OPS message FIRST -", r#"{"text":"a reply"}"#),
    ("BO OPS message FIRST room", r#"{"text":"to both"}"#),
    ("BO OPS act FIRST text", r#"{"value":"edited"}"#),
    ("BO OPS act FIRST pin", r#"{"value":true}"#),
    ("BO OPS act FIRST pin", r#"{"value":false}"#),
    ("OLIVE OPS act FIRST react:👍🏽:OLIVE", r#"{"value":true}"#),
    ("OLIVE OPS act FIRST react:👍🏽:OLIVE", r#"{"value":false}"#),
    ("BO OPS act FIRST deleted", r#"{"value":true}"#),
    ("BO OPS act FIRST deleted", r#"{"value":{"restored":"edited"}}"#),
    ("BO - void FIRST -", "null"),
    ("OLIVE OPS room.set - archived", r#"{"value":true}"#),
    ("OLIVE OPS room.set - archived", r#"{"value":false}"#),
    ("BO - account.set BO status", r#"{"value":{"do_not_disturb":true,"text":"out"}}"#),
    ("BO - account.set BO status", r#"{"value":{"text":"here","until":TIME}}"#),
    ("BO - account.set BO status", r#"{"value":{}}"#),
    ("BO - logins BO -", "null"),
    ("BO - account.set BO role", r#"{"value":"owner"}"#),
];

/// Puts the time at which a status ends out of the way.
fn without_time(body: &str) -> String {
    let Some((before, rest)) = body.split_once("\"until\":") else { return body.to_owned() };
    format!("{before}\"until\":TIME{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_do_is_written_to_a_log_of_format_4_in_these_bytes() {
    let folder = tempdir().unwrap();
    let mut config = config(folder.path());
    config.newest_format = Format::Four;
    let node = Node::start(config, Arc::new(Embedded::open(folder.path()).unwrap())).await.unwrap();
    let new = |name, handle| NewAccount { name, handle, password: "a long password" };
    let (olive, general) = accounts::set_up(&node, "Test Place", new("Olive O", "olive")).await.unwrap();
    let bo = accounts::sign_up(&node, new("Bo", "bo")).await.unwrap();
    let ops = rooms::create(&node, olive, "Grüße \"&\" 🚲", "").await.unwrap();
    assert!(rooms::invite(&node, olive, ops, bo).await.unwrap());
    rooms::set_topic(&node, bo, ops, " What  is up ").await.unwrap();
    rooms::set_topic(&node, bo, ops, "").await.unwrap();
    rooms::leave(&node, bo, ops).await.unwrap();
    rooms::join(&node, bo, ops).await.unwrap();
    let first = ClientId::random();
    let post = async |id, text: &str, quote, thread| {
        let draft = Draft { id, room: ops, thread, quote, text: text.into(), named: Default::default() };
        let outcome = rooms::post(&node, bo, draft).await.unwrap();
        assert!(matches!(outcome, Outcome::Stored { .. }), "{outcome:?}");
    };
    post(first, "ship it @olive\r\n\tnow \"é\" 🚲 \n", None, None).await;
    post(ClientId::random(), "quoting", Some(first), None).await;
    post(ClientId::random(), "a reply", None, Some(Answer { to: first, also: false })).await;
    post(ClientId::random(), "to both", None, Some(Answer { to: first, also: true })).await;
    let act = async |by, slot: &str, value| {
        let (id, slot) = (ClientId::random(), slot.to_owned());
        let act = ActDraft { id, room: ops, target: first, slot, value, named: Default::default() };
        let outcome = rooms::act(&node, by, act).await.unwrap();
        assert!(matches!(outcome, Outcome::Stored { .. }), "{outcome:?}");
    };
    act(bo, "text", ActValue::Text("edited\n".into())).await;
    act(bo, "pin", ActValue::On(true)).await;
    act(bo, "pin", ActValue::On(false)).await;
    act(olive, &format!("react:👍🏽:{olive}"), ActValue::On(true)).await;
    act(olive, &format!("react:👍🏽:{olive}"), ActValue::On(false)).await;
    act(bo, "deleted", ActValue::On(true)).await;
    act(bo, "deleted", ActValue::Restored { restored: "edited".into() }).await;
    rooms::void(&node, bo, ClientId::random(), first).await.unwrap();
    rooms::archive(&node, olive, ops, true).await.unwrap();
    rooms::archive(&node, olive, ops, false).await.unwrap();
    accounts::set_status(&node, bo, "out", true, None).await.unwrap();
    accounts::set_status(&node, bo, "here", false, Some(60_000)).await.unwrap();
    accounts::set_status(&node, bo, "", false, None).await.unwrap();
    node.sign_out_everywhere(bo).await.unwrap();
    carry_out(&node, &Ask::MakeOwner("bo".into())).await.unwrap();

    let epoch = node.epoch().unwrap().to_string();
    let names = [
        ("OLIVE", olive.to_string()),
        ("GENERAL", general.to_string()),
        ("BO", bo.to_string()),
        ("OPS", ops.to_string()),
        ("FIRST", first.to_string()),
        ("WORKSPACE", epoch),
        ("NUMBER", "4".to_owned()),
    ];
    let filled = |text: &str| names.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id));
    let entries = read_all(node.broker.as_ref()).await;
    let mut expected = WRITTEN.iter();
    for entry in &entries {
        let (words, body) = expected.next().unwrap_or_else(|| panic!("one entry more: {entry:?}"));
        let rest = entry.header.rest();
        let mut found: Vec<_> = rest.split(' ').collect();
        found.pop();
        found.remove(1);
        assert_eq!(found.join(" "), filled(words));
        let (salt, found) = entry.body.as_ref().unwrap().split_at(16);
        assert!(salt.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')), "{words}: {salt}");
        assert_eq!(without_time(found), filled(body), "{words}");
    }
    assert_eq!(expected.next(), None);
}
