//! Requests that come too fast, by address or by account. Nothing of them is done. A browser that sent a form gets the
//! page of the form again, with what was typed in it.

use super::{Fields, message, show, wants_json};
use crate::server::node::Node;
use crate::server::{request_rates, return_path};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const TOO_MANY: StatusCode = StatusCode::TOO_MANY_REQUESTS;
const FORM: &str = "application/x-www-form-urlencoded";

/// Marks an answer to a request that came too fast.
#[derive(Debug, Clone, Copy)]
pub struct TooFast {
    /// Seconds until another try makes sense.
    seconds: u64,
}

impl TooFast {
    /// The account has sent too many forms.
    pub(super) const OF_ACCOUNT: TooFast = TooFast { seconds: 2 };
    /// The address has: it may be that of many people.
    const OF_ADDRESS: TooFast = TooFast { seconds: 10 };

    pub(super) fn answer(self, headers: &HeaderMap) -> Response {
        let text = request_rates::TOO_MANY;
        let mut response = if wants_json(headers) {
            message(TOO_MANY, text)
        } else {
            (TOO_MANY, [(header::CACHE_CONTROL, "no-store")], text).into_response()
        };
        response.headers_mut().insert(header::RETRY_AFTER, self.seconds.into());
        response.extensions_mut().insert(self);
        response
    }
}

/// Refuses requests of an address that makes too many, and shows the page of a form again that was refused by the rate
/// of the address or of the account (see `me`).
pub async fn check_rates(State(node): State<std::sync::Arc<Node>>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let refused = !request_rates::admits(&node, &request);
    let (headers, path) = (request.headers(), request.uri().path());
    let is_form =
        headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(FORM.as_bytes()));
    let shows_page = is_form && !wants_json(headers);
    if !shows_page || (!refused && is_of_strangers(path)) {
        return if refused { TooFast::OF_ADDRESS.answer(headers) } else { next.run(request).await };
    }
    let page = page_of(path, headers);
    let is_message = path.ends_with("/post");
    // Whoever takes the form would read it too, as bounded as here: by the layers outside of this one.
    let (parts, body) = request.into_parts();
    let body = match Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await {
        Ok(body) => body,
        Err(fault) => return fault.into_response(),
    };
    let answer = if refused {
        TooFast::OF_ADDRESS.answer(&parts.headers)
    } else {
        next.run(Request::from_parts(parts, Body::from(body.clone()))).await
    };
    let Some(TooFast { seconds }) = answer.extensions().get().copied() else { return answer };
    let form =
        Request::post("/").header(header::CONTENT_TYPE, FORM).body(Body::from(body)).unwrap_or_default();
    let mut fields = Fields::from_request(form, &()).await.map(|form| form.0).unwrap_or_default();
    if is_message && !page.contains("/thread/") {
        // A composer outside of a thread shows no text that was for one.
        fields.remove("to");
    }
    show(&page, &fields, request_rates::TOO_MANY.into(), TOO_MANY, Some(seconds))
}

/// Forms that have throttles of their own in place of the account's. What they hold is not kept twice while they wait.
fn is_of_strangers(path: &str) -> bool {
    matches!(path, "/sign-in" | "/setup") || path.starts_with("/join/") || path.starts_with("/enter/")
}

/// The page that a form stands on, by the address that it is sent to.
fn page_of(path: &str, headers: &HeaderMap) -> String {
    if path.starts_with("/enter/") {
        return "/sign-in".into();
    }
    if is_of_strangers(path) {
        return path.into();
    }
    if let Some(page) = return_path::of_referer(headers).filter(|page| page != "/") {
        return page;
    }
    super::page_of(path)
}
