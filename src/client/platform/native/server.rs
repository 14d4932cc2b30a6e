//! A server as a device asks it outside the socket: with a bearer token, no cookies, no redirects followed.

use crate::api::{Boot, BootJson};
use crate::client::session::Probe;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Client, RequestBuilder, StatusCode, redirect::Policy};
use std::time::Duration;

/// An answer that takes longer is none.
const ANSWER: Duration = Duration::from_secs(20);

/// A server's address and a login there.
#[derive(Clone)]
pub struct Server {
    /// Scheme, host and port, without a slash at the end.
    base: String,
    token: String,
    http: Client,
}

/// What a server answered to a request that was passed on.
pub struct Passed {
    pub status: u16,
    pub kind: Option<String>,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// Why there is no answer to go on with, in words for a person.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The login is not good, or not any more.
    #[error("{0}")]
    SignedOut(String),
    #[error("{0}")]
    Other(String),
}

fn fault(status: StatusCode, text: &str) -> Fault {
    let said = serde_json::from_str::<serde_json::Value>(text).ok();
    let said = said.and_then(|json| Some(json.get("message")?.as_str()?.to_owned()));
    let short = || if text.len() < 300 && !text.contains('<') { text.trim() } else { "" }.to_owned();
    let said = said.unwrap_or_else(short);
    let said = if said.is_empty() { format!("The server answers {status}.") } else { said };
    if status == StatusCode::UNAUTHORIZED { Fault::SignedOut(said) } else { Fault::Other(said) }
}

impl Server {
    pub fn new(base: &str, token: &str) -> Result<Server, Fault> {
        let http = Client::builder().redirect(Policy::none()).no_proxy().timeout(ANSWER).build();
        let http = http.map_err(|fault| Fault::Other(fault.to_string()))?;
        Ok(Server { base: base.trim_end_matches('/').to_owned(), token: token.to_owned(), http })
    }

    /// Signs in; the server's refusal is given in its own words.
    pub async fn sign_in(base: &str, handle: &str, password: &str) -> Result<Server, Fault> {
        Server::enter(base, "/sign-in", &[("handle", handle), ("password", password)]).await
    }

    async fn enter(base: &str, path: &str, fields: &[(&str, &str)]) -> Result<Server, Fault> {
        let server = Server::new(base, "")?;
        let post = server.http.post(format!("{}{path}", server.base)).header(ORIGIN, &server.base);
        let post = post.header(ACCEPT, "application/json").form(fields);
        let answer = post.send().await.map_err(|fault| unreachable(&fault))?;
        let mut cookies = answer.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        // Its name has a prefix on https, and ends with the workspace.
        let token = cookies.find_map(|cookie| {
            let (name, value) = cookie.split(';').next()?.split_once('=')?;
            name.trim_start_matches("__Host-").starts_with("beck_login").then(|| value.to_owned())
        });
        let status = answer.status();
        match token {
            Some(token) if status.is_success() || status.is_redirection() => Ok(Server { token, ..server }),
            _ => Err(fault(status, &answer.text().await.unwrap_or_default())),
        }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    pub(super) fn socket_url(&self) -> String {
        format!("{}/ws", self.base.replacen("http", "ws", 1))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// What a client begins with: who I am, and my rooms.
    pub async fn boot(&self) -> Result<Boot, Fault> {
        let answer = self.get("/api/v1/boot").send().await.map_err(|fault| unreachable(&fault))?;
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        if !status.is_success() {
            return Err(fault(status, &text));
        }
        let boot = serde_json::from_str::<BootJson>(&text).and_then(|boot| boot.read());
        let boot = boot.map_err(|_| Fault::Other("This server does not speak as Beck does.".into()))?;
        match boot.me {
            Some(_) => Ok(boot),
            None => Err(Fault::SignedOut("This login has ended. Sign in again.".into())),
        }
    }

    /// Passes a request of the page on; gives the answer's status, type, address that it leads to, and body.
    pub async fn pass(
        &self,
        method: reqwest::Method,
        path: &str,
        headers: [Option<&str>; 2],
        body: Vec<u8>,
    ) -> Result<Passed, Fault> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        for (name, value) in [ACCEPT, CONTENT_TYPE].into_iter().zip(headers) {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let answer = request.body(body).send().await.map_err(|fault| unreachable(&fault))?;
        let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (kind, location) = (text(CONTENT_TYPE), text(LOCATION));
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(|fault| unreachable(&fault))?.to_vec();
        Ok(Passed { status, kind, location, body })
    }

    /// Signs somebody up by an invitation.
    pub async fn join(base: &str, invitation: &str, fields: &[(&str, &str)]) -> Result<Server, Fault> {
        Server::enter(base, &format!("/join/{invitation}"), fields).await
    }

    /// Ends the login.
    pub async fn sign_out(&self) -> Result<(), Fault> {
        let post = self.http.post(format!("{}/sign-out", self.base)).bearer_auth(&self.token);
        let answer = post.send().await.map_err(|fault| unreachable(&fault))?;
        let status = answer.status();
        if status.is_success() || status.is_redirection() { Ok(()) } else { Err(fault(status, "")) }
    }

    /// What stands in the way of a socket.
    pub async fn probe(&self) -> Probe {
        match self.get("/api/v1/login").send().await.map(|answer| answer.status()) {
            Ok(StatusCode::NO_CONTENT) => Probe::SignedIn,
            Ok(StatusCode::UNAUTHORIZED) => Probe::SignedOut,
            _ => Probe::Unreachable,
        }
    }
}

fn unreachable(fault: &reqwest::Error) -> Fault {
    let mut cause: &dyn std::error::Error = fault;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Fault::Other(format!("The server does not answer: {cause}."))
}
