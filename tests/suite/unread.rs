//! What is unread, counted a second time: from the log, the raised pointers and what texts were made of.

use crate::support::{TestNode, boot, draft_of, set_up, set_up_of, welcome};
use beck::client::{Effect, Input, Session};
use beck::protocol::frame::{Draft, Role};
use beck::protocol::{
    AccountId, ActDraft, ActValue, Badge, ClientFrame, ClientId, Format, Kind, Outcome, Pointer, Raise,
    RoomId, ServerFrame,
};
use beck::server::broker::{Entry, Proposal};
use beck::server::fold::AccountBody;
use beck::server::{rooms, unread};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, VecDeque};
use tempfile::tempdir;

const HANDLES: [&str; 3] = ["ann", "bob.b", "cid"];
/// What texts are made of, and whom each piece names: 0 to 2 is a person, 3 everybody.
const PIECES: [(&str, Option<usize>); 16] = [
    ("hello", None),
    ("@ann", Some(0)),
    ("(@Ann)", Some(0)),
    ("@bob.b.", Some(1)),
    ("@cid,", Some(2)),
    ("@room", Some(3)),
    ("に@annさん", Some(0)),
    ("`@ann`", None),
    ("mail@ann", None),
    ("me@ann.example", None),
    ("@nobody", None),
    ("@annex", None),
    ("@ann@cid", None),
    ("https://x.example/@ann", None),
    ("@", None),
    ("\n```\n@ann @room\n```\n", None),
];

/// A message as the oracle knows it.
struct Said {
    id: ClientId,
    by: AccountId,
    deleted: bool,
    named: BTreeSet<usize>,
    /// Whom the text names that a deletion took away: from format 5 on a restore carries none.
    stood: BTreeSet<usize>,
    /// Whom any of its texts has named.
    ever: BTreeSet<usize>,
}

#[derive(Default)]
struct Room {
    /// Each of its entries is accepted, and an event.
    seq: u64,
    said: Vec<Said>,
    /// Edits that named somebody whom the message had not named before: seq, author and who that is.
    newly: Vec<(u64, AccountId, usize)>,
    joined: HashMap<AccountId, u64>,
    /// What was said when each member came, and its pointer since.
    members: HashMap<AccountId, (usize, Pointer)>,
}

/// Counts anew from the log and from what was raised after which entry.
fn recount(
    log: &[Entry],
    raised: &[(u64, AccountId, Raise)],
    texts: &HashMap<String, BTreeSet<usize>>,
) -> HashMap<RoomId, Room> {
    let mut all: HashMap<RoomId, Room> = HashMap::new();
    let mut raised = raised.iter().peekable();
    let mut format = 0;
    for entry in log {
        let header = &entry.header;
        let body: Value =
            draft_of(entry).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let target = header.target.as_ref().map_or("", |target| target.as_str());
        let slot = header.slot.as_ref().map_or("", |slot| slot.as_str());
        let by = header.author;
        if header.kind == Kind::Workspace {
            format = body["format"].as_u64().unwrap();
        }
        if let Some(room) = header.room {
            let room = all.entry(room).or_default();
            room.seq += 1;
            let member = room.members.contains_key(&by);
            let here = (room.said.len(), Pointer { generation: 0, ordinal: room.said.len() as u64 });
            match header.kind {
                Kind::Room => {
                    room.members.insert(by, here);
                    room.joined.insert(by, room.seq);
                }
                Kind::Join if target == by.as_str() && !member => {
                    room.members.insert(by, here);
                    room.joined.insert(by, room.seq);
                }
                Kind::Leave if target == by.as_str() => {
                    room.members.remove(&by);
                }
                Kind::Message if member => {
                    let named = texts[body["text"].as_str().unwrap()].clone();
                    let (stood, ever) = (BTreeSet::new(), named.clone());
                    room.said.push(Said { id: header.client_id, by, deleted: false, named, stood, ever });
                }
                // From format 5 on an author who has left deletes and restores too.
                Kind::Act if member || format >= 5 && slot == "deleted" => {
                    let said = room.said.iter_mut().find(|said| said.id.to_string() == target).unwrap();
                    match (slot, &body["value"]) {
                        ("text", Value::String(text)) if said.by == by && !said.deleted => {
                            said.named = texts[text].clone();
                            let new = said.named.difference(&said.ever).filter(|_| format >= 5);
                            room.newly.extend(new.map(|who| (room.seq, by, *who)));
                            said.ever.extend(said.named.iter().copied());
                        }
                        ("deleted", Value::Bool(true)) if said.by == by && !said.deleted => {
                            (said.deleted, said.stood) = (true, std::mem::take(&mut said.named));
                        }
                        ("deleted", Value::Bool(false)) if said.by == by && said.deleted => {
                            (said.deleted, said.named) = (false, said.stood.clone());
                        }
                        ("deleted", value) if said.by == by && said.deleted && format < 5 => {
                            let text = value["restored"].as_str().unwrap();
                            (said.deleted, said.named) = (false, texts[text].clone());
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        while let Some((_, by, raise)) = raised.next_if(|(after, ..)| *after <= header.g) {
            let room = all.get_mut(&raise.room).unwrap();
            let head = room.said.len() as u64;
            if let Some((_, pointer)) = room.members.get_mut(by) {
                let raise = Pointer { ordinal: raise.pointer.ordinal.min(head), ..raise.pointer };
                *pointer = raise.max(*pointer);
            }
        }
    }
    all
}

impl Room {
    fn badge(&self, me: AccountId, n: usize) -> Option<Badge> {
        let (_, pointer) = self.members.get(&me)?;
        let above =
            self.said.iter().skip(pointer.ordinal as usize).filter(|said| said.by != me && !said.deleted);
        let mine = above.clone().filter(|said| said.named.contains(&n) || said.named.contains(&3));
        let joined = self.joined[&me];
        let newly = self.newly.iter().filter(|(seq, by, who)| *seq > joined && *by != me && *who == n);
        Some(Badge {
            unread: above.count().min(100) as u32,
            mentions: mine.count().min(100) as u32,
            read: pointer.ordinal,
            generation: pointer.generation,
            head: self.said.len() as u64,
            named_by_edit: newly.map(|(seq, ..)| *seq).max().unwrap_or(0),
            ..Badge::default()
        })
    }
}

struct Device {
    session: Session,
    /// Frames that have not come to the server yet.
    out: VecDeque<ClientFrame>,
    live: bool,
}

struct World {
    here: TestNode,
    people: Vec<AccountId>,
    rooms: Vec<RoomId>,
    devices: Vec<Device>,
    raised: Vec<(u64, AccountId, Raise)>,
    texts: HashMap<String, BTreeSet<usize>>,
    /// Messages: room, author's number, id, whether it is deleted.
    said: Vec<(RoomId, usize, ClientId, bool)>,
    done: HashMap<&'static str, u32>,
    random: StdRng,
    now: i64,
}

impl World {
    fn below(&mut self, n: usize) -> usize {
        self.random.random_range(0..n)
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    fn text(&mut self) -> (String, BTreeSet<usize>) {
        let pieces: Vec<_> = (0..=self.below(3)).map(|_| PIECES[self.below(PIECES.len())]).collect();
        let text = pieces.iter().map(|(text, _)| *text).collect::<Vec<_>>().join(" ");
        // An open fence swallows what follows on its line, so a piece of code stands alone.
        if text.contains("```") && pieces.len() > 1 {
            return self.text();
        }
        let named: BTreeSet<_> = pieces.iter().filter_map(|(_, who)| *who).collect();
        let text = beck::protocol::bounds::message_text(&text).unwrap();
        self.texts.insert(text.clone(), named.clone());
        (text, named)
    }

    fn give(&mut self, device: usize, input: Input) {
        self.now += 1;
        let Device { session, out, live } = &mut self.devices[device];
        for effect in session.handle(input, self.now) {
            if let Effect::Send(frame @ (ClientFrame::Read(_) | ClientFrame::ReadAll { .. })) = effect {
                assert!(*live, "nothing is sent without a connection");
                out.push_back(frame);
            }
        }
    }

    /// One frame of a device comes to the server.
    async fn arrive(&mut self, device: usize) {
        let raise = match self.devices[device].out.pop_front() {
            Some(ClientFrame::Read(raise)) => vec![raise],
            Some(ClientFrame::ReadAll { raise }) => {
                self.count("frames of many");
                raise
            }
            _ => return,
        };
        let g = self.here.node.folded();
        if unread::raise(&self.here.node, self.people[0], raise.clone()).await.is_ok() {
            self.raised.extend(raise.into_iter().map(|raise| (g, self.people[0], raise)));
        }
    }

    async fn tell_badges(&mut self, device: usize) {
        if !self.devices[device].live {
            return;
        }
        let badges = unread::badges(&self.here.node, self.people[0], self.rooms.clone()).await.unwrap();
        for (room, badge) in badges {
            self.give(device, Input::Frame(ServerFrame::Badge { room, badge }));
        }
    }

    async fn connect(&mut self, device: usize) {
        self.devices[device].live = true;
        self.give(device, Input::Opened);
        let me = self.here.node.directory().person(self.people[0]).unwrap();
        let rooms = rooms::mine(&self.here.node, self.people[0]).await.unwrap().0;
        let workspace = self.here.node.epoch().unwrap();
        self.give(device, Input::Frame(welcome(workspace, me, rooms)));
    }

    async fn act(&mut self, (room, by, id): (RoomId, usize, ClientId), slot: &str, value: ActValue) -> bool {
        let act = ActDraft {
            id: ClientId::random(),
            room,
            target: id,
            slot: slot.to_owned(),
            value,
            named: Default::default(),
        };
        let acted = rooms::act(&self.here.node, self.people[by], act).await;
        matches!(acted, Ok(Outcome::Stored { .. }))
    }

    /// Tells the devices of a membership that began or ended, as the server does.
    fn tell_room(&mut self, room: RoomId) {
        let info = self.here.node.directory().room_info(self.people[0], room).unwrap();
        for device in 0..self.devices.len() {
            if self.devices[device].live {
                let frame = if info.joined {
                    ServerFrame::Room { room: info.clone() }
                } else {
                    ServerFrame::Left { room }
                };
                self.give(device, Input::Frame(frame));
            }
        }
    }

    async fn step(&mut self) {
        let (room, device) = (self.below(3), self.below(3));
        let room = self.rooms[room];
        match self.below(20) {
            0..=4 => {
                let by = self.below(3);
                let (text, named) = self.text();
                let id = ClientId::random();
                let draft = Draft { id, room, thread: None, quote: None, text, named: Default::default() };
                let posted = rooms::post(&self.here.node, self.people[by], draft).await;
                if let Ok(Outcome::Stored { .. }) = posted {
                    self.said.push((room, by, id, false));
                    self.count(if named.is_empty() { "sent" } else { "sent with a mention" });
                    if by == 0 {
                        self.count("sent by oneself");
                    }
                }
            }
            5 | 6 if !self.said.is_empty() => {
                let at = self.below(self.said.len());
                let (room, by, id, deleted) = self.said[at];
                let (text, named) = self.text();
                let deletes = self.below(3) == 0;
                if deleted {
                    let stood = self.here.node.state.read_anything(|state| state.last_text(id)).unwrap();
                    let restored = ActValue::Restored { restored: stood.unwrap_or(text) };
                    if self.act((room, by, id), "deleted", restored).await {
                        self.said[at].3 = false;
                        self.count("restored");
                    }
                } else if deletes {
                    if self.act((room, by, id), "deleted", ActValue::On(true)).await {
                        self.said[at].3 = true;
                        self.count("deleted");
                    }
                } else if self.act((room, by, id), "text", ActValue::Text(text)).await {
                    self.count(if named.is_empty() { "edited without" } else { "edited with" });
                }
            }
            7 => {
                let by = self.below(3);
                let (node, account) = (self.here.node.clone(), self.people[by]);
                if node.directory().can(account, beck::server::access::Action::Read, room) {
                    // Rarely, or nobody is there to write.
                    if self.below(3) == 0 && rooms::leave(&node, account, room).await.is_ok() {
                        self.count(if by == 0 { "left" } else { "left by others" });
                    }
                } else if rooms::join(&node, account, room).await.is_ok() {
                    self.count(if by == 0 { "joined" } else { "joined by others" });
                }
                if by == 0 {
                    self.tell_room(room);
                }
            }
            8..=10 => {
                self.give(device, Input::Look { room, at: None });
                let head = self.devices[device].session.room(room).map_or(0, |room| room.badge.head);
                let seen = self.below(head as usize + 2) as u64;
                self.give(device, Input::Seen(0, seen.min(head)));
                self.count("seen");
            }
            11 => {
                let head = self.devices[device].session.room(room).map_or(0, |room| room.badge.head);
                self.give(device, Input::Look { room, at: None });
                let from = self.below(head as usize + 1) as u64 + 1;
                self.give(device, Input::MarkUnread(0, from));
                self.count("marked unread");
            }
            12 => {
                let what = if self.below(2) == 0 { Input::MarkRead(room) } else { Input::MarkAllRead };
                self.give(device, what);
                if self.devices[device].session.marked.is_some() {
                    self.count("marked read");
                }
            }
            13 if self.devices[device].session.marked.is_some() => {
                self.give(device, Input::UndoMark);
                self.count("taken back");
            }
            14 => {
                if self.devices[device].live {
                    self.devices[device].live = false;
                    self.devices[device].out.clear();
                    self.give(device, Input::Closed(None));
                    self.count("cut");
                } else {
                    self.connect(device).await;
                }
            }
            15 | 16 => self.tell_badges(device).await,
            _ => self.arrive(device).await,
        }
    }

    /// The server's badges against the recount; gives how many there were, with something unread, with mentions.
    async fn compare(&self) -> (u32, u32, u32) {
        let all = recount(&self.here.log().await, &self.raised, &self.texts);
        let mut found = (0, 0, 0);
        for (n, account) in self.people.iter().enumerate() {
            let badges = unread::badges(&self.here.node, *account, self.rooms.clone()).await.unwrap();
            for room in &self.rooms {
                let expected = all.get(room).and_then(|room| room.badge(*account, n));
                assert_eq!(badges.get(room).copied(), expected, "{} in {room}", HANDLES[n]);
                found.0 += u32::from(expected.is_some());
                found.1 += u32::from(expected.is_some_and(|badge| badge.unread > 0));
                found.2 += u32::from(expected.is_some_and(|badge| badge.mentions > 0));
            }
        }
        found
    }

    /// Everything arrives; then all devices show what the server counts.
    async fn settle(&mut self) {
        for device in 0..self.devices.len() {
            self.devices[device].out.clear();
            self.give(device, Input::Closed(None));
            self.connect(device).await;
        }
        for _ in 0..20 {
            for device in 0..self.devices.len() {
                while !self.devices[device].out.is_empty() {
                    self.arrive(device).await;
                }
                self.tell_badges(device).await;
            }
        }
        let badges = unread::badges(&self.here.node, self.people[0], self.rooms.clone()).await.unwrap();
        for (n, device) in self.devices.iter().enumerate() {
            assert!(device.out.is_empty(), "device {n} goes on and on");
            for room in &device.session.rooms {
                let known = badges.get(&room.id);
                assert_eq!(room.joined, known.is_some(), "device {n}");
                if room.joined {
                    assert_eq!(Some(&room.badge), known, "device {n}");
                    assert_eq!(device.session.read_to(room.id), room.badge.pointer(), "device {n}");
                }
            }
        }
    }
}

async fn world(here: TestNode, seed: u64) -> World {
    let mut batch = Vec::new();
    let mut people = Vec::new();
    for handle in HANDLES {
        let account = AccountId::random();
        let body = AccountBody { name: handle.into(), handle: handle.into(), role: Role::Member };
        let proposal = Proposal::new(account, ClientId::random(), Kind::Account, &body);
        batch.push(proposal.target(account.as_str().parse().unwrap()));
        people.push(account);
    }
    let last = batch.len() as u64 - 1;
    let first = here.log.append(batch).await.unwrap();
    here.node.wait_folded(first + last).await;
    let mut open = vec![here.general];
    for name in ["Second", "Third"] {
        open.push(rooms::create(&here.node, people[1], name, "").await.unwrap());
    }
    for room in &open {
        for account in &people {
            rooms::join(&here.node, *account, *room).await.unwrap();
        }
    }
    let mut start = boot(people[0], open[0], None);
    start.me = here.node.directory().person(people[0]);
    start.rooms = rooms::mine(&here.node, people[0]).await.unwrap().0;
    let device =
        || Device { session: Session::from_boot(&start).unwrap(), out: VecDeque::new(), live: false };
    World {
        devices: vec![device(), device(), device()],
        here,
        people,
        rooms: open,
        raised: Vec::new(),
        texts: HashMap::new(),
        said: Vec::new(),
        done: HashMap::new(),
        random: StdRng::seed_from_u64(seed),
        now: 1_000,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn badges_are_what_a_recount_from_the_log_gives_on_every_device() {
    let mut done: HashMap<&'static str, u32> = HashMap::new();
    let mut found = (0, 0, 0);
    for seed in 0..4 {
        let folder = tempdir().unwrap();
        let format = if seed == 0 { Format::Four } else { Format::NEWEST };
        let mut world = world(set_up_of(folder.path(), format).await, seed).await;
        for device in 0..3 {
            world.connect(device).await;
        }
        for step in 0..500 {
            world.step().await;
            if step % 25 == 0 {
                let (badges, unread, mentions) = world.compare().await;
                found = (found.0 + badges, found.1 + unread, found.2 + mentions);
            }
        }
        world.settle().await;
        world.compare().await;
        world.done.into_iter().for_each(|(what, n)| *done.entry(what).or_default() += n);
    }
    println!("{done:?}\nbadges, with unread, with mentions: {found:?}");
    for what in [
        "sent",
        "sent with a mention",
        "sent by oneself",
        "edited with",
        "edited without",
        "deleted",
        "restored",
        "joined",
        "left",
        "joined by others",
        "left by others",
        "seen",
        "marked unread",
        "marked read",
        "frames of many",
        "taken back",
        "cut",
    ] {
        assert!(done.get(what).is_some_and(|n| *n > 0), "nothing was {what}: {done:?}");
    }
    assert!(found.0 > 100 && found.1 > 50 && found.2 > 20, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mentions_are_listed_newest_first_page_by_page_and_only_from_rooms_that_are_mine() {
    let folder = tempdir().unwrap();
    let world = world(set_up(folder.path()).await, 0).await;
    let (node, ann, bob) = (&world.here.node, world.people[0], world.people[1]);
    let post = |room, text: String| {
        let draft = Draft {
            id: ClientId::random(),
            room,
            thread: None,
            quote: None,
            text,
            named: Default::default(),
        };
        async move { assert!(matches!(rooms::post(node, bob, draft).await, Ok(Outcome::Stored { .. }))) }
    };
    for n in 0..70 {
        let who = if n % 2 == 0 { "@ann" } else { "@room @ann" };
        post(world.rooms[n % 3], format!("{who} {n}")).await;
        post(world.rooms[n % 3], format!("between {n}")).await;
    }
    let mut texts = Vec::new();
    let mut before = None;
    let mut pages = 0;
    loop {
        let page = unread::mentions(node, ann, before).await.unwrap();
        pages += 1;
        texts.extend(page.mentions.iter().map(|mention| mention.row.text.clone().unwrap()));
        before = page.mentions.last().map(|last| last.g);
        if !page.more {
            break;
        }
    }
    let numbers: Vec<usize> =
        texts.iter().map(|text| text.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (0..70).rev().collect::<Vec<_>>());
    assert_eq!(pages, 3);
    assert_eq!(unread::mentions(node, bob, None).await.unwrap().mentions.len(), 0, "nobody names oneself");
    // What is said in a room that one has left is nobody's to read.
    rooms::leave(node, ann, world.rooms[1]).await.unwrap();
    let rest = unread::mentions(node, ann, None).await.unwrap().mentions;
    assert!(rest.len() == 30 && rest.iter().all(|mention| mention.room != world.rooms[1]), "{rest:?}");
    // @room names those who are there: who comes later was not meant.
    post(world.rooms[1], "@room while away".into()).await;
    post(world.rooms[1], "@ann while away".into()).await;
    rooms::join(node, ann, world.rooms[1]).await.unwrap();
    let listed = unread::mentions(node, ann, None).await.unwrap().mentions;
    let texts: Vec<_> = listed.iter().filter_map(|mention| mention.row.text.as_deref()).collect();
    assert!(texts.contains(&"@ann while away") && !texts.contains(&"@room while away"), "{texts:?}");
    let badge = unread::badges(node, ann, [world.rooms[1]]).await.unwrap()[&world.rooms[1]];
    assert_eq!((badge.unread, badge.mentions), (0, 0), "joining sets the pointer to the head");
}
