//! The addresses of the pages.

use super::views::{
    Account, Home, Join, NotFound, RoomAfter, RoomAt, RoomBefore, RoomPage, Rooms, SetUp, SignIn, Unread,
    UnreadBefore,
};
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
    #[route("/rooms")]
    Rooms {},
    #[route("/unread")]
    Unread {},
    #[route("/unread/before/:g")]
    UnreadBefore { g: String },
    #[route("/account")]
    Account {},
    #[route("/r/:room")]
    RoomPage { room: String },
    #[route("/r/:room/:ordinal")]
    RoomAt { room: String, ordinal: String },
    #[route("/r/:room/before/:ordinal")]
    RoomBefore { room: String, ordinal: String },
    #[route("/r/:room/after/:ordinal")]
    RoomAfter { room: String, ordinal: String },
    #[route("/:..rest")]
    NotFound { rest: Vec<String> },
}
