//! The addresses of the pages.

use super::views::{
    Account, Enter, Home, Join, NotFound, RoomPage, Rooms, SetUp, SignIn, Unread, UnreadBefore,
};
use crate::protocol::RoomId;
use dioxus::prelude::*;

#[derive(Routable, Clone, PartialEq)]
#[rustfmt::skip]
pub enum Route {
    #[route("/")]
    Home {},
    #[route("/setup")]
    SetUp {},
    #[route("/sign-in")]
    SignIn {},
    #[route("/join/:token")]
    Join { token: String },
    #[route("/enter/:token")]
    Enter { token: String },
    #[route("/rooms")]
    Rooms {},
    #[route("/unread")]
    Unread {},
    #[route("/unread/before/:g")]
    UnreadBefore { g: String },
    #[route("/account")]
    Account {},
    /// One view for all of a room's addresses (see `Within`): to go from one to another leaves it standing.
    #[route("/r/:room/:..within")]
    RoomPage { room: String, within: Vec<String> },
    #[route("/:..rest")]
    NotFound { rest: Vec<String> },
}

/// What follows a room in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    Newest,
    /// One row: `/<ordinal>`.
    Row(u64),
    /// Rows before or after one, as the plain links of the list lead to: a live page goes on from there.
    Page,
    /// A thread beside the room, and one of its answers: `/thread/<lane>`, `/thread/<lane>/<ordinal>`.
    Thread(u64, Option<u64>),
}

impl Within {
    pub fn of(path: &[String]) -> Option<Within> {
        let number = |text: &str| text.parse::<u64>().ok();
        Some(match path {
            [] => Within::Newest,
            [ordinal] => Within::Row(number(ordinal)?),
            [way, ordinal] if way == "before" || way == "after" => number(ordinal).map(|_| Within::Page)?,
            [way, lane] if way == "thread" => Within::Thread(number(lane).filter(|lane| *lane > 0)?, None),
            [way, lane, ordinal] if way == "thread" => {
                Within::Thread(number(lane).filter(|lane| *lane > 0)?, Some(number(ordinal)?))
            }
            _ => return None,
        })
    }
}

impl Route {
    pub fn room(room: RoomId) -> Route {
        Route::RoomPage { room: room.to_string(), within: Vec::new() }
    }

    /// A row of a lane.
    pub fn row(room: RoomId, lane: u64, ordinal: u64) -> Route {
        let mut within = vec![ordinal.to_string()];
        if lane != 0 {
            within.splice(0..0, ["thread".to_owned(), lane.to_string()]);
        }
        Route::RoomPage { room: room.to_string(), within }
    }

    pub fn thread(room: RoomId, lane: u64) -> Route {
        Route::RoomPage { room: room.to_string(), within: vec!["thread".to_owned(), lane.to_string()] }
    }
}
