//! Server functions: signatures in protocol types; the bodies are one line into `crate::server`.

use crate::protocol::frame::{Person, RoomInfo};
use crate::protocol::{ClientId, Mentions, OwnStatus, Page, RoomId, Thread, json};
use dioxus::prelude::*;
use serde::{Deserialize, Serialize};

/// All that a page needs before its socket is open. Made by the server for the page that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Boot {
    /// The workspace's name; empty before the first run.
    pub workspace: String,
    pub me: Option<Person>,
    /// Every room that I may see; `joined` tells which ones I am in.
    pub rooms: Vec<RoomInfo>,
    /// The asked room's rows.
    pub page: Option<Page>,
    /// The asked thread of that room, and its rows.
    pub thread: Option<(Thread, Page)>,
    /// What names me, where the page asked for it.
    pub mentions: Option<Mentions>,
    /// The room, lane and ordinal of a permalink.
    pub found: Option<(RoomId, u64, u64)>,
    /// Authors of the page, and I.
    pub people: Vec<Person>,
    /// The quiet hours, as [`Quiet::number`](crate::protocol::Quiet::number).
    pub quiet: u64,
    /// What I say of myself.
    #[serde(default)]
    pub status: OwnStatus,
    /// Minutes east of UTC.
    pub zone: i32,
    /// `system`, `light` or `dark`.
    pub theme: String,
    /// The format of the log, by its number; before the first run that in which it begins.
    #[serde(default)]
    pub format: u32,
    /// The id of the next message sent by the plain form.
    pub client_id: ClientId,
    /// The link by which others join, where it is to be shown.
    pub join_link: Option<String>,
    /// Whether the first run asks for the one-time code.
    pub asks_code: bool,
    /// The account that the sign-in link of this page is for.
    #[serde(default)]
    pub enters_as: Option<Person>,
    /// The join link of this page lets nobody in.
    #[serde(default)]
    pub dead_link: bool,
    /// Where signing in or joining leads; empty for the rooms.
    #[serde(default)]
    pub next: String,
    /// Where an acknowledged message is.
    pub acknowledged: String,
    /// What became of the form that led here.
    pub notice: Option<Notice>,
}

/// [`Boot`] as JSON, whatever carries it: see [`json`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BootJson(String);

impl BootJson {
    pub fn read(&self) -> Result<Boot, serde_json::Error> {
        json::read(&self.0)
    }
}

impl TryFrom<Boot> for BootJson {
    type Error = serde_json::Error;

    fn try_from(boot: Boot) -> Result<BootJson, serde_json::Error> {
        serde_json::to_string(&boot).map(BootJson)
    }
}

/// What is said of a join link that lets nobody in, and of a sign-in link that does not.
pub const DEAD_JOIN_LINK: &str = "This link does not work any more. Ask for a new one.";
pub const DEAD_ENTER_LINK: &str = "This link was used already, or is more than a day old.";

/// The answer to a form, for a person.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Notice {
    pub text: String,
    /// Whether the form was carried out.
    pub done: bool,
    /// The address of the page that shows it. What the form was posted to may be none of a page.
    pub path: String,
    /// The address that the form was sent to: fields of several forms have the same name.
    #[serde(default)]
    pub form: String,
    /// What its fields held, without secrets, if it was not.
    pub fields: std::collections::BTreeMap<String, String>,
}

impl Notice {
    pub fn field(&self, name: &str) -> String {
        self.fields.get(name).cloned().unwrap_or_default()
    }

    /// What was written for a room and not sent.
    pub fn unsent(&self) -> String {
        if self.form.starts_with("/r/") { self.field("text") } else { String::new() }
    }

    /// Whether it says something of the field with this label: then its text begins with that.
    pub fn is_about(&self, label: &str) -> bool {
        !self.done && self.text.strip_prefix(label).is_some_and(|rest| rest.starts_with(':'))
    }
}

/// What the asked page needs; called once, while the server renders it.
#[get("/api/v1/boot",
    node: dioxus::fullstack::extract::Extension<std::sync::Arc<crate::server::node::Node>>,
    notice: Option<dioxus::fullstack::extract::Extension<crate::api::Notice>>,
    peer: Option<dioxus::fullstack::extract::Extension<crate::server::proxies::Peer>>,
    uri: axum::http::Uri,
    headers: axum::http::HeaderMap)]
pub async fn boot() -> Result<BootJson, HttpError> {
    crate::server::boot::boot_json(
        &node,
        &uri,
        &headers,
        notice.map(|notice| notice.0),
        peer.map(|peer| peer.0),
    )
    .await
}
