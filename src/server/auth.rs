//! Who is asking: tokens, cookies, the join link. All secrets lie in the broker, tokens of logins only as hashes.

use super::broker::{BrokerError, Secret, SecretOp};
use super::config::Config;
use super::hashing::Hashing;
use super::node::Node;
use super::throttle::{AddressBlock, Place, Places, Rate, Throttle};
use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq as _;

/// A login ends when it was not used for so long, in milliseconds.
pub(super) const LOGIN_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// Buckets that each throttle keeps at most.
const BUCKETS: usize = 50_000;
/// A sign-in waits this long if its address or its handle has used up its tries.
const DELAY: Duration = Duration::from_secs(2);
/// Sign-ins from one address block that may wait in such a delay at once; more are refused until one of them goes on.
///
/// A school may share an address. The errors of some must not keep out the others, so an address is slowed down and not
/// closed. Somebody who tries one password at many accounts from one address (password spraying) gets 50 guesses, then
/// eight every two seconds: four a second, 14,400 an hour, for all accounts of the workspace together. At any one of
/// them it is 360 an hour, by the bucket of the handle and the address. Meanwhile people behind the same address who
/// have no known browser compete for a free place.
const DELAYED_OF_ADDRESS: usize = 8;

/// There were too many tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// Until one more is allowed.
    pub seconds: u64,
}

/// How often clients may try what a stranger could guess or fill up. None of these buckets is shared by everybody, so
/// that nobody can use up the tries of others.
struct Throttles {
    /// Sign-ins from an address block, whatever the handle: beyond this they are delayed. A sign-in that succeeds does
    /// not count.
    address: Mutex<Throttle>,
    /// Sign-ins to one handle from one address block. A sign-in that succeeds does not count.
    handle_and_address: Mutex<Throttle>,
    /// Sign-ins to one handle from anywhere: beyond this they are delayed.
    handle: Mutex<Throttle>,
    /// Sign-ins with one browser that was signed in to the account before.
    known_browser: Mutex<Throttle>,
    /// Changes of the password of one account, by who is signed in.
    own_password: Mutex<Throttle>,
    /// Links to join that are wrong, and one-time codes of the first run, from an address block.
    wrong_link: Mutex<Throttle>,
    setup_code: Mutex<Throttle>,
    /// Accounts made from an address block with the right link: a whole school may be behind one address.
    join: Mutex<Throttle>,
}

impl Throttles {
    fn new() -> Throttles {
        let of = |burst, per_second| Mutex::new(Throttle::new(Rate { burst, per_second }, BUCKETS));
        Throttles {
            address: of(50.0, 0.2),
            handle_and_address: of(10.0, 0.1),
            handle: of(20.0, 0.2),
            known_browser: of(10.0, 0.1),
            own_password: of(10.0, 0.1),
            wrong_link: of(20.0, 0.2),
            setup_code: of(10.0, 1.0 / 30.0),
            join: of(150.0, 0.5),
        }
    }
}

fn take(throttle: &Mutex<Throttle>, key: impl Hash, now: u64) -> Result<(), TooMany> {
    let taken = throttle.lock().unwrap_or_else(PoisonError::into_inner).take(key, now);
    taken.map_err(|wait_ms| TooMany { seconds: wait_ms.div_ceil(1000).max(1) })
}

fn give_back(throttle: &Mutex<Throttle>, key: impl Hash, now: u64) {
    throttle.lock().unwrap_or_else(PoisonError::into_inner).give_back(key, now);
}

/// One try to sign in.
#[derive(Debug, Clone, Copy)]
pub struct SignInTry<'a> {
    pub address: IpAddr,
    /// As [`bounds::handle`](crate::protocol::bounds::handle) normalises it; empty if it is not a handle.
    pub handle: &'a str,
    /// The browser, if it was signed in to this account before.
    pub known_browser: Option<&'a str>,
}

/// A sign-in that is not refused.
#[derive(Debug)]
pub struct Admission {
    /// Whether these buckets gave a token.
    from_address: bool,
    from_handle: bool,
    /// It has to wait first.
    place: Option<Place<AddressBlock>>,
}

impl Admission {
    pub fn is_delayed(&self) -> bool {
        self.place.is_some()
    }

    /// Waits as long as this sign-in has to before its password is hashed.
    pub async fn wait(&mut self) {
        if let Some(place) = self.place.take() {
            tokio::time::sleep(DELAY).await;
            drop(place);
        }
    }
}

pub struct Auth {
    pub(super) hashing: Arc<Hashing>,
    throttles: Throttles,
    /// Sign-ins that wait in a delay.
    delayed: Arc<Places<AddressBlock>>,
    /// The one-time code of the first run was printed.
    pub(super) code_printed: AtomicBool,
}

/// 256 random bits as 64 hex characters.
pub fn new_token() -> Result<String, BrokerError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|fault| BrokerError::Refused(format!("The system gives no random numbers: {fault}.")))?;
    Ok(hex::encode(bytes))
}

pub(super) fn hashed(kind: &str, token: &str) -> String {
    format!("{kind}:{}", hex::encode(Sha256::digest(token.as_bytes())))
}

pub(super) fn is_token(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Compares without telling by its duration where the texts differ.
pub fn equal(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

impl Default for Auth {
    fn default() -> Auth {
        Auth {
            hashing: Arc::default(),
            throttles: Throttles::new(),
            delayed: Arc::default(),
            code_printed: AtomicBool::new(false),
        }
    }
}

impl Auth {
    /// Whether this sign-in is allowed now.
    pub fn try_sign_in(&self, attempt: SignInTry<'_>, now: u64) -> Result<Admission, TooMany> {
        let SignInTry { address, handle, known_browser } = attempt;
        let throttles = &self.throttles;
        if let Some(browser) = known_browser {
            take(&throttles.known_browser, browser, now)?;
            return Ok(Admission { from_address: false, from_handle: false, place: None });
        }
        let block = AddressBlock::of(address);
        take(&throttles.handle_and_address, (handle, block), now)?;
        let from_address = take(&throttles.address, block, now).is_ok();
        let from_handle = take(&throttles.handle, handle, now).is_ok();
        let mut admission = Admission { from_address, from_handle, place: None };
        if from_address && from_handle {
            return Ok(admission);
        }
        admission.place = self.delayed.take(block, DELAYED_OF_ADDRESS);
        if admission.place.is_none() {
            self.give_back_sign_in(attempt, &admission, now);
            return Err(TooMany { seconds: DELAY.as_secs() });
        }
        Ok(admission)
    }

    /// This try was no guess: its password was right, or was not checked. No bucket gets back more than it gave.
    pub fn give_back_sign_in(&self, attempt: SignInTry<'_>, admission: &Admission, now: u64) {
        let SignInTry { address, handle, known_browser } = attempt;
        let block = AddressBlock::of(address);
        let throttles = &self.throttles;
        if let Some(browser) = known_browser {
            return give_back(&throttles.known_browser, browser, now);
        }
        give_back(&throttles.handle_and_address, (handle, block), now);
        if admission.from_address {
            give_back(&throttles.address, block, now);
        }
        if admission.from_handle {
            give_back(&throttles.handle, handle, now);
        }
    }

    /// Whether a signed-in account may try its password once more.
    pub fn try_own_password(&self, account: &str, now: u64) -> Result<(), TooMany> {
        take(&self.throttles.own_password, account, now)
    }

    /// Counts a link to join that was wrong.
    pub fn wrong_link(&self, address: IpAddr, now: u64) -> Result<(), TooMany> {
        take(&self.throttles.wrong_link, AddressBlock::of(address), now)
    }

    /// Whether one more account may be made with the right link.
    pub fn try_join(&self, address: IpAddr, now: u64) -> Result<(), TooMany> {
        take(&self.throttles.join, AddressBlock::of(address), now)
    }

    /// No account was made by this try.
    pub fn give_back_join(&self, address: IpAddr, now: u64) {
        give_back(&self.throttles.join, AddressBlock::of(address), now);
    }

    /// Counts a one-time code that was wrong.
    pub fn wrong_setup_code(&self, address: IpAddr, now: u64) -> Result<(), TooMany> {
        take(&self.throttles.setup_code, AddressBlock::of(address), now)
    }
}

pub fn secure(config: &Config) -> bool {
    config.public_url.as_ref().is_some_and(super::config::Origin::is_https)
}

/// The name of a cookie of this workspace: browsers keep one jar for all ports of a host, and another workspace may be
/// at another port.
pub(super) fn workspace_cookie(node: &Node, name: &str) -> String {
    let host = if secure(&node.config) { "__Host-" } else { "" };
    match node.epoch() {
        Some(workspace) => format!("{host}{name}_{}", &workspace.as_str()[..8]),
        None => format!("{host}{name}"),
    }
}

/// The name of the login cookie of 0.1.0, which had one for all workspaces of a host. It is read where the cookie with
/// the name of the workspace is absent.
fn old_login_cookie(config: &Config) -> &'static str {
    if secure(config) { "__Host-beck_login" } else { "beck_login" }
}

/// A `Set-Cookie` that no script reads; without a value it takes the cookie away.
pub(super) fn set_cookie(config: &Config, name: &str, value: Option<&str>, seconds: i64) -> HeaderValue {
    let age = if value.is_some() { seconds } else { 0 };
    let secure = if secure(config) { "; Secure" } else { "" };
    let value = value.unwrap_or("");
    let text = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// The cookie that carries a login.
pub fn login_cookie(node: &Node, token: &str) -> HeaderValue {
    set_cookie(&node.config, &workspace_cookie(node, "beck_login"), Some(token), LOGIN_MS / 1000)
}

/// What a sign-in gives a browser or an app: the login cookie, and the same login under the old name. During a rolling
/// upgrade a server of 0.1.0 reads only the old name, and the desktop app of 0.1.0 takes its token from no other.
/// Until the release after next; then only [`login_cookie`] is left.
pub fn sign_in_cookies(node: &Node, token: &str) -> Vec<HeaderValue> {
    let old = set_cookie(&node.config, old_login_cookie(&node.config), Some(token), LOGIN_MS / 1000);
    vec![login_cookie(node, token), old]
}

/// What takes the login of a request away from the browser, under each name that it has there.
pub fn end_login_cookies(node: &Node, headers: &HeaderMap) -> Vec<HeaderValue> {
    let ended = |name: &str| set_cookie(&node.config, name, None, 0);
    let mut cookies = vec![ended(&workspace_cookie(node, "beck_login"))];
    let old = old_login_cookie(&node.config);
    // Under the old name another workspace may have put its login.
    if let Some(value) = cookie(headers, old)
        && cookie_token(headers, node).is_some_and(|(token, _)| token == value)
    {
        cookies.push(ended(old));
    }
    cookies
}

/// One cookie of a request.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    cookies(headers).find_map(|(found, value)| (found == name).then_some(value))
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

/// The token of a bearer. What has not the form of our tokens is somebody else's, such as a proxy's, and says nothing.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| value.to_str().ok());
    lines.filter_map(|value| value.strip_prefix("Bearer ")).find(|token| is_token(token))
}

/// The token of the login cookie, and whether the cookie has its old name.
pub(super) fn cookie_token<'a>(headers: &'a HeaderMap, node: &Node) -> Option<(&'a str, bool)> {
    let tokens = || cookies(headers).filter(|(_, token)| is_token(token));
    let name = workspace_cookie(node, "beck_login");
    let old = old_login_cookie(&node.config);
    // A server that has not read of its workspace yet cannot know the end of the name.
    let is_new = |found: &str| match node.epoch() {
        Some(_) => found == name,
        None => found.strip_prefix(old).is_some_and(|end| end.starts_with('_')),
    };
    let new = tokens().find(|(found, _)| is_new(found)).map(|(_, token)| (token, false));
    new.or_else(|| tokens().find(|(found, _)| *found == old).map(|(_, token)| (token, true)))
}

/// The token that a request carries: a bearer's, or the cookie's.
pub fn token<'a>(headers: &'a HeaderMap, node: &Node) -> Option<&'a str> {
    bearer(headers).or_else(|| cookie_token(headers, node).map(|(token, _)| token))
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
    pub(super) async fn standing(&self, key: &str, value: &str) -> Result<String, BrokerError> {
        if let Some(secret) = self.broker.secret(key.into(), SecretOp::Get).await? {
            return Ok(secret.value);
        }
        let op = SecretOp::Put { value: value.to_owned(), if_version: 0, expires: None };
        let stands = self.broker.secret(key.into(), op).await?;
        stands.map(|secret| secret.value).ok_or(BrokerError::Refused("Try again.".into()))
    }

    /// The token of the link by which people join; made at the first use.
    pub async fn join_token(&self) -> Result<String, BrokerError> {
        self.standing("join", &new_token()?).await
    }

    pub async fn is_join_token(&self, token: &str) -> Result<bool, BrokerError> {
        Ok(is_token(token) && equal(&self.join_token().await?, token))
    }
}
