//! The expected answer of each address, for each person.

use super::scene::{Person, Place, SECRET, Scene};
use crate::support::server::TestClient;
use beck::protocol::{ClientId, RoomId};

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Web {
    /// 200 with the room's content.
    Holds,
    /// 200 without the room's content.
    Bare,
    /// A redirect to this address; a final `*` matches any ending.
    To(&'static str),
    /// Any other status.
    Status(u16),
    /// A status and part of the JSON answer.
    Says(u16, &'static str),
}

/// The answer to the same request about a room that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// The same bytes as for a room of others.
    Same,
    /// Another answer: every account may see that an open room exists.
    Other(Web),
    /// The request is about no room.
    NoRoom,
}

use Absent::{NoRoom, Other, Same};
use Web::{Bare, Holds, Says, Status, To};

pub struct Row {
    /// Method and pattern, as the server declares them.
    pub address: &'static str,
    /// The requested path.
    pub path: &'static str,
    pub fields: &'static [(&'static str, &'static str)],
    /// To a member, a removed member, an account that was never in the room, and a signed-out visitor.
    pub answers: [Web; 4],
    pub absent: Absent,
}

const NOT_FOUND: Web = Says(404, "There is no such room, or you are not in it.");
const DOOR: Web = To("/sign-in");

/// The same answer to everybody, signed in or not.
const fn public(address: &'static str, path: &'static str, answer: Web) -> Row {
    Row { address, path, fields: &[], answers: [answer; 4], absent: NoRoom }
}

/// The same answer to every account.
const fn inside(address: &'static str, path: &'static str, answer: Web, signed_out: Web) -> Row {
    let answers = [answer, answer, answer, signed_out];
    Row { address, path, fields: &[], answers, absent: NoRoom }
}

/// Members read the room; other accounts see that it exists.
const fn room(path: &'static str, signed_out: &'static str) -> Row {
    let (address, answers) = ("GET /r/:room/:..within", [Holds, Bare, Bare, To(signed_out)]);
    Row { address, path, fields: &[], answers, absent: Other(Status(404)) }
}

/// A form about a room, for members only.
const fn form(
    address: &'static str,
    path: &'static str,
    fields: &'static [(&'static str, &'static str)],
    (done, refused): (Web, Web),
) -> Row {
    Row { address, path, fields, answers: [done, refused, refused, DOOR], absent: Same }
}

impl Row {
    const fn with(self, fields: &'static [(&'static str, &'static str)]) -> Row {
        Row { fields, ..self }
    }

    const fn for_each(self, answers: [Web; 4]) -> Row {
        Row { answers, ..self }
    }

    const fn of_no_room(self, absent: Absent) -> Row {
        Row { absent, ..self }
    }
}

/// No address is for administrators only: `beck admin` uses a socket in the data folder.
pub const ROWS: &[Row] = &[
    inside("ANY /ws", "/ws", Status(101), Status(401)),
    public("GET /healthz", "/healthz", Bare),
    public("GET /readyz", "/readyz", Bare),
    public("POST /setup", "/setup", Says(422, "This workspace has an owner already")),
    public("POST /sign-in", "/sign-in", Says(401, "That handle and password do not belong together."))
        .with(&[("handle", "nobody"), ("password", "a long password")]),
    public("POST /sign-out", "/sign-out", DOOR),
    public("POST /sign-out-everywhere", "/sign-out-everywhere", DOOR),
    inside("POST /account/status", "/account/status", To("/account"), DOOR).with(&[("text", "here")]),
    inside("POST /account/quiet", "/account/quiet", To("/account"), DOOR).with(&[
        ("on", "1"),
        ("from", "22:00"),
        ("to", "07:00"),
    ]),
    inside("POST /account/password", "/account/password", Says(422, "New password: "), DOOR)
        .with(&[("current", "a long password"), ("new", "short")]),
    inside("GET /api/v1/login", "/api/v1/login", Status(204), Status(401)),
    public("GET /api/v1/server", "/api/v1/server", Bare),
    // Every account sees all accounts and open rooms, but only members see who else is in a room.
    inside("GET /api/v1/names", "/api/v1/names?room={room}&at={name}", Bare, Status(401))
        .for_each([Holds, Bare, Bare, Status(401)])
        .of_no_room(Same),
    public("GET /api/v1/boot", "/api/v1/boot", Bare),
    public("POST /join/{token}", "/join/000", Says(422, "This link does not work any more.")),
    public("POST /enter/{token}", "/enter/000", Says(422, "This link was used already")),
    inside("POST /rooms", "/rooms", To("/r/*"), DOOR).with(&[("name", "{name} other room")]),
    inside("POST /unread/read", "/unread/read", To("/unread"), DOOR)
        .with(&[("{room}", "2")])
        .of_no_room(Same),
    form("POST /r/{room}/want", "/r/{room}/want", &[("level", "all")], (To("/r/{room}"), NOT_FOUND)),
    form(
        "POST /r/{room}/post",
        "/r/{room}/post",
        &[("client_id", "{id}"), ("text", "a text")],
        (To("/r/{room}"), Says(404, "Not sent: There is no such room, or you are not in it.")),
    ),
    form(
        "POST /r/{room}/post",
        "/r/{room}/post",
        &[("client_id", "{id}"), ("text", "a text"), ("to", "{root}")],
        (To("/r/{room}/thread/{lane}"), Says(422, "Not sent: what you answer is not in this room.")),
    ),
    form(
        "POST /r/{room}/thread/{lane}/follow",
        "/r/{room}/thread/{lane}/follow",
        &[("follow", "1")],
        (To("/r/{room}/thread/{lane}"), NOT_FOUND),
    ),
    form(
        "POST /r/{room}/topic",
        "/r/{room}/topic",
        &[("topic", "a topic")],
        (Says(200, "The topic is changed."), Says(200, "There is no such room, or you are not in it.")),
    ),
    form(
        "POST /r/{room}/invite",
        "/r/{room}/invite",
        &[("handle", "{name}author")],
        (Says(200, "is already in the room."), Says(200, "There is no such room, or you are not in it.")),
    ),
    // Every account may join an open room.
    inside("POST /r/{room}/join", "/r/{room}/join", To("/r/{room}"), DOOR).of_no_room(Other(NOT_FOUND)),
    form("POST /r/{room}/leave", "/r/{room}/leave", &[], (To("/rooms"), NOT_FOUND)),
    inside(
        "POST /r/{room}/archive",
        "/r/{room}/archive",
        Says(403, "Only the one who made the room and the owner of the workspace may do that."),
        DOOR,
    )
    .with(&[("archived", "1")])
    .of_no_room(Other(NOT_FOUND)),
    inside("GET /", "/", To("/rooms"), DOOR).for_each([To("/r/{room}"), To("/rooms"), To("/rooms"), DOOR]),
    inside("GET /setup", "/setup", To("/rooms"), DOOR).for_each([
        To("/r/{room}"),
        To("/rooms"),
        To("/rooms"),
        DOOR,
    ]),
    inside("GET /sign-in", "/sign-in", To("/rooms"), Bare).for_each([
        To("/r/{room}"),
        To("/rooms"),
        To("/rooms"),
        Bare,
    ]),
    inside("GET /join/:token", "/join/000", To("/rooms"), Status(410)).for_each([
        To("/r/{room}"),
        To("/rooms"),
        To("/rooms"),
        Status(410),
    ]),
    public("GET /enter/:token", "/enter/000", Status(410)),
    inside("GET /rooms", "/rooms", Bare, To("/sign-in?next=/rooms")),
    inside("GET /unread", "/unread", Bare, DOOR).for_each([Holds, Bare, Bare, To("/sign-in?next=/unread")]),
    inside("GET /unread/before/:g", "/unread/before/999999", Bare, DOOR).for_each([
        Holds,
        Bare,
        Bare,
        To("/sign-in?next=/unread/before/999999"),
    ]),
    inside("GET /account", "/account", Bare, To("/sign-in?next=/account")),
    room("/r/{room}", "/sign-in?next=/r/{room}"),
    room("/r/{room}/1", "/sign-in?next=/r/{room}/1"),
    room("/r/{room}/before/9", "/sign-in?next=/r/{room}/before/9"),
    room("/r/{room}/after/1", "/sign-in?next=/r/{room}/after/1"),
    room("/r/{room}/thread/{lane}", "/sign-in?next=/r/{room}/thread/{lane}"),
    room("/r/{room}/thread/{lane}/1", "/sign-in?next=/r/{room}/thread/{lane}/1"),
    public("GET /:..rest", "/no/such/page", Status(404)),
];

/// Fills in the placeholders of a pattern.
fn filled(pattern: &str, scene: &Scene, room: RoomId) -> String {
    pattern
        .replace("{room}", room.as_str())
        .replace("{lane}", &scene.lane.to_string())
        .replace("{name}", &scene.name)
        .replace("{root}", &scene.root.to_string())
        .replace("{id}", &ClientId::random().to_string())
}

/// Asks as a person; returns the classified answer and its text without ids of the room and names of the scene.
pub async fn answer(
    place: &Place,
    scene: &Scene,
    (row, expected): (&Row, Web),
    person: Person,
    room: RoomId,
) -> (Web, String) {
    let cookie = place.cookie(scene, person).await;
    if row.path == "/ws" {
        let status = match TestClient::try_upgrade(&place.host, &cookie).await {
            Ok(_) => 101,
            Err((status, _)) => status,
        };
        return (Status(status), String::new());
    }
    let (method, _) = row.address.split_once(' ').unwrap();
    let base = format!("http://{}", place.host);
    let path = filled(row.path, scene, room);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = match method {
        "GET" => client.get(format!("{base}{path}")).header("accept", "text/html"),
        "POST" => {
            let fields = row.fields.iter();
            let fields: Vec<_> = fields
                .map(|(name, value)| {
                    format!("{}={}", filled(name, scene, room), filled(value, scene, room).replace(' ', "+"))
                })
                .collect();
            let kind = "application/x-www-form-urlencoded";
            let request = client.post(format!("{base}{path}")).body(fields.join("&"));
            request.header("origin", &base).header("content-type", kind).header("accept", "application/json")
        }
        method => panic!("the matrix cannot send {method}"),
    };
    let response = request.header("cookie", &cookie).send().await.unwrap();
    let status = response.status().as_u16();
    let location = response.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
    let body = response.text().await.unwrap();
    let bytes = scene.plain(&format!("{status} {location:?} {body}"), room);
    let holds = body.contains(SECRET) || body.contains("\"here\":true");
    let web = match (status, location, expected) {
        (303, Some(location), To(expected)) => {
            let to = filled(expected, scene, room);
            let fits = to.strip_suffix('*').map_or(location == to, |before| location.starts_with(before));
            if fits { To(expected) } else { Status(303) }
        }
        (200, _, Holds | Bare) => {
            if holds {
                Holds
            } else {
                Bare
            }
        }
        (status, _, Says(_, text)) if body.contains(text) => Says(status, text),
        (status, ..) => {
            assert!(!holds, "{} leaks the room's content", row.address);
            Status(status)
        }
    };
    (web, bytes)
}
