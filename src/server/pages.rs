//! What every answer carries: the security headers, a nonce for the inline scripts of a page, compression.

use axum::body::{Body, to_bytes};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use tower_http::compression::predicate::{And, Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};

/// A rendered page is never larger.
const PAGE_BYTES: usize = 16 * 1024 * 1024;
/// Answers of no more bytes than this travel as they are.
const SMALL_BYTES: u16 = 1024;
/// Of 11 with Brotli, of 9 with gzip: a page is compressed each time it is asked for.
const QUALITY: i32 = 4;

/// Marks an answer that is not to be compressed, see [`may_compress`].
#[derive(Clone)]
struct AsItIs;

type Compressible = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

/// Compresses pages and JSON. The bundle's files are compressed already, fonts and pictures always are.
pub fn compression() -> CompressionLayer<And<SizeAbove, Compressible>> {
    let compressible: Compressible = |_, _, headers, extensions| {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let ours = kind.starts_with("text/html") || kind.starts_with("application/json");
        ours && extensions.get::<AsItIs>().is_none()
    };
    CompressionLayer::new()
        .quality(CompressionLevel::Precise(QUALITY))
        .compress_when(SizeAbove::new(SMALL_BYTES).and(compressible))
}

/// Whether the length of a page may follow its text (BREACH): who can put text into a page and see how long
/// the page is, encrypted or not, can guess a secret that stands in it too.
///
/// The join link is the one such secret: tokens of logins are in no page, and nonces and the ids of drafts are
/// new in each. The link is shown while there is one account, so that no text of others is beside it, and
/// nothing of an address is written into a page but a path that is checked. That may change: a page that shows the link
/// stays as it is, and so does one that repeats the fields of a form. The page of a link that signs in repeats the link.
fn may_compress(method: &Method, html: &str) -> bool {
    method.is_safe() && !html.contains("/join/") && !html.contains("/enter/")
}

pub async fn secure(request: Request<Body>, next: axum::middleware::Next) -> Response {
    let immutable = request.uri().path().contains("-dxh") || request.uri().path().starts_with("/fonts/");
    let method = request.method().clone();
    let mut response = next.run(request).await;
    let html = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("text/html"));
    let mut policy = "default-src 'none'; frame-ancestors 'none'".to_owned();
    if html {
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        response = with_nonce(response, &nonce, &method).await;
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
async fn with_nonce(response: Response, nonce: &str, method: &Method) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, PAGE_BYTES).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let html = String::from_utf8_lossy(&bytes).replace("<script>", &format!("<script nonce=\"{nonce}\">"));
    parts.headers.remove(header::CONTENT_LENGTH);
    if !may_compress(method, &html) {
        parts.extensions.insert(AsItIs);
    }
    Response::from_parts(parts, Body::from(html))
}
