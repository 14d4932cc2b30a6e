//! Decisions that no entry of the recorded logs asks for, written by hand.

use beck::protocol::frame::{Role, RoomKind};
use beck::protocol::{
    AccountId, ActBody, ActValue, ClientId, Kind, MessageBody, Outcome, Refusal, RoomId, Token, WorkspaceId,
};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, Proposal};
use beck::server::fold::{AccountBody, Fold, RoomBody, SettingBody, WorkspaceBody};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

/// A log and its fold, with an owner, two members and a room of all three.
struct Place {
    log: Embedded,
    fold: Fold,
    _folder: TempDir,
    owner: AccountId,
    anna: AccountId,
    ben: AccountId,
    room: RoomId,
}

fn token(text: impl ToString) -> Token {
    text.to_string().parse().unwrap()
}

fn set(value: Value) -> SettingBody {
    SettingBody { value }
}

impl Place {
    async fn new() -> Place {
        let folder = tempdir().unwrap();
        let log = Embedded::open(folder.path()).unwrap();
        let (_, fold) = Fold::open(folder.path(), |_, _| true).unwrap();
        let [owner, anna, ben] = std::array::from_fn(|_| AccountId::random());
        let room = RoomId::random();
        let mut place = Place { log, fold, _folder: folder, owner, anna, ben, room };
        let body = WorkspaceBody { id: WorkspaceId::random(), name: "By hand".into(), format: 4 };
        let first = Proposal::new(owner, ClientId::random(), Kind::Workspace, &body);
        place.log.create(first).await.unwrap();
        place.fold.fold(&place.log.read(1, 1).await.unwrap()).unwrap();
        for (id, handle, role) in
            [(owner, "owner", Role::Owner), (anna, "anna", Role::Member), (ben, "ben", Role::Member)]
        {
            assert_eq!(place.account(id, handle, role).await, None, "{handle}");
        }
        assert_eq!(place.make_room(owner, room, "General").await, None);
        for id in [anna, ben] {
            assert_eq!(place.membership(id, Kind::Join, id).await, None);
        }
        place
    }

    /// Why an entry is refused; none if it takes effect.
    async fn put(&mut self, proposal: Proposal) -> Option<Refusal> {
        let g = self.log.append(vec![proposal]).await.unwrap();
        let folded = self.fold.fold(&self.log.read(g, 1).await.unwrap()).unwrap().remove(0);
        match folded.outcome {
            Outcome::Stored { .. } => None,
            Outcome::Refused { why } => Some(why),
        }
    }

    async fn account(&mut self, id: AccountId, handle: &str, role: Role) -> Option<Refusal> {
        let body = AccountBody { name: handle.into(), handle: handle.into(), role };
        self.put(Proposal::new(id, ClientId::random(), Kind::Account, &body).target(token(id))).await
    }

    async fn make_room(&mut self, by: AccountId, room: RoomId, name: &str) -> Option<Refusal> {
        let body = RoomBody { kind: RoomKind::Open, name: name.into(), topic: String::new() };
        self.put(Proposal::new(by, ClientId::random(), Kind::Room, &body).room(room)).await
    }

    async fn archive(&mut self, room: RoomId, archived: bool) -> Option<Refusal> {
        let proposal =
            Proposal::new(self.owner, ClientId::random(), Kind::RoomSet, &set(json!(archived))).room(room);
        self.put(proposal.slot(token("archived"))).await
    }

    async fn membership(&mut self, by: AccountId, kind: Kind, target: AccountId) -> Option<Refusal> {
        let proposal = Proposal::new(by, ClientId::random(), kind, &());
        self.put(proposal.room(self.room).target(token(target))).await
    }

    async fn act(&mut self, by: AccountId, on: ClientId, slot: &str, value: ActValue) -> Option<Refusal> {
        let proposal = Proposal::new(by, ClientId::random(), Kind::Act, &ActBody { value }).room(self.room);
        self.put(proposal.target(token(on)).slot(token(slot))).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_once_whatever_its_handle() {
    let mut place = Place::new().await;
    let anna = place.anna;
    assert_eq!(place.account(anna, "another", Role::Member).await, Some(Refusal::Taken));
    assert_eq!(place.account(AccountId::random(), "another", Role::Member).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_deletes_messages_of_others_and_restores_none() {
    let mut place = Place::new().await;
    let (owner, anna, ben, id) = (place.owner, place.anna, place.ben, ClientId::random());
    let body = MessageBody { text: "first".into(), quote: None, said: None };
    let message = Proposal::new(anna, id, Kind::Message, &body).room(place.room);
    assert_eq!(place.put(message).await, None);
    let restored = || ActValue::Restored { restored: "first".into() };
    for (by, value, why) in [
        (ben, ActValue::On(true), Some(Refusal::NotAllowed)),
        (owner, ActValue::On(true), None),
        (owner, restored(), Some(Refusal::NotAllowed)),
        (ben, restored(), Some(Refusal::NotAllowed)),
        (anna, restored(), None),
    ] {
        let shown = format!("{value:?}");
        assert_eq!(place.act(by, id, "deleted", value).await, why, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reacts_in_the_name_of_another() {
    let mut place = Place::new().await;
    let (owner, anna, ben, id) = (place.owner, place.anna, place.ben, ClientId::random());
    let body = MessageBody { text: "first".into(), quote: None, said: None };
    let message = Proposal::new(anna, id, Kind::Message, &body).room(place.room);
    assert_eq!(place.put(message).await, None);
    let of_anna = format!("react:👍:{anna}");
    for (by, why) in [(ben, Some(Refusal::NotAllowed)), (owner, Some(Refusal::NotAllowed)), (anna, None)] {
        assert_eq!(place.act(by, id, &of_anna, ActValue::On(true)).await, why);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_takes_others_out_of_a_room_and_nobody_else_does() {
    let mut place = Place::new().await;
    let (owner, anna, ben) = (place.owner, place.anna, place.ben);
    assert_eq!(place.membership(ben, Kind::Leave, anna).await, Some(Refusal::NotAllowed));
    assert_eq!(place.membership(owner, Kind::Leave, anna).await, None);
    assert_eq!(place.membership(ben, Kind::Leave, ben).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_archived_leaves_its_name_to_others_and_comes_back_only_while_it_is_free() {
    let mut place = Place::new().await;
    let (owner, one, other) = (place.owner, RoomId::random(), RoomId::random());
    assert_eq!(place.make_room(owner, one, "Lunch").await, None);
    assert_eq!(place.make_room(owner, other, "lunch").await, Some(Refusal::Taken));
    assert_eq!(place.archive(one, true).await, None);
    assert_eq!(place.make_room(owner, other, "lunch").await, None);
    assert_eq!(place.archive(one, false).await, Some(Refusal::Taken));
    assert_eq!(place.archive(other, true).await, None);
    assert_eq!(place.archive(one, false).await, None);
}
