//! Answers and acts over two servers on one store, by the engine that every client of ours has, over lines that are cut: in the end
//! all have what the log says, on whichever server, and so has who comes anew.

use super::naive::Naive;
use super::world::line_of;
use crate::servers::Cluster;
use crate::support::awaited::until;
use crate::support::checker::{calm, check_frames};
use crate::support::engine::Engine;
use crate::support::proxy::CuttingProxy;
use crate::support::redis::{RedisServer, Store};
use crate::support::room_log::Counts as Done;
use crate::support::server::TestClient;
use crate::support::{Place, furnish_on, read_all, seed};
use beck::client::outbox::Proposed;
use beck::client::{Input, Lane};
use beck::protocol::frame::{Answer, Draft};
use beck::protocol::{ActDraft, ActValue, ClientId, Row};
use beck::server::broker::redis::Redis;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::time::Duration;
use tempfile::tempdir;

const PEOPLE: usize = 4;
const ROUNDS: usize = 80;

fn some_row(engine: &Engine, of_thread: bool, own: bool, dice: &mut StdRng) -> Option<Arc<Row>> {
    let session = engine.session();
    let fits = |row: &&Arc<Row>| !own || row.author == session.me.id && row.deleted.is_none();
    let timeline = match of_thread {
        true => session.thread.as_ref()?.timeline.as_ref()?,
        false => session.current()?,
    };
    let rows: Vec<_> = timeline.rows().rev().filter(fits).take(6).cloned().collect();
    (!rows.is_empty()).then(|| rows[dice.random_range(0..rows.len())].clone())
}

fn step(engine: &Engine, place: &Place, n: usize, dice: &mut StdRng, done: &mut Done) {
    let (room, id) = (place.general, ClientId::random());
    let what = dice.random_range(0..14);
    let of_thread = matches!(what, 8 | 13) || dice.random_bool(0.6);
    let own = matches!(what, 5 | 6);
    let Some(row) = some_row(engine, of_thread, own, dice) else { return };
    let me = engine.session().me.id;
    match what {
        0..=3 => {
            let also = dice.random_bool(0.3);
            done.count(if also { "answered in the room too" } else { "answered" });
            let thread = Some(Answer { to: row.id, also });
            let text = format!("answer {n}");
            engine.intend(Input::Write(Draft {
                id,
                room,
                thread,
                quote: None,
                text,
                named: Default::default(),
            }));
        }
        4 => {
            done.count("written");
            engine.write(id, room, format!("message {n}"));
        }
        5 | 6 => {
            let (slot, value) = match dice.random_bool(0.3) {
                true => ("deleted", ActValue::On(true)),
                false => ("text", ActValue::Text(format!("edited {n}"))),
            };
            done.count(if slot == "text" { "edited" } else { "deleted" });
            engine.intend(Input::Act(ActDraft {
                id,
                room,
                target: row.id,
                slot: slot.into(),
                value,
                named: Default::default(),
            }));
        }
        7 => {
            if let Some(row) = some_row(engine, false, false, dice) {
                done.count("opened a thread");
                let lane = row.also.map_or(row.seq, |also| also.lane);
                engine.intend(Input::LookAtThread(Some((lane, None))));
            }
        }
        8 | 13 if row.lane != 0 => {
            done.count("seen");
            engine.intend(Input::Seen(row.lane, row.ordinal));
        }
        9 => {
            done.count("followed, or no longer");
            engine.intend(Input::Follow(dice.random()));
        }
        10 | 11 if row.deleted.is_none() => {
            done.count("reacted");
            let slot = format!("react:{}:{me}", ["👍", "🌊"][dice.random_range(0..2)]);
            let value = ActValue::On(dice.random());
            engine.intend(Input::Act(ActDraft {
                id,
                room,
                target: row.id,
                slot,
                value,
                named: Default::default(),
            }));
        }
        12 if row.deleted.is_none() => {
            done.count("pinned, or no longer");
            let value = ActValue::On(dice.random());
            engine.intend(Input::Act(ActDraft {
                id,
                room,
                target: row.id,
                slot: "pin".into(),
                value,
                named: Default::default(),
            }));
        }
        _ => {}
    }
}

/// What an engine has of a lane is what the log says.
fn holds(engine: &Engine, at: Lane, naive: &Naive) -> bool {
    let session = engine.session();
    let Some(timeline) = session.timeline(at) else { return false };
    let mut expected = naive.lane(at.lane);
    let (from, to) = timeline.window().unwrap_or((1, 0));
    expected.retain(|(ordinal, _)| (from..=to).contains(ordinal));
    timeline.cursor().seq == naive.seq
        && timeline.head() == naive.head(at.lane)
        && timeline.at_newest()
        && timeline.rows().map(|row| line_of(row)).eq(expected)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_acts_over_two_servers_and_cut_lines_are_the_same_for_all_and_for_who_comes_anew() {
    let seed = seed();
    let (mut dice, mut done) = (StdRng::seed_from_u64(seed), Done::default());
    let store = RedisServer::start(Store::Redis);
    let folder = tempdir().unwrap();
    let log = Redis::open(&store.settings()).await.unwrap();
    let place = furnish_on(folder.path(), Arc::new(log), PEOPLE).await;
    let cluster = Cluster::start(store, 2);
    let front = CuttingProxy::start(cluster.servers[0].host(), seed).await;
    front.aim_at(cluster.hosts());
    let start = |host: &str, n: usize| {
        let (account, cookie) = &place.people[n];
        Engine::start(host, *account, cookie, place.general)
    };
    let engines: Vec<_> = (0..PEOPLE).map(|n| start(&front.addr(), n)).collect();
    engines[0].write(ClientId::random(), place.general, "the first question".into());
    engines[1].write(ClientId::random(), place.general, "the second question".into());
    let has_some = |engine: &Engine| engine.session().current().is_some_and(|timeline| timeline.head() >= 2);
    until("both are there", || engines.iter().all(has_some)).await;
    for n in 0..ROUNDS {
        for engine in &engines {
            step(engine, &place, n, &mut dice, &mut done);
        }
        if n % 4 == 0 {
            front.cut_some(0.3);
        }
        match n % 9 {
            3 => front.lose_replies(),
            6 => front.mend(),
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    front.mend();
    // An edit that comes too late is kept for its author, who says nothing more of it: nobody waits for that.
    let late = ClientId::random();
    engines[0].write(late, place.general, "deleted, then edited".into());
    until("it is there", || engines[0].session().current().unwrap().row(late).is_some()).await;
    for (slot, value) in [("deleted", ActValue::On(true)), ("text", ActValue::Text("too late".into()))] {
        let id = ClientId::random();
        engines[0].intend(Input::Act(ActDraft {
            id,
            room: place.general,
            target: late,
            slot: slot.into(),
            value,
            named: Default::default(),
        }));
    }
    let mut reader = TestClient::connect(&cluster.servers[0], &place.people[0].1).await;
    calm(&mut reader, place.general, &engines, &[]).await;

    let entries = read_all(&Redis::open(&cluster.store.settings()).await.unwrap()).await;
    let people: Vec<_> = place.people.iter().map(|(account, _)| *account).collect();
    let naive = Naive::read(&entries, &[], place.general, &people);
    let room = place.general;
    for engine in &engines {
        let session = engine.session();
        for kept in session.outbox.in_room(room).filter(|kept| !kept.is_stored()) {
            let text = matches!(&kept.draft, Proposed::Act(act) if act.slot == "text");
            let changed = naive.lines.iter().find(|line| line.id == kept.message().to_string());
            assert!(text && changed.is_some_and(|line| line.deleted), "{kept:?} of {changed:?}");
            done.count(if kept.message() == late { "kept for its author" } else { "kept by chance" });
        }
    }
    let mut lanes: Vec<_> = naive.lines.iter().filter(|line| line.answers > 0).map(|line| line.seq).collect();
    lanes.push(0);
    // As it came, in the room and in the thread that happens to be open.
    for (n, engine) in engines.iter().enumerate() {
        let open = engine.session().thread.as_ref().map(|open| open.at);
        for at in [Some(Lane::from(room)), open].into_iter().flatten() {
            until(&format!("engine {n} holds lane {}", at.lane), || holds(engine, at, &naive)).await;
            done.count(if at.lane == 0 { "compared the room" } else { "compared an open thread" });
        }
    }
    // Whoever comes anew, on either server, has every thread so; and what is unread there is what is above the pointer.
    for (n, (account, _)) in place.people.iter().enumerate() {
        let mut badges = Vec::new();
        for host in cluster.hosts() {
            let fresh = start(host, n);
            for lane in &lanes {
                let at = Lane { room, lane: *lane };
                if *lane != 0 {
                    fresh.intend(Input::LookAtThread(Some((*lane, None))));
                }
                until(&format!("one anew holds lane {lane}"), || holds(&fresh, at, &naive)).await;
            }
            fresh.intend(Input::Threads);
            until("the threads are told", || fresh.session().threads.contains_key(&room)).await;
            let session = fresh.session();
            let badge = session.rooms[0].badge;
            let mut unread = 0;
            for thread in &session.threads[&room] {
                assert_eq!(thread.badge.unread, naive.unread(*account, thread.lane, thread.badge.read).0);
                unread += thread.badge.unread;
            }
            assert_eq!(badge.threads, unread.min(100), "person {n}");
            if unread > 0 {
                done.count("with unread answers");
            }
            badges.push(badge);
        }
        assert_eq!(badges[0], badges[1], "person {n}");
        until("the badge is the same", || engines[n].session().rooms[0].badge == badges[0]).await;
    }
    let (counts, checked) = (front.counts(), check_frames(&front.frames()));
    println!(
        "{} messages, {} moves, {counts:?}, {checked} events checked, {done:?}",
        naive.lines.len(),
        front.moves()
    );
    assert!(counts.cut > 0 && counts.lost > 0 && front.moves() > 0, "{counts:?}");
    assert!(checked > naive.lines.len() && lanes.len() > 2);
    done.assert_all(&[
        "written",
        "answered",
        "answered in the room too",
        "edited",
        "deleted",
        "reacted",
        "pinned, or no longer",
        "opened a thread",
        "seen",
        "followed, or no longer",
        "compared the room",
        "compared an open thread",
        "with unread answers",
        "kept for its author",
    ]);
}
