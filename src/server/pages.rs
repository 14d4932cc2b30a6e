//! What every answer carries: the security headers, and a nonce for the two inline scripts of a page.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A rendered page is never larger.
const PAGE_BYTES: usize = 16 * 1024 * 1024;

pub async fn secure(request: Request<Body>, next: axum::middleware::Next) -> Response {
    let immutable = request.uri().path().contains("-dxh") || request.uri().path().starts_with("/fonts/");
    let mut response = next.run(request).await;
    let html = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("text/html"));
    let mut policy = "default-src 'none'; frame-ancestors 'none'".to_owned();
    if html {
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        response = with_nonce(response, &nonce).await;
        policy = format!(
            "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'nonce-{nonce}'; style-src 'self'; \
             img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; object-src 'none'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
    }
    let headers = response.headers_mut();
    let mut set = |name: header::HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_SECURITY_POLICY, &policy);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    if html {
        set(header::CACHE_CONTROL, "no-store");
    } else if immutable {
        set(header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    }
    response
}

/// Marks the inline scripts. Text of people cannot look like one: rendering escapes every `<` of theirs.
async fn with_nonce(response: Response, nonce: &str) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, PAGE_BYTES).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let html = String::from_utf8_lossy(&bytes).replace("<script>", &format!("<script nonce=\"{nonce}\">"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(html))
}
