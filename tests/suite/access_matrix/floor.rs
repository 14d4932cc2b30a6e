//! A member whose stay has a floor: what stands below it is in no answer, whatever is asked and by which way.

use super::addresses::{self, Web};
use super::frames::{self, Told};
use super::scene::{Person, Place, SECRET, Scene};
use crate::support::server::TestClient;
use beck::protocol::frame::{ActDraft, Answer, Draft};
use beck::protocol::{ActValue, ClientId, Outcome};
use beck::server::{rooms, unread};
use serde_json::{Value, json};

/// Above all events of a scene.
const ABOVE: u64 = 11;
/// A word of what is written above the floor.
const LATER: &str = "juniper";

/// What a member is told whose floor is above the whole room.
fn told_above(kind: &str, member: Told) -> Told {
    match (kind, member) {
        // The room stands in the list of rooms.
        ("hello", told) => told,
        // Of one message, and of the thread under it.
        ("history" | "thread", _) => Told::NotFound,
        (_, Told::Holds(kind)) => Told::Bare(kind),
        (_, told) => told,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_frame_is_answered_with_what_stands_below_the_floor() {
    let place = Place::new().await;
    let mut faults = Vec::new();
    for (kind, expected, _) in frames::ROWS {
        let expected = told_above(kind, expected[Person::Member as usize]);
        let scene = place.scene().await;
        place.set_floor(&scene, Person::Member, ABOVE);
        let (told, answer) =
            frames::answer(&place, &scene, (kind, expected), Person::Member, scene.room).await;
        if told != expected || answer.contains(SECRET) {
            faults.push(format!("{kind}: {told:?} is not {expected:?}: {answer:.300}"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_answers_with_what_stands_below_the_floor() {
    let place = Place::new().await;
    let (mut held, mut faults) = (0, Vec::new());
    for row in addresses::ROWS {
        let expected = match (row.address, row.answers[Person::Member as usize]) {
            // Who else is in the room.
            ("GET /api/v1/names", web) => web,
            (_, Web::Holds) if row.path.contains("/thread/") => Web::Status(404),
            (_, Web::Holds) => Web::Bare,
            _ => continue,
        };
        held += 1;
        let scene = place.scene().await;
        place.set_floor(&scene, Person::Member, ABOVE);
        let (web, answer) =
            addresses::answer(&place, &scene, (row, expected), Person::Member, scene.room).await;
        if web != expected || answer.contains(SECRET) {
            faults.push(format!("{}: {web:?} is not {expected:?}", row.path));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(held > 8, "only {held} addresses show a room");
}

async fn post(place: &Place, scene: &Scene, text: String, to: Option<ClientId>) -> ClientId {
    let id = ClientId::random();
    let thread = to.map(|to| Answer { to, also: false });
    let draft = Draft { id, room: scene.room, thread, quote: to, text, named: Default::default() };
    let stored = rooms::post(&place.here.node, scene.author, draft).await.unwrap();
    assert!(matches!(stored, Outcome::Stored { .. }), "{stored:?}");
    id
}

async fn act(place: &Place, scene: &Scene, slot: &str, value: ActValue) {
    let (id, target) = (ClientId::random(), scene.root);
    let act = ActDraft { id, room: scene.room, target, slot: slot.into(), value, named: Default::default() };
    let stored = rooms::act(&place.here.node, scene.author, act).await.unwrap();
    assert!(matches!(stored, Outcome::Stored { .. }), "{stored:?}");
}

/// Events up to this seq, as they are delivered.
async fn events_to(client: &mut TestClient, seq: u64) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        let event = client.until("event").await["event"].take();
        let last = event["seq"] == seq;
        events.push(event);
        if last {
            return events;
        }
    }
}

async fn asked(client: &mut TestClient, frame: Value, answer: &str) -> Value {
    client.send(frame).await;
    client.until(answer).await
}

/// The texts in the rows of an answer.
fn texts(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().filter_map(|row| row["text"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_from_the_floor_on_is_sent_by_every_way_and_of_what_is_below_only_headers() {
    let place = Place::new().await;
    let scene = place.scene().await;
    let room = scene.room;
    place.set_floor(&scene, Person::Member, ABOVE);
    let mut client = place.socket(&place.cookie(&scene, Person::Member).await).await;
    // A position from below is none that this stay can have.
    let epoch = place.here.node.epoch().unwrap();
    let chains =
        asked(&mut client, json!({ "t": "headers", "req": 1, "room": room, "after": 0, "to": 9 }), "headers")
            .await;
    assert_eq!(chains["headers"], json!([]));
    let since = json!({ "epoch": epoch, "seq": 0, "chain": "0".repeat(16) });
    let reset = asked(&mut client, json!({ "t": "subscribe", "room": room, "since": since }), "reset").await;
    assert_eq!(reset["why"], "far");
    let head =
        asked(&mut client, json!({ "t": "subscribe", "room": room }), "subscribed").await["head"].take();
    assert_eq!(head["seq"], ABOVE - 1);

    let text = format!("{LATER} @{}member", scene.name);
    let message = post(&place, &scene, text.clone(), None).await;
    let reply = post(&place, &scene, text.clone(), Some(scene.root)).await;
    let edited = format!("{SECRET} again @{}member", scene.name);
    act(&place, &scene, "text", ActValue::Text(edited)).await;
    act(&place, &scene, "deleted", ActValue::On(true)).await;

    // Live, and fetched: the act below has its header, whose link the chain needs.
    let live = events_to(&mut client, ABOVE + 3).await;
    let fetched = json!({ "t": "fetch", "req": 1, "room": room, "after": 0, "to": 100 });
    let fetched = asked(&mut client, fetched, "events").await["events"].take();
    assert_eq!(json!(live), fetched);
    let ids = [live[0]["header"]["id"].as_str(), live[1]["header"]["id"].as_str()];
    assert_eq!(ids, [Some(message.to_string()), Some(reply.to_string())].each_ref().map(Option::as_deref));
    for (n, event) in live.iter().enumerate() {
        assert_eq!(event["seq"], ABOVE + n as u64);
        assert_eq!(event["body"]["text"].as_str(), (n < 2).then_some(text.as_str()));
        assert!(n < 2 || event.get("body").is_none() && event.get("salt").is_none(), "{event}");
    }
    // As one who comes back.
    let since = json!({ "t": "subscribe", "room": room, "since": head });
    asked(&mut client, since, "subscribed").await;
    assert_eq!(events_to(&mut client, ABOVE + 3).await, live);

    let page =
        |lane: u64| json!({ "t": "page", "req": 1, "room": room, "lane": lane, "at": "newest", "limit": 50 });
    let room_page = asked(&mut client, page(0), "page").await["page"].take();
    assert_eq!(texts(&room_page["rows"]), [text.as_str()]);
    // Its root is not there, and neither is what the reply quotes.
    let thread_page = asked(&mut client, page(scene.lane), "page").await["page"].take();
    assert_eq!(texts(&thread_page["rows"]), [text.as_str()]);
    assert_eq!(thread_page.get("quotes"), None);
    let answers =
        asked(&mut client, json!({ "t": "answers", "req": 1, "room": room, "after": 0 }), "answers").await;
    assert_eq!(texts(&answers["rows"]), [text.as_str()]);
    let mentions = asked(&mut client, json!({ "t": "mentions", "req": 1 }), "mentions").await;
    let named: Vec<_> =
        mentions["mentions"].as_array().unwrap().iter().map(|it| &it["row"]["text"]).collect();
    assert_eq!(named, [&json!(text), &json!(text)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_of_what_stands_from_the_floor_on() {
    let place = Place::new().await;
    let scene = place.scene().await;
    let member = scene.account(Person::Member).unwrap();
    let counted = async || {
        let badges = unread::badges(&place.here.node, member, [scene.room]).await.unwrap();
        let badge = badges[&scene.room];
        (badge.unread, badge.mentions, badge.threads, badge.thread_mentions, badge.named_by_edit)
    };
    place.name_by_edit(&scene, member, 7);
    // Two messages that name the member, one by its edit, and a reply.
    assert_eq!(counted().await, (2, 2, 1, 1, 7));
    // The root is the sixth event, its edit the next one, the reply the ninth.
    place.set_floor(&scene, Person::Member, 6);
    assert_eq!(counted().await, (2, 2, 1, 1, 7));
    place.set_floor(&scene, Person::Member, 7);
    assert_eq!(counted().await, (1, 1, 1, 1, 0));
    place.set_floor(&scene, Person::Member, 10);
    assert_eq!(counted().await, (1, 1, 0, 0, 0));
    place.set_floor(&scene, Person::Member, ABOVE);
    assert_eq!(counted().await, (0, 0, 0, 0, 0));
}
