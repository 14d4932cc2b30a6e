//! What a server refuses before it proposes an act: restores of what did not stand, and reactions beyond their limits.

use crate::support::erasing::erase_message;
use crate::support::{TestNode, config_of, set_up, set_up_of, set_up_with};
use beck::protocol::frame::Draft;
use beck::protocol::{
    AccountId, ActDraft, ActValue, ClientId, ErrorCode, Format, Outcome, PageAt, Row, bounds,
};
use beck::server::broker::embedded::Embedded;
use beck::server::error::{AppError, ReactionError, RestoreError};
use beck::server::now_ms;
use beck::server::rooms;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::tempdir;

async fn act_as(
    here: &TestNode,
    by: AccountId,
    id: ClientId,
    target: ClientId,
    slot: &str,
    value: ActValue,
) -> Result<Outcome, AppError> {
    rooms::act(
        &here.node,
        by,
        ActDraft { id, room: here.general, target, slot: slot.into(), value, named: Default::default() },
    )
    .await
}

async fn act(
    here: &TestNode,
    by: AccountId,
    target: ClientId,
    slot: &str,
    value: ActValue,
) -> Result<Outcome, AppError> {
    act_as(here, by, ClientId::random(), target, slot, value).await
}

async fn delete(here: &TestNode, by: AccountId, target: ClientId) {
    let done = act(here, by, target, "deleted", ActValue::On(true)).await;
    assert!(matches!(done, Ok(Outcome::Stored { .. })), "{done:?}");
}

/// An account that was in the room and left.
async fn outside(here: &TestNode) -> AccountId {
    let account = here.member("outside").await;
    rooms::leave(&here.node, account, here.general).await.unwrap();
    account
}

fn restored(text: &str) -> ActValue {
    ActValue::Restored { restored: text.into() }
}

fn row(here: &TestNode, id: ClientId) -> Row {
    here.node.state.read_anything(|state| state.row(id)).unwrap().unwrap().1
}

/// In formats 1 to 4 a restore carries the text.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_text_that_stood_is_restored_by_the_author_who_deleted_it() {
    let folder = tempdir().unwrap();
    let here = set_up_of(folder.path(), Format::Four).await;
    let guest = here.member("guest").await;
    let id = ClientId::random();
    here.post(guest, id, "first").await;
    act(&here, guest, id, "text", ActValue::Text("second".into())).await.unwrap();
    delete(&here, guest, id).await;
    let entries = here.log().await.len();
    for words in ["first", "third", "second ", " second", "SECOND", ""] {
        let done = act(&here, guest, id, "deleted", restored(words)).await;
        assert!(matches!(done, Err(AppError::Restore(RestoreError::OtherText))), "{words:?}: {done:?}");
    }
    for by in [here.owner, AccountId::random()] {
        let done = act(&here, by, id, "deleted", restored("second")).await;
        assert!(done.is_err(), "{done:?}");
    }
    let fault = act(&here, here.owner, id, "deleted", restored("second")).await.unwrap_err();
    assert_eq!(fault.code(), ErrorCode::Forbidden);
    assert!(fault.to_string().starts_with("Only the author"), "{fault}");
    assert_eq!(here.log().await.len(), entries, "nothing that is refused is in the log");

    // A retry gets the outcome of the first try.
    let draft = ClientId::random();
    let first = act_as(&here, guest, draft, id, "deleted", restored("second")).await.unwrap();
    assert!(matches!(first, Outcome::Stored { .. }));
    let again = act_as(&here, guest, draft, id, "deleted", restored("second")).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(row(&here, id).text.as_deref(), Some("second"));

    // Deleted again it is the same text again; once it is erased there is none.
    delete(&here, guest, id).await;
    act(&here, guest, id, "deleted", restored("second")).await.unwrap();
    delete(&here, guest, id).await;
    here.post(guest, ClientId::random(), "later").await;
    here.node.erase(id).await.unwrap();
    for words in ["second", "first"] {
        let done = act(&here, guest, id, "deleted", restored(words)).await;
        assert!(matches!(done, Err(AppError::Restore(RestoreError::TooLate))), "{done:?}");
    }
    assert_eq!(row(&here, id).text, None);
}

/// The tombstone has the first deletion, and an author cannot get at what somebody else has deleted too.
#[tokio::test(flavor = "multi_thread")]
async fn in_format_4_an_author_restores_only_what_nobody_else_has_deleted() {
    let folder = tempdir().unwrap();
    let here = set_up_of(folder.path(), Format::Four).await;
    let guest = here.member("guest").await;
    let id = ClientId::random();
    here.post(guest, id, "words").await;
    delete(&here, guest, id).await;
    let first = row(&here, id).deleted;
    delete(&here, guest, id).await;
    assert_eq!(row(&here, id).deleted, first);
    act(&here, guest, id, "deleted", restored("words")).await.unwrap();
    delete(&here, guest, id).await;
    delete(&here, here.owner, id).await;
    assert_eq!(row(&here, id).deleted.unwrap().by, guest);
    for value in [restored("words"), ActValue::On(true)] {
        let done = act(&here, guest, id, "deleted", value).await;
        assert_eq!(done.unwrap_err().code(), ErrorCode::Forbidden);
    }
}

/// From format 5 on whatever an older page sends.
#[tokio::test(flavor = "multi_thread")]
async fn the_text_that_stood_is_restored_by_whoever_deleted_it() {
    let folder = tempdir().unwrap();
    let here = set_up_of(folder.path(), Format::Five).await;
    let guest = here.member("guest").await;
    let id = ClientId::random();
    here.post(guest, id, "first").await;
    act(&here, guest, id, "text", ActValue::Text("second".into())).await.unwrap();
    let values = ["first", "third", "second", ""].map(restored).into_iter().chain([ActValue::On(false)]);
    for value in values {
        delete(&here, guest, id).await;
        let entries = here.log().await.len();
        for by in [here.owner, AccountId::random()] {
            let done = act(&here, by, id, "deleted", value.clone()).await;
            assert!(done.is_err(), "{done:?}");
        }
        assert_eq!(here.log().await.len(), entries, "nothing that is refused is in the log");
        assert_eq!(row(&here, id).text, None);
        // A retry gets the outcome of the first try.
        let draft = ClientId::random();
        let first = act_as(&here, guest, draft, id, "deleted", value.clone()).await.unwrap();
        assert!(matches!(first, Outcome::Stored { .. }));
        let again = act_as(&here, guest, draft, id, "deleted", value.clone()).await.unwrap();
        assert_eq!(first, again);
        assert_eq!(row(&here, id).text.as_deref(), Some("second"), "{value:?}");
    }
    // Once it is erased there is none.
    delete(&here, guest, id).await;
    erase_message(&here.node, id).await;
    for value in [restored("second"), ActValue::On(false)] {
        let done = act(&here, guest, id, "deleted", value).await;
        assert!(matches!(done, Err(AppError::Restore(RestoreError::ByOperator))), "{done:?}");
    }
    assert_eq!(row(&here, id).text, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_author_learns_by_a_restore_what_a_deleted_message_said() {
    for format in [Format::Four, Format::Five] {
        nobody_else_learns_by_a_restore(format).await;
    }
}

async fn nobody_else_learns_by_a_restore(format: Format) {
    let folder = tempdir().unwrap();
    let here = set_up_of(folder.path(), format).await;
    let (author, other, outside) =
        (here.member("author").await, here.member("other").await, outside(&here).await);
    let id = ClientId::random();
    here.post(author, id, "a secret").await;
    delete(&here, author, id).await;
    let mut compared = 0;
    for archived in [false, true] {
        rooms::archive(&here.node, here.owner, here.general, archived).await.unwrap();
        for by in [other, here.owner, outside] {
            let tries = [
                act(&here, by, id, "deleted", restored("a secret")).await,
                act(&here, by, id, "deleted", restored("another")).await,
            ];
            let [right, wrong] = tries.map(|done| match done {
                Ok(Outcome::Refused { why }) => why.sentence().to_owned(),
                Ok(stored) => panic!("{stored:?}"),
                Err(fault) => fault.to_string(),
            });
            assert_eq!(right, wrong, "archived: {archived}");
            compared += 1;
        }
    }
    assert_eq!(compared, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_somebody_elses_draft_opens_no_gate() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let (id, member, outside) = (ClientId::random(), here.member("member").await, outside(&here).await);
    here.post(here.owner, id, "words").await;
    let entries = here.log().await.len();
    let draft = Draft {
        id,
        room: here.general,
        thread: None,
        quote: None,
        text: "words".into(),
        named: Default::default(),
    };
    let posted = rooms::post(&here.node, outside, draft).await;
    assert!(matches!(posted, Err(AppError::NotFound)), "{posted:?}");
    let acted = act_as(&here, outside, id, id, "pin", ActValue::On(true)).await;
    assert!(matches!(acted, Err(AppError::NotFound)), "{acted:?}");
    let edited = act_as(&here, member, id, id, "text", ActValue::Text("mine".into())).await;
    assert_eq!(edited.unwrap_err().code(), ErrorCode::Forbidden);
    assert_eq!(here.log().await.len(), entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_restored_within_a_day_of_its_first_deletion() {
    for (format, late) in [(Format::Four, RestoreError::TooLate), (Format::Five, RestoreError::DayOver)] {
        restored_within_a_day(format, late).await;
    }
}

async fn restored_within_a_day(format: Format, late: RestoreError) {
    static BACK: AtomicI64 = AtomicI64::new(0);
    let folder = tempdir().unwrap();
    BACK.store(bounds::RESTORE_MS + 3_600_000, Ordering::SeqCst);
    let log = Embedded::open_with_clock(folder.path(), || now_ms() - BACK.load(Ordering::SeqCst)).unwrap();
    let here = set_up_with(config_of(folder.path(), format), Arc::new(log)).await;
    let (old, twice, new) = (ClientId::random(), ClientId::random(), ClientId::random());
    for id in [old, twice, new] {
        here.post(here.owner, id, "words").await;
    }
    delete(&here, here.owner, old).await;
    delete(&here, here.owner, twice).await;
    BACK.store(bounds::RESTORE_MS - 600_000, Ordering::SeqCst);
    delete(&here, here.owner, twice).await;
    delete(&here, here.owner, new).await;
    for id in [old, twice] {
        let done = act(&here, here.owner, id, "deleted", restored("words")).await;
        assert!(matches!(done, Err(AppError::Restore(fault)) if fault == late), "{done:?}");
    }
    act(&here, here.owner, new, "deleted", restored("words")).await.unwrap();
    assert_eq!(row(&here, new).text.as_deref(), Some("words"));
}

const EMOJI: [&str; 22] = [
    "👍", "👎", "🎉", "❤️", "😀", "😃", "😄", "😁", "😆", "😅", "🤣", "😂", "🙂", "🙃", "😉", "😊", "😇",
    "🥰", "😍", "🤩", "😘", "😗",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_twenty_kinds_of_reactions_and_ten_of_one_person() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let people = [here.owner, here.member("ann").await, here.member("bob").await];
    let id = ClientId::random();
    here.post(here.owner, id, "react to this").await;
    let react = async |by: AccountId, emoji: &str, on: bool| {
        act(&here, by, id, &format!("react:{emoji}:{by}"), ActValue::On(on)).await
    };
    for emoji in &EMOJI[..10] {
        react(people[0], emoji, true).await.unwrap();
    }
    let done = react(people[0], EMOJI[10], true).await;
    assert!(matches!(done, Err(AppError::Reaction(ReactionError::FullOfYours))), "{done:?}");
    // What one has already is no other kind.
    react(people[0], EMOJI[3], true).await.unwrap();
    for emoji in &EMOJI[10..20] {
        react(people[1], emoji, true).await.unwrap();
    }
    // Also a kind that is there counts for the person.
    let done = react(people[1], EMOJI[0], true).await;
    assert!(matches!(done, Err(AppError::Reaction(ReactionError::FullOfYours))), "{done:?}");
    let done = react(people[2], EMOJI[20], true).await;
    assert!(matches!(done, Err(AppError::Reaction(ReactionError::Full))), "{done:?}");
    assert_eq!(done.unwrap_err().code(), ErrorCode::Unfit);
    react(people[2], EMOJI[0], true).await.unwrap();
    assert_eq!(row(&here, id).reactions.len(), bounds::REACTIONS);
    // Removed, one is free again.
    react(people[0], EMOJI[5], false).await.unwrap();
    react(people[2], EMOJI[20], true).await.unwrap();
    react(people[0], EMOJI[20], true).await.unwrap();
    assert_eq!(row(&here, id).reactions.len(), bounds::REACTIONS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_is_one_emoji_and_an_old_one_that_is_none_can_be_removed() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let (id, me) = (ClientId::random(), here.owner);
    here.post(me, id, "react to this").await;
    let entries = here.log().await.len();
    let long = "👍\u{200d}".repeat(2_000);
    let hostile = [
        "👍👍",
        "🇸🇪🇳🇴",
        "🇸",
        "🏽",
        "👍 ",
        " 👍",
        "👍a",
        "a👍",
        "👍\n",
        "\u{200d}",
        "\u{200d}👍",
        "\u{fe0f}",
        "\u{20e3}",
        "12\u{fe0f}\u{20e3}",
        "a\u{fe0f}\u{20e3}",
        "\u{e0067}",
        "<script>",
        "👍\u{202e}",
        "👍\u{0}",
        "e\u{301}",
        "\u{301}",
        "क्षि",
        "1",
        "#",
        &long,
    ];
    for emoji in hostile {
        for on in [true, false] {
            let done = act(&here, me, id, &format!("react:{emoji}:{me}"), ActValue::On(on)).await;
            let fault = done.unwrap_err();
            assert_eq!(fault.code(), ErrorCode::Unfit, "{emoji:?}");
        }
    }
    assert_eq!(here.log().await.len(), entries, "nothing that is refused is in the log");
    for emoji in ["👍", "👍🏽", "🇸🇪", "1️⃣", "👨‍👩‍👧‍👦", "❤️", "🏳️‍🌈", "☂"]
    {
        act(&here, me, id, &format!("react:{emoji}:{me}"), ActValue::On(true)).await.unwrap();
    }
    // As an older server took it.
    use beck::protocol::{ActBody, Kind};
    use beck::server::broker::Proposal;
    let slot = format!("react:👍👍:{me}");
    let body = ActBody { value: ActValue::On(true) };
    let old = Proposal::new(me, ClientId::random(), Kind::Act, &body).room(here.general);
    let old = old.target(id.to_string().parse().unwrap()).slot(slot.parse().unwrap());
    here.node.propose(old).await.unwrap();
    assert!(row(&here, id).reactions.contains_key("👍👍"));
    act(&here, me, id, &slot, ActValue::On(false)).await.unwrap();
    assert!(!row(&here, id).reactions.contains_key("👍👍"));
    let page = rooms::page(&here.node, me, (here.general, 0), PageAt::Newest, 5, None).unwrap();
    assert_eq!(page.rows[0].reactions.len(), 8);
}
