//! Who is asking: passwords, logins, the join link. All of it in the broker's secrets, tokens only as hashes.

use super::broker::{BrokerError, Secret, SecretOp, Signal};
use super::config::Config;
use super::node::Node;
use super::throttle::{Rate, Throttle};
use crate::protocol::AccountId;
use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// A login ends after so long without a new sign-in, in milliseconds.
const LOGIN_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// Passwords that are hashed at the same time: each takes 19 MiB and a core.
const HASHES_AT_ONCE: usize = 2;

pub struct Auth {
    hashing: Semaphore,
    by_address: Mutex<Throttle<IpAddr>>,
    by_handle: Mutex<Throttle<String>>,
    /// Asked for at the first run where the page can be reached from other machines.
    pub setup_code: Option<String>,
}

/// A login as the secrets keep it, under the hash of its token.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Login {
    account: AccountId,
}

/// 256 random bits as 64 hex characters.
pub fn new_token() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

fn hashed(kind: &str, token: &str) -> String {
    let hash = Sha256::digest(token.as_bytes());
    hash.iter().fold(format!("{kind}:"), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn is_token(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Compares without telling by its duration where the texts differ.
pub fn equal(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// The hash that an unknown handle is checked against, so that it takes as long as a known one.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody has this password"));

fn hash_now(password: &str) -> String {
    let salt = uuid::Uuid::new_v4();
    SaltString::encode_b64(salt.as_bytes())
        .and_then(|salt| Argon2::default().hash_password(password.as_bytes(), &salt).map(|h| h.to_string()))
        .unwrap_or_default()
}

fn matches(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

impl Auth {
    pub fn new(config: &Config) -> Auth {
        let attempts = Rate { burst: 20.0, per_second: 0.2 };
        Auth {
            hashing: Semaphore::new(HASHES_AT_ONCE),
            by_address: Mutex::new(Throttle::new(attempts, 50_000)),
            by_handle: Mutex::new(Throttle::new(Rate { burst: 10.0, per_second: 0.1 }, 50_000)),
            setup_code: (!config.address.ip().is_loopback()).then(|| new_token()[..8].to_owned()),
        }
    }

    /// Whether one more attempt to sign in or up is allowed now.
    pub fn attempt(&self, address: IpAddr, handle: &str, now: u64) -> bool {
        let by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner).take(address, now);
        let mut by_handle = self.by_handle.lock().unwrap_or_else(PoisonError::into_inner);
        by_address && by_handle.take(handle.to_owned(), now)
    }

    async fn blocking<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let _permit = self.hashing.acquire().await.ok()?;
        tokio::task::spawn_blocking(what).await.ok()
    }
}

/// The name of the login cookie.
pub fn cookie_name(config: &Config) -> &'static str {
    if secure(config) { "__Host-beck_login" } else { "beck_login" }
}

fn secure(config: &Config) -> bool {
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
    /// The account of a login token; `None` if it is unknown, ended, or the log is away.
    pub async fn account_of(&self, token: &str) -> Option<AccountId> {
        let secret = self.broker.secret(hashed("login", token), SecretOp::Get).await.ok()??;
        let login: Login = serde_json::from_str(&secret.value).ok()?;
        self.directory().accounts.contains_key(&login.account).then_some(login.account)
    }

    /// The account that a request is signed in as.
    pub async fn signed_in(&self, headers: &HeaderMap) -> Option<AccountId> {
        self.account_of(token(headers, &self.config)?).await
    }

    async fn put_secret(&self, key: String, value: String, expires: Option<i64>) -> Result<(), BrokerError> {
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

    /// Makes a login; gives its token.
    pub async fn sign_in(&self, account: AccountId) -> Result<String, BrokerError> {
        let token = new_token();
        let login = serde_json::json!({ "account": account }).to_string();
        self.put_secret(hashed("login", &token), login, Some(super::now_ms() + LOGIN_MS)).await?;
        Ok(token)
    }

    /// Ends a login; its sockets close.
    pub async fn sign_out(&self, token: &str) -> Result<(), BrokerError> {
        let account = self.account_of(token).await;
        self.broker.secret(hashed("login", token), SecretOp::Delete).await?;
        if let Some(account) = account {
            let _ = self.broker.signals().send(Signal::Logins { account });
        }
        Ok(())
    }

    pub async fn set_password(&self, account: AccountId, password: &str) -> Result<(), BrokerError> {
        let password = password.to_owned();
        let hash = self.auth.blocking(move || hash_now(&password)).await.unwrap_or_default();
        if hash.is_empty() {
            return Err(BrokerError::Refused("The password could not be stored. Try again.".into()));
        }
        self.put_secret(format!("password:{account}"), hash, None).await
    }

    pub async fn drop_password(&self, account: AccountId) {
        let _ = self.broker.secret(format!("password:{account}"), SecretOp::Delete).await;
    }

    /// The account of a handle and password. An unknown handle takes as long as a wrong password.
    pub async fn check_password(
        &self,
        handle: &str,
        password: &str,
    ) -> Result<Option<AccountId>, BrokerError> {
        let account = self.directory().by_handle(handle).map(|account| account.id);
        let hash = match account {
            Some(account) => self.broker.secret(format!("password:{account}"), SecretOp::Get).await?,
            None => None,
        };
        let hash = hash.map(|secret| secret.value);
        let password = password.to_owned();
        let right = self
            .auth
            .blocking(move || match hash {
                Some(hash) => matches(&password, &hash),
                None => {
                    matches(&password, &NOBODY);
                    false
                }
            })
            .await
            .unwrap_or(false);
        Ok(account.filter(|_| right))
    }

    /// The token of the link by which people join; made at the first use.
    pub async fn join_token(&self) -> Result<String, BrokerError> {
        if let Some(secret) = self.broker.secret("join".into(), SecretOp::Get).await? {
            return Ok(secret.value);
        }
        let op = SecretOp::Put { value: new_token(), if_version: 0, expires: None };
        let stands = self.broker.secret("join".into(), op).await?;
        stands.map(|secret| secret.value).ok_or(BrokerError::Refused("Try again.".into()))
    }

    pub async fn is_join_token(&self, token: &str) -> bool {
        is_token(token) && self.join_token().await.is_ok_and(|right| equal(&right, token))
    }

    /// Makes a link token that signs its holder in as an account, for a day.
    pub async fn enter_token(&self, account: AccountId) -> Result<String, BrokerError> {
        let token = new_token();
        let login = serde_json::json!({ "account": account }).to_string();
        let day = super::now_ms() + 24 * 60 * 60 * 1000;
        self.put_secret(hashed("enter", &token), login, Some(day)).await?;
        Ok(token)
    }

    /// The account that an enter link signs in.
    pub async fn enter(&self, token: &str) -> Option<AccountId> {
        if !is_token(token) {
            return None;
        }
        let secret = self.broker.secret(hashed("enter", token), SecretOp::Get).await.ok()??;
        let login: Login = serde_json::from_str(&secret.value).ok()?;
        Some(login.account)
    }
}
