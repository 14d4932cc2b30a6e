//! How far one has read, as one client tells it: what is seen, what is marked, and what the title says of it.

use crate::support::{boot, welcome};
use beck::client::{Effect, Input, MarkedAs, Session};
use beck::protocol::frame::{Person, ResetReason, Role, RoomInfo};
use beck::protocol::{
    AccountId, Badge, ClientFrame, ClientId, Hash, Mention, Page, Pointer, Position, Raise, RoomId, Row,
    ServerFrame, WorkspaceId,
};
use std::collections::BTreeMap;
use std::sync::Arc;

pub fn row(ordinal: u64, text: &str) -> Arc<Row> {
    Arc::new(Row {
        id: ClientId::random(),
        author: AccountId::random(),
        at: 1,
        seq: ordinal,
        lane: 0,
        ordinal,
        also: None,
        version: ordinal,
        text: Some(text.into()),
        quote: None,
        added: None,
        proof: None,
        imported: false,
        said: None,
        edited: None,
        deleted: None,
        pinned: None,
        reactions: BTreeMap::new(),
        answers: None,
    })
}

pub fn counted(unread: u32, mentions: u32, read: u64, generation: u64, head: u64) -> Badge {
    Badge { unread, mentions, read, generation, head, ..Badge::default() }
}

pub struct Here {
    pub session: Session,
    pub room: RoomId,
    pub other: RoomId,
}

/// A room of 100 messages whose newest 50 are loaded, of which so many are unread, and another room.
pub fn here(unread: u32) -> Here {
    let (me, room, other) = (AccountId::random(), RoomId::random(), RoomId::random());
    let as_of = Position { epoch: WorkspaceId::random(), seq: 100, chain: Hash::ZERO };
    let rows = (51..=100).map(|ordinal| row(ordinal, "row")).collect();
    let page = Page { room, lane: 0, as_of, head: 100, rows, quotes: BTreeMap::new() };
    let mut start = boot(me, room, Some(page));
    start.rooms[0].badge = counted(unread, 0, 100 - u64::from(unread), 0, 100);
    let badge = counted(7, 2, 3, 4, 10);
    start.rooms.push(RoomInfo { id: other, name: "Other".into(), badge, ..start.rooms[0].clone() });
    let mut here = Here { session: Session::from_boot(&start).unwrap(), room, other };
    here.give(Input::Opened);
    here.welcome();
    here
}

impl Here {
    pub fn give(&mut self, input: Input) -> Vec<Effect> {
        self.session.handle(input, 1_000)
    }

    pub fn welcome(&mut self) -> Vec<Effect> {
        let (me, rooms) = (self.session.me.clone(), self.session.rooms.clone());
        let frame = welcome(WorkspaceId::random(), me, rooms);
        self.give(Input::Frame(frame))
    }

    pub fn badge(&mut self, room: RoomId, badge: Badge) -> Vec<Effect> {
        self.give(Input::Frame(ServerFrame::Badge { room, badge }))
    }

    /// What the title says: mentions, rooms with something unread.
    fn total(&self) -> (u32, u32) {
        self.session.total()
    }
}

/// Raised pointers: room, generation, ordinal.
fn raised(effects: &[Effect]) -> Vec<(RoomId, u64, u64)> {
    let of = |raise: &Raise| {
        let Pointer { generation, ordinal } = raise.pointer;
        (raise.room, generation, ordinal)
    };
    let of_effect = |effect: &Effect| match effect {
        Effect::Send(ClientFrame::Read(raise)) => vec![of(raise)],
        Effect::Send(ClientFrame::ReadAll { raise }) => raise.iter().map(of).collect(),
        _ => Vec::new(),
    };
    effects.iter().flat_map(of_effect).collect()
}

#[test]
fn what_is_seen_raises_the_pointer_and_what_is_marked_stays_unread_until_one_comes_back() {
    let mut here = here(10);
    assert_eq!(raised(&here.give(Input::Seen(0, 95))), [(here.room, 0, 95)]);
    assert_eq!(raised(&here.give(Input::Seen(0, 94))), [], "never back by itself");
    assert_eq!(raised(&here.give(Input::MarkUnread(0, 93))), [(here.room, 1, 92)]);
    assert_eq!(here.session.rooms[0].badge.unread, 8, "shown at once");
    assert_eq!(raised(&here.give(Input::Seen(0, 99))), [], "what is on the screen does not undo the mark");
    here.give(Input::Look { room: here.other, at: None });
    here.give(Input::Look { room: here.room, at: None });
    assert_eq!(raised(&here.give(Input::Seen(0, 100))), [(here.room, 1, 100)]);
}

#[test]
fn a_mark_of_another_device_holds_too_and_an_older_generation_is_not_used_again() {
    let mut here = here(0);
    here.give(Input::Seen(0, 100));
    let badge = counted(20, 1, 80, 3, 100);
    here.badge(here.room, badge);
    assert_eq!(raised(&here.give(Input::Seen(0, 101))), []);
    here.give(Input::LookAway);
    here.give(Input::Look { room: here.room, at: None });
    assert_eq!(raised(&here.give(Input::Seen(0, 102))), [(here.room, 3, 102)]);
}

#[test]
fn marks_made_offline_are_said_when_there_is_a_connection_until_the_server_has_them() {
    let mut here = here(10);
    here.give(Input::Closed(None));
    assert_eq!(raised(&here.give(Input::Seen(0, 97))), []);
    assert_eq!(raised(&here.give(Input::MarkUnread(0, 60))), []);
    here.give(Input::Opened);
    assert_eq!(raised(&here.welcome()), [(here.room, 1, 59)]);
    assert_eq!(raised(&here.give(Input::Tick)), [(here.room, 1, 59)], "it was not confirmed");
    here.badge(here.room, counted(41, 0, 59, 1, 100));
    assert_eq!(raised(&here.give(Input::Tick)), []);
}

#[test]
fn all_rooms_are_marked_in_one_frame_and_one_undo_brings_every_pointer_back() {
    let mut here = here(10);
    let effects = here.give(Input::MarkAllRead);
    assert_eq!(raised(&effects), [(here.room, 1, 100), (here.other, 5, 10)]);
    let sends = effects.iter().filter(|effect| matches!(effect, Effect::Send(_))).count();
    assert_eq!((sends, here.total()), (1, (0, 0)));
    let marked = here.session.marked.clone().unwrap();
    assert_eq!((marked.what, marked.before.len()), (MarkedAs::Read, 2));
    let mut back = raised(&here.give(Input::UndoMark));
    back.sort_unstable_by_key(|(_, generation, _)| *generation);
    assert_eq!(back, [(here.room, 2, 90), (here.other, 6, 3)]);
    assert_eq!(here.session.rooms[1].badge.unread, 7);
    assert_eq!(here.session.marked, None);
    assert_eq!(raised(&here.give(Input::UndoMark)), []);
    // What is read already is no mark.
    here.badge(here.other, counted(0, 0, 10, 7, 10));
    assert_eq!(raised(&here.give(Input::MarkRead(here.other))), []);
}

#[test]
fn another_stay_in_a_room_knows_nothing_of_the_pointer_of_the_one_before() {
    let mut here = here(10);
    here.give(Input::MarkUnread(0, 60));
    here.give(Input::Frame(ServerFrame::Left { room: here.room }));
    let info = here.session.rooms[0].clone();
    here.give(Input::Frame(ServerFrame::Room { room: RoomInfo { joined: true, ..info } }));
    assert_eq!(raised(&here.give(Input::Tick)), []);
}

#[test]
fn a_room_that_changed_keeps_its_badge() {
    let mut here = here(10);
    let renamed =
        RoomInfo { name: "Renamed".into(), badge: Badge::default(), ..here.session.rooms[1].clone() };
    here.give(Input::Frame(ServerFrame::Room { room: renamed }));
    assert_eq!((here.session.rooms[1].name.as_str(), here.session.rooms[1].badge.unread), ("Renamed", 7));
}

#[test]
fn the_title_counts_what_waits_elsewhere_and_here_only_what_one_does_not_see() {
    let mut here = here(10);
    assert_eq!(here.total(), (2, 1), "the room that one reads does not count");
    let effects = here.give(Input::Attending(false));
    assert_eq!(here.total(), (2, 2));
    assert!(effects.contains(&Effect::Total { mentions: 2, rooms: 2 }));
    assert!(!here.give(Input::Tick).iter().any(|effect| matches!(effect, Effect::Total { .. })));
    here.give(Input::Attending(true));
    here.give(Input::Pinned(0, false));
    assert_eq!(here.total(), (2, 2), "one looks at older rows");
    here.give(Input::Pinned(0, true));
    here.give(Input::MarkUnread(0, 99));
    assert_eq!(here.total(), (2, 2), "it was marked");
}

#[test]
fn the_way_to_the_first_unread_row_shows_until_the_line_above_it_was_seen() {
    let mut far = here(80);
    assert_eq!(far.session.first_unread(), Some((21, 80)), "it is not loaded");
    let asked = far.give(Input::GoTo(0, 21));
    assert!(asked.iter().any(|effect| matches!(effect, Effect::Send(ClientFrame::Page { .. }))));
    far.give(Input::NewLine { above: false });
    assert_eq!(far.session.first_unread(), None);

    let mut near = here(30);
    assert_eq!(near.session.first_unread(), None, "it may be on the screen");
    near.give(Input::NewLine { above: true });
    assert_eq!(near.session.first_unread(), Some((71, 30)));
    assert_eq!(near.give(Input::GoTo(0, 71)), [Effect::Show(0, 71)]);
    near.give(Input::MarkRead(near.room));
    assert_eq!(near.session.first_unread(), None);
    assert_eq!(here(0).session.first_unread(), None);
}

#[test]
fn the_way_to_what_was_missed_shows_over_a_fresh_window_until_it_is_gone_or_said_to_be_read() {
    for gone in [true, false] {
        let mut here = here(0);
        let head = Position {
            seq: 5_100,
            chain: "0707070707070707".parse().unwrap(),
            ..here.session.timelines[&here.room].cursor()
        };
        let why = ResetReason::Far;
        let asked = here.give(Input::Frame(ServerFrame::Reset { room: here.room, why, head }));
        let [Effect::Send(ClientFrame::Page { req, .. })] = asked.as_slice() else { panic!("{asked:?}") };
        let page = |from: u64| {
            let rows = (from..from + 50).map(|ordinal| row(ordinal, "row")).collect();
            Page { room: here.room, lane: 0, as_of: head, head: 5_100, rows, quotes: BTreeMap::new() }
        };
        let (newest, around) = (page(5_051), page(80));
        let told = here.give(Input::Frame(ServerFrame::Page { req: *req, page: newest }));
        let words = "Caught up: 5000 messages while you were away";
        assert!(told.contains(&Effect::Announce(words.into())), "{told:?}");
        assert_eq!(here.session.first_unread(), Some((101, 5_000)));
        if gone {
            let asked = here.give(Input::GoTo(0, 101));
            let [Effect::Send(ClientFrame::Page { req, .. })] = asked.as_slice() else { panic!("{asked:?}") };
            here.give(Input::Frame(ServerFrame::Page { req: *req, page: around }));
        } else {
            here.give(Input::MarkRead(here.room));
        }
        assert_eq!(here.session.first_unread(), None);
    }
}

#[test]
fn the_list_of_mentions_grows_at_both_ends_and_asks_who_is_named() {
    let mut here = here(0);
    let list = |from: u64, to: u64, more| {
        let mention = |g| Mention { g, room: RoomId::random(), row: row(g, "@zoe hello") };
        let mentions = (from..=to).rev().map(mention).collect();
        move |req| Input::Frame(ServerFrame::Mentions { req, mentions, more })
    };
    let asked = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Send(ClientFrame::Mentions { req, before }) => Some((*req, *before)),
            _ => None,
        })
    };
    let (req, before) = asked(&here.give(Input::LookAtMentions)).unwrap();
    assert_eq!(before, None);
    assert_eq!(asked(&here.give(Input::LookAtMentions)), None, "it is under way");
    let effects = here.give(list(40, 69, true)(req));
    let named = |effect: &Effect| matches!(effect, Effect::Send(ClientFrame::People { handles, .. }) if *handles == ["zoe".to_owned()]);
    assert!(effects.iter().any(named), "{effects:?}");
    let (req, before) = asked(&here.give(Input::OlderMentions)).unwrap();
    assert_eq!(before, Some(40));
    here.give(list(10, 39, false)(req));
    let numbers =
        |here: &Here| here.session.mentions.as_ref().unwrap().mentions.iter().map(|m| m.g).collect();
    let held: Vec<u64> = numbers(&here);
    assert_eq!(held, (10..=69).rev().collect::<Vec<_>>());
    assert_eq!(asked(&here.give(Input::OlderMentions)), None, "there are no older ones");
    // A new one: the newest page is asked for again, and the older ones stay.
    let effects = here.badge(here.other, counted(8, 3, 3, 4, 11));
    let (req, _) = asked(&effects).unwrap();
    here.give(list(41, 70, true)(req));
    let held: Vec<u64> = numbers(&here);
    assert_eq!(held, (10..=70).rev().collect::<Vec<_>>());
    assert!(!here.session.mentions.as_ref().unwrap().more);
    // Who has the handle is known then, and not asked for again.
    let zoe =
        Person { id: AccountId::random(), name: "Zoe".into(), handle: "zoe".into(), role: Role::Member };
    here.give(Input::Frame(ServerFrame::People { people: vec![zoe.clone()] }));
    assert_eq!(here.session.handles["zoe"], zoe.id);
}
