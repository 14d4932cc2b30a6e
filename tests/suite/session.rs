//! The client's session, driven by hand: what is sent, when, and under which id.

use beck::api::Boot;
use beck::client::{Effect, Input, Session, Status};
use beck::protocol::frame::{Draft, Person, Role, RoomInfo, RoomKind};
use beck::protocol::{
    AccountId, ClientFrame, ClientId, ErrorCode, Hash, Outcome, Page, Position, Refusal, RoomId, ServerFrame,
    WorkspaceId,
};
use beck::timeline::EchoState;
use std::collections::BTreeMap;

struct Here {
    session: Session,
    room: RoomId,
    now: i64,
}

fn here() -> Here {
    let (me, room, epoch) = (AccountId::random(), RoomId::random(), WorkspaceId::random());
    let me = Person { id: me, name: "Me".into(), handle: "me".into(), role: Role::Member };
    let info = RoomInfo {
        id: room,
        kind: RoomKind::Open,
        name: "General".into(),
        topic: String::new(),
        archived: false,
        members: 1,
        joined: true,
        badge: Default::default(),
    };
    let as_of = Position { epoch, seq: 1, chain: Hash::ZERO };
    let page = Page { room, lane: 0, as_of, head: 0, rows: Vec::new(), quotes: BTreeMap::new() };
    let boot = Boot {
        workspace: "W".into(),
        me: Some(me),
        rooms: vec![info],
        page: Some(page),
        found: None,
        people: Vec::new(),
        zone: 0,
        theme: "system".into(),
        client_id: ClientId::random(),
        join_link: None,
        asks_code: false,
        notice: None,
    };
    Here { session: Session::from_boot(&boot).unwrap(), room, now: 1_000 }
}

impl Here {
    fn handle(&mut self, input: Input) -> Vec<Effect> {
        self.now += 1;
        self.session.handle(input, self.now)
    }

    fn welcome(&mut self) -> Vec<Effect> {
        let frame = ServerFrame::Welcome {
            version: 1,
            workspace: WorkspaceId::random(),
            name: "W".into(),
            me: self.session.me.clone(),
            rooms: self.session.rooms.clone(),
            g: 9,
            heartbeat_ms: 25_000,
        };
        self.handle(Input::Frame(frame))
    }

    fn write(&mut self, text: &str) -> (ClientId, Vec<Effect>) {
        let id = ClientId::random();
        let draft = Draft { id, room: self.room, thread: None, quote: None, text: text.into() };
        (id, self.handle(Input::Write(draft)))
    }
}

fn posted(effects: &[Effect]) -> Vec<ClientId> {
    let post = |effect: &Effect| match effect {
        Effect::Send(ClientFrame::Post(draft)) => Some(draft.id),
        _ => None,
    };
    effects.iter().filter_map(post).collect()
}

#[test]
fn drafts_wait_offline_and_go_out_one_by_one_in_order_under_their_ids() {
    let mut here = here();
    let (first, effects) = here.write("one");
    assert_eq!(posted(&effects), []);
    let (second, _) = here.write("two");
    assert!(matches!(here.handle(Input::Opened)[0], Effect::Send(ClientFrame::Hello { .. })));
    assert_eq!(posted(&here.welcome()), [first]);
    // Cut before the answer: the same one goes out again, and still before the other.
    let effects = here.handle(Input::Closed(None));
    assert!(matches!(effects[..], [Effect::Connect { .. }]));
    here.handle(Input::Opened);
    assert_eq!(posted(&here.welcome()), [first]);
    let outcome = Outcome::Stored { g: 9, seq: Some(2), ordinal: Some(1) };
    let effects = here.handle(Input::Frame(ServerFrame::Ack { id: first, outcome }));
    assert!(effects.contains(&Effect::Forget(first)));
    assert_eq!(posted(&effects), [second]);
}

#[test]
fn a_refused_draft_holds_back_the_later_ones_until_it_is_discarded() {
    let mut here = here();
    here.handle(Input::Opened);
    here.welcome();
    let (first, _) = here.write("one");
    let (second, _) = here.write("two");
    let outcome = Outcome::Refused { why: Refusal::Archived };
    let effects = here.handle(Input::Frame(ServerFrame::Ack { id: first, outcome }));
    assert_eq!(posted(&effects), []);
    let echoes = here.session.current().unwrap().echoes().to_vec();
    assert_eq!(echoes[0].state, EchoState::NotSent { why: Refusal::Archived });
    assert_eq!(posted(&here.handle(Input::Discard(first))), [second]);
}

#[test]
fn what_may_succeed_later_is_tried_again_and_what_cannot_stays_editable() {
    let mut here = here();
    here.handle(Input::Opened);
    here.welcome();
    let (id, _) = here.write("one");
    let error = |code| ServerFrame::Error { id: Some(id), req: None, code, message: "why".into() };
    here.handle(Input::Frame(error(ErrorCode::Unknown)));
    assert_eq!(posted(&here.handle(Input::Tick)), [id]);
    here.handle(Input::Frame(error(ErrorCode::Unfit)));
    let echoes = here.session.current().unwrap().echoes().to_vec();
    assert_eq!(echoes[0].state, EchoState::Failed { why: "why".into() });
    assert_eq!(posted(&here.handle(Input::Tick)), []);
}

#[test]
fn reconnects_wait_longer_each_time_and_end_when_they_are_of_no_use() {
    let mut here = here();
    let mut waits = Vec::new();
    for _ in 0..8 {
        if let [Effect::Connect { after_ms }] = here.handle(Input::Closed(None))[..] {
            waits.push(after_ms);
        }
    }
    assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    assert_eq!(here.handle(Input::Wake), [Effect::Connect { after_ms: 0 }]);
    assert_eq!(here.handle(Input::Closed(Some(4001))), []);
    assert_eq!(here.session.status, Status::SignedOut);
}
