//! What a client tells of its person and asks of others: who is looked at, typing, being away.

use crate::support::{boot, welcome};
use beck::client::{Effect, Input, Lane, Session};
use beck::protocol::frame::{Person, Role};
use beck::protocol::{AccountId, ClientFrame, Presence, RoomId, Seen, ServerFrame, WorkspaceId};

struct Here {
    session: Session,
    room: RoomId,
    now: i64,
}

impl Here {
    fn start() -> Here {
        let room = RoomId::random();
        let session = Session::from_boot(&boot(AccountId::random(), room, None)).unwrap();
        let mut here = Here { session, room, now: 1_000 };
        here.give(Input::Look { room, at: None });
        here
    }

    fn give(&mut self, input: Input) -> Vec<Effect> {
        self.session.handle(input, self.now)
    }

    fn welcome(&mut self) -> Vec<ClientFrame> {
        let (me, rooms) = (self.session.me.clone(), self.session.rooms.clone());
        sent(self.give(Input::Frame(welcome(WorkspaceId::random(), me, rooms))))
    }

    fn typed(&mut self, text: &str) -> Vec<bool> {
        self.typed_in(0, text)
    }

    fn typed_in(&mut self, lane: u64, text: &str) -> Vec<bool> {
        let sent = sent(self.give(Input::Typed(Lane { room: self.room, lane }, text.into())));
        let on = |frame| match frame {
            ClientFrame::Typing { lane: of, on, .. } if of == lane => Some(on),
            _ => None,
        };
        sent.into_iter().filter_map(on).collect()
    }
}

fn sent(effects: Vec<Effect>) -> Vec<ClientFrame> {
    let frame = |effect| if let Effect::Send(frame) = effect { Some(frame) } else { None };
    effects.into_iter().filter_map(frame).collect()
}

fn watched(frames: &[ClientFrame]) -> Option<Vec<AccountId>> {
    frames.iter().find_map(|frame| match frame {
        ClientFrame::Watch { people } => Some(people.clone()),
        _ => None,
    })
}

#[test]
fn only_the_people_in_view_are_asked_for() {
    let mut here = Here::start();
    let (me, room) = (here.session.me.id, here.room);
    assert_eq!(watched(&here.welcome()), Some(vec![me]));
    let other = AccountId::random();
    let asked = sent(here.give(Input::ListPeople(Some(room))));
    let [ClientFrame::Members { req, .. }] = asked.as_slice() else { panic!("{asked:?}") };
    let person = Person { id: other, name: "Olga".into(), handle: "olga".into(), role: Role::Member };
    let members = ServerFrame::Members { req: *req, room, people: vec![person] };
    assert_eq!(watched(&sent(here.give(Input::Frame(members)))), Some(vec![me, other]));
    let seen = |is| Seen { id: other, is, status: Default::default() };
    here.give(Input::Frame(ServerFrame::Presence { people: vec![seen(Presence::Away)] }));
    assert_eq!(here.session.seen(other).map(|seen| seen.is), Some(Presence::Away));
    here.give(Input::Frame(ServerFrame::Presence { people: vec![seen(Presence::Offline)] }));
    assert_eq!(here.session.seen(other), None);
    // A new connection knows nothing of it.
    here.give(Input::Closed(None));
    let frames = here.welcome();
    assert!(frames.iter().any(|frame| matches!(frame, ClientFrame::Members { .. })), "{frames:?}");
    assert_eq!(watched(&sent(here.give(Input::ListPeople(None)))), Some(vec![me]));
    assert!(sent(here.give(Input::ListPeople(None))).is_empty(), "nothing has changed");
}

#[test]
fn typing_is_told_every_few_seconds_and_ended_by_an_empty_composer() {
    let mut here = Here::start();
    assert!(here.typed("offline").is_empty());
    here.welcome();
    assert_eq!(here.typed("a"), [true]);
    assert!(here.typed("ab").is_empty());
    here.now += 3_000;
    assert_eq!(here.typed("abc"), [true]);
    assert!(here.typed("abc").is_empty(), "nothing was typed");
    assert_eq!(here.typed(""), [false]);
    assert!(here.typed("").is_empty());
    // Who types is named as soon as his name is known, and not when he has said it.
    let other = AccountId::random();
    let typing = ServerFrame::Typing { room: here.room, people: vec![other], threads: Vec::new() };
    let asked = sent(here.give(Input::Frame(typing)));
    assert!(matches!(asked.as_slice(), [ClientFrame::People { .. }]), "{asked:?}");
    assert!(here.session.typers(here.room).is_empty());
    let person = Person { id: other, name: "Olga".into(), handle: "olga".into(), role: Role::Member };
    here.give(Input::Frame(ServerFrame::People { people: vec![person] }));
    assert_eq!(here.session.typers(here.room), ["Olga"]);
}

#[test]
fn who_types_an_answer_is_told_of_in_that_thread_alone() {
    let mut here = Here::start();
    here.welcome();
    assert_eq!(here.typed_in(7, "a"), [true]);
    assert!(here.typed_in(7, "ab").is_empty());
    // One types in one place at a time: the other one is told of at once.
    assert_eq!(here.typed("a"), [true]);
    assert_eq!(here.typed_in(7, "abc"), [true]);
    assert_eq!(here.typed_in(7, ""), [false]);
    let person = |name: &str| Person {
        id: AccountId::random(),
        name: name.into(),
        handle: name.to_lowercase(),
        role: Role::Member,
    };
    let (olga, pia, kim) = (person("Olga"), person("Pia"), person("Kim"));
    let (room, ids) = (here.room, [olga.id, pia.id, kim.id]);
    let lane = |lane| Lane { room, lane };
    here.give(Input::Frame(ServerFrame::People { people: vec![olga, pia, kim] }));
    let threads = vec![(7, ids[1]), (9, ids[2])];
    here.give(Input::Frame(ServerFrame::Typing { room, people: vec![ids[0]], threads }));
    let typers = |here: &Here| [0, 7, 9].map(|of| here.session.typers(lane(of)).join(", "));
    assert_eq!(typers(&here), ["Olga", "Pia", "Kim"]);
    // What comes next is all that there is.
    here.give(Input::Frame(ServerFrame::Typing { room, people: Vec::new(), threads: vec![(9, ids[1])] }));
    assert_eq!(typers(&here), ["", "", "Pia"]);
}

#[test]
fn who_has_not_looked_for_five_minutes_is_away_until_he_looks() {
    let mut here = Here::start();
    here.welcome();
    let active = |frames: Vec<ClientFrame>| {
        let on = |frame| if let ClientFrame::Active { on } = frame { Some(on) } else { None };
        frames.into_iter().filter_map(on).collect::<Vec<_>>()
    };
    here.give(Input::Attending(false));
    here.now += 299_000;
    assert!(active(sent(here.give(Input::Tick))).is_empty());
    here.now += 1_000;
    assert_eq!(active(sent(here.give(Input::Tick))), [false]);
    assert!(active(sent(here.give(Input::Tick))).is_empty(), "once");
    // Another connection begins as active.
    here.give(Input::Closed(None));
    assert_eq!(active(here.welcome()), [false]);
    assert_eq!(active(sent(here.give(Input::Attending(true)))), [true]);
}
