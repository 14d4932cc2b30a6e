//! What whoever may read the data folder, or the store, may do as its administrator.

mod format;
mod message;
#[cfg(unix)]
pub mod socket;

use super::access::{Action, Actor, Facts};
use super::broker::{BrokerError, Content, SecretOp};
use super::directory::Account;
use super::node::{Node, Readiness};
use super::readiness::{Unready, UnreadyState};
use crate::protocol::change::AccountSetting;
use crate::protocol::frame::{Role, RoomKind};
use crate::protocol::{AccountId, Change, ClientId, Outcome};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    List,
    ResetPassword(String),
    MakeOwner(String),
    /// Which formats the log and the servers have.
    Format,
    RaiseFormat,
    /// A message, by its link or its id. The first line of the answer is the id.
    ShowMessage(String),
    /// Deletes a message for everybody, for ever.
    DeleteMessage(ClientId),
    /// A token of a probe.
    Probe,
}

/// Lines that say what was done, or one sentence that says why not.
pub type Answer = Result<Vec<String>, String>;

pub async fn carry_out(node: &Arc<Node>, ask: &Ask) -> Answer {
    if let Readiness::Unready(why @ Unready { state: UnreadyState::NewerFormat, .. }) = node.standstill() {
        return Err(words(why));
    }
    if let Some((folded, head)) = node.opening() {
        return Err(format!(
            "Beck is still reading its log ({folded} of {head} entries): try again in a moment"
        ));
    }
    match ask {
        Ask::List => list(node).await,
        Ask::ResetPassword(handle) => reset_password(node, handle).await,
        Ask::MakeOwner(handle) => make_owner(node, handle).await,
        Ask::Format => format::report(node).await,
        Ask::RaiseFormat => format::raise(node).await,
        Ask::ShowMessage(message) => message::show(node, message).await,
        Ask::DeleteMessage(id) => message::delete(node, *id).await,
        Ask::Probe => Ok(vec![super::probe::mint(node.broker.as_ref()).await.map_err(words)?]),
    }
}

fn words(fault: impl std::fmt::Display) -> String {
    fault.to_string().trim_end_matches('.').to_owned()
}

async fn list(node: &Arc<Node>) -> Answer {
    let all = || node.directory();
    // Never the answer of a moment ago.
    let directory = node.sure(|_| true, all).await.map_err(words)?;
    let mut accounts: Vec<_> = directory.accounts.values().collect();
    accounts.sort_by(|a, b| a.handle.cmp(&b.handle));
    let mut lines = vec!["HANDLE\tNAME\tROLE\tPASSWORD\tROOMS".to_owned()];
    for account in accounts {
        let role = if account.role == Role::Owner { "owner" } else { "member" };
        let password = if node.has_password(account.id).await.map_err(words)? { "yes" } else { "none" };
        let rooms = directory.memberships.get(&account.id).into_iter().flatten();
        let rooms = rooms.filter_map(|room| directory.rooms.get(room));
        let mut rooms: Vec<_> =
            rooms.filter(|room| room.kind != RoomKind::Direct).map(|room| room.name.as_str()).collect();
        rooms.sort_unstable();
        let Account { handle, name, .. } = account.as_ref();
        lines.push(format!("{handle}\t{name}\t{role}\t{password}\t{}", rooms.join(", ")));
    }
    Ok(lines)
}

async fn account(node: &Arc<Node>, handle: &str) -> Result<Arc<Account>, String> {
    let handle = handle.strip_prefix('@').unwrap_or(handle).to_lowercase();
    let found = node.sure(Option::is_none, || node.directory().by_handle(&handle).cloned()).await;
    found.map_err(words)?.ok_or(format!("nobody has the handle {handle}: beck admin list shows all"))
}

/// 20 letters, 86 random bits.
fn new_password() -> String {
    let letters = format!("{}{}", AccountId::random(), AccountId::random());
    let parts: Vec<_> = (0..4).map(|n| &letters[n * 5..n * 5 + 5]).collect();
    parts.join("-")
}

async fn reset_password(node: &Arc<Node>, handle: &str) -> Answer {
    let account = account(node, handle).await?;
    let password = new_password();
    node.reset_password(account.id, &password).await.map_err(words)?;
    Ok(vec![
        format!("The new password of {} ({}) is {password}", account.name, account.handle),
        "All devices were signed out. After signing in with it: Account, change password.".to_owned(),
    ])
}

async fn make_owner(node: &Arc<Node>, handle: &str) -> Answer {
    let account = account(node, handle).await?;
    if account.role == Role::Owner {
        return Ok(vec![format!("{} ({}) is an owner already.", account.name, account.handle)]);
    }
    let directory = node.directory();
    let facts = Facts::of(&directory, Actor::Operator);
    directory.permits(&facts, Action::SetRole).map_err(words)?;
    let change = Change::SetAccount { account: account.id, setting: AccountSetting::Role };
    node.require_format(account.id, change.needs()).await.map_err(words)?;
    let by = node.acting_operator(account.id);
    let proposal = node.proposal(by, ClientId::random(), &change, Content::None).map_err(words)?;
    match node.propose(proposal).await.map_err(words)? {
        Outcome::Stored { .. } => Ok(vec![format!("{} ({}) is an owner now.", account.name, account.handle)]),
        Outcome::Refused { why } => Err(format!("the log refused it ({why:?}): try again")),
    }
}

impl Node {
    /// Waits until all is read that the log has now.
    pub async fn read_whole_log(&self) -> Result<(), BrokerError> {
        let head = self.broker.head().await?.map_or(0, |head| head.g);
        self.wait_folded(head).await;
        Ok(())
    }

    async fn has_password(&self, account: AccountId) -> Result<bool, BrokerError> {
        let key = super::passwords::password_key(account);
        let kept = self.broker.secret(key, SecretOp::Get).await?;
        Ok(kept.is_some_and(|kept| super::passwords::lets_in(&kept.value)))
    }
}
