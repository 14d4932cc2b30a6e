//! The public address: what stands between it and the server, and what that does to requests and sockets.

use super::client::{Place, connect, get, send, text};
use super::report::Report;
use crate::server::broker::redis::Redis;
use crate::server::config::Config;
use crate::server::probe::{self, PROBE_HEADER, Seen};
use axum::http::{HeaderValue, StatusCode, header};
use futures::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::Duration;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

/// An address of nobody (RFC 5737).
const NOBODY: &str = "203.0.113.77";
/// A socket must answer after so long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// What is silent is never silent for longer, since both ends say something.
const HEARTBEAT: Duration = Duration::from_secs(25);

/// One look at the address.
struct Look<'a> {
    to: Place,
    token: &'a str,
    report: &'a mut Report,
}

pub async fn look(config: &Config, at_work: bool, address: &str, idle: Duration, report: &mut Report) {
    let Some(to) = Place::parse(address) else {
        return report.fault("address", format!("{address} is no address: write https://chat.example.org"));
    };
    if !look_at_plain(&to, report).await {
        return;
    }
    let token = match token(config, at_work).await {
        Ok(token) => token,
        Err(why) => {
            return report
                .warning("proxy", format!("what stands before the server cannot be looked at: {why}"));
        }
    };
    let mut look = Look { to, token: &token, report };
    let seen = look.socket(idle).await;
    let seen = match seen {
        Some(seen) => Some(seen),
        None => look.plain(None).await.map(|(seen, local)| (seen, Some(local))),
    };
    if let Some((seen, local)) = seen {
        look.forwarded(&seen, local).await;
        look.cookie(&seen);
    }
}

/// What lets the probe in: from the server that is at work here, or from the store.
async fn token(config: &Config, at_work: bool) -> Result<String, String> {
    #[cfg(unix)]
    if at_work {
        use crate::server::admin::{Ask, socket};
        let lines = socket::ask(&config.data_dir, &Ask::Probe).await?;
        return lines.into_iter().next().ok_or("the server gave no token".into());
    }
    let _ = at_work;
    let settings = config.redis.as_ref();
    let settings =
        settings.ok_or("no Beck is at work on the data folder: start it, and run this beside it")?;
    let log = Redis::open(settings).await?;
    probe::mint(&log).await.map_err(|fault| fault.to_string().trim_end_matches('.').to_owned())
}

/// Whether a Beck answers there at all.
async fn look_at_plain(to: &Place, report: &mut Report) -> bool {
    let origin = to.origin();
    let stream = match connect(to).await {
        Ok((stream, _)) => stream,
        Err(why) => {
            report.fault("address", why);
            return false;
        }
    };
    let response = match send(stream, get(to, "/healthz")).await {
        Ok(response) => response,
        Err(why) => {
            report.fault("address", format!("{origin} {why}: see the proxy's log"));
            return false;
        }
    };
    let status = response.status();
    let moved = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
    let text = text(response).await;
    match (status.as_u16(), moved) {
        (200, _) if text == "ok" => {
            report.ok("address", format!("a Beck answers at {origin}"));
            return true;
        }
        (301..=308, Some(moved)) => {
            report.fault("address", format!("{origin} leads to {moved}: give that address"));
        }
        (502..=504, _) => report.fault(
            "address",
            format!(
                "the proxy at {origin} cannot reach Beck (status {}): see the address it passes on to",
                status.as_u16()
            ),
        ),
        _ => report.fault(
            "address",
            format!(
                "what answers at {origin} is no Beck (status {}): see where its name and the proxy lead",
                status.as_u16()
            ),
        ),
    }
    false
}

impl Look<'_> {
    fn request(&self) -> axum::http::Request<axum::body::Body> {
        let mut request = get(&self.to, "/ws");
        if let Ok(token) = HeaderValue::from_str(self.token) {
            request.headers_mut().insert(PROBE_HEADER, token);
        }
        if let Ok(origin) = HeaderValue::from_str(&self.to.origin()) {
            request.headers_mut().insert(header::ORIGIN, origin);
        }
        request
    }

    /// What the server sees of a plain request, with an address of nobody before it or not.
    async fn plain(&mut self, forwarded: Option<&'static str>) -> Option<(Seen, SocketAddr)> {
        let (stream, local) = connect(&self.to).await.ok()?;
        let mut request = self.request();
        if let Some(forwarded) = forwarded {
            request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static(forwarded));
        }
        let response = send(stream, request).await.ok()?;
        serde_json::from_str(&text(response).await).ok().map(|seen| (seen, local))
    }

    /// Opens a socket and leaves it alone for a while.
    async fn socket(&mut self, idle: Duration) -> Option<(Seen, Option<SocketAddr>)> {
        let origin = self.to.origin();
        let (stream, local) = match connect(&self.to).await {
            Ok(connected) => connected,
            Err(why) => {
                self.report.fault("upgrade", why);
                return None;
            }
        };
        let mut request = self.request();
        for (name, value) in [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "YmVjayBkb2N0b3IgbG9va3M="),
        ] {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let response = match send(stream, request).await {
            Ok(response) => response,
            Err(why) => {
                self.report.fault("upgrade", format!("{origin} {why} at /ws: see the proxy's log"));
                return None;
            }
        };
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let text = text(response).await;
            let seen: Option<Seen> = serde_json::from_str(&text).ok();
            match &seen {
                Some(Seen { origin_fault: Some(why), upgrade, .. }) => {
                    if !upgrade {
                        self.no_upgrade();
                    }
                    let why = why.trim_end_matches('.');
                    self.report.fault("origin", format!("pages of {origin} can neither post nor open a socket: {why}. The proxy must pass Host and Origin on as they came"));
                }
                Some(_) => {
                    self.no_upgrade();
                    self.report.ok("origin", format!("pages of {origin} may post"));
                }
                None if status == StatusCode::UNAUTHORIZED => self.report.fault(
                    "address",
                    format!("{origin} leads to another Beck than the one of these settings: see where the proxy passes on to"),
                ),
                None => self.report.fault(
                    "upgrade",
                    format!("the proxy answers /ws itself (status {}): let it pass /ws on", status.as_u16()),
                ),
            }
            return seen.map(|seen| (seen, Some(local)));
        }
        let upgraded = hyper::upgrade::on(response).await.ok()?;
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await;
        let first = tokio::time::timeout(ANSWER_TIMEOUT, socket.next()).await;
        let seen = match first {
            Ok(Some(Ok(Message::Text(text)))) => serde_json::from_str::<Seen>(&text).ok(),
            _ => None,
        };
        let Some(seen) = seen else {
            self.report.fault(
                "upgrade",
                format!("a socket of {origin} opens and carries nothing: see whether the proxy buffers /ws"),
            );
            return None;
        };
        self.report.ok("upgrade", "sockets are passed on");
        self.report.ok("origin", format!("pages of {origin} may post and open sockets"));
        self.idle(&mut socket, idle).await;
        Some((seen, Some(local)))
    }

    fn no_upgrade(&mut self) {
        self.report.fault("upgrade", "the proxy takes the headers Upgrade and Connection away, so that pages open no socket: let it pass them on at /ws (docs/proxy.md has the lines)");
    }

    async fn idle<S: super::client::Stream>(&mut self, socket: &mut WebSocketStream<S>, idle: Duration) {
        say!("Leaving a socket without a word for {} s.", idle.as_secs());
        let began = std::time::Instant::now();
        let cut = tokio::time::timeout(idle, socket.next()).await.is_ok();
        let silent = began.elapsed().as_secs();
        let answers = async {
            socket.send(Message::text("still there")).await.ok()?;
            socket.next().await?.ok()
        };
        if !cut && matches!(tokio::time::timeout(ANSWER_TIMEOUT, answers).await, Ok(Some(_))) {
            let enough = if idle > HEARTBEAT {
                ""
            } else {
                "; both ends say something every 25 s: look with --idle 30"
            };
            return self
                .report
                .ok("idle", format!("a silent socket is open after {} s{enough}", idle.as_secs()));
        }
        let what = format!("the proxy cuts a socket that was silent for {silent} s or less");
        let change = "let it wait for 60 s or more (docs/proxy.md)";
        if cut && Duration::from_secs(silent) > HEARTBEAT * 2 {
            self.report.ok("idle", format!("{what}; both ends say something every 25 s, so no page notices"));
        } else {
            self.report
                .fault("idle", format!("{what}, and both ends say something only every 25 s: {change}"));
        }
    }

    /// Whose requests the server takes ours for.
    async fn forwarded(&mut self, seen: &Seen, local: Option<SocketAddr>) {
        if local.is_some_and(|local| local == seen.peer) {
            return self.report.ok("forwarded", format!("nothing stands between: Beck sees {}", seen.client));
        }
        let proxy = seen.peer.ip().to_canonical();
        let pretended = self.plain(Some(NOBODY)).await.map(|(seen, _)| seen);
        if pretended.is_some_and(|seen| seen.client.to_string() == NOBODY) {
            return self.report.fault("forwarded", format!("the proxy at {proxy} passes on what anybody writes into X-Forwarded-For, and TRUSTED_PROXIES names it: let it set or extend that header (docs/proxy.md)"));
        }
        if seen.forwarded.is_empty() {
            return self.report.warning("forwarded", format!("the proxy at {proxy} does not say whose request it passes on, so that everyone counts as one when tries to sign in are counted: let it set X-Forwarded-For (docs/proxy.md)"));
        }
        let last = seen.forwarded.last().and_then(|line| line.rsplit(',').next()).unwrap_or_default().trim();
        if seen.client == proxy && last != proxy.to_string() {
            return self.report.warning("forwarded", format!("Beck does not believe the proxy at {proxy} whose request it passes on, so that everyone counts as one: set TRUSTED_PROXIES={proxy}"));
        }
        self.report.ok("forwarded", format!("by way of the proxy at {proxy} Beck sees {}", seen.client));
    }

    fn cookie(&mut self, seen: &Seen) {
        let origin = self.to.origin();
        let secure = seen.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
        match (self.to.https, secure) {
            (true, true) => self.report.ok("https", "the login cookie is Secure"),
            (false, true) => self.report.fault("https", format!("PUBLIC_URL is https, and browsers keep no Secure cookie of {origin}: people must open the https address; let the proxy lead there")),
            (true, false) => self.report.warning("https", format!("the login cookie is not Secure: set PUBLIC_URL={origin}")),
            (false, false) if self.to.is_loopback() => self.report.ok("https", "not needed on this machine itself"),
            (false, false) => self.report.warning("https", format!("passwords and messages can be read on their way to {origin}: put a proxy with https before Beck (docs/proxy.md), and set PUBLIC_URL")),
        }
    }
}
