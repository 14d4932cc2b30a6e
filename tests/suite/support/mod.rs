//! What tests share: nodes in process, real servers, clients with verbs, and second implementations.

pub mod awaited;
pub mod backend;
pub mod checker;
pub mod command;
pub mod corpus;
pub mod engine;
pub mod erasing;
pub mod furnished;
pub mod log_reader;
pub mod logged;
pub mod native;
pub mod pass_on;
pub mod paused;
pub mod plain;
pub mod planted;
pub mod proxy;
pub mod redis;
pub mod room_log;
pub mod server;
pub mod store_line;
pub mod swapped;
pub mod tables;

use beck::api::Boot;
use beck::protocol::frame::{Draft, Person, Role, RoomInfo, RoomKind};
use beck::protocol::stored::MessageDraft;
use beck::protocol::{
    AccountId, Added, Change, ClientId, Format, Kind, MessageBody, Outcome, Page, RoomId, ServerFrame,
    WorkspaceId,
};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, Content, Entry, Head, Proposal, SharedBroker};
use beck::server::config::Config;
use beck::server::fold::{AccountBody, RoomBody};
use beck::server::node::Node;
use beck::server::{accounts, rooms};
use serde_json::Value;
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

/// As [`config`], of a server that begins logs in this format and reads none newer.
pub fn config_of(folder: &Path, newest: Format) -> Config {
    Config { newest_format: newest, ..config(folder) }
}

/// A node in this process, with a workspace, an owner and room General.
pub struct TestNode {
    pub node: Arc<Node>,
    pub log: SharedBroker,
    pub owner: AccountId,
    pub general: RoomId,
}

/// A node in a folder, set up.
pub async fn set_up(folder: &Path) -> TestNode {
    set_up_on(folder, Arc::new(Embedded::open(folder).unwrap())).await
}

/// As [`set_up`], on a log that is open already.
pub async fn set_up_on(folder: &Path, log: SharedBroker) -> TestNode {
    set_up_with(config(folder), log).await
}

/// As [`set_up`], in a log of this format.
pub async fn set_up_of(folder: &Path, format: Format) -> TestNode {
    set_up_with(config_of(folder, format), Arc::new(Embedded::open(folder).unwrap())).await
}

/// As [`set_up_on`], with other settings.
pub async fn set_up_with(config: Config, log: SharedBroker) -> TestNode {
    let node = Node::start(config, log.clone()).await.unwrap();
    let new = accounts::NewAccount { name: "Olive Owner", handle: "olive", password: "a long password" };
    let (owner, general) = accounts::set_up(&node, "Test Place", new).await.unwrap();
    TestNode { node, log, owner, general }
}

impl TestNode {
    pub async fn member(&self, name: &str) -> AccountId {
        let new = accounts::NewAccount { name, handle: name, password: "a long password" };
        accounts::sign_up(&self.node, new).await.unwrap()
    }

    pub async fn post(&self, by: AccountId, id: ClientId, text: &str) -> Outcome {
        let draft = Draft {
            id,
            room: self.general,
            thread: None,
            quote: None,
            text: text.into(),
            named: Default::default(),
        };
        rooms::post(&self.node, by, draft).await.unwrap()
    }

    /// Every entry of the log.
    pub async fn log(&self) -> Vec<Entry> {
        read_all(self.log.as_ref()).await
    }
}

/// The draft in the body of an entry of any format: behind the salt, and before the added part.
pub fn draft_of(entry: &Entry) -> Option<&str> {
    let body = entry.body.as_deref()?;
    let draft = body.get(body.find('{').unwrap_or(16)..)?;
    draft.split('\n').next()
}

pub async fn read_all(broker: &dyn Broker) -> Vec<Entry> {
    let head = broker.head().await.unwrap().map_or(0, |head| head.g);
    let mut entries: Vec<Entry> = Vec::new();
    while (entries.len() as u64) < head {
        let after = entries.last().map_or(Head::default(), |last| Head { g: last.header.g, link: last.link });
        entries.extend(broker.follow(after, 100).await.unwrap());
    }
    entries
}

/// Number and link of an entry as a log has it now.
pub async fn head_at(broker: &dyn Broker, g: u64) -> Head {
    broker.read(g, 1).await.unwrap().first().filter(|entry| entry.header.g == g).unwrap().head()
}

/// Erases entries of a log by their numbers: whether all of them are gone, the newest among them too.
pub async fn erase(broker: &dyn Broker, numbers: &[u64]) -> bool {
    let entries = read_all(broker).await;
    let heads = numbers.iter().map(|g| {
        let entry = entries.iter().find(|entry| entry.header.g == *g);
        entry.map_or(Head { g: *g, ..Head::default() }, Entry::head)
    });
    let left = broker.erase(heads.collect()).await.unwrap();
    assert!(left.other.is_empty(), "{left:?}");
    !left.newest
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

/// The chain after an event, from the raw header that travelled.
pub fn chain_by_hand(before: &str, header: &Value) -> String {
    let word = |name: &str| header[name].as_str().unwrap_or("-").to_owned();
    let text = format!(
        "{before}\n{}\n{}\n{} {} {} {} {} {} {}",
        header["g"],
        header["at"],
        word("by"),
        word("id"),
        word("room"),
        word("kind"),
        word("target"),
        word("slot"),
        word("digest"),
    );
    let hash = Sha1::digest(text.as_bytes());
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The seed of a run, from BECK_SEED or by chance; printed.
pub fn seed() -> u64 {
    let set = std::env::var("BECK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = set.unwrap_or_else(rand::random);
    println!("BECK_SEED={seed}");
    seed
}

/// A workspace whose people are signed in, and no process on it.
pub struct Place {
    pub general: RoomId,
    /// The owner first. Account and cookie.
    pub people: Vec<(AccountId, String)>,
}

/// Sets up a folder with so many people in room General. Nobody but the owner has a password: that would take long.
pub async fn furnish(folder: &Path, people: usize) -> Place {
    let place = furnish_on(folder, Arc::new(Embedded::open(folder).unwrap()), people).await;
    awaited::closed(folder).await;
    place
}

/// As [`furnish`], on a log that is open already; the folder is of no more use where the log is elsewhere.
pub async fn furnish_on(folder: &Path, log: SharedBroker, people: usize) -> Place {
    let here = set_up_on(folder, log).await;
    let mut accounts = vec![here.owner];
    let mut batch = Vec::new();
    for n in 1..people {
        let account = AccountId::random();
        let target = || account.as_str().parse().unwrap();
        let body =
            AccountBody { name: format!("Person {n}"), handle: format!("person{n}"), role: Role::Member };
        batch.push(Proposal::new(account, ClientId::random(), Kind::Account, &body).target(target()));
        let join = Proposal::new(account, ClientId::random(), Kind::Join, &());
        batch.push(join.room(here.general).target(target()));
        accounts.push(account);
    }
    if !batch.is_empty() {
        let last = batch.len() as u64 - 1;
        let first = here.log.append(batch).await.unwrap();
        here.node.wait_folded(first + last).await;
    }
    let mut signed_in = Vec::new();
    for account in accounts {
        let token = here.node.sign_in(account).await.unwrap();
        signed_in.push((account, format!("beck_login={token}")));
    }
    Place { general: here.general, people: signed_in }
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

/// A message as servers of a log of this format propose it.
pub fn message(format: Format, by: AccountId, id: ClientId, room: RoomId, text: &str) -> Proposal {
    if format < Format::Five {
        let body = MessageBody { text: text.to_owned(), quote: None, said: None };
        return Proposal::new(by, id, Kind::Message, &body).room(room);
    }
    let change = Change::Post { room, answers: None, in_room: false, written_for: None };
    let content = Content::erasable(&MessageDraft { text, quote: None, said: None }, &Added::default());
    Proposal::of(format, by, id, &change, content).unwrap()
}

/// A proposal that makes an open room.
pub fn room_proposal(by: AccountId, name: &str) -> Proposal {
    let body = RoomBody { kind: RoomKind::Open, name: name.into(), topic: String::new() };
    Proposal::new(by, ClientId::random(), Kind::Room, &body).room(RoomId::random())
}

/// The first frame of a server, by hand.
pub fn welcome(workspace: WorkspaceId, me: Person, rooms: Vec<RoomInfo>) -> ServerFrame {
    ServerFrame::Welcome {
        version: 1,
        workspace,
        name: "W".into(),
        me,
        rooms,
        g: 9,
        heartbeat_ms: 25_000,
        format: 4,
    }
}

/// What a page of an open room gives a client to begin with; without rows the client asks for them.
pub fn boot(account: AccountId, room: RoomId, page: Option<Page>) -> Boot {
    let me = Person { id: account, name: "Me".into(), handle: "me".into(), role: Role::Member };
    let info = RoomInfo {
        id: room,
        kind: RoomKind::Open,
        name: "General".into(),
        topic: String::new(),
        archived: false,
        members: 1,
        joined: true,
        may_archive: false,
        may: None,
        badge: Default::default(),
    };
    Boot {
        workspace: "W".into(),
        me: Some(me),
        rooms: vec![info],
        page,
        thread: None,
        mentions: None,
        found: None,
        people: Vec::new(),
        quiet: 0,
        status: Default::default(),
        zone: 0,
        theme: "system".into(),
        format: 4,
        client_id: ClientId::random(),
        join_link: None,
        asks_code: false,
        enters_as: None,
        dead_link: false,
        next: String::new(),
        acknowledged: String::new(),
        notice: None,
    }
}

/// Resident bytes of a process; 0 where the system does not tell.
pub fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
