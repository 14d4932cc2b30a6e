//! Plain form posts: everything works without a script. Done: 303 to the next page, whose address says `done` if
//! the page alone would not show it. Not done: the page again, with what is wrong and what was typed.

pub mod accounts;
pub mod rooms;

use super::node::Node;
use super::origin;
use crate::api::Notice;
use crate::protocol::AccountId;
use axum::body::Body;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use std::collections::BTreeMap;
use std::sync::Arc;

type Fields = Form<BTreeMap<String, String>>;

/// Fields that no answer repeats.
const SECRET_FIELDS: [&str; 4] = ["password", "code", "current", "new"];

/// The page that a refused form came from, to be rendered with this notice (router.rs does it).
pub struct ShowAgain {
    pub path: String,
    pub notice: Notice,
    pub status: StatusCode,
}

fn again(path: &str, fields: &BTreeMap<String, String>, text: String) -> Response {
    let mut fields = fields.clone();
    fields.retain(|name, _| !SECRET_FIELDS.contains(&name.as_str()));
    let shown = ShowAgain {
        path: path.to_owned(),
        notice: Notice { text, done: false, path: path.to_owned(), fields },
        status: StatusCode::UNPROCESSABLE_ENTITY,
    };
    let mut response = StatusCode::UNPROCESSABLE_ENTITY.into_response();
    response.extensions_mut().insert(Arc::new(shown));
    response
}

/// What the address of a page says that was done.
pub fn done(uri: &Uri) -> Option<Notice> {
    let mut fields = uri.query().unwrap_or("").split('&');
    let text = match fields.find_map(|field| field.strip_prefix("done="))? {
        "password" if uri.path() == "/account" => "Password changed. Your other devices were signed out.",
        _ => return None,
    };
    Some(Notice { text: text.to_owned(), done: true, path: uri.path().to_owned(), fields: BTreeMap::new() })
}

fn field<'a>(fields: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

/// The account of a form, or the way to sign in.
async fn me(node: &Node, headers: &HeaderMap) -> Result<AccountId, Response> {
    node.signed_in(headers).await.ok_or_else(|| Redirect::to("/sign-in").into_response())
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
