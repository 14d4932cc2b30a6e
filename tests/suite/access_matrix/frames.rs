//! The expected answer to each kind of frame, for each person.

use super::scene::{Person, Place, SECRET, Scene};
use crate::support::server::TestClient;
use beck::protocol::frame::{ActDraft, Draft};
use beck::protocol::{ActValue, ClientFrame, ClientId, PageAt, Pointer, Position, Raise, RoomId, Wanted};
use serde_json::{Value, json};

/// The answer to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// A frame of this kind with the room's content.
    Holds(&'static str),
    /// A frame of this kind without the room's content.
    Bare(&'static str),
    /// An `ack` with the fold's refusal.
    Refused(&'static str),
    /// The error "There is no such room, or you are not in it."
    NotFound,
    /// No answer.
    Silence,
}

/// The answer to the same frame about a room that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// The same bytes as to an account that was never in the room.
    Same,
    /// The frame is about no room.
    NoRoom,
}

use Absent::{NoRoom, Same};
use Told::{Bare, Holds, NotFound, Refused, Silence};

/// A kind of frame, the answers to a member, a removed member and an account that was never in the room, and the answer
/// about a missing room. A signed-out visitor cannot open a socket.
pub type Row = (&'static str, [Told; 3], Absent);

pub const ROWS: [Row; 28] = [
    // Lists the rooms that the account is in.
    ("hello", [Holds("welcome"), Bare("welcome"), Bare("welcome")], NoRoom),
    ("subscribe", [Bare("subscribed"), NotFound, NotFound], Same),
    ("unsubscribe", [Silence, Silence, Silence], Same),
    ("post", [Bare("ack"), NotFound, NotFound], Same),
    ("act", [Bare("ack"), NotFound, NotFound], Same),
    // About a draft of somebody else.
    ("void", [Refused("not_allowed"), Refused("not_allowed"), Refused("not_allowed")], NoRoom),
    ("outcome", [NotFound, NotFound, NotFound], NoRoom),
    ("page", [Holds("page"), NotFound, NotFound], Same),
    ("fetch", [Holds("events"), NotFound, NotFound], Same),
    ("headers", [Bare("headers"), NotFound, NotFound], Same),
    ("history", [Holds("history"), NotFound, NotFound], Same),
    ("pins", [Holds("pins"), NotFound, NotFound], Same),
    // Every account sees every other account.
    ("people", [Bare("people"), Bare("people"), Bare("people")], NoRoom),
    ("read", [Bare("badge"), NotFound, NotFound], Same),
    ("read_all", [Bare("badge"), NotFound, NotFound], Same),
    ("want", [Bare("badge"), NotFound, NotFound], Same),
    ("follow", [Holds("threads"), NotFound, NotFound], Same),
    ("thread", [Holds("thread"), NotFound, NotFound], Same),
    ("threads", [Holds("threads"), NotFound, NotFound], Same),
    ("answers", [Holds("answers"), NotFound, NotFound], Same),
    ("mentions", [Holds("mentions"), Bare("mentions"), Bare("mentions")], NoRoom),
    ("watch", [Bare("presence"), Bare("presence"), Bare("presence")], NoRoom),
    ("active", [Silence, Silence, Silence], NoRoom),
    // `only_members_can_be_seen_typing` checks what the room sees.
    ("typing", [Silence, Silence, Silence], Same),
    ("status", [Silence, Silence, Silence], NoRoom),
    ("members", [Bare("members"), NotFound, NotFound], Same),
    // Compares only rooms that the connection has open.
    ("beat", [Silence, Silence, Silence], Same),
    ("unknown", [Silence, Silence, Silence], NoRoom),
];

/// A position that no room with events has had.
pub fn beginning(place: &Place) -> Position {
    Position { epoch: place.here.node.epoch().unwrap(), seq: 1, chain: Default::default() }
}

/// A frame of a kind, about a room.
pub fn frame(kind: &str, scene: &Scene, room: RoomId, at: Position) -> ClientFrame {
    let (req, lane, target, id) = (7, scene.lane, scene.root, ClientId::random());
    let raise = Raise { room, lane: 0, pointer: Pointer { generation: 0, ordinal: 1 } };
    match kind {
        "hello" => ClientFrame::Hello { version: 1 },
        "subscribe" => ClientFrame::Subscribe { room, since: None },
        "unsubscribe" => ClientFrame::Unsubscribe { room },
        "post" => ClientFrame::Post(Draft {
            id,
            room,
            thread: None,
            quote: None,
            text: "a text".into(),
            named: Default::default(),
        }),
        "act" => {
            let (slot, value) = ("pin".into(), ActValue::On(true));
            ClientFrame::Act(ActDraft { id, room, target, slot, value, named: Default::default() })
        }
        "void" => ClientFrame::Void { id, target },
        "outcome" => ClientFrame::Outcome { id: target },
        "page" => ClientFrame::Page { req, room, lane: 0, at: PageAt::Newest, limit: 50, at_least: None },
        "fetch" => ClientFrame::Fetch { req, room, after: 0, to: 100 },
        "headers" => ClientFrame::Headers { req, room, after: 0, to: 100 },
        "history" => ClientFrame::History { req, room, target },
        "pins" => ClientFrame::Pins { req, room },
        "people" => ClientFrame::People { ids: vec![scene.author], handles: Vec::new() },
        "read" => ClientFrame::Read(raise),
        "read_all" => ClientFrame::ReadAll { raise: vec![raise] },
        "want" => ClientFrame::Want { room, wanted: Wanted { starred: true, ..Wanted::default() } },
        "follow" => ClientFrame::Follow { room, lane, follow: true },
        "thread" => ClientFrame::Thread { req, room, lane },
        "threads" => ClientFrame::Threads { room },
        "answers" => ClientFrame::Answers { req, room, after: 0 },
        "mentions" => ClientFrame::Mentions { req, before: None },
        "watch" => ClientFrame::Watch { people: vec![scene.author] },
        "active" => ClientFrame::Active { on: false },
        "typing" => ClientFrame::Typing { room, lane: 0, on: true },
        "status" => ClientFrame::Status { text: "here".into(), do_not_disturb: false, for_ms: None },
        "members" => ClientFrame::Members { req, room },
        "beat" => ClientFrame::Beat { positions: [(room, at)].into() },
        "unknown" => ClientFrame::Unknown,
        kind => panic!("add a frame of kind {kind}"),
    }
}

/// Whether a frame is not an answer to the frame `asked`.
fn comes_by_itself(frame: &Value, asked: &str) -> bool {
    match frame["t"].as_str().unwrap() {
        "room" | "event" | "quiet" => true,
        "badge" => !matches!(asked, "read" | "read_all" | "want"),
        "presence" => asked != "watch",
        _ => false,
    }
}

/// Sends a frame and returns its answers.
pub async fn ask(client: &mut TestClient, frame: &ClientFrame, awaited: Option<&str>) -> Vec<Value> {
    let kind = frame.kind();
    let json = serde_json::to_value(frame).unwrap();
    let id = if matches!(kind, "post" | "act" | "void") { json["id"].clone() } else { Value::Null };
    client.send(json).await;
    // The answer to this frame comes after all of them, except for acks and badges, which come later.
    let marker = ClientId::random().to_string();
    client.send(json!({ "t": "outcome", "id": marker })).await;
    let mut answers: Vec<Value> = Vec::new();
    let mut marked = false;
    loop {
        let here = match (&id, awaited) {
            (Value::Null, Some(kind)) => answers.iter().any(|answer| answer["t"] == kind),
            (Value::Null, None) => true,
            (id, _) => answers.iter().any(|answer| answer["id"] == *id),
        };
        if marked && here {
            return answers;
        }
        let next = client.next().await.unwrap_or_else(|| panic!("{kind}: the socket was closed"));
        if next["id"] == marker {
            marked = true;
        } else if !comes_by_itself(&next, kind) {
            answers.push(next);
        }
    }
}

/// Classifies answers. Panics on an answer that the matrix does not know.
pub fn told(answers: &[Value]) -> Told {
    let kinds: Vec<_> = answers.iter().map(|answer| answer["t"].as_str().unwrap()).collect();
    let holds = answers.iter().any(|answer| answer.to_string().contains(SECRET));
    match kinds.as_slice() {
        [] => Silence,
        ["error"] | ["left", "error"] => {
            let error = &answers[answers.len() - 1];
            let message = error["message"].as_str().unwrap();
            assert!(message.starts_with("There is no such room, or you are not in it."), "{message}");
            assert_eq!(error["code"], "not_found");
            NotFound
        }
        ["ack"] if answers[0]["outcome"]["is"] == "refused" => {
            Refused(match answers[0]["outcome"]["why"].as_str().unwrap() {
                "not_allowed" => "not_allowed",
                why => panic!("refused: {why}"),
            })
        }
        [kind] => {
            let known = ROWS.iter().flat_map(|(_, told, _)| told).find_map(|told| match told {
                Holds(known) | Bare(known) if known == kind => Some(*known),
                _ => None,
            });
            let kind = known.unwrap_or_else(|| panic!("no row expects {kind}"));
            if holds { Holds(kind) } else { Bare(kind) }
        }
        kinds => panic!("several answers: {kinds:?}"),
    }
}

/// Asks as a person; returns the classified answer and its text without ids of the room and names of the scene.
pub async fn answer(
    place: &Place,
    scene: &Scene,
    (kind, expected): (&str, Told),
    person: Person,
    room: RoomId,
) -> (Told, String) {
    let cookie = place.cookie(scene, person).await;
    let at = beginning(place);
    let frame = frame(kind, scene, room, at);
    assert_eq!(frame.kind(), kind);
    assert_eq!(serde_json::to_value(&frame).unwrap()["t"], kind, "kind() and the wire differ");
    if kind == "hello" {
        let mut client = TestClient::upgrade(&place.host, &cookie).await;
        client.send(serde_json::to_value(&frame).unwrap()).await;
        let welcome = client.until("welcome").await;
        let holds = welcome.to_string().contains(room.as_str());
        return (if holds { Holds("welcome") } else { Bare("welcome") }, String::new());
    }
    let mut client = place.socket(&cookie).await;
    let awaited = match expected {
        Holds(kind) | Bare(kind) => Some(kind),
        _ => None,
    };
    let answers = ask(&mut client, &frame, awaited).await;
    let mut text = answers.iter().map(Value::to_string).collect::<String>();
    if let Some(id) = serde_json::to_value(&frame).unwrap()["id"].as_str() {
        text = text.replace(id, "{id}");
    }
    (told(&answers), scene.plain(&text, room))
}
