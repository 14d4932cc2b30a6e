//! Use cases of accounts: the first run, signing up, signing in.

use super::access::{Action, Actor, Denied, Facts};
use super::broker::{Content, Proposal};
use super::error::{AppError, Field};
use super::fold;
use super::hashing::Whose;
use super::logins::Login;
use super::node::{Node, Readiness};
use super::room_names::shown_name;
use super::rooms;
use super::steps::{self, step};
use crate::protocol::change::AccountSetting;
use crate::protocol::frame::RoomKind;
use crate::protocol::{
    AccountId, Change, ClientId, Format, Outcome, OwnStatus, Refusal, RoomId, WorkspaceId, bounds,
};
use futures::FutureExt;
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
    let begins = node.epoch().is_none();
    let format = if begins { node.config.newest_format } else { node.directory().format() };
    let new = Checked::of(&new, format)?;
    if begins {
        let first = first_entry(format, workspace, account)?;
        match node.broker.create(first).await {
            Ok(head) => {
                node.wait_folded(head.g).await;
                node.check_pin().map_err(|fault| AppError::Unready(fault.unready()))?;
            }
            // Another setup may have been faster: then this one goes on with what is there.
            Err(_) => {
                node.sure(|begun| !begun, || node.epoch().is_some()).await?;
            }
        }
    }
    if node.directory().rules().strict.is_some() {
        make_owner(node, account, &new).await?;
    } else {
        make(node, account, true, &new).await?;
    }
    let room = rooms::create(node, account, "General", "Everything that is for all of us").await?;
    Ok((account, room))
}

/// What begins a log of this format.
fn first_entry(format: Format, name: String, account: AccountId) -> Result<Proposal, AppError> {
    let id = WorkspaceId::random();
    let author = if fold::Rules::of(format).strict.is_some() { id.operator() } else { account };
    let change = Change::Workspace { id, name, format: format.number() };
    Ok(Proposal::of(format, author, ClientId::random(), &change, Content::None)?)
}

/// Signs up by the join link; the new member is in every open room that the owner began with.
pub async fn sign_up(node: &Arc<Node>, new: NewAccount<'_>) -> Result<AccountId, AppError> {
    let account = AccountId::random();
    let directory = node.directory();
    let new = Checked::of(&new, directory.format())?;
    if directory.rules().strict.is_some() {
        let rooms = directory.rooms.values();
        let general = rooms.filter(|room| is_general(room.kind, &room.name, room.archived));
        let rooms = general.map(|room| room.id).take(1).collect();
        sign_up_in_steps(node, SignUp { id: ClientId::random(), author: account, account, rooms }, &new)
            .await?;
        return Ok(account);
    }
    make(node, account, false, &new).await?;
    let mut rooms = node.directory().visible_rooms(account).into_iter();
    if let Some(room) = rooms.find(|room| is_general(room.kind, &room.name, room.archived)) {
        let _ = rooms::join(node, account, room.id).await;
    }
    Ok(account)
}

fn is_general(kind: RoomKind, name: &str, archived: bool) -> bool {
    kind == RoomKind::Open && name == "General" && !archived
}

fn in_field(field: Field) -> impl Fn(bounds::Unfit) -> AppError {
    move |unfit| AppError::Field(field, unfit)
}

/// Name, handle and password that fit.
struct Checked<'a> {
    name: String,
    handle: String,
    password: &'a str,
}

impl<'a> Checked<'a> {
    fn of(new: &NewAccount<'a>, format: Format) -> Result<Checked<'a>, AppError> {
        let counted = fold::Rules::of(format).strict.is_some();
        let name = if counted { shown_name(new.name) } else { bounds::name(new.name) };
        let name = name.map_err(in_field(Field::Name))?;
        let handle = bounds::handle(new.handle).map_err(in_field(Field::Handle))?;
        let password = bounds::password(new.password).map_err(in_field(Field::Password))?;
        Ok(Checked { name, handle, password })
    }
}

/// The password first: an account that is in the log can be signed in to.
async fn put_password(node: &Arc<Node>, id: AccountId, password: &str) -> Result<(), AppError> {
    // Nothing is left beside a log that is away.
    if let Readiness::Unready(why) = node.readiness() {
        return Err(AppError::Unready(why));
    }
    Ok(node.set_password(id, password).await?)
}

/// Proposes the entry that makes an account. The password of one that is not made goes.
async fn propose_account(node: &Arc<Node>, id: AccountId, proposal: Proposal) -> Result<(), AppError> {
    let why = match node.propose(proposal).await? {
        Outcome::Stored { .. } => return Ok(()),
        Outcome::Refused { why } => why,
    };
    node.drop_password(id).await;
    Err(match why {
        Refusal::Taken => AppError::HandleTaken,
        // Another first run has made the owner.
        Refusal::OtherDraft => Denied::new(Action::SetUp, Refusal::NotAllowed).into(),
        why => Denied::new(Action::SetUp, why).into(),
    })
}

/// Makes an account in a log of formats 1 to 4.
async fn make(node: &Arc<Node>, id: AccountId, owner: bool, new: &Checked<'_>) -> Result<(), AppError> {
    put_password(node, id, new.password).await?;
    let change = Change::Account {
        id,
        handle: new.handle.clone(),
        owner,
        rooms: Vec::new(),
        invitation: None,
        name: Some(new.name.clone()),
    };
    propose_account(node, id, node.proposal(id, ClientId::random(), &change, Content::None)?).await
}

/// The operator makes the owner of the first run. The id of the entry follows from the one that made the workspace: of two
/// first runs at once the log takes one.
async fn make_owner(node: &Arc<Node>, account: AccountId, new: &Checked<'_>) -> Result<(), AppError> {
    let operator = node.operator().ok_or(AppError::NotFound)?;
    let first = node.broker.read(1, 1).await?;
    let workspace = first.first().ok_or(AppError::NotFound)?.header.client_id;
    // An entry that is refused for its handle would use the id up.
    let taken = node.sure(|_| true, || node.directory().handles.contains_key(&new.handle)).await?;
    if taken {
        return Err(AppError::HandleTaken);
    }
    let id = step(workspace, steps::OWNER);
    sign_up_in_steps(node, SignUp { id, author: operator, account, rooms: Vec::new() }, new).await
}

/// A sign-up of format 5.
struct SignUp {
    /// The id of the first entry, from which those of the steps follow.
    id: ClientId,
    /// The account itself, or the operator, who makes an owner.
    author: AccountId,
    account: AccountId,
    rooms: Vec<RoomId>,
}

/// The account, then its name and its rooms. Any server joins the rooms if this one stops in the middle; without the name
/// the account is shown by its handle.
async fn sign_up_in_steps(node: &Arc<Node>, sign_up: SignUp, new: &Checked<'_>) -> Result<(), AppError> {
    let SignUp { id, author, account, rooms } = sign_up;
    put_password(node, account, new.password).await?;
    let first = Change::Account {
        id: account,
        handle: new.handle.clone(),
        owner: author != account,
        rooms: rooms.clone(),
        invitation: None,
        name: None,
    };
    propose_account(node, account, node.proposal(author, id, &first, Content::None)?).await?;
    let name = Change::SetAccount { account, setting: AccountSetting::Name };
    let name = node.proposal(author, step(id, steps::NAME), &name, Content::value(Some(&new.name)))?;
    // In the order of the calls, without a wait between them.
    let mut later = vec![node.propose(name).boxed()];
    for (n, room) in (steps::FIRST_JOIN..).zip(rooms) {
        let join = node.proposal(author, step(id, n), &Change::Join { room, account }, Content::None)?;
        later.push(node.propose(join).boxed());
    }
    for outcome in futures::future::join_all(later).await {
        if let Err(fault) = outcome {
            tracing::warn!(%fault, account = %new.handle, "a step of a sign-up may be missing");
        }
    }
    Ok(())
}

/// Signs in by handle and password; gives the login to begin.
pub async fn sign_in(
    node: &Arc<Node>,
    whose: Whose,
    handle: &str,
    password: &str,
) -> Result<Login, AppError> {
    let handle = bounds::handle(handle).unwrap_or_default();
    let login = node.check_password(whose, &handle, password).await?;
    let login = login.ok_or(AppError::WrongPassword)?;
    // It signs in all the same: the rooms are tried again within the hour.
    let _ = node.finish_sign_ups(Some(login.account)).await;
    Ok(login)
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
    let change = Change::SetAccount { account: by, setting: AccountSetting::Status };
    node.require_format(by, change.needs()).await?;
    let status = OwnStatus { text, do_not_disturb, until };
    let status = Content::value(Some(status).filter(|status| *status != OwnStatus::default()));
    rooms::accepted(node, by, &change, status).await
}
