//! Reading an entry of format 5 strictly: it is parsed, written again, and the bytes are compared.

use super::bodies::{
    self, AccountBody, ErasedBody, KeyBody, KeyedRoomBody, OldAccountBody, OldRoomBody, Role, SetBody,
    WorkspaceBody,
};
use super::{AccountSetting, Act, Change};
use crate::protocol::entry::{Header, Kind, Token};
use crate::protocol::erasable::{Erasable, erasable};
use crate::protocol::format::Format;
use crate::protocol::ids::{AccountId, RoomId};
use crate::protocol::stored::Stored;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why an entry of format 5 says nothing that could be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The entry is refused.
    #[error("the entry does not have the form that its kind has")]
    Malformed,
    /// The log is damaged.
    #[error("the entry has no body, and its kind is never erased")]
    Absent,
}

impl Change {
    /// What an entry of format 5 does. `body` is the stored body, `None` once erased.
    ///
    /// Whether an entry of this form may have its author, [`Change::fits_author`] says.
    pub fn read(header: &Header, body: Option<&str>) -> Result<Change, Unreadable> {
        let never = erasable(Format::Five, &header.kind, header.slot.as_ref()) == Erasable::Never;
        if never && body.is_none() {
            return Err(Unreadable::Absent);
        }
        let target = header.target.as_ref().map(Token::as_str);
        let slot = header.slot.as_ref().map(Token::as_str);
        let change = match (&header.kind, header.room, target, slot) {
            (Kind::Workspace, None, None, None) => workspace(body),
            (Kind::Format, None, None, None) => {
                exact(body).filter(|number| *number > 0).map(|number| Change::Format { number })
            }
            (Kind::Account, None, Some(target), None) => {
                bodies::account(target).and_then(|id| new_account(id, body))
            }
            (Kind::AccountSet, None, Some(target), Some(slot)) => account_set(target, slot, body),
            (Kind::WorkspaceSet, None, None, Some("name")) => Some(Change::SetWorkspaceName),
            (Kind::Logins, None, Some(target), None) => {
                nothing(body).and_then(|()| bodies::account(target)).map(|account| Change::Logins { account })
            }
            (Kind::Void, None, Some(target), None) => nothing(body)
                .and_then(|()| bodies::id(target))
                .filter(|draft| *draft != header.client_id)
                .map(|draft| Change::Void { draft }),
            (Kind::Room, Some(room), None, None) => new_room(room, body),
            (Kind::RoomSet, Some(room), None, Some(slot)) => room_set(room, slot, body),
            (Kind::Join, Some(room), Some(target), None) => nothing(body)
                .and_then(|()| bodies::account(target))
                .map(|account| Change::Join { room, account }),
            (Kind::Leave, Some(room), Some(target), None) => nothing(body)
                .and_then(|()| bodies::account(target))
                .map(|account| Change::Leave { room, account }),
            (Kind::Message, Some(room), target, slot) => message(room, target, slot),
            (Kind::Act, Some(room), Some(target), Some(slot)) => bodies::id(target)
                .and_then(|message| act(slot, body).map(|act| Change::Act { room, message, act })),
            (Kind::Erase, room, None, None) => erase(header.g, room, body),
            (Kind::Other(_), ..) => Some(Change::Unknown),
            _ => None,
        };
        change.ok_or(Unreadable::Malformed)
    }
}

/// The body if it is a salt and exactly the bytes that are written for it.
fn exact<T: Serialize + DeserializeOwned>(body: Option<&str>) -> Option<T> {
    let draft = Stored::never_erased(body?)?.draft;
    let read = serde_json::from_str(draft).ok()?;
    (serde_json::to_string(&read).ok()? == draft).then_some(read)
}

/// A body that is a salt and `null`.
fn nothing(body: Option<&str>) -> Option<()> {
    exact(body)
}

fn workspace(body: Option<&str>) -> Option<Change> {
    let WorkspaceBody { id, name, format } = exact(body)?;
    Some(Change::Workspace { id, name, format })
}

fn new_account(id: AccountId, body: Option<&str>) -> Option<Change> {
    if let Some(new) = exact::<AccountBody>(body) {
        let fits = new.fits();
        let AccountBody { handle, role, rooms, invitation } = new;
        let owner = role == Some(Role::Owner);
        return fits.then_some(Change::Account { id, handle, owner, rooms, invitation, name: None });
    }
    let old = exact::<OldAccountBody>(body).filter(OldAccountBody::fits)?;
    let OldAccountBody { name, handle, role } = old;
    let owner = role == Role::Owner;
    Some(Change::Account { id, handle, owner, rooms: Vec::new(), invitation: None, name: Some(name) })
}

fn account_set(target: &str, slot: &str, body: Option<&str>) -> Option<Change> {
    let account = bodies::account(target)?;
    let setting = AccountSetting::of(slot)?;
    if setting == AccountSetting::Role {
        exact::<SetBody<Role>>(body).filter(|set| set.value == Role::Owner)?;
    }
    Some(Change::SetAccount { account, setting })
}

fn new_room(room: RoomId, body: Option<&str>) -> Option<Change> {
    let (name, key, topic) = match exact::<KeyedRoomBody>(body) {
        Some(KeyedRoomBody { name, key, .. }) => (name, Some(key), None),
        None => exact(body).map(|OldRoomBody { name, topic, .. }| (name, None, Some(topic)))?,
    };
    let fits = bodies::room_name_fits(&name) && key.as_deref().is_none_or(bodies::room_name_fits);
    fits.then_some(Change::MakeRoom { room, name, key, topic })
}

fn room_set(room: RoomId, slot: &str, body: Option<&str>) -> Option<Change> {
    match slot {
        "topic" => Some(Change::SetTopic { room }),
        "archived" => exact(body).map(|SetBody { value }| Change::Archive { room, archived: value }),
        "name" => {
            let (name, key) = match exact::<KeyBody>(body) {
                Some(KeyBody { value, key }) => (value, Some(key)),
                None => exact(body).map(|SetBody { value }| (value, None))?,
            };
            let fits = bodies::room_name_fits(&name) && key.as_deref().is_none_or(bodies::room_name_fits);
            fits.then_some(Change::Rename { room, name, key })
        }
        _ => None,
    }
}

fn message(room: RoomId, target: Option<&str>, slot: Option<&str>) -> Option<Change> {
    let answers = match target {
        None => None,
        Some(target) => Some(bodies::id(target)?),
    };
    let (in_room, written_for) = match slot {
        None => (false, None),
        Some("room") => (true, None),
        Some(slot) => {
            let (in_room, slot) = slot.strip_prefix("room,").map_or((false, slot), |rest| (true, rest));
            (in_room, Some(bodies::account(slot.strip_prefix("for:")?)?))
        }
    };
    (answers.is_some() || !in_room).then_some(Change::Post { room, answers, in_room, written_for })
}

fn act(slot: &str, body: Option<&str>) -> Option<Act> {
    match slot {
        "text" => Some(Act::Edit),
        "deleted" => Some(match body.and_then(Stored::never_erased).map(|stored| stored.draft) {
            Some(r#"{"value":true}"#) => Act::Delete,
            draft => Act::Restore { with_text: draft != Some(r#"{"value":false}"#) },
        }),
        "pin" => exact(body).map(|SetBody { value }| Act::Pin(value)),
        _ => {
            let (emoji, account) = slot.strip_prefix("react:")?.split_once(':')?;
            let account = bodies::account(account)?;
            let SetBody { value: on } = exact(body)?;
            bodies::emoji_fits(emoji).then(|| Act::React { emoji: emoji.to_owned(), account, on })
        }
    }
}

fn erase(g: u64, room: Option<RoomId>, body: Option<&str>) -> Option<Change> {
    let body: ErasedBody = exact(body)?;
    let reason = body.reason;
    let bodies = body.list(g)?;
    let has_room = !matches!(bodies, super::Bodies::Entries(_));
    (room.is_some() == has_room).then_some(Change::Erase { room, bodies, reason })
}
