//! Whom and what a text can name, as somebody types it.

use super::access::Action;
use super::counted::counted;
use super::directory::Directory;
use super::node::Node;
use super::request_rates::TOO_MANY;
use crate::protocol::bounds::ROOM_HANDLE;
use crate::protocol::{AccountId, RoomId};
use crate::text::slug;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::sync::Arc;

/// People, and rooms, that one answer has.
const NAMES: usize = 8;

#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    room: String,
    /// What the name begins with.
    #[serde(default)]
    at: String,
}

#[derive(Debug, PartialEq, Serialize)]
pub struct Names {
    people: Vec<PersonName>,
    rooms: Vec<RoomName>,
}

#[derive(Debug, PartialEq, Serialize)]
struct PersonName {
    /// None of `@room`.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<AccountId>,
    handle: String,
    name: String,
    /// In the room that was asked for.
    here: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Debug, PartialEq, Serialize)]
struct RoomName {
    slug: String,
    name: String,
    topic: String,
}

/// Answers with those whose handle, name or a word of it begins so: people of the room first.
pub async fn names(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let unstored = [(header::CACHE_CONTROL, "no-store")];
    match node.signed_in(&headers).await {
        Ok(Some(me)) if !node.request_rates.names(me, node.uptime_ms()) => {
            (StatusCode::TOO_MANY_REQUESTS, unstored, TOO_MANY).into_response()
        }
        Ok(Some(me)) => (unstored, Json(found(&node.directory(), me, &asked))).into_response(),
        Ok(None) => (StatusCode::UNAUTHORIZED, unstored).into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, unstored).into_response(),
    }
}

fn begins(text: &str, word: &str) -> bool {
    let text = text.to_lowercase();
    text.starts_with(word) || text.split([' ', '.', '_', '-']).any(|part| part.starts_with(word))
}

fn found(directory: &Directory, me: AccountId, asked: &Asked) -> Names {
    let word = asked.at.trim().to_lowercase();
    let room = asked.room.parse::<RoomId>().ok().filter(|room| directory.can(me, Action::Read, *room));
    let room = room.and_then(|room| directory.rooms.get(&room));
    let is_here = |id: &AccountId| room.is_some_and(|room| room.members.contains(id));
    let fits = |account: &&Arc<super::directory::Account>| {
        (begins(&account.handle, &word) || begins(&account.name, &word))
            && directory.see_person(me, account.id).is_some()
    };
    let mut accounts: Vec<_> = directory.accounts.values().filter(fits).collect();
    accounts.sort_by_cached_key(|account| {
        (
            Reverse(is_here(&account.id)),
            Reverse(account.handle.starts_with(&word)),
            account.name.to_lowercase(),
        )
    });
    accounts.truncate(NAMES);
    let mut people: Vec<_> = accounts
        .into_iter()
        .map(|account| PersonName {
            id: Some(account.id),
            handle: account.handle.clone(),
            name: account.name.clone(),
            here: is_here(&account.id),
            note: None,
        })
        .collect();
    if let Some(room) = room.filter(|_| ROOM_HANDLE.starts_with(&word)) {
        let count = room.members.len();
        people.push(PersonName {
            id: None,
            handle: ROOM_HANDLE.to_owned(),
            name: format!("Everybody in {}", room.name),
            here: true,
            note: Some(counted(count as u64, "person", "people")),
        });
    }
    let mut rooms = directory.visible_rooms(me);
    rooms.retain(|room| !room.archived && (begins(&slug(&room.name), &word) || begins(&room.name, &word)));
    rooms.sort_by_key(|room| Reverse(room.joined));
    rooms.truncate(NAMES);
    let rooms = rooms.into_iter();
    let rooms = rooms.map(|room| RoomName { slug: slug(&room.name), name: room.name, topic: room.topic });
    Names { people, rooms: rooms.filter(|room| !room.slug.is_empty()).collect() }
}
