//! Threads: answers, answers that stand in the room too, who follows and what is unread there.

mod devices;
mod limits;
mod naive;
mod nodes;
mod told;
mod world;

use crate::embedded::first_version;
use crate::support::server::{TestClient, TestServer};
use crate::support::{TestNode, read_all, set_up};
use beck::protocol::frame::{Answer, Draft};
use beck::protocol::{
    AccountId, ActDraft, ActValue, ClientId, Format, Kind, MessageBody, Outcome, PageAt, Pointer, Raise,
    Refusal,
};
use beck::server::broker::Proposal;
use beck::server::{rooms, threads, unread};
use serde_json::{Value, json};
use tempfile::tempdir;

pub async fn answer(here: &TestNode, by: AccountId, to: ClientId, also: bool, text: &str) -> ClientId {
    let id = ClientId::random();
    let thread = Some(Answer { to, also });
    let draft =
        Draft { id, room: here.general, thread, quote: None, text: text.into(), named: Default::default() };
    let stored = rooms::post(&here.node, by, draft).await.unwrap();
    assert!(matches!(stored, Outcome::Stored { .. }), "{stored:?}");
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_the_room_too_is_one_message_one_unread_and_one_mention() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let ann = here.member("ann").await;
    let root = ClientId::random();
    here.post(ann, root, "a question").await;
    let also = answer(&here, here.owner, root, true, "@ann for all to read").await;
    let badge = unread::badges(&here.node, ann, [here.general]).await.unwrap()[&here.general];
    let threads = threads::threads(&here.node, ann, here.general).await.unwrap();
    let [thread] = threads.as_slice() else { panic!("{threads:?}") };
    assert_eq!((badge.unread, badge.mentions), (1, 1));
    assert_eq!((thread.badge.unread, thread.badge.mentions, thread.badge.head), (0, 0, 1));
    // It is in the log once, and what changes it changes both places.
    let stored = here.log().await.iter().filter(|entry| entry.header.client_id == also).count();
    assert_eq!(stored, 1);
    let (slot, value) = ("text".to_owned(), ActValue::Text("for all, edited".into()));
    let act = ActDraft {
        id: ClientId::random(),
        room: here.general,
        target: also,
        slot,
        value,
        named: Default::default(),
    };
    rooms::act(&here.node, here.owner, act).await.unwrap();
    for lane in [0, thread.lane] {
        let page = rooms::page(&here.node, ann, (here.general, lane), PageAt::Newest, 9, None).unwrap();
        let last = page.rows.last().unwrap();
        assert_eq!((last.id, last.text.as_deref()), (also, Some("for all, edited")), "lane {lane}");
    }
    // Who answers it answers in its thread.
    answer(&here, ann, also, false, "thanks").await;
    let page = rooms::page(&here.node, ann, (here.general, thread.lane), PageAt::Newest, 9, None).unwrap();
    assert_eq!(page.rows.iter().map(|row| row.ordinal).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_do_not_nest_and_a_deleted_root_keeps_its_thread() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let root = ClientId::random();
    here.post(here.owner, root, "a question").await;
    let first = answer(&here, here.owner, root, false, "one").await;
    answer(&here, here.owner, first, false, "two, to one").await;
    let body = MessageBody { text: "below an answer".into(), quote: None, said: None };
    let nested = Proposal::new(here.owner, ClientId::random(), Kind::Message, &body).room(here.general);
    let nested = nested.target(first.to_string().parse().unwrap());
    let outcome = here.node.propose(nested).await.unwrap();
    assert_eq!(outcome, Outcome::Refused { why: Refusal::TargetGone });
    let (slot, value) = ("deleted".to_owned(), ActValue::On(true));
    let act = ActDraft {
        id: ClientId::random(),
        room: here.general,
        target: root,
        slot,
        value,
        named: Default::default(),
    };
    rooms::act(&here.node, here.owner, act).await.unwrap();
    answer(&here, here.owner, root, false, "three").await;
    let threads = threads::threads(&here.node, here.owner, here.general).await.unwrap();
    let [thread] = threads.as_slice() else { panic!("{threads:?}") };
    assert_eq!((thread.root.text.as_deref(), thread.root.answers.as_ref().unwrap().count), (None, 3));
    let lane = (here.general, thread.lane);
    let page = rooms::page(&here.node, here.owner, lane, PageAt::Newest, 9, None).unwrap();
    let texts: Vec<_> = page.rows.iter().filter_map(|row| row.text.as_deref()).collect();
    assert_eq!(texts, ["one", "two, to one", "three"]);
    // Nobody else's, and no thread at all where there is no message.
    let stranger = AccountId::random();
    assert!(threads::thread(&here.node, stranger, lane).await.is_err());
    assert!(threads::follow(&here.node, stranger, lane, true).await.is_err());
    assert!(threads::follow(&here.node, here.owner, (here.general, 9_999), true).await.is_err());
    assert!(threads::thread(&here.node, here.owner, (here.general, u64::MAX)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_says_of_following_goes_before_all_that_came_until_then() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let ann = here.member("ann").await;
    let root = ClientId::random();
    here.post(here.owner, root, "a question").await;
    // The newest entry names her; then she says that she does not follow.
    answer(&here, here.owner, root, false, "@ann one").await;
    let lane = threads::threads(&here.node, ann, here.general).await.unwrap()[0].lane;
    let at = (here.general, lane);
    let told = async || threads::thread(&here.node, ann, at).await.unwrap();
    threads::follow(&here.node, ann, at, false).await.unwrap();
    assert!(!told().await.follows);
    answer(&here, here.owner, root, false, "@ann two").await;
    assert!(told().await.follows, "named anew");
    // Who follows again has read what is there, also where she had marked it.
    let pointer = Pointer { generation: 1, ordinal: 0 };
    unread::raise(&here.node, ann, vec![Raise { room: here.general, lane, pointer }]).await.unwrap();
    assert_eq!(told().await.badge.unread, 2);
    threads::follow(&here.node, ann, at, false).await.unwrap();
    answer(&here, here.owner, root, false, "three").await;
    threads::follow(&here.node, ann, at, true).await.unwrap();
    let now = told().await;
    let read = Pointer { generation: 1, ordinal: 3 };
    assert_eq!((now.follows, now.badge.unread, now.badge.pointer()), (true, 0, read));
}

/// The slot was of no meaning to version 0.1.0: what it stored so stays where that version put it.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_log_takes_answers_in_the_room_from_its_format_on() {
    let folder = tempdir().unwrap();
    let node = first_version(folder.path()).await;
    let directory = node.directory();
    assert_eq!(directory.format(), Format::One);
    let owner = directory.by_handle("olive").unwrap().id;
    let room = directory.rooms_of(owner)[0].id;
    let page = |lane| rooms::page(&node, owner, (room, lane), PageAt::Newest, 50, None).unwrap();
    let (root, before) = (page(0).rows[0].clone(), page(0).head);
    let body = MessageBody { text: "before".into(), quote: None, said: None };
    let raw = Proposal::new(owner, ClientId::random(), Kind::Message, &body).room(room);
    let raw = raw.target(root.id.to_string().parse().unwrap()).slot("room".parse().unwrap());
    assert!(matches!(node.propose(raw).await.unwrap(), Outcome::Stored { ordinal: Some(1), .. }));
    assert_eq!((page(0).head, page(root.seq).head), (before, 1));
    for n in 1..=2 {
        let thread = Some(Answer { to: root.id, also: true });
        let draft = Draft {
            id: ClientId::random(),
            room,
            thread,
            quote: None,
            text: "after".into(),
            named: Default::default(),
        };
        rooms::post(&node, owner, draft).await.unwrap();
        assert_eq!((page(0).head, page(root.seq).head), (before + n, 1 + n));
    }
    let log = read_all(node.broker.as_ref()).await;
    let newest: Vec<_> = log.iter().rev().take(4).rev().map(|entry| entry.header.kind.clone()).collect();
    assert_eq!(newest, [Kind::Message, Kind::Format, Kind::Message, Kind::Message], "raised once, and first");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wire_tells_of_threads() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (owner, room) = server.set_up().await;
    let guest = server.sign_up(&owner, &room, "guest").await;
    let (mut owner, mut guest) =
        (TestClient::connect(&server, &owner).await, TestClient::connect(&server, &guest).await);
    owner.send(json!({ "t": "subscribe", "room": room })).await;
    owner.until("subscribed").await;
    let root = ClientId::random();
    owner.post(&room, &root.to_string(), "a question").await;
    let lane = owner.until("event").await["event"]["seq"].clone();
    let answer = |text: &str, also: bool| {
        let thread = json!({ "to": root, "also": also });
        json!({ "t": "post", "id": ClientId::random(), "room": room, "thread": thread, "text": text })
    };
    guest.send(answer("an answer", false)).await;
    let event = owner.until("event").await["event"].clone();
    assert_eq!((&event["lane"], &event["ordinal"], &event["also"]), (&lane, &json!(1), &Value::Null));
    guest.send(answer("for all", true)).await;
    let event = owner.until("event").await["event"].clone();
    assert_eq!((&event["lane"], &event["ordinal"]), (&Value::Null, &json!(2)), "lane 0 is left out");
    assert_eq!(event["also"], json!({ "lane": lane, "ordinal": 2 }));
    assert_eq!((&event["header"]["target"], &event["header"]["slot"]), (&json!(root), &json!("room")));
    owner
        .send(json!({ "t": "page", "req": 1, "room": room, "lane": lane, "at": "newest", "limit": 9 }))
        .await;
    let page = owner.until("page").await["page"].clone();
    assert_eq!((&page["lane"], &page["head"]), (&lane, &json!(2)));
    assert_eq!(page["rows"][1]["also"], json!({ "lane": 0, "ordinal": 2 }));
    owner.send(json!({ "t": "threads", "room": room })).await;
    let told = owner.until("threads").await["threads"].clone();
    let [thread] = told.as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!(
        (&thread["lane"], &thread["follows"], &thread["root"]["id"]),
        (&lane, &json!(true), &json!(root))
    );
    assert_eq!((&thread["badge"]["unread"], &thread["root"]["answers"]["count"]), (&json!(1), &json!(2)));
    owner.send(json!({ "t": "read", "room": room, "lane": lane, "ordinal": 1 })).await;
    owner.until("badge").await;
    owner.send(json!({ "t": "thread", "req": 2, "room": room, "lane": lane })).await;
    assert_eq!(owner.until("thread").await["thread"]["badge"]["unread"], 0);
    owner.send(json!({ "t": "follow", "room": room, "lane": lane, "follow": false })).await;
    assert_eq!(owner.until("threads").await["threads"], json!([]));
    guest.send(answer("nobody hears", false)).await;
    owner.until("event").await;
    owner.send(json!({ "t": "thread", "req": 3, "room": room, "lane": lane })).await;
    let thread = owner.until("thread").await["thread"].clone();
    assert_eq!((&thread["follows"], &thread["badge"]["unread"]), (&json!(false), &json!(0)));
    owner.send(json!({ "t": "thread", "req": 4, "room": room, "lane": 9_999 })).await;
    let fault = owner.until("error").await;
    assert_eq!((&fault["req"], &fault["code"]), (&json!(4), &json!("not_found")));
}
