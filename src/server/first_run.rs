//! The one-time code of the first run: whoever can reach the page could make themselves the owner without it.

use super::auth::new_token;
use super::broker::{BrokerError, SecretOp};
use super::config::Config;
use super::node::Node;
use super::proxies::Peer;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use std::io::Write as _;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::Ordering;

/// The secret that is there before there is a workspace.
pub const SETUP_SECRET: &str = "setup";
/// Long enough that no number of addresses guesses it, so that no bucket is needed that strangers could use up for all.
const CODE_CHARS: usize = 16;

/// Whether a request comes from this machine and from nowhere else: only then the first run asks for no code. A proxy on
/// this machine has a loopback address too, and a page of another site can make a browser of this machine send requests
/// under a name of its own (DNS rebinding). A server that listens elsewhere than on loopback always asks: a relay that adds
/// no header passes on whatever Host a stranger wrote.
pub fn is_local(config: &Config, peer: IpAddr, uri: &Uri, headers: &HeaderMap) -> bool {
    let forwarded = |name: &str| {
        name.starts_with("x-forwarded") || matches!(name, "forwarded" | "via" | "x-real-ip" | "x-client-ip")
    };
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
        _ => None,
    };
    config.address.ip().is_loopback()
        && config.public_url.is_none()
        && peer.to_canonical().is_loopback()
        && !headers.keys().any(|name| forwarded(name.as_str()))
        && host.is_some_and(|host| is_loopback(&host))
        && uri.authority().is_none_or(is_loopback)
}

fn is_loopback(authority: &Authority) -> bool {
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => host.parse::<Ipv6Addr>().is_ok_and(|ip| IpAddr::V6(ip).to_canonical().is_loopback()),
        None => {
            host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    }
}

/// Whether the start is to print the code: people reach this server from elsewhere, as far as its settings say.
pub fn is_public(config: &Config) -> bool {
    !config.address.ip().is_loopback() || config.public_url.is_some()
}

impl Node {
    /// Whether the first run asks this client for the code. Without a peer it does.
    pub fn asks_code(&self, peer: Option<Peer>) -> bool {
        !peer.is_some_and(|peer| peer.local)
    }

    /// The code that the first run asks for, the same on every server.
    pub async fn setup_code(&self) -> Result<String, BrokerError> {
        self.standing(SETUP_SECRET, &new_token()?[..CODE_CHARS]).await
    }

    /// Prints the code once, where the start line stands: it is asked for now, and whoever runs the server must find it.
    pub async fn print_setup_code(&self) -> Result<String, BrokerError> {
        let code = self.setup_code().await?;
        if !self.auth.code_printed.swap(true, Ordering::AcqRel) {
            let _ = writeln!(std::io::stdout(), "The first account needs this one-time code: {code}");
        }
        Ok(code)
    }

    /// The first run is over: its code is of no more use.
    pub async fn drop_setup_code(&self) {
        let _ = self.broker.secret(SETUP_SECRET.into(), SecretOp::Delete).await;
    }
}
