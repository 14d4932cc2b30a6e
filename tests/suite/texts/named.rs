//! Whom a text names, by what is stored with it: links, who is asked for, notifications, and edits that name somebody.

use super::{Client, Log, naming, sent};
use crate::notices::told;
use beck::client::{Effect, Input, Known, Permission, Why};
use beck::protocol::{AccountId, Added, Badge, ClientFrame, ClientId, Mention, Row, ServerFrame, bounds};
use beck::ui::components::Named;
use std::sync::Arc;

#[test]
fn a_handle_is_a_link_only_if_it_is_stored_with_the_text() {
    let mut log = Log::new();
    let (me, bo) = (log.me, log.bo);
    let id = log.message("@old @bo @me @room", Added::default());
    let client = log.client(5);
    let row = client.row(id);
    let links = |added: Option<&Added>| {
        let named = Named::of(&client.session, row.text.as_deref(), added);
        ["old", "bo", "me", "room"].map(|handle| named.means_me(handle))
    };
    // As today, where nothing is stored with it.
    assert_eq!(links(None), [None, Some(false), Some(true), Some(true)]);
    assert_eq!(links(Some(&Added::default())), [None; 4]);
    // Somebody else had the handle then, and I have another one now.
    let added = naming(&[("old", me), ("bo", bo)]);
    assert_eq!(links(Some(&added)), [Some(true), Some(false), None, None]);
    let everybody = Added { all: true, ..Added::default() };
    assert_eq!(links(Some(&everybody)), [None, None, None, Some(true)]);
    // Who has no account is dropped, and so is what stands behind the first fifty.
    assert_eq!(links(Some(&naming(&[("old", AccountId::random())]))), [None; 4]);
    let mut many = naming(&[("old", me)]);
    for n in 0..bounds::MENTIONED {
        many.mentions.insert(format!("a{n:02}"), bo);
    }
    assert_eq!(links(Some(&many)), [None; 4]);
}

#[test]
fn accounts_that_are_stored_are_asked_for_and_no_handle_is() {
    let mut log = Log::new();
    let mut client = log.client(5);
    let stranger = AccountId::random();
    log.message("@ann @unknown", naming(&[("ann", stranger)]));
    let effects = client.event(&log.events[0].clone());
    let asked: Vec<_> = sent(&effects)
        .into_iter()
        .filter_map(|frame| match frame {
            ClientFrame::People { ids, handles } => Some((ids.clone(), handles.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [(vec![stranger], Vec::new())]);
}

/// One who may be notified, and looks elsewhere.
fn away(log: &Log) -> Client {
    let mut client = log.client(5);
    client.give(Input::Permission(Permission::Granted));
    client.give(Input::LookAway);
    client
}

#[test]
fn notifications_go_by_what_is_stored() {
    let mut log = Log::new();
    let me = log.me;
    let ids = [
        log.message("@me", Added::default()),
        log.message("hello @old", naming(&[("old", me)])),
        log.message("@room", Added { all: true, ..Added::default() }),
        log.message("@room", Added::default()),
    ];
    let mut client = log.client(5);
    client.give(Input::Permission(Permission::Granted));
    let why = |id: ClientId| client.session.explain(client.room, &client.row(id)).unwrap().0;
    assert_eq!(ids.map(why), [Why::NotNamed, Why::NamesYou, Why::NamesAll, Why::NotNamed]);
}

fn badge(client: &mut Client, badge: Badge) -> Vec<Effect> {
    let room = client.room;
    client.give(Input::Frame(ServerFrame::Badge { room, badge }))
}

fn asked(effects: &[Effect]) -> Option<u64> {
    sent(effects).into_iter().find_map(|frame| match frame {
        ClientFrame::Mentions { req, before: None } => Some(*req),
        _ => None,
    })
}

fn give(client: &mut Client, req: u64, rows: &[&Arc<Row>]) -> Vec<Effect> {
    let room = client.room;
    let mentions = rows.iter().map(|row| Mention { g: row.seq, room, row: (*row).clone() }).collect();
    client.give(Input::Frame(ServerFrame::Mentions { req, mentions, more: false }))
}

#[test]
fn an_edit_that_names_somebody_for_the_first_time_notifies_once_though_its_message_was_read() {
    let mut log = Log::new();
    let id = log.message("hello", Added::default());
    let other = log.message("@me", naming(&[("me", log.me)]));
    let read = Badge { read: 2, head: 2, ..Badge::default() };
    let mut client = away(&log);
    assert_eq!(asked(&badge(&mut client, read)), None);
    let event = log.edit(id, "hello @me", naming(&[("me", log.me)]));
    let named = Badge { named_by_edit: event.seq, ..read };
    let req = asked(&badge(&mut client, named)).unwrap();
    let rows = log.rows.clone();
    let notices = told(give(&mut client, req, &[&rows[0], &rows[1]]));
    assert_eq!(notices.len(), 1, "of the edited one alone");
    assert_eq!((notices[0].ordinal, notices[0].body.as_str()), (1, "hello @me"));
    assert_eq!(client.session.explain(client.room, &rows[0]), Some((Why::NamesYou, Known::Decided)));
    let _ = other;
    // The same badge again, and after a reconnect: nothing more.
    assert_eq!(asked(&badge(&mut client, Badge { unread: 1, ..named })), None);
    client.session.rooms[0].badge = named;
    client.give(Input::Closed(None));
    client.give(Input::Opened);
    let (me, rooms) = (client.session.me.clone(), client.session.rooms.clone());
    let effects = client.give(Input::Frame(crate::support::welcome(log.epoch, me, rooms)));
    assert_eq!(asked(&effects), None);
}

#[test]
fn an_edit_is_silent_where_a_message_would_be_and_the_explanation_agrees() {
    use beck::protocol::{Level, Wanted};
    let muted = Wanted { muted: true, ..Wanted::default() };
    let nothing = Wanted { level: Level::Nothing, ..Wanted::default() };
    let cases: [(Wanted, Permission, Why); 3] = [
        (muted, Permission::Granted, Why::Muted),
        (nothing, Permission::Granted, Why::Nothing),
        (Wanted::default(), Permission::Denied, Why::Forbidden),
    ];
    for (wanted, permission, why) in cases {
        let mut log = Log::new();
        let id = log.message("hello", Added::default());
        let mut client = away(&log);
        client.give(Input::Permission(permission));
        let read = Badge { read: 1, head: 1, wanted, ..Badge::default() };
        badge(&mut client, read);
        let event = log.edit(id, "hello @me", naming(&[("me", log.me)]));
        let req = asked(&badge(&mut client, Badge { named_by_edit: event.seq, ..read })).unwrap();
        let row = log.rows[0].clone();
        assert_eq!(told(give(&mut client, req, &[&row])), []);
        assert_eq!(client.session.explain(client.room, &row), Some((why, Known::Decided)));
    }
    // What was decided of it when it came does not answer for what it says now.
    let mut log = Log::new();
    let id = log.message("hello", Added::default());
    let mut client = away(&log);
    badge(&mut client, Badge { head: 0, ..Badge::default() });
    let effects = badge(&mut client, Badge { unread: 1, head: 1, ..Badge::default() });
    assert!(!sent(&effects).iter().any(|frame| matches!(frame, ClientFrame::Page { .. })));
    let row = client.row(id);
    assert_eq!(client.session.explain(client.room, &row), Some((Why::NotNamed, Known::Decided)));
    log.edit(id, "hello @me", naming(&[("me", log.me)]));
    let row = log.rows[0].clone();
    assert_eq!(client.session.explain(client.room, &row), Some((Why::NamesYou, Known::Settings)));
}

#[test]
fn a_message_that_is_new_and_edited_at_once_notifies_once() {
    let mut log = Log::new();
    log.message("first", Added::default());
    let mut client = away(&log);
    badge(&mut client, Badge { read: 1, head: 1, ..Badge::default() });
    let id = log.message("hello", Added::default());
    let event = log.edit(id, "hello @me", naming(&[("me", log.me)]));
    let new =
        Badge { unread: 1, mentions: 1, read: 1, head: 2, named_by_edit: event.seq, ..Badge::default() };
    let effects = badge(&mut client, new);
    let row = log.rows[1].clone();
    let mut notices = Vec::new();
    for frame in sent(&effects) {
        if let ClientFrame::Page { req, .. } = frame {
            let mut page = log.page();
            page.rows.retain(|row| row.ordinal > 1);
            notices.extend(told(client.give(Input::Frame(ServerFrame::Page { req: *req, page }))));
        }
    }
    let req = asked(&effects).unwrap();
    notices.extend(told(give(&mut client, req, &[&row])));
    assert_eq!(notices.len(), 1, "{notices:?}");
}
