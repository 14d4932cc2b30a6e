//! Forms of accounts: the first run, signing up, in and out, the password.

use super::{Fields, again, away, done_cookie, failed, field, later, me, message, wants_json};
use crate::protocol::{AccountId, Quiet, bounds};
use crate::server::accounts::{self, AccountError, NewAccount};
use crate::server::auth;
use crate::server::broker::BrokerError;
use crate::server::node::Node;
use crate::server::passwords::Changed;
use crate::server::unread;
use axum::extract::{ConnectInfo, Form, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What is wrong, in the words of the page's labels.
fn words(fault: &AccountError) -> String {
    match fault {
        AccountError::Field { field, what } => {
            let label = match *field {
                "workspace" => "Name of your team",
                "name" => "Your name",
                "handle" => "Handle",
                _ => "Password",
            };
            format!("{label}: {what}")
        }
        AccountError::Unavailable(what) => what.clone(),
    }
}

fn refused(path: &str, fields: &BTreeMap<String, String>, fault: &AccountError) -> Response {
    let answer = if matches!(fault, AccountError::Unavailable(_)) { later } else { again };
    answer(path, fields, words(fault))
}

/// A fresh account's first login, and the way to a page.
async fn signed_in_to(node: &Node, account: AccountId, path: &str) -> Response {
    match node.sign_in(account).await {
        Ok(token) => with_cookie(node, Some(&token), Redirect::to(path)),
        Err(fault) => later("/sign-in", &BTreeMap::new(), away(&fault)),
    }
}

/// An answer that hands out a login, or ends the one that the browser has.
fn with_cookie(node: &Node, token: Option<&str>, answer: impl IntoResponse) -> Response {
    ([(header::SET_COOKIE, auth::login_cookie(&node.config, token))], answer).into_response()
}

const TOO_MANY: &str = "Too many tries. Wait a minute, then try again.";

pub async fn set_up(State(node): State<Arc<Node>>, Form(fields): Fields) -> Response {
    if !accounts::needs_setup(&node) {
        return again(
            "/setup",
            &fields,
            "This workspace has an owner already, or is not ready. Sign in.".into(),
        );
    }
    match node.setup_code().await {
        Ok(code) if code.as_deref().is_none_or(|code| auth::equal(code, field(&fields, "code"))) => {}
        Ok(_) => {
            return again("/setup", &fields, "One-time code: that is not the one the server printed.".into());
        }
        Err(fault) => return later("/setup", &fields, away(&fault)),
    }
    let new = NewAccount {
        name: field(&fields, "name"),
        handle: field(&fields, "handle"),
        password: field(&fields, "password"),
    };
    match accounts::set_up(&node, field(&fields, "workspace"), new).await {
        Ok((account, room)) => {
            node.drop_setup_code().await;
            signed_in_to(&node, account, &format!("/r/{room}")).await
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
    match check_in(&node, from.ip(), field(&fields, "handle"), field(&fields, "password")).await {
        Ok(token) if script => with_cookie(&node, Some(&token), (StatusCode::NO_CONTENT, unstored)),
        Ok(token) => with_cookie(&node, Some(&token), Redirect::to("/")),
        Err((status, why)) if script => message(status, &why),
        Err((StatusCode::SERVICE_UNAVAILABLE, why)) => later("/sign-in", &fields, why),
        Err((_, why)) => again("/sign-in", &fields, why),
    }
}

/// The token of a new login, or the status and the words of a refusal.
async fn check_in(
    node: &Node,
    from: IpAddr,
    handle: &str,
    password: &str,
) -> Result<String, (StatusCode, String)> {
    let unavailable = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why);
    let handle = handle.trim().to_lowercase();
    if !node.auth.attempt(from, &handle, node.uptime_ms()) {
        return Err((StatusCode::TOO_MANY_REQUESTS, TOO_MANY.into()));
    }
    let login = accounts::sign_in(node, &handle, password).await.map_err(|fault| match fault {
        AccountError::Field { what, .. } => (StatusCode::UNAUTHORIZED, what),
        AccountError::Unavailable(why) => unavailable(why),
    })?;
    node.begin(login).await.map_err(|fault| unavailable(away(&fault)))
}

pub async fn join(
    State(node): State<Arc<Node>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(token): Path<String>,
    Form(fields): Fields,
) -> Response {
    let path = format!("/join/{token}");
    if !node.auth.attempt(from.ip(), "", node.uptime_ms()) {
        return again(&path, &fields, TOO_MANY.into());
    }
    match node.is_join_token(&token).await {
        Ok(true) => {}
        Ok(false) => {
            return again(&path, &fields, "This link does not work any more. Ask for a new one.".into());
        }
        Err(fault) => return later(&path, &fields, away(&fault)),
    }
    let new = NewAccount {
        name: field(&fields, "name"),
        handle: field(&fields, "handle"),
        password: field(&fields, "password"),
    };
    match accounts::sign_up(&node, new).await {
        Ok(account) => signed_in_to(&node, account, "/").await,
        Err(fault) => refused(&path, &fields, &fault),
    }
}

/// A link that signs its holder in: made by `beck demo`, good for a day.
pub async fn enter(State(node): State<Arc<Node>>, Path(token): Path<String>) -> Response {
    let entered: Result<_, BrokerError> = async {
        let Some(login) = node.enter(&token).await? else { return Ok(None) };
        node.begin(login).await.map(Some)
    }
    .await;
    match entered {
        Ok(Some(token)) => with_cookie(&node, Some(&token), Redirect::to("/")),
        Ok(None) => Redirect::to("/sign-in").into_response(),
        Err(fault) => later("/sign-in", &BTreeMap::new(), away(&fault)),
    }
}

pub async fn sign_out(State(node): State<Arc<Node>>, headers: HeaderMap) -> Response {
    if let Some(token) = auth::token(&headers, &node.config)
        && let Err(fault) = node.sign_out(token).await
    {
        return (StatusCode::SERVICE_UNAVAILABLE, fault.to_string()).into_response();
    }
    with_cookie(&node, None, Redirect::to("/sign-in"))
}

/// Ends every login of the account, this one too.
pub async fn sign_out_everywhere(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    Ok(match node.sign_out_everywhere(me).await {
        Ok(()) => with_cookie(&node, None, Redirect::to("/sign-in")),
        Err(fault) => later("/account", &BTreeMap::new(), away(&fault)),
    })
}

/// Says something of oneself: `text`, `for` (minutes; none: until it is changed), `do_not_disturb`.
pub async fn set_status(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    let for_ms = field(&fields, "for").parse::<u32>().ok().map(|minutes| u64::from(minutes) * 60_000);
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
        Err(fault) => later("/account", &fields, format!("Quiet hours: {fault}")),
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
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Result<Response, Response> {
    let me = me(&node, &headers).await?;
    let refuse = |why: String| again("/account", &fields, why);
    let (current, new) = (field(&fields, "current"), field(&fields, "new"));
    if let Err(unfit) = bounds::password(new) {
        return Ok(refuse(format!("New password: {unfit}")));
    }
    // Apart from the tries to sign in under the handle: strangers must not keep its owner from this form.
    if !node.auth.attempt(from.ip(), &format!("password of {me}"), node.uptime_ms()) {
        return Ok(refuse(TOO_MANY.into()));
    }
    let token = auth::token(&headers, &node.config).unwrap_or_default();
    Ok(match node.change_password((me, token), current, new).await {
        Ok(Changed::Done) => {
            let done = done_cookie(&node.config, "password", "/account");
            ([(header::SET_COOKIE, done)], Redirect::to("/account")).into_response()
        }
        Ok(Changed::Wrong) => refuse("Current password: that is not it.".into()),
        Ok(Changed::Overtaken) => Redirect::to("/sign-in").into_response(),
        Err(fault) => later("/account", &fields, format!("The password may not have been changed: {fault}")),
    })
}
