//! Passwords, hashed with Argon2, in the broker's secrets. Beside each hash stands the generation of logins that
//! it lets in, so that a new password and the end of the old logins are one write.

use super::broker::{BrokerError, Secret, SecretOp};
use super::hashing::{Memory, Whose};
use super::logins::Login;
use super::node::Node;
use crate::protocol::AccountId;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};
use unicode_normalization::UnicodeNormalization as _;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Password {
    hash: String,
    generation: u64,
}

/// What a change of password comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    Done,
    /// The current password was another one.
    Wrong,
    /// Another change was faster; it ended this login too.
    Overtaken,
}

/// The hash that an unknown handle is checked against, so that it takes as long as a known one.
static NOBODY: OnceLock<String> = OnceLock::new();

/// Keyboards and systems write one letter as one character or as several: all of them are one password.
fn normalized(password: &str) -> String {
    password.nfkc().collect()
}

/// Whether a password is the one of a hash. Hashes of earlier releases are of what was typed, so a password that
/// normalization changes is tried in both forms.
fn matches(memory: &mut Memory, password: &str, hash: &str) -> bool {
    let normalized = normalized(password);
    let mut right = memory.matches(&normalized, hash) == Some(true);
    if !right && normalized != password {
        right = memory.matches(password, hash) == Some(true);
    }
    right
}

/// The generation that ends all logins before it. It is a time, so that it is later than one which somebody else chose
/// and then could not write.
fn next_generation(kept: u64) -> u64 {
    u64::try_from(super::now_ms()).unwrap_or(0).max(kept.saturating_add(1))
}

/// The secret that holds the password of an account.
pub(super) fn password_key(account: AccountId) -> String {
    format!("password:{account}")
}

/// What is kept of an account that has no password: it cannot be signed in to before it is given one.
pub(super) fn no_password() -> String {
    serde_json::json!(Password::default()).to_string()
}

/// Whether a kept password is one.
pub(super) fn lets_in(kept: &str) -> bool {
    // The first version kept the hash alone.
    serde_json::from_str::<Password>(kept).map_or(!kept.is_empty(), |password| !password.hash.is_empty())
}

fn lost_words() -> BrokerError {
    BrokerError::Refused(
        "The store has lost what this account signs in with: it was evicted or removed. Restore a copy of the store."
            .into(),
    )
}

impl Node {
    /// A store that others may evict from: where it is a file of ours nothing else would bring the account back.
    fn lost(&self, account: AccountId) -> BrokerError {
        if self.config.redis.is_some() {
            self.secret_is_lost(account);
        }
        lost_words()
    }

    /// The password as it is kept, and its version; version 0 if there is none.
    async fn password(&self, account: AccountId) -> Result<(Password, u64), BrokerError> {
        let Some(secret) = self.broker.secret(password_key(account), SecretOp::Get).await? else {
            return Ok((Password::default(), 0));
        };
        // The first version kept the hash alone.
        let password =
            serde_json::from_str(&secret.value).unwrap_or(Password { hash: secret.value, generation: 0 });
        Ok((password, secret.version))
    }

    /// Writes if the version is as said; `false` if it is not.
    async fn put_password(
        &self,
        account: AccountId,
        password: &Password,
        if_version: u64,
    ) -> Result<bool, BrokerError> {
        let value = serde_json::json!(password).to_string();
        let op = SecretOp::Put { value: value.clone(), if_version, expires: None };
        let stands = self.broker.secret(password_key(account), op).await?;
        Ok(stands.is_some_and(|Secret { value: now, .. }| now == value))
    }

    /// Logins of an account from before this generation have ended. Each login was made when one was kept: where none
    /// is, the store has lost it, and nobody can tell which logins have ended.
    pub async fn generation(&self, account: AccountId) -> Result<u64, BrokerError> {
        match self.password(account).await? {
            (_, 0) => Err(self.lost(account)),
            (password, _) => Ok(password.generation),
        }
    }

    /// As [`Node::generation`], for an account that may have no password: it is kept from now on.
    pub(super) async fn keep_generation(&self, account: AccountId) -> Result<u64, BrokerError> {
        loop {
            let (password, version) = self.password(account).await?;
            if version > 0 || self.put_password(account, &password, 0).await? {
                return Ok(password.generation);
            }
        }
    }

    pub(super) async fn raise_generation(&self, account: AccountId) -> Result<(), BrokerError> {
        loop {
            let (mut password, version) = self.password(account).await?;
            password.generation = next_generation(password.generation);
            if self.put_password(account, &password, version).await? {
                return Ok(());
            }
        }
    }

    async fn hash(&self, password: &str) -> Result<String, BrokerError> {
        let password = normalized(password);
        let hash = self.auth.hashing.run(Whose::Known, move |memory| memory.hash(&password)).await?;
        hash.ok_or(BrokerError::Refused("The password could not be hashed: the system gives no salt.".into()))
    }

    async fn check(&self, whose: Whose, password: &str, hash: Option<String>) -> Result<bool, BrokerError> {
        let password = password.to_owned();
        let check = move |memory: &mut Memory| match hash {
            Some(hash) => matches(memory, &password, &hash),
            None => {
                let nobody =
                    NOBODY.get_or_init(|| memory.hash("nobody has this password").unwrap_or_default());
                matches(memory, &password, nobody);
                false
            }
        };
        Ok(self.auth.hashing.run(whose, check).await?)
    }

    /// Gives an account a password; logins that it has go on.
    pub async fn set_password(&self, account: AccountId, password: &str) -> Result<(), BrokerError> {
        let hash = self.hash(password).await?;
        loop {
            let (Password { generation, .. }, version) = self.password(account).await?;
            let password = Password { hash: hash.clone(), generation };
            if self.put_password(account, &password, version).await? {
                return Ok(());
            }
        }
    }

    /// Gives an account a password and ends all its logins, in one write; their sockets close. The operator does it.
    pub async fn reset_password(
        self: &Arc<Node>,
        account: AccountId,
        password: &str,
    ) -> Result<(), BrokerError> {
        let hash = self.hash(password).await?;
        loop {
            let (Password { generation, .. }, version) = self.password(account).await?;
            let password = Password { hash: hash.clone(), generation: next_generation(generation) };
            if self.put_password(account, &password, version).await? {
                return self.end_logins(self.acting_operator(account), account).await;
            }
        }
    }

    pub async fn drop_password(&self, account: AccountId) {
        let _ = self.broker.secret(password_key(account), SecretOp::Delete).await;
    }

    /// The login that a handle and password are good for. An unknown handle takes as long as a wrong password.
    pub async fn check_password(
        &self,
        whose: Whose,
        handle: &str,
        password: &str,
    ) -> Result<Option<Login>, BrokerError> {
        let account = || self.directory().by_handle(handle).map(|account| account.id);
        let account = self.sure(Option::is_none, account).await?;
        // Hash and generation are of one moment: who knew only the old password gets a login that has ended.
        let (kept, version) = match account {
            Some(account) => self.password(account).await?,
            None => (Password::default(), 0),
        };
        let right = self.check(whose, password, Some(kept.hash).filter(|hash| !hash.is_empty())).await?;
        if let Some(account) = account.filter(|_| version == 0) {
            return Err(self.lost(account));
        }
        Ok(account.filter(|_| right).map(|account| Login { account, generation: kept.generation }))
    }

    /// Changes the password of an account and ends its logins but the one of this token; their sockets close.
    pub async fn change_password(
        self: &Arc<Node>,
        (account, token): (AccountId, &str),
        current: &str,
        new: &str,
    ) -> Result<Changed, BrokerError> {
        let (kept, version) = self.password(account).await?;
        if !self.check(Whose::Known, current, Some(kept.hash).filter(|hash| !hash.is_empty())).await? {
            return Ok(Changed::Wrong);
        }
        let old = Login { account, generation: kept.generation };
        let next = Login { account, generation: next_generation(kept.generation) };
        let password = Password { hash: self.hash(new).await?, generation: next.generation };
        // First the login that stays: it is good at every moment.
        let written = async {
            self.put_login(token, next).await?;
            self.put_password(account, &password, version).await
        };
        let written = written.await;
        if !matches!(written, Ok(true)) {
            // No login is left a generation ahead. Where this write fails too, the next generation is later than this one.
            let put_back = self.put_login(token, old).await;
            written?;
            put_back?;
            return Ok(Changed::Overtaken);
        }
        self.end_logins(account, account).await?;
        Ok(Changed::Done)
    }
}
