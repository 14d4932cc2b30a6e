//! What is typed after a slash in the composer. A script is answered with `{"done","message"}`, always with 200: a
//! browser writes any other status into the console, and it is no fault of the page if somebody has no such handle.

use super::{Fields, failed, field, me, wants_json};
use crate::protocol::RoomId;
use crate::server::error::AppError;
use crate::server::node::Node;
use crate::server::rooms;
use axum::Json;
use axum::extract::{Form, Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use std::collections::BTreeMap;
use std::sync::Arc;

fn answer(
    headers: &HeaderMap,
    Form(fields): &Fields,
    room: &str,
    done: Result<String, AppError>,
) -> Response {
    let path = format!("/r/{room}");
    if wants_json(headers) {
        let (done, message) = match done {
            Ok(message) => (true, message),
            Err(fault) => (false, fault.to_string()),
        };
        return Json(serde_json::json!({ "done": done, "message": message })).into_response();
    }
    match done {
        Ok(_) => Redirect::to(&path).into_response(),
        Err(fault) => failed(&path, fields, "", &fault),
    }
}

/// The command in the words of the composer, where a page that is shown again keeps it.
pub fn as_typed(form: &str, fields: &BTreeMap<String, String>) -> Option<String> {
    let (name, words) = match form.rsplit_once('/')?.1 {
        "topic" => ("topic", field(fields, "topic")),
        "invite" => ("invite", field(fields, "handle")),
        _ => return None,
    };
    Some(format!("/{name} {words}"))
}

fn room_of(room: &str) -> Result<RoomId, AppError> {
    room.parse().map_err(|_| AppError::NotFound)
}

/// Changes the topic of a room.
pub async fn topic(
    State(node): State<Arc<Node>>,
    Path(room): Path<String>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    let done = async {
        let topic = field(&fields.0, "topic");
        rooms::set_topic(&node, me, room_of(&room)?, topic).await?;
        Ok("The topic is changed.".to_owned())
    };
    let done = done.await;
    Ok(answer(&headers, &fields, &room, done))
}

/// Brings somebody into a room.
pub async fn invite(
    State(node): State<Arc<Node>>,
    Path(room): Path<String>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    let done = async {
        let handle = field(&fields.0, "handle").trim().trim_start_matches('@').to_lowercase();
        let directory = node.directory();
        let person = directory.by_handle(&handle).and_then(|person| directory.see_person(me, person.id));
        let person = person.ok_or(AppError::UnknownHandle(handle))?;
        let added = rooms::invite(&node, me, room_of(&room)?, person.id).await?;
        Ok(format!("{} is {} in the room.", person.name, if added { "now" } else { "already" }))
    };
    let done = done.await;
    Ok(answer(&headers, &fields, &room, done))
}
