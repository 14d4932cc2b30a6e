//! A room with its content, and the people who ask about it.

use crate::support::awaited::until;
use crate::support::server::TestClient;
use crate::support::{TestNode, room_proposal, set_up};
use beck::protocol::frame::Role;
use beck::protocol::{AccountId, ActBody, ActValue, ClientId, Kind, MessageBody, RoomId};
use beck::server::broker::Proposal;
use beck::server::fold::AccountBody;
use beck::server::hub::Pulled;
use beck::server::state::{Floor, STATE_FILE};
use beck::server::{router, serve};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A word of every message: only members may read it.
pub const SECRET: &str = "hemlock";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    Member,
    /// Was removed from the room before its messages were written.
    Removed,
    /// Has an account and was never in the room.
    NeverThere,
    SignedOut,
}

pub const PEOPLE: [Person; 4] = [Person::Member, Person::Removed, Person::NeverThere, Person::SignedOut];

/// A server in this process, on a port of its own.
pub struct Place {
    pub here: TestNode,
    pub host: String,
    scenes: AtomicUsize,
    folder: TempDir,
}

pub struct Scene {
    /// Prefix of all names and handles of this scene.
    pub name: String,
    pub room: RoomId,
    /// The author of all messages.
    pub author: AccountId,
    accounts: [AccountId; 3],
    /// A pinned, edited message with an answer.
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
        Place { here, host, scenes: AtomicUsize::new(0), folder }
    }

    /// A new room with new people, so that scenes do not affect each other.
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
            let body = MessageBody { text: text.to_owned(), quote, said: None };
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
        let hub = &self.here.node.hub;
        let witness = hub.connect(author, hub.ended_logins()).unwrap();
        let ring = hub.open(room, &witness);
        let last = batch.iter().filter(|proposal| proposal.room.is_some()).count() as u64;
        self.here.log.append(batch).await.unwrap();
        // Later than what is folded: a connection that opens before it is still told of the leave.
        let is_new = |pulled| !matches!(pulled, Pulled::Frames(frames) if frames.is_empty());
        until("the scene is published", || is_new(ring.pull(Floor::NONE, last - 1, 1))).await;
        hub.close(room, &witness);
        hub.disconnect(&witness);
        // The root is the sixth event, after the room, three joins and the leave.
        let (accounts, lane) = ([member, removed, never], 6);
        Scene { name, room, author, accounts, root, lane }
    }

    /// Sets the floor of a member's stay, which no entry sets.
    pub fn set_floor(&self, scene: &Scene, person: Person, floor: u64) {
        let db = rusqlite::Connection::open(self.folder.path().join(STATE_FILE)).unwrap();
        db.busy_timeout(Duration::from_secs(10)).unwrap();
        let stay = (floor, scene.room.as_str(), scene.account(person).unwrap().to_string());
        let sql = "UPDATE members SET floor = ?1 WHERE room = ?2 AND account = ?3";
        assert_eq!(db.execute(sql, stay).unwrap(), 1, "{person:?} is no member");
    }

    /// Notes that the edit with this seq named somebody in the root.
    pub fn name_by_edit(&self, scene: &Scene, account: AccountId, seq: u64) {
        let db = rusqlite::Connection::open(self.folder.path().join(STATE_FILE)).unwrap();
        db.busy_timeout(Duration::from_secs(10)).unwrap();
        let sql = "INSERT OR REPLACE INTO named(room, lane, ordinal, account, seq)
                   SELECT n, 0, 1, ?2, ?3 FROM rooms WHERE id = ?1";
        assert_eq!(db.execute(sql, (scene.room.as_str(), account.as_str(), seq)).unwrap(), 1);
    }

    /// The cookie of a new login; empty for a signed-out visitor.
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

    /// A text without the room's id, the ids of the scene's accounts and its names.
    pub fn plain(&self, text: &str, room: RoomId) -> String {
        let mut text = text.replace(room.as_str(), "ROOM").replace(&self.name, "NAME");
        for (n, account) in self.accounts.iter().chain([&self.author]).enumerate() {
            text = text.replace(account.as_str(), &format!("ACCOUNT {n}"));
        }
        text
    }
}

fn about(proposal: Proposal, account: AccountId) -> Proposal {
    proposal.target(account.as_str().parse().unwrap())
}
