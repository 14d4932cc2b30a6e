//! Every route on one page.

mod route;

pub use route::{Method, Route};

use super::forms::{self, ShowAgain};
use super::node::{Node, Readiness};
use super::readiness::{Unready, UnreadyState};
use super::serve::Connections;
use super::{auth, body_timeout, names, pages, proxies, return_path, websocket};
use crate::ui::App;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Router};
use dioxus::server::{DioxusRouterExt, ServeConfig};
use futures::StreamExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a form.
const FORM_BYTES: usize = 128 * 1024;
/// Bytes of a body that is refused which are read all the same, and for how long: see [`hear_out`].
const REFUSED_BYTES: usize = 4 * 1024 * 1024;
const REFUSED_TIMEOUT: Duration = Duration::from_secs(10);

/// Every address except pages and the files of the bundle.
pub fn routes() -> Vec<Route> {
    use forms::{accounts, commands, rooms};
    vec![
        Route::any("/ws", websocket::upgrade),
        Route::get("/healthz", alive),
        Route::get("/readyz", ready),
        Route::form("/setup", accounts::set_up).of_page(),
        Route::form("/sign-in", accounts::sign_in).of_page(),
        Route::form("/sign-out", accounts::sign_out),
        Route::form("/sign-out-everywhere", accounts::sign_out_everywhere),
        Route::form("/account/status", accounts::set_status),
        Route::form("/account/quiet", accounts::set_quiet),
        Route::form("/account/password", accounts::change_password),
        Route::get("/api/v1/login", login),
        Route::get("/api/v1/server", about),
        Route::get("/api/v1/names", names::names),
        Route::form("/join/{token}", accounts::join).of_page(),
        Route::form("/enter/{token}", accounts::enter).of_page(),
        Route::form("/rooms", rooms::create_room).of_page(),
        Route::form("/unread/read", rooms::read),
        Route::form("/r/{room}/want", rooms::want),
        Route::form("/r/{room}/post", rooms::post),
        Route::form("/r/{room}/thread/{lane}/follow", rooms::follow),
        Route::form("/r/{room}/topic", commands::topic),
        Route::form("/r/{room}/invite", commands::invite),
        Route::form("/r/{room}/join", rooms::join_room),
        Route::form("/r/{room}/leave", rooms::leave_room),
        Route::form("/r/{room}/archive", rooms::archive_room),
    ]
}

/// The whole application. `public` holds the bundle's files; without it pages have no assets.
pub fn router(node: Arc<Node>, public: Option<&Path>) -> Router {
    let pages = Router::new();
    let pages = match public {
        Some(_) => pages.serve_dioxus_application(ServeConfig::new(), App),
        None => pages.serve_api_application(ServeConfig::new(), App),
    };
    let pages: Router = pages.layer(Extension(node.clone()));
    let mut addresses = Router::new();
    for route in routes() {
        addresses = route.add_to(addresses, &pages);
    }
    addresses
        .method_not_allowed_fallback(forms::not_allowed)
        .with_state(node.clone())
        .fallback_service(pages.clone())
        .layer(from_fn_with_state(node.clone(), forms::too_fast::check_rates))
        .layer(from_fn_with_state((node.clone(), pages), show_again))
        .layer(from_fn_with_state(node.clone(), lead))
        .layer(from_fn_with_state(node.clone(), opened))
        .layer(from_fn_with_state(node.clone(), forms::same_origin))
        .layer(from_fn_with_state(node.clone(), proxies::forwarded))
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .layer(tower_http::limit::RequestBodyLimitLayer::new(FORM_BYTES))
        .layer(from_fn(hear_out))
        .layer(from_fn_with_state(body_timeout::FORM, body_timeout::cut_stalled))
        .layer(from_fn(pages::secure))
        .layer(pages::compression())
        .layer(tower_http::catch_panic::CatchPanicLayer::new())
}

/// Refuses a body that says that it is too large, once it is here: whose connection is closed while it sends sees a
/// fault of the network, not the answer.
async fn hear_out(request: Request<Body>, next: axum::middleware::Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_none_or(|length| length <= FORM_BYTES as u64) {
        return next.run(request).await;
    }
    let mut body = request.into_body().into_data_stream();
    let all = async {
        let mut heard = 0;
        while let Some(Ok(bytes)) = body.next().await {
            heard += bytes.len();
            if heard > REFUSED_BYTES {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(REFUSED_TIMEOUT, all).await;
    let text = format!("This is too large: at most {} KB can be sent at once.", FORM_BYTES / 1024);
    (StatusCode::PAYLOAD_TOO_LARGE, text).into_response()
}

/// A node that has not read the whole log would say of much that it does not exist: it says that it is reading.
async fn opened(
    State(node): State<Arc<Node>>,
    request: Request<Body>,
    next: axum::middleware::Next,
) -> Response {
    match node.opening() {
        Some((folded, head)) if !matches!(request.uri().path(), "/healthz" | "/readyz") => {
            let text = format!("Beck is reading its log: {folded} of {head} entries. Try again in a moment.");
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "2")], text).into_response()
        }
        _ => next.run(request).await,
    }
}

/// The state that keeps people from being sent here; `None` if the server is ready.
fn unready(node: &Node) -> Option<Unready> {
    match node.readiness() {
        Readiness::Ready if node.draining.is_cancelled() => {
            Some(Unready::new(UnreadyState::ShuttingDown, ""))
        }
        Readiness::Ready => None,
        Readiness::Starting { folded, head } => {
            let read = format!("Reading the log: {folded} of {head} entries");
            Some(Unready::new(UnreadyState::Starting, read))
        }
        Readiness::Unready(why) => Some(why),
    }
}

async fn alive() -> &'static str {
    "ok"
}

async fn ready(State(node): State<Arc<Node>>) -> Response {
    match unready(&node) {
        None => {
            let warnings = node.warnings().into_iter();
            let text =
                warnings.fold("ready".to_owned(), |text, warning| format!("{text}\nWarning: {warning}"));
            text.into_response()
        }
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why.to_string()).into_response(),
    }
}

/// Whether the request's login is good, without a body: a page whose socket cannot be opened asks it, to tell a
/// login that has ended from a network that is away, from a server that has no place for a socket, and from a proxy
/// that passes no upgrade.
async fn login(
    State(node): State<Arc<Node>>,
    connections: Option<Extension<Arc<Connections>>>,
    headers: HeaderMap,
) -> Response {
    let full = connections.is_some_and(|Extension(open)| !open.has_socket());
    let known = match auth::token(&headers, &node) {
        Some(token) => node.login_of(token).await,
        None => Ok(None),
    };
    let status = match known {
        Ok(Some(_)) if full => StatusCode::SERVICE_UNAVAILABLE,
        Ok(Some(_)) => StatusCode::NO_CONTENT,
        Ok(None) => StatusCode::UNAUTHORIZED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, [(header::CACHE_CONTROL, "no-store")]).into_response()
}

/// What this is, for clients that were given an address by a person.
async fn about(State(node): State<Arc<Node>>) -> Response {
    let workspace = node.directory().workspace.as_ref().map(|workspace| workspace.name.clone());
    let said = serde_json::json!({
        "beck": env!("CARGO_PKG_VERSION"),
        "protocol": crate::protocol::PROTOCOL_VERSION,
        "needs_setup": super::accounts::needs_setup(&node),
        "workspace": workspace.unwrap_or_default(),
    });
    ([(header::CACHE_CONTROL, "no-store")], axum::Json(said)).into_response()
}

/// Leads a page request to where it belongs: the first run, the door, or the newest room.
async fn lead(
    State(node): State<Arc<Node>>,
    request: Request<Body>,
    next: axum::middleware::Next,
) -> Response {
    if request.method() != axum::http::Method::GET {
        return next.run(request).await;
    }
    let path = request.uri().path();
    let is_door = path == "/setup" || path == "/sign-in" || path.starts_with("/join/");
    let is_inside = return_path::is_inside(path);
    if let Some(token) = path.strip_prefix("/enter/") {
        let enters_as = node.enters_as(token).await;
        return match enters_as {
            Ok(Some(_)) => next.run(request).await,
            Ok(None) if super::accounts::needs_setup(&node) => Redirect::to("/setup").into_response(),
            // The page says that the link is good no more.
            Ok(None) => (StatusCode::GONE, next.run(request).await).into_response(),
            Err(fault) => (StatusCode::SERVICE_UNAVAILABLE, forms::away(&fault)).into_response(),
        };
    }
    if !is_door && !is_inside {
        return next.run(request).await;
    }
    let needs_setup = || super::accounts::needs_setup(&node);
    if node.sure(|needs| *needs, needs_setup).await.unwrap_or(false) {
        return if path == "/setup" {
            next.run(request).await
        } else {
            Redirect::to("/setup").into_response()
        };
    }
    let login = match node.page_login(request.headers()).await {
        Ok(login) => login,
        // The door would not open either, and whoever is signed in stays so.
        Err(fault) => return (StatusCode::SERVICE_UNAVAILABLE, forms::away(&fault)).into_response(),
    };
    let mut answer = match login.as_ref().map(|login| login.account) {
        None if is_inside => Redirect::to(&return_path::sign_in_for(path)).into_response(),
        None if path == "/setup" => Redirect::to("/sign-in").into_response(),
        Some(me) if is_door || path == "/" => {
            let mut mine = node.directory().rooms_of(me);
            mine.retain(|room| !room.archived);
            let first = mine.iter().find(|room| room.name == "General").or_else(|| mine.first());
            let to = first.map_or_else(|| "/rooms".to_owned(), |room| format!("/r/{}", room.id));
            Redirect::to(return_path::of_query(request.uri()).unwrap_or(&to)).into_response()
        }
        _ => next.run(request).await,
    };
    if let Some(cookie) = login.and_then(|login| login.cookie) {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}

/// Renders the page of a form that was not carried out, with its notice.
async fn show_again(
    State((_, pages)): State<(Arc<Node>, Router)>,
    request: Request<Body>,
    next: axum::middleware::Next,
) -> Response {
    let headers = request.headers().clone();
    let peer = request.extensions().get::<proxies::Peer>().copied();
    let form = request.uri().path().to_owned();
    let response = next.run(request).await;
    let Some(show) = response.extensions().get::<Arc<ShowAgain>>().cloned() else { return response };
    if forms::wants_json(&headers) {
        let mut answer = forms::message(show.status, &show.notice.text);
        show.add_headers(&mut answer);
        return answer;
    }
    let mut notice = show.notice.clone();
    if let Some(command) = forms::commands::as_typed(&form, &notice.fields) {
        notice.fields.insert("text".into(), command);
    }
    notice.form = form;
    let mut page = Request::get(&show.path).body(Body::empty()).unwrap_or_default();
    for name in [header::COOKIE, header::HOST, header::ACCEPT_LANGUAGE] {
        if let Some(value) = headers.get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    page.headers_mut().insert(header::ACCEPT, axum::http::HeaderValue::from_static("text/html"));
    page.extensions_mut().insert(notice.clone());
    if let Some(peer) = peer {
        page.extensions_mut().insert(peer);
    }
    let pages = pages.layer(Extension(notice));
    let Ok(mut rendered) = tower::ServiceExt::oneshot(pages, page).await;
    *rendered.status_mut() =
        if response.status() == StatusCode::OK { show.status } else { response.status() };
    show.add_headers(&mut rendered);
    rendered
}
