//! Decisions about accounts.

use super::{Accepted, Effect, NotAccepted, target_account};
use crate::protocol::frame::Role;
use crate::protocol::{Header, OwnStatus, Refusal};
use crate::server::access::Action;
use crate::server::fold::bodies::AccountBody;
use crate::server::fold::facts::Facts;
use crate::server::fold::read::Setting;
use crate::server::fold::rules::Rules;
use serde_json::Value;

pub(super) fn account(
    header: &Header,
    body: Option<AccountBody>,
    facts: Facts<'_>,
) -> Result<Accepted, NotAccepted> {
    let body = body.ok_or(Refusal::Malformed)?;
    let id = header.author;
    if header.target.as_ref().is_none_or(|target| target.as_str() != id.as_str()) {
        return Err(Refusal::Malformed.into());
    }
    if facts.has_account(id) || facts.handle_is_taken(&body.handle) {
        return Err(Refusal::Taken.into());
    }
    if body.role == Role::Owner {
        facts.permit(&facts.first_run(), Action::SetUp)?;
    }
    Ok(Effect::NewAccount(id, body).outside_rooms())
}

pub(super) fn account_set(
    rules: &Rules,
    header: &Header,
    setting: Setting,
    facts: Facts<'_>,
) -> Result<Accepted, NotAccepted> {
    let target = target_account(header).ok_or(Refusal::Malformed)?;
    if !facts.has_account(target) {
        return Err(Refusal::NotFound.into());
    }
    facts.permit(&facts.author(header).of_account(target), Action::EditProfile)?;
    let effect = match (header.slot.as_ref().map(|slot| slot.as_str()), setting) {
        (Some("name"), Setting::Value(Value::String(name))) => Effect::Name(target, name),
        (Some("status"), Setting::Value(status)) if rules.status => {
            let status = serde_json::from_value(status).map_err(|_| Refusal::Malformed)?;
            Effect::Status(target, status)
        }
        (Some("status"), Setting::Absent) if rules.status => Effect::Status(target, OwnStatus::default()),
        // No person writes it: a server does for its operator, in the name of the account.
        (Some("role"), Setting::Value(role)) if rules.role && role == "owner" => {
            facts.permit(&facts.operator(), Action::SetRole)?;
            Effect::Role(target, Role::Owner)
        }
        _ => return Err(Refusal::Malformed.into()),
    };
    Ok(effect.outside_rooms())
}

/// Which logins have ended stands in the secrets; here stands that they have.
pub(super) fn logins(header: &Header, facts: Facts<'_>) -> Result<Accepted, NotAccepted> {
    let target = target_account(header).ok_or(Refusal::Malformed)?;
    facts.permit(&facts.author(header).of_account(target), Action::EndLogins)?;
    Ok(Effect::Logins(target).outside_rooms())
}
