//! The client's session, driven by hand: what is sent, when, and under which id.

use crate::support::{boot, welcome};
use beck::client::{Effect, Input, Session, Status};
use beck::protocol::frame::Draft;
use beck::protocol::{
    AccountId, ClientFrame, ClientId, ErrorCode, Hash, Outcome, Page, PageAt, Pointer, Position, Raise,
    Refusal, RoomId, Row, ServerFrame, WorkspaceId,
};
use beck::timeline::EchoState;
use std::collections::BTreeMap;

struct Here {
    session: Session,
    room: RoomId,
    now: i64,
}

fn here() -> Here {
    here_at(Position { epoch: WorkspaceId::random(), seq: 1, chain: Hash::ZERO })
}

fn here_at(as_of: Position) -> Here {
    let (me, room) = (AccountId::random(), RoomId::random());
    let page = Page { room, lane: 0, as_of, head: 0, rows: Vec::new(), quotes: BTreeMap::new() };
    Here { session: Session::from_boot(&boot(me, room, Some(page))).unwrap(), room, now: 1_000 }
}

impl Here {
    fn handle(&mut self, input: Input) -> Vec<Effect> {
        self.now += 1;
        self.session.handle(input, self.now)
    }

    fn welcome(&mut self) -> Vec<Effect> {
        let (me, rooms) = (self.session.me.clone(), self.session.rooms.clone());
        let frame = welcome(WorkspaceId::random(), me, rooms);
        self.handle(Input::Frame(frame))
    }

    /// A page of a room of 900 messages.
    fn rows(&self, from: u64, to: u64) -> Page {
        let row = |ordinal| {
            std::sync::Arc::new(Row {
                id: ClientId::random(),
                author: AccountId::random(),
                at: 1,
                seq: 1,
                lane: 0,
                ordinal,
                also: None,
                version: 1,
                text: Some("row".into()),
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
        };
        let as_of = self.session.current().unwrap().cursor();
        let rows = (from..=to).map(row).collect();
        Page { room: self.room, lane: 0, as_of, head: 900, rows, quotes: BTreeMap::new() }
    }

    fn discard(&mut self, id: ClientId) -> Vec<Effect> {
        self.handle(Input::Discard { id, void: ClientId::random() })
    }

    fn ack(&mut self, id: ClientId, outcome: Outcome) -> Vec<Effect> {
        self.handle(Input::Frame(ServerFrame::Ack { id, outcome }))
    }

    fn error(&mut self, id: ClientId, code: ErrorCode) -> Vec<Effect> {
        let frame = ServerFrame::Error { id: Some(id), req: None, code, message: "why".into() };
        self.handle(Input::Frame(frame))
    }

    fn echoes(&self) -> Vec<EchoState> {
        self.session.current().unwrap().echoes().iter().map(|echo| echo.state.clone()).collect()
    }

    fn write(&mut self, text: &str) -> (ClientId, Vec<Effect>) {
        let id = ClientId::random();
        let draft = Draft {
            id,
            room: self.room,
            thread: None,
            quote: None,
            text: text.into(),
            named: Default::default(),
        };
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
    let kept =
        |effect: &Effect| matches!(effect, Effect::Keep(kept) if kept.id() == first && kept.is_stored());
    assert!(effects.iter().any(kept), "an acknowledged draft is kept for an hour");
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
    assert_eq!(echoes[0].state, EchoState::Failed { why: Refusal::Archived.to_string() });
    assert_eq!(posted(&here.discard(first)), [second]);
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
    let mut probes = 0;
    for _ in 0..8 {
        for effect in here.handle(Input::Closed(None)) {
            match effect {
                Effect::Connect { after_ms } => waits.push(after_ms),
                Effect::Probe => probes += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(probes, 7, "from the second try on it is asked what is wrong");
    assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    assert_eq!(here.handle(Input::Wake), [Effect::Connect { after_ms: 0 }]);
    assert_eq!(here.handle(Input::Closed(Some(4001))), []);
    assert_eq!(here.session.status, Status::SignedOut);
}

#[test]
fn a_socket_too_many_is_said_and_tried_again_slowly_and_nothing_asks_about_proxies() {
    let mut here = here();
    for _ in 0..5 {
        assert_eq!(here.handle(Input::Closed(Some(4011))), [Effect::Connect { after_ms: 60_000 }]);
        assert_eq!(here.session.status, Status::TooManySockets);
        here.handle(Input::Connecting);
        here.handle(Input::Opened);
    }
    // Somebody closed a tab and looks at this one.
    here.handle(Input::Closed(Some(4011)));
    assert_eq!(here.handle(Input::Wake), [Effect::Connect { after_ms: 0 }]);
    // What is written meanwhile waits.
    let (id, effects) = here.write("meanwhile");
    assert_eq!(posted(&effects), []);
    here.handle(Input::Opened);
    assert_eq!(posted(&here.welcome()), [id]);
    assert_eq!(here.session.status, Status::Live);
    // A network that goes away is another thing.
    here.handle(Input::Closed(Some(4011)));
    assert_eq!(here.handle(Input::Closed(None)), [Effect::Connect { after_ms: 500 }]);
    assert_eq!(here.session.status, Status::Offline);
    // A server that said that it goes, and then this: its delay no longer counts.
    here.handle(Input::Opened);
    here.welcome();
    here.handle(Input::Frame(ServerFrame::Moving { after_ms: 7 }));
    assert_eq!(here.handle(Input::Closed(Some(4011))), [Effect::Connect { after_ms: 60_000 }]);
    assert_eq!(here.handle(Input::Closed(None)), [Effect::Connect { after_ms: 500 }]);
    // A page that is too old stays so.
    here.handle(Input::Closed(Some(4002)));
    assert_eq!((here.handle(Input::Closed(Some(4011))), here.session.status), (vec![], Status::TooOld));
}

#[test]
fn a_close_after_the_login_was_found_to_have_ended_leaves_one_signed_out() {
    use beck::client::Probe;
    let mut here = here();
    here.handle(Input::Closed(None));
    assert!(here.handle(Input::Closed(None)).contains(&Effect::Probe));
    // The next socket is on its way while the answer comes.
    here.handle(Input::Connecting);
    assert_eq!(here.handle(Input::Probed(Probe::SignedOut)), [Effect::Disconnect]);
    for code in [None, Some(1006), Some(1012)] {
        assert_eq!(here.handle(Input::Closed(code)), [], "{code:?}: no try to connect without a login");
        assert_eq!(here.session.status, Status::SignedOut, "{code:?}");
    }
    // What one writes meanwhile waits, and goes out once one has signed in again.
    let (id, effects) = here.write("meanwhile");
    assert_eq!(posted(&effects), []);
    assert_eq!(here.handle(Input::SignedIn), [Effect::Connect { after_ms: 0 }]);
    here.handle(Input::Opened);
    assert_eq!(posted(&here.welcome()), [id]);
    // A page that is too old stays so as well.
    here.handle(Input::Closed(Some(4002)));
    assert_eq!((here.handle(Input::Closed(None)), here.session.status), (vec![], Status::TooOld));
}

const STORED: Outcome = Outcome::Stored { g: 9, seq: Some(2), ordinal: Some(1) };
const MINUTE: i64 = 60_000;

fn sent(effects: &[Effect]) -> Vec<&ClientFrame> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Send(frame) = effect { Some(frame) } else { None })
        .collect()
}

#[test]
fn a_draft_that_waited_ten_minutes_is_looked_up_and_then_its_author_is_asked() {
    for (minutes, asks) in [(9, false), (11, true)] {
        let mut here = here();
        let (id, _) = here.write("old");
        here.now += minutes * MINUTE;
        here.handle(Input::Opened);
        let effects = here.welcome();
        let looked_up = sent(&effects).contains(&&ClientFrame::Outcome { id });
        assert_eq!((looked_up, posted(&effects).is_empty()), (asks, asks), "after {minutes} minutes");
        if !asks {
            continue;
        }
        // Known after all: it is done, and nobody is asked.
        let mut known = Here { session: here.session.clone(), ..here };
        known.ack(id, STORED);
        assert_eq!(known.session.waiting(), 0);
        // Not known: nothing goes out until its author says so, and a cut does not change that.
        assert_eq!(posted(&here.error(id, ErrorCode::NotFound)), []);
        assert_eq!(here.echoes(), [EchoState::Question]);
        let (_, effects) = here.write("later");
        assert_eq!(posted(&effects), []);
        here.handle(Input::Closed(None));
        here.handle(Input::Opened);
        assert_eq!(posted(&here.welcome()), []);
        assert_eq!(posted(&here.handle(Input::SendNow(id))), [id]);
    }
}

#[test]
fn what_was_never_sent_is_taken_back_at_once_and_what_was_sent_by_an_entry() {
    let mut here = here();
    let (first, _) = here.write("never sent");
    let effects = here.handle(Input::Edit { id: first, void: ClientId::random() });
    let text = "never sent".to_owned();
    assert_eq!(effects, [Effect::Forget(first), Effect::Compose(here.room.into(), text)]);

    let (second, _) = here.write("sent and cut");
    here.handle(Input::Opened);
    assert_eq!(posted(&here.welcome()), [second]);
    here.handle(Input::Closed(None));
    let void = ClientId::random();
    let effects = here.handle(Input::Edit { id: second, void });
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Compose(..))), "it may be stored");
    assert_eq!(here.echoes(), [EchoState::TakingBack]);
    here.handle(Input::Opened);
    let effects = here.welcome();
    assert_eq!(posted(&effects), []);
    assert!(sent(&effects).contains(&&ClientFrame::Void { id: void, target: second }));
    // Too late: it was stored, and its place is looked up.
    let mut late = Here { session: here.session.clone(), ..here };
    let effects = late.ack(void, Outcome::Refused { why: Refusal::TooLate });
    assert!(sent(&effects).contains(&&ClientFrame::Outcome { id: second }));
    late.ack(second, STORED);
    assert_eq!(late.session.waiting(), 0);
    // In time: it goes back into the composer.
    let effects = here.ack(void, Outcome::Stored { g: 10, seq: None, ordinal: None });
    assert_eq!(effects, [Effect::Forget(second), Effect::Compose(here.room.into(), "sent and cut".into())]);
    assert_eq!(here.echoes(), []);
}

#[test]
fn only_the_sending_tab_sends_and_every_tab_shows() {
    let mut here = here();
    here.handle(Input::Opened);
    here.welcome();
    here.handle(Input::Sender(false));
    let (mine, effects) = here.write("by the other tab");
    assert_eq!(posted(&effects), []);
    assert_eq!(here.echoes(), [EchoState::Waiting]);
    // The other tab sent it, and it was acknowledged there.
    let kept = here.session.outbox.get(mine).unwrap().clone();
    let state = beck::client::KeptState::Stored { seq: 2, at: here.now };
    here.handle(Input::Shared(beck::client::Kept { tried: true, state, ..kept }));
    assert_eq!(here.session.waiting(), 0);
    // A tab that goes leaves its drafts; the next one sends them.
    let (second, _) = here.write("left behind");
    assert_eq!(posted(&here.handle(Input::Sender(true))), [second]);
    here.handle(Input::Gone(second));
    assert_eq!(here.session.waiting(), 0);
}

#[test]
fn an_acknowledged_draft_that_the_log_lost_is_offered_again() {
    let mut here = here();
    here.handle(Input::Opened);
    here.welcome();
    let (id, _) = here.write("acked");
    here.ack(id, STORED);
    let head = here.session.current().unwrap().cursor();
    let why = beck::protocol::frame::ResetReason::Rewritten;
    let effects = here.handle(Input::Frame(ServerFrame::Reset { room: here.room, why, head }));
    let Some(ClientFrame::Page { req, .. }) = sent(&effects).first().copied() else { panic!("{effects:?}") };
    let page =
        Page { room: here.room, lane: 0, as_of: head, head: 0, rows: Vec::new(), quotes: BTreeMap::new() };
    let effects = here.handle(Input::Frame(ServerFrame::Page { req: *req, page }));
    assert!(sent(&effects).contains(&&ClientFrame::Outcome { id }));
    here.error(id, ErrorCode::NotFound);
    assert_eq!(here.echoes(), [EchoState::Lost]);
    // Nothing waits until its author has decided.
    here.now += 10;
    let (later, effects) = here.write("later");
    assert_eq!(posted(&effects), [later]);
    here.ack(later, STORED);
    assert_eq!(posted(&here.handle(Input::SendNow(id))), [id]);
    // An hour later nothing is left of what was acknowledged.
    here.ack(id, STORED);
    here.now += 61 * MINUTE;
    assert!(here.handle(Input::Tick).contains(&Effect::Forget(id)));
}

#[test]
fn an_acknowledged_draft_is_looked_up_until_its_outcome_is_known() {
    let mut here = here();
    here.handle(Input::Opened);
    here.welcome();
    let (older, _) = here.write("older");
    here.ack(older, STORED);
    here.now += 10;
    let (newest, _) = here.write("newest");
    here.ack(newest, STORED);
    let looked_up = |effects: &[Effect]| -> Vec<ClientId> {
        let frames = sent(effects).into_iter();
        frames
            .filter_map(|frame| if let ClientFrame::Outcome { id } = frame { Some(*id) } else { None })
            .collect()
    };
    // A log that was rewritten while there was no connection lacks the newest, if any.
    let again = |here: &mut Here| {
        here.handle(Input::Closed(None));
        here.handle(Input::Opened);
        here.welcome()
    };
    assert_eq!(looked_up(&again(&mut here)), [newest]);
    here.ack(newest, STORED);
    assert_eq!(looked_up(&here.handle(Input::Tick)), [], "it is known");
    assert_eq!(looked_up(&again(&mut here)), [newest]);
    // Cut before the answer: asked over the next connection. Told to come later: at the next tick.
    assert_eq!(looked_up(&again(&mut here)), [newest]);
    here.error(newest, ErrorCode::Behind);
    assert_eq!(here.session.waiting(), 0);
    assert_eq!(looked_up(&here.handle(Input::Tick)), [newest]);
    // It is gone: others may be, and only those that are gone are offered.
    assert_eq!(looked_up(&here.error(newest, ErrorCode::NotFound)), [older]);
    here.ack(older, STORED);
    let kept = |id| here.session.outbox.get(id).unwrap();
    assert!(kept(older).is_stored() && kept(newest).state == beck::client::KeptState::Lost);
    assert_eq!(looked_up(&here.handle(Input::Tick)), []);
}

#[test]
fn the_text_of_a_composer_belongs_to_its_room_and_goes_with_the_sending() {
    let mut here = here();
    let (room, other) = (here.room, RoomId::random());
    let typed = |text: &str| Input::Typed(room.into(), text.into());
    assert_eq!(here.handle(typed("half")), [Effect::KeepTyped(room.into(), "half".into())]);
    assert_eq!(here.handle(typed("half")), [], "kept once");
    let offered =
        |effects: Vec<Effect>| effects.into_iter().any(|effect| matches!(effect, Effect::Offer(..)));
    assert!(!offered(here.handle(Input::Look { room: other, at: None })));
    let effects = here.handle(Input::Look { room, at: None });
    assert!(effects.contains(&Effect::Offer(room.into(), "half".into())));
    let (_, effects) = here.write("half and whole");
    assert!(effects.contains(&Effect::KeepTyped(room.into(), String::new())));
}

#[test]
fn a_check_recomputes_every_link_and_finds_the_first_that_does_not_fit() {
    use beck::client::session::CheckState;
    use beck::protocol::{Digest, Header, Kind};
    use sha1::{Digest as _, Sha1};
    let author = AccountId::random();
    // Chains by a second implementation, over the text that docs/protocol.md gives.
    let mut chain = "0".repeat(16);
    let mut headers = Vec::new();
    for g in 1..=3 {
        let id = ClientId::random();
        let text = format!("{chain}\n{g}\n5\n{author} {id} - message - - {}", "0".repeat(32));
        chain = Sha1::digest(text.as_bytes())[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let digest = Digest::default();
        let header = Header {
            g,
            at: 5,
            author,
            client_id: id,
            room: None,
            kind: Kind::Message,
            target: None,
            slot: None,
            digest,
        };
        headers.push((header, chain.parse::<Hash>().unwrap()));
    }
    let mut wrong = headers.clone();
    wrong[1].0.at = 6;
    let cut = headers[..2].to_vec();
    let whole = headers.clone();
    for (headers, expected) in [
        (whole, CheckState::Agrees { ms: 0 }),
        (wrong, CheckState::Differs { seq: 2 }),
        // The server gives less than this client holds.
        (cut, CheckState::Differs { seq: 3 }),
    ] {
        let mut here =
            here_at(Position { epoch: WorkspaceId::random(), seq: 3, chain: chain.parse().unwrap() });
        here.handle(Input::Opened);
        here.welcome();
        let mut effects = here.handle(Input::Check);
        let mut given = headers.into_iter();
        for _ in 0..3 {
            let Some(ClientFrame::Headers { req, room, after, to }) =
                sent(&effects).first().copied().cloned()
            else {
                break;
            };
            assert!(to == 3 && after < 3);
            let headers: Vec<_> = given.by_ref().collect();
            effects = here.handle(Input::Frame(ServerFrame::Headers { req, room, headers }));
        }
        let state = &here.session.check.as_ref().unwrap().state;
        match expected {
            CheckState::Agrees { .. } => assert!(matches!(state, CheckState::Agrees { .. }), "{state:?}"),
            expected => assert_eq!(*state, expected),
        }
    }
}

#[test]
fn a_check_that_is_over_keeps_nothing_of_the_messages() {
    let closed = |_| Input::Closed(None);
    let nothing = |(req, room)| Input::Frame(ServerFrame::Headers { req, room, headers: Vec::new() });
    let ends: [&dyn Fn((u64, RoomId)) -> Input; 2] = [&closed, &nothing];
    for end in ends {
        let mut here = here();
        here.handle(Input::Opened);
        here.welcome();
        let page = here.rows(100, 149);
        let id = page.rows[0].id;
        let jump = here.handle(Input::GoTo(0, 120));
        let req = match sent(&jump)[..] {
            [ClientFrame::Page { req, .. }] => *req,
            _ => panic!("{jump:?}"),
        };
        here.handle(Input::Frame(ServerFrame::Page { req, page }));
        let asked = here.handle(Input::Check);
        let Some(ClientFrame::Headers { req, room, .. }) = sent(&asked).first().copied().cloned() else {
            panic!("{asked:?}")
        };
        let knows = |here: &Here| format!("{:?}", here.session.check).contains(&format!("{id:?}"));
        assert!(knows(&here), "the test does not see what the check keeps");
        here.handle(end((req, room)));
        assert!(!knows(&here), "{:?}", here.session.check);
    }
}

#[test]
fn a_page_that_was_asked_for_before_a_jump_tears_no_hole_into_the_new_window() {
    let mut here = here();
    here.handle(Input::Opened);
    here.welcome();
    let (middle, newer, newest) = (here.rows(100, 149), here.rows(150, 199), here.rows(851, 900));
    let req = |effects: &[Effect]| match sent(effects)[..] {
        [ClientFrame::Page { req, .. }] => *req,
        _ => panic!("{effects:?}"),
    };
    let jump = req(&here.handle(Input::GoTo(0, 120)));
    let page = |req, page| Input::Frame(ServerFrame::Page { req, page });
    here.handle(page(jump, middle));
    let jump = req(&here.handle(Input::Newest(0)));
    let late = req(&here.handle(Input::Newer(0)));
    here.handle(page(jump, newest));
    here.handle(page(late, newer));
    let timeline = here.session.current().unwrap();
    assert_eq!((timeline.window(), timeline.hole()), (Some((851, 900)), None));
}

#[test]
fn what_one_looks_for_while_there_is_no_connection_is_asked_for_when_there_is() {
    let mut here = here();
    here.handle(Input::Opened);
    here.welcome();
    let asked = |effects: &[Effect]| {
        let page = |frame: &&ClientFrame| match frame {
            ClientFrame::Page { req, at, .. } => Some((*req, *at)),
            _ => None,
        };
        sent(effects).iter().filter_map(page).collect::<Vec<_>>()
    };
    let jump = asked(&here.handle(Input::GoTo(0, 880)))[0].0;
    let page = here.rows(851, 900);
    here.handle(Input::Frame(ServerFrame::Page { req: jump, page }));

    here.handle(Input::Closed(None));
    assert_eq!(asked(&here.handle(Input::Older(0))), []);
    here.handle(Input::Opened);
    assert_eq!(asked(&here.welcome())[..], [(2, PageAt::Before(851))][..]);
    // Lost with the connection.
    here.handle(Input::Closed(None));
    here.handle(Input::Opened);
    assert_eq!(asked(&here.welcome())[..], [(3, PageAt::Before(851))][..]);
    // Told to come again later.
    let code = ErrorCode::Throttled;
    let late = ServerFrame::Error { id: None, req: Some(3), code, message: "later".into() };
    assert_eq!(asked(&here.handle(Input::Frame(late))), []);
    assert_eq!(asked(&here.handle(Input::Tick))[..], [(4, PageAt::Before(851))][..]);
    assert_eq!(asked(&here.handle(Input::Tick)), [], "once at a time");
    let page = here.rows(801, 850);
    here.handle(Input::Frame(ServerFrame::Page { req: 4, page }));
    assert_eq!(here.session.current().unwrap().window(), Some((801, 900)));
    assert_eq!(asked(&here.handle(Input::Tick)), [], "it has come");
}

#[test]
fn earlier_texts_and_pins_that_are_opened_without_a_connection_come_with_it() {
    let mut here = here();
    let of = ClientId::random();
    let asked = |effects: &[Effect]| -> Vec<u64> {
        let ask = |frame: &&ClientFrame| match frame {
            ClientFrame::History { req, .. } | ClientFrame::Pins { req, .. } => Some(*req),
            _ => None,
        };
        sent(effects).iter().filter_map(ask).collect()
    };
    assert_eq!(asked(&here.handle(Input::History(of))), [0; 0]);
    assert_eq!(asked(&here.handle(Input::Pins)), [0; 0]);
    here.handle(Input::Opened);
    let [history, pins] = asked(&here.welcome())[..] else { panic!("both are asked for") };
    assert_eq!(asked(&here.handle(Input::Tick)), [0; 0], "once at a time");
    // The first answers are lost with the connection.
    here.handle(Input::Closed(None));
    here.handle(Input::Opened);
    let [again, more] = asked(&here.welcome())[..] else { panic!("both are asked for again") };
    assert!(again > pins && more > pins && history < pins);
    let room = here.room;
    here.handle(Input::Frame(ServerFrame::History { req: again, room, versions: Vec::new() }));
    here.handle(Input::Frame(ServerFrame::Pins { req: more, room, rows: Vec::new() }));
    assert_eq!(here.session.history, Some((of, Vec::new())));
    assert!(here.session.pins.contains_key(&room));
    here.handle(Input::Closed(None));
    here.handle(Input::Opened);
    assert_eq!(asked(&here.welcome()), [0; 0], "they have come");
}

#[test]
fn a_server_that_goes_says_when_to_come_back_and_what_was_read_meanwhile_is_told_then() {
    let mut here = here();
    here.handle(Input::Opened);
    here.welcome();
    assert_eq!(here.handle(Input::Frame(ServerFrame::Moving { after_ms: 730 })), [Effect::Disconnect]);
    assert_eq!(here.handle(Input::Closed(None)), [Effect::Connect { after_ms: 730 }]);
    assert_eq!(here.session.status, Status::Moving);
    assert_eq!(here.handle(Input::Seen(0, 7)), []);
    here.handle(Input::Opened);
    let effects = here.welcome();
    let room = here.room;
    let read = ClientFrame::Read(Raise { room, lane: 0, pointer: Pointer { generation: 0, ordinal: 7 } });
    assert!(sent(&effects).contains(&&read));
}

#[test]
fn a_draft_that_is_taken_back_after_its_room_was_left_stands_in_that_rooms_composer() {
    let mut here = here();
    let (room, other) = (here.room, RoomId::random());
    let (id, _) = here.write("first");
    here.handle(Input::Typed(room.into(), "second".into()));
    here.handle(Input::Look { room: other, at: None });
    let effects = here.handle(Input::Edit { id, void: ClientId::random() });
    assert_eq!(effects, [Effect::Forget(id), Effect::KeepTyped(room.into(), "first\nsecond".into())]);
}

#[test]
fn the_room_that_is_looked_at_is_loaded_when_one_is_added_to_it() {
    let mut here = here();
    here.welcome();
    let room = here.session.rooms[0].clone();
    assert!(room.joined && room.id == here.room);
    here.handle(Input::Frame(ServerFrame::Left { room: room.id }));
    let again = ServerFrame::Room { room };
    let effects = here.handle(Input::Frame(again.clone()));
    let asked = |frame: &&ClientFrame| matches!(frame, ClientFrame::Page { room, .. } if *room == here.room);
    assert_eq!(sent(&effects).iter().filter(|frame| asked(frame)).count(), 1, "{effects:?}");
    assert_eq!(sent(&here.handle(Input::Frame(again))).len(), 0, "it is loaded once");
}

#[test]
fn the_thread_that_is_looked_at_is_loaded_when_one_is_added_to_its_room() {
    let mut here = here();
    here.welcome();
    let room = here.session.rooms[0].clone();
    here.handle(Input::Frame(ServerFrame::Left { room: room.id }));
    let before = here.handle(Input::LookAtThread(Some((7, None))));
    for frame in sent(&before) {
        let (ClientFrame::Thread { req, .. } | ClientFrame::Page { req, .. }) = frame else { continue };
        let message = "There is no such room.".into();
        here.handle(Input::Frame(ServerFrame::Error {
            id: None,
            req: Some(*req),
            code: ErrorCode::NotFound,
            message,
        }));
    }
    assert!(here.session.thread.as_ref().unwrap().fault.is_some());
    let effects = here.handle(Input::Frame(ServerFrame::Room { room }));
    let of_thread = |frame: &&ClientFrame| {
        matches!(frame, ClientFrame::Thread { lane: 7, .. } | ClientFrame::Page { lane: 7, .. })
    };
    assert_eq!(sent(&effects).into_iter().filter(of_thread).count(), 2, "{effects:?}");
}

#[test]
fn a_connection_that_is_taken_and_not_answered_is_given_up() {
    let mut here = here();
    here.handle(Input::Connecting);
    here.now += 9_000;
    assert_eq!(here.handle(Input::Tick), []);
    here.now += 2_000;
    assert_eq!(here.handle(Input::Tick), [Effect::Disconnect], "no socket came");
    here.handle(Input::Closed(None));
    here.handle(Input::Connecting);
    here.handle(Input::Opened);
    here.now += 11_000;
    assert_eq!(here.handle(Input::Tick), [Effect::Disconnect], "no welcome came");
    here.handle(Input::Closed(None));

    // Awake on a live connection: something is asked, and the answer decides.
    for answered in [true, false] {
        here.handle(Input::Connecting);
        here.handle(Input::Opened);
        here.welcome();
        let effects = here.handle(Input::Wake);
        assert_eq!(sent(&effects), [&ClientFrame::People { ids: Vec::new(), handles: Vec::new() }]);
        if answered {
            here.handle(Input::Frame(ServerFrame::People { people: Vec::new() }));
        }
        here.now += 11_000;
        assert_eq!(here.handle(Input::Tick) == [Effect::Disconnect], !answered);
        here.handle(Input::Closed(None));
    }
}
