//! What is typed after a slash, and the names that a text can have.

use crate::support::server::TestServer;
use serde_json::Value;
use tempfile::tempdir;

/// Whether it was done, and what was said.
async fn script(server: &TestServer, path: &str, cookie: &str, fields: &[(&str, &str)]) -> (bool, Value) {
    let answer = server.post(path, cookie, fields, &[("accept", "application/json")]).await;
    let told: Value = answer.json().await.unwrap_or_default();
    (told["done"] == true, told)
}

async fn names(server: &TestServer, cookie: &str, room: &str, at: &str) -> Value {
    let (status, _, text) = server.page(&format!("/api/v1/names?room={room}&at={at}"), cookie).await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// The account of each handle that is given; none of `@room`.
fn accounts(names: &Value) -> Vec<Option<&str>> {
    names["people"].as_array().unwrap().iter().map(|one| one["id"].as_str()).collect()
}

fn handles(names: &Value) -> Vec<&str> {
    names["people"].as_array().unwrap().iter().map(|one| one["handle"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_topic_is_changed_by_members_and_refused_with_a_reason() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (ada, room) = server.set_up().await;
    let bo = server.sign_up(&ada, &room, "bo").await;
    let path = format!("/r/{room}/topic");
    let (status, told) = script(&server, &path, &bo, &[("topic", "Lunch at noon")]).await;
    assert_eq!((status, told["message"].as_str()), (true, Some("The topic is changed.")));
    assert!(server.page(&format!("/r/{room}"), &ada).await.2.contains("Lunch at noon"));
    let (status, told) = script(&server, &path, &bo, &[("topic", &"x".repeat(200))]).await;
    assert_eq!(
        (status, told["message"].as_str()),
        (false, Some("That is too long: 160 characters at most."))
    );
    // Without a script: the page again.
    let (status, _, to) = server.form(&path, &bo, &[("topic", "Tea")]).await;
    assert_eq!((status, to.as_str()), (303, format!("/r/{room}").as_str()));
    // Who is not in the room changes nothing.
    let (_, _, to) = server.form("/rooms", &ada, &[("name", "Kitchen"), ("topic", "")]).await;
    let (status, told) = script(&server, &format!("{to}/topic"), &bo, &[("topic", "Mine")]).await;
    assert!(!status, "{told}");
    assert!(!server.page(&to, &ada).await.2.contains("Mine"));
    let (status, _) = script(&server, &path, "", &[("topic", "Mine")]).await;
    assert!(!status);
}

#[tokio::test]
async fn somebody_is_brought_into_a_room() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (ada, room) = server.set_up().await;
    let bo = server.sign_up(&ada, &room, "bo").await;
    let (_, _, kitchen) = server.form("/rooms", &ada, &[("name", "Kitchen"), ("topic", "Lunch")]).await;
    let path = format!("{kitchen}/invite");
    // Not by somebody who is not in it.
    assert!(!script(&server, &path, &bo, &[("handle", "bo")]).await.0);
    for (handle, status, said) in [
        ("nobody", false, "Nobody has the handle @nobody."),
        ("@Bo", true, "is now in the room."),
        ("bo", true, "is already in the room."),
    ] {
        let (found, told) = script(&server, &path, &ada, &[("handle", handle)]).await;
        assert_eq!(found, status, "{told}");
        assert!(told["message"].as_str().unwrap().ends_with(said), "{told}");
    }
    let (status, _) = script(&server, &format!("{kitchen}/topic"), &bo, &[("topic", "Tea")]).await;
    assert!(status);
}

#[tokio::test]
async fn names_are_of_those_whom_one_may_see_people_of_the_room_first() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (ada, room) = server.set_up().await;
    let token = server.join_token(&ada, &room).await;
    let bo = server.sign_up_by(&token, "bo").await;
    server.sign_up_by(&token, "robin").await;
    let (_, _, kitchen) = server.form("/rooms", &bo, &[("name", "Bo and Co."), ("topic", "Lunch")]).await;
    let id = kitchen.trim_start_matches("/r/");
    let found = names(&server, &bo, id, "bo").await;
    assert_eq!(handles(&found), ["bo"]);
    assert_eq!(found["people"][0]["here"], true);
    assert_eq!(found["rooms"][0]["slug"], "bo-and-co");
    assert_eq!(found["rooms"][0]["topic"], "Lunch");
    let found = names(&server, &bo, id, "ro").await;
    assert_eq!(handles(&found), ["robin", "room"]);
    let [Some(robin), None] = accounts(&found)[..] else { panic!("{found}") };
    assert!(robin.parse::<beck::protocol::AccountId>().is_ok());
    assert_eq!(found["people"][0]["here"], false);
    assert_eq!(found["people"][1]["note"], "1 person");
    // Of a room that one is not in nothing is told.
    let found = names(&server, &ada, id, "ro").await;
    assert_eq!(handles(&found), ["robin"]);
    assert_eq!(handles(&names(&server, &ada, "", "zz").await), Vec::<&str>::new());
    assert_eq!(server.page("/api/v1/names?at=a", "").await.0, 401);
}
