//! Notifications: who is told of what, once, and when they go again.

use crate::reading::{Here, counted, here, row};
use crate::support::server::{TestClient, TestServer};
use beck::client::{Effect, Input, Notice, Permission};
use beck::protocol::frame::{Person, Role};
use beck::protocol::{
    AccountId, Badge, ClientFrame, ClientId, Hash, Level, Page, PageAt, Position, RoomId, ServerFrame,
    Wanted, WorkspaceId,
};
use serde_json::json;
use std::collections::BTreeMap;
use tempfile::tempdir;

/// One who may notify; nothing is unread in the other room, whose newest message is number 10.
pub fn allowed() -> Here {
    let mut here = here(0);
    here.badge(here.other, counted(0, 0, 10, 4, 10));
    here.give(Input::Permission(Permission::Granted));
    here
}

/// The page that is asked for to notify of what is new: room and what it is after.
pub fn asked(effects: &[Effect]) -> Option<(u64, RoomId, u64)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(ClientFrame::Page { req, room, at: PageAt::After(after), .. }) => {
            Some((*req, *room, *after))
        }
        _ => None,
    })
}

pub fn told(effects: Vec<Effect>) -> Vec<Notice> {
    let notice = |effect| match effect {
        Effect::Notify(notice) => Some(notice),
        _ => None,
    };
    effects.into_iter().filter_map(notice).collect()
}

/// The server's answers: these texts from ordinal 11 on, and then who wrote them.
fn answer(here: &mut Here, req: u64, texts: &[&str]) -> Vec<Effect> {
    let rows: Vec<_> = texts.iter().zip(11..).map(|(text, ordinal)| row(ordinal, text)).collect();
    let head = 10 + rows.len() as u64;
    let as_of = Position { epoch: WorkspaceId::random(), seq: 50, chain: Hash::ZERO };
    let page = Page { room: here.other, lane: 0, as_of, head, rows, quotes: BTreeMap::new() };
    let person = |id| Person { id, name: "Bo".into(), handle: id.to_string(), role: Role::Member };
    let people = page.rows.iter().map(|row| person(row.author)).collect();
    let before = here.give(Input::Frame(ServerFrame::Page { req, page }));
    assert_eq!(told(before), [], "names are asked for first");
    here.give(Input::Frame(ServerFrame::People { people }))
}

fn wanting(badge: Badge, level: Level, muted: bool) -> Badge {
    Badge { wanted: Wanted { level, muted, ..Wanted::default() }, ..badge }
}

#[test]
fn a_mention_elsewhere_is_told_once_and_goes_when_it_is_read_elsewhere() {
    let mut here = allowed();
    let effects = here.badge(here.other, counted(2, 1, 10, 4, 12));
    let (req, room, after) = asked(&effects).unwrap();
    assert_eq!((room, after), (here.other, 10));
    let notices = told(answer(&mut here, req, &["nothing for me", "hello @me"]));
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!((notice.at.room, notice.ordinal), (here.other, 12));
    assert_eq!((notice.title.as_str(), notice.body.as_str()), ("Bo in Other", "hello @me"));
    assert_eq!(asked(&here.badge(here.other, counted(2, 1, 10, 4, 12))), None, "the same badge again");
    let effects = here.badge(here.other, counted(0, 0, 12, 4, 12));
    assert!(effects.contains(&Effect::CloseNotices { at: here.other.into(), to: 12 }));
}

#[test]
fn each_level_decides_and_nothing_is_asked_for_without_need() {
    let mut looked = 0;
    // Level, muted, mentions among the new ones: whether the page is asked for, and how many are told.
    for (level, muted, mentions, asks, tells) in [
        (Level::Mentions, false, 0, false, 0),
        (Level::Mentions, false, 1, true, 1),
        (Level::All, false, 0, true, 2),
        (Level::All, true, 1, false, 0),
        (Level::Nothing, false, 1, false, 0),
        (Level::Mentions, true, 1, false, 0),
    ] {
        let mut here = allowed();
        let effects = here.badge(here.other, wanting(counted(2, mentions, 10, 4, 12), level, muted));
        assert_eq!(asked(&effects).is_some(), asks, "{level:?} {muted} {mentions}");
        if let Some((req, ..)) = asked(&effects) {
            let texts = if mentions > 0 { ["one @room", "two"] } else { ["one", "two"] };
            assert_eq!(told(answer(&mut here, req, &texts)).len(), tells, "{level:?}");
        }
        looked += 1;
    }
    assert_eq!(looked, 6);
}

#[test]
fn only_the_sending_tab_that_may_tells_and_another_one_does_not_repeat_it() {
    let new = counted(1, 1, 10, 4, 11);
    let mut denied = allowed();
    denied.give(Input::Permission(Permission::Denied));
    assert_eq!(asked(&denied.badge(denied.other, new)), None);
    let mut other_tab = allowed();
    other_tab.give(Input::Sender(false));
    assert_eq!(asked(&other_tab.badge(other_tab.other, new)), None);
    other_tab.give(Input::Sender(true));
    assert_eq!(asked(&other_tab.badge(other_tab.other, new)), None, "the other tab has told it");
    let (_, _, after) = asked(&other_tab.badge(other_tab.other, counted(2, 2, 10, 4, 12))).unwrap();
    assert_eq!(after, 11);
}

#[test]
fn only_the_room_that_one_looks_at_is_silent() {
    let mut here = allowed();
    let new = |read| counted(1, 1, read, 0, 101);
    assert_eq!(asked(&here.badge(here.room, new(100))), None, "one looks at it");
    let mut away = allowed();
    away.give(Input::Attending(false));
    assert!(asked(&away.badge(away.room, new(100))).is_some(), "the window is elsewhere");
    let mut above = allowed();
    above.give(Input::Pinned(0, false));
    assert!(asked(&above.badge(above.room, new(100))).is_some(), "one looks at older rows");
}

#[test]
fn many_at_once_and_what_came_while_away_are_one() {
    let mut here = allowed();
    let (req, ..) = asked(&here.badge(here.other, counted(5, 5, 10, 4, 15))).unwrap();
    let notices = told(answer(&mut here, req, &["@me 1", "@me 2", "@me 3", "@me 4", "@me 5"]));
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!((notice.ordinal, notice.title.as_str()), (11, "5 new messages in Other"));

    // Away; then both rooms have something.
    here.give(Input::Attending(false));
    here.give(Input::Closed(None));
    here.give(Input::Opened);
    let first = here.session.rooms[0].badge;
    here.session.rooms[0].badge = Badge { unread: 3, mentions: 1, head: 103, ..first };
    here.session.rooms[1].badge = counted(9, 6, 10, 4, 19);
    let notices = told(here.welcome());
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!(notice.title, "7 new messages in 2 rooms while you were away");
    assert_eq!(notice.body, "5 name you.");
    assert_eq!(told(here.welcome()), [], "it is told once");
}

#[test]
fn the_offer_comes_after_a_mention_and_only_where_it_can_be_asked() {
    let mut here = allowed();
    here.give(Input::Permission(Permission::Ask));
    assert!(!here.session.offers_notices(), "never at load");
    here.badge(here.other, counted(1, 0, 10, 4, 11));
    assert!(!here.session.offers_notices());
    here.badge(here.other, counted(2, 1, 10, 4, 12));
    assert!(here.session.offers_notices());
    assert!(here.give(Input::NeverAsk).contains(&Effect::NeverAsk));
    assert!(!here.session.offers_notices());
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_and_deletions_change_the_badge_and_what_one_wants_is_told_to_ones_own_devices_alone() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (owner, general) = server.set_up().await;
    let guest = server.sign_up(&owner, &general, "guest").await;
    let mut mine = TestClient::connect(&server, &owner).await;
    let mut second = TestClient::connect(&server, &owner).await;
    let mut theirs = TestClient::connect(&server, &guest).await;
    let id = ClientId::random();
    theirs.post(&general, &id.to_string(), "nothing yet").await;
    let counts = |badge: serde_json::Value| {
        let badge = &badge["badge"];
        (badge["unread"].as_u64().unwrap(), badge["mentions"].as_u64().unwrap())
    };
    assert_eq!(counts(mine.until("badge").await), (1, 0));
    let act = |slot: &str, value: serde_json::Value| json!({ "t": "act", "id": ClientId::random(), "room": general, "target": id, "slot": slot, "value": value });
    theirs.send(act("text", json!("for @olive"))).await;
    assert_eq!(counts(mine.until("badge").await), (1, 1));
    theirs.send(act("text", json!("for nobody"))).await;
    assert_eq!(counts(mine.until("badge").await), (1, 0));
    theirs.send(act("deleted", json!(true))).await;
    assert_eq!(counts(mine.until("badge").await), (0, 0));

    let wanted = json!({ "level": "all", "muted": true, "starred": true });
    mine.send(json!({ "t": "want", "room": general, "wanted": wanted })).await;
    loop {
        if second.until("badge").await["badge"]["wanted"] == wanted {
            break;
        }
    }
    // What the other one sees of anything does not tell.
    theirs.post(&general, &ClientId::random().to_string(), "mine").await;
    mine.post(&general, &ClientId::random().to_string(), "yours").await;
    let badge = theirs.until("badge").await;
    assert_eq!(badge["badge"]["wanted"], json!({ "level": "mentions", "muted": false, "starred": false }));
    let fields = [("level", "nothing")];
    assert_eq!(server.form(&format!("/r/{general}/want"), &owner, &fields).await.0, 303);
    let kept = json!({ "level": "nothing", "muted": true, "starred": true });
    loop {
        if second.until("badge").await["badge"]["wanted"] == kept {
            break;
        }
    }
    let stranger = AccountId::random().to_string();
    assert_eq!(server.form(&format!("/r/{stranger}/want"), &owner, &fields).await.0, 404);
}
