//! Logins: who a token stands for, and what ends them.

use super::auth::{self, LOGIN_MS, hashed, is_token, new_token};
use super::broker::{BrokerError, Content, SecretOp, Signal};
use super::node::Node;
use crate::protocol::{AccountId, Change, ClientId};
use axum::http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A login as the secrets keep it, under the hash of its token. It is good while the generation of its account
/// has not risen: one write ends all logins that there are, known or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    pub account: AccountId,
    /// Absent in what the first version wrote.
    #[serde(default)]
    pub generation: u64,
}

/// A login as it is written. Earlier releases wrote no times, and read what they know.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct WrittenLogin {
    #[serde(flatten)]
    login: Login,
    /// When it was written, in milliseconds since 1970: it ends [`LOGIN_MS`] later.
    #[serde(default)]
    written: i64,
    /// When the browser was last sent its cookie, which ends by itself too.
    #[serde(default)]
    cookie_sent: i64,
}

/// A link that signs its holder in is good for so long, in milliseconds.
const ENTER_MS: i64 = 24 * 60 * 60 * 1000;
/// Use prolongs a login, once in so long.
const PROLONGED_EVERY_MS: i64 = 24 * 60 * 60 * 1000;

/// Whose page is asked for.
pub struct PageLogin {
    pub account: AccountId,
    /// The login cookie, where the browser is to keep it for longer or under its new name.
    pub cookie: Option<HeaderValue>,
}

impl Node {
    /// A login or link that is good, and the version of its secret. An unknown token costs one read by key, and nothing
    /// is kept of it. It has no throttle: only this read tells it from a known one, so that a throttle would spare the
    /// store nothing unless it refused known ones too.
    async fn find_login(&self, kind: &str, token: &str) -> Result<Option<(WrittenLogin, u64)>, BrokerError> {
        let Some(secret) = self.broker.secret(hashed(kind, token), SecretOp::Get).await? else {
            return Ok(None);
        };
        let Ok(found) = serde_json::from_str::<WrittenLogin>(&secret.value) else { return Ok(None) };
        let Login { account, generation } = found.login;
        let is_known = || self.directory().accounts.contains_key(&account);
        let known = self.sure(|known| !known, is_known).await?;
        if !known {
            return Ok(None);
        }
        let good = generation >= self.generation(account).await?;
        Ok(good.then_some((found, secret.version)))
    }

    pub(super) async fn put_login(&self, token: &str, login: Login) -> Result<(), BrokerError> {
        let written = WrittenLogin { login, written: super::now_ms(), cookie_sent: 0 };
        let value = serde_json::json!(written).to_string();
        self.put_secret(hashed("login", token), value, Some(super::now_ms() + LOGIN_MS)).await
    }

    /// Writes a login anew unless somebody else was faster; gives whether it was written. A fault costs nothing: the next
    /// use tries again.
    async fn prolong(&self, token: &str, login: &WrittenLogin, if_version: u64) -> bool {
        let value = serde_json::json!(login).to_string();
        let op =
            SecretOp::Put { value: value.clone(), if_version, expires: Some(super::now_ms() + LOGIN_MS) };
        let stands = self.broker.secret(hashed("login", token), op).await;
        stands.is_ok_and(|stands| stands.is_some_and(|secret| secret.value == value))
    }

    /// The account of a login token; `None` if it is unknown or has ended. A fault says nothing about the login. Prolongs
    /// the login.
    pub async fn login_of(&self, token: &str) -> Result<Option<AccountId>, BrokerError> {
        let Some((mut found, version)) = self.find_login("login", token).await? else { return Ok(None) };
        let account = found.login.account;
        let now = super::now_ms();
        if now - found.written >= PROLONGED_EVERY_MS {
            found.written = now;
            self.prolong(token, &found, version).await;
        }
        Ok(Some(account))
    }

    /// As [`Node::signed_in`], for a page, with which a browser can be given its cookie again.
    pub async fn page_login(&self, headers: &HeaderMap) -> Result<Option<PageLogin>, BrokerError> {
        let sent = auth::cookie_token(headers, self).filter(|_| auth::bearer(headers).is_none());
        let Some((token, old_name)) = sent else {
            return Ok(self.signed_in(headers).await?.map(|account| PageLogin { account, cookie: None }));
        };
        let Some((mut found, version)) = self.find_login("login", token).await? else { return Ok(None) };
        let account = found.login.account;
        let now = super::now_ms();
        let mut send = old_name;
        if now - found.written.min(found.cookie_sent) >= PROLONGED_EVERY_MS {
            (found.written, found.cookie_sent) = (now, now);
            send |= self.prolong(token, &found, version).await;
        }
        let cookie = send.then(|| auth::login_cookie(self, token));
        Ok(Some(PageLogin { account, cookie }))
    }

    /// The account of a login token; `None` if it is unknown, ended, or the log is away.
    pub async fn account_of(&self, token: &str) -> Option<AccountId> {
        self.login_of(token).await.ok().flatten()
    }

    /// The account that a request is signed in as. A fault says nothing about its login.
    pub async fn signed_in(&self, headers: &HeaderMap) -> Result<Option<AccountId>, BrokerError> {
        match auth::token(headers, self) {
            Some(token) => self.login_of(token).await,
            None => Ok(None),
        }
    }

    /// Makes a login of an account; gives its token.
    pub async fn sign_in(&self, account: AccountId) -> Result<String, BrokerError> {
        let generation = self.keep_generation(account).await?;
        self.begin(Login { account, generation }).await
    }

    /// Makes this login; gives its token. If its generation has passed meanwhile, it has ended already.
    pub async fn begin(&self, login: Login) -> Result<String, BrokerError> {
        let token = new_token()?;
        let now = super::now_ms();
        let value = serde_json::json!(WrittenLogin { login, written: now, cookie_sent: now }).to_string();
        self.put_secret(hashed("login", &token), value, Some(now + LOGIN_MS)).await?;
        Ok(token)
    }

    /// Ends a login; its sockets close.
    pub async fn sign_out(&self, token: &str) -> Result<(), BrokerError> {
        let account = self.account_of(token).await;
        self.broker.secret(hashed("login", token), SecretOp::Delete).await?;
        if let Some(account) = account {
            self.tell_logins(account);
        }
        Ok(())
    }

    /// Ends every login of an account and every link that signs in as it; all its sockets close.
    pub async fn sign_out_everywhere(self: &Arc<Node>, account: AccountId) -> Result<(), BrokerError> {
        self.raise_generation(account).await?;
        self.end_logins(account, account).await
    }

    /// The connections of an account look up their logins, soon.
    fn tell_logins(&self, account: AccountId) {
        self.broker.signals().send(Signal::Logins { account });
    }

    /// The connections of an account look up their logins, on every server before anything that comes later. `by` is the
    /// account or the operator.
    pub(super) async fn end_logins(
        self: &Arc<Node>,
        by: AccountId,
        account: AccountId,
    ) -> Result<(), BrokerError> {
        self.tell_logins(account);
        let change = Change::Logins { account };
        let done = async {
            self.require_format(account, change.needs()).await?;
            self.propose(self.proposal(by, ClientId::random(), &change, Content::None)?).await
        };
        done.await.map(drop).map_err(|fault| BrokerError::Unknown(fault.to_string()))
    }

    /// Makes a link token that signs its holder in as an account, for a day.
    pub async fn enter_token(&self, account: AccountId) -> Result<String, BrokerError> {
        let token = new_token()?;
        let generation = self.keep_generation(account).await?;
        let login = serde_json::json!(Login { account, generation }).to_string();
        self.put_secret(hashed("enter", &token), login, Some(super::now_ms() + ENTER_MS)).await?;
        Ok(token)
    }

    /// Whom a link signs in, if it is good.
    pub async fn enters_as(&self, token: &str) -> Result<Option<AccountId>, BrokerError> {
        if !is_token(token) {
            return Ok(None);
        }
        Ok(self.find_login("enter", token).await?.map(|(found, _)| found.login.account))
    }

    /// Uses a link up: gives the account and the token of a new login. Of several at once one gets it.
    pub async fn enter(&self, token: &str) -> Result<Option<(AccountId, String)>, BrokerError> {
        if !is_token(token) {
            return Ok(None);
        }
        let Some((found, if_version)) = self.find_login("enter", token).await? else { return Ok(None) };
        // The login first: where it cannot be made the link stays good.
        let login = self.begin(found.login).await?;
        let key = hashed("enter", token);
        let mine = format!("used {}", hashed("login", &login));
        let op = SecretOp::Put { value: mine.clone(), if_version, expires: Some(super::now_ms() + ENTER_MS) };
        let stands = self.broker.secret(key.clone(), op).await;
        if stands.as_ref().is_ok_and(|stands| stands.as_ref().is_some_and(|secret| secret.value == mine)) {
            let _ = self.broker.secret(key, SecretOp::Delete).await;
            return Ok(Some((found.login.account, login)));
        }
        self.broker.secret(hashed("login", &login), SecretOp::Delete).await?;
        stands.map(|_| None)
    }
}
