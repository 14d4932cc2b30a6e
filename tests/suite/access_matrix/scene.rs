//! One room, the people who ask of it, and what stands in it.

use crate::support::server::TestClient;
use crate::support::{TestNode, room_proposal, set_up};
use beck::protocol::frame::Role;
use beck::protocol::{AccountId, ActBody, ActValue, ClientId, Kind, MessageBody, RoomId};
use beck::server::broker::Proposal;
use beck::server::fold::AccountBody;
use beck::server::{router, serve};
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// What nobody but a member may read.
pub const SECRET: &str = "hemlock";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    Member,
    /// Was in the room and was removed; the room's texts came later.
    Removed,
    /// Has an account, and was never in the room.
    NeverThere,
    SignedOut,
}

pub const PEOPLE: [Person; 4] = [Person::Member, Person::Removed, Person::NeverThere, Person::SignedOut];

/// A server on a port of its own, in this process.
pub struct Place {
    pub here: TestNode,
    pub host: String,
    scenes: AtomicUsize,
    _folder: TempDir,
}

pub struct Scene {
    /// What the names of this scene begin with.
    pub name: String,
    pub room: RoomId,
    /// The author of all that stands in the room.
    pub author: AccountId,
    accounts: [AccountId; 3],
    /// A message with an answer, an earlier text and a pin.
    pub root: ClientId,
    /// The lane of its answer.
    pub lane: u64,
}

impl Place {
    pub async fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let here = set_up(folder.path()).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let app = router::router(here.node.clone(), None);
        tokio::spawn(serve::serve(here.node.clone(), app, listener, std::future::pending()));
        Place { here, host, scenes: AtomicUsize::new(0), _folder: folder }
    }

    /// A room with people of its own: what is done in one scene changes no other.
    pub async fn scene(&self) -> Scene {
        let name = format!("scene{}x", self.scenes.fetch_add(1, Ordering::Relaxed));
        let people = ["author", "member", "removed", "never"].map(|who| (AccountId::random(), who));
        let [author, member, removed, never] = people.map(|(id, _)| id);
        let mut batch = Vec::new();
        for (id, who) in people {
            let body = AccountBody {
                name: format!("{name} {who}"),
                handle: format!("{name}{who}"),
                role: Role::Member,
            };
            batch.push(about(Proposal::new(id, ClientId::random(), Kind::Account, &body), id));
        }
        let owner = self.here.owner;
        let made = room_proposal(owner, &format!("{name} room"));
        let room = made.room.unwrap();
        batch.push(made);
        let in_room = |kind: Kind, of| about(Proposal::new(of, ClientId::random(), kind, &()).room(room), of);
        batch.extend([author, member, removed].map(|of| in_room(Kind::Join, of)));
        let leave = Proposal::new(owner, ClientId::random(), Kind::Leave, &()).room(room);
        batch.push(about(leave, removed));
        let all = format!("{SECRET} @{name}member @{name}removed @{name}never");
        let message = |id, text: &str, quote| {
            let body = MessageBody { text: text.to_owned(), quote };
            Proposal::new(author, id, Kind::Message, &body).room(room)
        };
        let root = ClientId::random();
        let to_root = |proposal: Proposal| proposal.target(root.to_string().parse().unwrap());
        let act = |slot: &str, value| {
            let act = Proposal::new(author, ClientId::random(), Kind::Act, &ActBody { value }).room(room);
            to_root(act.slot(slot.parse().unwrap()))
        };
        batch.push(message(root, "hemlock, first text", None));
        batch.push(act("text", ActValue::Text(all.clone())));
        batch.push(act("pin", ActValue::On(true)));
        batch.push(to_root(message(ClientId::random(), &all, None)));
        batch.push(message(ClientId::random(), &all, Some(root)));
        let entries = batch.len() as u64;
        let first = self.here.log.append(batch).await.unwrap();
        self.here.node.wait_folded(first + entries - 1).await;
        // The room's events: it was made, three came and one went, then the root.
        let (accounts, lane) = ([member, removed, never], 6);
        Scene { name, room, author, accounts, root, lane }
    }

    /// What the browser of a person sends: a new login each time.
    pub async fn cookie(&self, scene: &Scene, person: Person) -> String {
        match scene.account(person) {
            Some(account) => format!("beck_login={}", self.here.node.sign_in(account).await.unwrap()),
            None => String::new(),
        }
    }

    pub async fn socket(&self, cookie: &str) -> TestClient {
        TestClient::connect_at(&self.host, cookie).await
    }
}

impl Scene {
    pub fn account(&self, person: Person) -> Option<AccountId> {
        self.accounts.get(person as usize).copied()
    }

    /// A text without what differs from one scene, room or request to another.
    pub fn plain(&self, text: &str, room: RoomId) -> String {
        text.replace(room.as_str(), "ROOM").replace(&self.name, "NAME")
    }
}

fn about(proposal: Proposal, account: AccountId) -> Proposal {
    proposal.target(account.as_str().parse().unwrap())
}
