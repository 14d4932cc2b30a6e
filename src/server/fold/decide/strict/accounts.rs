//! Decisions about accounts, and about the workspace's name.

use super::super::{Accepted, Effect, NotAccepted};
use crate::protocol::change::AccountSetting;
use crate::protocol::frame::Role;
use crate::protocol::{AccountId, Header, Refusal};
use crate::server::access::Action;
use crate::server::fold::bodies::AccountBody;
use crate::server::fold::facts::Facts;

/// A new account. Without a name it is shown by its handle.
pub(super) fn new(handle: String, owner: bool, name: Option<String>) -> AccountBody {
    let role = if owner { Role::Owner } else { Role::Member };
    AccountBody { name: name.unwrap_or_else(|| handle.clone()), handle, role }
}

pub(super) fn account(
    header: &Header,
    id: AccountId,
    body: AccountBody,
    facts: Facts<'_>,
) -> Result<Accepted, NotAccepted> {
    if facts.has_account(id) || facts.handle_is_taken(&body.handle) {
        return Err(Refusal::Taken.into());
    }
    if body.role == Role::Owner {
        facts.permit(&facts.author(header), Action::SetRole)?;
    }
    Ok(Effect::NewAccount(id, body).outside_rooms())
}

pub(super) fn set_account(
    header: &Header,
    account: AccountId,
    setting: AccountSetting,
    facts: Facts<'_>,
) -> Result<Accepted, NotAccepted> {
    if !facts.has_account(account) {
        return Err(Refusal::NotFound.into());
    }
    let (action, effect) = match setting {
        AccountSetting::Role => (Action::SetRole, Effect::Role(account, Role::Owner)),
        setting => (Action::EditProfile, Effect::Profile(account, setting)),
    };
    facts.permit(&facts.author(header).of_account(account), action)?;
    Ok(effect.outside_rooms())
}

pub(super) fn set_workspace_name(header: &Header, facts: Facts<'_>) -> Result<Accepted, NotAccepted> {
    facts.permit(&facts.author(header), Action::NameWorkspace)?;
    Ok(Effect::WorkspaceName.outside_rooms())
}

/// Which logins have ended stands in the secrets; here stands that they have.
pub(super) fn logins(header: &Header, account: AccountId, facts: Facts<'_>) -> Result<Accepted, NotAccepted> {
    if !facts.has_account(account) {
        return Err(Refusal::NotFound.into());
    }
    facts.permit(&facts.author(header).of_account(account), Action::EndLogins)?;
    Ok(Effect::Logins(account).outside_rooms())
}
