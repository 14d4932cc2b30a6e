//! An answer that is lost after the commit: the same id again is the same message, over socket and form.

use crate::support::proxy::CuttingProxy;
use crate::support::server::{TestClient, TestServer, form_at};
use crate::support::{furnish, read_all};
use beck::protocol::ClientId;
use beck::server::broker::embedded::Embedded;
use serde_json::{Value, json};
use tempfile::tempdir;

const TRIES: usize = 20;

/// The outcome that a proposal is answered with.
async fn outcome(client: &mut TestClient, frame: Value) -> Value {
    client.send(frame).await;
    client.until("ack").await["outcome"].take()
}

fn post(id: ClientId, room: &impl serde::Serialize, text: &str) -> Value {
    json!({ "t": "post", "id": id, "room": room, "text": text })
}

/// How often each of the newest messages of a room stands there, by id, with its text.
async fn texts_of(client: &mut TestClient, room: &impl serde::Serialize, id: ClientId) -> Vec<Value> {
    client.send(json!({ "t": "page", "req": 1, "room": room, "at": "newest", "limit": 100 })).await;
    let page = client.until("page").await;
    let rows = page["page"]["rows"].as_array().unwrap().iter();
    rows.filter(|row| row["id"] == json!(id)).map(|row| row["text"].clone()).collect()
}

fn refused(why: &str) -> Value {
    json!({ "is": "refused", "why": why })
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_socket_a_post_whose_ack_is_lost_is_one_message_however_often_it_is_sent() {
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), 2).await;
    let mut server = TestServer::start(folder.path());
    let proxy = CuttingProxy::start(server.host(), 3).await;
    let ((_, cookie), room, id) = (&place.people[0], place.general, ClientId::random());
    proxy.lose_replies();
    for _ in 0..TRIES {
        let mut client = TestClient::connect_at(&proxy.addr(), cookie).await;
        client.send(post(id, &room, "said once")).await;
        while let Some(frame) = client.next().await {
            assert_ne!(frame["t"], "ack");
        }
    }
    let lost = proxy.lost();
    assert_eq!((lost.len(), proxy.counts().lost), (TRIES, TRIES as u64), "each answer came and was lost");
    proxy.mend();
    let mut client = TestClient::connect_at(&proxy.addr(), cookie).await;
    let first = outcome(&mut client, post(id, &room, "said once")).await;
    assert_eq!((&first["is"], &first["ordinal"]), (&json!("stored"), &json!(1)));
    for ack in lost {
        assert_eq!(
            serde_json::from_str::<Value>(&ack).unwrap(),
            json!({ "t": "ack", "id": id, "outcome": first })
        );
    }
    // Another draft under the id, or another author: refused, and nothing changes.
    let mut other = TestClient::connect(&server, &place.people[1].1).await;
    let draft = |text| post(id, &room, text);
    assert_eq!(outcome(&mut client, draft("said otherwise")).await, refused("other_draft"));
    assert_eq!(outcome(&mut other, draft("said once")).await, refused("other_draft"));
    let threaded =
        json!({ "t": "post", "id": id, "room": room, "text": "said once", "thread": { "to": id } });
    assert_eq!(outcome(&mut client, threaded).await, refused("other_draft"));
    assert_eq!(outcome(&mut client, draft("said once")).await, first);
    assert_eq!(texts_of(&mut client, &room, id).await, ["said once"]);

    // All at once from many sockets: one of them is first, and all are told of that one.
    let id = ClientId::random();
    let mut sockets = Vec::new();
    for _ in 0..TRIES {
        sockets.push(TestClient::connect(&server, cookie).await);
    }
    for socket in &mut sockets {
        socket.send(post(id, &room, "said by all")).await;
    }
    let mut outcomes = Vec::new();
    for socket in &mut sockets {
        outcomes.push(socket.until("ack").await["outcome"].take());
    }
    assert_eq!(outcomes.len(), TRIES);
    assert!(
        outcomes.iter().all(|outcome| outcome == &outcomes[0] && outcome["ordinal"] == 2),
        "{outcomes:?}"
    );
    assert_eq!(texts_of(&mut client, &room, id).await, ["said by all"]);
    // After a restart as before.
    server.kill();
    let server = TestServer::start(folder.path());
    let mut client = TestClient::connect(&server, cookie).await;
    assert_eq!(outcome(&mut client, post(id, &room, "said by all")).await, outcomes[0]);
    assert_eq!(outcome(&mut client, post(id, &room, "said")).await, refused("other_draft"));
    assert_eq!(texts_of(&mut client, &room, id).await, ["said by all"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_form_a_post_whose_answer_is_lost_is_one_message_however_often_it_is_sent() {
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), 1).await;
    let mut server = TestServer::start(folder.path());
    let proxy = CuttingProxy::start(server.host(), 4).await;
    let ((_, cookie), id) = (&place.people[0], ClientId::random());
    let (base, path) = (format!("http://{}", proxy.addr()), format!("/r/{}/post", place.general));
    let (id_text, room) = (id.to_string(), place.general.to_string());
    let fields = |text: &'static str| [("client_id", id_text.as_str()), ("text", text)];
    proxy.lose_replies();
    for _ in 0..TRIES {
        let answer = form_at(&base, &path, cookie, &fields("said once")).await;
        assert!(answer.is_err(), "the answer is lost: {answer:?}");
    }
    let lost = proxy.lost();
    assert_eq!((lost.len(), proxy.counts().lost), (TRIES, TRIES as u64));
    for answer in lost {
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        assert!(answer.contains(&format!("location: /r/{room}\r\n")), "{answer}");
    }
    proxy.mend();
    let answer = form_at(&base, &path, cookie, &fields("said once")).await.unwrap();
    assert_eq!((answer.0, answer.2), (303, format!("/r/{room}")));
    assert_eq!(form_at(&base, &path, cookie, &fields("said otherwise")).await.unwrap().0, 422);
    // Form and socket know each other's drafts.
    let mut client = TestClient::connect(&server, cookie).await;
    let first = outcome(&mut client, post(id, &room, "said once")).await;
    assert_eq!((&first["is"], &first["ordinal"]), (&json!("stored"), &json!(1)));
    assert_eq!(outcome(&mut client, post(id, &room, "said otherwise")).await, refused("other_draft"));
    assert_eq!(texts_of(&mut client, &room, id).await, ["said once"]);
    server.kill();
    let entries = read_all(&Embedded::open(folder.path()).unwrap()).await;
    assert_eq!(entries.iter().filter(|entry| entry.header.client_id == id).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_taken_back_or_it_is_too_late_and_the_log_says_which() {
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), 2).await;
    let server = TestServer::start(folder.path());
    let proxy = CuttingProxy::start(server.host(), 5).await;
    let ((_, cookie), room) = (&place.people[0], place.general);
    let void = |id: ClientId, target: ClientId| json!({ "t": "void", "id": id, "target": target });
    // The void comes first, and its answer is lost each time.
    let (early, draft) = (ClientId::random(), ClientId::random());
    proxy.lose_replies();
    for _ in 0..TRIES {
        let mut client = TestClient::connect_at(&proxy.addr(), cookie).await;
        client.send(void(early, draft)).await;
        while client.next().await.is_some() {}
    }
    assert_eq!(proxy.counts().lost, TRIES as u64);
    proxy.mend();
    let mut client = TestClient::connect_at(&proxy.addr(), cookie).await;
    let voided = outcome(&mut client, void(early, draft)).await;
    assert_eq!(voided["is"], "stored");
    let told: Vec<Value> = proxy.lost().iter().map(|ack| serde_json::from_str(ack).unwrap()).collect();
    assert!(told.iter().all(|ack| ack["outcome"] == voided), "{told:?}");
    for _ in 0..2 {
        assert_eq!(outcome(&mut client, post(draft, &room, "taken back")).await, refused("void"));
    }
    assert_eq!(texts_of(&mut client, &room, draft).await, [] as [Value; 0]);
    // The post comes first.
    let (late, draft) = (ClientId::random(), ClientId::random());
    let stored = outcome(&mut client, post(draft, &room, "it stands")).await;
    for _ in 0..2 {
        assert_eq!(outcome(&mut client, void(late, draft)).await, refused("too_late"));
    }
    assert_eq!(outcome(&mut client, post(draft, &room, "it stands")).await, stored);
    assert_eq!(texts_of(&mut client, &room, draft).await, ["it stands"]);
    // Somebody else's draft cannot be taken back, and one void does not take back another thing under its id.
    let mut other = TestClient::connect(&server, &place.people[1].1).await;
    assert_eq!(outcome(&mut other, void(ClientId::random(), draft)).await, refused("not_allowed"));
    assert_eq!(outcome(&mut client, void(late, ClientId::random())).await, refused("other_draft"));
    // Side by side: whichever is first in the log wins, and both answers agree.
    let (mut won, mut lost) = (0, 0);
    for n in 0..40 {
        let (id, draft) = (ClientId::random(), ClientId::random());
        let mut second = TestClient::connect(&server, cookie).await;
        if n % 2 == 0 {
            client.send(post(draft, &room, "race")).await;
            second.send(void(id, draft)).await;
        } else {
            second.send(void(id, draft)).await;
            client.send(post(draft, &room, "race")).await;
        }
        let posted = client.until("ack").await["outcome"].take();
        let voided = second.until("ack").await["outcome"].take();
        if posted["is"] == "stored" {
            assert_eq!(voided, refused("too_late"));
            won += 1;
        } else {
            assert_eq!((posted, &voided["is"]), (refused("void"), &json!("stored")));
            lost += 1;
        }
    }
    assert!(won > 0 && lost > 0, "both ends happened: {won}, {lost}");
}
