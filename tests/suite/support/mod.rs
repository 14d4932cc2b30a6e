//! What tests share: nodes in process, real servers, clients with verbs, and second implementations.

pub mod server;

use beck::protocol::frame::{Draft, RoomKind};
use beck::protocol::{AccountId, ClientId, Kind, Outcome, RoomId};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, Entry, Proposal};
use beck::server::config::Config;
use beck::server::fold::RoomBody;
use beck::server::node::Node;
use beck::server::{accounts, rooms};
use sha1::{Digest, Sha1};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Configuration for a node in a folder.
pub fn config(folder: &Path) -> Config {
    let folder = folder.to_str().unwrap().to_owned();
    let settings = HashMap::from([("DATA_DIR".to_owned(), folder), ("PORT".to_owned(), "0".to_owned())]);
    Config::from_settings(&settings).unwrap()
}

/// A node in this process, with a workspace, an owner and room General.
pub struct TestNode {
    pub node: Arc<Node>,
    pub embedded: Arc<Embedded>,
    pub owner: AccountId,
    pub general: RoomId,
}

/// Opens the node of a folder without setting it up.
pub async fn open(folder: &Path) -> (Arc<Node>, Arc<Embedded>) {
    let embedded = Arc::new(Embedded::open(folder).unwrap());
    let node = Node::start(config(folder), embedded.clone()).await.unwrap();
    (node, embedded)
}

pub async fn set_up(folder: &Path) -> TestNode {
    let (node, embedded) = open(folder).await;
    let new = accounts::NewAccount { name: "Olive Owner", handle: "olive", password: "a long password" };
    let (owner, general) = accounts::set_up(&node, "Test Place", new).await.unwrap();
    TestNode { node, embedded, owner, general }
}

impl TestNode {
    pub async fn member(&self, name: &str) -> AccountId {
        let new = accounts::NewAccount { name, handle: name, password: "a long password" };
        accounts::sign_up(&self.node, new).await.unwrap()
    }

    pub async fn post(&self, by: AccountId, id: ClientId, text: &str) -> Outcome {
        let draft = Draft { id, room: self.general, thread: None, quote: None, text: text.into() };
        rooms::post(&self.node, by, draft).await.unwrap()
    }

    /// Every entry of the log.
    pub async fn log(&self) -> Vec<Entry> {
        read_all(self.embedded.as_ref()).await
    }
}

pub async fn read_all(broker: &dyn Broker) -> Vec<Entry> {
    let head = broker.head().await.unwrap().map_or(0, |head| head.g);
    let mut entries: Vec<Entry> = Vec::new();
    while (entries.len() as u64) < head {
        entries.extend(broker.follow(entries.len() as u64, 100).await.unwrap());
    }
    entries
}

/// The hash that links entries, written a second time from docs/protocol.md.
pub fn link_by_hand(before: &str, entry: &Entry) -> String {
    let header = &entry.header;
    let word = |word: Option<String>| word.unwrap_or_else(|| "-".into());
    let text = format!(
        "{before}\n{}\n{}\n{} {} {} {} {} {} {}",
        header.g,
        header.at,
        header.author,
        header.client_id,
        word(header.room.map(|room| room.to_string())),
        header.kind.as_str(),
        word(header.target.as_ref().map(|target| target.as_str().to_owned())),
        word(header.slot.as_ref().map(|slot| slot.as_str().to_owned())),
        header.digest,
    );
    let hash = Sha1::digest(text.as_bytes());
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks numbers and links of a whole log by the second implementation.
pub fn assert_linked(entries: &[Entry]) {
    let mut before = "0".repeat(16);
    for (index, entry) in entries.iter().enumerate() {
        assert_eq!(entry.header.g, index as u64 + 1, "numbers have no gaps");
        let link = link_by_hand(&before, entry);
        assert_eq!(entry.link.to_string(), link, "link of entry {}", entry.header.g);
        before = link;
    }
}

/// A proposal that makes an open room.
pub fn room_proposal(by: AccountId, name: &str) -> Proposal {
    let body = RoomBody { kind: RoomKind::Open, name: name.into(), topic: String::new() };
    Proposal::new(by, ClientId::random(), Kind::Room, &body).room(RoomId::random())
}
