//! Forms of rooms: make, join, leave, write, read.

use super::{Fields, again, failed, field, me};
use crate::protocol::frame::{Answer, Draft};
use crate::protocol::{AccountId, ClientId, Level, Outcome, Pointer, Raise, Refusal, RoomId, bounds};
use crate::server::error::AppError;
use crate::server::node::Node;
use crate::server::{rooms, threads, unread};
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use std::collections::BTreeMap;
use std::sync::Arc;

const NOT_SENT: &str = "Not sent: ";

fn no_room() -> Response {
    (StatusCode::NOT_FOUND, "There is no such room.").into_response()
}

/// Who asks, and of which room.
async fn me_in(node: &Node, headers: &HeaderMap, room: &str) -> Result<(AccountId, RoomId), Response> {
    Ok((me(node, headers).await?, room.parse().map_err(|_| no_room())?))
}

pub async fn create_room(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    let (name, topic) = (field(&fields, "name"), field(&fields, "topic"));
    Ok(match rooms::create(&node, me, name, topic).await {
        Ok(room) => Redirect::to(&format!("/r/{room}")).into_response(),
        Err(fault) => {
            // The label of the field that is at fault, where one is.
            let before = match &fault {
                AppError::Unfit(_) if rooms::name_fits(&node, name) => "Topic: ",
                AppError::Unfit(_) | AppError::RoomNameTaken(_) | AppError::Refused(Refusal::Taken) => {
                    "Name: "
                }
                _ => "",
            };
            failed("/rooms", &fields, before, &fault)
        }
    })
}

pub async fn join_room(
    State(node): State<Arc<Node>>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let (me, room) = me_in(&node, &headers, &room).await?;
    Ok(match rooms::join(&node, me, room).await {
        Ok(()) => Redirect::to(&format!("/r/{room}")).into_response(),
        Err(fault) => failed("/rooms", &BTreeMap::new(), "", &fault),
    })
}

pub async fn leave_room(
    State(node): State<Arc<Node>>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let (me, room) = me_in(&node, &headers, &room).await?;
    Ok(match rooms::leave(&node, me, room).await {
        Ok(()) => Redirect::to("/rooms").into_response(),
        Err(fault) => failed("/rooms", &BTreeMap::new(), "", &fault),
    })
}

/// Archives a room (`archived` is `1`) or brings it back.
pub async fn archive_room(
    State(node): State<Arc<Node>>,
    Path(room): Path<String>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Result<Response, Response> {
    let (me, room) = me_in(&node, &headers, &room).await?;
    let path = format!("/r/{room}");
    Ok(match rooms::archive(&node, me, room, !field(&fields, "archived").is_empty()).await {
        Ok(()) => Redirect::to(&path).into_response(),
        Err(fault @ AppError::NotFound) => failed("/rooms", &BTreeMap::new(), "", &fault),
        Err(fault) => failed(&path, &BTreeMap::new(), "", &fault),
    })
}

/// How one wants to have a room: `level` (`all`, `mentions`, `nothing`), `muted` or `starred` (`1` or empty).
pub async fn want(
    State(node): State<Arc<Node>>,
    Path(room): Path<String>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Result<Response, Response> {
    let (me, room) = me_in(&node, &headers, &room).await?;
    let path = format!("/r/{room}");
    let done = async {
        let badges = unread::badges(&node, me, [room]).await?;
        let mut wanted = badges.get(&room).ok_or(AppError::NotFound)?.wanted;
        match fields.get("level").map(String::as_str) {
            Some("all") => wanted.level = Level::All,
            Some("mentions") => wanted.level = Level::Mentions,
            Some("nothing") => wanted.level = Level::Nothing,
            None if fields.contains_key("starred") => wanted.starred = !field(&fields, "starred").is_empty(),
            None if fields.contains_key("muted") => wanted.muted = !field(&fields, "muted").is_empty(),
            _ => return Ok(false),
        }
        unread::want(&node, me, room, wanted).await.map(|()| true)
    };
    Ok(match done.await {
        Ok(true) => Redirect::to(&path).into_response(),
        Ok(false) => {
            let why = "Nothing was changed. Choose what to be notified of: everything, mentions or nothing.";
            again(&path, &fields, why.into())
        }
        Err(fault) => failed("/rooms", &BTreeMap::new(), "", &fault),
    })
}

/// Marks rooms as read up to what the page showed: the fields are rooms and ordinals.
pub async fn read(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    let parse = |(room, ordinal): (&String, &String)| Some((room.parse().ok()?, ordinal.parse().ok()?));
    let rooms: BTreeMap<RoomId, u64> = fields.iter().filter_map(parse).collect();
    let badges = unread::badges(&node, me, rooms.keys().copied()).await;
    let raised = match badges {
        Ok(badges) => {
            let raise = rooms.iter().filter_map(|(room, ordinal)| {
                let generation = badges.get(room)?.generation;
                Some(Raise { room: *room, lane: 0, pointer: Pointer { generation, ordinal: *ordinal } })
            });
            let mut raise: Vec<_> = raise.collect();
            // Its threads go with a room.
            for room in badges.iter().filter(|(_, badge)| badge.threads > 0).map(|(room, _)| *room) {
                for thread in threads::threads(&node, me, room).await.unwrap_or_default() {
                    let pointer = Pointer { ordinal: thread.badge.head, ..thread.badge.pointer() };
                    raise.push(Raise { room, lane: thread.lane, pointer });
                }
            }
            let mut done = Ok(());
            for some in raise.chunks(bounds::RAISE_AT_ONCE) {
                done = done.and(unread::raise(&node, me, some.to_vec()).await);
            }
            done
        }
        Err(fault) => Err(fault),
    };
    Ok(match raised {
        Ok(()) => Redirect::to("/unread").into_response(),
        Err(fault) => failed("/unread", &BTreeMap::new(), "", &fault),
    })
}

/// Writes to a room or, with `to`, to the thread of that message; with `also` to both.
pub async fn post(
    State(node): State<Arc<Node>>,
    Path(room): Path<String>,
    headers: HeaderMap,
    Form(mut fields): Fields,
) -> Result<Response, Response> {
    let (me, room) = me_in(&node, &headers, &room).await?;
    let (path, thread) = match field(&fields, "to") {
        "" => (format!("/r/{room}"), None),
        to => {
            let found = match to.parse() {
                Ok(to) => threads::lane_of(&node, me, room, to).await.map(|lane| (lane, to)),
                Err(_) => Err(AppError::NotFound),
            };
            match found {
                Ok((lane, to)) => {
                    let also = field(&fields, "also") == "1";
                    (format!("/r/{room}/thread/{lane}"), Some(Answer { to, also }))
                }
                Err(fault) => {
                    // There is no thread whose page could keep the text.
                    fields.remove("to");
                    let path = format!("/r/{room}");
                    return Ok(match fault {
                        AppError::NotFound => {
                            again(&path, &fields, "Not sent: what you answer is not in this room.".into())
                        }
                        fault => failed(&path, &fields, NOT_SENT, &fault),
                    });
                }
            }
        }
    };
    // The page made the id, so that a double click or a reload is one message.
    let Ok(id) = field(&fields, "client_id").parse::<ClientId>() else {
        return Ok(again(&path, &fields, "Not sent: the form lost its id. Send it once more.".into()));
    };
    let draft = Draft {
        id,
        room,
        thread,
        quote: None,
        text: field(&fields, "text").to_owned(),
        named: Default::default(),
    };
    Ok(match rooms::post(&node, me, draft).await {
        Ok(Outcome::Stored { .. }) => Redirect::to(&path).into_response(),
        Ok(Outcome::Refused { why }) => failed(&path, &fields, NOT_SENT, &why.into()),
        Err(fault @ AppError::NotFound) => failed("/rooms", &fields, NOT_SENT, &fault),
        Err(fault) => failed(&path, &fields, NOT_SENT, &fault),
    })
}

/// Follows a thread (`follow` is `1`), or no longer.
pub async fn follow(
    State(node): State<Arc<Node>>,
    Path((room, lane)): Path<(String, String)>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Result<Response, Response> {
    let (me, room) = me_in(&node, &headers, &room).await?;
    let Ok(lane) = lane.parse::<u64>() else {
        return Ok((StatusCode::NOT_FOUND, "There is no such thread.").into_response());
    };
    let path = format!("/r/{room}/thread/{lane}");
    Ok(match threads::follow(&node, me, (room, lane), field(&fields, "follow") == "1").await {
        Ok(()) => Redirect::to(&path).into_response(),
        Err(fault @ AppError::NotFound) => failed("/rooms", &BTreeMap::new(), "", &fault),
        Err(fault) => failed(&path, &BTreeMap::new(), "", &fault),
    })
}
