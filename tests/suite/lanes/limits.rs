//! Threads that are not there, that one may not see, and far too many of them.

use super::answer;
use crate::support::erasing::erase_message;
use crate::support::{TestNode, set_up};
use beck::protocol::frame::{Answer, Draft};
use beck::protocol::{
    AccountId, ActDraft, ActValue, ClientId, Kind, MessageBody, Outcome, PageAt, Pointer, Raise, Refusal,
    RoomId, bounds,
};
use beck::server::broker::Proposal;
use beck::server::error::AppError;
use beck::server::rooms;
use beck::server::{threads, unread};
use tempfile::tempdir;

async fn post(here: &TestNode, by: AccountId, room: RoomId, to: ClientId) -> Result<Outcome, AppError> {
    let thread = Some(Answer { to, also: true });
    let draft = Draft {
        id: ClientId::random(),
        room,
        thread,
        quote: None,
        text: "an answer".into(),
        named: Default::default(),
    };
    rooms::post(&here.node, by, draft).await
}

async fn act(here: &TestNode, target: ClientId, slot: &str, value: ActValue) -> (ClientId, u64) {
    let id = ClientId::random();
    let act =
        ActDraft { id, room: here.general, target, slot: slot.into(), value, named: Default::default() };
    let acted = rooms::act(&here.node, here.owner, act).await.unwrap();
    let Outcome::Stored { seq: Some(seq), .. } = acted else { panic!("{acted:?}") };
    (id, seq)
}

fn seq_of(here: &TestNode, id: ClientId) -> u64 {
    here.node.state.read_anything(|state| Ok(state.row(id)?.unwrap().1.seq)).unwrap()
}

async fn no_thread(here: &TestNode, by: AccountId, (room, lane): (RoomId, u64)) {
    let node = &here.node;
    let not_found =
        |fault: Option<AppError>| assert!(matches!(fault, Some(AppError::NotFound)), "{lane}: {fault:?}");
    not_found(threads::thread(node, by, (room, lane)).await.err());
    not_found(threads::follow(node, by, (room, lane), true).await.err());
    let pointer = Pointer { generation: 0, ordinal: 1 };
    not_found(unread::raise(node, by, vec![Raise { room, lane, pointer }]).await.err());
    for at in [PageAt::Newest, PageAt::Around(1), PageAt::Before(u64::MAX), PageAt::After(u64::MAX)] {
        not_found(rooms::page(node, by, (room, lane), at, 9, None).err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_stands_under_a_message_of_a_room_that_one_is_in_and_nowhere_else() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let stranger = here.member("stranger").await;
    rooms::leave(&here.node, stranger, here.general).await.unwrap();
    let other = rooms::create(&here.node, here.owner, "other", "").await.unwrap();
    let (root, gone) = (ClientId::random(), ClientId::random());
    here.post(here.owner, root, "a question").await;
    here.post(here.owner, gone, "to be erased").await;
    let inside = answer(&here, here.owner, root, false, "an answer").await;
    let also = answer(&here, here.owner, root, true, "in both").await;
    let (reaction, acted) = act(&here, root, "pin", ActValue::On(true)).await;
    act(&here, gone, "deleted", ActValue::On(true)).await;
    answer(&here, here.owner, root, false, "something follows").await;
    erase_message(&here.node, gone).await;

    for target in [reaction, ClientId::random()] {
        let refused = post(&here, here.owner, here.general, target).await.unwrap();
        assert_eq!(refused, Outcome::Refused { why: Refusal::TargetGone });
    }
    let refused = post(&here, here.owner, other, root).await.unwrap();
    assert_eq!(refused, Outcome::Refused { why: Refusal::TargetGone }, "of another room");
    assert!(matches!(post(&here, stranger, here.general, root).await, Err(AppError::NotFound)));
    // An erased message can still be answered, as a deleted one can.
    assert!(matches!(post(&here, here.owner, here.general, gone).await, Ok(Outcome::Stored { .. })));

    let root_lane = seq_of(&here, root);
    let none =
        [1, acted, seq_of(&here, inside), seq_of(&here, also), 9_999, 1 << 63, i64::MAX as u64, u64::MAX];
    for lane in none {
        no_thread(&here, here.owner, (here.general, lane)).await;
    }
    no_thread(&here, here.owner, (other, root_lane)).await;
    no_thread(&here, stranger, (here.general, root_lane)).await;
    assert!(threads::threads(&here.node, stranger, here.general).await.is_err());

    // A pointer ends at the head of its own lane, and a generation at its bound.
    let read = async |generation, ordinal| {
        let raise = Raise { room: here.general, lane: root_lane, pointer: Pointer { generation, ordinal } };
        unread::raise(&here.node, here.owner, vec![raise]).await
    };
    read(0, u64::MAX).await.unwrap();
    let badge =
        async || threads::thread(&here.node, here.owner, (here.general, root_lane)).await.unwrap().badge;
    assert_eq!(badge().await.pointer(), Pointer { generation: 0, ordinal: 3 });
    read(1, 1).await.unwrap();
    read(0, 3).await.unwrap();
    assert_eq!(badge().await.pointer(), Pointer { generation: 1, ordinal: 1 });
    assert!(matches!(read(1 << 48, 1).await, Err(AppError::Refused(Refusal::Malformed))));

    rooms::archive(&here.node, here.owner, here.general, true).await.unwrap();
    let refused = post(&here, here.owner, here.general, root).await.unwrap();
    assert_eq!(refused, Outcome::Refused { why: Refusal::Archived });
    assert!(threads::thread(&here.node, here.owner, (here.general, root_lane)).await.is_ok(), "to be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_followed_threads_are_listed_and_counted_to_their_bounds() {
    const THREADS: usize = 10_000;
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let ann = here.member("ann").await;
    let body = |text: &str| MessageBody { text: text.into(), quote: None, said: None };
    let roots: Vec<_> = (0..THREADS).map(|_| ClientId::random()).collect();
    let mut last = 0;
    for roots in roots.chunks(500) {
        let questions = roots
            .iter()
            .map(|root| Proposal::new(ann, *root, Kind::Message, &body("a question")).room(here.general));
        let answers = roots.iter().map(|root| {
            let answer =
                Proposal::new(here.owner, ClientId::random(), Kind::Message, &body("@ann an answer"));
            answer.room(here.general).target(root.to_string().parse().unwrap())
        });
        let batch: Vec<_> = questions.chain(answers).collect();
        last = batch.len() as u64 - 1 + here.log.append(batch).await.unwrap();
    }
    here.node.wait_folded(last).await;
    // The oldest is the newest again.
    answer(&here, here.owner, roots[0], false, "once more").await;
    let began = std::time::Instant::now();
    let listed = threads::threads(&here.node, ann, here.general).await.unwrap();
    println!("the list took {:?}", began.elapsed());
    let listed: Vec<_> = listed.iter().map(|thread| thread.root.id).collect();
    let newest: Vec<_> =
        [roots[0]].into_iter().chain(roots.iter().rev().copied()).take(bounds::THREADS).collect();
    assert_eq!(listed, newest);
    let began = std::time::Instant::now();
    let badge = unread::badges(&here.node, ann, [here.general]).await.unwrap()[&here.general];
    println!("the badge took {:?}", began.elapsed());
    assert_eq!((badge.threads, badge.thread_mentions), (100, 100));
    let named = unread::mentions(&here.node, ann, None).await.unwrap();
    assert_eq!((named.mentions.len(), named.more), (bounds::MENTIONS, true));
}
