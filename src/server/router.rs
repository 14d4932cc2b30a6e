//! Every route on one page.

use super::forms::{self, ShowAgain};
use super::node::{Node, Readiness};
use super::{auth, names, pages, proxies, websocket};
use crate::ui::App;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, any, get, post};
use axum::{Extension, Router};
use dioxus::server::{DioxusRouterExt, ServeConfig};
use std::path::Path;
use std::sync::Arc;

/// Bytes of a form.
const FORM_BYTES: usize = 128 * 1024;

/// The whole application. `public` holds the bundle's files; without it pages have no assets.
pub fn router(node: Arc<Node>, public: Option<&Path>) -> Router {
    let pages = Router::new();
    let pages = match public {
        Some(_) => pages.serve_dioxus_application(ServeConfig::new(), App),
        None => pages.serve_api_application(ServeConfig::new(), App),
    };
    let pages: Router = pages.layer(Extension(node.clone()));
    let page_and = |handler: MethodRouter<Arc<Node>>| handler.get_service(pages.clone());

    Router::new()
        .route("/ws", any(websocket::upgrade))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/setup", page_and(post(forms::accounts::set_up)))
        .route("/sign-in", page_and(post(forms::accounts::sign_in)))
        .route("/sign-out", post(forms::accounts::sign_out))
        .route("/sign-out-everywhere", post(forms::accounts::sign_out_everywhere))
        .route("/account/status", post(forms::accounts::set_status))
        .route("/account/password", post(forms::accounts::change_password))
        .route("/api/v1/login", get(login))
        .route("/api/v1/names", get(names::names))
        .route("/join/{token}", page_and(post(forms::accounts::join)))
        .route("/enter/{token}", get(forms::accounts::enter))
        .route("/rooms", page_and(post(forms::rooms::create_room)))
        .route("/unread/read", post(forms::rooms::read))
        .route("/r/{room}/want", post(forms::rooms::want))
        .route("/r/{room}/post", post(forms::rooms::post))
        .route("/r/{room}/thread/{lane}/follow", post(forms::rooms::follow))
        .route("/r/{room}/topic", post(forms::commands::topic))
        .route("/r/{room}/invite", post(forms::commands::invite))
        .route("/r/{room}/join", post(forms::rooms::join_room))
        .route("/r/{room}/leave", post(forms::rooms::leave_room))
        .route("/r/{room}/archive", post(forms::rooms::archive_room))
        .with_state(node.clone())
        .fallback_service(pages.clone())
        .layer(from_fn_with_state((node.clone(), pages), show_again))
        .layer(from_fn_with_state(node.clone(), lead))
        .layer(from_fn_with_state(node.clone(), opened))
        .layer(from_fn_with_state(node.clone(), forms::same_origin))
        .layer(from_fn_with_state(node.clone(), proxies::forwarded))
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .layer(tower_http::limit::RequestBodyLimitLayer::new(FORM_BYTES))
        .layer(from_fn(pages::secure))
        .layer(pages::compression())
        .layer(tower_http::catch_panic::CatchPanicLayer::new())
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

async fn ready(State(node): State<Arc<Node>>) -> Response {
    match node.readiness() {
        Readiness::Ready if node.draining.is_cancelled() => {
            (StatusCode::SERVICE_UNAVAILABLE, "The server is going down.").into_response()
        }
        Readiness::Ready => "ready".into_response(),
        Readiness::Starting { folded, head } => {
            let text = format!("Reading the log: {folded} of {head} entries.");
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
        Readiness::Unready(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    }
}

/// Whether the request's login is good, without a body: a page whose socket cannot be opened asks it, to tell a
/// login that has ended from a network that is away and from a proxy that passes no upgrade.
async fn login(State(node): State<Arc<Node>>, headers: HeaderMap) -> Response {
    let known = match auth::token(&headers, &node.config) {
        Some(token) => node.login_of(token).await,
        None => Ok(None),
    };
    let status = match known {
        Ok(Some(_)) => StatusCode::NO_CONTENT,
        Ok(None) => StatusCode::UNAUTHORIZED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, [(header::CACHE_CONTROL, "no-store")]).into_response()
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
    let is_inside = matches!(path, "/" | "/rooms" | "/account" | "/unread")
        || path.starts_with("/unread/")
        || path.starts_with("/r/");
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
    let me = match auth::token(request.headers(), &node.config) {
        Some(token) => node.login_of(token).await,
        None => Ok(None),
    };
    let me = match me {
        Ok(me) => me,
        // The door would not open either, and whoever is signed in stays so.
        Err(fault) => {
            let text = format!("Beck cannot reach its log now: {fault}. Try again in a moment.");
            return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
        }
    };
    match me {
        None if is_inside || path == "/setup" => Redirect::to("/sign-in").into_response(),
        Some(me) if is_door || path == "/" => {
            let mut mine = node.directory().rooms_of(me);
            mine.retain(|room| !room.archived);
            let first = mine.iter().find(|room| room.name == "General").or_else(|| mine.first());
            let to = first.map_or_else(|| "/rooms".to_owned(), |room| format!("/r/{}", room.id));
            Redirect::to(&to).into_response()
        }
        _ => next.run(request).await,
    }
}

/// Renders the page of a form that was not carried out, with its notice.
async fn show_again(
    State((_, pages)): State<(Arc<Node>, Router)>,
    request: Request<Body>,
    next: axum::middleware::Next,
) -> Response {
    let headers = request.headers().clone();
    let response = next.run(request).await;
    let Some(show) = response.extensions().get::<Arc<ShowAgain>>().cloned() else { return response };
    let mut page = Request::get(&show.path).body(Body::empty()).unwrap_or_default();
    for name in [header::COOKIE, header::HOST, header::ACCEPT_LANGUAGE] {
        if let Some(value) = headers.get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    page.headers_mut().insert(header::ACCEPT, axum::http::HeaderValue::from_static("text/html"));
    page.extensions_mut().insert(show.notice.clone());
    let pages = pages.layer(Extension(show.notice.clone()));
    let Ok(mut rendered) = tower::ServiceExt::oneshot(pages, page).await;
    *rendered.status_mut() =
        if response.status() == StatusCode::OK { show.status } else { response.status() };
    rendered
}
