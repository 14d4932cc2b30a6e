//! Plain form posts: everything works without a script. Done: 303 to the next page, with a cookie of some seconds if
//! that page alone would not show it. Not done: the page again, with what is wrong and what was typed.

pub mod accounts;
pub mod commands;
pub mod rooms;
pub mod too_fast;

use super::broker::BrokerError;
use super::config::Config;
use super::error::AppError;
use super::node::Node;
use super::{auth, origin, return_path};
use crate::api::Notice;
use crate::protocol::AccountId;
use axum::Json;
use axum::body::Body;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use std::collections::BTreeMap;
use std::sync::Arc;
use too_fast::TooFast;

type Fields = Form<BTreeMap<String, String>>;

/// Fields that no answer repeats.
const SECRET_FIELDS: [&str; 4] = ["password", "code", "current", "new"];

/// The page that a refused form came from, to be rendered with this notice (router.rs does it).
pub struct ShowAgain {
    pub path: String,
    pub notice: Notice,
    pub status: StatusCode,
    /// Seconds until another try makes sense, where that is known.
    pub retry_after: Option<u64>,
}

impl ShowAgain {
    /// Puts what the page alone does not say into the head of its answer.
    pub fn add_headers(&self, response: &mut Response) {
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
    }
}

/// Whether a script asks, and not a browser for its next page.
pub fn wants_json(headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    accepts.contains("application/json") && !accepts.contains("text/html")
}

/// What a script is told of a form that was not carried out.
pub fn message(status: StatusCode, text: &str) -> Response {
    let unstored = [(header::CACHE_CONTROL, "no-store")];
    (status, unstored, Json(serde_json::json!({ "message": text }))).into_response()
}

/// What was sent cannot be done as it is.
fn again(path: &str, fields: &BTreeMap<String, String>, text: String) -> Response {
    show(path, fields, text, StatusCode::UNPROCESSABLE_ENTITY, None)
}

/// It cannot be done now, and may be sent once more as it is.
fn later(path: &str, fields: &BTreeMap<String, String>, text: String) -> Response {
    show(path, fields, text, StatusCode::SERVICE_UNAVAILABLE, None)
}

/// A use case failed. `before` is put before its sentence.
fn failed(path: &str, fields: &BTreeMap<String, String>, before: &str, fault: &AppError) -> Response {
    show(path, fields, format!("{before}{fault}"), fault.status(), fault.retry_after())
}

fn show(
    path: &str,
    fields: &BTreeMap<String, String>,
    text: String,
    status: StatusCode,
    retry_after: Option<u64>,
) -> Response {
    let mut fields = fields.clone();
    fields.retain(|name, _| !SECRET_FIELDS.contains(&name.as_str()));
    let shown = ShowAgain {
        path: path.to_owned(),
        // Whoever shows it knows the address of the form.
        notice: Notice { text, done: false, path: path.to_owned(), form: String::new(), fields },
        status,
        retry_after,
    };
    let mut response = status.into_response();
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
    Some(Notice { text: text.to_owned(), done: true, path: uri.path().to_owned(), ..Notice::default() })
}

fn field<'a>(fields: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

/// The page that a form stands on, by the address that the form is sent to.
pub fn page_of(path: &str) -> String {
    let mut parts = path.split('/').skip(1);
    match (parts.next(), parts.next()) {
        (Some("r"), Some(room)) => format!("/r/{room}"),
        (Some("sign-out-everywhere"), _) => "/account".into(),
        (Some(page @ ("account" | "unread")), _) => format!("/{page}"),
        _ => "/rooms".into(),
    }
}

/// The address of a form takes nothing but the form: whoever reads it, by a reload or from the history of a browser, is
/// led to the page of the form.
pub async fn not_allowed(method: Method, uri: Uri) -> Response {
    if matches!(method, Method::GET | Method::HEAD) {
        return Redirect::to(&page_of(uri.path())).into_response();
    }
    (StatusCode::METHOD_NOT_ALLOWED, format!("This address takes no {method}.")).into_response()
}

/// The account of a form, or the way to sign in; where that cannot be told, why not.
async fn me(node: &Node, headers: &HeaderMap) -> Result<AccountId, Response> {
    match node.signed_in(headers).await {
        Ok(Some(me)) if !node.request_rates.form(me, node.uptime_ms()) => {
            Err(TooFast::OF_ACCOUNT.answer(headers))
        }
        Ok(Some(me)) => Ok(me),
        Ok(None) => {
            let from = return_path::of_referer(headers).unwrap_or_default();
            Err(Redirect::to(&return_path::sign_in_for(&from)).into_response())
        }
        Err(fault) => Err(unavailable(headers, &fault)),
    }
}

/// What is said while the log cannot be asked.
pub fn away(fault: &BrokerError) -> String {
    match fault {
        // Where the store is, and what it answered, is nothing for strangers.
        BrokerError::Unready(_) => format!("{} Try again in a moment.", fault.for_people()),
        fault => format!("Beck cannot reach its log now: {fault}. Try again in a moment."),
    }
}

/// Nothing was done, and no page can be shown again: whose it is cannot be told.
fn unavailable(headers: &HeaderMap, fault: &BrokerError) -> Response {
    let text = format!("Nothing was done. {}", away(fault));
    let status = StatusCode::SERVICE_UNAVAILABLE;
    if wants_json(headers) {
        return message(status, &text);
    }
    (status, [(header::CACHE_CONTROL, "no-store")], text).into_response()
}

/// Refuses what changes something and does not come from one of our pages.
pub async fn same_origin(
    State(node): State<Arc<Node>>,
    request: Request<Body>,
    next: axum::middleware::Next,
) -> Response {
    let safe = request.method().is_safe();
    // Browsers never send our tokens as a bearer by themselves, and then no cookie is looked at: it is no forgery.
    let own_client = auth::bearer(request.headers()).is_some();
    match origin::check(&node.config, request.headers(), own_client) {
        Err(why) if !safe => (StatusCode::FORBIDDEN, why).into_response(),
        _ => next.run(request).await,
    }
}
