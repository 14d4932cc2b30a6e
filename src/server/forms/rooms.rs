//! Forms of rooms: make, join, leave, write.

use super::{Fields, again, field, me};
use crate::protocol::frame::Draft;
use crate::protocol::{ClientId, Outcome, RoomId};
use crate::server::node::Node;
use crate::server::rooms::{self, RoomError};
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use std::collections::BTreeMap;
use std::sync::Arc;

fn no_room() -> Response {
    (StatusCode::NOT_FOUND, "There is no such room.").into_response()
}

pub async fn create_room(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    Ok(match rooms::create(&node, me, field(&fields, "name"), field(&fields, "topic")).await {
        Ok(room) => Redirect::to(&format!("/r/{room}")).into_response(),
        Err(fault) => again("/rooms", &fields, fault.to_string()),
    })
}

pub async fn join_room(
    State(node): State<Arc<Node>>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    let room = room.parse::<RoomId>().map_err(|_| no_room())?;
    Ok(match rooms::join(&node, me, room).await {
        Ok(()) => Redirect::to(&format!("/r/{room}")).into_response(),
        Err(fault) => again("/rooms", &BTreeMap::new(), fault.to_string()),
    })
}

pub async fn leave_room(
    State(node): State<Arc<Node>>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    Ok(match rooms::leave(&node, me, room.parse::<RoomId>().map_err(|_| no_room())?).await {
        Ok(()) => Redirect::to("/rooms").into_response(),
        Err(fault) => again("/rooms", &BTreeMap::new(), fault.to_string()),
    })
}

pub async fn post(
    State(node): State<Arc<Node>>,
    Path(room): Path<String>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    let room = room.parse::<RoomId>().map_err(|_| no_room())?;
    let path = format!("/r/{room}");
    // The page made the id, so that a double click or a reload is one message.
    let Ok(id) = field(&fields, "client_id").parse::<ClientId>() else {
        return Ok(again(&path, &fields, "Not sent: the form lost its id. Send it once more.".into()));
    };
    let draft = Draft { id, room, thread: None, quote: None, text: field(&fields, "text").to_owned() };
    Ok(match rooms::post(&node, me, draft).await {
        Ok(Outcome::Stored { .. }) => Redirect::to(&path).into_response(),
        Ok(Outcome::Refused { why }) => again(&path, &fields, format!("Not sent: {why}")),
        Err(RoomError::NotFound) => {
            let mut response = again("/rooms", &fields, format!("Not sent: {}", RoomError::NotFound));
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
        Err(fault) => again(&path, &fields, format!("Not sent: {fault}")),
    })
}
