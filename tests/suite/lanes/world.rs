//! Random acts of people in a room and its threads: pages, live readers, badges, lists of threads and of mentions are what
//! the naive interpreter says, and a state that is folded anew is the same.

use super::naive::{Counts, HANDLES, Line, Naive, Said};
use crate::conformance::dump;
use crate::embedded::reopen;
use crate::support::erasing::erase_message;
use crate::support::room_log::reactions_of;
use crate::support::{TestNode, set_up_of};
use beck::protocol::frame::{Answer, Draft};
use beck::protocol::{
    AccountId, ActDraft, ActValue, ClientId, Format, Outcome, Page, PageAt, Pointer, Raise, Row, Thread,
    Tombstone,
};
use beck::server::access::Action;
use beck::server::broker::Entry;
use beck::server::state::Floor;
use beck::server::{rooms, threads, unread};
use beck::timeline::{Applied, Paged, Timeline};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tempfile::tempdir;

pub fn line_of(row: &Row) -> (u64, Line) {
    let mut places = vec![(row.lane, row.ordinal)];
    places.extend(row.also.map(|also| (also.lane, also.ordinal)));
    places.sort_unstable();
    let line = Line {
        id: row.id.to_string(),
        by: row.author.to_string(),
        seq: row.seq,
        text: row.text.clone(),
        edited: row.edited.is_some(),
        deleted: row.deleted.is_some(),
        pinned: row.pinned.is_some(),
        reactions: reactions_of(row),
        places,
        last: row.version,
        answers: row.answers.as_ref().map_or(0, |answers| answers.count),
        answerers: row.answers.iter().flat_map(|answers| &answers.by).map(AccountId::to_string).collect(),
    };
    (row.ordinal, line)
}

struct Written {
    by: usize,
    id: ClientId,
    seq: u64,
    deleted: bool,
    /// By an entry of the log: not twice.
    erased: bool,
}

struct World {
    here: TestNode,
    people: Vec<AccountId>,
    /// The log as it was before anything of it was erased.
    log: Vec<Entry>,
    said: Vec<(u64, Said)>,
    written: Vec<Written>,
    /// Readers of a lane each, who begin with some page and take events.
    readers: Vec<Timeline>,
    done: HashMap<&'static str, u32>,
    dice: StdRng,
}

impl World {
    async fn new(here: TestNode, seed: u64) -> World {
        let mut people = vec![here.owner];
        for handle in &HANDLES[1..] {
            people.push(here.member(handle).await);
        }
        World {
            here,
            people,
            log: Vec::new(),
            said: Vec::new(),
            written: Vec::new(),
            readers: Vec::new(),
            done: HashMap::new(),
            dice: StdRng::seed_from_u64(seed),
        }
    }

    fn page(&self, lane: u64, at: PageAt, limit: usize) -> Page {
        rooms::page(&self.here.node, self.here.owner, (self.here.general, lane), at, limit, None).unwrap()
    }

    fn whole(&self, lane: u64) -> Page {
        let mut page = self.page(lane, PageAt::Newest, 100);
        while let Some(first) = page.rows.first().map(|row| row.ordinal).filter(|first| *first > 1) {
            let mut older = self.page(lane, PageAt::Before(first), 100);
            older.rows.append(&mut page.rows);
            page.rows = older.rows;
        }
        page
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    fn words(&mut self) -> String {
        let words = ["hello", "there", "@ann", "@bob", "@cid", "@olive", "@room", "@nobody"];
        let n = self.dice.random_range(1..4);
        (0..n).map(|_| words[self.dice.random_range(0..words.len())]).collect::<Vec<_>>().join(" ")
    }

    async fn act(&mut self, by: AccountId, target: ClientId, slot: &str, value: ActValue) -> bool {
        let id = ClientId::random();
        let act = ActDraft {
            id,
            room: self.here.general,
            target,
            slot: slot.into(),
            value,
            named: Default::default(),
        };
        matches!(rooms::act(&self.here.node, by, act).await, Ok(Outcome::Stored { .. }))
    }

    async fn keep_log(&mut self) {
        let log = self.here.log().await;
        self.log.extend(log.into_iter().skip(self.log.len()));
    }

    /// What is done now comes after what is in the log now.
    fn say(&mut self, what: &'static str, said: Said) {
        self.said.push((self.here.node.folded(), said));
        self.count(what);
    }

    fn some_written(&mut self) -> Option<usize> {
        // The newest ones have longer threads.
        let from = self.written.len().saturating_sub(12);
        (!self.written.is_empty()).then(|| self.dice.random_range(from..self.written.len()))
    }

    async fn write(&mut self, by: usize) {
        let (id, text, also) = (ClientId::random(), self.words(), self.dice.random_bool(0.3));
        let answered = self.some_written().filter(|_| self.dice.random_bool(0.75));
        let thread = answered.map(|at| Answer { to: self.written[at].id, also });
        let draft =
            Draft { id, room: self.here.general, thread, quote: None, text, named: Default::default() };
        let stored = rooms::post(&self.here.node, self.people[by], draft).await.unwrap();
        let Outcome::Stored { seq: Some(seq), .. } = stored else { panic!("{stored:?}") };
        match answered {
            Some(at) => {
                self.count(if also { "answered in the room too" } else { "answered" });
                if self.written[at].deleted {
                    self.count("answered what is deleted");
                }
            }
            None => self.count("written"),
        }
        self.written.push(Written { by, id, seq, deleted: false, erased: false });
    }

    async fn change(&mut self, at: usize) {
        let Written { by, id, deleted, erased, .. } = self.written[at];
        let (by, text) = (self.people[by], self.words());
        let parted = self.here.node.directory().format() >= Format::Five;
        if deleted && self.dice.random_bool(0.5) {
            self.keep_log().await;
            if parted {
                if !erased {
                    erase_message(&self.here.node, id).await;
                    self.written[at].erased = true;
                    self.count("erased");
                }
            // The newest entry of an older log cannot be erased.
            } else if self.here.node.erase(id).await.is_ok() {
                self.say("erased", Said::Erased(id));
            }
        } else if deleted {
            let stood = self.here.node.state.read_anything(|state| state.last_text(id)).unwrap();
            let restored = ActValue::Restored { restored: stood.unwrap_or(text) };
            // A page that was loaded before the log rose sends the text.
            let value = if parted && self.dice.random() { ActValue::On(false) } else { restored };
            if self.act(by, id, "deleted", value).await {
                self.written[at].deleted = false;
                self.count("restored");
            }
        } else if self.dice.random_bool(0.4) {
            if self.act(by, id, "deleted", ActValue::On(true)).await {
                self.written[at].deleted = true;
                self.count("deleted");
            }
        } else if self.act(by, id, "text", ActValue::Text(text)).await {
            self.count("edited");
        }
    }

    async fn step(&mut self) {
        let (node, room) = (self.here.node.clone(), self.here.general);
        let by = self.dice.random_range(0..4);
        let me = self.people[by];
        let some = self.some_written();
        let is_member = node.directory().can(me, Action::Read, room);
        match (self.dice.random_range(0..23), some) {
            (0..=8, _) if is_member => self.write(by).await,
            (9..=12, Some(at)) => self.change(at).await,
            (13, Some(at)) if is_member => {
                let (slot, on) = (format!("react:🌊:{me}"), self.dice.random());
                let slot = if self.dice.random() { "pin".to_owned() } else { slot };
                if self.act(me, self.written[at].id, &slot, ActValue::On(on)).await {
                    self.count("reacted or pinned");
                }
            }
            (14..=16, Some(at)) if is_member => {
                let (lane, follow) = (self.written[at].seq, self.dice.random_bool(0.4));
                if threads::follow(&node, me, (room, lane), follow).await.is_ok() {
                    let what = if follow { "followed" } else { "no longer followed" };
                    self.say(what, Said::Follow(me, lane, follow));
                }
            }
            (17..=19, _) if is_member => {
                let followed = threads::threads(&node, me, room).await.unwrap();
                if followed.is_empty() {
                    return;
                }
                let Thread { lane, badge, .. } = &followed[self.dice.random_range(0..followed.len())];
                let back = self.dice.random_bool(0.2);
                let generation = badge.generation + u64::from(back);
                let pointer = Pointer { generation, ordinal: self.dice.random_range(0..badge.head + 3) };
                unread::raise(&node, me, vec![Raise { room, lane: *lane, pointer }]).await.unwrap();
                self.say(if back { "marked" } else { "read" }, Said::Read(me, *lane, pointer));
            }
            (20, _) if is_member => {
                let ordinal = self.dice.random_range(0..self.written.len() as u64 + 1);
                let pointer = Pointer { generation: 0, ordinal };
                unread::raise(&node, me, vec![Raise { room, lane: 0, pointer }]).await.unwrap();
                self.say("read the room", Said::Read(me, 0, pointer));
            }
            (21, _) if by != 0 && is_member && self.dice.random_bool(0.3) => {
                rooms::leave(&node, me, room).await.unwrap();
                self.count("left");
            }
            (22, _) if !is_member => {
                rooms::join(&node, me, room).await.unwrap();
                self.count("joined");
            }
            _ => {}
        }
    }

    /// Every reader takes what came since; then it has what a page of its window has.
    fn compare_live(&mut self, pages: &BTreeMap<u64, Page>, naive: &Naive) {
        let (node, room) = (self.here.node.clone(), self.here.general);
        for mut reader in std::mem::take(&mut self.readers) {
            let page = &pages[&reader.lane()];
            let since = reader.cursor().seq;
            let events = node
                .state
                .read_anything(|state| state.events(&state.room_head(room)?, Floor::NONE, since, u64::MAX));
            let mut events = events.unwrap();
            self.done.entry("events live").and_modify(|n| *n += events.len() as u32).or_insert(1);
            if self.dice.random_bool(0.3) {
                events.shuffle(&mut self.dice);
                events.extend_from_within(..events.len() / 2);
                self.count("out of order");
            }
            if self.dice.random_bool(0.3) {
                let window = reader.window().map_or(PageAt::Newest, |(first, _)| PageAt::Around(first));
                let ahead = self.page(reader.lane(), window, 5);
                // A page that does not join leaves a hole, which is not what is looked at here.
                let joins = reader.window().zip(ahead.rows.first().zip(ahead.rows.last())).is_some_and(
                    |((from, to), (first, last))| first.ordinal <= to + 1 && last.ordinal + 1 >= from,
                );
                if joins {
                    assert_eq!(reader.take_page(&ahead), Paged::Taken);
                    self.count("page ahead");
                }
            }
            for event in &events {
                assert_ne!(reader.apply(event), Applied::Rewritten);
            }
            assert_eq!((reader.cursor(), reader.head()), (page.as_of, page.head), "lane {}", reader.lane());
            let (from, to) = reader.window().unwrap_or((1, 0));
            let rows = page.rows.iter().filter(|row| (from..=to).contains(&row.ordinal));
            // A page says only to whoever may restore it until when that is.
            let seen = |row: &Arc<Row>| {
                let mut row = Row::clone(row);
                let by_reader = |deleted: &Tombstone| deleted.by == self.here.owner;
                row.deleted = row.deleted.map(|deleted| Tombstone {
                    until: deleted.until.filter(|_| by_reader(&deleted)),
                    ..deleted
                });
                row
            };
            for (live, mut loaded) in reader.rows().map(seen).zip(rows.clone().map(seen)) {
                // Only a page says what the text can be checked with that a restore gave back.
                loaded.proof = loaded.proof.filter(|_| live.proof.is_some());
                assert_eq!(live, loaded, "lane {}: events after a page give the page", reader.lane());
            }
            assert_eq!(reader.rows().count(), rows.count());
            let lines: Vec<_> = reader.rows().map(|row| line_of(row)).collect();
            let mut expected = naive.lane(reader.lane());
            expected.retain(|(ordinal, _)| (from..=to).contains(ordinal));
            assert_eq!(lines, expected);
            self.readers.push(reader);
        }
    }

    async fn compare(&mut self, found: &mut [u32; 5]) {
        self.keep_log().await;
        let naive = Naive::read(&self.log, &self.said, self.here.general, &self.people);
        let lanes: BTreeSet<u64> =
            naive.lines.iter().flat_map(|line| &line.places).map(|place| place.0).collect();
        let pages: BTreeMap<_, _> = lanes.iter().map(|lane| (*lane, self.whole(*lane))).collect();
        for (lane, page) in &pages {
            let expected = naive.lane(*lane);
            let seen = page.rows.iter().map(|row| line_of(row)).collect::<Vec<_>>();
            assert_eq!(seen, expected, "lane {lane}");
            assert_eq!((page.head, page.as_of.seq), (expected.len() as u64, naive.seq));
            found[0] += 1;
        }
        self.compare_live(&pages, &naive);
        for (lane, page) in &pages {
            if self.dice.random_bool(0.3) {
                let at = match self.dice.random_range(0..3) {
                    0 => PageAt::Newest,
                    1 => PageAt::Around(self.dice.random_range(1..page.head + 1)),
                    _ => PageAt::After(self.dice.random_range(0..page.head)),
                };
                let limit = self.dice.random_range(1..6);
                let window = self.page(*lane, at, limit);
                self.readers.push(Timeline::from_page(&window));
            }
        }
        for (n, me) in self.people.clone().into_iter().enumerate() {
            self.compare_badges(&naive, me, HANDLES[n], found).await;
        }
    }

    async fn compare_badges(&self, naive: &Naive, me: AccountId, handle: &str, found: &mut [u32; 5]) {
        let (node, room) = (&self.here.node, self.here.general);
        let badge = unread::badges(node, me, [room]).await.unwrap().remove(&room).map(Counts::from);
        assert_eq!(badge, naive.counts(me), "{handle}");
        let told = threads::threads(node, me, room).await;
        if badge.is_none() {
            assert!(told.is_err() && threads::answers(node, me, room, 0).await.is_err());
            return;
        }
        let newest = badge.map_or(0, |badge| badge.newest_answer);
        for after in [0, newest.saturating_sub(20), newest] {
            let answers = threads::answers(node, me, room, after).await.unwrap();
            let ids: Vec<_> = answers.iter().map(|row| row.id.to_string()).collect();
            assert_eq!(ids, naive.answers(me, after), "{handle} after {after}");
            found[4] += ids.len() as u32;
        }
        let told: Vec<_> = told
            .unwrap()
            .into_iter()
            .map(|Thread { lane, badge, .. }| (lane, badge.unread, badge.mentions, badge.pointer()))
            .collect();
        let expected = naive.threads(me);
        assert_eq!(told, expected, "{handle}");
        found[1] += expected.iter().filter(|(_, unread, ..)| *unread > 0).count() as u32;
        found[2] += expected.iter().filter(|(_, _, mentions, _)| *mentions > 0).count() as u32;
        for lane in naive.lines.iter().map(|line| line.seq) {
            if let Ok(thread) = threads::thread(node, me, (room, lane)).await {
                let listed = expected.iter().find(|(of, ..)| *of == lane);
                assert_eq!(thread.follows, listed.is_some());
                let counts = listed.map_or((0, 0), |(_, unread, mentions, _)| (*unread, *mentions));
                assert_eq!((thread.badge.unread, thread.badge.mentions), counts);
            }
        }
        let (mut named, mut before) = (Vec::new(), None);
        loop {
            let page = unread::mentions(node, me, before).await.unwrap();
            named.extend(page.mentions.iter().map(|mention| mention.row.id.to_string()));
            before = page.mentions.last().map(|last| last.g);
            if !page.more {
                break;
            }
        }
        assert_eq!(named, naive.mentions(me), "{handle}");
        found[3] += named.len() as u32;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_are_what_a_naive_reading_of_the_log_gives_in_pages_live_and_in_badges() {
    let mut done: HashMap<&'static str, u32> = HashMap::new();
    let mut found = [0; 5];
    for seed in 0..4 {
        let folder = tempdir().unwrap();
        let format = if seed == 0 { Format::Four } else { Format::NEWEST };
        let mut world = World::new(set_up_of(folder.path(), format).await, seed).await;
        for step in 1..=240 {
            world.step().await;
            if step % 12 == 0 {
                world.compare(&mut found).await;
            }
        }
        let World { here: TestNode { node, log, .. }, done: of_world, .. } = world;
        of_world.into_iter().for_each(|(what, n)| *done.entry(what).or_default() += n);
        // Folded anew, also from what is erased by now, everything is as it was.
        drop((node, log));
        drop(reopen(folder.path()).await);
        let before = dump(folder.path());
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("state.sqlite{ending}")));
        }
        drop(reopen(folder.path()).await);
        assert_eq!(dump(folder.path()), before, "seed {seed}");
    }
    println!("{done:?}\nlanes, with unread, with mentions, listed, answers: {found:?}");
    for what in [
        "written",
        "answered",
        "answered in the room too",
        "answered what is deleted",
        "edited",
        "deleted",
        "restored",
        "erased",
        "reacted or pinned",
        "followed",
        "no longer followed",
        "read",
        "read the room",
        "marked",
        "left",
        "joined",
        "events live",
        "out of order",
        "page ahead",
    ] {
        assert!(done.get(what).is_some_and(|n| *n > 0), "nothing was {what}: {done:?}");
    }
    assert!(found.iter().all(|n| *n > 100), "{found:?}");
}
