//! Logins: who a token stands for, and what ends them.

use super::auth::{self, LOGIN_MS, hashed, is_token, new_token};
use super::broker::{BrokerError, Proposal, SecretOp, Signal};
use super::fold::SECOND_FORMAT;
use super::node::Node;
use crate::protocol::{AccountId, ClientId, Kind};
use axum::http::HeaderMap;
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

/// A link that signs its holder in is good for so long, in milliseconds.
const ENTER_MS: i64 = 24 * 60 * 60 * 1000;

impl Node {
    async fn login(&self, kind: &str, token: &str) -> Result<Option<Login>, BrokerError> {
        let Some(secret) = self.broker.secret(hashed(kind, token), SecretOp::Get).await? else {
            return Ok(None);
        };
        let Ok(login) = serde_json::from_str::<Login>(&secret.value) else { return Ok(None) };
        let is_known = || self.directory().accounts.contains_key(&login.account);
        let known = self.sure(|known| !known, is_known).await?;
        let good = known && login.generation >= self.generation(login.account).await?;
        Ok(good.then_some(login))
    }

    pub(super) async fn put_login(&self, token: &str, login: Login) -> Result<(), BrokerError> {
        let value = serde_json::json!(login).to_string();
        self.put_secret(hashed("login", token), value, Some(super::now_ms() + LOGIN_MS)).await
    }

    /// The account of a login token; `None` if it is unknown or has ended. A fault says nothing about the login.
    pub async fn login_of(&self, token: &str) -> Result<Option<AccountId>, BrokerError> {
        Ok(self.login("login", token).await?.map(|login| login.account))
    }

    /// The account of a login token; `None` if it is unknown, ended, or the log is away.
    pub async fn account_of(&self, token: &str) -> Option<AccountId> {
        self.login_of(token).await.ok().flatten()
    }

    /// The account that a request is signed in as. A fault says nothing about its login.
    pub async fn signed_in(&self, headers: &HeaderMap) -> Result<Option<AccountId>, BrokerError> {
        match auth::token(headers, &self.config) {
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
        let token = new_token();
        self.put_login(&token, login).await?;
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
        self.end_logins(account).await
    }

    /// The connections of an account look up their logins, soon.
    fn tell_logins(&self, account: AccountId) {
        self.broker.signals().send(Signal::Logins { account });
    }

    /// The connections of an account look up their logins, on every server before anything that comes later.
    pub(super) async fn end_logins(self: &Arc<Node>, account: AccountId) -> Result<(), BrokerError> {
        self.tell_logins(account);
        let proposal = Proposal::new(account, ClientId::random(), Kind::Logins, &());
        let target = account.as_str().parse().map_err(|_| BrokerError::Refused("Try again.".into()))?;
        let done = async {
            self.require_format(account, SECOND_FORMAT).await?;
            self.propose(proposal.target(target)).await
        };
        done.await.map(drop).map_err(|fault| BrokerError::Unknown(fault.to_string()))
    }

    /// Makes a link token that signs its holder in as an account, for a day.
    pub async fn enter_token(&self, account: AccountId) -> Result<String, BrokerError> {
        let token = new_token();
        let generation = self.keep_generation(account).await?;
        let login = serde_json::json!(Login { account, generation }).to_string();
        self.put_secret(hashed("enter", &token), login, Some(super::now_ms() + ENTER_MS)).await?;
        Ok(token)
    }

    /// The login that an enter link is good for.
    pub async fn enter(&self, token: &str) -> Result<Option<Login>, BrokerError> {
        if is_token(token) { self.login("enter", token).await } else { Ok(None) }
    }
}
