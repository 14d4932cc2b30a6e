//! Three devices, two of them of one account, on which people do random things in a room and its threads: what each has is what
//! the naive interpreter says.

mod line;
mod people;

use super::naive::{Counts, Naive, Said};
use super::world::line_of;
use crate::support::room_log::Counts as Done;
use crate::support::{TestNode, set_up, set_up_of};
use beck::client::{Input, Session};
use beck::protocol::{AccountId, Badge, ClientFrame, ClientId, Format, Pointer, ServerFrame};
use beck::timeline::Timeline;
use rand::Rng;
use rand::rngs::StdRng;
use std::collections::VecDeque;
use tempfile::tempdir;

/// Whose each device is, in [`HANDLES`].
const OWNERS: [usize; 3] = [1, 1, 2];

struct Device {
    session: Session,
    me: AccountId,
    /// Frames on their way to the server, and back.
    there: VecDeque<ClientFrame>,
    back: VecDeque<ServerFrame>,
    live: bool,
    /// The seq of the last event that was sent to it.
    sent: Option<u64>,
    /// The badge that it was told last.
    told: Option<Badge>,
    /// How far somebody has read on it, by lane, but for what the word of may be lost.
    seen: Vec<(u64, Pointer)>,
    /// Answers of the open thread were marked as unread since it was opened: what is on the screen counts no more.
    marked: bool,
}

struct World {
    here: TestNode,
    people: Vec<AccountId>,
    devices: Vec<Device>,
    said: Vec<(u64, Said)>,
    done: Done,
    dice: StdRng,
    now: i64,
}

impl World {
    fn assert_rows(timeline: &Timeline, naive: &Naive, who: &str) -> u32 {
        let mut expected = naive.lane(timeline.lane());
        assert_eq!(timeline.cursor().seq, naive.seq, "{who}");
        assert_eq!(timeline.head(), expected.len() as u64, "{who}");
        assert!(timeline.at_newest() && timeline.hole().is_none() && timeline.echoes().is_empty(), "{who}");
        let (from, to) = timeline.window().unwrap_or((1, 0));
        expected.retain(|(ordinal, _)| (from..=to).contains(ordinal));
        let rows: Vec<_> = timeline.rows().map(|row| line_of(row)).collect();
        assert_eq!(rows, expected, "{who}");
        rows.len() as u32
    }

    async fn naive(&self) -> Naive {
        Naive::read(&self.here.log().await, &self.said, self.here.general, &self.people)
    }

    /// What a device has is what the log says and what was said of reading; gives how much that is.
    fn assert_has(session: &Session, me: AccountId, naive: &Naive, who: &str) -> [u32; 4] {
        let badge = session.rooms[0].badge;
        assert_eq!(Some(Counts::from(badge)), naive.counts(me), "{who}");
        assert_eq!(session.waiting(), 0, "{who}");
        let rows = Self::assert_rows(session.current().unwrap(), naive, who);
        let mut found = [rows, badge.threads, u32::from(badge.thread_mentions > 0), 0];
        if let Some(open) = &session.thread {
            let (lane, told) = (open.at.lane, open.told.as_ref().unwrap());
            found[3] = Self::assert_rows(open.timeline.as_ref().unwrap(), naive, who);
            let followed = naive.threads(me).into_iter().find(|(of, ..)| *of == lane);
            assert_eq!(told.follows, followed.is_some(), "{who}: lane {lane}");
            if let Some((.., read)) = followed {
                assert_eq!(told.badge.pointer(), read, "{who}: lane {lane}");
            }
            let root = line_of(open.root().unwrap()).1;
            assert_eq!(Some(&root), naive.lines.iter().find(|line| line.seq == lane), "{who}");
        }
        found
    }

    async fn compare(&mut self) -> [u32; 4] {
        let naive = self.naive().await;
        let mut found = [0; 4];
        for Device { me, seen, .. } in &self.devices {
            for (lane, seen) in seen {
                let read = naive.pointer(*me, *lane);
                assert!(read >= *seen, "lane {lane}: {read:?}, seen {seen:?}");
            }
        }
        for device in 0..OWNERS.len() {
            let who = format!("device {device}");
            let Device { session, me, .. } = &self.devices[device];
            let (me, open) = (*me, session.thread.as_ref().map(|open| open.at.lane));
            let of_device = Self::assert_has(session, me, &naive, &who);
            found.iter_mut().zip(of_device).for_each(|(found, of_device)| *found += of_device);
            // One who comes anew, to the same thread.
            let fresh = self.add(me).await;
            self.give(fresh, Input::LookAtThread(open.map(|lane| (lane, None))));
            self.settle().await;
            let fresh = self.devices.pop().unwrap().session;
            Self::assert_has(&fresh, me, &naive, "who comes anew");
        }
        found
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_are_cut_and_lose_events_have_what_the_log_and_a_new_device_have() {
    let (mut found, mut done) = ([0; 4], Done::default());
    for seed in 0..10 {
        let folder = tempdir().unwrap();
        let format = if seed == 0 { Format::Four } else { Format::NEWEST };
        let mut world = World::new(set_up_of(folder.path(), format).await, seed).await;
        world.done = std::mem::take(&mut done);
        for _ in 0..4 {
            for _ in 0..350 {
                world.step().await;
            }
            // Nobody misses a lost event that nothing came after.
            world.here.post(world.here.owner, ClientId::random(), "the last one").await;
            world.settle().await;
            let of_world = world.compare().await;
            found.iter_mut().zip(of_world).for_each(|(found, of_world)| *found += of_world);
        }
        done = world.done;
    }
    println!("rows, unread answers, devices with mentions, answers in open threads: {found:?}");
    done.assert_all(&[
        "written",
        "answered",
        "answered in the room too",
        "edited",
        "deleted",
        "restored",
        "reacted",
        "opened a thread",
        "followed",
        "no longer followed",
        "read",
        "read the room",
        "read after a mark",
        "seen",
        "seen without a line",
        "marked answers as unread",
        "taken back",
        "cut",
        "lost events",
        "fetched",
        "resumed behind",
    ]);
    assert!(found.iter().all(|n| *n > 20), "{found:?}");
}

/// Nothing is lost and nobody asks by himself: what one device says is on the other one by what it is told, before anything
/// else happens that it could learn it from.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_followed_and_read_on_one_device_is_so_on_the_other_at_once() {
    let (mut found, mut done, mut stood) = ([0; 4], Done::default(), 0);
    for seed in 0..3 {
        let folder = tempdir().unwrap();
        let mut world = World::new(set_up(folder.path()).await, seed).await;
        world.done = std::mem::take(&mut done);
        world.deliver().await;
        for _ in 0..250 {
            let device = world.dice.random_range(0..OWNERS.len());
            let marked = world.act(device);
            world.deliver().await;
            let naive = world.naive().await;
            for (n, device) in world.devices.iter().enumerate() {
                let of_device = World::assert_has(&device.session, device.me, &naive, &format!("device {n}"));
                found.iter_mut().zip(of_device).for_each(|(found, of_device)| *found += of_device);
            }
            if let Some((lane, after)) = marked {
                let read = naive.pointer(world.devices[device].me, lane);
                assert_eq!(
                    read.ordinal, after,
                    "what is on a screen undoes the mark of another: lane {lane}"
                );
                stood += 1;
            }
        }
        done = world.done;
    }
    println!(
        "{stood} marks; rows, unread answers, devices with mentions, answers in open threads: {found:?}"
    );
    done.assert_all(&[
        "followed",
        "no longer followed",
        "read",
        "read the room",
        "read after a mark",
        "seen",
        "marked answers as unread",
        "taken back",
    ]);
    assert!(stood > 5 && found.iter().all(|n| *n > 20), "{stood}: {found:?}");
}
