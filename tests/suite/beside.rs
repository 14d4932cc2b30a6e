//! A thread beside its room, as one client's session has it: what is asked for, where drafts stand, what is told.

use crate::reading::{Here, counted, here, row};
use crate::support::room_log::message;
use beck::client::{Effect, Input, Lane};
use beck::protocol::frame::{Answer, Draft, ResetReason};
use beck::protocol::{
    AccountId, Badge, ClientFrame, ClientId, ErrorCode, Event, Outcome, Page, PageAt, Position, Refusal, Row,
    ServerFrame, Thread,
};
use beck::timeline::EchoState;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const LANE: u64 = 97;

pub struct Beside {
    pub here: Here,
    root: Arc<Row>,
    asked: Vec<Effect>,
}

impl Beside {
    pub fn at(&self) -> Lane {
        Lane { room: self.here.room, lane: LANE }
    }

    pub fn give(&mut self, input: Input) -> Vec<Effect> {
        self.here.give(input)
    }

    fn frame(&mut self, frame: ServerFrame) -> Vec<Effect> {
        self.give(Input::Frame(frame))
    }

    fn cursor(&self) -> Position {
        self.here.session.current().unwrap().cursor()
    }

    fn write(&mut self, text: &str, thread: Option<Answer>) -> (ClientId, Vec<Effect>) {
        let id = ClientId::random();
        let draft = Draft {
            id,
            room: self.here.room,
            thread,
            quote: None,
            text: text.into(),
            named: Default::default(),
        };
        (id, self.give(Input::Write(draft)))
    }

    fn answer(&self) -> Option<Answer> {
        Some(Answer { to: self.root.id, also: false })
    }

    fn echoes(&self, lane: Lane) -> Vec<String> {
        let timeline = self.here.session.timeline(lane).unwrap();
        timeline.echoes().iter().map(|echo| echo.draft.text.clone()).collect()
    }

    /// The next event of the room, a message of this lane.
    fn event(&mut self, by: AccountId, lane: u64, ordinal: u64, text: &str) -> (Arc<Event>, Vec<Effect>) {
        let event = Arc::new(message(&self.cursor(), self.here.room, by, (lane, ordinal), text));
        let room = self.here.room;
        (event.clone(), self.frame(ServerFrame::Event { room, event }))
    }

    fn told(&self, unread: u32, read: u64) -> Thread {
        Thread { lane: LANE, root: self.root.clone(), follows: true, badge: counted(unread, 0, read, 0, 3) }
    }

    fn page(&self, req: u64, rows: Vec<Arc<Row>>) -> ServerFrame {
        let (room, as_of, head) = (self.here.room, self.cursor(), rows.len() as u64);
        ServerFrame::Page { req, page: Page { room, lane: LANE, as_of, head, rows, quotes: BTreeMap::new() } }
    }
}

fn requests(effects: &[Effect]) -> (Option<u64>, Option<u64>) {
    let (mut thread, mut page) = (None, None);
    for effect in effects {
        match effect {
            Effect::Send(ClientFrame::Thread { req, lane: LANE, .. }) => thread = Some(*req),
            Effect::Send(ClientFrame::Page { req, lane: LANE, .. }) => page = Some(*req),
            _ => {}
        }
    }
    (thread, page)
}

fn answers(n: u64) -> Vec<Arc<Row>> {
    (1..=n).map(|ordinal| Arc::new(Row { lane: LANE, ..Row::clone(&row(ordinal, "answer")) })).collect()
}

/// The thread under the fourth newest message of a room, opened; with three answers of which one is unread.
pub fn beside() -> Beside {
    let mut here = here(0);
    let root = here.session.current().unwrap().row_at(LANE).unwrap().clone();
    let asked = here.give(Input::LookAtThread(Some((LANE, None))));
    let mut beside = Beside { here, root, asked };
    let (thread, page) = requests(&beside.asked);
    let (room, told) = (beside.here.room, beside.told(1, 2));
    beside.frame(ServerFrame::Thread { req: thread.unwrap(), room, thread: told });
    let page = beside.page(page.unwrap(), answers(3));
    beside.frame(page);
    beside
}

#[test]
fn a_thread_is_asked_for_at_least_as_new_as_the_room_and_again_on_each_connection() {
    let mut beside = beside();
    let cursor = beside.cursor();
    let page = beside.asked.iter().find_map(|effect| match effect {
        Effect::Send(ClientFrame::Page { at, at_least, .. }) => Some((*at, *at_least)),
        _ => None,
    });
    assert_eq!(page, Some((PageAt::Newest, Some(cursor))));
    assert_eq!(beside.here.session.timeline(beside.at()).unwrap().rows().len(), 3);
    assert_eq!(beside.here.session.shown_at(beside.at(), 0).unwrap().id, beside.root.id);
    beside.give(Input::Closed(None));
    beside.give(Input::Opened);
    let effects = beside.here.welcome();
    let (thread, page) = requests(&effects);
    assert!(thread.is_some(), "who follows, and what is unread, may have changed");
    assert!(page.is_none(), "its rows go on from the cursor");
}

#[test]
fn answers_come_with_the_events_of_the_room_and_change_their_root() {
    let mut beside = beside();
    let (by, at) = (AccountId::random(), beside.at());
    let (_, effects) = beside.event(by, LANE, 4, "a fourth");
    assert_eq!(beside.here.session.timeline(at).unwrap().rows().len(), 4);
    let said = |effect: &Effect| matches!(effect, Effect::Announce(text) if text.contains("a fourth"));
    assert!(effects.iter().any(said), "a screen reader is told");
    let root = beside.here.session.current().unwrap().row_at(LANE).unwrap();
    assert_eq!(root.answers.as_ref().unwrap().count, 4, "in the room");
    let root = beside.here.session.thread.as_ref().unwrap().root().unwrap();
    assert_eq!((root.answers.as_ref().unwrap().count, root.answers.as_ref().unwrap().by[0]), (4, by));
    assert_eq!(beside.here.session.current().unwrap().head(), 100, "the room has no new message");
    // A message of the room is none of the thread.
    beside.event(by, 0, 101, "for all");
    assert_eq!(beside.here.session.timeline(at).unwrap().rows().len(), 4);
    assert_eq!(beside.here.session.timeline(at).unwrap().cursor(), beside.cursor());
}

#[test]
fn what_the_thread_lacks_is_fetched_although_the_room_has_it() {
    let mut beside = beside();
    let by = AccountId::random();
    // Opened anew, its page is older than what came to the room meanwhile.
    beside.give(Input::LookAtThread(None));
    let asked = beside.give(Input::LookAtThread(Some((LANE, None))));
    let old = beside.page(requests(&asked).1.unwrap(), answers(3));
    let (first, _) = beside.event(by, LANE, 4, "missed");
    beside.frame(old);
    let (_, effects) = beside.event(by, LANE, 5, "early");
    let fetch = effects.iter().find_map(|effect| match effect {
        Effect::Send(ClientFrame::Fetch { req, after, to, .. }) => Some((*req, *after, *to)),
        _ => None,
    });
    let (req, after, to) = fetch.expect("the gap is asked for");
    assert_eq!((after, to), (100, 101));
    let room = beside.here.room;
    beside.frame(ServerFrame::Events { req, room, events: vec![first] });
    let rows: Vec<_> =
        beside.here.session.timeline(beside.at()).unwrap().rows().map(|row| row.ordinal).collect();
    assert_eq!(rows, [1, 2, 3, 4, 5]);
}

#[test]
fn drafts_stand_in_their_lane_and_a_refused_answer_holds_back_no_message_of_the_room() {
    let mut beside = beside();
    let (at, room) = (beside.at(), Lane::from(beside.here.room));
    let (answer, effects) = beside.write("an answer", beside.answer());
    let post = |effects: &[Effect]| {
        effects.iter().filter(|effect| matches!(effect, Effect::Send(ClientFrame::Post(_)))).count()
    };
    assert_eq!(post(&effects), 1);
    let both = Some(Answer { also: true, ..beside.answer().unwrap() });
    let (_, effects) = beside.write("to both", both);
    assert_eq!(post(&effects), 0, "after the first one of its lane");
    let (_, effects) = beside.write("to the room", None);
    assert_eq!(post(&effects), 1, "the room waits for no answer");
    assert_eq!(beside.echoes(at), ["an answer", "to both"]);
    assert_eq!(beside.echoes(room), ["to both", "to the room"]);
    let outcome = Outcome::Refused { why: Refusal::Archived };
    beside.frame(ServerFrame::Ack { id: answer, outcome });
    assert_eq!(beside.echoes(room), ["to both", "to the room"], "it is told where it was written");
    // Where nobody looks nobody finds it.
    beside.give(Input::LookAtThread(None));
    let timeline = beside.here.session.current().unwrap();
    let echo = timeline.echoes().iter().find(|echo| echo.draft.id == answer).expect("now the room shows it");
    assert_eq!(echo.state, EchoState::Failed { why: Refusal::Archived.to_string() });
    // Taken back it stands in the composer of its thread.
    let effects = beside.give(Input::Edit { id: answer, void: ClientId::random() });
    assert!(effects.contains(&Effect::KeepTyped(at, "an answer".into())), "{effects:?}");
    assert!(!beside.echoes(room).contains(&"an answer".to_owned()));
    let effects = beside.give(Input::LookAtThread(Some((LANE, None))));
    assert!(effects.contains(&Effect::Offer(at, "an answer".into())), "{effects:?}");
}

#[test]
fn what_is_read_of_a_thread_is_told_for_those_who_follow() {
    let mut beside = beside();
    let (at, room) = (beside.at(), beside.here.room);
    let read = |effects: Vec<Effect>| -> Vec<(u64, u64)> {
        let of = |effect| match effect {
            Effect::Send(ClientFrame::Read(raise)) => Some((raise.lane, raise.pointer.ordinal)),
            _ => None,
        };
        effects.into_iter().filter_map(of).collect()
    };
    assert_eq!(read(beside.give(Input::Seen(LANE, 2))), [], "it was read before");
    assert_eq!(read(beside.give(Input::Seen(LANE, 3))), [(LANE, 3)]);
    assert_eq!(read(beside.give(Input::Seen(LANE, 3))), []);
    // Lost with the connection: said again, until the room's badge answers.
    beside.give(Input::Closed(None));
    beside.give(Input::Opened);
    assert_eq!(read(beside.here.welcome()), [(LANE, 3)]);
    beside.here.badge(room, Badge::default());
    beside.give(Input::Closed(None));
    beside.give(Input::Opened);
    assert_eq!(read(beside.here.welcome()), []);
    beside.give(Input::Follow(false));
    assert!(!beside.here.session.thread.as_ref().unwrap().told.as_ref().unwrap().follows);
    beside.event(AccountId::random(), LANE, 4, "unheard");
    assert_eq!(read(beside.give(Input::Seen(LANE, 4))), []);
    assert_eq!(beside.here.session.timeline(at).unwrap().head(), 4);
}

#[test]
fn answers_are_marked_as_unread_with_their_own_pointer_until_one_comes_back_or_takes_it_back() {
    let mut beside = beside();
    let read = |effects: Vec<Effect>| -> Vec<(u64, u64, u64)> {
        let of = |effect| match effect {
            Effect::Send(ClientFrame::Read(raise)) => {
                Some((raise.lane, raise.pointer.generation, raise.pointer.ordinal))
            }
            _ => None,
        };
        effects.into_iter().filter_map(of).collect()
    };
    let line = |beside: &Beside| beside.here.session.thread.as_ref().unwrap().marks[0].after;
    assert_eq!((read(beside.give(Input::Seen(LANE, 3))), line(&beside)), (vec![(LANE, 0, 3)], 2));
    assert_eq!(read(beside.give(Input::MarkUnread(LANE, 2))), [(LANE, 1, 1)]);
    assert_eq!(line(&beside), 1);
    assert_eq!(beside.here.session.read_to(beside.here.room).generation, 0, "the room's is another one");
    assert_eq!(read(beside.give(Input::Seen(LANE, 3))), [], "what is on the screen does not undo it");
    // Taken back, what is seen is read again.
    assert!(beside.here.session.marked.is_some());
    assert_eq!(read(beside.give(Input::UndoMark)), [(LANE, 2, 3)]);
    beside.event(AccountId::random(), LANE, 4, "new");
    assert_eq!(read(beside.give(Input::Seen(LANE, 4))), [(LANE, 2, 4)]);
    // Who comes back reads.
    beside.give(Input::MarkUnread(LANE, 3));
    beside.give(Input::LookAtThread(None));
    let asked = beside.give(Input::LookAtThread(Some((LANE, None))));
    let (room, mut thread) = (beside.here.room, beside.told(2, 2));
    thread.badge.generation = 3;
    beside.frame(ServerFrame::Thread { req: requests(&asked).0.unwrap(), room, thread });
    assert_eq!(line(&beside), 2);
    assert_eq!(read(beside.give(Input::Seen(LANE, 4))), [(LANE, 3, 4)]);
    // Another lane is not marked, nor one that is not followed.
    assert_eq!(read(beside.give(Input::MarkUnread(LANE + 1, 1))), []);
    beside.give(Input::Follow(false));
    assert_eq!(read(beside.give(Input::MarkUnread(LANE, 1))), []);
}

#[test]
fn what_another_device_says_of_the_open_thread_and_what_begins_to_be_followed_is_heard() {
    let mut beside = beside();
    let room = beside.here.room;
    let read = |effects: &[Effect]| -> Vec<(u64, u64)> {
        let of = |effect: &Effect| match effect {
            Effect::Send(ClientFrame::Read(raise)) => Some((raise.pointer.generation, raise.pointer.ordinal)),
            _ => None,
        };
        effects.iter().filter_map(of).collect()
    };
    let told = |beside: &mut Beside, badge: Badge, follows: bool, (read, generation): (u64, u64)| {
        let asked = requests(&beside.here.badge(room, badge)).0?;
        let mut thread = Thread { follows, ..beside.told(0, read) };
        thread.badge.generation = generation;
        Some(beside.frame(ServerFrame::Thread { req: asked, room, thread }))
    };
    let badge = beside.here.session.rooms[0].badge;
    // A badge like the one before: something else was said.
    told(&mut beside, badge, false, (2, 0)).expect("asked");
    assert!(!beside.here.session.thread.as_ref().unwrap().told.as_ref().unwrap().follows);
    let other = Badge { unread: badge.unread + 1, head: badge.head + 1, ..badge };
    assert!(
        told(&mut beside, other, false, (2, 0)).is_none(),
        "a message of the room says nothing of threads"
    );
    // Named in an answer that was on the screen before one followed: it is read.
    beside.event(AccountId::random(), LANE, 4, "@me");
    assert_eq!(read(&beside.give(Input::Seen(LANE, 4))), []);
    let named = Badge { threads: 1, thread_mentions: 1, newest_answer: 101, ..other };
    let effects = told(&mut beside, named, true, (3, 0)).expect("asked");
    assert_eq!(read(&effects), [(0, 4)]);
    // Marked as unread on another device: what is on the screen does not undo it.
    let marked = Badge { threads: 3, ..named };
    assert_eq!(read(&told(&mut beside, marked, true, (1, 1)).expect("asked")), []);
    beside.event(AccountId::random(), LANE, 5, "more");
    assert_eq!(read(&beside.give(Input::Seen(LANE, 5))), []);
}

#[test]
fn a_reset_loads_both_again_and_who_leaves_keeps_nothing() {
    let mut beside = beside();
    let room = beside.here.room;
    let head = beside.cursor();
    let why = ResetReason::Rewritten;
    let effects = beside.frame(ServerFrame::Reset { room, head, why });
    let lanes: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(ClientFrame::Page { lane, .. }) => Some(*lane),
            _ => None,
        })
        .collect();
    assert_eq!(lanes, [0, LANE]);
    beside.frame(ServerFrame::Left { room });
    assert!(beside.here.session.thread.is_none());
}

#[test]
fn a_thread_that_is_not_there_says_so() {
    let mut here = here(0);
    let asked = here.give(Input::LookAtThread(Some((LANE, None))));
    let req = requests(&asked).0;
    let (code, message) = (ErrorCode::NotFound, "There is no such thread.".to_owned());
    here.give(Input::Frame(ServerFrame::Error { id: None, req, code, message: message.clone() }));
    assert_eq!(here.session.thread.as_ref().unwrap().fault, Some(message));
}

#[test]
fn the_title_counts_what_is_unread_in_threads() {
    let mut here = here(0);
    let before = here.session.total();
    let badge = Badge { threads: 2, thread_mentions: 1, ..here.session.rooms[0].badge };
    let room = here.room;
    here.badge(room, badge);
    assert_eq!(here.session.total(), (before.0 + 1, before.1 + 1));
}
