//! Proxies that are trusted to say whose request they pass on.

use super::first_run::is_local;
use super::node::Node;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Once};

/// An address, or all that share its first bits: `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// A text that is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadNetwork;

impl FromStr for Network {
    type Err = BadNetwork;
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| BadNetwork)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| BadNetwork)?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        if bits <= all { Ok(Network { address, bits }) } else { Err(BadNetwork) }
    }
}

impl Network {
    /// Whether an address is in it.
    pub fn holds(&self, other: IpAddr) -> bool {
        let same = |a: u128, b: u128, all: u32| (a ^ b).checked_shr(all - self.bits).unwrap_or(0) == 0;
        match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }
}

/// The address that asks: the last one of `X-Forwarded-For` that is no trusted proxy's, if the peer is one.
pub fn client(trusted: &[Network], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
    let mut asks = peer.to_canonical();
    let lines = headers.get_all("x-forwarded-for").iter().rev().filter_map(|line| line.to_str().ok());
    for named in lines.flat_map(|line| line.rsplit(',')) {
        let address = named.trim().parse().ok();
        let with_port = || named.trim().parse().ok().map(|address: SocketAddr| address.ip());
        match address.or_else(with_port) {
            Some(named) if is_trusted(asks) => asks = named.to_canonical(),
            _ => break,
        }
    }
    asks
}

/// Says once in the life of the process that a request came by way of a proxy which the settings do not name, as far as
/// its headers say. Anybody can write them, so nothing else follows from them.
fn warn_of_unnamed_proxy(trusted: &[Network], peer: IpAddr, headers: &HeaderMap) {
    static WARNED: Once = Once::new();
    let peer = peer.to_canonical();
    let Some(header) = ["x-forwarded-for", "forwarded"].into_iter().find(|name| headers.contains_key(*name))
    else {
        return;
    };
    if !trusted.iter().any(|network| network.holds(peer)) {
        WARNED.call_once(|| {
            tracing::warn!(
                %peer,
                "A request from {peer} has the header {header}, which is not believed: TRUSTED_PROXIES does not name \
                 {peer}. If that is your proxy, everyone behind it counts as one person when tries to sign in are \
                 counted: set TRUSTED_PROXIES={peer}, and let the proxy set X-Forwarded-For (docs/proxy.md). If it is \
                 not, change nothing."
            );
        });
    }
}

/// Who connected, which may be a proxy.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    pub peer: SocketAddr,
    /// Who asks.
    pub client: IpAddr,
    /// The request comes from this machine, and by no proxy: see [`is_local`].
    pub local: bool,
}

/// What comes after it sees the address of who asks instead of the proxy's.
pub async fn forwarded(State(node): State<Arc<Node>>, mut request: Request<Body>, next: Next) -> Response {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
        let trusted = &node.config.trusted_proxies;
        warn_of_unnamed_proxy(trusted, peer.ip(), request.headers());
        let asks = client(trusted, peer.ip(), request.headers());
        let local = is_local(&node.config, peer.ip(), request.uri(), request.headers());
        request.extensions_mut().insert(Peer { peer, client: asks, local });
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(asks, peer.port())));
    }
    next.run(request).await
}
