//! The address of a server, as somebody types or pastes it: what it means, and what is wrong with it.

use super::server::Fault;
use crate::protocol::PROTOCOL_VERSION;
use reqwest::{Client, StatusCode, Url, redirect::Policy};
use serde::Deserialize;
use std::error::Error;
use std::time::Duration;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest};

/// A server that takes longer is told of as one that does not answer.
const ANSWER: Duration = Duration::from_secs(15);
/// Sent with the trial upgrade: who is let through to the server is told there that this login is none.
const NO_LOGIN: &str = "Bearer 0000000000000000000000000000000000000000000000000000000000000000";

/// What a server says of itself at `/api/v1/server`.
#[derive(Debug, Deserialize)]
struct Said {
    beck: String,
    protocol: u32,
    workspace: String,
    #[serde(default)]
    needs_setup: bool,
}

/// A server that this app can speak with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Scheme, host and port, without a slash at the end.
    pub base: String,
    /// Empty before the first run.
    pub workspace: String,
    /// The first run has not been done: in a browser.
    pub needs_setup: bool,
    /// The address was an invitation: what its link ends with.
    pub invitation: Option<String>,
}

/// What is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("This is no address. It looks like chat.example.org, or https://chat.example.org.")]
    NoAddress,
    #[error("There is no server with the name {0}. Is it spelled right, and is this computer online?")]
    NoSuchName(String),
    #[error("Nothing answers at {0}. Is the server running, and is this its port?{1}")]
    NoAnswer(String, &'static str),
    #[error(
        "{0} has a certificate that this computer does not trust ({1}). Ask whoever runs the server; do not go on with a password."
    )]
    Certificate(String, String),
    #[error("{0} answers, but it is not a Beck server ({1}).")]
    NotBeck(String, String),
    #[error(
        "The server at {0} runs Beck {1}, which is too old for this app. Ask whoever runs it to upgrade it."
    )]
    TooOld(String, String),
    #[error(
        "The server at {0} runs Beck {1}, which is newer than this app understands. Install a newer app."
    )]
    TooNew(String, String),
    #[error("The server at {0} is starting. Try again in a moment.")]
    Starting(String),
    #[error(
        "The server at {0} answers, but a proxy before it lets no WebSocket through ({1}). Whoever runs the proxy has to let it pass on the headers Upgrade and Connection."
    )]
    NoUpgrade(String, String),
}

fn parse(typed: &str) -> Result<(Url, bool), Wrong> {
    let typed = typed.trim();
    let (text, guessed) = match typed.split_once("://") {
        Some(("http" | "https", _)) => (typed.to_owned(), false),
        Some(_) => return Err(Wrong::NoAddress),
        None => {
            let host = typed.split(['/', ':']).next().unwrap_or("");
            let here = host == "localhost" || host.starts_with("127.") || typed.starts_with("[::1]");
            (format!("{}://{typed}", if here { "http" } else { "https" }), !here)
        }
    };
    let url = Url::parse(&text).map_err(|_| Wrong::NoAddress)?;
    let is_name = url.host_str().is_some_and(|host| !host.is_empty()) && !typed.contains(char::is_whitespace);
    if is_name && url.username().is_empty() && url.password().is_none() {
        Ok((url, guessed))
    } else {
        Err(Wrong::NoAddress)
    }
}

fn base(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Finds out whether there is a Beck server that this app can speak with.
pub async fn check(typed: &str) -> Result<Found, Wrong> {
    let (mut url, guessed) = parse(typed)?;
    let invitation = url.path().strip_prefix("/join/").map(|token| token.trim_end_matches('/').to_owned());
    let client = Client::builder().redirect(Policy::none()).no_proxy().timeout(ANSWER).build();
    let client = client.map_err(|fault| Wrong::NotBeck(base(&url), fault.to_string()))?;
    let mut led = false;
    let said = loop {
        let at = base(&url);
        let answer = client.get(format!("{at}/api/v1/server")).send().await;
        let answer = answer.map_err(|fault| wrong(&url, guessed, &fault))?;
        let status = answer.status();
        // As from http to https; what is asked there is asked for anew.
        let to = answer.headers().get("location").and_then(|to| url.join(to.to_str().ok()?).ok());
        if let Some(to) = to.filter(|to| status.is_redirection() && !led && to.path() == "/api/v1/server") {
            (url, led) = (to, true);
            continue;
        }
        let text = answer.text().await.unwrap_or_default();
        break match serde_json::from_str::<Said>(&text) {
            Ok(said) if status.is_success() => said,
            _ if status == StatusCode::SERVICE_UNAVAILABLE && text.starts_with("Beck ") => {
                return Err(Wrong::Starting(at));
            }
            _ => return Err(Wrong::NotBeck(at, format!("it answers {status} where Beck says its version"))),
        };
    };
    let at = base(&url);
    match said.protocol.cmp(&PROTOCOL_VERSION) {
        std::cmp::Ordering::Less => return Err(Wrong::TooOld(at, said.beck)),
        std::cmp::Ordering::Greater => return Err(Wrong::TooNew(at, said.beck)),
        std::cmp::Ordering::Equal => {}
    }
    upgrade(&at).await?;
    Ok(Found { base: at, workspace: said.workspace, needs_setup: said.needs_setup, invitation })
}

/// Tries to open a socket without a login: the refusal has to be the server's own.
async fn upgrade(base: &str) -> Result<(), Wrong> {
    let none = |why: String| Err(Wrong::NoUpgrade(base.to_owned(), why));
    let request = format!("{}/ws", base.replacen("http", "ws", 1)).into_client_request();
    let Ok(mut request) = request else { return none("no address".into()) };
    if let Ok(login) = NO_LOGIN.parse() {
        request.headers_mut().insert("authorization", login);
    }
    match tokio::time::timeout(ANSWER, tokio_tungstenite::connect_async(request)).await {
        Ok(Err(tungstenite::Error::Http(answer))) if answer.status().as_u16() == 401 => Ok(()),
        Ok(Err(tungstenite::Error::Http(answer))) => none(format!("the answer is {}", answer.status())),
        Ok(Err(fault)) => none(fault.to_string()),
        Ok(Ok(_)) => none("something else than Beck took the connection".into()),
        Err(_) => none("there is no answer".into()),
    }
}

fn wrong(url: &Url, guessed: bool, fault: &reqwest::Error) -> Wrong {
    let at = base(url);
    let mut cause: &dyn Error = fault;
    let mut texts = vec![cause.to_string()];
    while let Some(deeper) = cause.source() {
        cause = deeper;
        texts.push(cause.to_string());
    }
    let has = |words: &[&str]| texts.iter().any(|text| words.iter().any(|word| text.contains(word)));
    let last = texts.last().cloned().unwrap_or_default();
    if has(&["certificate"]) {
        Wrong::Certificate(at, last)
    } else if has(&["dns error", "failed to lookup"]) {
        Wrong::NoSuchName(url.host_str().unwrap_or_default().to_owned())
    } else if fault.is_connect() && has(&["InvalidContentType", "corrupt message"]) {
        Wrong::NotBeck(
            at,
            "it does not speak https there; an address that begins with http:// may be meant".into(),
        )
    } else if fault.is_connect() || fault.is_timeout() {
        Wrong::NoAnswer(
            at,
            if guessed { " A server without https needs an address that begins with http://." } else { "" },
        )
    } else {
        Wrong::NotBeck(at, last)
    }
}

impl From<Wrong> for Fault {
    fn from(wrong: Wrong) -> Fault {
        Fault::Other(wrong.to_string())
    }
}
