//! The access matrix: every address of the server and every kind of frame, asked by a member of a room, a removed member, an
//! account that was never in the room, and a signed-out visitor.

mod addresses;
mod floor;
mod frames;
mod scene;
mod work;

use beck::protocol::frame::Draft;
use beck::protocol::{ClientFrame, ClientId, RoomId};
use beck::server::rooms;
use beck::server::router::{Method, routes};
use beck::ui::route::Route as Page;
use dioxus::prelude::Routable;
use dioxus::router::routable::SegmentType;
use dioxus::server::ServerFunction;
use scene::{PEOPLE, Person, Place, SECRET};
use serde_json::json;
use std::collections::BTreeSet;

/// Every address of the server, in the notation of the matrix.
fn addresses() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for route in routes() {
        let method = match route.method {
            Method::Any => "ANY",
            Method::Get => "GET",
            Method::Post => "POST",
        };
        all.insert(format!("{method} {}", route.path));
    }
    all.extend(ServerFunction::collect().iter().map(|call| format!("{} {}", call.method(), call.path())));
    for page in Page::flatten_site_map() {
        let part = |segment: &SegmentType| match segment {
            SegmentType::Static(name) => format!("/{name}"),
            SegmentType::Dynamic(name) => format!("/:{name}"),
            SegmentType::CatchAll(name) => format!("/:..{name}"),
            other => panic!("the matrix has no notation for {other}"),
        };
        let path: String = page.iter().map(part).collect();
        all.insert(format!("GET {}", if path.is_empty() { "/" } else { &path }));
    }
    all
}

#[test]
fn every_address_and_every_kind_of_frame_has_a_row() {
    let known: BTreeSet<_> = addresses::ROWS.iter().map(|row| row.address.to_owned()).collect();
    assert_eq!(known, addresses(), "left: the matrix, right: the server");
    let known: BTreeSet<_> = frames::ROWS.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(known, ClientFrame::KINDS.iter().copied().collect::<BTreeSet<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_is_answered_as_the_matrix_says() {
    let place = Place::new().await;
    for (kind, expected, absent) in frames::ROWS {
        for (person, expected) in PEOPLE.into_iter().zip(expected) {
            let scene = place.scene().await;
            let (told, bytes) = frames::answer(&place, &scene, (kind, expected), person, scene.room).await;
            assert_eq!(told, expected, "{kind} by {person:?}: {bytes}");
            if absent == frames::Absent::NoRoom || person == Person::Member {
                continue;
            }
            let none = RoomId::random();
            let (told, other) = frames::answer(&place, &scene, (kind, expected), person, none).await;
            assert_eq!(told, expected, "{kind} by {person:?} about no room: {other}");
            assert_eq!(bytes, other, "{kind} by {person:?} tells whether there is such a room");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_answers_as_the_matrix_says() {
    let place = Place::new().await;
    let mut faults = Vec::new();
    for row in addresses::ROWS {
        for (person, expected) in PEOPLE.into_iter().zip(row.answers) {
            let ask = async |expected, exists: bool| {
                let scene = place.scene().await;
                let room = if exists { scene.room } else { RoomId::random() };
                let (web, bytes) = addresses::answer(&place, &scene, (row, expected), person, room).await;
                let fault =
                    format!("{} by {person:?}: {web:?} is not {expected:?}: {bytes:.300}", row.address);
                (bytes, (web != expected).then_some(fault))
            };
            let (there, fault) = ask(expected, true).await;
            faults.extend(fault);
            let about_none = match row.absent {
                addresses::Absent::NoRoom => continue,
                _ if matches!(person, Person::Member | Person::SignedOut) => continue,
                addresses::Absent::Same => expected,
                addresses::Absent::Other(web) => web,
            };
            let (absent, fault) = ask(about_none, false).await;
            faults.extend(fault);
            if row.absent == addresses::Absent::Same && there != absent {
                faults.push(format!("{} tells {person:?} whether there is such a room", row.address));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// A position from before the removal does not let a removed member back in.
#[tokio::test(flavor = "multi_thread")]
async fn only_a_member_can_resume_a_room() {
    let place = Place::new().await;
    let scene = place.scene().await;
    let state = place.here.node.epoch().unwrap();
    let since = json!({ "epoch": state, "seq": 0, "chain": "0".repeat(16) });
    for person in [Person::Member, Person::Removed, Person::NeverThere] {
        let mut client = place.socket(&place.cookie(&scene, person).await).await;
        for room in [scene.room, RoomId::random()] {
            client.send(json!({ "t": "subscribe", "room": room, "since": since })).await;
            let first = loop {
                let frame = client.next().await.unwrap();
                if matches!(frame["t"].as_str().unwrap(), "subscribed" | "left") {
                    break frame;
                }
            };
            if person == Person::Member && room == scene.room {
                assert_eq!(first["t"], "subscribed");
                let mut texts = 0;
                while texts < 3 {
                    texts += usize::from(client.until("event").await.to_string().contains(SECRET));
                }
            } else {
                assert_eq!(first["t"], "left", "{person:?}");
                assert_eq!(client.until("error").await["code"], "not_found");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_members_can_be_seen_typing() {
    let place = Place::new().await;
    let scene = place.scene().await;
    let login = place.here.node.sign_in(scene.author).await.unwrap();
    let mut watcher = place.socket(&format!("beck_login={login}")).await;
    watcher.send(json!({ "t": "subscribe", "room": scene.room })).await;
    watcher.until("subscribed").await;
    // The member comes last: a frame caused by the others would arrive first.
    for person in [Person::Removed, Person::NeverThere, Person::Member] {
        let mut client = place.socket(&place.cookie(&scene, person).await).await;
        let frame = ClientFrame::Typing { room: scene.room, lane: 0, on: true };
        frames::ask(&mut client, &frame, None).await;
    }
    let typing = watcher.until("typing").await;
    assert_eq!(typing["people"], json!([scene.account(Person::Member).unwrap()]));
}

/// Badges and changes of a room, which clients notify from.
#[tokio::test(flavor = "multi_thread")]
async fn badges_and_changes_of_a_room_reach_only_members() {
    let place = Place::new().await;
    let scene = place.scene().await;
    let mut clients = Vec::new();
    for person in [Person::Removed, Person::NeverThere, Person::Member] {
        clients.push((person, place.socket(&place.cookie(&scene, person).await).await));
    }
    let (node, by) = (&place.here.node, scene.author);
    let text = format!("{SECRET} @{}never", scene.name);
    let draft = Draft {
        id: ClientId::random(),
        room: scene.room,
        thread: None,
        quote: None,
        text,
        named: Default::default(),
    };
    rooms::post(node, by, draft).await.unwrap();
    rooms::set_topic(node, by, scene.room, "another topic").await.unwrap();
    let (_, mut member) = clients.pop().unwrap();
    member.until("badge").await;
    for (person, mut client) in clients {
        let marker = ClientId::random().to_string();
        client.send(json!({ "t": "outcome", "id": marker })).await;
        loop {
            let frame = client.next().await.unwrap();
            if frame["id"] == marker {
                break;
            }
            assert!(!frame.to_string().contains(scene.room.as_str()), "{person:?} is told {frame}");
        }
    }
}

/// Equal work instead of equal time: a clock would make this test unreliable.
#[tokio::test]
async fn a_missing_room_and_a_room_of_others_run_the_same_statements() {
    let place = Place::new().await;
    let scene = place.scene().await;
    work::begin(&place.here.node);
    let mut statements = 0;
    for person in [Person::Removed, Person::NeverThere] {
        for (kind, expected, absent) in frames::ROWS {
            if absent != frames::Absent::Same {
                continue;
            }
            let expected = expected[person as usize];
            let run = async |room| {
                work::take();
                let (told, _) = frames::answer(&place, &scene, (kind, expected), person, room).await;
                assert_eq!(told, expected, "{kind}");
                work::take()
            };
            let (yours, none) = (run(scene.room).await, run(RoomId::random()).await);
            assert_eq!(yours, none, "{kind} by {person:?}");
            statements += yours.len();
        }
        for row in addresses::ROWS.iter().filter(|row| row.absent == addresses::Absent::Same) {
            let expected = row.answers[person as usize];
            let run = async |room| {
                work::take();
                let (web, _) = addresses::answer(&place, &scene, (row, expected), person, room).await;
                assert_eq!(web, expected, "{}", row.path);
                work::take()
            };
            assert_eq!(run(scene.room).await, run(RoomId::random()).await, "{} by {person:?}", row.path);
        }
    }
    assert!(statements > 50, "only {statements} statements were recorded");
}

/// Events of the scene that carry a text. From format 5 on each is looked up: whether its message is deleted.
const TEXTS: usize = 4;

/// Statements that readers run for a member's frame, including BEGIN and COMMIT.
const STATEMENTS: [(&str, usize); 10] = [
    ("page", 7),
    ("fetch", 5 + TEXTS),
    ("headers", 5 + TEXTS),
    ("history", 7),
    ("pins", 5),
    ("thread", 9),
    ("threads", 9),
    ("answers", 6),
    ("mentions", 4),
    ("members", 5),
];

#[tokio::test]
async fn a_read_runs_a_fixed_number_of_statements() {
    let place = Place::new().await;
    let scene = place.scene().await;
    work::begin(&place.here.node);
    let mut client = place.socket(&place.cookie(&scene, Person::Member).await).await;
    let at = frames::beginning(&place);
    let mut counted = Vec::new();
    for (kind, _) in STATEMENTS {
        let (_, expected, _) = frames::ROWS.into_iter().find(|row| row.0 == kind).unwrap();
        let frame = frames::frame(kind, &scene, scene.room, at);
        work::take();
        let answers = frames::ask(&mut client, &frame, None).await;
        assert_eq!(frames::told(&answers), expected[0]);
        let statements = work::take();
        // Without the two look-ups of the unknown draft that marks the end, three statements each.
        counted.push((kind, statements.len() - 6));
    }
    assert_eq!(counted, STATEMENTS);
}
