//! Browsers that were signed in before: strangers who try an account's handle must not keep its owner out. The cookie
//! signs nobody in. It names the account and the browser, with a MAC by a key of the workspace.

use super::auth::{cookie, equal, new_token, set_cookie, workspace_cookie};
use super::broker::BrokerError;
use super::node::Node;
use crate::protocol::AccountId;
use axum::http::{HeaderMap, HeaderValue};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// Browsers keep no cookie for longer.
const SECONDS: i64 = 400 * 24 * 60 * 60;
const NAME: &str = "beck_known";
const KEY: &str = "known_browsers";
const ID_CHARS: usize = 32;

/// The value of the cookie: `<account>.<browser>.<mac>`.
fn value(key: &str, account: AccountId, browser: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    let named = format!("{account}.{browser}");
    mac.update(named.as_bytes());
    Some(format!("{named}.{}", hex::encode(mac.finalize().into_bytes())))
}

impl Node {
    async fn known_browsers_key(&self) -> Result<String, BrokerError> {
        self.standing(KEY, &new_token()?).await
    }

    /// The browser of a request, if it was signed in to this account before.
    pub(super) async fn known_browser(&self, headers: &HeaderMap, account: AccountId) -> Option<String> {
        let sent = cookie(headers, &workspace_cookie(self, NAME))?;
        let [of, browser, _]: [&str; 3] = sent.split('.').collect::<Vec<_>>().try_into().ok()?;
        if of != account.to_string() || browser.len() != ID_CHARS {
            return None;
        }
        let right = value(&self.known_browsers_key().await.ok()?, account, browser)?;
        equal(&right, sent).then(|| browser.to_owned())
    }

    /// The cookie by which a browser that is being signed in is known from now on.
    pub(super) async fn known_browser_cookie(
        &self,
        account: AccountId,
        browser: Option<&str>,
    ) -> Option<HeaderValue> {
        let new = new_token().ok()?;
        let browser = browser.unwrap_or(&new[..ID_CHARS]);
        let value = value(&self.known_browsers_key().await.ok()?, account, browser)?;
        Some(set_cookie(&self.config, &workspace_cookie(self, NAME), Some(&value), SECONDS))
    }
}
