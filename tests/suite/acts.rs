//! Edits, reactions, pins, deletions: what the server makes of them, and what a client shows before it knows.

use crate::support::{TestNode, boot, set_up, set_up_of, welcome};
use beck::client::{Effect, Input, Session};
use beck::protocol::bounds;
use beck::protocol::{
    AccountId, ActBody, ActDraft, ActValue, ClientFrame, ClientId, ErrorCode, Event, EventBody, Format,
    Header, Kind, MessageBody, Outcome, Page, PageAt, Refusal, RoomId, Row, ServerFrame, Slot, Token,
};
use beck::server::error::AppError;
use beck::server::rooms;
use beck::text::emoji::{all, alone, find};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tempfile::tempdir;

async fn act(
    here: &TestNode,
    by: AccountId,
    target: ClientId,
    slot: &str,
    value: ActValue,
) -> Result<Outcome, AppError> {
    let act = ActDraft {
        id: ClientId::random(),
        room: here.general,
        target,
        slot: slot.into(),
        value,
        named: Default::default(),
    };
    rooms::act(&here.node, by, act).await
}

fn refused(outcome: Result<Outcome, AppError>) -> Refusal {
    match outcome.unwrap() {
        Outcome::Refused { why } => why,
        stored => panic!("{stored:?}"),
    }
}

fn assert_forbidden(outcome: Result<Outcome, AppError>) {
    assert!(matches!(outcome, Err(AppError::Forbidden(_))), "{outcome:?}");
}

fn text(words: &str) -> ActValue {
    ActValue::Text(words.into())
}

fn row(here: &TestNode, ordinal: u64) -> Arc<Row> {
    let at = PageAt::Around(ordinal);
    let page = rooms::page(&here.node, here.owner, (here.general, 0), at, 3, None).unwrap();
    page.rows.into_iter().find(|row| row.ordinal == ordinal).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_its_authors_and_the_owner_may_only_delete_it() {
    for format in [Format::Four, Format::Five] {
        the_owner_may_only_delete(format).await;
    }
}

async fn the_owner_may_only_delete(format: Format) {
    let folder = tempdir().unwrap();
    let here = set_up_of(folder.path(), format).await;
    let guest = here.member("guest").await;
    let id = ClientId::random();
    here.post(guest, id, "mine").await;
    let entries = here.log().await.len();
    assert_forbidden(act(&here, here.owner, id, "text", text("yours")).await);
    let other = format!("react:👍:{guest}");
    // Nobody reacts for another, and nobody takes back another's reaction.
    assert_forbidden(act(&here, here.owner, id, &other, ActValue::On(true)).await);
    act(&here, guest, id, &other, ActValue::On(true)).await.unwrap();
    assert_forbidden(act(&here, here.owner, id, &other, ActValue::On(false)).await);
    assert_eq!(here.log().await.len(), entries + 1, "what is forbidden is not in the log");
    act(&here, guest, id, "text", text("mine, edited")).await.unwrap();
    act(&here, here.owner, id, "deleted", ActValue::On(true)).await.unwrap();
    assert_eq!(row(&here, 1).text, None);
    assert_eq!(refused(act(&here, guest, id, "text", text("again")).await), Refusal::TargetGone);
    // What the owner deleted comes back by nobody; from format 5 on by the owner alone, as it was.
    let restore = async |by, words: &str| {
        act(&here, by, id, "deleted", ActValue::Restored { restored: words.into() }).await
    };
    for words in ["what guest never said", "mine, edited"] {
        assert_forbidden(restore(guest, words).await);
        if format < Format::Five {
            assert_forbidden(restore(here.owner, words).await);
        }
    }
    assert_eq!(row(&here, 1).text, None);
    if format >= Format::Five {
        restore(here.owner, "what guest never said").await.unwrap();
        assert_eq!(row(&here, 1).text.as_deref(), Some("mine, edited"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_texts_that_a_message_had_are_told_to_members_until_it_is_deleted() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let guest = here.member("guest").await;
    let id = ClientId::random();
    here.post(here.owner, id, "one").await;
    act(&here, here.owner, id, "text", text("two")).await.unwrap();
    act(&here, guest, id, &format!("react:🌊:{guest}"), ActValue::On(true)).await.unwrap();
    act(&here, here.owner, id, "text", text("three")).await.unwrap();
    let told = |by| {
        let versions = rooms::history(&here.node, by, here.general, id);
        versions.map(|versions| versions.into_iter().map(|v| v.text).collect::<Vec<_>>())
    };
    assert_eq!(told(guest).unwrap(), ["one", "two", "three"]);
    assert!(matches!(told(AccountId::random()), Err(AppError::NotFound)));
    for n in 0..60 {
        act(&here, here.owner, id, "text", text(&format!("edit {n}"))).await.unwrap();
    }
    let all = told(guest).unwrap();
    assert_eq!((all.len(), all[0].as_str(), all[1].as_str()), (bounds::VERSIONS, "one", "edit 11"));
    assert_eq!(all.last().unwrap(), "edit 59");
    act(&here, here.owner, id, "deleted", ActValue::On(true)).await.unwrap();
    assert_eq!(told(here.owner).unwrap(), Vec::<String>::new());
    // What is taken back is no version of its own, unless it says something else.
    act(&here, here.owner, id, "deleted", ActValue::Restored { restored: "edit 59".into() }).await.unwrap();
    assert_eq!(told(guest).unwrap(), all);
    let elsewhere = rooms::create(&here.node, here.owner, "Elsewhere", "").await.unwrap();
    assert!(matches!(rooms::history(&here.node, here.owner, elsewhere, id), Err(AppError::NotFound)));
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_are_those_that_stand_newest_first() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let guest = here.member("guest").await;
    let ids: Vec<_> = (0..4).map(|_| ClientId::random()).collect();
    for id in &ids {
        here.post(here.owner, *id, "something").await;
    }
    for n in [0, 2, 1, 3] {
        act(&here, guest, ids[n], "pin", ActValue::On(true)).await.unwrap();
    }
    let pins = || {
        let pins = rooms::pins(&here.node, guest, here.general).unwrap();
        pins.iter().map(|row| row.ordinal).collect::<Vec<_>>()
    };
    assert_eq!(pins(), [4, 3, 2, 1]);
    act(&here, here.owner, ids[1], "pin", ActValue::On(false)).await.unwrap();
    act(&here, here.owner, ids[3], "deleted", ActValue::On(true)).await.unwrap();
    assert_eq!(pins(), [3, 1]);
    let stranger = rooms::pins(&here.node, AccountId::random(), here.general);
    assert!(matches!(stranger, Err(AppError::NotFound)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_is_one_emoji() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let id = ClientId::random();
    here.post(here.owner, id, "react to this").await;
    let flag = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}";
    for emoji in ["👍", "❤️", "👩‍💻", "1️⃣", "🇸🇪", flag] {
        let done =
            act(&here, here.owner, id, &format!("react:{emoji}:{}", here.owner), ActValue::On(true)).await;
        assert!(matches!(done, Ok(Outcome::Stored { .. })), "{emoji}: {done:?}");
    }
    for words in ["yes", "1", "<b>", "\u{200d}", "\u{fe0f}", "👍a", "\u{202e}👍", "👍👍👍👍👍👍👍👍👍", "é"]
    {
        let done =
            act(&here, here.owner, id, &format!("react:{words}:{}", here.owner), ActValue::On(true)).await;
        assert_eq!(done.unwrap_err().code(), ErrorCode::Unfit, "{words}");
    }
    let offered: Vec<_> = all().collect();
    for emoji in &offered {
        assert_eq!(bounds::emoji(emoji.emoji), Ok(emoji.emoji), "{}", emoji.name);
    }
    let unique: BTreeSet<_> = offered.iter().map(|emoji| emoji.emoji).collect();
    let names: BTreeSet<_> = offered.iter().map(|emoji| emoji.name).collect();
    assert!(offered.len() > 200);
    assert_eq!((unique.len(), names.len()), (offered.len(), offered.len()));
    assert_eq!(find(":thumbs").iter().map(|emoji| emoji.emoji).collect::<Vec<_>>(), ["👍", "👎"]);
    assert_eq!(find("deploy").first().unwrap().emoji, "🚀");
    assert!(find("no such thing").is_empty());
    for emoji in &offered {
        assert!(alone(emoji.emoji), "{} alone", emoji.name);
    }
}

#[test]
fn only_a_few_emoji_and_nothing_else_are_shown_larger() {
    for gesture in ["🎉", "👏 👏", "👍🏽👩‍👩‍👧‍👦🇯🇵", "❤️"] {
        assert!(alone(gesture), "{gesture}");
    }
    for words in ["", " ", "ok 👍", "+1", "→", "明日", "👍\n👍", &"🎉".repeat(17)] {
        assert!(!alone(words), "{words}");
    }
}

/// A client and a server that answers by hand.
struct Desk {
    session: Session,
    room: RoomId,
    now: i64,
    /// The events of the room so far.
    events: Vec<Arc<Event>>,
    page: Page,
}

impl Desk {
    fn new(me: AccountId, room: RoomId, page: &Page) -> Desk {
        let session = Session::from_boot(&boot(me, room, Some(page.clone()))).unwrap();
        let mut desk = Desk { session, room, now: 1_000, events: Vec::new(), page: page.clone() };
        desk.handle(Input::Opened);
        desk.welcome();
        desk
    }

    fn handle(&mut self, input: Input) -> Vec<Effect> {
        self.now += 1;
        self.session.handle(input, self.now)
    }

    fn welcome(&mut self) -> Vec<Effect> {
        let (me, rooms) = (self.session.me.clone(), self.session.rooms.clone());
        let frame = welcome(self.page.as_of.epoch, me, rooms);
        self.handle(Input::Frame(frame))
    }

    fn do_act(&mut self, target: ClientId, slot: &str, value: ActValue) -> (ClientId, Vec<Effect>) {
        let id = ClientId::random();
        let act =
            ActDraft { id, room: self.room, target, slot: slot.into(), value, named: Default::default() };
        (id, self.handle(Input::Act(act)))
    }

    fn shown(&self, id: ClientId) -> Arc<Row> {
        let timeline = self.session.current().unwrap();
        timeline.shown(timeline.row(id).unwrap())
    }

    fn error(&mut self, id: ClientId, code: ErrorCode) -> Vec<Effect> {
        let frame = ServerFrame::Error { id: Some(id), req: None, code, message: "why".into() };
        self.handle(Input::Frame(frame))
    }

    fn ack(&mut self, id: ClientId, seq: u64) -> Vec<Effect> {
        let outcome = Outcome::Stored { g: seq, seq: Some(seq), ordinal: None };
        self.handle(Input::Frame(ServerFrame::Ack { id, outcome }))
    }

    fn hear(&mut self, event: &Arc<Event>) {
        self.events.push(event.clone());
        self.handle(Input::Frame(ServerFrame::Event { room: self.room, event: event.clone() }));
    }
}

fn acted(effects: &[Effect]) -> Vec<ClientId> {
    let act = |effect: &Effect| match effect {
        Effect::Send(ClientFrame::Act(act)) => Some(act.id),
        _ => None,
    };
    effects.iter().filter_map(act).collect()
}

/// The log of one room by hand: numbers and chains only.
struct Log {
    room: RoomId,
    seq: u64,
    chain: beck::protocol::Hash,
    ordinal: u64,
}

impl Log {
    fn event(
        &mut self,
        by: AccountId,
        id: ClientId,
        kind: Kind,
        act: Option<&ActDraft>,
        body: EventBody,
    ) -> Arc<Event> {
        self.seq += 1;
        let token = |text: String| text.parse::<Token>().unwrap();
        let header = Header {
            g: self.seq,
            at: self.seq as i64,
            author: by,
            client_id: id,
            room: Some(self.room),
            kind,
            target: act.map(|act| token(act.target.to_string())),
            slot: act.map(|act| token(act.slot.clone())),
            digest: beck::protocol::Digest::default(),
        };
        self.chain = self.chain.then(&header);
        let ordinal = act.is_none().then(|| {
            self.ordinal += 1;
            self.ordinal
        });
        Arc::new(Event {
            seq: self.seq,
            chain: self.chain,
            lane: 0,
            ordinal,
            also: None,
            header,
            body: Some(body),
            added: None,
            salt: None,
            stored: None,
            restores: None,
            erased: Vec::new(),
            imported_for: None,
        })
    }

    fn message(&mut self, by: AccountId) -> Arc<Event> {
        let body = MessageBody { text: "first".into(), quote: None, said: None };
        self.event(by, ClientId::random(), Kind::Message, None, EventBody::Message(body))
    }

    fn act(&mut self, by: AccountId, act: &ActDraft) -> Arc<Event> {
        let body = EventBody::Act(ActBody { value: act.value.clone() });
        self.event(by, act.id, Kind::Act, Some(act), body)
    }
}

fn desk() -> (Desk, Log, ClientId) {
    let (me, room) = (AccountId::random(), RoomId::random());
    let epoch = beck::protocol::WorkspaceId::random();
    let as_of = beck::protocol::Position { epoch, seq: 0, chain: beck::protocol::Hash::ZERO };
    let page = Page { room, lane: 0, as_of, head: 0, rows: Vec::new(), quotes: BTreeMap::new() };
    let mut desk = Desk::new(me, room, &page);
    let mut log = Log { room, seq: 0, chain: beck::protocol::Hash::ZERO, ordinal: 0 };
    let message = log.message(me);
    desk.hear(&message);
    (desk, log, message.header.client_id)
}

#[test]
fn an_act_is_shown_at_once_and_stays_when_its_event_comes_before_or_after_the_ack() {
    for ack_first in [true, false] {
        let (mut desk, mut log, id) = desk();
        let me = desk.session.me.id;
        let (edit, effects) = desk.do_act(id, "text", text("second"));
        assert_eq!(acted(&effects), [edit]);
        assert_eq!(desk.shown(id).text.as_deref(), Some("second"));
        assert!(desk.session.current().unwrap().edit_of(id).is_some());
        let act = ActDraft {
            id: edit,
            room: desk.room,
            target: id,
            slot: "text".into(),
            value: text("second"),
            named: Default::default(),
        };
        let event = log.act(me, &act);
        if ack_first {
            desk.ack(edit, event.seq);
            assert_eq!(desk.shown(id).text.as_deref(), Some("second"), "between ack and event");
            desk.hear(&event);
        } else {
            desk.hear(&event);
            assert_eq!(desk.shown(id).text.as_deref(), Some("second"), "between event and ack");
            desk.ack(edit, event.seq);
        }
        assert_eq!(desk.session.current().unwrap().edit_of(id), None);
        // Nothing of ours lies over what others wrote since.
        let later = ActDraft { id: ClientId::random(), value: text("third"), ..act };
        let event = log.act(me, &later);
        desk.hear(&event);
        assert_eq!(desk.shown(id).text.as_deref(), Some("third"));
    }
}

#[test]
fn values_of_one_slot_go_out_in_order_and_do_not_wait_for_a_message_that_is_not_sent() {
    let (mut desk, _, id) = desk();
    let refused = ClientId::random();
    let draft = beck::protocol::frame::Draft {
        id: refused,
        room: desk.room,
        thread: None,
        quote: None,
        text: "too long, say".into(),
        named: Default::default(),
    };
    desk.handle(Input::Write(draft));
    desk.error(refused, ErrorCode::Unfit);
    let slot = format!("react:👍:{}", desk.session.me.id);
    let (on, effects) = desk.do_act(id, &slot, ActValue::On(true));
    assert_eq!(acted(&effects), [on], "the refused message holds nothing back");
    let (off, effects) = desk.do_act(id, &slot, ActValue::On(false));
    assert_eq!(acted(&effects), [], "its turn comes");
    let (again, effects) = desk.do_act(id, &slot, ActValue::On(true));
    assert_eq!(acted(&effects), []);
    assert!(effects.contains(&Effect::Forget(off)), "what was never sent is replaced");
    let (pin, effects) = desk.do_act(id, "pin", ActValue::On(true));
    assert_eq!(acted(&effects), [pin], "another slot is another matter");
    assert_eq!(acted(&desk.ack(on, 2)), [again]);
    // Cut: both go out again under their ids.
    desk.handle(Input::Closed(None));
    desk.handle(Input::Opened);
    let effects = desk.welcome();
    assert_eq!(acted(&effects).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([again, pin]));
}

#[test]
fn what_is_not_carried_out_is_undone_and_said_and_a_text_stays_its_authors() {
    let (mut desk, _, id) = desk();
    let slot = format!("react:👍:{}", desk.session.me.id);
    let (reaction, _) = desk.do_act(id, &slot, ActValue::On(true));
    assert_eq!(desk.shown(id).reactions.len(), 1);
    let outcome = Outcome::Refused { why: Refusal::TargetGone };
    desk.handle(Input::Frame(ServerFrame::Ack { id: reaction, outcome }));
    assert!(desk.shown(id).reactions.is_empty());
    assert!(desk.session.notice.as_ref().unwrap().starts_with("Not done: "));

    let (edit, _) = desk.do_act(id, "text", text("a long edit"));
    desk.error(edit, ErrorCode::Unfit);
    assert_eq!(desk.shown(id).text.as_deref(), Some("first"));
    let failed = desk.session.current().unwrap().edit_of(id).unwrap();
    assert_eq!(failed.act.value, text("a long edit"));
    assert_eq!(desk.session.waiting(), 1);
    // A new try takes its place; a discard leaves nothing.
    let (again, effects) = desk.do_act(id, "text", text("short"));
    assert!(effects.contains(&Effect::Forget(edit)));
    desk.error(again, ErrorCode::Unfit);
    let effects = desk.handle(Input::Discard { id: again, void: ClientId::random() });
    assert!(effects.contains(&Effect::Forget(again)));
    assert_eq!((desk.session.waiting(), desk.session.current().unwrap().edit_of(id)), (0, None));
}

/// Two people who toggle the same reactions as fast as they can, over connections that lose nothing and keep their
/// order: both end with what the log says, whatever comes between.
#[test]
fn fifty_quick_toggles_by_two_people_converge() {
    let mut crossed = 0;
    for seed in 0..40 {
        let mut dice = StdRng::seed_from_u64(seed);
        let (ada, mut log, id) = desk();
        let first = ada.events[0].clone();
        let mut bo = Desk::new(AccountId::random(), ada.room, &ada.page);
        bo.hear(&first);
        let mut desks = [ada, bo];
        // Frames on their way, by desk.
        let mut up: [VecDeque<ActDraft>; 2] = Default::default();
        let mut down: [VecDeque<ServerFrame>; 2] = Default::default();
        let mut wanted: [BTreeMap<String, bool>; 2] = Default::default();
        let (mut left, room) = (50, desks[0].room);
        while left > 0 || up.iter().any(|up| !up.is_empty()) || down.iter().any(|down| !down.is_empty()) {
            let who = dice.random_range(0..2);
            let effects = match dice.random_range(0..3) {
                0 if left > 0 => {
                    left -= 1;
                    let emoji = *["👍", "👀"].choose(&mut dice).unwrap();
                    let me = desks[who].session.me.id;
                    let slot = Slot::React { emoji: emoji.into(), account: me }.to_string();
                    let on = desks[who].shown(id).reactions.get(emoji).is_none_or(|all| !all.contains(&me));
                    wanted[who].insert(emoji.into(), on);
                    desks[who].do_act(id, &slot, ActValue::On(on)).1
                }
                1 => {
                    let Some(act) = up[who].pop_front() else { continue };
                    let event = log.act(desks[who].session.me.id, &act);
                    let outcome = Outcome::Stored { g: event.seq, seq: Some(event.seq), ordinal: None };
                    crossed += usize::from(!down[who].is_empty());
                    let ack = ServerFrame::Ack { id: act.id, outcome };
                    let ack_first = dice.random();
                    if ack_first {
                        down[who].push_back(ack.clone());
                    }
                    down.iter_mut().for_each(|down| {
                        down.push_back(ServerFrame::Event { room, event: event.clone() });
                    });
                    if !ack_first {
                        down[who].push_back(ack);
                    }
                    continue;
                }
                _ => {
                    let Some(frame) = down[who].pop_front() else { continue };
                    desks[who].handle(Input::Frame(frame))
                }
            };
            up[who].extend(effects.into_iter().filter_map(|effect| match effect {
                Effect::Send(ClientFrame::Act(act)) => Some(act),
                _ => None,
            }));
        }
        let mut said: BTreeMap<String, BTreeSet<AccountId>> = BTreeMap::new();
        for (desk, wanted) in desks.iter().zip(&wanted) {
            for (emoji, _) in wanted.iter().filter(|(_, on)| **on) {
                said.entry(emoji.clone()).or_default().insert(desk.session.me.id);
            }
        }
        for desk in &desks {
            let timeline = desk.session.current().unwrap();
            assert_eq!(desk.shown(id).reactions, said, "seed {seed}");
            assert_eq!(timeline.row(id).unwrap().reactions, said, "seed {seed}: nothing is only shown");
            assert_eq!((timeline.cursor().seq, desk.session.waiting()), (log.seq, 0), "seed {seed}");
        }
    }
    assert!(crossed > 0, "acts crossed others on their way");
}
