//! Plain form posts: everything works without a script. Done: 303 to the next page, with a cookie of some seconds if
//! that page alone would not show it. Not done: the page again, with what is wrong and what was typed.

pub mod accounts;
pub mod commands;
pub mod rooms;

use super::config::Config;
use super::node::Node;
use super::{auth, origin};
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

/// Tells the page that a form leads to what was done. A word in its address could be written by anybody into a link. The
/// page takes it away once it is live.
pub fn done_cookie(config: &Config, what: &str, path: &str) -> String {
    let secure = if auth::secure(config) { "; Secure" } else { "" };
    format!("done={what}; Path={path}; Max-Age=10; SameSite=Lax{secure}")
}

/// What the form that led to a page has done.
pub fn done(uri: &Uri, headers: &HeaderMap) -> Option<Notice> {
    let text = match (auth::cookie(headers, "done")?, uri.path()) {
        ("password", "/account") => "Password changed. Your other devices were signed out.",
        ("quiet", "/account") => "Quiet hours saved.",
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
