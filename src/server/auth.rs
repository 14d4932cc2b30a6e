//! Who is asking: tokens, cookies, the join link. All secrets lie in the broker, tokens of logins only as hashes.

use super::broker::{BrokerError, Secret, SecretOp};
use super::config::Config;
use super::node::Node;
use super::throttle::{Rate, Throttle};
use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Semaphore;

/// A login ends after so long without a new sign-in, in milliseconds.
pub(super) const LOGIN_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// The secret that is there before there is a workspace.
pub const SETUP_SECRET: &str = "setup";
/// Passwords that are hashed at the same time: each takes 19 MiB and a core.
const HASHES_AT_ONCE: usize = 2;

pub struct Auth {
    hashing: Semaphore,
    by_address: Mutex<Throttle<IpAddr>>,
    by_handle: Mutex<Throttle<String>>,
    /// The first run is asked for a code: its page can be reached from other machines.
    pub asks_code: bool,
}

/// 256 random bits as 64 hex characters.
pub fn new_token() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

pub(super) fn hashed(kind: &str, token: &str) -> String {
    let hash = Sha256::digest(token.as_bytes());
    hash.iter().fold(format!("{kind}:"), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) fn is_token(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Compares without telling by its duration where the texts differ.
pub fn equal(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

impl Auth {
    pub fn new(config: &Config) -> Auth {
        let attempts = Rate { burst: 20.0, per_second: 0.2 };
        Auth {
            hashing: Semaphore::new(HASHES_AT_ONCE),
            by_address: Mutex::new(Throttle::new(attempts, 50_000)),
            by_handle: Mutex::new(Throttle::new(Rate { burst: 10.0, per_second: 0.1 }, 50_000)),
            asks_code: !config.address.ip().is_loopback(),
        }
    }

    /// Whether one more attempt to sign in or up, or to name a password, is allowed now.
    pub fn attempt(&self, address: IpAddr, handle: &str, now: u64) -> bool {
        let by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner).take(address, now);
        let mut by_handle = self.by_handle.lock().unwrap_or_else(PoisonError::into_inner);
        by_address && by_handle.take(handle.to_owned(), now)
    }

    /// Runs what hashes a password, off the threads that serve.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        what: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let _permit = self.hashing.acquire().await.ok()?;
        tokio::task::spawn_blocking(what).await.ok()
    }
}

/// The name of the login cookie.
pub fn cookie_name(config: &Config) -> &'static str {
    if secure(config) { "__Host-beck_login" } else { "beck_login" }
}

pub fn secure(config: &Config) -> bool {
    config.public_url.as_ref().is_some_and(super::config::Origin::is_https)
}

/// The cookie that carries a login; none ends it.
pub fn login_cookie(config: &Config, token: Option<&str>) -> String {
    let age = if token.is_some() { LOGIN_MS / 1000 } else { 0 };
    let secure = if secure(config) { "; Secure" } else { "" };
    format!(
        "{}={}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}",
        cookie_name(config),
        token.unwrap_or("")
    )
}

/// One cookie of a request.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The token that a request carries: the cookie's, or a bearer's.
pub fn token<'a>(headers: &'a HeaderMap, config: &Config) -> Option<&'a str> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    bearer.or_else(|| cookie(headers, cookie_name(config))).filter(|token| is_token(token))
}

impl Node {
    pub(super) async fn put_secret(
        &self,
        key: String,
        value: String,
        expires: Option<i64>,
    ) -> Result<(), BrokerError> {
        let mut if_version = 0;
        loop {
            let op = SecretOp::Put { value: value.clone(), if_version, expires };
            match self.broker.secret(key.clone(), op).await? {
                Some(Secret { value: now, .. }) if now == value => return Ok(()),
                Some(Secret { version, .. }) => if_version = version,
                None => if_version = 0,
            }
        }
    }

    /// A secret as it stands, or made now.
    async fn standing(&self, key: &str, value: &str) -> Result<String, BrokerError> {
        if let Some(secret) = self.broker.secret(key.into(), SecretOp::Get).await? {
            return Ok(secret.value);
        }
        let op = SecretOp::Put { value: value.to_owned(), if_version: 0, expires: None };
        let stands = self.broker.secret(key.into(), op).await?;
        stands.map(|secret| secret.value).ok_or(BrokerError::Refused("Try again.".into()))
    }

    /// The token of the link by which people join; made at the first use.
    pub async fn join_token(&self) -> Result<String, BrokerError> {
        self.standing("join", &new_token()).await
    }

    /// The code that the first run is asked for, the same on every server; `None` where none is asked for.
    pub async fn setup_code(&self) -> Result<Option<String>, BrokerError> {
        if !self.auth.asks_code {
            return Ok(None);
        }
        self.standing(SETUP_SECRET, &new_token()[..8]).await.map(Some)
    }

    /// The first run is over: its code is of no more use.
    pub async fn drop_setup_code(&self) {
        let _ = self.broker.secret(SETUP_SECRET.into(), SecretOp::Delete).await;
    }

    pub async fn is_join_token(&self, token: &str) -> Result<bool, BrokerError> {
        Ok(is_token(token) && equal(&self.join_token().await?, token))
    }
}
