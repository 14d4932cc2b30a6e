//! Plain form posts: everything works without a script. Done: 303 to the next page. Not done: the page again,
//! with what is wrong and what was typed.

use super::accounts::{self, AccountError, NewAccount};
use super::auth;
use super::node::Node;
use super::origin;
use super::rooms::{self, RoomError};
use crate::api::Notice;
use crate::protocol::frame::Draft;
use crate::protocol::{AccountId, ClientId, Outcome, RoomId};
use axum::body::Body;
use axum::extract::{ConnectInfo, Form, Path, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

type Fields = Form<BTreeMap<String, String>>;

/// The page that a refused form came from, to be rendered with this notice (router.rs does it).
pub struct ShowAgain {
    pub path: String,
    pub notice: Notice,
    pub status: StatusCode,
}

fn again(path: &str, fields: &BTreeMap<String, String>, text: String) -> Response {
    let mut fields = fields.clone();
    fields.remove("password");
    fields.remove("code");
    let shown = ShowAgain {
        path: path.to_owned(),
        notice: Notice { text, fields },
        status: StatusCode::UNPROCESSABLE_ENTITY,
    };
    let mut response = StatusCode::UNPROCESSABLE_ENTITY.into_response();
    response.extensions_mut().insert(Arc::new(shown));
    response
}

fn field<'a>(fields: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

fn account_fault(path: &str, fields: &BTreeMap<String, String>, fault: &AccountError) -> Response {
    let text = match fault {
        AccountError::Field { field: "password", what } if path == "/sign-in" => what.clone(),
        AccountError::Field { field, what } => {
            let label = match *field {
                "workspace" => "Name of your team",
                "name" => "Your name",
                "handle" => "Handle",
                _ => "Password",
            };
            format!("{label}: {what}")
        }
        AccountError::Unavailable(what) => what.clone(),
    };
    again(path, fields, text)
}

async fn signed_in_to(node: &Node, account: AccountId, path: &str) -> Response {
    match node.sign_in(account).await {
        Ok(token) => {
            let cookie = auth::login_cookie(&node.config, Some(&token));
            ([(header::SET_COOKIE, cookie)], Redirect::to(path)).into_response()
        }
        Err(fault) => again("/sign-in", &BTreeMap::new(), fault.to_string()),
    }
}

const TOO_MANY: &str = "Too many tries. Wait a minute, then try again.";

pub async fn set_up(State(node): State<Arc<Node>>, Form(fields): Fields) -> Response {
    let right = node.auth.setup_code.as_deref().is_none_or(|code| auth::equal(code, field(&fields, "code")));
    if !right {
        return again("/setup", &fields, "One-time code: that is not the one the server printed.".into());
    }
    let new = NewAccount {
        name: field(&fields, "name"),
        handle: field(&fields, "handle"),
        password: field(&fields, "password"),
    };
    match accounts::set_up(&node, field(&fields, "workspace"), new).await {
        Ok((account, room)) => signed_in_to(&node, account, &format!("/r/{room}")).await,
        Err(fault) => account_fault("/setup", &fields, &fault),
    }
}

pub async fn sign_in(
    State(node): State<Arc<Node>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Form(fields): Fields,
) -> Response {
    let handle = field(&fields, "handle").trim().to_lowercase();
    if !node.auth.attempt(from.ip(), &handle, node.uptime_ms()) {
        return again("/sign-in", &fields, TOO_MANY.into());
    }
    match accounts::sign_in(&node, &handle, field(&fields, "password")).await {
        Ok(account) => signed_in_to(&node, account, "/").await,
        Err(fault) => account_fault("/sign-in", &fields, &fault),
    }
}

pub async fn join(
    State(node): State<Arc<Node>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(token): Path<String>,
    Form(fields): Fields,
) -> Response {
    let path = format!("/join/{token}");
    if !node.auth.attempt(from.ip(), "", node.uptime_ms()) {
        return again(&path, &fields, TOO_MANY.into());
    }
    if !node.is_join_token(&token).await {
        return again(&path, &fields, "This link does not work any more. Ask for a new one.".into());
    }
    let new = NewAccount {
        name: field(&fields, "name"),
        handle: field(&fields, "handle"),
        password: field(&fields, "password"),
    };
    match accounts::sign_up(&node, new).await {
        Ok(account) => signed_in_to(&node, account, "/").await,
        Err(fault) => account_fault(&path, &fields, &fault),
    }
}

/// A link that signs its holder in: made by `beck demo`, good for a day.
pub async fn enter(State(node): State<Arc<Node>>, Path(token): Path<String>) -> Response {
    match node.enter(&token).await {
        Some(account) => signed_in_to(&node, account, "/").await,
        None => Redirect::to("/sign-in").into_response(),
    }
}

pub async fn sign_out(State(node): State<Arc<Node>>, headers: HeaderMap) -> Response {
    if let Some(token) = auth::token(&headers, &node.config)
        && let Err(fault) = node.sign_out(token).await
    {
        return (StatusCode::SERVICE_UNAVAILABLE, fault.to_string()).into_response();
    }
    let cookie = auth::login_cookie(&node.config, None);
    ([(header::SET_COOKIE, cookie)], Redirect::to("/sign-in")).into_response()
}

/// The account of a form, or the way to sign in.
async fn me(node: &Node, headers: &HeaderMap) -> Result<AccountId, Response> {
    node.signed_in(headers).await.ok_or_else(|| Redirect::to("/sign-in").into_response())
}

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

/// Refuses what changes something and does not come from one of our pages.
pub async fn same_origin(
    State(node): State<Arc<Node>>,
    request: Request<Body>,
    next: axum::middleware::Next,
) -> Response {
    let safe = request.method().is_safe();
    // Browsers never send these two by themselves: such a request is no forgery.
    let own_client = request.headers().contains_key(header::AUTHORIZATION);
    match origin::check(&node.config, request.headers(), own_client) {
        Err(why) if !safe => (StatusCode::FORBIDDEN, why).into_response(),
        _ => next.run(request).await,
    }
}
