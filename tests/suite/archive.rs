//! Archived rooms: who may archive, what is refused then, where they are found, and how they come back.

use crate::embedded::first_version;
use crate::support::server::{TestClient, TestServer};
use crate::support::{config, read_all, set_up};
use beck::protocol::frame::ActDraft;
use beck::protocol::{ActValue, ClientId, Format, Kind, Outcome, Refusal};
use beck::server::access::Action;
use beck::server::accounts::{self, NewAccount};
use beck::server::broker::Proposal;
use beck::server::error::AppError;
use beck::server::fold::SettingBody;
use beck::server::rooms;
use beck::server::state::STATE_FILE;
use serde_json::json;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_room_is_read_and_found_and_nobody_writes_in_it() {
    for format in [Format::Four, Format::Five] {
        nobody_writes_in_an_archived_room(format).await;
    }
}

async fn nobody_writes_in_an_archived_room(format: Format) {
    let folder = tempdir().unwrap();
    let number = format.number().to_string();
    let server = TestServer::start_set(folder.path(), &[("BECK_NEWEST_FORMAT", &number)]).0;
    let (owner, general) = server.set_up().await;
    let token = server.join_token(&owner, &general).await;
    let (maker, guest) = (server.sign_up_by(&token, "maker").await, server.sign_up_by(&token, "guest").await);
    let side = server.form("/rooms", &maker, &[("name", "Side room")]).await.2;
    let room = side.strip_prefix("/r/").unwrap();
    assert_eq!(server.form(&format!("{side}/join"), &guest, &[]).await.0, 303);
    let mut socket = TestClient::connect(&server, &guest).await;
    socket.send(json!({ "t": "subscribe", "room": room })).await;
    socket.until("subscribed").await;
    let id = ClientId::random().to_string();
    socket.post(room, &id, "words that stay").await;
    socket.until("ack").await;

    // Neither any member nor anybody else.
    let archive = format!("{side}/archive");
    let refused = server.post(&archive, &guest, &[("archived", "1")], &[]).await;
    assert_eq!(refused.status(), 403);
    let page = refused.text().await.unwrap();
    assert!(page.contains("Only the one who made the room and the owner of the workspace may do that."));
    assert!(!page.contains("Archive this room"), "it is not offered either");
    assert!(server.page(&side, &maker).await.2.contains("Archive this room"));
    assert_eq!(server.form("/r/bbbbbbbbbb/archive", &owner, &[("archived", "1")]).await.0, 404);
    assert_eq!(server.form("/r/no-room/archive", &owner, &[("archived", "1")]).await.0, 404);

    assert_eq!(server.form(&archive, &maker, &[("archived", "1")]).await.2, side);
    assert_eq!(socket.until("room").await["room"]["archived"], true);
    let frames = [
        json!({ "t": "post", "id": ClientId::random(), "room": room, "text": "too late" }),
        json!({ "t": "act", "id": ClientId::random(), "room": room, "target": id, "slot": "pin", "value": true }),
        json!({ "t": "act", "id": ClientId::random(), "room": room, "target": id, "slot": "text", "value": "changed" }),
    ];
    let deleted = |value| json!({ "t": "act", "id": ClientId::random(), "room": room, "target": id, "slot": "deleted", "value": value });
    let frames = frames.into_iter().chain((format < Format::Five).then(|| deleted(true)));
    for frame in frames {
        socket.send(frame.clone()).await;
        let outcome = socket.until("ack").await["outcome"].clone();
        assert_eq!(outcome, json!({ "is": "refused", "why": "archived" }), "{frame}");
    }
    // From format 5 on people delete what they wrote there, and restore it.
    for value in [true, false].into_iter().filter(|_| format >= Format::Five) {
        socket.send(deleted(value)).await;
        assert_eq!(socket.until("ack").await["outcome"]["is"], "stored", "{value}");
    }
    let fields = [("client_id", &*ClientId::random().to_string()), ("text", "by form")];
    let refused = server.post(&format!("{side}/post"), &maker, &fields, &[]).await;
    let page = refused.text().await.unwrap();
    assert!(page.contains("Not sent: This room was archived."));

    // Read by those who are in it, found by all, joined to be read; in nobody's list of rooms at the left.
    let (_, _, page) = server.page(&side, &guest).await;
    assert!(page.contains("words that stay") && page.contains("This room is archived"));
    assert!(!page.contains("id=\"composer\"") && !page.contains("too late"));
    let list = page.split("class=\"links\"").nth(1).unwrap().split("</ul>").next().unwrap().to_owned();
    assert!(list.contains("General") && !list.contains("Side room"), "{list}");
    let (_, _, rooms) = server.page("/rooms", &owner).await;
    let archived = rooms.split("id=\"archived\"").nth(1).unwrap();
    assert!(archived.contains("Side room") && archived.contains("Bring it back"));
    assert_eq!(server.form(&format!("{side}/join"), &owner, &[]).await.2, side);
    assert!(server.page(&side, &owner).await.2.contains("words that stay"));
    socket.send(json!({ "t": "page", "req": 1, "room": room, "at": "newest", "limit": 10 })).await;
    assert_eq!(socket.until("page").await["page"]["rows"][0]["text"], "words that stay");

    // Its name is free; it comes back when it is free again.
    let other = server.form("/rooms", &guest, &[("name", "side Room")]).await.2;
    let refused = server.post(&archive, &owner, &[("archived", "")], &[]).await.text().await.unwrap();
    assert!(refused.contains("Another room has its name now. Archive that one first."));
    assert_eq!(server.form(&format!("{other}/archive"), &owner, &[("archived", "1")]).await.2, other);
    assert_eq!(server.form(&archive, &owner, &[("archived", "")]).await.2, side);
    while socket.until("room").await["room"]["archived"] != false {}
    socket.post(room, &ClientId::random().to_string(), "as before").await;
    assert_eq!(socket.until("ack").await["outcome"]["is"], "stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_member_does_not_begin_in_an_archived_room() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (owner, general) = server.set_up().await;
    let token = server.join_token(&owner, &general).await;
    assert_eq!(server.form(&format!("/r/{general}/archive"), &owner, &[("archived", "1")]).await.0, 303);
    let guest = server.sign_up_by(&token, "guest").await;
    for who in [&owner, &guest] {
        assert_eq!(server.page("/", who).await.1, "/rooms");
    }
    assert!(!server.page("/rooms", &guest).await.2.contains("Skip to writing"));
    assert!(server.page(&format!("/r/{general}"), &guest).await.2.contains("Join it to read it."));
}

/// An older version stops at the `format` entry: it would take a `logins` for nothing and let any member archive.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_version_would_misread_comes_after_a_format_entry() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    assert_eq!(here.node.directory().format(), Format::NEWEST, "a new log begins with the newest format");
    let before = here.log().await.len();
    rooms::archive(&here.node, here.owner, here.general, true).await.unwrap();
    assert_eq!(here.log().await.len(), before + 1, "nothing has to rise");
    drop(here);

    for archives in [true, false] {
        let folder = tempdir().unwrap();
        let node = first_version(folder.path()).await;
        let directory = node.directory();
        assert_eq!(directory.format(), Format::One);
        let owner = directory.accounts.values().find(|a| a.handle == "olive").unwrap().id;
        let room = *directory.rooms.keys().next().unwrap();
        let before = read_all(node.broker.as_ref()).await.len();
        for _ in 0..2 {
            if archives {
                rooms::archive(&node, owner, room, true).await.unwrap();
            } else {
                node.sign_out_everywhere(owner).await.unwrap();
            }
        }
        let written: Vec<_> = read_all(node.broker.as_ref()).await.split_off(before);
        let kinds: Vec<_> = written.iter().map(|entry| entry.header.kind.clone()).collect();
        let kind = if archives { Kind::RoomSet } else { Kind::Logins };
        assert_eq!(kinds, [Kind::Format, kind.clone(), kind], "raised once, and first");
        assert_eq!(written[0].json(), Some("2"));
        assert_eq!(node.directory().format(), Format::Two);
    }
}

/// Each entry is decided by the format that holds where it stands, also by a node that folds all of it anew.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_decided_by_the_format_of_its_place() {
    let folder = tempdir().unwrap();
    let node = first_version(folder.path()).await;
    let new = NewAccount { name: "Maja", handle: "maja", password: "a long password" };
    let member = accounts::sign_up(&node, new).await.unwrap();
    let directory = node.directory();
    let room = *directory.rooms.keys().next().unwrap();
    let owner = directory.by_handle("olive").unwrap().id;
    let may = |id| directory.can(id, Action::Archive, room);
    assert_eq!((may(owner), may(member)), (true, false));
    let set = |by, archived: bool| {
        let body = SettingBody { value: archived.into() };
        Proposal::new(by, ClientId::random(), Kind::RoomSet, &body)
            .room(room)
            .slot("archived".parse().unwrap())
    };
    for archived in [true, false] {
        let outcome = node.propose(set(member, archived)).await.unwrap();
        assert!(matches!(outcome, Outcome::Stored { .. }), "as the version that wrote format 1 decides");
    }
    let format = Proposal::new(owner, ClientId::random(), Kind::Format, &2);
    node.propose(format).await.unwrap();
    let refused = Outcome::Refused { why: Refusal::NotAllowed };
    assert_eq!(node.propose(set(member, true)).await.unwrap(), refused);
    // A format never falls.
    node.propose(Proposal::new(owner, ClientId::random(), Kind::Format, &1)).await.unwrap();
    assert_eq!(node.propose(set(member, true)).await.unwrap(), refused);
    assert!(matches!(node.propose(set(owner, true)).await.unwrap(), Outcome::Stored { .. }));
    let act = ActDraft {
        id: ClientId::random(),
        room,
        target: ClientId::random(),
        slot: "pin".into(),
        value: ActValue::On(true),
        named: Default::default(),
    };
    let outcome = rooms::act(&node, member, act).await.unwrap();
    assert_eq!(outcome, Outcome::Refused { why: Refusal::Archived });
    let fault = rooms::archive(&node, member, room, false).await.unwrap_err();
    assert!(matches!(fault, AppError::Forbidden(_)), "{fault}");
    let (before, g) = (node.directory(), node.folded());
    drop(node);
    let node = {
        let log = crate::support::awaited::unlocked(folder.path()).await;
        std::fs::remove_file(folder.path().join(STATE_FILE)).unwrap();
        beck::server::node::Node::start(config(folder.path()), std::sync::Arc::new(log)).await.unwrap()
    };
    assert_eq!((node.folded(), node.directory()), (g, before));
}
