//! Use cases of accounts: the first run, signing up, signing in.

use super::access::{Action, Actor, Denied, Facts};
use super::broker::Proposal;
use super::error::{AppError, Field};
use super::fold::{AccountBody, SettingBody, WorkspaceBody};
use super::hashing::Whose;
use super::logins::Login;
use super::node::{Node, Readiness};
use super::rooms;
use crate::protocol::frame::Role;
use crate::protocol::{
    AccountId, ClientId, Format, Kind, Outcome, OwnStatus, Refusal, RoomId, WorkspaceId, bounds,
};
use std::sync::Arc;

/// Name, handle and password as people typed them.
pub struct NewAccount<'a> {
    pub name: &'a str,
    pub handle: &'a str,
    pub password: &'a str,
}

/// Whether nobody owns this workspace yet.
pub fn needs_setup(node: &Node) -> bool {
    let directory = node.directory();
    let facts = Facts::of(&directory, Actor::Visitor).first_run(&directory);
    directory.permits(&facts, Action::SetUp).is_ok() && node.standstill() == Readiness::Ready
}

/// The first run: workspace, owner account, room General. Gives the owner and the room.
pub async fn set_up(
    node: &Arc<Node>,
    workspace: &str,
    new: NewAccount<'_>,
) -> Result<(AccountId, RoomId), AppError> {
    let workspace = bounds::name(workspace).map_err(in_field(Field::Workspace))?;
    let account = AccountId::random();
    let body = checked(&new)?;
    if node.epoch().is_none() {
        let id = WorkspaceId::random();
        let first = WorkspaceBody { id, name: workspace, format: node.config.newest_format.number() };
        let first = Proposal::new(account, ClientId::random(), Kind::Workspace, &first);
        // Another setup may have been faster: then this one goes on with what is there.
        if let Ok(head) = node.broker.create(first).await {
            node.wait_folded(head.g).await;
            node.check_pin().map_err(|fault| AppError::Unready(fault.unready()))?;
        }
    }
    make(node, account, AccountBody { role: Role::Owner, ..body }, new.password).await?;
    let room = rooms::create(node, account, "General", "Everything that is for all of us").await?;
    Ok((account, room))
}

/// Signs up by the join link; the new member is in every open room that the owner began with.
pub async fn sign_up(node: &Arc<Node>, new: NewAccount<'_>) -> Result<AccountId, AppError> {
    let account = AccountId::random();
    let body = checked(&new)?;
    make(node, account, body, new.password).await?;
    let general = node
        .directory()
        .visible_rooms(account)
        .into_iter()
        .find(|room| room.name == "General" && !room.archived);
    if let Some(room) = general {
        let _ = rooms::join(node, account, room.id).await;
    }
    Ok(account)
}

fn in_field(field: Field) -> impl Fn(bounds::Unfit) -> AppError {
    move |unfit| AppError::Field(field, unfit)
}

fn checked(new: &NewAccount<'_>) -> Result<AccountBody, AppError> {
    let name = bounds::name(new.name).map_err(in_field(Field::Name))?;
    let handle = bounds::handle(new.handle).map_err(in_field(Field::Handle))?;
    bounds::password(new.password).map_err(in_field(Field::Password))?;
    Ok(AccountBody { name, handle, role: Role::Member })
}

/// The password first: an account that is in the log can be signed in to.
async fn make(node: &Arc<Node>, id: AccountId, body: AccountBody, password: &str) -> Result<(), AppError> {
    // Nothing is left beside a log that is away.
    if let Readiness::Unready(why) = node.readiness() {
        return Err(AppError::Unready(why));
    }
    node.set_password(id, password).await?;
    let target = id.as_str().parse().map_err(|_| AppError::Refused(Refusal::Malformed))?;
    let proposal = Proposal::new(id, ClientId::random(), Kind::Account, &body).target(target);
    let why = match node.propose(proposal).await? {
        Outcome::Stored { .. } => return Ok(()),
        Outcome::Refused { why } => why,
    };
    node.drop_password(id).await;
    Err(match why {
        Refusal::Taken => AppError::HandleTaken,
        why => Denied::new(Action::SetUp, why).into(),
    })
}

/// Signs in by handle and password; gives the login to begin.
pub async fn sign_in(node: &Node, whose: Whose, handle: &str, password: &str) -> Result<Login, AppError> {
    let handle = bounds::handle(handle).unwrap_or_default();
    let login = node.check_password(whose, &handle, password).await?;
    login.ok_or(AppError::WrongPassword)
}

/// Says something of oneself, for so many milliseconds or until it is changed.
pub async fn set_status(
    node: &Arc<Node>,
    by: AccountId,
    text: &str,
    do_not_disturb: bool,
    for_ms: Option<u64>,
) -> Result<(), AppError> {
    let text = bounds::status(text)?;
    let until = for_ms.map(|ms| node.log_now_ms().saturating_add_unsigned(ms));
    let until = until.filter(|_| do_not_disturb || !text.is_empty());
    node.require_format(by, Format::Two).await?;
    let body = SettingBody { value: serde_json::json!(OwnStatus { text, do_not_disturb, until }) };
    let proposal = Proposal::new(by, ClientId::random(), Kind::AccountSet, &body);
    let word = |text: &str| text.parse().map_err(|_| AppError::Refused(Refusal::Malformed));
    rooms::accepted(node, proposal.target(word(by.as_str())?).slot(word("status")?)).await
}
