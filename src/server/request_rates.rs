//! How many requests one account, and one address, may make. Sign-in and sign-up have rates of their own in `auth`.

use super::node::Node;
use super::proxies::Peer;
use super::throttle::{AddressBlock, Rate, Throttle};
use crate::protocol::AccountId;
use axum::body::Body;
use axum::extract::Request;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Forms of one account: no fewer than a socket may send frames, or people without a script would be held up.
const FORMS: Rate = Rate { burst: 300.0, per_second: 30.0 };
/// Completions that one account asks for: one for each key that it types.
const NAMES: Rate = Rate { burst: 30.0, per_second: 10.0 };
/// Requests of one address that may change something, whoever makes them: a school shares one.
const ADDRESS: Rate = Rate { burst: 300.0, per_second: 30.0 };
/// Accounts or addresses that are counted at once.
const KEYS: usize = 50_000;

pub const TOO_MANY: &str = "Too many requests. Wait a moment and try again.";

pub struct RequestRates {
    forms: Mutex<Throttle>,
    names: Mutex<Throttle>,
    addresses: Mutex<Throttle>,
}

impl Default for RequestRates {
    fn default() -> Self {
        RequestRates {
            forms: Mutex::new(Throttle::new(FORMS, KEYS)),
            names: Mutex::new(Throttle::new(NAMES, KEYS)),
            addresses: Mutex::new(Throttle::new(ADDRESS, KEYS)),
        }
    }
}

impl RequestRates {
    /// Whether an account may send one more form at `now`, in milliseconds.
    pub fn form(&self, account: AccountId, now: u64) -> bool {
        take(&self.forms, account, now)
    }

    /// Whether an account may ask for one more completion.
    pub fn names(&self, account: AccountId, now: u64) -> bool {
        take(&self.names, account, now)
    }

    /// Whether an address may make one more request that changes something; an IPv6 /64 counts as one.
    pub fn address(&self, address: IpAddr, now: u64) -> bool {
        take(&self.addresses, AddressBlock::of(address), now)
    }
}

fn take(throttle: &Mutex<Throttle>, key: impl Hash, now: u64) -> bool {
    throttle.lock().unwrap_or_else(PoisonError::into_inner).take(key, now).is_ok()
}

/// Whether the address of a request may make it. One that may be that of a proxy which does not say whose request it
/// passes on has no rate: it would be everybody's.
pub fn admits(node: &Node, request: &Request<Body>) -> bool {
    let client = request.extensions().get::<Peer>().map(|peer| peer.client);
    let is_proxy = |address: IpAddr| {
        address.is_loopback() || node.config.trusted_proxies.iter().any(|proxy| proxy.holds(address))
    };
    let counts = client.filter(|address| !request.method().is_safe() && !is_proxy(*address));
    counts.is_none_or(|address| node.request_rates.address(address, node.uptime_ms()))
}
