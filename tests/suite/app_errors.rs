//! Why use cases fail: status, code and sentence of each cause, and that forms and frames give the same answer.

use crate::support::server::{TestClient, TestServer};
use crate::support::set_up;
use beck::protocol::bounds::{self, Unfit};
use beck::protocol::frame::{ActDraft, Draft};
use beck::protocol::{ActValue, ClientId, Outcome, Refusal};
use beck::server::auth::TooMany;
use beck::server::broker::BrokerError;
use beck::server::error::{AppError, Field, ReactionError, RestoreError};
use beck::server::readiness::{Unready, UnreadyState};
use beck::server::rooms;
use beck::server::state::ReadError;
use serde_json::{Value, json};
use tempfile::tempdir;

/// The place of a variant in the table below: a new variant does not compile until it has one.
fn place(fault: &AppError) -> usize {
    match fault {
        AppError::Unfit(_) => 0,
        AppError::Field(..) => 1,
        AppError::HandleTaken => 2,
        AppError::WrongPassword => 3,
        AppError::UnknownHandle(_) => 4,
        AppError::NameTaken => 5,
        AppError::Restore(_) => 6,
        AppError::Reaction(_) => 7,
        AppError::TooManyRooms => 8,
        AppError::Refused(_) => 9,
        AppError::Forbidden(_) => 10,
        AppError::NotFound => 11,
        AppError::TooMany(_) => 12,
        AppError::Behind => 13,
        AppError::Unknown => 14,
        AppError::Unready(_) => 15,
        AppError::Erasing => 16,
        AppError::State(_) => 17,
        AppError::Log(_) => 18,
        AppError::RoomNameTaken(_) => 19,
    }
}

fn table() -> Vec<(AppError, u16, &'static str, &'static str)> {
    let full = || Unready::new(UnreadyState::DiskFull, "log.sqlite");
    let missing = || ReadError::Sqlite(rusqlite::Error::QueryReturnedNoRows);
    let unfit = || bounds::handle("a b").unwrap_err();
    vec![
        (Unfit::Emoji.into(), 422, "unfit", "emoji"),
        (AppError::Field(Field::Handle, unfit()), 422, "unfit", "Handle: "),
        (AppError::Field(Field::Workspace, unfit()), 422, "unfit", "Name of your team: "),
        (AppError::Field(Field::Name, unfit()), 422, "unfit", "Your name: "),
        (AppError::Field(Field::Password, unfit()), 422, "unfit", "Password: "),
        (AppError::HandleTaken, 422, "unfit", "That handle is taken."),
        (AppError::WrongPassword, 422, "unfit", "That handle and password do not belong together."),
        (AppError::UnknownHandle("bo".into()), 422, "unfit", "Nobody has the handle @bo."),
        (AppError::NameTaken, 422, "unfit", "Another room has its name now."),
        (AppError::RoomNameTaken("Ops".into()), 422, "unfit", "The room “Ops” has this name"),
        (RestoreError::TooLate.into(), 422, "unfit", "more than 24 hours ago"),
        (RestoreError::OtherText.into(), 422, "unfit", "the text it had"),
        (ReactionError::Full.into(), 422, "unfit", "20 different reactions"),
        (ReactionError::FullOfYours.into(), 422, "unfit", "You have 10 different reactions"),
        (AppError::TooManyRooms, 422, "unfit", "Close one first."),
        (Refusal::Archived.into(), 422, "unfit", "This room was archived."),
        (Refusal::Taken.into(), 422, "unfit", "That name is taken."),
        (Refusal::NotAllowed.into(), 403, "forbidden", "You may not do that here."),
        (AppError::Forbidden("Only owners."), 403, "forbidden", "Only owners."),
        (Refusal::NotFound.into(), 404, "not_found", "There is no such room, or you are not in it."),
        (ReadError::NotFound.into(), 404, "not_found", "There is no such room, or you are not in it."),
        (TooMany { seconds: 1 }.into(), 429, "throttled", "Try again in 1 second."),
        (AppError::Behind, 503, "behind", "has not caught up yet"),
        (AppError::Unknown, 503, "unknown", "cannot tell yet whether this was stored"),
        (AppError::Unready(full()), 503, "unavailable", "Nothing can be saved right now: "),
        (AppError::Erasing, 503, "unavailable", "deleted messages are being erased"),
        (missing().into(), 503, "unavailable", "The server cannot answer now: the state file cannot be read"),
        (BrokerError::Unready(full()).into(), 503, "unavailable", "That can't be done right now: "),
        (
            BrokerError::Refused("gone".into()).into(),
            503,
            "unavailable",
            "The server cannot answer now: gone",
        ),
    ]
}

#[test]
fn every_error_has_a_status_a_code_and_a_sentence_that_agree() {
    let mut seen = [false; 20];
    for (fault, status, code, words) in table() {
        assert_eq!(fault.status(), status, "{fault:?}");
        assert_eq!(serde_json::to_value(fault.code()).unwrap(), code, "{fault:?}");
        let sentence = fault.to_string();
        assert!(sentence.contains(words), "{fault:?}: {sentence}");
        assert_eq!(fault.retry_after().is_some(), status == 429, "{fault:?}");
        assert_eq!(fault.code().try_again(), matches!(status, 429 | 503), "{fault:?}");
        seen[place(&fault)] = true;
    }
    assert!(seen.iter().all(|seen| *seen), "a variant has no row: {seen:?}");
}

#[test]
fn an_older_client_reads_the_new_code_as_one_of_a_later_version() {
    // The codes that 0.1.0 knows.
    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Known {
        Unfit,
        #[serde(other)]
        Other,
    }
    assert_eq!(serde_json::from_str::<Known>("\"forbidden\"").unwrap(), Known::Other);
    assert_eq!(serde_json::from_str::<Known>("\"unfit\"").unwrap(), Known::Unfit);
}

/// The error with this id.
async fn refused(client: &mut TestClient, frame: Value) -> (String, String) {
    client.send(frame.clone()).await;
    loop {
        let answer = client.until("error").await;
        if answer["id"] == frame["id"] {
            let text = |key: &str| answer[key].as_str().unwrap().to_owned();
            return (text("code"), text("message"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_and_a_frame_without_the_permission_both_say_forbidden() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (owner, room) = server.set_up().await;
    let guest = server.sign_up(&owner, &room, "guest").await;
    let mut author = TestClient::connect(&server, &owner).await;
    let target = ClientId::random().to_string();
    author.post(&room, &target, "words of the owner").await;
    author.until("ack").await;
    let deleted = json!({ "t": "act", "id": ClientId::random(), "room": room, "target": target, "slot": "deleted", "value": true });
    author.send(deleted).await;
    author.until("ack").await;

    let archive = format!("/r/{room}/archive");
    let says = "Only the one who made the room and the owner of the workspace may do that.";
    let form = server.post(&archive, &guest, &[("archived", "1")], &[]).await;
    assert_eq!(form.status(), 403);
    assert!(form.text().await.unwrap().contains(says));
    let json = [("accept", "application/json")];
    let form = server.post(&archive, &guest, &[("archived", "1")], &json).await;
    assert_eq!(form.status(), 403);
    assert_eq!(form.json::<Value>().await.unwrap(), json!({ "message": says }));

    let mut client = TestClient::connect(&server, &guest).await;
    let restore = json!({ "t": "act", "id": ClientId::random(), "room": room, "target": target, "slot": "deleted",
        "value": { "restored": "words of the owner" } });
    let (code, message) = refused(&mut client, restore).await;
    assert_eq!(code, "forbidden");
    assert!(message.contains("can restore it, and only if nobody else deleted it"), "{message}");
    let other = ClientId::random().to_string();
    author.post(&room, &other, "more words of the owner").await;
    author.until("ack").await;
    for (slot, value) in [("text", json!("words of the guest")), ("deleted", json!(true))] {
        let id = ClientId::random();
        let act =
            json!({ "t": "act", "id": id, "room": room, "target": other, "slot": slot, "value": value });
        let (code, message) = refused(&mut client, act).await;
        assert_eq!((code.as_str(), message.as_str()), ("forbidden", "You may not do that here."), "{slot}");
        client.send(json!({ "t": "outcome", "id": id })).await;
        assert_eq!(client.until("error").await["code"], "not_found", "{slot}: it was proposed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_what_is_stored_gets_its_first_outcome_also_without_the_permission() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let guest = here.member("guest").await;
    let message = ClientId::random();
    let draft = |id| Draft {
        id,
        room: here.general,
        thread: None,
        quote: None,
        text: "words".into(),
        named: Default::default(),
    };
    let edit = ActDraft {
        id: ClientId::random(),
        room: here.general,
        target: message,
        slot: "text".into(),
        value: ActValue::Text("other words".into()),
        named: Default::default(),
    };
    let posted = rooms::post(&here.node, guest, draft(message)).await.unwrap();
    let edited = rooms::act(&here.node, guest, edit.clone()).await.unwrap();
    assert!(matches!((posted, edited), (Outcome::Stored { .. }, Outcome::Stored { .. })));
    rooms::leave(&here.node, guest, here.general).await.unwrap();
    let entries = here.log().await.len();
    assert_eq!(rooms::post(&here.node, guest, draft(message)).await.unwrap(), posted);
    assert_eq!(rooms::act(&here.node, guest, edit.clone()).await.unwrap(), edited);
    let new = rooms::post(&here.node, guest, draft(ClientId::random())).await;
    assert!(matches!(new, Err(AppError::NotFound)), "{new:?}");
    let new = rooms::act(&here.node, guest, ActDraft { id: ClientId::random(), ..edit }).await;
    assert!(matches!(new, Err(AppError::NotFound)), "{new:?}");
    assert_eq!(here.log().await.len(), entries, "nothing was proposed");
}
