//! Taking a deletion back: how long it is offered, what is sent, what its event shows, and why it is refused.

use super::{Client, Log, naming, sent};
use beck::client::{Effect, Input, Lane};
use beck::protocol::frame::ActDraft;
use beck::protocol::{
    ActBody, ActValue, Added, ClientFrame, ClientId, ErrorCode, EventBody, Outcome, Refusal, ServerFrame,
    Tombstone,
};
use std::sync::Arc;

const DAY: i64 = 86_400_000;

fn act(client: &Client, target: ClientId, value: ActValue) -> ActDraft {
    let (id, room) = (ClientId::random(), client.room);
    ActDraft { id, room, target, slot: "deleted".into(), value, named: Default::default() }
}

fn acted(effects: &[Effect]) -> Vec<ActDraft> {
    let act = |frame: &&ClientFrame| match frame {
        ClientFrame::Act(act) => Some(act.clone()),
        _ => None,
    };
    sent(effects).iter().filter_map(act).collect()
}

/// Deletes an own message, up to the event.
fn delete(log: &mut Log, client: &mut Client, id: ClientId) -> i64 {
    let draft = act(client, id, ActValue::On(true));
    let deletion = draft.id;
    client.give(Input::Act(draft));
    let event = log.delete(log.me, id);
    let outcome = Outcome::Stored { g: event.header.g, seq: Some(event.seq), ordinal: None };
    client.give(Input::Frame(ServerFrame::Ack { id: deletion, outcome }));
    client.event(&event);
    event.header.at
}

/// An own message, and a client that has it.
fn own(format: u32) -> (Log, Client, ClientId) {
    let mut log = Log::new();
    log.bo = log.me;
    let id = log.message("mine", Added::default());
    let client = log.client(format);
    (log, client, id)
}

#[test]
fn in_format_5_a_restore_carries_no_text_and_is_offered_for_a_day() {
    let (mut log, mut client, id) = own(5);
    let shown = |client: &Client| {
        let timeline = client.session.current().unwrap();
        timeline.shown(timeline.row(id).unwrap())
    };
    let offered = |client: &Client| client.session.restore_of(&shown(client));
    let mut on_its_way = log.client(5);
    on_its_way.give(Input::Act(act(&on_its_way, id, ActValue::On(true))));
    assert_eq!(offered(&on_its_way), Some(ActValue::On(false)));
    let at = delete(&mut log, &mut client, id);
    assert_eq!(offered(&client), Some(ActValue::On(false)));
    assert!(!format!("{:?}", client.session).contains("\"mine\""), "the text is not kept for it");
    client.now = at + DAY - 1;
    client.give(Input::Tick);
    assert_eq!(offered(&client), Some(ActValue::On(false)));
    client.now += 1;
    client.give(Input::Tick);
    assert_eq!(offered(&client), None);
    // What is sent, and that it is not offered twice.
    client.now -= 1;
    client.give(Input::Tick);
    let restore = act(&client, id, offered(&client).unwrap());
    let effects = client.give(Input::Act(restore));
    let json = serde_json::to_value(&acted(&effects)[0]).unwrap();
    assert_eq!(json["value"], serde_json::json!(false));
    assert_eq!(offered(&client), None);
}

#[test]
fn before_format_5_undo_gives_back_the_text_that_was_shown_last() {
    let (mut log, mut client, id) = own(4);
    let edit = |client: &Client, text: &str| {
        let value = ActValue::Text(text.into());
        Input::Act(ActDraft { slot: "text".into(), ..act(client, id, value) })
    };
    // A deletion that was not carried out leaves nothing behind.
    let refused = act(&client, id, ActValue::On(true));
    let outcome = Outcome::Refused { why: Refusal::Archived };
    client.give(Input::Act(refused.clone()));
    client.give(Input::Frame(ServerFrame::Ack { id: refused.id, outcome }));
    // The edit is on its way while the message is deleted.
    let under_way = edit(&client, "edited");
    client.give(under_way);
    delete(&mut log, &mut client, id);
    let restored = Some(ActValue::Restored { restored: "edited".into() });
    assert_eq!(client.session.restore_of(&client.row(id)), restored);
}

#[test]
fn a_page_says_until_when_and_only_whoever_deleted_it_alone_may_restore() {
    let (mut log, _, id) = own(5);
    log.delete(log.me, id);
    log.row(id).deleted = Some(Tombstone { by: log.me, at: 1_500, until: Some(5_000) });
    let mut client = log.client(5);
    assert_eq!(client.session.restore_of(&client.row(id)), Some(ActValue::On(false)));
    // An earlier log does not know this form.
    let older = log.client(4);
    assert_eq!(older.session.restore_of(&older.row(id)), None);
    // A second deletion of one's own does not begin a new day, neither on its way nor once it is stored.
    client.now = 2_500;
    let second = act(&client, id, ActValue::On(true));
    client.give(Input::Act(second.clone()));
    let lane = Lane::from(client.room);
    let shown = client.session.shown(lane, id).unwrap();
    assert_eq!(shown.deleted, Some(Tombstone { by: log.me, at: 1_500, until: Some(5_000) }));
    let outcome = Outcome::Refused { why: Refusal::NotAllowed };
    client.give(Input::Frame(ServerFrame::Ack { id: second.id, outcome }));
    let again = log.act_deleted(log.me, id, true, Some(ActValue::On(true)));
    client.event(&again);
    assert_eq!(client.row(id).deleted.as_ref().unwrap().until, Some(5_000));
    // One of somebody else ends it.
    let other = log.act_deleted(beck::protocol::AccountId::random(), id, true, Some(ActValue::On(true)));
    client.event(&other);
    assert_eq!(client.session.restore_of(&client.row(id)), None);
    let first = Some(Tombstone { by: log.me, at: 1_500, until: None });
    assert_eq!(client.row(id).deleted, first, "it has the first one's author and time");
    // The page of a server that does not let one restore it.
    log.row(id).deleted = Some(Tombstone { by: log.me, at: 1_500, until: None });
    let client = log.client(5);
    assert_eq!(client.session.restore_of(&client.row(id)), None);
}

#[test]
fn a_restore_shows_the_text_that_comes_with_it_or_none() {
    let mut log = Log::new();
    let added = naming(&[("me", log.me)]);
    let id = log.message("hello @me", added.clone());
    let first = log.row(id).seq;
    let mut client = log.client(5);
    let events = [
        log.delete(log.bo, id),
        log.act_deleted(log.bo, id, false, Some(ActValue::Restored { restored: "hello @me".into() })),
    ];
    let mut events = events.map(|event| (*event).clone());
    (events[1].added, events[1].restores) = (Some(added.clone()), Some(first));
    client.event(&Arc::new(events[0].clone()));
    assert_eq!(client.row(id).text, None);
    client.event(&Arc::new(events[1].clone()));
    let row = client.row(id);
    assert_eq!((row.text.as_deref(), &row.added, &row.deleted), (Some("hello @me"), &Some(added), &None));
    assert_eq!(row.proof, None, "its salt did not come with it");
    assert_eq!(client.session.differing.len(), 0, "the digest is that of false");
    // Where the text may not be sent any more.
    let mut log = Log::new();
    let id = log.message("hello", Added::default());
    let mut client = log.client(5);
    let deleted = log.delete(log.bo, id);
    client.event(&deleted);
    log.act_deleted(log.bo, id, false, None);
    let bare = Arc::make_mut(log.events.last_mut().unwrap());
    bare.salt = None;
    let bare = Arc::new(bare.clone());
    client.event(&bare);
    assert_eq!((&client.row(id).text, &client.row(id).deleted), (&None, &None));
    assert_eq!(client.session.differing.len(), 0);
    // The old form, as earlier logs have it.
    let (text, value) = ("hello again", ActValue::Restored { restored: "hello again".into() });
    let deleted = log.delete(log.bo, id);
    client.event(&deleted);
    log.act_deleted(log.bo, id, false, None);
    let old = Arc::make_mut(log.events.last_mut().unwrap());
    (old.salt, old.body) = (None, Some(EventBody::Act(ActBody { value })));
    let old = Arc::new(old.clone());
    client.event(&old);
    assert_eq!(client.row(id).text.as_deref(), Some(text));
    assert_eq!(client.session.differing.len(), 0);
}

#[test]
fn before_format_5_a_restore_carries_the_text_of_what_was_deleted_here() {
    let (mut log, mut client, id) = own(4);
    delete(&mut log, &mut client, id);
    let restored = ActValue::Restored { restored: "mine".into() };
    assert_eq!(client.session.restore_of(&client.row(id)), Some(restored.clone()));
    let effects = client.give(Input::Act(act(&client, id, restored.clone())));
    assert_eq!(acted(&effects)[0].value, restored);
    // A page that was opened later does not have the text.
    let later = log.client(4);
    assert_eq!(later.session.restore_of(&later.row(id)), None);
    // A day later it is gone.
    let (mut log, mut client, id) = own(4);
    delete(&mut log, &mut client, id);
    client.now += DAY;
    client.give(Input::Tick);
    assert_eq!(client.session.restore_of(&client.row(id)), None);
    assert!(!format!("{:?}", client.session).contains("text: \"mine\""));
}

#[test]
fn a_refused_restore_says_why() {
    let before = "Deleted before the server was updated. It can't be restored.";
    let operator = "Deleted by the administrator. It can't be restored.";
    let late = "Deleted more than 24 hours ago. It can't be restored.";
    for (by_operator, age, why, sentence) in [
        (false, 1_000, Refusal::TooLate, before),
        (false, DAY, Refusal::TooLate, late),
        (true, 1_000, Refusal::NotAllowed, operator),
        (false, 1_000, Refusal::NotAllowed, "Not done: You may not do that here."),
    ] {
        let (mut log, _, id) = own(5);
        let by = if by_operator { log.epoch.to_string().parse().unwrap() } else { log.me };
        let at = log.delete(by, id).header.at;
        let mut client = log.client(5);
        client.now = at + age;
        let draft = act(&client, id, ActValue::On(false));
        let restore = draft.id;
        client.give(Input::Act(draft));
        let outcome = Outcome::Refused { why };
        client.give(Input::Frame(ServerFrame::Ack { id: restore, outcome }));
        assert_eq!(client.session.notice.as_deref(), Some(sentence));
        assert_eq!(client.session.waiting(), 0);
    }
}

#[test]
fn what_a_server_says_of_a_restore_stands_by_itself() {
    let said = "Deleted before the server was updated. It can't be restored.";
    let old = ActValue::Restored { restored: "mine".into() };
    for (value, expected) in [
        (ActValue::On(false), said.to_owned()),
        (old, said.to_owned()),
        (ActValue::On(true), format!("Not done: {said}")),
    ] {
        let (mut log, _, id) = own(5);
        log.delete(log.me, id);
        let mut client = log.client(5);
        let draft = act(&client, id, value);
        let (id, code, message) = (Some(draft.id), ErrorCode::Unfit, said.into());
        let fault = ServerFrame::Error { id, req: None, code, message };
        client.give(Input::Act(draft));
        client.give(Input::Frame(fault));
        assert_eq!(client.session.notice, Some(expected));
    }
}

#[test]
fn in_an_archived_room_a_message_is_deleted_and_restored_from_format_5_on() {
    for (format, sent) in [(4, 0), (5, 1)] {
        for value in [ActValue::On(true), ActValue::On(false)] {
            let (_, mut client, id) = own(format);
            client.session.rooms.iter_mut().for_each(|room| room.archived = true);
            let draft = act(&client, id, value.clone());
            let effects = client.give(Input::Act(draft));
            assert_eq!(acted(&effects).len(), sent, "format {format}, {value:?}");
            let value = ActValue::On(true);
            let pin = ActDraft { slot: "pin".into(), ..act(&client, id, value) };
            assert_eq!(acted(&client.give(Input::Act(pin))).len(), 0);
        }
    }
}
