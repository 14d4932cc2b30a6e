//! Forms of accounts: the first run, signing up, in and out, the password.

use super::{Fields, again, away, done_cookie, failed, field, later, me, message, wants_json};
use crate::api::{DEAD_ENTER_LINK, DEAD_JOIN_LINK};
use crate::protocol::{AccountId, Quiet, bounds};
use crate::server::accounts::{self, NewAccount};
use crate::server::auth::{self, SignInTry};
use crate::server::error::AppError;
use crate::server::hashing::Whose;
use crate::server::node::Node;
use crate::server::passwords::Changed;
use crate::server::proxies::Peer;
use crate::server::throttle::Site;
use crate::server::{return_path, unread};
use axum::Extension;
use axum::extract::{ConnectInfo, Form, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Why nobody signed up, with the label of the field that is wrong.
fn refused(path: &str, fields: &BTreeMap<String, String>, fault: &AppError) -> Response {
    let label = if matches!(fault, AppError::HandleTaken) { "Handle: " } else { "" };
    failed(path, fields, label, fault)
}

/// Signs a browser in to an account, and leads it to a page.
async fn signed_in_to(node: &Node, headers: &HeaderMap, account: AccountId, path: &str) -> Response {
    match node.sign_in(account).await {
        Ok(token) => with_login(node, headers, (account, &token), Redirect::to(path)).await,
        Err(fault) => later("/sign-in", &BTreeMap::new(), away(&fault)),
    }
}

/// An answer that hands out a login: its cookies, and the one by which the browser is known later.
async fn with_login(
    node: &Node,
    headers: &HeaderMap,
    (account, token): (AccountId, &str),
    answer: impl IntoResponse,
) -> Response {
    let mut answer = answer.into_response();
    for cookie in auth::sign_in_cookies(node, token) {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    let browser = node.known_browser(headers, account).await;
    if let Some(cookie) = node.known_browser_cookie(account, browser.as_deref()).await {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}

/// An answer that ends the login of the browser.
fn without_login(node: &Node, headers: &HeaderMap, answer: impl IntoResponse) -> Response {
    let mut answer = answer.into_response();
    for cookie in auth::end_login_cookies(node, headers) {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}

/// Where a form leads that signs somebody in.
fn next_page(fields: &BTreeMap<String, String>) -> &str {
    return_path::checked(field(fields, "next")).unwrap_or("/")
}

pub async fn set_up(
    State(node): State<Arc<Node>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Response {
    if !accounts::needs_setup(&node) {
        return again(
            "/setup",
            &fields,
            "This workspace has an owner already, or is not ready. Sign in.".into(),
        );
    }
    if node.asks_code(peer.map(|Extension(peer)| peer)) {
        match node.print_setup_code().await {
            // The right code passes whatever others have tried: it is too long to be guessed.
            Ok(code) if auth::equal(&code, &field(&fields, "code").trim().to_ascii_lowercase()) => {}
            Ok(_) => {
                if let Err(wait) = node.auth.wrong_setup_code(from.ip(), node.uptime_ms()) {
                    return failed("/setup", &fields, "", &wait.into());
                }
                let why =
                    "One-time code: that is not the one that Beck printed. The newest is in its output.";
                return again("/setup", &fields, why.into());
            }
            Err(fault) => return later("/setup", &fields, away(&fault)),
        }
    }
    let new = NewAccount {
        name: field(&fields, "name"),
        handle: field(&fields, "handle"),
        password: field(&fields, "password"),
    };
    match accounts::set_up(&node, field(&fields, "workspace"), new).await {
        Ok((account, room)) => {
            node.drop_setup_code().await;
            signed_in_to(&node, &headers, account, &format!("/r/{room}")).await
        }
        Err(fault) => refused("/setup", &fields, &fault),
    }
}

/// Answers a page's own script, which says that it accepts JSON, by status and cookie alone; so it can sign in
/// again without leaving what it shows.
pub async fn sign_in(
    State(node): State<Arc<Node>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Response {
    let script = wants_json(&headers);
    let unstored = [(header::CACHE_CONTROL, "no-store")];
    let (account, token) = match check_in(
        &node,
        &headers,
        from.ip(),
        field(&fields, "handle"),
        field(&fields, "password"),
    )
    .await
    {
        Ok(login) => login,
        Err(fault @ AppError::WrongPassword) if script => {
            return message(StatusCode::UNAUTHORIZED, &fault.to_string());
        }
        Err(fault) => return failed("/sign-in", &fields, "", &fault),
    };
    let login = (account, token.as_str());
    if script {
        return with_login(&node, &headers, login, (StatusCode::NO_CONTENT, unstored)).await;
    }
    with_login(&node, &headers, login, Redirect::to(next_page(&fields))).await
}

/// The account and token of a new login.
async fn check_in(
    node: &Arc<Node>,
    headers: &HeaderMap,
    address: IpAddr,
    handle: &str,
    password: &str,
) -> Result<(AccountId, String), AppError> {
    // As it is looked up, or one account would have many throttles.
    let handle = bounds::handle(handle).unwrap_or_default();
    let account = node.directory().by_handle(&handle).map(|account| account.id);
    let browser = match account {
        Some(account) => node.known_browser(headers, account).await,
        None => None,
    };
    let attempt = SignInTry { address, handle: &handle, known_browser: browser.as_deref() };
    let mut admission = node.auth.try_sign_in(attempt, node.uptime_ms())?;
    admission.wait().await;
    let whose = if browser.is_some() { Whose::Known } else { Whose::Stranger(Site::of(address)) };
    let login = accounts::sign_in(node, whose, &handle, password).await;
    if !matches!(login, Err(AppError::WrongPassword)) {
        node.auth.give_back_sign_in(attempt, &admission, node.uptime_ms());
    }
    let login = login?;
    let token = node.begin(login).await?;
    Ok((login.account, token))
}

pub async fn join(
    State(node): State<Arc<Node>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(token): Path<String>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Response {
    let path = format!("/join/{token}");
    // The link first: strangers who have none cannot use up the tries of those who have it.
    let right = match node.is_join_token(&token).await {
        Ok(right) => right,
        Err(fault) => return later(&path, &fields, away(&fault)),
    };
    let now = node.uptime_ms();
    let allowed =
        if right { node.auth.try_join(from.ip(), now) } else { node.auth.wrong_link(from.ip(), now) };
    if let Err(wait) = allowed {
        return failed(&path, &fields, "", &wait.into());
    }
    if !right {
        return again(&path, &fields, DEAD_JOIN_LINK.into());
    }
    let new = NewAccount {
        name: field(&fields, "name"),
        handle: field(&fields, "handle"),
        password: field(&fields, "password"),
    };
    match accounts::sign_up(&node, new).await {
        Ok(account) => signed_in_to(&node, &headers, account, next_page(&fields)).await,
        Err(fault) => {
            node.auth.give_back_join(from.ip(), node.uptime_ms());
            refused(&path, &fields, &fault)
        }
    }
}

/// The button of a link that signs its holder in: made by `beck demo`, good for a day and for one use.
pub async fn enter(State(node): State<Arc<Node>>, Path(token): Path<String>, headers: HeaderMap) -> Response {
    match node.enter(&token).await {
        Ok(Some((account, login))) => with_login(&node, &headers, (account, &login), Redirect::to("/")).await,
        Ok(None) => again("/sign-in", &BTreeMap::new(), DEAD_ENTER_LINK.into()),
        Err(fault) => later("/sign-in", &BTreeMap::new(), away(&fault)),
    }
}

pub async fn sign_out(State(node): State<Arc<Node>>, headers: HeaderMap) -> Response {
    if let Some(token) = auth::token(&headers, &node)
        && let Err(fault) = node.sign_out(token).await
    {
        return (StatusCode::SERVICE_UNAVAILABLE, away(&fault)).into_response();
    }
    without_login(&node, &headers, Redirect::to("/sign-in"))
}

/// Ends every login of the account, this one too.
pub async fn sign_out_everywhere(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    Ok(match node.sign_out_everywhere(me).await {
        Ok(()) => without_login(&node, &headers, Redirect::to("/sign-in")),
        Err(fault) => later("/account", &BTreeMap::new(), away(&fault)),
    })
}

/// A status that is cleared by itself stands for no longer than a year.
const STATUS_MINUTES: u64 = 366 * 24 * 60;

/// Says something of oneself: `text`, `for` (minutes; none: until it is changed), `do_not_disturb`.
pub async fn set_status(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    let for_ms = match field(&fields, "for") {
        "" => None,
        minutes => match minutes.parse::<u64>().ok().filter(|minutes| (1..=STATUS_MINUTES).contains(minutes))
        {
            Some(minutes) => Some(minutes * 60_000),
            None => {
                let why = "Status: it cannot be cleared after that time. Choose one from the list.";
                return Ok(again("/account", &fields, why.into()));
            }
        },
    };
    let do_not_disturb = !field(&fields, "do_not_disturb").is_empty();
    let said = accounts::set_status(&node, me, field(&fields, "text"), do_not_disturb, for_ms);
    Ok(match said.await {
        Ok(()) => Redirect::to("/account").into_response(),
        Err(fault) => failed("/account", &fields, "Status: ", &fault),
    })
}

/// Sets the quiet hours: `on` (`1` or empty), `from` and `to` (as `22:00`).
pub async fn set_quiet(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    let refuse = |why: String| again("/account", &fields, format!("Quiet hours: {why}"));
    let (Some(from), Some(to)) = (minute(field(&fields, "from")), minute(field(&fields, "to"))) else {
        return Ok(refuse("write both times as 22:00.".into()));
    };
    let Some(quiet) = Quiet::new(!field(&fields, "on").is_empty(), from, to) else {
        return Ok(refuse("they end when they begin. Choose two times.".into()));
    };
    Ok(match unread::set_quiet(&node, me, quiet).await {
        Ok(()) => {
            let done = done_cookie(&node.config, "quiet", "/account");
            ([(header::SET_COOKIE, done)], Redirect::to("/account")).into_response()
        }
        Err(fault) => later("/account", &fields, format!("Quiet hours: {}", away(&fault))),
    })
}

/// Minutes since midnight, of a time as browsers write it; none of any other text.
fn minute(time: &str) -> Option<u32> {
    let (hours, rest) = time.trim().split_once(':')?;
    // Some give seconds too.
    let minutes = rest.split(':').next()?;
    let part = |text: &str, below: u32| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|n| digits && *n < below)
    };
    Some(part(hours, 24)? * 60 + part(minutes, 60)?)
}

/// Changes the own password; the other logins of the account end.
pub async fn change_password(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    let refuse = |why: String| again("/account", &fields, why);
    let (current, new) = (field(&fields, "current"), field(&fields, "new"));
    if let Err(unfit) = bounds::password(new) {
        return Ok(refuse(format!("New password: {unfit}")));
    }
    if let Err(wait) = node.auth.try_own_password(&me.to_string(), node.uptime_ms()) {
        return Ok(failed("/account", &fields, "", &wait.into()));
    }
    let token = auth::token(&headers, &node).unwrap_or_default();
    Ok(match node.change_password((me, token), current, new).await {
        Ok(Changed::Done) => {
            let done = done_cookie(&node.config, "password", "/account");
            ([(header::SET_COOKIE, done)], Redirect::to("/account")).into_response()
        }
        Ok(Changed::Wrong) => refuse("Current password: that is not it.".into()),
        Ok(Changed::Overtaken) => Redirect::to("/sign-in").into_response(),
        Err(fault) => {
            later("/account", &fields, format!("The password may not have been changed. {}", away(&fault)))
        }
    })
}
