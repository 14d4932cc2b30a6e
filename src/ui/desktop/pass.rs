//! What the page asks of its own address: files of the app, and the server's paths, passed on with the login.

use super::Shown;
use super::desk::Desk;
use crate::client::platform::native::server::{Passed, Server};
use dioxus::desktop::wry::RequestAsyncResponder;
use dioxus::desktop::wry::http::{Response, header};
use dioxus::desktop::{AssetRequest, use_asset_handler};
use dioxus::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

const EMOJI: &[u8] = include_bytes!("../../../public/emoji.txt");
const FONTS: [(&str, &[u8]); 5] = [
    ("commissioner-latin.woff2", include_bytes!("../../../public/fonts/commissioner-latin.woff2")),
    ("commissioner-latin-ext.woff2", include_bytes!("../../../public/fonts/commissioner-latin-ext.woff2")),
    ("commissioner-vietnamese.woff2", include_bytes!("../../../public/fonts/commissioner-vietnamese.woff2")),
    ("commissioner-cyrillic.woff2", include_bytes!("../../../public/fonts/commissioner-cyrillic.woff2")),
    ("commissioner-greek.woff2", include_bytes!("../../../public/fonts/commissioner-greek.woff2")),
];

fn answer(responder: RequestAsyncResponder, status: u16, kind: &str, body: Vec<u8>) {
    let answer = Response::builder().status(status).header(header::CONTENT_TYPE, kind).body(body);
    if let Ok(answer) = answer {
        responder.respond(answer);
    }
}

/// Files that the style sheets and scripts name by themselves.
pub fn use_files() {
    use_asset_handler("fonts", |request, responder| {
        let name = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        match FONTS.iter().find(|(font, _)| *font == name) {
            Some((_, font)) => answer(responder, 200, "font/woff2", font.to_vec()),
            None => answer(responder, 404, "text/plain", Vec::new()),
        }
    });
    use_asset_handler("emoji.txt", |_, responder| {
        answer(responder, 200, "text/plain; charset=utf-8", EMOJI.to_vec());
    });
}

/// Forms and the few requests of the scripts, passed on to the server that is looked at.
pub fn use_requests(current: Memo<Option<String>>, shown: Signal<Shown>) {
    let desk = use_context::<Arc<Desk>>();
    let ending = desk.wishes.clone();
    use_asset_handler("quit", move |_, responder| {
        answer(responder, 200, "text/plain", Vec::new());
        ending.quit();
    });
    // What a browser would write on its console.
    use_asset_handler("fault", |request, responder| {
        let said: String = String::from_utf8_lossy(request.body()).chars().take(500).collect();
        eprintln!("Beck: the page found a fault: {}", said.escape_debug());
        answer(responder, 200, "text/plain", Vec::new());
    });
    for first in ["api", "r", "rooms", "account", "unread", "sign-in", "sign-out", "sign-out-everywhere"] {
        let desk = desk.clone();
        use_asset_handler(first, move |request, responder| {
            let engine = current.peek().as_ref().and_then(|key| desk.engine(key).ok());
            let Some(engine) = engine else { return answer(responder, 404, "text/plain", Vec::new()) };
            let (desk, key) = (desk.clone(), engine.login.key());
            spawn(async move { pass(desk, key, engine.server.clone(), request, responder, shown).await });
        });
    }
}

async fn pass(
    desk: Arc<Desk>,
    key: String,
    server: Server,
    request: AssetRequest,
    responder: RequestAsyncResponder,
    mut shown: Signal<Shown>,
) {
    let json = |value: serde_json::Value| value.to_string().into_bytes();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let body = request.body().clone();
    match path.as_str() {
        "/sign-out" => {
            desk.sign_out(&key).await;
            answer(responder, 200, "application/json", json(serde_json::json!({})));
            return shown.set(desk.last().map_or(Shown::Door, Shown::login));
        }
        "/sign-in" => {
            let said = fields(&body);
            let field = |name: &str| said.get(name).map_or("", String::as_str);
            let signed = match Server::sign_in(server.base(), field("handle"), field("password")).await {
                Ok(server) => desk.signed_in(server).await,
                Err(fault) => Err(fault.to_string()),
            };
            return match signed {
                Ok(key) => {
                    answer(responder, 200, "application/json", json(serde_json::json!({})));
                    let n = shown.peek().next();
                    shown.set(Shown::Login { key, n, path: None });
                }
                Err(message) => {
                    let said = json(serde_json::json!({ "message": message }));
                    answer(responder, 422, "application/json", said);
                }
            };
        }
        _ => {}
    }
    let method = request.method().as_str().parse().unwrap_or_default();
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let headers = [header(header::ACCEPT), header(header::CONTENT_TYPE)];
    match server.pass(method, &path, headers, body).await {
        Ok(Passed { location: Some(location), .. }) => {
            // To the door the engine finds by itself.
            let location = Some(location).filter(|location| location != "/sign-in");
            answer(responder, 200, "application/json", json(serde_json::json!({ "location": location })));
        }
        Ok(Passed { status, kind, body, .. }) => {
            answer(responder, status, kind.as_deref().unwrap_or("text/plain"), body);
        }
        Err(fault) => {
            let message = serde_json::json!({ "message": fault.to_string() });
            answer(responder, 502, "application/json", json(message));
        }
    }
}

/// The fields of a form as it is posted.
fn fields(body: &[u8]) -> HashMap<String, String> {
    let query = String::from_utf8_lossy(body);
    let url = reqwest::Url::parse(&format!("http://form/?{query}"));
    url.map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default()
}
